"""What stands in the log of each piece of work, and what is left out: whoever reads it must not come in by it."""

import logging
import re
import time

from celery.signals import task_postrun, task_prerun

# Addresses whose last part is a key: an invitation's link, the link of a forgotten password.
KEYED = re.compile(r"(/invitations/|/reset-password/[^/\s]+/)[^/\s]+")


class WithoutKeys(logging.Filter):
    """Puts three dots in place of the key in such an address. Django names the address of each refused request."""

    def filter(self, record):
        """Let every record through, with its arguments masked."""
        if isinstance(record.args, tuple):
            record.args = tuple(KEYED.sub(r"\1…", part) if isinstance(part, str) else part for part in record.args)
        return True


tasks = logging.getLogger("touchline.tasks")
LONG = 1.0  # seconds after which a task of the clock leaves a line too


@task_prerun.connect
def note_begin(task, **_):
    """Celery is about to run a task."""
    task.request.began = time.monotonic()


@task_postrun.connect
def line_of_task(task, args, kwargs, state, **_):
    """One line for each task that was told what to work on: its name, the ids, how it ended, seconds.

    What the clock sends by the second is told of nothing, and leaves a line only where it was at work for long.
    """
    seconds = time.monotonic() - task.request.began
    if args or kwargs or seconds >= LONG:
        tasks.info("%s %s %.1f s", " ".join(map(str, [task.name, *args, *kwargs.values()])), state, seconds)
