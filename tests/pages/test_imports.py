"""The pages that move a configuration in and out."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import actions
from agents.models import Door
from coaching.actions import imports
from coaching.models import ConfigurationImport, Proposal
from coaching.pages import imports as imports_page
from memories.models import Memory
from tests import factories
from tests.coaching.brought import exported, files_of, packed, planned

pytestmark = pytest.mark.django_db
HEAD = {"configuration.yaml": "format: 1\n"}


@pytest.fixture
def page(client, owner):
    client.force_login(owner.user)
    return client


def new(n):
    return HEAD | {f"memories/{k}.md": f"---\nsummary: Fact number {k}.\n---\n" for k in range(n)}


def address(imported, verb=""):
    return f"/agents/{imported.agent_id}/imports/{imported.pk}{verb}"


def bring(page, agent, raw, **form):
    file = SimpleUploadedFile("desk.zip", raw, "application/zip")
    return page.post(f"/agents/{agent.pk}/imports", {"file": file, **form})


def test_export_is_downloaded_and_brought_in_again(page, agent):
    answer = page.get(f"/agents/{agent.pk}/export")
    assert (answer["Content-Type"], "prompt.md" in files_of(answer.content)) == ("application/zip", True)

    shown = page.get(bring(page, agent, answer.content)["Location"]).content.decode()

    assert "Nothing changes." in shown
    assert "Make proposals" not in shown


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"no zip", "This is not a zip archive, or it was cut off on the way. Nothing was changed."),
        (b"x" * (10 * 1024 * 1024 + 1), "The file is larger than 10 MB. Nothing was changed."),
        (packed({"configuration.yaml": "a: &a [*a]\n"}), "there is no field"),
        (packed({"configuration.yaml": "format: &a [*a]\n"}), "configuration.yaml: Line 1: &amp;a marks a place"),
    ],
    ids=["none", "large", "field", "cycle"],
)
def test_file_that_cannot_be_read_is_told_beside_the_form(page, agent, raw, said):
    answer = bring(page, agent, raw)

    assert (answer.status_code, said in answer.content.decode()) == (400, True)
    assert ConfigurationImport.objects.count() == 0


def test_no_file_is_told(page, agent):
    assert "Choose a file first" in page.post(f"/agents/{agent.pk}/imports", {}).content.decode()


def test_cycle_a_double_id_and_another_agents_id_are_told_and_nothing_is_written(page, workspace, agent, owner):
    memory = factories.memory(agent, owner)
    other = factories.memory(factories.ai_agent(workspace, name="Night desk"), owner)
    files = exported(agent, owner)
    [path] = [path for path in files if path.startswith("memories/")]
    files["memories/twice.md"] = files[path]
    files["memories/loop.md"] = "---\nsummary: &a [*a]\n---\n"
    files["memories/theirs.md"] = f"---\nid: {other.pk}\nsummary: Theirs.\n---\n"

    shown = page.get(bring(page, agent, packed(files))["Location"]).content.decode()

    assert "Line 2: &amp;a marks a place to be led to." in shown
    assert f"The id {memory.pk} stands in several files: {path}, memories/twice.md." in shown
    assert f"The id {other.pk} belongs to another agent, Night desk." in shown
    assert "Make proposals" not in shown
    assert (Memory.objects.count(), Proposal.objects.count()) == (2, 0)


def test_tick_brings_everything_in_as_new(page, workspace, agent, owner):
    factories.memory(agent, owner)
    other = factories.ai_agent(workspace)

    bring(page, other, packed(exported(agent, owner)), as_new="on")

    [step] = [step for step in ConfigurationImport.objects.get().steps if step["step"] == "create"]
    assert step["id"] is None


def test_ticked_steps_are_carried_out(page, agent, owner):
    imported = planned(agent, owner, new(3))

    page.post(address(imported, "/apply"), {"how": "direct", "step": ["0", "2"]})
    imports.run(imported.pk)

    assert sorted(Memory.objects.values_list("summary", flat=True)) == ["Fact number 0.", "Fact number 2."]
    shown = page.get(address(imported)).content.decode()
    assert 'version <span class="num">1</span>' in shown
    assert "Left as it was" in shown


def test_steps_that_do_not_fit_are_taken_by_one_tick(page, agent, owner, monkeypatch):
    monkeypatch.setattr(imports_page, "SHOWN", 2)
    imported = planned(agent, owner, new(5))
    shown = page.get(address(imported)).content.decode()
    assert 'The other <span class="num">3</span> as well' in shown

    page.post(address(imported, "/apply"), {"how": "direct", "step": ["1"], "more": ["create", "refused", "nonsense"]})
    imports.run(imported.pk)

    assert sorted(Memory.objects.values_list("summary", flat=True)) == [f"Fact number {k}." for k in (1, 2, 3, 4)]


@pytest.mark.parametrize("form", [{"how": "proposals"}, {"how": "", "step": "0"}, {"how": "proposals", "step": "99"}])
def test_form_that_chooses_nothing_is_refused_and_kept(page, agent, owner, form):
    imported = planned(agent, owner, new(2))

    answer = page.post(address(imported, "/apply"), form)

    assert (answer.status_code, "Nothing was changed." in answer.content.decode()) == (400, True)
    assert ConfigurationImport.objects.get().state == "planned"


def test_admin_is_not_offered_to_apply_at_once(client, admin, agent, owner):
    imported = planned(agent, owner, new(1))
    client.force_login(admin.user)

    shown = client.get(address(imported)).content.decode()

    assert ("Make proposals" in shown, "Apply at once" in shown) == (True, False)


def test_plan_that_was_taken_meanwhile_says_so(page, agent, owner):
    imported = planned(agent, owner, new(1))
    imports.discard(imported, by=owner)

    for verb in ("/apply", "/discard", "/go-on"):
        answer = page.post(address(imported, verb), {"how": "proposals", "step": "0"}, follow=True)
        assert answer.status_code in (200, 400)
    assert "Nothing of the file was brought in" in page.get(address(imported)).content.decode()


def test_running_import_asks_again_by_itself_and_a_done_one_does_not(page, agent, owner):
    imported = planned(agent, owner, new(1))
    imports.carry_out(imported, by=owner, door=Door.PAGE, how="proposals")

    fragment = page.get(address(imported), headers={"HX-Request-Type": "partial"}).content.decode()
    assert 'hx-trigger="every 1s"' in fragment
    assert "<html" not in fragment
    imports.run(imported.pk)
    fragment = page.get(address(imported), headers={"HX-Request-Type": "partial"}).content.decode()
    assert "hx-trigger" not in fragment
    assert str(Proposal.objects.get().pk) in fragment


def test_conflict_shows_three_panes(page, agent, owner):
    memory = factories.memory(agent, owner, summary="Refunds.", text="They take 2 days.")
    files = exported(agent, owner)
    files["memories/refunds.md"] = files["memories/refunds.md"].replace("2 days", "3 days")
    actions.revise(memory, changes={"text": "They take 2 weeks."}, base_version=1, by=owner, door=Door.PAGE)

    shown = page.get(address(planned(agent, owner, files))).content.decode()

    for words in ("They take 2 days.", "weeks<", "Now<", "In the file<"):
        assert words in shown


def test_step_that_is_out_of_date_says_so_before_it_is_taken(page, agent, owner):
    memory = factories.memory(agent, owner, summary="Refunds.")
    files = exported(agent, owner)
    files["memories/refunds.md"] = files["memories/refunds.md"].replace("No approval", "An approval")
    imported = planned(agent, owner, files)
    actions.revise(memory, changes={"text": "Later."}, base_version=1, by=owner, door=Door.PAGE)

    assert "It was changed here after the plan was made." in page.get(address(imported)).content.decode()


def test_number_of_queries_does_not_grow(page, agent, owner):
    def asked(n):
        rows = [factories.memory(agent, owner, summary=f"Fact {agent.pk} {k}.") for k in range(n)]
        files = exported(agent, owner)
        for path in [path for path in files if path.startswith("memories/")]:
            files[path] = files[path].replace("No approval", "An approval")
        for row in rows[::2]:
            actions.revise(row, changes={"text": "Other words here."}, base_version=1, by=owner, door=Door.PAGE)
        imported = planned(agent, owner, files)
        page.get(address(imported))
        with CaptureQueriesContext(
            connection,
        ) as queries:
            page.get(address(imported))
        return len(queries)

    assert asked(2) == asked(30)


@pytest.mark.parametrize(("how", "offered"), [("proposals", True), ("direct", False)])
def test_failed_import_tells_what_is_left_and_is_gone_on_with(client, admin, agent, owner, how, offered):
    imported = planned(agent, owner, new(2))
    imports.carry_out(imported, by=owner, door=Door.PAGE, how=how, steps=[0])
    rows = ConfigurationImport.objects.filter(pk=imported.pk)
    rows.update(state="failed", next_try_at=None, finished_at=timezone.now(), last_error=imports.UNFINISHABLE)
    client.force_login(admin.user)

    shown = client.get(address(imported)).content.decode()

    assert ("Still to do" in shown, "Left as it was" in shown, "Go on" in shown) == (True, True, offered)
    assert client.post(address(imported, "/go-on")).status_code == (302 if offered else 403)
    assert rows.get().state == ("queued" if offered else "failed")
