"""A person's own: name, password, the browsers they are signed in with, the workspace they look at, and the way back in."""

import re
from datetime import timedelta

import pytest
import time_machine
from django.core import mail
from django.test import Client
from django.utils import timezone

from agents import tasks
from agents.models import BrowserSession, PasswordReset, User
from agents.people import accounts, members, sessions, sign_ins
from tests import factories

pytestmark = pytest.mark.django_db
NEW = "another long phrase"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile/15E148 Safari/604.1"


@pytest.fixture(autouse=True)
def with_mail(settings):
    settings.MAIL_IS_CONFIGURED = True


def text(response):
    return " ".join(response.content.decode().split())


def told(response):
    return [str(message) for message in response.context["messages"]]


def browser(member, agent=FIREFOX, place="192.0.2.7", password=factories.PASSWORD):
    """A browser that has signed in by the form."""
    client = Client(headers={"user-agent": agent}, REMOTE_ADDR=place)
    answer = client.post("/sign-in", {"username": member.user.email, "password": password})
    assert answer.status_code == 302
    return client


def is_in(client):
    return client.get("/account").status_code == 200


def row_of(client):
    return BrowserSession.objects.get(pk=client.session.session_key)


# The page


def test_page_says_who_they_are_and_where(linked_member):
    page = text(browser(linked_member).get("/account"))

    assert linked_member.user.email in page
    assert linked_member.workspace.name in page
    assert f"your own row is {linked_member.agent}" in page
    assert "Firefox on Linux" in page
    assert "From 192.0.2.7." in page


def test_name_is_changed_everywhere_it_stands(owner):
    client = browser(owner)

    page = client.post("/account", {"name": "  Ana   Söhne "}, follow=True)

    owner.user.refresh_from_db()
    assert (owner.user.name, told(page)) == ("Ana Söhne", ["Saved."])


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_name_that_will_not_do_is_refused(owner, name):
    page = browser(owner).post("/account", {"name": name})

    assert (page.status_code, list(page.context["name_form"].errors)) == (400, ["name"])


def test_no_page_carries_what_opens_a_session(owner):
    client, other = browser(owner), browser(owner, PHONE)

    page = client.get("/account").content.decode()

    for one in (client, other):
        assert one.session.session_key not in page
        assert str(row_of(one).id) in page or one is client


# Workspaces


def test_workspace_is_chosen_for_the_requests_that_follow(owner, stranger):
    members.add_member(owner.workspace, stranger.user.email, by=None)
    client = browser(stranger)
    page = text(client.get("/account"))
    assert stranger.workspace.name in page
    assert owner.workspace.name in page

    client.post("/workspace", {"workspace": str(owner.workspace_id)})

    assert client.get("/account").wsgi_request.member.workspace == owner.workspace
    assert client.get("/settings/members").status_code == 403  # a member here, the owner there


@pytest.mark.parametrize("which", ["theirs", "nonsense", ""])
def test_workspace_of_others_does_not_exist(owner, stranger, which):
    client = browser(owner)

    answer = client.post("/workspace", {"workspace": str(stranger.workspace_id) if which == "theirs" else which})

    assert answer.status_code == 404
    assert client.get("/account").wsgi_request.member == owner


def test_admin_leaves_and_the_owner_cannot(owner, admin):
    client = browser(admin)

    assert client.post("/account/leave").status_code == 302
    assert client.get("/team").status_code == 404
    page = browser(owner).post("/account/leave", follow=True)
    assert "owns this workspace. Hand it over first." in told(page)[0]
    owner.refresh_from_db()
    assert owner.left_at is None


# Browsers


def test_browsers_are_listed_with_this_one_first(owner):
    other, client = browser(owner, PHONE, "192.0.2.8"), browser(owner)

    shown = client.get("/account").context["browsers"]

    assert [(one.words, one.place, one.is_this_one) for one in shown] == [
        ("Firefox on Linux", "192.0.2.7", True),
        ("Safari on iPhone", "192.0.2.8", False),
    ]
    assert is_in(other)


