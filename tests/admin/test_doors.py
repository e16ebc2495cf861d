"""Who comes in, and by which door."""

import pytest

from tests import factories

pytestmark = pytest.mark.django_db


def test_anonymous_goes_to_the_one_sign_in_and_comes_back(client, staff):
    client.logout()
    first = client.get("/admin/agents/agent/")
    assert first.url == "/admin/login/?next=/admin/agents/agent/"
    second = client.get(first.url)
    assert second.url == "/sign-in?next=/admin/agents/agent/"
    signed_in = client.post(second.url, {"username": staff.user.email, "password": factories.PASSWORD})
    assert signed_in.url == "/admin/agents/agent/"


def test_sign_in_does_not_lead_elsewhere(client):
    assert client.get("/admin/login/?next=https://evil.example/").url == "/sign-in?next=/admin/"


def test_address_without_slash_leads_in(client, staff):
    assert client.get("/admin").url == "/admin/"


def test_member_who_is_not_staff_gets_a_plain_page_and_no_second_form(client, ours):
    member = factories.member(ours)
    client.force_login(member.user)
    answer = client.get("/admin/", follow=True)
    assert answer.status_code == 403
    assert "people who run this installation" in answer.content.decode()
    assert "<form" not in answer.content.decode()


def test_sign_out_is_by_post(client, staff):
    assert client.get("/admin/logout/").status_code == 405
    assert client.post("/admin/logout/").url == "/sign-in"
    assert client.get("/admin/").status_code == 302


def staff_of(workspace):
    return workspace.members.get(role="owner").user


def test_no_secret_is_shown_or_guessed(client, ours, operator, theirs):
    token = ours.tokens.get()
    assert token.hash not in client.get(f"/admin/agents/apitoken/{token.pk}/change/").content.decode()
    guess = client.get("/admin/agents/apitoken/", {"hash__startswith": token.hash[:4]})
    assert guess.status_code == 400
    login = staff_of(ours)
    html = client.get(f"/admin/agents/user/{login.pk}/change/").content.decode()
    assert "Set." in html
    assert login.password.rsplit("$", 1)[1][:6] not in html


def test_staff_see_no_password_and_cannot_change_a_login(client, ours, staff):
    page = f"/admin/agents/user/{staff.user.pk}/change/"
    html = client.get(page).content.decode()
    assert staff.user.email in html
    assert "password" not in html.replace("passwordreset", "")
    assert client.post(page, {"email": "new@test.example", "is_superuser": "on"}).status_code == 403
    assert client.get(f"/admin/agents/user/{staff.user.pk}/password/").status_code == 403
    assert client.get("/admin/agents/user/add/").status_code == 403
