"""Where Slack's requests come in: who is believed, what is kept, and what Slack is told."""

import json
import time
from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from coaching.actions.slack import connections
from coaching.models import SlackConnection, SlackReceipt
from coaching.slack import incoming, switchboard
from coaching.tasks import forget_slack_receipts
from tests import factories
from tests.coaching.slack import sent
from tests.helpdesk.hooked import over_the_wire
from tests.serving import serving

PAYLOADS = configured.BASE_DIR.parent / "shared/data/connector-payloads/slack"
ENVIRONMENTS = "8f742231b10e8888abcd99yyyzzz85a5"  # signing secret of the app that a server has for all

pytestmark = pytest.mark.django_db


@pytest.fixture
def connection(workspace):
    return factories.slack_connection(workspace)


@pytest.fixture
def trigger(connection, agent):
    return factories.slack_trigger(connection, agent)


@pytest.fixture
def mention(connection, trigger):
    return sent.mention(connection, trigger.channel_id, "hello", user="U7", ts="1.5")


def post(client, raw, headers, path=sent.EVENTS, kind="application/json"):
    return client.generic("POST", path, raw, content_type=kind, headers=headers)


# --- What is believed --------------------------------------------------------------------------------------------------


def test_a_signed_mention_leaves_a_receipt_that_is_owed(client, connection, trigger, mention):
    answered = sent.send(client, mention, connection.signing_secret)

    assert (answered.status_code, answered.content) == (200, b"")
    receipt = SlackReceipt.objects.get()
    assert (receipt.kind, receipt.type, receipt.workspace_id) == ("event", "app_mention", connection.workspace_id)
    assert receipt.payload == {
        "channel": trigger.channel_id,
        "user": "U7",
        "text": f"<@{connection.bot_user_id}> hello",
        "ts": "1.5",
        "thread_ts": "",
        "is_mention": True,
        "is_direct": False,
    }
    assert SlackReceipt.objects.due().count() == 1


def test_when_slack_was_last_heard_is_noted(client, connection, mention):
    sent.send(client, mention, connection.signing_secret)

    connection.refresh_from_db()
    assert timezone.now() - connection.heard_at < timedelta(seconds=10)
    assert connection.version == 1


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Request-Timestamp": "now", "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": "٣", "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": "9" * 5_000, "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": "v0=\xe9"},
        {"X-Slack-Request-Timestamp": str(int(time.time())), "X-Slack-Signature": ""},
    ],
    ids=["none", "no time", "foreign digits", "endless", "wrong", "no letters", "empty"],
)
def test_without_the_right_signature_nothing_is_believed(client, mention, headers):
    answered = post(client, json.dumps(mention).encode(), headers)

    assert (answered.status_code, SlackReceipt.objects.count()) == (401, 0)


def test_a_signature_of_another_secret_body_or_version_is_refused(client, connection, mention):
    raw = json.dumps(mention).encode()
    right = sent.signed(raw, connection.signing_secret)

    answers = [
        post(client, raw, sent.signed(raw, "0" * 32)),
        post(client, raw + b" ", right),
        post(client, raw, right | {"X-Slack-Signature": right["X-Slack-Signature"].replace("v0=", "v1=")}),
        post(client, raw, right | {"X-Slack-Signature": right["X-Slack-Signature"].upper()}),
        post(client, raw, right | {"X-Slack-Request-Timestamp": str(int(time.time()) - 1)}),
    ]

    assert ([each.status_code for each in answers], SlackReceipt.objects.count()) == ([401] * 5, 0)


@pytest.mark.parametrize(("seconds", "status"), [(-320, 401), (-240, 200), (240, 200), (320, 401)])
def test_a_signature_holds_for_five_minutes_by_a_clock_that_is_ahead_or_behind(
    client, connection, mention, seconds, status
):
    raw = json.dumps(mention).encode()

    answered = post(client, raw, sent.signed(raw, connection.signing_secret, at=time.time() + seconds))

    assert (answered.status_code, SlackReceipt.objects.count()) == (status, status == 200)


def test_a_replay_within_the_window_is_answered_and_not_kept_again(client, connection, mention):
    raw = json.dumps(mention).encode()
    headers = sent.signed(raw, connection.signing_secret)

    assert [post(client, raw, headers).status_code for _ in range(3)] == [200] * 3
    assert SlackReceipt.objects.count() == 1


