"""Talks with the coach through the API: start, ask, follow as a stream or by asking again, retry, stop."""

import http.client
import json
import threading
import time

import pytest
from django.db import connection, connections

from agents import actions as agents
from coaching.actions import sessions
from coaching.models import Session, Turn, TurnEvent
from tests import factories
from tests.calls import BASE, Script, problem
from tests.coaching import talks
from tests.serving import serving

pytestmark = pytest.mark.django_db
streamed = pytest.mark.django_db(transaction=True)  # the server reads over connections of its own

EVENT_STREAM = {"Accept": "text/event-stream"}
ASKED = "Add a memory that parcels wait seven days at the counter."


@pytest.fixture
def script(owner):
    return Script(owner)


@pytest.fixture
def session(agent, owner):
    return sessions.start(agent, by=owner, conversation=talks.conversation(agent))


def test_session_is_started_and_read_field_by_field(script, agent):
    conversation = talks.conversation(agent)

    made = script.send("/coach/sessions", {"agent": agent.name, "conversation": str(conversation.pk)})

    told = made.json()
    assert made.status_code == 201
    assert told == {
        "id": told["id"],
        "agent": agent.name,
        "agentId": str(agent.pk),
        "conversation": str(conversation.pk),
        "conversations": [str(conversation.pk)],
        "about": "",
        "createdAt": told["createdAt"],
        "updatedAt": told["updatedAt"],
        "messages": [],
        "turns": [],
        "proposals": [],
    }
    assert script.read(f"/coach/sessions/{told['id']}").json() == told
    assert [row["id"] for row in script.read("/coach/sessions").json()["items"]] == [told["id"]]


def test_session_that_cannot_be_is_refused(script, workspace, agent, owner, stranger):
    foreign = factories.conversation(factories.ai_agent(stranger.workspace))
    others = factories.conversation(factories.ai_agent(workspace))
    human = factories.human(workspace)
    quiet = factories.ai_agent(workspace, coaching=False)

    def start(agent, **fields):
        status, errors = problem(script.send("/coach/sessions", {"agent": str(agent.pk)} | fields))
        return status, list(errors)

    assert start(agent, conversation=str(foreign.pk)) == (404, ["conversation"])
    assert start(agent, conversation=str(others.pk)) == (400, ["conversation"])
    assert start(agent, conversation="x") == (400, ["conversation"])
    assert start(human) == (409, [])
    assert start(quiet) == (409, [])
    assert not Session.objects.exists()


def test_question_is_stored_answered_and_told(script, agent, session):
    path = f"/coach/sessions/{session.pk}"

    asked = script.send(f"{path}/messages", {"text": ASKED})
    turn = Turn.objects.get()
    assert asked.status_code == 202
    assert asked.json()["turn"] == {
        "id": str(turn.pk),
        "state": "queued",
        "usage": {},
        "retryOf": None,
        "createdAt": asked.json()["turn"]["createdAt"],
    }
    answered = talks.answer(turn)
    told = script.read(path).json()

    assert [(m["role"], m["turn"]) for m in told["messages"]] == [("user", str(turn.pk)), ("coach", str(turn.pk))]
    assert [m["text"] for m in told["messages"]] == [ASKED, answered.text]
    assert [(t["state"], "error" in t) for t in told["turns"]] == [("done", False)]
    assert set(told["turns"][0]["usage"]) == {
        "inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens", "rounds", "model", "latencyMs",
    }  # fmt: skip
    assert told["proposals"] == [str(proposal.pk) for proposal in answered.proposals]
    assert len(told["proposals"]) == 1


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": " "}, "text"),
        ({"text": 5}, "text"),
        ({"text": "x" * 200_001}, "text"),
        ({"text": "Why?", "focus": {"turns": [7]}}, "focus"),
        ({"text": "Why?", "focus": {"turns": [-1]}}, "focus.turns.0"),
        ({"text": "Why?", "focus": {"turns": ["1"]}}, "focus.turns.0"),
        ({"text": "Why?", "focus": [1]}, "focus"),
        ({"text": "Why?", "focus": {"turn": 1}}, "focus.turn"),
    ],
)
def test_question_that_is_none_is_refused(script, session, body, field):
    status, errors = problem(script.send(f"/coach/sessions/{session.pk}/messages", body))

    assert status == 400
    assert field in errors
    assert not Turn.objects.exists()


def test_focus_is_kept(script, session):
    script.send(f"/coach/sessions/{session.pk}/messages", {"text": "Why?", "focus": {"turns": [4, 1, 4]}})

    assert script.read(f"/coach/sessions/{session.pk}").json()["messages"][0]["focus"] == {"turns": [1, 4]}


def test_events_are_told_after_a_number(script, session):
    script.send(f"/coach/sessions/{session.pk}/messages", {"text": ASKED})
    answered = talks.answer(Turn.objects.get())
    path = f"/coach/sessions/{session.pk}/events"

    told = script.read(path, Accept="application/json").json()["items"]

    assert [event["id"] for event in told] == [event.number for event in answered.events]
    assert {event["turn"] for event in told} == {str(answered.turn.pk)}
    assert [event["type"] for event in told if event["type"] in TurnEvent.CLOSING] == ["done"]
    assert "".join(event["text"] for event in told if event["type"] == "text") == answered.text
    assert [event["proposal"] for event in told if event["type"] == "proposal"] == [str(answered.proposals[0].pk)]
    assert script.read(f"{path}?after={told[1]['id']}", Accept="application/json").json()["items"] == told[2:]
    assert problem(script.read(f"{path}?after=x", Accept="application/json"))[0] == 400


