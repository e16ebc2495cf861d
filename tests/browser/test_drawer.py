"""The drawer's notes and samples in a browser: by keyboard, drafts, sharing, two editors, pins; accessible in every state."""

import re

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents import history
from coaching.actions import notes
from coaching.models import Note, Sample
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, drawer
from tests.pages.test_team import flag, rate, sample


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace(), name="Hanna Berg")


@pytest.fixture
def sarah(owner):
    """A flagged person with two samples, whose member reads what is shared."""
    made = factories.human(owner.workspace, name="Sarah", team="Billing")
    rate(made, score=80)
    flag(made)
    sample(made, url="https://desk.example/1", summary="The invoice could not be split.", summary_state="captured")
    sample(made, value="2", score_hundredths=2500, summary="The parcel was late.", summary_state="captured")
    factories.member(owner.workspace, agent=made, name="Sarah B.")
    return made


@pytest.fixture
def opened(sarah, owner, sign_in):
    """The team, with Sarah's drawer over it."""
    page = sign_in(owner)
    open_drawer(page)
    return page


def open_drawer(page):
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()


def composer(page):
    return drawer(page).get_by_label("Write a note")


def line(page, words):
    return drawer(page).get_by_role("listitem").filter(has_text=words)


def tab_to(page, target, most=80):
    """Go on with the Tab key until `target` has the focus."""
    for _ in range(most):
        if target.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("The Tab key does not lead there.")


def test_note_is_written_edited_and_archived_by_keyboard_alone(sarah, owner, sign_in):
    page = sign_in(owner)
    row = page.get_by_role("link", name="Sarah", exact=True)
    row.focus()
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()

    tab_to(page, composer(page))
    page.keyboard.type("Role-play one.")
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowDown")  # tomorrow
    tab_to(page, drawer(page).get_by_role("button", name="Save note"))
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_text("Kept, private to leaders.")).to_be_focused()
    tab_to(page, line(page, "Role-play one.").get_by_role("link", name="Edit"))
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_label("Words of the note")).to_be_focused()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Then two.")
    tab_to(page, drawer(page).get_by_role("button", name="Save changes"))
    page.keyboard.press("Enter")
    kept = line(page, "Role-play one. Then two.")
    expect(kept).to_be_focused()
    tab_to(page, kept.get_by_role("button", name="Archive"))
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_text("Archived. Its history stays.")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(kept).to_be_focused()
    page.keyboard.press("Escape")

    expect(drawer(page)).to_be_hidden()
    expect(row).to_be_focused()
    note = Note.objects.get()
    assert (note.body, note.archived_at, note.version) == ("Role-play one. Then two.", None, 4)
    assert (timezone.localdate(note.follow_up_at) - timezone.localdate()).days == 1


@pytest.mark.parametrize("where", ["Write a note", "Follow up", "About", "Share with Sarah", "Id there"])
def test_escape_closes_from_any_field_and_asks_nothing(where, opened):
    page = opened
    drawer(page).get_by_text("Pin a conversation").click()
    composer(page).fill("Half a thought")
    drawer(page).get_by_label(where, exact=True).focus()

    page.keyboard.press("Escape")

    expect(drawer(page)).to_be_hidden()
    expect(page.get_by_role("link", name="Sarah", exact=True)).to_be_focused()


