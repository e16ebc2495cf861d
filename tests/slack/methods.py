"""The methods of the Web API that an app may call, each as its reference says (https://docs.slack.dev/reference/methods)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.slack import chat, limits
from tests.slack.asked import READING, Asked, Refused
from tests.slack.world import App, Channel, Message, Team, User, new_id, new_ts

if TYPE_CHECKING:
    from tests.slack.server import Slack


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
    told = [chat.written(message, with_metadata=asked.has("include_all_metadata")) for message in page]
    return {"messages": told, "has_more": bool(more["next_cursor"]), "response_metadata": more}


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
    "chat.postMessage": chat.post_message,
    "chat.update": chat.update,
    "chat.delete": chat.delete,
    "chat.postEphemeral": chat.post_ephemeral,
    "chat.getPermalink": chat.get_permalink,
    "views.open": chat.views_open,
    "views.update": chat.views_update,
}
