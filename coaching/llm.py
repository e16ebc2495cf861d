"""The one door to the model: the coach, the summaries and the drafts all ask through `ask`.

With a key the official SDK speaks to the address of the connection. Without one the same SDK speaks to the
practice model through an in-process transport, so both take the same way through the code. Whatever goes wrong on
that way (refused, busy, cut, silent, malformed) leaves here as one small family of errors (`model_errors`), each with one
plain sentence for a leader. Nothing a model was sent or answered is ever logged, nor kept in an exception.
"""

import contextlib
import json
import queue
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import httpx2

from agents import outbound
from coaching import sdk
from coaching.model_errors import (
    AnswerBroken,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelStalled,
    ModelUnreachable,
    Stopped,
    TimeIsUp,
    cut,
    stalled,
    translate,
)
from coaching.practice.transport import PracticeTransport

if TYPE_CHECKING:
    import anthropic

__all__ = [
    "Answer", "AnswerBroken", "Connection", "ModelBusy", "ModelError", "ModelRefused", "ModelStalled", "ModelUnreachable",
    "Stopped", "TimeIsUp", "ToolCall", "Usage", "Watch", "ask", "clean", "client",
]  # fmt: skip

DEFAULT_MODEL = "claude-sonnet-5-5"
PRACTICE_MODEL = "practice"
ANTHROPIC = "https://api.anthropic.com"

CONNECT_SECONDS = 10.0
RETRIES = 2
RETRY_SECONDS = 1.0  # before the first retry, doubled before the next, when the server names no time
RETRY_CAP_SECONDS = 20.0  # the longest wait a server's retry-after can ask of us
TICK_SECONDS = 0.25  # how often a stop, a stall and the end of the time are looked for


@dataclass(frozen=True)
class Connection:
    """How to reach a model. Without a key the practice model answers; what else is empty has a default."""

    key: str = field(default="", repr=False)
    base_url: str = ""
    model: str = ""
    effort: str = ""  # low, medium, high, xhigh or max; empty: the model's own
    guarded: bool = False  # the address was typed into a page: it is checked on each connect

    @property
    def is_practice(self) -> bool:
        return not self.key

    @property
    def model_name(self) -> str:
        """The name of the model that answers."""
        return PRACTICE_MODEL if self.is_practice else self.model or DEFAULT_MODEL

    def request(self, **fields: Any) -> dict[str, Any]:
        """A Messages request to this model: its name and effort with these fields."""
        effort = {} if self.is_practice or not self.effort else {"output_config": {"effort": self.effort}}
        return {"model": self.model_name, **effort, **fields}


@dataclass
class Usage:
    """Tokens of one or more answers as the service told them; rounds counts the answers that began, latency_ms the time
    spent waiting, for those that never came too."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_creation_tokens: int = 0
    rounds: int = 0
    latency_ms: int = 0

    def add(self, other: "Usage") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))

    @property
    def total_tokens(self) -> int:
        return self.input_tokens + self.output_tokens + self.cache_read_tokens + self.cache_creation_tokens


@dataclass(frozen=True)
class ToolCall:
    """One tool call of an answer; `input` is None where what came was not one whole JSON object."""

    id: str
    name: str
    input: dict[str, Any] | None


@dataclass(frozen=True)
class Answer:
    """One whole answer: its blocks as they go back with the next request, and what the loop decides by."""

    content: list[dict[str, Any]]
    text: str
    calls: list[ToolCall]
    stop_reason: str | None
    usage: Usage


@dataclass(frozen=True)
class Watch:
    """What is looked at while waiting: `stall_seconds` without any part of an answer, `deadline` (time.monotonic())
    for the whole turn, and `should_stop`, called from the caller's own thread at most every TICK_SECONDS."""

    stall_seconds: float
    deadline: float
    should_stop: Callable[[], bool] = field(default=lambda: False)

    def remaining(self) -> float:
        return self.deadline - time.monotonic()

    def check(self) -> None:
        if self.should_stop():
            raise Stopped
        if self.remaining() <= 0:
            raise TimeIsUp("The coach ran out of time for this turn. Press Retry, or ask about a smaller part.")


