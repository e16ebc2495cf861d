"""What is owed to Slack gets there: posted once, changed when its record moves on, and never more than what changed."""

import time
from datetime import timedelta
from itertools import pairwise
from types import SimpleNamespace

import pytest
import time_machine
from django.db import connection as database
from django.utils import timezone

from agents import work
from agents.models import Door
from coaching import tasks
from coaching.actions import flags, proposals, sessions
from coaching.actions.slack import connections, policy, posts, triggers
from coaching.models import SlackConnection, SlackPolicy, SlackPost, SlackThread, SlackTrigger, Turn, TurnEvent
from coaching.slack import delivery, errors
from memories import actions as memories
from tests import factories
from tests.coaching.slack.worlds import answering, deliver_due, deliver_until_done
from tests.slack import weather

pytestmark = pytest.mark.django_db

State = SlackPost.State


@pytest.fixture
def clock():
    with time_machine.travel(timezone.now(), tick=False) as clock:
        yield clock


def shown(message):
    """Everything that a message shows, as text."""
    return str(message.blocks)


def post_of(row):
    return SlackPost.objects.get(proposal=row)


# --- Posted, and in step ---------------------------------------------------------------------------------------------


def test_a_new_proposal_is_posted_once_and_owes_nothing_then(world):
    row = factories.proposal(world.agent)

    deliver_due()

    (message,) = world.channel.messages
    post = post_of(row)
    assert row.title in shown(message)
    assert (post.state, post.next_try_at, post.drawn, post.is_unsure) == (State.POSTED, None, "pending", False)
    assert [piece["ts"] for piece in post.pieces] == [message.ts]
    assert message.metadata == {"event_type": "touchline_post", "event_payload": {"post": str(post.pk), "piece": 0}}
    assert (message.arguments["unfurl_links"], message.arguments["unfurl_media"]) == (False, False)
    assert deliver_due() == 0


def test_a_decision_on_the_page_changes_the_message_that_is_there(world, slack):
    row = factories.proposal(world.agent)
    deliver_due()
    proposals.approve(row, by=world.owner, door=Door.PAGE)

    deliver_due()

    (message,) = world.channel.messages
    assert "Approved by" in shown(message)
    assert "proposal_approve" not in shown(message)
    assert (post_of(row).drawn, len(slack.called("chat.postMessage")), len(slack.called("chat.update"))) == (
        "approved",
        1,
        1,
    )


def test_what_looks_the_same_is_not_sent_again(world, slack):
    row = factories.proposal(world.agent)
    deliver_due()
    posts.redraw(proposal=row)

    deliver_due()

    assert (len(slack.called("chat.update")), post_of(row).next_try_at) == (0, None)


@pytest.mark.django_db(transaction=True)
def test_a_record_that_moves_on_while_it_is_delivered_is_drawn_again(world):
    """Somebody decides after it was drawn and before it is stored as posted: while Slack takes the message."""
    row, add = factories.proposal(world.agent), world.channel.add

    def decide_first(message):
        world.channel.add = add
        proposals.reject(row, by=world.owner, door=Door.PAGE, reason="No.")
        database.close()
        return add(message)

    world.channel.add = decide_first
    deliver_due()
    (message,) = world.channel.messages
    as_posted = shown(message)

    deliver_due()

    assert ("proposal_approve" in as_posted, "Rejected by" in shown(message)) == (True, True)
    assert (post_of(row).drawn, post_of(row).next_try_at) == ("rejected", None)


def test_an_answer_is_one_message_in_its_thread_that_grows_until_it_is_done(world, clock):
    turn, post = world.asked()
    deliver_due()
    (waiting,) = world.channel.thread(post.asked_ts)[1:]
    first = shown(waiting)
    running = sessions.claim(turn.pk)
    sessions.tell(running, TurnEvent.Type.TEXT, text="It is the blue ")
    clock.shift(timedelta(seconds=2))
    deliver_due()
    second = shown(waiting)
    sessions.tell(running, TurnEvent.Type.TEXT, text="lamp.")
    sessions.finish(running, Turn.State.DONE, text="It is the blue lamp.")
    deliver_until_done(clock)

    post.refresh_from_db()
    assert "Waiting for the coach" in first
    assert ("It is the blue" in second, "lamp" in second) == (True, False)
    assert "It is the blue lamp." in shown(waiting)
    assert len(world.channel.thread(post.asked_ts)) == 2
    assert (post.state, post.drawn) == (State.POSTED, "done")


