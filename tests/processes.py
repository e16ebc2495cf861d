"""Real processes for tests: they open connections of their own to the test's database and the test's queue."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager

from django.conf import settings
from django.db import connection

PATIENCE = 120  # seconds: what a dead worker left is found again within these; most things take two


def environment(**extra) -> dict:
    """The environment of a child that works on the same database, queue and data directory as the running test."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.child_settings",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "DATA_DIR": str(settings.DATA_DIR),
        **extra,
    }


def start(*command, output=subprocess.PIPE, **extra) -> subprocess.Popen:
    """Start `python COMMAND…` as such a child, its output kept for the test's report, or in the open file `output`."""
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=environment(**extra),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


def together(children) -> list[str]:
    """Give the word to children that have said they are ready, all at once; what each then says, stripped."""
    for child in children:
        assert child.stdout.readline() == "ready\n"
    for child in children:
        child.stdin.write("\n")
        child.stdin.flush()
    return [child.communicate(timeout=PATIENCE)[0].strip() for child in children]


@contextmanager
def worker(threads=4, loglevel="WARNING", **environment):
    """A real Celery worker on the test's queue, killed at the end."""
    command = ["-m", "celery", "--quiet", "-A", "config.celery", "worker", "--loglevel", loglevel, "--pool", "threads"]
    bounds = ["--concurrency", str(threads), "--prefetch-multiplier", "1"]
    alone = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    child = start(*command, *bounds, *alone, **environment)
    try:
        yield child
    finally:
        child.kill()
        print(child.communicate()[0])  # shown where the test fails


@contextmanager
def answering(**environment):
    """Yields a function that has a process of its own claim and answer a turn: (turn) -> its process id, once it has claimed."""
    child = start("-m", "tests.flows.answer_turn", **environment)

    def answer(turn):
        child.stdin.write(f"{turn.pk}\n")
        child.stdin.flush()
        return int(child.stdout.readline())

    try:
        yield answer
    finally:
        child.kill()
        print(child.communicate()[0])  # shown where the test fails


def until(happened, look=lambda: None):
    """Wait for it, looking for owed work as the clock does."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        look()
        time.sleep(0.5)