def test_draft_with_its_day_and_conversation_survives_closing_reload_a_new_tab_and_signing_in_again(opened, owner):
    page = opened
    line(page, "The parcel was late.").get_by_role("link", name="Write a note about this").click()
    expect(composer(page)).to_be_focused()
    page.keyboard.type("Half a thought")
    drawer(page).get_by_label("Follow up").select_option("on another day")
    drawer(page).get_by_label("Day of the follow-up").fill("2030-05-06")
    about = drawer(page).get_by_label("About").input_value()
    assert about == str(Sample.objects.get(summary="The parcel was late.").pk)

    def assert_is_there(page):
        expect(composer(page)).to_have_value("Half a thought")
        expect(drawer(page).get_by_label("Day of the follow-up")).to_have_value("2030-05-06")
        expect(drawer(page).get_by_label("About")).to_have_value(about)

    page.keyboard.press("Escape")
    open_drawer(page)
    assert_is_there(page)
    page.reload()
    assert_is_there(page)
    other = page.context.new_page()
    other.goto(page.url)
    assert_is_there(other)
    other.close()
    page.context.clear_cookies()
    page.reload()
    page.get_by_label("Email").fill(owner.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    assert_is_there(page)
    drawer(page).get_by_role("button", name="Save note").click()
    expect(drawer(page).get_by_text("Kept, private to leaders.")).to_be_visible()
    page.reload()
    expect(composer(page)).to_have_value("")


def test_draft_is_for_the_one_who_wrote_it_and_goes_when_they_sign_out(sarah, owner, sign_in):
    page = sign_in(owner)
    open_drawer(page)
    composer(page).fill("Half a thought")
    page.keyboard.press("Escape")
    assert page.evaluate("Object.values(localStorage).join().includes('Half a thought')")

    page.get_by_text("Account of").locator("xpath=ancestor::summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")

    assert page.evaluate("localStorage.length") == 0


def test_draft_of_an_edit_comes_back_says_so_and_is_thrown_away(sarah, owner, sign_in):
    notes.write(sarah, by=owner, body="Role-play one.")
    page = sign_in(owner)
    open_drawer(page)
    words = drawer(page).get_by_label("Words of the note")
    unsaved = drawer(page).get_by_text("These are your unsaved words from before.")

    line(page, "Role-play one.").get_by_role("link", name="Edit").click()
    expect(unsaved).to_be_hidden()
    words.fill("Role-play two.")
    page.reload()
    line(page, "Role-play one.").get_by_role("link", name="Edit").click()
    expect(words).to_have_value("Role-play two.")
    expect(unsaved).to_be_visible()
    drawer(page).get_by_role("button", name="Discard them").click()

    expect(words).to_have_value("Role-play one.")
    drawer(page).get_by_role("link", name="Cancel").click()
    expect(line(page, "Role-play one.")).to_be_visible()
    line(page, "Role-play one.").get_by_role("link", name="Edit").click()
    expect(words).to_have_value("Role-play one.")
    expect(unsaved).to_be_hidden()


def test_draft_of_an_edit_does_not_go_over_words_that_came_after_it(sarah, owner, sign_in):
    note = notes.write(sarah, by=owner, body="Role-play one.")
    page = sign_in(owner)
    open_drawer(page)
    line(page, "Role-play one.").get_by_role("link", name="Edit").click()
    drawer(page).get_by_label("Words of the note").fill("Mine.")
    maya = factories.member(owner.workspace, "admin", name="Maya Noll")
    notes.edit(note, by=maya, body="Theirs.")
    page.reload()

    line(page, "Theirs.").get_by_role("link", name="Edit").click()
    expect(drawer(page).get_by_label("Words of the note")).to_have_value("Mine.")
    drawer(page).get_by_role("button", name="Save changes").click()

    expect(drawer(page).get_by_role("alert")).to_contain_text("Maya Noll changed this note")
    page.complaints.clear()  # Chromium reports the status 409
    assert Note.objects.get().body == "Theirs."


def test_first_sharing_shows_what_is_seen_and_only_then_keeps_it(opened, sarah, owner):
    page = opened
    composer(page).fill("Well done on the outage.")
    expect(drawer(page).get_by_text("Private to leaders", exact=True)).to_be_visible()
    drawer(page).get_by_text("What Sarah sees of a shared note").click()
    expect(drawer(page).locator("#note-seen")).to_have_text("Well done on the outage.")
    drawer(page).get_by_label("Share with Sarah").check()
    expect(drawer(page).get_by_text("They will see these words and your name")).to_be_visible()
    drawer(page).get_by_role("button", name="Save note").click()

    expect(drawer(page).get_by_text("This is what Sarah will see")).to_be_focused()
    expect(drawer(page).locator(".note-seen")).to_have_text(
        re.compile(r"^\s*Well done on the outage\.\s*Hanna Berg\s*$")
    )
    assert not Note.objects.exists()
    page.reload()
    expect(composer(page)).to_have_value("Well done on the outage.")
    drawer(page).get_by_label("Share with Sarah").check()
    drawer(page).get_by_role("button", name="Save note").click()
    drawer(page).get_by_role("button", name="Back to writing").click()
    expect(composer(page)).to_be_focused()
    expect(composer(page)).to_have_value("Well done on the outage.")
    expect(drawer(page).get_by_label("Share with Sarah")).to_be_checked()
    drawer(page).get_by_role("button", name="Save note").click()
    drawer(page).get_by_role("button", name="Share and save").click()
    expect(drawer(page).get_by_text("Kept, and shared with Sarah.")).to_be_focused()
    expect(composer(page)).to_have_value("")

    composer(page).fill("Again.")
    drawer(page).get_by_label("Share with Sarah").check()
    drawer(page).get_by_role("button", name="Save note").click()
    expect(line(page, "Again.")).to_contain_text("Shared")
    assert Note.objects.filter(shared_with_agent=True).count() == 2


def test_lost_race_keeps_the_words_and_saves_over_the_others_if_asked(sarah, owner, sign_in):
    note = notes.write(sarah, by=owner, body="Role-play one.")
    maya = factories.member(owner.workspace, "admin", name="Maya Noll")
    page = sign_in(owner)
    open_drawer(page)
    line(page, "Role-play one.").get_by_role("link", name="Edit").click()
    words = drawer(page).get_by_label("Words of the note")
    words.fill("Role-play three.")
    notes.edit(note, by=maya, body="Role-play two.")

    drawer(page).get_by_role("button", name="Save changes").click()

    expect(drawer(page).get_by_role("alert")).to_contain_text("Maya Noll changed this note just now.")
    expect(drawer(page).get_by_text("Role-play two.")).to_be_visible()
    expect(words).to_have_value("Role-play three.")
    assert_accessible(page)
    page.complaints.clear()  # Chromium reports the status 409
    drawer(page).get_by_role("button", name="Save mine over it").click()
    expect(line(page, "Role-play three.")).to_contain_text("Kept.")
    line(page, "Role-play three.").get_by_role("link", name="History").click()
    expect(drawer(page).get_by_text("Maya Noll")).to_be_visible()
    assert Note.objects.values_list("body", "version").get() == ("Role-play three.", 3)


def test_archived_note_is_restored_from_behind_its_line(sarah, owner, sign_in):
    notes.archive(notes.write(sarah, by=owner, body="Role-play one."), by=owner)
    page = sign_in(owner)
    open_drawer(page)
    composer(page).fill("Half a thought")

    drawer(page).get_by_text("1 archived note").click()
    drawer(page).get_by_role("button", name="Restore").click()

    expect(line(page, "Role-play one.")).to_be_focused()
    expect(drawer(page).get_by_text("archived note")).to_have_count(0)
    expect(composer(page)).to_have_value("Half a thought")


def test_conversation_is_pinned_put_away_and_brought_back(opened, sarah):
    page = opened
    drawer(page).get_by_text("Pin a conversation").click()
    drawer(page).get_by_label("Source").fill("zen desk")
    drawer(page).get_by_label("Id there").fill("4711")
    drawer(page).get_by_role("button", name="Pin", exact=True).click()
    expect(drawer(page).get_by_label("Source")).to_be_focused()
    expect(drawer(page).get_by_label("Source")).to_have_accessible_description(re.compile("A source is a short name"))
    page.complaints.clear()  # Chromium reports the status 400

    drawer(page).get_by_label("Source").fill("zendesk")
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_text("Pinned: Zendesk 4711.")).to_be_focused()
    pinned = line(page, "pinned by Hanna Berg")
    pinned.get_by_role("link", name="Write a note about this").click()
    expect(composer(page)).to_be_focused()
    expect(drawer(page).get_by_label("About")).to_have_value(str(Sample.objects.get(captured_by__isnull=False).pk))
    pinned.get_by_role("button", name="Put away").click()
    expect(drawer(page).get_by_text("Put away: Zendesk 4711.")).to_be_focused()
    expect(pinned).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(drawer(page).get_by_text("Back: Zendesk 4711.")).to_be_focused()
    expect(pinned).to_be_visible()
    assert Sample.objects.kept().count() == 3