def test_an_answer_that_is_being_written_is_looked_at_more_seldom_the_more_there_are(world, clock):
    several = [world.asked(channel=world.another_channel())[1] for _ in range(3)]

    deliver_due()

    for post in several:
        post.refresh_from_db()
        assert post.next_try_at - timezone.now() == 3 * delivery.MOVING


def test_a_long_answer_is_several_messages_in_order_and_a_shorter_one_takes_them_back(world, clock, slack):
    turn, post = world.asked()
    running = sessions.claim(turn.pk)
    long = "\n\n".join(f"Paragraph {number}: " + "word " * 150 for number in range(40))
    sessions.tell(running, TurnEvent.Type.TEXT, text=long)
    sessions.finish(running, Turn.State.DONE, text=long)
    deliver_until_done(clock)
    there = world.channel.thread(post.asked_ts)[1:]
    firsts = [shown(message).index("Paragraph") for message in there]

    assert len(there) > 2
    assert firsts
    assert "Paragraph 0:" in shown(there[0])
    assert "Paragraph 39:" in shown(there[-1])
    post.refresh_from_db()
    assert [piece["ts"] for piece in post.pieces] == [message.ts for message in there]

    TurnEvent.objects.filter(turn=turn, type=TurnEvent.Type.TEXT).update(data={"text": "Short."})
    posts.redraw(pk=post.pk)
    deliver_until_done(clock)

    post.refresh_from_db()
    (left,) = world.channel.thread(post.asked_ts)[1:]
    assert ("Short." in shown(left), len(post.pieces)) == (True, 1)
    assert len(slack.called("chat.delete")) == len(there) - 1


def test_a_message_too_many_that_somebody_deleted_already_is_no_trouble(world, clock, slack):
    row = factories.proposal(world.agent)
    deliver_due()
    post = post_of(row)
    SlackPost.objects.filter(pk=post.pk).update(pieces=[*post.pieces, {"ts": "1.000001", "hash": ""}])
    posts.redraw(proposal=row)

    deliver_until_done(clock)

    post.refresh_from_db()
    assert (post.state, len(post.pieces), len(slack.called("chat.delete"))) == (State.POSTED, 1, 1)


def test_many_proposals_in_one_channel_are_posted_one_a_second_in_their_order(world, clock, slack):
    slack.is_strict_about_pace = False
    rows = []
    for _ in range(6):
        rows.append(factories.proposal(world.agent))
        clock.shift(timedelta(milliseconds=1))

    seconds = deliver_until_done(clock)

    assert [row.title for row in rows] == [
        next(row.title for row in rows if row.title in shown(message)) for message in world.channel.messages
    ]
    sent = [call.at for call in slack.called("chat.postMessage")]
    assert min(later - earlier for earlier, later in pairwise(sent)) >= 0.99
    assert 5 <= seconds <= 9


def test_a_channel_with_a_long_line_does_not_hold_up_another_or_an_answer(world, clock):
    for _ in range(5):
        factories.proposal(world.agent)
    other = world.another_channel()
    elsewhere = factories.proposal(world.agent_in(other))
    _, answer = world.asked()

    deliver_due()

    assert len(other.messages) == 1
    assert post_of(elsewhere).state == State.POSTED
    answer.refresh_from_db()
    assert answer.state == State.POSTED


def test_a_proposal_from_a_talk_in_slack_is_posted_in_its_thread(world, clock):
    turn, post = world.asked()
    row = factories.proposal(world.agent, session=turn.session)

    deliver_until_done_but(clock, post)

    assert [row.title in shown(message) for message in world.channel.thread(post.asked_ts)].count(True) == 1


