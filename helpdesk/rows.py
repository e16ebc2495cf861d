"""What comes in, read strictly: JSON items and CSV cells become rows that the actions take. No database here.

`Refused` says which field and why, in words for whoever sent it; it never repeats what may be a customer's words.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from agents import names
from helpdesk import scales, times
from helpdesk.models import API_SOURCE, Conversation, HelpdeskConnection, Rating
from helpdesk.transcripts import MOST_BYTES, MOST_TURNS, ROLES, Transcript, TranscriptTurn

SLUG = re.compile(r"[A-Za-z0-9_-]{1,50}")
SURROGATE = re.compile("[\ud800-\udfff]")
HELPDESKS = frozenset(HelpdeskConnection.Vendor.values) - {HelpdeskConnection.Vendor.GENERIC}
LARGEST_NUMBER = 2**31 - 1
MOST_MEMORIES = 500  # that one conversation can have been served

RATING_FIELDS = ("source", "externalId", "agent", "value", "scale", "ratedAt", "closedAt")
CSAT_FIELDS = ("value", "scale", "ratedAt")
CONVERSATION_FIELDS = (
    "source", "externalId", "agent", "openedAt", "closedAt", "status", "channel", "csat", "transcript",
    "configurationVersion", "memoriesServed",
)  # fmt: skip
TURN_FIELDS = ("role", "text", "at", "name")
CSV_COLUMNS = ("external_id", "agent", "value", "rated_at", "scale", "source", "team", "channel", "closed_at")
LIMITS = {"external_id": 300, "agent": 300, "value": 50, "team": 200, "channel": 50}


class Refused(Exception):
    """The row cannot be taken. `field` is where, as the sender calls it ("" for the whole); `detail` is why."""

    def __init__(self, field: str, detail: str):
        super().__init__(f"{field}: {detail}" if field else detail)
        self.field, self.detail = field, detail


class TooLarge(Refused):
    """More than can be taken at once."""


@dataclass(frozen=True, slots=True)
class RatingRow:
    """One rating. `agent` is an id, a source's own id or the exact name; `score` is hundredths of a point, 0 to 10,000."""

    external_id: str
    agent: str
    value: str
    scale: str
    score: int
    rated_at: datetime
    source: str = API_SOURCE
    closed_at: datetime | None = None
    team: str = ""
    channel: str = ""
    credit: str = Rating.Credit.RATED  # how sure it is that `agent` is who was rated
    opened_at: datetime | None = None
    rating_id: str = ""  # the rating's own id at its source
    helpdesk_agent_id: int | None = None  # whom a helpdesk names
    told_at: datetime | None = None  # when its helpdesk was asked, where it was: it was not withdrawn then


@dataclass(frozen=True, slots=True)
class Csat:
    """What the customer answered; without `rated_at` it was when the conversation was closed."""

    value: str
    scale: str
    score: int
    rated_at: datetime | None


@dataclass(frozen=True, slots=True)
class ConversationRow:
    """One conversation; None stands for what was not told and stays as it is.

    `withdrawn` is true where the sender says that there is no rating (any more).
    """

    external_id: str
    agent: str
    source: str = API_SOURCE
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    status: str | None = None
    channel: str | None = None
    csat: Csat | None = None
    withdrawn: bool = False
    transcript: Transcript | None = None
    configuration_version: int | None = None
    memories_served: list | None = None


def rating_from_json(item: Any, *, now: datetime) -> RatingRow:
    """One item of POST /ratings. Raises Refused."""
    fields = _object(item, RATING_FIELDS)
    rating = _rating(fields, now)
    return RatingRow(
        external_id=_text(fields, "externalId", 300, required=True),
        agent=_text(fields, "agent", 300, required=True),
        value=rating.value,
        scale=rating.scale,
        score=rating.score,
        rated_at=rating.rated_at,
        source=_source(fields),
        closed_at=_time(fields, "closedAt", now),
    )