def test_one_browser_is_signed_out_from_another(owner):
    client, other, third = browser(owner), browser(owner, PHONE), browser(owner)

    page = client.post(f"/account/sessions/{row_of(other).id}/end", follow=True)

    assert told(page) == ["That browser is signed out."]
    assert (is_in(client), is_in(other), is_in(third)) == (True, False, True)


def test_all_others_are_signed_out(owner, admin):
    client, *others, hers = browser(owner), browser(owner, PHONE), browser(owner), browser(admin)

    page = client.post("/account/sessions/end-others", follow=True)

    assert told(page) == ["2 other browsers were signed out."]
    assert [is_in(one) for one in (client, *others, hers)] == [True, False, False, True]


def test_ending_the_own_one_signs_out(owner):
    client = browser(owner)

    answer = client.post(f"/account/sessions/{row_of(client).id}/end")

    assert (answer["Location"], is_in(client)) == ("/sign-in", False)


def test_session_of_others_does_not_exist(owner, admin):
    client, hers = browser(owner), browser(admin)

    assert client.post(f"/account/sessions/{row_of(hers).id}/end").status_code == 404
    assert is_in(hers)


def test_when_a_browser_was_last_here_is_written_every_few_minutes(owner):
    client = browser(owner)
    began = row_of(client)

    with time_machine.travel(began.seen_at + sessions.SEEN_NOTED_EVERY - timedelta(seconds=1), tick=False):
        client.get("/account")
        assert row_of(client).seen_at == began.seen_at
    with time_machine.travel(began.seen_at + sessions.SEEN_NOTED_EVERY, tick=False) as _:
        client.get("/account", REMOTE_ADDR="192.0.2.99")
        now = timezone.now()
    row = row_of(client)
    assert (row.seen_at, row.place, row.started_at) == (now, "192.0.2.99", began.started_at)


def test_signing_in_gets_a_new_key_and_notes_the_browser(owner):
    client = Client(headers={"user-agent": FIREFOX + "\x01" + "x" * 400})
    client.get("/sign-in")
    session = client.session
    session["before"] = "kept"
    session.save()
    before = session.session_key

    client.post("/sign-in", {"username": owner.user.email, "password": factories.PASSWORD})

    row = row_of(client)
    assert (row.pk != before, row.user, len(row.browser)) == (True, owner.user, 300)
    assert not BrowserSession.objects.filter(pk=before).exists()


def test_ended_sessions_are_deleted_by_the_clock(owner):
    client, gone = browser(owner), browser(owner)
    BrowserSession.objects.filter(pk=row_of(gone).pk).update(expire_date=timezone.now() - timedelta(seconds=1))
    old = PasswordReset.objects.create(user=owner.user, next_try_at=None, asked_at=timezone.now() - timedelta(days=31))
    new = PasswordReset.objects.create(user=owner.user, next_try_at=None)

    tasks.forget_sessions()

    assert list(BrowserSession.objects.all()) == [row_of(client)]
    assert list(PasswordReset.objects.all()) == [new]
    assert old != new


# The password, changed


def change(client, **typed):
    return client.post(
        "/account/password", {"old": factories.PASSWORD, "password": NEW, "again": NEW} | typed, follow=True
    )


def test_password_is_changed_and_the_other_browsers_are_out(owner):
    client, other = browser(owner), browser(owner, PHONE)
    before = row_of(client)

    page = change(client)

    assert told(page) == ["Your password is changed. One other browser was signed out."]
    assert (is_in(client), is_in(other)) == (True, False)
    after = row_of(client)
    assert after.pk != before.pk
    assert (after.browser, after.place, after.started_at) == (before.browser, before.place, before.started_at)
    assert is_in(browser(owner, password=NEW))


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"old": "wrong"}, "old"),
        ({"old": ""}, "old"),
        ({"password": "short", "again": "short"}, "password"),
        ({"password": "", "again": ""}, "password"),
        ({"again": "something else entirely"}, "again"),
        ({"password": "x" * 1025, "again": "x" * 1025}, "password"),
    ],
)
def test_password_that_will_not_do_changes_nothing(owner, typed, field):
    client, other = browser(owner), browser(owner, PHONE)

    page = change(client, **typed)

    assert page.status_code == 400
    assert field in page.context["password_form"].errors
    assert NEW not in page.content.decode()
    assert (is_in(client), is_in(other)) == (True, True)


