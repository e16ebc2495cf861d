"""My coaching in a real browser: read by keyboard, taken back, without scripts, narrow; accessible full and empty."""

import pytest
from playwright.sync_api import expect

from coaching.actions import notes, samples
from coaching.models import Note, Sample
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.pages.test_team import rate


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace(), name="Ada")


@pytest.fixture
def tom(owner):
    """A person with ratings, a sample, and two notes that were shared with them."""
    member = factories.member(owner.workspace, agent=factories.human(owner.workspace, name="Tom", team="Billing"))
    rate(member.agent, score=80)
    sample = samples.pin(factories.conversation(member.agent), by=owner)
    Sample.objects.filter(pk=sample.pk).update(
        summary="The customer asked twice.", summary_state="captured", score_hundredths=0, value="1", scale="stars5"
    )
    notes.write(member.agent, by=owner, body="Look at this one.", sample=sample, shared_with_agent=True)
    notes.write(member.agent, by=owner, body="Well done on Tuesday.", shared_with_agent=True)
    notes.write(member.agent, by=owner, body="Private words.")
    return member


def test_page_is_accessible_full_and_empty(tom, owner, sign_in):
    page = sign_in(tom)
    expect(page.get_by_role("heading", name="My coaching")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="I have read this").first.click()
    expect(page.get_by_text("✓ You have read this")).to_be_focused()
    assert_accessible(page)
    for member in (
        factories.member(owner.workspace, agent=factories.human(owner.workspace)),
        factories.member(owner.workspace),
    ):
        assert_accessible(sign_in(member))


def test_note_is_read_and_taken_back_with_the_keyboard(tom, sign_in):
    page = sign_in(tom)
    bar = page.get_by_role("banner").get_by_role("link", name="My coaching")
    expect(bar).to_have_text("My coaching 2 to read")
    expect(page.get_by_text("Private words.")).to_have_count(0)

    page.get_by_role("button", name="I have read this").first.press("Enter")

    expect(page.get_by_text("✓ You have read this")).to_be_focused()
    expect(bar).to_have_text("My coaching 1 to read")
    assert Note.objects.get(body="Well done on Tuesday.").acknowledged_by == tom
    page.get_by_role("button", name="Undo having read the note of Ada").press("Enter")
    expect(page.get_by_role("button", name="I have read this").first).to_be_focused()
    expect(bar).to_have_text("My coaching 2 to read")


def test_words_that_changed_while_they_were_read_are_said_and_shown(tom, owner, sign_in):
    page = sign_in(tom)
    notes.edit(Note.objects.get(body="Well done on Tuesday."), by=owner, body="Well done on Monday.")

    page.get_by_role("button", name="I have read this").first.click()

    expect(page.get_by_role("alert")).to_contain_text("Please read them again.")
    expect(page.get_by_text("Well done on Monday.")).to_be_visible()
    page.complaints.clear()  # Chromium reports the status 409


def test_everything_works_without_scripts_and_narrow(tom, sign_in):
    page = sign_in(tom, java_script_enabled=False, viewport=NARROW)

    page.get_by_role("button", name="I have read this").first.click()
    expect(page.get_by_text("✓ You have read this")).to_be_visible()
    page.get_by_role("button", name="Undo having read the note of Ada").click()

    expect(page.get_by_role("button", name="I have read this")).to_have_count(2)
    page = sign_in(tom, viewport=NARROW)
    assert_nothing_is_cut_off(page)
    assert_accessible(page)
