"""`manage.py verify_log`: walk the decision log of every workspace, or of one."""

import sys

from django.core.management.base import BaseCommand

from agents import decisions
from agents.management.operators import workspace_of
from agents.models import Workspace


class Command(BaseCommand):
    help = "Check that no entry of the decision log was changed or removed. Exits with 1 where one was."

    def add_arguments(self, parser):
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")

    def handle(self, *args, workspace, **options):
        rows = [workspace_of(workspace)] if workspace else Workspace.objects.order_by("slug")
        broken = False
        for row in rows:
            faults = list(decisions.verify(row))
            broken = broken or bool(faults)
            for fault in faults:
                self.stdout.write(f"{row.slug}: {fault}")
            if not faults:
                self.stdout.write(f"{row.slug}: {row.decisions_made} entries, unbroken.")
        if broken:
            sys.exit(1)
