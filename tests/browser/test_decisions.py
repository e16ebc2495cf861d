"""The decision log in a browser: a change is found, taken back, linked both ways; the chain is checked."""

import pytest
from playwright.sync_api import expect

from agents.models import Decision
from memories import actions as memories
from tests import factories, tampering
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off

pytestmark = pytest.mark.browser


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


def test_leader_finds_a_change_takes_it_back_and_checks_the_chain(owner, sign_in):
    agent = factories.ai_agent(owner.workspace)
    memory = factories.memory(agent, owner, summary="Parcels wait seven days.", text="At the counter.")
    memories.revise(memory, changes={"text": "At the back door."}, base_version=1, by=owner, door="page")
    page = sign_in(owner)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Decision log").click()
    expect(page.get_by_text("2 entries", exact=True)).to_be_visible()

    page.get_by_label("Decision", exact=True).select_option("Changed")
    expect(page.get_by_text("1 entry found")).to_be_visible()
    page.get_by_role("link", name="Take back… entry 2").press("Enter")
    expect(page.get_by_role("heading", name="What taking it back changes")).to_be_visible()
    assert_accessible(page)
    page.get_by_role("button", name="Take back").press("Enter")

    expect(page.get_by_text("Taken back, as version 3.")).to_be_visible()
    page.get_by_role("button", name="Check the log").press("Enter")
    expect(page.get_by_role("status").filter(has_text="Unbroken: 3 entries.")).to_be_visible()
    assert_accessible(page)
    page.locator("#entry-3").get_by_role("link", name="entry 2").click()
    expect(page.get_by_text("taken back by entry 3")).to_be_visible()
    expect(page.locator("#entry-3")).to_have_count(0)

    tampering.edit(Decision.objects.get(number=2), "note", "Forged.")
    page.get_by_role("button", name="Check the log").click()
    expect(page.get_by_role("alert")).to_contain_text("Entry 2 was changed after it was written.")
    for size in (NARROW, WIDE):
        page.set_viewport_size(size)
        assert_accessible(page)
        assert_nothing_is_cut_off(page)
