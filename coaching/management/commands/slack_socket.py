"""Socket Mode by hand; `manage.py up` runs it by itself."""

import signal
import threading
from contextlib import suppress

from django.core.management.base import BaseCommand

from agents import work
from coaching.slack.socket import Listener
from coaching.tasks import follow_slack


class Command(BaseCommand):
    help = (
        "Listen to Slack over Socket Mode with every app-level token there is, until Ctrl-C or until no token is left. "
        "`manage.py up` runs this by itself while there is one."
    )
    requires_system_checks = []  # as for `up`: they would load every page for nothing

    def handle(self, **options):
        # As Ctrl-C: an exception, so that no lock is waited for.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with suppress(KeyboardInterrupt):
            Listener(tell=lambda receipt: work.start_soon(follow_slack, str(receipt))).run(threading.Event())
