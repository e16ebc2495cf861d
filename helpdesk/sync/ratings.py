"""One run through a connection's ratings, page by page, from the row that owes it.

A page's ratings and the cursor behind them are stored in one transaction, so a worker that dies loses nothing and the next
repeats nothing twice. A run gives its worker back after SLICE, and whenever the helpdesk wants to be left alone for longer than a
moment: the row is due again then, and others get their turn.

Cursors are the vendor's. One that is not known any more, or leads back to where the run has been, begins the run anew: what is
stored is known again, and nothing counts twice.
"""

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from agents import work
from agents.breakages import log_where
from helpdesk.actions import arrivals, connections, mapping
from helpdesk.models import HelpdeskConnection, HelpdeskSync
from helpdesk.sync import people
from helpdesk.vendors import contract, registry
from helpdesk.vendors.errors import CredentialsRefused, Garbled, NotFound, NotUnderstood, RateLimited, VendorError

Kind = HelpdeskSync.Kind

SLICE = timedelta(seconds=20)
BATCH = 1_000  # ratings that one transaction stores, where pages are smaller
STORED_EVERY = 1.0  # seconds, where a helpdesk is slow: what was read is seen, and stays when the worker dies
OVERLAP = timedelta(hours=1)  # that is read again each time: lists of vendors run behind, and clocks differ
RECONCILED = timedelta(days=14)  # that the daily look goes through again
SHOWN_REFUSED = 20
ANEW = timedelta(minutes=10)  # until a run begins again whose list has just led nowhere

OnBatch = Callable[[HelpdeskSync], None]

log = logging.getLogger(__name__)


class Circular(Garbled):
    """A list's page points back to one that was read."""


class Misread(Garbled):
    """A page, or the cursor that it was asked by, is of a make that nobody thought of."""


def run(sync_id, *, overlap: timedelta = OVERLAP) -> HelpdeskSync | None:
    """Read on from where the row stands. Returns it, or None where it is not due, paused or at work already."""
    sync = connections.take(sync_id)
    if sync is None:
        return None
    carry_on(sync, overlap=overlap)
    return sync


def carry_on(
    sync: HelpdeskSync, *, overlap: timedelta = OVERLAP, on_batch: OnBatch = lambda sync: None
) -> Exception | None:
    """Read on with a row that is held, for at most SLICE, and let go of it: at its end, later or again at once.

    Returns what went wrong, None where nothing did. The row says the same in its columns. `on_batch` is told of the row whenever
    it has come further.
    """
    trouble: Exception | None = None
    try:
        with work.holding(sync):
            trouble = _carried_on(sync, overlap, on_batch)
    except work.LeaseLost as lost:
        log.info("Sync %s was paused or taken over.", sync.pk)
        trouble = lost
    sync.refresh_from_db()
    return trouble


def _carried_on(sync, overlap, on_batch):
    connection = sync.connection
    went_on_at = sync.cursor
    try:
        if sync.started_at is None:
            _begin(sync, connection, overlap)
        is_through = sync.since >= sync.until
        if not is_through:
            with registry.open_client(connection) as client:
                if sync.n_pages == 0:
                    people.refresh(connection, client)
                is_through = _read(sync, connection, client, on_batch)
            mapping.recognise()
    except RateLimited as limited:
        work.put_off(sync, error=limited.sentence, pause=limited.pause, attempts=0)
        return limited
    except CredentialsRefused as refusal:
        with transaction.atomic():
            # First the row: who has lost it was speaking with credentials that may not count any more.
            work.put_off(sync, error=refusal.sentence, pause=timedelta(0), failed_at=timezone.now())
            connections.refuse(connection, refusal.sentence)
        return refusal
    except (VendorError, contract.Malformed) as fault:
        work.put_off(sync, error=str(fault), failed_at=timezone.now(), **_anew(sync, fault, went_on_at))
        return fault
    except work.LeaseLost:
        raise
    except Exception as error:
        kind = log_where(log, f"Sync {sync.pk}", error)
        work.put_off(sync, error=f"Reading broke ({kind}).", failed_at=timezone.now())
        return error
    if is_through:
        work.settle(sync, finished_at=timezone.now(), read_until=sync.until, started_at=None, cursor="", attempts=0)
    else:
        work.put_off(sync, error="", pause=timedelta(0), attempts=0)
    return None


def _anew(sync, fault, went_on_at) -> dict:
    """What lets a run begin again whose cursor leads nowhere; nothing for other faults.

    A cursor that was kept from an earlier slice may have expired. One that was given a moment ago has not: whatever is the
    matter with the list, it is given time.
    """
    was_kept = sync.cursor == went_on_at and not isinstance(fault, Circular)
    lead_nowhere = (Circular, NotFound, NotUnderstood, *([Misread] if was_kept else []))
    if not sync.cursor or not isinstance(fault, lead_nowhere):
        return {}
    return {"started_at": None, "cursor": "", "pause": None if was_kept else ANEW}


def _begin(sync, connection, overlap):
    """Set the bounds of a new run."""
    now = timezone.now()
    work.keep(
        sync, since=_since(sync, connection, now, overlap), until=now, cursor="", reached=None, total=None, n_pages=0,
        n_read=0, n_new=0, n_refused=0, refused=[], started_at=now,
    )  # fmt: skip


