"""What can be done to notes and their follow-ups."""

import uuid
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import history
from agents.access import NotAllowed, Refusal, Right, require
from agents.models import Member
from coaching.models import Note
from coaching.models.notes import NOTE_LIMIT


class Archived(Refusal):
    """An archived note can be restored, not changed."""


class ChangedMeanwhile(Refusal):
    """Somebody changed the note after the version that an edit was typed against. `note` is as they left it."""

    def __init__(self, note):
        super().__init__("This note was changed meanwhile.")
        self.note = note


class NoFollowUp(Refusal):
    """The note asks for no follow-up, or not any more."""


def write(agent, *, by, body, sample=None, follow_up_at=None, shared_with_agent=False, id=None):
    """A new note on `agent`, private to leaders unless shared. Raises NotAllowed, ValidationError.

    With an `id` of the caller's choice, the same note asked for twice is made once and returned as it stands now. Other words
    under that id are another note: a page that was gone back to is no reason to lose them.
    """
    require(by, Right.COACH_PEOPLE)
    if sample is not None and sample.agent_id != agent.pk:
        raise ValidationError({"sampleId": "This sample belongs to another agent."})
    note = Note(
        id=id or uuid.uuid4(), workspace_id=agent.workspace_id, agent=agent, author=by, body=checked_body(body), sample=sample,
        follow_up_at=checked_follow_up(follow_up_at), shared_with_agent=checked_sharing(agent, shared_with_agent),
    )  # fmt: skip
    note._history_user = by.user  # type: ignore[attr-defined]  # simple-history reads it
    try:
        with transaction.atomic():
            note.save(force_insert=True)
    except IntegrityError:
        if id is None or not Note.objects.filter(pk=id).exists():
            raise
        first = Note.history.filter(id=id, version=1, agent=agent, author=by, body=note.body)
        told = {"sample": sample, "follow_up_at": follow_up_at, "shared_with_agent": shared_with_agent}
        if first.filter(**told).exists():
            return Note.objects.get(pk=id)
        return write(agent, by=by, body=body, **told)
    return note


def edit(note, *, by, base_version=None, **changes):
    """Change body, follow_up_at or shared_with_agent. What is already so makes no version.

    Where somebody else changed the note after `base_version`, the edit is refused; without one it is put over theirs. New words
    were not read by anybody, and what is private is not to be read: both take the acknowledgement away.
    Raises NotAllowed, Archived, ChangedMeanwhile, ValidationError.
    """
    require(by, Right.COACH_PEOPLE)
    if "body" in changes:
        changes["body"] = checked_body(changes["body"])
    if "shared_with_agent" in changes:
        checked_sharing(note.agent, changes["shared_with_agent"])
    while True:
        new = {field: value for field, value in changes.items() if getattr(note, field) != value}
        if (base_version in (None, note.version) or not new) and _edited(note, by, new):
            return note
        note.refresh_from_db()
        if note.archived_at is not None:
            raise Archived("This note is archived. Restore it to change it.")
        if base_version not in (None, note.version):
            raise ChangedMeanwhile(note)


def _edited(note, by, new):
    """Store the values `new` on the note as it was read; False where it has moved on since, or is archived."""
    as_read = Note.objects.current().filter(pk=note.pk, version=note.version)
    if not new:
        return as_read.exists()
    values = dict(new)
    if "follow_up_at" in new:
        checked_follow_up(new["follow_up_at"])
        values["followed_up_at"] = None
    if "body" in new or not new.get("shared_with_agent", True):
        values |= {"acknowledged_at": None, "acknowledged_by": None}
    return history.change(note, as_read, by=by, **values)


def archive(note, *, by):
    """Put the note away; its history stays. Raises NotAllowed, Archived."""
    require(by, Right.COACH_PEOPLE)
    return _change(note, Note.objects.current(), by, archived_at=timezone.now(), archived_by=by)


