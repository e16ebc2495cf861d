"""One run through a connection's ratings, page by page, from the row that owes it.

A page's ratings and the cursor behind them are stored in one transaction, so a worker that dies loses nothing and the next
repeats nothing twice. A run gives its worker back after SLICE, and whenever the helpdesk wants to be left alone for longer than a
moment: the row is due again then, and others get their turn.
"""

import logging
import time
import traceback
from datetime import datetime, timedelta

from django.db import transaction
from django.utils import timezone

from agents import work
from helpdesk.actions import arrivals, connections, mapping
from helpdesk.models import HelpdeskConnection, HelpdeskSync
from helpdesk.sync import people
from helpdesk.vendors import contract, registry
from helpdesk.vendors.errors import CredentialsRefused, Garbled, RateLimited, VendorError

Kind = HelpdeskSync.Kind

SLICE = timedelta(seconds=20)
BATCH = 500  # ratings that one transaction stores, where pages are smaller
OVERLAP = timedelta(hours=1)  # that is read again each time: lists of vendors run behind, and clocks differ
RECONCILED = timedelta(days=14)  # that the daily look goes through again
SHOWN_REFUSED = 20

log = logging.getLogger(__name__)


def run(sync_id, *, overlap: timedelta = OVERLAP) -> HelpdeskSync | None:
    """Read on from where the row stands. Returns it, or None where it is not due, paused or at work already."""
    sync = work.claim(HelpdeskSync.objects.readable(), sync_id)
    if sync is None:
        return None
    carry_on(sync, overlap=overlap)
    return sync


def carry_on(sync: HelpdeskSync, *, overlap: timedelta = OVERLAP) -> Exception | None:
    """Read on with a row that is held, for at most SLICE, and let go of it: at its end, later or again at once.

    Returns what went wrong, None where nothing did. The row says the same in its columns.
    """
    trouble: Exception | None = None
    try:
        with work.holding(sync):
            trouble = _carried_on(sync, overlap)
    except work.LeaseLost:
        log.info("Sync %s was paused or taken over.", sync.pk)
    sync.refresh_from_db()
    return trouble


def _carried_on(sync, overlap):
    connection = sync.connection
    try:
        if sync.started_at is None:
            _begin(sync, connection, overlap)
        with registry.open_client(connection) as client:
            if sync.n_pages == 0:
                people.refresh(connection, client)
            is_through = _read(sync, connection, client)
    except RateLimited as limited:
        work.put_off(sync, error=limited.sentence, pause=limited.pause, attempts=0)
        return limited
    except CredentialsRefused as refusal:
        with transaction.atomic():
            connections.refuse(connection, refusal.sentence)
            work.put_off(sync, error=refusal.sentence, pause=timedelta(0), failed_at=timezone.now())
        return refusal
    except (VendorError, contract.Malformed) as fault:
        work.put_off(sync, error=str(fault), failed_at=timezone.now())
        return fault
    except work.LeaseLost:
        raise
    except Exception as error:  # its words may hold what a customer wrote: only where it broke is kept
        where = "".join(traceback.format_tb(error.__traceback__))
        log.error("Sync %s: %s\n%s", sync.pk, type(error).__name__, where)
        work.put_off(sync, error=f"Reading broke ({type(error).__name__}).", failed_at=timezone.now())
        return error
    if is_through:
        work.settle(sync, finished_at=timezone.now(), read_until=sync.until, started_at=None, cursor="", attempts=0)
    else:
        work.put_off(sync, error="", pause=timedelta(0), attempts=0)
    return None


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


def _read(sync, connection, client: contract.Client) -> bool:
    """Read and store pages. False where the time was up before the last."""
    until, cursor, seen = time.monotonic() + SLICE.total_seconds(), sync.cursor, {sync.cursor}
    gathered: list[contract.Page] = []
    while True:
        page = client.ratings(sync.since, sync.until, cursor)
        gathered.append(page)
        is_last, cursor = not page.cursor, page.cursor
        is_full = sum(len(one.ratings) for one in gathered) >= BATCH or time.monotonic() > until
        if is_last or is_full or cursor in seen:
            _store(sync, connection, client, gathered, cursor)
            gathered = []
        if is_last:
            return True
        if cursor in seen:
            raise Garbled("The helpdesk's list of ratings goes in circles: a page points back to one that was read.")
        seen.add(cursor)
        if time.monotonic() > until:
            return False


def _store(sync, connection, client, pages: list[contract.Page], cursor: str) -> None:
    ratings = people.completed(client, [rating for page in pages for rating in page.ratings])
    withdrawn = {one for page in pages for one in page.withdrawn} - {rating.conversation_id for rating in ratings}
    unreadable = [one for page in pages for one in page.unreadable]
    with transaction.atomic():
        taken = arrivals.take_in(connection, ratings, withdrawn)
        refused = unreadable + taken.refused
        named = [{"id": one.id, "detail": one.detail} for one in refused]
        work.keep(
            sync,
            cursor=cursor,
            reached=max((rating.rated_at for rating in ratings), default=sync.reached),
            total=pages[-1].total if pages[-1].total is not None else sync.total,
            n_pages=sync.n_pages + len(pages),
            n_read=sync.n_read + len(ratings) + len(unreadable),
            n_new=sync.n_new + taken.n_new,
            n_refused=sync.n_refused + len(refused),
            refused=(sync.refused + named)[:SHOWN_REFUSED],
            attempts=0,
        )
    mapping.recognise()
