"""A stale proposal is written anew against what is there now, and what was applied is taken back."""

import pytest
from django.core.exceptions import ValidationError

from agents import actions, decisions, versions
from agents.models import Prompt
from coaching.actions import changes, proposals
from coaching.models import Proposal
from memories import actions as memories
from tests import factories

pytestmark = pytest.mark.django_db
BEFORE = "Be kind.\nAsk for the order number.\nRefunds above 200 € need an approval.\n"
PROPOSED = BEFORE.replace("Ask for", "Look up")


@pytest.fixture
def prompt(agent, owner):
    row = Prompt.objects.get(agent=agent)
    return actions.change_prompt(row, system_prompt=BEFORE, base_version=1, by=owner, door="page")


def proposed(agent, **fields):
    change = {"system_prompt": PROPOSED}
    return factories.proposal(agent, type="prompt_change", target_id=agent.prompt.pk, change=change, **fields)


def test_edits_that_do_not_touch_are_put_together(agent, owner, prompt):
    evidence = [{"conversation": str(factories.conversation(agent).pk), "turn": 2}]
    old = proposed(agent, evidence=evidence)
    Proposal.objects.filter(pk=old.pk).update(risk_level="high", risk_reasons=["It was made after reading a memory."])
    old.refresh_from_db()
    actions.change_prompt(prompt, system_prompt=BEFORE + "Never argue.\n", base_version=2, by=owner, door="page")

    new = proposals.rebase(old, by=owner, door="page")

    assert new.change == {"system_prompt": PROPOSED + "Never argue.\n"}
    assert (new.status, new.base_version, new.replaces, old.status) == ("pending", 3, old, "superseded")
    assert (new.evidence, new.n_conversations, new.risk_level, new.risk_reasons) == (
        evidence, 1, "high", ["It was made after reading a memory."],
    )  # fmt: skip
    assert (new.proposed_by, old.decided_by) == (None, owner)
    assert owner.workspace.decisions.latest("number").action == "rebased"
    assert proposals.approve(new, by=owner, door="page").result_version == 4
    assert list(decisions.verify(owner.workspace)) == []


def test_edits_that_touch_ask(agent, owner, prompt):
    old = proposed(agent)
    current = BEFORE.replace("Ask for", "Find")
    actions.change_prompt(prompt, system_prompt=current, base_version=2, by=owner, door="page")

    with pytest.raises(versions.Conflict) as refused:
        proposals.rebase(old, by=owner, door="page")

    assert refused.value.fields == [
        {"field": "system_prompt", "base": BEFORE, "current": current, "proposed": PROPOSED}
    ]
    old.refresh_from_db()
    assert (old.status, Proposal.objects.count()) == ("pending", 1)

    typed = {"system_prompt": BEFORE.replace("Ask for", "Look up or find")}
    with pytest.raises(versions.Conflict):
        proposals.rebase(old, by=owner, door="page", change=typed, base_version=2)
    new = proposals.rebase(old, by=owner, door="page", change=typed, base_version=3)

    assert (new.change, new.base_version, new.replaces) == (typed, 3, old)


def test_what_is_there_already_is_not_proposed_again(agent, owner, prompt):
    old = proposed(agent)
    with pytest.raises(proposals.NothingToRebase, match="up to date"):
        proposals.rebase(old, by=owner, door="page")
    actions.change_prompt(prompt, system_prompt=PROPOSED, base_version=2, by=owner, door="page")

    with pytest.raises(proposals.NothingToRebase, match="there already, as version 3"):
        proposals.rebase(old, by=owner, door="page")


def test_delete_is_brought_up_to_date(agent, owner):
    memory = factories.memory(agent, owner)
    old = factories.proposal(agent, type="memory_entry_delete", target_id=memory.pk, change={})
    memories.revise(memory, changes={"text": "Newer."}, base_version=1, by=owner, door="page")

    new = proposals.rebase(old, by=owner, door="page")
    proposals.approve(new, by=owner, door="page")

    assert (new.base_version, agent.memories.count()) == (2, 0)


def test_any_change_is_taken_back_once_and_linked_both_ways(agent, owner):
    memory = factories.memory(agent, owner, text="One.")
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")
    made = agent.configurations.latest("number")

    undone = changes.take_back(made, by=owner, door="page", note="One was right.")

    memory.refresh_from_db()
    assert (memory.version, memory.text) == (3, "One.")
    assert (undone.reverts, made.reverted_by, undone.change) == (made, undone, "revised")
    with pytest.raises(changes.AlreadyTakenBack) as refused:
        changes.take_back(made, by=owner, door="page")
    assert refused.value.made == undone
    changes.take_back(undone, by=owner, door="page")
    memory.refresh_from_db()
    assert (memory.version, memory.text) == (4, "Two.")
    assert [entry.action for entry in owner.workspace.decisions.order_by("number")][-2:] == ["reverted", "reverted"]
    assert list(decisions.verify(owner.workspace)) == []


def test_removal_and_first_prompt(agent, owner):
    memory = factories.memory(agent, owner)
    actions.remove(memory, base_version=1, by=owner, door="page")

    changes.take_back(agent.configurations.latest("number"), by=owner, door="page")

    assert agent.memories.get().version == 3
    with pytest.raises(changes.NothingToTakeBack):
        changes.take_back(agent.configurations.earliest("number"), by=owner, door="page")


def test_what_moved_on_is_taken_back_by_what_a_person_writes(agent, owner):
    memory = factories.memory(agent, owner, text="One.")
    memories.revise(memory, changes={"text": "Two."}, base_version=1, by=owner, door="page")
    made = agent.configurations.latest("number")
    memories.revise(memory, changes={"summary": "Another fact."}, base_version=2, by=owner, door="page")

    with pytest.raises(versions.Conflict):
        changes.take_back(made, by=owner, door="page")
    changes.take_back(made, by=owner, door="page", change={"text": "One."}, base_version=3)

    memory.refresh_from_db()
    assert (memory.version, memory.summary, memory.text) == (4, "Another fact.", "One.")


def test_several_are_decided_at_once_with_one_entry_each(agent, owner):
    rows = [factories.proposal(agent, change={"summary": f"Fact {n}.", "text": ""}) for n in range(3)]
    proposals.reject(rows[1], by=owner, door="page")

    told = proposals.decide_together(rows, verdict="approved", by=owner, door="page")

    assert [type(error) for _, error in told] == [type(None), proposals.AlreadyDecided, type(None)]
    assert owner.workspace.decisions.filter(action="approved").count() == 2
    assert agent.memories.count() == 2


def test_what_is_not_alike_or_risky_is_decided_by_itself(agent, owner):
    fine = factories.proposal(agent)
    risky = factories.proposal(agent, change={"summary": "See https://x.example.", "text": ""})
    other = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})

    for rows in ([fine, risky], [fine, other], [fine] * 201):
        with pytest.raises(proposals.NotTogether):
            proposals.decide_together(rows, verdict="rejected", by=owner, door="page")
    fine.refresh_from_db()
    assert fine.status == "pending"


def test_new_thing_keeps_the_id_it_is_brought_with(agent, owner):
    there = factories.memory(agent, owner)
    actions.remove(there, base_version=1, by=owner, door="page")
    change = {"summary": "Refunds take two days.", "text": ""}
    again = factories.proposal(agent, change=change, new_id=there.pk)

    proposals.approve(again, by=owner, door="page")

    assert (agent.memories.get().pk, agent.memories.get().version) == (there.pk, 3)
    with pytest.raises(ValidationError):
        factories.proposal(agent, type="memory_entry_delete", target_id=there.pk, change={}, new_id=there.pk)
