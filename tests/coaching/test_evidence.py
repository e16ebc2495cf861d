import pytest

from coaching.coach.evidence import Edit, apply_edits, find_quote
from coaching.coach.protocol import ToolError

TURNS = {
    0: "Hello, where is my parcel?",
    1: "It’s  on its\nway — promised.",
    2: "You said that yesterday. Where is my parcel?",
    3: "ok",
    4: "",
}


@pytest.mark.parametrize(
    ("turn", "quote", "found"),
    [
        (0, "where is my parcel", "where is my parcel"),
        (1, "It's on its way - promised.", "It’s  on its\nway — promised."),
        (3, "ok", "ok"),
        (1, "You said that yesterday.", "You said that yesterday."),
    ],
)
def test_a_true_quote_is_found_where_it_stands(turn, quote, found):
    at = find_quote(TURNS, quote, turn)

    assert TURNS[at.turn][at.start : at.end] == found
    assert at.of(TURNS) == found


def test_a_true_quote_under_a_wrong_turn_is_put_under_the_right_one():
    assert find_quote(TURNS, "You said that yesterday.", 0).turn == 2


@pytest.mark.parametrize(
    ("turn", "quote", "words"),
    [
        (0, "where is my package", "not in the transcript"),
        (0, "WHERE IS MY PARCEL", "not in the transcript"),
        (99, "never said by anyone", "not in the transcript"),
        (1, "here is my parcel?", "in turns 0, 2"),
        (0, "  \n ", "empty"),
        (0, "Hello", "too short"),
    ],
)
def test_a_quote_that_is_not_there_is_refused(turn, quote, words):
    with pytest.raises(ToolError, match=words):
        find_quote(TURNS, quote, turn)


def test_a_source_that_has_changed_gives_no_words():
    at = find_quote(TURNS, "where is my parcel", 0)

    assert at.of({0: "Hello, where is my basket?"}) == ""


@pytest.mark.parametrize(
    ("text", "edits", "changed"),
    [
        ("Be kind. Be short.", [("short", "clear")], "Be kind. Be clear."),
        ("Be kind. Be short.", [("short", "kind"), ("kind", "short")], "Be short. Be kind."),
        ("Be kind. Be short.", [("Be kind. ", ""), ("Be short.", "Be.")], "Be."),
        ("nana nanana", [("nanana", "x")], "nana x"),
        ("", [("", "Be kind.")], "Be kind."),
    ],
)
def test_edits_are_made_exactly_once(text, edits, changed):
    assert apply_edits(text, [Edit(*each) for each in edits]) == changed


@pytest.mark.parametrize(
    ("text", "edits", "words"),
    [
        ("Be kind.", [("rude", "kind")], "edit 1 is not there"),
        ("Be kind. Be short.", [("kind", "nice"), ("Be", "Stay")], "edit 2 is there 2 times"),
        ("aaa", [("aa", "b")], "edit 1 is there 2 times"),
        ("Be kind.", [("", "More.")], "old text of edit 1 is empty"),
        ("Be kind.", [("Be kind", "Stay"), ("kind.", "nice")], "touch the same text"),
        ("", [("", "One."), ("", "Two.")], "touch the same text"),
        ("Be kind.", [("kind", "kind")], "change nothing"),
        ("Be kind.", [], "no edit"),
    ],
)
def test_edits_that_do_not_fit_are_refused(text, edits, words):
    with pytest.raises(ToolError, match=words):
        apply_edits(text, [Edit(*each) for each in edits])
