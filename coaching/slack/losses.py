"""Channels and tokens that are lost, and found again: what Slack tells of them ends in a state that people can read."""

from typing import Any

from agents import history
from coaching.actions.slack import connections, policy, posts, triggers
from coaching.models import SlackConnection, SlackPolicy, SlackPost, SlackReceipt
from coaching.slack.following import Followed
from coaching.slack.places import siblings

LOST = {
    "channel_archive": "The channel was archived.",
    "group_archive": "The channel was archived.",
    "channel_deleted": "The channel was deleted.",
    "group_deleted": "The channel was deleted.",
    "channel_left": "The app was removed from the channel. Invite it there again.",
    "group_left": "The app was removed from the channel. Invite it there again.",
    "member_left_channel": "The app was removed from the channel. Invite it there again.",
}
FOUND = {"channel_unarchive", "group_unarchive", "member_joined_channel"}
RENAMED = {"channel_rename", "group_rename"}
GONE = {
    "tokens_revoked": "The app's access was revoked in Slack. Connect it again.",
    "app_uninstalled": "The app was removed from this Slack workspace. Connect it again.",
}


def follow(receipt: SlackReceipt, facts: dict[str, Any]) -> Followed:
    """Note on every connection that is told this what became of its channel, or of its token."""
    told = siblings(receipt.connection)
    if receipt.type in GONE:
        bots = facts.get("bots")  # of an app that was removed, all tokens are gone
        for connection in told:
            if bots is None or connection.bot_user_id in bots:
                connections.refuse(connection, GONE[receipt.type])
        return Followed("Noted.")
    for connection in told:
        _note(connection, receipt.type, facts["channel"], facts.get("name", ""))
    return Followed("Noted.")


def _note(connection: SlackConnection, type: str, channel: str, name: str) -> None:
    flags = SlackPolicy.objects.filter(flags_connection=connection, flags_channel_id=channel).first()
    if type in LOST:
        triggers.lose(connection, channel, LOST[type])
        if flags is not None:
            policy.note_flags_trouble(flags.workspace_id, LOST[type])
    elif type in FOUND:
        triggers.find(connection, channel)
        if flags is not None:
            policy.note_flags_trouble(flags.workspace_id, "")
            posts.recover(connection=connection, channel_id=channel, kind=SlackPost.Kind.FLAG)
    elif type in RENAMED and name:
        triggers.rename(connection, channel, name)
        if flags is not None:
            history.change(
                flags, SlackPolicy.objects.filter(flags_channel_id=channel), by=None, flags_channel_name=name
            )
