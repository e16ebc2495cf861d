"""manage.py connect: a helpdesk without the page."""

import sys

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents.access import Refusal
from agents.management.operators import workspace_of
from helpdesk.actions import connections
from helpdesk.management.given import given
from helpdesk.sync import connection_tests
from helpdesk.vendors.registry import VENDORS

OF_THE_CONNECTION = ("base_url", "backfill_days", "source")


def keys() -> str:
    """What each vendor takes, a line each."""
    lines = []
    for name, vendor in sorted(VENDORS.items()):
        told = [field.name if field.is_required else f"[{field.name}]" for field in vendor.fields]
        lines.append(f"{name}: {' '.join(told)}")
    return "; ".join(lines)


class Command(BaseCommand):
    help = (
        "Connect a helpdesk, or change a connection; repeating it resumes one that was paused or refused. Prints the "
        "connection's id and the address of its webhooks, each alone on a line. Exits with 0 where it is connected (with "
        "--test: where it works), 1 where a test failed, 2 where something given is wrong or missing."
    )

    def create_parser(self, *args, **kwargs):
        """Values may stand before and after --workspace."""
        parser = super().create_parser(*args, **kwargs)
        parser.parse_args = parser.parse_intermixed_args
        return parser

    def add_arguments(self, parser):
        parser.add_argument("vendor", help=f"one of {', '.join(sorted(VENDORS))}")
        parser.add_argument(
            "values",
            nargs="*",
            metavar="KEY=VALUE",
            help=f"{', '.join(OF_THE_CONNECTION)}, and what the vendor asks for ({keys()}). VALUE can be @FILE, or - for the "
            "next line of standard input, so that no secret stands in the shell's history. What is not given stays as stored.",
        )
        parser.add_argument("--workspace", required=True, metavar="SLUG")
        parser.add_argument("--test", action="store_true", help="only try it, and store nothing")

    def handle(self, *, vendor, values, workspace, test, **options):
        workspace = workspace_of(workspace)
        credentials = given(values)
        told = {
            "vendor": vendor,
            "source": credentials.pop("source", ""),
            "base_url": credentials.pop("base_url", ""),
            "backfill_days": self._days(credentials.pop("backfill_days", None)),
            "credentials": credentials,
        }
        try:
            if test:
                told.pop("backfill_days")
                self._try(connections.proposed(workspace, **told))
                return
            connection = connections.connect(workspace, by=None, **told)
        except ValidationError as refusal:
            fields = refusal.message_dict if hasattr(refusal, "error_dict") else {"connection": refusal.messages}
            for field, sentences in fields.items():
                self.stderr.write(f"{field}: {' '.join(sentences)}")
            raise CommandError("Nothing was changed.", returncode=2) from None
        except Refusal as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        self.stdout.write(f"{connection} is connected. Its id, and the address for its webhooks:")
        self.stdout.write(str(connection.pk))
        self.stdout.write(connections.webhook_url(connection, settings.PUBLIC_URL))

    def _days(self, told):
        if told is None:
            return None
        if not (told.isascii() and told.isdecimal()):
            raise CommandError("backfill_days: It is a whole number of days.", returncode=2)
        return int(told[:9])

    def _try(self, connection):
        vendor = VENDORS[connection.vendor]
        if not vendor.reads:
            self.stdout.write(f"ok      {vendor.label}: It sends its ratings itself; there is nothing to be called.")
            return
        failed = 0
        for check in connection_tests.tried(connection):
            failed += not check.is_ok
            self.stdout.write(f"{'ok' if check.is_ok else 'failed':<7} {check.name}: {check.sentence}")
        if failed:
            sys.exit(1)