def test_guessing_the_old_password_is_throttled(owner):
    client = browser(owner)
    for _ in range(10):
        change(client, old="wrong")

    page = change(client)

    assert page.context["password_form"].errors["old"] == ["Too many tries. Wait 15 minutes, then try again."]


# The password, forgotten


def forget(email, place="192.0.2.1"):
    return Client(REMOTE_ADDR=place).post("/forgot-password", {"email": email})


def send_owed():
    for pk in PasswordReset.objects.due().values_list("pk", flat=True):
        tasks.send_password_reset(str(pk))


def link_of(sent):
    return re.search(r"^http://[^/]+(/reset-password/\S+)$", sent.body, re.M)[1]


def follow(link):
    """A client that has opened the link, and the page it came to."""
    client = Client()
    page = client.get(link, follow=True)
    return client, page


def set_new(client, page, **typed):
    return client.post(page.redirect_chain[-1][0], {"new_password1": NEW, "new_password2": NEW} | typed, follow=True)


def test_answer_does_not_tell_whether_there_is_such_an_account(owner):
    known, unknown = forget(owner.user.email), forget("nobody@test.example")

    assert known.status_code == unknown.status_code == 200
    assert known.content.replace(owner.user.email.encode(), b"") == unknown.content.replace(b"nobody@test.example", b"")
    assert [reset.user for reset in PasswordReset.objects.all()] == [owner.user]
    assert mail.outbox == []  # it leaves later, by a worker: how long this took tells nothing


def test_link_sets_a_password_once_and_ends_every_session(owner):
    inside = browser(owner)
    forget(owner.user.email.upper())
    send_owed()
    [sent] = mail.outbox
    assert sent.to == [owner.user.email]
    assert "2 hours" in sent.body

    client, page = follow(link_of(sent))
    assert link_of(sent).rsplit("/", 1)[1] not in page.content.decode()
    done = set_new(client, page)

    assert "Your password is changed" in told(done)[0]
    assert not BrowserSession.objects.filter(user=owner.user).exists()
    assert not is_in(inside)
    assert is_in(browser(owner, password=NEW))
    assert set_new(*follow(link_of(sent))[:1], page).status_code == 410
    assert follow(link_of(sent))[1].status_code == 410


def test_two_who_opened_one_link_set_one_password(owner):
    link = accounts.reset_link(owner.user).removeprefix("http://127.0.0.1:8000")
    (first, page), (second, other) = follow(link), follow(link)

    set_new(first, page)
    late = set_new(second, other, new_password1="a third long phrase", new_password2="a third long phrase")

    assert late.status_code == 410
    owner.user.refresh_from_db()
    assert owner.user.check_password(NEW)


def test_password_is_set_by_one_of_two_who_read_the_same(owner):
    one, other = (User.objects.get(pk=owner.user.pk) for _ in range(2))

    accounts.set_password(one, NEW)
    with pytest.raises(accounts.ChangedMeanwhile):
        accounts.set_password(other, "a third long phrase")

    owner.user.refresh_from_db()
    assert owner.user.check_password(NEW)


def test_link_is_dead_after_two_hours_and_after_signing_in(owner, settings):
    link = accounts.reset_link(owner.user).removeprefix("http://127.0.0.1:8000")
    with time_machine.travel(timezone.now() + timedelta(hours=2, minutes=1)):
        assert follow(link)[1].status_code == 410
    assert follow(link)[1].status_code == 200
    browser(owner)
    assert follow(link)[1].status_code == 410


