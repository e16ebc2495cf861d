"""What can be done to notes and their follow-ups."""

from django.core.exceptions import ValidationError
from django.utils import timezone

from agents import history
from agents.access import Refusal, Right, require
from coaching.models import Note
from coaching.models.notes import NOTE_LIMIT


class Archived(Refusal):
    """An archived note can be restored, not changed."""


class NoFollowUp(Refusal):
    """The note asks for no follow-up, or not any more."""


def write(agent, *, by, body, sample=None, follow_up_at=None, shared_with_agent=False):
    """A new note on `agent`, private to leaders unless shared. Raises NotAllowed, ValidationError."""
    require(by, Right.COACH_PEOPLE)
    if sample is not None and sample.agent_id != agent.pk:
        raise ValidationError({"sampleId": "This sample belongs to another agent."})
    note = Note(
        workspace_id=agent.workspace_id, agent=agent, author=by, body=checked_body(body), sample=sample,
        follow_up_at=checked_follow_up(follow_up_at), shared_with_agent=shared_with_agent,
    )  # fmt: skip
    note._history_user = by.user  # type: ignore[attr-defined]  # simple-history reads it
    note.save(force_insert=True)
    return note


def edit(note, *, by, **changes):
    """Change body, follow_up_at or shared_with_agent. Raises NotAllowed, Archived, ValidationError."""
    require(by, Right.COACH_PEOPLE)
    if "body" in changes:
        changes["body"] = checked_body(changes["body"])
    if "follow_up_at" in changes and changes["follow_up_at"] != note.follow_up_at:
        checked_follow_up(changes["follow_up_at"])
        changes["followed_up_at"] = None
    return _change(note, Note.objects.current(), by, **changes)


def archive(note, *, by):
    """Put the note away; its history stays. Raises NotAllowed, Archived."""
    require(by, Right.COACH_PEOPLE)
    return _change(note, Note.objects.current(), by, archived_at=timezone.now(), archived_by=by)


def restore(note, *, by):
    """Bring an archived note back. Harmless where it was not archived. Raises NotAllowed."""
    require(by, Right.COACH_PEOPLE)
    return _change(note, Note.objects.all(), by, archived_at=None, archived_by=None)


def follow_up_done(note, *, by):
    """Tick the follow-up off. Harmless where somebody did before. Raises NotAllowed, Archived, NoFollowUp."""
    require(by, Right.COACH_PEOPLE)
    asks = Note.objects.current().filter(follow_up_at__isnull=False)
    return _tick(note, asks.filter(followed_up_at=None), asks, by, timezone.now())


def follow_up_not_done(note, *, by):
    """Take the tick back. Harmless where there is none. Raises NotAllowed, Archived, NoFollowUp."""
    require(by, Right.COACH_PEOPLE)
    asks = Note.objects.current().filter(follow_up_at__isnull=False)
    return _tick(note, asks.filter(followed_up_at__isnull=False), asks, by, None)


def _tick(note, rows, asks, by, at):
    """Set followed_up_at of the note if it is among `rows`; leave it where it is already so, among `asks`."""
    try:
        return _change(note, rows, by, followed_up_at=at)
    except Archived:
        note.refresh_from_db()
        if note.archived_at is not None:
            raise
        if not asks.filter(pk=note.pk).exists():
            raise NoFollowUp("This note asks for no follow-up any more.") from None
        return note


def _change(note, rows, by, **values):
    if not history.change(note, rows, by=by, **values):
        raise Archived("This note is archived. Restore it to change it.")
    return note


def checked_body(body):
    """The body, trimmed. Raises ValidationError where it is empty or too long."""
    body = (body or "").strip()
    if not body:
        raise ValidationError({"body": "A note needs some words."})
    if len(body) > NOTE_LIMIT:
        raise ValidationError({"body": f"A note has at most {NOTE_LIMIT:,} characters."})
    return body


def checked_follow_up(at):
    """The instant, if it lies ahead and within ten years. Raises ValidationError."""
    now = timezone.now()
    if at is not None and at <= now:
        raise ValidationError({"followUpAt": "A follow-up lies ahead."})
    if at is not None and at.year > now.year + 10:
        raise ValidationError({"followUpAt": "A follow-up lies within ten years."})
    return at
