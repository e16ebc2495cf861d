"""A configuration moved out and in: what the plan says, what carrying it out does, what is refused, what a crash leaves."""

import threading
import uuid
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given, settings

from agents import actions, decisions, work
from agents.access import NotAllowed
from agents.models import Agent, Configuration, Decision, Door, Procedure
from coaching.actions import import_plans, imports, long_work, proposals
from coaching.models import ConfigurationImport, Proposal
from memories import actions as memories
from memories.models import Memory
from tests import factories, processes
from tests.coaching.brought import exported, packed, planned, steps
from tests.coaching.test_exchange import texts

pytestmark = pytest.mark.django_db
PATH = "memories/refunds-within-30-days-are-processed-automatically.md"
OTHER_PROMPT = import_plans.OTHER_PROMPT


@pytest.fixture
def memory(agent, owner):
    return factories.memory(agent, owner)


@pytest.fixture
def procedure(agent, owner):
    return factories.procedure(agent, owner, name="Pick up", folder="Parcels")


def revised(row, owner, **changes):
    return actions.revise(row, changes=changes, base_version=row.version, by=owner, door=Door.PAGE)


def told(agent):
    """Everything the agent is told, by id."""
    rows = [agent.prompt, *Memory.objects.filter(agent=agent), *Procedure.objects.filter(agent=agent)]
    return {row.pk: (row.version, {f: getattr(row, f) for f in row.FIELDS}) for row in rows}


def taken(imported, owner, how="direct", **options):
    imports.carry_out(imported, by=owner, door=Door.PAGE, how=how, **options)
    return imports.run(imported.pk)


# --- What the plan says


def test_export_brought_in_changes_nothing(agent, owner, memory, procedure):
    memories.create(agent, by=owner, door="page", summary="Gone soon.", expires_at=timezone.now() + timedelta(days=9))
    revised(procedure, owner, active=False, content="1. Look.\r\n\n  2. ---\n\n")

    imported = planned(agent, owner, exported(agent, owner))

    assert imported.steps == [
        {"step": "same", "kind": "memory", "count": 2},
        {"step": "same", "kind": "procedure", "count": 1},
        {"step": "same", "kind": "prompt", "count": 1},
    ]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(texts, texts, texts)
def test_any_text_comes_back_as_the_same(agent, owner, text, steps_text, prompt):
    if connection.vendor == "postgresql" and "\0" in text + steps_text + prompt:
        return
    factories.memory(agent, owner, summary=f"Fact {uuid.uuid4()}.", text=text)
    factories.procedure(agent, owner, content=f"1{steps_text}", trigger=text[:2_000], folder=steps_text[:100])
    actions.change_prompt(
        agent.prompt, system_prompt=prompt, base_version=agent.prompt.version, by=owner, door=Door.PAGE
    )

    imported = planned(agent, owner, exported(agent, owner))

    assert {step["step"] for step in imported.steps} == {"same"}


def test_changed_and_new_and_missing_entries_are_planned(agent, owner, memory, procedure):
    files = exported(agent, owner)
    files[PATH] = files[PATH].replace("No approval", "An approval")
    files["procedures/new.md"] = "---\nname: Send back\n---\n1. Ask for the parcel.\n"
    del files["procedures/parcels/pick-up.md"]
    before = told(agent)

    imported = planned(agent, owner, files)

    assert steps(imported) == [
        ("delete", "procedure", "Pick up", ""),
        ("change", "memory", memory.summary, ""),
        ("create", "procedure", "Send back", ""),
    ]
    assert [step["take"] for step in imported.steps[:3]] == [False, True, True]
    assert (imported.state, imported.next_try_at, told(agent)) == ("planned", None, before)


def test_unchanged_entry_of_an_old_export_takes_nothing_back(agent, owner, memory):
    files = exported(agent, owner)
    revised(memory, owner, text="Since then better.")

    assert steps(planned(agent, owner, files)) == []


def test_both_changed_at_different_places_is_merged(agent, owner):
    memory = factories.memory(agent, owner, summary="Refunds.", text="One.\nTwo.\nThree.")
    files = exported(agent, owner)
    files["memories/refunds.md"] = files["memories/refunds.md"].replace("One.", "First.")
    revised(memory, owner, text="One.\nTwo.\nThird.")

    imported = planned(agent, owner, files)

    assert steps(imported) == [("change", "memory", "Refunds.", "Merged with what was changed here since version 1.")]
    assert (imported.steps[0]["fields"]["text"], imported.steps[0]["base_version"]) == ("First.\nTwo.\nThird.", 2)


