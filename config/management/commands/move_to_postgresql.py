"""`manage.py move_to_postgresql FILE`: what was kept in the embedded mode, into the database of DATABASE_URL."""

import sys
import time
from pathlib import Path

from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from agents import decisions
from agents.models import Workspace
from config import moving
from config.management.commands.up import refuse_unapplied_migrations


class Command(BaseCommand):
    help = (
        "Copy everything from the SQLite file of the embedded mode into the empty, migrated PostgreSQL database of "
        "DATABASE_URL: all of it or nothing, each row read back and compared, then the decision log checked. The file stays "
        "as it is. Touchline must be stopped, and FIELD_KEYS and SECRET_KEY must be those it ran with."
    )

    def add_arguments(self, parser):
        parser.add_argument("file", type=Path, help="DATA_DIR/touchline.sqlite3 of the embedded mode, or a copy of it")

    def handle(self, *args, file, **options):
        refuse_unapplied_migrations()
        began, total = time.monotonic(), 0

        def tell(table, n):
            nonlocal total
            total += n
            if n:
                self.stdout.write(f"{table:<40} {n:>12,}")

        try:
            moving.move(file, connection, tell)
        except moving.CannotMove as error:
            raise CommandError(f"{error}\nNothing was moved.") from error
        self.stdout.write(f"{total:,} rows moved, each compared, in {time.monotonic() - began:.0f} s.")
        self.verify_log()

    def verify_log(self):
        """Say of each workspace whether its decision log holds. Every row is as it was: a fault was in the file already."""
        broken = False
        for workspace in Workspace.objects.order_by("slug"):
            faults = list(decisions.verify(workspace))
            broken = broken or bool(faults)
            said = faults or [f"{workspace.decisions_made} entries of the decision log, unbroken."]
            self.stdout.write("\n".join(f"{workspace.slug}: {sentence}" for sentence in said))
        if broken:
            self.stdout.write("All is moved as it was: the log was broken in the file already.")
            sys.exit(1)
