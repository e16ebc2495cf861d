"""What Settings › Flag policy shows: the three levels in words, the last choices, and the backtest."""

import math
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from urllib.parse import urlencode
from uuid import UUID

from django.utils import timezone

from agents.models import Agent
from agents.paging import Paged, n_pages_of, page_asked
from coaching import trajectory
from coaching.actions import policies
from coaching.actions.backtests import agents_now
from coaching.csat import sentences
from coaching.csat.backtests import Check, rate_words
from coaching.models import Backtest, Flag, FlagPolicy

SHOWN_CHANGES = 5
PAGE_SIZE = 25
LATE = timedelta(seconds=20)  # after which a leader should know that no worker has taken it

Sensitivity = FlagPolicy.Sensitivity
CHARACTER = {
    Sensitivity.EARLY: "Tells you sooner, and accuses somebody wrongly more often.",
    Sensitivity.BALANCED: "Waits until chance is a poor explanation.",
    Sensitivity.CAUTIOUS: "Speaks last, and is wrong least often.",
}


@dataclass(frozen=True)
class Question:
    """What the address asks for: the level whose flags are listed (empty: the chosen one), and a page of them."""

    level: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        level = query.get("level", "")
        return cls(
            level=level if level in Sensitivity.values else "",
            page=page_asked(query),
        )

    def query(self, **changes):
        """The query string, with its question mark, after `changes`."""
        q = replace(self, **changes)
        return "?" + urlencode({k: v for k, v in (("level", q.level), ("page", q.page if q.page > 1 else "")) if v})


@dataclass(frozen=True)
class Level:
    """One sensitivity in a workspace of this size. What was not measured for its threshold `h` is None or empty."""

    value: str
    name: str
    character: str
    h: float
    rarity: int | None
    pace: str
    finds: list[str]


@dataclass(frozen=True)
class Change:
    """One choice somebody made: what it changed, in words."""

    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class FlagLine:
    """One flag that would have been raised. `agent` is None where the agent is not there any more."""

    agent: Agent | None
    raised_on: date
    since: date
    ended_on: date | None
    ended_by: str
    sentence: str
    ending: str
    ratings: int
    observed: str
    expected: str

    @property
    def days_open(self):
        return None if self.ended_on is None else (self.ended_on - self.raised_on).days


@dataclass(frozen=True)
class LevelFound:
    """What one level found: how many flags on how many agents, and its permutation check."""

    level: Level
    n_flags: int
    n_agents: int
    check: Check

    @property
    def rate(self):
        return "" if self.check.per_1000 is None else rate_words(self.check.per_1000)

    @property
    def likely(self):
        """From where to where, as words."""
        return [rate_words(end) for end in self.check.likely]


@dataclass(frozen=True)
class Result(Paged):
    """A finished backtest as it is read. `levels` is empty where there were no ratings; `lines` are those of `shown`."""

    backtest: Backtest
    first_day: date | None
    last_day: date | None
    n_agents: int
    n_judged: int
    n_ratings: int
    agent_quarters: float
    is_stale: bool
    levels: list[LevelFound] = field(default_factory=list)
    shown: LevelFound | None = None
    lines: list[FlagLine] = field(default_factory=list)
    n_real: int = 0  # flags that were really raised on these days
    n_met: int = 0  # those of them that overlap with one of the level that is shown
    question: Question = field(default_factory=Question)

    @property
    def n_pages(self):
        return n_pages_of(self.shown.n_flags, PAGE_SIZE) if self.shown else 1


@dataclass(frozen=True)
class BacktestPart:
    """The newest backtest and the newest result; both None where none was ever asked for."""

    newest: Backtest | None
    result: Result | None

    @property
    def is_running(self):
        return self.newest is not None and self.newest.state in Backtest.UNFINISHED

    @property
    def is_late(self):
        return self.newest.state == Backtest.State.QUEUED and timezone.now() - self.newest.asked_at > LATE


@dataclass(frozen=True)
class Page:
    """Everything on the page."""

    policy: FlagPolicy
    n_agents: int
    levels: list[Level]
    changes: list[Change]
    more_changes: bool
    backtest: BacktestPart


def load(workspace, question):
    """The page of a workspace. The same number of queries whatever a backtest found."""
    policy, n_agents = policies.of(workspace), _n_active(workspace)
    changes = _changes(policy)
    return Page(
        policy=policy,
        n_agents=n_agents,
        levels=_levels(n_agents),
        changes=changes[:SHOWN_CHANGES],
        more_changes=len(changes) > SHOWN_CHANGES,
        backtest=load_backtest(workspace, question, policy),
    )


def load_backtest(workspace, question, policy=None):
    """The part about the backtest. While one waits or runs no result is read: the page asks again every second."""
    backtests = Backtest.objects.filter(workspace=workspace).order_by("-asked_at").select_related("asked_by__user")
    part = BacktestPart(newest=backtests.defer("result").first(), result=None)
    done = None if part.is_running else backtests.done().first()
    if done is None:
        return part
    level = question.level or (policy or policies.of(workspace)).sensitivity
    return replace(part, result=_result(workspace, done, replace(question, level=level)))


def _n_active(workspace):
    return Agent.objects.filter(workspace=workspace, active=True).count()


