"""What the drawer of one agent shows, read at once: a fixed number of queries, whatever stands in it."""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from django.db.models import BigIntegerField, Case, Count, F, Q, Sum, When
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.text import Truncator

from agents.access import Right, may
from agents.models import Agent
from agents.templatetags.words import day, source_name
from coaching import trajectory
from coaching.actions import flags, policies
from coaching.actions.samples import rated_within
from coaching.coach import agendas
from coaching.csat import causes, mix, picture, sentences
from coaching.csat.figures import LOW, Csat, Timeline, said, usual_by_week
from coaching.models import Flag, Proposal, Sample
from coaching.pages import notes as notes_page
from coaching.pages.history import NO_CHANNEL, HistoryQuestion
from coaching.pages.team import LEVEL_DAYS, SMALLEST_TEAM, SUMS, THIN
from helpdesk.models import DeepLink, RatingDay

WEEKS = 26
MOST_SAMPLES = 20
FIRST_SAMPLES = 5  # stand open; the note to be written should not be far below them
MOST_SOURCES = 20
RECENT_CONVERSATIONS = 200  # of an agent, looked through for where theirs come from
MOST_CHANNELS = 8
SAMPLE_ORDER = (  # what somebody pinned, then the lowest ratings; what is not known last, on every database
    Case(When(captured_by=None, then=1), default=0),
    F("score_hundredths").asc(nulls_last=True),
    F("closed_at").desc(nulls_last=True),
    "pk",
)
OF_SAMPLE = [field.name for field in Sample._meta.concrete_fields]
OF_CONVERSATION = ("conversation__source", "conversation__external_id")
OF_PERSON = ("captured_by__user__name", "captured_by__user__email")


@dataclass(frozen=True)
class SampleLine:
    """A sample as it is read: its rating in the words of its scale, how bad that is, what the sample is called in a list, and
    when a late summary is tried."""

    sample: Sample
    said: str
    name: str
    is_low: bool
    next_try_at: datetime | None


@dataclass(frozen=True)
class ChannelRow:
    """One channel, and the addresses' queries of the conversations that its numbers count."""

    channel: mix.Channel
    query_now: str
    query_before: str


@dataclass(frozen=True)
class ChannelMix:
    """The channels of a flag's review window (`since` to `until`) against those of the weeks before it, from `first` on.

    `more` counts the channels that are not shown.
    """

    agent: Agent
    mix: mix.Mix
    since: date
    until: date
    first: date

    @property
    def verdict(self):
        return mix.verdict(self.mix)

    @property
    def parts(self):
        return mix.parts(self.mix)

    @property
    def rows(self):
        """The channels to be shown; none where no channel is known."""
        shown = self.mix.channels[:MOST_CHANNELS] if self.mix.known else []
        return [
            ChannelRow(
                channel=one,
                query_now=self._query(one, self.since, self.until),
                query_before=self._query(one, self.first, self.since - timedelta(days=1)),
            )
            for one in shown
        ]

    @property
    def more(self):
        return max(0, len(self.mix.channels) - MOST_CHANNELS)

    def _query(self, channel, after, before):
        asked = HistoryQuestion(
            agent=str(self.agent.pk), rated=True, channel=channel.name or NO_CHANNEL, after=after, before=before
        )
        return asked.query()


