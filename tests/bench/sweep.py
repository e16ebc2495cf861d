"""One sweep of 10,000 agents with ratings on each of 182 days, from the daily table, and the share of it that is SQL.

    python -m tests.bench.sweep

The floor is the scan alone, on arrays that are in memory already. Exits with 1 where the whole takes more than a second.
"""

import os
import sys
import time
from datetime import date, timedelta

import django
import numpy as np

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django.db import connection  # noqa: E402  models can be imported only now

from agents.models import Agent, Team, Workspace  # noqa: E402
from coaching import daily, trajectory  # noqa: E402
from coaching.actions import sweeps  # noqa: E402
from helpdesk.models import RatingDay  # noqa: E402

AGENTS = 10_000
DAYS = 182
REPEATS = 5
MOST_SECONDS = 1.0
TODAY = date(2026, 5, 20)


def fill(rng) -> Workspace:
    """Agents in teams of ten, each rated one to eight times every day, good or bad; every agent keeps their level."""
    workspace = Workspace.objects.create(slug="bench", name="Bench")
    teams = Team.objects.bulk_create(Team(workspace=workspace, name=f"Team {n}") for n in range(AGENTS // 10))
    agents = Agent.objects.bulk_create(
        (Agent(workspace=workspace, team=teams[n // 10], name=f"Agent {n}") for n in range(AGENTS)), batch_size=2_000
    )
    level = rng.uniform(0.7, 0.95, AGENTS)
    week = [TODAY - timedelta(days=back) for back in range(7)]
    for day in week:
        n = rng.integers(1, 9, AGENTS)
        good = rng.binomial(n, level)
        rows = (
            RatingDay(
                workspace=workspace,
                agent=agents[at],
                day=day,
                n=int(n[at]),
                sum_hundredths=int(good[at]) * 10_000,
                sum_squares=int(good[at]) * 10_000**2,
            )
            for at in rng.permutation(AGENTS)
        )
        RatingDay.objects.bulk_create(rows, batch_size=5_000)
    table, columns = RatingDay._meta.db_table, "workspace_id, agent_id, n, sum_hundredths, sum_squares"
    only = f"workspace_id = (SELECT id FROM {Workspace._meta.db_table})"  # as the index begins
    copy = f"INSERT INTO {table} ({columns}, day) SELECT {columns}, %s FROM {table} WHERE {only} AND day = %s"
    with connection.cursor() as cursor:
        for back in range(
            7, DAYS
        ):  # every week like the last one, as a database copies it: half a minute instead of ten
            cursor.execute(copy, [TODAY - timedelta(days=back), week[back % 7]])
        cursor.execute("ANALYZE")
    return workspace


def best_of(what) -> float:
    """Seconds of the quickest of a few runs: what the machine can do when nobody else is at it."""
    seconds = []
    for _ in range(REPEATS):
        began_at = time.perf_counter()
        what()
        seconds.append(time.perf_counter() - began_at)
    return min(seconds)


def measured(workspace) -> bool:
    """Print the figures; whether the limit was missed."""
    sweeps.sweep(workspace, TODAY)  # raises what chance raises among so many, so that the runs measured are alike
    history = daily.load(workspace, TODAY)
    scan = best_of(lambda: trajectory.scan(history.days, history.team, TODAY.toordinal()))
    sql = best_of(lambda: daily.read(workspace, TODAY - timedelta(days=DAYS - 1), TODAY))
    total = best_of(lambda: sweeps.sweep(workspace, TODAY))
    rows = RatingDay.objects.filter(workspace=workspace).count()
    print(
        f"{AGENTS:,} agents x {DAYS} days, {rows:,} rows, {connection.vendor}: {total:.2f} s (at most {MOST_SECONDS:.0f}), "
        f"SQL {sql:.2f} s = {sql / total:.0%}; the scan alone {scan:.2f} s, the whole {total / scan:.1f} times that"
    )
    return total > MOST_SECONDS


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where the limit was missed."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        return measured(fill(np.random.default_rng(1)))
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


if __name__ == "__main__":
    sys.exit(main())
