"""The queue of 1,000 and of 100,000 proposals: its queries, its time against bare SQL; newest, most helped, searched, counted.

    python -m tests.bench queue

Each size is a workspace of its own in one database: ten AI agents, proposals of every type and status over a year, of a
hundred thousand 2,000 waiting, of a thousand every second. The page is the whole answer to a signed-in leader through Django's
test client, middleware, session and top bar included. The bare SQL is the same queries: every statement the page ran, executed
again on the same connection and fetched as plain tuples, with nothing done to what comes. Both take turns, so that whatever
else the machine does meets both. At a thousand proposals the frame (signing in, rights, the top bar, fifty rows of markup) is
nearly all of it, so the limit is held for a hundred thousand. There, counting by status reads an index from end to end, and a
search reads every title and reason to count what it finds: both stand in the page and in its SQL alike. Exits with 1 where the
sizes differ in their number of queries, or where the 95th of a hundred pages takes more than four times that of its SQL.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import connection
from django.test import Client
from django.utils import timezone

from agents.models import Door, Member
from coaching.models import Proposal
from tests import factories
from tests.bench.measuring import bare, keep_up, own_database, seconds, statements_of

SIZES = (1_000, 100_000)
AGENTS = 10
WAITING = 2_000  # about so many wait, or every second one
TURNS = 25  # of page and bare SQL each
MOST_TIMES = 4.0
HELD_FROM = 100_000  # proposals
WORDS = ("refund", "parcel", "invoice", "delivery", "password", "order", "courier", "voucher", "warranty", "address")
PAGES = {
    "newest": "",
    "most helped": "?order=helped",
    "of one agent": "?agent={agent}",
    "searched": "?q=courier+warranty",
    "approved, page 9": "?status=approved&page=9",
}


@dataclass(frozen=True)
class Measured:
    """One page of one size. Seconds are (median, 95th of a hundred)."""

    proposals: int
    name: str
    queries: int
    page: tuple[float, float]
    sql: tuple[float, float]

    @property
    def times(self) -> float:
        return self.page[1] / self.sql[1]

    @property
    def missed(self) -> bool:
        return self.proposals >= HELD_FROM and self.times > MOST_TIMES


def fill(size, rng) -> Member:
    """A workspace of `size` proposals; its owner."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agents = [factories.ai_agent(workspace) for _ in range(AGENTS)]
    prompts = [agent.prompt for agent in agents]
    memories = [factories.memory(agent, owner) for agent in agents]
    procedures = [factories.procedure(agent, owner) for agent in agents]
    targets = {"memory": memories, "procedure": procedures, "prompt": prompts}
    every = max(2, size // WAITING)
    now, types, statuses = timezone.now(), Proposal.Type.values, ("approved", "rejected", "superseded")
    minutes = rng.integers(1, 365 * 24 * 60, size)
    words = rng.integers(0, len(WORDS), (size, 8))

    def row(n):
        at, type_ = n % AGENTS, types[n % len(types)]
        target = None if type_ in Proposal.CREATES else targets[type_.split("_")[0]][at]
        status = "pending" if n // AGENTS % every == 0 else statuses[n % len(statuses)]
        said = [WORDS[word] for word in words[n]]
        made_at = now - timedelta(minutes=int(minutes[n]))
        decided = {}
        if status != "pending":
            decided = {"decided_at": made_at + timedelta(hours=3), "decided_by": owner, "decided_from": Door.PAGE}
        if status == "approved":
            decided |= {"result_version": 1, "configuration_number": n + 1, "target_id": uuid.uuid4()}
        return Proposal(
            workspace=workspace,
            agent=agents[at],
            type=type_,
            status=status,
            title=f"Say how the {said[0]} goes with the {said[1]}, case {n}.",
            rationale=f"The customer asked twice about the {' and the '.join(said)}. " * 4,
            evidence=[{"message": True}],
            n_conversations=int(minutes[n]) % 6,
            change={"summary": "Say how it goes.", "text": " ".join(said) * 10},
            **{
                "created_at": made_at,
                **({} if target is None else {"target_id": target.pk, "base_version": 1}),
                **decided,
            },
        )

    for start in range(0, size, 5_000):
        Proposal.objects.bulk_create((row(n) for n in range(start, min(start + 5_000, size))), batch_size=1_000)
    return owner


def measure(owner, size, name, query) -> Measured:
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner.user)
    path = f"/proposals{query.format(agent=owner.workspace.agents.order_by('name').first().pk)}"
    client.get(path)
    statements = statements_of(lambda: client.get(path))
    page, sql = [], []
    for _ in range(TURNS):
        page.append(seconds(lambda: client.get(path)))
        sql.append(seconds(lambda: bare(statements)))
    return Measured(
        proposals=size,
        name=name,
        queries=len(statements),
        page=tuple(np.percentile(page, (50, 95))),
        sql=tuple(np.percentile(sql, (50, 95))),
    )


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    rng = np.random.default_rng(1)
    owners = [fill(size, rng) for size in SIZES]
    keep_up()
    found = [
        measure(owner, size, name, query)
        for name, query in PAGES.items()
        for owner, size in zip(owners, SIZES, strict=True)
    ]
    print(
        f"{connection.vendor}; ms as p50 / p95; at {HELD_FROM:,} at most {MOST_TIMES:.0f} times the bare SQL, p95 by p95"
    )
    print(f"{'':<17} {'proposals':>9} {'queries':>8} {'page':>17} {'bare SQL':>17} {'times':>6}")
    for one in found:
        page, sql = (f"{1000 * p50:.1f} / {1000 * p95:.1f}" for p50, p95 in (one.page, one.sql))
        print(f"{one.name:<17} {one.proposals:>9,} {one.queries:>8} {page:>17} {sql:>17} {one.times:>6.1f}")
    constant = all(len({one.queries for one in found if one.name == name}) == 1 for name in PAGES)
    print(f"queries are {'the same for both sizes' if constant else 'NOT the same for both sizes'}")
    return not constant or any(one.missed for one in found)


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
