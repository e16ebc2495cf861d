"""What Slack told, written down before it is answered: once, however often and whichever way it comes."""

from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from coaching.models import SlackConnection, SlackReceipt

SWALLOWED_FOR = timedelta(minutes=1)  # after it was followed, the same click by the same person says nothing new
HEARD_EVERY = timedelta(seconds=30)  # that it is noted; a busy channel would write the row all the time


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


def note_heard(connection: SlackConnection) -> None:
    """Slack told us something. Noted now and then, for people to see that it works."""
    now = timezone.now()
    if connection.heard_at is None or connection.heard_at < now - HEARD_EVERY:
        SlackConnection.objects.filter(pk=connection.pk).update(heard_at=now)
        connection.heard_at = now


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
