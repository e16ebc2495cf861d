"""The server of a Slack that is played: its address, its weather, and what it was asked."""

import json
import socket
import threading
import time
from base64 import b64decode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

from tests.slack import methods
from tests.slack.asked import Asked, Refused
from tests.slack.deliveries import signed
from tests.slack.methods import METHODS
from tests.slack.sockets import Sockets
from tests.slack.weather import Paces, Spell, Throttled
from tests.slack.world import App, Channel, Team, User, new_id

OUTAGES = ("500", "hang", "refuse", "lost answer")


@dataclass
class Call:
    """One call as it came, and what it was answered: status 0 where no answer was given. `at` is of the clock on the wall."""

    method: str
    arguments: dict[str, Any]
    token: str
    at: float
    status: int = 0
    error: str = ""


@dataclass
class Code:
    """What somebody gets who installs the app, to be exchanged once."""

    app: App
    by: User | None
    is_used: bool = False


class Slack:
    """Plays Slack while it is entered. `is_strict_about_pace` has it refuse what is faster than its documented limits."""

    client_id, client_secret = "1.2", "played-client-secret"

    def __init__(self, port: int = 0, *, is_strict_about_pace: bool = False):
        self.port = port
        self.is_strict_about_pace = is_strict_about_pace
        self.page_size = 200  # of lists, at most
        self.trigger_seconds = 3.0  # how long a form may be opened after a click
        self.teams: list[Team] = []
        self.calls: list[Call] = []
        self.codes: dict[str, Code] = {}
        self.installs_into: Team | None = None  # what a browser gets that asks to install; None: the person declines
        self.spells: list[Spell] = []
        self.outage = ""
        self.clear = threading.Event()  # set while it is up: what hangs waits for it
        self.clear.set()
        self.lock = threading.RLock()
        self.paces = Paces()
        self.sockets = Sockets()
        self._triggers: dict[str, tuple[User, float, bool]] = {}
        self._listener: _Listener | None = None

    def __enter__(self) -> "Slack":
        self._listen()
        return self

    def __exit__(self, *_: object) -> None:
        self.clear.set()
        self._refuse()
        self.sockets.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/api/"

    @property
    def place(self) -> str:
        """What OUTBOUND_ALLOW has to hold for incoming webhooks."""
        return f"127.0.0.1:{self.port}"

    def add_team(self, name: str = "Acme", id: str = "", **app: Any) -> Team:
        """A team with one app in it: app_id, signing_secret, bot_token, app_token, name and scopes are the app's."""
        team = Team(self, name, id or new_id("T"))
        team.add_app(**({"name": "Touchline"} | app))
        self.teams.append(team)
        return team

    def grant(self, app: App, by: User | None = None) -> str:
        """The code that Slack brings back after somebody installed the app."""
        code = f"{uuid4().hex}.played"
        self.codes[code] = Code(app, by)
        return code

    def called(self, method: str) -> list[Call]:
        return [call for call in list(self.calls) if call.method == method]

    @staticmethod
    def signed(body: bytes, secret: str, at: float | None = None) -> dict[str, str]:
        return signed(body, secret, at)

    def trigger(self, user: User) -> str:
        """What a click brings along, with which one form can be opened, soon."""
        trigger_id = f"{uuid4().int % 10**12}.{uuid4().int % 10**12}.{uuid4().hex}"
        self._triggers[trigger_id] = (user, time.monotonic() + self.trigger_seconds, False)
        return trigger_id

    def exchange(self, trigger_id: str) -> User:
        if trigger_id not in self._triggers:
            raise Refused("invalid_trigger_id")
        user, until, is_used = self._triggers[trigger_id]
        if time.monotonic() > until:
            raise Refused("expired_trigger_id")
        if is_used:
            raise Refused("exchanged_trigger_id")
        self._triggers[trigger_id] = (user, until, True)
        return user

    # --- Weather ---------------------------------------------------------------------------------------------------------

    def fails(self, method: str, error: str, times: int | None = 1, channel: "Channel | None" = None) -> None:
        """The next calls are answered with 200 and `ok: false`."""
        self.spells.append(Spell(method, times, channel.id if channel else None, error=error))

    def throttles(self, method: str, seconds: int, times: int | None = 1, channel: "Channel | None" = None) -> None:
        self.spells.append(Spell(method, times, channel.id if channel else None, seconds=seconds))

    def loses_answers(self, method: str, times: int | None = 1, channel: "Channel | None" = None) -> None:
        """The next calls are done, and the connection breaks before the answer."""
        self.spells.append(Spell(method, times, channel.id if channel else None, loses_answer=True))

    def clears_up(self) -> None:
        """No more of fails(), throttles() and loses_answers()."""
        self.spells.clear()

    def goes_down(self, how: str = "500") -> None:
        """Until comes_up(). "500" and "hang" do nothing, "refuse" does not even listen, "lost answer" does what it is asked."""
        assert how in OUTAGES, how
        self.outage = how
        self.clear.clear()
        if how == "refuse":
            self._refuse()

    def comes_up(self) -> None:
        if self.outage == "refuse":
            self._listen()
        self.outage = ""
        self.clear.set()

    def note_pace(self, app: App, channel: Channel) -> None:
        if self.is_strict_about_pace:
            self.paces.note_post(app.app_id, channel.id)

    # --- Answers ---------------------------------------------------------------------------------------------------------

    def answer(self, call: Call) -> "Reply":
        spell = self._spell(call)
        if spell is not None and not spell.loses_answer:
            return _throttled(spell.seconds) if spell.seconds else Reply(body={"ok": False, "error": spell.error})
        try:
            with self.lock:
                reply = self._do(call)
        except Throttled as limited:
            return _throttled(limited.seconds)
        except Refused as refused:
            reply = Reply(body={"ok": False, "error": refused.error, **refused.more})
        reply.is_lost = spell is not None or self.outage == "lost answer"
        return reply

    def _do(self, call: Call) -> "Reply":
        if call.method == "oauth.v2.access":
            return Reply(body={"ok": True, **methods.oauth_v2_access(self, call.arguments)})
        if call.method == "apps.connections.open":
            return Reply(body={"ok": True, **methods.apps_connections_open(self, call.token)})
        if call.method not in METHODS:
            raise Refused("unknown_method", req_method=call.method)
        app = self._app(call.token)
        if self.is_strict_about_pace:
            self.paces.note_call(app.app_id, call.method)
        told = METHODS[call.method](Asked(self, app, call.arguments))
        return Reply(body={"ok": True, **told}, headers={"x-oauth-scopes": ",".join(app.scopes)})

    def _app(self, token: str) -> App:
        if not token:
            raise Refused("not_authed")
        for team in self.teams:
            for app in team.apps:
                if app.bot_token == token:
                    if app.is_revoked:
                        raise Refused("token_revoked")
                    return app
        raise Refused("invalid_auth")

    def _spell(self, call: Call) -> Spell | None:
        with self.lock:
            for spell in self.spells:
                if spell.fits(call.method, call.arguments):
                    spell.times = None if spell.times is None else spell.times - 1
                    return spell
        return None

    def authorized(self, query: dict[str, str]) -> str:
        """Where a browser is sent that asked to install the app."""
        brought = {"state": query.get("state", "")}
        if self.installs_into is None:
            brought["error"] = "access_denied"
        else:
            brought["code"] = self.grant(self.installs_into.app)
        return f"{query['redirect_uri']}?{urlencode(brought)}"

    def _listen(self) -> None:
        self._listener = _Listener(self)
        self.port = self._listener.server_address[1]

    def _refuse(self) -> None:
        if self._listener is not None:
            self._listener.end()
            self._listener = None


