"""Loading the demo workspace: on any day, by its command, and into an empty database only."""

import io
from datetime import UTC, datetime

import pytest
import time_machine
from django.core.management import CommandError, call_command

from agents.models import User, Workspace
from coaching.demo import content
from coaching.demo.load import load
from tests.coaching.test_demo import flagged

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("day", [datetime(2026, 4, 1, 0, 30, tzinfo=UTC), datetime(2026, 11, 1, 23, 30, tzinfo=UTC)])
def test_demo_is_flagged_on_whatever_day_it_is_loaded(day):
    with time_machine.travel(day, tick=True):
        load()

    assert flagged() == {"Sarah", content.REFUNDS}


def test_command_prints_and_keeps_the_logins(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    out = io.StringIO()

    call_command("load_demo", stdout=out)

    lines = out.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == ["owner@demo.example", "admin@demo.example", "member@demo.example"]
    assert (tmp_path / "demo-logins.txt").read_text().splitlines() == lines
    for line in lines:
        email, password = line.split()
        assert User.objects.get(email=email).check_password(password)


def test_demo_is_loaded_into_an_empty_database_only(workspace):
    call_command("load_demo", "--if-empty")
    with pytest.raises(CommandError, match="empty database only"):
        call_command("load_demo")

    assert list(Workspace.objects.all()) == [workspace]
