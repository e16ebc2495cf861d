"""The flag's regular sweep by hand."""

from argparse import ArgumentTypeError
from datetime import date

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from agents.management.operators import workspace_of
from agents.models import Workspace
from coaching.actions import flags, sweeps
from coaching.models import Flag
from helpdesk.times import FIRST


class Command(BaseCommand):
    help = (
        "Look at every agent's CSAT now: raise, clear and expire flags, and take in corrected ratings. The worker does the same "
        "every night and soon after new ratings by itself."
    )

    def add_arguments(self, parser):
        parser.add_argument("--workspace", metavar="SLUG", help="only this one")
        parser.add_argument(
            "--at", type=_day, metavar="DATE", help="as of the end of this day (default: today, so far)"
        )

    def handle(self, *, workspace, at, **options):
        chosen = [workspace_of(workspace)] if workspace else Workspace.objects.order_by("slug")
        for one in chosen:
            today = timezone.now().astimezone(one.zone).date()
            if at is not None and at > today:
                raise CommandError(f"{at} lies ahead: it is {today} in {one.slug}.", returncode=2)
            began_at = timezone.now()
            swept = sweeps.sweep(one, at or today)
            self.stdout.write(
                f"{one.slug} on {swept.day}: {swept.agents:,} agents, {swept.raised} raised, {swept.cleared} cleared, "
                f"{swept.expired} expired, {swept.taken_back} taken back, {swept.brought_up_to_date} brought up to date."
            )
            self._name(one, began_at)

    def _name(self, workspace, began_at):
        """Whom it changed a flag of, and what that says now."""
        by_the_scan = Flag.history.filter(workspace=workspace, history_date__gte=began_at, history_user=None)
        changed = Flag.objects.filter(pk__in=by_the_scan.values("id")).select_related("agent", "closed_by__user")
        for flag in changed.order_by("agent__name", "opened_at"):
            self.stdout.write(f"  {flag.agent}: {flags.sentence(flag, today=flag.opened_on)}")


def _day(text):
    """The day that was typed. Raises ArgumentTypeError where it is none, or earlier than any rating can be."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text} is no day; write it as in 2026-05-20.") from None
    if day.year < FIRST.year:
        raise ArgumentTypeError(f"There are no ratings before {FIRST.year}.")
    return day
