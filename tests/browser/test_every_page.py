"""Every page there is, as tests/test_page_guard.py names them: accessible, whole on a phone, still while it loads, focus seen.

A route that is added needs its line there, and is walked here from then on.
"""

import itertools

import pytest

from tests import factories, test_page_guard
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import violations
from tests.full_of_words import fill

PHONE = {"width": 390, "height": 844}
STILL = 0.02  # of the layout may shift while a page loads: what nobody sees
# Answers to GET that are no pages: files, streams, and parts that a script puts into a page.
NO_PAGES = {
    "health/live",
    "health/ready",
    "todo/follow-ups/{note}.ics",
    "todo/follow-ups/{shared}.ics",
    "decisions.csv",
    "decisions.jsonl",
    "agents/{ai}/export",
    "settings/slack/channels",
    "settings/members/free-rows?agent=a",
    "coach/sessions/{session}/stream",
    "proposals/{proposal}/live",
}
# What moved although nobody touched anything, as the browser counts it: https://web.dev/articles/cls
WATCH = """
  window.moved = [];
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      if (entry.hadRecentInput) continue;
      window.moved.push([entry.value, ...entry.sources.map((one) => one.node?.outerHTML?.slice(0, 120))]);
    }
  }).observe({ type: "layout-shift", buffered: true });
"""
LONG = "Donaudampfschifffahrtsgesellschaft" * 3
# Words that stand beyond the edge of the screen and cannot be scrolled to.
OVER = """() => {
  const over = [];
  for (const one of document.querySelectorAll("main *")) {
    if (one.children.length || !one.textContent.trim() || one.getBoundingClientRect().right <= innerWidth + 1) continue;
    const scrolling = (at) => ["auto", "scroll", "hidden"].includes(getComputedStyle(at).overflowX);
    let scrolls = one;
    while (scrolls && !scrolling(scrolls)) scrolls = scrolls.parentElement;
    if (!scrolls && one.getClientRects().length) over.push(one.outerHTML.slice(0, 120));
  }
  return over;
}"""
# What can be reached by keyboard and shows no ring, on itself or on what stands for it.
UNSEEN = """() => {
  const ringed = (one) => {
    const style = getComputedStyle(one);
    return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  };
  const within = document.querySelector("dialog[open]") ?? document;
  const stops = within.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
  );
  const unseen = [];
  for (const one of stops) {
    one.focus();
    if (document.activeElement !== one || !one.matches(":focus-visible")) continue;
    let shown = one;
    while (shown && !ringed(shown)) shown = shown.parentElement;
    if (!shown) unseen.push(one.outerHTML.slice(0, 120));
  }
  return [stops.length, unseen];
}"""


def pages_of(role):
    """The addresses that answer somebody in `role` with a page; an owner also those that say what is wrong."""
    at = test_page_guard.ROLES.index(role)
    asked = {address: answers[at] for address, method, _, answers in test_page_guard.LINES if method == "GET"}
    wanted = (200, 400, 404, 410) if role == "owner" else (200,)
    return [address for address, status in asked.items() if status in wanted and address not in NO_PAGES]


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def linked(owner):
    return factories.member(owner.workspace, agent=factories.human(owner.workspace))


@pytest.fixture
def world(owner, linked):
    return test_page_guard.one_of_every_page(owner, linked.agent)


def faults(page):
    """What is wrong with the page as it stands: (what, where)."""
    if page.evaluate("document.documentElement.scrollWidth") > page.viewport_size["width"]:
        yield "wider than the screen", ""
    yield from violations(page)


def look_at(page, addresses, world):
    """Every page at 390 px in the light, then as wide as a desk in the dark; what is wrong with which, all of it."""
    page.add_init_script(WATCH)
    wrong = []
    for address in addresses:
        page.set_viewport_size(PHONE)
        page.emulate_media(color_scheme="light")
        page.goto("/" + address.format(**world))
        wrong += [(address, "phone", *one) for one in faults(page)]
        moved = page.evaluate("window.moved")
        if sum(value for value, *_ in moved) > STILL:
            wrong.append((address, "moves while it loads", moved))
        page.set_viewport_size(WIDE)
        page.emulate_media(color_scheme="dark")
        wrong += [(address, "desk", *one) for one in faults(page)]
        page.keyboard.press("Tab")
        n_stops, unseen = page.evaluate(UNSEEN)
        if unseen or not n_stops:
            wrong.append((address, "focus is not seen", unseen))
    # The browser tells of pages that answer with a status of their own.
    page.complaints[:] = [one for one in page.complaints if "the server responded with a status of 4" not in one]
    assert wrong == []


def test_pages_of_an_owner(owner, world, sign_in):
    look_at(sign_in(owner), [*pages_of("owner"), "api/v1/docs"], world)


def test_pages_of_a_member(linked, world, sign_in):
    look_at(sign_in(linked), pages_of("linked"), world)


def test_pages_of_nobody_in_particular(world, open_browser):
    look_at(open_browser(), pages_of("anonymous"), world)


def test_what_is_no_page_is_still_there():
    assert NO_PAGES - {address for address, method, *_ in test_page_guard.LINES if method == "GET"} == set()


def test_long_words_widen_no_page(owner, world, sign_in):
    """A name, a title, an address without a space in it, in every row there is."""
    page = sign_in(owner, viewport=NARROW)
    numbers = itertools.count(1)  # some must be unique
    fill(lambda *_: f"{next(numbers)}{LONG}")

    wide, shown = [], 0
    for address in pages_of("owner"):
        page.goto("/" + address.format(**world))
        over = page.evaluate(OVER)
        if page.evaluate("document.documentElement.scrollWidth") > NARROW["width"] or over:
            wide.append((address, over))
        shown += LONG[:40] in page.content()
    page.complaints.clear()

    assert wide == []
    assert shown > len(pages_of("owner")) / 2
