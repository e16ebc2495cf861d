"""A model server on loopback for the tests: it speaks the Messages protocol and plays a script.

Each request takes the next play of the script; the last play is repeated. Requests are kept as they came.

    with serving([text("Hello."), status(529)]) as server:
        client = anthropic.Anthropic(api_key="key", base_url=server.url, max_retries=0)
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from coaching.practice import wire

Play = Callable[["Handler"], None]


class ModelServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, plays: list[Play]):
        super().__init__(("127.0.0.1", 0), Handler)
        self.plays = plays
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.counting = threading.Lock()
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """One request; `asked` is its body, for the server's list also holds those of others that came meanwhile."""

    server: ModelServer
    protocol_version = "HTTP/1.1"
    asked: dict[str, Any]

    def do_POST(self) -> None:
        self.asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        with self.server.counting:
            self.server.requests.append(self.asked)
            self.server.headers.append(dict(self.headers))
            number = len(self.server.requests)
        play = self.server.plays[min(number, len(self.server.plays)) - 1]
        try:
            play(self)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client hung up: what the play was about

    def begin(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

    def send(self, data: bytes) -> None:
        self.wfile.write(data)
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        pass  # the tests' output is for the tests


@contextmanager
def serving(plays: list[Play]) -> Iterator[ModelServer]:
    server = ModelServer(plays)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()


def event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()


def start(**usage: int) -> bytes:
    counted = {"input_tokens": 10, "output_tokens": 0, **usage}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "scripted", "content": []}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": counted})


def stop(reason: str | None, **usage: int) -> bytes:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 5, **usage}) + event("message_stop")


EMPTY_TEXT = {"type": "text", "text": ""}


def text_block(*pieces: str, index: int = 0) -> bytes:
    deltas = [
        event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece}) for piece in pieces
    ]
    begun = event("content_block_start", index=index, content_block=EMPTY_TEXT)
    return b"".join([begun, *deltas, event("content_block_stop", index=index)])


def tool_block(name: str, *pieces: str, index: int = 0, call: str = "toolu_1") -> bytes:
    """A tool call whose input comes as these pieces of JSON text."""
    deltas = [
        event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": piece})
        for piece in pieces
    ]
    block = {"type": "tool_use", "id": call, "name": name, "input": {}}
    begun = event("content_block_start", index=index, content_block=block)
    return b"".join([begun, *deltas, event("content_block_stop", index=index)])


def stream(*parts: bytes) -> Play:
    """These bytes, then the end of the response."""

    def play(handler: Handler) -> None:
        handler.begin()
        for part in parts:
            handler.send(part)

    return play


def text(*pieces: str, reason: str | None = "end_turn", **usage: int) -> Play:
    return stream(start(**usage), text_block(*pieces), stop(reason))


def calls(*given: tuple[str, dict[str, Any]], say: str = "") -> Play:
    """An answer that calls these tools, all in one round, after saying something."""
    parts = [start()]
    if say:
        parts.append(text_block(say))
    for number, (name, inputs) in enumerate(given, start=len(parts) - 1):
        parts.append(tool_block(name, json.dumps(inputs), index=number, call=f"toolu_{number}"))
    return stream(*parts, stop("tool_use"))


def reply(answer: Callable[[dict[str, Any]], wire.Reply]) -> Play:
    """What a function makes of the request."""

    def play(handler: Handler) -> None:
        whole = wire.message(
            answer(handler.asked),
            number=f"scripted{len(handler.server.requests)}",
            model="scripted",
            input_tokens=10,
        )
        stream(*wire.events(whole))(handler)

    return play


def status(code: int, kind: str = "api_error", message: str = "no", **headers: str) -> Play:
    """An error answer; header names are given with underscores."""

    def play(handler: Handler) -> None:
        body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("content-type", "application/json")
        handler.send_header("content-length", str(len(body)))
        handler.end_headers()
        handler.send(body)

    return play


def cut(*parts: bytes) -> Play:
    """These bytes of a longer response, then a connection that breaks."""

    def play(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.send_header("content-length", "1000000")
        handler.end_headers()
        for part in parts:
            handler.send(part)
        handler.close_connection = True

    return play


def stall(*parts: bytes, ping_seconds: float | None = None) -> Play:
    """These bytes, then nothing, or nothing but pings, until the client hangs up or the test is over."""

    def play(handler: Handler) -> None:
        handler.begin()
        for part in parts:
            handler.send(part)
        while not handler.server.closing.wait(ping_seconds or 0.05):
            if ping_seconds:
                handler.send(event("ping"))

    return play


def slowly(pieces: list[str], *, seconds: float) -> Play:
    """A text whose pieces come one by one, this far apart."""

    def play(handler: Handler) -> None:
        handler.begin()
        handler.send(start())
        handler.send(event("content_block_start", index=0, content_block=EMPTY_TEXT))
        for piece in pieces:
            handler.send(event("content_block_delta", index=0, delta={"type": "text_delta", "text": piece}))
            time.sleep(seconds)
        handler.send(event("content_block_stop", index=0) + stop("end_turn"))

    return play


def replay(exchanges: list[dict[str, Any]]) -> list[Play]:
    """Recorded answers in their order, from a file of `record_exchange` or in its form; the requests are not compared.

    An answer that was recorded whole, as one message, is streamed as a service would stream it.
    """
    return [_replayed(each) for each in exchanges]


def _replayed(exchange: dict[str, Any]) -> Play:
    body = exchange["response_body"]
    if exchange["status"] >= 400:
        error = body.get("error", {}) if isinstance(body, dict) else {}
        headers = {name.replace("-", "_"): value for name, value in exchange.get("headers", {}).items()}
        headers.pop("content_type", None)
        return status(exchange["status"], error.get("type", "api_error"), error.get("message", ""), **headers)
    if isinstance(body, str):
        return (cut if exchange.get("cut") else stream)(body.encode())
    return stream(*_as_events(body))


def _as_events(whole: dict[str, Any]) -> Iterator[bytes]:
    begun = {**whole, "content": [], "stop_reason": None}
    yield event("message_start", message=begun)
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            yield text_block(block["text"], index=index)
        elif block["type"] == "tool_use":
            yield tool_block(block["name"], json.dumps(block["input"]), index=index, call=block["id"])
        else:
            yield event("content_block_start", index=index, content_block=block)
            yield event("content_block_stop", index=index)
    yield stop(whole["stop_reason"], output_tokens=whole["usage"]["output_tokens"])
