"""How fast ratings come in, against a bare bulk_create of the same rows in the same database."""

import csv
import io
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.test import Client

from agents.models import Agent, Workspace
from helpdesk import actions, scales
from helpdesk.models import Conversation, Rating, RatingDay
from tests import factories
from tests.bench.measuring import own_database

ROWS, AGENTS, DAYS, RUNS = 10_000, 50, 120, 3
PER_REQUEST = 5_000
LEAST_RATIO = 1 / 3


@dataclass(frozen=True)
class Measured:
    """Rows per second of the floor, the command and the route, and their ratios to the floor of the same run."""

    rows: int
    floor: float
    command: float
    route: float

    @property
    def command_ratio(self) -> float:
        return self.command / self.floor

    @property
    def route_ratio(self) -> float:
        return self.route / self.floor


def measure(rows: int = ROWS, runs: int = RUNS) -> Measured:
    """The median of `runs` rounds; in each, floor, command and route write the same rows into fresh workspaces."""
    made = ratings(rows)
    floors, commands, routes = [], [], []
    for _ in range(runs):
        floors.append(rows / floor(made))
        commands.append(rows / by_command(made))
        routes.append(rows / by_route(made))
    return Measured(rows, *(statistics.median(each) for each in (floors, commands, routes)))


def ratings(rows):
    """(external id, agent's number, stars, time) of each rating: one for each conversation, times rising."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / rows
    return [(f"c-{n}", n * 7 % AGENTS, 1 + n * 13 % 5, start + (n * step)) for n in range(rows)]


def a_workspace():
    workspace = factories.workspace()
    return workspace, [factories.human(workspace, name=f"Agent {n}") for n in range(AGENTS)]


def floor(made) -> float:
    """Seconds to write what the import leaves behind (conversations, ratings, days), with nothing read or checked."""
    workspace, agents = a_workspace()
    conversations, written, days = [], [], {}
    for external_id, agent, stars, at in made:
        score = scales.hundredths(str(stars), "stars5")
        conversation = Conversation(
            workspace=workspace, source="api", external_id=external_id, agent=agents[agent], closed_at=at
        )
        conversations.append(conversation)
        written.append(
            Rating(
                workspace=workspace,
                conversation=conversation,
                agent=agents[agent],
                value=str(stars),
                scale="stars5",
                score_hundredths=score,
                rated_at=at,
            )
        )
        day = days.setdefault(
            (agent, at.date()),
            RatingDay(workspace=workspace, agent=agents[agent], day=at.date(), n=0, sum_hundredths=0, sum_squares=0),
        )
        day.n, day.sum_hundredths, day.sum_squares = day.n + 1, day.sum_hundredths + score, day.sum_squares + score**2
    began = time.perf_counter()
    Conversation.objects.bulk_create(conversations, batch_size=actions.BATCH)
    Rating.objects.bulk_create(written, batch_size=actions.BATCH)
    RatingDay.objects.bulk_create(days.values(), batch_size=actions.BATCH)
    took = time.perf_counter() - began
    clear(workspace)
    return took


def by_command(made) -> float:
    """Seconds that `import_ratings` takes for a file of them."""
    workspace, _ = a_workspace()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ratings.csv"
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["external_id", "agent", "score", "rated_at"])
            writer.writerows((ext, f"Agent {agent}", stars, at.isoformat()) for ext, agent, stars, at in made)
        began = time.perf_counter()
        call_command("import_ratings", path, workspace=workspace.slug, stdout=io.StringIO())
        took = time.perf_counter() - began
    clear(workspace)
    return took


def by_route(made) -> float:
    """Seconds that requests of 5,000 items each take, reading and answering included."""
    workspace, _ = a_workspace()
    secret = factories.token(factories.owner(workspace))
    bodies = [
        json.dumps(
            {
                "items": [
                    {
                        "externalId": ext,
                        "agent": f"Agent {agent}",
                        "value": stars,
                        "scale": "stars5",
                        "ratedAt": int(at.timestamp() * 1000),
                    }
                    for ext, agent, stars, at in made[start : start + PER_REQUEST]
                ]
            }
        )
        for start in range(0, len(made), PER_REQUEST)
    ]
    client, headers = Client(SERVER_NAME="localhost"), {"Authorization": f"Bearer {secret}"}
    began = time.perf_counter()
    accepted = 0
    for body in bodies:
        answer = client.post("/api/v1/ratings", body, content_type="application/json", headers=headers)
        accepted += answer.json()["accepted"]
    took = time.perf_counter() - began
    assert accepted == len(made), f"{accepted} of {len(made)} were accepted"
    clear(workspace)
    return took


def clear(workspace):
    """Take away what a round wrote, so that each starts with the same tables."""
    RatingDay.objects.filter(workspace=workspace)._raw_delete("default")
    Rating.objects.filter(workspace=workspace)._raw_delete("default")
    Conversation.objects.filter(workspace=workspace)._raw_delete("default")
    Agent.objects.filter(workspace=workspace).delete()
    Workspace.objects.filter(pk=workspace.pk).delete()


def main() -> bool:
    """Measure in a database of its own and print. True where a ratio misses its limit. Django must be set up."""
    with own_database():
        found = measure()
    print(f"  {connection.vendor}, {found.rows:,} ratings of as many conversations")
    print(f"  bare bulk_create       {found.floor:>9,.0f} rows/s")
    print(f"  import_ratings         {found.command:>9,.0f} rows/s  {found.command_ratio:.2f} of it")
    print(f"  POST /ratings          {found.route:>9,.0f} rows/s  {found.route_ratio:.2f} of it")
    return min(found.command_ratio, found.route_ratio) < LEAST_RATIO
