"""What the page of one flag shows, why it was raised and what became of it: a fixed number of queries, however long its story."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Sum
from django.urls import reverse
from django.utils import timezone

from agents.models import display_name
from agents.templatetags.words import day as day_words
from agents.templatetags.words import ratings as ratings_words
from coaching import trajectory
from coaching.actions import flags, sweeps
from coaching.csat import causes, picture, sentences
from coaching.csat.causes import Cause
from coaching.models import Flag
from coaching.pages import drawer
from coaching.pages.history import HistoryQuestion
from helpdesk.models import RatingDay

MOST_OTHERS = 20
BROUGHT_UP_TO_DATE = "Evidence brought up to date"
FORTNIGHT = timedelta(days=14)
WORST_RUN = timedelta(days=trajectory.RUN_DAYS - 1)


@dataclass(frozen=True)
class Number:
    """One number of the evidence: what it is of, its value in words, its n, and where to see what it counts ("" nowhere)."""

    label: str
    value: str
    n: int | None = None
    url: str = ""


@dataclass(frozen=True)
class Check:
    """One thing the scan asks before it flags somebody, and what it found."""

    asked: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Event:
    """One thing that happened to the flag: when, in which words, by whom ("" for the scan), and what was said or measured."""

    at: datetime
    words: str
    by: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Standing:
    """Where an open automatic flag stands: the last 28 days against what is needed to clear."""

    level: str
    n: int
    url: str
    needed: str
    clears_from: date
    ends_on: date
    enough: bool
    is_back: bool

    @property
    def least(self):
        return trajectory.MIN_CLEAR_RATINGS


@dataclass(frozen=True)
class Other:
    """Another flag of the same agent, in a line."""

    flag: Flag
    words: str


@dataclass(frozen=True)
class Page:
    """Everything the page of `flag` shows a leader.

    `claim` is what it says and `ending` how it ended ("" while it is open). `standing` is there for open automatic ones,
    `rests_until` while the scan raises none on this agent. `picture` shows the 26 weeks up to the day it was raised on.
    `cause` is what was said of it, out of `causes`.
    """

    flag: Flag
    claim: str
    ending: str
    numbers: list[Number]
    checks: list[Check]
    corrections: list[Number]
    picture: picture.Trajectory | None
    team_is_workspace: bool
    standing: Standing | None
    rests_until: date | None
    events: list[Event]
    others: list[Other]
    causes: list[Cause]
    cause: Cause | None
    channels: drawer.ChannelMix

    @property
    def is_open(self):
        return self.flag.status == Flag.Status.OPEN

    @property
    def can_be_ticked(self):
        """Whether a talk about it can be ticked off: an open flag, or a new level, which is there to be talked about."""
        return self.flag.status in (Flag.Status.OPEN, Flag.Status.EXPIRED)

    @property
    def brought_up_to_date(self):
        """Whether late or corrected ratings changed the evidence since it was raised."""
        return any(event.words == BROUGHT_UP_TO_DATE for event in self.events)

    @property
    def can_reopen(self):
        return self.flag.status == Flag.Status.DISMISSED and not any(
            o.flag.status == Flag.Status.OPEN for o in self.others
        )


def load(member, flag):
    """The page of `flag` (one that is visible to `member`, a leader)."""
    today = timezone.now().astimezone(member.workspace.zone).date()
    drawn, own, team_is_workspace = drawer.as_of(member, flag)
    others = Flag.objects.filter(agent=flag.agent_id).exclude(pk=flag.pk).order_by("-opened_at", "pk")[:MOST_OTHERS]
    rests = dict(sweeps.rests(member.workspace, today)) if flag.kind == Flag.Kind.AUTO else {}
    resting = rests.get(flag.agent_id)
    is_open = flag.status == Flag.Status.OPEN
    return Page(
        flag=flag,
        claim=_claim(flag),
        ending="" if is_open else flags.sentence(flag),
        numbers=_numbers(flag) if flag.evidence else [],
        checks=_checks(flag, own) if flag.evidence else [],
        corrections=_corrections(flag),
        picture=drawn,
        team_is_workspace=team_is_workspace,
        standing=_standing(flag, today) if is_open and flag.kind == Flag.Kind.AUTO else None,
        rests_until=resting + timedelta(days=trajectory.REST_DAYS) if resting and not is_open else None,
        events=_events(flag),
        others=[Other(other, _in_a_line(other)) for other in others],
        causes=causes.of(flag.agent),
        cause=causes.said(flag),
        channels=drawer.channel_mix(flag),
    )


def conversations_of(agent_id, first, last):
    """The address of the agent's conversations that were rated on the days first..last."""
    asked = HistoryQuestion(agent=str(agent_id), rated=True, after=first, before=last)
    return f"{reverse('conversations')}{asked.query()}"


