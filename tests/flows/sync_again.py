"""A process that reads a helpdesk as `manage.py sync` does, in a fork for each line on its input that names a connection.

A fork says its process id, reads, and stays there until it is killed. Nothing is connected yet when they are made.
"""

import os
import signal
import sys
from pathlib import Path

import django

django.setup()

from django.core.management import call_command


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    for connection_id in sys.stdin:
        if os.fork() == 0:
            print(os.getpid(), flush=True)
            with Path(os.devnull).open("w") as nowhere:
                call_command("sync", connection_id.strip(), stdout=nowhere)
            signal.pause()  # whoever is to kill it finds it


if __name__ == "__main__":
    main()