def test_a_proposal_goes_to_the_thread_its_question_was_asked_in_though_that_talks_of_something_else_by_now(world):
    turn, answer = world.asked()
    SlackThread.objects.filter(pk=answer.thread_id).update(session=factories.session(world.agent, world.owner))

    row = factories.proposal(world.agent, session=turn.session, turn=turn)

    assert post_of(row).thread == answer.thread


def deliver_until_done_but(clock, post):
    while SlackPost.objects.owed().exclude(pk=post.pk).exists():
        deliver_due()
        clock.shift(timedelta(seconds=1))


# --- Staleness -------------------------------------------------------------------------------------------------------


def test_a_proposal_whose_memory_was_changed_elsewhere_is_drawn_again(world, clock, django_assert_num_queries):
    memory = factories.memory(world.agent, world.owner)
    row = factories.proposal(
        world.agent,
        type="memory_entry_update",
        target_id=memory.pk,
        base_version=memory.version,
        change={"text": "Within 60 days."},
    )
    other = factories.proposal(world.agent)
    deliver_until_done(clock)
    fresh = posts.redraw_stale()
    memories.revise(memory, base_version=memory.version, changes={"text": "By hand."}, by=world.owner, door=Door.PAGE)

    with django_assert_num_queries(2):
        found = posts.redraw_stale()
    deliver_until_done(clock)

    assert (fresh, found, posts.redraw_stale()) == (0, 1, 0)
    assert post_of(row).drawn == "pending stale"
    assert post_of(other).drawn == "pending"
    stale = next(message for message in world.channel.messages if row.title in shown(message))
    assert ("proposal_approve" in shown(stale), "proposal_open" in shown(stale)) == (False, True)


@pytest.mark.parametrize("kind", ["prompt_change", "procedure_delete", "memory_entry_delete"])
def test_every_kind_of_target_goes_stale(world, clock, kind):
    memory, procedure = factories.memory(world.agent, world.owner), factories.procedure(world.agent, world.owner)
    target = {"prompt": world.agent.prompt, "procedure": procedure, "memory": memory}[kind.split("_")[0]]
    change = {"system_prompt": "Be kind."} if kind == "prompt_change" else {}
    row = factories.proposal(world.agent, type=kind, target_id=target.pk, base_version=target.version, change=change)
    deliver_until_done(clock)
    type(target).objects.filter(pk=target.pk).update(version=target.version + 1)

    assert posts.redraw_stale() == 1
    deliver_until_done(clock)
    assert post_of(row).drawn == "pending stale"


def test_the_clock_asks_for_what_is_stale(world, clock):
    memory = factories.memory(world.agent, world.owner)
    row = factories.proposal(
        world.agent, type="memory_entry_delete", target_id=memory.pk, base_version=memory.version, change={}
    )
    deliver_until_done(clock)
    memories.revise(memory, base_version=memory.version, changes={"text": "By hand."}, by=world.owner, door=Door.PAGE)

    tasks.serve_slack()

    assert post_of(row).next_try_at is not None


# --- Slack says no ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["message_not_found", "cant_update_message", "edit_window_closed"])
def test_a_message_that_cannot_be_changed_any_more_is_lost_with_a_sentence(world, slack, code):
    row = factories.proposal(world.agent)
    deliver_due()
    slack.fails("chat.update", code)
    proposals.approve(row, by=world.owner, door=Door.PAGE)

    deliver_due()

    post = post_of(row)
    assert (post.state, post.state_reason, post.next_try_at) == (State.LOST, errors.MESSAGE_GONE[code], None)
    posts.redraw(proposal=row)
    assert deliver_due() == 0
    assert SlackTrigger.objects.get().state == SlackTrigger.State.ACTIVE


def test_a_message_that_somebody_deleted_is_not_posted_anew(world):
    row = factories.proposal(world.agent)
    deliver_due()
    world.channel.messages[0].is_deleted = True
    proposals.approve(row, by=world.owner, door=Door.PAGE)

    deliver_due()

    assert (post_of(row).state, world.channel.messages) == (State.LOST, [])


