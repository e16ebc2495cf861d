"""What Intercom sends, read. Pure functions.

Shapes, as of version 2.14: https://developers.intercom.com/docs/references/2.14/rest-api/api.intercom.io/conversations and
…/admins; webhooks: https://developers.intercom.com/docs/webhooks and …/docs/references/webhooks/webhook-models
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

from helpdesk.models import Scale
from helpdesk.transcripts import TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating
from helpdesk.vendors.wire import until_epoch

FIN = Person(id="fin", name="Fin AI Agent", is_bot=True)
"""Whoever answers there without being a teammate. Intercom lists no bots, and tells them by a kind and not by one id."""
STAFF = frozenset({"admin", "team", "bot"})
CUSTOMERS = frozenset({"user", "lead", "contact", "visitor"})
PUBLIC = frozenset({"comment", "assignment", "open", "close", "quick_reply"})  # parts whose words the customer reads
MOST_PARTS = 500  # that a conversation is given with, the newest
RATED = frozenset({"conversation.rating.added", "conversation.admin.closed"})
MARKUP = re.compile(r"\s*<[a-z][^<>]*>", re.IGNORECASE)
LONGEST = 2_000_000  # characters of one turn: the limit is that of a transcript


# --- Ratings -----------------------------------------------------------------------------------------------------------


def rating(item: Json) -> Rating | None:
    """A conversation's rating; None where it has none (any more). Raises Malformed.

    It has no id of its own. What it has is the moment at which it was asked for, which stays when the customer thinks again
    or adds a remark; `updated_at` is when they did. One that is asked for anew is another.

    Fin asks for a rating of its own where it answered alone. Where both were answered, that of the conversation counts.
    """
    told = reading.an_object(item, "A conversation")
    conversation = _conversation(told)
    given, by_fin = reading.maybe_object(told.get("conversation_rating")), reading.maybe_object(told.get("ai_agent"))
    if given.get("rating") is None and by_fin.get("rating") is None:
        return None
    person_id, credit = _rated(given, told)
    if given.get("rating") is None:
        given, person_id, credit = by_fin, FIN.id, Credit.RATED
    asked_at = reading.maybe_moment(given.get("created_at"))
    when = given.get("updated_at") or given.get("replied_at") or given.get("created_at") or told.get("updated_at")
    return Rating(
        conversation_id=conversation.id,
        value=reading.stars(given.get("rating")),
        scale=Scale.STARS5,
        rated_at=reading.moment(when, "The rating"),
        id=f"{conversation.id}-{int(asked_at.timestamp())}" if asked_at else "",
        person_id=person_id,
        credit=credit,
        conversation=conversation,
    )


def _rated(given, told) -> tuple[str, Credit]:
    """(person, credit). Intercom itself names the teammate who replied last, else Fin if it replied.

    https://community.intercom.com/api-webhooks-23/conversatio-rating-agent-attribution-api-13410
    """
    teammate = reading.maybe_object(given.get("teammate"))
    if teammate.get("type") == "bot":
        return FIN.id, Credit.RATED
    if teammate_id := reading.maybe_id(teammate.get("id")):
        return teammate_id, Credit.RATED
    assignee_id = reading.maybe_id(told.get("admin_assignee_id"))
    if assignee_id:
        return assignee_id, Credit.ASSIGNEE
    if took_part(told):
        return FIN.id, Credit.RATED
    return "", Credit.ASSIGNEE


def took_part(item: Json) -> bool:
    """Whether Fin answered in a conversation."""
    return isinstance(item, dict) and item.get("ai_agent_participated") is True


def conversation_id(item: Json) -> str:
    """Raises Malformed."""
    return reading.an_id(reading.an_object(item, "A conversation").get("id"), "The conversation")


def conversation(item: Json) -> Conversation:
    """A conversation beside its words. Raises Malformed."""
    return _conversation(reading.an_object(item, "A conversation"))


def _conversation(told) -> Conversation:
    is_open, state = told.get("open"), told.get("state")
    if not isinstance(is_open, bool):
        is_open = {"open": True, "snoozed": True, "closed": False}.get(state) if isinstance(state, str) else None
    statistics, source = reading.maybe_object(told.get("statistics")), reading.maybe_object(told.get("source"))
    return Conversation(
        id=reading.an_id(told.get("id"), "The conversation"),
        opened_at=reading.maybe_moment(told.get("created_at")),
        closed_at=None if is_open else reading.maybe_moment(statistics.get("last_close_at")),
        is_open=is_open,
        channel=reading.text(source.get("type"), 50),
        assignee_id=reading.maybe_id(told.get("admin_assignee_id")),
    )


# --- People and words --------------------------------------------------------------------------------------------------


def person(item: Json) -> Person:
    """A teammate. Operator, Intercom's own bot, may stand among them and has an address of Intercom's. Raises Malformed."""
    told = reading.an_object(item, "A teammate")
    email = reading.text(told.get("email"))
    return Person(
        id=reading.an_id(told.get("id"), "The teammate"),
        name=reading.text(told.get("name")),
        email=email,
        is_bot=told.get("type") == "bot" or (email.startswith("operator+") and email.endswith("@intercom.io")),
    )


def turns(item: Json) -> list[TranscriptTurn]:
    """What was said, oldest first: how it began, then its parts, without notes. Raises Malformed.

    Of a redacted part it is kept that there was one, so that turns keep their numbers. A conversation of more than 500 parts
    comes without its older ones, which a turn in their place says.
    """
    told = reading.an_object(item, "A conversation")
    source = reading.maybe_object(told.get("source"))
    parts = _parts(told)
    found = [_turn(source, source.get("created_at") or told.get("created_at"))] if source else []
    total = reading.maybe_object(told.get("conversation_parts")).get("total_count")
    if isinstance(total, int) and not isinstance(total, bool) and total > len(parts) >= MOST_PARTS:
        found.append(
            TranscriptTurn("system", f"[Intercom gives the newest {len(parts)} parts; {total - len(parts)} are older.]")
        )
    found += [_turn(part, part.get("created_at")) for part in parts if part.get("part_type") in PUBLIC]
    return [turn for turn in found if turn is not None]


def _parts(told) -> list[dict]:
    parts = reading.maybe_object(told.get("conversation_parts")).get("conversation_parts")
    known = [part for part in parts if isinstance(part, dict)] if isinstance(parts, list) else []
    return sorted(known, key=_moment_of)


def _moment_of(part) -> float:
    at = reading.maybe_moment(part.get("created_at"))
    return at.timestamp() if at else 0


def _turn(told, when) -> TranscriptTurn | None:
    author = reading.maybe_object(told.get("author"))
    text = "[redacted]" if told.get("redacted") is True else _words(told.get("body"))
    if not text:
        return None
    return TranscriptTurn(_role(author), text, reading.milliseconds(when), reading.text(author.get("name")))


def _words(body) -> str:
    """Plain text: `display_as=plaintext` gives it, except where it was not heeded."""
    told = reading.text(body, LONGEST)
    return reading.plain(told) if MARKUP.match(told) else told.strip()


def _role(author) -> str:
    kind = author.get("type")
    if not isinstance(kind, str):
        return "system"
    return "agent" if kind in STAFF else "customer" if kind in CUSTOMERS else "system"


def last_replier(item: Json) -> str:
    """Who answered the customer last: a teammate before a bot, as Intercom credits it; "" where nobody did. Raises Malformed."""
    told = reading.an_object(item, "A conversation")
    spoken = [part for part in _parts(told) if part.get("part_type") in PUBLIC]
    authors = [
        reading.maybe_object(one.get("author"))
        for one in (reading.maybe_object(told.get("source")), *spoken)
        if one.get("body")
    ]
    for author in reversed(authors):
        if author.get("type") == "admin" and (person_id := reading.maybe_id(author.get("id"))):
            return person_id
    return FIN.id if any(author.get("type") == "bot" for author in authors) else ""


# --- Lists -------------------------------------------------------------------------------------------------------------


def following(answer: Json) -> str:
    """Where a search goes on, "" at its end. https://developers.intercom.com/docs/build-an-integration/learn-more/rest-apis/pagination-cursor"""
    pages = reading.maybe_object(reading.an_object(answer, "The answer").get("pages"))
    told = pages.get("next")
    if isinstance(told, str):  # as older versions tell it
        return parse_qs(urlsplit(told).query).get("starting_after", [""])[0]
    after = reading.maybe_object(told).get("starting_after")
    return reading.text(after, 1_000) if isinstance(after, str) else reading.maybe_id(after)


