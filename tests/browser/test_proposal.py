"""One proposal in a real browser: what happens while somebody looks, three panes and an editor by keyboard, the diff."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents import actions as configuration
from agents.models import Member
from coaching.actions import proposals
from coaching.models import Proposal, Viewing
from memories import actions as memories
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.coaching import talks

LINES = [
    "You help customers of the shop.",
    "Ask for the e-mail first.",
    *(f"Rule {n}." for n in range(1, 41)),
    "Say goodbye.",
]
PROMPT = "\n".join(LINES)


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace(), name="Ana")


@pytest.fixture
def admin(owner):
    return factories.member(owner.workspace, Member.Role.ADMIN, name="Ben")


@pytest.fixture
def assistant(owner):
    return factories.ai_agent(owner.workspace, name="Refunds assistant", system_prompt=PROMPT)


@pytest.fixture
def memory(assistant, owner):
    return factories.memory(assistant, owner, summary="Refunds take a week.", text="Ask first.")


def change(memory, **fields):
    return factories.proposal(memory.agent, type="memory_entry_update", target_id=memory.pk, change=fields)


def revise(memory, by, base_version=1, **fields):
    memories.revise(memory, changes=fields, base_version=base_version, by=by, door="page")


def prompt_change(assistant, **words):
    proposed = PROMPT
    for old, new in words.values():
        proposed = proposed.replace(old, new)
    return factories.proposal(assistant, type="prompt_change", change={"system_prompt": proposed})


def look(page):
    """What the page does by itself every ten seconds, and when its tab is shown again."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def forgive_conflicts(page):
    page.complaints[:] = [one for one in page.complaints if "409" not in one]


def test_banner_appears_while_looking_and_leaves_what_is_typed(memory, owner, admin, sign_in):
    proposal = change(memory, text="Ask nobody.")
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")
    page.keyboard.press("r")
    page.keyboard.type("Not yet, ")
    expect(page.locator("#live .banner")).to_have_count(0)

    revise(memory, admin, summary="Refunds take a day.")
    look(page)

    expect(page.locator("#live")).to_contain_text("(version 1 → 2, summary), by Ben just now. The edits do not touch.")
    expect(page.get_by_role("button", name="Approve")).to_be_hidden()
    expect(page.locator("#live-says")).to_have_text("The memory changed after this was proposed, to version 2.")
    page.keyboard.type("it is not true.")
    expect(page.locator("#reason")).to_have_value("Not yet, it is not true.")
    assert_accessible(page)

    page.get_by_role("button", name="Bring up to date").click()
    expect(page.get_by_text("Brought up to date from an earlier proposal by Ana")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text("Approved, as version 3:")).to_be_visible()
    memory.refresh_from_db()
    assert (memory.summary, memory.text) == ("Refunds take a day.", "Ask nobody.")


def test_decision_of_somebody_else_appears_while_looking(memory, owner, admin, sign_in):
    following = change(memory, text="Ask twice.")
    proposal = change(memory, text="Ask nobody.")
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")

    proposals.reject(proposal, by=admin, door="slack", reason="We do ask.")
    look(page)

    expect(page.locator("#live")).to_contain_text("Rejected by Ben just now from Slack: “We do ask.”")
    expect(page.locator("#live-says")).to_contain_text("already rejected by Ben")
    expect(page.locator("#live[data-look]")).to_have_count(0)
    expect(page.get_by_role("button", name="Approve")).to_be_hidden()
    page.get_by_role("link", name="Next that waits").click()
    page.wait_for_url(f"**/proposals/{following.pk}")


def test_two_people_see_each_other_come_and_go(memory, owner, admin, sign_in):
    proposal = change(memory, text="Ask nobody.")
    ana, ben = sign_in(owner), sign_in(admin)
    ana.goto(f"/proposals/{proposal.pk}")
    ben.goto(f"/proposals/{proposal.pk}")

    expect(ben.get_by_text("Ana is looking at this too.")).to_be_visible()
    look(ana)
    expect(ana.locator(".looking")).to_have_text("Ben is looking at this too.")
    expect(ana.locator("#live-says")).to_have_text("Ben is looking at this too.")
    expect(ana.get_by_role("button", name="Approve")).to_be_visible()

    Viewing.objects.filter(member=admin).update(seen_at=timezone.now() - timedelta(minutes=1))
    look(ana)
    expect(ana.locator(".looking")).to_have_count(0)


