"""Slack: how soon it is answered, how soon a message follows a decision, and what an hour without Slack leaves behind.

    python -m tests.bench slack

What is measured and how stands at the top of slack_acks, slack_steps and slack_outage, which run one after the other, each in a
database of its own. Exits with 1 where a limit is missed.
"""

from django.db import connection

from tests.bench import slack_acks, slack_outage, slack_steps


def main() -> bool:
    """True where a limit was missed."""
    name = connection.settings_dict["NAME"]
    missed = False
    print(connection.vendor)
    for part in (slack_acks, slack_steps, slack_outage):
        print(f"\n{part.__doc__.splitlines()[0]}", flush=True)
        connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
        try:
            missed |= part.measured()
        finally:
            connection.creation.destroy_test_db(name, verbosity=0)
    return missed
