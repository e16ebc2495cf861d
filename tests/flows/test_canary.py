"""Customers' words never come to rest: a whole week at a helpdesk whose every body carries a mark, then a search for it.

The desk is read, people are mapped, somebody is flagged, the worst conversations are summarised, and the coach talks and
proposes, by a real worker that logs all it can. Each step fails first, in every way that could spill what it had in hand.
"""

import json
import logging
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from coaching import tasks
from coaching.actions import flags, samples, sessions
from coaching.models import Proposal, Sample, Turn
from helpdesk.actions import mapping
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, HelpdeskSync, Rating
from tests import factories, processes, resting
from tests import model_server as model
from tests.desks import server as desks
from tests.desks.intercom import Intercom
from tests.desks.world import small_world, talk
from tests.helpdesk.connected import connected

pytestmark = pytest.mark.django_db(transaction=True)

MARK = f"kestrel{uuid.uuid4().hex[:12]}"
SENTENCE = " ".join(f"{MARK}{number}" for number in range(16)) + "."
CLEAN = "The customer asked where an order was and was told that it is on its way."
MEMORY = {"summary": "Orders can be followed.", "rationale": "The customer had to ask."}


class Script:
    """What the model answers: first each fault in its turn, then as asked."""

    def __init__(self):
        self.faults = []
        self.summaries = 0

    def __call__(self, handler):
        if self.faults:
            self.faults.pop(0)(handler)
        elif handler.asked.get("tools"):
            self.coach(handler)
        else:
            self.summaries += 1
            model.text(f"They wrote: {SENTENCE}" if self.summaries == 1 else CLEAN)(handler)

    def coach(self, handler):
        said = json.dumps(handler.asked["messages"])
        rounds = sum(message["role"] == "assistant" for message in handler.asked["messages"])
        if rounds == 0:
            model.calls(("read_conversation", {}))(handler)
        elif rounds == 1:
            assert MARK in said, "the coach was not shown the conversation"
            quote = {"turn": 0, "quote": SENTENCE}
            copied = {**MEMORY, "text": SENTENCE, "evidence": [quote]}
            right = {**MEMORY, "text": "Look the order up first.", "evidence": [quote]}
            model.calls(
                ("propose_memory_entry_create", copied),
                ("propose_memory_entry_create", right),
                (
                    "propose_memory_entry_create",
                    {**right, "evidence": [{"turn": 1, "quote": f"{SENTENCE} {SENTENCE}"}]},
                ),
                ("read_conversation", {"conversation": SENTENCE}),
                (SENTENCE.split()[0], {}),
                say=f"It says: {SENTENCE} That is it.",
            )(handler)
        else:
            model.text("I proposed a memory. ", SENTENCE[:40], SENTENCE[40:], " That was all.")(handler)


MODEL_FAULTS = [
    model.status(400, "invalid_request_error", f"messages.0: {SENTENCE}"),
    model.status(500, "api_error", SENTENCE),
    model.cut(model.start(), model.text_block(f"Well: {SENTENCE}")),
    model.stream(model.start(), model.text_block(SENTENCE), model.stop("max_tokens")),
    model.stream(model.start(), b'event: content_block_delta\ndata: {"' + SENTENCE.encode() + b"\n\n"),
]


def desk_faults():
    """Ways for a desk to answer that hold a customer's words where none are expected."""
    return [
        desks.status(500, {"error": SENTENCE}),
        desks.status(400, {"error": SENTENCE}),
        desks.status(429, {"error": SENTENCE}, retry_after="1"),
        lambda handler: handler.send_raw(200, f"<p>{SENTENCE}</p>".encode(), {"content-type": "text/html"}),
        lambda handler: handler.send(desks.Answer(body={"conversations": SENTENCE, "source": SENTENCE})),
        lambda handler: handler.send(desks.Answer(body={"conversations": [SENTENCE], "id": SENTENCE})),
        desks.redirect(f"http://10.0.0.1/{MARK}"),
        desks.half_a_page,
        desks.hang_up,
    ]  # fmt: skip


@pytest.fixture
def desk():
    world = small_world(0)
    now = timezone.now()
    for number in range(6):
        person = world.people[number % 3].id
        world.add(talk(number, person=person, happy=0.0, at=now - timedelta(days=number + 1), words=SENTENCE))
    with desks.serving(Intercom(world)) as desk:
        yield desk


def at_once():
    """Whatever waits for its next try is due now, as if the time had passed."""
    now = timezone.now()
    for rows in (HelpdeskSync.objects, Sample.objects, Turn.objects, HelpdeskAgent.objects):
        rows.filter(next_try_at__gt=now, claimed_until=None).update(next_try_at=now)
    HelpdeskConnection.objects.filter(state="refused").update(state="active")
    tasks.read_helpdesks()
    tasks.find_owed_work()


