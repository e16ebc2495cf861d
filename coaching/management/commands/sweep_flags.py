"""The flag's regular sweep by hand."""

from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.models import Workspace
from coaching.actions import sweeps
from helpdesk.management.progress import workspace_called


class Command(BaseCommand):
    help = (
        "Look at every agent's CSAT now: raise, clear and expire flags. The worker does the same every night by itself."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument(
            "--at", type=date.fromisoformat, metavar="DATE", help="as of the end of this day (default: today, so far)"
        )

    def handle(self, *, workspace, at, **options):
        chosen = [workspace_called(workspace)] if workspace else Workspace.objects.order_by("slug")
        for one in chosen:
            today = timezone.now().astimezone(one.zone).date()
            if at is not None and at > today:
                raise CommandError(f"{at} lies ahead: it is {today} in {one.slug}.", returncode=2)
            swept = sweeps.sweep(one, at or today)
            self.stdout.write(
                f"{one.slug} on {swept.day}: {swept.agents:,} agents, {swept.raised} raised, {swept.cleared} cleared, "
                f"{swept.expired} expired."
            )
