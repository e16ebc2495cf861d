"""Settings › Members: who is here, who is asked in, what is changed about them, and that it holds from the next click on."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from agents import tasks
from agents.models import Invitation, Member
from agents.pages import FRAGMENT
from agents.people import invitations, members
from tests import factories
from tests.calls import problem

pytestmark = pytest.mark.django_db
URL = "/settings/members"


def text(response):
    return " ".join(response.content.decode().split())


def told(response):
    return [str(message) for message in response.context["messages"]]


def test_list_shows_everybody_here_with_what_they_are(signed_in, owner, admin, linked_member, stranger):
    page = text(signed_in(owner).get(URL))

    assert "3 people are here" in page
    for member in (owner, admin, linked_member):
        assert member.user.email in page
    assert str(linked_member.agent) in page
    assert stranger.user.email not in page
    assert page.count("Never signed in") == 2
    assert "Signed in" in page


def test_who_was_seen_when_and_how_they_stand_with_signing_in(signed_in, owner, admin, unlinked_member):
    signed_in(admin).get("/team")
    other = signed_in(admin)
    other.get("/team")
    unlinked_member.user.is_active = False
    unlinked_member.user.save()

    page = text(signed_in(owner).get(URL))

    assert "Signed in, 2 browsers" in page
    assert "Account switched off" in page


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=Berg", {"Nora Berg"}),
        ("q=berg+nora", {"Nora Berg"}),
        ("q=nora@test", {"Nora Berg"}),
        ("which=leaders", {"Olga", "Adam"}),
        ("which=member", {"Nora Berg", "Lina"}),
        ("which=unlinked", {"Olga", "Adam", "Nora Berg"}),
        ("which=left", {"Gone"}),
        ("q=nobody", set()),
        ("which=nonsense&page=99999999", {"Olga", "Adam", "Nora Berg", "Lina"}),
    ],
)
def test_list_is_narrowed(signed_in, workspace, query, found):
    owner = factories.owner(workspace, name="Olga")
    factories.member(workspace, Member.Role.ADMIN, name="Adam")
    factories.member(workspace, name="Nora Berg", email="nora@test.example")
    factories.member(workspace, agent=factories.human(workspace), name="Lina")
    members.remove(factories.member(workspace, name="Gone"), by=owner)

    page = signed_in(owner).get(f"{URL}?{query}")

    assert {person.member.user.name for person in page.context["page"].people} == found
    assert ("Nobody fits" in text(page)) is not found


def test_list_pages_and_asks_the_same_number_of_questions(signed_in, owner, django_assert_max_num_queries):
    client = signed_in(owner)
    factories.member(owner.workspace, agent=factories.human(owner.workspace))
    invitations.invite(owner.workspace, "new@test.example", by=owner)
    client.get(URL)
    with django_assert_max_num_queries(40) as few:
        client.get(URL)
    for _ in range(60):
        factories.member(owner.workspace, agent=factories.human(owner.workspace))
    for number in range(5):
        invitations.invite(owner.workspace, f"new-{number}@test.example", by=owner)

    with django_assert_max_num_queries(len(few)) as many:
        page = client.get(URL)

    assert len(many) <= len(few)
    assert len(page.context["page"].people) == 50
    second = client.get(f"{URL}?page=2")
    assert len(second.context["page"].people) == 12
    assert client.get(f"{URL}?page=77").context["page"].question.page == 2


def test_leader_invites_and_hands_over_the_link_where_no_mail_is_sent(signed_in, owner, settings):
    settings.MAIL_IS_CONFIGURED = False
    own = factories.human(owner.workspace, name="Nora Berg")
    client = signed_in(owner)

    page = client.post(URL, {"email": "new@test.example", "role": "member", "agent": "nora berg"}, follow=True)

    asked = Invitation.objects.get()
    assert (asked.email, asked.role, asked.agent) == ("new@test.example", "member", own)
    assert page.redirect_chain == [(f"{URL}#invitations", 302)]  # where the link is, not where it was asked for
    assert told(page) == ["new@test.example is invited. This server sends no mail: hand them the link below."]
    [shown] = page.context["asked"]
    assert f'value="{shown.link}"' in page.content.decode()
    assert Client().get(shown.link.removeprefix("http://127.0.0.1:8000")).status_code == 200


def test_link_is_never_shown_where_mail_reaches_people(signed_in, owner, settings):
    settings.MAIL_IS_CONFIGURED = True
    client = signed_in(owner)

    page = client.post(URL, {"email": "new@test.example", "role": "admin"}, follow=True)

    assert "The mail is on its way" in text(page)
    assert "/invitations/W" not in page.content.decode()
    assert "readonly" not in page.content.decode()
    tasks.send_invitation(str(Invitation.objects.get().pk))
    assert "Mailed <time" in text(client.get(URL))
    assert len(mail.outbox) == 1


def test_list_looks_again_only_while_a_mail_is_under_way(signed_in, owner, settings):
    settings.MAIL_IS_CONFIGURED = True
    client = signed_in(owner)
    asked = invitations.invite(owner.workspace, "new@test.example", by=owner)

    def shown():
        return client.get("/settings/invitations", headers={FRAGMENT: "partial"}).content.decode()

    assert 'hx-trigger="every 2s"' in shown()
    tasks.send_invitation(str(asked.pk))
    assert 'hx-trigger="every 2s"' not in shown()
    assert client.get("/settings/invitations").url == "/settings/members"


@pytest.mark.parametrize("when", ["put off", "given up"])
def test_mail_that_failed_says_why(signed_in, owner, settings, when):
    settings.MAIL_IS_CONFIGURED = True
    asked = invitations.invite(owner.workspace, "new@test.example", by=owner)
    words = "The mail server refused the address: 550 No such user"
    later = timezone.now() + timedelta(minutes=1) if when == "put off" else None
    Invitation.objects.filter(pk=asked.pk).update(last_error=words, next_try_at=later)

    page = text(signed_in(owner).get(URL))

    assert words in page
    assert ("Could not be mailed." in page) is (when == "given up")
    assert ("It is tried again." in page) is (when == "put off")


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"email": "not an address"}, "email"),
        ({"email": ""}, "email"),
        ({"role": "owner"}, "role"),
        ({"agent": "Nobody of that name"}, "agent"),
        ({"agent": "Ana"}, "agent"),  # fits two
        ({"agent": "<script>alert(1)</script>"}, "agent"),
    ],
)
def test_refused_invitation_says_so_beside_its_field_and_keeps_what_was_typed(signed_in, owner, typed, field):
    for _ in range(2):
        factories.human(owner.workspace, name="Ana")

    page = signed_in(owner).post(URL, {"email": "new@test.example", "role": "member", "agent": ""} | typed)

    assert page.status_code == 400
    assert list(page.context["form"].errors) == [field]
    assert "<script>alert" not in page.content.decode()
    assert not Invitation.objects.exists()


def test_rows_of_one_name_are_told_apart_by_team_or_id(signed_in, owner):
    client, workspace = signed_in(owner), owner.workspace
    north, south, bare = (
        factories.human(workspace, name="Ana", team="North"),
        factories.human(workspace, name="Ana", team="South"),
        factories.human(workspace, name="Ana"),
    )
    factories.ai_agent(workspace, name="Ana bot")

    offered = client.get("/settings/members/free-rows?agent=ana").content.decode()
    assert {name for name in ("Ana (North)", "Ana (South)", f"Ana ({str(bare.pk)[:8]})") if f'"{name}"' in offered} == {
        "Ana (North)",
        "Ana (South)",
        f"Ana ({str(bare.pk)[:8]})",
    }
    assert "bot" not in offered
    for number, (row, words) in enumerate(
        [(south, "ana (south)"), (bare, f"Ana ({str(bare.pk)[:8]})"), (north, "Ana")]
    ):
        client.post(URL, {"email": f"n{number}@test.example", "role": "member", "agent": words})
        asked = Invitation.objects.get(email=f"n{number}@test.example")
        assert asked.agent == row
        members.link(factories.member(workspace), by=owner, agent=row)  # taken: the name left over fits


def test_invitation_is_sent_again_and_taken_back(signed_in, owner, settings):
    settings.MAIL_IS_CONFIGURED = True
    asked = invitations.invite(owner.workspace, "new@test.example", by=owner)
    client = signed_in(owner)

    again = client.post(f"/settings/invitations/{asked.pk}/send", follow=True)
    gone = client.post(f"/settings/invitations/{asked.pk}/revoke", follow=True)
    late = client.post(f"/settings/invitations/{asked.pk}/revoke", follow=True)

    assert told(again) == ["new@test.example is invited once more; links from before are dead. The mail is on its way."]
    assert told(gone) == ["The invitation of new@test.example is taken back; its link is dead."]
    assert told(late) == ["This invitation was accepted or taken back meanwhile."]
    assert late.context["asked"] == []


def test_person_is_changed_on_their_page_and_it_says_who_did_what(signed_in, owner, unlinked_member):
    owner.user.name, unlinked_member.user.name = "Olga", "Uwe"
    owner.user.save()
    unlinked_member.user.save()
    factories.human(owner.workspace, name="Uwe Uwesen")
    client, url = signed_in(owner), f"{URL}/{unlinked_member.pk}"

    client.post(f"{url}/role", {"role": "admin"})
    client.post(f"{url}/agent", {"agent": "Uwe U"})
    client.post(f"{url}/agent", {"agent": ""})
    client.post(f"{url}/remove")

    page = client.get(url)
    assert [(change.words, change.by) for change in page.context["changes"]] == [
        ("was removed", "Olga"),
        ("is no longer linked to Uwe Uwesen", "Olga"),
        ("was linked to Uwe Uwesen", "Olga"),
        ("became an admin, was member before", "Olga"),
        ("came in as a member", "whoever runs this server"),
    ]
    assert [change.words for change in client.get(URL).context["page"].changes][:2] == [
        "was removed",
        "is no longer linked to Uwe Uwesen",
    ]
    assert "Invite again" in text(page)


def test_change_of_somebody_who_left_meanwhile_says_so(signed_in, owner, admin):
    client = signed_in(owner)
    members.remove(admin, by=owner)

    page = client.post(f"{URL}/{admin.pk}/role", {"role": "member"}, follow=True)

    assert told(page) == [f"{admin.user.email} is no member of this workspace any more."]


def test_admin_who_makes_themselves_a_member_is_led_out_of_the_settings(signed_in, owner, admin):
    response = signed_in(admin).post(f"{URL}/{admin.pk}/role", {"role": "member"})

    assert response.status_code == 302
    assert not response["Location"].startswith("/settings")


def test_next_request_of_who_was_removed_answers_404_on_pages_and_api(signed_in, owner, admin):
    client = signed_in(admin)
    assert client.get("/team").status_code == client.get("/api/v1/agents").status_code == 200

    signed_in(owner).post(f"{URL}/{admin.pk}/remove")

    page = client.get("/team")
    assert page.status_code == 404
    assert "You are not in any workspace" in text(page)
    assert problem(client.get("/api/v1/agents"))[0] == 404
    assert client.post("/team", {}).status_code in (404, 405)


def test_removed_member_of_two_workspaces_is_in_the_other_from_the_next_request_on(signed_in, owner, stranger):
    here = members.add_member(owner.workspace, stranger.user.email, by=None, role="admin")
    client = signed_in(here)
    client.post("/workspace", {"workspace": str(owner.workspace_id)})
    assert owner.workspace.name in text(client.get("/team"))

    members.remove(here, by=owner)

    page = text(client.get("/team"))
    assert stranger.workspace.name in page
    assert owner.workspace.name not in page


def test_ownership_is_handed_over_with_the_name_and_the_password(signed_in, owner, admin):
    client, url = signed_in(owner), f"{URL}/{admin.pk}/hand-over"
    right = {"confirmation": owner.workspace.name, "password": factories.PASSWORD}

    for wrong in ({"confirmation": "another"}, {"password": "wrong"}, {"confirmation": ""}, {"password": ""}):
        page = client.post(url, right | wrong)
        assert (page.status_code, list(page.context["hand_over_form"].errors)) == (400, list(wrong))
        assert factories.PASSWORD not in page.content.decode()
    owner.refresh_from_db()
    assert owner.role == "owner"

    page = client.post(url, right, follow=True)
    assert told(page) == [f"{admin.user.email} owns this workspace now; you are an admin."]
    owner.refresh_from_db()
    admin.refresh_from_db()
    assert (owner.role, admin.role) == ("admin", "owner")


def test_guessing_the_owners_password_there_is_throttled_as_at_the_door(signed_in, owner, admin):
    client, url = signed_in(owner), f"{URL}/{admin.pk}/hand-over"
    typed = {"confirmation": owner.workspace.name, "password": "wrong"}
    for _ in range(10):
        client.post(url, typed)

    page = client.post(url, typed | {"password": factories.PASSWORD})

    assert page.context["hand_over_form"].errors["password"] == ["Too many tries. Wait 15 minutes, then try again."]
    owner.refresh_from_db()
    assert owner.role == "owner"


def test_hostile_names_stay_words(signed_in, owner):
    owner.user.name = "<img src=x onerror=alert(1)>\u202e"
    owner.user.save()
    invitations.invite(owner.workspace, '"quoted"@test.example', by=owner)

    page = signed_in(owner).get(URL).content.decode()

    assert "<img" not in page
    assert '"quoted"@' not in page
