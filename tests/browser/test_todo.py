"""The To do page and the cause in a real browser: by keyboard, with undo, without scripts, narrow; accessible in every state."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from coaching.actions import flags, notes
from coaching.models import Flag, Note
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off, drawer
from tests.pages.test_cause import fallen_on_chat
from tests.pages.test_team import rate


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def sarah(owner):
    """A flagged person whose fall came by chat, with a follow-up that is ahead."""
    raised = fallen_on_chat(owner.workspace)
    rate(raised.agent, score=80)
    notes.write(raised.agent, by=owner, body="Role-play one.", follow_up_at=timezone.now() + timedelta(days=2))
    return raised.agent


@pytest.fixture
def guide(owner):
    """An AI agent that a leader flagged."""
    made = factories.ai_agent(owner.workspace, name="Guide", team="Start")
    flags.raise_manual(made, by=owner, reason="It sends people away.")
    return made


def bar(page):
    return page.get_by_role("banner").get_by_role("link", name=re.compile("^To do"))


def card(page, name):
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=re.compile(f"{name} this week")))


def dismissing(page, name):
    return card(page, name).get_by_text(f"Dismiss {name}’s flag")


def test_every_state_is_accessible(sarah, guide, owner, sign_in):
    page = sign_in(owner)
    page.goto("/todo")
    assert_accessible(page)
    page.get_by_role("button", name="Done coaching Sarah").click()
    expect(page.get_by_text("Ticked off: Sarah, by you.")).to_be_focused()
    page.get_by_text("Done in the last 7 days (1)").click()
    dismissing(page, "Guide").click()
    assert_accessible(page)
    page.goto(f"/team/{sarah.pk}")
    assert_accessible(page)
    page.get_by_role("button", name="Product").click()
    page.get_by_text("Cause: Product · change").click()
    assert_accessible(page)
    page.goto("/todo?page=1")
    page.get_by_role("button", name="Done following up with Sarah").click()
    expect(page.locator("#todo").get_by_text("Followed up with Sarah.")).to_be_focused()
    assert_accessible(page)


def test_card_is_ticked_off_and_taken_back_with_the_keyboard(sarah, guide, owner, sign_in):
    page = sign_in(owner)
    expect(bar(page)).to_have_text("To do 2 waiting")
    bar(page).press("Enter")
    page.wait_for_url("**/todo")

    page.get_by_role("button", name="Done coaching Sarah").press("Enter")

    gone = page.get_by_text("Ticked off: Sarah, by you.")
    expect(gone).to_be_focused()
    expect(page.locator("#todo-said")).to_have_text("Ticked off: Sarah.")
    expect(bar(page)).to_have_text("To do 1 waiting")
    assert Flag.objects.get(agent=sarah).coached_by == owner
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Undo the tick of Sarah").first).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", name="Coach Sarah this week")).to_be_focused()
    expect(page.locator("#todo-said")).to_have_text("Sarah is on the list again.")
    expect(bar(page)).to_have_text("To do 2 waiting")
    assert Flag.objects.get(agent=sarah).coached_by is None


def test_flag_is_dismissed_with_a_reason_and_stands_again_after_undo(sarah, guide, owner, sign_in):
    page = sign_in(owner)
    page.goto("/todo")
    reason = card(page, "Guide").get_by_label("Why is it not worth a talk?")
    expect(reason).to_be_hidden()

    dismissing(page, "Sarah").press("Enter")
    typed = card(page, "Sarah").get_by_label("Why is it not worth a talk?")
    typed.fill("   ")
    typed.press("Enter")
    expect(card(page, "Sarah").get_by_role("alert")).to_have_text("Say why, in a few words.")
    expect(typed).to_be_focused()
    typed.fill("She covers the hard queue.")
    typed.press("Enter")

    expect(page.get_by_text("Dismissed: Sarah’s flag. The scan rests on them until")).to_be_focused()
    assert Flag.objects.get(agent=sarah).close_reason == "She covers the hard queue."
    page.reload()
    page.get_by_text("Done in the last 7 days (1)").click()
    page.get_by_role("button", name="Undo the dismissal of Sarah").click()
    expect(page.get_by_role("heading", name="Coach Sarah this week")).to_be_focused()
    assert Flag.objects.get(agent=sarah).status == "open"
    page.complaints.clear()  # Chromium reports the refusal's status 400


def test_who_is_too_late_reads_why_on_the_card(sarah, owner, sign_in):
    page = sign_in(owner)
    page.goto("/todo")
    flags.dismiss(Flag.objects.get(agent=sarah), by=owner, reason="Known.")

    page.get_by_role("button", name="Done coaching Sarah").click()

    expect(page.get_by_role("alert")).to_have_text("Sarah: This flag is closed: Dismissed. Nothing was changed.")
    expect(bar(page)).to_have_text("To do")
    page.complaints.clear()  # Chromium reports the status 409


def test_record_opens_over_the_page_and_what_is_said_in_it_shows_on_the_card(sarah, guide, owner, sign_in):
    page = sign_in(owner)
    page.goto("/todo?done=1")

    page.get_by_role("link", name="Open record of Sarah").click()
    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()
    expect(page).to_have_url(re.compile(rf"/todo\?done=1&agent={sarah.pk}$"))
    drawer(page).get_by_role("button", name="Product").press("Enter")
    expect(drawer(page).get_by_text("Cause: Product · change")).to_be_focused()
    page.keyboard.press("Escape")

    expect(page).to_have_url(re.compile(r"/todo\?done=1$"))
    expect(card(page, "Sarah")).to_contain_text("Cause: Product")
    expect(page.get_by_role("link", name="Open record of Sarah")).to_be_focused()


def test_cause_is_said_changed_and_taken_back_with_the_keyboard(sarah, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/team?agent={sarah.pk}")
    expect(
        drawer(page).get_by_text("Chat: 10 ratings at 50 %, before 10 at 90 %; email shows no change.")
    ).to_be_visible()

    drawer(page).get_by_role("button", name="Person").press("Space")
    said = drawer(page).get_by_text("Cause: Person · change")
    expect(said).to_be_focused()
    expect(drawer(page).get_by_role("button", name="Wait")).to_be_hidden()
    drawer(page).locator("#cause").get_by_role("link", name="Write a note").press("Enter")
    expect(drawer(page).get_by_label("Write a note")).to_be_focused()
    said.press("Enter")
    drawer(page).get_by_role("button", name="Wait").press("Enter")
    said = drawer(page).get_by_text("Cause: Wait · change")
    expect(said).to_be_focused()
    said.press("Enter")
    drawer(page).get_by_role("button", name="take the answer back").press("Enter")

    expect(drawer(page).get_by_text("What was it?")).to_be_focused()
    assert Flag.objects.get(agent=sarah).cause == ""


def test_without_scripts_everything_is_a_form(sarah, guide, owner, sign_in):
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/todo")

    page.get_by_role("button", name="Done coaching Sarah").click()
    page.wait_for_url("**/todo?just=*")
    page.get_by_role("button", name="Undo the tick of Sarah").first.click()
    expect(page.get_by_role("heading", name="Coach Sarah this week")).to_be_visible()
    page.get_by_role("button", name="Done following up with Sarah").click()
    expect(page.locator("#todo").get_by_text("Followed up with Sarah.")).to_be_visible()
    assert Note.objects.get().followed_up_at is not None
    page.get_by_role("link", name="Open record of Sarah").click()
    page.get_by_role("button", name="Policy").click()
    page.get_by_text("Cause: Policy · change").click()

    expect(page.get_by_role("button", name="Policy")).to_be_visible()


def test_narrow_screen_shows_everything_without_scrolling_sideways(sarah, guide, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)
    page.goto("/todo")
    dismissing(page, "Sarah").click()
    assert_nothing_is_cut_off(page)
    assert_accessible(page)

    page.get_by_role("link", name="Open record of Sarah").click()
    expect(drawer(page).get_by_text("What was it?")).to_be_visible()

    assert drawer(page).evaluate("one => one.scrollWidth <= one.clientWidth")
    page.goto("/team")
    page.get_by_text("Menu", exact=True).click()
    expect(page.get_by_role("link", name="To do 2 waiting")).to_be_visible()


def snooze(page, name="Sarah"):
    return page.locator("details.snooze").filter(has_text=f"the follow-up with {name}")


def test_follow_up_is_put_off_and_taken_back_with_the_keyboard(sarah, owner, sign_in):
    before = Note.objects.get().follow_up_at
    page = sign_in(owner)
    page.goto("/todo")

    snooze(page).locator("summary").press("Enter")
    snooze(page).get_by_role("button", name="A week later").press("Enter")

    name = page.locator("#todo").get_by_role("heading", name="Sarah", exact=True)
    expect(name).to_be_focused()
    expect(page.locator("#todo-said")).to_have_text("The follow-up with Sarah was put off.")
    assert Note.objects.get().follow_up_at == before + timedelta(days=7)
    assert_accessible(page)
    page.get_by_role("button", name="Undo putting off the follow-up with Sarah").press("Enter")
    expect(page.locator("#todo-said")).to_have_text("The follow-up with Sarah stands where it stood.")
    expect(page.get_by_role("button", name="Undo putting off the follow-up with Sarah")).to_have_count(0)
    assert Note.objects.get().follow_up_at == before


def test_day_that_is_over_is_refused_beside_the_field_and_stays_typed(sarah, owner, sign_in):
    page = sign_in(owner)
    page.goto("/todo")
    snooze(page).locator("summary").click()
    day = snooze(page).get_by_label("Another day")

    day.fill("2020-01-01")
    snooze(page).get_by_role("button", name="Put off").click()

    expect(snooze(page).get_by_role("alert")).to_have_text("A follow-up lies ahead.")
    expect(day).to_be_focused()
    expect(day).to_have_value("2020-01-01")
    assert_accessible(page)
    page.complaints.clear()  # Chromium reports the status 400


def test_putting_off_works_without_scripts_and_narrow(sarah, owner, sign_in):
    page = sign_in(owner, java_script_enabled=False, viewport=NARROW)
    page.goto("/todo")

    snooze(page).locator("summary").click()
    snooze(page).get_by_role("button", name="A day later").click()
    page.wait_for_url("**/todo?just=*")
    page.get_by_role("button", name="Undo putting off the follow-up with Sarah").click()

    expect(page.get_by_role("button", name="Undo putting off the follow-up with Sarah")).to_have_count(0)
    page = sign_in(owner, viewport=NARROW)
    page.goto("/todo")
    snooze(page).locator("summary").click()
    assert_nothing_is_cut_off(page)
    assert_accessible(page)


def test_calendar_address_is_copied_and_renewed(sarah, owner, sign_in):
    page = sign_in(owner, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/todo")
    page.get_by_role("link", name="In your calendar").click()
    field = page.get_by_label("Address of the calendar")
    old = field.input_value()

    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == old
    assert_accessible(page)
    page.get_by_text("Renew the address…").click()
    page.get_by_role("button", name="Yes, renew it").click()

    expect(page.get_by_text("The old address is dead")).to_be_visible()
    assert field.input_value() != old
    page.set_viewport_size(NARROW)
    assert_nothing_is_cut_off(page)
    assert_accessible(page)
