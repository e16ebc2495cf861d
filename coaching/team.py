"""What the Team page shows, read at once: the same number of queries for one agent and for thousands."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Max, Q, Sum
from django.utils import timezone

from agents.models import Agent, Team
from coaching import picture, sentences
from coaching.csat import NOTHING, Csat, Timeline
from coaching.models import Flag, Note, Proposal, Session
from helpdesk.models import Rating, RatingDay

LEVEL_DAYS = 28
SPARK_WEEKS = 12
SPARK_DAYS = 7 * (SPARK_WEEKS - 1) + LEVEL_DAYS  # each point of a sparkline is the level of the four weeks up to it
ENOUGH_POINTS = 6  # of a sparkline; fewer are no line
PAGE_SIZE = 100
SMALLEST_TEAM = 4  # a smaller one counts as the whole workspace, as for the flag

THIN = 14  # ratings in four weeks, about three a week, under which a page says what it cannot see
THIN_WORDS = "At 3 ratings a week even a 30-point fall is found only two times in three"

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
    search: str = ""
    sort: str = "status"
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        team, page, sort, kind = (query.get(key, "") for key in ("team", "page", "sort", "kind"))
        return cls(
            team=int(team) if team.isdecimal() and len(team) < 18 else None,
            kind=kind if kind in Agent.Kind.values else "",
            flagged=query.get("flagged") == "1",
            search=query.get("q", "").replace("\0", "").strip()[:100],
            sort=sort if sort in SORTS else "status",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    @property
    def narrows(self):
        return bool(self.team or self.kind or self.flagged or self.search)

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`; empty where nothing is asked."""
        q = replace(self, **changes)
        given = {
            "q": q.search,
            "team": q.team,
            "kind": q.kind,
            "flagged": "1" if q.flagged else "",
            "sort": "" if q.sort == "status" else q.sort,
            "page": q.page if q.page > 1 else "",
        }
        encoded = urlencode({key: value for key, value in given.items() if value})
        return f"?{encoded}" if encoded else ""


@dataclass(frozen=True)
class Column:
    """A heading: `query` is the address that sorts by it, `aria_sort` how the table is sorted by it now, if it is."""

    label: str
    css: str
    query: str | None
    aria_sort: str


@dataclass
class Row:
    """One agent of the table. `change` and `spark` are None where the ratings do not carry them."""

    agent: Agent
    csat: Csat
    before: Csat
    flag: Flag | None
    due: int
    coached_at: datetime | None
    proposals: int
    spark: picture.Sparkline | None = None

    @property
    def change(self):
        """Points against the four weeks before; None where either has too few ratings to name a level."""
        if self.csat.enough and self.before.enough:
            return self.csat.mean - self.before.mean
        return None

    @property
    def words(self):
        """What the Status column says: the flag's claim, what cannot be seen in so few ratings, or nothing."""
        if self.flag is not None:
            by_hand = self.flag.kind == Flag.Kind.MANUAL
            words = self.flag.reason if by_hand else sentences.brief(self.flag.evidence)
            waiting = f"{self.proposals} proposal{'' if self.proposals == 1 else 's'} waiting" if self.proposals else ""
            return "; ".join(filter(None, [words, waiting]))
        if self.csat.n >= THIN:
            return ""
        if self.csat.enough:
            return THIN_WORDS
        if not self.csat.n:
            return "No ratings in 4 weeks"
        return f"Too few to say. {THIN_WORDS}"


@dataclass(frozen=True)
class TeamTotal:
    """The level of a team; `too_small` where it would give away single people to somebody who may not see them."""

    name: str
    csat: Csat
    too_small: bool


@dataclass
class TeamPage:
    """Everything the page shows. `n_agents` and `n_flagged` count the workspace, `n_found` what the filters leave."""

    question: Question
    columns: list[Column]
    rows: list[Row]
    teams: list[Team]
    n_agents: int
    n_flagged: int
    n_found: int
    n_pages: int
    newest_at: datetime | None
    since: date  # the first day of the last four weeks
    totals: list[TeamTotal] = field(default_factory=list)

    @property
    def previous_page(self):
        return self.question.query(page=self.question.page - 1) if self.question.page > 1 else None

    @property
    def next_page(self):
        return self.question.query(page=self.question.page + 1) if self.question.page < self.n_pages else None