def _claim(flag):
    if flag.kind == Flag.Kind.MANUAL:
        return flag.reason
    until = date.fromisoformat(flag.evidence["day"])
    # A day too late to be fresh: a page that is kept and linked names its weeks by their dates.
    return sentences.sentence(flag.agent.name, flag.evidence, today=until + sentences.FRESH + timedelta(days=1))


# ------------------------------------------------------------------------------------------------------------ evidence


def _numbers(flag):
    """The evidence in plain words, each number with its n and the way to what it counts."""
    e, scale, agent = flag.evidence, flag.evidence.get("scale"), flag.agent_id
    first, until = flag.opened_on - timedelta(days=trajectory.HISTORY_DAYS - 1), flag.opened_on
    before = flag.since - timedelta(days=1)
    found = [
        Number(
            f"{_span(flag.since, until)}, the weeks of the fall",
            sentences.level(e["observed"], scale),
            e["ratings"],
            conversations_of(agent, flag.since, until),
        )
    ]
    if e.get("past_observed") is not None:
        url = conversations_of(agent, first, before)
        weeks = _weeks(e["past_weeks"])
        found.append(Number(f"The {weeks} before", sentences.level(e["past_observed"], scale), e["past_ratings"], url))
    if e.get("own_level") is not None:
        found.append(
            Number("What the own past alone points to", sentences.level(e["own_level"], scale), e.get("past_ratings"))
        )
    if e.get("peers_observed") is not None:
        who = "The team" if e["peers"] == "team" else "Everybody else"
        words = f"{who} in the same weeks"
        found.append(Number(words, sentences.level(e["peers_observed"], scale), e["peers_ratings"]))
    if e.get("team_shift") is not None and e.get("peers_ratings") != 0:
        shift = f"{'+' if e['team_shift'] >= 0 else '−'}{abs(e['team_shift']):.1f} points"
        found.append(Number("The others’ change moves the expectation by", shift))
    return [*found, Number("Expected in these weeks", sentences.level(e["expected"], scale))]


def _checks(flag, own):
    """What the scan asks of a fall, in its own order. Flags raised before a number was kept go without its line."""
    e = flag.evidence
    found = [
        Check(
            f"{trajectory.MIN_RATINGS} ratings or more in these weeks",
            f"{e['ratings']:,}",
            e["ratings"] >= trajectory.MIN_RATINGS,
        )
    ]
    if "past_ratings" in e:
        past = e["past_ratings"]
        found.append(
            Check(
                f"{trajectory.MIN_PAST_RATINGS} ratings or more before them",
                f"{past:,}",
                past >= trajectory.MIN_PAST_RATINGS,
            )
        )
    drop, least = e["expected"] - e["observed"], 100 * trajectory.MIN_DROP
    found.append(Check(f"{least:.0f} points or more below what was expected", f"{drop:.1f}", drop >= least))
    below, rated = e["weeks_below"], e["weeks_rated"]
    steady = below >= trajectory.MIN_WEEKS_BELOW and below >= trajectory.MIN_SHARE_BELOW * rated
    asked = f"Below in at least two thirds of the weeks, and in {trajectory.MIN_WEEKS_BELOW} or more"
    found.append(Check(asked, f"{below} of {rated}", steady))
    last = own.window((flag.opened_on - FORTNIGHT).toordinal() + 1, flag.opened_on.toordinal())
    if last.n:
        level = f"{sentences.level(last.mean, e.get('scale'))} from {ratings_words(last.n)}"
        found.append(Check("Still below in the last two weeks", level, last.mean < e["expected"]))
    if e.get("worst_start"):
        worst = date.fromisoformat(e["worst_start"])
        asked = f"Holds without the worst seven days ({_span(worst, worst + WORST_RUN)})"
        left = e.get("evidence_without_worst")
        words = "yes" if e["holds_without_worst"] else "no"
        found.append(
            Check(asked, words if left is None else f"{left:.2f} standard errors left", e["holds_without_worst"])
        )
    if e.get("statistic") is not None and e.get("h"):
        asked = f"{e['h']:.2f} standard errors or more in all"
        found.append(Check(asked, f"{e['statistic']:.2f}", e["statistic"] >= e["h"]))
    return found


def _corrections(flag):
    """What the ratings of a flag that was taken back were, and are: empty for every other."""
    told = flag.close_evidence
    if not told.get("corrected"):
        return []
    was, now, scale = told["was"], told["is"], told.get("scale")
    names = (("", "In the weeks of the fall"), ("past_", "Before them"), ("peers_", "The peers in the same weeks"))
    found = []
    for key, label in names:
        pair = [(one.get(f"{key}observed"), one.get(f"{key}ratings")) for one in (was, now)]
        words = [
            "not kept"
            if n is None
            else f"{sentences.level(mean, scale)} from {ratings_words(n)}"
            if mean is not None
            else "no ratings"
            for mean, n in pair
        ]
        found.append(Number(label, f"{words[0]} then, {words[1]} now"))
    statistic = "one of the checks fails" if now["statistic"] is None else f"{now['statistic']:.2f}"
    return [*found, Number("Standard errors", f"{was['statistic']:.2f} then, {statistic} now")]