def test_both_changed_at_the_same_place_is_a_conflict_that_can_be_taken(agent, owner):
    memory = factories.memory(agent, owner, summary="Refunds.", text="They take 2 days.")
    files = exported(agent, owner)
    files["memories/refunds.md"] = files["memories/refunds.md"].replace("2 days", "3 days")
    revised(memory, owner, text="They take 2 weeks.")

    imported = planned(agent, owner, files)

    assert steps(imported) == [
        (
            "conflict",
            "memory",
            "Refunds.",
            "Changed in the file and, since version 1, here too, at the same places.",
        )
    ]
    assert imported.steps[0]["take"] is False
    with pytest.raises(ValidationError, match="Nothing is chosen"):
        imports.carry_out(imported, by=owner, door=Door.PAGE, how="direct")
    done = taken(imported, owner, steps=[0])
    memory.refresh_from_db()
    assert (memory.text, memory.version) == ("They take 3 days.", 3)
    assert done.steps[0]["outcome"] == {"state": "applied", "version": 3}


@pytest.mark.parametrize(
    ("line", "note"),
    [
        ("version: 9\n", "The file says version 9; there was none such here, and it is version 1 now."),
        ("", "The file does not say against which version it was written; it is version 1 now."),
    ],
)
def test_version_that_never_was_is_a_conflict(agent, owner, memory, line, note):
    files = exported(agent, owner)
    files[PATH] = files[PATH].replace("version: 1\n", line).replace("No approval", "An approval")

    assert steps(planned(agent, owner, files)) == [("conflict", "memory", memory.summary, note)]


def test_removed_entry_comes_back_under_its_id_where_somebody_ticks_it(agent, owner, memory):
    files = exported(agent, owner)
    actions.remove(memory, base_version=1, by=owner, door=Door.PAGE)

    imported = planned(agent, owner, files)

    assert steps(imported) == [("create", "memory", memory.summary, "It was removed here. It comes back under its id.")]
    assert imported.steps[0]["take"] is False
    taken(imported, owner, steps=[0])
    assert Memory.objects.get(pk=memory.pk).version == 3


def test_entries_that_came_after_the_export_are_not_deleted(agent, owner, memory):
    files = exported(agent, owner)
    factories.memory(agent, owner, summary="Came later.")

    assert steps(planned(agent, owner, files)) == []


def test_missing_entry_that_was_changed_since_says_so(agent, owner, memory):
    files = exported(agent, owner)
    del files[PATH]
    revised(memory, owner, text="Changed.")

    assert steps(planned(agent, owner, files)) == [
        ("delete", "memory", memory.summary, "It was changed here after the export.")
    ]


def test_file_that_cannot_be_read_is_not_taken_for_missing(agent, owner, memory):
    files = exported(agent, owner)
    files[PATH] = f"---\nid: {memory.pk}\nid: {memory.pk}\n---\n"

    assert [step[0] for step in steps(planned(agent, owner, files))] == ["refused"]


def test_file_that_cannot_be_read_at_all_may_be_the_missing_one(agent, owner, memory):
    files = exported(agent, owner)
    files[PATH] = "nothing"

    [missing, refused] = steps(planned(agent, owner, files))

    assert missing == ("delete", "memory", memory.summary, "A file that could not be read may be this one.")
    assert refused[0] == "refused"


# --- Refused


def refusals(imported):
    return [(step["path"], step["note"]) for step in imported.steps if step["step"] == "refused"]


def test_cycle_in_a_file_is_refused_and_nothing_is_written(agent, owner, memory):
    files = exported(agent, owner)
    files["memories/loop.md"] = "---\nsummary: &a [*a]\n---\n"
    before = told(agent)

    imported = planned(agent, owner, files)

    assert refusals(imported) == [("memories/loop.md", "Line 2: &a marks a place to be led to. Write the values out.")]
    assert told(agent) == before


def test_id_that_stands_twice_is_refused_in_both_files(agent, owner, memory):
    files = exported(agent, owner)
    files["memories/copy.md"] = files[PATH].replace("No approval", "An approval")

    imported = planned(agent, owner, files)

    said = f"The id {memory.pk} stands in several files: {PATH}, memories/copy.md."
    assert refusals(imported) == [("memories/copy.md", said), (PATH, said)]
    assert {step["step"] for step in imported.steps} == {"refused", "same"}  # and nothing is taken for missing


