"""What people write in Slack, and what is asked of the coach."""

from datetime import timedelta

import pytest
from django.conf import settings as configured
from django.utils import timezone

from agents.models import Agent
from coaching.actions.slack import triggers
from coaching.models import Session, SlackPost, SlackReceipt, SlackThread, Turn
from coaching.slack import switchboard
from helpdesk import deeplinks
from tests import factories
from tests.coaching.slack import sent
from tests.coaching.slack.talking import Talking, connected, follow_all, notices, questions

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


def page(conversation):
    return f"{configured.PUBLIC_URL}/conversations/{conversation.pk}"


# --- In a channel ------------------------------------------------------------------------------------------------------


def test_a_mention_in_a_channel_starts_a_thread_with_the_coach(there, owner, agent):
    ts = there.leader.says("What went wrong?", there.channel)

    follow_all()

    assert questions() == [(agent, "What went wrong?", [], None)]
    thread = SlackThread.objects.get()
    assert (thread.channel_id, thread.thread_ts, thread.trigger) == (there.channel.id, ts, there.trigger)
    assert (thread.session.started_by, thread.started_by.member) == (owner, owner)
    post = SlackPost.objects.get()
    assert (post.kind, post.thread, post.asked_ts, post.channel_id) == ("answer", thread, ts, there.channel.id)
    assert post.turn == Turn.objects.get()
    assert SlackPost.objects.due().count() == 1
    assert notices(there.leader) == []


def test_nothing_of_a_message_is_kept_in_its_receipt_once_it_is_followed(there):
    there.leader.says("Say it once.", there.channel)

    follow_all()

    assert [(each.payload, each.next_try_at) for each in SlackReceipt.objects.all()] == [(None, None)]


def test_every_reply_in_a_thread_of_the_coach_is_a_question(there, agent):
    ts = there.leader.says("What went wrong?", there.channel)
    there.leader.says("And how can it improve?", there.channel, thread_ts=ts, mentions_bot=False)

    follow_all()

    assert [text for _, text, *_ in questions()] == ["What went wrong?", "And how can it improve?"]
    assert Session.objects.count() == 1
    assert [post.thread.thread_ts for post in SlackPost.objects.all()] == [ts, ts]


