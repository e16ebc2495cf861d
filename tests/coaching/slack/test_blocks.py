"""What messages look like: within every limit of Slack, whole, and nothing in them but what was meant."""

import json
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coaching.slack.blocks import notices
from coaching.slack.blocks.answers import Answer, answer
from coaching.slack.blocks.changes import changes
from coaching.slack.blocks.flags import Shown as ShownFlag
from coaching.slack.blocks.flags import flag
from coaching.slack.blocks.markdown import rich_text
from coaching.slack.blocks.message import pieces
from coaching.slack.blocks.parts import plain
from coaching.slack.blocks.proposals import Evidence, proposal
from coaching.slack.blocks.proposals import Shown as ShownProposal
from coaching.slack.blocks.text import clean, cut, split, weight
from coaching.texts import diffs
from tests.slack import limits

URL = "https://coach.example/proposals/8c1f2c1e-7a55-4d06-9b0b-2b1a5f3c7d11"
HOSTILE = [
    "<!channel> <!here> <!everyone>",
    "<@U012AB3CD> <#C012AB3CD> <!subteam^S012AB3CD>",
    "<http://evil.example|our dashboard>",
    "[our dashboard](http://evil.example)",
    "![a picture](http://evil.example/x.png)",
    "<http://evil.example>",
    "<!date^1392734382^Posted {date_num}|now>",
    "@here @channel @everyone #general :siren: &lt;!here&gt;",
    '<a href="http://evil.example">our dashboard</a>',
]
MARKS = st.text(st.sampled_from('ab *_`#>-1.\n\t[]()<>!@&|~:\\"“”😀👍🏽é\u200d\ud83d\x00'), max_size=400)
WORDS = st.one_of(MARKS, st.text(max_size=300))


def problems(*told):
    """What Slack would refuse of these messages, posted or updated."""
    found = []
    for one in told:
        found += limits.problems(one.blocks)
        found += filter(None, [limits.too_long(one.text, one.blocks), limits.too_long(one.text, [], is_update=True)])
        found += [] if one.blocks and one.text.strip() else ["it says nothing"]
    json.dumps([vars(one) for one in told]).encode()
    return found


def inline(*told):
    """Every run of every rich text of these messages."""
    return [run for one in told for block in one.blocks if block["type"] == "rich_text" for run in runs_of(block)]


def runs_of(part):
    if "elements" not in part:
        return [part]
    return [run for each in part["elements"] for run in runs_of(each)]


def said(*told):
    return "".join(run["text"] for run in inline(*told))


def squeezed(text):
    return "".join(text.split())


def bare(text):
    """A text without white space and without the marks that Markdown takes away."""
    return "".join(character for character in text if character.isalnum())


# --- Markdown ----------------------------------------------------------------------------------------------------------


def test_markdown_becomes_rich_text():
    told = rich_text("# Why\n\nThe **whole** _text_ with `code`.\n\n> as *they* said\n\n```python\nx = 1\n```")

    title, words, quoted, code = told
    assert title == {"type": "rich_text_section", "elements": [bold("Why")]}
    assert words["elements"] == [
        plain_run("The "), bold("whole"), plain_run(" "), plain_run("text", italic=True), plain_run(" with "),
        plain_run("code", code=True), plain_run("."),
    ]  # fmt: skip
    assert quoted["type"] == "rich_text_quote"
    assert quoted["elements"] == [plain_run("as "), plain_run("they", italic=True), plain_run(" said")]
    assert code == {"type": "rich_text_preformatted", "elements": [plain_run("x = 1")]}


def bold(words):
    return plain_run(words, bold=True)


def plain_run(words, **style):
    return {"type": "text", "text": words} | ({"style": style} if style else {})


def test_lists_keep_their_levels_and_their_numbers():
    told = rich_text("1. one\n   - inner\n   - other\n2. two\n3. three\n\nAfter.")

    assert [(part.get("style"), part.get("indent", 0), part.get("offset", 0), said_of(part)) for part in told] == [
        ("ordered", 0, 0, ["one"]),
        ("bullet", 1, 0, ["inner", "other"]),
        ("ordered", 0, 1, ["two", "three"]),
        (None, 0, 0, ["After."]),
    ]


def said_of(part):
    return ["".join(run["text"] for run in runs_of(each)) for each in part["elements"]]


def test_paragraphs_stand_apart_in_one_section():
    [one] = pieces(rich_text("First.\n\nSecond."))

    [section] = one.blocks[0]["elements"]
    assert said_of(section) == ["First.\n\nSecond."]


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_others_become_neither_mention_nor_link(text):
    [one] = pieces(rich_text(text))

    assert {run["type"] for run in inline(one)} == {"text"}
    assert said(one) == text.replace("&lt;", "<").replace(
        "&gt;", ">"
    )  # Markdown reads entities, and Slack gets the words
    assert not {"<", ">"} & set(one.text)  # which Slack would read as its own marks
    assert problems(one) == []


