"""What Chatwoot sends, read. Pure functions.

Shapes: https://developers.chatwoot.com/api-reference and, where that is silent, the views of its own server
(https://github.com/chatwoot/chatwoot, app/views/api/v1). A conversation's id is the number that people see, its display id.
Agents and bots count from 1 each, so a bot's id begins with its kind here.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from helpdesk.models import Scale
from helpdesk.transcripts import TranscriptTurn
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Conversation, Credit, Hint, Json, Malformed, Person, Rating

LONGEST_TEXT = 200_000  # characters of one message
KINDS = ("incoming", "outgoing", "activity", "template")
ROLES = {"incoming": "customer", "outgoing": "agent", "template": "system"}
CONVERSATION_EVENTS = frozenset({"conversation_updated", "conversation_status_changed"})
PEOPLE = frozenset({"", "user"})  # how senders and assignees are called that are no bots


def rating(item: Json) -> Rating | None:
    """A CSAT response; None where it has no rating. Raises Malformed.

    It is known by the message that asked for it, since the message says so too. A customer may change the rating for 14 days;
    `created_at` stays when they first gave it. `assigned_agent` is who had the conversation when the customer was asked.
    """
    told = reading.an_object(item, "A response")
    if told.get("rating") is None:
        return None
    return Rating(
        conversation_id=reading.an_id(told.get("conversation_id"), "The conversation of the response"),
        value=reading.stars(told.get("rating")),
        scale=Scale.STARS5,
        rated_at=reading.moment(told.get("created_at"), "The response"),
        id=reading.maybe_id(told.get("message_id")),
        person_id=person_id(told.get("assigned_agent")),
        credit=Credit.ASSIGNEE,
    )


def person_id(value: Json, kind: str = "") -> str:
    """Who an agent, a sender or an assignee is; "" for nobody and for customers."""
    if not isinstance(value, dict):
        return ""
    told = (reading.text(value.get("type")) or kind).lower().replace("::", "_")
    told = {"agentbot": "agent_bot"}.get(told, told)
    id = reading.maybe_id(value.get("id"))
    if not id or told == "contact":
        return ""
    return id if told in PEOPLE else f"{told}-{id}"[:300]


def person(item: Json, kind: str = "user") -> Person:
    """An agent, or a bot of a `kind`. Raises Malformed."""
    told = reading.an_object(item, "An agent")
    reading.an_id(told.get("id"), "An agent")
    return Person(
        id=person_id({"id": told.get("id"), "type": kind}),
        name=reading.text(told.get("name")) or reading.text(told.get("available_name")),
        email=reading.text(told.get("email")),
        is_bot=kind != "user",
    )


def conversation(item: Json) -> Conversation:
    """A conversation without its words. When it was closed is not told. Raises Malformed."""
    told = reading.an_object(item, "A conversation")
    meta = reading.maybe_object(told.get("meta"))
    status = reading.text(told.get("status"))
    return Conversation(
        id=reading.an_id(told.get("id"), "A conversation"),
        opened_at=reading.maybe_moment(told.get("created_at")),
        is_open=status != "resolved" if status else None,
        channel=channel(meta.get("channel")),
        assignee_id=person_id(meta.get("assignee"), reading.text(meta.get("assignee_type"))),
    )


def channel(value: Json) -> str:
    """email, whatsapp and so on, from the name of Chatwoot's class."""
    word = reading.text(value).removeprefix("Channel::").lower()[:50]
    return {"webwidget": "chat"}.get(word, word)


# --- Messages ----------------------------------------------------------------------------------------------------------


def kind_of(told: dict) -> str:
    """One of KINDS, "" for anything else; the API gives their number, a webhook the word."""
    value = told.get("message_type")
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(KINDS):
        return KINDS[value]
    return value if value in KINDS else ""


def is_public(told: dict) -> bool:
    """Whether customers see the message. What does not say so is taken for a note."""
    return told.get("private") is False and kind_of(told) in ROLES


def turn(item: Json) -> TranscriptTurn | None:
    """A message; None for a private note, for what happened beside the talk, and for one without words. Raises Malformed."""
    told = reading.an_object(item, "A message")
    words = reading.text(told.get("content"), LONGEST_TEXT).strip()
    if not is_public(told) or not words or attributes(told).get("deleted"):
        return None
    return TranscriptTurn(
        role=ROLES[kind_of(told)],
        text=words,
        at=reading.milliseconds(told.get("created_at")),
        name=reading.text(reading.maybe_object(told.get("sender")).get("name")),
    )


def replied(item: Json) -> str:
    """The id of the agent or bot who sent a message to the customer, "" where it was nobody."""
    if not isinstance(item, dict) or not is_public(item) or kind_of(item) != "outgoing":
        return ""
    return person_id(item.get("sender"), reading.text(item.get("sender_type")))


def is_survey(item: Json) -> bool:
    """Whether a message asks for a rating."""
    return isinstance(item, dict) and item.get("content_type") == "input_csat"


def given(survey: dict) -> str:
    """The rating that a customer gave in answer to a message, as text; "" where they did not. Raises Malformed."""
    submitted = reading.maybe_object(attributes(survey).get("submitted_values"))
    value = reading.maybe_object(submitted.get("csat_survey_response")).get("rating")
    return "" if value in (None, "") else reading.stars(value)


def response(conversation_id: str, survey: dict) -> Json:
    """What the list of responses would say of a message that was answered, as far as the message knows."""
    return {
        "conversation_id": conversation_id,
        "message_id": survey.get("id"),
        "rating": given(survey),
        "created_at": survey.get("created_at"),
    }


def attributes(told: dict) -> dict:
    return reading.maybe_object(told.get("content_attributes"))


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def verify(body: bytes, headers: Mapping[str, str], secret: str, now: datetime) -> None:
    """sha256= and the hex HMAC-SHA256 of timestamp, dot and body. Raises Forged.

    https://www.chatwoot.com/hc/user-guide/articles/1677693021-how-to-use-webhooks
    """
    stamp = headers.get("x-chatwoot-timestamp", "")
    signed = reading.hex_hmac(stamp.encode("utf-8", "replace") + b"." + body, secret)
    reading.require_equal(headers.get("x-chatwoot-signature"), f"sha256={signed}")
    reading.require_fresh(reading.maybe_moment(stamp), now)


def hint(body: Json, headers: Mapping[str, str]) -> Hint:
    """An event of a webhook. Of messages only those that ask for a rating are of interest. Raises Malformed."""
    told = reading.an_object(body, "The event")
    event = reading.text(told.get("event"), 100)
    if not event:
        raise Malformed("The event has no name.")
    event_id = headers.get("x-chatwoot-delivery", "").strip()[:300] or _fingerprint(told)
    if event in CONVERSATION_EVENTS:
        return Hint(event_id, event, conversation_id=reading.an_id(told.get("id"), "The conversation of the event"))
    if event == "message_updated" and told.get("content_type") == "input_csat":
        talk = reading.an_object(told.get("conversation"), "The conversation of the event")
        return Hint(
            event_id,
            event,
            conversation_id=reading.an_id(talk.get("id"), "The conversation of the event"),
            rating_id=reading.maybe_id(told.get("id")),
        )
    return Hint(event_id, event, is_known=event in KNOWN)


KNOWN = CONVERSATION_EVENTS | {
    "message_updated", "message_created", "conversation_created", "contact_created", "contact_updated", "webwidget_triggered",
    "conversation_typing_on", "conversation_typing_off", "inbox_created", "inbox_updated",
}  # fmt: skip


def _fingerprint(told: dict) -> str:
    """The same for the same event, where an older Chatwoot gives its deliveries no id."""
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
