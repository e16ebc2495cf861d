"""What the Team page shows, read at once: the same number of queries for one agent and for thousands."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, DateField, Func, IntegerField, Max, OuterRef, Q, Subquery, Sum, Value
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, Team
from agents.paging import Paged, n_pages_of, page_asked
from coaching import trajectory
from coaching.actions import policies
from coaching.csat import picture, sentences
from coaching.csat.figures import ENOUGH, NOTHING, Csat
from coaching.models import Flag, Note, Proposal, Session
from coaching.pages.typed import number_or_none
from helpdesk.models import Rating, RatingDay

LEVEL_DAYS = 28
SPARK_WEEKS = 12
LEVEL_WEEKS = LEVEL_DAYS // 7
READ_WEEKS = SPARK_WEEKS - 1 + LEVEL_WEEKS  # each point of a sparkline is the level of the four weeks up to it
ENOUGH_POINTS = 6  # of a sparkline; fewer are no line
PAGE_SIZE = 100
SMALLEST_TEAM = trajectory.MIN_TEAM  # a smaller one counts as the whole workspace, as for the flag

THIN = 14  # ratings in four weeks, about three a week, under which a page says what it cannot see

FOUR_WEEKS = timedelta(days=LEVEL_DAYS)
SUMS = (Sum("n"), Sum("sum_hundredths"), Sum("sum_squares"))
COLUMNS = (
    ("name", "Agent", "cell-who"),
    ("score", "CSAT, 4 weeks", "cell-score"),
    ("change", "Change", "cell-change"),
    ("", "12 weeks, team in grey", "cell-spark"),
    ("status", "Status", "cell-status"),
    ("due", "Follow-ups", "cell-due"),
    ("coached", "Coached", "cell-coached"),
)
# What a first click sorts upwards; the others start with the most.
UPWARDS_FIRST = ("change", "score", "name", "status")
FOR_LEADERS = ("due", "coached")
SORTS = {f"{sign}{key}" for key, _, _ in COLUMNS if key for sign in ("", "-")}


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given."""

    team: int | None = None
    kind: str = ""
    flagged: bool = False
    cause: str = ""  # of an open flag
    thin: bool = False  # not flagged, and too few ratings to say more
    search: str = ""
    sort: str = "status"
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        team, sort, kind, cause = (query.get(key, "") for key in ("team", "sort", "kind", "cause"))
        return cls(
            team=number_or_none(team, digits=17),
            kind=kind if kind in Agent.Kind.values else "",
            flagged=query.get("flagged") == "1",
            cause=cause if cause in Flag.Cause.values else "",
            thin=query.get("thin") == "1",
            search=query.get("q", "").replace("\0", "").strip()[:100],
            sort=sort if sort in SORTS else "status",
            page=page_asked(query),
        )

    def asked_by(self, member):
        """The same without what only leaders may ask: to anybody else an answer about flags would be a false one."""
        return self if member.is_leader else replace(self, flagged=False, cause="")

    @property
    def narrows(self):
        return bool(self.team or self.kind or self.flagged or self.cause or self.thin or self.search)

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`; empty where nothing is asked."""
        q = replace(self, **changes)
        given = {
            "q": q.search,
            "team": q.team,
            "kind": q.kind,
            "flagged": "1" if q.flagged else "",
            "cause": q.cause,
            "thin": "1" if q.thin else "",
            "sort": "" if q.sort == "status" else q.sort,
            "page": q.page if q.page > 1 else "",
        }
        encoded = urlencode({key: value for key, value in given.items() if value})
        return f"?{encoded}" if encoded else ""


@dataclass(frozen=True)
class Column:
    """A heading: `query` is the address that sorts by it, `aria_sort` how the table is sorted by it now, if it is."""

    key: str
    label: str
    css: str
    query: str | None
    aria_sort: str


@dataclass(frozen=True)
class Coached:
    """When an agent was coached last, and by what: a "note", a "session" with its coach, or a "flag" ticked off."""

    at: datetime
    by: str
    session: UUID | None = None


@dataclass(slots=True)
class Row:
    """One agent of the workspace. What stands after `coached` is filled in for the rows that are shown.

    `spark` is None where the ratings are too few for a line; `cannot_see` says which falls few
    ratings hide. Of the addresses `fragment` fills the drawer, and `opened` is the team with the drawer over it.
    """

    id: UUID
    name: str
    kind: str
    team_id: int | None
    csat: Csat
    before: Csat
    flag: Flag | None
    due: int
    coached: Coached | None
    team: str = ""
    proposals: int = 0
    spark: picture.Sparkline | None = None
    cannot_see: str = ""
    address: str = ""
    fragment: str = ""
    opened: str = ""

    @property
    def is_ai(self):
        return self.kind == Agent.Kind.AI

    @property
    def cause(self):
        return self.flag.cause if self.flag is not None else ""

    @property
    def change(self):
        """Points against the four weeks before; None where either has too few ratings to name a level."""
        if self.csat.n >= ENOUGH and self.before.n >= ENOUGH:
            return self.csat.mean - self.before.mean
        return None

    @property
    def n_of_change(self):
        """The ratings of both spans of four weeks."""
        return self.csat.n + self.before.n

    @property
    def score(self):
        return f"{self.csat.mean:.1f}"

    @property
    def is_thin(self):
        """Whether nothing is claimed of the agent because hardly anything could be seen."""
        return self.flag is None and self.csat.n < THIN

    @property
    def range(self):
        """The span that holds the true level 19 times in 20, as whole points of 0..100: "77–90"."""
        mean, off = self.csat.mean, self.csat.give_or_take
        return f"{max(0, mean - off):.0f}–{min(100, mean + off):.0f}"

    @property
    def words(self):
        """What the Status column says: the flag's claim, what cannot be seen in so few ratings, or nothing."""
        if self.flag is not None:
            by_hand = self.flag.kind == Flag.Kind.MANUAL
            words = self.flag.reason if by_hand else sentences.brief(self.flag.evidence)
            waiting = f"{self.proposals} proposal{'' if self.proposals == 1 else 's'} waiting" if self.proposals else ""
            cause = f"cause: {self.flag.get_cause_display().lower()}" if self.flag.cause else ""
            return "; ".join(filter(None, [words, cause, waiting]))
        if self.csat.n >= THIN:
            return ""
        if self.csat.enough:
            return self.cannot_see
        if not self.csat.n:
            return "No ratings in 4 weeks"
        return f"Too few to say. {self.cannot_see}"


@dataclass(frozen=True)
class TeamTotal:
    """The level of a team; `too_small` where it would give away single people to somebody who may not see them."""

    name: str
    csat: Csat
    too_small: bool


@dataclass
class TeamPage(Paged):
    """Everything the page shows.

    `n_agents`, `n_flagged` and `n_thin` count the workspace, `n_found` what the filters leave. `causes` are those of its open
    flags as (value, label). `scale` is what the sparklines share. `automatic` says whether anything looks for falls.
    """

    question: Question
    columns: list[Column]
    rows: list[Row]
    teams: list[Team]
    causes: list[tuple[str, str]]
    n_agents: int
    n_flagged: int
    n_thin: int
    n_found: int
    n_pages: int
    newest_at: datetime | None
    since: date  # the first day of the last four weeks
    since_before: date  # the first day of the four weeks before those
    automatic: bool
    scale: picture.Scale | None
    totals: list[TeamTotal] = field(default_factory=list)

    @property
    def jumps(self):
        """The pages to jump to as (number, address): the first, the last and those around this one; None for a gap."""
        here = self.question.page
        near = sorted({1, self.n_pages, *range(max(1, here - 2), min(self.n_pages, here + 2) + 1)})
        links = [(number, self.question.query(page=number) or "?") for number in near]
        for before, after in reversed(list(pairwise(range(len(near))))):
            if near[after] - near[before] > 1:
                links.insert(after, None)
        return links


def load(member, question):
    """The Team page for `member`: every agent for leaders, their own row and the teams' totals for members."""
    question = question.asked_by(member)
    today = timezone.now().astimezone(member.workspace.zone).date()
    policy = policies.of(member.workspace)
    rows = _rows(member, today)
    around = Weather(member, today, rows)
    found = _sorted(_filtered(rows, question), question.sort)
    n_pages = n_pages_of(len(found), PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    shown = found[(question.page - 1) * PAGE_SIZE : question.page * PAGE_SIZE]
    _tell(shown, member, question, policy, around)
    return TeamPage(
        question=question,
        columns=[_column(question, *one) for one in COLUMNS if member.is_leader or one[0] not in FOR_LEADERS],
        rows=shown,
        teams=around.teams,
        causes=_causes(rows, question),
        n_agents=len(rows),
        n_flagged=sum(row.flag is not None for row in rows),
        n_thin=sum(row.is_thin for row in rows),
        n_found=len(found),
        n_pages=n_pages,
        newest_at=_newest_rating(member),
        since=today - FOUR_WEEKS + timedelta(days=1),
        since_before=today - 2 * FOUR_WEEKS + timedelta(days=1),
        automatic=policy.automatic,
        scale=_draw(shown, around),
        totals=[] if member.is_leader else around.totals(),
    )


def _rows(member, today):
    levels = _levels(member, today)
    flags, due, coached = {}, {}, {}
    if member.is_leader:
        said = Flag.objects.visible_to(member).open().only("agent", "kind", "reason", "evidence", "cause")
        flags = {flag.agent_id: flag for flag in said}
        due, coached = _coaching(member)
    agents = Agent.objects.visible_to(member).active().values_list("pk", "name", "kind", "team")
    nothing = NOTHING, NOTHING
    return [
        Row(pk, name, kind, team, *levels.get(pk, nothing), flags.get(pk), due.get(pk, 0), coached.get(pk))
        for pk, name, kind, team in agents
    ]


def _levels(member, today):
    """By agent, the last four weeks and the four before them."""
    start = today - FOUR_WEEKS + timedelta(days=1)
    days = RatingDay.objects.filter(workspace_id=member.workspace_id, day__range=(start - FOUR_WEEKS, today)).order_by()
    if not member.is_leader:
        days = days.filter(agent_id=member.agent_id)
    recent = Q(day__gte=start)
    sums = days.values_list("agent").annotate(
        *SUMS,
        recent_n=Sum("n", filter=recent, default=0),
        recent_sum=Sum("sum_hundredths", filter=recent, default=0),
        recent_squares=Sum("sum_squares", filter=recent, default=0),
    )
    return {
        agent: (Csat(*last), Csat(*(whole - part for whole, part in zip(both, last, strict=True))))
        for agent, *both_and_last in sums
        for both, last in ((both_and_last[:3], both_and_last[3:]),)
    }


def _coaching(member):
    """Two dicts by agent: open follow-ups, and Coached."""
    due, coached = {}, {}
    notes = Note.objects.visible_to(member).current().order_by().values("agent")
    open_ones = Count("pk", filter=Q(follow_up_at__isnull=False, followed_up_at=None))
    for agent, newest, count in notes.annotate(Max("created_at"), open_ones=open_ones).values_list(
        "agent", "created_at__max", "open_ones"
    ):
        coached[agent], due[agent] = Coached(newest, "note"), count
    ticked = Flag.objects.visible_to(member).filter(coached_at__isnull=False).order_by().values_list("agent")
    marks = [(agent, Coached(newest, "flag")) for agent, newest in ticked.annotate(Max("coached_at"))]
    newest_of = Session.objects.filter(agent=OuterRef("agent")).order_by("-updated_at").values("pk")[:1]
    sessions = Session.objects.visible_to(member).filter(pk=Subquery(newest_of)).order_by()
    marks += [
        (agent, Coached(at, "session", pk)) for agent, at, pk in sessions.values_list("agent", "updated_at", "pk")
    ]
    for agent, mark in marks:
        if agent not in coached or coached[agent].at < mark.at:
            coached[agent] = mark
    return due, coached


def _causes(rows, question):
    """The causes to choose from; the one that is asked for stays, so that it can be taken back."""
    known = {row.cause for row in rows} | {question.cause}
    return [(cause.value, cause.label) for cause in Flag.Cause if cause.value in known]


def _filtered(rows, question):
    words = question.search.casefold().split()
    return [
        row
        for row in rows
        if (question.team is None or row.team_id == question.team)
        and (not question.kind or row.kind == question.kind)
        and (not question.flagged or row.flag is not None)
        and (not question.cause or row.cause == question.cause)
        and (not question.thin or row.is_thin)
        and all(word in row.name.casefold() for word in words)
    ]


def _sorted(rows, sort):
    """By the key that `sort` names, then by name; what is not known comes last in both directions."""
    value = {
        "name": lambda row: row.name.casefold(),
        "score": lambda row: row.csat.mean if row.csat.enough else None,
        "change": lambda row: row.change,
        "status": lambda row: (row.flag is None, not row.csat.enough, row.csat.mean or 0),
        "due": lambda row: row.due or None,
        "coached": lambda row: row.coached and row.coached.at,
    }[sort.removeprefix("-")]
    rows = sorted(rows, key=lambda row: (row.name.casefold(), row.id))
    known, unknown = [], []
    for row in rows:
        key = value(row)
        if key is None:
            unknown.append(row)
        else:
            known.append((key, row))
    known.sort(key=lambda pair: pair[0], reverse=sort.startswith("-"))
    return [row for _, row in known] + unknown


def _column(question, key, label, css):
    if not key:
        return Column(key, label, css, None, "")
    up, down = key, f"-{key}"
    first = up if key in UPWARDS_FIRST else down
    now = {up: "ascending", down: "descending"}.get(question.sort, "")
    after = first if not now else (down if question.sort == up else up)
    return Column(key, label, css, question.query(sort=after, page=1) or "?", now)


def _tell(rows, member, question, policy, around):
    """Fill in what the shown rows say beside their numbers."""
    shown = [row.id for row in rows]
    proposals = {}
    if member.is_leader:
        waiting = Proposal.objects.visible_to(member).pending().filter(agent__in=shown).order_by().values_list("agent")
        proposals = dict(waiting.annotate(Count("pk")))
    names = {team.pk: team.name for team in around.teams}
    h = trajectory.threshold(around.n_agents, policy.sensitivity)
    cannot_see = sentences.cannot_see(h)
    team, query = reverse("team"), question.query()
    for row in rows:
        row.proposals = proposals.get(row.id, 0)
        row.team, row.cannot_see = names.get(row.team_id, ""), cannot_see
        row.address = f"{team}/{row.id}"
        row.fragment = f"{row.address}{query}"
        row.opened = f"{team}{query}{'&' if query else '?'}agent={row.id}"


def _draw(rows, around):
    """Draw the sparklines of the shown rows; the Scale they share, None where there are none."""
    own, peers = around.weeks(rows)
    lines = [(row, levels_by_week(own[row.id])) for row in rows]
    drawable = [(row, line) for row, line in lines if sum(value is not None for value in line) >= ENOUGH_POINTS]
    if not drawable:
        return None
    weather = {id(weeks): levels_by_week(weeks) for weeks in (peers[row.id] for row, _ in drawable)}
    scale = picture.shared_scale([*(line for _, line in drawable), *weather.values()])
    for row, line in drawable:
        row.spark = picture.sparkline(line, weather[id(peers[row.id])], scale)
    return scale


def levels_by_week(weeks):
    """The level of the four weeks up to each of the last twelve, oldest first; None where too few rated.

    `weeks` has the ratings and their sum of hundredths of 15 weeks, as (n, sum); None stands for nothing that may be shown.
    """
    if weeks is None:
        return [None] * SPARK_WEEKS
    levels = []
    for first in range(SPARK_WEEKS):
        n = total = 0
        for week_n, week_total in weeks[first : first + LEVEL_WEEKS]:
            n += week_n
            total += week_total
        levels.append(total / n / 100 if n >= ENOUGH else None)
    return levels


class Weather:
    """The ratings around the agents of a workspace: by team, or of everybody where a team is too small."""

    def __init__(self, member, today, rows):
        """Two queries: the teams and, for somebody who does not see them all in `rows`, how many active agents each has."""
        self.member, self.today = member, today
        self.teams = list(Team.objects.filter(workspace_id=member.workspace_id).order_by("name"))
        if member.is_leader:
            self._sizes = Counter(row.team_id for row in rows)
        else:
            sizes = Agent.objects.filter(workspace_id=member.workspace_id).active().order_by().values_list("team")
            self._sizes = dict(sizes.annotate(Count("pk")))

    @property
    def n_agents(self):
        return sum(self._sizes.values())

    def weeks(self, rows):
        """Two dicts by agent id, of their own ratings and of their peers': (n, sum of hundredths) of each of 15 weeks.

        Three queries at most. Peers are None where their level would give away single people to the member who looks.
        """
        own = self._weeks("agent", agent__in=[row.id for row in rows])
        teams = {row.team_id for row in rows if self._counts_alone(row.team_id)}
        in_teams = Agent.objects.filter(team__in=teams).values("pk")  # by its agents: else everybody's days are read
        by_team = self._weeks("agent__team", agent__in=in_teams)
        everybody = None
        if self._may_see_everybody() and any(row.team_id not in teams for row in rows):
            workspace = self.member.workspace_id
            everybody = self._weeks("workspace", workspace=workspace)[workspace]
        peers = {row.id: by_team[row.team_id] if row.team_id in teams else everybody for row in rows}
        return own, peers

    def totals(self):
        """The level of each team over the last four weeks, for members."""
        first = self.today - timedelta(days=LEVEL_DAYS - 1)
        days = RatingDay.objects.filter(workspace=self.member.workspace_id, day__range=(first, self.today)).order_by()
        levels = {team: Csat(*csat) for team, *csat in days.values_list("agent__team").annotate(*SUMS)}
        return [
            TeamTotal(team.name, levels.get(team.pk, NOTHING), too_small=not self._counts_alone(team.pk))
            for team in self.teams
        ]

    def _weeks(self, by, **whose):
        """The daily rows added up by week, for each value of the field `by`; weeks without ratings are zeros."""
        first = self.today - timedelta(days=7 * READ_WEEKS - 1)
        days = RatingDay.objects.filter(day__range=(first, self.today), **whose).order_by()
        sums = days.values_list(by, _Week("day", first)).annotate(Sum("n"), Sum("sum_hundredths"))
        weeks = defaultdict(lambda: [(0, 0)] * READ_WEEKS)
        for key, week, n, total in sums:
            weeks[key][week] = n, total
        return weeks

    def _counts_alone(self, team_id):
        return team_id is not None and self._sizes.get(team_id, 0) >= SMALLEST_TEAM

    def _may_see_everybody(self):
        return self.member.is_leader or self.n_agents >= SMALLEST_TEAM


class _Week(Func):
    """How many whole weeks a day lies after the day `first`."""

    output_field = IntegerField()

    def __init__(self, day, first):
        super().__init__(day, Value(first, output_field=DateField()))

    def as_sqlite(self, compiler, connection):
        return self.as_sql(
            compiler,
            connection,
            template="CAST(julianday(%(expressions)s) AS INTEGER) / 7",
            arg_joiner=") - julianday(",
        )

    def as_postgresql(self, compiler, connection):
        return self.as_sql(compiler, connection, template="(%(expressions)s) / 7", arg_joiner=" - ")


def _newest_rating(member):
    ratings = Rating.objects.visible_to(member).order_by("-received_at").values_list("received_at", flat=True)
    return ratings.first()
