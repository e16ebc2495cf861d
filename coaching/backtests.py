"""Whom the flag would have named: the scan replayed over a file of past ratings. Nothing is stored."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import numpy as np

from coaching import sentences, trajectory
from coaching.actions.flags import past_weeks
from helpdesk import scales
from helpdesk.files import RatingsCsv
from helpdesk.models import Scale
from helpdesk.rows import RatingRow, Refused, rating_from_cells

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


def replay(ratings: Ratings) -> list[Found]:
    """Every flag that a sweep a day would have raised, from the file's first day to its last, in the order of raising."""
    if not ratings.rows:
        return []
    agent, day, hundredths = np.array(ratings.rows, np.int64).T
    names, team = list(ratings.agents), np.array(ratings.team_of)
    h = trajectory.threshold(len(names))
    sweep_days = range(int(day.min()), int(day.max()) + 1)
    raised = trajectory.episodes(agent, day, hundredths / 10_000, None, team, len(names), sweep_days, h)
    first_rated = np.full(len(names), np.iinfo(np.int64).max)
    np.minimum.at(first_rated, agent, day)
    return [_found(flag, names[flag.agent], int(first_rated[flag.agent]), team, h) for flag in raised]


def _found(flag, name, first_rated, team, h):
    in_team = team[flag.agent] >= 0 and (team == team[flag.agent]).sum() >= trajectory.MIN_TEAM
    evidence = {
        "day": date.fromordinal(flag.raised_on).isoformat(),
        "weeks": flag.weeks,
        "ratings": flag.ratings,
        "observed": 100 * flag.observed,
        "expected": 100 * flag.expected,
        "past_weeks": past_weeks(flag.since, flag.weeks, first_rated),
        "peers": "team" if in_team else "workspace",
        "weeks_rated": flag.weeks_rated,
        "weeks_below": flag.weeks_below,
        "holds_without_worst": flag.statistic >= h,  # which counts the fall without them
        "rarity": sentences.RARITY.get(h),
    }
    return Found(
        agent=name,
        raised_on=date.fromordinal(flag.raised_on),
        ended_on=None if flag.ended_on is None else date.fromordinal(flag.ended_on),
        ended_by=flag.ended_by,
        since=date.fromordinal(flag.since),
        expected=round(flag.expected, 4),
        observed=round(flag.observed, 4),
        ratings=round(flag.ratings),
        reason=sentences.sentence(name, evidence),
    )


def _share(value):
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and "_" not in value else None
