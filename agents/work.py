"""Rows that say what is owed: claim, lease, retry, sweep.

A row with `next_try_at` owes work from that moment on; an empty `next_try_at` owes nothing. A worker claims a row by
compare-and-set, holds it for a lease that it renews while it works, and settles it. A worker that dies settles nothing:
its lease runs out and the sweep finds the row again. A claim is known by its token, so a worker that lost its lease
cannot settle what another has taken over.
"""

import contextlib
import logging
import random
import threading
import uuid
from datetime import timedelta

from django.db import DatabaseError, connection, models, transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.access import Refusal

LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=5)
LONGEST_PAUSE = timedelta(hours=1)

log = logging.getLogger(__name__)


def start_soon(task, *ids):
    """Tell a worker of owed rows as soon as this transaction is stored.

    A queue that cannot be reached goes into the log and hurts nobody: the rows are stored, and the clock finds them again.
    """
    transaction.on_commit(
        lambda: task.delay(*ids), robust=True
    )  # not a partial: Django reports failures by __qualname__


class LeaseLost(Exception):
    """Another worker holds the row now; whatever was done here must not be stored."""


class NothingOwed(Refusal):
    """Nobody can try it again or give it up: it owes nothing, or a worker is at it this moment."""

    def __init__(self, why: str = "There is nothing to be done for it any more, or a worker is at it this moment."):
        super().__init__(why)


def free(at) -> Q:
    """The rows that no worker holds at that moment."""
    return Q(claimed_until=None) | Q(claimed_until__lt=at)


class OwedQuerySet(models.QuerySet):
    def owed(self):
        return self.filter(next_try_at__isnull=False)

    def takeable(self):
        """What a worker may take once it is due; kinds whose rows can wait for something else leave those out."""
        return self.owed()

    def due(self, at=None):
        """Owed, its time has come, and nobody holds it."""
        at = at or timezone.now()
        return self.filter(next_try_at__lte=at).filter(free(at))

    def put_off(self, at=None):
        """Owed, but not before a later moment."""
        at = at or timezone.now()
        return self.filter(next_try_at__gt=at).filter(free(at))

    def at_work(self, at=None):
        """Held by a worker whose lease has not run out."""
        return self.filter(claimed_until__gte=at or timezone.now())

    def failing(self):
        """Owed, and the last try went wrong."""
        return self.owed().exclude(last_error="")


def due_of(model, at=None):
    """The rows of one kind of owed work that a worker may take at that moment."""
    return model._default_manager.takeable().due(at)


