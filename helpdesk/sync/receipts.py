"""What webhooks owe, worked off connection by connection, from the receipts that came.

A webhook is a hint: what it is about is read anew, so neither order nor repetition matters, and several about one conversation
cost one call. A few conversations are asked for one by one. Of many the list of ratings is read first, since the oldest of the
receipts, and only those that were not in it are asked for. A worker that dies leaves its receipts to the next, and what it had
taken in already changes nothing the second time.
"""

import logging
import time
from collections import defaultdict
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from agents import work
from agents.breakages import log_where
from helpdesk import rows
from helpdesk.actions import arrivals, connections, mapping
from helpdesk.models import HelpdeskConnection, WebhookReceipt
from helpdesk.sync import people
from helpdesk.vendors import contract, registry
from helpdesk.vendors.errors import CredentialsRefused, NotFound, RateLimited, VendorError

AT_ONCE = 5_000  # receipts that are worked off together: the more, the fewer times a list is read
ONE_BY_ONE = 25  # conversations; of more the list is read first
OVERLAP = timedelta(minutes=2)  # before the oldest receipt: their clock may be behind ours
SLICE = timedelta(seconds=20)
MOST_ITEMS = 200  # of an in-house desk that one transaction takes
FAULTS_IN_A_ROW = 3  # after which it is the helpdesk that is ill, not a conversation
MOST_TRIES = 20  # of one conversation that cannot be read while others can: about half a day

log = logging.getLogger(__name__)

Waiting = dict[tuple[str, str], list[WebhookReceipt]]  # (conversation, or "" and the rating) -> what is owed about it


def run(connection_id) -> int:
    """Work off what is due of one connection, for about SLICE. Returns how many receipts were held."""
    until, n_held = time.monotonic() + SLICE.total_seconds(), 0
    while time.monotonic() < until:
        held = work.claim_all(WebhookReceipt.objects.takeable().filter(connection=connection_id), AT_ONCE)
        if not held:
            break
        n_held += len(held)
        try:
            with work.holding(*held):
                _work_off(HelpdeskConnection.objects.get(pk=connection_id), held, until)
        except work.LeaseLost:
            log.info("Receipts of connection %s were taken over.", connection_id)
    return n_held


def _work_off(connection, held, until):
    if not registry.VENDORS[connection.vendor].reads:
        _take_items(connection, held)
        return
    waiting: Waiting = defaultdict(list)
    for receipt in held:
        about = receipt.conversation_id
        waiting[about, "" if about else receipt.rating_id].append(receipt)
    try:
        with registry.open_client(connection) as client:
            if len(waiting) > ONE_BY_ONE:
                _read_list(connection, client, waiting, until)
            _ask_one_by_one(connection, client, waiting, until)
        _put_off(waiting, error="", pause=timedelta(0), attempts=0)  # the time was up
    except RateLimited as limited:
        _put_off(waiting, error=limited.sentence, pause=limited.pause, attempts=0)
    except CredentialsRefused as refusal:
        with transaction.atomic():
            connections.refuse(connection, refusal.sentence)
            _put_off(waiting, error=refusal.sentence, pause=timedelta(0))
    except (VendorError, contract.Malformed) as fault:
        _put_off(waiting, error=str(fault))
    except work.LeaseLost:
        raise
    except Exception as error:
        _put_off(waiting, error=f"Reading broke ({log_where(log, 'Receipts', error)}).")
    mapping.recognise()


def _put_off(waiting: Waiting, **how) -> None:
    rest = [receipt for receipts in waiting.values() for receipt in receipts]
    if rest:
        work.put_off(*rest, **how)


def _settle(receipts, outcome: str) -> None:
    work.settle(*receipts, done_at=timezone.now(), outcome=outcome[:200], items=None)


# --- What a helpdesk is asked ------------------------------------------------------------------------------------------


def _read_list(connection, client: contract.Client, waiting: Waiting, until: float) -> None:
    """Take in what the list of ratings says of those that wait. Who was in it waits no longer; of others nothing is taken."""
    asked = {conversation_id for conversation_id, _ in waiting if conversation_id}
    since = min(receipt.received_at for receipts in waiting.values() for receipt in receipts) - OVERLAP
    cursor, seen, now = "", {""}, timezone.now()
    while time.monotonic() < until:
        as_of = timezone.now()
        page = client.ratings(since, now, cursor)
        told = [rating for rating in page.ratings if rating.conversation_id in asked]
        withdrawn = asked & set(page.withdrawn) - {rating.conversation_id for rating in told}
        if told or withdrawn:
            completed, fault = people.completed(connection, client, told)
            _store_listed(connection, completed, withdrawn, waiting, as_of)
            if fault is not None:
                raise fault
        cursor = page.cursor
        if cursor in seen:  # the end; or a list that goes in circles, and then the rest is asked for
            return
        seen.add(cursor)


