"""A process that delivers what is owed to Slack when told to: `python -m tests.coaching.slack.deliver POST…`."""

import os
import sys

import django

django.setup()

from coaching.slack import delivery


def main(*post_ids):
    print("ready", os.getpid(), flush=True)
    sys.stdin.readline()
    for post_id in post_ids:
        delivery.deliver(post_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
