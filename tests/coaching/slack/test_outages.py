"""Slack is down, workers die, workers meet: nothing is lost, and nothing stands in Slack twice."""

import os
import signal
from datetime import timedelta

import pytest
import time_machine
from django.db import connection as database
from django.utils import timezone

from agents.models import Door
from coaching import tasks
from coaching.actions import proposals
from coaching.models import SlackPost
from coaching.slack import client
from config.celery import app
from tests import factories, processes
from tests.coaching.slack.worlds import deliver_due, deliver_until_done

State = SlackPost.State
HOUR, LOOKS = timedelta(hours=1), 20


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def born_in(world, number):
    return [factories.proposal(world.agent) for _ in range(number)]


def decide(world, rows):
    for number, row in enumerate(rows):
        if number % 2:
            proposals.reject(row, by=world.owner, door=Door.PAGE, reason="No.")
        else:
            proposals.approve(row, by=world.owner, door=Door.PAGE)


@pytest.mark.django_db
@pytest.mark.parametrize("how", ["refuse", "500", "hang", "lost answer"])
def test_an_hour_without_slack_loses_nothing_and_posts_nothing_twice(world, slack, clock, monkeypatch, how):
    monkeypatch.setattr(client, "TIMEOUT", 0.05)
    before = born_in(world, 4)
    deliver_until_done(clock)
    sent = len(slack.calls)

    slack.goes_down(how)
    decide(world, before)
    born = born_in(world, 2)
    for _ in range(LOOKS):
        deliver_due()
        clock.shift(HOUR / LOOKS)
    in_vain = len(slack.calls) - sent
    owed = SlackPost.objects.owed().count()
    slack.comes_up()
    monkeypatch.setattr(client, "TIMEOUT", 10)
    seconds = deliver_until_done(clock)

    drawn = {post.proposal_id: post.drawn for post in SlackPost.objects.filter(state=State.POSTED)}
    assert [drawn[row.pk] for row in before] == ["approved", "rejected"] * 2
    assert [drawn[row.pk] for row in born] == ["pending"] * 2
    assert len(world.channel.messages) == len(before) + len(born)
    assert {message.ts for message in world.channel.messages} == {
        piece["ts"] for post in SlackPost.objects.all() for piece in post.pieces
    }
    assert owed == 6 or how == "lost answer"
    assert in_vain <= 2 * LOOKS  # one tries for all
    assert seconds <= 20


@pytest.mark.django_db
def test_while_slack_is_down_few_rows_are_touched_and_health_does_not_count_them(world, slack, clock):
    born_in(world, 10)
    slack.goes_down("500")
    deliver_due()

    assert not SlackPost.objects.takeable().due().exists()
    clock.shift(timedelta(seconds=2))
    assert deliver_due() > 0
    assert len(slack.calls) == 2


@pytest.mark.django_db
def test_one_slack_workspace_that_is_down_does_not_hold_up_another(world, slack, clock, workspace):
    other = slack.add_team()
    connection = factories.slack_connection(workspace, team_id=other.id, bot_token=other.bot_token)
    channel, agent = other.add_channel(), factories.ai_agent(workspace)
    factories.slack_trigger(connection, agent, channel_id=channel.id)
    slack.fails("chat.postMessage", "fatal_error", times=None, channel=world.channel)
    born_in(world, 2)
    factories.proposal(agent)

    deliver_due()

    assert (len(world.channel.messages), len(channel.messages)) == (0, 1)


def delivering(slack, *posts):
    child = processes.start("-m", "tests.coaching.slack.deliver", *map(str, posts), SLACK_API_URL=slack.api_url)
    assert child.stdout.readline().startswith("ready")
    return child


def go(child):
    child.stdin.write("\n")
    child.stdin.flush()


def lease_runs_out():
    SlackPost.objects.filter(claimed_until__isnull=False).update(claimed_until=timezone.now() - timedelta(seconds=1))


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_stored", [True, False])
def test_a_worker_that_is_killed_between_the_call_and_its_answer_posts_nothing_twice(world, slack, is_stored):
    factories.proposal(world.agent)
    post, add = SlackPost.objects.get(), world.channel.add
    child = delivering(slack, post.pk)

    def kill_first(message):
        world.channel.add = add
        os.kill(child.pid, signal.SIGKILL)
        return add(message) if is_stored else message

    world.channel.add = kill_first
    go(child)
    processes.until(lambda: world.channel.add is add)
    child.communicate(timeout=processes.PATIENCE)
    post.refresh_from_db()
    left = (post.is_unsure, post.pieces, post.claimed_until is not None)
    deliver_due()
    too_early = len(slack.called("chat.postMessage"))
    lease_runs_out()

    deliver_due()

    post.refresh_from_db()
    assert (left, too_early) == ((True, [], True), 1)
    assert [message.ts for message in world.channel.messages] == [post.pieces[0]["ts"]]
    assert len(slack.called("chat.postMessage")) == (1 if is_stored else 2)
    assert (post.state, post.next_try_at) == (State.POSTED, None)


@pytest.mark.django_db(transaction=True)
def test_workers_that_meet_at_the_same_posts_send_each_once(world, slack, settings):
    channels = [world.another_channel() for _ in range(6)]
    for channel in channels:
        factories.proposal(world.agent_in(channel))
    ids = list(SlackPost.objects.values_list("pk", flat=True))
    children = [delivering(slack, *ids) for _ in range(3)]

    for child in children:
        go(child)
    for child in children:
        child.communicate(timeout=processes.PATIENCE)

    assert [len(channel.messages) for channel in channels] == [1] * 6
    assert len(slack.called("chat.postMessage")) == 6
    assert set(SlackPost.objects.values_list("state", flat=True)) == {State.POSTED}


@pytest.mark.django_db(transaction=True)
def test_a_real_worker_keeps_slack_in_step(world, slack):
    app.control.purge()
    other = world.another_channel()
    rows = [factories.proposal(world.agent), factories.proposal(world.agent_in(other))]

    with processes.worker(SLACK_API_URL=slack.api_url):
        processes.until(lambda: not SlackPost.objects.owed().exists(), tasks.serve_slack)
        decide(world, rows)
        processes.until(lambda: not SlackPost.objects.owed().exists(), tasks.serve_slack)

    app.control.purge()
    assert [SlackPost.objects.get(proposal=row).drawn for row in rows] == ["approved", "rejected"]
    assert [len(channel.messages) for channel in (world.channel, other)] == [1, 1]
    assert len(slack.called("chat.update")) == 2
    database.close()
