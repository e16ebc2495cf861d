"""What changed between two texts: nothing lost, nothing invented, folded where nothing happens, quick on long prompts."""

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coaching.templatetags.lines import diff_rows
from coaching.texts import diffs
from coaching.texts.diffs import Gap, Piece

TEXTS = st.text(alphabet="ab \n.é", max_size=60)


def old_and_new(pieces):
    return (
        "".join(piece.text for piece in pieces if piece.sign != "+"),
        "".join(piece.text for piece in pieces if piece.sign != "-"),
    )


@given(TEXTS, TEXTS)
def test_words_tell_both_texts_whole(old, new):
    assert old_and_new(diffs.words(old, new)) == (old, new)


@given(TEXTS, TEXTS)
def test_lines_tell_both_texts_whole(old, new):
    rows = diffs.lines(old, new, context=None).rows
    sides = [["".join(piece.text for piece in row.pieces) for row in rows if row.sign != other] for other in ("+", "-")]

    assert sides == [old.splitlines(), new.splitlines()]


@given(TEXTS, TEXTS, st.integers(0, 3))
def test_folding_hides_unchanged_lines_only(old, new, context):
    whole, folded = diffs.lines(old, new, context=None), diffs.lines(old, new, context=context)

    shown = [row for row in folded.rows if not isinstance(row, Gap)]
    hidden = sum(row.count for row in folded.rows if isinstance(row, Gap))
    assert len(shown) + hidden == len(whole.rows)
    assert [row for row in shown if row.sign] == [row for row in whole.rows if row.sign]


def test_words_keep_what_stays_and_mark_what_does_not():
    pieces = diffs.words("Refunds need an approval.", "Refunds within 30 days need no approval.")

    assert pieces == (
        Piece("", "Refunds "),
        Piece("+", "within 30 days "),
        Piece("", "need "),
        Piece("-", "an"),
        Piece("+", "no"),
        Piece("", " approval."),
    )


def test_words_of_texts_with_little_in_common_are_one_of_each():
    assert diffs.words("Closed on Sundays.", "Call the hotline first, then wait.") == (
        Piece("-", "Closed on Sundays."),
        Piece("+", "Call the hotline first, then wait."),
    )


def test_lines_are_numbered_by_the_text_they_stand_in():
    rows = diffs.lines("a\nb\nc", "a\nx\ny\nc").rows

    assert [(row.sign, row.number) for row in rows] == [("", 1), ("-", 2), ("+", 2), ("+", 3), ("", 4)]


def test_long_unchanged_stretch_is_one_gap():
    same = [f"line {n}" for n in range(50)]

    rows = diffs.lines("\n".join([*same, "old"]), "\n".join([*same, "new"])).rows

    assert rows[0] == Gap(47)
    assert len(rows) == 6


def test_side_by_side_pairs_removed_with_added_lines():
    pairs = diffs.lines("a\nb\nc", "a\nx\ny\nc").pairs

    assert [(old and old.number, new and new.number) for old, new in pairs] == [(1, 1), (2, 2), (None, 3), (4, 4)]


def test_fields_leave_out_what_did_not_change():
    old = {"summary": "Open till six.", "text": "Every day.", "expires_at": None}

    changed = diffs.fields(old, {**old, "summary": "Open till eight."})

    assert [(one.field, one.style) for one in changed] == [("summary", "words")]


def test_fields_of_something_new_and_something_removed_are_all_told():
    fields = {"summary": "Open till six.", "text": "", "expires_at": None}

    assert [(one.field, one.old, one.new) for one in diffs.fields({}, fields)] == [("summary", None, "Open till six.")]
    assert [(one.field, one.old, one.new) for one in diffs.fields(fields, {})] == [("summary", "Open till six.", None)]


def test_new_memory_of_one_sentence_is_told_once():
    said = "Open till six."

    assert [one.field for one in diffs.created({"summary": said, "text": said})] == ["summary"]
    assert [one.field for one in diffs.created({"summary": said, "text": f"{said} Closed on Sundays."})] == [
        "summary",
        "text",
    ]
    assert [one.field for one in diffs.created({"name": "Refund", "content": "1. Ask."})] == ["name", "content"]


def prompt(chance, characters=50_000):
    lines, size = [], 0
    while size < characters:
        lines.append(" ".join(f"w{chance.randint(0, 400)}" for _ in range(chance.randint(0, 16))))
        size += len(lines[-1]) + 1
    return lines


def compared(change, characters):
    """Seconds of this thread that the quickest of three comparisons of a prompt with a changed one takes."""
    chance = random.Random(7)
    lines = prompt(chance, characters)
    others = {
        "edited": [line if chance.random() > 0.1 else f"{line} changed" for line in lines],
        "moved": [*lines[len(lines) // 2 :], *lines[: len(lines) // 2]],
        "rewritten": prompt(chance, characters),
        "one line": [" ".join(prompt(chance, characters))],
    }[change]
    runs = []
    for _ in range(3):
        begun = time.thread_time()
        diffs.lines("\n".join(lines), "\n".join(others))
        runs.append(time.thread_time() - begun)
    return min(runs)


@pytest.mark.parametrize("change", ["edited", "moved", "rewritten", "one line"])
def test_comparing_ten_times_the_text_takes_about_ten_times_as_long(change):
    assert compared(change, 50_000) < 40 * compared(change, 5_000)  # about 12; each line with each would be 100


@pytest.mark.parametrize("side", [False, True])
@pytest.mark.parametrize("opened", [False, True])
def test_words_of_a_prompt_are_never_markup(side, opened):
    same = "\n".join(f"<b>rule {n}</b>" for n in range(20))
    change = diffs.field_diff(
        "system_prompt", f"Say <i>hello</i> first.\n{same}", f"Say <u>hello</u> first.\n{same}\n<script>"
    )

    rows = diff_rows(change, side=side, opened=opened, fold_link='?context="all"&x')

    assert re.findall(r"<(?!/?(?:tr|td|span|ins|del|a)\b)", rows) == []
    assert "&lt;<del>i</del>&gt;" in rows
    assert "&lt;script&gt;" in rows
    assert ('href="?context=&quot;all&quot;&amp;x"' in rows) == (not opened)
    assert rows.count("&lt;b&gt;rule") == (20 if opened else 6) * (2 if side else 1)
