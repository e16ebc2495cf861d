"""CSAT in figures: daily sums added up into levels, and what can be said of them. Pure; scores are 0..100."""

import math
from dataclasses import dataclass

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
        self.first = first
        days = [NOTHING] * (last - first + 1)
        for day, csat in sums:
            if first <= day <= last:
                days[day - first] += csat
        self._running = [NOTHING]
        for csat in days:
            self._running.append(self._running[-1] + csat)

    def window(self, first, last):
        """The ratings of the days first..last, both included."""
        return self._running[self._edge(last + 1)] - self._running[self._edge(first)]

    def _edge(self, day):
        return min(max(day - self.first, 0), len(self._running) - 1)


def said(value, scale):
    """A raw rating in the words of its scale: "1 of 5", "bad", "40 %". Empty for a conversation without a rating."""
    if not value:
        return ""
    return {"stars5": f"{value} of 5", "percent": f"{value} %", "hubspot012": f"{value} of 2"}.get(
        scale, value.replace("_", " ")
    )
