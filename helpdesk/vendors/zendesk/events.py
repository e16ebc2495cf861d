"""What Zendesk sends, read. Pure functions.

Shapes: https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/
"""

from collections.abc import Mapping
from datetime import datetime

from helpdesk.models import Scale
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Credit, Hint, Json, Malformed, Rating

ANSWERED = frozenset({"good", "bad"})
UNANSWERED = frozenset({"offered", "unoffered"})


def rating(item: Json) -> Rating | None:
    """A satisfaction rating; None for one that was offered and not answered. Raises Malformed.

    It stays the same rating when the customer changes it, and `updated_at` is when they did: `created_at` is when it was offered.
    The assignee is who had the ticket when it was rated.
    """
    told = reading.an_object(item, "A rating")
    score = reading.text(told.get("score"))
    if score in UNANSWERED:
        return None
    if score not in ANSWERED:
        raise Malformed("The score is neither good nor bad.")
    return Rating(
        conversation_id=reading.an_id(told.get("ticket_id"), "The ticket of the rating"),
        value=score,
        scale=Scale.BINARY,
        rated_at=reading.moment(told.get("updated_at") or told.get("created_at"), "The rating"),
        id=reading.maybe_id(told.get("id")),
        person_id=reading.maybe_id(told.get("assignee_id")),
        credit=Credit.ASSIGNEE,
    )


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """base64 of HMAC-SHA256 over timestamp and body. Raises Forged.

    https://developer.zendesk.com/documentation/webhooks/verifying/
    """
    stamp = headers.get("x-zendesk-webhook-signature-timestamp", "")
    right = reading.base64_hmac(stamp.encode() + body, secret)
    reading.require_equal(headers.get("x-zendesk-webhook-signature"), right)
    reading.require_fresh(reading.maybe_moment(stamp), now)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """An event of a webhook. Raises Malformed."""
    told = reading.an_object(body, "The event")
    raise NotImplementedError(told, headers)
