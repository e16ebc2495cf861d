"""What pages show of notes: those of one agent in portions, one note's versions, the days offered for a follow-up."""

import calendar
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Q

from agents.access import Right, may
from agents.models import Agent, Member
from agents.templatetags.words import day
from coaching.models import Note
from coaching.pages.sharing import as_shared
from coaching.texts import diffs

MOST_NOTES = 50
MOST_VERSIONS = 100
CURRENT = Q(archived_at=None)
OWN = [field.name for field in Note._meta.concrete_fields]
OF_SAMPLE = [f"sample__{name}" for name in ("url", "closed_at", "conversation__source", "conversation__external_id")]
OF_EFFECT = ("effect__day", "effect__result")


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
    leads = may(member, Right.COACH_PEOPLE)
    rows = _of(member, agent)
    n = rows.aggregate(current=Count("pk", filter=CURRENT), archived=Count("pk", filter=~CURRENT))
    shown = _newest(member, rows.filter(CURRENT))
    archived = list(rows.exclude(CURRENT).order_by("-archived_at", "pk")[:MOST_NOTES]) if leads else []
    _name(agent, [*shown, *archived])
    return Notes(
        agent,
        shown,
        n_older=n["current"] - len(shown),
        archived=archived,
        n_archived=n["archived"] if leads else 0,
        reader=reader_of(agent) if leads else None,
        has_shared=leads and has_shared(member),
    )


def older(member, agent, than) -> Notes:
    """The notes on `agent` that come after `than`, one that is visible to `member`."""
    after = Q(created_at__lt=than.created_at) | Q(created_at=than.created_at, pk__gt=than.pk)
    rows = _of(member, agent).current().filter(after)
    shown = _newest(member, rows)
    _name(agent, shown)
    leads = may(member, Right.COACH_PEOPLE)
    return Notes(
        agent,
        shown,
        n_older=rows.count() - len(shown),
        archived=[],
        n_archived=0,
        reader=reader_of(agent) if leads else None,
        has_shared=False,
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


def _of(member, agent):
    return Note.objects.visible_to(member).filter(agent=agent)


def _newest(member, rows):
    """The newest of `rows` with what their lines say of samples and measurements."""
    rows = rows if may(member, Right.COACH_PEOPLE) else as_shared(rows)
    rows = rows.select_related("sample__conversation", "effect").only(*OWN, *OF_SAMPLE, *OF_EFFECT)
    return list(rows.order_by("-created_at", "pk")[:MOST_NOTES])


def _name(agent, notes):
    """Give `notes`, all of them on `agent`, whom their lines name: a handful of people, read once instead of with every note."""
    pks = {pk for note in notes for pk in (note.author_id, note.acknowledged_by_id, note.archived_by_id)}
    people = Member.objects.filter(pk__in=pks).select_related("user").only("user__name", "user__email")
    by_pk = {member.pk: member for member in people}
    for note in notes:
        note.agent, note.author = agent, by_pk[note.author_id]
        note.acknowledged_by, note.archived_by = by_pk.get(note.acknowledged_by_id), by_pk.get(note.archived_by_id)


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
