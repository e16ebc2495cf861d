"""What the drawer of one agent shows, read at once: a fixed number of queries, whatever stands in it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from agents.access import Right, may
from agents.models import Agent
from coaching import picture
from coaching.actions import flags
from coaching.csat import Csat, Timeline, said
from coaching.models import Flag, Note, Proposal, Sample
from coaching.team import LEVEL_DAYS, SMALLEST_TEAM, SUMS
from helpdesk.models import RatingDay

WEEKS = 26
MOST_SAMPLES = 20
MOST_NOTES = 50
LOW = 50  # a rating under this is shown as a bad one


@dataclass(frozen=True)
class SampleLine:
    """A sample as it is read: its rating in the words of its scale, how bad that is, and when a late summary is tried."""

    sample: Sample
    said: str
    is_low: bool
    next_try_at: datetime | None


@dataclass(frozen=True)
class Drawer:
    """Everything the drawer shows of `agent` to one member.

    `sentence` is what the newest flag says: why it was raised or, without an open `flag`, how it ended. Flags are
    leaders' business until they talk: members see their numbers, not the claim and not what leaders wrote about it.
    `csat` adds up the last four weeks, `before` the four before them. `picture` is None where no rating came in 26
    weeks. `more_notes` counts those that are not shown.
    """

    agent: Agent
    flag: Flag | None
    sentence: str
    csat: Csat
    before: Csat
    picture: picture.Trajectory | None
    team_is_workspace: bool
    samples: list[SampleLine]
    notes: list[Note]
    more_notes: int
    pending_proposals: int
    may_write: bool

    @property
    def causes(self):
        """What may have been behind a fall, as (value, label): a person has no prompt, memories or procedures."""
        only_ai = {Flag.Cause.PROMPT, Flag.Cause.MEMORY, Flag.Cause.PROCEDURE}
        return [(cause.value, cause.label) for cause in Flag.Cause if self.agent.is_ai or cause not in only_ai]


def load(member, agent):
    """The drawer of `agent` (one that is visible to `member`)."""
    first, today = _span(member)
    own, team, team_is_workspace = _timelines(member, agent, first, today)
    newest = _newest_flag(agent) if may(member, Right.COACH_PEOPLE) else None
    flag = newest if newest is not None and newest.status == Flag.Status.OPEN else None
    samples = Sample.objects.visible_to(member).kept().filter(agent=agent).select_related("conversation")
    notes = (
        Note.objects.visible_to(member)
        .current()
        .filter(agent=agent)
        .select_related("author__user", "sample__conversation")
    )
    n_notes = notes.count()
    last = today.toordinal()
    return Drawer(
        agent=agent,
        flag=flag,
        sentence=flags.sentence(newest, today=today) if newest else "",
        csat=own.window(last - LEVEL_DAYS + 1, last),
        before=own.window(last - 2 * LEVEL_DAYS + 1, last - LEVEL_DAYS),
        picture=_picture(own, team, flag, first, today),
        team_is_workspace=team_is_workspace,
        samples=[_line(one) for one in samples.order_by("score_hundredths", "-closed_at", "pk")[:MOST_SAMPLES]],
        notes=list(notes.order_by("-created_at", "pk")[:MOST_NOTES]),
        more_notes=max(0, n_notes - MOST_NOTES),
        pending_proposals=Proposal.objects.visible_to(member).pending().filter(agent=agent).count(),
        may_write=may(member, Right.COACH_PEOPLE),
    )


def weeks(member, agent, flag) -> list[picture.Week]:
    """The 26 weeks up to today of `agent` (one that is visible to `member`), oldest first, weeks without ratings among them.

    `flag` is the agent's open flag as far as `member` may see it, else None: what was expected is known from its evidence.
    """
    first, today = _span(member)
    own, team, _ = _timelines(member, agent, first, today)
    return _weeks(own, team, flag, first)


def _span(member):
    """The first and the last day of what is shown, by the workspace's clock."""
    today = timezone.now().astimezone(member.workspace.zone).date()
    return today - timedelta(days=7 * WEEKS - 1), today


def _timelines(member, agent, first, last):
    """The agent's own ratings, those of their peers (None where these would give people away), and whether these are all."""
    peers, team_is_workspace = _peers(member, agent)
    own = _timeline(RatingDay.objects.filter(agent=agent), first, last)
    return own, None if peers is None else _timeline(peers, first, last), team_is_workspace


def _newest_flag(agent):
    """The open flag if there is one (no other is raised beside it), else the one that ended last, if any."""
    return agent.flags.select_related("agent", "closed_by__user").order_by("-opened_at").first()


def _line(sample):
    waits = sample.next_try_at is not None and sample.next_try_at > timezone.now()
    return SampleLine(
        sample,
        said=said(sample.value, sample.scale),
        is_low=sample.score is not None and sample.score < LOW,
        next_try_at=sample.next_try_at if waits else None,
    )


def _peers(member, agent):
    """The daily rows of the agent's peers, and whether these are the whole workspace.

    A team of fewer than four counts as the whole workspace. None where even that is so small that its level would give
    away single people to a member.
    """
    active = Agent.objects.filter(workspace_id=agent.workspace_id).active()
    if agent.team_id is not None and active.filter(team=agent.team_id).count() >= SMALLEST_TEAM:
        in_team = Agent.objects.filter(team=agent.team_id).values(
            "pk"
        )  # by its agents: a join would read everybody's days
        return RatingDay.objects.filter(agent__in=in_team), False
    if member.is_leader or active.count() >= SMALLEST_TEAM:
        return RatingDay.objects.filter(workspace_id=agent.workspace_id), True
    return None, True


def _timeline(days, first, last):
    sums = days.filter(day__range=(first, last)).order_by().values_list("day").annotate(*SUMS)
    return Timeline(first.toordinal(), last.toordinal(), ((day.toordinal(), Csat(*csat)) for day, *csat in sums))


def _weeks(own, team, flag, first):
    evidence = flag.evidence if flag is not None else {}
    found = []
    for i in range(WEEKS):
        start = first + timedelta(days=7 * i)
        span = start.toordinal(), start.toordinal() + 6
        mine, theirs = own.window(*span), team.window(*span) if team else None
        found.append(
            picture.Week(
                start=start,
                n=mine.n,
                score=mine.mean,
                expected=_expected(evidence, flag, start),
                team=theirs.mean if theirs else None,
            )
        )
    return found


def _picture(own, team, flag, first, today):
    shown = _weeks(own, team, flag, first)
    evidence = flag.evidence if flag is not None else {}
    rated = next((i for i, week in enumerate(shown) if week.n), 0)
    since = flag.since if flag is not None else None
    recent = own.window(since.toordinal(), today.toordinal()).mean if since else None
    worst = evidence.get("worst_start")
    return picture.trajectory(
        shown[min(rated, WEEKS - 2) :],
        since=since,
        recent=recent,
        worst=date.fromisoformat(worst) if worst else None,
    )


def _expected(evidence, flag, start):
    """The level the flag measured against: the agent's own before the review window, own and team's weather in it."""
    key = "own_level" if flag is not None and start + timedelta(days=6) < flag.since else "expected"
    return evidence.get(key)
