"""The daily table of a whole workspace as arrays for the scan.

A large workspace has two million rows in 26 weeks: fetched one by one they take many times as long as the scan itself. So the
database packs each day into one row, the agents' keys, their sums and their squares as a run of bytes each, and numpy takes
them apart. A day is handed over as soon as it is packed, and taken apart while the database packs the next.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import numpy as np
from django.db import connection, transaction
from django.db.models import Aggregate, BinaryField

from agents.models import Agent
from coaching.trajectory import HISTORY_DAYS, MIN_TEAM, Days
from helpdesk.models import RatingDay

DAYS_AT_ONCE = 7  # fetched together where rows come from a cursor
SUM_BITS = 40  # of a packed number hold the sum of hundredths, those above them the number of ratings: up to 8 million


@dataclass(frozen=True)
class History:
    """Some weeks of a workspace. Row i of `days` is agent `agents[i]` (a key); `team` and `active` have one entry an agent.

    `team` numbers the teams, -1 for none. Somebody who is not active any more counts in none, but their ratings still say what
    the weather was in the workspace.
    """

    agents: list
    active: np.ndarray
    team: np.ndarray
    days: Days

    def in_team(self, row):
        """Whether the peers of this agent are their own team rather than the whole workspace."""
        return bool(self.team[row] >= 0 and (self.team == self.team[row]).sum() >= MIN_TEAM)

    def first_rated(self, row, day):
        """The first day (ordinal) of the 26 weeks up to and including `day` on which this agent has ratings."""
        first = max(day - HISTORY_DAYS + 1 - self.days.first_day, 0)
        return self.days.first_day + first + int((self.days.n[row, first:] > 0).argmax())

    def own(self, row, first, last):
        """The agent's ratings of the days first..last (ordinals): their number and mean score 0..1, nan without any."""
        n, u = self.days.window(first, last)
        return n[row], _mean(n[row], u[row])

    def peers(self, row, first, last):
        """The same of the agent's peers: their team, or the whole workspace, the agent left out."""
        n, u = self.days.window(first, last)
        counted = self.team == self.team[row] if self.in_team(row) else np.ones(len(n), bool)
        counted[row] = False
        return n[counted].sum(), _mean(n[counted].sum(), u[counted].sum())


def _mean(n, u):
    return 1 - u / n if n else np.nan


def load(workspace, day, *, n_days=HISTORY_DAYS):
    """The History of the `n_days` up to and including `day` (a date): of the 26 weeks that a sweep reads unless told otherwise.

    Two queries, however many agents and days.
    """
    first = day - timedelta(days=n_days - 1)
    rows = list(Agent.objects.filter(workspace=workspace).order_by("pk").values_list("pk", "team_id", "active"))
    agents = [pk for pk, _, _ in rows]
    return History(
        agents=agents,
        active=np.array([active for _, _, active in rows], bool),
        team=np.array([team_id if active and team_id is not None else -1 for _, team_id, active in rows], np.int64),
        days=_unpacked(packed(workspace, first, day), agents, first.toordinal(), n_days),
    )


def packed(workspace, first, last):
    """Yield what the database packs: for each of the days first..last that has ratings (day, keys, sums, squares).

    The days come one by one, in no order that counts, while the database is still at work on the others.
    """
    days = RatingDay.objects.filter(workspace=workspace, day__range=(first, last)).order_by().values_list("day")
    days = days.annotate(
        keys=_AgentKeys("agent_id"), sums=_PackedSums("n", "sum_hundredths"), squares=_PackedNumbers("sum_squares")
    )
    return _copied(days) if connection.vendor == "postgresql" else days.iterator(chunk_size=DAYS_AT_ONCE)


