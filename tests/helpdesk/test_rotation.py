"""What opens a helpdesk's account is written anew under the newest key."""

import io

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command

from helpdesk.actions import connections
from helpdesk.models import HelpdeskConnection

pytestmark = pytest.mark.django_db


def test_rotation_covers_the_secrets_of_helpdesks(workspace, owner, settings):
    told = {"email": "a@desk.example", "api_token": "right"}
    connections.connect(workspace, vendor="zendesk", base_url="https://desk.zendesk.com", credentials=told, by=owner)
    newest = Fernet.generate_key().decode()
    settings.FIELD_KEYS = [newest, *settings.FIELD_KEYS]
    said = io.StringIO()

    call_command("rotate_secrets", stdout=said)

    settings.FIELD_KEYS = [newest]
    assert said.getvalue() == "1 secret is under the newest key now; 0 were already.\n"
    assert HelpdeskConnection.objects.get().credentials == told
