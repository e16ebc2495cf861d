"""How long an agent's configuration takes to move out and in: 10,000 memories, against bare SQL and against changes by hand.

    python -m tests.bench exchange

Exits with 1 where planning an export in which nothing changed takes more than a second per 1,000 entries, or applying them at
once more than one and a half times as long as the same changes by hand.
"""

import time
import uuid

from django.db import connection

from coaching import exchange
from coaching.actions import imports
from coaching.models import ConfigurationImport
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.bench.measuring import own_database

ENTRIES, BY_HAND = 10_000, 500
TEXT = "The parcel waits at the counter until noon and is sent back after two weeks. " * 5
MOST_SECONDS_A_PLAN, MOST_TIMES = 1.0, 1.5


def timed(does):
    """(seconds, what it gave)"""
    began = time.perf_counter()
    given = does()
    return time.perf_counter() - began, given


def archive():
    """A file of new memories, each with an id of its own."""
    fields = (
        {"summary": f"Fact number {n}.", "text": f"{n}. {TEXT}".strip(), "expires_at": None} for n in range(ENTRIES)
    )
    return exchange.write(exchange.About(), [exchange.Entry("memory", str(uuid.uuid4()), None, one) for one in fields])


def carried_out(agent, owner, how):
    """Seconds to carry out all of an archive."""
    imported = imports.plan(agent, archive(), by=owner, file_name="bench.zip")
    imports.carry_out(imported, by=owner, door="command", how=how)
    took, done = timed(lambda: imports.run(imported.pk))
    assert (done.state, done.progress) == (ConfigurationImport.State.DONE, ENTRIES)
    return took


def by_hand(agent, owner):
    """Seconds that as many memories take one by one, from a part of them."""

    def write():
        for n in range(BY_HAND):
            memories.create(agent, summary=f"Fact number {n}.", text=f"{n}. {TEXT}", by=owner, door="command")

    return timed(write)[0] * ENTRIES / BY_HAND


def measure() -> bool:
    """Measure and print, in seconds per 1,000 entries. True where a limit is missed."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agent, proposed, other = (factories.ai_agent(workspace) for _ in range(3))
    hand = by_hand(other, owner)
    direct = carried_out(agent, owner, "direct")
    as_proposals = carried_out(proposed, owner, "proposals")
    bare, _ = timed(lambda: list(Memory.objects.filter(agent=agent).values_list()))
    export, (_, raw) = timed(lambda: imports.export(agent, by=owner))
    plan, planned = timed(lambda: imports.plan(agent, raw, by=owner, file_name="bench.zip"))
    assert planned.steps[0] == {"step": "same", "kind": "memory", "count": ENTRIES}
    each = 1_000 / ENTRIES
    print(f"  {connection.vendor}, {ENTRIES:,} memories, {len(raw) / 1e6:.1f} MB packed; seconds per 1,000")
    print(f"  bare SELECT            {bare * each:>8.3f}")
    print(f"  export                 {export * each:>8.3f}  {export / bare:.1f} times that")
    print(f"  plan, nothing changes  {plan * each:>8.3f}  {plan / bare:.1f} times that")
    print(f"  by hand                {hand * each:>8.2f}")
    print(f"  applied at once        {direct * each:>8.2f}  {direct / hand:.2f} of it")
    print(f"  as proposals           {as_proposals * each:>8.2f}  {as_proposals / hand:.2f} of it")
    return plan * each > MOST_SECONDS_A_PLAN or direct / hand > MOST_TIMES


def main() -> bool:
    """Measure in a database of its own. Django must be set up."""
    with own_database():
        return measure()
