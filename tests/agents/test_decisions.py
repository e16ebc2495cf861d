"""The log cannot be changed through the ORM, and `verify_log` says which entry was tampered with in the database."""

import io
from contextlib import suppress

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.test import RequestFactory

from agents import actions, decisions
from agents.models import Agent, Decision, Workspace
from coaching.actions import proposals
from memories import actions as memories
from tests import factories, tampering

pytestmark = pytest.mark.django_db


def verified(*arguments):
    out = io.StringIO()
    call_command("verify_log", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def log(workspace, owner, agent):
    """Six entries: the number of each is that of the configuration it made, less one; the last one rejected."""
    memory = factories.memory(agent, owner)
    for version in (1, 2, 3):
        memories.revise(memory, changes={"text": f"Text {version}."}, base_version=version, by=owner, door="page")
    proposals.approve(factories.proposal(agent), by=owner, door="api")
    proposals.reject(factories.proposal(agent), by=owner, door="page", reason="No.")
    return list(workspace.decisions.order_by("number"))


def faults(log):
    return list(decisions.verify(log[0].workspace))


def changed(number):
    return f"Entry {number} was changed after it was written."


def loose(number):
    return f"Entry {number} does not follow on the entry before it."


def written_anew(entries):
    """Give each entry, in order, the hash it would have had, as somebody who knows how would."""
    previous = Decision.objects.filter(number=entries[0].number - 1).first()
    for entry in entries:
        row = Decision.objects.get(pk=entry.pk)
        row.previous_hash = previous.hash if previous else ""
        row.hash = decisions.digest(row)
        tampering.edit(row, "previous_hash", row.previous_hash)
        tampering.edit(row, "hash", row.hash)
        previous = row


def test_whole_log_is_unbroken(workspace, log):
    assert verified() == f"{workspace.slug}: 6 entries, unbroken.\n"


def test_tampered_log_names_the_entry_and_exits_with_1(workspace, log, capsys):
    tampering.edit(log[3], "by_name", "Somebody else")

    with pytest.raises(SystemExit) as ended:
        call_command("verify_log")

    assert ended.value.code == 1
    assert capsys.readouterr().out == f"{workspace.slug}: Entry 4 was changed after it was written.\n"


def test_unknown_workspace_is_told(db):
    with pytest.raises(CommandError, match="There is no workspace nowhere"):
        verified("--workspace", "nowhere")


def test_entry_taken_out_of_the_middle_is_named(log, agent):
    tampering.remove(log[2])
    assert faults(log) == ["Entry 3 is missing.", f"Configuration 4 of {agent} has no entry."]

    tampering.remove(log[1])
    assert faults(log)[0] == "Entries 2 to 3 are missing."


def test_entry_taken_off_the_end_is_missed(log):
    tampering.remove(log[5])

    assert faults(log) == ["The log ends at entry 5; 6 were written."]


def test_swapped_pair_is_named(log):
    tampering.edit(log[1], "number", 99)
    tampering.edit(log[2], "number", 2)
    tampering.edit(log[1], "number", 3)

    assert faults(log) == [loose(2), changed(2), loose(3), changed(3), loose(4)]


def test_forged_entry_at_the_end_is_missed_in_the_count(log):
    forged = Decision.objects.get(pk=log[5].pk)
    forged.pk, forged._state.adding = None, True
    forged.number, forged.previous_hash = 7, log[5].hash
    forged.hash = decisions.digest(forged)
    forged.save(force_insert=True)

    assert faults(log) == ["The log ends at entry 7; 6 were written."]


def test_forged_entry_in_the_middle_is_named(log):
    for entry in reversed(log[3:]):
        tampering.edit(entry, "number", entry.number + 1)
    forged = Decision.objects.get(pk=log[5].pk)
    forged.pk, forged._state.adding = None, True
    forged.number, forged.previous_hash = 4, log[2].hash
    forged.hash = decisions.digest(forged)
    forged.save(force_insert=True)

    assert faults(log) == [
        loose(5), changed(5), changed(6), changed(7), "The log ends at entry 7; 6 were written.",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("column", "value"),
    [("target_id", "0" * 32), ("result_version", 9), ("door", "slack"), ("by_id", None), ("configuration_number", 40)],
)
def test_tail_written_anew_is_held_against_what_was_applied(log, agent, column, value):
    """Its hashes fit; what it says does not."""
    tampering.edit(log[3], column, value)
    written_anew(log[3:])

    number = value if column == "configuration_number" else 5
    missing = [f"Configuration 5 of {agent} has no entry."] if column == "configuration_number" else []
    assert faults(log) == [f"Entry 4 does not say what configuration {number} of {agent} is.", *missing]


def test_tail_that_was_cut_off_and_its_count_with_it_leaves_configurations_without_an_entry(log, agent):
    for entry in log[3:]:
        tampering.remove(entry)
    Workspace.objects.filter(pk=agent.workspace_id).update(decisions_made=3)

    assert faults(log) == [f"Configuration {number} of {agent} has no entry." for number in (5, 6)]


def test_configuration_told_twice_is_named(log, agent):
    for column in ("result_version", "configuration_number"):
        tampering.edit(log[2], column, getattr(log[1], column))
    written_anew(log[2:])

    assert faults(log) == [
        f"Configuration 3 of {agent} stands in 2 entries.", f"Configuration 4 of {agent} has no entry.",
    ]  # fmt: skip


def test_agent_that_is_gone_takes_nothing_out_of_its_log(log, agent, settings):
    settings.SIMPLE_HISTORY_ENABLED = False  # its memories go with it, without a version that says so
    Agent.objects.filter(pk=agent.pk).delete()

    assert faults(log) == []


def test_log_of_another_workspace_is_not_looked_at(log, stranger):
    elsewhere = factories.ai_agent(stranger.workspace)
    actions.change_prompt(elsewhere.prompt, system_prompt="Be brief.", base_version=1, by=stranger, door="page")
    tampering.edit(stranger.workspace.decisions.get(), "note", "Forged.")

    assert faults(log) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda entry: entry.save(),
        lambda entry: entry.save_base(),
        lambda entry: entry.delete(),
        lambda entry: Decision.objects.update(note="x"),
        lambda entry: Decision.objects.all().delete(),
        lambda entry: Decision.objects.bulk_update([entry], ["note"]),
        lambda entry: Decision.objects.bulk_create([Decision(number=99)]),
        lambda entry: Decision.objects.update_or_create(pk=entry.pk, defaults={"note": "x"}),
        lambda entry: Decision.objects.all()._raw_delete("default"),
        lambda entry: Decision._base_manager.update(note="x"),
        lambda entry: Decision._base_manager.all().delete(),
        lambda entry: Decision._default_manager.filter(pk=entry.pk).update(note="x"),
        lambda entry: entry.workspace.decisions.update(note="x"),
        lambda entry: entry.workspace.decisions.all().delete(),
        lambda entry: factories.workspace().decisions.add(entry),
        lambda entry: entry.workspace.decisions.set([]),
    ],
)
def test_nothing_in_the_orm_changes_an_entry(log, change):
    before = list(Decision.objects.order_by("number").values())
    log[1].note = "Forged."

    with suppress(TypeError, AttributeError):
        change(log[1])

    assert list(Decision.objects.order_by("number").values()) == before


def test_back_office_only_reads_the_log(log, owner):
    back = admin.site._registry[Decision]
    request = RequestFactory().get("/")
    request.user = owner.user
    owner.user.is_superuser = owner.user.is_staff = True

    assert (back.has_add_permission(request), back.has_change_permission(request, log[0])) == (False, False)
    assert back.has_delete_permission(request, log[0]) is False
    assert back.get_actions(request) == {}
