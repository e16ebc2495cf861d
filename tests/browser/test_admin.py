"""The back office in a real browser: accessible, whole on a narrow screen, nothing the policy refuses, work by mouse."""

import pytest
from playwright.sync_api import expect

from agents.models import Agent, Door, Member
from coaching.models import Proposal
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.admin.conftest import furnish
from tests.browser import test_team
from tests.browser.conftest import WIDE
from tests.browser.test_team import assert_nothing_is_cut_off

PHONE = {"width": 390, "height": 800}


def ours_memory():
    return Memory.objects.get(summary="Ours memory.")


@pytest.fixture
def staff(transactional_db):
    """The owner of a furnished workspace, who is staff; one memory has two versions."""
    member = Member.objects.get(workspace=furnish("Ours"), role=Member.Role.OWNER)
    memory = ours_memory()
    memories.revise(
        memory, changes={"text": "No ticket at all."}, base_version=1, by=member, door=Door.PAGE, reason="Simpler"
    )
    return member


def enter(open_browser, staff, **options):
    """A page of the back office, signed in by the product's own form."""
    page = open_browser(**options)
    page.goto("/admin/")
    page.get_by_label("Email").fill(staff.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/admin/")
    return page


def assert_accessible(page):
    """Without axe's preloading: it puts the sheets that Django's own sheets import into the page, which our policy refuses."""
    test_team.assert_accessible(page, preload=False)


@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["wide", "narrow"])
def test_every_kind_of_page_is_accessible_and_whole(viewport, staff, open_browser):
    page = enter(open_browser, staff, viewport=viewport)
    memory, proposal = ours_memory(), Proposal.objects.get()
    agent = Agent.objects.get(kind=Agent.Kind.AI)
    for address in (
        "/admin/",
        "/admin/owed-work/",
        "/admin/connections/",
        "/admin/agents/invitation/",
        "/admin/agents/browsersession/",
        "/admin/coaching/configurationimport/",
        "/admin/memories/memory/",
        "/admin/memories/memory/?q=nothing",
        "/admin/memories/memory/add/",
        f"/admin/memories/memory/{memory.pk}/change/",
        f"/admin/memories/memory/{memory.pk}/history/",
        f"/admin/coaching/proposal/{proposal.pk}/change/",
        f"/admin/coaching/proposal/{proposal.pk}/history/",
        f"/admin/agents/agent/{agent.pk}/change/",
        "/admin/coaching/turn/",
    ):
        page.goto(address)
        assert_accessible(page)
        assert_nothing_is_cut_off(page)


def test_a_refusal_stands_in_the_form_and_is_accessible(staff, open_browser):
    page = enter(open_browser, staff)
    page.goto(f"/admin/memories/memory/{ours_memory().pk}/change/")
    page.get_by_label("Summary").fill("Two sentences. In one.")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("A summary is one sentence; the rest belongs in the text.")).to_be_visible()
    expect(page.get_by_label("Summary")).to_have_value("Two sentences. In one.")
    assert_accessible(page)


def test_memory_is_added_by_mouse(staff, open_browser):
    page = enter(open_browser, staff)
    page.get_by_role("link", name="Add to memories").click()
    page.locator(".field-agent .select2-selection").click()
    page.get_by_role("option", name="Ours assistant").click()
    page.get_by_label("Summary").fill("Shops open at nine.")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("link", name="Shops open at nine.").first).to_be_visible()
    assert Memory.objects.get(summary="Shops open at nine.").version == 1


def test_enter_in_a_field_saves_and_removes_nothing(staff, open_browser):
    page = enter(open_browser, staff)
    page.goto(f"/admin/memories/memory/{ours_memory().pk}/change/")
    page.get_by_label("Summary").fill("Ours memory, better worded.")
    page.get_by_label("Summary").press("Enter")
    page.wait_for_url("**/admin/memories/memory/")
    assert Memory.objects.filter(summary="Ours memory, better worded.").exists()


def test_proposal_is_approved_by_a_button(staff, open_browser):
    page = enter(open_browser, staff)
    page.goto(f"/admin/coaching/proposal/{Proposal.objects.get().pk}/change/")
    page.get_by_label("Note, or the reason of a rejection").fill("Well seen")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved and applied as version 1.")).to_be_visible()
    assert_accessible(page)
    expect(page.get_by_role("button", name="Take back")).to_be_visible()


def test_on_a_phone_a_row_of_a_list_is_a_card_that_names_its_columns(staff, open_browser):
    page = enter(open_browser, staff, viewport=PHONE)
    page.goto("/admin/agents/decision/")

    table = page.locator("#changelist-form .results")
    assert table.evaluate("one => one.scrollWidth <= one.clientWidth")
    door = page.locator("#result_list tbody td.field-door").first
    assert door.evaluate("one => getComputedStyle(one, '::before').content") == '"Door"'
    page.get_by_role("link", name="Door", exact=True).click()
    expect(page.locator("#result_list th.sorted", has_text="Door")).to_be_visible()


def test_list_is_found_by_its_name(staff, open_browser):
    page = enter(open_browser, staff)
    page.goto("/admin/memories/memory/")
    lists = page.get_by_role("navigation", name="Lists")
    page.get_by_label("Find a list").fill("versions")
    expect(lists.get_by_role("link", name="Memory versions")).to_be_visible()
    expect(lists.get_by_role("link", name="Notes")).to_be_hidden()
