"""Real processes for tests: they open connections of their own to the test's database and the test's queue."""

import os
import subprocess
import sys

from django.conf import settings
from django.db import connection


def environment(**extra) -> dict:
    """The environment of a child that works on the same database, queue and data directory as the running test."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.child_settings",
        "TEST_DATABASE": str(connection.settings_dict["NAME"]),
        "DATA_DIR": str(settings.DATA_DIR),
        **extra,
    }


def start(*command, **extra) -> subprocess.Popen:
    """Start `python COMMAND…` as such a child, its output kept for the test's report."""
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=settings.BASE_DIR,
        env=environment(**extra),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
