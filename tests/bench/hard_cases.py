"""Workspaces that are unlike the simulator's and in which nobody gets worse: how many agents does the scan flag?

    python -m tests.bench.flag_eval --hard

Each case is 30 weeks, of which the last 13 are judged with a sweep a day. What is flagged is false, but for the last three
cases: in these the ratings of some really do fall, for a reason that the scan cannot see, and the table says of how many.
"""

from dataclasses import dataclass

import numpy as np

from coaching import trajectory
from coaching.trajectory import Days

N_DAYS, FIRST_JUDGED = 210, 119
CHANGED_ON = 140
BASE, AGENT_SD, WEEK_SD = 2.2, 0.4, 0.15  # logit of a good rating: the usual, between agents, between an agent's weeks


@dataclass(frozen=True)
class Case:
    """One workspace, or many of one agent each where `alone`; `who` are the agents counted."""

    name: str
    days: Days
    team: np.ndarray
    who: np.ndarray
    alone: bool = False


def good(theta):
    return 1 / (1 + np.exp(-theta))


def levels(rng, n_agents, week_sd=WEEK_SD, tail=None):
    """Logit of a good rating (agents, days): own level and weeks that differ, by Student's t of `tail` degrees if given."""
    shape = n_agents, N_DAYS // 7
    weeks = rng.normal(0, week_sd, shape) if tail is None else week_sd * rng.standard_t(tail, shape)
    return BASE + rng.normal(0, AGENT_SD, n_agents)[:, None] + np.repeat(weeks, 7, 1)


