"""One late rating of a flagged agent among 1,000: from recording it to the flag's evidence that counts it.

    python -m tests.bench late

The rating's day lies in the review window of an open flag, as when a customer answers a survey days later. First in parts, in
this process: recording it through the action, and the look that takes it in, as a ratio to a sweep of the same day that has
no news. Then as it happens: a worker and a clock in processes of their own; the clock looks for news every 20 seconds; from
recording to the updated row on the wall clock. Exits with 1 where recording and look take more than three sweeps without news,
or where the row is not updated within a minute.
"""

import statistics
import tempfile
import time
from datetime import UTC, date, datetime, timedelta
from itertools import count

import numpy as np
from django.db import connection
from django.utils import timezone

from agents.models import Agent, Team, Workspace
from coaching.actions import sweeps
from coaching.models import Flag, Sweep
from helpdesk.actions import record_ratings
from helpdesk.models import RatingDay
from tests import processes
from tests.bench.measuring import keep_up, own_database, seconds
from tests.factories.ratings import good_or_bad

AGENTS = 1_000
DAYS = 190
FALL_DAYS = 42
RAISED_DAYS_AGO = 3
REPEATS, ON_THE_CLOCK = 7, 3
MOST_TIMES = 3.0
MOST_SECONDS = 60.0

_numbers = count(1)


def fill(rng, today) -> Agent:
    """Agents in teams of ten with one to eight good or bad ratings a day up to yesterday. The one that falls."""
    workspace = Workspace.objects.create(slug="bench", name="Bench")
    teams = Team.objects.bulk_create(Team(workspace=workspace, name=f"Team {n}") for n in range(AGENTS // 10))
    agents = Agent.objects.bulk_create(
        Agent(workspace=workspace, team=teams[n // 10], name=f"Agent {n}") for n in range(AGENTS)
    )
    level = rng.uniform(0.8, 0.95, AGENTS)
    for back in range(1, DAYS):
        n = rng.integers(1, 9, AGENTS)
        now = np.where((np.arange(AGENTS) == 0) & (back <= FALL_DAYS), 0.5, level)
        good = rng.binomial(n, now)
        RatingDay.objects.bulk_create(
            (
                RatingDay(
                    workspace=workspace,
                    agent=agent,
                    day=today - timedelta(days=back),
                    n=int(n[at]),
                    sum_hundredths=int(good[at]) * 10_000,
                    sum_squares=int(good[at]) * 10_000**2,
                )
                for at, agent in enumerate(agents)
            ),
            batch_size=5_000,
        )
    keep_up()
    return agents[0]


def rate_late(agent, today):
    """Record one rating of ten days ago, through the action."""
    day = today - timedelta(days=10)
    row = good_or_bad(agent, day, good=False, external_id=f"late-{next(_numbers)}")
    record_ratings(agent.workspace, [row])


def counted(agent) -> int:
    """Ratings that the flag's evidence counts."""
    return Flag.objects.open().get(agent=agent).evidence["ratings"]


def in_parts(agent, today) -> tuple[float, float, float]:
    """Medians of the seconds that a sweep without news, recording, and the look that takes the rating in need."""
    sweep = Sweep.objects.get(workspace=agent.workspace)
    bare, recording, look = [], [], []
    for _ in range(REPEATS):
        bare.append(seconds(lambda: sweeps.sweep(agent.workspace, today)))
        before = counted(agent)
        recording.append(seconds(lambda: rate_late(agent, today)))
        look.append(seconds(lambda: (sweeps.owe_due(), sweeps.run(sweep.pk))))
        assert counted(agent) == before + 1, "the look did not take the rating in"
    return statistics.median(bare), statistics.median(recording), statistics.median(look)


def on_the_clock(agent, today) -> list[float]:
    """Seconds from before a late rating is recorded until the flag counts it, with a worker and a clock at work."""
    waits = []
    with tempfile.TemporaryDirectory() as folder:
        told = {"DATA_DIR": folder, "PYTHONWARNINGS": "ignore"}
        with processes.worker(**told), processes.clock(**told):
            for turn in range(ON_THE_CLOCK + 1):
                waits.append(seconds(lambda: _until_counted(agent, today)))
                time.sleep(7 * turn)  # so that not every turn meets the clock at the same moment
    return waits[1:]  # the first has waited for the processes to start


def _until_counted(agent, today):
    before, deadline = counted(agent), time.monotonic() + processes.PATIENCE
    rate_late(agent, today)
    while counted(agent) == before and time.monotonic() < deadline:
        time.sleep(0.05)


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    today: date = datetime.now(UTC).date()
    agent = fill(np.random.default_rng(1), today)
    sweeps.sweep(agent.workspace, today - timedelta(days=RAISED_DAYS_AGO))
    sweeps.owe_due()
    sweeps.run(Sweep.objects.get(workspace=agent.workspace).pk, now=timezone.now())
    bare, recording, look = in_parts(agent, today)
    times = (recording + look) / bare
    print(
        f"{AGENTS:,} agents, {connection.vendor}: recording {1000 * recording:.0f} ms, look {1000 * look:.0f} ms; together "
        f"{times:.1f} times a sweep without news, {1000 * bare:.0f} ms (at most {MOST_TIMES:.0f})"
    )
    waits = on_the_clock(agent, today)
    said = ", ".join(f"{wait:.1f}" for wait in waits)
    print(
        f"with worker and clock, from recording to the updated flag: {said} s (the clock looks every 20 s; at most 60)"
    )
    return times > MOST_TIMES or max(waits) > MOST_SECONDS


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
