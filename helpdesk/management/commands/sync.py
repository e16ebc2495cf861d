"""manage.py sync: helpdesks read in the foreground."""

import sys
import time
import uuid
from datetime import timedelta

from django.core.management.base import BaseCommand, CommandError

from agents import work
from helpdesk.actions import connections, mapping
from helpdesk.management.progress import SHOWN, Bar
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, HelpdeskSync, WebhookReceipt
from helpdesk.sync import ratings, receipts
from helpdesk.vendors.errors import CredentialsRefused, RateLimited
from helpdesk.vendors.registry import VENDORS

OVERLAP = timedelta(hours=48)
TRIES = 4  # without coming any further
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 4.0  # seconds between them

Kind = HelpdeskSync.Kind


class Failed(Exception):
    """A connection could not be read; the message is a sentence."""


class Command(BaseCommand):
    help = (
        "Read helpdesks now: what is left of a first reading, then what is new, with the last 48 hours once more. Takes over "
        "from a worker, waits where the helpdesk asks for it, and can be ended at any time; the next one goes on. Exits with 0 "
        "where all was read, 1 where a connection could not be."
    )

    def add_arguments(self, parser):
        parser.add_argument(
            "connection", nargs="?", metavar="CONNECTION", help="its id or source; default: all that are active"
        )

    def handle(self, *, connection, **options):
        chosen = [self._called(connection)] if connection else self._all()
        failed = 0
        for one in chosen:
            try:
                self._sync(one)
            except Failed as why:
                failed += 1
                self.stderr.write(f"{one}: {why}")
        if not chosen:
            self.stdout.write("No helpdesk is connected.")
        if failed:
            sys.exit(1)

    def _all(self):
        active = HelpdeskConnection.objects.active().select_related("workspace")
        return list(active.order_by("workspace__slug", "source"))

    def _called(self, name) -> HelpdeskConnection:
        try:
            found = list(HelpdeskConnection.objects.filter(pk=uuid.UUID(name)))
        except ValueError:
            found = list(HelpdeskConnection.objects.filter(source=name).select_related("workspace"))
        if not found:
            raise CommandError(f"There is no connection {name}.", returncode=2)
        if len(found) > 1:
            ids = "".join(f"\n  {one.pk}  {one.workspace.slug}" for one in found)
            raise CommandError(f"Several workspaces have a connection {name}. Choose one by its id:{ids}", returncode=2)
        return found[0]

    def _sync(self, connection):
        if not connection.is_active:
            why = f": {connection.state_reason}" if connection.state_reason else "."
            raise Failed(f"It is {connection.get_state_display()}{why} Resume it, or repeat connect.")
        if VENDORS[connection.vendor].reads:
            backfill = self._through(connection, Kind.BACKFILL)
            recent = self._through(connection, Kind.RECENT, anew=True)
            self._tell(connection, [one for one in (backfill, recent) if one is not None])
        self._follow_hooks(connection)
        self._credit(connection)

    def _through(self, connection, kind, *, anew=False) -> HelpdeskSync | None:
        """Read one kind to its end. Returns the row, None where it owed nothing."""
        sync, tries = connections.take_over(connection, kind, anew=anew), 0
        bar = Bar(self.stderr, 1_000)
        while sync is not None:
            had = sync.n_pages
            trouble = ratings.carry_on(sync, overlap=OVERLAP, on_batch=lambda row: bar.at(_thousandths(row)))
            bar.clear()
            if sync.next_try_at is None:
                return sync
            tries = 1 if sync.n_pages != had else tries + 1
            if trouble is not None:
                self._wait(connection, sync, trouble, tries)
            sync = connections.take_over(connection, kind)
        return None

    def _wait(self, connection, sync, trouble, tries):
        """Wait until another try makes sense. Raises Failed where none does."""
        if isinstance(trouble, RateLimited):
            self.stderr.write(f"{connection}: {trouble} Waiting {trouble.pause.total_seconds():,.0f} s.")
            time.sleep(trouble.pause.total_seconds())
            return
        connection.refresh_from_db()
        if isinstance(trouble, CredentialsRefused) or not connection.is_active:
            raise Failed(connection.state_reason or f"It is {connection.get_state_display()} now.")
        if tries >= TRIES:
            raise Failed(sync.last_error or "Another process reads it.")
        time.sleep(min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE))

    def _follow_hooks(self, connection):
        """Work off what webhooks told of, those that were put off too."""
        waiting = WebhookReceipt.objects.owed().filter(connection=connection)
        work.owe_all_again(waiting)
        receipts.run(connection.pk)
        left = waiting.count()
        if left:
            self.stderr.write(f"{connection}: {left:,} webhooks wait still.")

    def _credit(self, connection):
        """Ratings of those who were recognised meanwhile go to their agents now, not when a worker comes by."""
        mapping.recognise()
        owed = HelpdeskAgent.objects.due().filter(connection=connection)
        for row_id in list(owed.values_list("pk", flat=True)):
            mapping.credit(row_id)

    def _tell(self, connection, syncs):
        n_read, n_new = sum(one.n_read for one in syncs), sum(one.n_new for one in syncs)
        self.stdout.write(f"{connection}: {n_read:,} ratings read, {n_new:,} of them of new conversations.")
        refused = [one for sync in syncs for one in sync.refused]
        n_refused = sum(one.n_refused for one in syncs)
        for one in refused[:SHOWN]:
            self.stderr.write(f"{connection}: {one['id'] or 'a rating without an id'}: {one['detail']}")
        if n_refused > len(refused[:SHOWN]):
            self.stderr.write(f"… and {n_refused - len(refused[:SHOWN]):,} more that could not be taken.")
        unmapped = HelpdeskAgent.objects.unmapped().filter(connection=connection).count()
        if unmapped:
            self.stdout.write(f"{unmapped:,} of those who answer there stand for nobody here yet.")


def _thousandths(sync) -> int:
    """How far a run has come: by number where the helpdesk tells how many there are, else by time."""
    if sync.total:
        return int(1_000 * min(sync.n_read / sync.total, 1))
    if sync.reached is None or sync.until is None or sync.until <= sync.since:
        return 0
    return int(1_000 * max(0, min((sync.reached - sync.since) / (sync.until - sync.since), 1)))
