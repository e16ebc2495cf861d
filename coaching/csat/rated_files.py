"""Past ratings in a file, read for a replay: no workspace, no row."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation

import numpy as np

from coaching import trajectory
from coaching.csat import daily, sentences
from coaching.csat.backtests import Raised
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
