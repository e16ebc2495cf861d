"""What Freshdesk sends, read. Pure functions.

Shapes: https://developers.freshdesk.com/api/#satisfaction-ratings, #tickets, #conversations, #agents
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from helpdesk.models import Scale
from helpdesk.transcripts import MOST_BYTES, TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating

NUMBER = re.compile(r"-?\d{1,6}(\.0+)?")
ENDED = frozenset({4, 5})  # resolved, closed; every other status, an account's own included, is open
CHANNELS = {
    1: "email", 2: "portal", 3: "phone", 5: "twitter", 6: "facebook", 7: "chat", 8: "app", 9: "feedback widget",
    10: "outbound email", 11: "ecommerce", 12: "bot", 13: "whatsapp", 14: "internal",
}  # fmt: skip
OUTBOUND = 10  # the source of a ticket that an agent began
SURVEY_REMARK = 6  # the source of a conversation entry that is what a customer wrote beside a rating
BOT_TYPES = ("bot", "ai_agent", "ai agent")


# --- Ratings -----------------------------------------------------------------------------------------------------------


def rating(item: Json) -> Rating:
    """A satisfaction rating. Raises Malformed.

    `default_question` is the survey's own question, in old and new surveys alike; the further ones are ignored. `agent_id` is
    kept on the rating itself ("the agent associated with the rated interaction") and does not follow the ticket when that is
    reassigned: it is who was rated. A rating may lack it; the ticket tells who has it then.

    Each answer to a survey is a rating with an id of its own. What is touched later keeps id and `created_at`, and gets a newer
    `updated_at`: that is when the customer last changed it. The list can be bounded by creation alone, so a change of an older
    rating is found by the webhook, or by the runs that read the last weeks again.
    """
    told = reading.an_object(item, "A rating")
    return Rating(
        conversation_id=reading.an_id(told.get("ticket_id"), "The ticket of the rating"),
        value=_value(told.get("ratings")),
        scale=Scale.FRESHDESK,
        rated_at=reading.maybe_moment(told.get("updated_at")) or reading.moment(told.get("created_at"), "The rating"),
        id=reading.maybe_id(told.get("id")),
        person_id=reading.maybe_id(told.get("agent_id")),
        credit=Credit.RATED,
    )


def created_at(item: Json) -> datetime | None:
    """When a rating was first given."""
    return reading.maybe_moment(item.get("created_at")) if isinstance(item, dict) else None


def latest(ratings: Iterable[Rating]) -> Rating | None:
    """The one that counts, of several of one ticket."""
    return max(ratings, key=lambda one: (one.rated_at, len(one.id), one.id), default=None)


def _value(answers):
    value = reading.an_object(answers, "What was answered").get("default_question")
    if isinstance(value, bool) or not isinstance(value, (int, float, str)) or not NUMBER.fullmatch(str(value).strip()):
        raise Malformed("The survey's own question was not answered with a number.")
    return str(int(float(value)))


# --- Tickets and people ------------------------------------------------------------------------------------------------


def conversation(item: Json) -> Conversation:
    """A ticket, with `include=stats` where it is to tell when it was closed. Raises Malformed."""
    told = reading.an_object(item, "The ticket")
    stats = reading.maybe_object(told.get("stats"))
    status = _whole(told.get("status"))
    is_open = None if status is None else status not in ENDED
    opened_at = reading.maybe_moment(told.get("created_at"))
    closed_at = reading.maybe_moment(stats.get("closed_at")) or reading.maybe_moment(stats.get("resolved_at"))
    return Conversation(
        id=reading.an_id(told.get("id"), "The ticket"),
        opened_at=opened_at,
        closed_at=None if is_open else reading.ended(closed_at, opened_at),
        is_open=is_open,
        channel=CHANNELS.get(_source(told), ""),
        assignee_id=reading.maybe_id(told.get("responder_id")),
    )


def person(item: Json) -> Person:
    """An agent. Raises Malformed. Those that were deleted are not listed.

    The types that are documented (support_agent, field_agent, collaborator) are people; `contact.active` says whether somebody
    confirmed their address, not whether they answer customers.
    """
    told = reading.an_object(item, "An agent")
    contact = reading.maybe_object(told.get("contact"))
    kind = reading.text(told.get("type")).lower()
    return Person(
        id=reading.an_id(told.get("id"), "An agent"),
        name=reading.text(contact.get("name")),
        email=reading.text(contact.get("email"), 254),
        is_bot=any(word in kind for word in BOT_TYPES),
        is_active=told.get("deactivated") is not True,
    )


def sees_all_tickets(me: Json) -> bool:
    """Whether an agent's tickets are all of the account: `ticket_scope` 1, against 2 of a group's and 3 of one's own."""
    return not isinstance(me, dict) or _whole(me.get("ticket_scope")) not in (2, 3)


