"""What Gorgias sends, read. Pure functions.

Shapes: https://developers.gorgias.com/reference/the-satisfactionsurvey-object, the-ticket-object, the-ticketmessage-object and
the-user-object. Times come as ISO 8601 without an offset and are in UTC.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from helpdesk.models import Scale
from helpdesk.transcripts import TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating

LONGEST_TEXT = 200_000  # characters of one message
BUCKET = timedelta(seconds=20)  # in which a full bucket of calls is empty again
SPARE = 3  # calls that are left to others before we slow down


def rating(item: Json) -> Rating | None:
    """A satisfaction survey; None for one that is not answered (any more). The survey names no agent. Raises Malformed."""
    told = reading.an_object(item, "A survey")
    if told.get("score") is None:
        return None
    return Rating(
        conversation_id=reading.an_id(told.get("ticket_id"), "The ticket of the survey"),
        value=reading.stars(told.get("score")),
        scale=Scale.STARS5,
        rated_at=reading.moment(told.get("scored_datetime") or told.get("created_datetime"), "The survey"),
        id=reading.maybe_id(told.get("id")),
        credit=Credit.ASSIGNEE,
    )


def unanswered(item: Json) -> str:
    """The ticket of a survey without a score, "" for any other."""
    if not isinstance(item, dict) or item.get("score") is not None:
        return ""
    return reading.maybe_id(item.get("ticket_id"))


def ticket(item: Json) -> Conversation:
    """A ticket without its words. Raises Malformed."""
    told = reading.an_object(item, "A ticket")
    assignee = told.get("assignee_user")
    status = reading.text(told.get("status"))
    return Conversation(
        id=reading.an_id(told.get("id"), "A ticket"),
        opened_at=reading.maybe_moment(told.get("created_datetime")),
        closed_at=reading.maybe_moment(told.get("closed_datetime")),
        is_open={"open": True, "closed": False}.get(status),
        channel=reading.text(told.get("channel"), 50).lower(),
        assignee_id=reading.maybe_id(assignee.get("id") if isinstance(assignee, dict) else assignee),
    )


def person(item: Json) -> Person:
    """A user. Raises Malformed."""
    told = reading.an_object(item, "A user")
    role = told.get("role")
    named = " ".join(filter(None, (reading.text(told.get("firstname")), reading.text(told.get("lastname")))))
    return Person(
        id=reading.an_id(told.get("id"), "A user"),
        name=reading.text(told.get("name")) or named,
        email=reading.text(told.get("email")),
        is_bot=(role.get("name") if isinstance(role, dict) else role) == "bot",
        is_active=told.get("active") is not False and told.get("deactivated_datetime") is None,
    )


def turn(item: Json) -> TranscriptTurn | None:
    """A message; None for an internal note and for one without words. Raises Malformed."""
    told = reading.an_object(item, "A message")
    if not is_public(told):
        return None
    words = (
        reading.text(told.get("stripped_text"), LONGEST_TEXT).strip()
        or reading.text(told.get("body_text"), LONGEST_TEXT).strip()
        or reading.plain(reading.text(told.get("body_html"), LONGEST_TEXT))
    )
    if not words:
        return None
    return TranscriptTurn(
        role="agent" if told.get("from_agent") is True else "customer",
        text=words,
        at=reading.milliseconds(sent_at(told)),
        name=reading.text(reading.maybe_object(told.get("sender")).get("name")),
    )


def is_public(told: dict) -> bool:
    """Whether customers see the message. What does not say so is taken for a note."""
    source = told.get("source")
    kinds = (told.get("channel"), source.get("type") if isinstance(source, dict) else None)
    return told.get("public") is True and "internal-note" not in kinds


def sent_at(told: dict) -> datetime | None:
    return reading.maybe_moment(told.get("sent_datetime")) or reading.maybe_moment(told.get("created_datetime"))


def replied(item: Json) -> str:
    """The id of the user who sent a message to the customer by hand; "" where a rule, the customer or nobody did."""
    if not isinstance(item, dict) or not is_public(item) or item.get("from_agent") is not True or item.get("rule_id"):
        return ""
    return reading.maybe_id(reading.maybe_object(item.get("sender")).get("id"))


def rest(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long to wait for a leaky bucket that is almost full, `used/size`, so that it does not run over.

    https://developers.gorgias.com/reference/limitations
    """
    used, slash, size = headers.get("x-gorgias-account-api-call-limit", "").partition("/")
    if not (slash and used.strip().isdecimal() and size.strip().isdecimal() and int(size)):
        return None
    over = int(used) - (int(size) - SPARE)
    return BUCKET * min(over / int(size), 1) if over > 0 else None


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """Gorgias signs nothing: its HTTP integration sends the secret along. Raises Forged."""
    reading.require_equal(headers.get("x-touchline-secret"), secret)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """{event, id, ticket_id}, as the HTTP integration was set up to send it. Raises Malformed."""
    told = reading.an_object(body, "The event")
    ticket_id = reading.maybe_id(told.get("ticket_id"))
    if not ticket_id:
        raise Malformed("The event names no ticket.")
    event = reading.text(told.get("event"), 100)
    return Hint(
        event_id=f"{event} {reading.an_id(told.get('id'), 'The event')}"[:300], event=event, conversation_id=ticket_id
    )