def test_id_of_another_agent_is_refused_by_its_name(workspace, agent, owner, memory, procedure):
    other = factories.ai_agent(workspace, name="Night desk", system_prompt="You work at night.")

    imported = planned(other, owner, exported(agent, owner))

    assert [path for path, _ in refusals(imported)] == [PATH, "procedures/parcels/pick-up.md", "prompt.md"]
    assert refusals(imported)[0][1] == (
        f"The id {memory.pk} belongs to another agent, {agent.name}. To copy it, bring the file in as new entries."
    )
    assert len(imported.steps) == 3


def test_id_of_another_workspace_tells_nobody_whose_it_is(agent, owner, memory, stranger):
    theirs = factories.ai_agent(stranger.workspace)

    [(_, said), _] = refusals(planned(theirs, stranger, exported(agent, owner)))

    assert agent.name not in said
    assert said.startswith(f"The id {memory.pk} belongs to something that is not this agent’s.")


def test_another_agents_file_is_copied_as_new_entries(workspace, agent, owner, memory, procedure):
    other = factories.ai_agent(workspace, system_prompt="You work at night.")

    imported = planned(other, owner, exported(agent, owner), as_new=True)

    assert steps(imported) == [
        ("conflict", "prompt", "System prompt", OTHER_PROMPT),
        ("create", "memory", memory.summary, ""),
        ("create", "procedure", "Pick up", ""),
    ]
    taken(imported, owner)
    copy = Memory.objects.get(agent=other)
    assert (copy.summary, copy.source, copy.pk == memory.pk) == (memory.summary, "import", False)
    assert other.procedures.get().folder == "Parcels"
    other.prompt.refresh_from_db()
    assert other.prompt.system_prompt == "You work at night."


NEEDED = "A memory needs a summary: one sentence, worded as somebody would search for it."
LONG = "Ensure this value has at most 50000 characters (it has 50001)."


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("memories/a.md", "---\nsummary:\n---\nText.", NEEDED),
        ("memories/a.md", "---\nsummary: One. Two. Three.\n---\n", "A summary is one sentence; the rest belongs in the text."),
        ("memories/a.md", f"---\nsummary: Long.\n---\n{'x' * 50_001}", LONG),
        ("memories/a.md", "---\nsummary: Late.\nexpires: 2020-01-01T00:00:00Z\n---\n", "expires: An expiry lies ahead."),
        ("procedures/a.md", "---\nname: \n---\n1.", "name: A procedure has a name and steps."),
        ("procedures/a.md", "---\nname: PICK UP\n---\n1.", "There is a procedure of this name already, under another id."),
        ("procedures/a.md", "---\nid: {memory}\nname: A\n---\n1.", "The id {memory} belongs to a memory of this agent."),
        ("memories/a.md", "---\nid: {prompt}\nsummary: A.\n---\n1.", "The id {prompt} belongs to a prompt of this agent."),
    ],
    ids=range(8),
)  # fmt: skip
def test_entry_is_refused_by_the_rules_of_every_change(agent, owner, memory, procedure, path, content, said):
    ids = {"memory": memory.pk, "prompt": agent.prompt.pk}
    files = {
        "configuration.yaml": "format: 1\n",
        path: content.format(**ids),
        "memories/b.md": "---\nsummary: B.\n---\n",
    }

    imported = planned(agent, owner, files)

    assert refusals(imported) == [(path, said.format(**ids))]
    assert steps(imported)[0][:3] == ("create", "memory", "B.")


def test_two_procedures_of_one_name_are_refused(agent, owner):
    files = {"configuration.yaml": "format: 1\n"}
    files |= {f"procedures/{n}.md": f"---\nname: {name}\n---\n1." for n, name in enumerate(("Send", "send "))}

    said = "Several files hold a procedure of this name: procedures/0.md, procedures/1.md."
    assert refusals(planned(agent, owner, files)) == [("procedures/0.md", said), ("procedures/1.md", said)]


def test_archive_that_is_none_is_refused_by_its_field(agent, owner):
    with pytest.raises(ValidationError) as refused:
        imports.plan(agent, b"x", by=owner, file_name="desk.zip")

    assert refused.value.message_dict == {"file": ["This is not a zip archive, or it was cut off on the way."]}
    assert ConfigurationImport.objects.count() == 0


