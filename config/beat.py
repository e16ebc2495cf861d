"""The clock: a Celery application that knows the schedule and none of the tasks.

Beat sends names. Loading Django, the models and every library behind the tasks for that would cost a hundred megabytes.
"""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("touchline", fixups=[])
app.config_from_object("django.conf:settings", namespace="CELERY")
