"""The daily table of ratings, and the turnstile in front of it.

All that writes ratings passes one turnstile per workspace (`enter`), so that what counts and the daily table are read
and written by one at a time.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from django.db import connection, transaction
from django.db.models import F

from agents import history
from agents.models import Agent, Member, Workspace, known_time_zone
from helpdesk.models import Rating, RatingDay

AGENTS_AT_ONCE = 200  # whose days are compared together
SUMS = ("n", "sum_hundredths", "sum_squares")  # of the daily table


def enter(workspace) -> Workspace:
    """Wait for one's turn at the workspace's ratings, until the end of the transaction. SQLite has one writer anyway."""
    return Workspace.objects.select_for_update(no_key=True).get(pk=workspace.pk)


class Days:
    """What a transaction adds to and takes from the daily table, written once at its end."""

    def __init__(self, workspace):
        self.workspace, self.zone = workspace, workspace.zone
        self.deltas: dict[tuple[uuid.UUID, date], list[int]] = defaultdict(lambda: [0, 0, 0])

    def add(self, rating, sign=1):
        if rating.agent_id is not None:
            delta = self.deltas[rating.agent_id, rating.rated_at.astimezone(self.zone).date()]
            score = rating.score_hundredths
            delta[0] += sign
            delta[1] += sign * score
            delta[2] += sign * score * score

    def subtract(self, rating):
        self.add(rating, sign=-1)

    def store(self):
        deltas = {key: delta for key, delta in self.deltas.items() if any(delta)}
        if not deltas:
            return
        sums = {(day.agent_id, day.day): (day.n, day.sum_hundredths, day.sum_squares) for day in _days_of(deltas)}
        full: list[RatingDay] = []
        empty: list[RatingDay] = []
        for (agent_id, on), (n, total, squares) in deltas.items():
            had = sums.get((agent_id, on), (0, 0, 0))
            day = RatingDay(
                workspace_id=self.workspace.pk,
                agent_id=agent_id,
                day=on,
                n=had[0] + n,
                sum_hundredths=had[1] + total,
                sum_squares=had[2] + squares,
            )
            (full if day.n else empty).append(day)
        RatingDay.objects.bulk_create(
            full, update_conflicts=True, unique_fields=["agent", "day"], update_fields=list(SUMS)
        )
        if empty:
            RatingDay.objects.filter(pk__in=[day.pk for day in _days_of([(d.agent_id, d.day) for d in empty])]).delete()
        # Whoever reads the daily table on a clock sees by this number that there is news.
        Workspace.objects.filter(pk=self.workspace.pk).update(ratings_revision=F("ratings_revision") + 1)


def _days_of(keys):
    """The rows of the daily table for these (agent id, day), and no others."""
    agent, day = RatingDay._meta.get_field("agent"), RatingDay._meta.get_field("day")
    values = [
        value
        for agent_id, on in keys
        for value in (agent.get_db_prep_value(agent_id, connection), day.get_db_prep_value(on, connection))
    ]
    places = ", ".join(["(%s, %s)"] * len(keys))
    return RatingDay.objects.raw(
        f"SELECT * FROM {RatingDay._meta.db_table} WHERE (agent_id, day) IN (VALUES {places})",  # noqa: S608 (the table's name is ours)
        values,
    )


@dataclass(frozen=True)
class DayDifference:
    """A day of one agent whose row in the daily table is not what the ratings say: (n, sum, sum of squares)."""

    agent_id: uuid.UUID
    day: date
    stored: tuple[int, int, int]
    right: tuple[int, int, int]


def check_days(workspace: Workspace) -> Iterator[DayDifference]:
    """Compare the daily table with the counting ratings, agents in portions, so that memory stays bounded."""
    ids = list(Agent.objects.filter(workspace=workspace).order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(ids), AGENTS_AT_ONCE):
        portion = ids[start : start + AGENTS_AT_ONCE]
        right = Days(workspace)
        counting = Rating.objects.counting().filter(agent__in=portion)
        for rating in counting.only("agent", "rated_at", "score_hundredths").order_by("agent").iterator():
            right.add(rating)
        stored = {
            (agent_id, day): (n, total, squares)
            for agent_id, day, n, total, squares in RatingDay.objects.filter(agent__in=portion).values_list(
                "agent", "day", *SUMS
            )
        }
        for agent_id, day in sorted(stored.keys() | right.deltas.keys()):
            n, total, squares = right.deltas.get((agent_id, day), (0, 0, 0))
            had, has = stored.get((agent_id, day), (0, 0, 0)), (n, total, squares)
            if had != has:
                yield DayDifference(agent_id, day, stored=had, right=has)


def rebuild_days(workspace: Workspace) -> int:
    """Make the daily table what the ratings say, as after a change of the time zone. Returns how many days differed."""
    with transaction.atomic():
        workspace = enter(workspace)
        days = Days(workspace)
        for difference in check_days(workspace):
            change = [has - had for had, has in zip(difference.stored, difference.right, strict=True)]
            days.deltas[difference.agent_id, difference.day] = change
        days.store()
    return len(days.deltas)


def change_time_zone(workspace: Workspace, name: str, *, by: Member | None = None) -> int:
    """Let the workspace live by another clock, and its daily table with it. Returns how many days differed.

    Nothing reads the one without the other: what was a rating of Monday night may be one of Tuesday now. Raises ValidationError.
    """
    known_time_zone(name)
    with transaction.atomic():
        history.change(enter(workspace), Workspace.objects.all(), by=by, time_zone=name)
        return rebuild_days(workspace)
