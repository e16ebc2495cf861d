"""Where helpdesks send their webhooks: `/hooks/VENDOR/CONNECTION_ID`. No session, no member: each proves itself.

`HooksFirst` serves them ahead of Django, which would put a large body into a temporary file before anybody is asked. Hooks
that arrive while others are being stored wait and are stored together, in one transaction, by one thread: however many arrive
at once, the database sees one writer. More than fits is refused with 503, which every helpdesk sends again, so memory stays
bounded. `hook` answers the same where the product is served without it.
"""

import asyncio
import json
import logging
import re
import time
import uuid
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from http import HTTPStatus

from django.db import DatabaseError, connections
from django.http import HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from kombu.exceptions import OperationalError

from agents import work
from helpdesk.actions import receipts
from helpdesk.actions.receipts import Answer, Hook
from helpdesk.tasks import follow_hooks

MOST_BYTES = 1_000_000  # of one body
BODY_SECONDS = 10  # that a body may take to arrive
MOST_HELD = 32_000_000  # bytes of all bodies that are arriving or waiting
MOST_WAITING = 2_000  # hooks
AT_ONCE = 250  # that one transaction stores
GATHER = 0.01  # seconds in which others may join: a transaction costs much the same for one as for ten
MESSAGE_EVERY = 1.0  # seconds, for each connection
ADDRESS = re.compile(r"/hooks/([a-z]+)/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

TOO_LARGE = Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"error": f"A body has at most {MOST_BYTES // 1_000_000} MB."})
TOO_SLOW = Answer(HTTPStatus.REQUEST_TIMEOUT, {"error": "The body did not arrive in time."})
OVERLOADED = Answer(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "Too much at once. Send it again in a moment."})
NOT_ALLOWED = Answer(HTTPStatus.METHOD_NOT_ALLOWED, {"error": "Hooks are sent by POST."})
# Some helpdesks try an address before they take it: https://developers.intercom.com/docs/webhooks/setting-up-webhooks
REACHED = Answer(HTTPStatus.OK, {})

FURTHER = {HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "2"}, HTTPStatus.METHOD_NOT_ALLOWED: {"Allow": "POST, HEAD"}}

log = logging.getLogger(__name__)


@csrf_exempt
def hook(request, vendor, connection_id):
    """One webhook, answered by Django itself."""
    if request.method != "POST":
        answer = without_body(request.method)
    elif int(request.META.get("CONTENT_LENGTH") or 0) > MOST_BYTES:
        answer = TOO_LARGE
    else:
        headers = {name.lower(): value for name, value in request.headers.items()}
        body = request.read(MOST_BYTES + 1)
        came = Hook(vendor, connection_id, body, headers)
        answer = TOO_LARGE if len(body) > MOST_BYTES else receipts.receive([came])[0]
        if answer.owed:
            work.start_soon(follow_hooks, str(answer.owed))
    further = FURTHER.get(answer.status, {})
    if request.method == "HEAD":
        return HttpResponse(status=answer.status, headers=further)
    return JsonResponse(answer.body, status=answer.status, headers=further)


def without_body(method: str) -> Answer:
    return REACHED if method == "HEAD" else NOT_ALLOWED


class Refused(Exception):
    """The body is not taken; `answer` says why."""

    def __init__(self, answer: Answer):
        super().__init__()
        self.answer = answer


class Gone(Exception):
    """Whoever sent it has hung up."""


