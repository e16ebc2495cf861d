"""An HTTP server that plays a vendor, and its weather: answers that are late, wrong, half, or none."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from helpdesk.vendors.contract import Credit
from tests.desks.world import Person, Talk, World


@dataclass
class Asked:
    """One request as it came; header names in lower case, a query's names with their last value, in `queries` with all."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    queries: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Weather:
    """What a request gets instead of an answer, `times` times, where `when` fits it."""

    play: Callable[["Handler"], None]
    times: int = 1
    when: Callable[[Asked], bool] = lambda asked: True


class Desk(ThreadingHTTPServer):
    """Plays a vendor. A subclass has

    - `vendor`, the name in the registry, and `credentials`, one for each of its fields, which `answer` insists on (else 401);
    - `answer()`: what the API answers. Lists come in pages of `page_size`, a few only, whatever page was asked for. A customer's
      words belong into the answers as well: the first turn of a talk is the comment of its rating too;
    - `webhook()`: what the vendor sends when a talk was rated, signed with credentials["webhook_secret"] or what it is called
      there;
    - `list_path`, how the path of its list of ratings ends, and `list_mark`, what stands in the bodies that ask for that list
      where others ask the same path; `has_cursors`, whether a page says where the next begins;
    - `linked`: an address of the vendor's own and where conversation 1001 of that account is opened;
    - `credit`, what the list of ratings says of the person it names, `tells_bots`, whether people are told from bots, and
      `dates_webhooks`, whether a signature is of a time.
    """

    vendor: str
    credentials: dict[str, str]
    page_size = 3
    list_path: str
    list_mark = ""
    has_cursors = True
    linked: tuple[str, str]
    credit: str = Credit.ASSIGNEE
    tells_bots = True
    dates_webhooks = True

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, world: World, port: int = 0):
        super().__init__(("127.0.0.1", port), Handler)
        self.world = world
        self.asked: list[Asked] = []
        self.weather: list[Weather] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def place(self) -> str:
        """What OUTBOUND_ALLOW has to hold."""
        return f"127.0.0.1:{self.server_address[1]}"

    def answer(self, asked: Asked) -> Answer:
        raise NotImplementedError

    def webhook(self, talk: Talk, at: datetime) -> tuple[bytes, dict[str, str]]:
        """(body, headers in lower case) of the event that this talk was rated, sent at a time."""
        raise NotImplementedError

    def person_id(self, person: Person) -> str:
        """What the vendor's client calls somebody of the world."""
        return person.id

    def credited(self, talk: Talk) -> tuple[str, str]:
        """(person, credit) as the list of ratings names them; ("", any) where it names nobody."""
        by_id = {person.id: person for person in self.world.people}
        return self.person_id(by_id[talk.answer.person]), self.credit

    def weather_for(self, asked: Asked) -> Weather | None:
        with self.lock:
            for weather in self.weather:
                if weather.times > 0 and weather.when(asked):
                    weather.times -= 1
                    return weather
        return None


class Handler(BaseHTTPRequestHandler):
    server: Desk
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for its second packet
    asked: Asked

    def serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        queries = parse_qs(parts.query, keep_blank_values=True)
        query = {name: values[-1] for name, values in queries.items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = raw.decode("utf-8", "replace")
        if raw and "json" in headers.get("content-type", ""):
            body = json.loads(raw)
        self.asked = Asked(self.command, parts.path, query, headers, body, queries)
        with self.server.lock:
            self.server.asked.append(self.asked)
        try:
            weather = self.server.weather_for(self.asked)
            if weather is not None:
                weather.play(self)
            else:
                self.send(self.server.answer(self.asked))
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client hung up

    do_GET = do_POST = serve  # noqa: N815 (the names that the base class calls)

    def send(self, answer: Answer) -> None:
        raw = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_raw(answer.status, raw, {"content-type": "application/json", **answer.headers})

    def send_raw(self, status: int, raw: bytes, headers: dict[str, str], *, told_length: int | None = None) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw) if told_length is None else told_length))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_) -> None:
        pass


# --- Weather -----------------------------------------------------------------------------------------------------------


def status(code: int, body: Any = None, **headers: str) -> Callable[[Handler], None]:
    """An error; `retry_after="30"` becomes the header Retry-After."""
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda handler: handler.send(Answer(code, body if body is not None else {"error": "no"}, told))


def web_page(handler: Handler) -> None:
    """HTML instead of JSON."""
    handler.send_raw(200, b"<!doctype html><title>Sign in</title>", {"content-type": "text/html"})


def half_a_page(handler: Handler) -> None:
    """The answer breaks off, though it says how long it is."""
    raw = json.dumps(handler.server.answer(handler.asked).body).encode()
    handler.send_raw(200, raw[: len(raw) // 2], {"content-type": "application/json"}, told_length=len(raw))
    handler.close_connection = True


def hang_up(handler: Handler) -> None:
    """No answer at all."""
    handler.close_connection = True
    handler.connection.close()


def redirect(address: str) -> Callable[[Handler], None]:
    return lambda handler: handler.send_raw(302, b"", {"location": address})


def slow(seconds: float) -> Callable[[Handler], None]:
    """The right answer, late."""

    def play(handler: Handler) -> None:
        time.sleep(seconds)
        handler.send(handler.server.answer(handler.asked))

    return play


@contextmanager
def serving(desk: Desk) -> Iterator[Desk]:
    """Let the desk answer for as long as the block runs."""
    thread = threading.Thread(target=desk.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield desk
    finally:
        desk.shutdown()
        desk.server_close()
        thread.join()
