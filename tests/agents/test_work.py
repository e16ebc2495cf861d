"""Owed work: one worker has a row at a time, and nothing that is owed gets lost."""

import threading
import time
import uuid
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from agents import work
from agents.models import Workspace
from coaching.models import Sweep
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def owed(workspace):
    return Sweep.objects.create(workspace=workspace)


def claim(row):
    return work.claim(Sweep.objects.all(), row.pk)


def lose_the_lease(row):
    """What the clock does to a worker that died."""
    Sweep.objects.filter(pk=row.pk).update(claimed_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("asked_of_another_table", [False, True])
def test_of_many_who_claim_at_once_one_wins(owed, asked_of_another_table):
    start, won = threading.Barrier(16), []
    rows = Sweep.objects.filter(workspace__slug=owed.workspace.slug) if asked_of_another_table else Sweep.objects.all()

    def act():
        start.wait()
        won.append(work.claim(rows.all(), owed.pk))
        connection.close()

    threads = [threading.Thread(target=act) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 16
    assert len([row for row in won if row is not None]) == 1
    owed.refresh_from_db()
    assert owed.attempts == 1


@pytest.mark.django_db(transaction=True)
def test_many_rows_are_claimed_together_each_by_one_worker():
    for _ in range(30):
        Sweep.objects.create(workspace=factories.workspace())
    start, held = threading.Barrier(6), []

    def act():
        start.wait()
        held.append(work.claim_all(Sweep.objects.filter(workspace__slug__gt=""), 10))
        connection.close()

    threads = [threading.Thread(target=act) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    keys = [row.pk for rows in held for row in rows]
    assert len(keys) == len(set(keys))
    assert all(len({row.claim for row in rows}) <= 1 for rows in held)
    assert set(Sweep.objects.filter(pk__in=keys).values_list("attempts", flat=True)) == {1}


def test_several_rows_of_one_claim_are_renewed_put_off_and_settled_together():
    for _ in range(4):
        Sweep.objects.create(workspace=factories.workspace())
    first, second, third, fourth = work.claim_all(Sweep.objects.all(), 10)
    Sweep.objects.filter(pk=fourth.pk).update(claim=uuid.uuid4())

    work.renew(first, second, third, fourth)
    work.put_off(first, error="Later.", pause=timedelta(minutes=1))
    work.settle(second, third, fourth)

    assert {row.last_error for row in Sweep.objects.put_off()} == {"Later."}
    assert set(Sweep.objects.owed()) == {first, fourth}
    with pytest.raises(work.LeaseLost):
        work.settle(second, third)


def test_a_claimed_row_is_held_for_a_lease_and_counts_its_attempts(owed):
    row = claim(owed)

    assert row.attempts == 1
    assert timedelta(seconds=55) < row.claimed_until - timezone.now() <= work.LEASE
    assert claim(owed) is None
    assert not Sweep.objects.due().exists()
    assert Sweep.objects.owed().exists()


def test_only_what_the_queryset_holds_is_claimed(owed):
    assert work.claim(Sweep.objects.filter(swept_on__isnull=False), owed.pk) is None


@pytest.mark.parametrize("settled", [work.settle, work.give_up])
def test_a_settled_row_owes_nothing_and_has_its_values(owed, settled):
    row = claim(owed)

    if settled is work.settle:
        work.settle(row, swept_on=timezone.now().date())
    else:
        work.give_up(row, error="It is gone.", swept_on=timezone.now().date())

    owed.refresh_from_db()
    assert (owed.next_try_at, owed.claimed_until, owed.claim) == (None, None, None)
    assert owed.swept_on == timezone.now().date()
    assert owed.last_error == ("" if settled is work.settle else "It is gone.")
    assert claim(owed) is None


def test_a_dead_workers_row_is_found_and_the_dead_can_store_nothing(owed):
    dead = claim(owed)
    lose_the_lease(owed)
    assert list(Sweep.objects.due()) == [owed]

    heir = claim(owed)

    assert heir.attempts == 2
    for act in (
        lambda: work.settle(dead, swept_on=timezone.now().date()),
        lambda: work.put_off(dead, error="late"),
        lambda: work.give_up(dead, error="late"),
        lambda: work.renew(dead),
    ):
        with pytest.raises(work.LeaseLost):
            act()
    owed.refresh_from_db()
    assert (owed.swept_on, owed.last_error, owed.claim) == (None, "", heir.claim)
    work.settle(heir)


def test_a_lease_that_ran_out_but_was_not_taken_over_can_still_be_settled(owed):
    row = claim(owed)
    lose_the_lease(owed)

    work.settle(row)

    owed.refresh_from_db()
    assert owed.next_try_at is None


def test_renewing_holds_the_row_for_another_lease(owed):
    row = claim(owed)
    lose_the_lease(owed)

    work.renew(row)

    assert claim(owed) is None


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 5), (2, 10), (5, 80), (10, 2_560), (11, 3_600), (60, 3_600)])
def test_each_pause_is_twice_as_long_as_the_one_before_up_to_an_hour(owed, attempts, seconds):
    Sweep.objects.update(attempts=attempts - 1)

    work.put_off(claim(owed), error="No answer.")

    owed.refresh_from_db()
    assert 0.79 * seconds < (owed.next_try_at - timezone.now()).total_seconds() <= 1.2 * seconds
    assert (owed.claimed_until, owed.attempts, owed.last_error) == (None, attempts, "No answer.")
    assert claim(owed) is None


