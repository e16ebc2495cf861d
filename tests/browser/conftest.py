"""The product in a real browser: uvicorn in a thread of the tests, Chromium without a window."""

import os
from pathlib import Path

import pytest
from django.db import connections
from playwright.sync_api import sync_playwright

from tests import factories
from tests.serving import serving

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
WIDE, NARROW = {"width": 1440, "height": 1000}, {"width": 320, "height": 700}


def pytest_collection_modifyitems(items):
    """Every test here needs the browser, and says so where there is none."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if not CHROMIUM.exists():
                item.add_marker(pytest.mark.skip(reason=f"Chromium is not installed at {CHROMIUM}"))


@pytest.fixture(scope="session")
def chromium():
    """One browser for all tests.

    Its client runs a loop in this thread, where Django then wants to be told that we know.
    """
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def address(transactional_db):
    """The address of the product, serving the test's own database over real ASGI."""
    with serving() as (host, port):
        yield f"http://{host}:{port}"
    connections.close_all()


@pytest.fixture
def open_browser(chromium, address):
    """A function: context options -> page.

    At the end no page may have complained: no error, nothing the policy refused.
    """
    contexts, complaints = [], []

    def open_page(**options):
        still = {"viewport": WIDE, "base_url": address, "reduced_motion": "reduce"}  # nothing has to be waited for
        context = chromium.new_context(**still | options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
        page.on(
            "console", lambda m: complaints.append(f"{page.url}: {m.text}") if m.type in ("error", "warning") else None
        )
        page.complaints = complaints
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def sign_in(open_browser):
    """A function: member, context options -> page, signed in by the form and showing the team, or what is a member's own."""

    def enter(member, **options):
        page = open_browser(**options)
        page.goto("/sign-in")
        page.get_by_label("Email").fill(member.user.email)
        page.get_by_label("Password").fill(factories.PASSWORD)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**/team" if member.is_leader else "**/my-coaching")
        return page

    return enter