@pytest.mark.parametrize(
    ("befalls", "sentence"),
    [
        (lambda world: world.channel.archives(), "The channel is archived."),
        (lambda world: world.channel.vanishes(), "Slack does not know this channel, or the app is not in it."),
        (lambda world: world.channel.drops(world.team.app), "The app is not in this channel. Invite it there."),
    ],
)
def test_a_channel_that_is_lost_says_so_at_the_post_and_at_its_coach(world, befalls, sentence):
    row = factories.proposal(world.agent)
    befalls(world)

    deliver_due()

    trigger, post = SlackTrigger.objects.get(), post_of(row)
    assert (post.state, post.state_reason) == (State.LOST, sentence)
    assert (trigger.state, trigger.state_reason) == (SlackTrigger.State.LOST, sentence)
    assert SlackConnection.objects.get().is_active
    later = factories.proposal(world.agent)
    assert (post_of(later).state, post_of(later).state_reason) == (State.LOST, sentence)
    assert not SlackPost.objects.owed().exists()


def test_what_is_owed_waits_while_the_token_is_refused_and_goes_on_when_it_is_put_right(world, slack, clock, workspace):
    posted = factories.proposal(world.agent)
    deliver_due()
    world.team.app.is_revoked = True
    waiting = factories.proposal(world.agent)
    proposals.approve(posted, by=world.owner, door=Door.PAGE)
    clock.shift(timedelta(seconds=5))
    deliver_due()
    asked = len(slack.calls)
    refused = SlackConnection.objects.get()

    clock.shift(timedelta(hours=1))
    looked = deliver_due()

    assert (refused.state, refused.state_reason) == ("refused", errors.REVOKED["token_revoked"])
    assert (looked, len(slack.calls)) == (0, asked)
    assert {post.state for post in SlackPost.objects.all()} == {State.POSTED, State.WAITING}

    world.team.app.is_revoked = False
    app = world.team.app
    identity = connections.Identity(world.team.id, "Acme", app.app_id, app.bot_user_id, app.bot_id)
    connections.connect(
        workspace, identity, mode="own", bot_token=app.bot_token, signing_secret=app.signing_secret, by=world.owner
    )
    deliver_until_done(clock)

    assert (post_of(posted).drawn, post_of(waiting).state) == ("approved", State.POSTED)
    assert len(world.channel.messages) == 2


def test_what_is_proposed_while_the_token_is_refused_waits_too(world, clock):
    connections.refuse(world.connection, "The bot's token was revoked.")

    row = factories.proposal(world.agent)

    assert (post_of(row).state, deliver_due()) == (State.WAITING, 0)


def test_a_channel_that_is_found_again_gets_in_step(world, slack):
    posted, stays = factories.proposal(world.agent), factories.proposal(world.agent_in(world.another_channel()))
    deliver_due()
    never_posted, not_wanted = [factories.proposal(world.agent) for _ in range(2)]
    world.channel.is_archived = True
    proposals.approve(posted, by=world.owner, door=Door.PAGE)
    with time_machine.travel(timezone.now() + timedelta(seconds=30)) as clock:
        deliver_until_done(clock)
        proposals.reject(not_wanted, by=world.owner, door=Door.PAGE, reason="No.")
        lost = [post_of(row).state for row in (posted, never_posted, not_wanted, stays)]
        world.channel.is_archived = False

        n_found = triggers.find(world.connection, world.channel.id)
        deliver_until_done(clock)

    assert lost == [State.LOST, State.LOST, State.LOST, State.POSTED]
    assert n_found == 1
    assert [post_of(row).drawn for row in (posted, never_posted)] == ["approved", "pending"]
    assert (post_of(not_wanted).state, len(world.channel.messages)) == (State.LOST, 2)


