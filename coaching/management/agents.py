"""Which agent an operator means."""

from django.core.management.base import CommandError

from agents.models import Agent, Workspace
from agents.names import AmbiguousAgent
from helpdesk.actions import agent_meant
from helpdesk.rows import Refused


def agent_of(workspace: Workspace, name: str) -> Agent:
    """The agent of that name or id. Raises CommandError (2)."""
    try:
        return agent_meant(workspace, name)
    except AmbiguousAgent as error:
        raise CommandError(error.with_ids, returncode=2) from None
    except Refused:
        raise CommandError(f"There is no agent “{name}” in {workspace.slug}.", returncode=2) from None