class HooksFirst:
    """An ASGI application that answers webhooks and hands everything else to `application`."""

    def __init__(self, application):
        self.application = application
        self.n_held = 0
        self.waiting: list[tuple[Hook, asyncio.Future[Answer]]] = []
        self.storing: asyncio.Task | None = None
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="hooks")
        self.messenger = ThreadPoolExecutor(1, thread_name_prefix="hooks-message")
        self.message: Future | None = None
        self.messaged: dict[uuid.UUID, float] = {}

    async def __call__(self, scope, receive, send):
        address = ADDRESS.fullmatch(scope["path"]) if scope["type"] == "http" else None
        if address is None:
            await self.application(scope, receive, send)
            return
        try:
            answer = await self._answer(scope, receive, address[1], uuid.UUID(address[2]))
        except Gone:
            return
        if (
            answer.status >= HTTPStatus.BAD_REQUEST
        ):  # what was taken has a receipt; of this there is nothing else to find
            log.info("%s %s %s", scope["method"], scope["path"], answer.status.value)
        body = b"" if scope["method"] == "HEAD" else json.dumps(answer.body).encode()
        headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Cache-Control": "no-store"}
        headers |= FURTHER.get(answer.status, {})
        told = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status.value, "headers": told})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope, receive, vendor, connection_id) -> Answer:
        if scope["method"] != "POST":
            return without_body(scope["method"])
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        if length.isdecimal() and int(length) > MOST_BYTES:
            return TOO_LARGE  # what is still coming is thrown away by the server, piece by piece
        held_before = self.n_held
        if held_before >= MOST_HELD or len(self.waiting) >= MOST_WAITING:
            return OVERLOADED
        parts: list[bytes] = []
        try:
            async with asyncio.timeout(BODY_SECONDS):
                await self._gather(receive, parts)
            return await self._stored(Hook(vendor, connection_id, b"".join(parts), headers))
        except Refused as refused:
            return refused.answer
        except TimeoutError:
            return TOO_SLOW
        finally:
            self.n_held -= sum(map(len, parts))

    async def _gather(self, receive, parts) -> None:
        """Read the body into `parts`. Raises Refused, Gone."""
        size, is_more = 0, True
        while is_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Gone
            part, is_more = message.get("body", b""), message.get("more_body", False)
            size += len(part)
            if size > MOST_BYTES:
                raise Refused(TOO_LARGE)
            if self.n_held + len(part) > MOST_HELD:
                raise Refused(OVERLOADED)
            self.n_held += len(part)
            parts.append(part)

    async def _stored(self, hook: Hook) -> Answer:
        """The answer, once the receipt is stored together with those of others that wait."""
        answered = asyncio.get_running_loop().create_future()
        self.waiting.append((hook, answered))
        if self.storing is None:
            self.storing = asyncio.create_task(self._store())
        return await answered

    async def _store(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self.waiting:
                await asyncio.sleep(GATHER)
                batch, self.waiting = self.waiting[:AT_ONCE], self.waiting[AT_ONCE:]
                answers = await loop.run_in_executor(self.thread, received, [hook for hook, _ in batch])
                for (_, answered), answer in zip(batch, answers, strict=True):
                    if not answered.done():  # whoever waited for it may be gone
                        answered.set_result(answer)
                self._tell_workers({answer.owed for answer in answers if answer.owed})
        finally:
            self.storing = None

    def _tell_workers(self, owed: set[uuid.UUID]) -> None:
        """One message a burst: whatever comes without one is found by the clock, or by the worker that is at it."""
        if self.message is not None and not self.message.done():
            return
        now = time.monotonic()
        self.messaged = {pk: at for pk, at in self.messaged.items() if now - at < MESSAGE_EVERY}
        due = owed - self.messaged.keys()
        if due:
            self.messaged |= dict.fromkeys(due, now)
            self.message = self.messenger.submit(tell_workers, due)


def received(hooks: list[Hook]) -> list[Answer]:
    """As `receipts.receive`, in a thread of its own, which keeps its connection to the database for as long as that works.

    A database that does not answer now is a hook to be sent again.
    """
    try:
        return receipts.receive(hooks)
    except Exception as error:  # whatever it is, nobody waits for ever; its words may be somebody's
        log.error("Hooks could not be stored: %s", type(error).__name__)
        connections.close_all()
        return [OVERLOADED if isinstance(error, DatabaseError) else receipts.BROKEN] * len(hooks)


def tell_workers(owed: Iterable[uuid.UUID]) -> None:
    try:
        for pk in owed:
            follow_hooks.apply_async([str(pk)], expires=5)
    except OperationalError:
        log.warning("The queue cannot be reached; the clock finds what hooks owe.")
