"""How much every page and every list of the API asks the database: no more however much there is.

The addresses are those of the guards of roles, so a new one is asked here from its first day. tests/admin/test_scope.py asks the
same of the back office.
"""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents import actions
from agents.models import Agent, Door, Member
from agents.people import invitations, members, workspaces
from coaching.actions import flags, notes, proposals, samples, sessions
from helpdesk import deeplinks
from memories import actions as memories
from tests import everything, factories, test_api_guard, test_page_guard
from tests.calls import Script
from tests.coaching import brought, talks
from tests.helpdesk import connected

pytestmark = pytest.mark.django_db

everybody, people, owner = everything.everybody, everything.people, everything.owner

SOME, MANY = range(2), range(2, 6)


def enlarge(owner, world, numbers):
    """More of whatever pages list, some of each kind for each number, beside the one of everything that is there."""
    workspace, door = owner.workspace, {"by": owner, "door": Door.PAGE}
    agent, own = Agent.objects.get(pk=world["ai"]), Agent.objects.get(pk=world["own"])
    for n in numbers:
        person = factories.human(workspace, team=f"Team {n}", external_ids={f"desk-{n}": "7"})
        another = factories.ai_agent(workspace, team=f"Team {n}")
        memory = factories.memory(agent, owner, summary=f"Counter {n} opens at {n + 7}.")
        memories.revise(memory, changes={"text": f"At {n}."}, base_version=1, **door)
        actions.remove(factories.memory(agent, owner, summary=f"Gone {n}."), base_version=1, **door)
        procedure = factories.procedure(agent, owner, folder=f"Folder {n}")
        actions.revise(procedure, changes={"content": f"{n}."}, base_version=1, **door)
        prompt = type(agent.prompt).objects.get(agent=agent)
        actions.change_prompt(prompt, system_prompt=f"Be kind, {n}.", base_version=prompt.version, **door)
        factories.proposal(agent)
        proposals.approve(factories.proposal(another), **door)
        proposals.reject(factories.proposal(agent), reason="No.", **door)
        for shared in (True, False):
            notes.write(own, by=owner, body=f"Ask {n}.", shared_with_agent=shared)
            notes.write(person, by=owner, body=f"Ask {n}.", shared_with_agent=shared)
        for flagged in (person, another):
            flags.raise_manual(flagged, by=owner, reason="Talk.")
        samples.pin(factories.conversation(own), by=owner)
        samples.pin(factories.conversation(person), by=owner)
        talk = talks.conversation(agent)
        session = factories.session(agent, owner, conversation=talk)
        sessions.ask(session, by=owner, text=f"What of {n}?")
        brought.planned(
            another, owner, {"configuration.yaml": "format: 1\n", "memories/a.md": "---\nsummary: A.\n---\n"}
        )
        colleague = factories.member(workspace, agent=factories.human(workspace), name=f"Colleague {n}")
        members.change_role(colleague, by=owner, role=Member.Role.ADMIN)
        invitations.invite(workspace, f"new-{n}@test.example", by=owner)
        factories.token(owner)
        deeplinks.save(workspace, source=f"desk-{n}", conversation_pattern="https://desk.example/{id}", by=owner)
        connected.rated(owner, source=f"zendesk-{n}", n=3)
        factories.slack_trigger(factories.slack_connection(workspace), another)
        workspaces.rename(workspace, by=owner, name=f"Workspace of {n}")
        test_page_guard.signed_in_elsewhere(owner)


def counted(asks):
    """{address: how many queries}; each address is asked twice, for the first may fill what a process remembers."""
    found = {}
    for address, ask in asks.items():
        ask()
        with CaptureQueriesContext(connection) as captured:
            response = ask()
        assert response.status_code == 200, address
        found[address] = len(captured)
    return found


def grown(before, after):
    """Where more was asked, as {address: (before, after)}."""
    return {address: (before[address], n) for address, n in after.items() if n > before[address]}


def test_page_asks_no_more_where_there_is_more(owner):
    world = test_page_guard.one_of_every_page(owner, factories.human(owner.workspace))
    browser = Client()
    browser.force_login(owner.user)
    lines = [line[0] for line in test_page_guard.LINES if line[1] == "GET" and line[3][-1] == 200]
    asks = {
        address: lambda address=address: browser.get(f"/{address.format(**world)}")
        for address in lines
        if not address.endswith("/stream")
    }
    enlarge(owner, world, SOME)
    before = counted(asks)
    enlarge(owner, world, MANY)

    assert len(asks) > 60
    assert grown(before, counted(asks)) == {}


def test_list_of_the_api_asks_no_more_where_there_is_more(owner):
    own, agent = factories.human(owner.workspace), factories.ai_agent(owner.workspace)
    world = everything.one_of_everything(owner.workspace, owner, agent, own)
    script = Script(owner)
    lines = [line[0] for line in test_api_guard.LINES if line[1] == "GET" and line[3][-1] == 200]
    asks = {
        address: lambda address=address: script.read(f"/{address.format(**world)}", Accept="application/json")
        for address in lines
    }
    enlarge(owner, world, SOME)
    before = counted(asks)
    enlarge(owner, world, MANY)

    assert len(asks) > 25
    assert grown(before, counted(asks)) == {}
