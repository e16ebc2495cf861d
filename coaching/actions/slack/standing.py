"""What Slack's answers mean for what is connected: a refused token, a channel that cannot be reached."""

from datetime import timedelta

from django.utils import timezone

from agents import history
from coaching.models import SlackConnection, SlackTrigger

NOTED_EVERY = timedelta(seconds=30)


def refuse(connection: SlackConnection, sentence: str) -> bool:
    """Slack does not accept the connection any more: what is owed waits. False where somebody has connected it anew meanwhile.

    `sentence` says why, to a leader.
    """
    as_known = SlackConnection.objects.active().filter(version=connection.version)
    return history.change(
        connection, as_known, by=None, state=SlackConnection.State.REFUSED, state_reason=sentence[:500]
    )


def lose_channel(connection: SlackConnection, channel_id: str, sentence: str) -> bool:
    """A channel with a coach cannot be reached. False where it has none, or that is known. `sentence` says why, to a leader."""
    trigger = SlackTrigger.objects.filter(
        connection=connection, channel_id=channel_id, state=SlackTrigger.State.ACTIVE
    ).first()
    return trigger is not None and history.change(
        trigger,
        SlackTrigger.objects.filter(state=SlackTrigger.State.ACTIVE),
        by=None,
        state=SlackTrigger.State.LOST,
        state_reason=sentence[:500],
    )


def note_spoke(connection: SlackConnection) -> None:
    """Slack took something from us. Noted now and then, for people to see that it works."""
    now = timezone.now()
    if connection.spoke_at is None or connection.spoke_at < now - NOTED_EVERY:
        SlackConnection.objects.filter(pk=connection.pk).update(spoke_at=now)
        connection.spoke_at = now
