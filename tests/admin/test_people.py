"""Buttons and forms about people and settings: they work, refuse in words, reach no other workspace, and keep who it was."""

from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from django.utils import timezone

from agents import actions
from agents.models import Agent, ApiToken, BrowserSession, Invitation, Member, Team
from agents.people import accounts, invitations, members
from coaching.actions import policies
from coaching.models import FlagPolicy, ModelConnection, ModelTest
from helpdesk import clocks, deeplinks
from helpdesk.models import DeepLink, TimeZoneChange
from tests import factories
from tests.admin.conftest import page_of, shown

pytestmark = pytest.mark.django_db
NO_IDS = {"external_ids-TOTAL_FORMS": 0, "external_ids-INITIAL_FORMS": 0}


def errors(answer):
    assert answer.status_code == 200
    return [str(message) for messages in answer.context["adminform"].form.errors.values() for message in messages]


def as_shown(client, row):
    """What a browser sends of a row's form that was opened just now and not touched."""
    form = client.get(page_of(row)).context["adminform"].form
    sent = {}
    for bound in form:
        names = [bound.html_name, *([bound.html_initial_name] if bound.field.show_hidden_initial else [])]
        value = bound.value()
        sent |= {
            name: "" if value is None else value for name in names if not (name == bound.html_name and value is False)
        }
    return sent


@pytest.fixture
def colleague(ours):
    return Member.objects.get(workspace=ours, role=Member.Role.MEMBER)


# Members


def test_workspace_is_handed_over_by_its_owner_only(client, ours, staff, colleague, press):
    assert press(colleague, "hand_over") == ["Ours colleague owns the workspace now. You are an admin."]

    staff.refresh_from_db()
    colleague.refresh_from_db()
    assert (staff.role, colleague.role) == ("admin", "owner")
    assert [row.history.latest().history_user for row in (staff, colleague)] == [staff.user, staff.user]
    assert LogEntry.objects.get(object_id=str(colleague.pk)).change_message == "Hand the workspace over to them."
    assert shown(client, colleague) == []
    other = factories.member(ours)
    assert press(other, "hand_over") == [
        "Only the owner of this workspace may hand over the workspace. Nothing was changed."
    ]
    other.refresh_from_db()
    assert other.role == "member"


def test_member_is_taken_out_and_brought_back_with_who_did_it(client, ours, staff, colleague, press):
    factories.token(colleague)
    assert shown(client, colleague) == ["hand_over", "remove"]

    assert press(colleague, "remove")[0].startswith("Taken out. What they wrote stays under their name")

    colleague.refresh_from_db()
    assert (colleague.left_at is not None, colleague.agent) == (True, None)
    assert colleague.history.latest().history_user == staff.user
    assert not ApiToken.objects.usable().filter(member=colleague).exists()
    assert "is no member of this workspace any more. Nothing was changed." in press(colleague, "remove")[0]
    assert shown(client, colleague) == ["bring_back"]

    assert press(colleague, "bring_back") == ["Back in the workspace, with the role from before and without an agent."]

    colleague.refresh_from_db()
    assert (colleague.left_at, colleague.role, colleague.version) == (None, "member", 3)
    assert colleague.history.latest().history_user == staff.user
    assert press(colleague, "bring_back") == [
        f"{colleague.user.email} is a member of this workspace already. Nothing was changed."
    ]


def test_owner_is_not_taken_out(client, staff, press):
    assert shown(client, staff) == []
    assert press(staff, "remove") == ["Ours owner owns this workspace. Hand it over first. Nothing was changed."]
    staff.refresh_from_db()
    assert staff.left_at is None


def test_own_row_is_chosen_among_people_who_are_nobodys(client, ours, staff):
    for kind in ("member", "invitation"):
        asked = {"app_label": "agents", "model_name": kind, "field_name": "agent", "term": ""}
        offered = client.get("/admin/autocomplete/", asked).json()["results"]
        assert [one["text"] for one in offered] == ["Ours newcomer"]


def test_form_of_a_member_changes_back_nothing_that_changed_since_it_was_opened(client, ours, staff, colleague):
    opened = as_shown(client, colleague)
    members.change_role(colleague, by=staff, role="admin")

    assert client.post(page_of(colleague), opened | {"agent": ""}).status_code == 302

    colleague.refresh_from_db()
    assert (colleague.role, colleague.agent) == ("admin", None)
    assert colleague.history.latest().history_user == staff.user


