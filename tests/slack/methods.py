"""The methods of the Web API that an app may call, each as its reference says (https://docs.slack.dev/reference/methods)."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.slack import limits
from tests.slack.world import App, Channel, Ephemeral, Message, Team, User, View, new_id, new_ts

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


def auth_test(asked: Asked) -> dict:
    team, app = asked.team, asked.app
    return {
        "url": f"https://{team.name.lower().replace(' ', '-')}.slack.example/",
        "team": team.name,
        "user": app.name.lower(),
        "team_id": team.id,
        "user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "is_enterprise_install": False,
    }


def auth_revoke(asked: Asked) -> dict:
    asked.app.is_revoked = not asked.has("test")
    return {"revoked": asked.app.is_revoked}


def team_info(asked: Asked) -> dict:
    asked.needs("team:read")
    return {"team": {"id": asked.team.id, "name": asked.team.name, "domain": asked.team.name.lower()}}


def bots_info(asked: Asked) -> dict:
    asked.needs("users:read")
    for app in asked.team.apps:
        if app.bot_id == asked.text("bot", "bot_not_found"):
            told = {"id": app.bot_id, "deleted": False, "name": app.name, "updated": 1595926230, "icons": {}}
            return {"bot": told | {"app_id": app.app_id, "user_id": app.bot_user_id}}
    raise Refused("bot_not_found")


def users_info(asked: Asked) -> dict:
    asked.needs("users:read")
    return {"user": person(asked.user(), asked.app)}


def users_lookup_by_email(asked: Asked) -> dict:
    asked.needs("users:read.email")
    for user in asked.team.users.values():
        if user.email and user.email.lower() == asked.text("email").lower() and not user.flags["is_deleted"]:
            return {"user": person(user, asked.app)}
    raise Refused("users_not_found")


def person(user: User, app: App) -> dict:
    flags = {name: value for name, value in user.flags.items() if name != "is_deleted"}
    profile = {"real_name": user.name, "display_name": user.name.split()[0], "team": user.team_id}
    if "users:read.email" in app.scopes and user.email:
        profile["email"] = user.email
    return flags | {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name.lower().replace(" ", "."),
        "deleted": user.flags["is_deleted"],
        "real_name": user.name,
        "tz": "Europe/Amsterdam",
        "profile": profile,
        "is_app_user": False,
        "is_stranger": user.team_id != user.team.id,
        "is_email_confirmed": user.confirmed,
        "updated": 1595926230,
    }


def conversations_list(asked: Asked) -> dict:
    kinds = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
    wanted = {kinds[name.strip()] for name in str(asked.arguments.get("types") or "public_channel").split(",")}
    for kind in sorted(wanted & set(READING)):
        asked.needs(f"{READING[kind]}:read")
    rows = [
        channel
        for channel in asked.team.channels.values()
        if channel.kind in wanted
        and (channel.kind == "channel" or asked.app.bot_user_id in channel.members)
        and not (channel.is_archived and asked.has("exclude_archived"))
    ]
    page, more = asked.page(rows)
    return {"channels": [place(channel, asked.app) for channel in page], "response_metadata": more}


def conversations_info(asked: Asked) -> dict:
    return {"channel": place(asked.channel(reads="read"), asked.app)}


def conversations_join(asked: Asked) -> dict:
    asked.needs("channels:join")
    channel = asked.channel()
    if channel.kind != "channel":
        raise Refused("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise Refused("is_archived")
    channel.members.add(asked.app.bot_user_id)
    return {"channel": place(channel, asked.app)}


def conversations_open(asked: Asked) -> dict:
    asked.needs("im:write")
    user = asked.team.users.get(asked.text("users", "users_list_not_supplied"))
    if user is None:
        raise Refused("user_not_found")
    return {"channel": {"id": user.direct_with(asked.app).id}}


def place(channel: Channel, app: App) -> dict:
    told = {"id": channel.id, "is_archived": channel.is_archived, "created": 1595926230, "is_im": channel.kind == "im"}
    if channel.of is not None:
        return told | {"user": channel.of.id}
    is_private = channel.kind == "group"
    is_member = app.bot_user_id in channel.members
    named = {"name": channel.name, "is_channel": not is_private, "is_group": is_private, "is_private": is_private}
    return told | named | {"is_member": is_member, "is_general": False, "num_members": len(channel.members)}


def conversations_history(asked: Asked) -> dict:
    channel = asked.channel(reads="history")
    rows = [
        message for message in reversed(_within(asked, channel.messages)) if message.thread_ts in (None, message.ts)
    ]
    return _read(asked, rows)


def conversations_replies(asked: Asked) -> dict:
    channel = asked.channel(reads="history")
    parent = channel.find(asked.text("ts", "thread_not_found"))
    if parent is None:
        raise Refused("thread_not_found")
    replies = [message for message in channel.thread(parent.ts) if message.ts != parent.ts]
    return _read(asked, [parent, *_within(asked, replies)])


def _within(asked: Asked, messages: list[Message]) -> list[Message]:
    oldest, latest = asked.arguments.get("oldest") or "0", asked.arguments.get("latest") or "9" * 12
    if asked.has("inclusive"):
        return [message for message in messages if float(oldest) <= float(message.ts) <= float(latest)]
    return [message for message in messages if float(oldest) < float(message.ts) < float(latest)]


def _read(asked: Asked, rows: list[Message]) -> dict:
    page, more = asked.page(rows)
    told = [written(message, with_metadata=asked.has("include_all_metadata")) for message in page]
    return {"messages": told, "has_more": bool(more["next_cursor"]), "response_metadata": more}


def written(message: Message, *, with_metadata: bool = True) -> dict:
    told = {"type": "message", "user": message.user, "text": message.text, "ts": message.ts, "blocks": message.blocks}
    told |= {"thread_ts": message.thread_ts} if message.thread_ts else {}
    told |= {"bot_id": message.bot_id, "app_id": message.app_id} if message.bot_id else {}
    told |= {"edited": {"user": message.user, "ts": message.ts}} if message.is_edited else {}
    return told | ({"metadata": message.metadata} if with_metadata and message.metadata else {})


def chat_post_message(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    text, blocks = asked.content()
    thread_ts = asked.arguments.get("thread_ts") or None
    if thread_ts is not None and channel.find(thread_ts) is None:
        raise Refused("thread_not_found")
    metadata = asked.arguments.get("metadata")
    if metadata is not None and not (metadata.get("event_type") and isinstance(metadata.get("event_payload"), dict)):
        raise Refused("invalid_metadata_format")
    asked.slack.note_pace(asked.app, channel)
    app = asked.app
    message = Message(channel, new_ts(), text, app.bot_user_id, blocks, thread_ts, metadata, app.bot_id, app.app_id)
    message.arguments = asked.arguments
    channel.add(message)
    return {"channel": channel.id, "ts": message.ts, "message": written(message)}


def chat_update(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    message = channel.find(asked.text("ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    if message.app_id != asked.app.app_id:
        raise Refused("cant_update_message")
    text, blocks = asked.content(is_update=True)
    message.shown.append((message.text, message.blocks))
    message.text, message.blocks, message.is_edited = text, blocks, True
    message.metadata = asked.arguments.get("metadata") or message.metadata
    return {"channel": channel.id, "ts": message.ts, "text": text, "message": written(message)}


def chat_delete(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    message = channel.find(asked.text("ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    if message.app_id != asked.app.app_id:
        raise Refused("cant_delete_message")
    message.is_deleted = True
    return {"channel": channel.id, "ts": message.ts}


def chat_post_ephemeral(asked: Asked) -> dict:
    asked.needs("chat:write")
    channel = asked.channel(posts=True)
    user = asked.team.users.get(asked.text("user", "user_not_in_channel"))
    if user is None or (channel.of is not None and channel.of is not user):
        raise Refused("user_not_in_channel")
    text, blocks = asked.content()
    user.ephemerals.append(Ephemeral(channel, text, blocks, asked.arguments.get("thread_ts") or None))
    return {"message_ts": new_ts()}


def chat_get_permalink(asked: Asked) -> dict:
    channel = asked.channel()
    message = channel.find(asked.text("message_ts", "message_not_found"))
    if message is None:
        raise Refused("message_not_found")
    address = f"https://{asked.team.name.lower()}.slack.example/archives/{channel.id}/p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": address}


def views_open(asked: Asked) -> dict:
    content = asked.arguments.get("view")
    if found := limits.view_problems(content):
        raise Refused("invalid_arguments", response_metadata={"messages": found})
    user = asked.slack.exchange(asked.text("trigger_id"))
    view = View(new_id("V"), user, asked.app, content, hash=f"{time.time()}.played")
    user.views.append(view)
    return {"view": content | {"id": view.id, "hash": view.hash, "app_id": asked.app.app_id}}


def views_update(asked: Asked) -> dict:
    content = asked.arguments.get("view")
    if found := limits.view_problems(content):
        raise Refused("invalid_arguments", response_metadata={"messages": found})
    for user in asked.team.users.values():
        for view in user.views:
            if view.id == asked.text("view_id", "not_found") and view.is_open:
                view.content, view.hash = content, f"{time.time()}.played"
                return {"view": content | {"id": view.id, "hash": view.hash}}
    raise Refused("not_found")


def oauth_v2_access(slack: "Slack", arguments: dict[str, Any]) -> dict:
    """No token of a team is asked for: the app's own secret and a code say who it is."""
    if (arguments.get("client_id"), arguments.get("client_secret")) != (slack.client_id, slack.client_secret):
        known = arguments.get("client_id") == slack.client_id
        raise Refused("bad_client_secret" if known else "invalid_client_id")
    granted = slack.codes.get(arguments.get("code", ""))
    if granted is None:
        raise Refused("invalid_code")
    if granted.is_used:
        raise Refused("code_already_used")
    granted.is_used = True
    app, team = granted.app, granted.app.team
    app.is_revoked = False
    return {
        "app_id": app.app_id,
        "authed_user": {"id": granted.by.id if granted.by else new_id("U")},
        "scope": ",".join(app.scopes),
        "token_type": "bot",
        "access_token": app.bot_token,
        "bot_user_id": app.bot_user_id,
        "team": {"id": team.id, "name": team.name},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def apps_connections_open(slack: "Slack", token: str) -> dict:
    """The token is the app's own (xapp-…), not one of a team."""
    if not token.startswith("xapp-"):
        raise Refused("not_allowed_token_type" if token.startswith("xox") else "invalid_auth")
    for team in slack.teams:
        for app in team.apps:
            if app.app_token == token:
                return {"url": slack.sockets.ticket(app.app_id)}
    raise Refused("invalid_auth")


def webhook(slack: "Slack", path: str, body: Any) -> tuple[int, str]:
    """(status, plain text), as https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks says."""
    parts = urlsplit(path).path.strip("/").split("/")
    team: Team | None = next((team for team in slack.teams if team.id == parts[1]), None)
    channel = team.channels.get(parts[2]) if team and len(parts) == 4 and parts[3] == "played" else None
    if channel is None:
        return 404, "no_service"
    if channel.is_archived:
        return 410, "channel_is_archived"
    if not isinstance(body, dict):
        return 400, "invalid_payload"
    text, blocks = body.get("text") or "", body.get("blocks") or []
    if not text and not blocks:
        return 400, "no_text"
    if limits.problems(blocks) or limits.too_long(text, blocks):
        return 400, "invalid_blocks"
    channel.add(Message(channel, new_ts(), text, "", blocks, bot_id="B0WEBHOOK", arguments=body))
    return 200, "ok"


METHODS: dict[str, Callable[[Asked], dict]] = {
    "auth.test": auth_test,
    "auth.revoke": auth_revoke,
    "team.info": team_info,
    "bots.info": bots_info,
    "users.info": users_info,
    "users.lookupByEmail": users_lookup_by_email,
    "conversations.list": conversations_list,
    "conversations.info": conversations_info,
    "conversations.join": conversations_join,
    "conversations.open": conversations_open,
    "conversations.history": conversations_history,
    "conversations.replies": conversations_replies,
    "chat.postMessage": chat_post_message,
    "chat.update": chat_update,
    "chat.delete": chat_delete,
    "chat.postEphemeral": chat_post_ephemeral,
    "chat.getPermalink": chat_get_permalink,
    "views.open": views_open,
    "views.update": views_update,
}
