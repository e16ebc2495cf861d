"""Webhooks taken in: whoever sent one has to prove it, and what it is about is written down before it is answered.

Of the body only ids are kept. An in-house desk sends the ratings themselves; those are kept until they are taken in.
"""

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus

from django.db.models import Min
from django.utils import timezone

from agents.breakages import log_where
from helpdesk.models import HelpdeskConnection, WebhookReceipt
from helpdesk.rows import SURROGATE
from helpdesk.vendors import reading
from helpdesk.vendors.contract import Forged, Malformed, Unreadable, Vendor
from helpdesk.vendors.generic import events as in_house
from helpdesk.vendors.registry import VENDORS

LONGEST_EVENT = 100
LONGEST_ID = 300
LONGEST_OUTCOME = 200
NAMED = 5  # refused items that an outcome names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook as it came to an address; header names in lower case."""

    vendor: str
    connection_id: uuid.UUID
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the sender is told. `owed` is the connection for which there is something to do now."""

    status: HTTPStatus
    body: dict
    owed: uuid.UUID | None = None


UNKNOWN = Answer(HTTPStatus.NOT_FOUND, {"error": "There is nothing here."})
FORGED = Answer(HTTPStatus.UNAUTHORIZED, {"error": "The signature or its time is not right."})
BROKEN = Answer(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "Something broke on our side. It is in the log."})


def receive(hooks: Sequence[Hook]) -> list[Answer]:
    """Answer each; a receipt of every event that is believed is stored, once however often it comes, in one transaction."""
    now = timezone.now()
    connections = HelpdeskConnection.objects.connected().in_bulk({hook.connection_id for hook in hooks})
    secrets = {pk: _secret(connection) for pk, connection in connections.items()}
    answers: list[Answer] = []
    receipts: list[WebhookReceipt] = []
    for hook in hooks:
        connection = connections.get(hook.connection_id)
        if connection is None or connection.vendor != hook.vendor:
            answers.append(UNKNOWN)
            continue
        try:
            answer, receipt = _read(hook, connection, secrets[connection.pk], now)
        except Forged:
            answers.append(FORGED)
        except Malformed as fault:
            answers.append(Answer(HTTPStatus.BAD_REQUEST, {"error": str(fault)}))
        except Exception as error:
            log_where(log, "Hook", error)
            answers.append(BROKEN)
        else:
            answers.append(answer)
            receipts.append(receipt)
    # In one order everywhere, so that two processes which were sent the same events do not wait for each other.
    receipts.sort(key=lambda receipt: (receipt.connection_id, receipt.event_id))
    WebhookReceipt.objects.bulk_create(receipts, ignore_conflicts=True)
    return answers


def _secret(connection) -> str:
    return connection.credentials.get(VENDORS[connection.vendor].webhook_secret, "")


def _read(hook: Hook, connection, secret: str, now: datetime) -> tuple[Answer, WebhookReceipt]:
    """The answer to a hook, and its receipt. Raises Forged, Malformed."""
    vendor: Vendor = VENDORS[connection.vendor]
    if not secret:  # with which anybody could sign
        raise Forged
    vendor.verify(hook.body, hook.headers, secret, now)
    body = reading.decoded(hook.body)
    hint = vendor.hint(body, hook.headers)
    told = {"event_id": hint.event_id, "conversation_id": hint.conversation_id, "rating_id": hint.rating_id}
    if not hint.event_id or not all(_is_storable(text, LONGEST_ID) for text in told.values()):
        raise Malformed("An id in the body is missing, too long or no text.")
    event = hint.event[:LONGEST_EVENT]
    receipt = WebhookReceipt(
        workspace_id=connection.workspace_id,
        connection=connection,
        event=event if _is_storable(event, LONGEST_EVENT) else "",
        received_at=now,
        **told,
    )
    n_received = 1
    refused: list[Unreadable] = []
    if not vendor.reads:
        receipt.items, refused = in_house.items(body, now)
        receipt.outcome = refusals(refused)
        n_received = len(receipt.items)
    is_owed = bool(hint.conversation_id or hint.rating_id or receipt.items)
    if not is_owed:
        receipt.items, receipt.done_at, receipt.next_try_at = None, now, None
        receipt.outcome = receipt.outcome or ("Nothing to do." if hint.is_known else "This kind of event is not known.")
    answer: dict = {"received": n_received}
    if not vendor.reads:
        answer["rejected"] = [{"index": int(one.id), "detail": one.detail} for one in refused]
    return Answer(HTTPStatus.OK, answer, owed=connection.pk if is_owed else None), receipt


def refusals(refused: Sequence[Unreadable]) -> str:
    """Which items were refused and why, in words that fit an outcome; "" where none was."""
    if not refused:
        return ""
    named = "; ".join(f"{one.id}: {one.detail}" for one in refused[:NAMED])
    return f"{len(refused)} refused ({named})"[:LONGEST_OUTCOME]


def _is_storable(text: str, limit: int) -> bool:
    return len(text) <= limit and "\0" not in text and not SURROGATE.search(text)


def owing() -> list[uuid.UUID]:
    """The connections for which receipts are due, the longest waiting first."""
    due = WebhookReceipt.objects.takeable().due().values("connection_id")
    return list(due.annotate(first=Min("next_try_at")).order_by("first").values_list("connection_id", flat=True))