class Owed(models.Model):
    """The columns of a row that owes work."""

    next_try_at = models.DateTimeField(null=True, blank=True, default=timezone.now, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    claim = models.UUIDField(null=True, blank=True, editable=False)
    last_error = models.TextField(blank=True, editable=False)

    class Meta:
        abstract = True


def claim(rows, pk):
    """Claim row `pk` of the queryset `rows` (an OwedQuerySet). Returns it, or None when it is not due or taken."""
    now, token = timezone.now(), uuid.uuid4()
    # Whether it is free is asked of the row itself. PostgreSQL asks that again once whoever was first has let go of the row, but
    # not what stands in a subquery, and Django makes one of rows that are chosen by another table.
    itself = OwedQuerySet(rows.model).filter(pk__in=rows.filter(pk=pk).values("pk"))
    claimed = itself.due(now).update(claim=token, claimed_until=now + LEASE, attempts=F("attempts") + 1)
    return rows.model._default_manager.get(pk=pk) if claimed else None


def claim_all(rows, most: int) -> list:
    """Claim those of the queryset `rows` that have been due the longest, at most so many, all under one claim."""
    now, token = timezone.now(), uuid.uuid4()
    due = list(rows.due(now).order_by("next_try_at", "pk").values_list("pk", flat=True)[:most])
    # Asked of the rows themselves, as above: what another worker has claimed since they were found is not due any more.
    found: OwedQuerySet = OwedQuerySet(rows.model).filter(pk__in=due)
    found.due(now).update(claim=token, claimed_until=now + LEASE, attempts=F("attempts") + 1)
    return list(found.filter(claim=token).order_by("pk"))


def seize(rows, pk):
    """Claim row `pk` of `rows` whoever holds it: for somebody in front of a terminal who takes over from a worker, alive or not.

    Who held it learns so when it stores or settles anything. Returns the row, or None when it owes nothing.
    """
    token = uuid.uuid4()
    seized = (
        rows.owed().filter(pk=pk).update(claim=token, claimed_until=timezone.now() + LEASE, attempts=F("attempts") + 1)
    )
    return rows.model._default_manager.get(pk=pk) if seized else None


def _held(*rows):
    same = rows[0]
    found = type(same)._default_manager.filter(pk__in=[row.pk for row in rows])
    return found.filter(claim=same.claim, claimed_until__isnull=False)


def renew(*rows) -> None:
    """Hold what is claimed, one row or several under one claim, for another lease. Raises LeaseLost where all is lost."""
    if not _held(*rows).update(claimed_until=timezone.now() + LEASE):
        raise LeaseLost


@contextlib.contextmanager
def holding(*rows):
    """Keep what is claimed, one row or several under one claim, for as long as the block runs, renewing the lease from a thread.

    For work that waits on somebody else's answer. Where the lease is lost all the same, settling a row raises LeaseLost.
    """
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(rows, done), name=f"lease of {rows[0].pk}", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()
        keeper.join()


def _keep(rows, done):
    while not done.wait(LEASE.total_seconds() / 3):
        try:
            renew(*rows)
        except LeaseLost:
            return
        except DatabaseError:
            log.exception("The lease of %s could not be renewed; trying again.", rows[0].pk)
        finally:
            connection.close()


def keep(row, **values) -> None:
    """Store how far the work has come, and on the row. Raises LeaseLost, and then stores nothing."""
    if not _held(row).update(**values):
        raise LeaseLost
    for name, value in values.items():
        setattr(row, name, value)


def settle(*rows, **values) -> None:
    """The work is done: store `values` and owe nothing more. Raises LeaseLost, and then stores nothing.

    Of several rows under one claim those that another worker has taken over are left to it.
    """
    if not _held(*rows).update(next_try_at=None, claimed_until=None, claim=None, last_error="", **values):
        raise LeaseLost


def put_off(*rows, error: str, pause: timedelta | None = None, **values) -> None:
    """Try again after `pause` (default: twice as long after each attempt, with jitter, at most an hour). Raises LeaseLost.

    Several rows under one claim wait as long as the one that was tried most often.
    """
    if pause is None:
        attempts = max(row.attempts for row in rows)
        pause = min(FIRST_PAUSE * 2 ** min(attempts - 1, 12), LONGEST_PAUSE) * random.uniform(0.8, 1.2)  # noqa: S311 (spreads tries, guards nothing)
    if not _held(*rows).update(
        next_try_at=timezone.now() + pause, claimed_until=None, claim=None, last_error=error[:2000], **values
    ):
        raise LeaseLost


def give_up(row, *, error: str, **values) -> None:
    """No further try makes sense: owe nothing more and keep the error. Raises LeaseLost."""
    if not _held(row).update(next_try_at=None, claimed_until=None, claim=None, last_error=error[:2000], **values):
        raise LeaseLost


def anew(at=None) -> dict:
    """The columns of a row that owes its work from `at` on (default: now) as if for the first time; whoever holds it loses it."""
    return {"next_try_at": at or timezone.now(), "attempts": 0, "claim": None, "claimed_until": None, "last_error": ""}


def owe_again(row) -> bool:
    """A person asks for another try now. False where the row is at work this very moment."""
    return bool(owe_all_again(type(row)._default_manager.filter(pk=row.pk)))


def owe_all_again(rows) -> int:
    """Another try now of each of `rows` that nobody is at this very moment. Returns how many."""
    now = timezone.now()
    return rows.filter(free(now)).update(**anew(now))


def drop(row, **values) -> bool:
    """A person asks for no further try: owe nothing more, keep the error, store `values`. False where nothing is owed or the
    row is at work this very moment.
    """
    owed = type(row)._default_manager.filter(free(timezone.now()), pk=row.pk, next_try_at__isnull=False)
    dropped = owed.update(next_try_at=None, claim=None, claimed_until=None, **values)
    if dropped:
        row.refresh_from_db()
    return bool(dropped)


def owed_constraint(name):
    """A row can be held only while it owes something."""
    return models.CheckConstraint(condition=Q(claimed_until=None) | Q(next_try_at__isnull=False), name=name)


def owed_index(name):
    """The sweep's own index: only rows that owe something are in it."""
    return models.Index(fields=["next_try_at"], condition=Q(next_try_at__isnull=False), name=name)
