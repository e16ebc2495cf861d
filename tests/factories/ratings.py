"""Ratings as they come in, and workspaces whose agents keep or lose their level."""

import itertools
from datetime import UTC, datetime, time, timedelta

from helpdesk.actions import record_ratings
from helpdesk.rows import RatingRow
from tests.factories import human

_numbers = itertools.count(1)
WEEKS = 26


def good_or_bad(agent, day, *, good, **fields):
    """One rating of the agent on a day (a date), at noon UTC."""
    number = next(_numbers)
    defaults = {
        "external_id": f"rated-{number}",
        "agent": str(agent.pk),
        "value": "good" if good else "bad",
        "scale": "binary",
        "score": 10_000 if good else 0,
        "rated_at": datetime.combine(day, time(12), UTC),
        "source": "desk",
    }
    return RatingRow(**defaults | fields)


def stars(agent, day, *, stars, **fields):
    return good_or_bad(agent, day, good=True, value=str(stars), scale="stars5", score=(stars - 1) * 2_500, **fields)


def days_until(day, count):
    """The last `count` days up to and including `day`, the earliest first."""
    return [day - timedelta(days=back) for back in reversed(range(count))]


def steady(agent, days, *, bad_one_in=10, row=good_or_bad):
    """A rating a day, every so-manieth of them bad."""
    return [row(agent, day, good=(at + 1) % bad_one_in != 0) for at, day in enumerate(days)]


def team_with_a_fall(workspace, day, *, weeks=WEEKS, fall_days=35, bad_one_in=2, team="First line"):
    """Five people with `weeks` of a rating a day up to `day`, 9 of 10 good; the first one's last `fall_days` days are worse.

    Returns the one that falls and the other four.
    """
    agents = [human(workspace, team=team) for _ in range(5)]
    days = days_until(day, 7 * weeks)
    rows = [row for agent in agents[1:] for row in steady(agent, days)]
    rows += steady(agents[0], days[:-fall_days]) + steady(agents[0], days[-fall_days:], bad_one_in=bad_one_in)
    record_ratings(workspace, rows)
    return agents[0], agents[1:]
