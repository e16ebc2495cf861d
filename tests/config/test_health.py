"""The two health addresses: open to all, and silent about everything else."""

import socket
import time
from datetime import timedelta

import pytest
from django.utils import timezone
from kombu import Connection

from coaching.models import Sweep
from config import health
from config.celery import app
from helpdesk.actions import connections
from helpdesk.models import WebhookReceipt
from tests import factories


def test_live_answers_without_a_login(client):
    assert client.get("/health/live").json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_tells_database_queue_and_nothing_owed(client):
    response = client.get("/health/ready")

    assert (response.status_code, response.json()) == (200, {"database": True, "queue": True, "oldestOwedSeconds": 0})


@pytest.mark.django_db
def test_ready_tells_the_age_of_the_oldest_due_row(client):
    Sweep.objects.create(workspace=factories.workspace(), next_try_at=timezone.now() - timedelta(minutes=5))

    assert client.get("/health/ready").json()["oldestOwedSeconds"] in range(300, 310)


@pytest.mark.django_db
def test_ready_does_not_count_what_waits_for_a_paused_helpdesk(client, owner):
    connection = connections.connect(owner.workspace, vendor="generic", credentials={"webhook_secret": "whs"}, by=owner)
    WebhookReceipt.objects.create(
        workspace=owner.workspace,
        connection=connection,
        event_id="1",
        next_try_at=timezone.now() - timedelta(minutes=5),
    )
    assert client.get("/health/ready").json()["oldestOwedSeconds"] >= 300

    connections.pause(connection, by=owner)

    assert client.get("/health/ready").json()["oldestOwedSeconds"] == 0


@pytest.mark.queue
def test_queue_that_cannot_be_reached_is_told_from_one_that_can():
    assert health.queue_answers(app.connection_for_write())
    assert not health.queue_answers(Connection("redis://127.0.0.1:1/0", connect_timeout=1))  # nothing listens there


def test_queue_that_says_nothing_is_given_up_soon():
    began = time.monotonic()

    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert not health.queue_answers(Connection(address, transport_options=health.PATIENT))

    assert time.monotonic() - began < 2 * health.PATIENCE + 2
