"""Who reads a helpdesk is killed without a word, again and again: every rating lands once, and no day is wrong."""

import os
import random
import signal
import time
from contextlib import contextmanager

import pytest
from django.db.models import Sum
from django.utils import timezone

from coaching import tasks
from helpdesk import actions
from helpdesk.models import HelpdeskAgent, HelpdeskSync, Rating, RatingDay
from tests import factories, processes
from tests.desks.server import serving
from tests.desks.world import small_world
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected

COMMANDS_KILLED, WORKERS_KILLED = 18, 2
RATINGS = 3_000
PAUSE = 0.02  # seconds before each page
LONGEST = 0.5  # seconds of reading before a kill
LOOK = 0.05

pytestmark = pytest.mark.django_db(transaction=True)


class Slow(Zendesk):
    """Small pages that take their time, and who asked last."""

    page_size = 25

    def __init__(self, world):
        super().__init__(world)
        self.sorted = world.answered()
        world.answered = lambda: self.sorted

    def answer(self, asked):
        time.sleep(PAUSE)
        return super().answer(asked)


@contextmanager
def reading(**environment):
    """Yields a function that has a process of its own read a connection: (connection) -> its process id."""
    child = processes.start("-m", "tests.flows.sync_again", **environment)

    def read(connection):
        child.stdin.write(f"{connection.pk}\n")
        child.stdin.flush()
        return int(child.stdout.readline())

    try:
        yield read
    finally:
        child.kill()
        print(child.communicate()[0])  # shown where the test fails


def when_asked(desk, then):
    """Wait until the desk is asked once more, and then for a moment."""
    had, deadline = len(desk.asked), time.monotonic() + processes.PATIENCE
    while len(desk.asked) == had:
        assert time.monotonic() < deadline, "nobody asks"
        tasks.read_helpdesks()
        time.sleep(LOOK)
    time.sleep(then)


def let_go(sync):
    """As when the dead worker's lease has run out."""
    HelpdeskSync.objects.filter(connection=sync.connection).update(claim=None, claimed_until=None)


def test_first_reading_survives_every_kill(workspace, owner, settings):
    chance = random.Random(7)
    agents = [factories.human(workspace, external_ids={"zendesk": number}) for number in ("11", "12", "13")]
    held = []
    with serving(Slow(small_world(RATINGS))) as desk:
        connection = connected(desk, owner, settings, backfill_days=3650)
        sync = HelpdeskSync.objects.get(connection=connection, kind="backfill")
        allowed = {"OUTBOUND_ALLOW": desk.place}
        with reading(**allowed) as read:
            for _ in range(COMMANDS_KILLED):
                pid, had = read(connection), len(desk.asked)
                while len(desk.asked) == had:
                    time.sleep(LOOK)
                time.sleep(chance.uniform(0, LONGEST))
                os.kill(pid, signal.SIGKILL)
                sync.refresh_from_db()
                held.append(sync.next_try_at is not None and sync.claim is not None)
        for _ in range(WORKERS_KILLED):
            let_go(sync)
            with processes.worker(**allowed):
                when_asked(desk, chance.uniform(0, LONGEST))
            sync.refresh_from_db()
            held.append(sync.next_try_at is not None and sync.claim is not None)
        desk.answer = lambda asked: Zendesk.answer(desk, asked)
        last = processes.start("manage.py", "sync", str(connection.pk), **allowed)
        said = last.communicate(timeout=processes.PATIENCE)[0]
        assert last.returncode == 0, said

    sync.refresh_from_db()
    assert sum(held) >= (COMMANDS_KILLED + WORKERS_KILLED) // 2, "too few were killed while they read"
    assert (sync.n_read, sync.n_new, sync.next_try_at, sync.last_error) == (RATINGS, RATINGS, None, "")
    assert sync.finished_at <= timezone.now()
    told = {talk.id: "good" if talk.answer.happy > 0.5 else "bad" for talk in desk.sorted}
    counting = Rating.objects.counting().values_list("conversation__external_id", "value")
    assert (dict(counting), Rating.objects.count()) == (told, RATINGS)
    assert not HelpdeskAgent.objects.unmapped().exists()
    sums = {day["agent"]: day["n"] for day in RatingDay.objects.values("agent").annotate(n=Sum("n"))}
    assert sums == {agents[number].pk: len(desk.sorted[number::3]) for number in range(3)}
    assert list(actions.check_days(workspace)) == []
