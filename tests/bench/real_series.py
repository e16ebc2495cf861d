"""The sustained scan on a file of real ratings: who is flagged, who nearly, and controls whose truth is known.

    python -m tests.bench.flag_eval --real FILE.csv

Columns `agent`, `rated_at` (or `closed_at`), `score` (or `value`): good/bad, 0..1 or 1..5; where `conversation_id` (or
`external_id`) is there, the file is read twice, every rating and the latest of each conversation. Nobody has a team. The
controls put changed copies of the workspace side by side as teams, so that one replay serves them all:

    shuffled days     each agent's days in another order: whatever is flagged is false
    shuffled months   blocks of four weeks in another order: bad spells stay whole, their place in time does not
    as stars          good told as 4 or 5, bad as 1 or 2, with shuffled days: the same on a scale of five
    planted falls     from a day on, good ratings of one agent turned bad until they are 15 or 30 points lower
    swapped agents    from the middle of an agent's history on, the ratings of another
"""

import csv
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np

from coaching import trajectory
from coaching.trajectory import Days

USUAL = {h: sensitivity for sensitivity, (h, _) in trajectory.THRESHOLDS.items()}
QUARTER = 91
COPIES = 20
MONTH = 28
VOLUMES = (0, 3, 8, 20, np.inf)  # ratings a week: the edges that planted falls are told apart by
SEED = 1


@dataclass(frozen=True)
class Series:
    """Ratings of a file, one row each; `agents` are their names."""

    agent: np.ndarray
    day: np.ndarray
    score: np.ndarray
    agents: list[str]

    @property
    def sweep_days(self):
        return range(int(self.day.min()), int(self.day.max()) + 1)

    def days(self, score=None):
        """The Days of it, or of other scores for the same ratings."""
        score = self.score if score is None else score
        first, last = self.sweep_days[0], self.sweep_days[-1]
        return trajectory.daily_sums(self.agent, self.day, score, None, len(self.agents), first, last)


def read(path, per_conversation=False):
    """The Series of a file, or None where it is to be read by conversation and does not tell them apart."""
    with Path(path).open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    at, score = (
        next(name for name in names if name in rows[0]) for names in (("rated_at", "closed_at"), ("score", "value"))
    )
    if per_conversation:
        named = next((name for name in ("conversation_id", "external_id") if name in rows[0]), None)
        if named is None:
            return None
        rows = list({row[named]: row for row in sorted(rows, key=lambda row: row[at])}.values())
    words = {"good": 1.0, "bad": 0.0}
    scores = np.array([words[row[score]] if row[score] in words else float(row[score]) for row in rows])
    names = sorted({row["agent"] for row in rows})
    row_of = {name: i for i, name in enumerate(names)}
    return Series(
        np.array([row_of[row["agent"]] for row in rows]),
        np.array([date.fromisoformat(row[at][:10]).toordinal() for row in rows]),
        scores if scores.max() <= 1 else (scores - 1) / 4,
        names,
    )


def side_by_side(copies):
    """Many Days of one workspace as one, and the team of each row: a copy is a team."""
    days = Days(copies[0].first_day, *(np.concatenate([getattr(c, name) for c in copies]) for name in ("n", "u", "uu")))
    return days, np.repeat(np.arange(len(copies)), copies[0].n_agents)


def watched_quarters(days, team, sweep_days):
    """Agent-quarters in which there were ratings enough to judge by, whatever came of it."""
    return sum(int(trajectory.scan(days, team, day).enough.sum()) for day in sweep_days[::7]) * 7 / QUARTER


def nearest(days, team, sweep_days, most=5):
    """The Scan rows of highest statistic, one an agent: [(statistic, agent, Scan)], highest first."""
    best = {}
    for day in sweep_days:
        found = trajectory.scan(days, team, day)
        for agent in np.flatnonzero(np.isfinite(found.statistic)).tolist():
            if agent not in best or found.statistic[agent] > best[agent][0]:
                best[agent] = float(found.statistic[agent]), agent, found
    return sorted(best.values(), key=lambda one: -one[0])[:most]