def restore(note, *, by):
    """Bring an archived note back as it was. Harmless where it was not archived. Raises NotAllowed."""
    require(by, Right.COACH_PEOPLE)
    archived = Note.objects.filter(archived_at__isnull=False)
    if not history.change(note, archived, by=by, archived_at=None, archived_by=None):
        note.refresh_from_db()
    return note


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
    """The body, trimmed, with plain line feeds. Raises ValidationError where nothing of it can be seen or it is too long."""
    body = (body or "").replace("\r\n", "\n").strip()  # browsers send CR LF
    if not any(character.isprintable() and not character.isspace() for character in body):
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


def checked_sharing(agent, shared):
    """Whether the note is shared. Raises ValidationError where there is nobody to share it with."""
    if shared and agent.is_ai:
        raise ValidationError({"sharedWithAgent": "An AI agent reads no notes: there is nobody to share this with."})
    return shared


# --- Follow-ups that are put off --------------------------------------------------------------------------------------


def snooze(note, *, by, until):
    """Ask for the follow-up at the instant `until` instead. Harmless where it is asked for then already.

    Raises NotAllowed, Archived, NoFollowUp, ValidationError.
    """
    require(by, Right.COACH_PEOPLE)
    checked_follow_up(until)
    waiting = Note.objects.following_up()
    if not history.change(note, waiting.exclude(follow_up_at=until), by=by, follow_up_at=until):
        _still_waiting(note)
    return note


def unsnooze(note, *, by, version):
    """Take back the snooze that made `version` of the note: it is asked for when it was before, overdue or not.

    Harmless to repeat. Raises NotAllowed, Archived, NoFollowUp, ChangedMeanwhile.
    """
    require(by, Right.COACH_PEOPLE)
    before = note.history.filter(version=version - 1).values_list("follow_up_at", flat=True).first()
    rows = Note.objects.following_up().filter(version=version).exclude(follow_up_at=before)
    if before is None or not history.change(note, rows, by=by, follow_up_at=before):
        _still_waiting(note)
        if note.follow_up_at != before:
            raise ChangedMeanwhile(note)
    return note


def _still_waiting(note):
    note.refresh_from_db()
    if note.archived_at is not None:
        raise Archived("This note is archived. Restore it to change it.")
    if note.follow_up_at is None or note.followed_up_at is not None:
        raise NoFollowUp("This note asks for no follow-up any more.")


# --- Notes that were read by the person they are about ----------------------------------------------------------------

UNREAD_WITHIN = timedelta(hours=1)  # for so long "I have read this" can be taken back


class WordsChanged(Refusal):
    """The note says something else than what was read."""


class TooLate(Refusal):
    """What was said stands for too long to be taken back."""


def acknowledge(note, *, by, body):
    """The person whom a shared note is about says that they have read its words, `body`. Harmless to repeat.

    Raises NotAllowed, WordsChanged.
    """
    unread = _shared_with(by).filter(acknowledged_at=None, body=body)
    if not history.change(note, unread, by=by, acknowledged_at=timezone.now(), acknowledged_by=by):
        _still_shared(note, by)
        if note.acknowledged_at is None:
            raise WordsChanged("These words were changed a moment ago. Please read them again.")
    return note


def unacknowledge(note, *, by):
    """Take it back, within the hour. Harmless where it was not said. Raises NotAllowed, TooLate."""
    lately = _shared_with(by).filter(acknowledged_by=by, acknowledged_at__gte=timezone.now() - UNREAD_WITHIN)
    if not history.change(note, lately, by=by, acknowledged_at=None, acknowledged_by=None):
        _still_shared(note, by)
        if note.acknowledged_at is not None:
            raise TooLate("This can be taken back for an hour only.")
    return note


def _shared_with(member):
    """The notes that were shared with the agent who is the member, as linked at this moment.

    The link is read apart: as a join it would make of an update's guard a list of ids, which PostgreSQL does not look at again
    once another change of the row is through.
    """
    agent_id = Member.objects.current().filter(pk=member.pk).values_list("agent_id", flat=True).first()
    if agent_id is None:
        return Note.objects.none()
    return Note.objects.current().filter(shared_with_agent=True, agent_id=agent_id)


def _still_shared(note, member):
    if not _shared_with(member).filter(pk=note.pk).exists():
        raise NotAllowed(
            "Only the person whom a note is about may say that they have read it, while it is shared with them."
        )
    note.refresh_from_db()
