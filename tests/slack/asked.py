"""A call whose token was found good, and what it may do."""

from typing import TYPE_CHECKING, Any

from tests.slack import limits
from tests.slack.world import App, Channel, User

if TYPE_CHECKING:
    from tests.slack.server import Slack

READING = {"channel": "channels", "group": "groups", "im": "im"}


class Refused(Exception):
    """`ok: false` with this error; `more` stands beside it."""

    def __init__(self, error: str, **more: Any):
        super().__init__(error)
        self.error, self.more = error, more


class Asked:
    """A call whose token was found good: by which app, with what."""

    def __init__(self, slack: "Slack", app: App, arguments: dict[str, Any]):
        self.slack, self.app, self.team, self.arguments = slack, app, app.team, arguments

    def text(self, name: str, missing: str = "invalid_arguments") -> str:
        value = self.arguments.get(name)
        if not isinstance(value, str) or not value:
            raise Refused(missing, response_metadata={"messages": [f"[ERROR] missing required field: {name}"]})
        return value

    def has(self, name: str) -> bool:
        return str(self.arguments.get(name, "")).lower() in ("1", "true")

    def needs(self, *scopes: str) -> None:
        """One of these."""
        if not set(scopes) & set(self.app.scopes):
            raise Refused("missing_scope", needed=scopes[0], provided=",".join(self.app.scopes))

    def channel(self, *, reads: str = "", posts: bool = False) -> Channel:
        """The channel that is named, if the app may do this in it: `reads` is what it would read, history or read."""
        channel = self.team.channels.get(self.text("channel", "channel_not_found"))
        is_member = channel is not None and self.app.bot_user_id in channel.members
        if channel is None or (channel.kind != "channel" and not is_member):
            raise Refused("channel_not_found")
        if reads:
            self.needs(f"{READING[channel.kind]}:{reads}")
        if (posts or reads == "history") and not is_member:
            raise Refused("not_in_channel")
        if posts and channel.is_archived:
            raise Refused("is_archived")
        return channel

    def user(self) -> User:
        user = self.team.users.get(self.text("user", "user_not_found"))
        if user is None:
            raise Refused("user_not_found")
        return user

    def page(self, rows: list) -> tuple[list, dict]:
        """(one page of them, response_metadata). The cursor is a number that nobody outside should read."""
        first = int(self.arguments.get("cursor") or 0)
        size = min(int(self.arguments.get("limit") or 100), self.slack.page_size)
        more = first + size < len(rows)
        return rows[first : first + size], {"next_cursor": str(first + size) if more else ""}

    def content(self, *, is_update: bool = False) -> tuple[str, list[dict]]:
        """(text, blocks), if Slack takes them."""
        text, blocks = self.arguments.get("text") or "", self.arguments.get("blocks") or []
        if not text and not blocks:
            raise Refused("no_text")
        if found := limits.problems(blocks):
            raise Refused("invalid_blocks", errors=found, response_metadata={"messages": found})
        if error := limits.too_long(text, blocks, is_update=is_update):
            raise Refused(error)
        return text, blocks
