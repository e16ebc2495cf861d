"""The three-way merge: both sides' edits where they do not touch, a question where they do, and never a word lost."""

from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coaching.texts.diffs import TOKEN
from coaching.texts.merging import Touch, begin_fields, merge_fields, merge_text

ENDS = ("\n", "\r\n", "")
steady = settings(deadline=None, derandomize=True, max_examples=150)
some_text = st.text(alphabet="ab \n\r.,é€😀", max_size=40)


@st.composite
def places(draw):
    """(text, ours, theirs): a text whose words occur once, and the words that each side writes anew, none beside another's."""
    lines = draw(st.lists(st.integers(0, 6), min_size=1, max_size=12))
    end = draw(st.sampled_from(ENDS[:2]))
    text = end.join(" ".join(f"w{row}x{column}é" for column in range(n)) for row, n in enumerate(lines))
    text += draw(st.sampled_from([end, ""]))
    words = [token for token in TOKEN.findall(text) if token[0].isalnum()]
    of = draw(st.lists(st.sampled_from("-ot"), min_size=len(words), max_size=len(words)))
    for at, side in enumerate(of):
        if at and side != "-" and of[at - 1] not in ("-", side):
            of[at] = "-"
    ours = [word for word, side in zip(words, of, strict=True) if side == "o"]
    theirs = [word for word, side in zip(words, of, strict=True) if side == "t"]
    return text, ours, theirs


def written(text, words, by):
    """The text with each of these words written anew, some as two words, some taken out."""
    for n, word in enumerate(words):
        text = text.replace(word, (f"{by}{word}", f"{by}{word} and{by}{word}", "")[n % 3], 1)
    return text


def merged(base, ours, theirs):
    """The merged text, or None where it asks."""
    try:
        return merge_text(base, ours, theirs)
    except Touch:
        return None


@steady
@given(places())
def test_edits_apart_are_as_if_made_one_after_the_other(drawn):
    base, ours, theirs = drawn

    told = merge_text(base, written(base, ours, "o"), written(base, theirs, "t"))

    assert told == written(written(base, ours, "o"), theirs, "t") == written(written(base, theirs, "t"), ours, "o")


@steady
@given(some_text, some_text, some_text)
def test_sides_are_alike_and_no_change_is_none(base, ours, theirs):
    assert merged(base, ours, theirs) == merged(base, theirs, ours)
    assert merged(base, ours, base) == merged(base, base, ours) == merged(base, ours, ours) == ours


@steady
@given(st.lists(st.sampled_from(["a\n", "b\n", "a b\n", "\n", "- \n", "a b c\n", "a"]), max_size=8), st.data())
def test_no_word_is_lost_whatever_repeats(lines, data):
    """Words that each side adds are its own, so every one of them stands in what comes out, and the counts add up."""
    base = "".join(lines)

    def edited(mark):
        rows = list(lines)
        for n in range(data.draw(st.integers(0, 3))):
            at = data.draw(st.integers(0, len(rows)))
            rows[at:at] = [f"{mark}{n} a\n"]
        return "".join(rows)

    ours, theirs = edited("o"), edited("t")
    told = merged(base, ours, theirs)
    assume(told is not None)

    counts = [
        Counter(token for token in TOKEN.findall(text) if token[0].isalnum()) for text in (told, ours, theirs, base)
    ]
    assert counts[0] + counts[3] == counts[1] + counts[2]


@steady
@given(places(), st.data())
def test_what_both_write_anew_asks(drawn, data):
    base, ours, theirs = drawn
    words = [token for token in TOKEN.findall(base) if token[0].isalnum()]
    assume(words)
    shared = data.draw(st.sampled_from(words))
    mine = written(base, [word for word in ours if word != shared], "o").replace(shared, "mine")
    yours = written(base, [word for word in theirs if word != shared], "t").replace(shared, "yours")
    assume(shared not in ours and shared not in theirs)

    assert merged(base, mine, yours) is None


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "told"),
    [
        ("Takes 2 days.", "Takes 3 days.", "Takes 2 weeks.", None),
        ("Takes 2 days.", "Takes 3 days.", "Takes 3 days.", "Takes 3 days."),
        ("", "One.", "Two.", None),
        ("", "One.", "One.", "One."),
        ("One.", "", "One. Two.", None),
        ("One.", "", "", ""),
        ("One.\nTwo.\n", "One.\n", "One.\nTwo!\n", None),
        ("One.\r\nTwo.\r\nThree.\r\n", "1.\r\nTwo.\r\nThree.\r\n", "One.\r\nTwo.\r\n3.\r\n", "1.\r\nTwo.\r\n3.\r\n"),
        ("One.\nTwo.\nThree.", "One!\nTwo.\nThree.", "One.\nTwo.\nThree.\nFour.", "One!\nTwo.\nThree.\nFour."),
        ("One.\nTwo.", "One.\nTwo.\nOurs.", "One.\nTwo.\nTheirs.", None),
        ("Größe 5 ist da", "Größe 6 ist da", "Größe 5 ist weg", "Größe 6 ist weg"),
        ("Größe 5 €, morgen", "Größe 6 €, morgen", "Größe 5 €, heute", None),
        ("-\nOne.\n-\nTwo.\n-\n", "-\nOne!\n-\nTwo.\n-\n", "-\nOne.\n-\nTwo!\n-\n", "-\nOne!\n-\nTwo!\n-\n"),
    ],
)  # fmt: skip
def test_merge_by_example(base, ours, theirs, told):
    assert merged(base, ours, theirs) == told


def test_fields_are_merged_one_by_one():
    base = {"summary": "One fact.", "text": "Two days.", "expires_at": None, "active": True}
    ours = {"summary": "A fact.", "text": "Three days.", "expires_at": None, "active": True}
    theirs = {"summary": "One fact now.", "text": "Four days.", "active": False}

    told = merge_fields(base, ours, theirs)

    assert told.fields == {"summary": "A fact now.", "text": "Three days.", "expires_at": None, "active": False}
    assert told.touching == ("text",)


def test_what_an_editor_begins_with_holds_everything_that_does_not_touch():
    base = {"content": "One.\nTwo.\nThree.\nFour.\nFive.\n", "name": "Before", "active": True}
    ours = {"content": "One.\n2.\nThree.\nFour.\nFive.\n", "name": "Before", "active": True}
    theirs = {"content": "One.\nII.\nThree.\nFour.\nV.\n", "name": "After", "active": False}

    begun = begin_fields(base, ours, theirs)

    assert begun == {"content": "One.\n2.\nThree.\nFour.\nV.\n", "name": "After", "active": False}
    assert merge_fields(base, ours, theirs).touching == ("content",)
