"""How fast a first reading stores ratings, against the same helpdesk read in the same way with nothing stored."""

import gc
import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import connections
from helpdesk.models import HelpdeskSync, Rating, RatingDay
from helpdesk.sync import ratings
from helpdesk.vendors import registry
from tests import factories, processes
from tests.bench.measuring import own_database

RATINGS, AGENTS, DAYS = 100_000, 50, 180
LEAST_RATIO = 0.5
MOST_GROWTH = 64  # MB that memory may grow while all are read


@dataclass(frozen=True)
class Measured:
    """Ratings per second of the bare reading and of the first reading, and how much memory that one took more."""

    floor: float
    stored: float
    n_slices: int
    growth: float

    @property
    def ratio(self) -> float:
        return self.stored / self.floor

    @property
    def missed(self) -> bool:
        return self.ratio < LEAST_RATIO or self.growth > MOST_GROWTH


@contextmanager
def desk():
    """The address of a helpdesk in a process of its own."""
    child = processes.start("-m", "tests.bench.vendor", str(RATINGS), str(AGENTS))
    try:
        place = f"127.0.0.1:{int(child.stdout.readline())}"
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, place]
        yield f"http://{place}"
    finally:
        child.kill()
        child.communicate()


@contextmanager
def peak():
    """Yields a list that holds the most MB of memory this process had above where it began, once the block is over."""
    page, found, done = os.sysconf("SC_PAGESIZE"), [], threading.Event()

    def resident() -> float:
        return int(Path("/proc/self/statm").read_text().split()[1]) * page / 2**20

    def watch():
        most = began
        while not done.wait(0.05):
            most = max(most, resident())
        found.append(most - began)

    gc.collect()
    began = resident()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield found
    finally:
        done.set()
        watcher.join()


def read_only(of) -> int:
    """Read every page as a first reading asks for it, and store nothing. Returns how many ratings there were."""
    until = timezone.now()
    since, cursor, n_read = until - timedelta(days=DAYS), "", 0
    with registry.open_client(of) as client:
        while True:
            page = client.ratings(since, until, cursor)
            n_read += len(page.ratings)
            cursor = page.cursor
            if not cursor:
                return n_read


def first_reading(of) -> tuple[HelpdeskSync, int]:
    """Let a worker read, slice by slice. Returns the sync as it is then and how many slices it took."""
    sync = HelpdeskSync.objects.get(connection=of, kind="backfill")
    n_slices = 0
    while sync.next_try_at is not None:
        sync = ratings.run(sync.pk)
        n_slices += 1
        assert not sync.last_error, sync.last_error
    return sync, n_slices


def measure(address) -> Measured:
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    for number in range(AGENTS):
        factories.human(workspace, external_ids={"zendesk": str(100 + number)})
    told = {"email": "admin@desk.example", "api_token": "right"}
    of = connections.connect(
        workspace, vendor="zendesk", base_url=address, credentials=told, backfill_days=DAYS, by=owner
    )
    began = time.perf_counter()
    n_read = read_only(of)
    floor = n_read / (time.perf_counter() - began)
    with peak() as growth:
        began = time.perf_counter()
        sync, n_slices = first_reading(of)
        stored = RATINGS / (time.perf_counter() - began)
    assert n_read == sync.n_read == sync.n_new == Rating.objects.counting().count() == RATINGS
    assert sum(RatingDay.objects.values_list("n", flat=True)) == RATINGS
    assert not list(actions.check_days(workspace))
    return Measured(floor, stored, n_slices, growth[0])


def main() -> bool:
    """Measure in a database of its own and print. True where a limit is missed."""
    with own_database(), desk() as address:
        found = measure(address)
    print(f"  {connection.vendor}, {RATINGS:,} ratings of {AGENTS} agents, pages of 100")
    print(f"  read, nothing stored   {found.floor:>9,.0f} ratings/s")
    print(f"  first reading          {found.stored:>9,.0f} ratings/s  {found.ratio:.2f} of it, {found.n_slices} slices")
    print(f"  memory                 {found.growth:>9,.0f} MB more at most")
    return found.missed
