"""What people write to the bot alone, and which coach it is for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent, Member
from coaching.actions.slack import threads, triggers
from coaching.models import Session, SlackPerson, SlackPost, SlackReceipt, SlackThread
from tests import factories
from tests.coaching.slack import sent
from tests.coaching.slack.talking import Talking, connected, follow_all, later, notices, questions

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


@pytest.fixture
def second(there, workspace):
    """Another agent, whose coach listens in a channel of its own."""
    other = factories.ai_agent(workspace, name="Zoe")
    factories.slack_trigger(there.connection, other, channel_id=there.team.add_channel("zoe").id)
    return other


def chooses(there, person, trigger_id):
    """Use the menu that somebody was shown alone."""
    option = {"text": {"type": "plain_text", "text": "A coach"}, "value": str(trigger_id)}
    told = sent.click(
        there.connection,
        person.direct.id,
        sent.new_ts(),
        "direct_choose",
        "",
        user=person.id,
        type="static_select",
        selected_option=option,
    )
    assert there.team.deliver(told).status == 200
    follow_all()


def offered(person):
    """{words: value} of the menu that somebody was shown last."""
    selects = [
        element
        for told in person.ephemerals
        for block in told.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    ]
    assert selects[-1]["action_id"] == "direct_choose"
    return {option["text"]["text"]: option["value"] for option in selects[-1]["options"]}


def test_a_direct_message_needs_no_mention_and_its_answer_stands_beside_it(there, agent):
    ts = there.leader.says("What went wrong?", there.leader.direct)

    follow_all()

    assert questions() == [(agent, "What went wrong?", [], None)]
    thread = SlackThread.objects.get()
    assert (thread.channel_id, thread.thread_ts, thread.posts.get().asked_ts) == (there.leader.direct.id, "", ts)


def test_direct_messages_outside_a_thread_are_one_talk_until_there_was_a_pause(there):
    there.leader.says("First.", there.leader.direct)
    there.leader.says("Second.", there.leader.direct)
    follow_all()
    assert Session.objects.count() == 1

    Session.objects.update(updated_at=timezone.now() - threads.PAUSE - timedelta(minutes=1))
    there.leader.says("Third.", there.leader.direct)
    follow_all()

    assert [text for _, text, *_ in questions()] == ["First.", "Second.", "Third."]
    assert (Session.objects.count(), SlackThread.objects.count()) == (2, 1)


def test_a_thread_of_direct_messages_is_a_talk_of_its_own(there):
    ts = there.leader.says("First.", there.leader.direct)
    there.leader.says("Second.", there.leader.direct, thread_ts=ts)

    follow_all()

    assert Session.objects.count() == 2
    assert {thread.thread_ts for thread in SlackThread.objects.all()} == {"", ts}


def test_with_several_coaches_they_choose_once_and_what_they_wrote_is_asked_then(there, agent, second):
    there.leader.says("Hello?", there.leader.direct)
    there.leader.says("Are you there?", there.leader.direct)
    follow_all()
    assert len(there.leader.ephemerals) == 1
    assert (questions(), SlackReceipt.objects.owed().count()) == ([], 2)

    chooses(there, there.leader, offered(there.leader)[second.coach_name])
    there.leader.says("And now?", there.leader.direct)
    follow_all()

    assert [(agent, text) for agent, text, *_ in questions()] == [
        (second, "Hello?"),
        (second, "Are you there?"),
        (second, "And now?"),
    ]
    assert notices(there.leader)[1:] == [f"Your direct messages go to {second.coach_name} now."]


def test_the_question_which_coach_waits_ten_minutes(there, second):
    there.leader.says("Hello?", there.leader.direct)
    follow_all()
    SlackReceipt.objects.update(received_at=timezone.now() - timedelta(minutes=11))
    later()

    assert follow_all() == ["Nobody chose a coach for it."]
    assert (questions(), len(there.leader.ephemerals)) == ([], 1)


def test_switch_chooses_again_and_begins_a_talk_with_the_other(there, agent, second):
    person = factories.slack_person(
        there.connection, there.owner, user_id=there.leader.id, direct_trigger=there.trigger
    )
    there.leader.says("First.", there.leader.direct)
    there.leader.says(" Switch ", there.leader.direct)
    follow_all()

    chooses(there, there.leader, offered(there.leader)[second.coach_name])
    there.leader.says("Second.", there.leader.direct)
    follow_all()

    assert [(agent, text) for agent, text, *_ in questions()] == [(agent, "First."), (second, "Second.")]
    person.refresh_from_db()
    assert person.direct_trigger.agent == second


def test_switch_where_there_is_one_coach_says_so(there, agent):
    there.leader.says("switch", there.leader.direct)

    follow_all()

    assert (questions(), notices(there.leader)) == ([], [f"There is one coach here: {agent.coach_name}."])


def test_a_thread_goes_on_with_the_coach_it_began_with_whatever_was_chosen_since(there, agent, second):
    person = factories.slack_person(
        there.connection, there.owner, user_id=there.leader.id, direct_trigger=there.trigger
    )
    ts = there.leader.says("First.", there.leader.direct)
    there.leader.says("Second.", there.leader.direct, thread_ts=ts)
    follow_all()
    SlackPerson.objects.filter(pk=person.pk).update(direct_trigger=second.slack_triggers.get())
    there.leader.says("Third.", there.leader.direct, thread_ts=ts)

    follow_all()

    assert [each for each, *_ in questions()] == [agent, agent, agent]


def test_a_coach_that_is_not_among_those_offered_cannot_be_chosen(there, second, stranger):
    connection = factories.slack_connection(stranger.workspace)
    foreign = factories.slack_trigger(connection, factories.ai_agent(stranger.workspace))
    there.leader.says("Hello?", there.leader.direct)
    follow_all()

    for value in (foreign.pk, "nonsense", ""):
        chooses(there, there.leader, value)

    assert questions() == []
    assert [told.startswith("This coach is not there") for told in notices(there.leader)[1:]] == [True] * 3


def test_coaches_of_two_workspaces_in_one_slack_are_told_apart_and_talked_to(there, agent, workspace):
    """One app, installed by two workspaces that the same person leads."""
    other = factories.workspace(name="Second shop")
    Member.objects.create(workspace=other, user=there.owner.user, role=Member.Role.OWNER)
    second = connected(there.team.app, other)
    theirs = factories.ai_agent(other, name="Assistant")
    factories.slack_trigger(second, theirs, channel_id=there.team.add_channel("theirs").id)
    there.leader.says("Hello?", there.leader.direct)
    follow_all()

    chooses(there, there.leader, offered(there.leader)["Assistant (coach), Second shop"])

    assert f"{agent.coach_name}, {workspace.name}" in offered(there.leader)
    assert [asked[0] for asked in questions()] == [theirs]
    assert SlackThread.objects.get().workspace == other


def test_strangers_and_members_without_the_right_are_told_so(there, workspace):
    nobody, plain = there.stranger(), there.user_of(factories.member(workspace))

    for person in (nobody, plain):
        person.says("Hello?", person.direct)
    follow_all()

    assert questions() == []
    assert "not a member" in notices(nobody)[0]
    assert notices(plain) == ["Only owners and admins may talk to the coach."]


def test_where_no_coach_listens_yet_it_is_said_where_to_choose_one(there, owner):
    triggers.remove(there.trigger, by=owner)
    there.leader.says("Hello?", there.leader.direct)

    follow_all()

    assert "No coach listens in Slack yet." in notices(there.leader)[0]
    assert "/settings" in str(there.leader.ephemerals[0].blocks)


def test_a_coach_that_is_switched_off_is_not_offered(there, agent, second):
    Agent.objects.filter(pk=second.pk).update(coaching=False)
    there.leader.says("Hello?", there.leader.direct)

    follow_all()

    assert [asked[0] for asked in questions()] == [agent]


def test_a_reply_under_an_answer_goes_on_with_the_talk_it_came_from(there):
    there.leader.says("First.", there.leader.direct)
    follow_all()
    SlackPost.objects.update(pieces=[{"ts": "77.7", "hash": ""}])
    there.leader.says("Second.", there.leader.direct, thread_ts="77.7")
    there.leader.says("Third.", there.leader.direct, thread_ts="77.7")

    follow_all()

    assert (Session.objects.count(), SlackThread.objects.count()) == (1, 2)
    assert [text for _, text, *_ in questions()] == ["First.", "Second.", "Third."]


def test_a_proposal_stands_in_the_thread_where_it_was_asked_for(there, agent):
    """One talk in two threads."""
    there.leader.says("First.", there.leader.direct)
    follow_all()
    SlackPost.objects.update(pieces=[{"ts": "77.7", "hash": ""}])
    there.leader.says("Second.", there.leader.direct, thread_ts="77.7")
    follow_all()
    session = Session.objects.get()
    first, second = session.turns.order_by("number")

    made = [factories.proposal(agent, session=session, turn=turn) for turn in (first, second)]

    assert [SlackPost.objects.get(proposal=each).thread.thread_ts for each in made] == ["", "77.7"]
