"""The sustained scan: whose customer satisfaction keeps falling, for reasons that are their own.

Design: the sustained scan. A pure function of daily sums: numpy only, no clock, no database. Days are integers on any
calendar that counts one a day (`date.toordinal()` will do). Arrays about agents have one row an agent.

Outside this module everything is on the score scale, 0..1 and 1 happiest. Inside it counts unhappiness, u = 1 -
score, because evidence about rare bad ratings is about their share. Letters follow the design: for one window of k
weeks N and U are the ratings and the unhappiness in it, NB and UB those of the past before it (back to 26 weeks), r =
U/N what came, e what was to be expected, z the evidence that r is really worse than e, in standard errors.

    daily_sums -> Days     one row an agent, one column a day; the product builds the same from its daily table
    scan       -> Scan     the evidence of one day, for every agent
    step       -> State    what a day's evidence does to the flags: raise, keep, clear, expire, rest
    replay     -> [Flag]   scan and step over many days (`replays`: for several thresholds at once)
    backtest   -> bool     the same as a matrix
"""

from dataclasses import dataclass, fields, replace
from enum import StrEnum
from functools import cached_property
from itertools import pairwise

import numpy as np

WINDOW_WEEKS = (3, 4, 5, 6, 8, 10, 12)
HISTORY_WEEKS = 26
HISTORY_DAYS = 7 * HISTORY_WEEKS


class Sensitivity(StrEnum):
    """How readily a workspace wants to be told: earlier and more often wrongly, or later and more surely."""

    EARLY = "early"
    BALANCED = "balanced"
    CAUTIOUS = "cautious"


# The h each is swept with, and the higher one of large workspaces: more agents are more chances to be wrong.
THRESHOLDS = {Sensitivity.EARLY: (3.1, 3.4), Sensitivity.BALANCED: (3.4, 3.65), Sensitivity.CAUTIOUS: (3.8, 4.0)}
LARGE_WORKSPACE_AGENTS = 200
DEFAULT_H = THRESHOLDS[Sensitivity.BALANCED][0]

MIN_RATINGS = 12
MIN_PAST_RATINGS = 20
MIN_DROP = 0.05
MIN_WEEKS_BELOW = 3
MIN_SHARE_BELOW = 2 / 3
RUN_DAYS = 7
WORST_RUN_ALLOWANCE = 0.7
BEST_RUN_ALLOWANCE = 0.2
LONG_WINDOW_BONUS = 0.03  # a week: short windows are many independent chances to be wrong, and bad spells fill them
LONG_WINDOW_WEEKS = 6
MANY_RATINGS_BONUS = 0.1  # a doubling of the ratings in a window: few ratings are as often wrong and find less
MANY_RATINGS = (32, 64, 128)  # where it stops falling, where it is nothing, where it stops rising
MIN_TEAM = 4

EXPIRE_DAYS = 84
REST_DAYS = 28
MIN_CLEAR_DAY = 14
CLEAR_DAYS = 28
MIN_CLEAR_RATINGS = 8

WEEKLY_CAP = 100  # ratings a week after which further ones add little: weeks differ by more than chance (case mix)
OWN_LEVEL_PULL = (1.0, 60.0)  # ratings at the team's rate that an agent's past is drawn towards it by: least and most
LEVEL_TAIL = 4.0  # degrees of freedom of the levels in a workspace: some agents are far from the rest, for good
PEER_PRIOR = 5.0  # unhappy ratings that a group of peers is taken to have had as usual, before it is heard
PEER_OUTLIER = 1.8  # standard errors beyond which a peer's own change is not taken for the team's weather
EXPOSURE_SPREAD = 0.25  # agents of one team meet its weather to different degrees
LEVELS = (0.005, 0.995)  # no expectation is taken to be surer than this

NO_DAY = -(10**9)


