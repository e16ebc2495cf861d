"""Workspaces, members and tokens: by the commands that operators run, and what members do to each other."""

import io
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connections

from agents import tasks
from agents.access import NotAllowed
from agents.models import ApiToken, Invitation, Member, User, Workspace
from agents.people import invitations, members
from tests import factories
from tests.calls import Script

pytestmark = pytest.mark.django_db

PASSWORD = "a long enough phrase"


def run(*arguments, password=None, monkeypatch=None):
    """What the command prints; `password` stands on its standard input."""
    out = io.StringIO()
    if password is not None:
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{password}\n"))
        arguments = (*arguments, "--password-stdin")
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_create_workspace_makes_its_owner(monkeypatch):
    run(
        "create_workspace",
        "north",
        "--owner",
        "Ana@Test.example",
        "--name",
        "North",
        password=PASSWORD,
        monkeypatch=monkeypatch,
    )

    owner = Member.objects.get()
    assert (owner.workspace.slug, owner.workspace.name, owner.role) == ("north", "North", "owner")
    assert (owner.user.email, owner.user.check_password(PASSWORD)) == ("ana@test.example", True)


def test_create_workspace_takes_an_account_that_exists_as_it_is():
    user = factories.user()

    run("create_workspace", "north", "--owner", user.email.upper())

    assert Member.objects.get().user == user
    assert User.objects.get().check_password(factories.PASSWORD)


@pytest.mark.parametrize(
    ("arguments", "password"),
    [
        (("north", "--owner", "new@test.example"), "short"),
        (("north", "--owner", "not an address"), PASSWORD),
        (("no slug!", "--owner", "new@test.example"), PASSWORD),
        (("taken", "--owner", "new@test.example"), PASSWORD),
        (("north", "--owner", "old@test.example"), PASSWORD),
        (("north", "--owner", "not an address"), None),
        (("taken", "--owner", "new@test.example"), None),
    ],
)
def test_create_workspace_refused_leaves_nothing(monkeypatch, arguments, password):
    factories.workspace(slug="taken")
    factories.user(email="old@test.example")

    with pytest.raises(CommandError):
        run("create_workspace", *arguments, password=password, monkeypatch=monkeypatch)

    assert (Workspace.objects.count(), User.objects.count(), Member.objects.count()) == (1, 1, 0)
    assert not Invitation.objects.exists()


def test_create_workspace_without_a_password_prints_an_invitation_that_makes_the_owner():
    out = run("create_workspace", "north", "--owner", "Ana@Test.example", "--name", "North")

    invitation, number = invitations.read(out.split()[-1].rsplit("/", 1)[1])
    assert (invitation.role, invitation.email, Member.objects.count()) == ("owner", "ana@test.example", 0)
    invitations.accept_as_new(invitation, number, name="Ana", password=PASSWORD)
    owner = Member.objects.get()
    assert (owner.is_owner, owner.workspace.name, owner.user.email) == (True, "North", "ana@test.example")


def test_create_workspace_mails_the_invitation_where_mail_reaches_people(settings):
    settings.MAIL_IS_CONFIGURED = True

    out = run("create_workspace", "north", "--owner", "ana@test.example")

    assert "It is being mailed to them too." in out
    tasks.send_invitation(str(Invitation.objects.get().pk))
    assert [(sent.to, sent.subject) for sent in mail.outbox] == [(["ana@test.example"], "Join north on Touchline")]


def test_add_member_with_their_own_row(workspace, monkeypatch):
    agent = factories.human(workspace, name="Ana")

    run(
        "add_member", "ana@test.example", "--workspace", workspace.slug, "--role", "member", "--agent", "Ana",
        password=PASSWORD, monkeypatch=monkeypatch,
    )  # fmt: skip

    made = Member.objects.get()
    assert (made.role, made.agent) == ("member", agent)


def test_add_member_without_a_password_prints_an_invitation(workspace, owner):
    agent = factories.human(workspace, name="Ana")

    out = run("add_member", "ana@test.example", "--workspace", workspace.slug, "--role", "admin", "--agent", "Ana")

    invitation, _ = invitations.read(out.split()[-1].rsplit("/", 1)[1])
    assert (invitation.role, invitation.agent, invitation.invited_by) == ("admin", agent, None)


def test_add_member_brings_back_who_left(workspace, admin):
    admin.left_at = admin.joined_at
    admin.save_without_historical_record()

    members.add_member(workspace, admin.user.email, by=None)

    admin.refresh_from_db()
    assert (admin.left_at, admin.role) == (None, "member")


