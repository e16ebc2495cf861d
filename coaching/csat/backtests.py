"""Whom the flag would have named: the scan replayed over past ratings, of a workspace or of a file. Changes no flag.

`replay` does what a sweep a day would have done, for several thresholds in one go. `shuffle_check` does the same once the days of
each agent are in random order: whatever fell over time falls no more, so every flag that is left is false, and their number
says how often the scan accuses somebody on data like these.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np

from coaching import trajectory
from coaching.csat import daily, findings
from coaching.texts.numbers import counted

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


def rate_words(per_1000: float) -> str:
    """A rate as it is told: "0.8", "5", "18"."""
    return f"{per_1000:.0f}" if per_1000 >= 10 else f"{per_1000:.1f}".removesuffix(".0")