def client(connection: Connection, *, witness: outbound.Witness | None = None) -> "anthropic.Anthropic":
    """A client for the model of a connection, to be closed by the caller; retries and timeouts are `ask`'s business.

    `witness` sees how each request to a server went.
    """
    if connection.is_practice:
        return sdk.load().Anthropic(
            api_key=PRACTICE_MODEL,
            base_url="http://practice.invalid",
            http_client=httpx2.Client(transport=PracticeTransport()),
            max_retries=0,
            open_telemetry=False,
        )
    return sdk.load().Anthropic(
        api_key=connection.key,
        base_url=connection.base_url or ANTHROPIC,
        http_client=outbound.client(outbound.certificates(), guarded=connection.guarded, witness=witness),
        max_retries=0,
        open_telemetry=False,
    )


def ask(
    client: "anthropic.Anthropic",
    request: dict[str, Any],
    *,
    watch: Watch,
    on_text: Callable[[str], None] = lambda text: None,
    count: Callable[[Usage], None] = lambda usage: None,
) -> Answer:
    """Stream one answer to a Messages request, giving each piece of text to `on_text` as it comes.

    `count` is given what each attempt used, once an attempt, however it ended: what was cut has been paid for too.

    A request that failed before any part of an answer came is tried again, up to RETRIES times, waiting as long as
    the server asks but never over RETRY_CAP_SECONDS. Raises ModelError, or Stopped.
    """
    for attempt in range(RETRIES + 1):
        reading = _Reading(client, request, watch)
        try:
            return reading.answer(on_text, count)
        except ModelError as error:
            if error.permanent or reading.begun or attempt == RETRIES or isinstance(error, (ModelStalled, TimeIsUp)):
                raise
            wait = RETRY_SECONDS * 2**attempt if error.retry_after is None else error.retry_after
            if wait > min(RETRY_CAP_SECONDS, watch.remaining()):
                raise
        _rest(wait, watch)
    raise AssertionError("the last attempt returns or raises")


def _rest(seconds: float, watch: Watch) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        watch.check()
        time.sleep(min(TICK_SECONDS, left))


class _Reading:
    """One attempt: a thread reads the stream into a queue, the caller's thread watches it.

    The SDK swallows pings, so a loop over its events can block for ever on a connection that pings and says nothing;
    and a silent one blocks it up to the read timeout, deaf to a stop. Reading elsewhere keeps the watch awake.
    """

    def __init__(self, client: "anthropic.Anthropic", request: dict[str, Any], watch: Watch):
        self.client = client
        self.request = request
        self.watch = watch
        self.begun = False
        self.usage = Usage()
        self.inbox: queue.SimpleQueue[str | Answer | Exception] = queue.SimpleQueue()
        self.response: httpx2.Response | None = None
        self.abandoned = False

    def answer(self, on_text: Callable[[str], None], count: Callable[[Usage], None]) -> Answer:
        self.watch.check()
        started = time.monotonic()
        threading.Thread(target=self._read, name="model-reader", daemon=True).start()
        try:
            return self._collect(on_text)
        except BaseException:
            self._hang_up()
            raise
        finally:
            self.usage.latency_ms = round((time.monotonic() - started) * 1000)
            count(self.usage)

    def _collect(self, on_text: Callable[[str], None]) -> Answer:
        text = _Text(on_text)
        last_sign = last_check = time.monotonic()
        while True:
            try:
                item = self.inbox.get(timeout=TICK_SECONDS)
            except queue.Empty:
                item = None
            now = time.monotonic()
            if item is None or now - last_check >= TICK_SECONDS:
                last_check = now
                self.watch.check()
            if item is None:
                if now - last_sign > self.watch.stall_seconds:
                    raise stalled()
                continue
            last_sign = now
            if isinstance(item, Exception):
                raise translate(item, begun=self.begun) from None
            if isinstance(item, Answer):
                text.flush()
                return item
            self.begun = True
            text.add(item)

    def _read(self) -> None:
        """Put a string for every event (its text, mostly empty), then the whole answer or the exception."""
        stall = self.watch.stall_seconds
        timeout = httpx2.Timeout(connect=CONNECT_SECONDS, read=stall, write=stall, pool=CONNECT_SECONDS)
        inputs: dict[int, str] = {}
        ended = False
        try:
            with self.client.messages.stream(**self.request, timeout=timeout) as stream:
                self.response = stream.response
                for event in stream:
                    if self.abandoned:
                        return
                    if event.type == "content_block_delta" and event.delta.type == "input_json_delta":
                        inputs[event.index] = inputs.get(event.index, "") + event.delta.partial_json
                    if event.type in ("message_start", "message_delta"):
                        self.usage = _counted(stream.current_message_snapshot.usage)
                        ended = stream.current_message_snapshot.stop_reason is not None
                    self.inbox.put(event.text if event.type == "text" else "")
                    if event.type == "message_stop":
                        ended = True
                        break
                # The SDK takes an early end of the stream for the end of the answer. A reason to stop comes after the last
                # block, so with it an answer is whole, whether the last event of all came or not.
                if not ended:
                    raise cut()
                self.inbox.put(_whole(stream.current_message_snapshot, inputs, self.usage))
        except Exception as error:  # whatever it is, the waiting thread translates it; none may die unheard here
            self.inbox.put(error)

    def _hang_up(self) -> None:
        """Wake the reader: closing a socket does not end a read another thread is blocked in, shutting it down does."""
        self.abandoned = True
        connection = self.response.extensions.get("network_stream") if self.response is not None else None
        raw = connection.get_extra_info("socket") if connection is not None else None
        if raw is not None:
            with contextlib.suppress(OSError):  # it is closed already: nothing is left to wake
                raw.shutdown(socket.SHUT_RDWR)


