"""Requests as Slack sends them, signed, to Django's own view or to a web process."""

import hashlib
import hmac
import itertools
import json
import time
from urllib.parse import urlencode

EVENTS, ACTIONS = "/hooks/slack/events", "/hooks/slack/actions"
_numbers = itertools.count(1)


def event(connection, **event):
    """An event of the Events API, told to the app of `connection`."""
    number = next(_numbers)
    return {
        "token": "verification-token",
        "team_id": connection.team_id,
        "api_app_id": connection.app_id,
        "type": "event_callback",
        "event_id": f"Ev{number:010}",
        "event_time": 1_772_452_800,
        "event": event,
        "authorizations": [{"team_id": connection.team_id, "user_id": connection.bot_user_id, "is_bot": True}],
    }


def new_ts():
    """The time of a message in Slack's words, later than all before."""
    return f"{1_772_452_800 + next(_numbers)}.000100"


def message(connection, channel, text, *, user="U1", ts=None, **further):
    told = {"type": "message", "channel": channel, "channel_type": "channel", "user": user, "text": text}
    return event(connection, **told | {"ts": ts or new_ts()} | further)


def mention(connection, channel, text, **further):
    return message(connection, channel, f"<@{connection.bot_user_id}> {text}", **{"type": "app_mention"} | further)


def direct(connection, text, *, user="U1", **further):
    return message(connection, f"D{user}", text, user=user, channel_type="im", **further)


def click(connection, channel, message_ts, action_id, value, *, user="U1", at=None, **further):
    """A button or, with `selected_option` in `further`, a menu that somebody used."""
    action = {"type": "button", "action_id": action_id, "block_id": "b", "value": value}
    at = time.time() if at is None else at
    return {
        "type": "block_actions",
        "team": {"id": connection.team_id, "domain": "team"},
        "user": {"id": user, "team_id": connection.team_id},
        "api_app_id": connection.app_id,
        "container": {"type": "message", "message_ts": message_ts, "channel_id": channel, "is_ephemeral": False},
        "channel": {"id": channel, "name": "coaching"},
        "message": {"ts": message_ts, "type": "message"},
        "trigger_id": f"{next(_numbers)}.trigger",
        "actions": [action | {"action_ts": f"{at:.6f}"} | further],
    }


def submission(connection, *, metadata, reason, user="U1", view_id=None):
    value = {"type": "plain_text_input", "value": reason}
    return {
        "type": "view_submission",
        "team": {"id": connection.team_id, "domain": "team"},
        "user": {"id": user, "team_id": connection.team_id},
        "api_app_id": connection.app_id,
        "view": {
            "id": view_id or f"V{next(_numbers):010}",
            "callback_id": "proposal_reject",
            "private_metadata": json.dumps(metadata),
            "state": {"values": {"reason": {"reason": value}}},
        },
    }


def packed(body) -> tuple[str, bytes, str]:
    """Where it is sent, its raw bytes and their kind: events as JSON, all else as a field of a form."""
    if body["type"] in ("event_callback", "url_verification"):
        return EVENTS, json.dumps(body).encode(), "application/json"
    return ACTIONS, urlencode({"payload": json.dumps(body)}).encode(), "application/x-www-form-urlencoded"


def signed(raw: bytes, secret: str, *, at=None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    proof = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + raw, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={proof}"}


def send(client, body, secret, **further):
    """POST it as Slack does; `further` headers come on top."""
    path, raw, kind = packed(body)
    return client.generic("POST", path, raw, content_type=kind, headers=signed(raw, secret) | further)