def test_a_slack_workspace_that_is_connected_again_gets_in_step(world, workspace, clock):
    row = factories.proposal(world.agent)
    deliver_due()
    connections.disconnect(world.connection, by=world.owner)
    proposals.approve(row, by=world.owner, door=Door.PAGE)
    deliver_due()
    lost, app = post_of(row).state, world.team.app
    identity = connections.Identity(world.team.id, "Acme", app.app_id, app.bot_user_id, app.bot_id)

    connections.connect(
        workspace, identity, mode="own", bot_token=app.bot_token, signing_secret=app.signing_secret, by=world.owner
    )
    deliver_until_done(clock)

    assert (lost, post_of(row).state) == (State.LOST, State.POSTED)
    assert "Approved by" in shown(world.channel.messages[0])


def test_what_was_given_up_by_hand_does_not_come_back(world):
    row = factories.proposal(world.agent)
    posts.give_up(post_of(row))

    posts.recover(connection=world.connection)

    assert (post_of(row).state, post_of(row).state_reason) == (State.LOST, "Given up by hand.")
    with pytest.raises(work.NothingOwed):
        posts.give_up(post_of(row))


def test_a_disconnected_slack_workspace_has_its_posts_lost(world):
    row = factories.proposal(world.agent)
    connections.disconnect(world.connection, by=world.owner)

    deliver_due()

    post = post_of(row)
    assert (post.state, post.state_reason) == (State.LOST, "The Slack workspace was disconnected.")


def test_what_slack_finds_too_long_is_drawn_shorter_once(world, slack):
    row = factories.proposal(world.agent, rationale="The customer had to ask twice. " * 200)
    slack.fails("chat.postMessage", "msg_blocks_too_long")

    deliver_due()

    first, second = slack.called("chat.postMessage")
    assert len(str(second.arguments["blocks"])) < len(str(first.arguments["blocks"]))
    assert (post_of(row).state, len(world.channel.messages)) == (State.POSTED, 1)


def test_what_is_too_long_even_then_is_lost(world, slack):
    row = factories.proposal(world.agent)
    slack.fails("chat.postMessage", "msg_too_long", times=None)

    deliver_due()

    assert (post_of(row).state, len(slack.called("chat.postMessage"))) == (State.LOST, 2)
    assert post_of(row).state_reason == "Slack does not take a message of this length or shape."


def test_a_no_that_nobody_knows_is_tried_again_and_given_up_in_the_end(world, slack, clock):
    row = factories.proposal(world.agent)
    slack.fails("chat.postMessage", "something_of_next_year", times=None)

    seconds = deliver_until_done(clock, step=60, most=86_400)

    post = post_of(row)
    assert (post.state, len(slack.called("chat.postMessage"))) == (State.LOST, delivery.MOST_TRIES)
    assert post.state_reason == "Given up after 12 tries. Slack declined (something_of_next_year)."
    assert seconds > 3_600
    assert world.channel.messages == []


def test_too_many_requests_are_waited_for_and_the_other_channel_goes_on(world, slack, clock):
    other = world.another_channel()
    here, there = factories.proposal(world.agent), factories.proposal(world.agent_in(other))
    slack.throttles("chat.postMessage", 30, times=1, channel=world.channel)

    deliver_due()
    early = (post_of(here).state, post_of(there).state, post_of(here).attempts)
    seconds = deliver_until_done(clock)

    assert early == (State.WAITING, State.POSTED, 0)
    assert 30 <= seconds <= 40
    assert [call.status for call in slack.called("chat.postMessage")].count(429) == 1
    assert len(world.channel.messages) == 1


def test_a_storm_of_429_ends_with_everything_in_step_and_few_calls_in_vain(world, slack, clock):
    rows = [factories.proposal(world.agent) for _ in range(12)]
    deliver_until_done(clock)
    for row in rows:
        proposals.reject(row, by=world.owner, door=Door.PAGE, reason="No.")
    slack.throttles("chat.update", 20, times=4)

    seconds = deliver_until_done(clock)

    updates = slack.called("chat.update")
    assert [call.status for call in updates].count(200) == len(rows)
    assert len(updates) == len(rows) + 4
    assert set(SlackPost.objects.values_list("drawn", flat=True)) == {"rejected"}
    assert seconds < 4 * 25 + 12 * 2.5


