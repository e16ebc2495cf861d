"""What the log may not hold: addresses that let their reader in."""

import logging

import pytest
from django.conf import settings
from django.contrib.auth.tokens import default_token_generator
from django.test import Client
from django.urls import reverse
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from agents.people import invitations

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
