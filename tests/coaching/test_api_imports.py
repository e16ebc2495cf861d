"""Moving a configuration out and in through the API and by command."""

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from coaching import exchange
from coaching.actions import imports
from coaching.models import ConfigurationImport, Proposal
from memories.models import Memory
from tests import factories
from tests.calls import BASE, Script, problem
from tests.coaching.brought import exported, files_of, packed

pytestmark = pytest.mark.django_db
NEW = {
    "configuration.yaml": "format: 1\n",
    "memories/new.md": "---\nsummary: Shops open at nine.\n---\nNot on Sundays.\n",
}


@pytest.fixture
def script(owner):
    return Script(owner)


def send(script, agent, files, path="", **headers):
    raw = files if isinstance(files, bytes) else packed(files)
    return script.call("POST", f"/agents/{agent.pk}/imports{path}", raw, "application/zip", **headers)


def test_export_is_planned_and_applied(script, agent, owner):
    factories.memory(agent, owner)
    answer = script.read(f"/agents/{agent.pk}/export", Accept="application/zip")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    assert answer["Content-Disposition"] == f'attachment; filename="{exchange.slug(agent.name, "agent")}-2.zip"'
    files = files_of(answer.content) | {"memories/new.md": NEW["memories/new.md"]}

    made = send(script, agent, files)

    told = made.json()
    assert (made.status_code, told["state"], told["how"], told["same"]) == (201, "planned", None, 2)
    [step] = told["steps"]
    assert step == {
        "number": 0, "step": "create", "kind": "memory", "id": None, "title": "Shops open at nine.",
        "path": "memories/new.md", "baseVersion": None, "note": "", "take": True,
        "fieldsBrought": {"summary": "Shops open at nine.", "text": "Not on Sundays.", "expiresAt": None},
    }  # fmt: skip
    assert Memory.objects.count() == 1
    taken = script.send(f"/imports/{told['id']}/apply", {"how": "direct", "steps": [0]})
    assert (taken.status_code, taken.json()["state"]) == (202, "queued")
    imports.run(told["id"])
    done = script.read(f"/imports/{told['id']}").json()
    assert (done["state"], done["progress"], done["steps"][0]["outcome"]) == (
        "done", 1, {"state": "applied", "version": 1},
    )  # fmt: skip
    assert Memory.objects.get(summary="Shops open at nine.").source == "import"


def test_same_configuration_is_exported_as_the_same_files(script, agent):
    one, two = (files_of(script.read(f"/agents/{agent.pk}/export").content) for _ in range(2))

    assert (
        one.pop("configuration.yaml").partition("exported_at")[0]
        == two.pop("configuration.yaml").partition("exported_at")[0]
    )
    assert one == two


def test_form_with_a_file_is_taken_as_well(agent, owner):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.token(owner)}")
    sent = {"file": SimpleUploadedFile("desk.zip", packed(NEW), "application/zip")}

    answer = client.post(f"{BASE}/agents/{agent.pk}/imports?asNew=true", sent, format="multipart")

    assert (answer.status_code, answer.json()["fileName"]) == (201, "desk.zip")


@pytest.mark.parametrize("sent", [{}, {"file": "text"}, {"other": SimpleUploadedFile("a.zip", b"x")}])
def test_form_without_one_file_is_refused(agent, owner, sent):
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.token(owner)}")

    assert problem(client.post(f"{BASE}/agents/{agent.pk}/imports", sent, format="multipart"))[0] == 400


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (b"no zip", "This is not a zip archive, or it was cut off on the way."),
        (b"", "There is no archive in the body."),
        (
            {"configuration.yaml": "format: 1\nagent: &a [*a]\n"},
            "configuration.yaml: Line 2: &a marks a place to be led to. Write the values out.",
        ),
    ],
)
def test_archive_that_is_none_is_refused(script, agent, files, said):
    assert problem(send(script, agent, files)) == (400, {"file": [said]})
    assert ConfigurationImport.objects.count() == 0


def test_archive_above_10_mb_is_refused(script, agent):
    assert problem(send(script, agent, b"x" * (exchange.LARGEST + 1)))[0] == 413


def test_cycle_a_double_id_and_another_agents_id_are_told_and_nothing_is_written(script, workspace, agent, owner):
    memory = factories.memory(agent, owner)
    other = factories.memory(factories.ai_agent(workspace, name="Night desk"), owner)
    files = exported(agent, owner)
    [path] = [path for path in files if path.startswith("memories/")]
    files["memories/twice.md"] = files[path]
    files["memories/loop.md"] = "---\nsummary: &a [*a]\n---\n"
    files["memories/theirs.md"] = f"---\nid: {other.pk}\nsummary: Theirs.\n---\n"

    told = send(script, agent, files).json()

    twice = f"The id {memory.pk} stands in several files: {path}, memories/twice.md."
    theirs = f"The id {other.pk} belongs to another agent, Night desk. To copy it, bring the file in as new entries."
    assert {(step["path"], step["step"], step["note"]) for step in told["steps"]} == {
        ("memories/loop.md", "refused", "Line 2: &a marks a place to be led to. Write the values out."),
        (path, "refused", twice),
        ("memories/twice.md", "refused", twice),
        ("memories/theirs.md", "refused", theirs),
    }
    assert problem(script.send(f"/imports/{told['id']}/apply", {"how": "direct", "steps": [0]}))[0] == 400
    assert (Memory.objects.count(), Proposal.objects.count()) == (2, 0)