def test_a_slack_that_is_strict_about_its_limits_is_hardly_ever_called_in_vain(world, slack, clock, monkeypatch):
    """Eighty messages in eight channels, all of them changed at once: more than a minute takes."""
    monkeypatch.setattr(weather, "time", SimpleNamespace(monotonic=time.time))  # the server's limits by the moved clock
    slack.is_strict_about_pace = True
    for _ in range(7):
        channel = world.team.add_channel()
        factories.slack_trigger(world.connection, world.agent, channel_id=channel.id, channel_name=channel.name)
    rows = [factories.proposal(world.agent) for _ in range(10)]
    deliver_until_done(clock)
    for row in rows:
        proposals.approve(row, by=world.owner, door=Door.PAGE)

    seconds = deliver_until_done(clock)

    assert set(SlackPost.objects.values_list("drawn", flat=True)) == {"approved"}
    statuses = [call.status for call in slack.calls]
    assert statuses.count(200) == 160
    assert 1 <= statuses.count(429) <= 3
    assert seconds < 60 + 20 * 1.2 + 5


def test_a_drawing_that_breaks_is_tried_again_and_says_where_and_no_words(world, caplog):
    row = factories.proposal(world.agent)
    SlackPost.objects.filter(proposal=row).update(pieces=[{"seconds": "Secretname"}])

    deliver_due()

    post = post_of(row)
    assert (post.last_error, post.state) == ("Drawing it broke (KeyError).", State.WAITING)
    assert post.next_try_at > timezone.now()
    assert "Secretname" not in caplog.text


# --- Whether a message arrived ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_thread", [False, True])
def test_a_message_whose_answer_was_lost_is_found_and_not_posted_twice(world, slack, clock, in_thread):
    turn, answer = world.asked()
    if in_thread:
        sessions.finish(sessions.claim(turn.pk), Turn.State.DONE, text="It is the lamp.")
        post = answer
    else:
        SlackPost.objects.filter(pk=answer.pk).delete()
        post = post_of(factories.proposal(world.agent))
    slack.loses_answers("chat.postMessage")

    deliver_due()
    post.refresh_from_db()
    unsure = (post.is_unsure, post.pieces, post.state)
    deliver_until_done(clock)

    post.refresh_from_db()
    assert unsure == (True, [], State.WAITING)
    (message,) = world.channel.posts
    assert (post.state, post.is_unsure, post.pieces[0]["ts"]) == (State.POSTED, False, message.ts)
    assert len(slack.called("chat.postMessage")) == 1


def test_only_its_own_message_is_taken_up(world, slack, clock):
    earlier = factories.proposal(world.agent)
    clock.shift(timedelta(milliseconds=1))
    later = factories.proposal(world.agent)
    deliver_due()
    slack.fails("chat.postMessage", "fatal_error")

    deliver_until_done(clock)

    assert [
        row.title in shown(message) for row, message in zip((earlier, later), world.channel.messages, strict=True)
    ] == [
        True,
        True,
    ]
    assert post_of(earlier).pieces[0]["ts"] != post_of(later).pieces[0]["ts"]


def test_a_message_that_did_not_arrive_is_posted_after_looking(world, slack, clock):
    row = factories.proposal(world.agent)
    slack.fails("chat.postMessage", "fatal_error")

    deliver_until_done(clock)

    assert (post_of(row).state, len(world.channel.messages)) == (State.POSTED, 1)
    assert [call.method for call in slack.calls] == ["chat.postMessage", "conversations.history", "chat.postMessage"]


def test_it_is_found_among_many_other_messages_over_several_pages(world, slack, clock):
    slack.page_size = 2
    row = factories.proposal(world.agent)
    slack.loses_answers("chat.postMessage")
    deliver_due()
    person = world.team.add_user()
    for number in range(7):
        person.says(f"Message {number}", world.channel, mentions_bot=False)

    deliver_until_done(clock)

    assert (post_of(row).state, len(world.channel.posts)) == (State.POSTED, 1)
    assert len(slack.called("conversations.history")) > 2