def test_a_pause_can_be_told_and_a_long_error_is_cut(owed):
    work.put_off(claim(owed), error="x" * 9_000, pause=timedelta(minutes=5))

    owed.refresh_from_db()
    assert timedelta(minutes=4) < owed.next_try_at - timezone.now() <= timedelta(minutes=5)
    assert len(owed.last_error) == 2_000


def test_a_person_can_ask_for_another_try_unless_it_is_at_work(owed):
    row = claim(owed)
    assert work.owe_again(owed) is False
    work.give_up(row, error="It is gone.")

    assert work.owe_again(owed) is True

    owed.refresh_from_db()
    assert (owed.attempts, owed.last_error) == (0, "")
    assert list(Sweep.objects.due()) == [owed]


@pytest.mark.django_db(transaction=True)
def test_a_row_is_held_as_long_as_the_work_takes(owed, monkeypatch):
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=0.3))
    row = claim(owed)

    with work.holding(row):
        time.sleep(0.9)
        taken = claim(owed)

    assert taken is None
    work.settle(row)


@pytest.mark.django_db(transaction=True)
def test_holding_does_not_take_back_what_another_took_over(owed, monkeypatch):
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=0.3))
    row = claim(owed)

    with work.holding(row):
        lose_the_lease(owed)
        heir = claim(owed)
        time.sleep(0.3)

    with pytest.raises(work.LeaseLost):
        work.settle(row)
    owed.refresh_from_db()
    assert owed.claim == heir.claim


@pytest.mark.django_db(transaction=True)
def test_queue_that_cannot_be_reached_hurts_nobody(caplog):
    class Unreachable:
        def delay(self, *ids):
            raise ConnectionError(f"no queue for {ids}")

    with transaction.atomic():
        workspace = factories.workspace()
        work.start_soon(Unreachable(), "7")

    assert Workspace.objects.filter(pk=workspace.pk).exists()
    assert "no queue for ('7',)" in caplog.text


@pytest.fixture
def no_queue(settings):
    """The folder of the file queue is away."""
    if not settings.CELERY_BROKER_URL.startswith("filesystem:"):
        pytest.skip("The services mode has a broker.")
    folder = settings.QUEUE_DIR / "messages"
    folder.rename(folder.with_name("away"))
    yield
    folder.with_name("away").rename(folder)


@pytest.mark.django_db(transaction=True)
def test_pages_store_what_they_owe_where_the_queue_cannot_be_reached(client, owner, settings, no_queue):
    settings.MAIL_IS_CONFIGURED = True
    client.force_login(owner.user)

    asked = client.post("/settings/members", {"email": "new@test.example", "role": "member", "agent": ""})
    moved = client.post("/settings/workspace", {"time_zone": "Asia/Tokyo"})

    assert (asked.status_code, moved.status_code) == (302, 302)
    assert owner.workspace.invitations.get().next_try_at is not None
    assert owner.workspace.time_zone_changes.get().next_try_at is not None