def test_person_has_nothing_to_move(workspace, owner):
    for move in (lambda a: imports.export(a, by=owner), lambda a: imports.plan(a, b"", by=owner, file_name="x")):
        with pytest.raises(ValidationError, match="only AI agents have a configuration"):
            move(factories.human(workspace))


def test_name_of_the_file_is_made_harmless(agent, owner):
    files = exported(agent, owner)

    names = ["C:\\desk\\a\nb.zip", "../../etc/x.zip", "", "y" * 300]
    assert [planned(agent, owner, files, file_name=name).file_name for name in names] == [
        "ab.zip", "x.zip", "upload.zip", "y" * 200,
    ]  # fmt: skip


# --- Carried out


@pytest.fixture
def three(agent, owner, memory, procedure):
    """A plan to change a memory, make one, and delete a procedure."""
    files = exported(agent, owner)
    files[PATH] = files[PATH].replace("No approval", "An approval")
    files["memories/new.md"] = f"---\nid: {uuid.UUID(int=7)}\nsummary: Shops open at nine.\n---\n"
    del files["procedures/parcels/pick-up.md"]
    return planned(agent, owner, files)


def test_steps_become_proposals_of_who_brought_them(agent, owner, memory, procedure, three):
    before = told(agent)

    done = taken(three, owner, "proposals", steps=[0, 1, 2])

    made = Proposal.objects.order_by("type")
    assert [(p.type, p.proposed_by, p.brought_by, p.rationale) for p in made] == [
        (kind, owner, three, f"Brought in with desk.zip by {owner.display_name}.")
        for kind in ("memory_entry_create", "memory_entry_update", "procedure_delete")
    ]
    assert [step["outcome"]["state"] for step in done.steps[:3]] == ["proposed"] * 3
    assert (done.state, done.progress, told(agent)) == ("done", 3, before)
    for proposal in made:
        proposals.approve(proposal, by=owner, door=Door.PAGE)
    new = Memory.objects.get(pk=uuid.UUID(int=7))
    assert (new.summary, new.source) == ("Shops open at nine.", "import")
    assert not Procedure.objects.filter(pk=procedure.pk).exists()
    memory.refresh_from_db()
    assert memory.text == "An approval and no ticket."


def test_steps_at_once_are_versions_numbers_and_entries_of_the_log(agent, owner, memory, procedure, three):
    number = Agent.objects.get(pk=agent.pk).configuration_version
    n_logged = Decision.objects.count()

    done = taken(three, owner, steps=[0, 1, 2])

    made = Configuration.objects.filter(agent=agent, number__gt=number).order_by("number")
    assert [(c.change, c.target_kind, c.target_version, c.by, c.door, c.reason) for c in made] == [
        (change, kind, version, owner, "page", "Import of desk.zip")
        for change, kind, version in (
            ("removed", "procedure", 2),
            ("revised", "memory", 2),
            ("created", "memory", 1),
        )
    ]
    assert [step["outcome"] for step in done.steps[:3]] == [{"state": "applied", "version": v} for v in (2, 2, 1)]
    assert Decision.objects.count() == n_logged + 3
    assert list(decisions.verify(agent.workspace)) == []
    assert all("fields" not in step for step in done.steps)


def test_step_whose_target_moved_meanwhile_is_refused_and_the_others_are_done(agent, owner, memory, three):
    revised(memory, owner, text="Meanwhile.")
    Memory.objects.filter(pk=memory.pk).update(updated_at=timezone.now())

    done = taken(three, owner)

    assert [step.get("outcome") for step in done.steps[:3]] == [
        None,
        {"state": "refused", "problem": "It was changed here after the plan was made."},
        {"state": "applied", "version": 1},
    ]
    memory.refresh_from_db()
    assert (memory.text, done.state, done.progress) == ("Meanwhile.", "done", 2)


def test_procedure_whose_name_was_taken_meanwhile_is_refused(agent, owner):
    files = {"configuration.yaml": "format: 1\n", "procedures/a.md": "---\nname: Send\n---\n1."}
    imported = planned(agent, owner, files)
    factories.procedure(agent, owner, name="send")

    [step] = taken(imported, owner).steps[:1]

    assert step["outcome"]["state"] == "refused"
    assert Procedure.objects.count() == 1


