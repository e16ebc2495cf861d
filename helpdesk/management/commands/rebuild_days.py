"""The daily table of ratings, made anew from the ratings or compared with them."""

import sys

from django.core.management.base import BaseCommand

from agents.models import Agent, Workspace
from helpdesk import actions
from helpdesk.management.progress import SHOWN, workspace_called


class Command(BaseCommand):
    help = "Rebuild the daily table of ratings. With --check compare only, and exit with 1 on a difference."

    def add_arguments(self, parser):
        parser.add_argument("--workspace", metavar="SLUG", help="default: all")
        parser.add_argument("--check", action="store_true", help="change nothing")

    def handle(self, *, workspace, check, **options):
        workspaces = [workspace_called(workspace)] if workspace else Workspace.objects.order_by("slug")
        different = sum(self._check(each) if check else self._rebuild(each) for each in workspaces)
        if check and different:
            sys.exit(1)

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
