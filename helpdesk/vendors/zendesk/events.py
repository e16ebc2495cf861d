"""What Zendesk sends, read. Pure functions.

Shapes: https://developer.zendesk.com/api-reference/ticketing/ticket-management/satisfaction_ratings/,
…/ticket-management/csat_survey_responses/, …/tickets/tickets/, …/tickets/ticket_comments/, …/users/users/ and
https://developer.zendesk.com/api-reference/webhooks/event-types/ticket-events/
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from helpdesk.models import Scale
from helpdesk.transcripts import TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating

ANSWERED = frozenset({"good", "bad"})
UNANSWERED = frozenset({"offered", "unoffered"})
SOLVED = frozenset({"solved", "closed"})
STAFF = frozenset({"agent", "admin"})
STEPS = range(1, 6)  # of the survey
SPOKEN = frozenset({"Comment", "VoiceComment", ""})


# --- Ratings -----------------------------------------------------------------------------------------------------------


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


def offered(items: list[Json]) -> list[str]:
    """The tickets of satisfaction ratings that were offered and are not answered (any more)."""
    told = [item for item in items if isinstance(item, dict) and reading.text(item.get("score"), 20) in UNANSWERED]
    return [found for item in told if (found := reading.maybe_id(item.get("ticket_id")))]


def survey_rating(item: Json) -> Rating | None:
    """A response to the survey; None where it was not answered, or is about something else than a ticket. Raises Malformed.

    A survey has two, three or five steps and numbers them within 1 to 5. It names nobody: who was rated stands on the ticket.
    """
    told = reading.an_object(item, "A response")
    ticket_id = _surveyed_ticket(told)
    if not ticket_id:
        return None
    answers = map(reading.maybe_object, reading.maybe_list(told.get("answers")))
    scales = [one for one in answers if one.get("type") == "rating_scale"]
    answer = next((one for one in scales if _question(one).get("sub_type") in (None, "customer_satisfaction")), None)
    if answer is None or answer.get("rating") is None:
        return None
    return Rating(
        conversation_id=ticket_id,
        value=_step(answer),
        scale=Scale.STARS5,
        rated_at=reading.moment(answer.get("updated_at") or answer.get("created_at"), "The answer"),
        id=reading.maybe_id(told.get("id")),
        credit=Credit.ASSIGNEE,
    )


def _surveyed_ticket(told) -> str:
    for subject in reading.maybe_list(told.get("subjects")):
        if isinstance(subject, dict) and subject.get("type") in ("ticket", "zen:ticket"):
            return reading.maybe_id(subject.get("id"))
    for name in reading.maybe_list(told.get("subject_zrns")):
        if isinstance(name, str) and (found := re.fullmatch(r"z[er]n:ticket:(\d+)", name)):
            return found[1]
    return ""


def _question(answer) -> dict:
    return reading.maybe_object(answer.get("question"))


def _step(answer) -> str:
    step = reading.stars(answer.get("rating"))
    options = [
        one.get("rating") for one in reading.maybe_list(_question(answer).get("options")) if isinstance(one, dict)
    ]
    numbers = [one for one in options if isinstance(one, int) and not isinstance(one, bool)]
    if numbers and (min(numbers), max(numbers)) != (STEPS[0], STEPS[-1]):
        raise Malformed("The survey's steps do not go from 1 to 5.")
    return step


# --- Tickets -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ticket:
    """What is known of a ticket beside its words; `score` and `rating_id` are of the satisfaction rating that it carries."""

    conversation: Conversation
    status: str
    updated_at: datetime | None
    score: str
    rating_id: str
    requester_id: str
    copied: frozenset[str]

    @property
    def is_rated(self) -> bool:
        return self.score in ANSWERED

    @property
    def is_offered(self) -> bool:
        return self.score in UNANSWERED


def ticket(item: Json, solved: Mapping[str, datetime]) -> Ticket:
    """A ticket; `solved` is when tickets were solved last, {id: moment}. Raises Malformed."""
    told = reading.an_object(item, "A ticket")
    ticket_id = reading.an_id(told.get("id"), "The ticket")
    status = reading.text(told.get("status"), 20)
    is_open = status not in SOLVED if status else None
    via, rated = (reading.maybe_object(told.get(key)) for key in ("via", "satisfaction_rating"))
    copied = [*reading.maybe_list(told.get("collaborator_ids")), *reading.maybe_list(told.get("email_cc_ids"))]
    return Ticket(
        conversation=Conversation(
            id=ticket_id,
            opened_at=reading.maybe_moment(told.get("created_at")),
            closed_at=None if is_open else solved.get(ticket_id),
            is_open=is_open,
            channel=reading.text(via.get("channel"), 50),
            assignee_id=reading.maybe_id(told.get("assignee_id")),
        ),
        status=status,
        updated_at=reading.maybe_moment(told.get("updated_at")),
        score=reading.text(rated.get("score"), 20),
        rating_id=reading.maybe_id(rated.get("id")),
        requester_id=reading.maybe_id(told.get("requester_id")),
        copied=frozenset(filter(None, map(reading.maybe_id, copied))),
    )


def carried(on: Ticket) -> Rating | None:
    """The satisfaction rating as far as its ticket tells: given when the ticket last changed; without an id it has the ticket's,
    so that it is known again. Raises Malformed.
    """
    rating_id = on.rating_id or f"ticket-{on.conversation.id}"
    when = on.updated_at.isoformat() if on.updated_at else None
    return rating({"ticket_id": on.conversation.id, "score": on.score, "id": rating_id, "updated_at": when})


def tickets(answer: Json, key: str = "tickets") -> list[Ticket]:
    """All tickets of an answer that can be read, each with when it was solved where `metric_sets` tells. Raises Malformed."""
    solved = solved_at(answer)
    found = []
    for item in reading.a_list(answer, key):
        try:
            found.append(ticket(item, solved))
        except Malformed:
            continue  # what has no id is nobody's ticket
    return found


def solved_at(answer: Json) -> dict[str, datetime]:
    """When tickets were solved, {id: moment}, as the sideloaded `metric_sets` tell.

    https://developer.zendesk.com/documentation/ticketing/using-the-zendesk-api/side_loading/
    """
    found = {}
    for one in reading.maybe_list(reading.an_object(answer, "The answer").get("metric_sets")):
        if isinstance(one, dict) and (moment := reading.maybe_moment(one.get("solved_at"))):
            found[reading.maybe_id(one.get("ticket_id"))] = moment
    return found


# --- People and words --------------------------------------------------------------------------------------------------


def person(item: Json) -> Person:
    """An agent or admin. Zendesk's AI agents are no users, so nobody is told to be a bot. Raises Malformed."""
    told = reading.an_object(item, "A user")
    return Person(
        id=reading.an_id(told.get("id"), "The user"),
        name=reading.text(told.get("name")),
        email=reading.text(told.get("email")),
        is_active=told.get("active") is not False and told.get("suspended") is not True,
    )


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote a comment; `role` is end-user, agent or admin."""

    name: str
    role: str
    is_active: bool


def authors(answer: Json) -> dict[str, Author]:
    """The users that were sideloaded with comments, {id: author}."""
    found = {}
    for one in reading.maybe_list(reading.an_object(answer, "The answer").get("users")):
        if isinstance(one, dict) and (user_id := reading.maybe_id(one.get("id"))):
            name, role = reading.text(one.get("name")), reading.text(one.get("role"), 20)
            found[user_id] = Author(name, role, one.get("active") is not False)
    return found


def turn(item: Json, on: Ticket, users: Mapping[str, Author]) -> TranscriptTurn | None:
    """A comment as a turn; None for an internal note and for one without words. Raises Malformed."""
    told = reading.an_object(item, "A comment")
    if told.get("public") is not True:
        return None
    text = _words(told)
    if not text:
        return None
    author_id = reading.maybe_id(told.get("author_id"))
    author = users.get(author_id)
    role = _role(told, author_id, author, on)
    name = author.name if author and role != "system" else ""
    return TranscriptTurn(role, text, reading.milliseconds(told.get("created_at")), name)


def replier(item: Json, on: Ticket, users: Mapping[str, Author]) -> str:
    """The id of the agent who wrote a public comment, "" where it was somebody else."""
    told = item if isinstance(item, dict) else {}
    author_id = reading.maybe_id(told.get("author_id"))
    is_reply = told.get("public") is True and _role(told, author_id, users.get(author_id), on) == "agent"
    return author_id if is_reply else ""


def _words(told) -> str:
    """Plain text of a comment. The limit is that of a transcript, not ours to cut at."""
    for key in ("plain_body", "body"):
        if isinstance(told.get(key), str) and told[key].strip():
            return reading.text(told[key], 2_000_000).strip()
    return reading.plain(reading.text(told.get("html_body"), 2_000_000))


def _role(told, author_id, author, on: Ticket) -> str:
    """Who speaks. Zendesk makes an end user of an agent before they can be deleted, so a deleted author who neither asked nor
    was copied counts as an agent.
    """
    via = told.get("via")
    by_rule = isinstance(via, dict) and via.get("channel") in ("rule", "system")
    if not author_id or by_rule or reading.text(told.get("type"), 20) not in SPOKEN:
        return "system"
    if author_id == on.requester_id:
        return "customer"
    if author is not None and author.role in STAFF:
        return "agent"
    if author_id in on.copied:
        return "customer"
    if author is not None and author.role == "end-user":
        return "customer" if author.is_active else "agent"
    return "agent" if author_id == on.conversation.assignee_id else "customer"


# --- Lists -------------------------------------------------------------------------------------------------------------


def following(answer: Json) -> dict[str, str]:
    """The parameters that ask for the next page, empty at the end. By cursor, or by number where the list knows no cursors.

    https://developer.zendesk.com/api-reference/introduction/pagination/
    """
    told = reading.an_object(answer, "The answer")
    meta = told.get("meta")
    if isinstance(meta, dict):
        after = meta.get("after_cursor")
        return {"page[after]": after} if meta.get("has_more") is True and isinstance(after, str) and after else {}
    links = told.get("links")
    address = told.get("next_page") or (links.get("next") if isinstance(links, dict) else None)
    query = parse_qs(urlsplit(reading.text(address, 2_000)).query)
    after, page = (query.get(name, [""])[0] for name in ("page[after]", "page"))
    return {"page[after]": after} if after else {"page": page} if page.isdecimal() else {}


# --- Webhooks and limits -----------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """base64 of HMAC-SHA256 over timestamp and body. Raises Forged.

    https://developer.zendesk.com/documentation/webhooks/verifying/
    """
    stamp = headers.get("x-zendesk-webhook-signature-timestamp", "")
    right = reading.base64_hmac(stamp.encode("utf-8", "replace") + body, secret)
    reading.require_equal(headers.get("x-zendesk-webhook-signature"), right)
    reading.require_fresh(reading.maybe_moment(stamp), now)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """An event of a webhook: Zendesk's own, or what the body of a trigger says, {event, id, ticket_id}. Raises Malformed.

    A trigger's id may be the ticket's: it would be taken for the same event the next time. The number of the call is used then,
    which stays the same when Zendesk tries again.
    https://developer.zendesk.com/documentation/webhooks/anatomy-of-a-webhook-request/
    """
    told = reading.an_object(body, "The event")
    kind = reading.text(told.get("type") or told.get("event"), 100)
    if not kind:
        raise Malformed("The event does not say what happened.")
    own = kind.startswith("zen:event-type:")
    about = _ticket_of(told) if own else reading.maybe_id(told.get("ticket_id"))
    event_id = reading.maybe_id(told.get("id"))
    if not event_id or event_id == about:
        event_id = reading.maybe_id(headers.get("x-zendesk-webhook-invocation-id")) or event_id
    if not event_id:
        raise Malformed("The event has no id.")
    if own and not kind.startswith("zen:event-type:ticket."):
        return Hint(event_id, kind, is_known=False)
    if kind in ("zen:event-type:ticket.soft_deleted", "zen:event-type:ticket.permanently_deleted"):
        return Hint(event_id, kind)
    if not about:
        raise Malformed("The event names no ticket.")
    return Hint(event_id, kind, about, reading.maybe_id(told.get("rating_id")))


def _ticket_of(told) -> str:
    detail = told.get("detail")
    subject = re.fullmatch(r"zen:ticket:(\d+)", reading.text(told.get("subject")))
    return (reading.maybe_id(detail.get("id")) if isinstance(detail, dict) else "") or (subject[1] if subject else "")


def rest(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long to leave the account alone once its calls of this minute are spent; `ratelimit-reset` is in seconds.

    https://developer.zendesk.com/api-reference/introduction/rate-limits/
    """
    left = headers.get("x-rate-limit-remaining") or headers.get("ratelimit-remaining") or ""
    reset = headers.get("ratelimit-reset", "")
    if not (left.isdecimal() and reset.isdecimal()) or int(left) > 0:
        return None
    return timedelta(seconds=min(int(reset), 3600))
