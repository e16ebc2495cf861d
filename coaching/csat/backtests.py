"""Whom the flag would have named: the scan replayed over past ratings, of a workspace or of a file. Changes no flag.

`replay` does what a sweep a day would have done, for several thresholds in one go. `shuffle_check` does the same once the days of
each agent are in random order: whatever fell over time falls no more, so every flag that is left is false, and their number
says how often the scan accuses somebody on data like these.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import numpy as np

from coaching import trajectory
from coaching.csat import daily, findings, sentences
from coaching.texts.numbers import counted
from helpdesk import scales
from helpdesk.files import RatingsCsv
from helpdesk.models import Scale
from helpdesk.rows import RatingRow, Refused, rating_from_cells

QUARTER_DAYS = 91

# The shuffling is repeated until it rests on so many agent-quarters: at five false flags per 1,000 these hold 20, which chance
# leaves uncertain by about a quarter in each direction. A large workspace has as many at once; a small one does not get there
# within a time that anybody waits: a scan of few agents takes milliseconds, whatever their number, so scans are what is bounded.
ENOUGH_QUARTERS = 4_000
MOST_REPEATS = 50
MOST_SCANS = 10_000  # of the replay and all repeats together: half a minute to a minute for a dozen agents
SEED = 20_261_120  # fixed: the same ratings give the same answer

CONFIDENT = 1.96  # standard errors on either side that hold 19 in 20


@dataclass
class Raised:
    """One flag that would have been raised, on the agent of a History's `row`.

    `evidence` and `close_evidence` are what a flag would have stored (`coaching.csat.findings`); `ended_by` is "cleared",
    "expired" or, as long as it stands, "open".
    """

    row: int
    evidence: dict
    ended_by: str = "open"
    close_evidence: dict | None = None

    @property
    def opened_on(self):
        return date.fromisoformat(self.evidence["day"])

    @property
    def ended_on(self):
        return None if self.close_evidence is None else date.fromisoformat(self.close_evidence["day"])


@dataclass
class Replayed:
    """What a sweep on each of some days would have done. `days_judged` (agents,): days with ratings enough to judge by."""

    days_judged: np.ndarray
    raised: dict[str, list[Raised]] = field(default_factory=dict)

    @property
    def agent_quarters(self) -> float:
        return int(self.days_judged.sum()) / QUARTER_DAYS


@dataclass(frozen=True)
class Check:
    """How many flags were raised on shuffled days, on so many agent-quarters of `repeats` shufflings. All of them are false."""

    flags: int
    agent_quarters: float
    repeats: int

    @property
    def per_1000(self) -> float | None:
        """False flags per 1,000 agent-quarters, None where nothing could be judged."""
        return 1000 * self.flags / self.agent_quarters if self.agent_quarters else None

    @property
    def likely(self) -> tuple[float, float]:
        """The rates per 1,000 agent-quarters that 19 in 20 such counts come from: the exact limits by Byar's approximation."""
        count, more = self.flags, self.flags + 1
        low = count * (1 - 1 / (9 * count) - CONFIDENT / (3 * count**0.5)) ** 3 if count else 0.0
        high = more * (1 - 1 / (9 * more) + CONFIDENT / (3 * more**0.5)) ** 3
        return 1000 * low / self.agent_quarters, 1000 * high / self.agent_quarters

    @property
    def sentence(self) -> str:
        """What it says, to follow "On your data", or that it cannot be known."""
        if self.per_1000 is None:
            return "false flags cannot be counted: no agent had ratings enough to be judged on any day."
        low, high = self.likely
        times = "once" if self.repeats == 1 else f"{self.repeats} times"
        return (
            f"about {rate_words(self.per_1000)} false flags per 1,000 agent-quarters: {counted(self.flags, 'flag')} on "
            f"{counted(round(self.agent_quarters), 'agent-quarter')}, with the days of each agent shuffled {times}. From "
            f"{rate_words(low)} to {rate_words(high)} would fit that count."
        )


