"""The "Check memories" page in a real browser: every list accessible in both colours, and used by keyboard alone."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from coaching.actions import hygiene
from memories.models import Memory
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def agent(owner):
    """An agent with a contradiction, a kept pair, and an entry for every list of the regular look."""
    made = factories.ai_agent(owner.workspace, name="Guide")
    for summary in ("Refunds take 5 days.", "Refunds take 3 days."):
        factories.memory(made, owner, summary=summary)
    pair = [factories.memory(made, owner, summary=f"Gift cards are sent by email{more}.") for more in ("", " too")]
    hygiene.keep_both(made, *(hygiene.Read(one.pk, 1) for one in pair), by=owner)
    long_ago = timezone.now() - timedelta(days=400)
    for summary, expires_at in (("Old.", None), ("Gone.", long_ago)):
        row = factories.memory(made, owner, summary=summary)
        Memory.objects.filter(pk=row.pk).update(created_at=long_ago, updated_at=long_ago, expires_at=expires_at)
    return made


def test_every_list_is_accessible(agent, owner, sign_in):
    page = sign_in(owner)
    for show in ("pairs", "kept", "expired", "unserved", "unchecked"):
        page.goto(f"/agents/{agent.pk}/memory/check?show={show}")
        assert_accessible(page)
    page.goto(f"/agents/{agent.pk}/memory/check")
    page.get_by_role("link", name="Merge").click()
    expect(page.get_by_role("heading", name="Merge two memories")).to_be_visible()
    assert_accessible(page)


def test_pair_is_merged_and_an_entry_confirmed_by_keyboard_alone(agent, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/agents/{agent.pk}/memory/check")
    page.get_by_role("link", name="Merge").press("Enter")
    page.get_by_label("Summary").press("Control+a")
    page.keyboard.type("Refunds take 4 days.")
    page.get_by_role("button", name="Propose the merge").press("Enter")
    expect(page.get_by_text("They wait for a decision.")).to_be_visible()
    expect(page.get_by_text("A proposal about one of the two waits")).to_be_visible()

    page.get_by_role("link", name="Not confirmed").press("Enter")
    page.get_by_label("Old.").press("Space")
    page.get_by_role("button", name="Still true").press("Enter")
    expect(page.get_by_text("Noted: 1 memory still true, as of now.")).to_be_visible()
    expect(page.get_by_role("heading", name="None is due for a look")).to_be_visible()


def test_narrow_page_cuts_nothing_off(agent, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)
    for show in ("pairs", "unchecked"):
        page.goto(f"/agents/{agent.pk}/memory/check?show={show}")
        assert_nothing_is_cut_off(page)
