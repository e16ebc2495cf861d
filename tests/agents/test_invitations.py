"""Asking people in: one place for one address, by a link that is dead as soon as it should be."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.core import mail, signing
from django.core.exceptions import ValidationError
from django.db import connections
from django.utils import timezone

from agents import tasks, work
from agents.access import NotAllowed
from agents.models import Invitation, Member, User
from agents.people import invitations, members
from agents.people.invitations import State
from tests import factories
from tests.smtp_server import smtp_server, use

pytestmark = pytest.mark.django_db
EMAIL = "new@test.example"
PASSWORD = "a long enough phrase"


@pytest.fixture
def with_mail(settings):
    settings.MAIL_IS_CONFIGURED = True


def token_of(invitation):
    return invitations.link(invitation).rsplit("/", 1)[1]


def come_in(invitation, name="Nora", password=PASSWORD):
    return invitations.accept_as_new(invitation, invitation.number, name=name, password=password)


def test_invitation_becomes_an_account_with_a_place(workspace, owner):
    own = factories.human(workspace)
    asked = invitations.invite(workspace, " New@Test.example ", by=owner, role="admin", agent=own)

    joined = come_in(asked, name=" Nora \n Berg ")

    member = Member.objects.get(user__email=EMAIL)
    assert (member, joined.was_member, joined.row_is_taken) == (joined.member, False, False)
    assert (member.role, member.agent, member.user.name) == ("admin", own, "Nora Berg")
    assert member.user.check_password(PASSWORD)
    asked.refresh_from_db()
    assert (asked.accepted_as, invitations.state(asked, 1)) == (member, State.ACCEPTED)
    assert member.history.get().history_user == owner.user


def test_account_that_exists_joins_and_keeps_what_it_has(workspace, owner, stranger):
    asked = invitations.invite(workspace, stranger.user.email.upper(), by=owner)

    joined = invitations.accept(asked, 1, user=stranger.user)

    assert (joined.member.workspace, joined.member.role) == (workspace, "member")
    stranger.refresh_from_db()
    assert stranger.role == "owner"
    assert stranger.user.check_password(factories.PASSWORD)


def test_only_the_invited_address_is_taken(workspace, owner, stranger):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    with pytest.raises(invitations.OtherAddress):
        invitations.accept(asked, 1, user=stranger.user)

    assert not Member.objects.filter(workspace=workspace, user=stranger.user).exists()


def test_address_with_an_account_is_not_given_another_password(workspace, owner, stranger):
    asked = invitations.invite(workspace, stranger.user.email, by=owner)

    with pytest.raises(ValidationError, match="has an account already"):
        come_in(asked)

    stranger.user.refresh_from_db()
    assert stranger.user.check_password(factories.PASSWORD)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("password", {"password": "short"}),
        ("password", {"password": "new@test.example"}),
        ("name", {"name": "x" * 201}),
    ],
)
def test_refused_account_leaves_the_invitation_open(workspace, owner, field, values):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    with pytest.raises(ValidationError) as refusal:
        come_in(asked, **values)

    assert list(refusal.value.message_dict) == [field]
    assert not User.objects.filter(email=EMAIL).exists()
    assert invitations.state(Invitation.objects.get(), 1) is State.OPEN


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("email", {"email": "not an address"}),
        ("email", {"email": "a@b.example\nBcc: c@d.example"}),
        ("email", {"email": ""}),
        ("role", {"role": "owner"}),
        ("role", {"role": "king"}),
    ],
)
def test_invitation_refused_names_its_field(workspace, owner, field, values):
    with pytest.raises(ValidationError) as refusal:
        invitations.invite(workspace, **{"email": EMAIL, "by": owner, **values})

    assert list(refusal.value.message_dict) == [field]
    assert not Invitation.objects.exists()


def test_row_that_cannot_be_theirs_is_refused(workspace, owner, linked_member, agent):
    elsewhere = factories.human(factories.workspace())

    for row in (linked_member.agent, agent, elsewhere):
        with pytest.raises(ValidationError) as refusal:
            invitations.invite(workspace, EMAIL, by=owner, agent=row)
        assert list(refusal.value.message_dict) == ["agent"]


def test_who_is_here_or_asked_in_is_not_asked_again(workspace, owner, admin):
    invitations.invite(workspace, EMAIL, by=owner)

    for email in (EMAIL.upper(), admin.user.email):
        with pytest.raises(ValidationError, match="already"):
            invitations.invite(workspace, email, by=owner)

    assert Invitation.objects.count() == 1


def test_expired_invitation_makes_room_for_another(workspace, owner):
    with time_machine.travel(timezone.now() - timedelta(days=8)):
        old = invitations.invite(workspace, EMAIL, by=owner)

    new = invitations.invite(workspace, EMAIL, by=owner, role="admin")

    old.refresh_from_db()
    assert (invitations.state(old, 1), invitations.state(new, 1)) == (State.REVOKED, State.OPEN)


def test_members_ask_nobody_in(workspace, owner, linked_member, stranger):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    with pytest.raises(NotAllowed):
        invitations.invite(workspace, "other@test.example", by=linked_member)
    for act in (invitations.send_again, invitations.revoke):
        with pytest.raises(NotAllowed):
            act(asked, by=linked_member)
        with pytest.raises(invitations.NotOpen):  # of another workspace: not there for them
            act(asked, by=stranger)
    asked.refresh_from_db()
    assert (asked.number, asked.revoked_at) == (1, None)


def test_link_is_read_back_and_nothing_that_opens_it_is_stored(workspace, owner):
    asked = invitations.invite(workspace, EMAIL, by=owner)
    token = token_of(asked)

    assert invitations.read(token) == (asked, 1)
    assert re.fullmatch(r"[A-Za-z0-9._~-]+", token)
    assert token not in str(list(Invitation.objects.values()))


@pytest.mark.parametrize(
    "spoil", [lambda t: t[:-1], lambda t: "x" + t[1:], lambda t: "", lambda t: "~~", lambda t: "é\u202e"]
)
def test_forged_link_is_none(workspace, owner, spoil):
    assert invitations.read(spoil(token_of(invitations.invite(workspace, EMAIL, by=owner)))) is None


def test_link_of_something_else_that_was_signed_is_none(workspace, owner):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    assert invitations.read(signing.dumps([asked.pk.hex, 1]).replace(":", "~")) is None


def test_link_expires_after_seven_days(workspace, owner):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    with time_machine.travel(asked.expires_at - timedelta(seconds=1), tick=False):
        assert invitations.state(asked, 1) is State.OPEN
    with time_machine.travel(asked.expires_at, tick=False):
        assert invitations.state(asked, 1) is State.EXPIRED
        with pytest.raises(invitations.NotOpen):
            come_in(asked)
    assert asked.expires_at - asked.created_at == timedelta(days=7)


def test_sending_again_kills_the_link_before_and_gives_seven_days(workspace, owner, with_mail):
    with time_machine.travel(timezone.now() - timedelta(days=9)):
        asked = invitations.invite(workspace, EMAIL, by=owner)
    before = token_of(asked)

    invitations.send_again(asked, by=owner)

    assert asked.expires_at > timezone.now() + timedelta(days=6)
    assert invitations.state(*invitations.read(before)) is State.RENEWED
    with pytest.raises(invitations.NotOpen):
        invitations.accept_as_new(asked, 1, name="Nora", password=PASSWORD)
    assert come_in(asked).member.user.email == EMAIL


def test_invitation_that_is_taken_back_lets_nobody_in(workspace, owner, admin):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    invitations.revoke(asked, by=admin)

    assert (asked.revoked_by, invitations.state(asked, 1)) == (admin, State.REVOKED)
    with pytest.raises(invitations.NotOpen):
        come_in(asked)
    for act in (invitations.send_again, invitations.revoke):
        with pytest.raises(invitations.NotOpen):
            act(asked, by=owner)
    assert not User.objects.filter(email=EMAIL).exists()


def test_row_that_was_given_away_meanwhile_lets_them_in_without(workspace, owner, unlinked_member):
    own = factories.human(workspace)
    asked = invitations.invite(workspace, EMAIL, by=owner, agent=own)
    members.link(unlinked_member, by=owner, agent=own)

    joined = come_in(asked)

    assert (joined.row_is_taken, joined.member.agent) == (True, None)
    unlinked_member.refresh_from_db()
    assert unlinked_member.agent == own


def test_who_left_comes_back_by_an_invitation_with_the_new_role(workspace, owner, admin):
    members.remove(admin, by=owner)
    asked = invitations.invite(workspace, admin.user.email, by=owner)

    joined = invitations.accept(asked, 1, user=admin.user)

    assert (joined.member, joined.member.role, joined.member.left_at) == (admin, "member", None)
    assert joined.was_member is False
    assert [row.version for row in admin.history.order_by("version")][-2:] == [2, 3]


def test_who_became_a_member_meanwhile_stays_what_they_are(workspace, owner, stranger):
    asked = invitations.invite(workspace, stranger.user.email, by=owner)
    members.add_member(workspace, stranger.user.email, by=None, role="admin")

    joined = invitations.accept(asked, 1, user=stranger.user)

    assert (joined.was_member, joined.member.role) == (True, "admin")
    asked.refresh_from_db()
    assert asked.accepted_as == joined.member


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("has_account", [True, False])
def test_two_tabs_at_once_make_one_membership(has_account):
    owner = factories.owner(factories.workspace())
    user = factories.user(email=EMAIL) if has_account else None
    asked = invitations.invite(owner.workspace, EMAIL, by=owner)

    def accept(_):
        try:
            row = Invitation.objects.get(pk=asked.pk)
            return bool(invitations.accept(row, 1, user=user) if user else come_in(row))
        except (invitations.NotOpen, ValidationError):
            return False
        finally:
            connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        won = sum(pool.map(accept, range(6)))

    assert won == 1
    assert Member.objects.filter(workspace=owner.workspace, user__email=EMAIL).count() == 1
    assert User.objects.filter(email=EMAIL).count() == 1


def test_mail_says_who_what_and_until_when_and_its_link_opens(workspace, owner, with_mail):
    owner.user.name = "Ana & Söhne"
    owner.user.save()
    asked = invitations.invite(workspace, EMAIL, by=owner, role="admin")

    tasks.send_invitation(str(asked.pk))

    [sent] = mail.outbox
    asked.refresh_from_db()
    assert (sent.to, sent.subject) == ([EMAIL], f"Ana & Söhne invites you to {workspace.name} on Touchline")
    assert f"Ana & Söhne ({owner.user.email}) invites you to {workspace.name} on Touchline, as admin." in sent.body
    assert f"{asked.expires_at.day} {asked.expires_at:%b %Y}" in sent.body
    link = re.search(r"^http://\S+/invitations/(\S+)$", sent.body, re.M)
    assert invitations.read(link[1]) == (asked, 1)
    [(html, kind)] = [(part.content, part.mimetype) for part in sent.alternatives]
    assert (kind, link[0] in html, "Ana &amp; Söhne" in html, "<img" in html) == ("text/html", True, True, False)
    assert (asked.sent_at is not None, asked.next_try_at) == (True, None)


def test_mail_is_sent_once(workspace, owner, with_mail):
    asked = invitations.invite(workspace, EMAIL, by=owner)

    for _ in range(3):
        tasks.send_invitation(str(asked.pk))

    assert len(mail.outbox) == 1


def test_without_mail_nothing_is_owed(workspace, owner, settings):
    settings.MAIL_IS_CONFIGURED = False

    asked = invitations.invite(workspace, EMAIL, by=owner)
    invitations.send_again(asked, by=owner)

    assert not Invitation.objects.owed().exists()


@pytest.mark.parametrize("end", ["revoke", "accept", "expire"])
def test_nothing_is_sent_for_what_is_no_longer_open(workspace, owner, with_mail, end):
    asked = invitations.invite(workspace, EMAIL, by=owner)
    later = timezone.now()
    if end == "revoke":
        invitations.revoke(asked, by=owner)
    elif end == "accept":
        come_in(asked)
    else:
        later = asked.expires_at

    with time_machine.travel(later):
        tasks.send_invitation(str(asked.pk))

    assert mail.outbox == []
    assert not Invitation.objects.owed().exists()


def test_mail_that_leaves_while_the_invitation_is_renewed_settles_nothing(workspace, owner, with_mail):
    asked = invitations.invite(workspace, EMAIL, by=owner)
    held = work.claim(Invitation.objects.all(), asked.pk)

    invitations.send_again(asked, by=owner)
    with pytest.raises(work.LeaseLost):
        work.settle(held, sent_at=timezone.now())

    tasks.send_invitation(str(asked.pk))
    asked.refresh_from_db()
    assert (asked.sent_at is not None, len(mail.outbox)) == (True, 1)


@pytest.mark.django_db(transaction=True)
def test_server_that_is_not_there_is_tried_again_and_the_mail_arrives(settings):
    owner = factories.owner(factories.workspace())
    use(settings, 1)
    asked = invitations.invite(owner.workspace, EMAIL, by=owner)

    tasks.send_invitation(str(asked.pk))
    asked.refresh_from_db()
    assert asked.last_error == "Nothing answers at the mail server 127.0.0.1."
    assert (asked.sent_at, asked.next_try_at > timezone.now()) == (None, True)

    with smtp_server(settings) as server, time_machine.travel(asked.next_try_at + timedelta(seconds=1)):
        tasks.send_invitation(str(asked.pk))
    asked.refresh_from_db()
    assert (asked.last_error, asked.next_try_at, [m["To"] for m in server.mails]) == ("", None, [EMAIL])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("code", "owed"), [("450 Try later", True), ("550 No such user", False)])
def test_address_that_the_server_refuses(settings, code, owed):
    owner = factories.owner(factories.workspace())
    with smtp_server(settings, RCPT=code) as server:
        asked = invitations.invite(owner.workspace, EMAIL, by=owner)
        tasks.send_invitation(str(asked.pk))

    asked.refresh_from_db()
    assert asked.last_error == f"The mail server refused the address: {code}"
    assert (asked.sent_at, asked.next_try_at is not None, server.mails) == (None, owed, [])
