"""What people click in Slack: who may, who was first, and what each of them is told."""

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Decision, Door, Member
from coaching.actions import proposals
from coaching.models import Proposal, SlackPost, SlackReceipt
from coaching.slack import delivery, switchboard
from memories import actions as memories
from tests import factories
from tests.coaching.slack import sent
from tests.coaching.slack.talking import Talking, connected, follow_all, later, notices, shown

pytestmark = pytest.mark.django_db
Status = Proposal.Status


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


@pytest.fixture
def proposal(there, agent):
    return factories.proposal(agent)


@pytest.fixture
def message(there, proposal):
    """Where the proposal stands in the channel, with its buttons."""
    return shown(there, proposal)


# --- Approve -----------------------------------------------------------------------------------------------------------


def test_a_click_approves_as_the_member_and_the_message_is_owed_again(there, proposal, message, owner):
    answer = there.leader.clicks(message, "proposal_approve")

    follow_all()

    assert (answer.status, answer.body) == (200, b"")
    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_by, proposal.decided_from) == (Status.APPROVED, owner, Door.SLACK)
    assert notices(there.leader) == []
    assert SlackPost.objects.due().count() == 1


def test_the_same_click_told_again_is_one(there, proposal, message):
    told = sent.click(
        there.connection, there.channel.id, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id
    )

    for retry in ({}, {"X-Slack-Retry-Num": "1"}, {"X-Slack-Retry-Num": "2"}):
        assert sent.send(there.client, told, there.connection.signing_secret, **retry).status_code == 200
        follow_all()

    assert (SlackReceipt.objects.count(), notices(there.leader)) == (1, [])
    assert Decision.objects.filter(action=Decision.Action.APPROVED).count() == 1


def test_a_first_delivery_that_is_a_retry_counts(there, proposal, message):
    told = sent.click(
        there.connection, there.channel.id, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id
    )

    sent.send(there.client, told, there.connection.signing_secret, **{"X-Slack-Retry-Num": "2"})
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.APPROVED


def test_fifty_clicks_of_ten_people_are_one_decision_and_each_is_told_once(there, workspace, proposal, message):
    people = [there.leader, *(there.user_of(factories.member(workspace, Member.Role.ADMIN)) for _ in range(9))]

    for _ in range(5):
        for person in people:
            person.clicks(message, "proposal_approve")
    follow_all()

    assert Decision.objects.filter(action=Decision.Action.APPROVED).count() == 1
    assert sorted(len(person.ephemerals) for person in people) == [0] + [1] * 9
    assert ["Already approved by" in told for person in people for told in notices(person)] == [True] * 9
    assert SlackReceipt.objects.count() == 10


def test_a_late_click_is_told_who_was_first_and_corrects_the_message(there, owner, agent, workspace, proposal, message):
    late = there.user_of(factories.member(workspace, Member.Role.ADMIN))
    proposals.approve(proposal, by=owner, door=Door.PAGE)
    SlackPost.objects.update(next_try_at=None)

    late.clicks(message, "proposal_approve")
    follow_all()

    (told,) = late.ephemerals
    assert told.text.startswith(f"Already approved by {owner.display_name} at ")
    assert f"/proposals/{proposal.pk}" in str(told.blocks)
    assert SlackPost.objects.due().count() == 1


def test_a_later_click_of_the_same_person_is_followed_again(there, agent, owner, proposal, message):
    """Refused first, for the target had moved on; a minute later it is another click."""
    there.leader.clicks(message, "proposal_reject")
    follow_all()
    SlackReceipt.objects.update(
        done_at=timezone.now() - timedelta(seconds=10), received_at=timezone.now() - timedelta(seconds=11)
    )
    there.leader.clicks(message, "proposal_reject")
    follow_all()

    assert (len(there.leader.views), SlackReceipt.objects.count()) == (2, 1)


def test_a_stale_proposal_is_not_applied_and_says_where_to_go_on(there, agent, owner):
    memory = factories.memory(agent, owner)
    stale = factories.proposal(
        agent,
        type="memory_entry_update",
        target_id=memory.pk,
        change={"summary": "Refunds within 60 days are automatic."},
    )
    message = shown(there, stale)
    memories.revise(memory, changes={"summary": "Refunds take 14 days."}, base_version=1, by=owner, door=Door.PAGE)

    there.leader.clicks(message, "proposal_approve")
    follow_all()

    stale.refresh_from_db()
    assert stale.status == Status.PENDING
    assert ["has been changed since" in told for told in notices(there.leader)] == [True]
    assert f"/proposals/{stale.pk}" in str(there.leader.ephemerals[0].blocks)


