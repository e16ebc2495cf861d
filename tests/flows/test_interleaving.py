"""Whatever two people do at the same moments to one agent, in whatever order: one log, one line of versions, no surprise.

Two threads with a connection of their own take their steps side by side, each pair of steps at the same instant. What a step
is refused for is part of the game; anything but a refusal is a fault.
"""

import threading
import time
from collections import Counter, defaultdict

import pytest
from django.core.exceptions import ValidationError
from django.db import connections, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents import actions as configuration
from agents import decisions
from agents.access import Refusal
from agents.models import Agent, Configuration, Member, Procedure, Prompt
from agents.versions import Conflict
from coaching.actions import changes, proposals
from coaching.models import Proposal
from memories.models import Memory
from tests import factories

LINES = [f"Line {n} says what holds in case {n} and no other." for n in range(6)]
BASE = "\n".join(LINES)
LENGTH = 14
STEPS = (
    "propose", "propose", "approve", "approve", "approve_edited", "reject", "rebase", "rebase", "revert", "take_back", "edit",
    "delete", "restore",
)  # fmt: skip
steps = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, 9), st.integers(0, 5)), min_size=LENGTH, max_size=LENGTH
)
WAITS = 60  # seconds for the other


class Nothing(Exception):
    """There is nothing to do this to."""


class Person:
    """Somebody who takes steps; `done` counts those that were not refused, `faults` keeps what nobody should ever see."""

    def __init__(self, agent_id, member_id, name):
        self.agent_id, self.member_id, self.name = agent_id, member_id, name
        self.done, self.faults, self.n = Counter(), [], 0

    def walk(self, todo, together):
        try:
            for step, which, where in todo:
                together.wait(WAITS)
                self.step(step, which, where)
        except Exception as fault:  # told in the test, not in a thread
            self.faults.append(fault)
            together.abort()
        finally:
            connections.close_all()

    def step(self, step, which, where):
        self.n += 1
        self.agent = Agent.objects.get(pk=self.agent_id)
        self.how = {"by": Member.objects.select_related("user").get(pk=self.member_id), "door": "page"}
        try:
            getattr(self, step)(which, where)
        except (Refusal, ValidationError, Nothing):
            return
        self.done[step] += 1

    def new_words(self, text, where):
        """The text with one line of it written anew."""
        lines = text.split("\n")
        lines[where % len(lines)] += f" {self.name}{self.n}"
        return "\n".join(lines)

    def change(self, row, where):
        field = {"memory": "text", "procedure": "content", "prompt": "system_prompt"}[row.KIND]
        return {field: self.new_words(getattr(row, field), where)}

    def row(self, which):
        rows = [
            *Memory.objects.filter(agent=self.agent).order_by("created_at", "pk"),
            *Procedure.objects.filter(agent=self.agent).order_by("created_at", "pk"),
            Prompt.objects.get(agent=self.agent),
        ]
        return rows[which % len(rows)]

    def proposal(self, which, **fits):
        rows = list(Proposal.objects.filter(agent=self.agent, **fits).order_by("-created_at", "pk"))
        if not rows:
            raise Nothing
        return rows[which % len(rows)]

    def propose(self, which, where):
        if which == 0:
            names = (
                {"name": f"Case {where}", "content": BASE} if where % 2 else {"summary": f"Fact {where}.", "text": BASE}
            )
            type = "procedure_create" if where % 2 else "memory_entry_create"
            proposals.create(self.agent, type=type, change=names, rationale="Why not.")
            return
        row = self.row(which)
        kind = {"memory": "memory_entry", "procedure": "procedure", "prompt": "prompt"}[row.KIND]
        deletes = where == 0 and kind != "prompt"
        type = "prompt_change" if kind == "prompt" else f"{kind}_{'delete' if deletes else 'update'}"
        change = {} if deletes else self.change(row, where)
        proposals.create(
            self.agent, type=type, target_id=row.pk, base_version=row.version, change=change, rationale="Why not."
        )

    def approve(self, which, where):
        proposals.approve(self.proposal(which, **({"status": "pending"} if where else {})), **self.how)

    def approve_edited(self, which, where):
        proposal = self.proposal(which, status="pending")
        field = next((f for f in ("text", "content", "system_prompt") if f in proposal.change), None)
        change = {field: self.new_words(proposal.change[field], where)} if field else {}
        proposals.approve(proposal, change=change, **self.how)

    def reject(self, which, where):
        proposals.reject(self.proposal(which + where), reason="No.", **self.how)

    def rebase(self, which, where):
        proposals.rebase(self.proposal(which, **({"status": "pending"} if where else {})), **self.how)

    def revert(self, which, where):
        proposals.revert(self.proposal(which + where, status="approved"), **self.how)

    def take_back(self, which, where):
        made = list(self.agent.configurations.order_by("-number"))
        changes.take_back(made[(which + where) % len(made)], **self.how)

    def edit(self, which, where):
        row = self.row(which)
        configuration.revise(row, changes=self.change(row, where), base_version=row.version, **self.how)

    def delete(self, which, where):
        row = self.row(which)
        configuration.remove(row, base_version=row.version, **self.how)

    def restore(self, which, where):
        model = (Memory, Procedure)[where % 2]
        gone = list(model.history.filter(agent=self.agent, history_type="-").order_by("-history_date", "id"))
        if not gone:
            raise Nothing
        configuration.restore(model, gone[which % len(gone)].id, **self.how)