def test_only_the_owner_applies_at_once(admin, owner, three):
    with pytest.raises(NotAllowed, match="Only the owner of this workspace may apply an import without review"):
        imports.carry_out(three, by=admin, door=Door.PAGE, how="direct")

    assert ConfigurationImport.objects.get().state == "planned"
    assert taken(three, admin, "proposals").progress == 2


def test_owner_who_is_none_any_more_applies_nothing(agent, owner, admin, memory, three):
    imports.carry_out(three, by=owner, door=Door.PAGE, how="direct")
    type(owner).objects.filter(pk=owner.pk).update(role="admin")

    done = imports.run(three.pk)

    assert (done.state, done.progress) == ("failed", 0)
    assert "may not apply an import without review any more" in done.last_error


@pytest.mark.parametrize("who", ["linked_member", "stranger"])
def test_others_do_nothing(request, agent, owner, three, who):
    member = request.getfixturevalue(who)
    raw = packed(exported(agent, owner))
    for attempt in (
        lambda: imports.carry_out(three, by=member, door=Door.PAGE, how="proposals"),
        lambda: imports.discard(three, by=member),
        lambda: imports.go_on(three, by=member),
        lambda: imports.plan(agent, raw, by=member, file_name="x"),
        lambda: imports.export(agent, by=member),
    ):
        with pytest.raises(NotAllowed):
            attempt()


@pytest.mark.parametrize("chosen", [[3], [99], [-1]])
def test_step_that_cannot_be_taken_is_refused(owner, three, chosen):
    with pytest.raises(ValidationError, match="There is no step"):
        imports.carry_out(three, by=owner, door=Door.PAGE, how="direct", steps=chosen)


def test_plan_is_taken_or_discarded_once(owner, three):
    same = ConfigurationImport.objects.get()
    assert imports.discard(three, by=owner).steps == []

    for late in (
        lambda: imports.carry_out(same, by=owner, door=Door.PAGE, how="proposals"),
        lambda: imports.discard(same, by=owner),
    ):
        with pytest.raises(imports.AlreadyBegun, match="This import is discarded already"):
            late()
    assert imports.run(three.pk) is None


# --- In a worker


def many(agent, owner, n):
    """A plan that makes `n` memories."""
    files = {"configuration.yaml": "format: 1\n"}
    files |= {f"memories/{k}.md": f"---\nsummary: Fact number {k}.\n---\n" for k in range(n)}
    return planned(agent, owner, files)


def test_what_breaks_is_tried_again_and_no_step_is_repeated(agent, owner, monkeypatch):
    imported = imports.carry_out(many(agent, owner, 6), by=owner, door=Door.PAGE, how="direct")
    monkeypatch.setattr(imports, "BATCH_SECONDS", 0)  # one step a batch
    really, calls = memories.create, []

    def breaks(*args, **kwargs):
        calls.append(kwargs["summary"])
        if len(calls) == 4:
            raise OSError("The disk is full.")
        return really(*args, **kwargs)

    monkeypatch.setattr(memories, "create", breaks)
    broken = imports.run(imported.pk)
    assert (broken.state, broken.progress, broken.last_error) == ("queued", 3, "OSError")
    ConfigurationImport.objects.update(next_try_at=timezone.now())

    done = imports.run(imported.pk)

    assert (done.state, done.progress) == ("done", 6)
    assert [step["outcome"] for step in done.steps[:6]] == [{"state": "applied", "version": 1}] * 6
    assert sorted(Memory.objects.values_list("summary", flat=True)) == [f"Fact number {k}." for k in range(6)]


def test_what_keeps_breaking_fails_and_can_be_gone_on_with(agent, owner, monkeypatch):
    imported = imports.carry_out(many(agent, owner, 2), by=owner, door=Door.PAGE, how="direct")
    with monkeypatch.context() as broken:
        broken.setattr(memories, "create", lambda *args, **kwargs: 1 / 0)
        for _ in range(long_work.ATTEMPTS):
            ConfigurationImport.objects.update(next_try_at=timezone.now())
            failed = imports.run(imported.pk)
    assert (failed.state, failed.last_error) == ("failed", imports.BROKEN.format(times=3, error="ZeroDivisionError"))

    imports.go_on(failed, by=owner)

    assert imports.run(imported.pk).progress == 2
    with pytest.raises(imports.NotFailed):
        imports.go_on(imported, by=owner)