def test_a_mention_in_a_thread_of_others_begins_a_talk_in_that_thread(there):
    ts = there.leader.says("Look at this.", there.channel, mentions_bot=False)
    there.leader.says("Who knows?", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says("You?", there.channel, thread_ts=ts)
    there.leader.says("More.", there.channel, thread_ts=ts, mentions_bot=False)

    follow_all()

    assert [text for _, text, *_ in questions()] == ["You?", "More."]
    assert SlackThread.objects.get().thread_ts == ts


def test_what_people_say_to_each_other_is_not_even_kept(there):
    there.leader.says("Lunch?", there.channel, mentions_bot=False)
    there.leader.says("Noon.", there.team.add_channel("elsewhere"), thread_ts="1.1", mentions_bot=False)
    ts = there.leader.says("Who comes?", there.channel, mentions_bot=False)
    there.leader.says("Me.", there.channel, thread_ts=ts, mentions_bot=False)

    assert not SlackReceipt.objects.exists()


def test_a_reply_is_kept_while_what_began_its_thread_is_still_to_be_followed(there):
    ts = there.leader.says("First.", there.channel)
    there.leader.says("Second.", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says("Elsewhere.", there.channel, thread_ts="1.1", mentions_bot=False)

    assert [each.payload["ts"] == ts for each in SlackReceipt.objects.order_by("pk")] == [True, False]
    follow_all()
    there.leader.says("Third.", there.channel, thread_ts=ts, mentions_bot=False)
    follow_all()
    assert [text for _, text, *_ in questions()] == ["First.", "Second.", "Third."]


@pytest.mark.parametrize("order", [("app_mention", "message"), ("message", "app_mention")])
def test_a_mention_that_also_arrives_as_a_message_is_one_question(there, order):
    for type in order:
        body = sent.mention(there.connection, there.channel.id, "Once.", user=there.leader.id, ts="5.5", type=type)
        assert sent.send(there.client, body, there.connection.signing_secret).status_code == 200

    assert (follow_all(), len(questions())) == (["Asked."], 1)


@pytest.mark.parametrize(
    "extra",
    [
        {"subtype": "bot_message", "bot_id": "B9"},
        {"bot_id": "B9"},
        {"subtype": "channel_join"},
        {"subtype": "message_changed"},
        {"subtype": "message_replied"},
        {"edited": {"user": "U1", "ts": "1.1"}},
        {"hidden": True},
    ],
    ids=str,
)
def test_bots_edits_and_joins_are_nobody_s_questions(there, extra):
    there.leader.says("Hello?", there.channel, **extra)
    there.leader.says("Hello?", there.leader.direct, **extra)

    assert not SlackReceipt.objects.exists()


def test_our_own_posts_are_nobody_s_questions(there):
    bot = there.team.users[there.team.bot_user_id]

    bot.says("Here is what I found.", there.channel)
    bot.says("Here is what I found.", there.leader.direct)

    assert not SlackReceipt.objects.exists()


def test_edits_and_deletions_ask_nothing_again(there):
    ts = there.leader.says("Once.", there.channel)
    there.leader.edits(there.channel.find(ts), "Twice?")
    there.leader.deletes(there.channel.find(ts))

    follow_all()

    assert [text for _, text, *_ in questions()] == ["Once."]


@pytest.mark.parametrize("subtype", ["file_share", "thread_broadcast", "me_message"])
def test_what_somebody_wrote_beside_a_file_or_to_the_channel_too_is_a_question(there, subtype):
    there.leader.says("See this.", there.leader.direct, subtype=subtype, files=[{"id": "F1"}])

    follow_all()

    assert [text for _, text, *_ in questions()] == ["See this."]


def test_a_mention_where_no_coach_listens_says_where_to_set_it_up(there):
    elsewhere = there.team.add_channel("elsewhere")
    there.leader.says("Hello?", elsewhere)

    follow_all()

    (notice,) = there.leader.ephemerals
    assert "No coach listens in this channel." in notice.text
    assert "/settings" in str(notice.blocks)
    assert (questions(), notice.channel, notice.thread_ts) == ([], elsewhere, None)


def test_a_mention_alone_is_answered_with_what_to_say(there):
    there.leader.says("", there.channel)

    follow_all()

    assert questions() == []
    assert ["Ask the coach something" in each for each in notices(there.leader)] == [True]


def test_messages_are_asked_in_the_order_in_which_they_were_written(there):
    ts = there.leader.says("First.", there.channel)
    there.leader.says("Second.", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says("Third.", there.channel, thread_ts=ts, mentions_bot=False)

    for receipt in SlackReceipt.objects.order_by("-pk"):  # workers that are quicker than the one before them
        switchboard.follow(str(receipt.pk))
    assert SlackReceipt.objects.owed().count() == 2
    SlackReceipt.objects.owed().update(next_try_at=timezone.now())
    follow_all()

    assert [text for _, text, *_ in questions()] == ["First.", "Second.", "Third."]


def test_a_reply_waits_for_an_earlier_message_no_longer_than_half_a_minute(there):
    ts = there.leader.says("First.", there.channel)
    follow_all()
    there.leader.says("Second.", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says("Third.", there.channel, thread_ts=ts, mentions_bot=False)
    _, last = SlackReceipt.objects.owed().order_by("pk")
    SlackReceipt.objects.update(received_at=timezone.now() - timedelta(seconds=31))

    switchboard.follow(str(last.pk))

    assert [text for _, text, *_ in questions()] == ["First.", "Third."]


# --- What it is about --------------------------------------------------------------------------------------------------


def test_a_link_to_a_conversation_makes_the_talk_about_it(there, agent):
    about = factories.conversation(agent, turn_count=6)
    there.leader.says(f"What went wrong in <{page(about)}>, turns 2–3 and turn 5?", there.channel)

    follow_all()

    (asked,) = questions()
    assert asked == (agent, f"What went wrong in {page(about)}, turns 2–3 and turn 5?", [2, 3, 5], about)


def test_a_link_to_a_turn_points_at_it(there, agent):
    about = factories.conversation(agent, turn_count=6)
    there.leader.says(f"Why? <{page(about)}#turn-4>", there.channel)

    follow_all()

    assert [(focus, conversation) for *_, focus, conversation in questions()] == [([4], about)]


def test_a_link_into_the_helpdesk_makes_the_talk_about_it(there, agent, owner):
    deeplinks.save(
        owner.workspace,
        source="desk",
        conversation_pattern="https://{space}.desk.example/agent/tickets/{id}",
        keys={"space": "acme"},
        by=owner,
    )
    about = factories.conversation(agent, external_id="88/7")
    there.leader.says("And <https://acme.desk.example/agent/tickets/88%2F7?tab=2|this>?", there.channel)

    follow_all()

    assert [conversation for *_, conversation in questions()] == [about]


def test_a_link_later_in_the_thread_begins_a_new_talk_there(there, agent):
    first, second = factories.conversation(agent), factories.conversation(agent)
    ts = there.leader.says(f"See {page(first)}", there.channel)
    there.leader.says("More.", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says(f"And {page(second)}", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says(f"Again {page(second)}", there.channel, thread_ts=ts, mentions_bot=False)

    follow_all()

    assert [conversation for *_, conversation in questions()] == [first, first, second, second]
    assert Session.objects.count() == 2
    assert SlackThread.objects.get().session.conversation == second


def test_a_turn_that_is_not_there_is_said_and_nothing_is_asked(there, agent):
    about = factories.conversation(agent, turn_count=2)
    there.leader.says(f"See turn 7 of {page(about)}", there.channel)

    follow_all()

    assert (questions(), Session.objects.count()) == ([], 0)
    assert notices(there.leader) == ["The conversation has no turn 7."]


def test_a_conversation_of_another_agent_is_said_and_nothing_is_asked(there, workspace):
    other = factories.conversation(factories.ai_agent(workspace))
    there.leader.says(f"See {page(other)}", there.channel)

    follow_all()

    assert (questions(), Session.objects.count()) == ([], 0)
    assert notices(there.leader) == ["This conversation belongs to another agent."]


def test_a_conversation_of_another_workspace_is_a_link_like_any_other(there, stranger):
    foreign = factories.conversation(factories.ai_agent(stranger.workspace))
    there.leader.says(f"See {page(foreign)}", there.channel)

    follow_all()

    assert [conversation for *_, conversation in questions()] == [None]


def test_turns_without_a_conversation_are_words_like_others(there):
    there.leader.says("Remember turn 3.", there.channel)

    follow_all()

    assert [(text, focus) for _, text, focus, _ in questions()] == [("Remember turn 3.", [])]


def test_names_stand_where_slack_had_ids(there):
    factories.slack_person(there.connection, None, user_id="U77", name="Ada")
    there.leader.says(
        f"<@U77> and <@U78|bo> and <@U79> in <#C1|sales>, <#{there.channel.id}>: 1 &lt; 2 &amp;&amp; <https://x.example|x>",
        there.channel,
    )

    follow_all()

    (asked,) = questions()
    assert asked[1] == "@Ada and @bo and @somebody in #sales, #coaching: 1 < 2 && x (https://x.example)"


def test_a_message_as_long_as_slack_takes_is_asked_whole(there):
    there.leader.says("word " * 7_900, there.channel)

    follow_all()

    assert len(questions()[0][1]) == 5 * 7_900 - 1


def test_what_no_database_can_hold_is_left_out(there):
    there.leader.says("a\0b\ud800c", there.channel)

    follow_all()

    assert questions()[0][1] == "ab?c"


# --- Whose coach -------------------------------------------------------------------------------------------------------


def test_a_thread_goes_on_with_its_coach_when_the_channel_is_given_to_another(there, agent, owner, workspace):
    ts = there.leader.says("First.", there.channel)
    follow_all()
    other = factories.ai_agent(workspace)
    triggers.change(there.trigger, agent=other, posts_every_proposal=True, by=owner)
    there.leader.says("Second.", there.channel, thread_ts=ts, mentions_bot=False)
    there.leader.says("Third.", there.channel)

    follow_all()

    assert [asked[0] for asked in questions()] == [agent, agent, other]


def test_where_the_coach_was_taken_away_threads_are_heard_no_more(there, owner):
    ts = there.leader.says("First.", there.channel)
    follow_all()
    triggers.remove(there.trigger, by=owner)
    there.leader.says("Second.", there.channel, thread_ts=ts, mentions_bot=False)

    follow_all()

    assert ([text for _, text, *_ in questions()], notices(there.leader)) == (["First."], [])


def test_a_coach_that_is_switched_off_says_so(there, agent):
    Agent.objects.filter(pk=agent.pk).update(coaching=False)
    there.leader.says("Hello?", there.channel)

    follow_all()

    assert questions() == []
    assert [f"Coaching is switched off for {agent}." in each for each in notices(there.leader)] == [True]


def test_one_slack_workspace_of_two_of_ours_speaks_with_the_coach_of_the_channel(there, stranger):
    """The same app, installed by both."""
    foreign = connected(there.team.app, stranger.workspace)
    channel = there.team.add_channel("theirs")
    theirs = factories.ai_agent(stranger.workspace)
    factories.slack_trigger(foreign, theirs, channel_id=channel.id)
    other = there.user_of(stranger)

    other.says("Ours?", there.channel)
    other.says("Theirs?", channel)
    there.leader.says("Mine?", channel)
    follow_all()

    assert [(agent, text) for agent, text, *_ in questions()] == [(theirs, "Theirs?")]
    assert ["not a member" in each for each in notices(other) + notices(there.leader)] == [True, True]


def test_a_reply_under_a_posted_proposal_goes_on_with_the_talk_it_came_from(there, owner, agent):
    session = factories.session(agent, owner)
    proposal = factories.proposal(agent, session=session)
    post = SlackPost.objects.get(proposal=proposal)
    SlackPost.objects.filter(pk=post.pk).update(pieces=[{"ts": "77.7", "hash": ""}])
    there.leader.says("Make it shorter.", there.channel, thread_ts="77.7", mentions_bot=False)

    follow_all()

    assert (SlackThread.objects.get().session, [text for _, text, *_ in questions()]) == (session, ["Make it shorter."])