def test_add_member_refuses_a_second_owner_a_second_place_and_a_shared_row(workspace, owner, linked_member):
    free = factories.user()
    for values in (
        {"email": free.email, "role": "owner"},
        {"email": owner.user.email},
        {"email": free.email, "agent": linked_member.agent},
        {"email": free.email, "agent": factories.human(factories.workspace())},
        {"email": free.email, "agent": factories.ai_agent(workspace)},
    ):
        with pytest.raises(ValidationError):
            members.add_member(workspace, by=None, **values)

    assert Member.objects.count() == 2


def test_create_token_prints_a_secret_that_works_alone_on_its_last_line(workspace, owner):
    out = run("create_token", owner.user.email, "--workspace", workspace.slug, "--scopes", "read, write")

    secret = out.splitlines()[-1]
    script = Script()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert script.send("/agents", {"name": "Ana"}).status_code == 201
    assert ApiToken.objects.get().scopes == ["read", "write"]


@pytest.mark.parametrize("scopes", ["everything", "read,everything", "", ","])
def test_create_token_refuses_scopes_that_are_none(workspace, owner, scopes):
    with pytest.raises(CommandError):
        run("create_token", owner.user.email, "--workspace", workspace.slug, "--scopes", scopes)

    assert not ApiToken.objects.exists()


def test_create_token_is_for_members_only(workspace, stranger):
    with pytest.raises(CommandError):
        run("create_token", stranger.user.email, "--workspace", workspace.slug, "--scopes", "read")


# Role, own row, leaving, ownership


def test_role_is_changed_with_its_author(owner, unlinked_member):
    members.change_role(unlinked_member, by=owner, role="admin")

    row = unlinked_member.history.latest("version")
    assert (unlinked_member.role, row.role, row.version, row.history_user) == ("admin", "admin", 2, owner.user)


def test_choosing_what_is_so_already_makes_no_version(owner, admin, linked_member):
    members.change_role(admin, by=owner, role="admin")
    members.link(linked_member, by=owner, agent=linked_member.agent)

    for member in (admin, linked_member):
        member.refresh_from_db()
        assert member.version == 1


@pytest.mark.parametrize("role", ["owner", "king", ""])
def test_role_that_cannot_be_given_is_refused(owner, unlinked_member, role):
    with pytest.raises(ValidationError):
        members.change_role(unlinked_member, by=owner, role=role)

    unlinked_member.refresh_from_db()
    assert unlinked_member.role == "member"


def test_owner_is_neither_demoted_nor_removed(owner, admin):
    with pytest.raises(members.NotAMember, match="Hand it over first"):
        members.change_role(owner, by=admin, role="member")
    for by in (admin, owner):
        with pytest.raises(members.NotAMember, match="Hand it over first"):
            members.remove(owner, by=by)

    owner.refresh_from_db()
    assert (owner.role, owner.left_at, owner.version) == ("owner", None, 1)


def test_member_changes_nobody_and_may_leave(workspace, owner, linked_member, unlinked_member):
    for act, values in (
        (members.change_role, {"role": "admin"}),
        (members.link, {"agent": None}),
        (members.remove, {}),
        (members.hand_over, {}),
    ):
        with pytest.raises(NotAllowed):
            act(linked_member, by=unlinked_member, **values)

    members.remove(unlinked_member, by=unlinked_member)

    assert set(Member.objects.current()) == {owner, linked_member}


def test_admin_who_was_demoted_meanwhile_neither_takes_the_role_back_nor_a_row(workspace, owner, admin):
    as_read = Member.objects.get(pk=admin.pk)
    members.change_role(admin, by=owner, role="member")

    with pytest.raises(NotAllowed):
        members.change_role(as_read, by=as_read, role="admin")
    with pytest.raises(NotAllowed):
        members.link(as_read, by=as_read, agent=factories.human(workspace))

    admin.refresh_from_db()
    assert (admin.role, admin.agent) == ("member", None)


def test_leader_of_another_workspace_changes_nobody_here(stranger, admin, linked_member):
    for act, values in (
        (members.change_role, {"role": "member"}),
        (members.link, {"agent": None}),
        (members.remove, {}),
        (members.hand_over, {}),
    ):
        with pytest.raises(members.NotAMember):
            act(admin, by=stranger, **values)

    admin.refresh_from_db()
    stranger.refresh_from_db()
    assert (admin.role, admin.left_at, stranger.role) == ("admin", None, "owner")


