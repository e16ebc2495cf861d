"""What waits for the leaders: flags to coach on, new levels to talk about, follow-ups of notes. A fixed number of queries,
however much waits.

The count in the top bar and the page ask the same querysets, so that they never differ."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode

from django.db.models import Q
from django.utils import timezone

from agents.models import Agent
from agents.paging import n_pages_of, page_asked
from coaching import trajectory
from coaching.actions import flags, policies
from coaching.csat import causes
from coaching.models import Flag, Note
from coaching.pages import slack
from coaching.pages.history import HistoryQuestion
from helpdesk.pages import connections as helpdesks

CARDS = 25  # flags on one page
FOLLOW_UPS = 25  # on one page
DONE_DAYS = 7  # for so long what was ticked off can be taken back here
MOST_DONE = 30


def moments(member) -> dict[str, date | datetime]:
    """By the workspace's calendar: the day `ended_after` which a new level still waits for a talk, which it does as long as the
    scan rests after it; and the instant at which `tomorrow` begins."""
    return {
        "ended_after": _today(member) - timedelta(days=trajectory.REST_DAYS),
        "tomorrow": _midnight(member, 1),
    }


def flags_to_coach(member, ended_after):
    """The flags that ask for a talk; see `moments`."""
    return Flag.objects.visible_to(member).to_coach(ended_after)


def follow_ups_due(member, tomorrow):
    """The follow-ups whose day has come; see `moments`."""
    return Note.objects.visible_to(member).following_up().filter(follow_up_at__lt=tomorrow)


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given."""

    done: bool = False  # what was ticked off is unfolded
    page: int = 1  # of the cards
    notes: int = 1  # page of the follow-ups

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        return cls(done=query.get("done") == "1", page=page_asked(query), notes=page_asked(query, "notes"))

    def query(self, **changes):
        """The query string, with its question mark, after `changes` (`just` may be among them); empty where nothing is asked."""
        just = changes.pop("just", None)
        q = replace(self, **changes)
        given = {
            "done": "1" if q.done else "",
            "page": q.page if q.page > 1 else "",
            "notes": q.notes if q.notes > 1 else "",
            "just": just,
        }
        encoded = urlencode({key: value for key, value in given.items() if value})
        return f"?{encoded}" if encoded else ""


@dataclass(frozen=True)
class Card:
    """One flag to coach on. `is_just` marks the one that was acted on a moment ago, which may not wait any more."""

    flag: Flag
    sentence: str
    waits: bool
    is_just: bool

    @property
    def is_new_level(self):
        return self.flag.status == Flag.Status.EXPIRED

    @property
    def cause(self):
        return causes.said(self.flag)

    @property
    def worst(self):
        """The query of the conversations behind it: the samples of an automatic flag, else the low-rated ones of its weeks."""
        about = HistoryQuestion(agent=str(self.flag.agent_id))
        if self.flag.kind == Flag.Kind.AUTO:
            return replace(about, flagged=True).query()
        return replace(about, score="low", rated=True, after=self.flag.since).query()

    @property
    def rests_until(self):
        """The first day on which the scan may flag the agent again after a dismissal; None where it does not rest."""
        if self.flag.kind == Flag.Kind.MANUAL or self.flag.closed_on is None:
            return None
        return self.flag.closed_on + timedelta(days=trajectory.REST_DAYS)


@dataclass(frozen=True)
class Later:
    """A day that a follow-up can be put off to, in the words of a button."""

    words: str
    day: date


@dataclass(frozen=True)
class FollowUp:
    """One follow-up of a note; `waits` and `is_just` as for a card.

    `snoozed_from` is when it was asked for before, where that is what was just changed. `later` are days it can be put off to
    with one press.
    """

    note: Note
    waits: bool
    is_just: bool
    snoozed_from: datetime | None
    later: tuple[Later, ...]
    first_day: date


@dataclass(frozen=True)
class Group:
    """Follow-ups that are due at about the same time: "Overdue", "Today", "This week", "Later"."""

    title: str
    follow_ups: list[FollowUp]


@dataclass(frozen=True)
class Ticked:
    """Something that was ticked off or dismissed of late: a flag or a note, never both."""

    at: datetime
    agent: Agent
    flag: Flag | None = None
    note: Note | None = None


