"""What Help Scout sends, read. Pure functions.

Shapes: https://developer.helpscout.com/mailbox-api/ and https://developer.helpscout.com/webhooks/
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from helpdesk.models import Scale
from helpdesk.transcripts import MOST_BYTES, TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating

FACES = {
    "1": "great", "2": "okay", "3": "not_good",  # the report
    "great": "great", "okay": "okay", "not_good": "not_good",  # the rating itself
    "ok": "okay", "bad": "not_good", "not-good": "not_good", "not good": "not_good", "notgood": "not_good",
}  # fmt: skip
CHANNELS = frozenset({"email", "chat", "phone"})
OPEN = frozenset({"active", "open", "pending"})
ENDED = frozenset({"closed", "spam"})
SPOKEN = {"customer": "customer", "message": "agent", "chat": "", "beaconchat": "", "phone": ""}
"""The threads that customer and agent exchange, and who speaks in them, "" where who made them says it. The others are notes,
forwards to somebody else, and lines about what was done.
"""
RATED = "satisfaction.ratings"
NO_INTEREST = ("convo.", "customer.", "beacon.", "tag.", "message.", "organization.")


# --- Ratings -----------------------------------------------------------------------------------------------------------


def listed(item: Json) -> Rating:
    """A row of the happiness report. Raises Malformed.

    https://developer.helpscout.com/mailbox-api/endpoints/reports/happiness/reports-happiness-ratings/: `id` is the conversation,
    `number` only what people call it; `ratingId` is not an id but the face (1 great, 2 okay, 3 not good). What the customer wrote
    beside it is not looked at. The rated reply, `threadid`, tells the same rating again wherever it is seen: the report has
    no other id of it.
    """
    told = reading.an_object(item, "A row of the report")
    conversation_id = reading.an_id(told.get("id"), "The conversation of the rating")
    face = told.get("rating") if told.get("rating") is not None else told.get("ratingId")
    return Rating(
        conversation_id=conversation_id,
        value=_face(face),
        scale=Scale.FACES3,
        rated_at=reading.moment(told.get("ratingCreatedAt"), "The rating"),
        id=reading.maybe_id(told.get("threadid") or told.get("threadId")),
        person_id=reading.maybe_id(told.get("ratingUserId")),
        credit=Credit.RATED,
        conversation=Conversation(conversation_id, channel=_channel(told)),
    )


def rating(item: Json) -> Rating:
    """A rating by itself, as it is now. Raises Malformed.

    https://developer.helpscout.com/mailbox-api/endpoints/ratings/get/: `user` is "whose reply was rated by the customer". Times
    are in UTC, though they do not say so.
    """
    told = reading.an_object(item, "The rating")
    user = reading.maybe_object(told.get("user"))
    changed_at = reading.maybe_moment(told.get("modifiedAt"))
    return Rating(
        conversation_id=reading.an_id(told.get("conversationId"), "The conversation of the rating"),
        value=_face(told.get("rating")),
        scale=Scale.FACES3,
        rated_at=changed_at or reading.moment(told.get("createdAt"), "The rating"),
        id=reading.maybe_id(told.get("threadId")),
        person_id=reading.maybe_id(user.get("id")),
        credit=Credit.RATED,
    )


def _face(value):
    told = str(value).strip().lower() if isinstance(value, (int, str)) and not isinstance(value, bool) else ""
    if told not in FACES:
        raise Malformed("The rating is none of great, okay and not good.")
    return FACES[told]


# --- Conversations and people ------------------------------------------------------------------------------------------


def conversation(item: Json) -> Conversation:
    """https://developer.helpscout.com/mailbox-api/endpoints/conversations/get/. Raises Malformed."""
    told = reading.an_object(item, "The conversation")
    assignee = reading.maybe_object(told.get("assignee"))
    status = reading.text(told.get("status")).lower()
    opened_at, closed_at = (reading.maybe_moment(told.get(key)) for key in ("createdAt", "closedAt"))
    return Conversation(
        id=reading.an_id(told.get("id"), "The conversation"),
        opened_at=opened_at,
        closed_at=None if status in OPEN else reading.ended(closed_at, opened_at),
        is_open=True if status in OPEN else False if status in ENDED else None,
        channel=_channel(told),
        assignee_id=reading.maybe_id(assignee.get("id")),
    )