def test_retries_are_taken_like_first_deliveries(client, connection, mention):
    """The first may never have come, or its answer may not have."""
    for number in ("2", "1", "3"):
        headers = {"X-Slack-Retry-Num": number, "X-Slack-Retry-Reason": "http_timeout"}
        assert sent.send(client, mention, connection.signing_secret, **headers).status_code == 200

    assert SlackReceipt.objects.count() == 1


def test_an_app_of_ones_own_is_believed_by_its_own_secret_alone(client, settings, connection, mention):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS
    other = factories.slack_connection(connection.workspace)

    assert sent.send(client, mention, other.signing_secret).status_code == 401
    assert sent.send(client, mention, "").status_code == 401
    # Signed by the environment's app: it is Slack, but it speaks of somebody else.
    assert sent.send(client, mention, ENVIRONMENTS).status_code == 200
    assert SlackReceipt.objects.count() == 0


def test_an_installed_app_is_believed_by_the_environments_secret(client, settings, workspace, agent):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS
    installed = factories.slack_connection(workspace, mode=SlackConnection.Mode.INSTALLED, signing_secret="")
    trigger = factories.slack_trigger(installed, agent)

    assert sent.send(client, sent.mention(installed, trigger.channel_id, "hello"), ENVIRONMENTS).status_code == 200
    assert SlackReceipt.objects.get().connection == installed


def test_an_app_of_ones_own_without_a_secret_is_not_believed_by_the_environments(client, settings, workspace, agent):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS
    own = factories.slack_connection(workspace, signing_secret="", app_token="xapp-1")
    trigger = factories.slack_trigger(own, agent)

    sent.send(client, sent.mention(own, trigger.channel_id, "hello"), ENVIRONMENTS)

    assert SlackReceipt.objects.count() == 0


def test_without_any_secret_an_empty_one_opens_nothing(client, settings, workspace, agent):
    settings.SLACK_SIGNING_SECRET = ""
    installed = factories.slack_connection(workspace, mode=SlackConnection.Mode.INSTALLED, signing_secret="")
    trigger = factories.slack_trigger(installed, agent)

    assert sent.send(client, sent.mention(installed, trigger.channel_id, "hello"), "").status_code == 401


def test_of_two_workspaces_with_apps_of_their_own_only_the_one_that_was_told_hears(
    client, connection, trigger, stranger
):
    """Two apps in one Slack workspace, each of another of our workspaces; the channel is the first one's."""
    second = factories.slack_connection(stranger.workspace, team_id=connection.team_id)
    theirs = sent.mention(second, trigger.channel_id, "hello")

    assert sent.send(client, theirs, connection.signing_secret).status_code == 401
    assert sent.send(client, theirs, second.signing_secret).status_code == 200
    assert SlackReceipt.objects.get().connection == second


def test_what_is_disconnected_believes_nobody(client, connection, mention, owner):
    secret = connection.signing_secret
    connections.disconnect(connection, by=owner)

    assert sent.send(client, mention, secret).status_code == 401
    assert SlackReceipt.objects.count() == 0


def test_an_installed_app_that_was_disconnected_hears_nothing(client, settings, workspace, agent, owner):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS
    installed = factories.slack_connection(workspace, mode=SlackConnection.Mode.INSTALLED, signing_secret="")
    trigger = factories.slack_trigger(installed, agent)
    connections.disconnect(installed, by=owner)

    assert sent.send(client, sent.mention(installed, trigger.channel_id, "hello"), ENVIRONMENTS).status_code == 200
    assert SlackReceipt.objects.count() == 0


def test_a_connection_whose_secret_no_key_opens_believes_nobody(client, settings, connection, mention):
    secret = connection.signing_secret
    settings.FIELD_KEYS = ["aW5zdGVhZCBvZiB0aGUga2V5IGFub3RoZXIgb25lLi4="]

    assert sent.send(client, mention, secret).status_code == 401
    assert sent.send(client, mention, "").status_code == 401


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD", "PUT"])
def test_being_signed_in_makes_no_difference(client, owner, stranger, linked_member, method):
    """A hook is nobody's page: no session opens it, and none is begun."""
    answers = [client.generic(method, sent.ACTIONS, b"{}", content_type="application/json")]
    for member in (owner, stranger, linked_member):
        client.force_login(member.user)
        answers.append(client.generic(method, sent.ACTIONS, b"{}", content_type="application/json"))

    assert [each.status_code for each in answers] == [401 if method == "POST" else 405] * 4
    assert len({each.content for each in answers}) == 1
    assert not any("Set-Cookie" in each.headers for each in answers)