@dataclass(frozen=True)
class Paged:
    """A page of a list as `_pages.html` wants it; `question.page` is the page that is shown."""

    question: Question
    n_pages: int
    previous_page: str | None
    next_page: str | None


@dataclass(frozen=True)
class TodoPage:
    """Everything the page shows. `n_cards` and `n_due` are what the top bar counts; `n_ahead` are follow-ups of later days.
    `helpdesks` and `slack` are what wants somebody to look at it there. Where there is no card at all, `n_ticked` flags stand
    open but are ticked off, and `automatic` says whether anything looks for falls; else both are None."""

    question: Question
    cards: list[Card]
    card_pages: Paged
    groups: list[Group]
    note_pages: Paged
    done: list[Ticked]
    done_is_cut: bool
    n_cards: int
    n_due: int
    n_ahead: int
    n_ticked: int | None
    automatic: bool | None
    helpdesks: list[helpdesks.Trouble]
    slack: list[slack.Trouble]

    @property
    def n_waiting(self):
        return self.n_cards + self.n_due


def load(member, top, question, just=None):
    """The To do page for a leader. `top` is the Navigation of the top bar over it: what is counted there is not asked again.
    `just` is the id of the flag or note that was acted on a moment ago."""
    waiting = flags_to_coach(member, moments(member)["ended_after"])
    ranked = sorted(waiting.values_list("pk", "status", "kind", "opened_at", *LEVELS), key=_rank)
    n_pages = n_pages_of(len(ranked), CARDS)
    following = Note.objects.visible_to(member).following_up()
    n_notes, n_due = following.count(), top.follow_ups_due
    n_note_pages = n_pages_of(n_notes, FOLLOW_UPS)
    question = replace(question, page=min(question.page, n_pages), notes=min(question.notes, n_note_pages))
    shown = ranked[(question.page - 1) * CARDS : question.page * CARDS]
    done, done_is_cut = _done(member)
    n_ticked = automatic = None
    if not ranked:
        n_ticked = Flag.objects.visible_to(member).open().filter(agent__active=True, coached_at__isnull=False).count()
        automatic = policies.of(member.workspace).automatic
    return TodoPage(
        question=question,
        cards=_cards(member, shown, just),
        card_pages=_paged(question, "page", n_pages),
        groups=_groups(member, following, question, just),
        note_pages=_paged(question, "notes", n_note_pages),
        done=done,
        done_is_cut=done_is_cut,
        n_cards=len(ranked),
        n_due=n_due,
        n_ahead=n_notes - n_due,
        n_ticked=n_ticked,
        automatic=automatic,
        helpdesks=helpdesks.troubles(member.workspace_id) if top.helpdesk_trouble else [],
        slack=slack.troubles(member.workspace_id) if top.slack_trouble else [],
    )


LEVELS = ("evidence__expected", "evidence__observed")


def _rank(row):
    """Open flags before new levels; among the open ones those that a leader raised; then the largest fall, then the newest."""
    _, status, kind, opened_at, expected, observed = row
    points = round(expected - observed) if expected is not None and observed is not None else 0
    return status != Flag.Status.OPEN, kind != Flag.Kind.MANUAL, -points, -opened_at.timestamp()


def _cards(member, ranked, just):
    rows = {row[0]: row for row in ranked}
    wanted = [*rows, *([just] if just else [])]
    found = Flag.objects.visible_to(member).filter(pk__in=wanted)
    found = found.select_related("agent__team", "opened_by__user", "closed_by__user", "coached_by__user")
    today = _today(member)
    cards = [Card(one, flags.sentence(one, today=today), one.pk in rows, one.pk == just) for one in found]
    return sorted(cards, key=lambda card: _rank(_row(card.flag)))


def _row(flag):
    """A flag as it is ranked. One that is closed keeps its place, so that what became of it stands where it stood."""
    status = flag.status if flag.status == Flag.Status.EXPIRED else Flag.Status.OPEN
    return flag.pk, status, flag.kind, flag.opened_at, flag.evidence.get("expected"), flag.evidence.get("observed")


