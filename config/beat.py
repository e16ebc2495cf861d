"""The clock: a Celery application that knows the schedule and none of the tasks.

Beat sends names. Loading Django, the models and every library behind the tasks for that would cost a hundred megabytes.
"""

import logging
import os

from celery import Celery
from celery.beat import PersistentScheduler, SchedulingError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("touchline", fixups=[])
app.config_from_object("django.conf:settings", namespace="CELERY")

log = logging.getLogger(__name__)


class Schedule(PersistentScheduler):
    """Celery's own, which would tell its whole stack for each task it cannot send: every second while the queue is gone."""

    def apply_entry(self, entry, producer=None):
        """Send what is due; what cannot be sent is due again at its next time."""
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            log.error("%s", error)


app.conf.beat_scheduler = Schedule