def _since(sync, connection: HelpdeskConnection, now: datetime, overlap: timedelta) -> datetime:
    if sync.kind == Kind.BACKFILL:
        return now - timedelta(days=connection.backfill_days)
    if sync.kind == Kind.RECONCILE:
        return now - RECONCILED
    return (sync.read_until or connection.created_at) - overlap


def _read(sync, connection, client: contract.Client, on_batch) -> bool:
    """Read and store pages. False where the time was up before the last. What was read before a fault is stored."""
    gathered: list[tuple[contract.Page, datetime]] = []
    stored_at = time.monotonic()

    def store():
        nonlocal stored_at
        if gathered:
            _store(sync, connection, gathered)
            gathered.clear()
            on_batch(sync)
            stored_at = time.monotonic()

    try:
        for page, asked_at in _pages(sync, connection, client):
            gathered.append((page, asked_at))
            is_batch = sum(len(one.ratings) for one, _ in gathered) >= BATCH
            if is_batch or time.monotonic() - stored_at > STORED_EVERY:
                store()
    except (VendorError, contract.Malformed):
        store()
        raise
    store()
    return not sync.cursor


def _pages(sync, connection, client) -> Iterator[tuple[contract.Page, datetime]]:
    """Each page and when it was asked for, until the last or until the time is up; the next is asked for meanwhile."""
    until, cursor, seen = time.monotonic() + SLICE.total_seconds(), sync.cursor, {sync.cursor}
    since, to = sync.since, sync.until
    with ThreadPoolExecutor(1, thread_name_prefix="next page") as ahead:
        asked_at, coming = timezone.now(), ahead.submit(client.ratings, since, to, cursor)
        while True:
            page, came_of = _read_well(coming), asked_at
            told, fault = people.completed(connection, client, page.ratings)
            if fault is not None:
                _store_some(sync, connection, told, came_of)
                raise fault
            cursor = page.cursor
            goes_on = bool(cursor) and cursor not in seen and time.monotonic() < until
            if goes_on:
                asked_at, coming = timezone.now(), ahead.submit(client.ratings, since, to, cursor)
            yield replace(page, ratings=tuple(told)), came_of
            if not goes_on:
                break
            seen.add(cursor)
    if cursor in seen and cursor:
        raise Circular("The helpdesk's list of ratings goes in circles: a page points back to one that was read.")


def _read_well(coming) -> contract.Page:
    try:
        return coming.result()
    except (VendorError, contract.Malformed):
        raise
    except Exception as error:
        kind = log_where(log, "Reading a page", error)
        raise Misread(f"What the helpdesk answered could not be read ({kind}).") from None


def _store_some(sync, connection, ratings, asked_at) -> None:
    """Keep a part of a page, which is read again as a whole later."""
    with transaction.atomic():
        taken = arrivals.take_in(connection, ratings, as_of=asked_at)
        work.keep(sync, n_new=sync.n_new + taken.n_new, attempts=0)


def _store(sync, connection, pages: list[tuple[contract.Page, datetime]]) -> None:
    """A run of pages and the cursor behind them, in one transaction."""
    ratings = [rating for page, _ in pages for rating in page.ratings]
    refused = [one for page, _ in pages for one in page.unreadable]
    totals = [page.total for page, _ in pages if page.total is not None]
    n_new = 0
    with transaction.atomic():
        for told, withdrawn, as_of in _statements(pages):
            taken = arrivals.take_in(connection, told, withdrawn, as_of=as_of)
            refused += taken.refused
            n_new += taken.n_new
        n_read = len(ratings) + sum(len(page.unreadable) for page, _ in pages)
        named = [{"id": one.id, "detail": one.detail} for one in refused]
        work.keep(
            sync,
            cursor=pages[-1][0].cursor,
            reached=max((rating.rated_at for rating in ratings), default=sync.reached),
            total=totals[-1] if totals else sync.total,
            n_pages=sync.n_pages + len(pages),
            n_read=sync.n_read + n_read,
            n_new=sync.n_new + n_new,
            n_refused=sync.n_refused + len(refused),
            refused=(sync.refused + named)[:SHOWN_REFUSED],
            attempts=0,
        )


def _statements(pages) -> Iterator[tuple[list[contract.Rating], set[str], datetime]]:
    """(ratings, withdrawn, when they were asked for) of the pages put together, apart only where a later page says otherwise of
    a conversation. Where one page says both, it is rated.
    """
    ratings: list[contract.Rating] = []
    rated: set[str] = set()
    withdrawn: set[str] = set()
    as_of = pages[0][1]
    for page, _ in pages:
        has = {rating.conversation_id for rating in page.ratings}
        lacks = set(page.withdrawn) - has
        if rated & lacks or withdrawn & has:
            yield ratings, withdrawn, as_of
            ratings, rated, withdrawn, as_of = [], set(), set(), timezone.now()
        ratings.extend(page.ratings)
        rated |= has
        withdrawn |= lacks
    yield ratings, withdrawn, as_of