def test_no_token_against_forged_forms_is_asked_for(connection, mention):
    assert sent.send(Client(enforce_csrf_checks=True), mention, connection.signing_secret).status_code == 200


# --- Slack asks whether it is us ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("secret", ["own", "environment", "forged"])
def test_the_challenge_is_given_back_to_whoever_knows_one_of_the_secrets(client, settings, connection, secret):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS
    known = {"own": connection.signing_secret, "environment": ENVIRONMENTS, "forged": "0" * 32}
    body = {
        "token": "Jhj5",
        "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P",
        "type": "url_verification",
    }

    answered = sent.send(client, body, known[secret])

    if secret == "forged":
        assert (answered.status_code, b"3eZb" in answered.content) == (401, False)
    else:
        assert (answered.status_code, answered.json()) == (200, {"challenge": body["challenge"]})


# --- What is malformed, too much, or nothing we follow -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "kind", "raw"),
    [
        (sent.EVENTS, "application/json", b""),
        (sent.EVENTS, "application/json", b"{"),
        (sent.EVENTS, "application/json", b"[]"),
        (sent.EVENTS, "application/json", b"\xff\xfe"),
        (sent.EVENTS, "application/json", b"[" * 100_000),
        (sent.EVENTS, "application/json", b'{"team_id": {}, "type": "event_callback"}'),
        (sent.ACTIONS, "application/x-www-form-urlencoded", b"payload=%7B"),
        (sent.ACTIONS, "application/x-www-form-urlencoded", b"other=1"),
        (sent.ACTIONS, "application/x-www-form-urlencoded", b""),
        (sent.ACTIONS, "application/x-www-form-urlencoded", b"payload={}&payload={}"),
    ],
    ids=["empty", "half", "list", "bytes", "deep", "team", "half form", "other form", "empty form", "twice"],
)
def test_what_cannot_be_read_is_refused(client, path, kind, raw):
    assert post(client, raw, {}, path, kind).status_code == 400


@pytest.mark.parametrize(
    "change",
    [
        {"event": None},
        {"event": {"type": 7}},
        {"event_id": 7},
        {"event": {"type": "message", "channel": "C1", "user": "U1"}},
        {"event": {"type": "message", "channel": ["C1"], "user": "U1", "ts": "1.1"}},
        {"event": {"type": "message", "channel": "C1", "user": {"id": "U1"}, "ts": "1.1"}},
        {"event": {"type": "message", "channel": "C" * 300, "user": "U1", "ts": "1.1"}},
        {"event": {"type": "message", "channel": "C\u0000", "user": "U1", "ts": "1.1"}},
        {"event": {"type": "channel_archive"}},
    ],
    ids=str,
)
def test_what_is_not_as_slack_documents_it_is_refused(client, connection, mention, change):
    answered = sent.send(client, mention | change, connection.signing_secret)

    assert (answered.status_code, SlackReceipt.objects.count()) == (400, 0)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("declares", [True, False])
def test_a_body_of_more_than_a_megabyte_is_refused(client, connection, mention, declares):
    raw = json.dumps(mention | {"more": "x" * 1_000_001}).encode()
    headers = sent.signed(raw, connection.signing_secret)
    if declares:
        assert post(client, raw, headers).status_code == 413
    else:
        with serving() as place:
            assert over_the_wire(place, sent.EVENTS, iter([raw]), headers).status == 413  # in pieces, of unknown length
    assert SlackReceipt.objects.count() == 0


def test_a_body_just_below_a_megabyte_is_taken(client, connection, mention):
    raw = json.dumps(mention | {"more": ""}).encode()
    raw = json.dumps(mention | {"more": "x" * (1_000_000 - len(raw))}).encode()

    assert post(client, raw, sent.signed(raw, connection.signing_secret)).status_code == 200
    assert SlackReceipt.objects.count() == 1