def test_no_words_of_customers_come_to_rest(desk, workspace, owner, settings, client, caplog, tmp_path):
    caplog.set_level(logging.DEBUG)
    log, temporary = tmp_path / "worker.log", tmp_path / "tmp"
    temporary.mkdir()
    script = Script()
    with model.serving([script]) as service, log.open("w") as output:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "key", service.url
        environment = {
            "ANTHROPIC_API_KEY": "key", "ANTHROPIC_BASE_URL": service.url, "OUTBOUND_ALLOW": desk.place,
            "LOG_LEVEL": "DEBUG", "TMPDIR": str(temporary), "output": output,
        }  # fmt: skip
        with processes.worker(loglevel="DEBUG", **environment):
            connection = read_through(desk, owner, settings)
            agent = map_people(connection, owner)
            flagged, sample = summarised(agent, desk, script, owner)
            turn = answered(sample.conversation, desk, script, owner)
    shown(client, owner, sample.conversation, desk)

    assert sample.summary_state == Sample.Summary.CAPTURED
    assert sample.summary == CLEAN
    assert turn.state == Turn.State.DONE
    assert Proposal.objects.get().evidence[0]["conversation"] == str(sample.conversation_id)
    assert flagged.agent == agent
    assert any(MARK in json.dumps(asked) for asked in service.requests)
    assert resting.places_with(MARK, tmp_path) == []
    assert MARK not in caplog.text


def read_through(desk, owner, settings):
    """Every fault of the list of ratings, then all of it."""
    desk.weather = [desks.Weather(fault, when=of_ratings) for fault in desk_faults()]
    connection = connected(desk, owner, settings, backfill_days=30)
    processes.until(lambda: Rating.objects.counting().count() == 6 and not desk.weather[-1].times, at_once)
    return connection


def of_ratings(asked):
    """The list of ratings, and not the look whether there is a bot."""
    return asked.path.endswith("/search") and "ai_agent" not in json.dumps(asked.body)


def of_words(asked):
    return asked.path.startswith("/conversations/") and not asked.path.endswith("/search")


def map_people(connection, owner):
    bot = HelpdeskAgent.objects.get(connection=connection, is_bot=True)
    agent = mapping.make_agent(bot, by=owner, door="page")
    Agent.objects.filter(pk=agent.pk).update(coaching=True)
    processes.until(lambda: agent.ratings.exists(), at_once)
    return agent


def summarised(agent, desk, script, owner):
    flagged = flags.raise_manual(agent, by=owner, reason="Look at these.")
    desk.weather = [desks.Weather(fault, when=of_words) for fault in desk_faults()]
    script.faults = list(MODEL_FAULTS)
    sample = samples.pin(agent.conversations.first(), by=owner)
    processes.until(lambda: not Sample.objects.filter(next_try_at__isnull=False).exists(), at_once)
    sample.refresh_from_db()
    return flagged, sample


def answered(conversation, desk, script, owner):
    """A question for each fault, and one that is answered."""
    for fault in desk_faults():
        desk.weather = [desks.Weather(fault, times=3, when=of_words)]
        ask(conversation, owner)
    desk.weather = []
    for fault in MODEL_FAULTS:
        script.faults = [fault] * 3
        ask(conversation, owner)
    script.faults = []
    return ask(conversation, owner)


def ask(conversation, owner):
    session = sessions.start(conversation.agent, by=owner, conversation=conversation)
    turn = sessions.ask(session, by=owner, text="What went wrong?")
    processes.until(lambda: Turn.objects.filter(pk=turn.pk, ended_at__isnull=False).exists(), at_once)
    turn.refresh_from_db()
    return turn


def shown(client, owner, conversation, desk):
    """The words are shown to who may see them, kept by no browser; and no fault on the way shows them anywhere else."""
    client.force_login(owner.user)
    address = f"/api/v1/conversations/{conversation.pk}/transcript"
    desk.weather = []
    answer = client.get(address)
    assert SENTENCE in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    for fault in desk_faults():
        desk.weather = [desks.Weather(fault, times=3, when=of_words)]
        for path in (address, f"/conversations/{conversation.pk}"):
            answer = client.get(path)
            assert MARK not in answer.content.decode() or answer.status_code == 200


@pytest.mark.parametrize("place", ["row", "file", "temporary"])
def test_search_finds_what_rests(place, workspace, settings, tmp_path):
    planted = {
        "row": lambda: factories.workspace(name=MARK),
        "file": lambda: (settings.DATA_DIR / "planted.txt").write_text(MARK),
        "temporary": lambda: (tmp_path / "planted.txt").write_text(MARK),
    }
    planted[place]()
    try:
        assert resting.places_with(MARK, tmp_path) != []
    finally:
        (settings.DATA_DIR / "planted.txt").unlink(missing_ok=True)
