"""A leader sets up the workspace in a browser: the clock, a deep link while it is typed, a token that is copied, what is kept."""

import pytest
from playwright.sync_api import expect

from agents.models import Agent, ApiToken
from helpdesk import clocks
from helpdesk.models import DeepLink, TimeZoneChange
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def agent(owner):
    return factories.ai_agent(owner.workspace)


def looked_at(page):
    """The page is accessible and whole, wide and narrow."""
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert_accessible(page)
        assert_nothing_is_cut_off(page)
    page.set_viewport_size(WIDE)


def test_clock_of_the_browser_is_offered_and_the_page_follows_the_change(owner, sign_in):
    page = sign_in(owner, timezone_id="Asia/Tokyo")
    page.goto("/settings")
    assert page.url.endswith("/settings/workspace")
    looked_at(page)
    page.get_by_role("button", name="Use Asia/Tokyo, as this browser does").click()
    page.get_by_role("button", name="Change time zone").click()
    expect(page.get_by_text("begins within seconds")).to_be_visible()
    looked_at(page)

    clocks.run(TimeZoneChange.objects.unfinished().get().pk)

    expect(page.get_by_text("This workspace lives by Asia/Tokyo")).to_be_visible()
    expect(page.get_by_text("All days are summed by this clock.")).to_be_visible()
    expect(page.get_by_role("button", name="as this browser does")).to_be_hidden()


def test_link_grows_while_its_pattern_is_typed(owner, agent, sign_in):
    factories.conversation(agent, source="desk", external_id="4711")
    page = sign_in(owner)
    page.goto("/settings/deep-links?source=desk&shape=zendesk")
    expect(page.get_by_text("Say what {subdomain} stands for.").first).to_be_visible()
    looked_at(page)

    page.get_by_label("subdomain").first.press_sequentially("acme")

    expect(page.get_by_role("link", name="https://acme.zendesk.com/agent/tickets/4711")).to_be_visible()
    expect(page.get_by_label("subdomain").first).to_be_focused()
    page.get_by_role("button", name="Save").first.click()
    expect(page.get_by_text("Saved. New samples of desk carry this link")).to_be_visible()
    assert DeepLink.objects.get().keys == {"subdomain": "acme"}


def test_token_is_made_copied_and_gone_from_the_page(owner, sign_in):
    page = sign_in(owner, permissions=["clipboard-read", "clipboard-write"])
    page.goto("/settings/tokens")
    looked_at(page)
    page.get_by_label("Name").fill("Nightly import")
    page.get_by_role("button", name="Make token").click()
    secret = page.get_by_label("Token", exact=True).input_value()
    looked_at(page)

    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_text("Copied.")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret
    assert ApiToken.objects.get().hash == ApiToken.hashed(secret)
    page.goto("/settings/tokens")
    assert secret not in page.content()
    page.get_by_text("Revoke…").click()
    looked_at(page)
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("No token can be used now.")).to_be_visible()


def test_what_is_kept_is_set_in_the_table(owner, agent, sign_in):
    page = sign_in(owner)
    page.goto("/settings/retention")
    looked_at(page)

    page.get_by_label(f"days for {agent.name}").fill("14")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_text("Saved for 1 AI agent.")).to_be_visible()
    assert Agent.objects.get().retention_days == 14


def test_settings_work_without_scripts(owner, agent, sign_in):
    factories.conversation(agent, source="desk", external_id="4711")
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/settings/deep-links")

    page.get_by_label("Address of a conversation").first.fill("https://desk.example/{id}")
    page.get_by_role("button", name="Preview").first.click()

    expect(page.get_by_role("link", name="https://desk.example/4711")).to_be_visible()
    assert not DeepLink.objects.exists()
