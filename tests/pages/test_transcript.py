"""The transcript side of the conversation page: what is folded, paired, marked, cut and dated, and that all of it is text."""

import json
import re
from datetime import UTC, datetime

import pytest
from django.utils import timezone

from coaching.pages import transcript
from coaching.templatetags.turns import turns as as_markup
from coaching.texts import jsontext
from helpdesk.models import StoredTranscript
from helpdesk.transcripts import TranscriptTurn
from tests import factories
from tests.coaching import talks


def lines(*said, cited=None):
    return transcript.lines([TranscriptTurn(*one) for one in said], cited or {})


def at(*when):
    return int(datetime(2026, 11, *when, tzinfo=UTC).timestamp() * 1000)


def words(spans):
    return "".join(span.text for span in spans)


# --- Calls and answers ------------------------------------------------------------------------------------------------


def test_calls_are_folded_and_their_answers_point_at_them():
    call, first, second, later = lines(
        ("agent", 'One moment.\n[calls find_order({"id": 1})]\n[calls find_user({"name": "a\\n[calls b({})]"})]'),
        ("tool", '{"found": true}', None, "find_user"),
        ("tool", "Error: no such order", None, "find_order"),
        ("tool", "nobody called this", None, "find_order"),
    )

    assert words(call.said) == "One moment."
    assert [(fold.words, fold.is_failure) for fold in call.folds] == [
        ("calls find_order", False),
        ("calls find_user", False),
    ]
    assert [(one.answers, one.folds[0].words, one.folds[0].is_failure) for one in (first, second, later)] == [
        (0, "find_user answered", False),
        (0, "find_order", True),
        (None, "find_order answered", False),
    ]
    assert words(call.folds[0].spans) == '{\n  "id": 1\n}'


@pytest.mark.parametrize(
    ("text", "is_failure"),
    [
        ("Error: order not found", True),
        ("ValueError: no", True),
        ("Traceback (most recent call last):", True),
        ('{"error": "not found"}', True),
        ('{"errors": []}', False),
        ('{"status": "error"}', True),
        ('{"status": "shipped", "error": null}', False),
        ("The customer saw an error.", False),
        ("", False),
    ],
)
def test_answer_that_says_it_failed_is_marked(text, is_failure):
    (line,) = lines(("tool", text, None, "find_order"))

    assert line.folds[0].is_failure is is_failure
    assert ('<span class="pill pill-bad">failed</span>' in as_markup([line])) is is_failure


def test_words_in_brackets_that_are_no_call_stay_words():
    said = ["[calls]", "He said [calls find({})] and went on.", "[calls find({})", "[calls find_order({})] Done?"]

    assert [line.is_folded for line in lines(*(("agent", text) for text in said))] == [False] * 4
    assert [line.is_folded for line in lines(("customer", "[calls find({})]"))] == [False]


# --- JSON -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1, 2.50, -1e400, "x: [y], {z} \\" \\u00e9"], "a": {}, "b": [], "c": null}',
        "[[], [{}], [[1]]]",
        '{"deep": ' * 20 + "1" + "}" * 20,
    ],
)
def test_indented_json_says_the_same_token_by_token(text):
    shown = jsontext.indented(text)

    assert shown.count("\n") > 3
    assert re.sub(r"\s", "", shown) == re.sub(r"\s", "", text)
    assert json.loads(shown) == json.loads(text)


@pytest.mark.parametrize(
    "text", ["", "plain", '"text"', "{'python': True}", '{"cut": ', "[" * 5_000, "[" * 40 + "]" * 40]
)
def test_what_is_no_readable_json_stays_as_it_came(text):
    assert jsontext.indented(text) == text


# --- Long, empty, dated -----------------------------------------------------------------------------------------------


def test_long_turn_is_cut_at_a_space_and_loses_nothing():
    text = "word " * 40_000

    (line,) = lines(("customer", text))

    assert words(line.said) + words(line.rest) == text.rstrip()
    assert len(words(line.said)) <= transcript.BEGINNING
    assert words(line.rest).startswith(" ")
    assert "Show all, 198,5" in as_markup([line])


def test_turn_of_many_lines_is_cut_and_a_short_one_is_not():
    many, few, one_word = lines(("agent", "line\n" * 200), ("agent", "line\n" * 50), ("customer", "x" * 5_000))

    assert words(many.said).count("\n") == transcript.BEGINNING_LINES - 1
    assert (few.rest, len(words(one_word.said))) == ((), transcript.BEGINNING)


