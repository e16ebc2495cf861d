"""Who somebody in Slack is here."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Member, User
from coaching.actions.slack import people as links
from coaching.models import SlackPerson
from coaching.slack import errors, people
from tests import factories
from tests.coaching.slack.talking import Talking, connected, follow_all, later, notices, questions

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


def test_a_confirmed_email_is_a_member_and_is_asked_of_slack_once(there, owner):
    user = there.team.add_user(email=owner.user.email.upper(), name="Ada")

    first, second = people.find(there.connection, user.id), people.find(there.connection, user.id)

    assert (links.member_of(first), first.name, first.problem) == (owner, "Ada", "")
    assert second.pk == first.pk
    assert len(there.slack.called("users.info")) == 1


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ({"confirmed": False}, "unconfirmed"),
        ({"is_bot": True}, "outsider"),
        ({"is_deleted": True}, "outsider"),
        ({"is_restricted": True}, "outsider"),
        ({"is_ultra_restricted": True}, "outsider"),
        ({"team_id": "T0THEIRS"}, "outsider"),
        ({"email": "nobody@elsewhere.example"}, "stranger"),
    ],
    ids=lambda told: str(told),
)
def test_whoever_slack_does_not_vouch_for_is_nobody_and_is_told_so(there, owner, flags, problem):
    user = there.team.add_user(**{"email": owner.user.email} | flags)

    user.says("Hello?", there.channel)
    follow_all()

    person = SlackPerson.objects.get()
    assert (person.member, person.problem) == (None, problem)
    assert notices(user) == [people.SENTENCES[problem]]
    assert questions() == []


def test_who_was_nobody_is_looked_up_again_after_ten_minutes(there, workspace):
    user = there.stranger(email="new@test.example")
    assert people.find(there.connection, user.id).problem == "stranger"
    member = factories.member(workspace, Member.Role.ADMIN, email="new@test.example")

    assert links.member_of(people.find(there.connection, user.id)) is None
    SlackPerson.objects.update(looked_up_at=timezone.now() - timedelta(minutes=11))

    assert links.member_of(people.find(there.connection, user.id)) == member
    assert len(there.slack.called("users.info")) == 2


@pytest.mark.parametrize("how", ["left", "signed out for good"])
def test_a_member_who_left_is_a_stranger_at_once(there, workspace, how):
    admin = factories.member(workspace, Member.Role.ADMIN)
    user = there.user_of(admin)
    assert links.member_of(people.find(there.connection, user.id)) == admin
    if how == "left":
        Member.objects.filter(pk=admin.pk).update(left_at=timezone.now())
    else:
        User.objects.filter(pk=admin.user_id).update(is_active=False)

    user.says("Hello?", there.channel)
    follow_all()

    assert questions() == []
    assert ["not a member" in told for told in notices(user)] == [True]


def test_a_member_who_left_and_came_back_is_known_again(there, workspace):
    admin = factories.member(workspace, Member.Role.ADMIN)
    user = there.user_of(admin)
    people.find(there.connection, user.id)
    Member.objects.filter(pk=admin.pk).update(left_at=timezone.now())
    assert links.member_of(people.find(there.connection, user.id)) is None

    Member.objects.filter(pk=admin.pk).update(left_at=None)

    assert links.member_of(people.find(there.connection, user.id)) == admin


def test_the_same_person_is_a_member_of_each_workspace_by_itself(there, owner):
    other = factories.workspace()
    theirs = Member.objects.create(workspace=other, user=owner.user, role=Member.Role.OWNER)
    second = connected(there.team.app, other)

    found = [links.member_of(people.find(each, there.leader.id)) for each in (there.connection, second)]

    assert found == [owner, theirs]


@pytest.mark.parametrize("trait", ["is_stranger", "is_workflow_bot", "is_connector_bot"])
def test_people_of_shared_channels_and_machines_are_outsiders(there, owner, trait):
    told = {"team_id": there.team.id, "is_email_confirmed": True}

    assert people.problem_of(there.connection, told, owner.user.email) == ""
    assert people.problem_of(there.connection, told | {trait: True}, owner.user.email) == "outsider"


def test_somebody_of_another_workspace_of_an_organisation_counts_where_they_belong_to(there, owner):
    told = {"team_id": "T0OTHER", "is_email_confirmed": True, "enterprise_user": {"teams": ["T0OTHER", there.team.id]}}

    assert people.problem_of(there.connection, told, owner.user.email) == ""
    assert people.problem_of(there.connection, told | {"enterprise_user": None}, owner.user.email) == "outsider"


@pytest.mark.parametrize(
    "user",
    [
        None,
        [],
        "x",
        {},
        {"profile": None},
        {"profile": {"email": 7, "display_name": ["x"]}, "is_email_confirmed": "yes"},
    ],
    ids=str,
)
def test_what_is_no_user_object_is_nobody(there, user, monkeypatch):
    monkeypatch.setattr(people.client, "call", lambda *_, **__: {"ok": True, "user": user})

    person = people.find(there.connection, "U1")

    assert (person.member, person.problem) == (None, "outsider")


def test_whoever_slack_does_not_know_is_nobody(there):
    assert people.find(there.connection, "U0NOBODY").problem == "outsider"


def test_while_slack_does_not_answer_nobody_is_taken_for_a_stranger(there):
    there.slack.goes_down("500")

    with pytest.raises(errors.SlackError):
        people.find(there.connection, there.leader.id)

    assert not SlackPerson.objects.exists()
    there.slack.comes_up()
    later()
    assert links.member_of(people.find(there.connection, there.leader.id)) == there.owner


def test_a_missing_permission_is_said_and_nobody_is_taken_for_a_stranger(there):
    there.slack.fails("users.info", error="missing_scope")
    there.leader.says("Hello?", there.channel)

    follow_all()

    assert (SlackPerson.objects.count(), questions()) == (0, [])
    assert ["The app's token lacks a permission." in told for told in notices(there.leader)] == [True]


@pytest.mark.parametrize("role", ["member", "linked"])
def test_roles_without_the_right_are_told_so_at_each_message(there, workspace, role):
    agent = factories.human(workspace) if role == "linked" else None
    user = there.user_of(factories.member(workspace, agent=agent))

    ts = user.says("Hello?", there.channel)
    user.says("Hello again?", there.channel)
    follow_all()

    assert questions() == []
    assert notices(user) == ["Only owners and admins of this workspace may talk to the coach."] * 2
    assert [told.thread_ts for told in user.ephemerals] == [None, None], ts


def test_in_a_thread_the_sentence_stands_in_the_thread(there):
    nobody = there.stranger()
    ts = there.leader.says("Hello?", there.channel)
    nobody.says("Me too.", there.channel, thread_ts=ts, mentions_bot=False)

    follow_all()

    assert [told.thread_ts for told in nobody.ephemerals] == [ts]
    assert [text for _, text, *_ in questions()] == ["Hello?"]
