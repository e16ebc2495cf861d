"""A thread in Slack is a session, and a message is asked once, however many workers are at it."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from django.db import close_old_connections, connections

from agents.models import Decision, Member
from coaching.actions import sessions
from coaching.actions.slack import receipts, threads
from coaching.actions.slack.threads import Asked
from coaching.models import Session, SlackPost, SlackReceipt, SlackThread, Turn
from coaching.slack import switchboard
from tests import factories
from tests.coaching.slack import sent
from tests.coaching.slack.talking import Talking, follow_all, shown

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(function, *rows):
    """What `function` returned for each, called by as many threads at the same time."""

    def call(row):
        close_old_connections()
        try:
            return function(row)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(rows)) as pool:
        return list(pool.map(call, rows))


@pytest.fixture
def trigger(workspace, agent):
    return factories.slack_trigger(factories.slack_connection(workspace), agent)


@pytest.fixture
def asked(trigger, owner):
    person = factories.slack_person(trigger.connection, owner)
    return Asked(person=person, by=owner, channel_id=trigger.channel_id, thread_ts="5.0", ts="5.0", text="Why?")


def test_one_message_that_eight_workers_ask_is_one_question(trigger, asked):
    posts = at_once(lambda told: threads.ask(trigger, told), *[asked] * 8)

    assert sum(post is not None for post in posts) == 1
    assert [model.objects.count() for model in (SlackThread, Session, Turn, SlackPost)] == [1, 1, 1, 1]


def test_question_that_is_asked_again_on_a_page_is_answered_in_its_thread(trigger, asked, owner):
    turn = threads.ask(trigger, asked).turn
    sessions.stop(turn, by=owner)

    again = sessions.retry(turn, by=owner)
    sessions.stop(again, by=owner)
    once_more = sessions.retry(again, by=owner)
    on_the_page_alone = sessions.ask(turn.session, by=owner, text="And why?")

    thread = SlackThread.objects.get()
    posts = {post.turn_id: (post.thread, post.channel_id, post.next_try_at is None) for post in SlackPost.objects.all()}
    assert posts[again.pk] == posts[once_more.pk] == (thread, trigger.channel_id, False)
    assert on_the_page_alone.pk not in posts


def test_eight_messages_that_begin_one_thread_at_once_are_one_session(trigger, asked):
    posts = at_once(lambda told: threads.ask(trigger, told), *[replace(asked, ts=f"5.{n}") for n in range(8)])

    assert all(posts)
    assert [model.objects.count() for model in (SlackThread, Session, Turn, SlackPost)] == [1, 1, 8, 8]


def test_eight_links_to_one_conversation_at_once_begin_one_new_talk(trigger, asked, agent):
    threads.ask(trigger, asked)
    about = factories.conversation(agent)

    at_once(
        lambda told: threads.ask(trigger, told), *[replace(asked, ts=f"6.{n}", conversation=about) for n in range(8)]
    )

    assert SlackThread.objects.get().session.conversation == about
    assert (Session.objects.count(), SlackThread.objects.get().session.turns.count()) == (2, 8)


def test_what_is_refused_leaves_no_thread_behind(trigger, asked, agent):
    agent.coaching = False
    agent.save()
    trigger.refresh_from_db()

    with pytest.raises(threads.sessions.CoachOff):
        threads.ask(trigger, asked)

    assert [model.objects.count() for model in (SlackThread, Session, Turn, SlackPost)] == [0, 0, 0, 0]


def test_one_event_told_twenty_times_at_once_is_kept_once(trigger):
    body = sent.mention(trigger.connection, trigger.channel_id, "hello")

    answers = at_once(lambda told: switchboard.accept(told, [trigger.connection]), *[body] * 20)

    assert [answer.status for answer in answers] == [200] * 20
    assert sum(answer.owed is not None for answer in answers) == 1
    assert SlackReceipt.objects.count() == 1


def test_one_person_who_clicks_twenty_times_at_once_clicked_once(trigger):
    clicks = [sent.click(trigger.connection, trigger.channel_id, "7.7", "proposal_approve", "x") for _ in range(20)]

    answers = at_once(lambda told: switchboard.accept(told, [trigger.connection]), *clicks)

    assert sum(answer.owed is not None for answer in answers) == 1
    assert SlackReceipt.objects.count() == 1


def test_fifty_clicks_of_ten_people_followed_by_twenty_workers_are_one_decision(slack, client, owner, agent, workspace):
    there = Talking(slack, client, owner, agent)
    proposal = factories.proposal(agent)
    message = shown(there, proposal)
    people = [there.leader, *(there.user_of(factories.member(workspace, Member.Role.ADMIN)) for _ in range(9))]
    for _ in range(5):
        for person in people:
            person.clicks(message, "proposal_approve")
    owed = list(SlackReceipt.objects.values_list("pk", flat=True))

    at_once(lambda pk: switchboard.follow(str(pk)), *owed, *owed)
    follow_all()

    assert len(owed) == 10
    assert Decision.objects.filter(action=Decision.Action.APPROVED).count() == 1
    assert sorted(len(person.ephemerals) for person in people) == [0] + [1] * 9
    assert SlackReceipt.objects.owed().count() == 0


def test_a_receipt_that_two_workers_follow_is_followed_by_one(slack, client, owner, agent):
    there = Talking(slack, client, owner, agent)
    there.leader.says("Hello?", there.channel)
    (pk,) = SlackReceipt.objects.values_list("pk", flat=True)

    turns = at_once(lambda pk: switchboard.follow(str(pk)), *[pk] * 8)

    assert sum(bool(turn) for turn in turns) == 1
    assert (Turn.objects.count(), str(Turn.objects.get().pk) in turns) == (1, True)


def test_the_same_click_told_late_is_not_a_new_one(trigger):
    """Slack may bring an old click again; its own time tells it from one that was made since."""
    told = sent.click(trigger.connection, trigger.channel_id, "7.7", "proposal_approve", "x")
    switchboard.accept(told, [trigger.connection])
    long_ago = SlackReceipt.objects.get().received_at - 2 * receipts.SWALLOWED_FOR
    SlackReceipt.objects.update(next_try_at=None, payload=None, done_at=long_ago)

    assert switchboard.accept(told, [trigger.connection]).owed is None

    SlackReceipt.objects.update(received_at=long_ago)
    assert switchboard.accept(told, [trigger.connection]).owed == SlackReceipt.objects.get().pk
