"""The API page in a browser: forms that send, by keyboard, as oneself or with a token; whole without a script."""

import json

import pytest
from axe_playwright_python.sync_playwright import Axe

from coaching.models import Note
from tests import factories
from tests.browser.conftest import NARROW


@pytest.fixture
def person(owner):
    return factories.human(owner.workspace, name="Sarah <b>O'Hara</b>")


def test_note_is_written_from_the_page_by_keyboard(owner, person, sign_in):
    page = sign_in(owner)
    page.goto("/api/v1/docs")
    page.locator("#coaching_notes_create > summary").focus()
    page.keyboard.press("Enter")
    form = page.locator("#coaching_notes_create form")
    body = form.get_by_label("Body", exact=True)
    assert json.loads(body.input_value())["agent"] == person.name
    assert "Writes to" in form.inner_text()

    body.focus()
    page.keyboard.press("Control+Enter")

    form.get_by_role("status").get_by_text("201").wait_for()
    note = Note.objects.get()
    told = json.loads(form.locator("[data-shown]").text_content())
    assert (told["id"], told["agent"], told["author"]["name"]) == (str(note.pk), person.name, owner.display_name)
    assert "no-store" in form.locator("[data-headers]").inner_text()
    assert page.url.endswith("#coaching_notes_create")


def test_refusal_is_shown_as_it_came(owner, person, sign_in):
    page = sign_in(owner)
    page.goto("/api/v1/docs#coaching_notes_create")
    form = page.locator("#coaching_notes_create form")
    form.get_by_label("Body", exact=True).fill('{"text": "x"}')

    form.get_by_role("button", name="Send").click()

    form.get_by_role("status").get_by_text("400").wait_for()
    assert '"errors"' in form.locator("[data-shown]").text_content()
    page.complaints[:] = [said for said in page.complaints if "status of 400" not in said]


def test_command_follows_the_form_and_never_holds_a_token(owner, person, sign_in):
    page = sign_in(owner)
    page.goto("/api/v1/docs#coaching_retrieve")
    place = page.locator("#coaching_retrieve")
    first = place.locator("[data-curl]").text_content()
    assert "agent=Sarah%20%3Cb%3EO%27Hara%3C%2Fb%3E" in first
    page.get_by_label("A token").check()
    page.get_by_label("Token", exact=True).fill(secret := factories.token(owner, ["read"]))

    place.get_by_label("agent").fill("Ben & Co")

    said = place.locator("[data-curl]").text_content()
    assert "agent=Ben%20%26%20Co" in said
    assert "$TOKEN" in said
    assert secret not in page.content()


def test_pasted_token_speaks_with_its_own_scopes_and_is_gone_after_a_reload(owner, person, sign_in):
    page = sign_in(owner)
    page.goto("/api/v1/docs#flags_list")
    page.get_by_label("A token").check()
    page.get_by_label("Token", exact=True).fill(factories.token(owner, ["write"]))
    form = page.locator("#flags_list form")

    form.get_by_role("button", name="Send").click()

    form.get_by_role("status").get_by_text("403").wait_for()
    assert "lacks the scope read" in form.locator("[data-shown]").text_content()
    page.complaints[:] = [said for said in page.complaints if "status of 403" not in said]
    page.reload()
    assert page.get_by_label("Token", exact=True).input_value() == ""


def test_routes_are_found_by_words(owner, person, sign_in):
    page = sign_in(owner)
    page.goto("/api/v1/docs")

    page.get_by_label("Find a route").fill("post note")

    assert page.locator(".api-operation:visible").count() == 1
    page.get_by_label("Find a route").fill("nothing like it")
    page.get_by_text("No route fits these words.").wait_for()


def test_without_scripts_it_reads_as_reference(owner, person, open_browser):
    page = open_browser(java_script_enabled=False)
    page.goto("/sign-in")
    page.get_by_label("Email").fill(owner.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.goto("/api/v1/docs")

    page.locator("#coaching_notes_create > summary").click()

    assert page.get_by_role("button", name="Send").count() == 0
    assert page.locator("#coaching_notes_create [data-curl]").inner_text().startswith("curl -X POST")


def test_page_is_accessible_and_no_wider_than_its_screen(owner, person, sign_in):
    page = sign_in(owner, viewport=NARROW)
    page.goto("/api/v1/docs#coaching_notes_create")
    page.locator("#coaching_notes_create form").wait_for()

    found = Axe().run(page)

    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
