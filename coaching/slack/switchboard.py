"""One switchboard for what Slack tells, whichever way it came: by HTTP, signed, or through a socket that we opened.

Whatever is told is written down at once (`accept`) and followed by a worker later (`follow`).
"""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.breakages import log_where
from coaching.actions.slack import connections as connecting
from coaching.actions.slack import receipts
from coaching.models import SlackConnection, SlackPerson, SlackReceipt, SlackTrigger
from coaching.slack import clicks, direct, errors, events, incoming, losses, signature
from coaching.slack.following import Followed, Notice, Wait, tell, to_whom
from coaching.slack.incoming import Told
from coaching.slack.places import calls_bot, may_go_on

Mode = SlackConnection.Mode
OPENED_AGAIN = timedelta(seconds=3)  # who closed a form may open it again; a double click opens it once
GIVEN_UP_AFTER = timedelta(days=1)
FIRST, LAST = 1e9, 1e10  # Unix times that an action_ts can be

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answer:
    """What Slack is told: a status, and a body where it waits for one. `owed` is the receipt there is something to do for."""

    status: HTTPStatus
    body: dict[str, Any] | None = None
    owed: int | None = None


TAKEN = Answer(HTTPStatus.OK)
FORGED = Answer(HTTPStatus.UNAUTHORIZED, {"error": "The signature or its time is not right."})


def receive(raw: bytes, headers: Mapping[str, str], *, is_form: bool) -> Answer:
    """Answer a request by HTTP; header names in lower case. Nothing but its raw bytes proves it.

    The body is read for whose it says it is, and believed if the signature is of one who knows that secret. The door tells a
    worker of what is owed.
    """
    try:
        body = incoming.decoded(raw, is_form=is_form)
        team, app = incoming.origin(body)
        if body.get("type") == "url_verification":
            return _verified(body, raw, headers)
        named = SlackConnection.objects.connected().filter(team_id=team)
        if app:
            named = named.filter(Q(app_id=app) | Q(app_id=""))
        proven = [each for each in named if _is_from(_secret_of(each), raw, headers)] if team else []
        if proven:
            return accept(body, proven)
    except incoming.Malformed as fault:
        return Answer(HTTPStatus.BAD_REQUEST, {"error": str(fault)})
    # It may come from Slack all the same, and be of nobody who is connected.
    return TAKEN if _is_from(settings.SLACK_SIGNING_SECRET, raw, headers) else FORGED


def accept(body: dict[str, Any], connections: Iterable[SlackConnection]) -> Answer:
    """Keep what one of these connections was told, and answer at once: no network, one row at most.

    `connections` are those for which it was proven that Slack speaks. Whoever called tells a worker of `owed`; else the clock
    finds it within a second. Raises incoming.Malformed.
    """
    told = incoming.read(body)
    if told is None:
        return TAKEN
    here = [each for each in connections if each.team_id == told.team_id and _is_same_app(each.app_id, told.app_id)]
    if not here:
        return TAKEN
    trigger = SlackTrigger.objects.kept().filter(connection__in=here, channel_id=told.channel_id).first()
    connection = _whose(told, here, trigger)
    if not _concerns(told, connection, trigger):
        return TAKEN
    connecting.heard(connection)
    key, payload = told.key, {"channel": told.channel_id, "user": told.user_id, **told.facts}
    if told.kind != SlackReceipt.Kind.ACTION:
        owed = receipts.store(connection, kind=told.kind, key=key, type=told.type, payload=payload)
    else:
        pause = OPENED_AGAIN if told.type == "proposal_reject" else receipts.SWALLOWED_FOR
        at = _moment(told.facts["clicked_ts"])
        owed = receipts.store_click(
            connection, key=key, type=told.type, payload=payload, clicked_at=at, swallowed_for=pause
        )
    return Answer(HTTPStatus.OK, owed=owed)


def follow(receipt_id: str) -> str:
    """Claim a receipt and do what it asks. Returns the id of the turn that a worker is to answer now, "" where there is none.

    What is to be said to somebody is stored before it is sent, so that nothing is done twice where Slack cannot be reached
    just then. What cannot be followed within a day is given up.
    """
    receipt = work.claim(SlackReceipt.objects.all(), receipt_id)
    if receipt is None:
        return ""
    with contextlib.suppress(work.LeaseLost), work.holding(receipt):
        return _follow(receipt)
    return ""


def _follow(receipt) -> str:
    turn_id = ""
    try:
        facts = receipt.payload or {}
        if receipt.connection.state == SlackConnection.State.DISCONNECTED:
            _done(receipt, "The Slack workspace was disconnected.")
            return ""
        if "notice" not in facts:
            followed = _followed(receipt, facts)
            turn_id = followed.turn_id
            notice = followed.notice.stored() if followed.notice is not None else None
            # What was done is done: from here on only the notice is owed.
            work.keep(receipt, payload={"notice": notice}, outcome=followed.outcome)
        _tell(receipt)
    except Wait as wait:
        work.put_off(receipt, error="", pause=wait.pause, attempts=0, payload=wait.facts)
    except (errors.Throttled, errors.NobodyAnswers) as later:
        _again(receipt, later.sentence, timedelta(seconds=later.seconds))
    except errors.SlackError as fault:
        _again(receipt, fault.sentence)
    except work.LeaseLost:
        raise
    except Exception as error:
        _again(receipt, log_where(log, "Slack's receipt", error))
    return turn_id


