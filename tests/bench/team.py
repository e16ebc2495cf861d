"""The Team page of 10, 100, 1,000 and 5,000 agents: its queries, its time against bare SQL, its weight.

    python -m tests.bench team

Each size is a workspace of its own in one database: agents in teams of ten with ratings on each of 182 days, one in twenty
flagged, one in five with a note and a follow-up, one in four an AI agent with a talk with its coach and a proposal. The page is
the whole answer to a signed-in leader through Django's test client, middleware, session and top bar included. The bare SQL is
the same queries: every statement the page ran, executed again on the same connection and fetched as plain tuples, with nothing
done to what comes. Both take turns, so that whatever else the machine does meets both. The frame is the same page of a
workspace without agents: signing in, rights, the top bar's counts and the preparing of the statements cost the same at
every size, and at ten agents they are nearly all of it. So the limit is held from a hundred agents on, and ten stand beside
the frame. Exits with 1 where the sizes differ in their number of queries, or where the page takes more than four times its SQL.
"""

import gzip
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.models import Agent, Member, Prompt, Team, Workspace
from coaching.models import Flag, Note, Proposal, Session
from helpdesk.models import RatingDay
from tests import factories
from tests.bench.measuring import bare, keep_up, own_database, seconds, statements_of

SIZES = (10, 100, 1_000, 5_000)
DAYS = 182
TEAM_SIZE = 10
TURNS = 25  # of page and bare SQL each
MOST_TIMES = 4.0
HELD_FROM = 100  # agents


@dataclass(frozen=True)
class Measured:
    """One size. Seconds are (median, 95th of a hundred); bytes of the answer as it is and gzipped."""

    agents: int
    queries: int
    page: tuple[float, float]
    sql: tuple[float, float]
    weight: int
    zipped: int

    @property
    def times(self) -> float:
        return self.page[0] / self.sql[0]

    @property
    def missed(self) -> bool:
        return self.agents >= HELD_FROM and self.times > MOST_TIMES


