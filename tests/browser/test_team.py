"""Sign-in, Team and drawer by mouse, by keyboard, without scripts, on a narrow screen; accessible in every state."""

import re
from datetime import timedelta

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import expect

from coaching.actions import flags, notes
from coaching.models import Note
from tests import factories
from tests.browser.conftest import NARROW
from tests.pages.test_team import flag, rate, sample

AA = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
# The rules that depend on colours and width.
OF_THE_LOOK = ["color-contrast", "target-size", "link-in-text-block", "scrollable-region-focusable"]


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def sarah(owner):
    """A flagged person with a whole record."""
    made = factories.human(owner.workspace, name="Sarah", team="Billing")
    rate(made, score=80)
    flag(made)
    sample(made, url="https://desk.example/1", summary="The invoice could not be split.", summary_state="captured")
    sample(made, value="2", score_hundredths=2500)
    notes.write(made, by=owner, body="Well done on the outage.", shared_with_agent=True)
    return made


@pytest.fixture
def others(owner):
    """A steady AI agent and a newcomer without ratings."""
    steady = factories.ai_agent(owner.workspace, name="Onboarding guide", team="Start")
    rate(steady, score=95, n=6)
    return [steady, factories.human(owner.workspace, name="Ines", team="Start")]


def violations(page, **options):
    """[(rule, where)] that axe finds. `options` are axe's. Who looks in the dark looks in the light too.

    What passed is not described: describing takes it longer than looking.
    """
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    rules = OF_THE_LOOK if is_dark else {"type": "tag", "values": AA}
    options = {"runOnly": rules, "resultTypes": ["violations"], **options}
    found = page.evaluate("options => axe.run(options).then(told => told.violations)", options)
    return [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found]


def assert_accessible(page, **options):
    """In the light and in the dark. `options` are axe's."""
    found = {}
    for colours in ("dark", "light"):
        page.emulate_media(color_scheme=colours)
        found[colours] = violations(page, **options)
    assert (page.url, found) == (page.url, {"dark": [], "light": []})


def assert_nothing_is_cut_off(page):
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]


def drawer(page):
    return page.get_by_role("dialog", name="Sarah")


def test_every_state_is_accessible(sarah, others, owner, open_browser):
    page = open_browser()
    page.goto("/team")
    assert_accessible(page)
    page.get_by_label("Email").fill(owner.user.email)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("do not go together")
    assert_accessible(page)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/team")
    assert_accessible(page)
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(drawer(page).locator(".sample-words", has_text="The invoice could not be split.")).to_be_visible()
    assert_accessible(page)
    page.goto(f"/team/{sarah.pk}")
    page.get_by_text("as table").click()
    assert_accessible(page)
    page.goto("/team?q=nobody")
    assert_accessible(page)
    page.goto("/nowhere")
    assert_accessible(page)
    page.complaints.clear()  # Chromium reports the status 404


def test_drawer_opens_by_mouse_over_the_table_and_closes(sarah, others, owner, sign_in):
    page = sign_in(owner)

    page.get_by_role("link", name="Sarah", exact=True).click()

    expect(drawer(page)).to_be_visible()
    expect(page).to_have_url(f"{page.url.split('?')[0]}?agent={sarah.pk}")
    expect(page.get_by_role("link", name="Onboarding guide", exact=True, include_hidden=True)).to_be_visible()
    drawer(page).get_by_role("link", name="Close").click()
    expect(drawer(page)).to_be_hidden()
    expect(page).to_have_url(re.compile(r"/team$"))


def test_drawer_by_keyboard_alone(sarah, others, owner, sign_in):
    page = sign_in(owner)
    row = page.get_by_role("link", name="Sarah", exact=True)

    row.focus()
    page.keyboard.press("Enter")
    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()
    stops = 0
    for _ in range(60):
        page.keyboard.press("Tab")
        where = page.evaluate(
            "document.activeElement === document.body ? 'browser' : "
            "document.activeElement.closest('dialog') ? 'drawer' : document.activeElement.outerHTML"
        )
        assert where in (
            "drawer",
            "browser",
        )  # the browser's own controls lie on the way round, the page behind does not
        stops += where == "drawer"
    assert stops > 10
    drawer(page).get_by_label("Write a note").focus()
    page.keyboard.press("Escape")

    expect(drawer(page)).to_be_hidden()
    expect(row).to_be_focused()


