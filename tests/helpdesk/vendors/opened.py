"""A vendor's client that talks to a desk of the tests; it sleeps in a list."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from helpdesk.vendors import registry
from helpdesk.vendors.contract import Client, Page
from helpdesk.vendors.wire import Wire
from tests.desks.world import NOON

SINCE, UNTIL = NOON - timedelta(days=1), NOON + timedelta(days=1)


class Endless(Exception):
    """The list has more pages than the desk has ratings."""


@contextmanager
def opened(desk, *, slept: list | None = None, **credentials: str) -> Iterator[Client]:
    """The desk's account; OUTBOUND_ALLOW has to hold its place."""
    vendor = registry.VENDORS[desk.vendor]
    kind, told = vendor.client, desk.credentials | credentials
    sleep = [].append if slept is None else slept.append
    with Wire(desk.url, label=vendor.label, headers=kind.headers(told), rest=kind.rest, sleep=sleep) as wire:
        yield kind(wire, told)


def pages(client: Client, since=SINCE, until=UNTIL) -> list[Page]:
    """All pages of a list, as a run reads them."""
    found, cursor = [], ""
    while not found or cursor:
        found.append(client.ratings(since, until, cursor))
        cursor = found[-1].cursor
        if len(found) == 50:
            raise Endless
    return found


def ratings(client: Client, since=SINCE, until=UNTIL) -> list:
    return [rating for page in pages(client, since, until) for rating in page.ratings]
