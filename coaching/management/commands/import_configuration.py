"""manage.py import_configuration: what a file would change of an agent, and if wanted, change it."""

from pathlib import Path

from django.core.management.base import BaseCommand, CommandError

from agents.access import Refusal
from agents.management.operators import member_of, refusals, workspace_of
from agents.models import Door, Member
from coaching.actions import imports
from coaching.management.agents import agent_of
from coaching.models import ConfigurationImport

SIGNS = {"create": "+", "change": "~", "delete": "-", "conflict": "?", "refused": "!"}


class Command(BaseCommand):
    help = (
        "Say what a file of export_configuration would change of an agent. With --proposals or --direct the changes that are "
        "marked with * are carried out; conflicts and deletes are left to the page. Exits with 0, or with 1 where something "
        "was refused."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, metavar="FILE.zip")
        parser.add_argument("--agent", required=True, metavar="AGENT", help="its name or id")
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--by", metavar="EMAIL", help="in whose name (default: the owner of the workspace)")
        parser.add_argument("--as-new", action="store_true", help="leave the ids of the file aside")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--proposals", action="store_true", help="make a proposal of each change")
        how.add_argument("--direct", action="store_true", help="apply each change at once")

    def handle(self, *, file, agent, workspace, **options):
        workspace = workspace_of(workspace)
        agent = agent_of(workspace, agent)
        owner = Member.objects.get(workspace=workspace, role=Member.Role.OWNER)
        by = member_of(workspace, options["by"]) if options["by"] else owner
        try:
            raw = file.read_bytes()
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.", returncode=2) from None
        try:
            with refusals():
                done = imports.plan(agent, raw, by=by, file_name=file.name, as_new=options["as_new"])
                self._tell(done)
                if options["proposals"] or options["direct"]:
                    done = self._carry_out(done, by, "direct" if options["direct"] else "proposals")
        except Refusal as refusal:
            raise CommandError(str(refusal)) from None
        if any("refused" in (step["step"], step.get("outcome", {}).get("state")) for step in done.steps):
            raise SystemExit(1)

    def _tell(self, planned):
        for step in planned.steps:
            if step["step"] in SIGNS:
                note = f" ({step['note']})" if step["note"] else ""
                mark = "*" if step.get("take") else " "
                self.stdout.write(f"{mark} {SIGNS[step['step']]} {step['step']} {step['kind']}: {step['title']}{note}")
        same = sum(step["count"] for step in planned.steps if step["step"] == "same")
        self.stdout.write(f"{same:,} the same. Plan {planned.pk}.")

    def _carry_out(self, planned, by, how):
        if not any(step.get("take") for step in planned.steps):
            self.stdout.write("Nothing to do.")
            return planned
        imports.carry_out(planned, by=by, door=Door.COMMAND, how=how)
        imports.run(planned.pk)
        done = ConfigurationImport.objects.get(pk=planned.pk)
        if done.state != ConfigurationImport.State.DONE:
            raise CommandError(done.last_error or "A worker has taken it; see the page of the import.")
        for step in done.steps:
            if step.get("outcome", {}).get("state") == "refused":
                self.stderr.write(f"Not done: {step['title']}: {step['outcome']['problem']}")
        self.stdout.write(f"{done.progress:,} steps {'applied' if how == 'direct' else 'made proposals'}.")
        return done