def an_agent():
    """(agent, its owner): a prompt, a memory and a procedure of six lines each, and proposals of every type."""
    owner = factories.owner(factories.workspace())
    agent = factories.ai_agent(owner.workspace, system_prompt=BASE)
    memory, procedure = factories.memory(agent, owner, text=BASE), factories.procedure(agent, owner, content=BASE)
    factories.proposal(agent)
    factories.proposal(agent, type="procedure_create", change={"name": "Case 1", "content": BASE})
    for line in (LINES[0], LINES[3]):
        words = BASE.replace(line, "Written anew.")
        factories.proposal(agent, type="prompt_change", change={"system_prompt": words})
        factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change={"text": words})
        factories.proposal(agent, type="procedure_update", target_id=procedure.pk, change={"content": words})
    factories.proposal(agent, type="memory_entry_delete", target_id=memory.pk, change={})
    factories.proposal(agent, type="procedure_delete", target_id=procedure.pk, change={})
    return agent, owner


def of_a_kind(model, agent):
    """{id of a thing: its versions, in order}."""
    versions = defaultdict(list)
    for pk, version in model.history.filter(agent=agent).order_by("version").values_list("id", "version"):
        versions[pk].append(version)
    return versions


def holds(agent):
    """Everything that is true whatever was done."""
    agent.refresh_from_db()
    made = list(agent.configurations.order_by("number"))
    assert [one.number for one in made] == list(range(1, agent.configuration_version + 1))
    of_targets = defaultdict(list)
    for one in made:
        of_targets[one.target_id].append(one.target_version)
    told = {pk: found for model in (Memory, Procedure, Prompt) for pk, found in of_a_kind(model, agent).items()}
    assert told == of_targets
    assert all(found == list(range(1, len(found) + 1)) for found in told.values())
    for model in (Memory, Procedure, Prompt):
        for row in model.objects.filter(agent=agent):
            assert row.version == len(told[row.pk])
    for proposal in Proposal.objects.filter(agent=agent):
        applied = [(c.number, c.target_version) for c in made if c.proposal_id == proposal.pk and not c.reverts_id]
        was = [(proposal.configuration_number, proposal.result_version)] if proposal.status == "approved" else []
        assert applied == was
        assert (proposal.status == "superseded") == (Proposal.objects.filter(replaces=proposal).count() == 1)
    back = [one.reverts_id for one in made if one.reverts_id]
    assert len(back) == len(set(back))
    assert list(decisions.verify(agent.workspace)) == []


@pytest.mark.django_db(transaction=True)
@settings(max_examples=16, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps, steps)
def test_any_interleaving_ends_with_one_log_and_one_line_of_versions(first, second):
    agent, owner = an_agent()
    together = threading.Barrier(2)
    people = [Person(agent.pk, owner.pk, name) for name in ("Ada", "Bo")]
    threads = [
        threading.Thread(target=person.walk, args=(todo, together))
        for person, todo in zip(people, (first, second), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAITS)

    assert [person.faults for person in people] == [[], []]
    holds(agent)
    done = people[0].done + people[1].done
    logged = Counter(owner.workspace.decisions.values_list("action", flat=True))
    assert logged["approved"] == done["approve"] + done["approve_edited"]
    assert logged["rejected"] == done["reject"]
    assert logged["rebased"] == done["rebase"]
    assert logged["reverted"] == done["revert"] + done["take_back"]
    assert (logged["revised"], logged["removed"], logged["restored"]) == (done["edit"], done["delete"], done["restore"])
    assert Configuration.objects.filter(agent=agent).exclude(reverts=None).count() == logged["reverted"]


@pytest.mark.django_db(transaction=True)
def test_one_name_given_twice_at_the_same_moment_is_given_once():
    agent, owner = an_agent()
    together = threading.Barrier(2)
    said = []

    def name_it():
        try:
            for n in range(8):
                together.wait(WAITS)
                try:
                    configuration.create_procedure(agent, name=f"Name {n}", content="1.", by=owner, door="page")
                except Exception as refusal:
                    said.append(refusal)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=name_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAITS)

    assert [type(refusal) for refusal in said] == [ValidationError] * 8
    holds(agent)


@pytest.mark.django_db(transaction=True)
def test_who_changes_much_at_once_and_who_changes_one_thing_never_wait_for_each_other_in_a_circle():
    agent, owner = an_agent()
    first, second = agent.memories.get(), agent.procedures.get()
    together, said = threading.Barrier(2), []

    def change(row, field):
        try:
            configuration.revise(row, changes={field: "Anew."}, base_version=1, by=owner, door="page")
            said.append("done")
        except Exception as refusal:
            said.append(type(refusal))

    def much():
        with transaction.atomic():
            change(first, "text")
            together.wait(WAITS)
            time.sleep(0.3)  # for the other to take what it can
            change(second, "content")
        connections.close_all()

    def one():
        together.wait(WAITS)
        change(Procedure.objects.get(pk=second.pk), "content")
        connections.close_all()

    threads = [threading.Thread(target=walk) for walk in (much, one)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * WAITS)

    assert said == ["done", "done", Conflict]
    holds(agent)