def _copied(days):
    """The rows of `days` as PostgreSQL copies them out, a third of the time that its ordinary cursors take.

    COPY sends a row as soon as there is one, and bytes as bytes; a cursor sends them as hexadecimal digits, all rows at the
    end. Without hashed groups one day after the other is read from the index: by its estimates the planner would rather go
    through the table and have all days grow at once, which takes twice as long and sends nothing before the last row.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_hashagg = off")
        query = connection.ops.compose_sql(*days.query.sql_with_params())
        with cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(["date", "bytea", "bytea", "bytea"])
            yield from copy.rows()


def _unpacked(packed_days, agents, first_day, n_days):
    row_of = _Rows(agents)
    n, u, uu = (np.zeros((n_days, len(agents))) for _ in range(3))

    def unpack(packed_day):
        day, keys, sums, squares = packed_day
        at = day.toordinal() - first_day
        rows, known = row_of(keys)
        sums = _numbers(sums)[known]
        ratings, scores = sums >> SUM_BITS, (sums & ((1 << SUM_BITS) - 1)) / 10_000
        n[at, rows] = ratings
        u[at, rows] = ratings - scores
        uu[at, rows] = ratings - 2 * scores + _numbers(squares)[known] / 10_000**2  # the sum of (1 - score) squared

    with ThreadPoolExecutor(1) as pool:  # takes one day apart while this thread waits for the next
        deque(pool.map(unpack, packed_days), maxlen=0)
    return Days(first_day, n.T, u.T, uu.T)


class _AgentKeys(Aggregate):
    """The keys of a group, one after the other, as bytes of equal length."""

    output_field = BinaryField()

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, template="CAST(group_concat(%(expressions)s, '') AS BLOB)")

    def as_postgresql(self, compiler, connection):
        return self.as_sql(compiler, connection, template="string_agg(uuid_send(%(expressions)s), NULL)")


class _PackedNumbers(Aggregate):
    """A whole number of each row of a group, in the order of _AgentKeys: decimal text, or eight bytes each."""

    output_field = BinaryField()

    def as_sqlite(self, compiler, connection):
        return self.as_sql(compiler, connection, template="CAST(group_concat(%(expressions)s) AS BLOB)")

    def as_postgresql(self, compiler, connection, **how):
        return self.as_sql(compiler, connection, template="string_agg(int8send(%(expressions)s), NULL)", **how)


class _PackedSums(_PackedNumbers):
    """(ratings << SUM_BITS | sum) of each row of a group."""

    arity = 2
    arg_joiner = f" << {SUM_BITS} | "

    def as_postgresql(self, compiler, connection):
        return super().as_postgresql(compiler, connection, arg_joiner=f"::bigint << {SUM_BITS} | ")


def _numbers(packed):
    if connection.vendor == "postgresql":
        return np.frombuffer(packed, ">i8").astype(np.int64)
    return np.fromstring(packed, np.int64, sep=",")


class _Rows:
    """From the bytes of agents' keys to their rows. The bytes are folded into one number each, distinct for every agent."""

    def __init__(self, agents):
        # A key is 16 bytes, or 32 digits where the database has no type for it: words of eight bytes either way.
        native = connection.features.has_native_uuid_field
        self.words = 2 if native else 4
        known = b"".join(key.bytes if native else key.hex.encode() for key in agents)
        for seed in count():
            self.factors = np.random.default_rng(seed).integers(1, 2**63, self.words, np.uint64) * 2 + 1
            folded = self._fold(known)
            self.order = folded.argsort()
            self.sorted = folded[self.order]
            if (np.diff(self.sorted) > 0).all():
                break

    def __call__(self, keys):
        """The rows of these keys, and which of the keys are known at all: (rows of the known ones, bool per key)."""
        folded = self._fold(keys)
        at = np.minimum(self.sorted.searchsorted(folded), len(self.sorted) - 1)
        known = self.sorted[at] == folded
        return self.order[at[known]], known

    def _fold(self, keys):
        words = np.frombuffer(keys, np.uint64).reshape(-1, self.words)
        return sum(words[:, at] * factor for at, factor in enumerate(self.factors))