def test_a_second_click_within_a_minute_says_nothing_new(there, owner, workspace, proposal, message):
    proposals.approve(proposal, by=owner, door=Door.PAGE)
    late = there.user_of(factories.member(workspace, Member.Role.ADMIN))
    for ago in (50, 70):
        late.clicks(message, "proposal_approve")
        follow_all()
        assert len(late.ephemerals) == 1
        then = timezone.now() - timedelta(seconds=ago)
        SlackReceipt.objects.update(done_at=then, received_at=then)

    late.clicks(message, "proposal_approve")
    follow_all()

    assert len(late.ephemerals) == 2


def test_who_decided_before_and_clicks_again_elsewhere_is_told_so(there, owner, proposal, message):
    proposals.approve(proposal, by=owner, door=Door.SLACK)

    there.leader.clicks(message, "proposal_approve")
    follow_all()

    assert ["Already approved by" in told for told in notices(there.leader)] == [True]


# --- Reject ------------------------------------------------------------------------------------------------------------


def test_reject_asks_for_a_reason_and_rejects_with_it(there, owner, proposal, message):
    there.leader.clicks(message, "proposal_reject")
    follow_all()
    (view,) = there.leader.views
    proposal.refresh_from_db()
    assert proposal.status == Status.PENDING

    answer = there.leader.submits(view, {"reason": {"reason": " Too long. "}})
    follow_all()

    proposal.refresh_from_db()
    assert (answer.status, answer.body, view.is_open) == (200, b"", False)
    assert (proposal.status, proposal.decided_by, proposal.decision_note) == (Status.REJECTED, owner, "Too long.")
    assert proposal.decided_from == Door.SLACK


def test_a_form_that_is_closed_rejects_nothing(there, proposal, message):
    there.leader.clicks(message, "proposal_reject")
    follow_all()
    there.leader.closes(there.leader.views[0])
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.PENDING


def test_a_form_that_is_sent_after_somebody_else_decided_is_told_so(there, owner, workspace, proposal, message):
    other = there.user_of(factories.member(workspace, Member.Role.ADMIN))
    other.clicks(message, "proposal_reject")
    follow_all()
    proposals.approve(proposal, by=owner, door=Door.API)

    other.submits(other.views[0], {"reason": {"reason": "No."}})
    follow_all()

    proposal.refresh_from_db()
    assert (proposal.status, proposal.decision_note) == (Status.APPROVED, "")
    assert ["Already approved by" in told for told in notices(other)] == [True]


def test_a_form_is_not_opened_for_what_is_decided(there, owner, proposal, message):
    proposals.approve(proposal, by=owner, door=Door.PAGE)

    there.leader.clicks(message, "proposal_reject")
    follow_all()

    assert there.leader.views == []
    assert ["Already approved by" in told for told in notices(there.leader)] == [True]


@pytest.mark.parametrize("error", ["expired_trigger_id", "exchanged_trigger_id", "internal_error"])
def test_where_the_form_cannot_be_opened_in_time_a_link_leads_on(there, proposal, message, error):
    there.slack.fails("views.open", error=error, times=1)

    there.leader.clicks(message, "proposal_reject")
    follow_all()
    later()
    follow_all()

    (told,) = there.leader.ephemerals
    assert "did not take the form in time" in told.text
    assert f"/proposals/{proposal.pk}" in str(told.blocks)


def test_a_form_sent_twice_rejects_once(there, proposal, message):
    metadata = {"proposal": str(proposal.pk), "channel": there.channel.id, "message": message.ts}
    told = sent.submission(there.connection, metadata=metadata, reason="No.", user=there.leader.id)

    for _ in range(2):
        sent.send(there.client, told, there.connection.signing_secret)
        follow_all()

    assert Decision.objects.filter(action=Decision.Action.REJECTED).count() == 1
    assert notices(there.leader) == []


# --- Who may -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("button", ["proposal_approve", "proposal_reject"])
def test_strangers_and_members_without_the_right_decide_nothing(there, workspace, stranger, proposal, message, button):
    nobody = there.stranger()
    foreign = there.user_of(stranger)
    plain = there.user_of(factories.member(workspace))

    for person in (nobody, foreign, plain):
        person.clicks(message, button)
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.PENDING
    assert [person.views for person in (nobody, foreign, plain)] == [[], [], []]
    assert ["not a member" in notices(nobody)[0], "not a member" in notices(foreign)[0]] == [True, True]
    assert notices(plain) == ["Only owners and admins of this workspace may decide on proposals. Open the proposal"]


