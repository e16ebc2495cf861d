"""A helpdesk is read by one worker at a time, however many of its syncs are due at the same instant."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection as database
from django.db import transaction
from django.utils import timezone

from helpdesk.actions import connections
from helpdesk.models import HelpdeskSync
from tests import processes
from tests.helpdesk.connected import rated

pytestmark = pytest.mark.django_db(transaction=True)


def all_due(connection):
    """The keys of the connection's syncs, every one of them due."""
    syncs = HelpdeskSync.objects.filter(connection=connection)
    syncs.update(next_try_at=timezone.now())
    return list(syncs.order_by("pk").values_list("pk", flat=True))


def take(pk):
    try:
        return connections.take(pk)
    finally:
        database.close()


def waits_for_a_lock():
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return cursor.fetchone()[0] > 0


def test_who_takes_a_second_sync_waits_until_the_first_is_taken_and_then_takes_none(owner):
    first, second, _ = all_due(rated(owner, n=0))

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            held = connections.take(first)
            taking = pool.submit(take, second)
            if database.vendor == "postgresql":
                processes.until(lambda: taking.done() or waits_for_a_lock())
        other = taking.result()

    assert (held.pk, other) == (first, None)


def test_of_many_processes_and_all_kinds_of_syncs_one_reads(owner):
    due = all_due(rated(owner, n=0))
    children = [processes.start("-m", "tests.flows.take_sync", str(pk)) for pk in due * 3]

    said = processes.together(children)

    assert sorted(said) == ["not"] * 8 + ["taken"]
    assert HelpdeskSync.objects.at_work().count() == 1
