"""How fast Slack may be called: a slot a message in each channel, a pause where Slack asks for one, and while nobody answers one
who tries for all.

Slack counts messages that are posted by channel, one a second, and everything else by method. That of changing messages is
"at least 50 a minute", and more in bursts: it is called freely until Slack asks for a pause, and in a line from then on, for as
long as somebody stands in it. https://docs.slack.dev/apis/web-api/rate-limits
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from coaching.models import SlackConnection, SlackPace

POST, UPDATE, DELETE = "chat.postMessage", "chat.update", "chat.delete"
EVERY = {POST: timedelta(seconds=1), UPDATE: timedelta(seconds=1.2), DELETE: timedelta(seconds=1.2)}
KEPT_FOR = timedelta(seconds=5)  # a slot that was not used by then is another's
LONG_LINE = timedelta(seconds=3)  # who waits in front of an answer stands in no longer one; Slack takes short bursts
FIRST_REST = timedelta(seconds=1)  # after a call that nobody answered
REST = timedelta(seconds=5)  # after each further one
PROBE = timedelta(seconds=15)  # as long as one who tries for all may take; longer than a call


@dataclass(frozen=True)
class Leave:
    """Whether Slack may be called: after `seconds`, 0.0 for now. `is_down`: the last one got no answer, so this one tries."""

    seconds: float = 0.0
    is_down: bool = False


def ask_leave(connection: SlackConnection, method: str, channel_id: str) -> Leave:
    """Whether `method` may be called there now. Of those who may try whether Slack answers again, one is let through."""
    now = timezone.now()
    paces = SlackPace.objects.filter(
        connection=connection,
        method__in=[SlackPace.ANY, method],
        channel_id__in=["", channel_id],
        blocked_until__isnull=False,
    )
    blocked: list[tuple[str, datetime, int]] = list(paces.values_list("method", "blocked_until", "pk"))  # type: ignore[arg-type]
    until = max((until for asked, until, _ in blocked if asked != SlackPace.ANY), default=now)
    if until > now:
        return Leave((until - now).total_seconds())
    for asked, until, pk in blocked:
        if asked == SlackPace.ANY:
            if until > now:
                return Leave((until - now).total_seconds(), is_down=True)
            is_first = SlackPace.objects.filter(pk=pk, blocked_until=until).update(blocked_until=now + PROBE)
            return Leave(0.0 if is_first else PROBE.total_seconds(), is_down=True)
    return Leave()


def block(connection: SlackConnection, method: str, channel_id: str, seconds: float) -> None:
    """Slack wants to be left alone with this method: in this channel where it counts by channel, else everywhere."""
    pace = _pace(connection, method, channel_id)
    until = timezone.now() + timedelta(seconds=seconds)
    if pace.blocked_until is None or pace.blocked_until < until:
        SlackPace.objects.filter(pk=pace.pk).update(blocked_until=until)


def rest(connection: SlackConnection) -> None:
    """Nobody answered: nothing is asked for a moment, and then by one for all."""
    pace = _pace(connection, SlackPace.ANY, "")
    pause = FIRST_REST if pace.blocked_until is None else REST
    SlackPace.objects.filter(pk=pace.pk).update(blocked_until=timezone.now() + pause)


def go_on(connection: SlackConnection) -> None:
    """Slack answers again."""
    SlackPace.objects.filter(connection=connection, method=SlackPace.ANY).update(blocked_until=None)


def slot(
    connection: SlackConnection,
    method: str,
    channel_id: str,
    *,
    held: datetime | None = None,
    is_urgent: bool = False,
) -> datetime | None:
    """None where `method` (one of EVERY) may be called there now, else a moment ahead that is the caller's own: come back then.

    `held` is what the caller was given the last time. `is_urgent`: somebody waits in front of it, and need not stand in a long
    line.
    """
    pace = _pace(connection, method, channel_id)
    while True:
        now = timezone.now()
        open_at = max(pace.blocked_until or now, now)
        if held is not None and now - KEPT_FOR < held and (open_at <= held or open_at == now):
            return held if held > now else None
        free_at = max(pace.next_at, open_at)
        if free_at == now and method != POST:
            return None  # nobody stands in line
        if is_urgent and open_at == now and free_at > now + LONG_LINE:
            return None
        if SlackPace.objects.filter(pk=pace.pk, next_at=pace.next_at).update(next_at=free_at + EVERY[method]):
            return free_at if free_at > now else None
        pace.refresh_from_db()


def _pace(connection, method, channel_id) -> SlackPace:
    """The row that counts calls of `method`, made where there is none yet."""
    with transaction.atomic():
        return SlackPace.objects.get_or_create(
            connection=connection,
            method=method,
            channel_id=channel_id if method == POST else "",
            defaults={"workspace_id": connection.workspace_id},
        )[0]