def _store_listed(connection, ratings, withdrawn, waiting, as_of):
    listed = {rating.conversation_id for rating in ratings} | withdrawn
    with transaction.atomic():
        refused = {one.id: one.detail for one in arrivals.take_in(connection, ratings, withdrawn, as_of=as_of).refused}
        done = [receipt for about in listed for receipt in waiting.pop((about, ""), ())]
        if done:
            _settle(done, "Read with the list of ratings." + (f" {len(refused)} refused." if refused else ""))


def _ask_one_by_one(connection, client: contract.Client, waiting: Waiting, until: float) -> None:
    faults = 0
    for about, receipts in list(waiting.items()):
        if time.monotonic() > until:
            return
        as_of = timezone.now()
        rating_id = next((one.rating_id for one in reversed(receipts) if one.rating_id), "")
        try:
            told = client.found(about[0], rating_id)
            ratings, fault = people.completed(connection, client, [told.rating] if told.rating else [])
            if fault is not None:
                raise fault
        except NotFound:
            _settle(waiting.pop(about), "The helpdesk has no such conversation.")
            continue
        except (RateLimited, CredentialsRefused):
            raise
        except (VendorError, contract.Malformed) as fault:
            faults += 1
            if faults == FAULTS_IN_A_ROW:
                raise
            _put_aside(waiting.pop(about), str(fault))
            continue
        faults = 0
        with transaction.atomic():
            withdrawn = [] if ratings else [told.conversation.id]
            taken = arrivals.take_in(connection, ratings, withdrawn, as_of=as_of)
            _settle(waiting.pop(about), _outcome(taken, bool(ratings)))


def _put_aside(receipts, sentence) -> None:
    """One conversation cannot be read: the others go on."""
    if max(receipt.attempts for receipt in receipts) >= MOST_TRIES:
        _settle(receipts, f"Given up after {MOST_TRIES} tries: {sentence}")
    else:
        work.put_off(*receipts, error=sentence)


def _outcome(taken: arrivals.Taken, is_rated: bool) -> str:
    if taken.refused:
        return f"The rating was refused: {taken.refused[0].detail}"
    if taken.n_new:
        return "A new rating."
    if taken.n_changed:
        return "The rating changed."
    if taken.n_withdrawn:
        return "The rating was withdrawn."
    return "The rating was known." if is_rated else "There is no rating."


# --- What an in-house desk sent ----------------------------------------------------------------------------------------


def _take_items(connection, held) -> None:
    """Take in the ratings that came, in the order in which they came, some receipts a transaction."""
    batch: list[WebhookReceipt] = []
    for receipt in sorted(held, key=lambda one: (one.received_at, one.pk)):
        if batch and sum(len(one.items) for one in [*batch, receipt]) > MOST_ITEMS:
            _take_batch(connection, batch)
            batch = []
        batch.append(receipt)
    _take_batch(connection, batch)
    mapping.recognise()


def _take_batch(connection, receipts) -> None:
    items = [rows.rating_from_json(item, now=one.received_at) for one in receipts for item in one.items]
    ratings = [
        contract.Rating(
            conversation_id=row.external_id,
            value=row.value,
            scale=row.scale,
            rated_at=row.rated_at,
            person_id=row.agent,
            conversation=contract.Conversation(row.external_id, closed_at=row.closed_at),
        )
        for row in items
    ]
    with transaction.atomic():
        mapping.recognise_words(connection, {rating.person_id for rating in ratings})
        refused = {one.id for one in arrivals.take_in(connection, ratings).refused}
        for receipt in receipts:
            n_refused = sum(item["externalId"] in refused for item in receipt.items)
            told = f"{len(receipt.items) - n_refused} taken in"
            further = [f"{n_refused} closed before it was opened"] if n_refused else []
            _settle([receipt], ", ".join([told, *further, *filter(None, [receipt.outcome])]) + ".")
