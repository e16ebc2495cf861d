"""What pages show of notes: those of one agent in portions, one note's versions, the days offered for a follow-up."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Q

from agents.access import Right, may
from agents.models import Agent, Member
from agents.templatetags.words import day
from coaching import diffs
from coaching.models import Note
from coaching.pages.sharing import as_shared

MOST_NOTES = 50
MOST_VERSIONS = 100


@dataclass(frozen=True)
class Notes:
    """A portion of the notes on `agent` that one member may read, newest first.

    `n_older` counts those after the `shown` ones. `archived` are the `n_archived` that were put away, newest first, at most
    MOST_NOTES of them; `reader` is the member who reads what is shared, None where nobody is linked to the agent; `has_shared`
    says whether the one who looks ever shared a note of theirs. All of these are for leaders and empty for everybody else.
    """

    agent: Agent
    shown: list[Note]
    n_older: int
    archived: list[Note]
    n_archived: int
    reader: Member | None
    has_shared: bool

    @property
    def last(self):
        """The note that the older ones come after."""
        return self.shown[-1]


@dataclass(frozen=True)
class Pick:
    """A day that is offered for a follow-up, in words that begin with how far off it is."""

    day: date
    words: str

    @property
    def value(self):
        return self.day.isoformat()


@dataclass(frozen=True)
class NoteVersion:
    """One version of a note: the history row `made`, what was done in it, and how the words changed if they did."""

    made: object
    what: list[str]
    words: tuple[diffs.Piece, ...]


@dataclass(frozen=True)
class NoteHistory:
    """The versions of `note`, newest first; `n_earlier` of them are not told."""

    note: Note
    versions: list[NoteVersion]
    n_earlier: int


def load(member, agent) -> Notes:
    """The newest notes on `agent` (one that is visible to `member`)."""
    rows = readable(member).filter(agent=agent)
    shown, n_older = _portion(rows.current())
    if not may(member, Right.COACH_PEOPLE):
        return Notes(agent, shown, n_older, archived=[], n_archived=0, reader=None, has_shared=False)
    archived = rows.filter(archived_at__isnull=False)
    return Notes(
        agent,
        shown,
        n_older,
        archived=list(archived.select_related("archived_by__user").order_by("-archived_at", "pk")[:MOST_NOTES]),
        n_archived=archived.count(),
        reader=reader_of(agent),
        has_shared=has_shared(member),
    )


def older(member, agent, than) -> Notes:
    """The notes on `agent` that come after `than`, one that is visible to `member`."""
    rows = readable(member).filter(agent=agent).current()
    after = Q(created_at__lt=than.created_at) | Q(created_at=than.created_at, pk__gt=than.pk)
    shown, n_older = _portion(rows.filter(after))
    leads = may(member, Right.COACH_PEOPLE)
    return Notes(
        agent, shown, n_older, archived=[], n_archived=0, reader=reader_of(agent) if leads else None, has_shared=False
    )


def readable(member):
    """The notes that `member` may read, with whom a line of them names; for others than leaders with `shared_at`."""
    rows = Note.objects.visible_to(member).select_related(
        "agent", "author__user", "acknowledged_by__user", "sample__conversation", "effect"
    )
    return rows if may(member, Right.COACH_PEOPLE) else as_shared(rows)


def reader_of(agent):
    """The member who reads what is shared with `agent`; None where nobody is linked."""
    return Member.objects.current().filter(agent=agent).select_related("user").first()


def has_shared(member):
    """Whether a note that `member` wrote was ever shared."""
    return Note.history.filter(author_id=member.pk, shared_with_agent=True).exists()


def picks(today) -> list[Pick]:
    """The days that are offered for a follow-up, counted from `today`."""
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    in_a_month = date(year, month, min(today.day, calendar.monthrange(year, month)[1]))
    days = (
        (today + timedelta(days=1), "tomorrow"),
        (today + timedelta(days=7), "in a week"),
        (today + timedelta(days=14), "in two weeks"),
        (in_a_month, "in a month"),
    )
    return [Pick(at, f"{words}, {at:%a} {day(at)}") for at, words in days]


def history(note) -> NoteHistory:
    """What was done to `note`, version by version."""
    rows = list(note.history.select_related("history_user").order_by("-version")[: MOST_VERSIONS + 1])
    pairs = zip(rows, [*rows[1:], None], strict=True)
    told = [_version(note, made, before) for made, before in pairs][:MOST_VERSIONS]
    return NoteHistory(note, told, n_earlier=max(0, note.version - len(told)))


def _portion(rows):
    """The newest of `rows` and how many come after them."""
    shown = list(rows.order_by("-created_at", "pk")[:MOST_NOTES])
    return shown, max(0, rows.count() - MOST_NOTES)  # counted in any case: as many queries however many notes


def _version(note, made, before):
    if before is None:
        what = ["Written, and shared" if made.shared_with_agent else "Written, private"]
        if made.follow_up_at:
            what.append(f"Follow-up on {day(made.follow_up_at)}")
        return NoteVersion(made, what, words=(diffs.Piece("", made.body),))
    changed = made.body != before.body
    what = [said for said in _done(note, made, before) if said]
    return NoteVersion(made, what or ["Saved again"], diffs.words(before.body, made.body) if changed else ())


def _done(note, made, before):
    """What differs between two neighbouring versions, apart from the words, as sentences without their ends."""
    if made.body != before.body:
        yield "New words"
    if made.shared_with_agent != before.shared_with_agent:
        yield f"Shared with {note.agent}" if made.shared_with_agent else "Made private"
    if made.follow_up_at != before.follow_up_at:
        if made.follow_up_at is None:
            yield "No follow-up any more"
        elif before.follow_up_at is None:
            yield f"Follow-up on {day(made.follow_up_at)}"
        else:
            yield f"Follow-up moved from {day(before.follow_up_at)} to {day(made.follow_up_at)}"
    elif bool(made.followed_up_at) != bool(before.followed_up_at):
        yield "Followed up" if made.followed_up_at else "Not followed up after all"
    if made.sample_id != before.sample_id:
        yield "About another conversation" if made.sample_id else "Not about one conversation any more"
    if bool(made.archived_at) != bool(before.archived_at):
        yield "Archived" if made.archived_at else "Restored"
    if bool(made.acknowledged_at) != bool(before.acknowledged_at):
        yield f"Read by {note.agent}" if made.acknowledged_at else f"Not read by {note.agent} as it is now"
