"""Socket Mode: what Slack tells comes over a connection that we open, so no public address is needed.

One client for each app-level token: the environment's and those of connections with an app of their own. Slack's own library
keeps the connections (https://docs.slack.dev/apis/events-api/using-socket-mode); what comes is taken by the same switchboard as
requests by HTTP, and acknowledged once it is stored. What was not, Slack sends again.
"""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from slack_sdk import WebClient
from slack_sdk.errors import SlackClientError
from slack_sdk.socket_mode.builtin import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from agents import outbound
from coaching.actions.slack import connections
from coaching.models import SlackConnection
from coaching.slack import client, errors, incoming, switchboard

LOOK_SECONDS = 3.0  # how soon a new token is listened to
# How often the other end is asked whether it is there: four silent ones and the connection is opened anew. A connection that
# Slack replaces is heard for as long as this at most before the new one is.
PING_SECONDS = 2.0
AT_ONCE = 4  # envelopes that one client takes at the same time
RECEIVED_BYTES = 65_536  # the library calls itself once for each of these that a message is long
PAUSE_SECONDS = 5.0  # before a connection is asked for again, after a failure
REFUSED_SECONDS = 60.0  # and after a refusal

REFUSAL = "Slack does not accept the app-level token (xapp-…). Connect again with a new one."
DECLINED = (
    "Slack does not let the app listen: Socket Mode has to be on, and the app-level token needs connections:write."
)

log = logging.getLogger(__name__)


def tokens() -> set[str]:
    """The app-level tokens there are."""
    own = SlackConnection.objects.connected().exclude(app_token="").values_list("app_token", flat=True)
    return {token for token in (settings.SLACK_APP_TOKEN, *own) if token}


def note_wanted() -> None:
    """Leave word whether there is a token, where `manage.py up` finds it without asking the database."""
    mark = Path(settings.SLACK_SOCKET_WANTED)
    if tokens():
        mark.touch()
    else:
        mark.unlink(missing_ok=True)


class Listener:
    """Listens with every token there is. `tell` is called with the id of each receipt there is something to do for."""

    def __init__(self, tell: Callable[[int], None]) -> None:
        self.tell = tell
        self.lines: dict[str, Line] = {}

    def run(self, ending: threading.Event) -> None:
        """Listen until `ending` is set, or no token is left."""
        try:
            while not ending.is_set():
                if not self.has_work():
                    log.info("No app-level token for Slack is left.")
                    note_wanted()
                    return
                ending.wait(LOOK_SECONDS)
        finally:
            self.end()

    def has_work(self) -> bool:
        """Look for tokens; False where none is left. Where they cannot be read it goes on with those it has."""
        try:
            self.look()
        except DatabaseError as error:
            log.warning("The tokens for Slack cannot be read now: %s", type(error).__name__)
            return True
        finally:
            close_old_connections()
        return bool(self.lines)

    def look(self) -> None:
        """Open a line for every new token, hang up those of tokens that are gone."""
        wanted = tokens()
        for token in set(self.lines) - wanted:
            self.lines.pop(token).close()
        for token in wanted - set(self.lines):
            self.lines[token] = Line(token, self.tell)
        for line in self.lines.values():
            line.open()

    def end(self) -> None:
        """Finish what is being taken. The connections end with the process; what was not acknowledged comes again."""
        for line in self.lines.values():
            line.auto_reconnect_enabled = False
            line.message_workers.shutdown()


class Line(SocketModeClient):
    """The connection of one app-level token, opened anew by the library whenever it ends."""

    def __init__(self, token: str, tell: Callable[[int], None]) -> None:
        super().__init__(
            app_token=token,
            web_client=WebClient(ssl=outbound.certificates(), logger=client.silent),
            logger=client.silent,  # it logs whole messages
            ping_interval=PING_SECONDS,
            receive_buffer_size=RECEIVED_BYTES,
            concurrency=AT_ONCE,
        )
        self.tell = tell
        self.not_before = 0.0  # by the steady clock
        self.failure = ""
        self.socket_mode_request_listeners.append(self.take)

    def open(self) -> None:
        """Connect for the first time; the library sees to it from then on."""
        if self.current_session is not None:
            return
        try:
            self.connect()
        except errors.SlackError:
            return  # said already; tried again at the next look
        log.info("Listening to Slack.")

    def connect(self) -> None:
        super().connect()
        # The library takes a connection for dead that was silent for four pings, but not one that was silent from the start.
        assert self.current_session is not None
        self.current_session.last_ping_pong_time = time.time()

    def issue_new_wss_url(self) -> str:
        """Where to connect to, once: https://docs.slack.dev/reference/methods/apps.connections.open.

        Raises errors.SlackError. After a failure it is not asked for again at once.
        """
        if time.monotonic() < self.not_before:
            raise errors.Unreachable(self.failure, may_have_arrived=False)
        try:
            address = client.ask(self.app_token, "apps.connections.open", app_token=self.app_token)["url"]
        except errors.SlackError as error:
            self._failed(error)
            raise
        if self.failure:
            log.info("Slack can be listened to again.")
        self.failure = ""
        return address

    def take(self, _: object, request: SocketModeRequest) -> None:
        """Store what an envelope holds, acknowledge it, then tell a worker. What could not be stored comes again."""
        close_old_connections()
        try:
            answer = self._stored(request.payload)
            try:
                self.send_socket_mode_response(SocketModeResponse(request.envelope_id, payload=answer.body))
            finally:
                if answer.owed is not None:
                    self.tell(answer.owed)
        except SlackClientError as error:
            log.info("What Slack sent is stored and could not be acknowledged: %s", type(error).__name__)
        except Exception as error:  # its words may hold what somebody wrote
            log.error("What Slack sent could not be stored: %s", type(error).__name__)
        finally:
            close_old_connections()

    def _stored(self, body: dict) -> switchboard.Answer:
        try:
            return switchboard.accept(body, self._connections(body))
        except incoming.Malformed as fault:
            log.warning("Slack sent something that is not as documented: %s", fault)
            return switchboard.TAKEN

    def _connections(self, body: dict) -> list[SlackConnection]:
        """Those that this token speaks for, in the Slack workspace that the body is about."""
        there = SlackConnection.objects.connected().filter(team_id=incoming.origin(body)[0])
        return [each for each in there if self._speaks_for(each)]

    def _speaks_for(self, connection: SlackConnection) -> bool:
        if connection.mode == SlackConnection.Mode.INSTALLED:
            return self.app_token == settings.SLACK_APP_TOKEN
        return self.app_token == connection.app_token

    def _failed(self, error: errors.SlackError) -> None:
        pause = PAUSE_SECONDS
        if isinstance(error, errors.Throttled):
            pause = error.seconds
        elif isinstance(error, errors.Revoked | errors.Declined):
            pause = REFUSED_SECONDS
            self._refuse(REFUSAL if isinstance(error, errors.Revoked) else DECLINED)
        self.not_before = time.monotonic() + pause
        if self.failure != error.sentence:
            log.warning("Cannot listen to Slack: %s", error.sentence)
        self.failure = error.sentence

    def _refuse(self, sentence: str) -> None:
        """Nobody there is heard any more, so the settings have to say so. The environment's token is the operator's matter."""
        for connection in SlackConnection.objects.active().filter(mode=SlackConnection.Mode.OWN):
            if connection.app_token == self.app_token:
                connections.refuse(connection, sentence)
        close_old_connections()
