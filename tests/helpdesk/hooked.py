"""Webhooks as helpdesks send them, to a web process or to Django's own view."""

import hashlib
import hmac
import http.client
import json
import time
import uuid
from dataclasses import dataclass

from helpdesk.actions import connections

SECRET = "5f1e0a6d9b7c4e3f8a2d1c0b9e8f7a6d"  # of the tests' in-house desk


@dataclass
class Answered:
    status: int
    body: dict | None
    headers: dict[str, str]


def in_house(owner, **changes):
    """A connection of a desk that sends its ratings itself."""
    told = {"vendor": "generic", "source": "counter", "credentials": {"webhook_secret": SECRET}} | changes
    return connections.connect(owner.workspace, by=owner, **told)


def address(connection):
    return f"/hooks/{connection.vendor}/{connection.pk}"


def item(number=1, **changes):
    rated_at = 1_772_452_800_000 + number * 60_000
    told = {"externalId": f"c-{number}", "agent": "Ada", "value": 1, "scale": "stars5", "ratedAt": rated_at}
    return told | changes


def body_of(*items, event=None) -> bytes:
    return json.dumps({"id": event or str(uuid.uuid4()), "items": list(items)}).encode()


def signed(body: bytes, *, at=None, secret=SECRET) -> dict[str, str]:
    """The headers of an in-house desk."""
    stamp = str(int(time.time() if at is None else at))
    proof = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {"X-Touchline-Timestamp": stamp, "X-Touchline-Signature": f"sha256={proof}"}


def through_view(client, path, body=b"", headers=None, method="POST") -> Answered:
    response = client.generic(method, path, body, content_type="application/json", headers=headers or {})
    told = json.loads(response.content) if response.content else None
    return Answered(response.status_code, told, {k.lower(): v for k, v in response.headers.items()})


def over_the_wire(place, path, body=b"", headers=None, method="POST") -> Answered:
    """To a web process at (host, port)."""
    wire = http.client.HTTPConnection(*place, timeout=30)
    try:
        wire.request(method, path, body, {"Content-Type": "application/json", **(headers or {})})
        answer = wire.getresponse()
        raw = answer.read()
        told = json.loads(raw) if raw else None
        return Answered(answer.status, told, {k.lower(): v for k, v in answer.getheaders()})
    finally:
        wire.close()
