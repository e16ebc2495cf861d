"""A process that answers one turn: `python -m tests.flows.answer_turn TURN`."""

import sys

import django

django.setup()

from coaching.actions import sessions  # noqa: E402
from coaching.coach import turns  # noqa: E402


def main(turn_id):
    turn = sessions.claim(turn_id)
    print("claimed", flush=True)
    turns.run(turn)


if __name__ == "__main__":
    main(*sys.argv[1:])
