"""A flag by keyboard in a real browser: raised by hand, dismissed, reopened, coached on; and the page of one by the scan."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents.templatetags.words import exact
from coaching.actions import flags, sweeps
from coaching.models import Flag
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.factories import ratings


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def raised(owner):
    """A flag by the scan, raised ten days ago."""
    day = timezone.now().date() - timedelta(days=10)
    ratings.team_with_a_fall(owner.workspace, day)
    sweeps.sweep(owner.workspace, day)
    return Flag.objects.get()


def press(page, locator, key="Enter"):
    locator.focus()
    page.keyboard.press(key)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_a_flag_lives_from_being_raised_to_being_coached_on_by_keyboard(scripts, owner, sign_in):
    noor = factories.human(owner.workspace, name="Noor")
    page = sign_in(owner, java_script_enabled=scripts)
    page.goto(f"/team/{noor.pk}")
    press(page, page.get_by_text("Flag by hand"))
    page.get_by_label("What did you see?").focus()
    page.keyboard.type("Three calls in a row.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("Flagged. To take it back, dismiss it.")).to_be_visible()

    press(page, page.get_by_role("link", name="Why, and what happened since"))
    expect(page.get_by_role("heading", name="Why Noor is flagged")).to_be_visible()
    press(page, page.get_by_text("Dismiss this flag"))
    page.get_by_label("Why is it not worth a talk?").focus()
    page.keyboard.type("It was the line.")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Why Noor was flagged")).to_be_visible()
    press(page, page.get_by_role("button", name="Reopen"))
    expect(page.get_by_text("Reopened. It stands as it stood.")).to_be_visible()
    press(page, page.get_by_role("button", name="Coached on it"))
    expect(page.get_by_role("button", name="Not coached after all")).to_be_visible()
    press(page, page.get_by_role("button", name="Wait"))
    expect(page.get_by_role("button", name="Wait", pressed=True)).to_be_visible()

    happened = page.get_by_role("region", name="What happened").get_by_role("listitem")
    expect(happened).to_contain_text(["Cause: Wait", "Coached", "Reopened", "Dismissed", "Raised by hand"])
    flag = Flag.objects.get()
    assert (flag.status, flag.cause, flag.coached_by, flag.history.count()) == ("open", "wait", owner, 5)


def test_page_of_a_flag_is_accessible_in_every_state(raised, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/flags/{raised.pk}")
    expect(page.get_by_role("heading", name="How sure it is")).to_be_visible()
    assert_accessible(page)
    page.get_by_text("Dismiss this flag").click()
    page.get_by_text("as table").click()
    assert_accessible(page)
    flags.dismiss(raised, by=owner, reason="A holiday.")
    page.reload()
    expect(page.get_by_role("button", name="Reopen")).to_be_visible()
    assert_accessible(page)
    by_hand = flags.raise_manual(raised.agent, by=owner, reason="Calls.")
    page.goto(f"/flags/{by_hand.pk}")
    expect(page.get_by_role("link", name="Auto,")).to_be_visible()
    assert_accessible(page)


def test_page_of_a_flag_folds_on_a_narrow_screen(raised, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)
    page.goto(f"/flags/{raised.pk}")

    assert_nothing_is_cut_off(page)


def test_exact_time_of_what_happened_shows_on_hover_and_focus(raised, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/flags/{raised.pk}")
    at = page.get_by_role("region", name="What happened").locator("time")

    expect(at).to_have_attribute("data-exact", exact(raised.opened_at))
    at.focus()
    assert at.evaluate("e => getComputedStyle(e, '::after').content") == f'"{exact(raised.opened_at)}"'