def test_one_whose_workers_keep_dying_is_given_up(agent, owner):
    imported = imports.carry_out(many(agent, owner, 2), by=owner, door=Door.PAGE, how="direct")
    for _ in range(long_work.ATTEMPTS):
        work.claim(ConfigurationImport.objects.all(), imported.pk)
        ConfigurationImport.objects.update(claimed_until=timezone.now() - timedelta(seconds=1), state="running")

    assert imports.run(imported.pk).last_error == imports.UNFINISHABLE


def test_worker_that_lost_its_row_stores_nothing(agent, owner, monkeypatch):
    imported = imports.carry_out(many(agent, owner, 3), by=owner, door=Door.PAGE, how="direct")
    really = imports._outcome

    def taken_over(*args):
        ConfigurationImport.objects.update(claim=uuid.uuid4())
        return really(*args)

    monkeypatch.setattr(imports, "_outcome", taken_over)
    imports.run(imported.pk)

    assert (Memory.objects.count(), ConfigurationImport.objects.get().progress) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_worker_killed_in_the_middle_is_followed_by_another_that_repeats_nothing():
    workspace = factories.workspace()
    owner, agent = factories.owner(workspace), factories.ai_agent(workspace)
    imported = imports.carry_out(many(agent, owner, 600), by=owner, door=Door.PAGE, how="direct")
    child = processes.start("-m", "tests.flows.run_import", str(imported.pk))
    processes.until(lambda: ConfigurationImport.objects.get().progress > 1)
    child.kill()
    child.communicate()
    killed = ConfigurationImport.objects.get()
    assert killed.state == "running"
    assert 0 < killed.progress == Memory.objects.count() < 600
    assert imports.run(imported.pk) is None  # its lease has not run out
    ConfigurationImport.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    done = imports.run(imported.pk)

    assert (done.state, done.progress) == ("done", 600)
    assert [step["outcome"] for step in done.steps[:600]] == [{"state": "applied", "version": 1}] * 600
    assert Memory.objects.values("summary").distinct().count() == Memory.objects.count() == 600
    assert list(decisions.verify(workspace)) == []


@pytest.mark.django_db(transaction=True)
def test_two_people_take_one_plan_at_once_and_one_wins():
    workspace = factories.workspace()
    owner, agent = factories.owner(workspace), factories.ai_agent(workspace)
    imported = many(agent, owner, 2)
    won, ready = [], threading.Barrier(4)

    def take():
        mine = ConfigurationImport.objects.get(pk=imported.pk)
        ready.wait()
        try:
            won.append(imports.carry_out(mine, by=owner, door=Door.PAGE, how="direct"))
        except imports.AlreadyBegun:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=take) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(won) == 1


@pytest.mark.parametrize("type", ["proposals", "restored by hand"])
def test_what_was_brought_in_meanwhile_is_said_to_be_there(agent, owner, type):
    """Nothing of it was changed, and there is nothing to bring up to date."""
    pk = "22222222-2222-2222-2222-222222222222"
    files = {
        "configuration.yaml": "format: 1\n",
        "memories/a.md": f"---\nid: {pk}\nsummary: Shops open at nine.\n---\n",
    }
    for _ in range(2):
        taken = imports.carry_out(planned(agent, owner, files), by=owner, door="page", how="proposals")
        imports.run(taken.pk)
    first, second = Proposal.objects.pending().order_by("created_at")
    proposals.approve(first, by=owner, door="page")
    if type == "restored by hand":
        actions.remove(agent.memories.get(), base_version=1, by=owner, door="page")
        actions.restore(Memory, pk, by=owner, door="page")

    with pytest.raises(proposals.NotAPossibleTarget, match="This memory is there already"):
        proposals.approve(second, by=owner, door="page")

    second.refresh_from_db()
    assert second.status == "pending"


def test_plan_that_was_discarded_says_so_whatever_is_chosen_of_it(agent, owner):
    plan = planned(agent, owner, {"configuration.yaml": "format: 1\n"})
    imports.discard(plan, by=owner)

    for chosen in (None, [], [0]):
        with pytest.raises(imports.AlreadyBegun, match="This import is discarded already"):
            imports.carry_out(plan, by=owner, door="page", how="proposals", steps=chosen)
