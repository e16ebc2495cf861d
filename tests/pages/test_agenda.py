"""The agenda of a 1:1 on the drawer of a flagged agent: for leaders, and only while the flag stands."""

import pytest

from coaching.actions import flags
from coaching.coach import agendas
from coaching.practice.agendas import ASK
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def flag(workspace, owner):
    sarah = factories.human(workspace, name="Sarah")
    return flags.raise_manual(sarah, by=owner, reason="Many complaints.")


def test_the_drawer_shows_the_agenda_to_leaders_while_the_flag_stands(flag, owner, signed_in):
    client = signed_in(owner)
    address = f"/team/{flag.agent_id}"
    assert "For your 1:1" not in client.get(address).content.decode()

    agendas.draft(flag)

    page = client.get(address).content.decode()
    assert "For your 1:1" in page
    assert ASK in page
    assert "Agenda from the numbers alone: no model wrote it." in page
    flags.dismiss(flag, by=owner, reason="Not now.")
    assert "For your 1:1" not in client.get(address).content.decode()


def test_the_drawer_shows_no_agenda_to_whom_it_is_about(flag, signed_in):
    agendas.draft(flag)
    member = factories.member(flag.workspace, agent=flag.agent)

    page = signed_in(member).get("/my-coaching").content.decode()

    assert "For your 1:1" not in page
    assert ASK not in page


def test_of_an_ai_agent_it_is_gone_through_with_its_coach(workspace, owner, signed_in):
    nova = factories.ai_agent(workspace)
    agendas.draft(flags.raise_manual(nova, by=owner, reason="Many complaints."))

    page = signed_in(owner).get(f"/team/{nova.pk}").content.decode()

    assert "To go through with its coach" in page
    assert "For your 1:1" not in page
