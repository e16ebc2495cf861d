"""Where the link of an invitation leads."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.test import Client

from agents.models import Member, User
from agents.people import invitations, members, workspaces
from tests import factories

pytestmark = pytest.mark.django_db
EMAIL = "new@test.example"
TYPED = {"name": "Nora Berg", "password": "a long enough phrase", "again": "a long enough phrase"}


@pytest.fixture
def asked(workspace, owner):
    return invitations.invite(workspace, EMAIL, by=owner, role="admin")


def path(invitation):
    return "/invitations/" + invitations.link(invitation).rsplit("/", 1)[1]


def text(response):
    return " ".join(response.content.decode().split())


def test_new_person_sets_name_and_password_and_is_in(asked, workspace):
    client = Client(headers={"user-agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0"})
    page = client.get(path(asked))
    assert page.status_code == 200
    assert f"Join {workspace.name}" in text(page)

    page = client.post(path(asked), TYPED, follow=True)

    member = Member.objects.get(user__email=EMAIL)
    assert (page.status_code, page.wsgi_request.member) == (200, member)
    assert f"You are in {workspace.name} now." in text(page)
    assert "Firefox" in member.user.browser_sessions.get().browser
    assert User.objects.get(email=EMAIL).check_password(TYPED["password"])


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"password": "short", "again": "short"}, "password"),
        ({"password": "password123", "again": "password123"}, "password"),
        ({"again": "another long phrase"}, "again"),
        ({"password": "x" * 1025, "again": "x" * 1025}, "password"),
    ],
)
def test_what_will_not_do_is_said_beside_its_field(asked, typed, field):
    page = Client().post(path(asked), TYPED | typed)

    assert page.status_code == 400
    assert field in page.context["form"].errors
    assert TYPED["password"] not in page.content.decode()
    assert not User.objects.filter(email=EMAIL).exists()


def test_nul_character_is_refused(asked):
    assert Client().post(path(asked), TYPED | {"name": "N\0"}).status_code == 400


def test_page_tells_no_more_than_the_name_of_the_workspace(asked, workspace, owner, linked_member, signed_in, stranger):
    for client in (Client(), signed_in(stranger)):
        page = client.get(path(asked)).content.decode()
        assert workspace.name in page
        for hidden in (owner.user.email, linked_member.user.email, str(linked_member.agent), workspace.slug):
            assert hidden not in page


@time_machine.travel(datetime(2026, 11, 20, 22, 30, tzinfo=UTC), tick=False)
def test_page_and_mail_say_until_when_in_the_time_zone_of_the_workspace(settings, mailoutbox):
    settings.MAIL_IS_CONFIGURED = True
    owner = factories.owner(factories.workspace(time_zone="Asia/Tokyo"))
    asked = invitations.invite(owner.workspace, EMAIL, by=owner)

    invitations.deliver(asked.pk)
    page, late = Client().get(path(asked)), asked.expires_at + timedelta(minutes=1)
    with time_machine.travel(late, tick=False):
        expired = Client().get(path(asked))

    (mail,) = mailoutbox
    (html, _), until = mail.alternatives[0], "28 Nov 2026, 07:30 (Asia/Tokyo)"
    assert all(until in told for told in (text(page), text(expired), mail.body, html))


def test_account_that_exists_signs_in_comes_back_and_joins(workspace, owner, stranger):
    asked = invitations.invite(workspace, stranger.user.email, by=owner)
    client = Client()
    page = client.get(path(asked))
    assert "has an account here already" in text(page)
    assert 'name="password"' not in page.content.decode()

    door = client.get(f"/sign-in?email={stranger.user.email}&next={path(asked)}")
    assert f'value="{stranger.user.email}"' in door.content.decode()
    here = path(asked)  # another second makes another link
    typed = {"username": stranger.user.email, "password": factories.PASSWORD, "next": here}
    back = client.post("/sign-in", typed, follow=True)
    assert back.redirect_chain == [(here, 302)]
    assert not Member.objects.filter(workspace=workspace, user=stranger.user).exists()

    page = client.post(path(asked), follow=True)
    assert page.wsgi_request.member.workspace == workspace


def test_signed_in_as_another_is_told_so_and_nothing_happens(asked, stranger, signed_in):
    client = signed_in(stranger)

    for page in (client.get(path(asked)), client.post(path(asked), TYPED)):
        assert f'You are signed in as <span class="strong">{stranger.user.email}</span>' in text(page)
    assert not Member.objects.filter(workspace=asked.workspace, user=stranger.user).exists()
    assert not User.objects.filter(email=EMAIL).exists()

    here = path(asked)  # another second makes another link
    out = client.post("/sign-out", {"next": here})
    assert out["Location"] == here


@pytest.mark.parametrize(
    ("end", "status", "words"),
    [
        ("revoke", 410, "This invitation was taken back"),
        ("renew", 410, "There is a newer invitation"),
        ("expire", 410, "This invitation has expired"),
        ("accept", 410, "This invitation was used"),
        ("forge", 404, "This link does not work"),
        ("delete", 404, "This link does not work"),
    ],
)
def test_link_that_cannot_be_used_says_why_and_lets_nobody_in(asked, owner, end, status, words):
    link, at = path(asked), asked.created_at
    if end == "revoke":
        invitations.revoke(asked, by=owner)
    elif end == "renew":
        invitations.send_again(asked, by=owner)
    elif end == "expire":
        at = asked.expires_at
    elif end == "accept":
        invitations.accept_as_new(asked, 1, name="Nora", password=TYPED["password"])
    elif end == "forge":
        link = link[:-1]
    else:
        asked.delete()
    n_users, n_members = User.objects.count(), Member.objects.count()

    with time_machine.travel(at, tick=False):
        pages = [Client().get(link), Client().post(link, TYPED)]

    assert [page.status_code for page in pages] == [status] * 2
    assert all(words in text(page) for page in pages)
    assert (User.objects.count(), Member.objects.count()) == (n_users, n_members)


def test_forged_and_unknown_links_answer_the_same(asked):
    link = path(asked)
    asked.delete()

    gone, forged = (Client().get(address) for address in (link, "/invitations/nonsense"))

    assert (gone.status_code, gone.content, dict(gone.headers)) == (404, forged.content, dict(forged.headers))


def test_row_that_was_given_away_meanwhile_is_said(workspace, owner, unlinked_member):
    own = factories.human(workspace)
    asked = invitations.invite(workspace, EMAIL, by=owner, agent=own)
    members.link(unlinked_member, by=owner, agent=own)

    page = Client().post(path(asked), TYPED, follow=True)

    assert "is somebody else’s by now. Ask an owner or admin to link you." in text(page)
    assert Member.objects.get(user__email=EMAIL).agent is None


def test_second_tab_is_told_that_it_is_done(asked):
    first, second = Client(), Client()
    second.get(path(asked))
    first.post(path(asked), TYPED)

    page = second.post(path(asked), TYPED, follow=True)

    assert page.status_code == 410
    assert "This invitation was used" in text(page)


def test_owner_invited_by_an_operator_becomes_the_owner(db):
    asked = workspaces.create("north", owner_email=EMAIL, name="North")

    Client().post(path(asked), TYPED)

    assert Member.objects.get().is_owner
