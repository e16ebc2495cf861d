"""Whether this process lives, and whether the product can do its work. No login, and nothing else is told."""

from django.apps import apps
from django.db import DatabaseError, connection
from django.db.models import Min
from django.http import JsonResponse
from django.utils import timezone
from kombu.exceptions import OperationalError

from agents import work
from config.celery import app

PATIENCE = 2  # seconds
PATIENT = {
    "socket_connect_timeout": PATIENCE,
    "socket_timeout": PATIENCE,
}  # what Redis is told; the file queue reads neither


def live(request):
    """200 as long as this web process answers."""
    return JsonResponse({"status": "ok"})


def ready(request):
    """200 where database and queue answer, else 503; with the age, in whole seconds, of the oldest row that is due."""
    database, oldest = _database()
    queue = queue_answers(app.connection_for_write(connect_timeout=PATIENCE, transport_options=PATIENT))
    body = {"database": database, "queue": queue, "oldestOwedSeconds": oldest}
    return JsonResponse(body, status=200 if database and queue else 503)


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