def test_own_row_is_a_free_person_of_the_workspace(workspace, owner, linked_member, unlinked_member, agent):
    elsewhere = factories.human(factories.workspace())
    for row in (linked_member.agent, agent, elsewhere):
        with pytest.raises(ValidationError) as refusal:
            members.link(unlinked_member, by=owner, agent=row)
        assert list(refusal.value.message_dict) == ["agent"]

    free = factories.human(workspace)
    members.link(unlinked_member, by=owner, agent=free)
    assert unlinked_member.agent == free
    members.link(unlinked_member, by=owner, agent=None)
    assert unlinked_member.agent is None


def test_who_is_removed_keeps_the_name_under_what_they_did_and_loses_the_tokens(owner, admin):
    secret = factories.token(admin)
    script = Script()
    script.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    assert script.read("/agents").status_code == 200

    members.remove(admin, by=owner)

    token = ApiToken.objects.get()
    assert (script.read("/agents").status_code, token.revoked_by) == (401, owner)
    assert admin.history.latest("version").history_user == owner.user
    assert not Member.objects.current().filter(pk=admin.pk).exists()
    with pytest.raises(members.NotAMember, match="no member of this workspace any more"):
        members.change_role(admin, by=owner, role="member")


def test_ownership_is_handed_over_once(owner, admin, unlinked_member):
    was_owner = Member.objects.get(pk=owner.pk)

    members.hand_over(admin, by=owner)

    assert (admin.role, owner.role) == ("owner", "admin")
    with pytest.raises(NotAllowed):
        members.hand_over(unlinked_member, by=was_owner)  # as it was read before
    assert Member.objects.filter(role="owner").get() == admin


def test_ownership_goes_to_nobody_who_is_not_here(owner, admin, unlinked_member):
    members.remove(admin, by=owner)
    unlinked_member.user.is_active = False

    for member in (admin, unlinked_member, owner):
        with pytest.raises(members.NotAMember):
            members.hand_over(member, by=owner)

    owner.refresh_from_db()
    assert (owner.role, owner.version) == ("owner", 1)


def at_once(*calls):
    """Run the calls on a connection each; the exceptions they raised, None for those that did not."""

    def run_one(call):
        try:
            call()
        except (members.NotAMember, NotAllowed, ValidationError) as refusal:
            return refusal
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run_one, calls))


@pytest.mark.django_db(transaction=True)
def test_two_admins_who_remove_each_other_at_once_leave_one():
    workspace = factories.workspace()
    factories.owner(workspace)
    one, other = (factories.member(workspace, Member.Role.ADMIN) for _ in range(2))

    refused = at_once(lambda: members.remove(one, by=other), lambda: members.remove(other, by=one))

    assert sorted(type(refusal).__name__ for refusal in refused) == ["NoneType", "NotAllowed"]
    assert Member.objects.current().filter(pk__in=[one.pk, other.pk]).count() == 1


@pytest.mark.django_db(transaction=True)
def test_workspace_that_is_handed_to_two_at_once_has_one_owner():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    heirs = [factories.member(workspace, Member.Role.ADMIN) for _ in range(2)]

    refused = at_once(
        *(lambda heir=heir: members.hand_over(heir, by=Member.objects.get(pk=owner.pk)) for heir in heirs)
    )

    assert sorted(type(refusal).__name__ for refusal in refused) == ["NoneType", "NotAllowed"]
    assert Member.objects.get(workspace=workspace, role="owner") in heirs


@pytest.mark.django_db(transaction=True)
def test_one_row_for_two_at_once_goes_to_one():
    workspace = factories.workspace()
    owner, row = factories.owner(workspace), factories.human(workspace)
    two = [factories.member(workspace) for _ in range(2)]

    refused = at_once(*(lambda member=member: members.link(member, by=owner, agent=row) for member in two))

    assert sorted(type(refusal).__name__ for refusal in refused) == ["NoneType", "ValidationError"]
    assert Member.objects.filter(agent=row).count() == 1


@pytest.mark.django_db(transaction=True)
def test_one_member_changed_by_two_at_once_gets_both_versions():
    workspace = factories.workspace()
    owner, row = factories.owner(workspace), factories.human(workspace)
    member = factories.member(workspace)

    refused = at_once(
        lambda: members.link(Member.objects.get(pk=member.pk), by=owner, agent=row),
        lambda: members.change_role(Member.objects.get(pk=member.pk), by=owner, role="admin"),
    )

    member.refresh_from_db()
    assert (refused, member.agent, member.role, member.version) == ([None, None], row, "admin", 3)