def test_summary_that_is_written_while_one_looks_appears(opened, sarah):
    page = opened
    drawer(page).get_by_text("Pin a conversation").click()
    drawer(page).get_by_label("Source").fill("zendesk")
    drawer(page).get_by_label("Id there").fill("4711")
    page.keyboard.press("Enter")
    expect(line(page, "pinned by Hanna Berg")).to_contain_text("Summary pending")

    Sample.objects.filter(captured_by__isnull=False).update(
        summary="The refund came twice.", summary_state="captured", next_try_at=None
    )
    composer(page).focus()

    expect(drawer(page).get_by_text("The refund came twice.")).to_be_visible()
    expect(composer(page)).to_be_focused()


def test_older_notes_are_loaded_on(sarah, owner, sign_in):
    for number in range(51):
        notes.write(sarah, by=owner, body=f"Note {number}.")
    page = sign_in(owner)
    open_drawer(page)
    expect(drawer(page).get_by_text("Note 0.", exact=True)).to_have_count(0)

    drawer(page).get_by_role("link", name="Older notes").click()

    expect(line(page, re.compile(r"^\s*Note 0\."))).to_be_focused()
    expect(drawer(page).get_by_text("Older notes")).to_have_count(0)


def test_without_scripts_all_of_it_is_pages(sarah, owner, sign_in):
    page = sign_in(owner, java_script_enabled=False)
    page.goto(f"/team/{sarah.pk}")

    page.get_by_label("Write a note").fill("Well done.")
    page.get_by_label("Follow up").select_option(index=2)
    page.get_by_label("Share with Sarah").check()
    page.get_by_role("button", name="Save note").click()
    page.get_by_role("button", name="Share and save").click()
    expect(page.get_by_text("Kept, and shared with Sarah.")).to_be_visible()
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Words of the note").fill("Well done indeed.")
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("link", name="History").click()
    expect(page.get_by_text("New words")).to_be_visible()
    page.get_by_role("link", name="Back to the note").click()
    page.get_by_role("button", name="Archive").click()
    page.get_by_text("1 archived note").click()
    page.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("Restored.")).to_be_visible()
    page.get_by_role("button", name="Put away").first.click()
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_text("Back: Desk")).to_be_visible()
    page.get_by_text("Pin a conversation").click()
    page.get_by_label("Source").fill("zendesk")
    page.get_by_label("Id there").fill("4711")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_text("Pinned: Zendesk 4711.")).to_be_visible()

    assert Note.objects.values_list("body", "shared_with_agent", "archived_at").get() == (
        "Well done indeed.",
        True,
        None,
    )