def test_rights_are_asked_at_each_click(there, workspace, agent):
    admin = factories.member(workspace, Member.Role.ADMIN)
    person = there.user_of(admin)
    first, second, third = (factories.proposal(agent) for _ in range(3))

    person.clicks(shown(there, first), "proposal_approve")
    follow_all()
    Member.objects.filter(pk=admin.pk).update(role=Member.Role.MEMBER)
    person.clicks(shown(there, second), "proposal_approve")
    follow_all()
    Member.objects.filter(pk=admin.pk).update(role=Member.Role.ADMIN, left_at=timezone.now())
    person.clicks(shown(there, third), "proposal_approve")
    follow_all()

    for each in (first, second, third):
        each.refresh_from_db()
    assert [each.status for each in (first, second, third)] == [Status.APPROVED, Status.PENDING, Status.PENDING]
    assert ["Only owners" in notices(person)[0], "not a member" in notices(person)[1]] == [True, True]


def test_a_form_of_somebody_who_left_meanwhile_rejects_nothing(there, workspace, proposal, message):
    admin = factories.member(workspace, Member.Role.ADMIN)
    person = there.user_of(admin)
    person.clicks(message, "proposal_reject")
    follow_all()
    Member.objects.filter(pk=admin.pk).update(left_at=timezone.now())

    person.submits(person.views[0], {"reason": {"reason": "No."}})
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.PENDING


# --- Buttons that are not what they seem -------------------------------------------------------------------------------


def test_a_button_of_another_workspace_a_message_or_nothing_changes_nothing(there, stranger, agent, proposal, message):
    foreign = factories.proposal(factories.ai_agent(stranger.workspace))
    other = factories.proposal(agent)
    shown(there, other)

    for value in (str(foreign.pk), str(other.pk), str(uuid.uuid4()), "1", "", "x" * 3_000):
        SlackReceipt.objects.all().delete()
        there.leader.clicks(message, "proposal_approve", value=value or " ")
        follow_all()

    assert not Proposal.objects.exclude(status=Status.PENDING).exists()
    assert [told.startswith("This button does not belong") for told in notices(there.leader)] == [True] * 6


def test_a_button_of_the_same_proposal_in_another_channel_changes_nothing(there, proposal, message):
    elsewhere = there.team.add_channel("elsewhere")
    told = sent.click(
        there.connection, elsewhere.id, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id
    )
    elsewhere.members.add(there.leader.id)

    sent.send(there.client, told, there.connection.signing_secret)
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.PENDING


def test_a_click_in_one_slack_workspace_never_reaches_a_message_in_another(there, slack, proposal, message, stranger):
    """Whoever has an app of their own can sign anything in its name, with ids of another's channel, message and person."""
    forger = factories.slack_connection(stranger.workspace)
    factories.slack_person(there.connection, there.owner, user_id=there.leader.id)
    channel = there.channel.id
    metadata = {"proposal": str(proposal.pk), "channel": channel, "message": message.ts}
    forged = [
        sent.click(forger, channel, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id),
        sent.submission(forger, metadata=metadata, reason="No.", user=there.leader.id),
        sent.click(forger, channel, message.ts, "proposal_reject", str(proposal.pk), user=there.leader.id)
        | {"team": {"id": there.team.id}},
    ]

    answers = [sent.send(there.client, each, forger.signing_secret).status_code for each in forged]
    follow_all()

    proposal.refresh_from_db()
    assert (answers, proposal.status) == ([200, 200, 401], Status.PENDING)


def test_a_form_with_another_workspaces_proposal_in_it_rejects_nothing(there, stranger, proposal, message):
    foreign = factories.proposal(factories.ai_agent(stranger.workspace))
    metadata = {"proposal": str(foreign.pk), "channel": there.channel.id, "message": message.ts}

    sent.send(
        there.client,
        sent.submission(there.connection, metadata=metadata, reason="No.", user=there.leader.id),
        there.connection.signing_secret,
    )
    follow_all()

    assert not Proposal.objects.exclude(status=Status.PENDING).exists()


def test_a_message_whose_answer_never_came_can_be_clicked(there, agent):
    """It stands in Slack, but the row does not know where yet."""
    proposal = factories.proposal(agent)
    there.slack.goes_down("lost answer")
    delivery.deliver(str(SlackPost.objects.get().pk))
    there.slack.comes_up()
    later()
    (message,) = there.channel.posts

    there.leader.clicks(message, "proposal_approve")
    follow_all()

    proposal.refresh_from_db()
    assert (SlackPost.objects.get().is_unsure, proposal.status) == (True, Status.APPROVED)