def _groups(member, following, question, just):
    rows = following.order_by("follow_up_at", "pk")[(question.notes - 1) * FOLLOW_UPS : question.notes * FOLLOW_UPS]
    wanted = {*rows.values_list("pk", flat=True), *([just] if just else [])}
    found = Note.objects.visible_to(member).filter(pk__in=wanted, follow_up_at__isnull=False)
    found = found.select_related("agent__team", "author__user").order_by("follow_up_at", "pk")
    spans = _spans(member)
    groups = {title: [] for title, _ in spans}
    today, zone, before = _today(member), member.workspace.zone, _just_before(just)
    for note in found:
        title = next(title for title, end in spans if end is None or note.follow_up_at < end)
        groups[title].append(_follow_up(note, today, zone, just, before))
    return [Group(title, follow_ups) for title, follow_ups in groups.items() if follow_ups]


def _just_before(just):
    """When the note that was acted on was followed up before its newest version; None where it was not, where there is no
    such note, or where that version took another change back: that is not offered to be taken back again."""
    if just is None:
        return None
    versions = Note.history.filter(id=just).order_by("-version").values_list("follow_up_at", flat=True)[:3]
    now, before, earlier = [*versions, None, None, None][:3]
    return None if now == earlier else before


def _follow_up(note, today, zone, just, before):
    due, is_just = note.follow_up_at.astimezone(zone).date(), note.pk == just
    waits = note.followed_up_at is None and note.archived_at is None
    return FollowUp(
        note,
        waits=waits,
        is_just=is_just,
        snoozed_from=before if is_just and waits and before != note.follow_up_at else None,
        later=_later(due, today),
        first_day=today,
    )


def _later(due, today):
    """Days after the one it is due on: what is overdue is put off from today."""
    words = ("A day later", "A week later") if due > today else ("Tomorrow", "In a week")
    return tuple(Later(said, max(due, today) + timedelta(days=days)) for said, days in zip(words, (1, 7), strict=True))


def snoozed_to(note, day, zone):
    """The instant on `day` that a follow-up is put off to: at the time of day it had, on the clock of `zone`."""
    return datetime.combine(day, note.follow_up_at.astimezone(zone).time(), zone)


def _spans(member):
    """The groups with the instant at which each ends. A week ends with its Sunday."""
    to_monday = 7 - _today(member).weekday()
    return [
        ("Overdue", _midnight(member, 0)),
        ("Today", _midnight(member, 1)),
        ("This week", _midnight(member, to_monday)),
        ("Later", None),
    ]


def _done(member):
    """What was ticked off or dismissed in the last days, newest first, and whether there is more than is shown."""
    since = timezone.now() - timedelta(days=DONE_DAYS)
    ticked = Q(coached_at__gte=since, status__in=[Flag.Status.OPEN, Flag.Status.EXPIRED])
    dismissed = Q(status=Flag.Status.DISMISSED, closed_at__gte=since)
    found = Flag.objects.visible_to(member).filter(ticked | dismissed, agent__active=True)
    found = found.select_related("agent", "closed_by__user", "coached_by__user").order_by("-opened_at", "pk")
    notes = Note.objects.visible_to(member).current().filter(followed_up_at__gte=since)
    done = [
        Ticked(one.closed_at if one.status == Flag.Status.DISMISSED else one.coached_at, one.agent, flag=one)
        for one in found
    ]
    done += [
        Ticked(one.followed_up_at, one.agent, note=one)
        for one in notes.select_related("agent").order_by("-followed_up_at", "pk")[: MOST_DONE + 1]
    ]
    done.sort(key=lambda one: one.at, reverse=True)
    return done[:MOST_DONE], len(done) > MOST_DONE


def _paged(question, name, n_pages):
    now = getattr(question, name)
    return Paged(
        question=replace(question, page=now),
        n_pages=n_pages,
        previous_page=(question.query(**{name: now - 1}) or "?") if now > 1 else None,
        next_page=question.query(**{name: now + 1}) if now < n_pages else None,
    )


def _today(member) -> date:
    return timezone.now().astimezone(member.workspace.zone).date()


def _midnight(member, days):
    """The instant at which the day begins that lies so many days from today."""
    return datetime.combine(_today(member) + timedelta(days=days), time(), member.workspace.zone)