def test_what_cannot_be_seen_or_sent_is_left_out():
    assert clean("a\x00b\u202ec\ud83dd\r\ne") == "abc\ufffdd\ne"


# --- Long answers --------------------------------------------------------------------------------------------------------

PARAGRAPH = "The customer asked three times where the parcel was, and each time the agent promised to come back. "
LONG = {
    "13,200 characters": (PARAGRAPH * 3 + "\n\n") * 44,
    "fifty blocks": "".join(f"## Part {n}\n\n- one\n- two\n\n> quote {n}\n\n```\ncode {n}\n```\n\n" for n in range(50)),
    "a word of 20,000 characters": "w" * 20_000,
    "20,000 emoji": "👩🏽‍🚀" * 5_000,
    "flags": "🇩🇪🇫🇷" * 3_000,
    "marks on letters": "e\u0301" * 9_000,
    "quotes to be escaped": '"\\' * 9_000,
    "many runs": "**a** b `c` " * 3_000,
    "a list of 4,000": "- item\n" * 4_000,
    "numbers": "".join(f"{n}. step\n" for n in range(1, 2_000)),
    "an item of 9,000": "- " + PARAGRAPH * 90,
    "code": "```\n" + "x = 1\n" * 5_000 + "```",
    "a quote": "> " + PARAGRAPH * 90,
    "a heading": "# " + PARAGRAPH * 90,
    "other scripts": "退款在三十天内自动处理。" * 1_500,
    "deep lists": "".join(f"{'  ' * (n % 12)}- level {n}\n" for n in range(600)),
}


@pytest.mark.parametrize("text", LONG.values(), ids=LONG)
@pytest.mark.parametrize("short", [False, True])
def test_a_long_answer_is_whole_in_several_messages_within_every_limit(text, short):
    told = answer(Answer(text, URL), short=short)

    assert problems(*told) == []
    whole = squeezed("".join(run["text"] for part in rich_text(text) for run in runs_of(part)))
    assert squeezed(said(*told)) == whole
    assert len(whole) > 1_000


def test_the_answer_of_13_200_characters_is_two_messages_cut_between_paragraphs():
    first, second = answer(Answer(LONG["13,200 characters"], URL))

    assert said(first).endswith("promised to come back.")
    assert said(second).startswith("The customer asked")