def _standing(flag, today):
    """The last 28 days against what it takes to clear, from the daily table."""
    e, scale = flag.evidence, flag.evidence.get("scale")
    first = today - timedelta(days=trajectory.CLEAR_DAYS - 1)
    days = RatingDay.objects.filter(agent=flag.agent_id, day__range=(first, today))
    sums = days.aggregate(n=Sum("n"), total=Sum("sum_hundredths"))
    n = sums["n"] or 0
    mean = sums["total"] / n / 100 if n else None
    needed = e["expected"] - e["drop"] / 3
    return Standing(
        level="" if mean is None else sentences.level(mean, scale),
        n=n,
        url=conversations_of(flag.agent_id, first, today),
        needed=sentences.level(needed, scale),
        clears_from=flag.opened_on + timedelta(days=trajectory.MIN_CLEAR_DAY),
        ends_on=flag.opened_on + timedelta(days=trajectory.EXPIRE_DAYS),
        enough=n >= trajectory.MIN_CLEAR_RATINGS,
        is_back=mean is not None and mean >= needed,
    )


# ------------------------------------------------------------------------------------------------------------ its story


def _events(flag):
    """What happened to the flag, newest first, read from its versions. One without any has what its row says."""
    rows = list(flag.history.select_related("history_user").order_by("version"))
    first = Event(flag.opened_at, "Raised", detail=_found(rows[0].evidence if rows else flag.evidence))
    if flag.kind == Flag.Kind.MANUAL:
        first = Event(flag.opened_at, "Raised by hand", flag.opened_by.display_name, flag.reason)
    events, before = [first], Flag(evidence=rows[0].evidence if rows else flag.evidence)
    for row in rows:
        events += _changes(before, row, row.history_date, _name(row.history_user))
        before = row
    if not rows:
        if flag.coached_at:
            events.append(Event(flag.coached_at, "Coached", flag.coached_by.display_name))
        if flag.closed_at:
            by = flag.closed_by.display_name if flag.closed_by else ""
            events.append(_ended(flag, flag.closed_at, by))
    return events[::-1]


def _changes(before, after, at, by):
    """What one version of the flag changed."""
    if before.status != after.status:
        yield _ended(after, at, by) if after.status != Flag.Status.OPEN else Event(at, "Reopened", by)
    if bool(before.coached_at) != bool(after.coached_at):
        yield Event(at, "Coached" if after.coached_at else "Not coached after all", by)
    if before.cause != after.cause:
        said = Flag.Cause(after.cause).label if after.cause else ""
        yield Event(at, f"Cause: {said}" if said else "Cause taken back", by)
    if before.evidence != after.evidence:
        yield Event(at, BROUGHT_UP_TO_DATE, detail=_moved(before.evidence, after.evidence))


def _ended(row, at, by):
    if row.status == Flag.Status.DISMISSED:
        return Event(at, "Dismissed", by, row.close_reason)
    if row.status == Flag.Status.EXPIRED:
        return Event(at, "Ended as a new level", detail=sentences.expired(row.close_evidence))
    words = "Taken back" if row.close_evidence.get("corrected") else "Cleared"
    return Event(at, words, detail=sentences.cleared(row.close_evidence))


def _found(evidence):
    if evidence.get("statistic") is None or not evidence.get("h"):
        return ""
    return f"{evidence['statistic']:.2f} standard errors, {evidence['h']:.2f} asked"


def _moved(before, after):
    """What late or corrected ratings made of the evidence."""
    scale = after.get("scale")
    sides = [f"{sentences.level(e['observed'], scale)} from {ratings_words(e['ratings'])}" for e in (before, after)]
    return f"Ratings of these weeks came late or were corrected: {sides[0]}, now {sides[1]}. {_found(after)}".strip()


def _name(user):
    """As `Member.display_name` has it; a version keeps the person, who may have left the workspace since."""
    return display_name(user.name, user.email) if user else ""


def _in_a_line(flag):
    ended = flag.closed_on and f", {flag.get_status_display().lower()} {day_words(flag.closed_on)}"
    return f"{flag.get_kind_display()}, {day_words(flag.opened_on)}{ended or ', open'}"


def _span(first, last):
    """Two days as one span: "12–18 May", "28 Apr – 4 May"."""
    if (first.year, first.month) == (last.year, last.month):
        return f"{first.day}–{day_words(last)}"
    return f"{day_words(first)} – {day_words(last)}"


def _weeks(n):
    return "week" if n == 1 else f"{n} weeks"
