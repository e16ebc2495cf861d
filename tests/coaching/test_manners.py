"""What the coach does not propose: what waits, what is known, what a person rejected; and how it refines."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import actions
from agents.models import Door
from coaching.actions import proposals, sessions
from coaching.coach.tools import Toolbox
from coaching.models import Proposal
from coaching.texts.alike import Text, alike
from coaching.texts.verbatim import Guard
from helpdesk.models import Rating
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.coaching import talks
from tests.coaching.test_tools import ASKED_TWICE, MEMORY, TOLD, propose, refused, tools

pytestmark = pytest.mark.django_db


@pytest.fixture
def session(agent, owner):
    return sessions.start(agent, by=owner, conversation=talks.conversation(agent))


@pytest.fixture
def asked(session):
    """The tools of a turn whose question is a button's."""
    turn = sessions.ask(session, by=session.started_by, text="How can the agent improve?")
    return Toolbox(turn, guard=Guard(), proposal_limit=20)


def rejected(proposal, owner, reason="Not so."):
    return proposals.reject(proposal, by=owner, door=Door.PAGE, reason=reason)


# Alike


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Refunds within 30 days are processed automatically.", "Automatically processed are refunds within 30 days"),
        ("Erstattungen werden innerhalb von 5 Tagen ausgezahlt.", "Erstattung wird innerhalb von 5 Tagen ausbezahlt."),
        ("Les remboursements prennent 5 jours.", "Le remboursement prend 5 jours."),
        ("Возврат занимает 5 дней.", "Возвраты занимают 5 дней."),
        ("退款需要五天", "退款需要五天。"),
        ("Refund", "Refunds"),
        ("REFUNDS TAKE 5 DAYS", "Refunds take 5 days."),
        ("Größe der Pakete ist begrenzt", "GRÖSSE der Pakete ist begrenzt"),
    ],
)
def test_texts_that_say_nearly_the_same_are_alike(one, other):
    assert alike(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Free returns", "Free delivery"),
        ("Refunds take 5 days.", "The shop in Lyon opens at nine."),
        ("Erstattungen dauern fünf Tage.", "Versand nach Österreich kostet sieben Euro."),
        ("", "Refunds take 5 days."),
        ("…", "!?"),
    ],
)
def test_texts_about_other_things_are_not(one, other):
    assert not alike(one, other)


def test_another_number_is_another_claim_but_is_looked_at():
    five, seven = Text("Refunds take 5 days."), Text("Refunds take 7 days.")

    assert five.like(seven)
    assert not five.claims(seven)


# Known already


@pytest.mark.parametrize(
    ("known", "proposed"),
    [
        ("Erstattungen werden innerhalb von 5 Tagen ausgezahlt.", "Erstattung wird innerhalb von 5 Tagen ausbezahlt."),
        ("Parcels are collected at noon.", "At noon parcels are collected."),
        ("Refund", "Refunds"),
    ],
)
def test_a_nearly_equal_memory_is_shown_in_any_language_and_order(session, agent, owner, known, proposed):
    memory = factories.memory(agent, owner, summary=known)

    words = refused(tools(session), "propose_memory_entry_create", summary=proposed, text="So.", **TOLD)

    assert str(memory.pk) in words
    assert known in words


def test_an_expired_memory_is_shown_and_said_to_be(session, agent, owner):
    memory = factories.memory(agent, owner, summary="Returns are free in December.")
    Memory.objects.filter(pk=memory.pk).update(expires_at=timezone.now() - timedelta(days=1))
    new = {"summary": "In December returns are free.", "text": "Until the 31st."}

    words = refused(tools(session), "propose_memory_entry_create", **new, **TOLD)

    assert str(memory.pk) in words
    assert '"expired": true' in words
    assert "new expiry" in words


def test_a_nearly_equal_memory_of_another_agent_is_not_shown(session, workspace, owner):
    factories.memory(factories.ai_agent(workspace), owner, summary=MEMORY["summary"])

    assert propose(tools(session), "memory_entry_create", **MEMORY, **TOLD).status == "pending"


# Refining


def test_a_second_change_of_the_same_thing_names_the_first(session, agent, owner):
    memory = factories.memory(agent, owner)
    on_memory = {"memory": str(memory.pk), "base_version": 1, **TOLD}
    toolbox = tools(session)
    first = propose(toolbox, "memory_entry_update", summary="Refunds are quick.", text="Very.", **on_memory)

    slow = {"summary": "Refunds are slow.", **on_memory, "text": "Slow."}
    assert str(first.pk) in refused(tools(session), "propose_memory_entry_update", **slow)
    assert str(first.pk) in refused(toolbox, "propose_memory_entry_delete", **on_memory)
    second = propose(toolbox, "memory_entry_delete", **on_memory, replaces=str(first.pk))

    first.refresh_from_db()
    assert (first.status, second.replaces_id) == ("superseded", first.pk)