def test_form_of_an_agent_changes_back_nothing_that_changed_since_it_was_opened(client, ours, staff):
    agent = ours.agents.get(kind=Agent.Kind.AI)
    opened = as_shown(client, agent)
    nights = Team.objects.create(workspace=ours, name="Nights")
    actions.update_agent(Agent.objects.get(pk=agent.pk), by=staff, team="Nights", coaching=False)

    assert client.post(page_of(agent), opened | NO_IDS | {"storage_mode": "full"}).status_code == 302

    agent.refresh_from_db()
    assert (agent.storage_mode, agent.team, agent.coaching) == ("full", nights, False)


# Invitations


def test_person_is_invited_sent_the_invitation_again_and_taken_back(client, ours, staff, press):
    sent = {"email": "Zoe@Test.example", "role": "admin", "agent": ours.agents.get(name="Ours newcomer").pk}
    assert client.post("/admin/agents/invitation/add/", sent).status_code == 302
    made = Invitation.objects.get(email="zoe@test.example")
    assert (made.workspace, made.role, made.agent.name, made.invited_by) == (ours, "admin", "Ours newcomer", staff)
    assert shown(client, made)[-2:] == ["send_again", "revoke"]

    assert press(made, "send_again") == ["Another seven days and a new link. Every earlier one is dead."]
    before = made.expires_at
    made.refresh_from_db()
    assert (made.number, made.expires_at > before) == (2, True)

    assert press(made, "revoke") == ["Taken back. Its link is dead."]
    made.refresh_from_db()
    assert (made.revoked_by, made.next_try_at) == (staff, None)
    assert shown(client, made) == []
    for name in ("send_again", "revoke"):
        assert press(made, name) == ["This invitation was accepted or taken back meanwhile. Nothing was changed."]
    written = LogEntry.objects.filter(object_id=str(made.pk), action_flag=2).order_by("pk")
    assert [one.change_message for one in written] == ["Send again.", "Take back."]


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"email": "no address"}, "Enter a valid email address."),
        ({"email": "ours-new@test.example"}, "ours-new@test.example has an invitation already."),
        ({"role": "owner"}, "Choose admin or member. Ownership is handed over by the owner."),
    ],
)
def test_invitation_that_cannot_be_is_refused_in_the_form(sent, said, client, ours, staff):
    before = Invitation.objects.count()
    answer = client.post("/admin/agents/invitation/add/", {"email": "zoe@test.example", "role": "member"} | sent)
    assert any(message.startswith(said) for message in errors(answer))
    assert Invitation.objects.count() == before


def test_member_and_taken_row_are_not_invited(client, ours, staff, colleague):
    page = "/admin/agents/invitation/add/"
    assert errors(client.post(page, {"email": colleague.user.email, "role": "member"})) == [
        f"{colleague.user.email} is a member of this workspace already."
    ]
    taken = {"email": "zoe@test.example", "role": "member", "agent": colleague.agent_id}
    assert errors(client.post(page, taken)) == ["This agent is somebody else's row already."]


def test_operator_invites_without_being_a_member_and_no_others_are_chosen(client, ours, theirs, operator):
    stranger = theirs.agents.get(name="Elsewhere newcomer")
    sent = {"workspace": ours.pk, "email": "zoe@test.example", "role": "member", "agent": stranger.pk}
    assert errors(client.post("/admin/agents/invitation/add/", sent)) == [f"{stranger} belongs to another workspace."]

    assert client.post("/admin/agents/invitation/add/", sent | {"agent": ""}).status_code == 302

    assert Invitation.objects.get(email="zoe@test.example").invited_by is None


def test_mail_of_an_invitation_that_is_given_up_is_told_on_the_members_page(client, ours, staff, press, settings):
    settings.MAIL_IS_CONFIGURED = True
    made = invitations.invite(ours, "zoe@test.example", by=staff)
    assert shown(client, made) == ["try_again", "give_up", "send_again", "revoke"]

    said = press(made, "give_up")

    assert said == ["Given up. The mail is not sent. The invitation stands, and can be sent again."]
    page = client.get("/settings/members").content.decode()
    assert "Could not be mailed. It was given up." in page
    assert shown(client, made) == ["send_again", "revoke"]
    press(made, "send_again")
    assert "The mail is on its way" in client.get("/settings/members").content.decode()


def test_mail_of_an_invitation_that_has_expired_is_not_tried_again_but_sent_anew(client, ours, staff, press):
    made = invitations.invite(ours, "zoe@test.example", by=staff)
    soon = timezone.now() + timedelta(minutes=5)
    Invitation.objects.filter(pk=made.pk).update(expires_at=timezone.now(), next_try_at=soon, last_error="No route")

    assert shown(client, made) == ["give_up", "send_again", "revoke"]
    assert press(made, "try_again") == [
        "It has expired. Send it again instead, which makes a new link. Nothing was changed."
    ]