def load(member, question):
    """The Team page for `member`: every agent for leaders, their own row and the teams' totals for members."""
    today = timezone.now().astimezone(member.workspace.zone).date()
    rows = _rows(member, today)
    found = sorted(_filtered(rows, question), key=lambda row: (row.agent.name.casefold(), str(row.agent.pk)))
    _sort(found, question.sort)
    n_pages = max(1, -(-len(found) // PAGE_SIZE))
    question = replace(question, page=min(question.page, n_pages))
    shown = found[(question.page - 1) * PAGE_SIZE : question.page * PAGE_SIZE]
    around = Weather(member, today)
    _draw(shown, around, today)
    return TeamPage(
        question=question,
        columns=[_column(question, *one) for one in COLUMNS if member.is_leader or one[0] not in FOR_LEADERS],
        rows=shown,
        teams=around.teams,
        n_agents=len(rows),
        n_flagged=sum(row.flag is not None for row in rows),
        n_found=len(found),
        n_pages=n_pages,
        newest_at=_newest_rating(member),
        since=today - FOUR_WEEKS + timedelta(days=1),
        totals=[] if member.is_leader else around.totals(),
    )


def _rows(member, today):
    agents = list(Agent.objects.visible_to(member).active().select_related("team"))
    start = today - timedelta(days=LEVEL_DAYS - 1)
    levels, before = defaultdict(Csat), defaultdict(Csat)
    days = RatingDay.objects.filter(workspace_id=member.workspace_id, day__range=(start - FOUR_WEEKS, today)).order_by()
    if not member.is_leader:
        days = days.filter(agent_id=member.agent_id)
    for agent, is_recent, *sums in days.values_list("agent", Q(day__gte=start)).annotate(*SUMS):
        (levels if is_recent else before)[agent] = Csat(*sums)
    flags, due, coached, proposals = {}, {}, {}, {}
    if member.is_leader:
        flags = {flag.agent_id: flag for flag in Flag.objects.visible_to(member).open()}
        notes = Note.objects.visible_to(member).current().order_by().values("agent")
        for agent, newest, open_ones in notes.annotate(
            newest=Max("created_at"),
            open_ones=Count("pk", filter=Q(follow_up_at__isnull=False, followed_up_at=None)),
        ).values_list("agent", "newest", "open_ones"):
            coached[agent], due[agent] = newest, open_ones
        sessions = Session.objects.visible_to(member).order_by().values("agent").annotate(newest=Max("updated_at"))
        for agent, newest in sessions.values_list("agent", "newest"):
            coached[agent] = max(newest, coached.get(agent, newest))
        waiting = Proposal.objects.visible_to(member).pending().order_by().values("agent").annotate(waiting=Count("pk"))
        proposals = dict(waiting.values_list("agent", "waiting"))
    return [
        Row(
            agent=agent,
            csat=levels[agent.pk],
            before=before[agent.pk],
            flag=flags.get(agent.pk),
            due=due.get(agent.pk, 0),
            coached_at=coached.get(agent.pk),
            proposals=proposals.get(agent.pk, 0),
        )
        for agent in agents
    ]


def _filtered(rows, question):
    words = question.search.casefold().split()
    return [
        row
        for row in rows
        if (question.team is None or row.agent.team_id == question.team)
        and (not question.kind or row.agent.kind == question.kind)
        and (not question.flagged or row.flag is not None)
        and all(word in row.agent.name.casefold() for word in words)
    ]


def _sort(rows, sort):
    """In place and stable; what is not known stays last in both directions."""
    value = {
        "name": lambda row: row.agent.name.casefold(),
        "score": lambda row: row.csat.mean if row.csat.enough else None,
        "change": lambda row: row.change,
        "status": lambda row: (row.flag is None, not row.csat.enough, row.csat.mean or 0),
        "due": lambda row: row.due or None,
        "coached": lambda row: row.coached_at,
    }[sort.removeprefix("-")]
    known = [row for row in rows if value(row) is not None]
    unknown = [row for row in rows if value(row) is None]
    known.sort(key=value, reverse=sort.startswith("-"))
    rows[:] = known + unknown


def _column(question, key, label, css):
    if not key:
        return Column(label, css, None, "")
    up, down = key, f"-{key}"
    first = up if key in UPWARDS_FIRST else down
    now = {up: "ascending", down: "descending"}.get(question.sort, "")
    after = first if not now else (down if question.sort == up else up)
    return Column(label, css, question.query(sort=after, page=1) or "?", now)


def _draw(rows, around, today):
    last = today.toordinal()
    own, peers = around.timelines([row.agent for row in rows])
    series = []
    for row in rows:
        team = peers[row.agent.pk]
        series.append(
            (levels_by_week(own[row.agent.pk], last), levels_by_week(team, last) if team else [None] * SPARK_WEEKS)
        )
    drawable = [sum(value is not None for value in line) >= ENOUGH_POINTS for line, _ in series]
    scale = picture.shared_scale([line for pair, draw in zip(series, drawable, strict=True) if draw for line in pair])
    for row, (line, team), draw in zip(rows, series, drawable, strict=True):
        if draw:
            row.spark = picture.sparkline(line, team, scale)


def levels_by_week(timeline, last, weeks=SPARK_WEEKS):
    """The level of the four weeks up to each of the last `weeks` weeks, oldest first; None where too few rated."""
    ends = range(last - 7 * (weeks - 1), last + 1, 7)
    windows = (timeline.window(end - LEVEL_DAYS + 1, end) for end in ends)
    return [csat.mean if csat.enough else None for csat in windows]


class Weather:
    """The daily ratings around the agents of a workspace: by team, or of everybody where a team is too small."""

    def __init__(self, member, today):
        """Two queries: the teams, and how many active agents each has."""
        self.member, self.today = member, today
        self.teams = list(Team.objects.filter(workspace_id=member.workspace_id).order_by("name"))
        sizes = Agent.objects.filter(workspace_id=member.workspace_id).active().order_by().values_list("team")
        self._sizes = dict(sizes.annotate(Count("pk")))

    def timelines(self, agents):
        """Two dicts of Timelines by agent id, of their own ratings and of their peers', over the weeks of a sparkline.

        Three queries at most. Peers are None where their level would give away single people to the member who looks.
        """
        own = _timelines(self._days(SPARK_DAYS, agent__in=agents), "agent", self.today)
        teams = {agent.team_id for agent in agents if self._counts_alone(agent.team_id)}
        in_teams = Agent.objects.filter(team__in=teams).values("pk")  # by its agents: else everybody's days are read
        by_team = _timelines(self._days(SPARK_DAYS, agent__in=in_teams), "agent__team", self.today)
        everybody = None
        if self._may_see_everybody() and any(agent.team_id not in teams for agent in agents):
            days = self._days(SPARK_DAYS, workspace=self.member.workspace_id)
            everybody = _timelines(days, "workspace", self.today)[self.member.workspace_id]
        peers = {agent.pk: by_team[agent.team_id] if agent.team_id in teams else everybody for agent in agents}
        return own, peers

    def totals(self):
        """The level of each team over the last four weeks, for members."""
        days = self._days(LEVEL_DAYS, workspace=self.member.workspace_id)
        sums = days.values_list("agent__team").annotate(*SUMS)
        levels = {team: Csat(*csat) for team, *csat in sums}
        return [
            TeamTotal(team.name, levels.get(team.pk, NOTHING), too_small=not self._counts_alone(team.pk))
            for team in self.teams
        ]

    def _days(self, count, **whose):
        first = self.today - timedelta(days=count - 1)
        return RatingDay.objects.filter(day__range=(first, self.today), **whose).order_by()

    def _counts_alone(self, team_id):
        return team_id is not None and self._sizes.get(team_id, 0) >= SMALLEST_TEAM

    def _may_see_everybody(self):
        return self.member.is_leader or sum(self._sizes.values()) >= SMALLEST_TEAM


def _timelines(days, by, today):
    """The daily rows added up into one Timeline for each value of the field `by`; an empty one for any other value."""
    sums = defaultdict(list)
    for key, day, *csat in days.values_list(by, "day").annotate(*SUMS):
        sums[key].append((day.toordinal(), Csat(*csat)))
    last = today.toordinal()
    empty = Timeline(last - SPARK_DAYS + 1, last)
    return defaultdict(lambda: empty, {key: Timeline(last - SPARK_DAYS + 1, last, one) for key, one in sums.items()})


def _newest_rating(member):
    ratings = Rating.objects.visible_to(member).order_by("-received_at").values_list("received_at", flat=True)
    return ratings.first()
