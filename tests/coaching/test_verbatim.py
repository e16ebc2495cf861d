import pytest
from hypothesis import given
from hypothesis import strategies as st

from coaching.texts.verbatim import RUN, Guard, shares_run

BODY = "I ordered the blue lamp three weeks ago and nobody has told me where it is, so I want my money back now."
ELEVEN = "I ordered the blue lamp three weeks ago and nobody has"
TWELVE = "I ordered the blue lamp three weeks ago and nobody has told"


@pytest.mark.parametrize(
    ("text", "shared"),
    [
        (TWELVE, True),
        (ELEVEN, False),
        (f"They wrote: {TWELVE.upper()}!", True),
        (TWELVE.replace(" ", " - "), True),
        (ELEVEN + ", told", True),
        ("The customer wants a refund for a lamp that has not arrived.", False),
        ("", False),
    ],
)
def test_a_run_of_twelve_words_is_found_in_any_dress(text, shared):
    assert shares_run(text, BODY) is shared


def test_scripts_without_spaces_count_by_the_character():
    assert shares_run("客户说:我三周前订购了一盏蓝色的灯", "我三周前订购了一盏蓝色的灯,到现在还没有收到")
    assert not shares_run("客户订购了一盏灯", "我三周前订购了一盏蓝色的灯,到现在还没有收到")


def guarded(pieces, turns):
    guard = Guard()
    guard.know(turns)
    return "".join([*map(guard.add, pieces), guard.flush()])


@pytest.mark.parametrize("size", [1, 3, 7, 1000])
@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (f"Look: {TWELVE}. That is all.", "Look: [turn 4]. That is all."),
        (f"Look: {ELEVEN}. That is all.", f"Look: {ELEVEN}. That is all."),
        (BODY, "[turn 4]."),
        (f"{TWELVE} {TWELVE}", "[turn 4]"),
        ("Nothing of it. At all!\n\n- one\n- two\n", "Nothing of it. At all!\n\n- one\n- two\n"),
        ("", ""),
    ],
)
def test_the_guard_lets_through_all_but_runs_however_the_text_is_cut(text, stored, size):
    pieces = [text[start : start + size] for start in range(0, len(text), size)]

    assert guarded(pieces, {4: BODY}) == stored


def test_a_run_across_two_turns_is_one():
    assert guarded([TWELVE], {1: "I ordered the blue lamp", 2: "three weeks ago and nobody has told me"}) == "[turn 1]"


def test_a_guard_that_knows_nothing_holds_nothing_back():
    guard = Guard()

    assert guard.add("half a wor") == "half a wor"


def test_what_is_held_back_is_less_than_a_run():
    guard = Guard()
    guard.know({0: BODY})
    text = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen "

    assert len(text.split()) - len(guard.add(text).split()) < RUN


few_words = st.lists(st.sampled_from(["a", "b", "it's", "Ü", "灯", "x-y"]), max_size=40).map(" ".join)


@given(body=few_words, before=few_words, after=few_words, copied=st.booleans(), data=st.data())
def test_no_run_passes_the_guard_and_nothing_else_is_held_back(body, before, after, copied, data):
    text = f"{before} {body if copied else ''} {after}"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    stored = guarded(pieces, {3: body})

    assert not shares_run(stored, body)
    if not shares_run(text, body):
        assert stored == text