def conversation_from_json(body: Any, *, now: datetime, agent: str = "") -> ConversationRow:
    """One body of POST /conversations; `agent` stands in where the body names none. Raises Refused, TooLarge."""
    fields = _object(body, CONVERSATION_FIELDS)
    opened_at, closed_at = _time(fields, "openedAt", now), _time(fields, "closedAt", now)
    if opened_at and closed_at and closed_at < opened_at:
        raise Refused("closedAt", "It lies before openedAt.")
    status = fields.get("status")
    if status is not None and status not in Conversation.Status.values:
        raise Refused("status", "It is open or closed.")
    if status == Conversation.Status.OPEN and closed_at:
        raise Refused("closedAt", "An open conversation has none.")
    csat = None
    if fields.get("csat") is not None:
        try:
            csat = _rating(_object(fields["csat"], CSAT_FIELDS), now)
        except Refused as refused:
            raise Refused(_within("csat", refused.field), refused.detail) from None
    return ConversationRow(
        external_id=_text(fields, "externalId", 300, required=True),
        agent=_text(fields, "agent", 300, required=not agent) or agent,
        source=_source(fields),
        opened_at=opened_at,
        closed_at=closed_at,
        status=status,
        channel=_text(fields, "channel", 50) if fields.get("channel") is not None else None,
        csat=csat,
        withdrawn="csat" in fields and fields["csat"] is None,
        transcript=transcript_from_json(fields["transcript"], now=now)
        if fields.get("transcript") is not None
        else None,
        configuration_version=_number(fields, "configurationVersion"),
        memories_served=_memories(fields["memoriesServed"]) if fields.get("memoriesServed") is not None else None,
    )


def transcript_from_json(turns: Any, *, now: datetime) -> Transcript:
    """The turns of a transcript as they were sent. Raises Refused, TooLarge."""
    if not isinstance(turns, list):
        raise Refused("transcript", "It is a list of turns.")
    if len(turns) > MOST_TURNS:
        raise TooLarge("transcript", f"It has {len(turns):,} turns; at most {MOST_TURNS:,} can be taken.")
    read, size = [], 0
    for number, turn in enumerate(turns):
        try:
            fields = _object(turn, TURN_FIELDS)
            role = fields.get("role")
            if role not in ROLES:
                raise Refused("role", f"It is one of {', '.join(ROLES)}.")
            at = _time(fields, "at", now)
            text = fields.get("text")
            if not isinstance(text, str):
                raise Refused("text", "It is text." if "text" in fields else "It is missing.")
            if not text and role != "tool":
                raise Refused("text", "Only the text of a tool turn may be empty.")
            said = TranscriptTurn(role, clean(text, "text"), at and fields["at"], _text(fields, "name", 200))
        except Refused as refused:
            raise Refused(_within(f"transcript.{number}", refused.field), refused.detail) from None
        size += len(said.text.encode()) + len(said.name.encode())
        if size > MOST_BYTES:
            raise TooLarge("transcript", f"It is larger than {MOST_BYTES // 1_000_000} MB.")
        read.append(said)
    return Transcript(tuple(read))


def rating_from_cells(
    cells: Sequence[str], columns: dict[str, int], *, zone: tzinfo, now: datetime, scale: str | None, source: str
) -> RatingRow:
    """One line of a CSV file. `columns` says where each of CSV_COLUMNS stands; `scale` and `source` stand in for cells
    that are blank or not there. Raises Refused."""
    told = {name: cells[place].strip() for name, place in columns.items()}
    for name, limit in LIMITS.items():
        text = told.get(name, "")
        if len(text) > limit:
            raise Refused(name, f"It is longer than {limit} characters.")
        if not text.isascii() or "\0" in text:
            clean(text, name)
    for name in ("external_id", "agent"):
        if not told[name]:
            raise Refused(name, "It is blank.")
    for name in ("agent", "team"):
        if why := names.fault(told.get(name, "")):
            raise Refused(name, why)
    scale = told.get("scale") or scale
    if scale is None:
        raise Refused("scale", "The values of the file do not tell their scale; name it in a column scale.")
    try:
        score = scales.hundredths(told["value"], scale)
    except scales.UnknownValue as error:
        raise Refused("value", str(error)) from None
    rated_at = _written_time(told["rated_at"], "rated_at", zone, now)
    closed_at = told.get("closed_at")
    if closed_at and columns["closed_at"] == columns["rated_at"]:
        closed = rated_at
    else:
        closed = _written_time(closed_at, "closed_at", zone, now) if closed_at else None
    return RatingRow(
        told["external_id"], told["agent"], told["value"], scale, score, rated_at, checked_source(told.get("source") or source),
        closed, told.get("team", ""), told.get("channel", ""),
    )  # fmt: skip


