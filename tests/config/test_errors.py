"""What is answered while the database is away, and once it is back."""

import psycopg
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
def test_connections_that_a_restarted_server_closed_are_given_to_nobody(client):
    assert client.get("/health/ready").json()["database"]
    connection.close()  # back to the pool, where it waits
    told = connection.get_connection_params()
    where = {name: told[name] for name in ("user", "host", "port", "password") if told.get(name)}
    with psycopg.connect(**where, dbname=told["dbname"], autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )

    assert client.get("/health/ready").json()["database"]