def _levels(n_agents):
    return [_level(one, trajectory.threshold(n_agents, one), n_agents) for one in Sensitivity]


def _level(one, h, n_agents):
    rarity = sentences.RARITY.get(h)
    return Level(
        value=one.value,
        name=one.label,
        character=CHARACTER[one],
        h=h,
        rarity=rarity,
        pace=pace(rarity, n_agents) if rarity and n_agents else "",
        finds=_finds(h),
    )


def pace(rarity, n_agents):
    """How often somebody steady is flagged among so many agents, at most: one false flag in `rarity` agent-quarters, in words."""
    quarters = rarity / n_agents
    if quarters < 1:
        return f"{math.ceil(n_agents / rarity):,} false flags a quarter"
    if quarters < 4:
        months = math.floor(3 * quarters)
        return f"one false flag in {months} months"
    halves = math.floor(quarters / 2)
    if halves >= 10:
        return f"one false flag in {halves // 2:,} years"
    years = f"{halves // 2}{'½' if halves % 2 else ''}"
    return f"one false flag in {'a year' if years == '1' else f'{years} years'}"


def _finds(h):
    """What is found of real falls within a quarter, a line for each size of fall."""
    return [
        f"{found.percent} of 100 falls by {points} points at {ratings} ratings a week, half of these by week {found.weeks}"
        for (points, ratings), found in sentences.FINDS.get(h, {}).items()
    ]


def _changes(policy):
    """The newest choices first, one more than is shown."""
    if policy.pk is None:
        return []
    rows = list(policy.history.select_related("history_user").order_by("-version")[: SHOWN_CHANGES + 2])
    if rows[-1].version == 1:
        rows.append(FlagPolicy(workspace=policy.workspace))  # what held before the first choice
    return [
        Change(_change(before, row), str(row.history_user or "Touchline"), row.history_date)
        for row, before in pairwise(rows)
    ]


def _change(before, after):
    said = []
    if before.sensitivity != after.sensitivity:
        said.append(f"from {before.get_sensitivity_display()} to {after.get_sensitivity_display()}")
    if before.automatic != after.automatic:
        said.append("automatic flags on" if after.automatic else "automatic flags off")
    words = ", ".join(said)
    return words[:1].upper() + words[1:]


def _result(workspace, done, question):
    told = done.result
    result = Result(
        backtest=done,
        first_day=_date(told["first_day"]),
        last_day=_date(told["last_day"]),
        n_agents=told["agents"],
        n_judged=told["judged"],
        n_ratings=told["ratings"],
        agent_quarters=told["agent_quarters"],
        is_stale=(told["ratings_revision"], told["agents_as"]) != (workspace.ratings_revision, agents_now(workspace)),
        question=question,
    )
    if not told["levels"]:
        return result
    levels = {name: _level_found(name, level, told["agents"]) for name, level in told["levels"].items()}
    flags = sorted(told["levels"][question.level]["flags"], key=lambda flag: flag["raised_on"], reverse=True)
    n_pages = n_pages_of(len(flags), PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    shown = flags[PAGE_SIZE * (question.page - 1) : PAGE_SIZE * question.page]
    agents = Agent.objects.filter(workspace=workspace).select_related("team").in_bulk({UUID(f["agent"]) for f in shown})
    n_real, n_met = _met(workspace, flags, result)
    return replace(
        result,
        question=question,
        levels=list(levels.values()),
        shown=levels[question.level],
        lines=[_line(flag, agents.get(UUID(flag["agent"]))) for flag in shown],
        n_real=n_real,
        n_met=n_met,
    )


def _level_found(name, level, n_agents):
    flags = level["flags"]
    return LevelFound(
        level=_level(Sensitivity(name), level["h"], n_agents),
        n_flags=len(flags),
        n_agents=len({flag["agent"] for flag in flags}),
        check=Check(**level["shuffled"]),
    )


def _met(workspace, flags, result):
    """(flags that were really raised on these days by themselves, those of them that were open while one of `flags` was)"""
    first, last = result.first_day, result.last_day
    real = Flag.objects.filter(workspace=workspace, opened_on__range=(first, last)).automatic()
    spans = {}
    for flag in flags:
        spans.setdefault(flag["agent"], []).append((_date(flag["raised_on"]), _date(flag["ended_on"]) or last))
    rows = real.values_list("agent_id", "opened_on", "closed_on")
    met = [
        any(opened <= end and start <= (closed or last) for start, end in spans.get(str(agent), ()))
        for agent, opened, closed in rows
    ]
    return len(met), sum(met)


def _line(flag, agent):
    ended = {"cleared": sentences.cleared, "expired": sentences.expired}
    ending = ended[flag["ended_by"]](flag["end"]) if flag["end"] else "It would be open still."
    return FlagLine(
        agent=agent,
        raised_on=_date(flag["raised_on"]),
        since=_date(flag["since"]),
        ended_on=_date(flag["ended_on"]),
        ended_by=flag["ended_by"],
        sentence=sentences.sentence(agent.name if agent else "the agent", flag, today=timezone.localdate()),
        ending=ending,
        ratings=flag["ratings"],
        observed=sentences.level(flag["observed"], flag["scale"]),
        expected=sentences.level(flag["expected"], flag["scale"]),
    )


def _date(iso):
    return None if iso is None else date.fromisoformat(iso)