def checked_source(source: str) -> str:
    """The source, if it may be used for what is sent or imported. Raises Refused."""
    if not SLUG.fullmatch(source):
        raise Refused("source", "It is a short name of letters, digits, - and _ (at most 50).")
    if source.lower() in HELPDESKS:
        raise Refused("source", f"{source} is the name of a helpdesk, and those belong to connections. Choose another.")
    return source


def clean(text: str, field: str) -> str:
    """The text, if a database can hold it. Raises Refused for NUL characters and lone surrogates."""
    if "\0" in text:
        raise Refused(field, "It holds a NUL character.")
    if SURROGATE.search(text):
        raise Refused(field, "It holds half a character (a lone surrogate, or bytes that are not UTF-8).")
    return text


def storable(text: str) -> str:
    """The text with a question mark for each character that no database can hold, to be shown in a message."""
    return SURROGATE.sub("?", text.replace("\0", "?"))


def _rating(fields, now):
    value = fields.get("value")
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise Refused("value", "It is missing." if "value" not in fields else "It is a number or text.")
    as_text = isinstance(value, str)
    value = clean(str(value).strip(), "value")
    if len(value) > 50:
        raise Refused("value", "It is longer than 50 characters.")
    scale = _text(fields, "scale", 10, required=True)
    try:
        score = scales.hundredths(value, scale)
    except scales.UnknownValue as error:
        raise Refused("scale" if scale not in scales.Scale.values else "value", str(error)) from None
    if as_text and scale in scales.NUMBERS:
        raise Refused("value", "It is a number, not text.")
    return Csat(value, scale, score, _time(fields, "ratedAt", now, required=True))


def _object(value, allowed):
    if not isinstance(value, dict):
        raise Refused("", "It is not an object.")
    unknown = [name for name in value if name not in allowed]
    if unknown:
        raise Refused(storable(unknown[0])[:50], "No such field.")
    return value


def _text(fields, name, limit, *, required=False):
    text = fields.get(name)
    if text is None and not required:
        return ""
    if not isinstance(text, str):
        raise Refused(name, "It is text." if name in fields else "It is missing.")
    text = clean(text.strip(), name)
    if required and not text:
        raise Refused(name, "It is blank.")
    if len(text) > limit:
        raise Refused(name, f"It is longer than {limit} characters.")
    return text


def _source(fields):
    return (
        checked_source(_text(fields, "source", 50, required=True)) if fields.get("source") is not None else API_SOURCE
    )


def _number(fields, name):
    number = fields.get(name)
    if number is None:
        return None
    if type(number) is not int or not 1 <= number <= LARGEST_NUMBER:
        raise Refused(name, "It is a whole number from 1.")
    return number


def _time(fields, name, now, *, required=False):
    value = fields.get(name)
    if value is None and not required:
        return None
    if type(value) is not int:
        missing = name not in fields
        raise Refused(name, "It is missing." if missing else "It is a whole number: milliseconds since 1970.")
    try:
        return times.from_ms(value, now=now)
    except times.NotATime as error:
        raise Refused(name, str(error)) from None


def _written_time(text, name, zone, now):
    try:
        return times.from_text(text, zone=zone, now=now)
    except times.NotATime as error:
        raise Refused(name, storable(str(error))) from None


def _memories(served):
    if not isinstance(served, list) or len(served) > MOST_MEMORIES:
        raise Refused("memoriesServed", f"It is a list of at most {MOST_MEMORIES} entries.")
    read = []
    for number, entry in enumerate(served):
        place = f"memoriesServed.{number}"
        try:
            fields = _object(entry, ("id", "version"))
            pk, version = _text(fields, "id", 36, required=True), _number(fields, "version")
        except Refused as refused:
            raise Refused(_within(place, refused.field), refused.detail) from None
        if not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", pk) or version is None:
            raise Refused(place, "It is the id of a memory and the version that was served.")
        read.append({"id": pk, "version": version})
    return read


def _within(outer, inner):
    return f"{outer}.{inner}" if inner else outer
