"""Slack: how soon it is answered, how soon a message follows a decision, and what an hour without Slack leaves behind.

    python -m tests.bench slack

What is measured and how stands at the top of slack_acks, slack_steps and slack_outage, which run one after the other, each in a
database of its own. Exits with 1 where a limit is missed.
"""

from django.db import connection

from tests.bench import slack_acks, slack_outage, slack_steps
from tests.bench.measuring import own_database


def main() -> bool:
    """True where a limit was missed."""
    missed = False
    print(connection.vendor)
    for part in (slack_acks, slack_steps, slack_outage):
        print(f"\n{part.__doc__.splitlines()[0]}", flush=True)
        with own_database():
            missed |= part.measured()
    return missed
