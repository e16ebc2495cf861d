"""docs/first-hour.md, walked: the demo workspace, a real worker, the practice model, the mouse.

Whatever the two sections print in bold has to have stood on a page by the end of their walk.
"""

import re
from contextlib import contextmanager
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from playwright.sync_api import expect

from agents import decisions
from agents.models import Member
from coaching.demo import content
from coaching.demo.load import load
from coaching.models import SlackConnection
from coaching.tasks import read_helpdesks
from helpdesk.models import HelpdeskConnection
from memories.models import Memory
from tests import factories, processes
from tests.browser.test_loop import card, say
from tests.browser.test_team import assert_accessible
from tests.desks.server import serving
from tests.desks.world import Person, World, talk
from tests.desks.zendesk import CREDENTIALS, Zendesk
from tests.slack import Slack

PATIENCE = 60_000  # milliseconds until a worker that has just been started has answered
RULE = "refunds reach the account within 2 working days"
SECRET = "0123456789abcdef0123456789abcdef"
ROOT = Path(__file__).resolve().parents[2]


def words_of(heading):
    """What a section of the page prints in bold."""
    sections = re.split(r"^## ", (ROOT / "docs/first-hour.md").read_text(), flags=re.MULTILINE)
    [section] = [each for each in sections if each.startswith(f"{heading}\n")]
    return {" ".join(words.split()) for words in re.findall(r"\*\*(.+?)\*\*", section, re.DOTALL)}


@contextmanager
def following(heading, page):
    """Every page that is shown meanwhile, and what becomes of it, is read; at the end nothing of the section may be missing."""
    missing = words_of(heading)
    assert missing

    def read():
        shown = " ".join(unescape(re.sub(r"<[^>]+>", " ", page.content())).split())
        shown = re.sub(r" (?=[?.,…])", "", shown)
        missing.difference_update([words for words in missing if words in shown])

    yield read
    read()
    assert missing == set()


def enter(page, email, password):
    page.goto("/")
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1, name="Team")).to_be_visible()


def answered(page, n):
    """Wait until the coach has answered `n` questions."""
    expect(page.locator('.exchange[data-state="done"]')).to_have_count(n, timeout=PATIENCE)


def tab(page, name):
    page.get_by_role("navigation", name="Pages of the settings").get_by_role("link", name=name, exact=True).click()


def served(agent, question):
    """The summary and version that an agent's runtime is served first."""
    owner = Member.objects.get(workspace=agent.workspace, role="owner")
    token = factories.token(owner, scopes=["read", "runtime"])
    asked = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    path = f"/api/v1/agents/{agent.pk}/memories/search"
    first = Client().post(path, {"query": question}, content_type="application/json", **asked).json()["items"][0]
    return first["summary"], first["version"]


