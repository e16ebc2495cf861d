"""Everybody, and one row of everything that has an address, so that every route can be asked: made once for a module."""

import copy

import pytest

from agents import actions
from agents.models import Member
from coaching.actions import flags, notes, proposals, samples, sessions
from helpdesk.actions import connections, upsert_conversation
from helpdesk.models import HelpdeskAgent
from helpdesk.rows import ConversationRow
from helpdesk.transcripts import Transcript, TranscriptTurn
from tests import factories
from tests.coaching import brought

NEW = {"configuration.yaml": "format: 1\n", "memories/a.md": "---\nsummary: New.\n---\n"}


@pytest.fixture(scope="module")
def everybody(lasting):
    """{role: member or None}, one of every kind: those of one workspace, the owner of another, and nobody."""

    def made():
        workspace = factories.workspace()
        return {
            "anonymous": None,
            "stranger": factories.owner(factories.workspace()),
            "unlinked": factories.member(workspace),
            "linked": factories.member(workspace, agent=factories.human(workspace)),
            "admin": factories.member(workspace, Member.Role.ADMIN),
            "owner": factories.owner(workspace),
        }

    return lasting(made)


@pytest.fixture
def people(everybody, db):
    return copy.deepcopy(everybody)


@pytest.fixture
def owner(people):
    return people["owner"]


@pytest.fixture
def workspace(owner):
    return owner.workspace


def one_of_everything(workspace, owner, agent, own):
    """{name: id}. `agent` is an AI agent, `own` the agent row of a linked member, `hers` a colleague's."""
    hers = factories.human(workspace)
    said = ConversationRow(
        external_id="1", agent=str(agent.pk), transcript=Transcript([TranscriptTurn(role="customer", text="Hello?")])
    )
    pushed, _ = upsert_conversation(workspace, said)
    gone = factories.procedure(agent, owner)
    rows = {
        "ai": agent,
        "own": own,
        "hers": hers,
        "memory": factories.memory(agent, owner),
        "procedure": factories.procedure(agent, owner),
        "gone": gone,
        "note": notes.write(own, by=owner, body="private"),
        "shared": notes.write(own, by=owner, body="shared", shared_with_agent=True),
        "sample": samples.pin(factories.conversation(own), by=owner),
        "flag": flags.raise_manual(own, by=owner, reason="Talk."),
        "dismissed": flags.dismiss(flags.raise_manual(hers, by=owner, reason="Talk."), by=owner, reason="Done."),
        "session": factories.session(agent, owner),
        "proposal": factories.proposal(agent),
        "approved": proposals.approve(factories.proposal(agent), by=owner, door="page"),
        "conversation": pushed,
        "rated": factories.conversation(own),
        "import": brought.planned(agent, owner, NEW),
    }
    actions.remove(gone, base_version=1, by=owner, door="page")
    other = factories.procedure(agent, owner)
    update = {"type": "procedure_update", "target_id": other.pk, "change": {"trigger": "Nobody asks."}}
    rows["stale"] = factories.proposal(agent, **update)
    actions.revise(other, changes={"content": "1. Wait."}, base_version=1, by=owner, door="page")
    rows["helpdesk"] = connections.connect(
        workspace, vendor="zendesk", base_url="https://desk.zendesk.com", by=owner,
        credentials={"email": "a@desk.example", "api_token": "t"},
    )  # fmt: skip
    rows["helpdesk_agent"] = HelpdeskAgent.objects.create(
        workspace=workspace, connection=rows["helpdesk"], external_id="11", name="Ada"
    )
    rows["turn"] = sessions.ask(rows["session"], by=owner, text="What went wrong?")
    return {name: str(row.pk) for name, row in rows.items()}