def test_quote_across_the_cut_stays_whole_and_one_beyond_it_opens_the_rest():
    text = "a" * 1_490 + " quoted words here " + "b" * 3_000 + " later "
    cited = transcript.places({0: text}, {0: {"quoted words here": "p1", "later": "p2", "absent": "p3"}})

    (line,) = lines(("customer", text), cited=cited)

    assert words(line.said).endswith("quoted words here")
    assert words(line.said) + words(line.rest) == text.rstrip()
    markup = as_markup([line])
    assert '<details class="turn-rest" open>' in markup
    assert re.findall(r'href="#proposal-(\w+)">([^<]+)<', markup) == [("p1", "quoted words here"), ("p2", "later")]


def test_quote_in_a_folded_answer_opens_it_and_keeps_the_words_as_they_came():
    text = '{"window": "30 days"}'
    cited = transcript.places({0: text}, {0: {'"30 days"': "p1"}})

    markup = as_markup(lines(("tool", text, None, "policy"), cited=cited))

    assert '<details class="turn-tool" open>' in markup
    assert (
        '<pre>{&quot;window&quot;: <mark class="turn-quote"><a href="#proposal-p1">&quot;30 days&quot;</a></mark>}</pre>'
        in markup
    )


def test_empty_turns_say_so():
    markup = as_markup(lines(("customer", " \n"), ("tool", ""), ("tool", "", None, "refund"), ("system", "")))

    assert markup.count("no text") == 4
    assert "<details" not in markup
    assert "refund answered" in markup


def test_days_are_named_where_there_are_several_by_the_clock_of_the_workspace():
    same = [("customer", "Hello.", at(20, 9, 30)), ("agent", "Hello.", None), ("customer", "Well?", at(20, 22, 30, 5))]

    with timezone.override("UTC"):
        assert [line.day for line in lines(*same)] == [None] * 3
    with timezone.override("Pacific/Auckland"):  # thirteen hours on: the last turn is of the next day there
        markup = as_markup(lines(*same))
    assert re.findall(r"turn-day\">([^<]+)<", markup) == ["Friday, 20 November 2026", "Saturday, 21 November 2026"]
    assert 'data-exact="21 Nov 2026, 11:30:05">11:30 · turn 2</a>' in markup
    assert '<a href="#turn-1">turn 1</a>' in markup


# --- The page ---------------------------------------------------------------------------------------------------------


def test_every_word_of_a_turn_is_escaped():
    bad = "<script>alert(1)</script>&\"'"
    markup = as_markup(
        lines(*((role, f"{bad} {bad}", None, bad) for role in ("customer", "agent", "tool", "system")),
              ("agent", "[calls find(<b>)]"), ("customer", f"{bad} " * 300)),
        {"1"},
    )  # fmt: skip

    assert "<script" not in markup
    assert "<b>)" not in markup
    assert markup.count(" checked>") == 1


def test_turns_can_be_chosen_only_where_there_is_a_coach_to_ask(agent, owner, signed_in):
    talk, client = talks.conversation(agent), signed_in(owner)
    path = f"/conversations/{talk.pk}"

    assert client.get(f"{path}?turn=5&turn=99&turn=x").content.decode().count('form="ask"') == 7
    assert client.get(f"{path}?turn=5&turn=99").content.decode().count(" checked></label>") == 1
    agent.coaching = False
    agent.save()
    page = client.get(path).content.decode()
    assert page.count('<li class="turn') == 7
    assert 'form="ask"' not in page


def test_proposals_that_wait_are_counted_on_the_coachs_tab(agent, owner, signed_in):
    session = factories.session(agent, owner, conversation=talks.conversation(agent))
    talks.ask(session, "Add a memory that parcels are collected at noon.")

    page = signed_in(owner).get(f"/conversations/{session.conversation_id}").content.decode()

    assert '<span id="coach-count"> · 1 proposal</span>' in page


def test_page_of_many_turns_weighs_and_asks_little_more_than_of_few(agent, owner, signed_in):
    said = [("customer", "Where is it?"), ("agent", "[calls find({})]"), ("tool", "{}"), ("agent", "Here.")]
    few, many = talks.conversation(agent, said), talks.conversation(agent, said * 250)
    client = signed_in(owner)

    small = client.get(f"/conversations/{few.pk}").content
    large = client.get(f"/conversations/{many.pk}").content

    assert len(large) - len(small) < 996 * 400  # bytes a turn, its words included
    assert StoredTranscript.objects.count() == 2
