"""What Slack tells, read: JSON as it comes over HTTP or a socket becomes the few facts that are worked with.

Pure: no row, no clock. Of a body only these facts are kept. Shapes as at https://docs.slack.dev/reference/events and
https://docs.slack.dev/reference/interaction-payloads.
"""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

LONGEST_ID = 50
LONGEST_KEY = 300
LONGEST_TEXT = 40_000  # characters of a message: Slack takes no more
# What people write comes without a subtype, or with one of these. https://docs.slack.dev/reference/events/message
WRITTEN = (None, "", "file_share", "thread_broadcast", "me_message")
CHANNEL_EVENTS = {
    "channel_archive", "channel_unarchive", "channel_deleted", "channel_rename", "channel_left", "group_archive",
    "group_unarchive", "group_deleted", "group_rename", "group_left", "member_joined_channel", "member_left_channel",
}  # fmt: skip
TOKEN_EVENTS = {"tokens_revoked", "app_uninstalled"}
BUTTONS = ("proposal_approve", "proposal_reject", "direct_choose")
MODALS = ("proposal_reject",)


class Malformed(Exception):
    """The body is not as Slack documents it. The words repeat nothing of what came."""


@dataclass(frozen=True)
class Told:
    """One thing Slack told. `kind` is event, action or view; `key` is the same however often and whichever way it is told.

    `facts` is what it says, by names of ours; all of it is text or true/false.
    """

    kind: str
    key: str
    type: str
    team_id: str
    app_id: str
    channel_id: str
    user_id: str
    facts: dict[str, Any] = field(repr=False)


def decoded(body: bytes, *, is_form: bool) -> dict[str, Any]:
    """The JSON object in a body, or in the field `payload` of a form. Raises Malformed."""
    try:
        text = body.decode()
        if is_form:
            (text,) = parse_qs(text, strict_parsing=True, max_num_fields=10)["payload"]
        found = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise Malformed("The body is no JSON.") from None
    if not isinstance(found, dict):
        raise Malformed("The body is no JSON object.")
    return found


def origin(body: dict[str, Any]) -> tuple[str, str]:
    """(team, app) that a body says it is about; "" where it does not say. Nothing of it is believed yet."""
    team = _id(body.get("team_id")) or _id(_object(body.get("team")).get("id"))
    if not team:  # of an app that was installed for a whole organisation
        grants = body.get("authorizations")
        first = grants[0] if isinstance(grants, list) and grants else None
        team = _id(_object(first).get("team_id")) or _id(_object(body.get("user")).get("team_id"))
    return team, _id(body.get("api_app_id"))


def read(body: dict[str, Any]) -> Told | None:
    """What a body tells; None where it is nothing that is followed. Raises Malformed."""
    match body.get("type"):
        case "event_callback":
            return _event(body)
        case "block_actions":
            return _click(body)
        case "view_submission":
            return _form(body)
    return None


def _event(body) -> Told | None:
    event, event_id = body.get("event"), _text(body.get("event_id"), LONGEST_KEY - 10)
    if not isinstance(event, dict) or not event_id or not isinstance(event.get("type"), str):
        raise Malformed("The event has no id or says nothing.")
    type = event["type"]
    if type in ("message", "app_mention"):
        return _message(body, event, type)
    facts: dict[str, Any] = {}
    channel = event.get("channel")
    if type in CHANNEL_EVENTS:
        if isinstance(channel, dict):
            facts["name"] = _text(channel.get("name"), 200)
            channel = channel.get("id")
        if not _id(channel):
            raise Malformed("The event names no channel.")
    elif type == "tokens_revoked":
        bots = _object(event.get("tokens")).get("bot")
        facts["bots"] = [_id(one) for one in bots[:100]] if isinstance(bots, list) else []
    elif type not in TOKEN_EVENTS:
        return None
    team, app = origin(body)
    return Told("event", f"event:{event_id}", type, team, app, _id(channel), _id(event.get("user")), facts)


def _message(body, event, type) -> Told | None:
    """A message of a person. It has one key, whether it is told as a message or as a mention."""
    if event.get("bot_id") or event.get("bot_profile") or event.get("hidden") or "edited" in event:
        return None
    user = event.get("user")
    if event.get("subtype") not in WRITTEN or not user:
        return None
    channel, ts = _id(event.get("channel")), _id(event.get("ts"))
    if not channel or not ts or not _id(user):
        raise Malformed("The message has no channel, time or author.")
    team, app = origin(body)
    facts = {
        "text": _text(event.get("text"), LONGEST_TEXT),
        "ts": ts,
        "thread_ts": _id(event.get("thread_ts")),
        "is_mention": type == "app_mention",
        "is_direct": event.get("channel_type") == "im" or channel.startswith("D"),
    }
    if event.get("channel_type") == "mpim":
        return None  # a group of people without a channel has no coach
    return Told("event", f"message:{channel}:{ts}", type, team, app, channel, _id(user), facts)


def _click(body) -> Told | None:
    actions = body.get("actions")
    if not isinstance(actions, list) or not actions or not isinstance(actions[0], dict):
        raise Malformed("The click names no button.")
    action = actions[0]
    if action.get("action_id") not in BUTTONS:
        return None
    container = _object(body.get("container"))
    channel = _id(_object(body.get("channel")).get("id")) or _id(container.get("channel_id"))
    message = _id(container.get("message_ts")) or _id(_object(body.get("message")).get("ts"))
    user = _id(_object(body.get("user")).get("id"))
    if not channel or not message or not user:
        raise Malformed("The click has no channel, message or person.")
    chosen = _object(action.get("selected_option"))
    facts = {
        "message_ts": message,
        "thread_ts": _id(_object(body.get("message")).get("thread_ts")) or _id(container.get("thread_ts")),
        "value": _text(action.get("value"), 2_000) or _text(chosen.get("value"), 2_000),
        "trigger_id": _text(body.get("trigger_id"), 300),
        "clicked_ts": _id(action.get("action_ts")),
    }
    team, app = origin(body)
    key = f"action:{channel}:{message}:{action['action_id']}:{user}"
    return Told("action", key, action["action_id"], team, app, channel, user, facts)


def _form(body) -> Told | None:
    view, user = _object(body.get("view")), _id(_object(body.get("user")).get("id"))
    if view.get("callback_id") not in MODALS:
        return None
    about = _metadata(view.get("private_metadata"))
    values = _object(_object(view.get("state")).get("values"))
    reason = _object(_object(values.get("reason")).get("reason")).get("value")
    view_id, channel = _id(view.get("id")), _id(about.get("channel"))
    if not view_id or not channel or not user:
        raise Malformed("The form has no id, channel or person.")
    facts = {
        "message_ts": _id(about.get("message")),
        "thread_ts": "",
        "value": _text(about.get("proposal"), 2_000),
        "reason": _text(reason, 3_000),
    }
    team, app = origin(body)
    return Told("view", f"view:{view_id}", view["callback_id"], team, app, channel, user, facts)


def _metadata(value) -> dict[str, Any]:
    """What the modal was opened with: a text of ours that Slack gives back."""
    try:
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        found = None
    return _object(found)


def _object(value) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _id(value) -> str:
    """An id or a time in Slack's words; "" where there is none. Raises Malformed for what cannot be one."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or len(value) > LONGEST_ID or not value.isascii() or not value.isprintable():
        raise Malformed("An id in the body is no id.")
    return value


def _text(value, limit: int) -> str:
    """Text, "" for anything else, without what no database can hold."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:limit]
