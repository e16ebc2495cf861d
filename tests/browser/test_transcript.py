"""The transcript beside the coach: turns chosen by mouse and keyboard, marked words, long and folded turns, narrow screens."""

import json
import re

import pytest
from playwright.sync_api import expect

from coaching.actions import sessions
from coaching.coach.tools import Toolbox
from coaching.models import Turn
from coaching.texts.verbatim import Guard
from tests import factories
from tests.browser.conftest import NARROW
from tests.browser.test_loop import say, work
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.coaching import talks

MIXED = [
    ("system", "Be kind and never guess. " * 30),
    ("customer", "Where is my parcel with the blue lamp? 👋"),
    ("agent", 'Let me look that up.\n[calls find_order({"order": "W-4410"})]'),
    ("tool", json.dumps({"order": "W-4410", "payments": [{"amount": 39.0}], "note": "x" * 400})),
    ("agent", '[calls find_parcel({"order": "W-4410"})]'),
    ("tool", "Error: parcel not found"),
    ("customer", "أين طردي؟ مع المصباح الأزرق"),
    ("agent", "It is on its way. " + "Supercalifragilistic" * 20),
    ("customer", "The whole story: " + "and then I waited. " * 400),
    ("customer", ""),
]


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def assistant(owner):
    return factories.ai_agent(owner.workspace, name="Refunds assistant")


def chips(page):
    return page.locator("#picked .chip-turn")


def turn(page, number):
    return page.locator(f"#turn-{number}")


def focus_of(number):
    """The turns that question `number` was about."""
    return Turn.objects.get(number=number).messages.get(role="user").focus


def test_turns_chosen_by_mouse_become_chips_and_the_focus_of_the_question(assistant, owner, sign_in):
    talk = talks.conversation(assistant)
    page = sign_in(owner)
    page.goto(f"/conversations/{talk.pk}")

    page.get_by_text("It is on its way.").click()
    expect(chips(page)).to_have_text(["turn 5✕"])
    turn(page, 1).click(position={"x": 300, "y": 20})
    page.get_by_text("I cannot find it.").click(modifiers=["Shift"])
    expect(chips(page)).to_have_text(["turns 1–3✕", "turn 5✕"])
    page.reload()
    expect(chips(page)).to_have_text(["turns 1–3✕", "turn 5✕"])
    assert_accessible(page)
    page.get_by_role("button", name="Do not ask about turns 1–3").click()
    expect(chips(page)).to_have_text(["turn 5✕"])
    chips(page).get_by_role("link", name="turn 5").click()
    expect(page).to_have_url(re.compile("#turn-5$"))

    page.get_by_role("button", name="What went wrong?").click()
    expect(page.locator(".asked")).to_contain_text("turn 5")
    expect(chips(page)).to_have_count(0)  # they stand in the question now
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(0)
    work()
    expect(page.locator(".said")).to_contain_text("turn 5")
    assert focus_of(1) == [5]

    # Words that are marked in a turn go into the question, and their turn with them.
    turn(page, 6).locator(".turn-text").select_text()
    page.get_by_role("button", name="Ask about this").click()
    expect(page.get_by_label("Your question to the coach")).to_have_value("“You do not know that.” ")
    expect(page.get_by_label("Your question to the coach")).to_be_focused()
    expect(chips(page)).to_have_text(["turn 6✕"])
    turn(page, 0).click(position={"x": 300, "y": 20})
    page.get_by_role("button", name="clear all").click()
    expect(chips(page)).to_have_count(0)


