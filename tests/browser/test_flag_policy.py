"""A leader decides how flags are raised: chooses a level, replays the history with a real worker, reads what it found."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from coaching.actions import backtests, policies
from coaching.models import Backtest
from tests import factories, processes
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.factories import ratings

PATIENCE = 120_000  # milliseconds until a worker that has just been started is through


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


def fall(owner):
    """Somebody who falls, in a history so short that it is replayed and shuffled within seconds."""
    return ratings.team_with_a_fall(owner.workspace, timezone.now().date() - timedelta(days=1), weeks=9)[0]


def test_leader_chooses_a_level_and_sees_it_on_their_own_history(owner, sign_in):
    falling = fall(owner)
    page = sign_in(owner)
    page.get_by_role("navigation", name="Main").get_by_role("link", name="Settings").click()
    page.get_by_role("link", name="Flag policy").click()
    expect(page.get_by_role("radio", name="Balanced")).to_be_visible()
    assert_accessible(page)

    page.get_by_role("radio", name="Balanced").press("ArrowLeft")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved: Early.")).to_be_visible()
    expect(page.get_by_text("From Balanced to Early")).to_be_visible()
    assert policies.of(owner.workspace).sensitivity == "early"

    button = page.locator("#backtest-button")
    button.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    assert_accessible(page)
    with processes.worker():
        expect(page.locator("#backtest")).to_have_attribute("data-state", "running", timeout=PATIENCE)
        page.goto("/team")  # it can be left
        page.goto("/settings/flags")
        expect(page.get_by_role("progressbar")).to_be_visible()
        expect(page.locator("#backtest")).to_have_attribute("data-state", "done", timeout=PATIENCE)

    asked = []
    page.on("request", lambda request: asked.append(request.url))
    found = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=falling.name, exact=True))
    expect(found).to_contain_text("It would be open still.")
    expect(page.get_by_role("row", name=re.compile("^Cautious"))).to_contain_text("per 1,000 agent-quarters")
    page.wait_for_timeout(2_500)
    assert asked == []  # it stops asking by itself
    assert_accessible(page)
    page.get_by_role("rowheader").get_by_role("link", name="Cautious").click()
    expect(page.get_by_role("heading", name="Cautious: who would have been flagged")).to_be_visible()
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert_nothing_is_cut_off(page)
        assert_accessible(page)


def test_backtest_that_runs_is_stopped_by_keyboard(owner, sign_in):
    asked = backtests.ask(owner.workspace, by=owner)
    Backtest.objects.filter(pk=asked.pk).update(state="running", progress=12)
    page = sign_in(owner)
    page.goto("/settings/flags")

    stop = page.get_by_role("button", name="Stop")
    stop.focus()
    page.wait_for_timeout(1_500)  # asked again meanwhile
    expect(stop).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_text("Stopped just now.")).to_be_visible()
    expect(page.get_by_role("button", name="Replay my history")).to_be_focused()
    assert Backtest.objects.get().state == "stopped"


def test_every_state_is_accessible_and_fits(owner, sign_in):
    fall(owner)
    asked = backtests.ask(owner.workspace, by=owner)
    page = sign_in(owner, viewport=NARROW)
    now = timezone.now()
    for row in (
        {"state": "queued"},
        {"state": "queued", "asked_at": now - timedelta(hours=1)},
        {"state": "running", "progress": 40},
        {"state": "failed", "finished_at": now, "last_error": backtests.UNFINISHABLE},
        {"state": "stopped", "finished_at": now},
    ):
        Backtest.objects.filter(pk=asked.pk).update(**{"finished_at": None, "last_error": ""} | row)
        page.goto("/settings/flags")
        expect(page.locator("#backtest")).to_have_attribute("data-state", row["state"])
        assert_accessible(page)
        assert_nothing_is_cut_off(page)


def test_without_scripts_the_page_works_by_reload(owner, sign_in):
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/settings/flags")
    page.get_by_role("radio", name="Cautious").check()
    page.get_by_label("Raise flags automatically").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("No new flags are raised by themselves")).to_be_visible()

    page.get_by_role("button", name="Replay my history").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    backtests.run(Backtest.objects.get().pk)
    page.get_by_role("link", name="Look again").click()

    expect(page.get_by_role("heading", name="No ratings to replay")).to_be_visible()
