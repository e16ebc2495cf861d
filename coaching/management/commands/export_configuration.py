"""manage.py export_configuration: an agent's prompt, procedures and memories as a zip of readable files."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from agents.management.operators import refusals, workspace_of
from agents.models import Member
from agents.names import AmbiguousAgent
from coaching.actions import imports
from helpdesk.actions import agent_meant
from helpdesk.rows import Refused


class Command(BaseCommand):
    help = "Write what an AI agent is told as a zip of readable files with stable ids."

    def add_arguments(self, parser):
        parser.add_argument("agent", metavar="AGENT", help="its name or id")
        parser.add_argument("file", type=Path, metavar="FILE.zip")
        parser.add_argument("--workspace", required=True, metavar="SLUG")

    def handle(self, *, agent, file, workspace, **options):
        workspace = workspace_of(workspace)
        agent = agent_of(workspace, agent)
        owner = Member.objects.get(workspace=workspace, role=Member.Role.OWNER)
        with refusals():
            _, raw = imports.export(agent, by=owner)
        try:
            file.write_bytes(raw)
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror}.") from None
        self.stdout.write(f"{agent}, configuration {agent.configuration_version}: {len(raw):,} bytes in {file}.")


def agent_of(workspace, name):
    """The agent of that name or id. Raises CommandError."""
    try:
        return agent_meant(workspace, name)
    except AmbiguousAgent as error:
        ids = ", ".join(str(agent.pk) for agent in error.candidates)
        raise CommandError(f"Several agents are called {name}; use one of the ids {ids}.") from None
    except Refused:
        raise CommandError(f"There is no agent “{name}” in {workspace.slug}.") from None
