"""What Slack tells, read without any row: words, turns, links, and whatever else may come."""

import contextlib
import json
from copy import deepcopy
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coaching.slack import incoming, plain
from tests.coaching.slack import sent

SIMPLE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60)
ANYTHING = st.recursive(
    SIMPLE, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=4)
)
APP = SimpleNamespace(team_id="T1", app_id="A1", bot_user_id="UB")
RIGHT = [
    sent.message(APP, "C1", "hello", thread_ts="1.1", subtype="file_share", channel_type="channel"),
    sent.mention(APP, "C1", "hello"),
    sent.event(APP, type="channel_rename", channel={"id": "C1", "name": "new"}),
    sent.event(APP, type="member_left_channel", channel="C1", user="UB"),
    sent.event(APP, type="tokens_revoked", tokens={"oauth": ["U1"], "bot": ["UB"]}),
    sent.click(APP, "C1", "1.1", "proposal_approve", "7"),
    sent.click(APP, "D1", "1.1", "direct_choose", "", selected_option={"value": "7"}),
    sent.submission(APP, metadata={"proposal": "7", "channel": "C1", "message": "1.1"}, reason="No."),
]


def paths(value, before=()):
    """Where something stands in a body: (key, key, …) of each."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in inner:
        yield (*before, key)
        yield from paths(each, (*before, key))


@st.composite
def nearly_right(draw):
    """What Slack sends, with anything in the place of one or two of its parts."""
    body = deepcopy(draw(st.sampled_from(RIGHT)))
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(list(paths(body))))
        inside = body
        for key in way:
            inside = inside[key]
        inside[last] = draw(ANYTHING)
    return body


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("<@UBOT> hello", "hello"),
        ("hello <@UBOT|coach>", "hello"),
        ("Ask <@U1> and <@U2>", "Ask @Ada and @somebody"),
        ("<#C1> or <#C2|sales> or <#C3>", "#coaching or #sales or #a channel"),
        ("<!here> <!channel|channel> <!everyone>", "@here channel @everyone"),
        ("<!subteam^S1|@leads> by <!date^1392734382^{date}|18 Feb>", "@leads by 18 Feb"),
        ("<https://a.example/x?y=1&amp;z=2>", "https://a.example/x?y=1&z=2"),
        ("<https://a.example|our page>", "our page (https://a.example)"),
        ("<http://a.example|a.example>", "http://a.example"),
        ("<mailto:ada@a.example|ada@a.example>", "ada@a.example"),
        ("1 &lt; 2 &amp;amp; 3", "1 < 2 &amp; 3"),
        ("&lt;@U1&gt; is no mention", "<@U1> is no mention"),
        ("a <b", "a <b"),
        ("<>", "<>"),
        ("two\nlines\u00a0here", "two\nlines here"),
    ],
)
def test_slacks_marks_become_words(said, words):
    assert plain.text_of(said, bot="UBOT", people={"U1": "Ada"}, channels={"C1": "coaching"}) == words


@pytest.mark.parametrize(
    ("said", "turns"),
    [
        ("turn 3", [3]),
        ("Turns 2 and 4, please", [2, 4]),
        ("turns 3–5", [3, 4, 5]),
        ("turns 3-5 and 9", [3, 4, 5, 9]),
        ("turn 1, 2 & 3", [1, 2, 3]),
        ("turns 4 to 6", [4, 5, 6]),
        ("turn #0", [0]),
        ("turn 2, then turn 1", [1, 2]),
        ("turns 5-3", []),
        ("returns 3", []),
        ("it turned 40", []),
        ("https://x.example/turn 7", []),
        ("https://x.example/?turn=7", []),
        ("turns 0-99999", list(range(50))),
        ("turn it off", []),
    ],
)
def test_turns_that_are_named_are_meant(said, turns):
    assert plain.turns(said) == turns


def test_addresses_end_before_the_sentence_does():
    said = "See https://a.example/x, (https://b.example/y?z=1) and https://c.example."

    assert plain.addresses(said) == ["https://a.example/x", "https://b.example/y?z=1", "https://c.example"]


def test_what_slack_sends_is_read():
    assert all(incoming.read(body) for body in RIGHT)


@settings(max_examples=600, deadline=None)
@given(nearly_right())
def test_whatever_comes_is_read_refused_or_left_alone(body):
    """Nothing else is raised, and what is kept can be stored by any database."""
    try:
        told = incoming.read(body)
        incoming.origin(body)
    except incoming.Malformed:
        return
    if told is not None:
        stored = json.dumps([told.key, told.channel_id, told.user_id, told.facts], allow_nan=False, ensure_ascii=False)
        assert "\\u0000" not in stored
        stored.encode()
        assert len(told.key) <= 300


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=200) | ANYTHING.map(lambda found: json.dumps(found).encode()), st.booleans())
def test_any_bytes_are_json_or_malformed(raw, is_form):
    with contextlib.suppress(incoming.Malformed):
        assert isinstance(incoming.decoded(raw, is_form=is_form), dict)


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>@#!|&;tura^0123 n-–,h:/", max_size=200))
def test_any_text_can_be_read(said):
    words = plain.text_of(said, bot="U1")
    assert all(0 <= turn < 100_000 for turn in plain.turns(words))
    assert all(each.startswith("http") for each in plain.addresses(words))