@pytest.mark.parametrize(
    "body",
    [
        {"type": "view_closed"},
        {"type": "shortcut", "callback_id": "x"},
        {"type": "message_action"},
        {"type": "block_suggestion"},
        {"type": "something_new"},
        {"event": {"type": "reaction_added", "user": "U1"}},
        {"event": {"type": "app_home_opened"}},
        {"event": {"type": "message", "channel": "C1", "user": "U1", "ts": "1.1"}},
    ],
    ids=str,
)
def test_what_is_not_followed_is_answered_and_not_kept(client, connection, mention, body):
    named = {"team_id": connection.team_id, "api_app_id": connection.app_id}
    body = mention | body if "event" in body else named | body

    answered = sent.send(client, body, connection.signing_secret)

    assert (answered.status_code, answered.content, SlackReceipt.objects.count()) == (200, b"", 0)


def test_a_slack_workspace_that_nobody_connected_is_answered_and_not_kept(client, settings, connection, mention):
    settings.SLACK_SIGNING_SECRET = ENVIRONMENTS

    answered = sent.send(client, mention | {"team_id": "T0OTHER"}, ENVIRONMENTS)

    assert (answered.status_code, SlackReceipt.objects.count()) == (200, 0)


def test_what_cannot_be_stored_is_to_be_sent_again_and_says_nothing_of_what_it_was(
    client, connection, mention, monkeypatch, caplog
):
    def refuse(*_, **__):
        raise DatabaseError("hello")

    monkeypatch.setattr(SlackReceipt, "save", refuse)

    answered = sent.send(client, mention, connection.signing_secret)

    assert answered.status_code == 503
    assert "hello" not in caplog.text
    assert [record.message for record in caplog.records if record.name == "coaching.views.slack_hooks"] == [
        "Slack's request could not be kept: DatabaseError"
    ]


# --- As Slack really sends them ----------------------------------------------------------------------------------------


def payloads():
    """The recorded payloads, by name; none where they are not at hand."""
    return sorted(PAYLOADS.glob("*.json"))


@pytest.mark.skipif(not payloads(), reason="the recorded payloads of Slack are not beside this checkout")
@pytest.mark.parametrize("file", payloads(), ids=lambda file: file.stem)
def test_every_recorded_payload_is_answered_and_kept_only_where_it_is_followed(
    client, settings, workspace, agent, file
):
    """Each is told to a workspace that is connected to the very app and team it names, with a coach in the very channel."""
    body = json.loads(file.read_text())
    team, app = incoming.origin(body)
    connection = factories.slack_connection(
        workspace, team_id=team or "T111", app_id=app or "A111", bot_user_id="U0BOT"
    )
    channel = body.get("event", {}).get("channel")
    if isinstance(channel, str):
        factories.slack_trigger(connection, agent, channel_id=channel)

    answered = sent.send(client, body, connection.signing_secret)

    event = body.get("event", {})
    is_followed = event.get("type") in ("app_mention", "tokens_revoked", "app_uninstalled") and team != ""
    expected = 200 if team or body["type"] == "url_verification" else 401
    assert (answered.status_code, SlackReceipt.objects.count()) == (expected, int(is_followed))


# --- Two doors ---------------------------------------------------------------------------------------------------------


def test_the_same_event_by_http_and_by_a_socket_is_one(client, connection, mention):
    sent.send(client, mention, connection.signing_secret)

    answer = switchboard.accept(mention, [connection])

    assert (answer.status, answer.owed, SlackReceipt.objects.count()) == (200, None, 1)


def test_a_socket_is_believed_only_for_its_own_connections(connection, trigger, mention, stranger):
    other = factories.slack_connection(stranger.workspace)

    assert switchboard.accept(mention, [other]).owed is None
    assert switchboard.accept(mention, []).owed is None
    assert SlackReceipt.objects.count() == 0


def test_receipts_are_forgotten_a_month_after_they_were_followed(client, settings, connection, trigger):
    for n in range(3):
        sent.send(client, sent.mention(connection, trigger.channel_id, str(n)), connection.signing_secret)
    young, old, owed = SlackReceipt.objects.order_by("pk")
    for receipt, days in ((young, 29), (old, 31)):
        done_at = timezone.now() - timedelta(days=days)
        SlackReceipt.objects.filter(pk=receipt.pk).update(done_at=done_at, payload=None, next_try_at=None)
    SlackReceipt.objects.filter(pk=owed.pk).update(received_at=timezone.now() - timedelta(days=31))

    forget_slack_receipts()

    assert set(SlackReceipt.objects.all()) == {young, owed}
    assert forget_slack_receipts.name in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