# Settings


def test_flag_policy_is_a_version_with_its_author_and_one_a_workspace(client, ours, staff):
    policy = FlagPolicy.objects.get(workspace=ours)

    assert client.post(page_of(policy), {"sensitivity": "cautious", "base_version": "1"}).status_code == 302

    policy.refresh_from_db()
    assert (policy.sensitivity, policy.automatic, policy.version) == ("cautious", False, 2)
    assert policy.history.latest().history_user == staff.user
    assert errors(client.post(page_of(policy), {"sensitivity": "wild", "base_version": "2"}))
    policy.refresh_from_db()
    assert policy.version == 2


def test_flag_policy_chosen_on_a_page_that_was_overtaken_is_not_stored(client, ours, staff):
    policy = FlagPolicy.objects.get(workspace=ours)
    policies.choose(
        ours, by=Member.objects.get(workspace=ours, user=staff.user), sensitivity="balanced", automatic=True
    )

    answer = client.post(page_of(policy), {"sensitivity": "cautious", "base_version": "1"})

    said = " ".join(errors(answer))
    assert "Meanwhile it became version 2, so nothing was saved." in said
    assert "Version 2 says: balanced" in said
    policy.refresh_from_db()
    assert (policy.sensitivity, policy.version) == ("balanced", 2)
    assert client.post(page_of(policy), {"sensitivity": "cautious", "base_version": "2"}).status_code == 302


def test_operator_who_is_no_member_chooses_no_flag_policy(client, ours, operator):
    policy = FlagPolicy.objects.get(workspace=ours)
    answer = client.post(page_of(policy), {"sensitivity": "cautious", "base_version": "1"})
    assert "Only the owner and admins of Ours desk do this" in errors(answer)[0]
    policy.refresh_from_db()
    assert policy.sensitivity == "early"


def test_time_zone_is_asked_for_one_at_a_time(client, ours, staff, press):
    page, waiting = "/admin/helpdesk/timezonechange/add/", TimeZoneChange.objects.get(workspace=ours)
    assert (
        "The days are being summed anew for Asia/Tokyo." in errors(client.post(page, {"time_zone": "Europe/Berlin"}))[0]
    )
    clocks.give_up(waiting)

    assert client.post(page, {"time_zone": "Europe/Berlin"}).status_code == 302

    made = TimeZoneChange.objects.get(workspace=ours, time_zone="Europe/Berlin")
    assert (made.asked_by, made.next_try_at is not None) == (staff, True)
    assert shown(client, waiting) == ["ask_again"]
    assert press(waiting, "ask_again") == [
        "Another change of the time zone is at work. Wait until that is done. Nothing was changed."
    ]


@pytest.mark.parametrize(
    ("zone", "said"),
    [("UTC", "Ours desk lives by this clock already."), ("Mars/Olympus", "Mars/Olympus is not a time zone.")],
)
def test_time_zone_that_changes_nothing_or_is_none_is_refused(zone, said, client, ours, staff):
    TimeZoneChange.objects.filter(workspace=ours).delete()
    (told,) = errors(client.post("/admin/helpdesk/timezonechange/add/", {"time_zone": zone}))
    assert told.startswith(said)
    assert not TimeZoneChange.objects.filter(workspace=ours).exists()


def test_model_is_tested_and_disconnected_once(client, ours, staff, press):
    ModelTest.objects.filter(workspace=ours).delete()
    own = ModelConnection.objects.get(workspace=ours)
    assert shown(client, own) == ["test", "disconnect"]
    assert press(own, "test") == ["A test is asked for. A worker takes it within seconds."]
    assert ModelTest.objects.get(workspace=ours).asked_by == staff

    assert press(own, "disconnect") == ["Disconnected. The key is deleted here."]

    own.refresh_from_db()
    assert (own.key, own.key_tail, own.version) == ("", "", 2)
    assert own.history.latest().history_user == staff.user
    assert not ModelTest.objects.filter(workspace=ours).exists()
    assert shown(client, own) == []
    assert press(own, "disconnect") == ["This workspace has no connection of its own any more. Nothing was changed."]


def test_patterns_that_changed_since_the_form_was_opened_are_told_and_not_overwritten(client, ours, staff):
    link = DeepLink.objects.get(workspace=ours)
    opened = as_shown(client, link) | {"keys": "{}"}
    deeplinks.save(ours, source=link.source, conversation_pattern="https://new.example/{id}", by=staff)

    answer = client.post(page_of(link), opened | {"account_pattern": "https://desk.example/a"})

    assert errors(answer) == [deeplinks.CHANGED]
    link.refresh_from_db()
    assert (link.conversation_pattern, link.account_pattern, link.version) == ("https://new.example/{id}", "", 2)


