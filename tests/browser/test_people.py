"""People come in, find their way back, and see where they are signed in, in a real browser."""

import re

import pytest
from django.core import mail
from playwright.sync_api import expect

from agents import tasks
from agents.models import Invitation, Member, PasswordReset
from agents.people import invitations
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off

PASSWORD = "a long enough phrase"
EMAIL = "nora@test.example"


@pytest.fixture
def owner(transactional_db, settings):
    settings.MAIL_IS_CONFIGURED = True
    settings.CELERY_TASK_ALWAYS_EAGER = False
    workspace = factories.workspace(name="Harbour")
    factories.human(workspace, name="Nora Berg")
    return factories.owner(workspace, name="Olga")


def path_in(sent):
    """The path of the one link that the mail carries."""
    return re.search(r"^http://[^/]+(/\S+)$", sent.body, re.M)[1]


def test_invitation_from_invite_to_first_page(owner, sign_in, open_browser):
    page = sign_in(owner)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Members", exact=True).click()
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Role").select_option("Member")
    page.get_by_label("Their own row in the team").fill("nora")
    page.get_by_role("button", name="Invite", exact=True).click()
    expect(page.get_by_text(f"{EMAIL} is invited. The mail is on its way.")).to_be_visible()
    tasks.send_invitation(str(Invitation.objects.get().pk))
    expect(page.locator("#invitations")).to_contain_text("Mailed just now")  # it looks by itself
    assert_accessible(page)

    guest = open_browser()
    guest.goto(path_in(mail.outbox[0]))
    assert_accessible(guest)
    guest.get_by_label("Your name").fill("Nora Berg")
    guest.get_by_label("Password").fill("short")
    guest.get_by_label("The same again").fill("short")
    guest.get_by_role("button", name="Join").click()
    expect(guest.get_by_text("This password is too short.")).to_be_visible()
    assert_accessible(guest)
    guest.complaints.clear()  # the browser notes that a form was refused
    guest.get_by_label("Password").fill(PASSWORD)
    guest.get_by_label("The same again").fill(PASSWORD)
    guest.get_by_role("button", name="Join").click()
    expect(guest.get_by_text("You are in Harbour now.")).to_be_visible()

    member = Member.objects.get(user__email=EMAIL)
    assert (member.agent.name, member.role) == ("Nora Berg", "member")
    page.goto("/settings/members")
    page.get_by_role("searchbox", name="Search names and addresses").fill("nora")
    expect(page.get_by_role("status").filter(has_text="1 found")).to_be_visible()
    page.get_by_role("link", name="Nora Berg").first.click()
    expect(page.get_by_text("came in as a member, linked to Nora Berg")).to_be_visible()
    assert_accessible(page)


def test_forgotten_password_is_set_anew(owner, open_browser):
    page = open_browser()
    page.goto("/sign-in")
    page.get_by_role("link", name="Forgot your password?").click()
    page.get_by_label("Email").fill(owner.user.email)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    assert_accessible(page)
    tasks.send_password_reset(str(PasswordReset.objects.get().pk))

    page.goto(path_in(mail.outbox[0]))
    assert page.url.endswith("/set-password")
    assert_accessible(page)
    page.get_by_label("New password").fill(PASSWORD)
    page.get_by_label("The same again").fill(PASSWORD)
    page.get_by_role("button", name="Set the password").click()
    expect(page.get_by_text("Your password is changed, and every browser was signed out.")).to_be_visible()
    expect(page.get_by_label("Email")).to_have_value(owner.user.email)
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/team")


def test_one_browser_signs_another_out(owner, sign_in):
    page, other = sign_in(owner), sign_in(owner, user_agent="Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Safari/604.1")
    page.locator("details.menu-user > summary").click()
    page.get_by_role("link", name="Your account").click()
    expect(page.get_by_text("this one")).to_be_visible()
    assert_accessible(page)

    page.get_by_role("button", name="Sign out Safari on iPhone").click()

    expect(page.get_by_text("That browser is signed out.")).to_be_visible()
    other.goto("/team")
    assert "/sign-in" in other.url


def test_every_page_is_accessible_and_fits_a_narrow_screen(owner, sign_in, open_browser):
    admin = factories.member(owner.workspace, Member.Role.ADMIN, name="A very long name that goes on and on " * 4)
    asked = invitations.invite(owner.workspace, f"{'x' * 60}@test.example", by=owner, role="admin")
    Invitation.objects.filter(pk=asked.pk).update(
        next_try_at=None, last_error="The mail server refused the address: 550 No such user"
    )
    page = sign_in(owner, viewport=NARROW)
    link = "/invitations/" + invitations.link(asked).rsplit("/", 1)[1]
    for address in ("/settings/members", f"/settings/members/{admin.pk}", "/account", link):
        page.goto(address)
        for summary in page.locator("main summary").all():
            summary.click()
        assert_accessible(page)
        assert_nothing_is_cut_off(page)
    stranger = open_browser(viewport=NARROW)
    for address in ("/sign-in", "/forgot-password", link, "/invitations/forged", "/reset-password/x/y"):
        stranger.goto(address)
        assert_accessible(stranger)
        assert_nothing_is_cut_off(stranger)
    stranger.complaints.clear()  # the browser notes that two of these answer 404 and 410


def test_members_are_managed_without_scripts(owner, sign_in):
    uwe = factories.member(owner.workspace, name="Uwe")
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/settings/members")
    page.get_by_role("link", name="Uwe").first.click()
    page.get_by_label("Name in the team").fill("Nora Berg")
    page.get_by_role("button", name="Link", exact=True).click()
    expect(page.get_by_text("Uwe is linked to Nora Berg now.")).to_be_visible()

    page.get_by_text("Remove Uwe from the workspace").click()
    page.get_by_role("button", name="Remove").click()

    expect(page.get_by_text("Uwe is out of the workspace.")).to_be_visible()
    uwe.refresh_from_db()
    assert uwe.left_at is not None