@dataclass
class Reply:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    is_lost: bool = False


def _throttled(seconds: int) -> Reply:
    return Reply(429, {"ok": False, "error": "ratelimited"}, {"Retry-After": str(seconds)})


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, slack: Slack):
        super().__init__(("127.0.0.1", slack.port), _Handler)
        self.slack = slack
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.shutdown()
        self.server_close()
        self.thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: _Listener
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def serve(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self.play(self.server.slack, raw)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    do_GET = do_POST = serve  # noqa: N815 (the names that the base class calls)

    def play(self, slack: Slack, raw: bytes) -> None:
        path, query = urlsplit(self.path).path, dict(parse_qsl(urlsplit(self.path).query))
        if path == "/oauth/v2/authorize":
            return self.send(302, b"", {"location": slack.authorized(query)})
        arguments = query | self.read(raw)
        method = "webhook" if path.startswith("/services/") else path.removeprefix("/api/")
        token = self.headers.get("authorization", "").removeprefix("Bearer ") or str(arguments.pop("token", ""))
        if token.startswith(
            "Basic "
        ):  # as the app itself, see https://docs.slack.dev/reference/methods/oauth.v2.access
            pair = b64decode(token.removeprefix("Basic ")).decode().split(":", 1)
            arguments |= dict(zip(("client_id", "client_secret"), pair, strict=True))
        call = Call(method, arguments, token, time.time())
        slack.calls.append(call)
        if slack.outage == "hang":
            slack.clear.wait()
            return self.hang_up()
        if slack.outage == "500":
            call.status = 500
            return self.send(500, b"<html><body>Server Error</body></html>", {"content-type": "text/html"})
        reply = self.webhook(slack, call, path) if method == "webhook" else slack.answer(call)
        if reply.is_lost:
            return self.hang_up()
        call.status = reply.status
        call.error = reply.body.get("error", "") if isinstance(reply.body, dict) else ""
        if isinstance(reply.body, str):
            return self.send(reply.status, reply.body.encode(), {"content-type": "text/html"} | reply.headers)
        kind = {"content-type": "application/json; charset=utf-8"}
        return self.send(reply.status, json.dumps(reply.body).encode(), kind | reply.headers)

    def webhook(self, slack: Slack, call: Call, path: str) -> Reply:
        spell = slack._spell(call)
        if spell is not None and not spell.loses_answer:
            return _throttled(spell.seconds) if spell.seconds else Reply(404, spell.error)
        with slack.lock:
            status, body = methods.webhook(slack, path, call.arguments)
        return Reply(status, body, is_lost=spell is not None or slack.outage == "lost answer")

    def read(self, raw: bytes) -> dict[str, Any]:
        if "json" in self.headers.get("content-type", ""):
            return json.loads(raw or b"{}")
        form: dict[str, Any] = dict(parse_qsl(raw.decode(), keep_blank_values=True))
        for name in ("blocks", "view", "metadata"):
            if isinstance(form.get(name), str):
                form[name] = json.loads(form[name])
        return form

    def hang_up(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def send(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        pass