@pytest.mark.parametrize("link", ["x/y", "MQ/set-password", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5/a-b"])
def test_forged_link_is_answered_calmly(db, link):
    page = Client().get(f"/reset-password/{link}")

    assert page.status_code == 410
    assert "This link cannot be used any more" in text(page)


def test_new_password_is_held_against_the_rules_in_their_words(owner):
    client, page = follow(accounts.reset_link(owner.user).removeprefix("http://127.0.0.1:8000"))

    page = set_new(client, page, new_password1="password12", new_password2="password12")

    assert page.status_code == 400
    assert "too common" in text(page)


def test_one_mail_is_owed_however_often_it_is_asked_for(owner):
    for number in range(5):
        assert forget(owner.user.email, place=f"192.0.2.{number}").status_code == 200
    assert PasswordReset.objects.count() == 1

    for _ in range(5):
        send_owed()
        forget(owner.user.email, place="192.0.2.50")
    assert len(mail.outbox) <= sign_ins.MOST_RESETS_OF_ONE_EMAIL


def test_asking_for_many_from_one_place_is_told_to_wait(db):
    codes = [forget(f"person-{n}@test.example").status_code for n in range(sign_ins.MOST_RESETS_FROM_ONE_PLACE + 1)]

    assert codes == [200] * sign_ins.MOST_RESETS_FROM_ONE_PLACE + [429]


def test_who_was_locked_out_by_guessing_gets_in_with_the_new_password(owner):
    client = Client(REMOTE_ADDR="192.0.2.7")
    for _ in range(11):
        client.post("/sign-in", {"username": owner.user.email, "password": "wrong"})
    page = client.get(accounts.reset_link(owner.user).removeprefix("http://127.0.0.1:8000"), follow=True)
    set_new(client, page)

    assert is_in(browser(owner, password=NEW))


def test_account_that_is_switched_off_gets_no_mail(owner):
    forget(owner.user.email)
    owner.user.is_active = False
    owner.user.save()
    send_owed()
    forget(owner.user.email)

    assert mail.outbox == []
    assert not PasswordReset.objects.owed().exists()


def test_server_without_mail_says_whom_to_ask(owner, settings):
    settings.MAIL_IS_CONFIGURED = False

    page = Client().get("/forgot-password")
    forget(owner.user.email)

    assert "This server sends no mail" in text(page)
    assert not PasswordReset.objects.exists()


@pytest.mark.parametrize("email", ["", "not an address", "a@b.example\0"])
def test_what_is_no_address_is_said(db, email):
    page = forget(email)

    assert (page.status_code, list(page.context["form"].errors)) == (400, ["email"])


# Without a workspace


def test_who_is_in_no_workspace_still_has_their_account(owner, admin):
    client, elsewhere = browser(admin), browser(admin, PHONE)
    members.remove(admin, by=owner)

    outside = client.get("/team")
    assert (outside.status_code, 'href="/account"' in text(outside)) == (404, True)
    page = client.get("/account")
    assert page.status_code == 200
    assert f"You are in none. Ask an owner or admin to invite {admin.user.email}." in text(page)
    assert "Leave" not in text(page)
    assert "<nav" not in text(page)
    assert client.post("/account", {"name": "Ana Lind"}).status_code == 302
    changed = {"old": factories.PASSWORD, "password": NEW, "again": NEW}
    assert told(client.post("/account/password", changed, follow=True))[-1] == (
        "Your password is changed. One other browser was signed out."
    )
    admin.user.refresh_from_db()
    assert (admin.user.name, admin.user.check_password(NEW)) == ("Ana Lind", True)
    assert (is_in(client), is_in(elsewhere)) == (True, False)


def test_who_is_in_no_workspace_signs_their_browsers_out_and_leaves_nothing(owner, admin):
    client, phone, tablet = browser(admin), browser(admin, PHONE), browser(admin)
    members.remove(admin, by=owner)

    client.post(f"/account/sessions/{row_of(phone).id}/end")
    assert (is_in(phone), is_in(tablet)) == (False, True)
    client.post("/account/sessions/end-others")
    assert (is_in(client), is_in(tablet)) == (True, False)
    assert client.post("/account/leave").status_code == 404
