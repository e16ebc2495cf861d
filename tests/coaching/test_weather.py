"""The whole way of a question in every weather: asked, answered by a worker against a model server that plays bad weather, shown
with its sentence and a way on, and asked again when the sky is clear. Nothing is there twice, and nothing is lost."""

import json
import os
import signal
import threading
from collections.abc import Callable
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from coaching import llm, tasks
from coaching.actions import sessions
from coaching.coach import turns
from coaching.models import Proposal, Session, Turn, TurnEvent
from coaching.practice.wire import Call, Reply
from tests import factories, processes
from tests import model_server as server
from tests.calls import Script
from tests.coaching import talks

MEMORY = {
    "summary": "Parcels can be followed by number.",
    "text": "The number is in the mail.",
    "rationale": "The customer had to ask twice.",
    "evidence": [{"turn": 4, "quote": talks.PARCEL[4][1]}],
}
PROPOSES = server.calls(("propose_memory_entry_create", MEMORY), say="Let me see.")
HEALTHY = (server.calls(("propose_memory_entry_create", MEMORY)), server.text("Here is what went wrong."))

BAD_JSON = server.stream(server.start(), server.tool_block("read_prompt", '{"a": nonsense}'), server.stop("tool_use"))
HALF_JSON = server.tool_block("propose_memory_entry_create", '{"summary": "a')
SMILE = "\N{GRINNING FACE}"
FAMILY = "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}"
ARABIC = "أين طردي؟"


def reads_on(request):
    """Pages through the conversation, however long it is."""
    results = [block for block in request["messages"][-1]["content"] if block["type"] == "tool_result"]
    following = json.loads(results[-1]["content"])["next_turn"] if results else 0
    if following is None:
        return Reply("I have read it to its end.")
    return Reply(calls=[Call("read_conversation", {"first_turn": following})])


def reads_what_is_not_its_own(world):
    return server.calls(
        ("read_memory", {"memory": str(world.foreign_memory.pk)}),
        ("read_conversation", {"conversation": str(world.foreign_conversation.pk)}),
    )


def tells_what_was_refused(request):
    results = [block for block in request["messages"][-1]["content"] if block["type"] == "tool_result"]
    return Reply(f"{sum(bool(block.get('is_error')) for block in results)} of {len(results)} were refused.")


@dataclass
class Weather:
    """Plays after a first round that spoke and proposed (`begun`), or at once; then how the turn ends."""

    plays: tuple[server.Play | Callable, ...]
    state: str = "failed"
    sentence: str = ""
    text: str = ""
    begun: bool = True
    question: str = "What went wrong?"
    said: tuple = tuple(talks.PARCEL)


def fails(sentence, *plays, **more):
    return Weather(plays, "failed", sentence, **more)


def ends_well(text, *plays, **more):
    return Weather(plays, "done", "", text, **more)


WEATHER = {
    "401": fails("An admin can put in a valid one; then press Retry.", server.status(401, "authentication_error")),
    "403": fails("An admin can check what the key may use; then press Retry.", server.status(403, "permission_error")),
    "404 model": fails("An admin can correct it; then press Retry.", server.status(404, "not_found_error")),
    "413": fails("Start a new session and ask about a smaller part.", server.status(413, "request_too_large")),
    "429, short": ends_well("Later.", server.status(429, retry_after="0"), server.text("Later.")),
    "429, long": fails("Nothing is lost; press Retry in 60 minutes.", server.status(429, retry_after="3600")),
    "500": fails("had a fault of its own. Nothing is lost; press Retry in a minute.", server.status(500)),
    "529": fails("overloaded just now. Nothing is lost; press Retry in a minute.", server.status(529)),
    "cut mid-text": fails(
        "broke in the middle of its answer. Press Retry.",
        server.cut(server.start(), server.text_block("Half an ans")), text="Half an ans",
    ),
    "cut mid-tool-input": fails(
        "broke in the middle of its answer. Press Retry.", server.cut(server.start(), HALF_JSON[:-40])
    ),
    "silent": fails(
        "stopped sending anything and was given up. Press Retry.",
        server.stall(server.start(), server.text_block("Half")), text="Half",
    ),
    "pings only": fails(
        "stopped sending anything and was given up. Press Retry.", server.stall(server.start(), ping_seconds=0.05)
    ),
    "invalid JSON in tool input": fails("sent an answer that cannot be read. Press Retry.", BAD_JSON),
    "half a tool input": ends_well(
        "Again.", server.stream(server.start(), HALF_JSON, server.stop("tool_use")), server.text("Again.")
    ),
    "unknown tool": ends_well("So be it.", server.calls(("approve", {"all": True})), server.text("So be it.")),
    "another agent's rows": ends_well(
        "2 of 2 were refused.", reads_what_is_not_its_own, server.reply(tells_what_was_refused)
    ),
    "50 calls at once": ends_well(
        "0 of 50 were refused.", server.calls(*[("read_prompt", {})] * 50), server.reply(tells_what_was_refused)
    ),
    "empty answer": fails("Press Retry, or put the question differently.", server.text(""), begun=False),
    "nothing after words and a proposal": ends_well("", server.text("")),
    "refusal": fails("Put the question differently, or ask about another part.", server.text("", reason="refusal")),
    "max_tokens in text": fails(
        "Ask about a smaller part, or press Retry.", server.text("Too lo", reason="max_tokens"), text="Too lo"
    ),
    "max_tokens in tool input": fails(
        "Ask about a smaller part, or press Retry.", server.stream(server.start(), HALF_JSON, server.stop("max_tokens"))
    ),
    "context window": fails("Start a new session", server.text("", reason="model_context_window_exceeded")),
    "unknown stop reason": fails(
        "Press Retry; if it stays so, tell an admin.", server.text("Hm.", reason="tea_time"), text="Hm."
    ),
    "rounds without end": fails("Ask about a smaller part.", server.calls(("read_prompt", {}))),
    "2,000 turns": ends_well(
        "I have read it to its end.", server.reply(reads_on), begun=False,
        said=tuple(talks.PARCEL) + (("customer", "Where is it? " * 12),) * 1_993,
    ),
    "200 KB message": ends_well("Long.", server.text("Long."), question="What " * 39_999 + "then?"),
    "emoji and right-to-left, split in a pair": ends_well(
        f"{ARABIC} {SMILE}{FAMILY}", server.text(f"{ARABIC} \ud83d", f"\ude00{FAMILY}"), question=f"{ARABIC} {FAMILY}",
    ),
}  # fmt: skip


