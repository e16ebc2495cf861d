"""A leader's follow-ups for calendar programs (RFC 5545): the feed they subscribe to, the key that opens it, and one
follow-up as a file or a link. Agents are named; what a note says stays in the product."""

import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from django.conf import settings
from django.core import signing
from django.db.models import OuterRef, Q, Subquery
from django.utils import timezone
from icalendar import Calendar, Event, vDuration

from agents.access import Right, may
from agents.models import Member
from coaching.actions import feeds
from coaching.models import Note

NAME = "Follow-ups"
LASTS = timedelta(minutes=30)
REFRESH = timedelta(hours=1)  # how often programs that listen are asked to look again
# So long that a program that looks once in a while sees it; then the event is left out.
CANCELLED_STAYS = timedelta(days=14)
DONE_STAYS = timedelta(days=90)
MOST = 2_000  # events of one feed; beyond, the farthest back are left out
GOOGLE = "https://calendar.google.com/calendar/render"
_signer = signing.Signer(salt="follow-ups")


def feed_url(member) -> str:
    """The private address of the member's feed: whoever knows it may read it, as calendar programs send nothing else."""
    return url_of(feeds.of(member))


def url_of(feed) -> str:
    """The address of a CalendarFeed, stored or not."""
    key = _signer.sign(f"{feed.member_id}.{feed.number}")
    return f"{settings.PUBLIC_URL}/api/v1/coaching/follow-ups.ics?{urlencode({'key': key})}"


def reader_of(key: str) -> Member | None:
    """The leader whose feed this key opens; None for a forged or replaced one, and for somebody who left or leads no more."""
    try:
        pk, _, number = _signer.unsign(key).partition(".")
    except signing.BadSignature:
        return None
    member = Member.objects.current().filter(pk=pk).select_related("workspace").first()
    if member is None or not may(member, Right.COACH_PEOPLE) or str(feeds.of(member).number) != number:
        return None
    return member


def feed(member) -> bytes:
    """The member's own follow-ups: those that wait, those that were made, and for a while those that are not asked for any
    more, as cancelled. The same rows give the same bytes."""
    now = timezone.now()
    shown = sorted([*_asked(member, now), *_taken_off(member, now)], key=lambda one: (one.at, one.note.pk))
    calendar = _calendar()
    calendar.add("name", NAME)
    calendar.add("x-wr-calname", NAME)
    calendar.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for one in shown[-MOST:]:
        calendar.add_component(_event(one))
    return calendar.to_ical()


def single(note) -> bytes:
    """One note's follow-up as a file of its own, the event with the same UID as in the feed."""
    calendar = _calendar()
    calendar.add_component(_event(_Entry(note, note.follow_up_at, is_cancelled=False)))
    return calendar.to_ical()


def google_link(note, zone_name: str) -> str:
    """The address that opens Google Calendar with the note's follow-up filled in, to be shown in the time zone of that name."""
    begins, ends = (f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}" for at in (note.follow_up_at, note.follow_up_at + LASTS))
    asked = {
        "action": "TEMPLATE",
        "text": _title(note),
        "dates": f"{begins}/{ends}",
        "ctz": zone_name,
        "details": _link(note),
    }
    return f"{GOOGLE}?{urlencode(asked)}"


@dataclass(frozen=True)
class _Entry:
    """A note in the calendar, at the instant its follow-up is or was asked for."""

    note: Note
    at: datetime
    is_cancelled: bool


def _own(member):
    return Note.objects.visible_to(member).filter(author=member).select_related("agent")


def _asked(member, now):
    """Notes that ask for a follow-up, or did until they were archived or ticked off."""
    wanted = (
        Q(archived_at=None, followed_up_at=None)
        | Q(archived_at=None, follow_up_at__gte=now - DONE_STAYS)
        | Q(archived_at__gte=now - CANCELLED_STAYS)
    )
    for note in _own(member).filter(wanted, follow_up_at__isnull=False).order_by("-follow_up_at", "pk")[:MOST]:
        early = _ticked_before_its_day(note, member.workspace.zone)
        if not early or note.followed_up_at >= now - CANCELLED_STAYS:
            yield _Entry(note, note.follow_up_at, is_cancelled=early or note.archived_at is not None)


def _ticked_before_its_day(note, zone):
    """Whether nothing is asked for on the day itself: it was done before."""
    if note.followed_up_at is None:
        return False
    return note.followed_up_at.astimezone(zone).date() < note.follow_up_at.astimezone(zone).date()


def _taken_off(member, now):
    """Notes that ask for no follow-up any more, at the instant they last asked for."""
    versions = Note.history.filter(id=OuterRef("pk"))
    asking = versions.filter(follow_up_at__isnull=False).order_by("-version")
    after = versions.filter(version__gt=OuterRef("last_asking")).order_by("version")
    rows = _own(member).filter(follow_up_at=None, updated_at__gte=now - CANCELLED_STAYS)
    rows = rows.annotate(
        last_asking=Subquery(asking.values("version")[:1]), asked_at=Subquery(asking.values("follow_up_at")[:1])
    ).annotate(off_at=Subquery(after.values("history_date")[:1]))
    for note in rows.filter(off_at__gte=now - CANCELLED_STAYS).order_by("-asked_at", "pk")[:MOST]:
        yield _Entry(note, note.asked_at, is_cancelled=True)


def _calendar():
    calendar = Calendar()
    calendar.add("prodid", "-//Touchline//Follow-ups//EN")
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    return calendar


def _event(entry):
    """One VEVENT. All times are UTC: an instant that every program shows on its reader's own clock."""
    note, event = entry.note, Event()
    event.add("uid", f"{note.pk}@touchline")
    event.add("sequence", note.version)
    # In a calendar without METHOD the two are the same (RFC 5545, 3.8.7.2), and what did not change reads as unchanged.
    event.add("dtstamp", note.updated_at.astimezone(UTC))
    event.add("last-modified", note.updated_at.astimezone(UTC))
    event.add("created", note.created_at.astimezone(UTC))
    event.add("dtstart", entry.at.astimezone(UTC))
    event.add("dtend", (entry.at + LASTS).astimezone(UTC))
    event.add("summary", _title(note))
    event.add("description", _link(note))
    event.add("url", _link(note))
    event.add("status", "CANCELLED" if entry.is_cancelled else "CONFIRMED")
    event.add("transp", "TRANSPARENT")  # a reminder keeps nobody from being invited
    event.add("class", "PRIVATE")  # it names a person: who sees the leader's calendar need not read it
    return event


def _title(note):
    """ "Follow up with NAME", on one line and without what no calendar can show."""
    name = "".join(
        character for character in note.agent.name if character.isspace() or unicodedata.category(character) != "Cc"
    )
    return f"Follow up with {' '.join(name.split())}"


def _link(note):
    return f"{settings.PUBLIC_URL}/team/{note.agent_id}"
