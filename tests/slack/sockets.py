"""Socket Mode's side of Slack (https://docs.slack.dev/apis/events-api/using-socket-mode): connections and envelopes."""

import json
import logging
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from tests.slack.deliveries import PATIENCE, Answer, is_action

if TYPE_CHECKING:
    from tests.slack.world import App

ACK_SECONDS = 3.0  # what is not acknowledged by then is told again


@dataclass
class _Envelope:
    acked: threading.Event = field(default_factory=threading.Event)
    acks: int = 0
    payload: dict | None = None


class _Connection(ServerConnection):
    """One that can go dead as a network does: it stays open, and nothing comes any more."""

    is_dead = False

    def send_data(self) -> None:
        if self.is_dead:
            list(self.protocol.data_to_send())
        else:
            super().send_data()


class Sockets:
    """Every connection that is open. A ticket opens one, once."""

    def __init__(self) -> None:
        self.lock = threading.Condition()
        self.tickets: dict[str, str] = {}  # ticket → app id
        self.open: list[tuple[str, _Connection]] = []
        self.opened = 0  # how many there ever were
        self.envelopes: dict[str, _Envelope] = {}
        self._server: Server | None = None

    def ticket(self, app_id: str) -> str:
        """An address to connect to."""
        with self.lock:
            if self._server is None:
                quiet = logging.getLogger("tests.slack.sockets")
                quiet.setLevel(logging.CRITICAL)
                self._server = serve(
                    self._hold, "127.0.0.1", 0, logger=quiet, ping_interval=None, create_connection=_Connection
                )
                threading.Thread(target=self._server.serve_forever, daemon=True).start()
            ticket = uuid4().hex
            self.tickets[ticket] = app_id
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link/?ticket={ticket}&app_id={app_id}"

    def of(self, app: "App") -> list[_Connection]:
        with self.lock:
            return [connection for app_id, connection in self.open if app_id == app.app_id]

    def wait_for(self, app: "App", count: int = 1, seconds: float = PATIENCE) -> None:
        """Until the app holds exactly that many connections, which may be none; fails where it does not."""
        deadline = time.monotonic() + seconds
        with self.lock:
            while sum(app_id == app.app_id for app_id, _ in self.open) != count:
                assert self.lock.wait(deadline - time.monotonic()), f"{app.app_id} does not hold {count} connections"

    def deliver(self, app: "App", payload: dict, *, retry_num: int = 0, envelope_id: str | None = None) -> Answer:
        """Tell the app over its newest connection. The answer's status is 200 where it acknowledged, else 0."""
        kind = "interactive" if is_action(payload) else "events_api"
        name = envelope_id or str(uuid4())
        told = {
            "type": kind,
            "envelope_id": name,
            "payload": payload,
            "accepts_response_payload": kind == "interactive",
        }
        if kind == "events_api":
            told |= {"retry_attempt": retry_num, "retry_reason": "timeout" if retry_num else ""}
        waiting = self.envelopes.setdefault(name, _Envelope())
        waiting.acked.clear()
        began = time.monotonic()
        try:
            connection = self._newest(app, began + PATIENCE)
            connection.send(json.dumps(told))
        except (TimeoutError, ConnectionClosed):
            return Answer(0, b"", time.monotonic() - began)
        is_acked = waiting.acked.wait(ACK_SECONDS)
        body = json.dumps(waiting.payload).encode() if waiting.payload else b""
        return Answer(200 if is_acked else 0, body if is_acked else b"", time.monotonic() - began)

    def refresh(self, app: "App", reason: str = "refresh_requested") -> None:
        """Slack asks for new connections in place of these: "warning" comes some seconds before, then they are closed."""
        for connection in self.of(app):
            self._send(connection, {"type": "disconnect", "reason": reason, "debug_info": {"host": "played"}})
            if reason != "warning":
                connection.close()

    def cut(self, app: "App") -> None:
        """The connections break without a word."""
        for connection in self.of(app):
            connection.socket.shutdown(socket.SHUT_RDWR)

    def lose_network(self, app: "App") -> None:
        """The connections stay, and nothing comes over them any more, not even the answer to a ping."""
        for connection in self.of(app):
            connection.is_dead = True

    def close(self) -> None:
        if self._server is not None:
            for _, connection in list(self.open):
                connection.socket.shutdown(socket.SHUT_RDWR)
            self._server.shutdown()

    def _newest(self, app: "App", deadline: float) -> _Connection:
        with self.lock:
            while not (held := [each for app_id, each in self.open if app_id == app.app_id]):
                if not self.lock.wait(max(0.0, deadline - time.monotonic())):
                    raise TimeoutError
        return held[-1]

    def _hold(self, connection: _Connection) -> None:
        """One connection, until it ends."""
        ticket = parse_qs(urlsplit(connection.request.path).query).get("ticket", [""])[0]
        app_id = self.tickets.pop(ticket, "")
        if not app_id:
            return connection.close(1008, "link_disabled")
        self._send(connection, self._hello(app_id))
        held = (app_id, connection)
        with self.lock:
            self.open.append(held)
            self.opened += 1
            self.lock.notify_all()
        try:
            for message in connection:
                self._hear(json.loads(message))
        except ConnectionClosed:
            pass
        finally:
            with self.lock:
                self.open.remove(held)
                self.lock.notify_all()

    def _hear(self, message: dict) -> None:
        waiting = self.envelopes.get(message.get("envelope_id", ""))
        if waiting is not None:
            waiting.acks += 1
            waiting.payload = message.get("payload")
            waiting.acked.set()

    def _hello(self, app_id: str) -> dict:
        count = 1 + sum(held == app_id for held, _ in self.open)
        debug = {"host": "played", "build_number": 1, "approximate_connection_time": 18_060}
        return {
            "type": "hello",
            "num_connections": count,
            "connection_info": {"app_id": app_id},
            "debug_info": debug,
        }

    @staticmethod
    def _send(connection: ServerConnection, message: dict) -> None:
        with suppress(ConnectionClosed):
            connection.send(json.dumps(message))