def test_leader_gets_from_the_flag_to_what_is_served_and_back(open_browser):
    (email, password), *_ = load()
    page = open_browser()
    with processes.worker(), following("A leader", page) as read:
        enter(page, email, password)

        # Who needs me, and why.
        expect(page.get_by_text("2 flagged")).to_be_visible()
        read()
        page.get_by_role("link", name="Sarah", exact=True).click()
        drawer = page.get_by_role("dialog")
        expect(drawer).to_contain_text("A steady agent shows this in fewer than 1 in 150 quarters.")
        expect(drawer).to_contain_text("Chat: 32 ratings at")
        read()

        # A sample, and a note about it with a follow-up.
        drawer.get_by_role("link", name="Write a note about this").first.click()
        expect(drawer.get_by_label("Write a note")).to_be_focused()
        page.keyboard.type("Three apologies and no date. Agree on a sentence that names the day.")
        drawer.get_by_label("Follow up", exact=True).select_option(index=2)
        read()
        drawer.get_by_role("button", name="Save note").click()
        expect(drawer.get_by_text("Kept, private to leaders.")).to_be_in_viewport()
        page.keyboard.press("Escape")
        expect(page.get_by_role("row", name=re.compile("Sarah"))).to_contain_text("3 open")

        # An AI agent's bad conversation, with its coach beside it.
        page.get_by_role("link", name=content.REFUNDS, exact=True).click()
        expect(drawer).to_contain_text("3 proposals waiting")
        read()
        drawer.get_by_role("link", name="Conversation", exact=True).first.click()
        expect(page.get_by_role("list", name="Transcript").get_by_role("listitem").first).to_contain_text("Customer")
        page.get_by_role("button", name="What went wrong?").click()
        answered(page, 1)
        expect(page.locator(".said").last).to_contain_text("What I cannot judge")
        read()

        # A question about one turn, then what to change: it proposes exactly that.
        said = page.locator('.turn[data-role="agent"]').first  # which one that is depends on the day the demo is loaded
        said.locator(".turn-text").click()
        page.get_by_role("button", name="What went wrong?").click()
        answered(page, 2)
        expect(page.locator(".asked").last).to_contain_text(said.get_attribute("id").replace("turn-", "turn "))
        say(page, f"Change the memory about refunds reaching the account so that it says: {RULE}")
        answered(page, 3)
        expect(card(page, "Memory update")).to_contain_text("would be version 2")
        assert_accessible(page)
        read()
        card(page, "Memory update").get_by_role("button", name="Approve").click()
        expect(card(page, "Memory update")).to_contain_text("from the coach chat, as version 2")

        # Served from that moment on.
        memory = Memory.objects.get(version=2)
        assert served(memory.agent, "when does a refund reach my account") == (f"R{RULE[1:]}.", 2)
        card(page, "Memory update").get_by_role("link", name="Open").click()
        read()
        page.get_by_role("link", name="The memory as it is now").click()
        expect(page.get_by_text("version 2 · Written by hand at first")).to_be_visible()
        expect(page.get_by_text("last served")).to_be_visible()
        page.get_by_role("navigation", name=f"Pages of {content.REFUNDS}").get_by_role("link", name="Memory").click()
        page.get_by_role("searchbox").fill("when does a refund reach my account")
        page.get_by_role("searchbox").press("Enter")
        expect(page).to_have_url(re.compile(r"\?q=when"))
        expect(page.get_by_role("listitem").first).to_contain_text("version 2")
        read()

        # Taken back, and the talk says so too.
        page.get_by_role("link", name="Proposals").click()
        page.get_by_role("link", name="Approved").click()
        page.get_by_role("link", name=re.compile("Refunds reach the account within 2 working days")).click()
        page.get_by_role("link", name="Take back…").click()
        read()
        page.get_by_role("button", name="Take back").click()
        expect(page.get_by_text("Taken back, as version 3.")).to_be_in_viewport()
        read()
        page.get_by_role("link", name=re.compile(r"^\d+$")).click()
        expect(card(page, "Memory update")).to_contain_text("taken back just now by Demo owner")
    memory.refresh_from_db()
    assert served(memory.agent, "when does a refund reach my account") == (memory.summary, 3)
    assert "3 to 5 working days" in memory.summary


@pytest.fixture
def desk():
    """A Zendesk whose two people had eight ratings of late."""
    world = World([Person("11", "Ada Byron", "ada@desk.example"), Person("12", "Brook Long")])
    start = timezone.now() - timedelta(days=20)
    world.add(
        *(talk(n, person=("11", "12")[n % 2], happy=float(n % 2), at=start + timedelta(hours=n)) for n in range(8))
    )
    with serving(Zendesk(world)) as served_desk:
        yield served_desk


@pytest.fixture
def slack():
    with Slack() as played:
        team = played.add_team("Harbour Support", bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET)
        team.add_channel("coaching")
        team.add_channel("leaders", is_private=True)
        yield played


