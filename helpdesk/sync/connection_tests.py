"""One test of a connection, check by check, from the row that owes it."""

import logging
from collections.abc import Iterator
from contextlib import suppress

from django.utils import timezone

from agents import work
from agents.breakages import log_where
from helpdesk.actions import connections
from helpdesk.models import ConnectionTest, HelpdeskConnection
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Check, Malformed
from helpdesk.vendors.errors import VendorError

MOST_TRIES = 3  # of a test whose worker died

log = logging.getLogger(__name__)


def run(test_id) -> ConnectionTest | None:
    """Try what is owed and store each result. Returns the test, or None where it is not due or another worker has it."""
    test = work.claim(ConnectionTest.objects.unfinished(), test_id)
    if test is None:
        return None
    try:
        with work.holding(test):
            checks = list(tried(test.connection))
            if all(check.is_ok for check in checks):
                _learn_link(test)
            work.settle(test, checks=[_stored(check) for check in checks], finished_at=timezone.now())
    except work.LeaseLost:
        log.info("Test %s was asked for anew.", test.pk)
    test.refresh_from_db()
    return test


def tried(connection: HelpdeskConnection) -> Iterator[Check]:
    """Yield each check of a connection; the one that failed is the last. No transaction may be open."""
    label = registry.VENDORS[connection.vendor].label
    try:
        with registry.open_client(connection) as client:
            yield from client.checks()
    except (VendorError, Malformed) as fault:
        yield Check(label, is_ok=False, sentence=str(fault))
    except Exception as error:
        yield Check(label, is_ok=False, sentence=f"The test broke ({log_where(log, 'Test', error)}).")


def _learn_link(test) -> None:
    """Ask a helpdesk that works for what its deep link needs beside the account, where none is set yet."""
    connection = test.connection
    if not connections.lacks_link(connection):
        return
    with suppress(VendorError, Malformed), registry.open_client(connection) as client:
        connections.link(connection, by=test.asked_by, learned=client.deep_link_keys())


def _stored(check: Check) -> dict:
    return {"name": check.name, "state": "ok" if check.is_ok else "failed", "sentence": check.sentence}