def _followed(receipt, facts) -> Followed:
    """What came of it. Where Slack declines for good, whoever waits is told why."""
    try:
        return _handler(receipt.kind, receipt.type, facts)(receipt, facts)
    except errors.Declined as declined:
        return Followed("Slack declined.", notice=to_whom(facts, declined.sentence))


def _handler(kind: str, type: str, facts: dict[str, Any]) -> Callable[[SlackReceipt, dict[str, Any]], Followed]:
    if kind != SlackReceipt.Kind.EVENT:
        return clicks.follow
    if type not in ("message", "app_mention"):
        return losses.follow
    return direct.follow if facts["is_direct"] else events.follow


def _tell(receipt) -> None:
    """Send what somebody is to be told, and be done. A sentence that may have come is not sent again."""
    notice, outcome = receipt.payload["notice"], receipt.outcome
    try:
        if notice is not None:
            tell(receipt.connection, Notice.loaded(notice))
    except errors.Throttled:
        raise
    except errors.Unreachable as fault:
        if not fault.may_have_arrived:
            raise
        outcome = f"{outcome} {fault.sentence}"
    except errors.SlackError as fault:
        outcome = f"{outcome} They could not be told: {fault.sentence}"
    _done(receipt, outcome)


def _done(receipt, outcome: str) -> None:
    work.settle(receipt, done_at=timezone.now(), payload=None, outcome=outcome[: receipts.LONGEST_OUTCOME])


def _again(receipt, error: str, pause: timedelta | None = None) -> None:
    if timezone.now() - receipt.received_at < GIVEN_UP_AFTER:
        work.put_off(receipt, error=error, pause=pause)
        return
    outcome = f"Given up: {error}"[: receipts.LONGEST_OUTCOME]
    work.give_up(receipt, error=error, done_at=timezone.now(), payload=None, outcome=outcome)


def _is_same_app(known: str, told: str) -> bool:
    """An app that one of the two does not name is told apart by its secret alone."""
    return not known or not told or known == told


def _verified(body, raw, headers) -> Answer:
    """Slack asks whether an address is ours: https://docs.slack.dev/reference/events/url_verification."""
    own = SlackConnection.objects.connected().exclude(signing_secret="").values_list("signing_secret", flat=True)
    if not any(_is_from(secret, raw, headers) for secret in (settings.SLACK_SIGNING_SECRET, *own)):
        return FORGED
    challenge = body.get("challenge")
    if not isinstance(challenge, str):
        raise incoming.Malformed("The challenge is missing.")
    return Answer(HTTPStatus.OK, {"challenge": challenge})


def _secret_of(connection: SlackConnection) -> str:
    """What its app signs with; an app of one's own without a secret is heard through a socket only."""
    return settings.SLACK_SIGNING_SECRET if connection.mode == Mode.INSTALLED else connection.signing_secret


def _is_from(secret: str, raw, headers) -> bool:
    return signature.is_right(raw, headers, secret, time.time())


def _whose(told: Told, here: list[SlackConnection], trigger) -> SlackConnection:
    """Several workspaces of ours may be connected to one of Slack's: the channel says whose it is, or else the person."""
    if trigger is not None:
        return next(each for each in here if each.pk == trigger.connection_id)
    if told.facts.get("is_direct"):
        known = SlackPerson.objects.filter(connection__in=here, user_id=told.user_id, member__isnull=False)
        theirs = set(known.values_list("connection", flat=True))
        here = sorted(here, key=lambda each: each.pk not in theirs)
    return min(here, key=lambda each: not each.is_active)


def _concerns(told: Told, connection: SlackConnection, trigger) -> bool:
    """Whether it is kept at all. What people say to each other is not."""
    if told.type in ("message", "app_mention"):
        to_us = told.facts["is_direct"] or told.facts["is_mention"]
        if not to_us and trigger is not None:
            to_us = calls_bot(told.facts["text"], connection) or _goes_on(told, connection)
        return to_us and told.user_id != connection.bot_user_id
    if told.type in ("member_joined_channel", "member_left_channel"):
        return told.user_id == connection.bot_user_id
    return True


def _goes_on(told: Told, connection: SlackConnection) -> bool:
    return bool(told.facts["thread_ts"]) and may_go_on(connection, {"channel": told.channel_id, **told.facts})


def _moment(clicked_ts: str) -> datetime:
    """When a button was clicked, by Slack's clock; now where it does not say."""
    try:
        seconds = float(clicked_ts)
    except ValueError:
        seconds = 0.0
    return datetime.fromtimestamp(seconds if FIRST < seconds < LAST else time.time(), UTC)