# Browsers and tokens


def test_browser_is_signed_out_there(ours, staff, press):
    phone = Client()
    phone.post("/sign-in", {"username": staff.user.email, "password": factories.PASSWORD})
    session = BrowserSession.objects.get(pk=phone.session.session_key)
    assert phone.get("/account").status_code == 200

    assert press(session, "end") == ["Signed out there: the next request of that browser leads to the sign-in."]

    assert phone.get("/account").status_code == 302
    assert LogEntry.objects.get(object_id=str(session.id)).user == staff.user
    assert session.session_key not in str(LogEntry.objects.values())


def test_own_browser_can_be_signed_out_there(client, ours, staff):
    session = BrowserSession.objects.get(pk=client.session.session_key)

    answer = client.post(page_of(session), {"_button": "end"})

    assert answer.status_code == 302
    assert client.get("/account").status_code == 302


def test_who_is_given_another_password_is_signed_out_everywhere_and_the_operator_nowhere(client, ours, operator):
    owner = Member.objects.get(workspace=ours, role=Member.Role.OWNER).user
    page, new = "/admin/agents/user/{}/password/", "another long phrase"
    typed = {"usable_password": "true", "password1": new, "password2": new, "set-password": "x"}

    assert client.post(page.format(owner.pk), typed | {"password2": "else"}).status_code == 200
    assert BrowserSession.objects.filter(user=owner).exists()
    assert client.post(page.format(owner.pk), typed).status_code == 302

    owner.refresh_from_db()
    assert owner.check_password(new)
    assert not BrowserSession.objects.filter(user=owner).exists()
    assert client.post(page.format(operator.pk), typed).status_code == 302
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize("page", ["add/", "{}/change/"])
def test_login_has_a_name_that_can_be_read(page, client, ours, operator):
    typed = {"email": "eve@test.example", "name": "Eve \u202eadmin", "usable_password": "false", "is_active": "on"}

    answer = client.post(f"/admin/agents/user/{page.format(operator.pk)}", typed)

    assert answer.status_code == 200
    assert "A name has no control characters in it." in answer.content.decode()


def test_team_of_a_name_that_is_taken_is_refused_in_the_form(client, ours, staff):
    team = ours.teams.first()
    Team.objects.create(workspace=ours, name="Nights")

    answer = client.post(page_of(team), {"name": "Nights"})

    assert answer.status_code == 200
    assert "already exists" in answer.content.decode()


def test_own_password_is_changed_on_the_own_account(client, staff):
    assert client.get("/admin/password_change/").url == "/account"
    assert 'href="/account"' in client.get("/admin/").content.decode()


def test_browser_that_is_signed_out_already_is_told(ours, staff):
    session = BrowserSession.objects.filter(user=staff.user).first()
    accounts.end_session(session)
    with pytest.raises(accounts.SignedOut, match="signed out already"):
        accounts.end_session(session)


def test_token_is_revoked_once_and_says_by_whom(ours, staff, press):
    token = ApiToken.objects.get(workspace=ours)
    press(token, "revoke")
    token.refresh_from_db()
    assert token.revoked_by == staff
    first = token.revoked_at
    assert press(token, "revoke") == ["It was revoked already."]
    token.refresh_from_db()
    assert token.revoked_at == first


# Other workspaces


BUTTONS = [
    (Member, "remove"), (Member, "hand_over"), (Member, "bring_back"), (Invitation, "send_again"), (Invitation, "revoke"),
    (BrowserSession, "end"), (ApiToken, "revoke"), (ModelConnection, "test"), (ModelConnection, "disconnect"),
    (TimeZoneChange, "ask_again"), (TimeZoneChange, "give_up"), (Invitation, "give_up"), (Invitation, "try_again"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "name"), BUTTONS)
def test_button_of_another_workspaces_row_is_not_there(model, name, client, ours, theirs, staff):
    path = "user__memberships__workspace" if model is BrowserSession else "workspace"
    for row in model._default_manager.filter(**{path: theirs}):
        before = model._default_manager.filter(pk=row.pk).values().get()
        assert client.post(page_of(row), {"_button": name}).status_code == 404
        assert model._default_manager.filter(pk=row.pk).values().get() == before


def test_policy_of_another_workspace_is_not_there(client, ours, theirs, staff):
    policy = FlagPolicy.objects.get(workspace=theirs)
    assert client.post(page_of(policy), {"sensitivity": "cautious"}).status_code == 404
    policy.refresh_from_db()
    assert policy.sensitivity == "early"
