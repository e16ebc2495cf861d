"""Calling Slack: once, with every way to fail told apart, and nothing of a message in a log."""

import logging.config

import pytest

from coaching.actions.slack import connections
from coaching.models import SlackConnection, SlackPace
from coaching.slack import client, errors
from tests import factories
from tests.coaching.slack.worlds import answering

pytestmark = pytest.mark.django_db


@pytest.fixture
def team(slack):
    return slack.add_team()


@pytest.fixture
def connection(workspace, team):
    return factories.slack_connection(workspace, team_id=team.id, app_id=team.app_id, bot_token=team.bot_token)


@pytest.fixture
def post(connection, team):
    channel = team.add_channel("coaching")

    def post(text="Hello", **arguments):
        return client.call(connection, "chat.postMessage", channel_id=channel.id, text=text, **arguments)

    post.channel = channel
    return post


def test_an_answer_comes_back_and_it_is_noted_that_slack_took_something(connection, post):
    answer = post("A word", blocks=[])

    assert [message.text for message in post.channel.messages] == ["A word"]
    assert answer["ts"] == post.channel.messages[0].ts
    assert SlackConnection.objects.get().spoke_at is not None


def test_whoever_asks_with_a_bare_token_sees_what_it_may_do(team, connection):
    answer = client.ask(team.bot_token, "auth.test")

    assert (answer["team_id"], "chat:write" in answer.headers["x-oauth-scopes"]) == (team.id, True)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("channel_not_found", errors.ChannelLost),
        ("not_in_channel", errors.ChannelLost),
        ("is_archived", errors.ChannelLost),
        ("restricted_action_read_only_channel", errors.ChannelLost),
        ("message_not_found", errors.MessageGone),
        ("cant_update_message", errors.MessageGone),
        ("edit_window_closed", errors.MessageGone),
        ("cannot_reply_to_message", errors.MessageGone),
        ("msg_too_long", errors.TooLong),
        ("msg_blocks_too_long", errors.TooLong),
        ("invalid_blocks", errors.TooLong),
        ("fatal_error", errors.Broken),
        ("internal_error", errors.Broken),
        ("ratelimited", errors.Throttled),
        ("missing_scope", errors.Declined),
        ("something_of_next_year", errors.Declined),
    ],
)
def test_a_no_with_status_200_is_told_by_its_word(slack, post, code, kind):
    slack.fails("chat.postMessage", code)

    with pytest.raises(errors.SlackError) as raised:
        post()

    assert type(raised.value) is kind
    assert raised.value.sentence.endswith(".")
    assert SlackConnection.objects.get().is_active


def test_a_word_that_nobody_knows_is_told_as_it_is(slack, post):
    slack.fails("chat.postMessage", "something_of_next_year")

    with pytest.raises(errors.Declined, match="something_of_next_year") as raised:
        post()

    assert raised.value.code == "something_of_next_year"


@pytest.mark.parametrize("code", ["token_revoked", "account_inactive", "invalid_auth", "not_authed", "token_expired"])
def test_a_token_that_is_refused_refuses_the_connection_with_a_sentence(slack, connection, post, code):
    slack.fails("chat.postMessage", code)

    with pytest.raises(errors.Revoked):
        post()

    stored = SlackConnection.objects.get()
    assert (stored.state, stored.state_reason) == (SlackConnection.State.REFUSED, errors.REVOKED[code])


def test_a_connection_that_was_made_anew_is_not_refused_for_its_old_token(slack, workspace, connection, team, owner):
    old = SlackConnection.objects.get()
    identity = connections.Identity(team.id, team.name, team.app_id, team.bot_user_id, team.bot_id)
    connections.connect(
        workspace, identity, mode="own", bot_token="xoxb-new", signing_secret="0" * 32, app_token="", by=owner
    )
    slack.fails("auth.test", "token_revoked")

    with pytest.raises(errors.Revoked):
        client.call(old, "auth.test")

    assert SlackConnection.objects.get().is_active


def test_a_pause_that_slack_asks_for_is_kept_without_asking_again(slack, post, team, connection):
    other = team.add_channel("other")
    slack.throttles("chat.postMessage", 30, times=1)

    with pytest.raises(errors.Throttled) as first:
        post()
    with pytest.raises(errors.Throttled) as second:
        post()
    client.call(connection, "chat.postMessage", channel_id=other.id, text="Elsewhere")
    client.call(connection, "users.info", user=team.bot_user_id)

    assert (first.value.seconds, 29 < second.value.seconds <= 30) == (30, True)
    assert [call.status for call in slack.called("chat.postMessage")] == [429, 200]