def test_a_second_change_of_the_prompt_names_the_first(session):
    edit = {"base_version": 1, "edits": [{"old": "200 €", "new": "300 €"}], **TOLD}
    first = propose(tools(session), "prompt_change", **edit)
    other = {**edit, "edits": [{"old": "customers", "new": "guests"}]}

    assert str(first.pk) in refused(tools(session), "propose_prompt_change", **other)
    assert propose(tools(session), "prompt_change", **other, replaces=str(first.pk)).replaces_id == first.pk


def test_a_nearly_equal_new_memory_names_the_one_that_waits(session):
    first = propose(tools(session), "memory_entry_create", **MEMORY, **TOLD)
    better = {"summary": "A parcel can be followed by its number.", "text": "The number is in the mail."}

    assert str(first.pk) in refused(tools(session), "propose_memory_entry_create", **better, **TOLD)
    other = propose(tools(session), "memory_entry_create", **better, **TOLD, different_from=[str(first.pk)])
    refined = {**better, "text": "Look into the mail."}
    third = propose(
        tools(session), "memory_entry_create", **refined, **TOLD, replaces=str(first.pk), different_from=[str(other.pk)]
    )
    assert third.replaces_id == first.pk


def test_another_session_may_change_the_same_thing(session, agent, owner):
    edit = {"base_version": 1, "edits": [{"old": "200 €", "new": "300 €"}], **TOLD}
    propose(tools(session), "prompt_change", **edit)

    other = sessions.start(agent, by=owner)

    edits = [{"old": "200 €", "new": "400 €"}]
    assert propose(tools(other), "prompt_change", base_version=1, edits=edits, **TOLD).status == "pending"


# Rejected


def test_what_was_rejected_is_refused_with_the_reason(asked, agent, owner):
    change = {"summary": "Parcels can be followed by number.", "text": "The number is in the mail."}
    rejected(factories.proposal(agent, change=change), owner, "The mail has no number.")

    for again in (
        MEMORY,
        {"summary": "A parcel can be followed by number.", "text": "It stands in the mail."},
        {"summary": "Parcels can be followed by number!", "text": "Look there."},
    ):
        words = refused(asked, "propose_memory_entry_create", **again, **ASKED_TWICE)
        assert "The mail has no number." in words
        assert "unless the leader asks" in words
    other = {"summary": "Parcels are insured up to 500 €.", "text": "Always."}
    assert propose(asked, "memory_entry_create", **other, **ASKED_TWICE).status == "pending"


def test_what_was_rejected_with_another_number_is_another_claim(asked, agent, owner):
    change = {"summary": "Refunds take 5 days.", "text": "Five working days."}
    rejected(factories.proposal(agent, change=change), owner, "It is 7.")

    seven = {"summary": "Refunds take 7 days.", "text": "Seven working days."}
    assert propose(asked, "memory_entry_create", **seven, **ASKED_TWICE).status == "pending"


def test_the_leader_may_ask_for_what_was_rejected_but_a_suggestion_may_not(session, asked, agent, owner):
    rejected(factories.proposal(agent, change=MEMORY), owner, "Not yet.")
    turn = sessions.claim(asked.turn.pk)
    sessions.finish(turn, "done", text="So.\n\nAsk next:\n- Add a memory that parcels can be followed by number.")
    suggested = Toolbox(sessions.ask_next(turn, 1, by=owner), guard=Guard(), proposal_limit=20)

    assert "Not yet." in refused(suggested, "propose_memory_entry_create", **MEMORY, **ASKED_TWICE)
    assert "suggestion" in refused(suggested, "propose_memory_entry_create", **MEMORY, **TOLD)
    told = tools(session).call("propose_memory_entry_create", {**MEMORY, **TOLD}).value
    assert (told["status"], told["rejected_before"]) == ("pending", "Not yet.")


def test_a_rejected_prompt_line_is_not_proposed_again_on_a_newer_prompt(asked, agent, owner):
    edits = [{"old": "200 €", "new": "300 €"}]
    first = propose(asked, "prompt_change", base_version=1, edits=edits, **ASKED_TWICE)
    rejected(first, owner, "200 is right.")
    text = agent.prompt.system_prompt + "\nBe kind."
    actions.change_prompt(agent.prompt, system_prompt=text, base_version=1, by=owner, door=Door.PAGE, reason="")

    again = {"base_version": 2, "edits": edits, **ASKED_TWICE}
    assert "200 is right." in refused(asked, "propose_prompt_change", **again)
    other = {"base_version": 2, "edits": [{"old": "200 €", "new": "250 €"}], **ASKED_TWICE}
    assert propose(asked, "prompt_change", **other).status == "pending"