def counts(rng, n_agents, a_week, weekdays=(1,) * 7):
    """Ratings a day (agents, days) at `a_week`, the days of a week weighted."""
    share = np.tile(np.array(weekdays) / np.sum(weekdays), N_DAYS // 7)
    return rng.poisson(np.broadcast_to(a_week, n_agents)[:, None] * share)


def thumbs(rng, n, theta):
    bad = rng.binomial(n, 1 - good(theta)).astype(float)
    return Days(0, n.astype(float), bad, bad)


def graded(rng, n, theta, draw):
    """Days of scores that `draw(rng, chance of a good one)` gives, one a rating."""
    chance = np.repeat(good(theta).ravel(), n.ravel())
    u = 1 - draw(rng, chance)
    cell = np.repeat(np.arange(n.size), n.ravel())
    sums = (np.bincount(cell, x, n.size).reshape(n.shape) for x in (np.ones(len(u)), u, u**2))
    return Days(0, *sums)


def percent(rng, chance):
    """Any value of 0..1, mostly high."""
    return rng.beta(6 * chance, 6 * (1 - chance))


def all_or_crumbs(rng, chance):
    """Full marks mostly; else a heavy tail: a little less, now and then nothing at all."""
    lost = np.minimum(0.05 * (1 + rng.pareto(1.0, len(chance))), 1.0)
    return np.where(rng.random(len(chance)) < chance, 1.0, 1 - lost)


def stars(rng, chance):
    """Five stars in four steps of which each is taken with the chance: J-shaped enough."""
    return rng.binomial(4, chance**0.5) / 4


def cases(rng, n_agents=1200):
    """Every Case, one after the other."""
    teams = np.arange(n_agents) // 12
    everybody = np.ones(n_agents, bool)
    mixed = np.array([3, 8, 20, 50])[np.arange(n_agents) % 4]
    day = np.arange(N_DAYS)

    def one(name, days, team=teams, who=everybody, alone=False):
        return Case(name, days, team, who, alone)

    weekend = np.where(day % 7 >= 5, -1.0, 0.0)
    season = 0.5 * np.sin(2 * np.pi * day / 182 + rng.uniform(0, 2 * np.pi))
    n = counts(rng, n_agents, mixed, (1.3, 1.3, 1.2, 1.1, 1.1, 0.5, 0.5))
    yield one("weekends 1.0 and seasons 0.5 worse (logit)", thumbs(rng, n, levels(rng, n_agents) + weekend + season))
    yield one("200 ratings a week each", thumbs(rng, counts(rng, n_agents, 200), levels(rng, n_agents)))
    yield one(
        "teams of two", thumbs(rng, counts(rng, n_agents, mixed), levels(rng, n_agents)), np.arange(n_agents) // 2
    )
    theta = levels(rng, 240)
    yield one(
        "240 workspaces of one agent",
        thumbs(rng, counts(rng, 240, mixed[:240]), theta),
        np.zeros(240, int),
        everybody[:240],
        True,
    )
    n = counts(rng, n_agents, mixed)
    yield one("weeks differ three times as much", thumbs(rng, n, levels(rng, n_agents, week_sd=3 * WEEK_SD)))
    yield one("weeks differ with heavy tails (t, 2 df)", thumbs(rng, n, levels(rng, n_agents, tail=2)))
    yield one("scores with a heavy tail", graded(rng, n, levels(rng, n_agents), all_or_crumbs))
    yield one("percent scale", graded(rng, n, levels(rng, n_agents), percent))
    n = np.where((day >= 150) & (day < 171), 0, n)
    yield one("three weeks without ratings for all", thumbs(rng, n, levels(rng, n_agents)))
    away = rng.integers(126, 180, n_agents)[:, None]
    n = np.where((day >= away) & (day < away + 21), 0, counts(rng, n_agents, mixed))
    yield one("three weeks' leave, each at their own time", thumbs(rng, n, levels(rng, n_agents)))
    yield one(
        "ratings on Mondays only",
        thumbs(rng, counts(rng, n_agents, mixed, (1, 0, 0, 0, 0, 0, 0)), levels(rng, n_agents)),
    )

    n, theta = counts(rng, n_agents, mixed), levels(rng, n_agents)
    by_stars, by_thumbs = graded(rng, n, theta, stars), thumbs(rng, n, theta - 0.8)
    for name, changed, team in (
        ("stars become thumbs for one team in ten", teams % 10 == 0, teams),
        ("the same for pairs without a team of their own", teams % 10 == 0, np.where(teams % 10 == 0, -1, teams)),
    ):
        swap = changed[:, None] & (day >= CHANGED_ON)
        days = Days(0, *(np.where(swap, getattr(by_thumbs, x), getattr(by_stars, x)) for x in ("n", "u", "uu")))
        yield one(name, days, team, changed)
    moved = teams % 2 == 0
    mostly = counts(rng, n_agents, mixed, (0.2, 0.2, 0.2, 0.2, 0.2, 3, 3))
    n = np.where(moved[:, None] & (np.arange(n_agents) % 12 == 0)[:, None] & (day >= CHANGED_ON), mostly, n)
    yield one(
        "one of a team moves to weekends, 1.0 worse",
        thumbs(rng, n, theta + weekend),
        teams,
        moved & (np.arange(n_agents) % 12 == 0),
    )


def flagged_per_1000(case, h=trajectory.DEFAULT_H):
    """Of the agents that count, those flagged in the judged quarter, per 1,000."""
    sweeps = range(FIRST_JUDGED, N_DAYS)
    if case.alone:
        rows = (Days(0, *(getattr(case.days, x)[i : i + 1] for x in ("n", "u", "uu"))) for i in range(len(case.who)))
        flagged = sum(bool(trajectory.replay(row, [0], sweeps[::3], h)) for row in rows)
        return 1000 * flagged / len(case.who)
    agents = {flag.agent for flag in trajectory.replay(case.days, case.team, sweeps, h)}
    return 1000 * sum(bool(case.who[agent]) for agent in agents) / case.who.sum()


def evaluate(say, seed=1):
    """Print every case as it is done."""
    say(f"{'Workspace':<52}{'agents':>8}{'flagged per 1,000':>20}")
    for case in cases(np.random.default_rng(seed)):
        say(f"{case.name:<52}{case.who.sum():>8,}{flagged_per_1000(case):>20.1f}")
