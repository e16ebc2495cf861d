"""Settings › Tokens: made once, shown once, ended by whoever leads."""

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import ApiToken, Member
from agents.people import members
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/settings/tokens"


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def typed(**fields):
    return {"id": str(uuid.uuid4()), "name": "Nightly import", "scopes": ["read", "write"], "expires": "90", **fields}


def test_token_is_made_with_its_scopes_and_expiry_and_works(client, owner):
    response = client.post(URL, typed())

    token = ApiToken.objects.get()
    secret = response.context["made"]["secret"]
    assert (token.member, token.name, token.scopes) == (owner, "Nightly import", ["read", "write"])
    assert timedelta(days=89) < token.expires_at - timezone.now() <= timedelta(days=90)
    assert token.hash == ApiToken.hashed(secret)
    assert Client().get("/api/v1/agents", headers={"Authorization": f"Bearer {secret}"}).status_code == 200


def test_page_leads_to_the_routes_and_says_of_each_scope_what_it_opens(client, owner):
    page = client.get(URL).content.decode()
    runtime = client.post(URL, typed(scopes=["runtime"])).context["made"]["secret"]
    said = {"Authorization": f"Bearer {runtime}"}

    assert 'href="/api/v1/docs"' in page
    refused = Client().post("/api/v1/conversations", {}, content_type="application/json", headers=said)
    assert refused.json()["detail"] == "This token lacks the scope write."
    assert "sending its conversations" not in page


def test_secret_is_shown_once_and_kept_nowhere(client, caplog):
    sent = typed()
    made = client.post(URL, sent)
    secret = made.context["made"]["secret"]

    assert made.content.decode().count(secret) == 1
    assert "no-store" in made["Cache-Control"]
    assert secret not in client.get(URL).content.decode()
    assert secret not in str(dict(client.session))
    assert secret not in str(client.cookies)
    assert secret not in caplog.text
    assert secret not in made.request["PATH_INFO"] + made.request.get("QUERY_STRING", "")


def test_form_that_is_sent_twice_makes_one_token(client):
    sent = typed()
    client.post(URL, sent)

    again = client.post(URL, sent, follow=True)

    assert ApiToken.objects.count() == 1
    assert "This token was made already." in again.content.decode()
    assert again.context["made"] is None


def test_token_without_end_is_possible_and_warned_of(client):
    client.post(URL, typed(expires="never"))

    assert ApiToken.objects.get().expires_at is None
    assert "works until somebody revokes it" in client.get(URL).content.decode()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"scopes": []}, "scopes"),
        ({"scopes": ["read", "admin"]}, "scopes"),
        ({"expires": "36500"}, "expires"),
        ({"expires": ""}, "expires"),
        ({"id": "1"}, "id"),
    ],
)
def test_what_cannot_be_is_refused_and_what_was_typed_stays(client, fields, field):
    response = client.post(URL, typed(**fields))

    assert response.status_code == 400
    assert list(response.context["form"].errors) == [field]
    assert "Nothing was saved; what you typed is still here." in response.content.decode()
    assert ApiToken.objects.count() == 0


def test_leaders_see_all_tokens_and_nobody_elses_workspace(client, owner, admin, stranger):
    factories.token(admin)
    factories.token(stranger)

    response = client.get(URL)

    assert [one.token.member for one in response.context["usable"]] == [admin]


def test_revoked_token_is_refused_at_once_and_says_who_revoked_it(client, owner, admin):
    secret = factories.token(admin)
    token = ApiToken.objects.get()

    client.post(f"{URL}/{token.pk}/revoke")

    token.refresh_from_db()
    assert token.revoked_by == owner
    assert Client().get("/api/v1/agents", headers={"Authorization": f"Bearer {secret}"}).status_code == 401
    html = client.get(URL).content.decode()
    assert "No longer usable" in html
    assert f"by {owner}" in html


def test_each_state_is_told(client, owner, workspace):
    now = timezone.now()
    for days, name in ((1, "soon"), (60, "usable"), (-1, "expired")):
        factories.token(owner, expires_at=now + timedelta(days=days))
        ApiToken.objects.filter(name="test").update(name=name)
    left = factories.member(workspace, Member.Role.ADMIN)
    factories.token(left)
    Member.objects.filter(pk=left.pk).update(left_at=now)

    response = client.get(URL)

    shown = [*response.context["usable"], *response.context["ended"]]
    assert {one.token.name: one.state for one in shown} == {
        "soon": "soon", "usable": "usable", "expired": "expired", "test": "dead",
    }  # fmt: skip


def test_markup_in_a_name_stays_words(client):
    client.post(URL, typed(name="<script>alert(1)</script>"))

    assert "<script>alert" not in client.get(URL).content.decode()


def test_page_asks_as_many_queries_for_many_tokens_as_for_few(client, owner, admin):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        return len(captured)

    for member in (owner, admin):
        factories.token(member)
        members.revoke_token(ApiToken.objects.get(member=member), by=owner)
        factories.token(member)
    few = queries()
    for _ in range(12):
        factories.token(admin)

    assert queries() == few
