"""How fast Slack may be called: a slot a message in each channel, and a pause where Slack asks for one.

Slack counts calls by method, and messages that are posted by channel, one a second:
https://docs.slack.dev/apis/web-api/rate-limits.
"""

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max, Q
from django.utils import timezone

from coaching.models import SlackConnection, SlackPace

POST = "chat.postMessage"
COUNTED_BY_CHANNEL = {POST}
EVERY = timedelta(seconds=1)  # between two messages in one channel


def blocked_for(connection: SlackConnection, method: str, channel_id: str) -> float:
    """For how many more seconds Slack wants to be left alone with this method there; 0.0 where it may be called."""
    now = timezone.now()
    paces = SlackPace.objects.filter(connection=connection, method=method, channel_id__in={"", channel_id})
    until = paces.aggregate(until=Max("blocked_until"))["until"]
    return max((until - now).total_seconds(), 0.0) if until else 0.0


def block(connection: SlackConnection, method: str, channel_id: str, seconds: float) -> None:
    """Slack wants to be left alone with this method: in this channel where it counts by channel, else everywhere."""
    pace = _pace(connection, method, channel_id if method in COUNTED_BY_CHANNEL else "")
    until = timezone.now() + timedelta(seconds=seconds)
    longer = SlackPace.objects.filter(Q(blocked_until=None) | Q(blocked_until__lt=until), pk=pace.pk)
    longer.update(blocked_until=until)


def reserve(connection: SlackConnection, channel_id: str) -> datetime:
    """The next free slot for a message in a channel; whoever has it posts at that moment or later. It is nobody else's."""
    pace = _pace(connection, POST, channel_id)
    while True:
        now = timezone.now()
        if SlackPace.objects.filter(pk=pace.pk, next_at__lte=now).update(next_at=now + EVERY):
            return now
        slot = SlackPace.objects.values_list("next_at", flat=True).get(pk=pace.pk)
        if SlackPace.objects.filter(pk=pace.pk, next_at=slot).update(next_at=F("next_at") + EVERY):
            return slot


def _pace(connection, method, channel_id) -> SlackPace:
    with transaction.atomic():
        return SlackPace.objects.get_or_create(
            connection=connection,
            method=method,
            channel_id=channel_id,
            defaults={"workspace_id": connection.workspace_id},
        )[0]