@dataclass(frozen=True)
class Drawer:
    """Everything the drawer shows of `agent` to one member.

    `sentence` is what the newest flag says: why it was raised or, without an open `flag`, how it ended. Flags are
    leaders' business until they talk: members see their numbers, not the claim and not what leaders wrote about it.
    `csat` adds up the last four weeks, `before` the four before them. `picture` is None where no rating came in 26
    weeks. `automatic` says whether anything looks for falls, `cannot_see` which ones few ratings hide. `samples` are some of
    the `n_samples` that are kept, `put_away` the last ones that are not. `sources` are what a conversation to be pinned may come
    from. `channels` is there for leaders while a flag is open.
    """

    agent: Agent
    flag: Flag | None
    sentence: str
    csat: Csat
    before: Csat
    picture: picture.Trajectory | None
    team_is_workspace: bool
    automatic: bool
    cannot_see: str
    samples: list[SampleLine]
    n_samples: int
    put_away: list[SampleLine]
    sources: list[str]
    notes: notes_page.Notes
    pending_proposals: int
    may_write: bool
    channels: ChannelMix | None

    @property
    def is_thin(self):
        """Whether hardly anything could be seen in the ratings of the last four weeks."""
        return self.csat.n < THIN

    @property
    def first_samples(self):
        """Those that stand open."""
        return self.samples[:FIRST_SAMPLES]

    @property
    def further_samples(self):
        """Those behind a line."""
        return self.samples[FIRST_SAMPLES:]

    @property
    def has_pinned(self):
        """Whether somebody chose one of the samples by hand."""
        return any(line.sample.captured_by_id for line in self.samples)

    @property
    def usual_source(self):
        """Where a conversation to be pinned comes from as long as there is but one place."""
        return self.sources[0] if len(self.sources) == 1 else ""

    @property
    def waits_for_summaries(self):
        """Whether a summary may come within moments, so that looking again is worth it."""
        pending = (line for line in self.samples if line.sample.summary_state == Sample.Summary.PENDING)
        return any(line.next_try_at is None for line in pending)

    @property
    def picks(self):
        """The days that a follow-up is quickly put on."""
        return notes_page.picks(timezone.localdate())

    @property
    def causes(self):
        """What may have been behind a fall, as a leader chooses from it."""
        return causes.of(self.agent)

    @property
    def agenda(self):
        """The points that were drafted for a 1:1 on the open flag; None where none were."""
        return getattr(self.flag, "agenda", None)

    @property
    def agenda_heading(self):
        return agendas.heading(self.agent)

    @property
    def agenda_words(self):
        """Who drafted them."""
        return agendas.drafted_words(self.agenda)

    @property
    def cause(self):
        """The one that was said of the open flag, else None."""
        return causes.said(self.flag) if self.flag is not None else None


def load(member, agent):
    """The drawer of `agent` (one that is visible to `member`)."""
    agent.workspace = member.workspace  # it is theirs, and read already
    first, today = _span(member)
    lines = _timelines(member, agent, first, today)
    writes = may(member, Right.COACH_PEOPLE)
    newest = _newest_flag(agent) if writes else None
    flag = newest if newest is not None and newest.status == Flag.Status.OPEN else None
    samples = _samples(member, agent)
    kept, put_away = samples.kept(), samples.filter(unpinned_at__isnull=False)
    last = today.toordinal()
    policy = policies.of(member.workspace)
    return Drawer(
        agent=agent,
        flag=flag,
        sentence=flags.sentence(newest, today=today) if newest else "",
        csat=lines.own.window(last - LEVEL_DAYS + 1, last),
        before=lines.own.window(last - 2 * LEVEL_DAYS + 1, last - LEVEL_DAYS),
        picture=_picture(lines, flag, first, today),
        team_is_workspace=lines.team_is_workspace,
        automatic=policy.automatic,
        cannot_see=sentences.cannot_see(trajectory.threshold(lines.n_agents, policy.sensitivity)),
        samples=[_line(one) for one in kept.order_by(*SAMPLE_ORDER)[:MOST_SAMPLES]],
        n_samples=kept.count(),
        put_away=[_line(one) for one in put_away.order_by("-unpinned_at", "pk")[:MOST_SAMPLES]] if writes else [],
        sources=_sources(agent) if writes else [],
        notes=notes_page.load(member, agent),
        pending_proposals=_pending_proposals(member, agent),
        may_write=writes,
        channels=channel_mix(flag) if flag is not None else None,
    )


def channel_mix(flag):
    """The channels of what raised `flag` against those before, in one query: the 26 weeks up to the day it was opened."""
    first = flag.opened_on - timedelta(days=7 * WEEKS - 1)
    zone = flag.agent.workspace.zone
    score = Cast("score_hundredths", BigIntegerField())  # the square of one does not fit the column's own type
    sums = (
        rated_within(flag.agent, min(first, flag.since), flag.opened_on)
        .order_by()
        .values_list("conversation__channel", Q(rated_at__gte=datetime.combine(flag.since, time(), zone)))
        .annotate(n=Count("pk"), total=Sum("score_hundredths"), squares=Sum(score * score))
    )
    now, before = {}, {}
    for channel, is_now, *csat in sums:
        (now if is_now else before)[channel] = Csat(*csat)
    return ChannelMix(flag.agent, mix.take_apart(now, before), since=flag.since, until=flag.opened_on, first=first)