@pytest.mark.parametrize("body", [{}, {"how": "now"}, {"how": "direct", "steps": "all"}, {"how": "direct", "more": 1}])
def test_apply_is_read_strictly(script, agent, body):
    made = send(script, agent, NEW).json()

    assert problem(script.send(f"/imports/{made['id']}/apply", body))[0] == 400
    assert ConfigurationImport.objects.get().state == "planned"


def test_import_that_was_taken_or_discarded_is_a_conflict(script, agent):
    made = send(script, agent, NEW).json()
    assert script.send(f"/imports/{made['id']}/discard", {}).json()["steps"] == []

    for late in ("discard", "apply"):
        body = {"how": "proposals"} if late == "apply" else {}
        assert problem(script.send(f"/imports/{made['id']}/{late}", body))[0] == 409


def test_same_key_plans_once(script, agent):
    one, two = (send(script, agent, NEW, **{"Idempotency-Key": "k"}) for _ in range(2))

    assert (one.json(), two["Idempotent-Replayed"]) == (two.json(), "true")
    assert ConfigurationImport.objects.count() == 1
    assert problem(send(script, agent, NEW | {"memories/b.md": "x"}, **{"Idempotency-Key": "k"}))[0] == 409


# --- By command


def run(command, *args, **options):
    out, err = io.StringIO(), io.StringIO()
    call_command(command, *args, stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


def test_commands_move_a_configuration_out_and_in(workspace, agent, owner, tmp_path):
    factories.memory(agent, owner)
    file = tmp_path / "desk.zip"
    run("export_configuration", agent.name, str(file), workspace=workspace.slug)
    files = files_of(file.read_bytes()) | {"memories/new.md": NEW["memories/new.md"]}
    file.write_bytes(packed(files))
    target = {"agent": agent.name, "workspace": workspace.slug}

    planned, _ = run("import_configuration", str(file), **target)
    assert planned.startswith("* + create memory: Shops open at nine.\n2 the same. Plan ")
    assert Memory.objects.count() == 1

    run("import_configuration", str(file), **target, proposals=True)
    assert Proposal.objects.get().proposed_by == owner
    done, _ = run("import_configuration", str(file), **target, direct=True)
    assert done.endswith("1 steps applied.\n")
    again, _ = run("import_configuration", str(file), **target, direct=True)
    assert again.endswith("1 steps applied.\n")  # it names no id, so it is new each time
    assert set(ConfigurationImport.objects.values_list("state", flat=True)) == {"planned", "done"}


def test_command_says_what_was_refused_and_exits_with_1(workspace, agent, owner, tmp_path, capsys):
    file = tmp_path / "desk.zip"
    file.write_bytes(packed(NEW | {"memories/loop.md": "---\nsummary: &a [*a]\n---\n"}))

    with pytest.raises(SystemExit, match="1"):
        call_command("import_configuration", str(file), agent=agent.name, workspace=workspace.slug)

    assert "! refused memory: memories/loop.md (Line 2: &a marks a place to be led to." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"agent": "Nobody"}, "There is no agent “Nobody”"),
        ({"workspace": "nowhere"}, "There is no workspace nowhere."),
        ({"by": "x@test.example"}, "x@test.example is no member"),
        ({"file": "missing.zip"}, "missing.zip cannot be read"),
        ({"file": "broken.zip"}, "This is not a zip archive"),
    ],
)
def test_command_refuses_in_one_line(workspace, agent, owner, tmp_path, change, said):
    (tmp_path / "desk.zip").write_bytes(packed(NEW))
    (tmp_path / "broken.zip").write_bytes(b"x")
    told = {"agent": agent.name, "workspace": workspace.slug, "file": "desk.zip"} | change

    with pytest.raises(CommandError, match=said):
        call_command("import_configuration", str(tmp_path / told.pop("file")), **told)


def test_admin_applies_nothing_at_once_by_command(workspace, agent, owner, admin, tmp_path):
    file = tmp_path / "desk.zip"
    file.write_bytes(packed(NEW))
    told = {"agent": agent.name, "workspace": workspace.slug, "by": admin.user.email, "direct": True}

    with pytest.raises(CommandError, match="Only the owner of this workspace may apply an import without review"):
        call_command("import_configuration", str(file), **told)
