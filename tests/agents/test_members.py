"""Workspaces, members and tokens, by the commands that operators run."""

import io

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from agents import members
from agents.models import ApiToken, Member, User, Workspace
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
        (("north", "--owner", "new@test.example"), None),
        (("north", "--owner", "new@test.example"), "short"),
        (("north", "--owner", "not an address"), PASSWORD),
        (("no slug!", "--owner", "new@test.example"), PASSWORD),
        (("taken", "--owner", "new@test.example"), PASSWORD),
        (("north", "--owner", "old@test.example"), PASSWORD),
    ],
)
def test_create_workspace_refused_leaves_nothing(monkeypatch, arguments, password):
    factories.workspace(slug="taken")
    factories.user(email="old@test.example")

    with pytest.raises(CommandError):
        run("create_workspace", *arguments, password=password, monkeypatch=monkeypatch)

    assert (Workspace.objects.count(), User.objects.count(), Member.objects.count()) == (1, 1, 0)


def test_add_member_with_their_own_row(workspace, monkeypatch):
    agent = factories.human(workspace, name="Ana")

    run(
        "add_member", "ana@test.example", "--workspace", workspace.slug, "--role", "member", "--agent", "Ana",
        password=PASSWORD, monkeypatch=monkeypatch,
    )  # fmt: skip

    made = Member.objects.get()
    assert (made.role, made.agent) == ("member", agent)


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