def months_shuffled(days, rng):
    """The same days with each agent's blocks of four weeks in another order."""
    n_months = days.n.shape[1] // MONTH
    order = np.argsort(rng.random((days.n_agents, n_months)), axis=1)
    columns = (order[:, :, None] * MONTH + np.arange(MONTH)).reshape(days.n_agents, -1)
    return Days(days.first_day, *(np.take_along_axis(x, columns, 1) for x in (days.n, days.u, days.uu)))


def as_stars(score, rng):
    """Good and bad told on five stars: good as 5 or (one in six) 4, bad as 1 or (one in six) 2."""
    return np.abs(score - 0.25 * (rng.random(len(score)) < 1 / 6))


def planted(series, points, rng):
    """Falls planted into the real series: the copies and, for each, the row that falls, the day, the ratings a week then.

    Every 91 days from an agent's 27th week on, where half a year before and a quarter after hold ratings enough to judge
    by and a level that can fall so far.
    """
    whole, copies, fell = series.days(), [], []
    for agent in range(len(series.agents)):
        first = int(series.day[series.agent == agent].min())
        for day in range(first + trajectory.HISTORY_DAYS, series.sweep_days[-1] - QUARTER, QUARTER):
            after = (series.agent == agent) & (series.day >= day)
            quarter = after & (series.day < day + QUARTER)
            n_before = whole.window(day - trajectory.HISTORY_DAYS + 1, day - 1)[0][agent]
            if quarter.sum() < trajectory.MIN_RATINGS or n_before < trajectory.MIN_PAST_RATINGS:
                continue
            level = series.score[quarter].mean()
            if level < points / 100 + 0.05:
                continue
            turned = after & (rng.random(len(after)) < points / 100 / level)
            fell.append((agent + len(copies) * len(series.agents), day, quarter.sum() * 7 / QUARTER))
            copies.append(series.days(np.where(turned, 0.0, series.score)))
    return copies, np.array(fell).reshape(-1, 3)


def swapped(series, at_least=100):
    """Pairs of agents of whom one goes on as the other: the copies and, for each, (row, day, points gained by it)."""
    whole, copies, told = series.days(), [], []
    many = np.flatnonzero(whole.n.sum(1) >= at_least)
    for one in many:
        day = int(np.median(series.day[series.agent == one]))
        column = day - whole.first_day
        for other in many[many != one]:
            n, u, uu = (x.copy() for x in (whole.n, whole.u, whole.uu))
            for ours in (n, u, uu):
                ours[one, column:] = ours[other, column:]
            nb, ub = whole.window(day - trajectory.HISTORY_DAYS + 1, day - 1)
            na, ua = whole.window(day, day + QUARTER - 1)
            if na[other] < trajectory.MIN_RATINGS or nb[one] < trajectory.MIN_PAST_RATINGS:
                continue
            gained = 100 * (ub[one] / nb[one] - ua[other] / na[other])
            told.append((one + len(copies) * len(series.agents), day, gained))
            copies.append(Days(whole.first_day, n, u, uu))
    return copies, told


def raised_within(flags, row, day):
    """Whether a flag is raised on `row` in the quarter from `day` on."""
    return any(flag.agent == row and 0 <= flag.raised_on - day < QUARTER for flag in flags)


def evaluate(path, say):
    """Print everything about one file."""
    for per_conversation in (False, True):
        series = read(path, per_conversation)
        if series is None:
            continue
        reading = "the latest rating of each conversation" if per_conversation else "every rating"
        say(
            f"{Path(path).name}, {reading}: {len(series.score):,} ratings of {len(series.agents)} agents, mean "
            f"{series.score.mean():.2f}, {date.fromordinal(series.sweep_days[0])} to {date.fromordinal(series.sweep_days[-1])}"
        )
        _flags(series, say)
        _false_flags(series, say)
        _planted_falls(series, say)
        _swapped_agents(series, say)
        say()


