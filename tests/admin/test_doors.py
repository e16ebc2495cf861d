"""Who comes in, and by which door."""

import re

import pytest
from django.contrib import admin
from django.urls import URLResolver

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


def addresses():
    """Every address of the back office, each with a number where it asks for something."""
    waiting = [("", pattern) for pattern in admin.site.get_urls()]
    while waiting:
        prefix, pattern = waiting.pop()
        where = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            waiting += [(where, inner) for inner in pattern.url_patterns]
        else:
            yield "/admin/" + re.sub(r"<[^>]*>|\(\?P<.*\)", "1", where).strip("^$")


def test_every_address_is_for_staff_who_lead_only(client, ours):
    """Who is not signed in is asked to, on every page that is there; who is no staff finds none of them."""
    everywhere = [where for where in addresses() if where not in ("/admin/login/", "/admin/logout/")]
    member = factories.member(ours)

    assert len(everywhere) > 150
    for where in everywhere:
        told = client.get(where)
        assert (where, told.status_code) == (where, 302)
        assert told.url.startswith(("/admin/login/?next=", "/sign-in?next=")), where
    client.force_login(member.user)
    for where in everywhere:
        told = client.get(where)
        assert (where, told.status_code) == (where, 302), where
        assert told.url.startswith("/admin/login/?next="), where


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