def test_admin_sets_up_people_helpdesk_and_slack_and_looks_behind(open_browser, desk, slack, settings):
    _, (email, password), _ = load()
    settings.OUTBOUND_ALLOW, settings.SLACK_API_URL = [desk.place], slack.api_url
    page = open_browser()
    with (
        processes.worker(OUTBOUND_ALLOW=desk.place, SLACK_API_URL=slack.api_url),
        following("An admin", page) as read,
    ):
        enter(page, email, password)
        page.get_by_role("link", name="Settings").click()
        read()

        # Somebody is asked in, and comes.
        tab(page, "Members")
        page.get_by_label("Email", exact=True).fill("priya@demo.example")
        page.get_by_label("Their own row in the team").fill("Priya")
        read()
        page.get_by_role("button", name="Invite", exact=True).click()
        expect(page.get_by_text("priya@demo.example is invited. This server sends no mail")).to_be_in_viewport()
        asked = page.get_by_role("listitem").filter(has_text="priya@demo.example")
        expect(asked).to_contain_text("Expires in 1 w")
        link = asked.get_by_label("Hand them this link")
        expect(link).to_be_in_viewport()
        read()
        newcomer = open_browser()
        newcomer.goto(re.sub(r"^https?://[^/]+", "", link.input_value()))
        newcomer.get_by_label("Your name").fill("Priya N.")
        for label in ("Password", "The same again"):
            newcomer.get_by_label(label, exact=True).fill(factories.PASSWORD)
        newcomer.get_by_role("button", name="Join").click()
        expect(newcomer.get_by_role("heading", level=1, name="My coaching")).to_be_visible()

        # A member's own row is taken away and given again.
        page.get_by_role("link", name="Demo member").click()
        read()
        page.get_by_role("button", name="Unlink").click()
        expect(page.get_by_text("is no longer linked to Tom")).to_be_visible()
        read()
        tab(page, "Members")
        page.get_by_role("link", name=re.compile("not linked.*Demo member")).click()
        page.get_by_label("Name in the team").fill("Tom")
        page.get_by_role("button", name="Link", exact=True).click()
        expect(page.get_by_text("was linked to Tom")).to_have_count(2)

        # A helpdesk is read, and its people are somebody here.
        tab(page, "Helpdesks")
        page.get_by_role("link", name="Zendesk", exact=True).click()
        page.get_by_label("Address").fill(desk.url)
        page.get_by_label("Email").fill(CREDENTIALS["email"])
        page.get_by_label("API token").fill(CREDENTIALS["api_token"])
        read()
        page.get_by_role("button", name="Connect and test").click()
        expect(page.get_by_text("Connected. It is being tested, and the first reading has begun.")).to_be_in_viewport()
        here = page.get_by_role("region", name="Zendesk")
        processes.until(
            lambda: "Active" in here.locator(".desk-state").inner_text(), read_helpdesks
        )  # as the clock does
        expect(here).to_contain_text("The test passed.", timeout=PATIENCE)
        expect(here).to_contain_text("8 kept without an agent", timeout=PATIENCE)
        read()
        here.get_by_role("link", name="Who is who: 2 not mapped").click()
        expect(page.get_by_role("heading", name="Who is who")).to_be_visible()
        read()
        page.get_by_role("button", name="Create all 2").click()
        expect(page.get_by_text("Made 2 agents.")).to_be_visible()
        read()

        # Its conversations have an address already; that of another source is mended.
        tab(page, "Deep links")
        expect(page.get_by_text(f"{desk.url}/agent/tickets/10")).to_be_visible()
        own = page.get_by_role("region", name="Desk", exact=True)
        own.get_by_label("Address of a conversation").fill("https://desk.example/c/{id}")
        expect(own.get_by_text(re.compile("opens at"))).to_be_visible()
        read()
        own.get_by_role("button", name="Save").click()
        expect(page.locator(".message")).to_be_in_viewport()

        # Slack: an app of one's own, a coach in a channel, flags in another.
        tab(page, "Slack")
        page.get_by_role("link", name="Connect an app of your own").click()
        page.get_by_label("Bot token").fill("xoxb-1")
        page.get_by_label("Signing secret").fill(SECRET)
        read()
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_text("Harbour Support is connected. Add a coach to one of its channels.")).to_be_visible()
        read()
        page.get_by_role("link", name="Add a coach").click()
        page.get_by_label("Channel", exact=True).fill("#coaching")
        page.get_by_label("Coach", exact=True).select_option(f"{content.REFUNDS} (coach)")
        read()
        page.get_by_role("button", name="Add the coach").click()
        expect(page.get_by_text(f"{content.REFUNDS} (coach) listens in #coaching now.")).to_be_visible()
        page.get_by_label("Channel for flags").fill("#leaders")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Saved.", exact=True)).to_be_in_viewport()

        # What was decided, and whether the log is whole.
        tab(page, "Decision log")
        read()
        page.get_by_role("button", name="Check the log").click()
        expect(page.locator(".log-checked")).to_contain_text("Unbroken")
        read()

        # Behind the pages: what is owed, and the same log.
        page.locator(".menu-user > summary").click()
        page.get_by_role("link", name="Back office").click()
        page.get_by_role("link", name="Owed work").first.click()
        expect(page.get_by_role("row", name=re.compile(r"^Readings of helpdesks \d"))).to_be_visible()
        read()
        page.get_by_role("link", name="Decision log").first.click()
        expect(page.get_by_role("cell", name="Taken back").first).to_be_visible()
        read()

    # The keys are exchanged: what the old one wrote is read under the new one alone.
    new = Fernet.generate_key().decode()
    settings.FIELD_KEYS = [new, *settings.FIELD_KEYS]
    call_command("rotate_secrets")
    settings.FIELD_KEYS = [new]
    assert HelpdeskConnection.objects.get().credentials["api_token"] == CREDENTIALS["api_token"]
    assert SlackConnection.objects.get().bot_token == "xoxb-1"
    assert list(decisions.verify(SlackConnection.objects.get().workspace)) == []
