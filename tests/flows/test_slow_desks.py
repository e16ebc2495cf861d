"""A helpdesk that does not answer keeps nobody waiting but itself, on a real worker with few threads."""

import threading

import pytest

from coaching import tasks
from helpdesk.models import HelpdeskSync, Rating
from tests import factories, processes
from tests.desks.server import Weather, serving
from tests.desks.world import small_world
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected

pytestmark = pytest.mark.django_db(transaction=True)


def look():
    tasks.find_owed_work()
    tasks.read_helpdesks()


def test_helpdesk_that_does_not_answer_holds_up_no_other(owner, settings):
    over = threading.Event()

    def never(handler):
        over.wait(processes.PATIENCE)
        handler.connection.close()

    with serving(Zendesk(small_world())) as dead, serving(Zendesk(small_world())) as works:
        dead.weather.append(Weather(never, times=10**6))
        first = connected(dead, owner, settings, backfill_days=3650)
        # Of the three threads the dead one takes one for its test and one for a reading, whatever else it is owed.
        with processes.worker(3, OUTBOUND_ALLOW=f"{dead.place},{works.place}"):
            processes.until(lambda: len(dead.asked) >= 2, look)
            other = factories.owner(factories.workspace())
            second = connected(works, other, settings, backfill_days=3650)
            read = HelpdeskSync.objects.filter(connection=second).exclude(kind="reconcile")
            processes.until(lambda: not read.owed().exists(), look)
            still_waiting = HelpdeskSync.objects.filter(connection=first, n_pages=0, kind="backfill").exists()
            over.set()

    assert still_waiting
    assert Rating.objects.filter(workspace=other.workspace).count() == 7
    assert not Rating.objects.filter(workspace=owner.workspace).exists()