class World:
    """An agent, a session about one of its conversations, and rows of another agent."""

    def __init__(self, workspace, owner, said=talks.PARCEL):
        self.owner = owner
        self.agent = factories.ai_agent(workspace)
        self.session = sessions.start(self.agent, by=owner, conversation=talks.conversation(self.agent, list(said)))
        other = factories.ai_agent(workspace)
        self.foreign_memory = factories.memory(other, by=owner)
        self.foreign_conversation = talks.conversation(other)


@pytest.fixture(autouse=True)
def _quick(settings, monkeypatch):
    settings.COACH_STALL_SECONDS = 0.5
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)


@pytest.fixture
def world(workspace, owner):
    return World(workspace, owner)


@contextmanager
def model(settings, *plays):
    settings.ANTHROPIC_API_KEY, settings.COACH_MODEL = "key", "scripted"
    with server.serving(list(plays)) as started:
        settings.ANTHROPIC_BASE_URL = started.url
        yield started


def work(turn):
    """Run the turn as a worker does."""
    tasks.run_turn(str(turn.pk))
    return talks.outcome(turn)


def once(answered):
    """The answered turn, which must be whole: one closing event, at its end; words and proposals as they were told."""
    kinds = [event.type for event in answered.events]
    assert [kind for kind in kinds if kind in TurnEvent.CLOSING] == [answered.turn.state] == kinds[-1:]
    assert [event.number for event in answered.events] == sorted(event.number for event in answered.events)
    assert "".join(event.data["text"] for event in answered.events if event.type == "text") == answered.text
    told = [event.data["proposal"] for event in answered.events if event.type == "proposal"]
    assert len(told) == len(set(told))
    assert {str(proposal.pk) for proposal in answered.proposals} <= set(told)
    assert answered.turn.usage["model"] == "scripted"
    return answered


def shown(answered, owner):
    """What the page and the API tell of the turn: (page, error), and both have a way on exactly where it failed."""
    client = Client()
    client.force_login(owner.user)
    page = client.get(f"/coach/turns/{answered.turn.pk}", follow=True).content.decode()
    [told] = [
        turn
        for turn in Script(owner).read(f"/coach/sessions/{answered.turn.session_id}").json()["turns"]
        if turn["id"] == str(answered.turn.pk)
    ]
    failed = answered.turn.state == "failed"
    assert (f"/coach/turns/{answered.turn.pk}/retry" in page) == failed
    assert told["state"] == answered.turn.state
    return page, told.get("error", "")


def retried_in_clear_weather(answered, owner, settings):
    sent = Script(owner).send(f"/coach/sessions/{answered.turn.session_id}/turns/{answered.turn.pk}/retry", {})
    assert sent.status_code == 202
    with model(settings, *HEALTHY):
        return once(work(Turn.objects.get(pk=sent.json()["turn"]["id"])))