def test_it_is_found_however_late_its_place_in_line_is_by_now(world, slack, clock):
    row = factories.proposal(world.agent)
    slack.loses_answers("chat.postMessage")
    deliver_due()
    clock.shift(timedelta(hours=1))
    SlackPost.objects.update(slot_at=timezone.now())

    deliver_until_done(clock)

    assert (post_of(row).state, len(world.channel.posts)) == (State.POSTED, 1)


def test_while_it_may_not_look_it_does_not_post_either(world, slack, clock):
    row = factories.proposal(world.agent)
    slack.loses_answers("chat.postMessage")
    slack.throttles("conversations.history", 60, times=1)
    deliver_due()
    clock.shift(timedelta(seconds=5))
    deliver_due()

    assert (post_of(row).is_unsure, len(slack.called("chat.postMessage"))) == (True, 1)
    deliver_until_done(clock)
    assert (post_of(row).state, len(world.channel.posts)) == (State.POSTED, 1)


def test_the_second_message_of_an_answer_is_found_too(world, slack, clock):
    turn, post = world.asked()
    long = "\n\n".join(f"Paragraph {number}: " + "word " * 150 for number in range(40))
    sessions.finish(sessions.claim(turn.pk), Turn.State.DONE, text=long)
    deliver_due()
    slack.loses_answers("chat.postMessage")

    deliver_until_done(clock)

    post.refresh_from_db()
    there = world.channel.thread(post.asked_ts)[1:]
    assert [piece["ts"] for piece in post.pieces] == [message.ts for message in there]
    assert len({shown(message) for message in there}) == len(there) == len(post.pieces)


# --- Flags -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def flagged(world, slack, settings, workspace):
    """Raise a flag in a workspace that wants them in a channel of its own, with an incoming webhook beside it or instead."""
    settings.OUTBOUND_ALLOW = [slack.place]
    channel, hooked = world.team.add_channel("flags"), world.team.add_channel("hooked")

    def raise_flag(*, in_channel=True, by_webhook=True):
        policy.choose(
            workspace,
            quotes=True,
            flags_connection=world.connection if in_channel else None,
            flags_channel_id=channel.id if in_channel else "",
            flags_webhook=hooked.webhook_url if by_webhook else "",
            by=world.owner,
            version=0,
        )
        return flags.raise_manual(factories.human(workspace, name="Noor"), by=world.owner, reason="Late replies.")

    raise_flag.channel, raise_flag.hooked = channel, hooked
    return raise_flag


def test_a_flag_goes_to_its_channel_and_follows_what_becomes_of_it(world, flagged, clock):
    flag = flagged()
    deliver_until_done(clock)
    flags.dismiss(flag, by=world.owner, reason="On leave.")

    deliver_until_done(clock)

    (message,) = flagged.channel.messages
    assert "Dismissed by" in shown(message)
    assert flagged.hooked.messages == []


def test_a_flag_goes_by_the_webhook_where_there_is_no_channel_and_is_never_changed(world, flagged, clock, slack):
    flag = flagged(in_channel=False)
    deliver_until_done(clock)
    flags.dismiss(flag, by=world.owner, reason="On leave.")

    deliver_until_done(clock)

    (message,) = flagged.hooked.messages
    assert "Noor" in shown(message)
    assert len(slack.called("webhook")) == 1
    assert SlackPost.objects.get().state == State.POSTED


@pytest.mark.parametrize("befalls", ["archived", "revoked"])
def test_a_flag_that_does_not_get_into_its_channel_goes_by_the_webhook_once(world, flagged, clock, befalls):
    flag = flagged()
    if befalls == "archived":
        flagged.channel.is_archived = True
    else:
        world.team.app.is_revoked = True

    deliver_until_done(clock)
    deliver_until_done(clock)

    lost, stood_in = SlackPost.objects.get(channel_id=flagged.channel.id), SlackPost.objects.get(channel_id="")
    assert (lost.state, stood_in.state, stood_in.connection) == (State.LOST, State.POSTED, None)
    assert stood_in.flag == flag
    assert len(flagged.hooked.messages) == 1
    assert SlackPolicy.objects.get().flags_trouble == lost.state_reason != ""