def fill(size, today, rng) -> Member:
    """A workspace of `size` agents; its owner."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    teams = Team.objects.bulk_create(
        Team(workspace=workspace, name=f"Team {n:03}") for n in range(-(-size // TEAM_SIZE))
    )
    agents = Agent.objects.bulk_create(
        (
            Agent(
                workspace=workspace,
                team=teams[n // TEAM_SIZE],
                name=f"Agent {n:04}",
                kind=Agent.Kind.HUMAN if n % 4 else Agent.Kind.AI,
                coaching=n % 4 == 0,
            )
            for n in range(size)
        ),
        batch_size=1_000,
    )
    _fill_days(workspace, agents, today, rng)
    _fill_record(workspace, agents, owner, today)
    return owner


def _fill_days(workspace, agents, today, rng):
    """One to eight good or bad ratings a day; every week like the last one, as the database copies it."""
    level = rng.uniform(0.7, 0.95, len(agents))
    week = [today - timedelta(days=back) for back in range(7)]
    for day in week:
        n = rng.integers(1, 9, len(agents))
        good = rng.binomial(n, level)
        RatingDay.objects.bulk_create(
            (
                RatingDay(
                    workspace=workspace,
                    agent=agents[at],
                    day=day,
                    n=int(n[at]),
                    sum_hundredths=int(good[at]) * 10_000,
                    sum_squares=int(good[at]) * 10_000**2,
                )
                for at in rng.permutation(len(agents))
            ),
            batch_size=5_000,
        )
    table, columns = RatingDay._meta.db_table, "workspace_id, agent_id, n, sum_hundredths, sum_squares"
    copy = (
        f"INSERT INTO {table} ({columns}, day) SELECT {columns}, %s FROM {table} WHERE workspace_id = %s AND day = %s"
    )
    key = Workspace._meta.pk.get_db_prep_value(workspace.pk, connection)
    with connection.cursor() as cursor:
        for back in range(7, DAYS):
            cursor.execute(copy, [today - timedelta(days=back), key, week[back % 7]])


def _fill_record(workspace, agents, owner, today):
    now = timezone.now()
    since = today - timedelta(days=34)
    evidence = {
        "weeks": 5,
        "ratings": 150,
        "observed": 78.4,
        "expected": 86.2,
        "own_level": 86.5,
        "holds_without_worst": True,
        "since": since.isoformat(),
        "day": today.isoformat(),
    }
    Flag.objects.bulk_create(
        Flag(
            workspace=workspace,
            agent=agent,
            kind=Flag.Kind.AUTO,
            since=since,
            opened_on=today,
            evidence=evidence,
            cause=Flag.Cause.PRODUCT if at % 40 == 0 else "",
        )
        for at, agent in enumerate(agents)
        if at % 20 == 0
    )
    Note.objects.bulk_create(
        Note(
            workspace=workspace, agent=agent, author=owner, body="Talk.", follow_up_at=now + timedelta(days=1 + at % 9)
        )
        for at, agent in enumerate(agents)
        if at % 5 == 0
    )
    assistants = [agent for agent in agents if agent.is_ai]
    Prompt.objects.bulk_create(Prompt(workspace=workspace, agent=agent) for agent in assistants)
    Session.objects.bulk_create(
        Session(workspace=workspace, agent=agent, started_by=owner, updated_at=now - timedelta(hours=at % 90))
        for at, agent in enumerate(assistants)
    )
    Proposal.objects.bulk_create(
        Proposal(
            workspace=workspace,
            agent=agent,
            type=Proposal.Type.MEMORY_CREATE,
            change={"summary": "Parcels are collected at noon.", "text": "At the counter."},
            rationale="The customer had to ask twice.",
            evidence=[{"message": True}],
        )
        for agent in assistants
    )


def measure(owner, size) -> Measured:
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner.user)
    answer = client.get("/team")
    statements = statements_of(lambda: client.get("/team"))
    page, sql = [], []
    for _ in range(TURNS):
        page.append(seconds(lambda: client.get("/team")))
        sql.append(seconds(lambda: bare(statements)))
    return Measured(
        agents=size,
        queries=len(statements),
        page=tuple(np.percentile(page, (50, 95))),
        sql=tuple(np.percentile(sql, (50, 95))),
        weight=len(answer.content),
        zipped=len(gzip.compress(answer.content)),
    )


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    rng, today = np.random.default_rng(1), timezone.localdate(timezone=Workspace(time_zone="UTC").zone)
    nobody = factories.owner(factories.workspace())
    owners = [fill(size, today, rng) for size in SIZES]
    keep_up()
    found = [measure(owner, size) for owner, size in zip(owners, SIZES, strict=True)]
    frame = measure(nobody, 0).page[0]
    print(
        f"{connection.vendor}; ms as p50 / p95; from {HELD_FROM} agents on at most {MOST_TIMES:.0f} times the bare SQL"
    )
    print(f"{'agents':>7} {'queries':>8} {'page':>15} {'bare SQL':>15} {'times':>6} {'weight':>9} {'gzipped':>8}")
    for one in found:
        page, sql = (f"{1000 * p50:.1f} / {1000 * p95:.1f}" for p50, p95 in (one.page, one.sql))
        weights = f"{one.weight / 1000:.0f} KB", f"{one.zipped / 1000:.0f} KB"
        print(
            f"{one.agents:>7,} {one.queries:>8} {page:>15} {sql:>15} {one.times:>6.1f} {weights[0]:>9} {weights[1]:>8}"
        )
    print(f"the frame, without an agent: {1000 * frame:.1f} ms")
    constant = len({one.queries for one in found}) == 1
    print(f"queries are {'the same for all sizes' if constant else 'NOT the same for all sizes'}")
    return not constant or any(one.missed for one in found)


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