def _flags(series, say):
    days, alone = series.days(), np.full(len(series.agents), -1)
    quarters = watched_quarters(days, alone, series.sweep_days)
    for h, flags in trajectory.replays(days, alone, series.sweep_days, USUAL).items():
        say(
            f"  {USUAL[h]} (h {h}): {len(flags)} flags in {quarters:.0f} agent-quarters with ratings enough to judge by"
        )
        for flag in flags:
            end = f"{flag.ended_by} {date.fromordinal(flag.ended_on)}" if flag.ended_on else "open"
            say(f"    {series.agents[flag.agent]} raised {date.fromordinal(flag.raised_on)}, {end}; {_fall(flag)}")
    say("  nearest, at their highest:")
    for statistic, agent, found in nearest(days, alone, series.sweep_days):
        one = trajectory.flag_of(found, agent)
        say(f"    {statistic:.2f} {series.agents[agent]} on {date.fromordinal(found.day)}; {_fall(one)}")


def _fall(flag):
    return (
        f"{flag.weeks} weeks, {flag.ratings:.0f} ratings, {flag.observed:.2f} where {flag.expected:.2f} was expected, below in "
        f"{flag.weeks_below} of {flag.weeks_rated}; evidence {flag.evidence:.2f}, without the worst 7 days "
        f"{flag.evidence_without_worst:.2f}"
    )


def _false_flags(series, say):
    rng = np.random.default_rng(SEED)
    whole = series.days()
    stars = [series.days(as_stars(series.score, rng)) for _ in range(COPIES)]
    controls = {
        "shuffled days": [whole.shuffled(rng) for _ in range(COPIES)],
        "shuffled months": [months_shuffled(whole, rng) for _ in range(COPIES)],
        "as stars, shuffled days": [days.shuffled(rng) for days in stars],
    }
    say(
        f"  {f'flags per 1,000 agent-quarters, {COPIES} copies':<52}"
        + "".join(f"{name:>10}" for name in USUAL.values())
    )
    for name, copies in controls.items():
        days, team = side_by_side(copies)
        quarters = watched_quarters(days, team, series.sweep_days)
        flags = trajectory.replays(days, team, series.sweep_days, USUAL)
        rates = [1000 * len(f) / max(quarters, 1) for f in flags.values()]
        say(f"  {f'{name} ({quarters:,.0f} agent-quarters)':<52}" + "".join(f"{rate:>10.1f}" for rate in rates))


def _planted_falls(series, say):
    for points in (15, 30):
        copies, fell = planted(series, points, np.random.default_rng(SEED))
        if not copies:
            say(f"  planted -{points}: no agent has ratings enough for it")
            continue
        days, team = side_by_side(copies)
        flags = trajectory.replays(days, team, series.sweep_days, USUAL)
        for low, high in pairwise(VOLUMES):
            rows = fell[(fell[:, 2] >= low) & (fell[:, 2] < high)]
            if len(rows):
                share = [np.mean([raised_within(f, row, day) for row, day, _ in rows]) for f in flags.values()]
                name = f"planted -{points}, {low} to {high} a week ({len(rows)} falls), % found"
                say(f"  {name:<52}" + "".join(f"{100 * s:>10.0f}" for s in share))


def _swapped_agents(series, say):
    copies, told = swapped(series)
    if not copies:
        say("  swapped: no two agents have ratings enough for it")
        return
    days, team = side_by_side(copies)
    flags = trajectory.replays(days, team, series.sweep_days, USUAL)
    for name, low, high in (
        ("down 15 points or more", -100, -15),
        ("down 5 to 15", -15, -5),
        ("not down", -5, 100),
    ):
        rows = [(row, day) for row, day, gained in told if low < gained <= high]
        if rows:
            flagged = [sum(raised_within(f, row, day) for row, day in rows) for f in flags.values()]
            name = f"swapped, {name} ({len(rows)} pairs), flagged"
            say(f"  {name:<52}" + "".join(f"{n:>10}" for n in flagged))