# --- Words -------------------------------------------------------------------------------------------------------------


def opening(ticket: Json) -> TranscriptTurn | None:
    """The message that a ticket began with, None where it has no words."""
    told = reading.an_object(ticket, "The ticket")
    role = "agent" if _source(told) == OUTBOUND else "customer"
    return _turn(role, told.get("description_text"), told.get("description"), told.get("created_at"))


def turn(entry: Json) -> TranscriptTurn | None:
    """An entry of a ticket's conversation; None for what the customer did not see, for remarks on a rating, and for no words."""
    if not _is_public(entry):
        return None
    role = "customer" if entry.get("incoming") is True else "agent"
    return _turn(role, entry.get("body_text"), entry.get("body"), entry.get("created_at"))


def replier(entry: Json) -> str:
    """The id of who answered the customer by this entry, "" where it is no answer."""
    user_id = reading.maybe_id(entry.get("user_id")) if _is_public(entry) and entry.get("incoming") is not True else ""
    return user_id if user_id.isdecimal() else ""


def _is_public(entry):
    return isinstance(entry, dict) and entry.get("private") is not True and _source(entry) != SURVEY_REMARK


def _source(told):
    return _whole(told.get("source"))


def _whole(value):
    """A number of a list of choices, None for anything else."""
    return int(value) if isinstance(value, (int, str)) and re.fullmatch(r"\d{1,6}", str(value)) else None


def _turn(role, plain, html, at):
    words = (reading.text(plain, MOST_BYTES) or reading.plain(reading.text(html, MOST_BYTES))).strip()
    return TranscriptTurn(role, words, reading.milliseconds(at)) if words else None


# --- The way of the API ------------------------------------------------------------------------------------------------


def next_page(headers: Mapping[str, str]) -> int | None:
    """The number of the next page by the header `Link`, None after the last. Its host may be another than we called."""
    for link in headers.get("link", "").split(","):
        found = re.search(r'<([^>]*)>\s*;.*rel="?next"?', link)
        number = parse_qs(urlsplit(found[1]).query).get("page", [""])[-1] if found else ""
        if number.isdecimal():
            return int(number)
    return None


def rest(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long to wait where the calls of this minute are used up; a call may cost more than one.

    https://developers.freshdesk.com/api/#ratelimit
    """
    left, cost = headers.get("x-ratelimit-remaining", ""), headers.get("x-ratelimit-used-currentrequest", "")
    if not left.isdecimal() or int(left) >= max(int(cost) if cost.isdecimal() else 1, 1):
        return None
    return timedelta(seconds=60 - now.second)


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """Automation rules sign nothing: the secret itself is in a header. Raises Forged."""
    reading.require_equal(headers.get("x-touchline-secret"), secret)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """The body that the automation rule is told to send, {event, id, ticket_id}. Raises Malformed.

    https://support.freshdesk.com/support/solutions/articles/132589-using-webhooks-in-automation-rules
    """
    told = reading.an_object(body, "The event")
    ticket_id = reading.an_id(told.get("ticket_id"), "The ticket of the event")
    event = reading.text(told.get("event"), 100)
    return Hint(
        event_id=reading.maybe_id(told.get("id")) or f"{event}:{ticket_id}", event=event, conversation_id=ticket_id
    )