def weeks(member, agent, flag) -> list[picture.Week]:
    """The 26 weeks up to today of `agent` (one that is visible to `member`), oldest first, weeks without ratings among them.

    `flag` is the agent's open flag as far as `member` may see it, else None: what was expected is known from the evidence of
    an automatic one; of everybody else it is what their weeks usually bring.
    """
    first, today = _span(member)
    return _weeks(_timelines(member, agent, first, today), flag, first)


def as_of(member, flag):
    """The 26 weeks up to the day `flag` was raised on: (picture, own Timeline, whether the peers are the whole workspace)."""
    last = flag.opened_on
    first = last - timedelta(days=7 * WEEKS - 1)
    lines = _timelines(member, flag.agent, first, last)
    drawn = _picture(lines, flag, first, last)
    if drawn is not None and len(drawn.weeks) > 1:  # whose newest week is "now" to the picture of today
        x, _, anchor = drawn.labels[-1]
        drawn = replace(drawn, labels=(*drawn.labels[:-1], (x, f"{last.day} {last:%b}", anchor)))
    return drawn, lines.own, lines.team_is_workspace


def _span(member):
    """The first and the last day of what is shown, by the workspace's clock."""
    today = timezone.now().astimezone(member.workspace.zone).date()
    return today - timedelta(days=7 * WEEKS - 1), today


@dataclass(frozen=True)
class Timelines:
    """The ratings that a picture is drawn from: the agent's `own` and, as `team`, those of their peers (None where these would
    give people away). `n_agents` are at work in the workspace."""

    own: Timeline
    team: Timeline | None
    team_is_workspace: bool
    n_agents: int


def _timelines(member, agent, first, last):
    n = (
        Agent.objects.filter(workspace_id=agent.workspace_id)
        .active()
        .aggregate(here=Count("pk"), in_team=Count("pk", filter=Q(team=agent.team_id)))
    )
    peers, team_is_workspace = _peers(member, agent, n["here"], n["in_team"])
    own = _timeline(RatingDay.objects.filter(agent=agent), first, last)
    team = None if peers is None else _timeline(peers, first, last)
    return Timelines(own, team, team_is_workspace, n_agents=n["here"])


def _newest_flag(agent):
    """The open flag if there is one (no other is raised beside it), else the one that ended last, if any."""
    newest = agent.flags.select_related("closed_by__user", "agenda").order_by("-opened_at").first()
    if newest is not None:
        newest.agent = agent
    return newest


def _pending_proposals(member, agent):
    """How many wait for a decision; only AI agents have any."""
    return Proposal.objects.visible_to(member).pending().filter(agent=agent).count() if agent.is_ai else 0


def _samples(member, agent):
    """The agent's samples with what their lines say of conversations and people."""
    rows = Sample.objects.visible_to(member).filter(agent=agent).select_related("conversation", "captured_by__user")
    return rows.only(*OF_SAMPLE, *OF_CONVERSATION, *OF_PERSON)


def _sources(agent):
    """Where the workspace's deep links lead and where the agent's newest conversations came from, by name."""
    recent = agent.conversations.order_by("-closed_at").values_list("source", flat=True)[:RECENT_CONVERSATIONS]
    linked = (
        DeepLink.objects.filter(workspace_id=agent.workspace_id).order_by("source").values_list("source", flat=True)
    )
    return sorted({*recent, *linked[:MOST_SOURCES]})[:MOST_SOURCES]


def _line(sample):
    waits = sample.next_try_at is not None and sample.next_try_at > timezone.now()
    rated, where = said(sample.value, sample.scale), place(sample)
    return SampleLine(
        sample,
        said=rated,
        name=f"{rated} · {where}" if rated else where,
        is_low=sample.score is not None and sample.score < LOW,
        next_try_at=sample.next_try_at if waits else None,
    )


