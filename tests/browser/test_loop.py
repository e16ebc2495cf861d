"""The coach beside a conversation, approval in the talk and on the proposal's page: by mouse, by keyboard, without scripts."""

import re

import pytest
from playwright.sync_api import expect

from coaching.coach.tools import Toolbox
from coaching.models import Proposal, Turn
from coaching.tasks import run_turn
from coaching.texts.verbatim import Guard
from memories.models import Memory
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.coaching import talks

FACT = "Refunds within 30 days are processed automatically."


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def assistant(owner):
    return factories.ai_agent(owner.workspace, name="Refunds assistant")


@pytest.fixture
def talk(assistant):
    """A conversation of seven turns about a parcel."""
    return talks.conversation(assistant)


def work():
    """Do what a worker owes: run the turns that wait."""
    for pk in Turn.objects.unfinished().order_by("number").values_list("pk", flat=True):
        run_turn(str(pk))


def say(page, words):
    page.get_by_label("Your question to the coach").fill(words)
    page.get_by_role("button", name="Send").click()


def card(page, kind="New memory"):
    return page.get_by_role("article", name=kind)


def test_question_is_answered_on_the_page_and_the_proposal_approved_there(talk, assistant, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/agents/{assistant.pk}/history")
    page.get_by_role("link", name="Analyze with coach").click()
    expect(page.get_by_text("practice model", exact=True)).to_be_visible()

    say(page, f"Add a memory that {FACT}")
    expect(page.get_by_text("Waiting for the coach")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?session="))
    work()

    expect(card(page).locator(".block-add .strong")).to_have_text(f"+ {FACT}")
    expect(page.get_by_text("Waiting for the coach")).to_be_hidden()
    expect(page.get_by_text(re.compile("read: .*search of the memories"))).to_be_visible()
    assert_accessible(page)
    card(page).get_by_role("button", name="Approve").click()
    expect(card(page).get_by_text(re.compile(r"Approved by .* from the coach chat, as version 1"))).to_be_visible()
    assert Memory.objects.get(agent=assistant).summary == FACT

    page.goto(f"/agents/{assistant.pk}/memory?q=refunds")
    expect(page.get_by_role("link", name=FACT)).to_be_visible()


def test_waiting_question_can_be_stopped_and_asked_again(talk, owner, sign_in):
    page = sign_in(owner)
    page.goto(f"/conversations/{talk.pk}")
    say(page, "What went wrong?")

    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopped. What it had said")).to_be_visible()
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_text("Waiting for the coach")).to_be_visible()
    work()

    expect(page.locator(".said")).to_be_visible()
    assert list(Turn.objects.order_by("number").values_list("state", flat=True)) == ["stopped", "done"]


def test_answer_appears_piece_by_piece_while_it_is_written(talk, owner, sign_in):
    """The page shows what the worker has written so far, and the state it was left in by a reader who came later."""
    page = sign_in(owner)
    page.goto(f"/conversations/{talk.pk}")
    say(page, "What went wrong?")
    expect(page.get_by_text("Waiting for the coach")).to_be_visible()
    later = sign_in(owner)
    later.goto(page.url)
    expect(later.get_by_text("Waiting for the coach")).to_be_visible()

    work()

    answer = re.compile("I follow instructions and count")
    expect(page.get_by_text(answer)).to_be_visible()
    expect(later.get_by_text(answer)).to_be_visible()


def test_queue_is_worked_through_by_keyboard(assistant, owner, sign_in):
    first, second = (factories.proposal(assistant) for _ in range(2))
    page = sign_in(owner)
    page.goto("/proposals")
    expect(page.get_by_role("link", name=re.compile("New memory"))).to_have_count(2)
    assert_accessible(page)

    page.keyboard.press("j")
    expect(page.get_by_role("heading", level=1, name=second.title)).to_be_visible()
    page.keyboard.press("r")
    page.keyboard.type("Not true any more.")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name=first.title)).to_be_visible()
    page.keyboard.press("a")

    expect(page.get_by_text("Approved, as version 1:")).to_be_visible()
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, first.decided_from) == ("approved", "page")
    assert (second.status, second.decision_note) == ("rejected", "Not true any more.")


def test_keys_can_be_switched_off(assistant, owner, sign_in):
    proposal = factories.proposal(assistant)
    page = sign_in(owner)
    page.goto(f"/proposals/{proposal.pk}")

    page.get_by_label("keys off").check()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("a")
    page.wait_for_timeout(200)

    proposal.refresh_from_db()
    assert proposal.status == Proposal.Status.PENDING