def test_a_flag_without_a_webhook_is_lost_with_its_channel_and_the_settings_say_why(world, flagged, clock):
    flagged(by_webhook=False)
    flagged.channel.is_archived = True

    deliver_until_done(clock)

    assert SlackPost.objects.get().state == State.LOST
    assert SlackPolicy.objects.get().flags_trouble == "The channel is archived."


@pytest.mark.parametrize("by_webhook", [True, False])
def test_a_flag_that_is_raised_while_the_token_is_refused_goes_by_the_webhook_or_waits(world, flagged, by_webhook):
    connections.refuse(world.connection, "The bot's token was revoked.")
    flagged(by_webhook=by_webhook)

    deliver_due()

    post = SlackPost.objects.get()
    assert (post.connection is None, post.state) == (by_webhook, State.POSTED if by_webhook else State.WAITING)


def test_a_policy_that_names_no_channel_lets_no_flag_fail(world, workspace):
    SlackPolicy.objects.create(workspace=workspace, flags_connection=world.connection)

    flags.raise_manual(factories.human(workspace), by=world.owner, reason="Late replies.")

    assert not SlackPost.objects.exists()


def test_trouble_with_flags_is_over_when_one_arrives(world, flagged, clock):
    flag = flagged()
    policy.note_flags_trouble(flag.workspace_id, "The channel is archived.")

    deliver_until_done(clock)

    assert SlackPolicy.objects.get().flags_trouble == ""


def test_a_webhook_that_fails_is_tried_again_and_says_so(world, flagged, clock, slack):
    flagged(in_channel=False)
    slack.fails("webhook", "no_service", times=2)
    deliver_due()
    trouble = SlackPolicy.objects.get().flags_trouble

    deliver_until_done(clock)

    assert trouble == errors.WEBHOOK_GONE
    assert (len(flagged.hooked.messages), SlackPost.objects.get().state) == (1, State.POSTED)
    assert SlackPolicy.objects.get().flags_trouble == ""


def test_a_webhook_that_asks_for_a_pause_or_answers_nobody_is_waited_for(world, flagged, clock, slack):
    flagged(in_channel=False)
    slack.throttles("webhook", 20, times=1)
    deliver_due()
    slack.goes_down("500")
    clock.shift(timedelta(seconds=30))
    deliver_due()
    slack.comes_up()

    deliver_until_done(clock)

    assert [call.status for call in slack.called("webhook")] == [429, 500, 200]
    assert len(flagged.hooked.messages) == 1


def test_a_page_of_a_proxy_is_not_taken_for_a_webhook_that_worked(world, flagged, clock, settings):
    flagged(in_channel=False)
    with answering(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<p>Sign in</p>") as elsewhere:
        settings.OUTBOUND_ALLOW = [elsewhere.split("/")[2]]
        SlackPolicy.objects.update(flags_webhook=elsewhere)

        deliver_due()

    assert SlackPost.objects.get().state == State.WAITING
    assert SlackPolicy.objects.get().flags_trouble == "The incoming webhook does not answer as Slack does."


def test_a_webhook_inside_a_private_network_is_not_called(world, flagged, clock, slack, settings):
    flagged(in_channel=False)
    settings.OUTBOUND_ALLOW = []

    deliver_due()

    assert slack.called("webhook") == []
    assert "OUTBOUND_ALLOW" in SlackPolicy.objects.get().flags_trouble


def test_a_webhook_that_was_forgotten_meanwhile_loses_the_flag(world, flagged, clock):
    flagged(in_channel=False)
    SlackPolicy.objects.update(flags_webhook="")

    deliver_due()

    assert SlackPost.objects.get().state_reason == "There is no incoming webhook any more."