def test_hidden_tab_asks_for_nothing(memory, owner, sign_in):
    proposal = change(memory, text="Ask nobody.")
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")
    page.wait_for_load_state("networkidle")
    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true, configurable: true})")
    asked = []
    page.on("request", lambda request: "/proposals/" in request.url and asked.append(request.url))

    look(page)
    page.wait_for_timeout(300)
    assert asked == []

    page.evaluate("delete document.hidden")
    with page.expect_request("**/live"):
        look(page)


def test_three_panes_and_editor_by_keyboard_alone(memory, owner, admin, sign_in):
    proposal = change(memory, summary="Refunds take three days.")
    revise(memory, admin, summary="Refunds take five days.")
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")

    panes = page.get_by_role("region", name="Summary, three versions").locator(".pane")
    expect(panes).to_have_count(3)
    expect(panes.nth(0)).to_contain_text("Refunds take a week.")
    expect(panes.nth(1).locator("ins")).to_contain_text("five days")
    expect(panes.nth(2).locator("ins")).to_contain_text("three days")
    assert_accessible(page)

    page.get_by_role("link", name="Bring up to date…").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.get_by_label("Summary", exact=True).focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("Refunds take three to five days.")
    revise(memory, admin, base_version=2, summary="Refunds take six days.")
    page.get_by_role("button", name="Propose this instead").focus()
    page.keyboard.press("Enter")

    expect(page.get_by_role("alert").first).to_contain_text("What you typed is kept below.")
    expect(page.get_by_label("Summary", exact=True)).to_have_value("Refunds take three to five days.")
    expect(panes.nth(1).locator("ins")).to_contain_text("six days")
    page.get_by_role("button", name="Propose this instead").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Brought up to date. This one waits for a decision.")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_text("Approved, as version 4:")).to_be_visible()
    memory.refresh_from_db()
    assert memory.summary == "Refunds take three to five days."
    forgive_conflicts(page)


def test_changes_are_walked_through_and_folds_open_in_place(assistant, owner, sign_in):
    proposal = prompt_change(
        assistant, first=("Ask for the e-mail first.", "Look up the e-mail."), last=("Say goodbye.", "Wish a good day.")
    )
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")
    expect(page.locator("#change-at")).to_be_empty()

    page.keyboard.press("n")
    expect(page.locator("#change-at")).to_have_text("Change 1 of 2")
    expect(page.locator(".change-now")).to_contain_text("Ask for the e-mail first.")
    page.keyboard.press("n")
    expect(page.locator("#change-at")).to_have_text("Change 2 of 2")
    expect(page.locator(".change-now")).to_contain_text("Say goodbye.")
    page.keyboard.press("n")
    expect(page.locator("#change-at")).to_have_text("Change 1 of 2")

    expect(page.locator(".diff").get_by_text("Rule 20.")).to_have_count(0)
    page.get_by_role("link", name="34 unchanged lines").press("Enter")
    expect(page.locator(".diff").get_by_text("Rule 20.")).to_be_visible()
    expect(page.locator("tr:focus")).to_contain_text("Rule 4.")
    expect(page).to_have_url(re.compile(rf"/proposals/{proposal.pk}$"))


def test_old_and_new_stand_side_by_side_on_a_key_and_on_to_the_next(assistant, owner, sign_in):
    following = prompt_change(assistant, last=("Say goodbye.", "Wish a good night."))
    proposal = prompt_change(assistant, first=("Ask for the e-mail first.", "Look up the e-mail."))
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")

    page.keyboard.press("d")
    page.wait_for_url("**/*view=side*")
    row = page.locator(".diff-side tr").filter(has_text="Look up the e-mail.")
    expect(row).to_contain_text("Ask for the e-mail first.")
    page.get_by_role("link", name="38 unchanged lines").click()
    expect(page.locator(".diff-side tr").filter(has_text="Rule 20.")).to_have_count(1)
    page.keyboard.press("a")

    page.wait_for_url(f"**/proposals/{following.pk}?view=side")
    expect(page.locator(".diff-side").first).to_be_visible()