def test_turn_is_stopped_once_and_asked_again(script, session):
    turn = script.send(f"/coach/sessions/{session.pk}/messages", {"text": "Why?"}).json()["turn"]["id"]
    path = f"/coach/sessions/{session.pk}/turns/{turn}"

    early = script.send(f"{path}/retry", {})
    stopped = script.send(f"{path}/stop", {})
    late = script.send(f"{path}/stop", {})
    again = script.send(f"{path}/retry", {})

    assert (problem(early)[0], problem(late)[0]) == (409, 409)
    assert (stopped.status_code, stopped.json()["turn"]["state"]) == (202, "stopped")
    assert (again.status_code, again.json()["turn"]["state"]) == (202, "queued")
    assert again.json()["turn"]["retryOf"] == turn


def test_turn_of_another_session_is_not_found(script, session, agent, owner):
    turn = sessions.ask(session, by=owner, text="Why?")
    other = factories.session(agent, owner)

    assert problem(script.send(f"/coach/sessions/{other.pk}/turns/{turn.pk}/stop", {}))[0] == 404


def test_coach_that_was_switched_off_takes_no_question(script, session, owner, agent):
    agents.update_agent(agent, by=owner, coaching=False)

    assert problem(script.send(f"/coach/sessions/{session.pk}/messages", {"text": "Why?"}))[0] == 409


def test_session_is_read_in_the_same_number_of_queries(script, session, owner, django_assert_max_num_queries):
    for _ in range(5):
        sessions.ask(session, by=owner, text="Why?")
    script.read(f"/coach/sessions/{session.pk}")

    with django_assert_max_num_queries(5):  # token, session, messages, turns, proposals
        assert len(script.read(f"/coach/sessions/{session.pk}").json()["turns"]) == 5


# --- Streams ---------------------------------------------------------------------------------------------------------


class Stream:
    """A client that follows a session; reads events one at a time."""

    def __init__(self, address, session, secret, **headers):
        self.wire = http.client.HTTPConnection(*address, timeout=10)
        headers = EVENT_STREAM | {"Authorization": f"Bearer {secret}"} | headers
        self.wire.request("GET", f"{BASE}/coach/sessions/{session.pk}/events", headers=headers)
        self.answer = self.wire.getresponse()

    def event(self):
        lines = []
        while line := self.answer.readline().decode().rstrip("\n"):
            lines.append(line.partition(": "))
        fields = {name: value for name, _, value in lines}
        event = json.loads(fields["data"])
        assert fields["id"] == str(event["id"])
        return event

    def close(self):
        self.wire.close()


@pytest.fixture
def address(transactional_db):
    with serving() as where:
        yield where
    connections.close_all()


@streamed
def test_stream_tells_what_was_and_what_comes_and_goes_on_where_it_ended(address, session, owner):
    secret = factories.token(owner)
    turn = sessions.ask(session, by=owner, text="Why?")
    sessions.append_event(turn, TurnEvent.Type.TEXT, text="One ")
    stream = Stream(address, session, secret)
    assert stream.answer.getheader("Content-Type") == "text/event-stream"

    first = stream.event()
    written_at = time.monotonic()
    sessions.append_event(turn, TurnEvent.Type.TEXT, text="two.")
    second = stream.event()
    delay = time.monotonic() - written_at
    stream.close()
    sessions.append_event(turn, TurnEvent.Type.TOOL, name="read_prompt", ok=True)
    resumed = Stream(address, session, secret, **{"Last-Event-ID": str(second["id"])})
    third = resumed.event()
    resumed.close()

    assert first == {"id": 1, "turn": str(turn.pk), "type": "text", "text": "One "}
    assert (second["id"], second["text"]) == (2, "two.")
    assert delay < 3
    assert (third["id"], third["type"], third["name"]) == (3, "tool", "read_prompt")


@streamed
def test_many_streams_are_fed_without_a_connection_each(address, session, owner, agent):
    """Twenty followers of two sessions: each gets its own session's events, and nobody another's."""
    secret = factories.token(owner)
    other = sessions.start(agent, by=owner)
    turns = {each.pk: sessions.ask(each, by=owner, text="Why?") for each in (session, other)}
    streams = [(each, Stream(address, each, secret)) for each in (session, other) for _ in range(10)]
    for each in (session, other):
        sessions.append_event(turns[each.pk], TurnEvent.Type.TEXT, text=str(each.pk))
    heard = []
    readers = [threading.Thread(target=lambda s=s, f=f: heard.append((f.pk, s.event()["text"]))) for f, s in streams]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(timeout=10)
    held = connections_held()
    for _, stream in streams:
        stream.close()

    assert sorted(heard) == sorted((each.pk, str(each.pk)) for each, _ in streams)
    assert held < 10


def connections_held():
    """Connections to the database that threads of this process hold, beside this test's own; a file's are not counted.

    Those that wait in the pool for whoever is next are nobody's: tests before this one may have left many.
    """
    if connection.vendor == "sqlite":
        return 0
    told = connection.pool.get_stats()
    return told["pool_size"] - told["pool_available"] - 1


@streamed
def test_stream_is_refused_as_a_problem(address, session, stranger):
    stream = Stream(address, session, factories.token(stranger))

    assert stream.answer.status == 404
    assert stream.answer.getheader("Content-Type") == "application/problem+json"
    assert json.loads(stream.answer.read())["status"] == 404
    stream.close()