@pytest.mark.parametrize("viewport", [NARROW, WIDE], ids=["narrow", "wide"])
def test_every_state_is_accessible_and_nothing_is_cut_off(viewport, sarah, owner, sign_in):
    reader = sarah.member
    shared = notes.write(sarah, by=owner, body="Well done.", shared_with_agent=True)
    history.change(shared, Note.objects.all(), by=reader, acknowledged_at=timezone.now(), acknowledged_by=reader)
    notes.archive(notes.write(sarah, by=owner, body="Old."), by=owner)
    notes.edit(notes.write(sarah, by=owner, body="W" * 300), by=owner, body=f"https://desk.example/{'x' * 200}")
    for _ in range(5):
        sample(sarah)
    page = sign_in(owner, viewport=viewport)
    open_drawer(page)

    def assert_fine():
        assert_accessible(page)
        assert drawer(page).evaluate("one => one.scrollWidth <= one.clientWidth")

    for summary in drawer(page).locator("summary").all():
        summary.click()
    drawer(page).get_by_role("button", name="Pin", exact=True).click()
    expect(drawer(page).get_by_text("Say its id there.")).to_be_visible()
    assert_fine()
    drawer(page).get_by_role("button", name="Save note").click()
    expect(drawer(page).get_by_text("A note needs some words.")).to_be_visible()
    assert_fine()
    line(page, "Well done.").get_by_role("link", name="Edit").click()
    expect(drawer(page).get_by_label("Words of the note")).to_be_focused()
    assert_fine()
    line(page, "desk.example").get_by_role("link", name="History").click()
    expect(drawer(page).get_by_role("paragraph").filter(has_text="History of this note")).to_be_focused()
    assert_fine()
    page.complaints.clear()  # Chromium reports the statuses 400
    page.goto(f"/notes/{shared.pk}/edit")
    assert_accessible(page)
    page.goto(f"/notes/{shared.pk}/history")
    assert_accessible(page)
    page.goto(f"/team/{sarah.pk}")
    page.get_by_label("Write a note").fill("x")
    page.get_by_role("button", name="Save note").click()
    expect(page.get_by_text("Kept, private to leaders.")).to_be_focused()
    assert_accessible(page)