@dataclass(frozen=True)
class Days:
    """Daily sums of ratings, each float64 (agents, days): `n` their weight, `u` their unhappiness, `uu` its squares.

    Column 0 is `first_day`. Days outside the columns count as days without ratings.
    """

    first_day: int
    n: np.ndarray
    u: np.ndarray
    uu: np.ndarray

    @property
    def n_agents(self):
        return self.n.shape[0]

    @cached_property
    def _running(self):
        """Running totals (days + 1, agents) of n, u and uu: any window is one subtraction of two contiguous rows."""
        totals = []
        for daily in (self.n, self.u, self.uu):
            total = np.zeros((daily.shape[1] + 1, daily.shape[0]))
            np.cumsum(daily.T, axis=0, out=total[1:])
            totals.append(total)
        return totals

    def _edge(self, day):
        """Row of the running totals that holds everything before `day`."""
        return _between(day - self.first_day, 0, self.n.shape[1])

    def window(self, first, last):
        """Ratings and unhappiness of the days first..last, both included: two arrays (agents,)."""
        n, u, _ = self._running
        start, end = self._edge(first), self._edge(last + 1)
        return n[end] - n[start], u[end] - u[start]

    def squares(self, first, last):
        """Sum of squared unhappiness over the days first..last of the whole workspace."""
        uu = self._running[2]
        return float((uu[self._edge(last + 1)] - uu[self._edge(first)]).sum())

    @cached_property
    def _between_days(self):
        """For each calendar week: squares of days' sums about their week's mean, and those due by chance."""
        lead, n_days = self.first_day % 7, self.n.shape[1]
        shape = (self.n_agents, -(-(lead + n_days) // 7), 7)
        pad = ((0, 0), (lead, shape[1] * 7 - lead - n_days))
        n, u, uu = (np.pad(x, pad).reshape(shape) for x in (self.n, self.u, self.uu))
        week = np.ones(7)
        week_n, week_u = n @ week, u @ week
        week_nn, week_nu, week_squares = ((x * y) @ week for x, y in ((n, n), (n, u), (u, u)))
        over = 1 / np.maximum(week_n, 1e-9)
        mean = week_u * over
        came = week_squares - 2 * mean * week_nu + mean**2 * week_nn
        variance = np.maximum(uu @ week - week_n * mean**2, 0.0) / np.maximum(week_n - 1, 1.0)
        due = variance * (week_n - week_nn * over)
        return came.sum(0), due.sum(0)

    def clumping(self, day):
        """How many times more the days of a week differ than single ratings would make them, 1 .. 4, up to `day`.

        Above 1 where ratings come in copies: the same ones counted twice, or one customer's on many conversations.
        Read from the whole workspace and the calendar weeks that lie whole within the 26 before.
        """
        end = max((day + 1) // 7 - self.first_day // 7, 0)
        last = slice(max(end - HISTORY_WEEKS + 1, 0), end)
        came, due = (by_week[last].sum() for by_week in self._between_days)
        return float(np.clip(came / due, 1.0, 4.0)) if due > 1e-9 else 1.0

    def shuffled(self, rng):
        """The same days in another order: each agent's days with ratings are exchanged among themselves by `rng`.

        Whatever fell over time falls no more, so every flag on it is false. Ratings of one day stay together, as copies and
        a crowd on one conversation would: shuffled one by one these would look like calm.
        """
        agents, days = np.nonzero(self.n)
        order = np.argsort(agents + rng.random(len(agents)))  # sorted by agent as before, at random within each
        shuffled = Days(self.first_day, *(np.zeros_like(x) for x in (self.n, self.u, self.uu)))
        for ours, theirs in ((shuffled.n, self.n), (shuffled.u, self.u), (shuffled.uu, self.uu)):
            ours[agents, days] = theirs[agents, days][order]
        return shuffled

    def unhappiest_run(self, first, last, length, level, agents, happiest=False):
        """The `length` consecutive days within first..last that are furthest above `level` times their ratings.

        `level` has one rate an agent of `agents`; with `happiest` the days furthest below it. Three arrays: the first
        day of the run (the earliest among equals), its ratings and its unhappiness.
        """
        n, u, _ = self._running
        starts = np.arange(first, last - length + 2)
        before, after = self._edge(starts), self._edge(starts + length)
        run_n, run_u = (x[np.ix_(after, agents)] - x[np.ix_(before, agents)] for x in (n, u))
        excess = run_u - level * run_n
        best = (-excess if happiest else excess).argmax(0)
        columns = np.arange(len(agents))
        return starts[best], run_n[best, columns], run_u[best, columns]


@dataclass(frozen=True)
class Scan:
    """One day's evidence. Arrays (agents,); levels on the score scale 0..1, nan where there are no ratings.

    `statistic` is the evidence in standard errors, -inf where a guard fails: too few ratings, too small a fall, too
    few weeks below, no longer below, or all of it the worst seven days. The other fields describe the window with the
    most evidence, also where no flag is due; `enough` says whether any window had ratings enough to judge by. Where
    it is False, `statistic` is -inf and the fields describe the longest window.
    """

    day: int
    statistic: np.ndarray
    enough: np.ndarray
    weeks: np.ndarray  # length of the window
    since: np.ndarray  # its first day
    ratings: np.ndarray  # weight of the ratings in it
    observed: np.ndarray  # their mean score
    expected: np.ndarray  # what the agent's own past and the team in these weeks point to
    own_level: np.ndarray  # what the own past alone points to
    past_ratings: np.ndarray  # weight of the ratings before the window
    weeks_rated: np.ndarray  # weeks of the window with ratings
    weeks_below: np.ndarray  # those of them below expected
    evidence: np.ndarray  # standard errors, all days of the window
    evidence_without_worst: np.ndarray  # the same without its worst seven days; nan where another guard failed
    worst_start: np.ndarray  # first of the worst seven days; NO_DAY where another guard failed
    rate28: np.ndarray  # mean score of the last 28 days
    n28: np.ndarray  # their ratings

    @property
    def holds_without_worst(self):
        """Whether the fall is worth a flag at the default sensitivity without its worst seven days: bool (agents,)."""
        return self.evidence_without_worst + WORST_RUN_ALLOWANCE + _bonus(self.weeks, self.ratings) >= DEFAULT_H


@dataclass(frozen=True)
class State:
    """The flags of a workspace after a sweep. Arrays (agents,).

    `raised_on` is the day an open flag was raised, NO_DAY for agents without one; `expected` and `drop` are what it
    stored; `ended_on` is the day the latest flag ended, NO_DAY if there was none.
    """

    raised_on: np.ndarray
    expected: np.ndarray
    drop: np.ndarray
    ended_on: np.ndarray

    @classmethod
    def empty(cls, n_agents):
        return cls(
            raised_on=np.full(n_agents, NO_DAY),
            expected=np.full(n_agents, np.nan),
            drop=np.full(n_agents, np.nan),
            ended_on=np.full(n_agents, NO_DAY),
        )

    @property
    def open(self):
        return self.raised_on != NO_DAY


@dataclass(frozen=True)
class Events:
    """What a sweep changed: the agents (their rows, ascending) whose flag was raised, cleared or expired that day."""

    raised: np.ndarray
    cleared: np.ndarray
    expired: np.ndarray


@dataclass(frozen=True)
class Flag:
    """One flag from its first day to its end, with what it was raised on. Levels on the score scale 0..1."""

    agent: int
    raised_on: int
    ended_on: int | None
    ended_by: str  # "cleared", "expired" or "open"
    since: int
    weeks: int
    ratings: float
    observed: float
    expected: float
    own_level: float
    past_ratings: float
    weeks_rated: int
    weeks_below: int
    statistic: float
    evidence: float
    evidence_without_worst: float
    worst_start: int


def daily_sums(agent, day, score, weight, n_agents, first_day, last_day):
    """Sum ratings into days. `agent`, `day`, `score` (0..1) and `weight` (None: 1 each) have one row a rating.

    Ratings outside first_day..last_day do not count. Raises ValueError, naming the first row at fault, where an agent
    is not within 0..n_agents-1, a day is not a whole number, a score is not within 0..1 or a weight is negative or
    not finite.
    """
    agent, day, score, weight = _checked(agent, day, score, weight, n_agents)
    n_days = max(last_day - first_day + 1, 0)
    inside = (day >= first_day) & (day <= last_day)
    cell = agent[inside] * n_days + (day[inside] - first_day)
    weight, unhappy = weight[inside], 1 - score[inside]

    def total(values):
        return np.bincount(cell, values, n_agents * n_days).reshape(n_agents, n_days)

    return Days(first_day, total(weight), total(weight * unhappy), total(weight * unhappy**2))


def scan(days, team, day):
    """The evidence of one day: a Scan. `team` is one int an agent, -1 for none.

    Only ratings of the 182 days up to and including `day` are read. Agents without a team, and those whose team has
    fewer than four agents, have the whole workspace for peers.
    """
    team = _checked_team(team, days.n_agents)
    peers = _Peers(team)
    phi = dispersion(days, day)
    windows = [_window(days, peers, phi, day, k) for k in WINDOW_WEEKS]
    stacked = {name: np.stack([w[name] for w in windows]) for name in windows[0]}
    statistic = stacked.pop("statistic")
    enough = stacked.pop("enough")
    tried = np.where(enough, stacked["evidence"], -np.inf)
    best = np.where(np.isfinite(statistic).any(0), statistic.argmax(0), tried.argmax(0))
    best[~enough.any(0)] = len(WINDOW_WEEKS) - 1

    def chosen(values):
        return np.take_along_axis(values, best[None], 0)[0]

    n28, u28 = days.window(day - CLEAR_DAYS + 1, day)
    weeks = np.array(WINDOW_WEEKS)[best]
    return Scan(
        day=day,
        statistic=chosen(statistic),
        enough=np.asarray(enough.any(0)),
        weeks=weeks,
        since=day - 7 * weeks + 1,
        rate28=1 - _ratio(u28, n28),
        n28=n28,
        **{name: chosen(values) for name, values in stacked.items()},
    )


def step(state, scan, h=DEFAULT_H):
    """What one day's Scan does to the flags: (State, Events). An agent's flag ends or is raised, never both in one day.

    Vectorised over agents and free of history, so the sweep can build the State from the flags it has stored.
    """
    age = scan.day - state.raised_on
    cleared = state.open & clears(scan.rate28, scan.n28, state.expected, state.drop, age)
    expired = state.open & ~cleared & (age >= EXPIRE_DAYS)
    ended = cleared | expired
    rested = scan.day - state.ended_on >= REST_DAYS
    raised = ~state.open & rested & (scan.statistic >= h)
    drop = np.maximum(scan.expected - scan.rate28, MIN_DROP)
    after = replace(
        state,
        raised_on=np.where(raised, scan.day, np.where(ended, NO_DAY, state.raised_on)),
        expected=np.where(raised, scan.expected, np.where(ended, np.nan, state.expected)),
        drop=np.where(raised, drop, np.where(ended, np.nan, state.drop)),
        ended_on=np.where(ended, scan.day, state.ended_on),
    )
    return after, Events(np.flatnonzero(raised), np.flatnonzero(cleared), np.flatnonzero(expired))


def clears(rate28, n28, expected, drop, day_of_flag):
    """Whether a flag is over: two thirds of the drop it was raised on are made up for.

    `rate28` and `n28` are the mean score (0..1) and the number of the ratings of the last 28 days, `expected` and
    `drop` what the flag stored, `day_of_flag` the days since it was raised. Numbers or arrays alike. Never before day
    14 and never on fewer than 8 ratings.
    """
    recovered = rate28 >= expected - drop / 3
    return recovered & (n28 >= MIN_CLEAR_RATINGS) & (day_of_flag >= MIN_CLEAR_DAY)


def threshold(n_agents, sensitivity=Sensitivity.BALANCED):
    """The h that a workspace of this many agents is swept with."""
    usual, large = THRESHOLDS[Sensitivity(sensitivity)]
    return large if n_agents > LARGE_WORKSPACE_AGENTS else usual


def replay(days, team, sweep_days, h=DEFAULT_H):
    """Every Flag that a sweep on each of `sweep_days` (ascending) would have raised, in the order of raising."""
    return replays(days, team, sweep_days, [h])[h]


def replays(days, team, sweep_days, thresholds):
    """`replay` for several h, {h: [Flag]}: the evidence of a day is the same for all, so it is gathered once."""
    runs = {h: _Replay(days.n_agents, h) for h in thresholds}
    for day in _checked_sweeps(sweep_days):
        evidence = scan(days, team, day)
        for run in runs.values():
            run.take(evidence)
    return {h: run.flags for h, run in runs.items()}


def episodes(agent, day, score, weight, team, n_agents, sweep_days, h=DEFAULT_H):
    """`replay` on ratings, one row each as in `daily_sums`."""
    sweep_days = _checked_sweeps(sweep_days)
    if not sweep_days:
        _checked(agent, day, score, weight, n_agents)
        return []
    first_day = sweep_days[0] - HISTORY_DAYS + 1
    days = daily_sums(agent, day, score, weight, n_agents, first_day, sweep_days[-1])
    return replay(days, team, sweep_days, h)


def backtest(agent, day, score, weight, team, n_agents, sweep_days, h=DEFAULT_H):
    """Who would have had an open flag after each sweep: bool (n_agents, len(sweep_days)).

    The value for a day depends on ratings up to that day only. Raises ValueError as `daily_sums` does, and for sweep
    days that do not ascend.
    """
    flagged = np.zeros((n_agents, len(sweep_days)), bool)
    for flag in episodes(agent, day, score, weight, team, n_agents, sweep_days, h):
        until = np.inf if flag.ended_on is None else flag.ended_on
        flagged[flag.agent] |= (np.asarray(sweep_days) >= flag.raised_on) & (np.asarray(sweep_days) < until)
    return flagged


class _Replay:
    """The flags that sweeps at one h raise and end, one day's Scan after the other."""

    def __init__(self, n_agents, h):
        self.h, self.state = h, State.empty(n_agents)
        self.flags: list[Flag] = []
        self.current: dict[int, int] = {}

    def take(self, evidence):
        self.state, events = step(self.state, evidence, self.h)
        for ended_by, agents in (("cleared", events.cleared), ("expired", events.expired)):
            for agent in agents.tolist():
                at = self.current.pop(agent)
                self.flags[at] = replace(self.flags[at], ended_on=evidence.day, ended_by=ended_by)
        for agent in events.raised.tolist():
            self.current[agent] = len(self.flags)
            self.flags.append(flag_of(evidence, agent))


def flag_of(scan, agent):
    """The Flag that one agent's row of a Scan would raise."""
    of_flag = {field.name for field in fields(Flag)}
    of_scan = [field.name for field in fields(Scan) if field.name in of_flag]
    return Flag(
        agent=agent,
        raised_on=scan.day,
        ended_on=None,
        ended_by="open",
        **{name: getattr(scan, name)[agent].item() for name in of_scan},
    )


class _Peers:
    """Sums over an agent's peers, the agent left out."""

    def __init__(self, team):
        _, self.group, size = np.unique(team, return_inverse=True, return_counts=True)
        self.whole = (team < 0) | (size[self.group] < MIN_TEAM)

    def group_sum(self, values):
        """Sum over the agent's group, the agent included."""
        by_group = np.bincount(self.group, values)
        return np.where(self.whole, values.sum(), by_group[self.group])

    def others_sum(self, values, counted):
        """Sum over the agents of the group that are `counted`, the agent itself left out."""
        values = np.where(counted, values, 0.0)
        return np.maximum(self.group_sum(values) - values, 0.0)


def _window(days, peers, phi, day, k):
    """Everything about the last k weeks: a dict of arrays (agents,), named as in Scan."""
    first = day - 7 * k + 1
    n, u = days.window(first, day)
    nb, ub = days.window(day - HISTORY_DAYS + 1, first - 1)
    r = _ratio(u, n)
    levels = _Levels(peers, phi, nb, ub)
    p, past_n = levels.own(nb, ub)
    odds, peers_expected = _team_shift(peers, phi, n, u, p, levels.team)
    e = _shifted(p, odds)
    past = _past_weight(phi, p, e, past_n, peers_expected, k)
    z = _evidence(r, e, _capped(n, k), past, phi)

    rated, below, last_fortnight_below = _weeks(days, day, k, e)
    enough = (n >= MIN_RATINGS) & (nb >= MIN_PAST_RATINGS)
    due = enough & (r - e >= MIN_DROP) & last_fortnight_below
    due &= (below >= MIN_WEEKS_BELOW) & (below >= MIN_SHARE_BELOW * rated - 1e-9)

    statistic = np.full(days.n_agents, -np.inf)
    z_without = np.full(days.n_agents, np.nan)
    worst_start = np.full(days.n_agents, NO_DAY)
    some = np.flatnonzero(due)
    if some.size:  # on most days nobody is left, and what follows costs as much as all before it
        start, run_n, run_u = days.unhappiest_run(first, day, RUN_DAYS, e[some], some)
        rest_n, rest_u = np.maximum(n[some] - run_n, 0.0), np.maximum(u[some] - run_u, 0.0)
        z_without[some] = _evidence(_ratio(rest_u, rest_n), e[some], _capped(rest_n, k), past[some], phi)
        worst_start[some] = start
        # The mirror of it: one conversation that hundreds applauded must not become the level that later weeks are held to.
        best = days.unhappiest_run(day - HISTORY_DAYS + 1, first - 1, RUN_DAYS, p[some], some, happiest=True)
        p_left, left_n = levels.own(np.maximum(nb[some] - best[1], 0.0), np.maximum(ub[some] - best[2], 0.0), some)
        e_left = _shifted(p_left, odds[some])
        past_left = _past_weight(phi, p_left, e_left, left_n, peers_expected[some], k)
        z_past = _evidence(r[some], e_left, _capped(n[some], k), past_left, phi)
        held = np.minimum(z_without[some] + WORST_RUN_ALLOWANCE, z_past + BEST_RUN_ALLOWANCE)
        statistic[some] = np.minimum(z[some], held) + _bonus(k, n[some])

    return {
        "statistic": statistic,
        "enough": enough,
        "ratings": n,
        "observed": 1 - r,
        "expected": 1 - e,
        "own_level": 1 - p,
        "past_ratings": nb,
        "weeks_rated": rated,
        "weeks_below": below,
        "evidence": z,
        "evidence_without_worst": z_without,
        "worst_start": worst_start,
    }


def _bonus(weeks, ratings):
    """What a window of so many weeks and ratings gets on top of its evidence, so that evidence is asked for where it finds."""
    fewest, none, most = MANY_RATINGS
    doublings = np.log2(_between(ratings, fewest, most) / none)
    return LONG_WINDOW_BONUS * (weeks - LONG_WINDOW_WEEKS) + MANY_RATINGS_BONUS * doublings


def dispersion(days, day):
    """phi, how far ratings spread against good/bad ones of the same mean: 1 for those, less for five stars."""
    n, u = (x.sum() for x in days.window(day - HISTORY_DAYS + 1, day))
    if n == 0:
        return 1.0
    mean = u / n
    if not 0 < mean < 1:
        return 1.0
    variance = days.squares(day - HISTORY_DAYS + 1, day) / n - mean**2
    return float(np.clip(variance / (mean * (1 - mean)), 0.3, 1.0)) * days.clumping(day)


class _Levels:
    """What the past says about the levels of a workspace's agents, as rates of unhappiness.

    An agent's own past is drawn towards its team's rate t, as if by m more ratings at t. How strongly follows from
    how far the agents' levels differ beyond chance (by moments). An agent much further off than the others are is
    drawn less, as under Student's t: a level that is always low is their own, and a pull towards the team's would
    turn it into a fall.
    """

    def __init__(self, peers, phi, nb, ub):
        self.team = _level(peers.group_sum(ub), peers.group_sum(nb))
        self.noise = phi * self.team * (1 - self.team)
        known = nb >= MIN_PAST_RATINGS
        self.spread, self.pull = np.inf, OWN_LEVEL_PULL[1]
        if known.any():
            off, noise = ub[known] / nb[known] - self.team[known], self.noise[known]
            self.spread = max(np.mean(off**2 - noise / nb[known]), 1e-4)
            self.pull = np.clip(noise.mean() / self.spread, *OWN_LEVEL_PULL)

    def own(self, nb, ub, agents=slice(None)):
        """p, the level of some agents with this past, and the ratings it rests on, m among them."""
        team, noise = self.team[agents], self.noise[agents]
        off = np.where(nb > 0, _ratio(ub, nb) - team, 0.0)
        usual = (LEVEL_TAIL + 1) / (LEVEL_TAIL + off**2 / (self.spread + noise / np.maximum(nb, 1.0)))
        m = self.pull * np.minimum(usual, 1.0)
        return _between((ub + m * team) / (nb + m), *LEVELS), nb + m


def _team_shift(peers, phi, n, u, p, t):
    """What the peers got in these weeks against what was due to them, as a ratio of odds (agents,), itself left out.

    Also the unhappiness that was due to the peers who were heard. Those who are far off themselves are left out in a
    second pass: their change is their own, not the team's weather.
    """

    def heard(counted):
        peers_due = peers.others_sum(n * p, counted)
        size = PEER_PRIOR / t + peers.others_sum(n, counted)
        came = _between((PEER_PRIOR + peers.others_sum(u, counted)) / size, *LEVELS)
        due = _between((PEER_PRIOR + peers_due) / size, *LEVELS)
        return came / (1 - came) * (1 - due) / due, peers_due

    odds, _ = heard(np.ones(len(n), bool))
    e = _shifted(p, odds)
    return heard(np.abs(u - n * e) <= PEER_OUTLIER * np.sqrt(phi * e * (1 - e) * n))


def _shifted(p, odds):
    """e (agents,): the own level moved by the team's shift."""
    return _between(p * odds / (1 - p + p * odds), *LEVELS)


def _past_weight(phi, p, e, past_n, peers_expected, k):
    """b (agents,): how many ratings the expectation is worth, as past and peers are known only so well."""
    own = e * (1 - e) / _capped(past_n, HISTORY_WEEKS - k)
    team = e**2 / (2 * phi * (peers_expected + 5))
    exposure = (EXPOSURE_SPREAD * (e - p)) ** 2 / phi
    return e * (1 - e) / (own + team + exposure)


def _evidence(r, e, n, b, phi):
    """z: signed root of the likelihood ratio of two levels, r on n and e on b ratings, against one common level."""
    r = np.where(np.isnan(r), e, r)
    common = (n * r + b * e) / (n + b)
    ratio = 2 * (n * _divergence(r, common) + b * _divergence(e, common)) / phi
    return np.sign(r - e) * np.sqrt(np.maximum(ratio, 0.0))


def _divergence(x, y):
    """Kullback-Leibler divergence of a coin with rate x from one with rate y (0 < y < 1)."""
    return _x_log(x, x / y) + _x_log(1 - x, (1 - x) / (1 - y))


def _x_log(x, ratio):
    return x * np.log(np.where(x > 0, ratio, 1.0))


def _weeks(days, day, k, e):
    """Weeks of the window with ratings, those of them unhappier than expected, whether the last two together are."""
    ends = day - 7 * np.arange(k + 1) + 1
    n, u, _ = days._running
    week_n = -np.diff(n[days._edge(ends)], axis=0)
    week_u = -np.diff(u[days._edge(ends)], axis=0)
    rated = (week_n > 1e-9).sum(0)
    below = ((week_n > 1e-9) & (week_u > e * week_n)).sum(0)
    fortnight_below = week_u[:2].sum(0) > e * week_n[:2].sum(0) + 1e-12
    return rated, below, fortnight_below


def _capped(n, weeks):
    """Effective number of n ratings spread over some weeks: ratings of one week are alike beyond chance."""
    return n / (1 + n / (WEEKLY_CAP * weeks))


def _level(u, n):
    """u/n kept off 0 and 1; one in two where there is nothing."""
    return _between(np.where(n > 0, _ratio(u, n), 0.5), *LEVELS)


def _between(x, least, most):
    """np.clip, many times as quick on few numbers: replaying a year does it a hundred thousand times."""
    return np.minimum(np.maximum(x, least), most)


def _ratio(u, n):
    """u/n, nan where n is 0."""
    return np.divide(u, n, out=np.full(np.shape(n), np.nan), where=n > 1e-9)


def _checked(agent, day, score, weight, n_agents):
    agent, day, score = np.asarray(agent), np.asarray(day), np.asarray(score, float)
    weight = np.ones(len(agent)) if weight is None else np.asarray(weight, float)
    if not len(agent) == len(day) == len(score) == len(weight):
        raise ValueError("agent, day, score and weight must have one row a rating each")
    faults = (
        (
            "agent",
            agent,
            (agent >= 0) & (agent < n_agents) & (agent == np.floor(agent)),
            f"a row number below {n_agents}",
        ),
        ("day", day, np.isfinite(day) & (day == np.floor(day)), "a whole number"),
        ("score", score, (score >= 0) & (score <= 1), "within 0..1"),
        ("weight", weight, (weight >= 0) & np.isfinite(weight), "0 or more"),
    )
    for name, values, good, must in faults:
        if not good.all():
            row = int(np.flatnonzero(~good)[0])
            raise ValueError(f"{name} of row {row} is {values[row]}, must be {must}")
    return agent.astype(np.int64), day.astype(np.int64), score, weight


def _checked_team(team, n_agents):
    team = np.asarray(team, dtype=np.int64)
    if team.shape != (n_agents,):
        raise ValueError(f"team must have one entry an agent ({n_agents}), has shape {team.shape}")
    return team


def _checked_sweeps(sweep_days):
    sweep_days = [int(day) for day in sweep_days]
    if any(later <= earlier for earlier, later in pairwise(sweep_days)):
        raise ValueError("sweep_days must ascend")
    return sweep_days
