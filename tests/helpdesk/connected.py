"""Connections to desks of the tests, made as a leader makes them."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from helpdesk.actions import arrivals, connections, mapping
from helpdesk.models import HelpdeskSync, Scale
from helpdesk.sync import ratings
from helpdesk.vendors.contract import Person, Rating


def connected(desk, owner, settings, **changes):
    """A connection to a desk that is being served, its first reading owed."""
    settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
    told = {"vendor": desk.vendor, "base_url": desk.url, "credentials": desk.credentials} | changes
    return connections.connect(owner.workspace, by=owner, **told)


def read(connection, kind=HelpdeskSync.Kind.BACKFILL):
    """Let a worker carry out one slice of what is owed. Returns the sync as it is then."""
    return ratings.run(HelpdeskSync.objects.get(connection=connection, kind=kind).pk)


def rated(owner, *, vendor="zendesk", n=1, **told):
    """A connection that was never called, with `n` ratings of somebody there whom nobody here has mapped."""
    desk = {"base_url": "https://acme.zendesk.com", "credentials": {"email": "a@test.example", "api_token": "right"}}
    made = connections.connect(owner.workspace, by=owner, vendor=vendor, **desk | told)
    now = timezone.now()
    answers = [
        Rating(str(number), "bad", Scale.BINARY, now - timedelta(hours=number), id=f"r{number}", person_id="11")
        for number in range(1, n + 1)
    ]
    with transaction.atomic():
        arrivals.take_in(made, answers)
    mapping.learn(made, [Person("11", "Ada Byron", "ada@desk.example")])
    return made