class _Text:
    """Gives text on as it comes, in a form every database takes: a pair of surrogates that was cut between two
    pieces is put together again, a lone one is replaced, NUL is dropped."""

    def __init__(self, give: Callable[[str], None]):
        self.give = give
        self.held = ""

    def add(self, piece: str) -> None:
        piece = self.held + piece
        self.held = ""
        if piece and "\ud800" <= piece[-1] <= "\udbff":
            piece, self.held = piece[:-1], piece[-1]
        self._send(piece)

    def flush(self) -> None:
        piece, self.held = self.held, ""
        self._send(piece)

    def _send(self, piece: str) -> None:
        if piece := clean(piece):
            self.give(piece)


def clean(value: Any) -> Any:
    """A model's text, or JSON value with text in it, without NUL and lone surrogates."""
    if isinstance(value, str):
        return value.replace("\x00", "").encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [clean(each) for each in value]
    if isinstance(value, dict):
        return {clean(key): clean(each) for key, each in value.items()}
    return value


def _counted(usage: Any) -> Usage:
    return Usage(
        input_tokens=usage.input_tokens or 0,
        output_tokens=usage.output_tokens or 0,
        cache_read_tokens=usage.cache_read_input_tokens or 0,
        cache_creation_tokens=usage.cache_creation_input_tokens or 0,
        rounds=1,
    )


def _whole(message: Any, inputs: dict[int, str], usage: Usage) -> Answer:
    content, texts, calls = [], [], []
    for index, block in enumerate(message.content):
        as_sent = clean(block.to_dict(warnings=False))
        as_sent.pop("parsed_output", None)
        if block.type == "text":
            if not as_sent.get("text"):
                continue  # an empty text block is answered, but refused when it is sent back
            texts.append(as_sent["text"])
        elif block.type == "tool_use":
            # The SDK parses as much of the JSON as came: half an input looks whole. Here it is read strictly.
            given = _strict(inputs.get(index, ""), otherwise=block.input)
            calls.append(ToolCall(id=block.id, name=block.name, input=given))
            as_sent["input"] = given or {}
        content.append(as_sent)
    return Answer(content=content, text="".join(texts), calls=calls, stop_reason=message.stop_reason, usage=usage)


def _strict(raw: str, *, otherwise: Any) -> dict[str, Any] | None:
    """The tool input in `raw`, or what the block began with where no piece of it was streamed."""
    if not raw:
        return clean(otherwise) if isinstance(otherwise, dict) else None
    try:
        value = json.loads(raw)
    except ValueError:
        return None
    return clean(value) if isinstance(value, dict) else None