def test_change_is_taken_back_and_applied_again(memory, owner, sign_in):
    proposal = proposals.approve(change(memory, text="Ask nobody."), by=owner, door="page")
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")

    page.get_by_role("link", name="Take back…").click()
    expect(page.get_by_role("heading", name="What taking it back changes")).to_be_visible()
    assert_accessible(page)
    page.get_by_label("Why, if you like").fill("Asking was right.")
    page.get_by_role("button", name="Take back").click()
    expect(page.get_by_text("Taken back, as version 3.")).to_be_visible()
    page.get_by_role("link", name="Apply again…").click()
    page.get_by_role("button", name="Apply again").click()

    expect(page.get_by_text("Applied again, as version 4.")).to_be_visible()
    memory.refresh_from_db()
    assert memory.text == "Ask nobody."


def test_stale_card_becomes_the_new_one_in_the_talk(assistant, memory, owner, admin, sign_in):
    session = factories.session(assistant, owner, conversation=talks.conversation(assistant))
    turn = talks.ask(session, "What went wrong?").turn
    factories.proposal(
        assistant,
        type="memory_entry_update",
        target_id=memory.pk,
        change={"text": "Ask nobody."},
        session=session,
        turn=turn,
    )
    page = sign_in(owner)
    page.goto(f"/conversations/{session.conversation_id}?session={session.pk}")
    expect(page.get_by_role("button", name="Approve")).to_be_visible()
    revise(memory, admin, summary="Refunds take a day.")
    page.reload()

    page.get_by_role("button", name="Bring up to date").click()

    expect(page.get_by_text("Brought up to date from an earlier proposal.")).to_be_visible()
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_text(re.compile("Approved by Ana .* as version 3"))).to_be_visible()
    assert Proposal.objects.pending().count() == 0


def test_every_state_is_accessible_and_fits(assistant, memory, owner, admin, sign_in):
    fresh = prompt_change(assistant, first=("Ask for the e-mail first.", "Look up the e-mail."))
    touching = prompt_change(
        assistant, first=("Ask for the e-mail first.", "Look up the e-mail."), b=("Rule 9.", "Law 9.")
    )
    near = factories.proposal(
        assistant, change={"summary": "Refunds take a week or so.", "text": "Ask at https://x.example."}
    )
    gone_memory = factories.memory(assistant, owner, summary="The winter sale ends in January.")
    gone = change(gone_memory, text="On the 31st.")
    configuration.remove(gone_memory, base_version=1, by=admin, door="page")
    back = proposals.approve(change(memory, text="Ask nobody."), by=owner, door="page")
    revise(memory, admin, base_version=2, text="Ask everybody.")
    unknown = factories.proposal(assistant)
    Proposal.objects.filter(pk=unknown.pk).update(type="persona_change", base_version=1, target_id=unknown.pk)
    page, narrow = sign_in(owner), sign_in(owner, viewport=NARROW)
    addresses = [f"/proposals/{fresh.pk}?view=side", f"/proposals/{fresh.pk}?context=all", f"/proposals/{near.pk}"]
    addresses += [f"/proposals/{gone.pk}", f"/proposals/{back.pk}/take-back", f"/proposals/{unknown.pk}"]

    for address in addresses:
        page.goto(address)
        assert_accessible(page)
        narrow.goto(address)
        assert_nothing_is_cut_off(narrow)
    configuration.change_prompt(
        assistant.prompt,
        system_prompt=PROMPT.replace("Ask for", "Never ask for"),
        base_version=1,
        by=admin,
        door="page",
    )
    for one in (page, narrow):
        one.goto(f"/proposals/{touching.pk}")
        expect(one.get_by_role("button", name="Propose this instead")).to_be_visible()
        one.get_by_text("All three in full").click()
        assert_accessible(one)
    assert_nothing_is_cut_off(narrow)


def test_page_works_without_scripts(memory, owner, admin, sign_in):
    proposal = change(memory, text="Ask nobody.")
    revise(memory, admin, summary="Refunds take a day.")
    page = sign_in(owner, java_script_enabled=False)
    page.goto(f"/proposals/{proposal.pk}")

    page.get_by_role("button", name="Bring up to date").click()
    page.locator("#decide").get_by_role("button", name="Approve").click()

    expect(page.get_by_text("Approved, as version 3:")).to_be_visible()