@pytest.mark.parametrize("action_id", ["proposal_open", "anything", ""])
def test_unknown_buttons_and_links_are_answered_and_not_kept(there, proposal, message, action_id):
    told = sent.click(there.connection, there.channel.id, message.ts, action_id, str(proposal.pk), user=there.leader.id)

    assert sent.send(there.client, told, there.connection.signing_secret).status_code == 200
    assert not SlackReceipt.objects.exists()


# --- Slack's weather ---------------------------------------------------------------------------------------------------


def test_a_decision_is_made_once_where_the_sentence_about_it_cannot_be_sent(there, owner, workspace, proposal, message):
    proposals.approve(proposal, by=owner, door=Door.PAGE)
    late = there.user_of(factories.member(workspace, Member.Role.ADMIN))
    there.slack.throttles("chat.postEphemeral", seconds=7, times=1)

    late.clicks(message, "proposal_approve")
    switchboard.follow(str(SlackReceipt.objects.get().pk))

    waiting = SlackReceipt.objects.get()
    assert timedelta(seconds=5) < waiting.next_try_at - timezone.now() <= timedelta(seconds=7)
    assert set(waiting.payload) == {"notice"}
    assert notices(late) == []

    later()
    follow_all()
    assert ["Already approved by" in told for told in notices(late)] == [True]


def test_a_click_whose_worker_died_after_deciding_is_not_told_that_it_was_late(there, owner, proposal, message):
    there.leader.clicks(message, "proposal_approve")
    proposals.approve(proposal, by=owner, door=Door.SLACK)  # as the worker did that died then

    follow_all()

    assert notices(there.leader) == []
    assert SlackReceipt.objects.get().outcome == "Decided."


def test_a_sentence_that_may_have_come_is_not_sent_again(there, owner, workspace, proposal, message):
    proposals.approve(proposal, by=owner, door=Door.PAGE)
    late = there.user_of(factories.member(workspace, Member.Role.ADMIN))
    factories.slack_person(there.connection, Member.objects.get(user__email=late.email), user_id=late.id)
    late.clicks(message, "proposal_approve")
    there.slack.goes_down("lost answer")

    follow_all()

    assert len(late.ephemerals) == 1
    assert SlackReceipt.objects.get().done_at is not None


def test_people_whom_slack_cannot_tell_of_yet_are_waited_for(there, proposal, message):
    there.slack.goes_down("500")
    told = sent.click(
        there.connection, there.channel.id, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id
    )
    sent.send(there.client, told, there.connection.signing_secret)
    follow_all()
    assert SlackReceipt.objects.get().last_error == "Something broke at Slack."

    there.slack.comes_up()
    later()
    follow_all()

    proposal.refresh_from_db()
    assert proposal.status == Status.APPROVED


def test_what_cannot_be_followed_within_a_day_is_given_up_and_forgotten(there, proposal, message):
    there.slack.goes_down("500")
    told = sent.click(
        there.connection, there.channel.id, message.ts, "proposal_approve", str(proposal.pk), user=there.leader.id
    )
    sent.send(there.client, told, there.connection.signing_secret)
    SlackReceipt.objects.update(received_at=timezone.now() - timedelta(hours=25))

    follow_all()

    receipt = SlackReceipt.objects.get()
    assert (receipt.payload, receipt.next_try_at) == (None, None)
    assert receipt.outcome == "Given up: Something broke at Slack."


def test_two_workspaces_with_one_app_each_decide_on_their_own(there, stranger, proposal, message):
    """The channel is ours; the other workspace's proposal stands in theirs."""
    foreign = connected(there.team.app, stranger.workspace)
    channel = there.team.add_channel("theirs")
    theirs = factories.ai_agent(stranger.workspace)
    factories.slack_trigger(foreign, theirs, channel_id=channel.id)
    other = factories.proposal(theirs)
    post = SlackPost.objects.get(proposal=other)
    delivery.deliver(str(post.pk))
    post.refresh_from_db()
    person = there.user_of(stranger)

    person.clicks(channel.find(post.pieces[0]["ts"]), "proposal_approve")
    person.clicks(message, "proposal_approve")
    follow_all()

    proposal.refresh_from_db()
    other.refresh_from_db()
    assert (proposal.status, other.status) == (Status.PENDING, Status.APPROVED)
