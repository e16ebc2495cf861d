"""A process that says it is ready, waits for the word, takes a sync and says whether it has it:
`python -m tests.flows.take_sync SYNC`.
"""

import sys

import django

django.setup()

from helpdesk.actions import connections

if __name__ == "__main__":
    print("ready", flush=True)
    sys.stdin.readline()
    print("taken" if connections.take(sys.argv[1]) else "not")
