"""Things to test with, made the way the product makes them: a state is reached by performing it."""

import itertools
from datetime import timedelta

from django.utils import timezone

from agents import actions as agents
from agents.models import Agent, ApiToken, Door, Member, User, Workspace
from coaching.actions import proposals, sessions
from coaching.models import SlackConnection, SlackPerson, SlackTrigger
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


def slack_connection(workspace, **fields):
    """A Slack workspace that ours is connected to by an app of its own."""
    n = next(_numbers)
    told = {
        "mode": SlackConnection.Mode.OWN,
        "team_id": f"T{n:08}",
        "team_name": f"Team {n}",
        "app_id": f"A{n:08}",
        "bot_user_id": f"UB{n:07}",
        "bot_id": f"B{n:08}",
        "bot_token": f"xoxb-{n}",
        "signing_secret": f"{n:032x}",
    }
    return SlackConnection.objects.create(workspace=workspace, **(told | fields))


def slack_trigger(connection, agent, **fields):
    """A channel whose messages go to the coach of `agent`."""
    told = {"channel_id": f"C{next(_numbers):08}", "channel_name": "coaching"}
    return SlackTrigger.objects.create(
        workspace=connection.workspace,
        connection=connection,
        team_id=connection.team_id,
        agent=agent,
        **(told | fields),
    )


def slack_person(connection, member, **fields):
    """Somebody in Slack whom we know to be `member`."""
    told = {"user_id": f"U{next(_numbers):08}", "name": str(member)}
    return SlackPerson.objects.create(
        workspace=connection.workspace, connection=connection, member=member, **(told | fields)
    )
