"""What Slack tells an app, in the shapes of its reference (https://docs.slack.dev/apis/events-api, …/interactivity)."""

import time
from typing import TYPE_CHECKING, Any
from uuid import uuid4

if TYPE_CHECKING:
    from tests.slack.world import App, Message, User, View


def event(app: "App", inner: dict) -> dict:
    """An event with what stands around it. `event_id` is its name: the same event told again has the same."""
    told = {"event_ts": inner.get("ts", f"{time.time():.6f}")} | inner
    return {
        "token": "played",
        "team_id": app.team.id,
        "api_app_id": app.app_id,
        "event": told,
        "type": "event_callback",
        "event_id": f"Ev{uuid4().hex[:12].upper()}",
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": app.team.id,
                "user_id": app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
        "event_context": f"4-{uuid4().hex}",
    }


def said(message: "Message", user: "User", **extra: Any) -> dict:
    told = {
        "client_msg_id": str(uuid4()),
        "type": "message",
        "text": message.text,
        "user": user.id,
        "ts": message.ts,
        "team": user.team_id,
        "blocks": [rich_text(message.text)],
        "channel": message.channel.id,
        "event_ts": message.ts,
        "channel_type": message.channel.kind,
    }
    return told | _threaded(message) | extra


def mentioned(message: "Message", user: "User", **extra: Any) -> dict:
    told = said(message, user)
    del told["channel_type"]
    return told | {"type": "app_mention"} | extra


def changed(message: "Message", user: "User", before: dict) -> dict:
    now = said(message, user)
    kept = ("type", "text", "user", "team", "ts", "blocks", "thread_ts")
    return {
        "type": "message",
        "subtype": "message_changed",
        "message": {name: now[name] for name in kept if name in now} | {"edited": {"user": user.id, "ts": message.ts}},
        "previous_message": {name: before[name] for name in kept if name in before},
        "channel": message.channel.id,
        "hidden": True,
        "ts": f"{time.time():.6f}",
        "channel_type": message.channel.kind,
    }


def deleted(message: "Message", user: "User") -> dict:
    return {
        "type": "message",
        "subtype": "message_deleted",
        "previous_message": {
            "type": "message",
            "text": message.text,
            "user": user.id,
            "team": user.team_id,
            "ts": message.ts,
        },
        "channel": message.channel.id,
        "hidden": True,
        "deleted_ts": message.ts,
        "ts": f"{time.time():.6f}",
        "channel_type": message.channel.kind,
    }


def action(blocks: list[dict], action_id: str, value: str | None) -> dict:
    """What a click on the element of this name says. Raises LookupError where there is none and no value is given."""
    told = {"action_id": action_id, "action_ts": f"{time.time():.6f}"}
    for block in blocks:
        for element in [*block.get("elements", []), block.get("accessory", {})]:
            if element.get("action_id") != action_id:
                continue
            told |= {"block_id": block.get("block_id", "played"), "type": element["type"]}
            if element["type"] == "static_select":
                (option,) = [each for each in element["options"] if each["value"] == value]
                return told | {"selected_option": option}
            return told | {"text": element["text"], "value": value or element.get("value", "")}
    if value is None:
        raise LookupError(f"the message shows no {action_id}")
    text = {"type": "plain_text", "text": "Seen earlier", "emoji": True}
    return told | {"block_id": "played", "type": "button", "text": text, "value": value}


def click(app: "App", user: "User", message: "Message", action: dict, trigger_id: str) -> dict:
    channel = message.channel
    container = {"type": "message", "message_ts": message.ts, "channel_id": channel.id, "is_ephemeral": False}
    return _by(user, app) | {
        "type": "block_actions",
        "container": container | _threaded(message),
        "trigger_id": trigger_id,
        "enterprise": None,
        "is_enterprise_install": False,
        "channel": {"id": channel.id, "name": "directmessage" if channel.of else channel.name},
        "message": {
            "bot_id": message.bot_id,
            "type": "message",
            "text": message.text,
            "user": message.user,
            "ts": message.ts,
            "app_id": message.app_id,
            "blocks": message.blocks,
            "team": app.team.id,
        }
        | _threaded(message),
        "state": {"values": {}},
        "response_url": f"{app.team.slack.url}/actions/{app.team.id}/1/played",
        "actions": [action],
    }


def submission(view: "View", values: dict[str, dict[str, str]], trigger_id: str) -> dict:
    typed = {
        block: {name: {"type": "plain_text_input", "value": text} for name, text in given.items()}
        for block, given in values.items()
    }
    return _by(view.user, view.app) | {
        "type": "view_submission",
        "trigger_id": trigger_id,
        "view": shown(view, typed),
        "response_urls": [],
        "is_enterprise_install": False,
        "enterprise": None,
    }


def closing(view: "View") -> dict:
    return _by(view.user, view.app) | {"type": "view_closed", "view": shown(view, {}), "is_cleared": False}


def shown(view: "View", values: dict) -> dict:
    """A form as Slack tells of it."""
    app = view.app
    return {
        "clear_on_close": False,
        "notify_on_close": False,
        "close": None,
        "submit": None,
        "callback_id": "",
        "private_metadata": "",
        "external_id": "",
        **view.content,
        "id": view.id,
        "team_id": app.team.id,
        "state": {"values": values},
        "hash": view.hash,
        "previous_view_id": None,
        "root_view_id": view.id,
        "app_id": app.app_id,
        "app_installed_team_id": app.team.id,
        "bot_id": app.bot_id,
    }


def rich_text(text: str) -> dict:
    section = {"type": "rich_text_section", "elements": [{"type": "text", "text": text}]}
    return {"type": "rich_text", "block_id": uuid4().hex[:5], "elements": [section]}


def _by(user: "User", app: "App") -> dict:
    name = user.name.lower().replace(" ", ".")
    return {
        "user": {"id": user.id, "username": name, "name": name, "team_id": user.team_id},
        "api_app_id": app.app_id,
        "token": "played",
        "team": {"id": app.team.id, "domain": app.team.name.lower().replace(" ", "-")},
    }


def _threaded(message: "Message") -> dict:
    if message.thread_ts is None:
        return {}
    parent = message.channel.find(message.thread_ts)
    return {"thread_ts": message.thread_ts} | ({"parent_user_id": parent.user} if parent else {})