def test_methods_that_are_not_counted_by_channel_pause_everywhere(slack, connection, team):
    here, there = team.add_channel("here"), team.add_channel("there")
    slack.throttles("conversations.info", 30, times=1)

    for channel in (here, there):
        with pytest.raises(errors.Throttled):
            client.call(connection, "conversations.info", channel_id=channel.id)

    assert len(slack.called("conversations.info")) == 1


@pytest.mark.parametrize(
    ("how", "may_have_arrived"), [("refuse", False), ("500", True), ("hang", True), ("lost answer", True)]
)
def test_an_outage_is_told_and_whether_something_may_have_arrived(slack, post, monkeypatch, how, may_have_arrived):
    monkeypatch.setattr(client, "TIMEOUT", 0.2)
    slack.goes_down(how)

    with pytest.raises(errors.Unreachable) as raised:
        post()

    assert raised.value.may_have_arrived is may_have_arrived
    assert len(post.channel.messages) == (how == "lost answer")


def test_while_nobody_answers_one_tries_for_all_and_its_success_frees_the_others(slack, connection, post):
    slack.goes_down("500")
    with pytest.raises(errors.Unreachable):
        post()
    with pytest.raises(errors.NobodyAnswers):
        post()
    slack.comes_up()
    SlackPace.objects.filter(method=SlackPace.ANY).update(blocked_until=connection.created_at)

    post("First")
    post("Second")

    assert [call.status for call in slack.called("chat.postMessage")] == [500, 200, 200]


def test_a_no_is_an_answer_too(slack, connection, post):
    slack.goes_down("500")
    with pytest.raises(errors.Unreachable):
        post()
    slack.comes_up()
    SlackPace.objects.filter(method=SlackPace.ANY).update(blocked_until=connection.created_at)
    slack.fails("chat.postMessage", "msg_too_long")
    with pytest.raises(errors.TooLong):
        post()

    post("Shorter")

    assert [message.text for message in post.channel.messages] == ["Shorter"]


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>Sign in to the proxy</p>", errors.Unreachable),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"ok\": tr", errors.Unreachable),
        (b"HTTP/1.1 403 Forbidden\r\ncontent-type: text/html\r\n\r\n<p>No</p>", errors.Unreachable),
        (b"HTTP/1.1 503 Busy\r\n\r\n{\"ok\": false, \"error\": \"service_unavailable\"}", errors.Unreachable),
        (b"SSH-2.0-OpenSSH_9.2\r\n", errors.Unreachable),
        (b"HTTP/1.1 429 Slowly\r\nretry-after: soon\r\n\r\n{}", errors.Throttled),
        (b"HTTP/1.1 429 Slowly\r\n\r\n", errors.Throttled),
    ],
)  # fmt: skip
def test_whatever_answers_that_is_not_slack_ends_in_the_family(settings, connection, raw, kind):
    with answering(raw) as settings.SLACK_API_URL, pytest.raises(errors.SlackError) as raised:
        client.call(connection, "auth.test")

    assert type(raised.value) is kind


@pytest.mark.parametrize(("told", "seconds"), [("0", 1.0), ("2", 2.0), ("999999", 3600.0), ("nan", 10.0), ("-5", 1.0)])
def test_a_pause_is_bounded(told, seconds):
    assert client.seconds({"Retry-After": told}) == seconds


def test_no_word_of_a_message_and_no_token_is_logged_or_told(slack, settings, connection, post, caplog):
    configured = {"version": 1, "disable_existing_loggers": False, "loggers": {"slack_sdk": {"level": "WARNING"}}}
    logging.config.dictConfig(configured)  # as a process does in its own time
    caplog.set_level(logging.DEBUG)
    secret = "The customer is called Secretname."
    post(secret)
    slack.fails("chat.postMessage", "invalid_blocks")
    failures = []
    with answering(f"HTTP/1.1 200 OK\r\n\r\n<p>{secret}</p>".encode()) as elsewhere:
        for address in (settings.SLACK_API_URL, elsewhere):
            settings.SLACK_API_URL = address
            with pytest.raises(errors.SlackError) as raised:
                post(secret)
            failures.append(raised.value)

    told = caplog.text + "".join(
        f"{failure!r} {failure.__context__ if not failure.__suppress_context__ else ''}" for failure in failures
    )
    assert ("Secretname" in told, connection.bot_token in told) == (False, False)
