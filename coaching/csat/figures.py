"""CSAT in figures: daily sums added up into levels, and what can be said of them. Pure; scores are 0..100."""

import math
from dataclasses import dataclass
from itertools import accumulate

from coaching.trajectory import LEVELS, MIN_PAST_RATINGS, PEER_PRIOR

LOW = 50  # a rating under this is shown as a bad one
ENOUGH = 8  # ratings under which no level is named; the flag asks for as many before it clears
SMALLEST_SPREAD = 0.3  # of the spread that good/bad ratings of this level would have
SURE = 1.96  # standard errors on either side: 19 of 20 such ranges hold the true level


@dataclass(frozen=True)
class Csat:
    """Ratings added up: their number and their sums.

    `total` adds the scores in hundredths of a point, `squares` the squares of those.
    """

    n: int = 0
    total: int = 0
    squares: int = 0

    def __add__(self, other):
        return Csat(self.n + other.n, self.total + other.total, self.squares + other.squares)

    def __sub__(self, other):
        return Csat(self.n - other.n, self.total - other.total, self.squares - other.squares)

    @property
    def enough(self):
        """Whether there are ratings enough to name a level."""
        return self.n >= ENOUGH

    @property
    def mean(self):
        """The level, 0..100; None without ratings."""
        return self.total / self.n / 100 if self.n else None

    @property
    def give_or_take(self):
        """Points on either side within which the true level lies 19 times in 20; None where no level is named.

        A handful of equal ratings has no spread of its own and would look certain, so the spread never counts as less
        than a share of what good/bad ratings at this level would show.
        """
        if not self.enough:
            return None
        mean = self.total / self.n
        spread = (self.squares - self.n * mean * mean) / (self.n - 1)
        level = (self.total / 10_000 + 1) / (self.n + 2)
        spread = max(spread, SMALLEST_SPREAD * level * (1 - level) * 10_000**2)
        return SURE * math.sqrt(spread / self.n) / 100


NOTHING = Csat()


class Timeline:
    """Daily sums of somebody over a run of days, read as windows.

    Days are ordinals; days before the first count as empty.
    """

    def __init__(self, first, last, sums=()):
        """`sums` are (ordinal, Csat) pairs; pairs outside first..last are left out."""
        self.first, self.n_days = first, last - first + 1
        # Plain numbers: a page adds up hundreds of days.
        n, total, squares = ([0] * (self.n_days + 1) for _ in range(3))
        for day, csat in sums:
            if first <= day <= last:
                at = day - first + 1
                n[at] += csat.n
                total[at] += csat.total
                squares[at] += csat.squares
        self._running = [list(accumulate(column)) for column in (n, total, squares)]

    def window(self, first, last):
        """The ratings of the days first..last, both included."""
        begin, end = self._edge(first), self._edge(last + 1)
        return Csat(*(column[end] - column[begin] for column in self._running))

    def _edge(self, day):
        return min(max(day - self.first, 0), self.n_days)


def usual_by_week(own, peers):
    """What each week of an agent would usually bring: their own level, moved as their peers' was that week. 0..100.

    `own` and `peers` hold one Csat a week, the agent left out of the peers; `peers` may be None. The level is the mean over all
    these weeks, and a peers' week is heard on the odds scale as the scan hears it: it counts as if they had had some unhappy
    ratings as usual besides, so that a handful moves little. None for every week where the agent has too few ratings to have
    a usual level.
    """
    level = sum(own, NOTHING)
    if level.n < MIN_PAST_RATINGS:
        return [None] * len(own)
    p = _unhappy(level)
    usual = sum(peers or (), NOTHING)
    if not usual.n:
        return [100 * (1 - p)] * len(own)
    t = _unhappy(usual)
    expected = []
    for week in peers:
        came = (PEER_PRIOR + week.n - week.total / 10_000) / (PEER_PRIOR / t + week.n)
        odds = _odds(min(max(came, LEVELS[0]), LEVELS[1])) / _odds(t)
        expected.append(100 * (1 - p * odds / (1 - p + p * odds)))
    return expected


def _unhappy(csat):
    """The share of unhappiness in ratings, kept off 0 and 1."""
    return min(max(1 - csat.mean / 100, LEVELS[0]), LEVELS[1])


def _odds(share):
    return share / (1 - share)


def said(value, scale):
    """A raw rating in the words of its scale: "1 of 5", "bad", "40 %". Empty for a conversation without a rating."""
    if not value:
        return ""
    return {"stars5": f"{value} of 5", "percent": f"{value} %", "hubspot012": f"{value} of 2"}.get(
        scale, value.replace("_", " ")
    )
