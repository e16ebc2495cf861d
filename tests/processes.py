"""Real processes for tests: they open connections of their own to the test's database and the test's queue."""

import atexit
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from tempfile import TemporaryDirectory
from threading import Timer

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


def start(*command, output=None, **extra):
    """Start `python COMMAND…` as such a child, its output kept for the test's report, or in the open file `output`.

    It is a fork of one that has the product loaded already, unless its output goes to a file.
    """
    if output is None:
        program, *arguments = command[1:] if command[0] == "-m" else command
        return Fork(herd(), program, arguments, extra)
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=environment(**extra),
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        text=True,
    )


HERDS = 2  # each holds the whole product
_herds: dict[tuple, tuple[socket.socket, subprocess.Popen]] = {}


def herd() -> socket.socket:
    """Where forks with the environment of now are asked for (tests/herd.py)."""
    now = {name: value for name, value in environment().items() if name != "PYTEST_CURRENT_TEST"}
    key = tuple(sorted(now.items()))
    if key not in _herds:
        if len(_herds) == HERDS:
            disband(list(_herds)[-1])
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "tests.herd", str(theirs.fileno())]
            process = subprocess.Popen(command, cwd=settings.BASE_DIR, env=now, pass_fds=[theirs.fileno()])
        _herds[key] = ours, process
    return _herds[key][0]


def disband(key):
    asks, process = _herds.pop(key)
    asks.close()
    process.wait(timeout=PATIENCE)


@atexit.register
def _disband_all():
    for key in list(_herds):
        disband(key)


class Fork:
    """What subprocess.Popen shows of a child: pid, stdin, stdout, returncode, send_signal, kill and communicate."""

    def __init__(self, herd, program, arguments, environment):
        (given, writes), (reads, said), (hears, told) = os.pipe(), os.pipe(), os.pipe()
        socket.send_fds(herd, [json.dumps([program, arguments, environment]).encode()], [given, said, told])
        for theirs in (given, said, told):
            os.close(theirs)
        self.stdin, self.stdout, self._hears = os.fdopen(writes, "w"), os.fdopen(reads), os.fdopen(hears)
        self.pid, self.returncode = int(self._hears.readline()), None

    def send_signal(self, number):
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self):
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout=None):
        """(What it still said, None). Killed after `timeout` seconds. Raises subprocess.TimeoutExpired then."""
        self.stdin.close()
        ending = Timer(timeout or PATIENCE, self.kill)
        ending.start()
        output = self.stdout.read()
        self.returncode = int(self._hears.readline())
        in_time = ending.is_alive()
        ending.cancel()
        self.stdout.close()
        self._hears.close()
        if not in_time:
            raise subprocess.TimeoutExpired(self.pid, timeout, output)
        return output, None


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
def clock(loglevel="WARNING", **environment):
    """The product's clock with a memory of its own, killed at the end."""
    with TemporaryDirectory() as folder:
        told = ["--loglevel", loglevel, "--schedule", f"{folder}/schedule"]
        child = start("-m", "celery", "--quiet", "-A", "config.beat", "beat", *told, **environment)
        try:
            yield
        finally:
            child.kill()
            print(child.communicate()[0], end="")  # shown where the test fails


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
    """Wait for it, looking for owed work twice a second, more often than the clock does."""
    began, looked = time.monotonic(), 0
    while not happened():
        waited = time.monotonic() - began
        assert waited < PATIENCE, "it did not happen"
        if waited >= looked / 2:
            looked += 1
            look()
        time.sleep(0.05)