@pytest.mark.django_db
@pytest.mark.parametrize("weather", WEATHER.values(), ids=WEATHER)
def test_every_weather_ends_in_a_sentence_with_a_way_on(weather, workspace, owner, settings, caplog):
    world = World(workspace, owner, weather.said)
    plays = [play(world) if play is reads_what_is_not_its_own else play for play in weather.plays]
    turn = sessions.ask(world.session, by=owner, text=weather.question)

    with model(settings, *([PROPOSES] if weather.begun else []), *plays):
        answered = once(work(turn))

    assert (answered.turn.state, answered.turn.attempts) == (weather.state, 1)
    assert answered.turn.error.endswith(weather.sentence) or weather.sentence in answered.turn.error
    assert bool(answered.turn.error) == bool(weather.sentence)
    before = ["Let me see."] if weather.begun else []
    assert answered.text == "\n\n".join([*before, *filter(None, [weather.text])])
    assert len(answered.proposals) == weather.begun
    assert answered.turn.usage["rounds"] >= weather.begun
    page, error = shown(answered, owner)
    assert error == answered.turn.error
    assert escape(error) in page
    assert talks.PARCEL[4][1] not in caplog.text

    again = retried_in_clear_weather(answered, owner, settings)

    assert (again.turn.state, again.text) == ("done", "Here is what went wrong.")
    assert [event.type for event in again.events if event.type == "proposal"] == ["proposal"]
    assert Proposal.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_killed_while_it_speaks_leaves_words_and_proposals(world, owner, settings):
    speaking = threading.Event()

    def speaks_for_ever(handler):
        handler.begin()
        handler.send(server.start() + server.text_block("Turn 4 shows"))
        speaking.set()
        handler.server.closing.wait(30)

    turn = sessions.ask(world.session, by=owner, text="What went wrong?")
    with model(settings, PROPOSES, speaks_for_ever) as started:
        environment = {"ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": started.url, "COACH_MODEL": "scripted"}
        with processes.answering(**environment) as answer:
            worker = answer(turn)
            assert speaking.wait(30)
            processes.until(lambda: "shows" in str(list(turn.events.values_list("data"))))
            os.kill(worker, signal.SIGKILL)
        lease_runs_out(turn)
        answered = once(work(turn))

    assert (answered.turn.state, answered.turn.error) == ("failed", turns.INTERRUPTED)
    assert answered.text == "Let me see.\n\nTurn 4 shows"
    assert len(answered.proposals) == 1
    assert answered.turn.usage["rounds"] == 1  # what was stored before the round it died in
    assert turns.INTERRUPTED in shown(answered, owner)[0]
    assert retried_in_clear_weather(answered, owner, settings).turn.state == "done"
    assert Proposal.objects.count() == 1


def lease_runs_out(turn):
    Turn.objects.filter(pk=turn.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


@contextmanager
def impatient():
    """Our own connection gives up a lock after a fifth of a second instead of twenty."""
    short, usual = (
        ("PRAGMA busy_timeout = 200", "PRAGMA busy_timeout = 20000")
        if connection.vendor == "sqlite"
        else ("SET lock_timeout = '200ms'", "SET lock_timeout = 0")
    )
    with connection.cursor() as cursor:
        cursor.execute(short)
        try:
            yield
        finally:
            cursor.execute(usual)


def speaks_while_the_session_is_held(session, released, *, most):
    """A play: half an answer, then somebody else writes to the session's row (on SQLite, to anything) and does not end."""

    def play(handler):
        handler.begin()
        handler.send(server.start() + server.event("content_block_start", index=0, content_block=server.EMPTY_TEXT))
        with closing(connection), transaction.atomic():
            Session.objects.filter(pk=session.pk).update(updated_at=timezone.now())
            for piece in ("Turn 4 ", "shows that ", "he asked twice."):
                handler.send(server.event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}))
            handler.send(server.event("content_block_stop", index=0) + server.stop("end_turn"))
            released.wait(most)

    return play


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_locked_for_a_while_loses_nothing(world, owner, settings):
    turn = sessions.ask(world.session, by=owner, text="What went wrong?")
    held = speaks_while_the_session_is_held(world.session, threading.Event(), most=1.5)

    with model(settings, PROPOSES, held), impatient():
        answered = once(work(turn))

    assert (answered.turn.state, answered.turn.attempts) == ("done", 1)
    assert answered.text == "Let me see.\n\nTurn 4 shows that he asked twice."
    assert len(answered.proposals) == 1


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_locked_ends_the_turn_when_it_is_back(world, owner, settings, monkeypatch):
    monkeypatch.setattr(turns, "BUSY_SECONDS", 0.5)
    turn = sessions.ask(world.session, by=owner, text="What went wrong?")
    released = threading.Event()

    with model(settings, PROPOSES, speaks_while_the_session_is_held(world.session, released, most=30)), impatient():
        tasks.run_turn(str(turn.pk))
        released.set()
    turn.refresh_from_db()
    assert turn.state == "running"
    lease_runs_out(turn)
    Turn.objects.filter(pk=turn.pk).update(next_try_at=timezone.now())
    answered = once(work(turn))

    assert (answered.turn.state, answered.turn.error) == ("failed", turns.INTERRUPTED)
    assert answered.text == "Let me see."
    assert turns.INTERRUPTED in shown(answered, owner)[0]
    again = retried_in_clear_weather(answered, owner, settings)
    assert (again.turn.state, Proposal.objects.count()) == ("done", 1)


def test_no_lock_is_waited_for_longer_than_a_lease_allows():
    """120 seconds are promised: a lease of the dead worker, a look of the clock, and this."""
    assert turns.BUSY_SECONDS < 60 - turns.RENEW_SECONDS
