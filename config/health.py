"""Whether this process lives, and whether the product can do its work. No login, and nothing else is told."""

import logging

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import Min
from django.http import JsonResponse
from django.utils import timezone
from django.utils.log import log_response
from kombu.exceptions import OperationalError

from agents import work
from config.celery import app

PATIENCE = 2  # seconds
PATIENT = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
}  # what Redis is told; the file queue reads neither

log = logging.getLogger(__name__)


def live(request):
    """200 as long as this web process answers."""
    return JsonResponse({"status": "ok"})


def ready(request):
    """200 where database and queue answer, else 503; with the age, in whole seconds, of the oldest row that is due."""
    database, oldest = _database()
    queue = queue_answers(app.connection_for_write(connect_timeout=PATIENCE, transport_options=PATIENT))
    away = [name for name, answers in (("database", database), ("queue", queue)) if not answers]
    body = {"database": database, "queue": queue, "oldestOwedSeconds": oldest}
    answer = JsonResponse(body, status=503 if away else 200)
    if away:
        # A state and no fault of this answer: left to Django it would be an error, and reported with every look.
        log_response("Not ready, no answer from: %s", ", ".join(away), response=answer, logger=log, level="warning")
    return answer


def _database():
    try:
        connection.ensure_connection()
        now = timezone.now()
        dues = [
            work.due_of(model, now).aggregate(first=Min("next_try_at"))["first"]
            for model in apps.get_models()
            if issubclass(model, work.Owed)
        ]
    except DatabaseError:
        return False, None
    return True, max((int((now - due).total_seconds()) for due in dues if due), default=0)


def queue_answers(connection):
    """Whether the broker at the other end of a kombu connection can be reached and says something while it is waited for."""
    with connection:
        try:
            connection.ensure_connection(max_retries=0, timeout=PATIENCE)
        except OperationalError:
            return False
    return True
