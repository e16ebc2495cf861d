"""A leader moves a configuration out, changes a file, brings it in again, and reads every state of the import."""

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from agents import actions
from agents.models import Door
from coaching.actions import imports
from coaching.models import ConfigurationImport, Proposal
from memories.models import Memory
from tests import factories, processes
from tests.browser.conftest import NARROW, WIDE
from tests.browser.test_team import assert_accessible, assert_nothing_is_cut_off
from tests.coaching.brought import exported, files_of, packed, planned

PATIENCE = 60_000  # milliseconds until a worker that has just been started is through


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def agent(owner):
    agent = factories.ai_agent(owner.workspace, name="Parcel desk")
    factories.memory(agent, owner)
    factories.procedure(agent, owner, name="Pick up", folder="Parcels")
    return agent


def all_kinds(agent, owner):
    """A plan with every kind of step."""
    touched = factories.memory(agent, owner, summary="Parcels wait.", text="They wait 2 days.")
    gone = factories.memory(agent, owner, summary="Shops open at nine.")
    files = exported(agent, owner)
    actions.revise(touched, changes={"text": "They wait 2 weeks."}, base_version=1, by=owner, door=Door.PAGE)
    files["memories/parcels-wait.md"] = files["memories/parcels-wait.md"].replace("2 days", "3 days")
    files["prompt.md"] += "Never promise a date.\n"
    files["memories/loop.md"] = "---\nsummary: &a [*a]\n---\n"
    files["procedures/new.md"] = "---\nname: Send back\ntrigger: A customer asks.\n---\n1. Ask for the parcel.\n"
    del files[next(path for path, text in files.items() if str(gone.pk) in text)]
    return planned(agent, owner, files)


def test_configuration_is_exported_changed_and_brought_in_as_proposals(agent, owner, sign_in, tmp_path):
    page = sign_in(owner)
    page.goto(f"/agents/{agent.pk}/settings")
    assert_accessible(page)
    with page.expect_download() as downloaded:
        page.get_by_role("link", name="Export configuration").click()
    file = tmp_path / downloaded.value.suggested_filename
    downloaded.value.save_as(file)
    files = files_of(file.read_bytes())
    [path] = [path for path in files if path.startswith("memories/")]
    files[path] = files[path].replace("No approval", "An approval")
    file.write_bytes(packed(files))

    page.get_by_label("A zip that was exported here").set_input_files(file)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.get_by_role("heading", name="Changes 1")).to_be_visible()
    assert Memory.objects.get().version == 1
    page.get_by_text("What would change").click()
    expect(page.get_by_role("deletion")).to_contain_text("No")
    assert_accessible(page)
    with processes.worker():
        page.get_by_role("button", name="Make proposals").click()
        expect(page.locator("#import")).to_have_attribute("data-state", "done", timeout=PATIENCE)

    assert_accessible(page)
    page.get_by_role("link", name="Proposal Refunds").click()
    expect(page.get_by_text(f"Brought in with {file.name} by {owner.display_name}.")).to_be_visible()
    assert Proposal.objects.get().brought_by == ConfigurationImport.objects.get()


def test_owner_applies_at_once_after_being_asked(agent, owner, sign_in):
    imported = all_kinds(agent, owner)
    page = sign_in(owner)
    page.goto(f"/agents/{agent.pk}/imports/{imported.pk}")
    sure = page.get_by_role("button", name="Yes, apply at once")
    expect(sure).to_be_hidden()

    page.get_by_role("checkbox", name="Send back").uncheck()
    page.get_by_role("checkbox", name="Shops open at nine.").check()
    page.get_by_text("Apply at once…").press("Enter")
    sure.click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    imports.run(imported.pk)

    expect(page.locator("#import")).to_have_attribute("data-state", "done")
    expect(page.get_by_role("heading", name="Applied 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Left as it was 2")).to_be_visible()
    expect(page.get_by_role("heading", name="Refused 1")).to_be_visible()
    assert not Memory.objects.filter(summary="Shops open at nine.").exists()
    agent.prompt.refresh_from_db()
    assert agent.prompt.system_prompt.endswith("Never promise a date.")


def test_file_that_is_refused_is_told_beside_the_form(agent, owner, sign_in, tmp_path):
    (tmp_path / "desk.zip").write_bytes(b"no zip")
    page = sign_in(owner, viewport=NARROW)
    page.complaints.clear()
    page.goto(f"/agents/{agent.pk}/settings")
    page.get_by_label("A zip that was exported here").set_input_files(tmp_path / "desk.zip")
    page.get_by_role("button", name="Show what would change").click()

    expect(page.get_by_role("alert")).to_contain_text("This is not a zip archive, or it was cut off on the way.")
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(page.get_by_label("A zip that was exported here")).to_be_focused()
    assert_accessible(page)
    assert_nothing_is_cut_off(page)
    page.complaints.clear()  # the browser notes every answer 400


def test_every_state_is_accessible_and_fits(agent, owner, sign_in):
    imported = all_kinds(agent, owner)
    page = sign_in(owner)
    rows = ConfigurationImport.objects.filter(pk=imported.pk)
    asked = [*imported.steps, {"step": "asked", "by": str(owner.pk), "door": "page"}]
    now = timezone.now()
    ended = {"finished_at": now, "next_try_at": None}
    for row in (
        {"state": "planned"},
        {"state": "queued", "how": "direct", "steps": asked, "next_try_at": now},
        {"state": "running", "progress": 1},
        {"state": "failed", "last_error": imports.UNFINISHABLE, **ended},
        {"state": "done", "last_error": ""},
        {"state": "discarded", "how": "", "steps": []},
    ):
        rows.update(**row)
        for viewport in (WIDE, NARROW):
            page.set_viewport_size(viewport)
            page.goto(f"/agents/{agent.pk}/imports/{imported.pk}")
            expect(page.locator("#import")).to_have_attribute("data-state", row["state"])
            page.evaluate("document.querySelectorAll('#import details').forEach(one => one.open = true)")
            assert_accessible(page)
            assert_nothing_is_cut_off(page)


def test_without_scripts_a_plan_is_taken_and_followed(agent, owner, sign_in):
    imported = all_kinds(agent, owner)
    page = sign_in(owner, java_script_enabled=False)
    page.goto(f"/agents/{agent.pk}/imports/{imported.pk}")
    page.get_by_role("button", name="Make proposals").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    imports.run(imported.pk)
    page.get_by_role("link", name="Look again").click()

    expect(page.get_by_role("heading", name="Proposals made 2")).to_be_visible()
