"""Taking back and bringing up to date where people are hasty, late, or somebody was in between."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import actions, decisions, versions
from agents.access import NotAllowed
from agents.models import Configuration, Prompt
from coaching.actions import changes, proposals, sessions, targets, viewings
from coaching.models import Message, Proposal
from memories import actions as memories
from memories.models import Memory
from tests import factories

pytestmark = pytest.mark.django_db
words = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\n\t"), min_size=1, max_size=60)


@pytest.fixture
def memory(agent, owner):
    return factories.memory(agent, owner, text="One.")


def newest(agent):
    return agent.configurations.latest("number")


def state(agent):
    """What the agent is told now, thing by thing, without the numbers of versions."""
    return {
        (model.KIND, row.pk): versions.fields_of(row)
        for model in targets.MODELS.values()
        for row in model.objects.filter(agent=agent)
    }


@pytest.mark.parametrize("type", Proposal.Type.values)
@settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=words)
def test_take_back_after_approve_restores_exactly_and_versions_only_grow(agent, owner, type, text):
    memory, procedure = factories.memory(agent, owner), factories.procedure(agent, owner)
    kind, _, verb = type.rpartition("_")
    field = {"memory_entry": "text", "procedure": "content", "prompt": "system_prompt"}[kind]
    names = {"memory_entry": {"summary": "A new fact."}, "procedure": {"name": f"Case {procedure.pk}"}}
    target = {"memory_entry": memory, "procedure": procedure, "prompt": agent.prompt}[kind]
    change = {} if verb == "delete" else {field: f"Now {text}", **(names[kind] if verb == "create" else {})}
    wanted = {"change": change} | ({} if verb == "create" else {"target_id": target.pk})
    before, number = state(agent), newest(agent).number

    approved = proposals.approve(factories.proposal(agent, type=type, **wanted), by=owner, door="page")
    after = state(agent)
    undone = proposals.revert(approved, by=owner, door="page")

    assert after != before
    assert state(agent) == before
    assert (undone.number, undone.target_version) == (number + 2, approved.result_version + 1)
    changes.take_back(undone, by=owner, door="page")
    assert state(agent) == after
    history = targets.MODELS[approved.target_kind].history.filter(id=approved.target_id).order_by("version")
    assert list(history.values_list("version", flat=True)) == list(range(1, approved.result_version + 3))
    assert list(decisions.verify(owner.workspace)) == []


def test_removal_before_the_last_one_is_not_taken_back_over_it(agent, owner, memory):
    actions.remove(memory, base_version=1, by=owner, door="page")
    first = newest(agent)
    actions.restore(Memory, memory.pk, by=owner, door="page")
    with pytest.raises(changes.NothingToTakeBack, match="brought back already"):
        changes.take_back(first, by=owner, door="page")
    actions.remove(Memory.objects.get(pk=memory.pk), base_version=3, by=owner, door="page")

    with pytest.raises(versions.Conflict):
        changes.take_back(first, by=owner, door="page")

    assert agent.memories.count() == 0
    changes.take_back(first, by=owner, door="page", base_version=4, change={"text": "Two."})
    assert (agent.memories.get().version, agent.memories.get().text) == (5, "Two.")


def test_what_is_as_before_already_is_not_made_once_more(agent, owner, memory):
    made = newest(agent)
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")
    edited = newest(agent)
    memories.revise(memory, changes={"text": "One."}, base_version=2, by=owner, door="page")

    with pytest.raises(changes.NothingToTakeBack, match="as it was before"):
        changes.take_back(edited, by=owner, door="page", base_version=3)
    actions.remove(memory, base_version=3, by=owner, door="page")
    with pytest.raises(changes.NothingToTakeBack, match="gone already"):
        changes.take_back(made, by=owner, door="page")
    with pytest.raises(versions.Conflict):
        changes.take_back(edited, by=owner, door="page")
    assert newest(agent).number == edited.number + 2


@pytest.mark.parametrize("version", [0, -1, 7])
def test_version_that_is_not_there_takes_nothing_back(agent, owner, memory, version):
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")

    with pytest.raises(versions.Conflict):
        changes.take_back(newest(agent), by=owner, door="page", base_version=version)

    memory.refresh_from_db()
    assert memory.text == "Two."


def test_creation_that_was_edited_since_asks_before_it_goes(agent, owner, memory):
    made = newest(agent)
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")

    with pytest.raises(versions.Conflict):
        changes.take_back(made, by=owner, door="page")
    changes.take_back(made, by=owner, door="page", base_version=2)

    assert agent.memories.count() == 0


def test_name_that_was_given_away_is_not_taken_back(agent, owner):
    procedure = factories.procedure(agent, owner, name="Refund")
    actions.revise(procedure, changes={"name": "Return"}, base_version=1, by=owner, door="page")
    renamed = newest(agent)
    actions.remove(procedure, base_version=2, by=owner, door="page")
    removed = newest(agent)
    factories.procedure(agent, owner, name="return")

    with pytest.raises(ValidationError):
        changes.take_back(removed, by=owner, door="page")
    other = agent.procedures.get()
    actions.revise(other, changes={"name": "refund"}, base_version=1, by=owner, door="page")
    changes.take_back(removed, by=owner, door="page")
    with pytest.raises(ValidationError):
        changes.take_back(renamed, by=owner, door="page", base_version=4)

    assert sorted(agent.procedures.values_list("name", flat=True)) == ["Return", "refund"]
    assert list(decisions.verify(owner.workspace)) == []


@pytest.mark.parametrize("who", ["linked_member", "stranger"])
def test_only_leaders_of_the_workspace_take_back_rebase_and_are_seen(agent, memory, who, request):
    member = request.getfixturevalue(who)
    proposal = factories.proposal(agent)

    for act in (
        lambda: changes.take_back(newest(agent), by=member, door="page"),
        lambda: proposals.rebase(proposal, by=member, door="page"),
        lambda: viewings.see(proposal, by=member),
    ):
        with pytest.raises(NotAllowed):
            act()


def test_rebase_of_what_is_decided_superseded_new_or_gone(agent, owner, memory):
    update = {"type": "memory_entry_update", "target_id": memory.pk}
    rejected, first, second = (factories.proposal(agent, change={"text": f"Text {n}."}, **update) for n in range(3))
    new = factories.proposal(agent)
    proposals.reject(rejected, by=owner, door="page")
    memories.revise(memory, changes={"summary": "Another fact."}, base_version=1, by=owner, door="page")

    with pytest.raises(proposals.AlreadyDecided, match="Already rejected"):
        proposals.rebase(rejected, by=owner, door="page")
    with pytest.raises(proposals.NothingToRebase):
        proposals.rebase(new, by=owner, door="page")
    rebased = proposals.rebase(first, by=owner, door="page")
    late = Proposal.objects.get(pk=first.pk)
    late.status = "pending"  # read before somebody else rebased it
    with pytest.raises(proposals.AlreadyDecided, match="replaced by a newer one"):
        proposals.rebase(late, by=owner, door="page")
    with pytest.raises(proposals.AlreadyDecided):
        proposals.approve(first, by=owner, door="page")
    assert Proposal.objects.count() == 5
    assert rebased.replaces == first

    actions.remove(memory, base_version=2, by=owner, door="page")
    for row in (rebased, second):
        with pytest.raises(proposals.NotAPossibleTarget):
            proposals.rebase(row, by=owner, door="page")
    actions.restore(Memory, memory.pk, by=owner, door="page")
    again = proposals.rebase(second, by=owner, door="page")
    assert proposals.approve(again, by=owner, door="page").result_version == 5
    assert Memory.objects.get().text == "Text 2."


def test_merged_change_that_breaks_a_rule_is_refused_and_nothing_changes(agent, owner):
    memory = factories.memory(agent, owner, summary="Parcels wait seven days at the counter")
    wider = {"summary": f"Parcels {'x' * 250} wait seven days at the counter"}
    old = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change=wider)
    longer = {"summary": f"Parcels wait seven days at the counter {'y' * 200}"}
    memories.revise(memory, changes=longer, base_version=1, by=owner, door="page")

    with pytest.raises(ValidationError, match="at most 300 characters"):
        proposals.rebase(old, by=owner, door="page")

    old.refresh_from_db()
    assert (old.status, Proposal.objects.count()) == ("pending", 1)


def test_expiry_that_has_passed_meanwhile_is_refused(agent, owner, memory, time_machine):
    time_machine.move_to("2026-06-01T12:00Z")
    expiry = {"expires_at": memory.created_at.replace(year=2026, month=6, day=2)}
    old = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change=expiry)
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")
    time_machine.move_to("2026-06-03T12:00Z")

    with pytest.raises(ValidationError, match="lies ahead"):
        proposals.rebase(old, by=owner, door="page")


def test_risk_is_carried_and_what_the_leader_told_is_no_risk(agent, owner):
    said = "Change the prompt so that refunds go out without asking."
    session = factories.session(agent, owner)
    turn = sessions.ask(session, by=owner, text=said)
    message = Message.objects.get(turn=turn, role="user")
    change = {"system_prompt": "Be brief.\n" + agent.prompt.system_prompt}
    old = factories.proposal(
        agent, type="prompt_change", change=change, rationale="Told: refunds go out without asking.", told=said,
        evidence=[{"message": str(message.pk)}], session=session, turn=turn, fingerprint="one",
    )  # fmt: skip
    prompt = Prompt.objects.get(agent=agent)
    more = prompt.system_prompt + "\nNever argue."
    actions.change_prompt(prompt, system_prompt=more, base_version=1, by=owner, door="page")

    new = proposals.rebase(old, by=owner, door="page")

    assert (old.risk_level, new.risk_level, new.risk_reasons) == ("low", "low", [])
    assert (new.session, new.turn, new.evidence) == (session, turn, old.evidence)


def test_proposal_of_another_release_is_read_only(agent, owner):
    old = factories.proposal(agent)
    Proposal.objects.filter(pk=old.pk).update(type="tone_of_voice_change", base_version=1, target_id=agent.pk)
    old.refresh_from_db()

    for decide in (proposals.approve, proposals.reject, proposals.rebase):
        with pytest.raises(ValidationError, match="another release"):
            decide(old, by=owner, door="page")
    ((_, refusal),) = proposals.decide_together([old], verdict="approved", by=owner, door="page")
    assert isinstance(refusal, ValidationError)
    with pytest.raises(ValueError, match="no verdict"):
        proposals.decide_together([old], verdict="approve", by=owner, door="page")
    assert Configuration.objects.filter(agent=agent).count() == 1


def test_import_brings_nothing_that_has_expired_meanwhile(agent, owner, time_machine):
    time_machine.move_to("2026-06-01T12:00Z")
    there = factories.memory(agent, owner)
    actions.remove(there, base_version=1, by=owner, door="page")
    expiry = there.created_at.replace(day=2)
    again = factories.proposal(agent, change={"summary": "A fact.", "text": "", "expires_at": expiry}, new_id=there.pk)
    time_machine.move_to("2026-06-03T12:00Z")

    with pytest.raises(ValidationError, match="lies ahead"):
        proposals.approve(again, by=owner, door="page")

    again.refresh_from_db()
    assert (again.status, agent.memories.count()) == ("pending", 0)


@pytest.mark.parametrize(("change", "named"), [({}, "__all__"), ({"text": "Two."}, "__all__"), ({"name": "X"}, "name")])
@pytest.mark.parametrize("made_by", ["revise", "create"])
def test_what_leaves_everything_as_it_is_takes_nothing_back(agent, owner, memory, change, named, made_by):
    """Else the log would say that it was taken back, and nobody could take it back any more."""
    if made_by == "revise":
        memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")
    else:
        memory = factories.memory(agent, owner, text="Two.")
    made = newest(agent)

    with pytest.raises(ValidationError) as refused:
        changes.take_back(made, by=owner, door="page", change=change)

    told = refused.value.message_dict if named != "__all__" else {"__all__": refused.value.messages}
    assert list(told) == [named]
    assert newest(agent) == made


def test_removal_is_not_taken_back_with_fields_it_does_not_have(agent, owner, memory):
    actions.remove(memory, base_version=1, by=owner, door="page")

    with pytest.raises(ValidationError, match="no such field"):
        changes.take_back(newest(agent), by=owner, door="page", change={"content": "1. Look."})

    assert agent.memories.count() == 0
