"""The Memory tab of an agent with 10,000 entries: each list, order and search, its queries, its time against bare SQL.

    python -m tests.bench knowledge

One agent has 100 memories, one 10,000, and of each one in ten besides was removed; one in six expires, half of those have, one
in three was never served, texts are about 600 characters. A page is the whole answer to a signed-in leader through Django's test
client, middleware, session and top bar included; the bare SQL is every statement that page ran, executed again on the same
connection and fetched as plain tuples. Both take turns, so that whatever else the machine does meets both. Exits with 1 where
the two sizes differ in their number of queries, or where the 95th of a hundred pages takes more than four times that of its SQL.
The frame is the same tab of an agent without memories: what costs the same whatever it lists.
"""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
from django.db import connection
from django.test import Client
from django.utils import timezone

from memories.models import Memory
from tests import factories
from tests.bench.measuring import bare, keep_up, own_database, seconds, statements_of

SIZES = (100, 10_000)
TURNS = 40  # of page and bare SQL each
MOST_TIMES = 4.0
QUERIES = {
    "all": "",
    "page 100": "?page=100",
    "expiring in 14 days": "?show=expiring",
    "expired": "?show=expired",
    "never served": "?show=unserved",
    "removed": "?show=removed",
    "of the coach": "?source=coach",
    "last served first": "?order=served",
    "search as the agent": "?q=refund+of+a+parcel",
    "search in never served": "?show=unserved&q=refund",
}
SAID = """refund parcel invoice counter delivery address voucher order payment account warranty return courier customs bicycle
helmet charger battery subscription discount receipt transfer wallet stock colour size repair spare part week day hour"""


@dataclass(frozen=True)
class Measured:
    """One list at both sizes: the numbers of queries, and seconds of page and SQL of the larger as (median, 95th)."""

    name: str
    queries: tuple[int, ...]
    page: tuple[float, float]
    sql: tuple[float, float]

    @property
    def times(self) -> float:
        return self.page[1] / self.sql[1]

    @property
    def missed(self) -> bool:
        return self.times > MOST_TIMES or len(set(self.queries)) > 1


def fill(owner, size, rng):
    """An agent with `size` memories and a tenth as many removed ones."""
    agent = factories.ai_agent(owner.workspace)
    now = timezone.now()
    told = [_memory(agent, number, now, rng) for number in range(size)]
    Memory.objects.bulk_create(told, batch_size=500)
    past = Memory.history.model
    gone = [_memory(agent, number, now, rng) for number in range(size // 10)]
    rows = [_past(past, memory, "+", 1) for memory in [*told, *gone]] + [_past(past, memory, "-", 2) for memory in gone]
    past.objects.bulk_create(rows, batch_size=500)
    return agent


def _memory(agent, number, now, rng):
    said = [" ".join(rng.choice(SAID.split(), n)) for n in (9, 85)]
    expires_at = None if number % 6 else now + timedelta(hours=int(rng.integers(-2_000, 2_000)))
    changed_at = now - timedelta(minutes=int(rng.integers(1, 500_000)))
    return Memory(
        id=uuid.uuid4(),
        workspace_id=agent.workspace_id,
        agent=agent,
        summary=f"{said[0].capitalize()}, number {number}.",
        text=said[1],
        source=Memory.Source.values[number % 4],
        expires_at=expires_at,
        last_served_at=None if number % 3 == 0 else now - timedelta(days=int(rng.integers(0, 300))),
        created_at=changed_at,
        updated_at=changed_at,
    )


def _past(model, memory, kind, version):
    fields = ("id", "workspace_id", "agent_id", "summary", "text", "source", "expires_at", "created_at", "updated_at")
    told = {name: getattr(memory, name) for name in fields}
    return model(**told, version=version, history_type=kind, history_date=memory.updated_at)


def measure(client, agents, name, query) -> Measured:
    paths = [f"/agents/{agent.pk}/memory{query}" for agent in agents]
    statements = [statements_of(lambda path=path: client.get(path)) for path in paths]
    page, sql = [], []
    for _ in range(TURNS):
        page.append(seconds(lambda: client.get(paths[-1])))
        sql.append(seconds(lambda: bare(statements[-1])))
    return Measured(
        name,
        tuple(len(one) for one in statements),
        tuple(np.percentile(page, (50, 95))),
        tuple(np.percentile(sql, (50, 95))),
    )


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    rng = np.random.default_rng(1)
    owner = factories.owner(factories.workspace())
    agents = [fill(owner, size, rng) for size in SIZES]
    nobody = factories.ai_agent(owner.workspace)
    keep_up()
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner.user)
    found = [measure(client, agents, name, query) for name, query in QUERIES.items()]
    frame = measure(client, [nobody], "frame", "").page
    print(
        f"{connection.vendor}; {SIZES[-1]:,} entries; ms as p50 / p95; the p95 at most {MOST_TIMES:.0f} times its SQL's"
    )
    print(f"{'list':>24} {'queries':>8} {'page':>15} {'bare SQL':>15} {'times':>6}")
    for one in found:
        page, sql = (f"{1000 * p50:.1f} / {1000 * p95:.1f}" for p50, p95 in (one.page, one.sql))
        queries = "/".join(str(n) for n in sorted(set(one.queries)))
        print(f"{one.name:>24} {queries:>8} {page:>15} {sql:>15} {one.times:>6.1f}{'  missed' if one.missed else ''}")
    print(f"the frame, without a memory: {1000 * frame[0]:.1f} / {1000 * frame[1]:.1f} ms")
    return any(one.missed for one in found)


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
