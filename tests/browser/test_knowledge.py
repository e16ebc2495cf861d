"""Configurations, the panes of a lost race and lengths of texts in a real browser: accessible, narrow, by keyboard."""

import pytest
from playwright.sync_api import expect

from agents import actions
from coaching.actions import changes
from memories import actions as memories
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def assistant(owner):
    """An AI agent with a change of everything, one of them taken back."""
    agent = factories.ai_agent(owner.workspace, name="Assistant")
    memory = factories.memory(agent, owner, summary="Open till six.", text="Every day.")
    factories.procedure(agent, owner, name="Refund", folder="Money back")
    factories.procedure(agent, owner, name="Alone")
    memories.revise(memory, changes={"summary": "Open till eight."}, base_version=1, by=owner, door="page")
    changes.take_back(agent.configurations.get(number=5), by=owner, door="page")
    actions.change_prompt(agent.prompt, system_prompt="Be brief.\nBe kind.", base_version=1, by=owner, door="page")
    actions.remove(factories.memory(agent, owner), base_version=1, by=owner, door="page")
    return agent


def test_every_page_is_accessible(assistant, owner, sign_in):
    page, base = sign_in(owner), f"/agents/{assistant.pk}"

    for path in (
        "/memory", "/memory?show=removed", "/procedures", "/procedures/new", "/memory/new",
        "/configurations?from=2&to=7", "/configurations/7",
    ):  # fmt: skip
        page.goto(base + path)
        assert_accessible(page)


def test_pages_fit_a_narrow_screen(assistant, owner, sign_in):
    page, base = sign_in(owner, viewport=NARROW), f"/agents/{assistant.pk}"

    for path in (
        "/memory?show=removed",
        "/procedures",
        "/configurations?from=2&to=7",
        "/configurations/7",
        "/prompt/edit",
    ):
        page.goto(base + path)
        assert_nothing_is_cut_off(page)


def test_open_tab_is_in_sight_on_a_narrow_screen(assistant, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)

    page.goto(f"/agents/{assistant.pk}/settings")

    expect(page.get_by_role("navigation", name="Pages of").get_by_role("link", name="Settings")).to_be_in_viewport()


def test_form_that_comes_back_begins_at_the_first_fault(assistant, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/agents/{assistant.pk}/memory/new")
    page.get_by_label("Summary").fill("One. Two.")
    page.get_by_label("Served until").fill("2020-01-01T10:00")

    page.get_by_role("button", name="Add").click()

    expect(page.get_by_label("Summary")).to_be_focused()
    page.complaints[:] = [one for one in page.complaints if "400" not in one]


def test_lost_race_shows_three_panes_and_both_edits_put_together(assistant, owner, sign_in):
    page = sign_in(owner)
    memory = assistant.memories.get()
    page.goto(f"/agents/{assistant.pk}/memory/{memory.pk}/edit")
    page.get_by_label("Text", exact=True).fill("Every weekday.")
    memories.revise(memory, changes={"summary": "Open till seven."}, base_version=3, by=owner, door="page")

    page.get_by_role("button", name="Keep as version 4").click()

    expect(page.get_by_role("alert")).to_contain_text("Your words and theirs do not touch")
    expect(page.get_by_label("Summary", exact=True)).to_have_value("Open till seven.")
    expect(page.get_by_label("Text", exact=True)).to_have_value("Every weekday.")
    expect(page.get_by_role("region", name="Text, three versions")).to_contain_text("Yours")
    page.complaints.clear()  # the browser notes the 409
    assert_accessible(page)
    page.get_by_role("button", name="Keep as version 5").click()
    expect(page.get_by_role("heading", name="Open till seven.")).to_be_visible()
    memory.refresh_from_db()
    assert (memory.version, memory.text) == (5, "Every weekday.")


def test_length_and_tokens_are_counted_while_a_prompt_is_typed(assistant, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/agents/{assistant.pk}/prompt/edit")
    expect(page.get_by_text("18 of 50,000 characters, about 5 tokens")).to_be_visible()

    page.get_by_label("System prompt").press("Control+End")
    page.keyboard.insert_text(" 🙂")
    expect(page.get_by_text("20 of 50,000 characters, about 5 tokens")).to_be_visible()
    page.get_by_label("System prompt").fill("x" * 50_001)
    expect(page.get_by_text("50,001 of 50,000 characters, about 12,501 tokens: 1 too many")).to_be_visible()

    page.get_by_role("button", name="Keep as version 3").click()
    expect(page.locator("#id_system_prompt_error")).to_contain_text("at most 50000 characters")
    page.complaints.clear()  # the browser notes the 400


def test_list_follows_what_is_typed_and_the_address_names_it(assistant, owner, sign_in):
    factories.memory(assistant, owner, summary="Parcels wait at the counter.")
    page = sign_in(owner)
    page.goto(f"/agents/{assistant.pk}/memory")
    order = page.get_by_role("combobox", name="Order")
    expect(order).to_be_visible()

    page.get_by_role("searchbox", name="Search the memories").fill("parcels")
    expect(order).to_be_hidden()  # what is found stands best first
    expect(page.locator("#memories").get_by_role("listitem")).to_have_count(1)
    expect(page).to_have_url(f"/agents/{assistant.pk}/memory?q=parcels&source=&order=")
    expect(page.get_by_role("status")).to_contain_text("best first, as the agent would be served")
    page.reload()
    expect(page.locator("#memories").get_by_role("listitem")).to_have_count(1)


def test_folder_is_folded_away_by_keyboard(assistant, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/agents/{assistant.pk}/procedures")
    expect(page.get_by_role("link", name="Refund")).to_be_visible()

    page.locator("details.folder > summary").press("Enter")

    expect(page.get_by_role("link", name="Refund")).not_to_be_visible()
    expect(page.get_by_role("link", name="Alone")).to_be_visible()