def place(sample):
    """Where and when a sample's conversation was: "Zendesk, 20 Nov", and what its source calls it where the day is not known."""
    talk = sample.conversation
    after = f", {day(sample.closed_at)}" if sample.closed_at else f" {Truncator(talk.external_id).chars(24)}"
    return f"{source_name(talk.source)}{after}"


def _peers(member, agent, n_agents, n_in_team):
    """The daily rows of the agent's peers, and whether these are the whole workspace.

    A team of fewer than four counts as the whole workspace. None where even that is so small that its level would give
    away single people to a member.
    """
    if agent.team_id is not None and n_in_team >= SMALLEST_TEAM:
        in_team = Agent.objects.filter(team=agent.team_id)  # by its agents: a join would read everybody's days
        return RatingDay.objects.filter(agent__in=in_team.values("pk")), False
    if member.is_leader or n_agents >= SMALLEST_TEAM:
        return RatingDay.objects.filter(workspace_id=agent.workspace_id), True
    return None, True


def _timeline(days, first, last):
    sums = days.filter(day__range=(first, last)).order_by().values_list("day").annotate(*SUMS)
    return Timeline(first.toordinal(), last.toordinal(), ((day.toordinal(), Csat(*csat)) for day, *csat in sums))


def _weeks(lines, flag, first):
    own, team = lines.own, lines.team
    starts = [first + timedelta(days=7 * i) for i in range(WEEKS)]
    mine, theirs = ([None if line is None else _week(line, start) for start in starts] for line in (own, team))
    if flag is not None and flag.evidence:
        expected = [_expected(flag, start) for start in starts]
    else:
        expected = usual_by_week(mine, None if team is None else [t - m for t, m in zip(theirs, mine, strict=True)])
    return [
        picture.Week(
            start=start,
            n=mine[i].n,
            score=mine[i].mean,
            expected=expected[i],
            team=theirs[i].mean if theirs[i] else None,
        )
        for i, start in enumerate(starts)
    ]


def _week(timeline, start):
    return timeline.window(start.toordinal(), start.toordinal() + 6)


def _picture(lines, flag, first, today):
    shown = _weeks(lines, flag, first)
    evidence = flag.evidence if flag is not None else {}
    rated = next((i for i, week in enumerate(shown) if week.n), 0)
    since = flag.since if flag is not None else None
    recent = lines.own.window(since.toordinal(), today.toordinal()).mean if since else None
    worst = evidence.get("worst_start")
    return picture.trajectory(
        shown[min(rated, WEEKS - 2) :],
        since=since,
        recent=recent,
        worst=date.fromisoformat(worst) if worst else None,
        expected_is_usual=not evidence,
        levels=sentences.in_per_cent(evidence),
    )


def _expected(flag, start):
    """The level the flag measured against: the agent's own before the review window, own and team's weather in it."""
    return flag.evidence.get("own_level" if start + timedelta(days=6) < flag.since else "expected")


@dataclass(frozen=True)
class Standing:
    """An agent's CSAT without any flag: `csat` adds up the last four weeks, `before` the four before them.

    `picture` is None where no rating came in 26 weeks.
    """

    csat: Csat
    before: Csat
    picture: picture.Trajectory | None
    team_is_workspace: bool


def standing(member, agent):
    """How `agent` (one that is visible to `member`) stands."""
    first, today = _span(member)
    lines = _timelines(member, agent, first, today)
    last = today.toordinal()
    return Standing(
        csat=lines.own.window(last - LEVEL_DAYS + 1, last),
        before=lines.own.window(last - 2 * LEVEL_DAYS + 1, last - LEVEL_DAYS),
        picture=_picture(lines, None, first, today),
        team_is_workspace=lines.team_is_workspace,
    )


def sample_lines(samples):
    """The worst of `samples`, read with their conversations."""
    worst = samples.order_by(F("score_hundredths").asc(nulls_last=True), F("closed_at").desc(nulls_last=True), "pk")
    return [_line(one) for one in worst[:MOST_SAMPLES]]
