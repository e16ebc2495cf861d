"""By which clock a workspace lives, and its change.

Every rating may belong to another day by another clock, so a change sums all days anew, which takes a while where there are
many: it is owed (`TimeZoneChange`), one at a time, and a worker carries it out.
"""

import logging

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from agents.models import known_time_zone
from helpdesk import actions
from helpdesk.models import TimeZoneChange

ATTEMPTS = 3

BROKEN = "It broke off {times} times, the last time with {error}. The clock and all days are as they were."
LOST = "The worker that summed the days was lost several times in the middle. The clock and all days are as they were."
GIVEN_UP = "It was given up. The clock and all days are as they were."

log = logging.getLogger(__name__)


class AnotherIsOwed(Refusal):
    """A change to another time zone is at work."""


def ask(workspace, *, by, time_zone) -> TimeZoneChange | None:
    """A change to `time_zone` that a worker owes; the one that is owed already where it says the same; None where the
    workspace lives by this clock. Raises NotAllowed, AnotherIsOwed, ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    try:
        known_time_zone(time_zone)
    except ValidationError as error:
        raise ValidationError({"time_zone": error.messages}) from error
    owed = _owed(workspace)
    if owed is None:
        workspace.refresh_from_db(fields=["time_zone"])
        if workspace.time_zone == time_zone:
            return None
        try:
            with transaction.atomic():
                return TimeZoneChange.objects.create(workspace=workspace, time_zone=time_zone, asked_by=by)
        except IntegrityError:  # somebody else asked in this moment
            owed = _owed(workspace)
    if owed is None or owed.time_zone != time_zone:
        raise AnotherIsOwed(
            f"The days are being summed anew for {owed.time_zone}. Wait until that is done, then choose again."
            if owed
            else "The time zone was changed in this moment. Look at what it is now."
        )
    return owed


def try_again(change, *, by) -> TimeZoneChange:
    """Owe a change anew that failed. Raises NotAllowed, work.NothingOwed, AnotherIsOwed."""
    require(by, Right.MANAGE_WORKSPACE)
    failed = TimeZoneChange.objects.filter(pk=change.pk, done_at=None, next_try_at=None)
    try:
        with transaction.atomic():
            owed = failed.update(next_try_at=timezone.now(), attempts=0, last_error="")
    except IntegrityError as error:
        raise AnotherIsOwed("Another change of the time zone is at work. Wait until that is done.") from error
    if not owed:
        raise work.NothingOwed("This change did not fail.")
    change.refresh_from_db()
    return change


def give_up(change, *, by=None) -> TimeZoneChange:
    """Let a change that is owed not happen; `by` is None for operators. Raises NotAllowed, work.NothingOwed."""
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not work.drop(change, last_error=GIVEN_UP):
        raise work.NothingOwed
    return change


def run(change_id) -> TimeZoneChange | None:
    """Carry out what is owed. Returns the change, or None where it is not due or another worker has it.

    The clock, the days and the end of the change are stored together or not at all.
    """
    owed = work.claim(TimeZoneChange.objects.unfinished(), change_id)
    if owed is None:
        return None
    try:
        if owed.attempts > ATTEMPTS:
            work.give_up(owed, error=LOST)
        else:
            _finish(owed)
    except work.LeaseLost:
        log.info("Time zone change %s was given up or taken over.", owed.pk)
    owed.refresh_from_db()
    return owed


def _finish(owed):
    try:
        with work.holding(owed), transaction.atomic():
            actions.change_time_zone(owed.workspace, owed.time_zone, by=owed.asked_by)
            work.settle(owed, done_at=timezone.now())
    except work.LeaseLost:
        raise
    except ValidationError as refusal:
        work.give_up(owed, error=" ".join(refusal.messages))
    except Exception as error:
        log.exception("Time zone change %s broke off.", owed.pk)
        kind = type(error).__name__
        if owed.attempts < ATTEMPTS:
            work.put_off(owed, error=kind)
        else:
            work.give_up(owed, error=BROKEN.format(times=owed.attempts, error=kind))


def _owed(workspace):
    return TimeZoneChange.objects.unfinished().filter(workspace=workspace).first()