def replay(
    history: daily.History,
    first: int,
    last: int,
    thresholds: dict[str, float],
    advance: Callable[[], None] = lambda: None,
) -> Replayed:
    """Sweep every day first..last (ordinals) as coaching.actions.sweeps does, from a workspace without flags.

    `thresholds` is {name: h}: each has flags of its own, all read the one scan of a day. Who is not active is not flagged.
    `advance` is called after each day; what it raises ends the replay.
    """
    states = {name: trajectory.State.empty(len(history.agents)) for name in thresholds}
    open_flags: dict[str, dict[int, Raised]] = {name: {} for name in thresholds}
    done = Replayed(np.zeros(len(history.agents), np.int64), {name: [] for name in thresholds})
    for day in range(first, last + 1):
        found = trajectory.scan(history.days, history.team, day)
        found = replace(found, statistic=np.where(history.active, found.statistic, -np.inf))
        done.days_judged += found.enough & history.active
        for name, h in thresholds.items():
            states[name], events = trajectory.step(states[name], found, h)
            for ended_by, rows in (("cleared", events.cleared), ("expired", events.expired)):
                for row in rows.tolist():
                    flag = open_flags[name].pop(row)
                    flag.ended_by, flag.close_evidence = ended_by, findings.end_of(flag, found, row)
            for row in events.raised.tolist():
                evidence = findings.evidence_of(found, row, history, h=h)
                open_flags[name][row] = flag = Raised(row, evidence)
                done.raised[name].append(flag)
        advance()
    return done