def test_everything_can_be_done_by_keyboard_and_the_keys_switched_off(assistant, owner, sign_in):
    talk = talks.conversation(assistant)
    page = sign_in(owner)
    page.goto(f"/conversations/{talk.pk}")

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.get_by_role("checkbox", name="Ask about turn 1")).to_be_focused()
    page.keyboard.press("Space")
    for key in ("ArrowDown", "ArrowDown", "Enter", "Shift+ArrowDown", "Shift+ArrowDown", "Shift+ArrowUp"):
        page.keyboard.press(key)
    expect(chips(page)).to_have_text(["turn 1✕", "turn 3✕", "turn 4✕"])
    page.keyboard.press("k")
    page.keyboard.press("k")
    page.keyboard.press("o")
    expect(turn(page, 2).locator("details")).to_have_attribute("open", "")
    page.keyboard.press("c")
    page.keyboard.type("jkoc?")  # letters in a field are letters
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(chips(page)).to_have_text(["turn 1✕", "turn 3✕"])
    page.keyboard.press("Delete")
    expect(chips(page)).to_have_text(["turn 1✕"])
    page.keyboard.press("c")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".asked")).to_contain_text("jkoc?")
    assert focus_of(1) == [1]

    page.get_by_label("keys off").check()
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("j")
    expect(page.locator(".turn:focus-within")).to_have_count(0)
    page.get_by_role("checkbox", name="Ask about turn 2").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("checkbox", name="Ask about turn 3")).to_be_focused()


def test_folded_and_unfolded_turns_hold_wide_and_narrow(assistant, owner, sign_in):
    talk = talks.conversation(assistant, MIXED)
    page = sign_in(owner, has_touch=True)
    page.goto(f"/conversations/{talk.pk}")

    expect(turn(page, 4)).to_contain_text("calls find_parcel")
    expect(turn(page, 5).locator(".pill-bad")).to_have_text("failed")
    for viewport in ({"width": 1440, "height": 1000}, NARROW):
        page.set_viewport_size(viewport)
        assert_nothing_is_cut_off(page)
        assert_accessible(page)
        page.evaluate("for (const fold of document.querySelectorAll('.transcript details')) fold.open = true")
        assert_nothing_is_cut_off(page)
        assert_accessible(page)
        page.evaluate("for (const fold of document.querySelectorAll('.transcript details')) fold.open = false")

    # On a narrow screen the coach's tab says what is chosen; the composer is one tap away.
    turn(page, 1).get_by_role("checkbox").check()
    expect(page.locator("#coach-count")).to_have_text(" · 1 turn")
    page.get_by_text("Coach · 1 turn").click()
    expect(chips(page)).to_have_text(["turn 1✕"])
    assert_nothing_is_cut_off(page)
    assert_accessible(page)
    chips(page).get_by_role("link").click()
    expect(turn(page, 1)).to_be_in_viewport()


def test_quote_of_a_new_proposal_is_marked_at_once_and_leads_back_to_its_card(assistant, owner, sign_in):
    talk = talks.conversation(assistant)
    page = sign_in(owner)
    page.goto(f"/conversations/{talk.pk}")
    say(page, "What should it have said?")
    expect(page.get_by_text("Waiting for the coach")).to_be_visible()
    asked = sessions.claim(Turn.objects.get().pk)
    change = {"summary": "Say that the parcel cannot be found.", "text": "Never guess.", "rationale": "It guessed."}
    evidence = [{"turn": 5, "quote": "It is on its way."}]
    Toolbox(asked, guard=Guard(), proposal_limit=1).call("propose_memory_entry_create", change | {"evidence": evidence})
    sessions.finish(asked, Turn.State.DONE, text="It guessed.")

    quote = turn(page, 5).locator("mark a")
    expect(quote).to_have_text("It is on its way.")
    href = quote.get_attribute("href")
    quote.click()
    expect(page.locator(href)).to_be_in_viewport()
    page.reload()
    expect(turn(page, 5).locator(f'mark a[href="{href}"]')).to_have_text("It is on its way.")


def test_turn_far_down_a_long_conversation_is_reached_found_and_chosen(assistant, owner, sign_in):
    said = [talks.PARCEL[n % 7] for n in range(1_999)] + [("customer", "The very last word.")]
    talk = talks.conversation(assistant, said)
    page = sign_in(owner)

    page.goto(f"/conversations/{talk.pk}#turn-1500")
    expect(turn(page, 1500)).to_be_in_viewport()
    assert page.evaluate("window.find('The very last word.')")
    expect(turn(page, 1999)).to_be_in_viewport()
    page.evaluate("getSelection().removeAllRanges()")
    turn(page, 1999).locator(".turn-text").click()
    expect(chips(page)).to_have_text(["turn 1999✕"])
