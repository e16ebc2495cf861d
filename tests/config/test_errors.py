"""What is answered while the database is away, and once it is back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.urls import path

from config.errors import bad_request, server_error

handler400, handler500 = bad_request, server_error


def away(request):
    raise OperationalError("server closed the connection unexpectedly, kestrel")


def broken(request):
    raise ValueError("kestrel")


urlpatterns = [
    path("away", away),
    path("api/v1/away", away),
    path("broken", broken),
    path("api/v1/broken", broken),
]


@pytest.mark.parametrize(
    ("address", "status", "kind", "sentence"),
    [
        ("/away", 503, "text/html", "The database cannot be used right now"),
        ("/api/v1/away", 503, "application/problem+json", "The database cannot be used now. Nothing was stored."),
        ("/broken", 500, "text/html", "Something failed on our side"),
        ("/api/v1/broken", 500, "application/problem+json", "Something broke on our side."),
    ],
)
def test_database_that_is_away_is_told_from_what_we_broke(address, status, kind, sentence, settings):
    settings.ROOT_URLCONF = __name__

    answer = Client(raise_request_exception=False).get(address)

    assert (answer.status_code, answer["Content-Type"].split(";")[0]) == (status, kind)
    assert sentence in answer.content.decode()
    assert "kestrel" not in answer.content.decode()
    assert answer.get("Retry-After") == ("10" if status == 503 else None)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a file closes no connections")
@pytest.mark.django_db(transaction=True)
def test_connections_that_a_restarted_server_closed_cost_nobody_a_page(client):
    at_once = threading.Barrier(8)

    def connected(_):
        with connection.cursor():
            at_once.wait(10)
        connection.close()  # back to the pool, where it waits

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(connected, range(8)))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
        (ended,) = cursor.fetchone()
    connection.close()
    assert ended >= 7

    began = time.monotonic()
    for _ in range(20):
        assert client.get("/health/ready").json()["database"]
    assert time.monotonic() - began < 4
