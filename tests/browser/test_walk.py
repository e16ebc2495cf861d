"""The whole loop as a new user walks it: the demo workspace, a real worker, the practice model, the mouse."""

import re

from playwright.sync_api import expect

from coaching.demo import content
from coaching.demo.load import load
from memories.models import Memory
from tests import processes
from tests.browser.test_loop import card, say
from tests.browser.test_team import assert_accessible

PATIENCE = 60_000  # milliseconds until a worker that has just been started has answered
RULE = "refunds reach the account within 2 working days"


def answered(page, n):
    """Wait until the coach has answered `n` questions."""
    expect(page.locator('.exchange[data-state="done"]')).to_have_count(n, timeout=PATIENCE)


def test_new_user_walks_from_the_flag_to_the_memory_that_is_served(open_browser):
    (email, password), *_ = load()
    with processes.worker():
        page = open_browser()
        page.goto("/")
        page.get_by_label("Email").fill(email)
        page.get_by_label("Password").fill(password)
        page.get_by_role("button", name="Sign in").click()

        # Team: who is flagged, and since when.
        expect(page.get_by_text("2 flagged")).to_be_visible()
        row = page.get_by_role("row", name=re.compile(content.REFUNDS))
        expect(row).to_contain_text("Flagged · Auto")
        row.get_by_role("link", name=content.REFUNDS, exact=True).click()

        # The drawer says why, and lists the worst conversations.
        drawer = page.get_by_role("dialog")
        expect(drawer).to_contain_text("A steady agent shows this in fewer than 1 in 150 quarters.")
        drawer.get_by_role("link", name="Conversation", exact=True).first.click()

        # The first of them leads to what was said, with the coach beside it.
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("^Conversation "))
        expect(page.get_by_role("list", name="Transcript").get_by_role("listitem").first).to_contain_text("Customer")
        page.get_by_role("button", name="What went wrong?").click()
        answered(page, 1)
        expect(page.locator(".said").last).to_contain_text("What I cannot judge")

        # A question about one turn.
        said = page.locator('.turn[data-role="agent"]').first  # which one that is depends on the day the demo is loaded
        said.locator(".turn-text").click()
        page.get_by_role("button", name="What went wrong?").click()
        answered(page, 2)
        expect(page.locator(".asked").last).to_contain_text(said.get_attribute("id").replace("turn-", "turn "))

        # Told what to change, with the turn still chosen: it proposes exactly that.
        say(page, f"Change the memory about refunds reaching the account so that it says: {RULE}")
        answered(page, 3)
        expect(card(page, "Memory update")).to_contain_text("would be version 2")
        say(page, "Add a memory that workshops open at nine")
        answered(page, 4)
        expect(card(page)).to_contain_text("Workshops open at nine.")
        assert_accessible(page)
        card(page, "Memory update").get_by_role("button", name="Approve").click()
        expect(card(page, "Memory update")).to_contain_text("from the coach chat, as version 2")

        # The Memory tab shows version 2, and a search there finds it.
        page.get_by_role("link", name=content.REFUNDS, exact=True).click()
        page.get_by_role("navigation", name=f"Pages of {content.REFUNDS}").get_by_role("link", name="Memory").click()
        entry = page.get_by_role("listitem").filter(has_text=RULE)
        expect(entry).to_contain_text("version 2")
        page.get_by_role("searchbox").fill("when does a refund reach my account")
        page.get_by_role("searchbox").press("Enter")
        expect(page).to_have_url(re.compile(r"\?q=when"))
        expect(page.get_by_role("listitem").filter(has_text=RULE)).to_contain_text("version 2")

    assert Memory.objects.get(version=2).agent.name == content.REFUNDS
