"""A leader's follow-ups as a calendar that other programs read (RFC 5545), and the key that opens it."""

from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.utils import timezone

from agents.access import Right, may
from agents.models import Member
from coaching.models import Note

LASTS = timedelta(minutes=30)
LINE = 70  # bytes of a line; longer ones are folded
_signer = signing.Signer(salt="follow-ups")


def feed_url(member) -> str:
    """The private address of the member's feed: whoever knows it may read it, as calendar programs send nothing else."""
    return f"{settings.PUBLIC_URL}/api/v1/coaching/follow-ups.ics?key={_signer.sign(str(member.pk))}"


def reader_of(key: str) -> Member | None:
    """The leader whose feed this key opens; None for a forged one, and for somebody who left or leads no more."""
    try:
        member = Member.objects.current().filter(pk=_signer.unsign(key)).first()
    except signing.BadSignature:
        return None
    return member if member is not None and may(member, Right.COACH_PEOPLE) else None


def feed(member) -> str:
    """The member's own open follow-ups. Names only the agent: what the note says stays in the product."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//Touchline//Follow-ups//EN", "X-WR-CALNAME:Follow-ups"]
    notes = Note.objects.visible_to(member).following_up().filter(author=member).select_related("agent")
    for note in notes.order_by("follow_up_at", "id"):
        lines += [
            "BEGIN:VEVENT",
            f"UID:{note.pk}@touchline",
            f"DTSTAMP:{_spelled(timezone.now())}",
            f"DTSTART:{_spelled(note.follow_up_at)}",
            f"DTEND:{_spelled(note.follow_up_at + LASTS)}",
            f"SUMMARY:Follow up with {_escaped(note.agent.name)}",
            f"URL:{settings.PUBLIC_URL}/team/{note.agent_id}",
            "END:VEVENT",
        ]
    return "".join(f"{folded}\r\n" for line in [*lines, "END:VCALENDAR"] for folded in _folded(line))


def _spelled(at):
    return f"{at.astimezone(timezone.get_default_timezone()):%Y%m%dT%H%M%SZ}"


def _escaped(text):
    for character in ("\\", ";", ","):
        text = text.replace(character, f"\\{character}")
    return text.replace("\r", "").replace("\n", "\\n")


def _folded(line):
    """A long line goes on in lines that begin with a blank; no character is cut in half."""
    start, size = 0, 0
    for at, character in enumerate(line):
        size += len(character.encode())
        if size > LINE:
            yield (" " if start else "") + line[start:at]
            start, size = at, len(character.encode()) + 1
    yield (" " if start else "") + line[start:]