def test_address_opens_the_drawer_and_escape_leads_to_the_row(sarah, others, owner, sign_in):
    page = sign_in(owner)

    page.goto(f"/team?sort=name&agent={sarah.pk}")

    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Sarah", exact=True)).to_be_focused()
    expect(page).to_have_url(re.compile(r"/team\?sort=name$"))


def test_back_closes_the_drawer_and_forward_opens_it(sarah, others, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(drawer(page)).to_be_visible()

    page.go_back()
    expect(drawer(page)).to_be_hidden()
    page.go_forward()

    expect(drawer(page)).to_be_visible()
    expect(drawer(page).get_by_role("heading", name="Sarah")).to_be_focused()


def test_click_on_another_row_beside_the_drawer_opens_that_one(sarah, others, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(drawer(page)).to_be_visible()
    box = page.get_by_role("link", name="Onboarding guide", exact=True, include_hidden=True).bounding_box()

    page.mouse.click(box["x"] + 5, box["y"] + 5)

    expect(page.get_by_role("dialog", name="Onboarding guide")).to_be_visible()


def test_answer_that_comes_after_closing_does_not_open_the_drawer_again(sarah, owner, sign_in):
    page = sign_in(owner)
    held = []
    page.route(f"**/team/{sarah.pk}", lambda route: held.append(route))
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("Reading the record")

    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.unroute(f"**/team/{sarah.pk}")
    page.get_by_role("link", name="Coach Sarah").click()

    expect(drawer(page).get_by_label("Write a note")).to_be_focused()
    assert len(held) == 1


def test_note_is_written_in_the_drawer(sarah, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Coach Sarah").click()
    body = drawer(page).get_by_label("Write a note")
    expect(body).to_be_focused()

    body.fill("Role-play one in our 1:1.")
    expect(drawer(page).get_by_text("Private to leaders", exact=True)).to_be_visible()
    drawer(page).get_by_label("Share with Sarah").check()
    expect(drawer(page).get_by_text("Nobody sees it until somebody is linked to Sarah")).to_be_visible()
    drawer(page).get_by_role("button", name="Save note").click()

    expect(drawer(page).get_by_text("Kept as shared. Nobody reads it until")).to_be_visible()
    expect(drawer(page).get_by_role("listitem").filter(has_text="Role-play one")).to_contain_text("Shared")
    expect(body).to_have_value("")
    assert Note.objects.filter(body="Role-play one in our 1:1.", shared_with_agent=True).count() == 1


def test_cause_and_dismissal_show_in_the_drawer_and_in_the_table_behind_it(sarah, others, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Sarah", exact=True).click()

    drawer(page).get_by_role("button", name="Wait").click()
    expect(drawer(page).get_by_text("Cause: Wait · change")).to_be_focused()
    drawer(page).get_by_text("Dismiss this flag").click()
    drawer(page).get_by_label("Why is it not worth a talk?").fill("She covers the hard queue.")
    drawer(page).get_by_role("button", name="Dismiss").click()

    expect(drawer(page).get_by_role("status").filter(has_text="Dismissed.")).to_be_visible()
    expect(drawer(page).get_by_text("Not flagged now. Dismissed by")).to_be_visible()
    expect(drawer(page).locator(".pill-falling")).to_have_count(0)
    expect(page.locator("#team .pill-falling")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name="Sarah", exact=True)).to_be_focused()


def test_draft_survives_closing_reload_and_a_refusal(sarah, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Sarah", exact=True).click()
    body = drawer(page).get_by_label("Write a note")
    body.fill("Half a thought")

    page.keyboard.press("Escape")
    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(body).to_have_value("Half a thought")
    page.reload()
    expect(body).to_have_value("Half a thought")
    drawer(page).get_by_label("Follow up").select_option("on another day")
    drawer(page).get_by_label("Day of the follow-up").fill("2001-01-01")
    with page.expect_response("**/notes"):
        drawer(page).get_by_role("button", name="Save note").click()

    expect(drawer(page).get_by_role("alert")).to_contain_text("A follow-up lies ahead.")
    expect(body).to_have_value("Half a thought")
    page.complaints.clear()  # Chromium reports the refusal's status 400


def test_lost_server_is_said_and_the_words_stay(sarah, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="Sarah", exact=True).click()
    body = drawer(page).get_by_label("Write a note")
    body.fill("My words")
    page.route("**/notes", lambda route: route.abort())

    drawer(page).get_by_role("button", name="Save note").click()

    expect(drawer(page).get_by_role("alert")).to_contain_text("could not be reached")
    expect(body).to_have_value("My words")
    page.complaints.clear()  # Chromium reports the connection that this test cut


def test_drawer_that_fails_to_load_offers_a_way_on(sarah, owner, sign_in):
    page = sign_in(owner)
    page.route(f"**/team/{sarah.pk}", lambda route: route.fulfill(status=500, body="<h1>broken</h1>"))

    page.get_by_role("link", name="Sarah", exact=True).click()

    failed = page.get_by_role("dialog", name="This could not be opened")
    expect(failed.get_by_role("link", name="Open it as a whole page")).to_have_attribute("href", f"/team/{sarah.pk}")
    assert "broken" not in page.content()
    failed.get_by_role("button", name="Close").click()
    expect(failed).to_be_hidden()
    page.complaints.clear()  # Chromium reports the status 500


def test_search_and_sort_keep_each_other_in_the_address(sarah, others, owner, sign_in):
    page = sign_in(owner)
    page.get_by_role("link", name="CSAT, 4 weeks").click()
    expect(page.get_by_role("columnheader", name="CSAT, 4 weeks")).to_have_attribute("aria-sort", "ascending")

    page.get_by_label("Search by name").press_sequentially("guide")

    expect(page.get_by_role("link", name="Sarah", exact=True)).to_be_hidden()
    expect(page.get_by_role("link", name="Onboarding guide", exact=True)).to_be_visible()
    expect(page.get_by_label("Search by name")).to_be_focused()
    expect(page).to_have_url(re.compile(r"/team\?q=guide&team=&kind=&sort=score$"))


def shown(page):
    return page.locator("#team a.who").all_inner_texts()


def heading(page, name):
    return page.get_by_role("columnheader", name=name)


def test_sort_turns_round_by_click_and_by_keyboard_and_keeps_the_focus(sarah, others, owner, sign_in):
    page = sign_in(owner)
    assert shown(page) == ["Sarah", "Onboarding guide", "Ines"]
    expect(heading(page, "Status")).to_have_attribute("aria-sort", "ascending")

    heading(page, "Agent").get_by_role("link").click()
    expect(heading(page, "Agent")).to_have_attribute("aria-sort", "ascending")
    assert shown(page) == ["Ines", "Onboarding guide", "Sarah"]
    expect(heading(page, "Status")).not_to_have_attribute("aria-sort", re.compile("."))

    expect(heading(page, "Agent").get_by_role("link")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(heading(page, "CSAT, 4 weeks")).to_have_attribute("aria-sort", "ascending")
    assert shown(page) == ["Sarah", "Onboarding guide", "Ines"]
    expect(heading(page, "CSAT, 4 weeks").get_by_role("link")).to_be_focused()
    page.keyboard.press("Enter")
    expect(heading(page, "CSAT, 4 weeks")).to_have_attribute("aria-sort", "descending")
    assert shown(page) == ["Onboarding guide", "Sarah", "Ines"]

    page.reload()
    assert shown(page) == ["Onboarding guide", "Sarah", "Ines"]
    page.go_back()
    expect(heading(page, "CSAT, 4 weeks")).to_have_attribute("aria-sort", "ascending")
    assert shown(page) == ["Sarah", "Onboarding guide", "Ines"]


def test_each_filter_narrows_at_once_stands_in_the_address_and_is_taken_back(sarah, others, owner, sign_in):
    flags.set_cause(sarah.flags.get(), by=owner, cause="wait")
    page = sign_in(owner)
    found = page.locator("#team [role=status]")

    for choose, take_back, names, address in (
        (lambda: page.get_by_label("Kind").select_option("AI agents"), lambda: page.get_by_label("Kind").select_option(""),
         ["Onboarding guide"], "kind=ai"),
        (lambda: page.get_by_label("Team", exact=True).select_option("Start"),
         lambda: page.get_by_label("Team", exact=True).select_option(""), ["Onboarding guide", "Ines"],
         f"team={others[0].team_id}"),
        (lambda: page.get_by_label("Cause of the flag").select_option("Wait"),
         lambda: page.get_by_label("Cause of the flag").select_option(""), ["Sarah"], "cause=wait"),
        (lambda: page.get_by_label("Flagged only").check(), lambda: page.get_by_label("Flagged only").uncheck(), ["Sarah"],
         "flagged=1"),
        (lambda: page.get_by_label("Too few ratings").check(), lambda: page.get_by_label("Too few ratings").uncheck(),
         ["Ines"], "thin=1"),
    ):  # fmt: skip
        choose()
        expect(found).to_contain_text(f"{len(names)} of 3 agents")
        assert shown(page) == names
        assert address in page.url
        page.reload()
        assert shown(page) == names
        take_back()
        expect(page.locator("#team a.who")).to_have_count(3)


def test_back_takes_a_filter_back_in_the_table_and_in_its_field(sarah, others, owner, sign_in):
    page = sign_in(owner)
    page.get_by_label("Kind").select_option("AI agents")
    expect(page.locator("#team a.who")).to_have_count(1)
    page.get_by_label("Search by name").fill("nobody")
    expect(page.get_by_role("heading", name="No agent fits")).to_be_visible()

    page.go_back()
    expect(page.locator("#team a.who")).to_have_count(1)
    expect(page.get_by_label("Search by name")).to_have_value("")
    expect(page.get_by_label("Kind")).to_have_value("ai")
    page.go_back()

    expect(page.locator("#team a.who")).to_have_count(3)
    expect(page.get_by_label("Kind")).to_have_value("")


def test_filtering_says_that_it_looks_and_what_failed(sarah, others, owner, sign_in):
    page = sign_in(owner)
    held = []
    page.route("**/team?*", lambda route: held.append(route))
    page.get_by_label("Flagged only").check()
    expect(page.get_by_text("looking …")).to_be_visible()

    held[0].fulfill(status=500, body="broken")

    expect(page.get_by_role("alert")).to_contain_text("what stands here is from before")
    expect(page.get_by_text("looking …")).to_be_hidden()
    assert len(shown(page)) == 3
    page.complaints.clear()  # Chromium reports the status 500


def test_number_of_follow_ups_leads_to_the_notes(sarah, owner, sign_in):
    notes.write(sarah, by=owner, body="Ask again.", follow_up_at=timezone.now() + timedelta(days=2))
    page = sign_in(owner)

    page.get_by_role("link", name="1 open follow-up of Sarah").click()

    expect(drawer(page).get_by_role("heading", name="Earlier notes")).to_be_focused()
    expect(drawer(page).get_by_text("Ask again.")).to_be_in_viewport()


def test_picture_says_in_words_what_it_shows(sarah, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/team/{sarah.pk}")

    newest = page.locator("[data-point]").last
    expect(newest).to_have_accessible_name(re.compile(r"^Week of .+: 80\.0 %, 14 ratings; expected 91\.2, team 80\.0$"))
    page.get_by_text("as table").click()
    table = page.get_by_role("table", name="CSAT by week")
    assert table.get_by_role("columnheader").all_inner_texts() == [
        "Week of",
        "Ratings",
        "CSAT",
        "Expected",
        "Everybody",
    ]
    assert table.get_by_role("row").nth(1).get_by_role("cell").all_inner_texts() == ["14", "80.0", "91.2", "80.0"]
    expect(
        page.get_by_role("group", name=re.compile("^CSAT by week over 16 weeks: 224 ratings, 80.0 % on average"))
    ).to_be_visible()


@pytest.mark.parametrize("width", [320, 360, 390, 480, 600, 768, 900, 1440])
def test_words_in_the_picture_can_be_read_at_every_width(width, sarah, owner, sign_in):
    page = sign_in(owner, viewport={"width": width, "height": 800})

    for address in (f"/team/{sarah.pk}", f"/team?agent={sarah.pk}"):
        page.goto(address)
        sizes = page.locator(".picture > svg").evaluate(
            "svg => [...svg.querySelectorAll('text')].map("
            "text => parseFloat(getComputedStyle(text).fontSize) * svg.clientWidth / svg.viewBox.baseVal.width)"
        )
        assert 11 <= min(sizes) <= max(sizes) <= 16


def test_picture_is_walked_with_the_arrow_keys(sarah, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/team/{sarah.pk}")
    points = page.locator("[data-point]")

    points.last.focus()
    page.keyboard.press("ArrowLeft")

    expect(points.nth(points.count() - 2)).to_be_focused()
    expect(points.nth(points.count() - 2).locator(".pic-tip")).to_be_visible()
    page.keyboard.press("Home")
    expect(points.first).to_be_focused()


def test_without_scripts_everything_is_a_page(sarah, owner, sign_in):
    page = sign_in(owner, java_script_enabled=False)

    page.get_by_role("link", name="Sarah", exact=True).click()
    page.wait_for_url(f"**/team/{sarah.pk}")
    page.get_by_label("Write a note").fill("Talk.")
    page.get_by_role("button", name="Save note").click()

    expect(page.get_by_text("Kept, private to leaders.")).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="Talk.")).to_be_visible()


def test_narrow_screen_shows_everything_without_scrolling_sideways(sarah, others, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)
    assert_nothing_is_cut_off(page)
    assert_accessible(page)

    page.get_by_role("link", name="Sarah", exact=True).click()
    expect(drawer(page).locator(".sample-words", has_text="The invoice could not be split.")).to_be_visible()
    assert drawer(page).bounding_box()["width"] == NARROW["width"]
    assert drawer(page).evaluate("one => one.scrollWidth <= one.clientWidth")
    assert_accessible(page)
    page.keyboard.press("Escape")
    page.get_by_text("Menu", exact=True).click()
    page.get_by_role("button", name="Sign out").click()

    page.wait_for_url("**/sign-in")


@pytest.mark.parametrize("width", [390, 600, 862, 900, 1024, 1100, 1280])
def test_no_width_between_cuts_anything_off(width, sarah, others, owner, sign_in):
    notes.write(sarah, by=owner, body="Ask again.", follow_up_at=timezone.now() + timedelta(days=2))
    page = sign_in(owner, viewport={"width": width, "height": 800})

    assert_nothing_is_cut_off(page)
    box = page.get_by_role("link", name="Coach Sarah").bounding_box()
    assert box["x"] + box["width"] <= width


def test_double_zoom_shows_everything_without_scrolling_sideways(sarah, others, owner, sign_in):
    page = sign_in(owner, viewport={"width": 640, "height": 400}, device_scale_factor=2)

    assert_nothing_is_cut_off(page)
    expect(page.get_by_role("link", name="Coach Sarah")).to_be_visible()


def test_signed_out_elsewhere_asks_to_sign_in_and_comes_back(sarah, owner, sign_in):
    page = sign_in(owner)
    page.context.clear_cookies()

    page.get_by_role("link", name="Sarah", exact=True).click()
    page.wait_for_url("**/sign-in?next=/team")
    page.get_by_label("Email").fill(owner.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("link", name="Sarah", exact=True)).to_be_visible()
