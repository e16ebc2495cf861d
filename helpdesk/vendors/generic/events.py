"""What an in-house desk sends, read. Pure functions. The shape is ours: docs/helpdesks.md."""

from collections.abc import Mapping
from datetime import datetime

from helpdesk.vendors import reading
from helpdesk.vendors.contract import Forged, Hint, Json

EVENT = "ratings"


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """sha256= and the hex HMAC-SHA256 of timestamp, dot and body. Raises Forged."""
    if not secret:
        raise Forged
    stamp = headers.get("x-touchline-timestamp", "")
    signed = reading.hex_hmac(stamp.encode("utf-8", "replace") + b"." + body, secret)
    reading.require_equal(headers.get("x-touchline-signature"), f"sha256={signed}")
    reading.require_fresh(reading.maybe_moment(stamp), now)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """Which request it is; its `items` are rows that say the rest themselves. Raises Malformed."""
    told = reading.an_object(body, "The body")
    reading.a_list(told, "items")
    return Hint(event_id=reading.an_id(told.get("id"), "The body"), event=EVENT)
