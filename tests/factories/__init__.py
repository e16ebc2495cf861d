"""Things to test with, made the way the product makes them: a state is reached by performing it."""

import itertools
from datetime import timedelta

from django.utils import timezone

from agents import actions as agents
from agents.models import Agent, ApiToken, Door, Member, User, Workspace
from coaching.actions import proposals, sessions
from helpdesk.models import Conversation
from memories import actions as memories

_numbers = itertools.count(1)
PASSWORD = "correct horse battery"


def workspace(**fields):
    number = next(_numbers)
    return Workspace.objects.create(**{"slug": f"workspace-{number}", "name": f"Workspace {number}", **fields})


def user(**fields):
    number = next(_numbers)
    return User.objects.create_user(**{"email": f"person-{number}@test.example", "password": PASSWORD, **fields})


def member(workspace, role=Member.Role.MEMBER, agent=None, **user_fields):
    return Member.objects.create(workspace=workspace, user=user(**user_fields), role=role, agent=agent)


def owner(workspace, **user_fields):
    return member(workspace, Member.Role.OWNER, **user_fields)


def human(workspace, **fields):
    return agents.create_agent(
        workspace, **{"name": f"Person {next(_numbers)}", "by": None, "door": Door.COMMAND, **fields}
    )


def ai_agent(workspace, **fields):
    defaults = {
        "name": f"Assistant {next(_numbers)}",
        "kind": Agent.Kind.AI,
        "coaching": True,
        "system_prompt": "You help customers of the shop.\nRefunds above 200 € need an approval.",
        "by": None,
        "door": Door.COMMAND,
    }
    return agents.create_agent(workspace, **defaults | fields)


def memory(agent, by, **fields):
    defaults = {"summary": "Refunds within 30 days are processed automatically.", "text": "No approval and no ticket."}
    return memories.create(agent, by=by, door=Door.PAGE, **defaults | fields)


def procedure(agent, by, **fields):
    defaults = {"name": f"Procedure {next(_numbers)}", "trigger": "A customer asks.", "content": "1. Look.\n2. Answer."}
    return agents.create_procedure(agent, by=by, door=Door.PAGE, **defaults | fields)


def conversation(agent, **fields):
    now = timezone.now()
    defaults = {
        "source": "desk",
        "external_id": str(next(_numbers)),
        "opened_at": now - timedelta(hours=2),
        "closed_at": now - timedelta(hours=1),
    }
    return Conversation.objects.create(workspace=agent.workspace, agent=agent, **defaults | fields)


def proposal(agent, **fields):
    """A pending proposal of the coach: a new memory unless told otherwise."""
    defaults = {
        "type": "memory_entry_create",
        "change": {"summary": f"Parcels of size {next(_numbers)} are collected at noon.", "text": "At the counter."},
        "rationale": "The customer had to ask twice.",
        "evidence": [{"message": True}],
    }
    return proposals.create(agent, **defaults | fields)


def session(agent, by, **fields):
    return sessions.start(agent, by=by, **fields)


def token(member, scopes=ApiToken.SCOPES, **fields):
    """The secret of a new API token."""
    secret = ApiToken.new_secret()
    ApiToken.objects.create(
        workspace=member.workspace,
        member=member,
        name="test",
        hash=ApiToken.hashed(secret),
        scopes=list(scopes),
        **fields,
    )
    return secret