def person(item: Json) -> Person | None:
    """A user, None for a team of users. Raises Malformed.

    https://developer.helpscout.com/mailbox-api/endpoints/users/list/, and for AI agents, which are of the type system_user,
    https://developer.helpscout.com/mailbox-api/endpoints/system-users/list/
    """
    told = reading.an_object(item, "A user")
    kind = reading.text(told.get("type")).lower()
    if kind == "team":
        return None
    names = (reading.text(told.get("firstName")), reading.text(told.get("lastName")))
    return Person(
        id=reading.an_id(told.get("id"), "A user"),
        name=" ".join(name for name in names if name),
        email=reading.text(told.get("email"), 254),
        is_bot=kind == "system_user",
    )


def _channel(told):
    kind = reading.text(told.get("type")).lower()
    return kind if kind in CHANNELS else ""


# --- Words -------------------------------------------------------------------------------------------------------------


def turn(thread: Json) -> TranscriptTurn | None:
    """A thread, None for one that the customer neither wrote nor saw, or without words.

    https://developer.helpscout.com/mailbox-api/endpoints/conversations/threads/list/
    """
    role = _role(thread)
    words = reading.plain(reading.text(thread.get("body"), MOST_BYTES)).strip() if role else ""
    return TranscriptTurn(role, words, reading.milliseconds(thread.get("createdAt"))) if words else None


def replier(thread: Json) -> str:
    """The id of who answered the customer in a thread, "" where it is no answer."""
    if _role(thread) != "agent":
        return ""
    maker = reading.maybe_object(thread.get("createdBy"))
    return reading.maybe_id(maker.get("id")) if maker.get("type") != "customer" else ""


def _role(thread):
    """Who speaks in a thread, "" where nobody speaks to the other."""
    told = reading.an_object(thread, "A thread")
    kind, state = reading.text(told.get("type")).lower(), reading.text(told.get("state")).lower()
    if kind not in SPOKEN or state not in ("", "published"):
        return ""
    maker = reading.maybe_object(told.get("createdBy"))
    return SPOKEN[kind] or ("customer" if maker.get("type") == "customer" else "agent")


# --- The way of the API ------------------------------------------------------------------------------------------------


def embedded(answer: Json, key: str) -> tuple[list, int]:
    """A list in HAL as (its items, how many pages it has). Raises Malformed."""
    told = reading.an_object(answer, "The answer")
    page = reading.maybe_object(told.get("page"))
    held = told.get("_embedded")
    if held is None and page.get("totalElements") == 0:
        return [], 1
    return reading.a_list(held, key), n_pages(page.get("totalPages"))


def n_pages(value: Json) -> int:
    """How many pages a list has, 1 where that is not told."""
    return value if isinstance(value, int) and not isinstance(value, bool) else 1


def total(value: Json) -> int | None:
    """How many ratings the report says it has; None for what no column holds."""
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31 else None


def token(answer: Json) -> str:
    """What https://developer.helpscout.com/mailbox-api/overview/authentication/ answers with. Raises Malformed."""
    told = reading.an_object(answer, "The answer").get("access_token")
    if not isinstance(told, str) or not told or not all("!" <= letter <= "~" for letter in told):
        raise Malformed("Help Scout's answer to the app's credentials has no token.")
    return told


def rest(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long to wait once the calls of this minute are used up; one that is left is too few for a write, which counts as two.

    https://developer.helpscout.com/mailbox-api/overview/rate-limiting/
    """
    left, told = headers.get("x-ratelimit-remaining-minute", ""), headers.get("x-ratelimit-retry-after", "")
    if told.isdecimal() and left in ("", "0", "1"):
        return timedelta(seconds=int(told))
    return timedelta(seconds=60 - now.second) if left == "0" else None


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """base64 of HMAC-SHA1 over the body; no time is signed. Raises Forged.

    https://developer.helpscout.com/webhooks/
    """
    reading.require_equal(headers.get("x-helpscout-signature"), reading.base64_hmac(body, secret, "sha1"))


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """An event. Raises Malformed.

    A rating that is changed is sent again under the same id: what was answered and when is part of what the event is called.
    """
    told = reading.an_object(body, "The event")
    event = reading.text(headers.get("x-helpscout-event"), 100)
    if event and event != RATED:
        return Hint(f"{event}:{reading.maybe_id(told.get('id'))}", event, is_known=event.startswith(NO_INTEREST))
    rating_id = reading.an_id(told.get("id"), "The rating")
    at = reading.maybe_moment(told.get("modifiedAt")) or reading.maybe_moment(told.get("createdAt"))
    return Hint(
        event_id=f"{rating_id}:{_face(told.get('rating'))}:{at.isoformat() if at else ''}",
        event=RATED,
        # The older payload calls the conversation a ticket: https://developer.helpscout.com/webhooks/objects/rating/
        conversation_id=reading.an_id(told.get("conversationId") or told.get("ticketId"), "The conversation"),
        rating_id=rating_id,
    )
