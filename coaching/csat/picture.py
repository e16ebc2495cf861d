"""The two pictures of CSAT over time as plain geometry: numbers in, coordinates out, drawn by a template.

Pure functions: no clock, no database, no markup. Coordinates are in the units of the SVG's view box, y downwards,
rounded to a tenth so that a page of many sparklines stays light. Scores are 0..100 and None where there is nothing to
draw.
"""

import math
from dataclasses import dataclass
from datetime import date, timedelta

from coaching.texts.numbers import counted

# --- Sparkline of a Team row -----------------------------------------------------------------------------------------

SPARK_WIDTH, SPARK_HEIGHT, SPARK_PAD = 132, 40, 4
SMALLEST_SPAN = 20  # points: a calm team must look calm, so a scale never zooms in further than this


@dataclass(frozen=True)
class Scale:
    """The vertical scale that all sparklines of one page share, in points of CSAT."""

    low: float
    high: float


@dataclass(frozen=True)
class Sparkline:
    """Path data of an agent's line and of its team's, where the agent's line ends, and the same in words.

    `own` is empty without any value.
    """

    own: str
    team: str
    end: tuple[float, float] | None
    words: str = ""


def shared_scale(series):
    """The scale that shows every value of all `series` (iterables of scores or None); 0..100 without any."""
    values = [value for one in series for value in one if value is not None]
    if not values:
        return Scale(0, 100)
    low, high = min(values), max(values)
    if high - low < SMALLEST_SPAN:
        middle = (low + high) / 2
        low, high = middle - SMALLEST_SPAN / 2, middle + SMALLEST_SPAN / 2
        shift = max(0, high - 100) - max(0, -low)
        low, high = low - shift, high - shift
    return Scale(low, high)


def sparkline(own, team, scale):
    """Draw `own` and `team` (scores per week, oldest first, equally long) on the shared `scale`."""
    xs = _spread(len(own), SPARK_PAD, SPARK_WIDTH - SPARK_PAD)
    y = _vertical(scale.low, scale.high, SPARK_PAD, SPARK_HEIGHT - SPARK_PAD)
    last = next((i for i in reversed(range(len(own))) if own[i] is not None), None)
    return Sparkline(
        own=_path(xs, own, y),
        team=_path(xs, team, y),
        end=None if last is None else (round(xs[last], 1), y(own[last])),
        words=_from_to(own, team),
    )


def _from_to(own, team):
    """The first and the last known level of both lines: "92 to 86, team 90 to 91"."""
    ends = [[value for value in line if value is not None] for line in (own, team)]
    words = [f"{line[0]:.0f} to {line[-1]:.0f}" for line in ends if line]
    return ", team ".join(words)


# --- Trajectory of one agent -----------------------------------------------------------------------------------------

WIDTH, HEIGHT = 452, 156
LEFT, RIGHT, TOP, BOTTOM = 32, 444, 8, 132  # the frame the points are drawn in
SMALLEST_DOT, LARGEST_DOT = 2.2, 5.5  # radii


@dataclass(frozen=True)
class Week:
    """One week of an agent: its first day, n ratings and their mean, the expected level and the team's mean."""

    start: date
    n: int
    score: float | None
    expected: float | None = None
    team: float | None = None


@dataclass(frozen=True)
class Dot:
    """One drawn week. `words` says what the dot shows, `beside` what it is to be read against."""

    x: float
    y: float
    r: float
    recent: bool
    worst: bool
    words: str
    beside: str


@dataclass(frozen=True)
class Trajectory:
    """Everything the template draws.

    Lines are path data; `window` is (x, width) of the review window, if there is one. `expected_is_usual` where the expected
    line is not what a flag measured against but what these weeks would usually bring. `levels` says what the words beside the
    picture are on its scale, where they are told on another.
    """

    dots: tuple[Dot, ...]
    expected: str
    team: str
    recent: tuple[float, float, float] | None
    window: tuple[float, float] | None
    grid: tuple[tuple[float, int], ...]
    labels: tuple[tuple[float, str, str], ...]
    summary: str
    weeks: tuple[Week, ...]
    expected_is_usual: bool
    levels: str = ""
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM
    middle: int = (LEFT + RIGHT) // 2

    @property
    def newest_first(self):
        """The weeks as the table lists them."""
        return self.weeks[::-1]

    @property
    def has_worst(self):
        return any(dot.worst for dot in self.dots)