def repeats(n_days: int, agent_quarters: float) -> int:
    """How often the days are shuffled, where one replay has so many days and agent-quarters to judge. 0 where it has none."""
    if not agent_quarters:
        return 0
    wanted, affordable = -(-ENOUGH_QUARTERS // agent_quarters), MOST_SCANS // n_days - 1
    return int(max(min(wanted, affordable, MOST_REPEATS), 1))


def shuffle_check(
    history: daily.History,
    first: int,
    last: int,
    thresholds: dict[str, float],
    times: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[str, Check]:
    """The permutation check: `replay` on `times` histories whose days are shuffled within each agent. {name: Check}."""
    rng = np.random.default_rng(SEED)
    counts, agent_quarters = dict.fromkeys(thresholds, 0), 0.0
    for _ in range(times):
        shuffled = replay(replace(history, days=history.days.shuffled(rng)), first, last, thresholds, advance)
        agent_quarters += shuffled.agent_quarters
        for name, raised in shuffled.raised.items():
            counts[name] += len(raised)
    return {name: Check(count, agent_quarters, times) for name, count in counts.items()}


def run(
    history: daily.History,
    first: int,
    last: int,
    thresholds: dict[str, float],
    tell: Callable[[int], None],
    *,
    shuffle: bool = True,
) -> tuple[Replayed, dict[str, Check]]:
    """`replay`, and unless told otherwise `shuffle_check`, as often as it takes.

    `tell` hears after every day how far it is, in per cent of all: before the first replay has shown how many agent-quarters it
    judges, how often the days will be shuffled is an estimate, but what is told never goes back.
    """
    n_days = last - first + 1
    most = int(history.active.sum()) * n_days / QUARTER_DAYS
    total, days, percent = n_days * (1 + (repeats(n_days, most) if shuffle else 0)), 0, 0

    def advance():
        nonlocal days, percent
        days += 1
        percent = max(percent, min(99, 100 * days // total))
        tell(percent)

    replayed = replay(history, first, last, thresholds, advance)
    if not shuffle:
        return replayed, {}
    times = repeats(n_days, replayed.agent_quarters)
    total = n_days * (1 + times)
    return replayed, shuffle_check(history, first, last, thresholds, times, advance)


# --- Ratings from a file

NEEDED = ("agent", "value", "rated_at")
SHARE = "share"  # a score from 0 to 1: what this file has unless its values say otherwise


@dataclass(frozen=True)
class Found:
    """One flag that would have been raised. Levels are scores 0..1; `ended_on` is None where it would be open still."""

    agent: str
    raised_on: date
    ended_on: date | None
    ended_by: str
    since: date
    expected: float
    observed: float
    ratings: int
    reason: str


class Ratings:
    """The ratings of a file, a few bytes each; of a conversation the latest counts. Days are ordinals, in UTC."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, int, int]] = []  # agent, day, hundredths
        self.agents: dict[str, int] = {}
        self.teams: dict[str, int] = {}
        self.team_of: list[int] = []
        self.superseded = 0
        self._latest: dict[tuple[str, str], tuple[datetime, int]] = {}

    def add(self, rating: RatingRow, conversation: tuple[str, str] | None):
        """Take one in. `conversation` is None where the file does not say which one was rated."""
        agent = self.agents.setdefault(rating.agent, len(self.agents))
        if agent == len(self.team_of):
            self.team_of.append(-1)
        if rating.team:
            self.team_of[agent] = self.teams.setdefault(rating.team, len(self.teams))
        row = agent, rating.rated_at.astimezone(UTC).date().toordinal(), rating.score
        if conversation is None:
            self.rows.append(row)
            return
        earlier = self._latest.get(conversation)
        if earlier is not None:
            self.superseded += 1
            if rating.rated_at < earlier[0]:
                return
        at = len(self.rows) if earlier is None else earlier[1]
        self.rows[at : at + 1] = [row]
        self._latest[conversation] = rating.rated_at, at


def scale_of(table: RatingsCsv) -> str | None:
    """How to read the values that no column names a scale for: SHARE, one of Scale.values, or None where several fit.

    The table is read from its start.
    """
    values = list(dict.fromkeys(table.values_without_a_scale()))
    shares = [share for share in map(_share, values) if share is not None]
    if shares and all(0 <= share <= 1 for share in shares):
        return SHARE
    return scales.guess(values) or (SHARE if any(0 <= share <= 1 for share in shares) else None)


def rating_of(line: int, cells: list[str], columns: dict[str, int], *, scale: str | None, now: datetime):
    """One row of a file: (RatingRow, conversation or None). Raises Refused."""
    cells = list(cells)
    own_scale = cells[columns["scale"]].strip() if "scale" in columns else ""
    if scale == SHARE and not own_scale:
        share = _share(cells[columns["value"]])
        if share is None or not 0 <= share <= 1:
            raise Refused("score", "It is not a number from 0 to 1.")
        cells[columns["value"]] = f"{100 * share:f}"
    named = cells[columns["external_id"]].strip() if "external_id" in columns else ""
    source = cells[columns["source"]].strip() if "source" in columns else ""
    # The reader of imports asks for an id; a row without one is a conversation of its own.
    columns = {name: at for name, at in columns.items() if name not in ("source", "closed_at")} | {
        "external_id": len(cells)
    }
    rating = rating_from_cells(
        [*cells, named or f"line {line}"],
        columns,
        zone=UTC,
        now=now,
        scale=Scale.PERCENT if scale == SHARE else scale,
        source="file",
    )
    return rating, (source, named) if named else None


def history_of(ratings: Ratings) -> daily.History:
    """The file's ratings as the daily table would hold them. Raises ValueError where there are none."""
    if not ratings.rows:
        raise ValueError("There are no ratings to replay.")
    agent, day, hundredths = np.array(ratings.rows, np.int64).T
    names = list(ratings.agents)
    days = trajectory.daily_sums(agent, day, hundredths / 10_000, None, len(names), int(day.min()), int(day.max()))
    return daily.History(names, np.ones(len(names), bool), np.array(ratings.team_of), days)


def found_in(flags: list[Raised], history: daily.History) -> list[Found]:
    """What is told of the flags of a file, in the order of raising."""
    return [_found(flag, history.agents[flag.row]) for flag in flags]


def _found(flag, name):
    e = flag.evidence
    return Found(
        agent=name,
        raised_on=flag.opened_on,
        ended_on=flag.ended_on,
        ended_by=flag.ended_by,
        since=date.fromisoformat(e["since"]),
        expected=round(e["expected"] / 100, 4),
        observed=round(e["observed"] / 100, 4),
        ratings=e["ratings"],
        reason=sentences.sentence(name, e),
    )


def _share(value):
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and "_" not in value else None


def rate_words(per_1000: float) -> str:
    """A rate as it is told: "0.8", "5", "18"."""
    return f"{per_1000:.0f}" if per_1000 >= 10 else f"{per_1000:.1f}".removesuffix(".0")
