"""What became of an agent's CSAT after a note: more or less than was to be expected. Pure: numpy only, no clock, no database.

A note is mostly written when an agent is low, and who is low by chance comes back without any note (the rebound). A plain
before and after would credit that to the coach. So what came is held against an expectation that knows how low the agent was:

    expected = own level of the nine weeks before the last four, moved as the peers' was (the weather)
               + the part that stays of what the last four weeks were lower (the dip)

How much of a dip stays is learned from the controls: agents of the workspace about whom nobody wrote a note in these months
and whose dip stood out as much, read over the same days. How far controls came out from what was expected of them says how sure
it can be of one more agent. Where fewer than MIN_CONTROLS are like them nobody knows whether a dip goes away by itself; then all
of it may have stayed, or none, and only what lies beyond both counts.

Because everything a note's writer could see lies before the note, and the expectation is conditional on it, the choice of whom
to write about and when does not make the claims wrong. Looking often does; the weekly looks share the one error rate.

Arrays about agents have one row an agent, as in `trajectory.Days`; inside, rates are of unhappiness, u = 1 - score.
Results are points of CSAT, 0 to 100, positive is happier. Design: docs/decisions/0023-after-coaching.md.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from coaching.trajectory import LEVELS, MIN_TEAM, PEER_PRIOR, WEEKLY_CAP, Days, dispersion

PAST_WEEKS = 9  # whose level is the agent's own
EARLY_WEEKS = 4  # of these, the first half
RECENT_WEEKS = 4  # just before the note: what the leader saw when they wrote it
BEFORE_DAYS = 7 * (PAST_WEEKS + RECENT_WEEKS)
FIRST_LOOK = 2  # weeks after the note
LAST_LOOK = 12
SPELL_DAYS = 7 * LAST_LOOK  # a note so soon after another belongs to the same spell of coaching

# A range this many standard errors to each side holds at all the looks together 19 times in 20 (weekly sums of chance alone).
SURE = 2.55
POWER = 0.84  # standard errors beyond SURE at which 4 in 5 changes are seen

MIN_PAST = 20  # ratings under which the own level is not known
MIN_RECENT = 4  # under which the last four weeks are not known
MIN_AFTER = 8  # under which nothing is said of what came
MIN_CONTROLS = 20
MOST_CONTROLS = 60
MOST_RATINGS = 10_000  # nobody gets more in twelve weeks: asking for them would be saying never
MIN_BEYOND = 5  # controls that stood out as much or more: further out nothing was learned
ORDINARY_DIP = 1.0  # standard errors that need no controls further out
LEVEL_PULL = 4.0  # ratings at the peers' level that an own level is drawn towards it by: keeps it off 0 and 1
WIDER = 3  # times as many are alike in their dip, of whom those alike in volume are taken
LEAST_NOISE = 0.7
DEEPEST = 2.0  # times a dip that stands out may be as deep as the mean of four weeks of it
WEATHER = 0.15  # how far three months move a workspace, as a ratio of odds (its logarithm), where nobody tells
OWN_NOISE = 1.4  # how much wider than chance a range is drawn where no controls say
SIZES = (5.0, 10.0)  # points: the change looked for, the second where the first is never seen


class Verdict(StrEnum):
    """What can be said of one note."""

    BETTER = "better"  # than expected
    WORSE = "worse"
    SAME = "same"  # a change of the size that was looked for would most likely have been seen
    UNCLEAR = "unclear"  # cannot be told yet, or not within the twelve weeks
    FEW_BEFORE = "few_before"  # no own level to compare with
    FEW_AFTER = "few_after"  # hardly any ratings since


class Basis(StrEnum):
    """What the expectation rests on."""

    CONTROLS = "controls"
    OWN = "own"


@dataclass(frozen=True)
class Effect:
    """One note as of one look. Points of CSAT; None where nothing is said.

    `change` is what came beyond what was expected, `low` to `high` its range that holds at all looks together 19 times in 20.
    `dip` is how far the last four weeks before the note lay under the own level (negative: above). `size` is the improvement
    that was looked for, `more` the ratings needed beside those that came to see it 4 times in 5: None where no number of them
    would do.
    """

    verdict: Verdict
    weeks: int
    n_before: int
    n_after: int
    n_controls: int = 0
    basis: Basis = Basis.OWN
    observed: float | None = None
    expected: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None
    dip: float | None = None
    size: float | None = None
    more: int | None = None


def weeks_since(on, day):
    """The look at a note of day `on` that counts on `day`: weeks after it, FIRST_LOOK..LAST_LOOK; 0 before the first."""
    weeks = (day - on) // 7
    return min(weeks, LAST_LOOK) if weeks >= FIRST_LOOK else 0


def measure(days, team, written, agents, on, weeks):
    """The Effect of each note, in their order: on agent `agents[i]` (a row), written on day `on[i]`, `weeks[i]` after it.

    `team` has one int an agent, -1 for none. `written` is every note of the workspace as two arrays (rows, days), these among
    them and put away or not: whoever has one in the months that are looked at is nobody's control. The day of a note counts
    neither as before nor as after; days after the look are not read, and days before the first column of `days` count as days
    without ratings.
    """
    team, agents, on, weeks = (np.asarray(x, np.int64) for x in (team, agents, on, weeks))
    rows, written_on = (np.asarray(x, np.int64) for x in written)
    effects = [None] * len(agents)
    for day, k in sorted(set(zip(on.tolist(), weeks.tolist(), strict=True))):
        near = (written_on >= day - BEFORE_DAYS) & (written_on <= day + 7 * k)
        coached = np.zeros(days.n_agents, bool)
        coached[rows[near]] = True
        looked = np.flatnonzero((on == day) & (weeks == k))
        for at, effect in zip(looked.tolist(), _Look(days, team, coached, day, k).at(agents[looked]), strict=True):
            effects[at] = effect
    return effects


class _Look:
    """Everybody of a workspace before and after one day, `weeks` after it. Arrays (agents,)."""

    def __init__(self, days: Days, team, coached, day, weeks):
        self.weeks = weeks
        recent_from = day - 7 * RECENT_WEEKS
        n_past, u_past = days.window(day - BEFORE_DAYS, recent_from - 1)
        self.n_recent, u_recent = days.window(recent_from, day - 1)
        self.n_after, u_after = days.window(day + 1, day + 7 * weeks)
        self.n_past = n_past
        self.phi = dispersion(days, day + 7 * weeks)
        self.known = (n_past >= MIN_PAST) & (self.n_recent >= MIN_RECENT)

        counted = ~coached & (n_past > 0)
        peers = _Peers(team, counted)
        mean = _kept(_rate(peers.sums(u_past), peers.sums(n_past), 0.5))
        self.level = _kept((u_past + LEVEL_PULL * mean) / (n_past + LEVEL_PULL))
        then = self._moved(peers, mean, self.n_recent, u_recent, RECENT_WEEKS)
        self.usual = self._moved(peers, mean, self.n_after, u_after, weeks)
        self.came = _rate(u_after, self.n_after, np.nan)
        self.dip = _rate(u_recent, self.n_recent, np.nan) - then
        self.rest = self.came - self.usual

        spread = self.spread = self.phi * self.level * (1 - self.level)
        self.noise_past = spread / np.maximum(n_past, 1.0)
        self.noise_recent = spread / np.maximum(self.n_recent, 1.0)
        self.stands_out = self.dip / np.sqrt(self.noise_past + self.noise_recent)
        self.halves = []  # of the own level's weeks: how far each lay from all of them, its noise
        middle = day - BEFORE_DAYS + 7 * EARLY_WEEKS
        for first, last in ((day - BEFORE_DAYS, middle - 1), (middle, recent_from - 1)):
            n, u = days.window(first, last)
            noise = spread * (1 / np.maximum(n, 1.0) + 7 / (WEEKLY_CAP * (last - first + 1)))
            self.halves.append((n, _rate(u, n, np.nan) - self.level, noise))

        usual = self.phi * self.usual * (1 - self.usual)
        self.spread_after = np.maximum(usual, self.phi * _spread_of(u_after, self.n_after, self.usual))
        self.noise_after = self.spread_after / np.maximum(self.n_after, 1.0)

        heard = np.maximum(peers.all_sums(self.n_after * self.usual), 0.0) / self.phi
        self.weather_noise = (self.usual * (1 - self.usual)) ** 2 / (1 / WEATHER**2 + heard)

        able = counted & self.known & (self.n_after >= MIN_AFTER)
        self.pool = np.flatnonzero(able)[np.argsort(self.stands_out[able], kind="stable")]

    def _moved(self, peers, mean, n, u, weeks):
        """The own level moved by what the peers got in a window against what was due to them, on the odds scale.

        First as everybody was moved, then as the own team was beyond that: a handful of colleagues is heard only so far.
        """
        share = _effective(n, weeks) / np.maximum(n, 1.0)  # one busy peer is not the weather
        n, u, moved = share * n, share * u, self.level
        for sums in (peers.all_sums, peers.sums):
            size = PEER_PRIOR / mean + sums(n)
            due = _kept((PEER_PRIOR + sums(n * moved)) / size)
            came = _kept((PEER_PRIOR + sums(u)) / size)
            odds = moved / (1 - moved) * came / (1 - came) * (1 - due) / due
            moved = _kept(odds / (1 + odds))
        return moved

    def at(self, agents):
        """The Effect of a note on each of `agents` (rows)."""
        found = self._by_controls(agents)
        own = np.flatnonzero(found["n_controls"] == 0)
        for name, values in self._by_own_past(agents[own]).items():
            found[name][..., own] = values
        return [self._effect(row, {name: of[..., at] for name, of in found.items()}) for at, row in enumerate(agents)]

    def _by_controls(self, agents):
        """What stays of each dip, from the controls nearest to it: arrays (ends, agents), all ends alike; see _by_own_past."""
        pool, n = self.pool, len(agents)
        stands_out = self.stands_out[pool]
        size = int(np.clip(len(pool) // 4, MIN_CONTROLS, MOST_CONTROLS))
        mine = self.stands_out[agents]
        beyond = np.where(
            mine > 0, len(pool) - np.searchsorted(stands_out, mine), np.searchsorted(stands_out, mine, side="right")
        )
        fit = (
            self.known[agents] & ((beyond >= MIN_BEYOND) | (np.abs(mine) <= ORDINARY_DIP)) & (len(pool) >= MIN_CONTROLS)
        )
        stays, noise, unsure = np.zeros(n), np.ones(n), np.zeros(n)
        if fit.any():
            near = self._nearest(agents[fit], size)
            dip, rest = self.dip[near], self.rest[near]
            after, past, recent = self.noise_after[near], self.noise_past[near], self.noise_recent[near]
            weight = 1 / (after + past + recent)
            learned = (weight * dip**2).sum(1)
            b = (weight * dip * rest).sum(1) / learned
            part = b[:, None]
            off = (rest - part * dip) ** 2 / (after + (1 - part) ** 2 * past + part**2 * recent)
            stays[fit], noise[fit], unsure[fit] = b, np.maximum(off.mean(1), LEAST_NOISE), 1 / learned
        stood_out = np.abs(mine) > ORDINARY_DIP
        all_of_it, deeper = np.where(stood_out, 1.0, stays), np.where(stood_out, DEEPEST, stays)
        return {
            "n_controls": np.where(fit, size, 0),
            "stays": np.stack([stays, stays, all_of_it, deeper]),
            "noise": noise,
            "unsure": unsure,
        }

    def _nearest(self, agents, size):
        """The controls of each agent: of those whose dip stood out most alike, the `size` most alike in ratings a week."""
        pool = self.pool
        wide = min(WIDER * size, len(pool))
        at = np.searchsorted(self.stands_out[pool], self.stands_out[agents])
        alike = pool[np.clip(at - wide // 2, 0, len(pool) - wide)[:, None] + np.arange(wide)]
        if wide == size:
            return alike
        apart = np.abs(np.log(self.n_past[alike] / self.n_past[agents][:, None]))
        return np.take_along_axis(alike, np.argpartition(apart, size - 1, axis=1)[:, :size], axis=1)

    def _by_own_past(self, agents):
        """Nobody knows what stays of a dip: nothing, what is left where it was chance, or all."""
        past, recent = self.noise_past[agents], self.noise_recent[agents]
        deepest = np.where(np.abs(self.stands_out[agents]) > ORDINARY_DIP, DEEPEST, 1.0)
        return {
            "n_controls": np.zeros(len(agents), int),
            "stays": np.stack([past / (past + recent), np.zeros(len(agents)), np.ones(len(agents)), deepest]),
            "noise": np.full(len(agents), OWN_NOISE),
            "unsure": np.zeros(len(agents)),
        }

    def _effect(self, row, of):
        """The Effect of a note on one agent, from what stays of the dip: three ends, of which the middle one is told."""
        n_before, n_after = round(self.n_past[row] + self.n_recent[row]), round(self.n_after[row])
        known = {"weeks": self.weeks, "n_before": n_before, "n_after": n_after}
        if not self.known[row]:
            return Effect(Verdict.FEW_BEFORE, **known)
        if n_after < MIN_AFTER:
            return Effect(Verdict.FEW_AFTER, **known)
        n_controls = int(of["n_controls"])
        sure = _with_few(SURE, n_controls) if n_controls else SURE
        stays, dip = of["stays"], self.dip[row]
        part = np.minimum(stays, 1.0)
        # Controls show how weeks differ beyond chance and how well the weather is known; without them it is allowed for.
        alone = 0 if n_controls else 1
        spread = alone * self.spread[row] / WEEKLY_CAP
        past, recent = self.noise_past[row] + spread / PAST_WEEKS, self.noise_recent[row] + spread / RECENT_WEEKS
        before = (1 - part) ** 2 * past + part**2 * recent + of["unsure"] * dip**2
        expected = self.usual[row] + stays * dip
        if alone:  # nor would anybody know what a level that was no level does
            for n, off, noise in self.halves:
                if n[row] >= MIN_AFTER:
                    expected, before = np.append(expected, self.usual[row] + off[row]), np.append(before, noise[row])
            before = before + self.weather_noise[row] + self.spread_after[row] / (WEEKLY_CAP * self.weeks)
        change = expected - self.came[row]
        error = np.sqrt(of["noise"] * (self.noise_after[row] + before))
        low, high = (change - sure * error).min(), (change + sure * error).max()

        gap = np.maximum(expected[0] - expected, 0.0)  # what an improvement has to overcome besides chance
        for size in (max(least / 100, dip) for least in SIZES):
            allowed = (np.maximum(size - gap, 0.0) / (sure + POWER)) ** 2 / of["noise"] - before
            more = _more(self.spread_after[row], allowed.min(), n_after)
            if more is not None:
                break
        if low > 0:
            verdict = Verdict.BETTER
        elif high < 0:
            verdict = Verdict.WORSE
        else:
            verdict = Verdict.SAME if more == 0 else Verdict.UNCLEAR
        return Effect(
            verdict,
            **known,
            n_controls=n_controls,
            basis=Basis.CONTROLS if n_controls else Basis.OWN,
            observed=_points(1 - self.came[row]),
            expected=_points(1 - expected[0]),
            change=_points(change[0]),
            low=_points(low),
            high=_points(high),
            dip=_points(dip),
            size=_points(size),
            more=more,
        )


class _Peers:
    """Sums over those who count among an agent's peers, the agent left out."""

    def __init__(self, team, counted):
        _, self.group = np.unique(team, return_inverse=True)
        self.counted = counted
        self.whole = (team < 0) | (np.bincount(self.group, counted)[self.group] - counted < MIN_TEAM - 1)

    def all_sums(self, values):
        """Over the workspace."""
        values = np.where(self.counted, values, 0.0)
        return values.sum() - values

    def sums(self, values):
        """Over the team, or the workspace where the team is small."""
        values = np.where(self.counted, values, 0.0)
        return np.where(self.whole, values.sum(), np.bincount(self.group, values)[self.group]) - values


def _more(spread, allowed, n):
    """How many ratings beside the `n` that came bring their noise under `allowed`; 0 where they do already, None never."""
    if allowed <= 0 or spread / allowed > MOST_RATINGS:
        return None
    return max(0, int(np.ceil(spread / allowed)) - n)


def _with_few(sure, n):
    """Standard errors that say as much where their size was learned from `n` (Student's t, by its first terms)."""
    return sure + (sure**3 + sure) / (4 * n)


def _effective(n, weeks):
    """Effective number of n ratings spread over some weeks: ratings of one week are alike beyond chance. Never 0."""
    return np.maximum(n / (1 + n / (WEEKLY_CAP * weeks)), 1e-9)


def _spread_of(u, n, usual):
    """Variance of good/bad ratings at the level that came, a little drawn to the usual one: bad luck has a long tail."""
    rate = (u + usual) / (n + 1)
    return rate * (1 - rate)


def _rate(u, n, otherwise):
    return np.divide(u, n, out=np.full(np.shape(n), otherwise), where=n > 1e-9)


def _kept(rate):
    """A rate kept off 0 and 1: none is taken to be surer than this."""
    return np.clip(rate, *LEVELS)


def _points(share):
    return round(100 * float(share), 2)