def test_late_click_is_told_who_was_first(assistant, owner, sign_in):
    proposal = factories.proposal(assistant)
    slow, quick = sign_in(owner), sign_in(owner)
    for page in (slow, quick):
        page.goto(f"/proposals/{proposal.pk}")

    quick.get_by_role("button", name="Approve").click()
    expect(quick.get_by_text("Approved, as version 1:")).to_be_visible()
    slow.get_by_role("button", name="Approve").click()

    expect(slow.get_by_role("alert")).to_contain_text(re.compile(r"This was already approved by .* from the dashboard"))
    slow.complaints[:] = [one for one in slow.complaints if "409" not in one]


def test_evidence_leads_to_the_turn_in_the_conversation(talk, assistant, owner, sign_in):
    session = factories.session(assistant, owner, conversation=talk)
    asked = talks.ask(session, "What went wrong?").turn
    toolbox = Toolbox(asked, guard=Guard(), proposal_limit=1)
    toolbox.call(
        "propose_memory_entry_create",
        {
            "summary": "Say that the parcel cannot be found.",
            "text": "Never guess where it is.",
            "rationale": "It guessed.",
            "evidence": [{"turn": 5, "quote": "It is on its way."}],
        },
    )
    page = sign_in(owner)
    page.goto(f"/proposals/{Proposal.objects.get().pk}")

    page.get_by_role("link", name=re.compile("turn 5")).click()

    expect(page).to_have_url(re.compile(rf"/conversations/{talk.pk}#turn-5$"))
    expect(page.locator("#turn-5 mark")).to_have_text("It is on its way.")


def test_pages_hold_on_a_narrow_screen(talk, assistant, owner, sign_in):
    factories.memory(assistant, owner)
    factories.procedure(assistant, owner)
    proposal = factories.proposal(assistant)
    page = sign_in(owner, viewport=NARROW)
    agent = f"/agents/{assistant.pk}"

    for path in (
        *(agent + tab for tab in ("", "/history", "/memory", "/procedures", "/prompt", "/coaching", "/settings")),
        f"/conversations/{talk.pk}",
        "/conversations",
        "/proposals",
        f"/proposals/{proposal.pk}",
    ):
        page.goto(path)
        assert_nothing_is_cut_off(page)
        assert_accessible(page)

    page.goto(f"/conversations/{talk.pk}")
    expect(page.get_by_label("Your question to the coach")).to_be_hidden()
    page.get_by_text("Coach", exact=True).click()
    expect(page.get_by_label("Your question to the coach")).to_be_visible()
    expect(page.get_by_text("You do not know that.")).to_be_hidden()


def test_newest_question_and_the_decided_card_stay_in_sight_on_a_narrow_screen(talk, assistant, owner, sign_in):
    page = sign_in(owner, viewport=NARROW)
    page.goto(f"/conversations/{talk.pk}")
    page.locator("#turn-2").scroll_into_view_if_needed()
    page.get_by_text("Coach", exact=True).click()
    for number in range(3):
        page.get_by_role("button", name="What went wrong?").dblclick()
        expect(page.locator(".exchange")).to_have_count(number + 1)
        work()
        expect(page.locator(".exchange[data-running]")).to_have_count(0)
    assert Turn.objects.count() == 3

    say(page, f"Add a memory that {FACT}")
    expect(page.locator(".exchange")).to_have_count(4)
    expect(page.locator(".exchange").last.locator(".asked")).to_be_in_viewport()
    work()
    expect(card(page).get_by_role("button", name="Approve", exact=True)).to_be_in_viewport()
    card(page).get_by_text("Reject…").click()
    expect(card(page).get_by_label("Why not?")).to_be_focused()
    card(page).get_by_role("button", name="Reject", exact=True).click()

    expect(card(page).get_by_text(re.compile("Rejected by"))).to_be_in_viewport()
    expect(card(page)).to_be_focused()


def test_the_whole_loop_without_scripts(talk, assistant, owner, sign_in):
    page = sign_in(owner, java_script_enabled=False)
    page.goto(f"/conversations/{talk.pk}")

    page.get_by_role("checkbox", name="Ask about turn 5").check()
    say(page, f"Add a memory that {FACT}")
    expect(page.locator(".exchange")).to_have_count(1)  # a click does not wait for the page that it leads to
    work()
    page.reload()
    card(page).get_by_role("button", name="Approve").click()

    expect(card(page)).to_contain_text("Approved by")
    assert Turn.objects.get().messages.get(role="user").focus == [5]
    assert Memory.objects.get(agent=assistant).summary == FACT
