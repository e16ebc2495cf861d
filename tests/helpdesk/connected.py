"""Connections to desks of the tests, made as a leader makes them."""

from helpdesk.actions import connections
from helpdesk.models import HelpdeskSync
from helpdesk.sync import ratings


def connected(desk, owner, settings, **changes):
    """A connection to a desk that is being served, its first reading owed."""
    settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
    told = {"vendor": desk.vendor, "base_url": desk.url, "credentials": desk.credentials} | changes
    return connections.connect(owner.workspace, by=owner, **told)


def read(connection, kind=HelpdeskSync.Kind.BACKFILL):
    """Let a worker carry out one slice of what is owed. Returns the sync as it is then."""
    return ratings.run(HelpdeskSync.objects.get(connection=connection, kind=kind).pk)
