"""The channels of a Slack workspace: what can be chosen, and whether one that was chosen can be spoken in."""

from dataclasses import dataclass

from coaching.actions.slack import triggers
from coaching.models import SlackConnection
from coaching.slack import client, errors
from coaching.slack.manifest import missing

KINDS = {"public_channel": "channels:read", "private_channel": "groups:read"}  # {kind: the permission to see it}
A_PAGE = 1000  # the most that Slack gives at once: https://docs.slack.dev/reference/methods/conversations.list
MOST_PAGES = 5


@dataclass(frozen=True)
class Channel:
    """A channel as Slack tells it; `is_member` is whether the app is in it."""

    id: str
    name: str
    is_member: bool = True
    is_archived: bool = False


class NotThere(Exception):
    """The channel cannot be spoken in. `sentence` says why, and what to do."""

    def __init__(self, sentence: str):
        super().__init__(sentence)
        self.sentence = sentence


def every(connection: SlackConnection) -> list[Channel]:
    """The channels that can be chosen, those the app is in first, then by name: the public ones, and private ones it is in.

    Kinds that the app may not see are left out. At most 5,000 of a larger workspace. Raises errors.SlackError.
    """
    lacking = missing(connection.scopes)
    kinds = [kind for kind, scope in KINDS.items() if scope not in lacking]
    found: list[Channel] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        further = {"cursor": cursor} if cursor else {}
        told = client.call(
            connection, "conversations.list", types=",".join(kinds), exclude_archived=True, limit=A_PAGE, **further
        )
        found += [_channel(one) for one in told.get("channels") or [] if one.get("id")]
        cursor = (told.get("response_metadata") or {}).get("next_cursor") or ""
        if not cursor:
            break
    return sorted(found, key=lambda one: (not one.is_member, one.name))


def typed(connection: SlackConnection, words: str) -> Channel:
    """The channel that somebody typed: its id, or its name with or without #. It can be spoken in.

    Raises NotThere; errors.SlackError where Slack did not say.
    """
    words = words.strip()
    if triggers.CHANNEL.fullmatch(words):
        return look_up(connection, words)
    name = words.removeprefix("#").lower()
    found = next((one for one in every(connection) if one.name == name), None)
    if found is None:
        raise NotThere(
            f"There is no channel #{name} that the app can see. Into a private one it must be invited first: type /invite there."
            if name
            else "Choose a channel."
        )
    return _speakable(found)


def look_up(connection: SlackConnection, channel_id: str) -> Channel:
    """The channel of an id; it can be spoken in. Raises NotThere; errors.SlackError where Slack did not say."""
    try:
        told = client.call(connection, "conversations.info", channel_id=channel_id).get("channel") or {}
    except errors.ChannelLost:
        raise NotThere(
            "Slack does not know this channel, or the app is not in it. Invite the app there first: type /invite."
        ) from None
    return _speakable(_channel(told | {"id": channel_id}))


def _channel(told):
    return Channel(
        id=told["id"],
        name=told.get("name") or "",
        is_member=told.get("is_member", True),
        is_archived=told.get("is_archived", False),
    )


def _speakable(channel):
    where = f"#{channel.name}" if channel.name else "The channel"
    if channel.is_archived:
        raise NotThere(f"{where} is archived.")
    if not channel.is_member:
        raise NotThere(f"The app is not in {where} yet. Invite it there (type /invite and choose it), then save again.")
    return channel