def test_a_delete_that_was_rejected_is_refused_until_the_memory_changes(session, asked, agent, owner):
    memory = factories.memory(agent, owner)
    on_memory = {"memory": str(memory.pk), **ASKED_TWICE}
    rejected(propose(tools(session), "memory_entry_delete", base_version=1, **on_memory), owner, "We need it.")

    assert "We need it." in refused(asked, "propose_memory_entry_delete", base_version=1, **on_memory)
    memories.revise(memory, changes={"text": "New."}, base_version=1, by=owner, door=Door.PAGE)
    assert propose(asked, "memory_entry_delete", base_version=2, **on_memory).status == "pending"


def test_what_another_agent_was_refused_does_not_count(asked, workspace, owner):
    rejected(factories.proposal(factories.ai_agent(workspace), change=MEMORY), owner)

    assert propose(asked, "memory_entry_create", **MEMORY, **ASKED_TWICE).status == "pending"


# The practice model


def only(answered):
    assert len(answered.proposals) == 1, answered.text
    return answered.proposals[0]


@pytest.fixture
def _no_key(settings):
    settings.ANTHROPIC_API_KEY = ""


@pytest.mark.usefixtures("_no_key")
def test_practice_a_second_line_for_the_prompt_keeps_the_first(session, agent):
    first = only(talks.ask(session, "Change the prompt so that it always greets the customer"))
    second = only(talks.ask(session, "Change the prompt so that it never shouts"))

    first.refresh_from_db()
    lines = second.change["system_prompt"].splitlines()
    assert (first.status, second.replaces_id) == ("superseded", first.pk)
    assert lines == [
        *agent.prompt.system_prompt.splitlines(), "The agent always greets the customer.", "The agent never shouts.",
    ]  # fmt: skip


@pytest.mark.usefixtures("_no_key")
def test_practice_asked_to_change_a_memory_twice_supersedes(session, agent, owner):
    memory = factories.memory(agent, owner)
    first = only(talks.ask(session, "Change the memory about refunds so that it says refunds take 5 days"))
    second = only(talks.ask(session, f"Change the memory {memory.pk} so that also weekends count"))

    assert second.replaces_id == first.pk
    assert second.change["text"] == "Refunds take 5 days.\nWeekends count."


@pytest.mark.usefixtures("_no_key")
def test_practice_adds_what_the_leader_says_and_names_a_rejection(session, owner):
    first = only(talks.ask(session, "Add a memory that refunds take 5 days"))
    second = only(talks.ask(session, "Add a memory that refunds take 7 days"))
    assert {first.status, second.status} == {"pending"}

    rejected(first, owner, "It is 7.")
    again = talks.ask(session, "Add a memory that refunds take 5 days")

    assert only(again).status == "pending"
    assert "A person rejected this before (It is 7.)" in again.text


@pytest.mark.usefixtures("_no_key")
def test_practice_tells_what_was_rejected_when_asked_how_to_improve(session, agent, owner):
    rejected(factories.proposal(agent, change=MEMORY), owner, "The mail has no number.")

    text = talks.ask(session, "How can the agent improve?").text

    assert "“Parcels can be followed by number.”, because: “The mail has no number.”" in text
    assert Proposal.objects.count() == 1


@pytest.mark.usefixtures("_no_key")
def test_practice_leaves_alone_what_went_well(agent, owner):
    said = [("customer", "When do you open?"), ("agent", "At nine."), ("customer", "Thank you!")]
    row = talks.conversation(agent, said)
    Rating.objects.create(
        workspace=agent.workspace, conversation=row, agent=agent, value="5", scale="stars5", score_hundredths=10_000,
        rated_at=row.closed_at,
    )  # fmt: skip

    answered = talks.ask(sessions.start(agent, by=owner, conversation=row), "What went wrong?")

    assert "nothing that I can count speaks of trouble" in answered.text
    assert "So I propose nothing" in answered.text
    assert answered.proposals == []


@pytest.mark.usefixtures("_no_key")
def test_practice_keeps_to_the_turns_it_is_pointed_at(session):
    answered = talks.ask(session, "What went wrong?", focus=[2])

    assert "You point at turn 2, tool: “Error: order not found”" in answered.text
    assert "turn 6" not in answered.text
    assert "Asked at" not in answered.text
    asked = sessions.suggestions(answered.turn.messages.get(role="coach"))
    assert asked[0] == "What went wrong in the whole conversation?"
    assert "Turns read: 7" in talks.answer(sessions.ask_next(answered.turn, 1, by=session.started_by)).text
