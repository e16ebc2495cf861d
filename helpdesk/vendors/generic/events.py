"""What an in-house desk sends, read: `{"id": …, "items": […]}`, the items as in POST /ratings. Pure functions.

The shape is ours: docs/helpdesks.md.
"""

from collections.abc import Mapping
from datetime import datetime

from helpdesk import rows
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Hint, Json, Malformed, Unreadable

EVENT = "ratings"
FIELDS = frozenset({"id", "items"})
LONGEST_ID = 300
MOST_ITEMS = 5_000


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """sha256= and the hex HMAC-SHA256 of timestamp, dot and body. Raises Forged."""
    stamp = headers.get("x-touchline-timestamp", "")
    signed = reading.hex_hmac(stamp.encode("utf-8", "replace") + b"." + body, secret)
    reading.require_equal(headers.get("x-touchline-signature"), f"sha256={signed}")
    reading.require_fresh(reading.maybe_moment(stamp), now)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """What came, by the id that the desk gave it; about no single conversation. Raises Malformed."""
    told = reading.an_object(body, "The body")
    if set(told) - FIELDS:
        raise Malformed("The body has a field besides id and items.")
    event_id = reading.an_id(told.get("id"), "The body")
    if len(str(told["id"]).strip()) > LONGEST_ID:
        raise Malformed(f"The id is longer than {LONGEST_ID} characters.")
    if len(reading.a_list(told, "items")) > MOST_ITEMS:
        raise Malformed(f"There are more than {MOST_ITEMS:,} items.")
    return Hint(event_id=event_id, event=EVENT)


def items(body: Json, now: datetime) -> tuple[list[dict], list[Unreadable]]:
    """The items that can be taken in, as they came, and those that cannot, named by their place from 0."""
    kept, refused = [], []
    for place, item in enumerate(body["items"]):
        try:
            rows.rating_from_json(item, now=now)
        except rows.Refused as refusal:
            refused.append(Unreadable(str(place), _why(refusal)))
        else:
            kept.append(item)
    return kept, refused


def _why(refusal: rows.Refused) -> str:
    """Which field it is, where it is one of ours; neither its value nor a name of somebody else's choice."""
    if refusal.field in rows.RATING_FIELDS:
        return f"{refusal.field} cannot be read."
    return "It has a field that is not known." if refusal.field else "It is not an object."
