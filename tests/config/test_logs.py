"""What stands in the log: a line for each request and each task, and no address that lets its reader in."""

import logging
import re
import uuid
from contextlib import closing
from http.client import HTTPConnection

import pytest
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from agents.people import invitations
from coaching import calendar
from coaching.tasks import find_reminders, run_turn
from helpdesk.actions import connections
from tests import factories
from tests.serving import serving

pytestmark = pytest.mark.django_db


@pytest.fixture
def written(caplog):
    """What was written to the log so far."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join(f"{record.getMessage()} {record.args}" for record in caplog.records)


def test_refused_form_of_an_invitation_leaves_its_link_out_of_the_log(workspace, owner, written):
    path = invitations.link(invitations.invite(workspace, "new@test.example", by=owner)).removeprefix(
        settings.PUBLIC_URL
    )

    assert Client().post(path, {"name": "Mia", "password": "short", "again": "short"}).status_code == 400
    assert Client(enforce_csrf_checks=True).post(path).status_code == 403

    assert path.rpartition("/")[2] not in written()
    assert written().count("/invitations/") >= 2


def test_forged_form_of_a_reset_leaves_its_link_out_of_the_log(owner, written):
    token = default_token_generator.make_token(owner.user)
    path = reverse("reset-password", args=[urlsafe_base64_encode(force_bytes(owner.user.pk)), token])

    assert Client(enforce_csrf_checks=True).post(path).status_code == 403

    assert token not in written()
    assert "/reset-password/" in written()


def test_other_addresses_stand_in_the_log_as_they_are(written):
    assert Client().get("/not-here").status_code == 404

    assert "/not-here" in written()


def lines(caplog, name):
    return [record.getMessage() for record in caplog.records if record.name == name]


def test_request_leaves_one_line_without_what_was_searched_or_sent(client, owner, caplog):
    caplog.set_level(logging.INFO)
    agent = factories.human(owner.workspace)
    client.force_login(owner.user)

    assert client.get(f"/team/{agent.pk}?q=kestrel").status_code == 200
    assert client.post(f"/agents/{agent.pk}/notes", {"body": "kestrel"}).status_code in (302, 400, 404)
    assert client.get("/kestrel").status_code == 404
    client.get("/health/live")

    first, second, third = lines(caplog, "touchline.requests")
    assert re.fullmatch(rf"GET /team/{agent.pk} 200 \d+ ms", first)
    assert second.startswith("POST ")
    assert re.fullmatch(r"GET \(no such address\) 404 \d+ ms", third)
    assert "kestrel" not in "".join([first, second, third])


def test_line_of_a_request_holds_no_key(workspace, owner, caplog):
    caplog.set_level(logging.INFO)
    link = invitations.link(invitations.invite(workspace, "new@test.example", by=owner)).removeprefix(
        settings.PUBLIC_URL
    )
    token = default_token_generator.make_token(owner.user)

    Client().get(link)
    Client().get(reverse("reset-password", args=[urlsafe_base64_encode(force_bytes(owner.user.pk)), token]))
    Client().get(calendar.feed_url(owner).removeprefix(settings.PUBLIC_URL))

    said = lines(caplog, "touchline.requests")
    assert [line.split()[1] for line in said] == [
        "/invitations/…",
        "/reset-password/…/…",
        "/api/v1/coaching/follow-ups.ics",
    ]


@pytest.mark.django_db(transaction=True)
def test_webhook_that_is_refused_leaves_a_line_without_its_words(owner, caplog):
    caplog.set_level(logging.INFO)
    secret = {"webhook_secret": "whs"}
    connection = connections.connect(owner.workspace, vendor="generic", credentials=secret, by=owner)
    path = f"/hooks/generic/{connection.pk}"

    with serving() as place, closing(HTTPConnection(*place)) as calls:
        calls.request("POST", path, b'{"id": "kestrel"}', {"X-Touchline-Signature": "sha256=kestrel"})
        assert calls.getresponse().status == 401

    assert lines(caplog, "helpdesk.views.hooks") == [f"POST {path} 401"]
    assert "kestrel" not in caplog.text


def test_task_that_was_told_of_a_row_leaves_a_line(caplog):
    caplog.set_level(logging.INFO)
    pk = uuid.uuid4()

    run_turn.apply(args=[str(pk)])
    find_reminders.apply()

    (line,) = lines(caplog, "touchline.tasks")
    assert re.fullmatch(rf"coaching.tasks.run_turn {pk} SUCCESS \d+\.\d s", line)
