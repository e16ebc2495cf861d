"""Looking at real processes, for the tests that start them."""

import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def children_of(pid):
    """Return the process ids of the living children of a process, in the order they were started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    pids = [int(child) for child in listed.read_text().split()] if listed.exists() else []
    return [child for child in pids if alive(child)]


def alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def wait_for(condition, seconds):
    """Wait until `condition()` is true and return its value; fail after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    pytest.fail(f"not within {seconds} s")