@pytest.mark.parametrize("text", ["👩🏽‍🚀" * 900, "🇩🇪" * 900, "e\u0301" * 1_800, "1\ufe0f\u20e3" * 700])
@pytest.mark.parametrize("most", [50, 51, 52, 53, 54, 55, 56, 57])
def test_no_character_is_cut_in_two(text, most):
    one = text[: len(text) // (900 if "🚀" in text or "🇩" in text else 1_800 if "e" in text else 700)]
    begin, rest = split(text, most)

    assert begin + rest == text
    assert len(begin) % len(one) == 0
    assert cut(text, most).removesuffix("…").rstrip() in text
    assert len(cut(text, most).removesuffix(" …")) % len(one) == 0


def test_text_that_only_grows_leaves_the_messages_before_as_they_were():
    text = LONG["13,200 characters"] * 3
    drawn = [pieces(rich_text(text[:end])) for end in range(1_000, len(text), 2_500)]

    for earlier, later in pairwise(drawn):
        assert earlier[:-1] == later[: len(earlier) - 1]
    assert len(drawn[-1]) > 3


@settings(max_examples=150, deadline=None)
@given(MARKS, st.integers(20, 400))
def test_splitting_loses_no_word_and_always_ends(text, most):
    text, parts = clean(text), []
    rest = text
    while rest:
        part, rest = split(rest, most)
        parts.append(part)

    assert bare("".join(parts)) == bare(text)
    assert all(weight(part) - 2 <= most for part in parts if len(part) > 1)


@settings(max_examples=200, deadline=None)
@given(WORDS, st.booleans(), st.booleans(), st.lists(WORDS.filter(str.strip), max_size=3))
def test_any_answer_is_taken(text, is_practice, short, suggestions):
    for doing, trouble in (("", ""), ("Reads the prompt …", ""), ("", "The model is busy.")):
        told = answer(
            Answer(text, URL, doing=doing, trouble=trouble, suggestions=tuple(suggestions), is_practice=is_practice),
            short=short,
        )
        assert problems(*told) == []
        assert {run["type"] for run in inline(*told)} <= {"text", "link"}
        assert {run["url"] for run in inline(*told) if run["type"] == "link"} <= {URL}


# --- How an answer ends ------------------------------------------------------------------------------------------------


def test_an_answer_that_moves_says_what_the_coach_does_now():
    [told] = answer(Answer("So far", URL, doing="Reads the prompt …"))

    assert [block["type"] for block in told.blocks] == ["rich_text", "context"]
    assert told.text == "So far\nReads the prompt …"


def test_an_answer_that_failed_says_why_and_leads_to_where_it_can_be_tried_again():
    [told] = answer(Answer("So far", URL, trouble="The model is busy."))

    assert told.text == "So far\nThe model is busy. Open the talk to try again"
    assert {"type": "link", "url": URL, "text": "Open the talk to try again"} in inline(told)


def test_an_answer_without_a_word_says_so():
    assert answer(Answer("", URL))[0].text == "The coach said nothing."


def test_what_to_ask_next_stands_in_plain_lines():
    [told] = answer(Answer("Done.", URL, suggestions=("Is this a pattern?", "What else?")))

    assert told.text == "Done.\nYou could ask next:\n• Is this a pattern?\n• What else?"


def test_the_practice_model_is_named():
    assert "practice model" in answer(Answer("Practice model: hello.", URL, is_practice=True))[0].text


# --- Proposals ---------------------------------------------------------------------------------------------------------


def shown(**fields):
    told = {
        "id": "8c1f2c1e-7a55-4d06-9b0b-2b1a5f3c7d11",
        "type": "Memory update",
        "agent": "Nova",
        "title": "Refunds within 14 days are automatic.",
        "rationale": "The customer had to ask twice.",
        "url": URL,
        "may_be_decided": True,
    }
    return ShownProposal(**(told | fields))


def buttons(told):
    return [
        (one["action_id"], one.get("value", one.get("url")))
        for block in told.blocks
        if block["type"] == "actions"
        for one in block["elements"]
    ]


def lines(old, new):
    return [(one, "", "") for one in diffs.fields({"system_prompt": old}, {"system_prompt": new})]


def test_a_proposal_that_waits_can_be_decided():
    told = proposal(shown())

    assert buttons(told) == [("proposal_approve", shown().id), ("proposal_reject", shown().id), ("proposal_open", URL)]
    assert told.text.startswith("Memory update · Nova\nRefunds within 14 days are automatic.")


def test_one_that_cannot_be_decided_can_only_be_opened():
    told = proposal(
        shown(may_be_decided=False, standing="Approved by Ana.", note="Good.", way_on=("The newer one", URL))
    )

    assert buttons(told) == [("proposal_open", URL)]
    assert "Approved by Ana. “Good.” The newer one" in told.text


def test_a_high_risk_one_asks_again_before_it_is_approved():
    approve = proposal(shown(risks=["It adds a link."])).blocks[-1]["elements"][0]

    assert "It adds a link." in approve["confirm"]["text"]["text"]
    assert "confirm" not in proposal(shown()).blocks[-1]["elements"][0]


def test_reasons_that_are_long_are_cut_where_it_is_asked_again():
    assert problems(proposal(shown(risks=["It seems to hold personal data. " * 9] * 9))) == []


def test_evidence_shows_a_short_quote_and_leads_to_the_turn():
    told = proposal(
        shown(evidence=[Evidence("turn 4 of conversation 4711", f"{URL}#turn-4", "word " * 100), Evidence("Asked")])
    )

    [place] = [run for run in inline(told) if run["type"] == "link"]
    quote = inline(told)[inline(told).index(place) - 1]
    assert quote["style"] == {"italic": True}
    assert len(quote["text"]) <= 163
    assert place == {"type": "link", "url": f"{URL}#turn-4", "text": "turn 4 of conversation 4711"}


def test_evidence_that_is_much_is_counted():
    told = proposal(shown(evidence=[Evidence(f"turn {n}") for n in range(9)]))

    assert "turn 4\n• and 4 more" in told.text
    assert "turn 5" not in told.text


def test_a_diff_shows_what_goes_and_what_comes_by_lines():
    told = proposal(shown(changes=lines("One.\nTwo.\nThree.", "One.\nTwo!\nThree.")))

    assert "  One.\n− Two.\n+ Two!\n  Three." in said(told)


def test_a_long_diff_is_cut_and_leads_to_the_whole():
    told = proposal(shown(changes=lines("", "\n".join(f"Rule {n} of the shop." for n in range(500)))))

    assert "+ Rule 0 of the shop." in said(told)
    assert "Rule 499" not in said(told)
    assert {"type": "link", "url": URL, "text": "the whole diff"} in inline(told)
    assert problems(told) == []


def test_fields_beyond_the_bound_are_counted():
    many = [(diffs.field_diff(f"field{n}", "", "x" * 700), "", "") for n in range(6)]

    assert "… 3 more of what changes: the whole diff" in "".join(
        run["text"] for part in changes(many, URL) for run in runs_of(part)
    )


def test_values_that_are_no_text_are_told_in_words():
    told = [
        (diffs.field_diff("active", True, False), "yes", "no"),
        (diffs.field_diff("expires_at", None, 5), "does not expire", "5 May"),
    ]

    assert ["".join(run["text"] for run in runs_of(part)) for part in changes(told, URL)] == [
        "In use", "− yes\n+ no", "Served until", "− does not expire\n+ 5 May",
    ]  # fmt: skip


FIELDS = st.dictionaries(st.sampled_from(["summary", "text", "system_prompt", "content", "name"]), WORDS, max_size=5)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_any_proposal_in_any_state_is_taken(data):
    text = lambda: data.draw(WORDS)  # noqa: E731 (drawn anew at each call)
    decided = data.draw(st.booleans())
    told = proposal(
        shown(
            type=text(), agent=text(), title=text(), rationale=text() * data.draw(st.sampled_from([1, 40])),
            may_be_decided=not decided,
            standing=(text() or "Approved.") if decided else "", note=text(), origin=text(),
            way_on=("Open the newer one", URL) if decided else None,
            risks=data.draw(st.lists(WORDS.filter(str.strip), max_size=8)),
            evidence=[Evidence(text() or "turn 1", URL, text()) for _ in range(data.draw(st.integers(0, 8)))],
            changes=[(one, "", "") for one in diffs.fields(data.draw(FIELDS), data.draw(FIELDS))],
        ),
        short=data.draw(st.booleans()),
    )  # fmt: skip

    assert problems(told) == []
    assert {run["url"] for run in inline(told) if run["type"] == "link"} <= {URL}


# --- Flags -------------------------------------------------------------------------------------------------------------


def test_a_flag_tells_its_sentence_the_weeks_and_what_to_talk_about():
    told = flag(
        ShownFlag(
            "Sarah",
            "Raised by itself",
            "In the last 5 weeks …",
            URL,
            ["Week of 4 May: 82 %"],
            ["Ask.", "Agree."],
            "By a model",
        )
    )

    assert told.text == (
        "Coach Sarah this week\nIn the last 5 weeks …\n\nCSAT by week\n• Week of 4 May: 82 %\nFor your 1:1\n1. Ask.\n2. Agree.\n"
        "Raised by itself · By a model"
    )
    assert buttons(told) == [("flag_open", URL)]
    assert problems(told) == []


def test_a_flag_that_is_over_says_so_first_and_asks_for_no_talk():
    told = flag(
        ShownFlag(
            "Sarah", "Raised by itself", "In the last 5 weeks …", URL, [], ["Ask."], "By a model", ended="Cleared."
        )
    )

    assert told.text == "Sarah\nCleared.\n\nIn the last 5 weeks …\nRaised by itself"


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS, WORDS, st.lists(WORDS, max_size=9), st.lists(WORDS, max_size=5), WORDS, st.booleans())
def test_any_flag_is_taken(agent, kind, sentence, weeks, agenda, ended, short):
    told = flag(ShownFlag(agent, kind or "Raised", sentence, URL, weeks, agenda, "by", ended), short=short)

    assert problems(told) == []


# --- What one person is told ---------------------------------------------------------------------------------------------


@settings(max_examples=80, deadline=None)
@given(WORDS, WORDS, st.lists(WORDS, min_size=1, max_size=130))
def test_any_notice_choice_and_form_is_taken(sentence, title, options):
    sentence = f"Sorry. {sentence}"
    assert problems(notices.notice(sentence, url=URL)) == []
    assert problems(notices.choice(sentence, [(str(n), words) for n, words in enumerate(options)])) == []
    assert limits.view_problems(notices.reject_form("id", title, channel="C1", message="1.1")) == []


def test_the_form_for_a_reason_knows_where_it_came_from():
    form = notices.reject_form("8c1f", "Refunds", channel="C1", message="1700000000.000100")

    assert json.loads(form["private_metadata"]) == {"proposal": "8c1f", "channel": "C1", "message": "1700000000.000100"}
    [reason] = [block for block in form["blocks"] if block["type"] == "input"]
    assert (form["callback_id"], reason["block_id"], reason["element"]["action_id"]) == (
        "proposal_reject",
        "reason",
        "reason",
    )


def test_plain_text_is_never_empty():
    assert plain(" \x00 ", 75)["text"] == "…"