def total(answer: Json) -> int | None:
    """How many conversations a search has in all, where it is told."""
    told = reading.an_object(answer, "The answer").get("total_count")
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told < 2**31 else None


# --- Webhooks and limits -----------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """hex of HMAC-SHA1 over the body, with the app's client secret. Raises Forged.

    No time is signed, so whoever has seen a webhook can send it again for ever. All that does is to have one conversation's
    rating read anew: the body, and with it the event's id, cannot be changed, and the rating is never taken from it.
    https://developers.intercom.com/docs/webhooks/webhook-notifications
    """
    reading.require_equal(headers.get("x-hub-signature"), f"sha1={reading.hex_hmac(body, secret, 'sha1')}")


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """A notification. Raises Malformed."""
    told = reading.an_object(body, "The notification")
    topic = reading.text(told.get("topic"), 100)
    if not topic:
        raise Malformed("The notification has no topic.")
    about = reading.maybe_object(reading.maybe_object(told.get("data")).get("item"))
    event_id = reading.maybe_id(told.get("id")) or _made_id(topic, told, about)
    if topic == "ping":
        return Hint(event_id, topic)
    if not topic.startswith("conversation."):
        return Hint(event_id, topic, is_known=False)
    if topic not in RATED and not topic.startswith("conversation.rating."):
        return Hint(event_id, topic)
    conversation_id = reading.maybe_id(about.get("conversation_id")) or reading.maybe_id(about.get("id"))
    if not conversation_id:
        raise Malformed("The notification names no conversation.")
    return Hint(event_id, topic, conversation_id)


def _made_id(topic, told, about) -> str:
    """An id for a notification without one, as Intercom's pings are: the same each time that it is sent."""
    made_at = reading.maybe_id(told.get("created_at")) or reading.maybe_id(told.get("first_sent_at"))
    if not made_at:
        raise Malformed("The notification has no id.")
    return f"{topic}-{reading.maybe_id(about.get('id'))}-{made_at}"[:300]


def rest(headers: Mapping[str, str], now: datetime) -> timedelta | None:
    """How long to leave the app alone once the calls of these ten seconds are spent; the reset is in epoch seconds.

    https://developers.intercom.com/docs/references/rest-api/errors/rate-limiting
    """
    left = headers.get("x-ratelimit-remaining", "")
    return until_epoch(headers.get("x-ratelimit-reset", ""), now) if left.isdecimal() and int(left) == 0 else None
