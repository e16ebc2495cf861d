"""A process that answers turns, each in a fork of its own: it reads their ids, a fork says its process id once it has claimed,
and stays there until it is killed.

Forks start in milliseconds where a process of its own loads everything anew; nothing is connected yet when they are made.
"""

import os
import signal
import sys

import django

django.setup()

from coaching.actions import sessions
from coaching.coach import turns


def main():
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the forks
    for turn_id in sys.stdin:
        if os.fork() == 0:
            turn = sessions.claim(turn_id.strip())
            print(os.getpid(), flush=True)
            turns.run(turn)
            signal.pause()  # whoever is to kill it finds it


if __name__ == "__main__":
    main()
