"""How Slack brings an app what it tells: signed, by HTTP, or in an envelope over Socket Mode."""

import hashlib
import hmac
import json
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from tests.slack.world import App

PATIENCE = 10  # seconds; Slack itself gives up after three, and what is slower than these is a test that hangs


@dataclass
class Answer:
    """What the app answered: status 0 where it did not. `seconds` is how long it took."""

    status: int
    body: bytes
    seconds: float

    def json(self) -> Any:
        return json.loads(self.body) if self.body.strip() else None


def signed(body: bytes, secret: str, at: float | None = None) -> dict[str, str]:
    """The headers that prove where a body comes from (https://docs.slack.dev/authentication/verifying-requests-from-slack)."""
    stamp = str(int(time.time() if at is None else at))
    digest = hmac.new(secret.encode(), b"v0:" + stamp.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": f"v0={digest}"}


def is_action(payload: dict) -> bool:
    return payload.get("type") in ("block_actions", "view_submission", "view_closed", "shortcut", "message_action")


def deliver(
    app: "App",
    payload: dict,
    *,
    retry_num: int | None = None,
    at: float | None = None,
    secret: str | None = None,
    envelope_id: str | None = None,
) -> Answer:
    if app.url is None and app.via == "http":
        return Answer(0, b"", 0.0)
    if app.via == "socket":
        return app.team.slack.sockets.deliver(app, payload, retry_num=retry_num or 0, envelope_id=envelope_id)
    path, body, kind = written(payload)
    headers = signed(body, app.signing_secret if secret is None else secret, at) | {"Content-Type": kind}
    if retry_num is not None:
        headers |= {"X-Slack-Retry-Num": str(retry_num), "X-Slack-Retry-Reason": "http_timeout"}
    began = time.monotonic()
    if callable(app.url):
        status, answered = app.url(path, body, headers)
    else:
        status, answered = _post(app.url.rstrip("/") + path, body, headers)
    return Answer(status, answered, time.monotonic() - began)


def written(payload: dict) -> tuple[str, bytes, str]:
    """(path, body, content type) of a request that brings this."""
    if is_action(payload):
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return "/hooks/slack/actions", body, "application/x-www-form-urlencoded"
    return "/hooks/slack/events", json.dumps(payload).encode(), "application/json"


def _post(url: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
    request = urllib.request.Request(url, data=body, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError:
        return 0, b""
