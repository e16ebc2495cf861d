"""Channels and tokens that are lost, and found again."""

import pytest

from agents.models import Door
from coaching.actions import proposals
from coaching.actions.slack import connections
from coaching.models import SlackConnection, SlackPolicy, SlackPost, SlackReceipt, SlackTrigger
from tests import factories
from tests.coaching.slack import sent
from tests.coaching.slack.talking import Talking, connected, follow_all, questions

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


@pytest.fixture
def policy(there, workspace):
    return SlackPolicy.objects.create(
        workspace=workspace,
        flags_connection=there.connection,
        flags_channel_id=there.channel.id,
        flags_channel_name="old",
    )


def state(trigger):
    trigger.refresh_from_db()
    return trigger.state, trigger.state_reason


def test_an_archived_channel_says_so_until_it_is_back(there, policy):
    there.channel.archives()
    follow_all()
    assert state(there.trigger) == ("lost", "The channel was archived.")
    policy.refresh_from_db()
    assert policy.flags_trouble == "The channel was archived."

    there.channel.unarchives()
    follow_all()
    assert state(there.trigger) == ("active", "")
    policy.refresh_from_db()
    assert policy.flags_trouble == ""


@pytest.mark.parametrize(
    ("type", "sentence"),
    [
        ("group_archive", "The channel was archived."),
        ("channel_deleted", "The channel was deleted."),
        ("group_deleted", "The channel was deleted."),
        ("channel_left", "The app was removed from the channel. Invite it there again."),
        ("group_left", "The app was removed from the channel. Invite it there again."),
    ],
)
def test_a_channel_that_is_gone_says_how(there, type, sentence):
    there.team.app.tell_event({"type": type, "channel": there.channel.id})

    follow_all()

    assert state(there.trigger) == ("lost", sentence)


def test_the_bot_leaving_and_joining_counts_and_nobody_else(there):
    told = {"channel": there.channel.id, "channel_type": "C", "team": there.team.id}
    there.team.app.tell_event({"type": "member_left_channel", "user": there.leader.id} | told)
    assert not SlackReceipt.objects.exists()

    there.team.app.tell_event({"type": "member_left_channel", "user": there.team.bot_user_id} | told)
    follow_all()
    assert state(there.trigger)[0] == "lost"

    there.team.app.tell_event({"type": "member_joined_channel", "user": there.team.bot_user_id} | told)
    follow_all()
    assert state(there.trigger) == ("active", "")


def test_a_message_in_a_channel_that_was_lost_finds_it_again(there):
    SlackTrigger.objects.update(state="lost", state_reason="The channel was archived.")

    there.leader.says("Hello?", there.channel)
    follow_all()

    assert (state(there.trigger), len(questions())) == (("active", ""), 1)


def test_what_is_proposed_while_a_channel_is_lost_is_posted_there_once_it_is_found(there, agent, owner):
    there.channel.archives()
    follow_all()
    decided, wanted = factories.proposal(agent), factories.proposal(agent)
    proposals.reject(decided, by=owner, reason="Not ours to say.", door=Door.PAGE)
    lost = SlackPost.objects.get(proposal=wanted)
    assert (lost.state, lost.state_reason, lost.next_try_at) == ("lost", "The channel was archived.", None)

    there.channel.unarchives()
    follow_all()

    owed = SlackPost.objects.owed()
    assert [post.proposal for post in owed] == [wanted]
    assert SlackPost.objects.get(proposal=decided).state == "lost"


def test_a_new_name_of_a_channel_is_shown(there, policy):
    there.channel.renames("quality")

    follow_all()

    there.trigger.refresh_from_db()
    policy.refresh_from_db()
    assert (there.trigger.channel_name, policy.flags_channel_name) == ("quality", "quality")


def test_a_revoked_token_refuses_the_connection_and_what_was_written_waits(there):
    there.leader.says("Hello?", there.channel)
    there.team.app.revoke()

    follow_all()

    there.connection.refresh_from_db()
    assert there.connection.state == SlackConnection.State.REFUSED
    assert (
        there.connection.state_reason.endswith("Connect it again.") or "Connect again" in there.connection.state_reason
    )
    waiting = SlackReceipt.objects.get(type__in=["message", "app_mention"])
    assert (waiting.done_at, waiting.payload["text"]) == (None, f"<@{there.team.bot_user_id}> Hello?")


def test_only_tokens_of_the_bot_count(there):
    there.team.app.tell_event({"type": "tokens_revoked", "tokens": {"oauth": [there.leader.id], "bot": ["U0OTHER"]}})

    follow_all()

    there.connection.refresh_from_db()
    assert there.connection.state == SlackConnection.State.ACTIVE


def test_an_app_that_is_taken_out_is_lost_to_every_workspace_that_it_served(there, stranger):
    second = connected(there.team.app, stranger.workspace)
    other = factories.slack_connection(stranger.workspace)

    there.team.app.tell_event({"type": "app_uninstalled"})
    follow_all()

    for each in (there.connection, second, other):
        each.refresh_from_db()
    assert [each.state for each in (there.connection, second, other)] == ["refused", "refused", "active"]
    assert there.connection.state_reason == "The app was removed from this Slack workspace. Connect it again."


def test_the_same_news_twice_is_one(there):
    body = sent.event(there.connection, type="channel_archive", channel=there.channel.id)

    for _ in range(2):
        sent.send(there.client, body, there.connection.signing_secret)

    assert SlackReceipt.objects.count() == 1


def test_what_came_before_the_slack_workspace_was_disconnected_is_dropped(there, owner):
    there.leader.says("Hello?", there.channel)
    connections.disconnect(there.connection, by=owner)

    assert follow_all() == ["The Slack workspace was disconnected."]
    assert (questions(), SlackReceipt.objects.get().payload) == ([], None)
