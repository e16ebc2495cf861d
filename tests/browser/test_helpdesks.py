"""A leader connects a helpdesk, watches its ratings come, says who is who, reads a conversation, and takes it away again."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from helpdesk.actions import connections, mapping
from helpdesk.models import Conversation, HelpdeskAgent, HelpdeskConnection, HelpdeskSync
from helpdesk.sync import connection_tests, ratings
from tests import factories
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.desks import server
from tests.desks.server import serving
from tests.desks.world import Person, World, talk
from tests.desks.zendesk import Zendesk

TOKEN = "right"


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def desk(settings):
    people = [Person("11", "Ada Byron", "ada@desk.example"), Person("12", "Brook of the Very Long-Family-Name")]
    world = World(people)
    start = timezone.now() - timedelta(days=20)
    world.add(*(talk(n, person=people[n % 2].id, happy=float(n % 2), at=start + timedelta(hours=n)) for n in range(8)))
    with serving(Zendesk(world)) as served:
        settings.OUTBOUND_ALLOW = [served.place]
        yield served


def looked_at(page):
    """The page is accessible and whole, wide and narrow."""
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        assert_accessible(page)
        assert_nothing_is_cut_off(page)
    page.set_viewport_size(WIDE)


def worked_off(*kinds):
    """What workers do once they have taken what is owed."""
    for test in HelpdeskConnection.objects.get().tests.unfinished():
        connection_tests.run(test.pk)
    for kind in kinds or ("backfill", "recent"):
        HelpdeskSync.objects.filter(kind=kind, next_try_at__isnull=False).update(next_try_at=timezone.now())
        ratings.run(HelpdeskSync.objects.get(kind=kind).pk)


def test_helpdesk_is_connected_mapped_and_disconnected_by_keyboard(owner, desk, sign_in):
    page = sign_in(owner)
    page.goto("/settings/helpdesks")
    expect(page.get_by_text("None is connected yet.")).to_be_visible()
    looked_at(page)

    # Connect: what is wrong is said beside its field, and no secret comes back.
    page.get_by_role("link", name="Zendesk", exact=True).focus()
    page.keyboard.press("Enter")
    page.get_by_label("Address").focus()
    page.keyboard.type(desk.url)
    page.get_by_label("API token").focus()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_text("It is missing.")).to_be_visible()
    expect(page.get_by_label("Address")).to_have_value(desk.url)
    expect(page.get_by_label("API token")).to_have_value("")
    looked_at(page)
    page.complaints[:] = [said for said in page.complaints if "400" not in said]  # the refusal itself
    page.get_by_label("Email").focus()
    page.keyboard.type("admin@desk.example")
    page.get_by_label("API token").focus()
    page.keyboard.type(TOKEN)
    page.keyboard.press("Enter")
    expect(page.get_by_text("Connected. It is being tested, and the first reading has begun.")).to_be_visible()

    # The card moves by itself until all is read, and then stops asking.
    card = page.get_by_role("region", name="Zendesk")
    expect(card.locator(".desk-state")).to_have_text("Reading")
    expect(card.get_by_label("Address of the webhook")).to_have_value(
        f"http://127.0.0.1:8000/hooks/zendesk/{HelpdeskConnection.objects.get().pk}"
    )
    looked_at(page)
    worked_off()
    expect(card.locator(".desk-state")).to_have_text("Active")
    expect(card).to_contain_text("8 in 180 days")
    expect(card).to_contain_text("The test passed.")
    expect(card).to_contain_text("0 ratings credited · 8 kept without an agent")
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(1_500)
    assert asked == []
    looked_at(page)

    # Who is who: one click each, and the counts follow.
    card.get_by_role("link", name="Who is who: 2 not mapped").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Who is who")).to_be_visible()
    looked_at(page)
    page.get_by_role("button", name="Create Ada Byron").focus()
    page.keyboard.press("Enter")
    ada = page.get_by_role("listitem").filter(has_text="ada@desk.example")
    expect(ada).to_contain_text("is Ada Byron · by hand · crediting 4 ratings …")
    expect(page.get_by_role("link", name="Not mapped 1")).to_be_visible()
    looked_at(page)
    mapping.credit(HelpdeskAgent.objects.get(external_id="11").pk)
    expect(ada).not_to_contain_text("crediting")
    brook = page.get_by_role("listitem").filter(has_text="Brook of")
    brook.get_by_text("Somebody else…").focus()
    page.keyboard.press("Enter")
    brook.get_by_label("Name of an agent here").focus()
    page.keyboard.type("Nobody at all")
    page.keyboard.press("Enter")
    expect(brook).to_contain_text("Nobody here is called “Nobody at all”.")
    page.complaints[:] = [said for said in page.complaints if "400" not in said]
    looked_at(page)
    brook.get_by_role("button", name="Nobody").focus()
    page.keyboard.press("Enter")
    expect(brook).to_contain_text("Nobody here · by hand")
    brook.get_by_role("button", name="Undo").focus()
    page.keyboard.press("Enter")
    expect(brook).to_contain_text("stands for nobody yet; 4 ratings wait")

    # What goes wrong is said in words, on the card and where leaders look.
    connections.refuse(
        HelpdeskConnection.objects.get(), "Zendesk does not accept the credentials (401). Put them in again."
    )
    page.goto("/todo")
    expect(page.get_by_role("navigation", name="Main").get_by_text("a helpdesk needs you")).to_be_attached()
    looked_at(page)
    page.get_by_role("link", name="Look at it").focus()
    page.keyboard.press("Enter")
    expect(card.locator(".desk-state")).to_have_text("Refused")
    looked_at(page)

    # Disconnected: the secrets go, the ratings stay.
    page.get_by_text("Disconnect…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Disconnect zendesk")).to_be_focused()
    expect(page.get_by_text("Deleted here: its keys and secrets.")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Disconnected. What opened the account is deleted here")).to_be_visible()
    expect(card).to_contain_text("4 ratings credited · 4 kept without an agent")
    looked_at(page)
    assert HelpdeskConnection.objects.get().secrets == ""


def test_conversation_of_a_helpdesk_shows_its_frame_first(owner, desk, sign_in):
    made = connections.connect(
        owner.workspace, vendor="zendesk", base_url=desk.url, credentials=desk.credentials, by=owner
    )
    agent = factories.ai_agent(owner.workspace)
    conversation = factories.conversation(agent, source=made.source, external_id="1001")
    desk.weather = [server.Weather(server.slow(1.5)), server.Weather(server.web_page, times=9)]
    page = sign_in(owner)

    page.goto(f"/conversations/{conversation.pk}#turn-1")
    expect(page.get_by_role("heading", level=1)).to_have_text("Conversation 1001")
    expect(page.get_by_text("Reading the conversation in its helpdesk.")).to_be_visible()
    looked_at(page)
    expect(page.get_by_text("answered with a web page instead of data")).to_be_visible()
    looked_at(page)

    desk.weather = []
    page.get_by_role("link", name="Try again").click()
    turn = page.locator("#turn-1")
    expect(turn).to_contain_text("It is on its way, number 1.")
    turn.locator(".turn-text").click()
    expect(page.locator("#picked")).to_contain_text("turn 1")
    looked_at(page)
    assert Conversation.objects.get().turn_count is None


def test_conversation_of_a_helpdesk_is_read_without_scripts(owner, desk, sign_in):
    made = connections.connect(
        owner.workspace, vendor="zendesk", base_url=desk.url, credentials=desk.credentials, by=owner
    )
    conversation = factories.conversation(factories.ai_agent(owner.workspace), source=made.source, external_id="1001")
    page = sign_in(owner, java_script_enabled=False)

    page.goto(f"/conversations/{conversation.pk}")
    page.get_by_role("link", name="Read it now").click()

    expect(page.get_by_text("It is on its way, number 1.")).to_be_visible()


def test_card_is_read_and_used_without_scripts(owner, desk, sign_in):
    connections.connect(owner.workspace, vendor="zendesk", base_url=desk.url, credentials=desk.credentials, by=owner)
    page = sign_in(owner, java_script_enabled=False)
    page.goto("/settings/helpdesks")

    page.get_by_role("link", name="Look again").click()
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".desk-state")).to_have_text("Paused")
    page.get_by_role("button", name="Resume").click()
    worked_off("backfill")
    page.reload()
    page.get_by_role("link", name="Who is who: 2 not mapped").click()
    page.get_by_role("button", name="Create all 2").click()

    expect(page.get_by_text("Made 2 agents.")).to_be_visible()
    assert HelpdeskAgent.objects.filter(agent=None).count() == 0
