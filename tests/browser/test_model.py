"""A leader connects a model: types it in, sees what fails and what works, and takes it away, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from coaching import llm
from coaching.actions import connections
from coaching.coach import model_tests
from coaching.models import ModelTest
from tests import factories, model_server
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off

KEY = "sk-test-0123456789-WXYZ"


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


def looked_at(page):
    """The page is accessible and whole, wide and narrow."""
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert_accessible(page)
        assert_nothing_is_cut_off(page)
    page.set_viewport_size(WIDE)


def worked_off():
    """What a worker does once it has taken the test."""
    return model_tests.run(ModelTest.objects.unfinished().get().pk)


def test_model_is_connected_tested_and_taken_away_by_keyboard(owner, sign_in, settings, monkeypatch):
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)
    plays = [
        model_server.status(401, "authentication_error"),
        model_server.text("Yes."),
        model_server.calls(("report_ready", {"ready": True})),
    ]
    page = sign_in(owner)
    page.goto("/settings/model")
    expect(page.get_by_text("for no model is connected")).to_be_visible()
    looked_at(page)

    with model_server.serving(plays) as server:
        page.get_by_label("Key", exact=True).focus()
        page.keyboard.type(KEY)
        page.keyboard.press("Tab")
        page.keyboard.type(server.url)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Only https addresses are called.")).to_be_visible()
        expect(page.get_by_label("Address")).to_have_value(server.url)
        expect(page.get_by_label("Key", exact=True)).to_have_value("")
        looked_at(page)
        page.complaints[:] = [said for said in page.complaints if "400" not in said]  # the refusal itself

        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]
        page.get_by_label("Key", exact=True).focus()
        page.keyboard.type(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved. The connection is being tested now.")).to_be_visible()
        expect(page.locator("#model-test")).to_have_attribute("data-state", "running")
        looked_at(page)
        worked_off()
        expect(page.get_by_text("The server does not accept the key (401).")).to_be_visible()
        expect(page.get_by_text("It does not work yet.")).to_be_visible()
        looked_at(page)

        again = page.get_by_role("button", name="Test again")
        again.focus()
        page.keyboard.press("Enter")
        expect(page.locator("#model-test")).to_have_attribute("data-state", "running")
        page.wait_for_timeout(1_200)  # asked again meanwhile
        expect(page.locator("#model-test-button")).to_be_focused()
        worked_off()
        expect(page.get_by_text("It works.")).to_be_visible()
        looked_at(page)

    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1_500)
    assert asked == []  # it stops asking by itself
    page.get_by_text("Disconnect…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Disconnect")).to_be_focused()
    looked_at(page)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Disconnected. The key is deleted here")).to_be_visible()
    expect(page.get_by_text("for no model is connected")).to_be_visible()
    assert connections.of(owner.workspace.pk).is_practice
    assert KEY not in page.content()


def test_without_scripts_the_page_works_by_reload(owner, sign_in, settings):
    settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "of-the-server", "http://127.0.0.1:1"
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/settings/model")

    page.get_by_role("button", name="Test connection").click()
    expect(page.locator("#model-test")).to_have_attribute("data-state", "running")
    worked_off()
    page.get_by_role("link", name="Look again").click()

    expect(page.get_by_text(model_tests.REFUSED)).to_be_visible()
    longest = {
        "key": KEY,
        "base_url": f"https://{'m' * 60}.{'n' * 60}.example.com",
        "model": "x" * 100,
        "effort": "xhigh",
    }
    connections.connect(owner.workspace, by=owner, version=0, **longest)
    page.set_viewport_size(NARROW)
    page.reload()
    expect(page.get_by_text("x" * 100).first).to_be_visible()
    assert_nothing_is_cut_off(page)
