"""What Slack told, written down before it is answered: once, however often and whichever way it comes."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import work
from coaching.models import SlackConnection, SlackReceipt

SWALLOWED_FOR = timedelta(minutes=1)  # after it was followed, the same click by the same person says nothing new
KEPT = timedelta(days=30)  # after they were followed, for operators to read; Slack tells nothing again after an hour
LONGEST_OUTCOME = 200  # characters


def store(connection: SlackConnection, *, kind: str, key: str, type: str, payload: dict[str, Any]) -> int | None:
    """Keep what was told until it is followed. Returns the receipt that is owed, None where it was told before."""
    return _stored(connection, kind, key, type, payload, timezone.now())


def store_click(
    connection: SlackConnection,
    *,
    key: str,
    type: str,
    payload: dict[str, Any],
    clicked_at: datetime,
    swallowed_for: timedelta = SWALLOWED_FOR,
) -> int | None:
    """As `store`, for a click: one row for a person, a button and a message, which owes again when they click later.

    Swallowed is a click while an earlier one is unfinished, within `swallowed_for` after it was followed, and one that was made
    (`clicked_at`, by Slack's clock) before the earlier one came in: that is the same click, told late.
    """
    now = timezone.now()
    earlier = SlackReceipt.objects.filter(connection=connection, key=key)
    if not earlier.exists():
        return _stored(connection, SlackReceipt.Kind.ACTION, key, type, payload, now)
    again = earlier.filter(done_at__lt=now - swallowed_for, received_at__lt=clicked_at)
    owed_anew = {"done_at": None, "outcome": "", "payload": payload, "received_at": now, "next_try_at": now}
    with transaction.atomic():
        if not again.update(**owed_anew, attempts=0, last_error=""):
            return None
        return earlier.values_list("pk", flat=True).get()


def release(connections: Iterable[SlackConnection], user_id: str) -> int:
    """What somebody wrote while nobody knew for whom is followed now. Returns how many messages."""
    waiting = SlackReceipt.objects.owed().filter(
        connection__in=connections, payload__user=user_id, payload__offered=True
    )
    return work.owe_all_again(waiting)


def forget() -> int:
    """Delete what was followed long ago. Returns how many receipts."""
    return SlackReceipt.objects.filter(done_at__lt=timezone.now() - KEPT).delete()[0]


def give_up(receipt: SlackReceipt) -> None:
    """Follow it no more, and forget what it says. Raises work.NothingOwed."""
    if not work.drop(receipt, done_at=timezone.now(), payload=None, outcome="Given up."):
        raise work.NothingOwed


def _stored(connection, kind, key, type, payload, now) -> int | None:
    receipt = SlackReceipt(
        workspace_id=connection.workspace_id,
        connection=connection,
        kind=kind,
        key=key,
        type=type,
        payload=payload,
        received_at=now,
        next_try_at=now,
    )
    try:
        with transaction.atomic():
            receipt.save(force_insert=True)
    except IntegrityError:
        if not SlackReceipt.objects.filter(connection=connection, key=key).exists():
            raise
        return None
    return receipt.pk
