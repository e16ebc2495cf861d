"""The drawer, GET /coaching and the calendar feed in a workspace of 5,000 agents and 1,000,000 conversations.

    python -m tests.bench drawer
    python -m tests.bench.drawer 500 50000    (agents and conversations, to try it out)

The workspace is that of tests.bench.team (teams of ten, ratings on each of 182 days, one agent in twenty flagged) and its
conversations, every one rated; every fifth agent has ten more notes and five samples. Two agents with an automatic flag are
looked at: one with 20 samples and 200 notes, each note on a sample and every second one edited, and one with one sample and one
note. An answer is the whole one through Django's test client, middleware and session or token included. The bare SQL is every
statement of it that reads, executed again on the same connection and fetched as plain tuples. Both take turns, so that whatever
else the machine does meets both. The frame is the answer about somebody without ratings, notes or samples in a workspace of
their own; the door of the API is what is left where the answer lies ready: its token is read and the JSON is written. The feed
is a leader's with 1,000 follow-ups, against its SQL and what the icalendar library takes to write as many bare events. Exits
with 1 where the two agents differ in their number of queries, or where the 95th of a hundred answers takes more than four times
its floor.
"""

import gc
import os
import sys
import time
from dataclasses import dataclass
from datetime import timedelta

import django
import icalendar
import numpy as np

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from django.db import connection
from django.test import Client, RequestFactory
from django.utils import timezone
from rest_framework.response import Response
from simple_history.utils import bulk_create_with_history, bulk_update_with_history

from agents.api_base import ApiView
from agents.models import Agent, Member, Workspace
from agents.pages import FRAGMENT
from coaching import calendar
from coaching.models import Flag, Note, Sample
from helpdesk.models import Conversation, Rating
from tests import factories
from tests.bench import team
from tests.bench.measuring import bare, keep_up, own_database, seconds, statements_of

AGENTS = 5_000
CONVERSATIONS = 1_000_000
MANY = (20, 200)  # samples and notes of the agent who is looked at
FEW = (1, 1)
TURNS = 100  # of each answer and its floor
MOST_TIMES = 4.0
CHANNELS = ("email", "chat", "phone")
BODY = "We went through two conversations together. The customer had asked for the invoice, and the answer was about delivery. "


@dataclass(frozen=True)
class Measured:
    """One answer. Seconds are (median, 95th of a hundred)."""

    name: str
    queries: int
    answer: tuple[float, float]
    floor: tuple[float, float]
    weight: int
    held: bool

    @property
    def times(self) -> float:
        return self.answer[1] / self.floor[1]

    @property
    def missed(self) -> bool:
        return self.held and self.times > MOST_TIMES


# ---------------------------------------------------------------------------------------------------------------- filling


