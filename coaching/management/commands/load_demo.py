"""`manage.py load_demo`: the demo workspace, into an empty database only."""

import os

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from agents.models import Workspace
from coaching.demo.load import load

LOGINS = "demo-logins.txt"


class Command(BaseCommand):
    help = "Make the demo workspace in an empty database and print its logins."

    def add_arguments(self, parser):
        parser.add_argument(
            "--if-empty", action="store_true", help="do nothing, quietly, where there is a workspace already"
        )

    def handle(self, *args, if_empty, **options):
        if Workspace.objects.exists():
            if if_empty:
                return
            raise CommandError("The demo is loaded into an empty database only; this one has a workspace.")
        with transaction.atomic():  # a demo that fails half-way leaves the database empty
            logins = load()
        lines = [f"{email} {password}" for email, password in logins]
        path = settings.DATA_DIR / LOGINS
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write("\n".join(lines) + "\n")  # shown again by the next `manage.py up`
        for line in lines:
            self.stdout.write(line)