def trajectory(weeks, *, since=None, recent=None, worst=None, expected_is_usual=False, levels=""):
    """Lay out `weeks` (oldest first, without gaps) as dots sized by their ratings, with the expected and the team's line.

    `since` is the first day of the review window, `recent` the mean level in it, `worst` the first day of the worst
    seven days. Returns None where no week has a rating: then there is nothing to draw and the page says so in words.
    """
    weeks = tuple(weeks)
    values = [v for w in weeks for v in (w.score, w.expected, w.team) if v is not None]
    if not any(w.n for w in weeks):
        return None
    low, high = _round_bounds(min(values), max(values))
    xs = _spread(len(weeks), LEFT + 8, RIGHT - 8)
    y = _vertical(low, high, TOP + 4, BOTTOM - 4)
    most = max(w.n for w in weeks)
    first = _index(weeks, lambda week: week.start + timedelta(days=6) >= since) if since else None
    ring = _index(weeks, lambda week: 0 <= (worst - week.start).days + 3 < 7) if worst else None
    dots = tuple(
        _dot(
            week,
            xs[i],
            y(week.score),
            most,
            recent=first is not None and i >= first,
            worst=i == ring,
            beside=_beside(week, usual=expected_is_usual),
        )
        for i, week in enumerate(weeks)
        if week.score is not None
    )
    window = level = None
    if first is not None:
        half = (xs[1] - xs[0]) / 2 if len(xs) > 1 else 8
        left = round(max(LEFT, xs[first] - half), 1)
        window = (left, round(RIGHT - left, 1))
        if recent is not None:
            level = (left, float(RIGHT), y(recent))
    return Trajectory(
        dots=dots,
        expected=_path(xs, [w.expected for w in weeks], y),
        team=_path(xs, [w.team for w in weeks], y),
        recent=level,
        window=window,
        grid=tuple((y(value), value) for value in _ticks(low, high)),
        labels=_month_labels(weeks, xs),
        summary=_summary(weeks, since, recent),
        weeks=weeks,
        expected_is_usual=expected_is_usual,
        levels=levels,
    )


def _index(weeks, fits):
    """Where the first week stands that fits; None where none does."""
    return next((i for i, week in enumerate(weeks) if fits(week)), None)


def _dot(week, x, y, most, *, recent, worst, beside):
    radius = SMALLEST_DOT + (LARGEST_DOT - SMALLEST_DOT) * math.sqrt(week.n / most)
    return Dot(
        x=round(x, 1),
        y=y,
        r=round(radius, 1),
        recent=recent,
        worst=worst,
        words=f"Week of {_day(week.start)}: {week.score:.1f} %, {counted(week.n, 'rating')}",
        beside=beside,
    )


def _beside(week, *, usual):
    """The other lines in that week: "; expected 91.2, team 90.4"."""
    others = (("usual" if usual else "expected", week.expected), ("team", week.team))
    words = ", ".join(f"{name} {value:.1f}" for name, value in others if value is not None)
    return f"; {words}" if words else ""


def _summary(weeks, since, recent):
    rated = [w for w in weeks if w.n]
    n = sum(w.n for w in rated)
    mean = sum(w.n * w.score for w in rated) / n
    words = f"CSAT by week over {len(weeks)} weeks: {counted(n, 'rating')}, {mean:.1f} % on average"
    if since is not None and recent is not None:
        words += f"; since {_day(since)} {recent:.1f} %"
    return f"{words}."


def _month_labels(weeks, xs):
    """The first month, one in the middle, and "now": so few that they never run into each other."""
    labels = [(round(xs[0], 1), weeks[0].start.strftime("%b"), "start")]
    if len(weeks) >= 12:
        begins = [i for i in range(4, len(weeks) - 3) if weeks[i].start.month != weeks[i - 1].start.month]
        if begins:
            i = min(begins, key=lambda i: abs(i - len(weeks) / 2))
            labels.append((round(xs[i], 1), weeks[i].start.strftime("%b"), "middle"))
    if len(weeks) > 1:
        labels.append((round(xs[-1], 1), "now", "end"))
    return tuple(labels)


def _round_bounds(low, high):
    low, high = math.floor(low / 10) * 10, math.ceil(high / 10) * 10
    if high - low < SMALLEST_SPAN:
        low = max(0, high - SMALLEST_SPAN)
        high = low + SMALLEST_SPAN
    return low, high


def _ticks(low, high):
    step = 10 if high - low <= 40 else 20 if high - low <= 60 else 25
    first = math.ceil(low / step) * step
    return range(first, int(high) + 1, step)


def _spread(count, left, right):
    """`count` positions from left to right; a single one stands at the right end, where "now" is."""
    if count == 1:
        return [float(right)]
    return [left + (right - left) * i / (count - 1) for i in range(count)]


def _vertical(low, high, top, bottom):
    return lambda value: round(bottom - (bottom - top) * (value - low) / (high - low), 1)


def _path(xs, values, y):
    """Path data through the values; a gap starts the line anew, and a lone value is drawn as a short dash."""
    parts, drawing = [], False
    for i, value in enumerate(values):
        if value is None:
            drawing = False
            continue
        alone = not drawing and (i + 1 == len(values) or values[i + 1] is None)
        parts.append(f"{'L' if drawing else 'M'}{xs[i]:.1f} {y(value):.1f}" + ("h.1" if alone else ""))
        drawing = True
    return "".join(parts)


def _day(day):
    return f"{day.day} {day:%b}"
