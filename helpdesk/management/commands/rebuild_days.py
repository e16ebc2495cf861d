"""The daily table of ratings, made anew from the ratings or compared with them."""

import sys

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents.management.operators import workspace_of
from agents.models import Agent, Workspace
from helpdesk import actions
from helpdesk.management.progress import SHOWN


class Command(BaseCommand):
    help = (
        "Rebuild the daily table of ratings. With --check compare only, and exit with 1 on a difference. With --time-zone a "
        "workspace changes its clock, and its days with it."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", metavar="SLUG", help="default: all")
        parser.add_argument("--check", action="store_true", help="change nothing")
        parser.add_argument(
            "--time-zone", metavar="ZONE", help="the workspace lives by this clock from now on, as Europe/Berlin"
        )

    def handle(self, *, workspace, check, time_zone, **options):
        if time_zone:
            self._move(workspace, time_zone, check)
            return
        workspaces = [workspace_of(workspace)] if workspace else Workspace.objects.order_by("slug")
        different = sum(self._check(each) if check else self._rebuild(each) for each in workspaces)
        if check and different:
            sys.exit(1)

    def _move(self, slug, time_zone, check):
        if not slug or check:
            raise CommandError("--time-zone goes with --workspace, and without --check.", returncode=2)
        workspace = workspace_of(slug)
        try:
            moved = actions.change_time_zone(workspace, time_zone)
        except ValidationError as refusal:
            raise CommandError(" ".join(refusal.messages), returncode=2) from None
        self.stdout.write(f"{slug}: lives by {time_zone} instead of {workspace.time_zone}; {moved:,} days changed.")

    def _rebuild(self, workspace):
        mended = actions.rebuild_days(workspace)
        self.stdout.write(
            f"{workspace.slug}: {mended:,} days mended." if mended else f"{workspace.slug}: all days were right."
        )
        return mended

    def _check(self, workspace):
        found = 0
        for difference in actions.check_days(workspace):
            found += 1
            if found <= SHOWN:
                name = Agent.objects.get(pk=difference.agent_id).name
                self.stderr.write(
                    f"{workspace.slug} {name} {difference.day}: the table says {difference.stored}, the ratings "
                    f"{difference.right} (number, sum, sum of squares in hundredths)"
                )
        self.stdout.write(
            f"{workspace.slug}: {found:,} days differ." if found else f"{workspace.slug}: all days are right."
        )
        return found
