"""How Slack is called: once, without a second try, and with its failures as a family of ours (`coaching.slack.errors`).

Nothing is tried again in place. A message sent twice would stand there twice, and a pause that Slack asks for is waited for by
the row that owes the call, not by a thread. No word of a message goes into a log.
"""

import http.client
import logging
import re
from collections.abc import Mapping
from typing import Any
from urllib.error import URLError

from django.conf import settings
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from agents import outbound
from coaching.actions.slack import connections, paces
from coaching.models import SlackConnection
from coaching.slack import errors

TIMEOUT = 10  # seconds for an answer
DEFAULT_PAUSE = 10.0  # seconds, after "too many requests" that says no more
LONGEST_PAUSE = 3600.0
CODE = re.compile(r"[a-z0-9_]{1,80}")

# The SDK writes what it gets into its log, at ERROR too: nothing of that is to rest anywhere. Not one of the tree of loggers, for
# those are given back their levels whenever logging is configured.
silent = logging.Logger("slack_sdk.silent", logging.CRITICAL + 1)


def call(connection: SlackConnection, method: str, *, channel_id: str = "", **arguments: Any) -> dict[str, Any]:
    """What Slack answers to `method` ("chat.postMessage") with `arguments`, in the name of a stored connection.

    `channel_id` is sent as `channel`. While Slack wants to be left alone with this method there, or answers nobody, it is not
    called. A token that Slack refuses refuses the connection. Raises errors.SlackError. Not to be called inside a transaction.
    """
    leave = paces.ask_leave(connection, method, channel_id)
    if leave.seconds:
        raise errors.NobodyAnswers(leave.seconds) if leave.is_down else errors.Throttled(leave.seconds)
    place = {"channel": channel_id} if channel_id else {}
    try:
        answer = ask(connection.bot_token, method, **place, **arguments)
    except errors.Unreachable:
        paces.rest(connection)
        raise
    except errors.SlackError as error:  # an answer, too
        if leave.is_down:
            paces.go_on(connection)
        if isinstance(error, errors.Throttled):
            paces.block(connection, method, channel_id, error.seconds)
        elif isinstance(error, errors.Revoked):
            connections.refuse(connection, error.sentence)
        raise
    if leave.is_down:
        paces.go_on(connection)
    connections.spoke(connection)
    return dict(answer.data)  # type: ignore[arg-type]  # bytes are the answer to methods about files only


def ask(token: str, method: str, **arguments: Any) -> SlackResponse:
    """As `call`, by a token that need not be anybody's yet. The answer tells its headers too, such as `x-oauth-scopes`.

    Raises errors.SlackError.
    """
    slack = WebClient(
        token=token,
        base_url=settings.SLACK_API_URL,
        timeout=TIMEOUT,
        ssl=outbound.certificates(),
        retry_handlers=[],
        logger=silent,
    )
    try:
        return getattr(slack, method.replace(".", "_"))(**arguments)
    except SlackApiError as error:
        raise _failure(error.response) from None
    except URLError as error:  # while connecting or sending; what breaks after that is told raw
        cut = isinstance(error.reason, ConnectionError) and not isinstance(error.reason, ConnectionRefusedError)
        raise errors.Unreachable("Slack cannot be reached.", may_have_arrived=cut) from None
    except TimeoutError:
        raise errors.Unreachable("Slack did not answer in time.", may_have_arrived=True) from None
    except (OSError, http.client.HTTPException, UnicodeError, SlackClientError):
        raise errors.Unreachable("The connection to Slack broke off.", may_have_arrived=True) from None


def _failure(response: Any) -> errors.SlackError:
    """What went wrong, by the status and the word of an answer that is not ok."""
    if response.status_code == http.HTTPStatus.TOO_MANY_REQUESTS:
        return errors.Throttled(seconds(response.headers))
    code = response.get("error") if isinstance(response.data, dict) else None
    is_slacks = isinstance(code, str) and CODE.fullmatch(code) is not None  # and not a page of a proxy's
    if response.status_code >= http.HTTPStatus.INTERNAL_SERVER_ERROR or not is_slacks:
        return errors.Unreachable("Something broke at Slack.", may_have_arrived=True)
    return errors.of(str(code), seconds=seconds(response.headers))


def seconds(headers: Mapping[str, Any]) -> float:
    """How long Slack wants to be left alone: whole seconds, https://docs.slack.dev/apis/web-api/rate-limits."""
    told = {name.lower(): value for name, value in headers.items()}.get("retry-after")
    try:
        return min(max(int(str(told)), 1.0), LONGEST_PAUSE)
    except ValueError:
        return DEFAULT_PAUSE