def fill(n_agents, n_conversations) -> tuple[Member, Agent, Agent]:
    """(the leader whose follow-ups stand in the feed, the agent with many samples and notes, the one with few)"""
    today = timezone.localdate(timezone=Workspace(time_zone="UTC").zone)
    owner = team.fill(n_agents, today, np.random.default_rng(1))
    workspace = owner.workspace
    _fill_conversations(workspace, n_conversations // n_agents)
    colleague = factories.member(workspace, Member.Role.ADMIN)
    agents = list(workspace.agents.order_by("name"))
    for agent in agents[::5]:
        _fill_drawer(agent, colleague, samples=5, notes=10)
    looked_at = agents[21], agents[37]  # two people in different teams, both without anything so far
    for agent, (samples, notes) in zip(looked_at, (MANY, FEW), strict=True):
        _fill_drawer(agent, colleague, samples=samples, notes=notes)
        _flag(agent, today)
    return owner, *looked_at


def _fill_conversations(workspace, each):
    """`each` rated conversations of every agent, spread over the days of the daily table, as the database makes them."""
    step = team.DAYS * 24 * 60 // each  # minutes
    now = timezone.now().replace(microsecond=0)
    if connection.vendor == "postgresql":
        key, json = "gen_random_uuid()", "'[]'::jsonb"
        numbers = f"generate_series(0, {each - 1}) AS numbers(k)"
        at = f"%s::timestamptz - make_interval(mins => k * {step})"
    else:
        key, json = "lower(hex(randomblob(16)))", "'[]'"
        numbers = (
            f"(WITH RECURSIVE numbers(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM numbers WHERE k < {each - 1})"
            " SELECT k FROM numbers)"
        )
        at = f"datetime(%s, '-' || (k * {step}) || ' minutes')"
        now = f"{now:%Y-%m-%d %H:%M:%S}"
    true = "TRUE"
    channel = (
        f"CASE k %% 3 {' '.join(f'WHEN {n} THEN {chr(39)}{name}{chr(39)}' for n, name in enumerate(CHANNELS))} END"
    )
    talks, ratings, agents = (model._meta.db_table for model in (Conversation, Rating, Agent))
    of = Workspace._meta.pk.get_db_prep_value(workspace.pk, connection)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {talks} (id, workspace_id, source, external_id, agent_id, status, channel, closed_at,"
            " memories_served, memories_are_noted, created_at, updated_at)"
            f" SELECT {key}, a.workspace_id, 'desk', a.id || '-' || k, a.id, 'closed', {channel}, {at}, {json}, {true}, {at},"
            f" {at} FROM {agents} a CROSS JOIN {numbers} WHERE a.workspace_id = %s",
            [now, now, now, of],
        )
        cursor.execute(
            f"INSERT INTO {ratings} (workspace_id, conversation_id, agent_id, external_id, value, scale, score_hundredths,"
            " rated_at, credit, counts, received_at)"
            " SELECT workspace_id, id, agent_id, '', '1', 'stars5', 0, closed_at, 'rated', TRUE, closed_at"
            f" FROM {talks} WHERE workspace_id = %s",
            [of],
        )


def _fill_drawer(agent, author, *, samples, notes):
    """The newest conversations as samples, and notes on them; every second note is in its second version."""
    now = timezone.now()
    talks = list(agent.conversations.order_by("-closed_at", "pk")[:samples])
    made = Sample.objects.bulk_create(
        Sample(
            workspace_id=agent.workspace_id,
            agent=agent,
            conversation=talk,
            url=f"https://desk.example/conversations/{talk.external_id}",
            value="1",
            scale="stars5",
            score_hundredths=0,
            closed_at=talk.closed_at,
            summary="The customer waited for an invoice. The answer was about the delivery.",
            summary_state=Sample.Summary.CAPTURED,
        )
        for talk in talks
    )
    written = [
        Note(
            workspace_id=agent.workspace_id,
            agent=agent,
            author=author,
            body=BODY * 3,
            sample=made[n % len(made)],
            shared_with_agent=n % 3 == 0,
            created_at=now - timedelta(hours=7 * n + 1),
        )
        for n in range(notes)
    ]
    bulk_create_with_history(written, Note)
    edited = written[::2]
    for note in edited:
        note.body, note.version = f"{BODY}They will look at the question again before they answer.", 2
    bulk_update_with_history(edited, Note, ["body", "version"])


def _flag(agent, today):
    """An open automatic flag, with what the scan stores of one."""
    since = today - timedelta(days=34)
    evidence = {
        "day": today.isoformat(),
        "since": since.isoformat(),
        "weeks": 5,
        "ratings": 150,
        "observed": 78.4,
        "expected": 86.2,
        "own_level": 86.5,
        "past_weeks": 21,
        "past_ratings": 640,
        "past_observed": 86.7,
        "peers": "team",
        "team_shift": -0.3,
        "peers_ratings": 1_400,
        "peers_observed": 85.1,
        "weeks_rated": 5,
        "weeks_below": 5,
        "worst_start": (today - timedelta(days=20)).isoformat(),
        "holds_without_worst": True,
        "statistic": 3.8,
        "evidence": 4.2,
        "evidence_without_worst": 3.1,
        "h": 3.65,
        "drop": 7.8,
        "rate28": 78.9,
        "n28": 120,
        "scale": "stars5",
        "rarity": 200,
    }
    Flag.objects.create(
        workspace_id=agent.workspace_id,
        agent=agent,
        kind=Flag.Kind.AUTO,
        since=since,
        opened_on=today,
        evidence=evidence,
    )


# -------------------------------------------------------------------------------------------------------------- measuring


def reads_of(ask) -> list[tuple]:
    """Every statement of one answer that reads, with its parameters, in order."""
    return [(sql, params) for sql, params in statements_of(ask) if sql.startswith(("SELECT", "WITH"))]


def measure(name, ask, *, further=lambda: None, held=True) -> Measured:
    """`ask` gives the answer; its floor is its SQL and `further`."""
    weight = len(ask().content)
    statements = reads_of(ask)
    answers, floors = [], []
    for _ in range(TURNS):
        answers.append(seconds(ask))
        floors.append(seconds(lambda: (bare(statements), further())))
    return Measured(
        name,
        queries=len(statements),
        answer=tuple(np.percentile(answers, (50, 95))),
        floor=tuple(np.percentile(floors, (50, 95))),
        weight=weight,
        held=held,
    )


def doors(member):
    """(what is looked at, a function that asks it of an agent) for each way to the drawer of one agent."""
    browser, script = Client(SERVER_NAME="localhost"), Client(SERVER_NAME="localhost")
    browser.force_login(member.user)
    token = f"Bearer {factories.token(member, ['read'])}"
    return (
        ("drawer, a page of its own", lambda agent: browser.get(f"/team/{agent.pk}")),
        ("drawer, over the Team page", lambda agent: browser.get(f"/team/{agent.pk}", headers={FRAGMENT: "partial"})),
        (
            "GET /coaching?agent=NAME",
            lambda agent: script.get("/api/v1/coaching", {"agent": agent.name}, headers={"Authorization": token}),
        ),
    )


class Ready(ApiView):
    answer: dict | None = None

    def get(self, request):
        return Response(self.answer)


def door_of_api(member, answer):
    """A function that gives `answer`, what the API answers with, without looking anything up."""
    view, asked = Ready.as_view(answer=answer), RequestFactory()
    token = f"Bearer {factories.token(member, ['read'])}"
    return lambda: view(asked.get("/api/v1/coaching", headers={"Authorization": token})).render()


def bare_events(member) -> bytes:
    """What the library alone takes: as many events as the feed has, with the fields no calendar does without."""
    told = icalendar.Calendar()
    for note in range(Note.objects.following_up().filter(author=member).count()):
        event = icalendar.Event()
        at = timezone.now()
        event.add("uid", f"{note}@touchline")
        event.add("dtstamp", at)
        event.add("dtstart", at)
        event.add("dtend", at)
        event.add("summary", "Follow up with Agent 0001")
        told.add_component(event)
    return told.to_ical()


def measured(n_agents, n_conversations) -> bool:
    """Fill, measure and print; whether a limit was missed."""
    began_at = time.perf_counter()
    owner, many, few = fill(n_agents, n_conversations)
    filled = time.perf_counter() - began_at
    nobody = factories.owner(factories.workspace())
    keep_up()
    gc.collect()
    gc.freeze()  # as a web process has what it loaded: see config.asgi
    found, constant = [], True
    for name, ask in doors(owner):
        one, other = (
            measure(f"{name}: {samples} and {notes}", lambda agent=agent, ask=ask: ask(agent), held=agent is many)
            for agent, (samples, notes) in ((many, MANY), (few, FEW))
        )
        constant = constant and one.queries == other.queries
        found += [one, other]
    alone = factories.human(nobody.workspace)
    for name, ask in doors(nobody):
        found.append(measure(f"{name}: the frame", lambda ask=ask: ask(alone), held=False))
    *_, (_, ask) = doors(owner)
    found.append(measure("the door of the API", door_of_api(owner, ask(many).json()), held=False))
    client = Client(SERVER_NAME="localhost")
    path = calendar.feed_url(owner).partition("/api")[2]
    n = Note.objects.following_up().filter(author=owner).count()
    feed = measure(f"feed of {n:,}", lambda: client.get(f"/api{path}"), held=False)
    with_events = measure(
        f"feed of {n:,}; bare SQL and events", lambda: client.get(f"/api{path}"), further=lambda: bare_events(owner)
    )
    found += [feed, with_events]
    print(
        f"{connection.vendor}; {n_agents:,} agents, {Conversation.objects.count():,} conversations, filled in {filled:.0f} s; "
        f"ms as p50 / p95; at most {MOST_TIMES:.0f} times the bare SQL, p95 by p95"
    )
    print(f"{'samples and notes':<40} {'queries':>8} {'answer':>17} {'bare SQL':>17} {'times':>6} {'weight':>9}")
    for one in found:
        answer, floor = (f"{1000 * p50:.1f} / {1000 * p95:.1f}" for p50, p95 in (one.answer, one.floor))
        print(
            f"{one.name:<40} {one.queries:>8} {answer:>17} {floor:>17} {one.times:>6.1f} {one.weight / 1000:>6.0f} KB"
        )
    print(f"queries are {'the same for both agents' if constant else 'NOT the same for both agents'}")
    return not constant or any(one.missed for one in found)


def main(n_agents=AGENTS, n_conversations=CONVERSATIONS) -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured(n_agents, n_conversations)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
