"""Socket Mode against a local Slack: what comes is stored before it is acknowledged, whatever becomes of the connection."""

import logging
import signal
import threading
from contextlib import contextmanager

import pytest

from coaching.models import SlackConnection, SlackReceipt, SlackThread
from coaching.slack import socket, switchboard
from coaching.slack.socket import Line, Listener
from tests import factories, processes
from tests.config.processes import wait_for
from tests.slack import joined

pytestmark = pytest.mark.django_db(transaction=True)
Mode, State = SlackConnection.Mode, SlackConnection.State


@pytest.fixture
def brisk(monkeypatch):
    """Pauses that are made for a network, shortened to those of one machine."""
    monkeypatch.setattr(socket, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(socket, "PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(socket, "PING_SECONDS", 0.2)


@pytest.fixture
def team(slack):
    team = slack.add_team(app_token="xapp-1")
    team.events_to(None, via="socket")
    return team


@pytest.fixture
def connected(team, workspace, owner):
    """A connection with an app of its own, a channel with a coach and a thread of it, and somebody in it."""
    connection, agent = joined.connection(team, workspace), factories.ai_agent(workspace)
    channel = team.add_channel("coaching")
    SlackThread.objects.create(
        workspace=workspace, connection=connection, channel_id=channel.id, thread_ts="1.2",
        trigger=joined.trigger(connection, channel, agent), session=factories.session(agent, owner),
    )  # fmt: skip
    return connection, channel, team.add_user()


@contextmanager
def listening():
    """A listener in a thread, with the ids it told of."""
    told, ending = [], threading.Event()
    thread = threading.Thread(target=Listener(tell=told.append).run, args=[ending])
    thread.start()
    try:
        yield told
    finally:
        ending.set()
        thread.join(timeout=30)
        assert not thread.is_alive()


def texts(told):
    return [receipt.payload["text"] for receipt in SlackReceipt.objects.filter(pk__in=told).order_by("pk")]


def acknowledged(team):
    return [answer.status == 200 for _, answer in team.told]


def test_event_is_stored_and_then_acknowledged(brisk, slack, team, connected):
    _, channel, user = connected
    with listening() as told:
        user.says("Add a memory.", channel)

    assert acknowledged(team) == [True, True]
    assert SlackReceipt.objects.filter(pk__in=told).exists()
    assert all(envelope.acks == 1 for envelope in slack.sockets.envelopes.values())


def test_what_cannot_be_stored_is_not_acknowledged_and_comes_again(brisk, team, connected, monkeypatch, caplog):
    _, channel, user = connected
    failing = threading.Event()
    monkeypatch.setattr("tests.slack.sockets.ACK_SECONDS", 0.3)
    accept = switchboard.accept

    def fail_once(*args):
        if not failing.is_set():
            failing.set()
            raise socket.DatabaseError("no word of a message stands here: Add a memory.")
        return accept(*args)

    monkeypatch.setattr(switchboard, "accept", fail_once)
    with listening() as told:
        user.says("Add a memory.", channel, mentions_bot=False, thread_ts="1.2")
        ((payload, first),) = team.told
        again = team.deliver(payload, retry_num=1)

    assert (first.status, again.status) == (0, 200)
    assert len(told) == 1
    assert "Add a memory" not in caplog.text


def test_longest_message_comes_whole(brisk, team, connected):
    _, channel, user = connected
    with listening() as told:
        user.says("x" * 40_000, channel, mentions_bot=False, thread_ts="1.2")

    assert [len(text) for text in texts(told)] == [40_000]


def test_what_is_not_as_documented_is_acknowledged_and_forgotten(brisk, team, connected):
    with listening():
        assert team.deliver({"type": "event_callback", "event": "nonsense"}).status == 200

    assert not SlackReceipt.objects.exists()


def test_acknowledgement_that_does_not_get_through_leaves_the_receipt(brisk, team, connected, monkeypatch):
    _, channel, user = connected
    monkeypatch.setattr("tests.slack.sockets.ACK_SECONDS", 0.3)

    def fail(*_):
        raise socket.SlackClientError("gone")

    monkeypatch.setattr(Line, "send_socket_mode_response", fail)
    with listening() as told:
        user.says("Add a memory.", channel, mentions_bot=False, thread_ts="1.2")

    assert acknowledged(team) == [False]
    assert texts(told) == ["Add a memory."]


def test_same_envelope_twice_is_one_receipt(brisk, team, connected):
    _, channel, user = connected
    with listening() as told:
        user.says("Add a memory.", channel, mentions_bot=False, thread_ts="1.2")
        (payload, _) = team.told[0]
        assert team.deliver(payload, retry_num=1).status == 200

    assert SlackReceipt.objects.count() == len(told) == 1


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
def test_connection_is_exchanged_when_slack_asks_and_nothing_is_lost(brisk, slack, team, connected, reason):
    _, channel, user = connected
    with listening():
        slack.sockets.wait_for(team.app)
        slack.sockets.refresh(team.app, reason)
        user.says("One.", channel)
        wait_for(lambda: slack.sockets.opened == 2, 10)
        slack.sockets.wait_for(team.app)
        user.says("Two.", channel)

        missed = [payload for payload, answer in team.told if answer.status != 200]  # on the line that was hung up
        assert [team.deliver(payload, retry_num=1).status for payload in missed] == [200] * len(missed)

    assert team.told[-1][1].status == 200
    assert sorted(set(texts(SlackReceipt.objects.values("pk")))) == [
        f"<@{team.bot_user_id}> {n}" for n in ("One.", "Two.")
    ]


def test_cut_connection_is_opened_again(brisk, slack, team, connected):
    _, channel, user = connected
    with listening():
        slack.sockets.wait_for(team.app)
        slack.sockets.cut(team.app)
        wait_for(lambda: slack.sockets.opened == 2, 10)
        slack.sockets.wait_for(team.app)

        user.says("Still there?", channel)

    assert acknowledged(team) == [True, True]


def test_network_that_is_lost_without_a_word_is_noticed(brisk, slack, team, connected):
    _, channel, user = connected
    with listening():
        slack.sockets.wait_for(team.app)
        slack.sockets.lose_network(team.app)

        wait_for(lambda: slack.sockets.opened == 2, 15)
        slack.sockets.wait_for(team.app)
        user.says("Still there?", channel)

    assert acknowledged(team) == [True, True]


def test_slack_that_is_down_is_asked_again_until_it_answers(brisk, slack, team, connected):
    _, channel, user = connected
    slack.goes_down("500")
    with listening():
        wait_for(lambda: len(slack.called("apps.connections.open")) > 2, 10)
        slack.comes_up()
        slack.sockets.wait_for(team.app)
        user.says("Back.", channel)

    assert acknowledged(team) == [True, True]


def test_limit_is_waited_for_and_no_thread_sleeps(slack, team):
    slack.throttles("apps.connections.open", seconds=30)
    line = Line("xapp-1", tell=int)

    line.open()
    line.open()

    assert len(slack.called("apps.connections.open")) == 1
    line.close()


def test_new_token_is_listened_to_and_one_that_is_gone_is_not(brisk, slack, team, connected, workspace):
    other = slack.add_team(app_token="xapp-2")
    with listening():
        slack.sockets.wait_for(team.app)
        theirs = joined.connection(other, workspace)
        slack.sockets.wait_for(other.app)

        SlackConnection.objects.filter(pk=theirs.pk).update(
            state=State.DISCONNECTED, bot_token="", signing_secret="", app_token=""
        )

        slack.sockets.wait_for(other.app, 0, 20)
        slack.sockets.wait_for(team.app, 1)


def test_two_workspaces_with_one_app_are_heard_over_one_connection(brisk, slack, team, connected):
    elsewhere = factories.workspace()
    theirs = joined.connection(team, elsewhere)
    channel = team.add_channel()
    joined.trigger(theirs, channel, factories.ai_agent(elsewhere))
    with listening():
        connected[2].says("One.", connected[1])
        connected[2].says("Two.", channel)

    assert slack.sockets.opened == 1
    assert set(SlackReceipt.objects.values_list("workspace", flat=True)) == {connected[0].workspace_id, elsewhere.pk}


def test_token_of_the_environment_speaks_for_installed_connections_only(brisk, slack, team, workspace, settings):
    settings.SLACK_APP_TOKEN = "xapp-1"
    installed = joined.connection(team, workspace, mode=Mode.INSTALLED, signing_secret="")
    own = joined.connection(team, factories.workspace(), app_token="")
    channel, theirs = team.add_channel(), team.add_channel()
    joined.trigger(installed, channel, factories.ai_agent(workspace))
    joined.trigger(own, theirs, factories.ai_agent(own.workspace))
    with listening():
        team.add_user().says("For the installed one.", channel)
        team.add_user().says("For nobody that this token speaks for.", theirs)

    assert acknowledged(team) == [True] * 4
    assert {receipt.connection_id for receipt in SlackReceipt.objects.all()} <= {installed.pk}
    assert texts(SlackReceipt.objects.values("pk")) != []


def test_refused_app_token_is_told_in_the_settings(brisk, slack, team, connected):
    connection, _, _ = connected
    team.app.app_token = "xapp-exchanged"
    with listening():
        wait_for(lambda: SlackConnection.objects.filter(state=State.REFUSED).exists(), 10)

    connection.refresh_from_db()
    assert connection.state_reason == socket.REFUSAL
    assert len(slack.called("apps.connections.open")) == 1


def test_app_that_may_not_listen_says_what_is_missing(brisk, slack, team, connected):
    connection, _, _ = connected
    slack.fails("apps.connections.open", "missing_scope", times=None)
    with listening():
        wait_for(lambda: SlackConnection.objects.filter(state=State.REFUSED).exists(), 10)

    connection.refresh_from_db()
    assert connection.state_reason == socket.DECLINED


def test_no_body_is_logged(brisk, slack, team, connected, caplog):
    _, channel, user = connected
    caplog.set_level(logging.DEBUG)
    with listening():
        slack.sockets.wait_for(team.app)
        (line,) = slack.sockets.of(team.app)
        line.send(b"0151 2345678")  # a frame of a kind that Slack does not send: the library warns of it, words and all
        user.says("My number is 0151 2345678.", channel)

    assert "0151" not in caplog.text
    assert "xapp-1" not in caplog.text


def test_process_listens_is_killed_and_another_goes_on(slack, team, connected):
    _, channel, user = connected
    first = processes.start("manage.py", "slack_socket", SLACK_API_URL=slack.api_url)
    slack.sockets.wait_for(team.app, seconds=processes.PATIENCE)
    user.says("One.", channel)
    first.kill()
    first.communicate(timeout=30)
    slack.sockets.wait_for(team.app, 0)
    second = processes.start("manage.py", "slack_socket", SLACK_API_URL=slack.api_url)
    slack.sockets.wait_for(team.app, seconds=processes.PATIENCE)
    user.says("Two.", channel)
    second.send_signal(signal.SIGTERM)
    printed, _ = second.communicate(timeout=30)

    assert second.returncode == 0, printed
    assert acknowledged(team) == [True] * 4
    assert len(texts(SlackReceipt.objects.values("pk"))) >= 2


def test_process_ends_by_itself_when_no_token_is_left(slack, team, connected, settings):
    connection, _, _ = connected
    socket.note_wanted()
    assert settings.SLACK_SOCKET_WANTED.exists()
    process = processes.start("manage.py", "slack_socket", SLACK_API_URL=slack.api_url)
    slack.sockets.wait_for(team.app, seconds=processes.PATIENCE)

    SlackConnection.objects.filter(pk=connection.pk).update(app_token="")

    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 0, printed
    assert not settings.SLACK_SOCKET_WANTED.exists()
