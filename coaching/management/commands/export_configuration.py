"""manage.py export_configuration: an agent's prompt, procedures and memories as a zip of readable files."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from agents.management.operators import refusals, workspace_of
from agents.models import Member
from coaching.actions import imports
from coaching.management.agents import agent_of


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
