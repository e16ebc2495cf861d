"""Every tool of the coach, one line each: what it takes, and what it refuses whatever a model says.

A tool without a line here fails the first test.
"""

import uuid

import pytest

from agents import actions
from agents.models import Agent, Door
from coaching.actions import sessions
from coaching.coach.protocol import ToolError
from coaching.coach.tools import TOOLS, Toolbox
from coaching.models import Proposal
from coaching.texts.verbatim import Guard
from helpdesk.models import Conversation
from memories.models import Memory
from tests import factories
from tests.coaching import talks

pytestmark = pytest.mark.django_db

WHY = {"rationale": "You asked for it.", "evidence": [{"message": True}]}
MEMORY = {"summary": "Lamps come in blue.", "text": "Only there."}
EDIT = [{"old": "200 €", "new": "300 €"}]
STEP = [{"field": "content", "old": "1. Look.", "new": "1. See."}]

# Each tool with an input it accepts; {…} is the id of a row of the agent, which another agent's takes the place of.
LINES = {
    "read_prompt": {},
    "search_memories": {"query": "refunds"},
    "read_memory": {"memory": "{memory}"},
    "list_procedures": {},
    "read_procedure": {"procedure": "{procedure}"},
    "read_conversation": {"conversation": "{conversation}"},
    "find_conversations": {"in_session": False},
    "earlier_proposals": {"status": "pending"},
    "propose_memory_entry_create": {**MEMORY, **WHY, "replaces": "{proposal}"},
    "propose_memory_entry_update": {"memory": "{memory}", "base_version": 1, **MEMORY, **WHY},
    "propose_memory_entry_delete": {"memory": "{memory}", "base_version": 1, **WHY},
    "propose_prompt_change": {"base_version": 1, "edits": EDIT, **WHY},
    "propose_procedure_create": {"name": "Lost", "trigger": "It is lost.", "content": "1. Ask.", **WHY},
    "propose_procedure_update": {"procedure": "{procedure}", "base_version": 1, "edits": STEP, **WHY},
    "propose_procedure_delete": {"procedure": "{procedure}", "base_version": 1, **WHY},
}
HUGE = "x" * 3_000_000


def filled(given, rows):
    return {
        name: rows[value[1:-1]] if isinstance(value, str) and value[:1] == "{" else value
        for name, value in given.items()
    }


def rows_of(agent, by):
    """The ids of one row of everything an agent has."""
    return {
        "memory": str(factories.memory(agent, by).pk),
        "procedure": str(factories.procedure(agent, by).pk),
        "conversation": str(talks.conversation(agent).pk),
        "proposal": str(factories.proposal(agent).pk),
    }


@pytest.fixture
def mine(agent, owner):
    return rows_of(agent, owner)


@pytest.fixture
def toolbox(agent, owner, mine):
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent))
    turn = sessions.ask(session, by=owner, text="Change it like this.")
    return Toolbox(turn, guard=Guard(), proposal_limit=20)


def refusal(toolbox, name, given):
    """The words a call is refused with; nothing may be stored by it."""
    before = Proposal.objects.count()
    with pytest.raises(ToolError) as error:
        toolbox.call(name, given)
    assert Proposal.objects.count() == before
    return str(error.value)


def test_every_tool_has_its_line():
    assert list(LINES) == list(TOOLS)


@pytest.mark.parametrize("name", LINES)
def test_it_does_its_work(toolbox, mine, name):
    result = toolbox.call(name, filled(LINES[name], mine))

    assert bool(result.proposal) == name.startswith("propose_")


@pytest.mark.parametrize("name", LINES)
def test_its_shape_is_closed(toolbox, mine, name):
    given = filled(LINES[name], mine)

    assert TOOLS[name].input_schema["additionalProperties"] is False
    for unknown in (
        {"agent": mine["memory"]},
        {"workspace": "1"},
        {"status": "approved"} if "status" not in given else {"by": 1},
    ):
        assert "does not fit" in refusal(toolbox, name, given | unknown)
    for missing in TOOLS[name].required:
        assert "required" in refusal(toolbox, name, {key: value for key, value in given.items() if key != missing})


@pytest.mark.parametrize("name", LINES)
def test_wrong_types_and_huge_inputs_are_refused(toolbox, mine, name):
    given = filled(LINES[name], mine)

    for key in TOOLS[name].properties:
        for wrong in (-7.5, {"a": 1}, [[]], HUGE, [HUGE]):
            assert "does not fit" in refusal(toolbox, name, given | {key: wrong})[:200]


@pytest.mark.parametrize("wrong", ["x\0y", "x\ud800y"])
def test_what_no_database_keeps_is_refused(toolbox, wrong):
    for name in ("search_memories", "propose_memory_entry_create"):
        given = {"query": wrong} if name == "search_memories" else {**MEMORY, **WHY, "summary": wrong}
        assert "no text" in refusal(toolbox, name, given)


@pytest.mark.parametrize("name", [name for name, given in LINES.items() if "{" in str(list(given.values()))])
@pytest.mark.parametrize("whose", ["another agent", "another workspace", "nobody", "no id"])
def test_rows_of_others_do_not_exist_for_it(toolbox, mine, name, whose, workspace, stranger):
    if whose == "another agent":
        rows = rows_of(factories.ai_agent(workspace), toolbox.question.turn.asked_by)
    elif whose == "another workspace":
        rows = rows_of(factories.ai_agent(stranger.workspace), stranger)
    else:
        rows = dict.fromkeys(mine, str(uuid.uuid4()) if whose == "nobody" else "1; DROP TABLE")

    for place in [key for key, value in LINES[name].items() if isinstance(value, str) and value[:1] == "{"]:
        words = refusal(toolbox, name, filled(LINES[name], mine) | {place: rows[LINES[name][place][1:-1]]})
        assert "no such" in words or "not the id" in words


@pytest.mark.parametrize("name", [name for name in LINES if "quote" not in name and name.startswith("propose_")])
def test_evidence_of_others_does_not_exist_for_it(toolbox, mine, name, workspace, stranger):
    for agent in (factories.ai_agent(workspace), factories.ai_agent(stranger.workspace)):
        theirs = {"conversation": str(talks.conversation(agent).pk), "turn": 4, "quote": talks.PARCEL[4][1]}
        assert "no such conversation" in refusal(toolbox, name, filled(LINES[name], mine) | {"evidence": [theirs]})


def test_lists_hold_nothing_of_others(toolbox, workspace, stranger):
    for agent, by in (
        (factories.ai_agent(workspace), toolbox.question.turn.asked_by), (factories.ai_agent(stranger.workspace), stranger),
    ):  # fmt: skip
        theirs = rows_of(agent, by)
        for name in ("search_memories", "list_procedures", "find_conversations", "earlier_proposals"):
            told = str(toolbox.call(name, filled(LINES[name], theirs)).value)
            assert not [pk for pk in theirs.values() if pk in told]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("read_memory", "memory"), ("read_procedure", "procedure"), ("propose_memory_entry_update", "memory"),
        ("propose_memory_entry_delete", "memory"), ("propose_procedure_update", "procedure"),
        ("propose_procedure_delete", "procedure"),
    ],
)  # fmt: skip
def test_a_removed_row_does_not_exist_for_it(toolbox, mine, agent, owner, name, kind):
    row = {"memory": Memory.objects.filter(agent=agent), "procedure": agent.procedures.all()}[kind].get(pk=mine[kind])
    actions.remove(row, base_version=1, by=owner, door=Door.PAGE)

    assert "no such" in refusal(toolbox, name, filled(LINES[name], mine))


def test_a_conversation_that_was_deleted_meanwhile_does_not_exist(toolbox, mine, agent):
    agent.conversations.all().delete()
    toolbox.session.refresh_from_db()

    assert "no such" in refusal(toolbox, "read_conversation", {"conversation": mine["conversation"]})
    assert "not about one conversation" in refusal(toolbox, "read_conversation", {})


@pytest.mark.parametrize("name", LINES)
def test_it_does_nothing_once_the_coach_is_switched_off(toolbox, mine, name):
    Agent.objects.filter(pk=toolbox.agent.pk).update(coaching=False)

    assert "switched off" in refusal(toolbox, name, filled(LINES[name], mine))


def test_there_is_no_tool_that_decides():
    assert not [
        name for name in TOOLS if not name.startswith(("read_", "search_", "list_", "find_", "earlier_", "propose_"))
    ]


# Evidence


@pytest.mark.parametrize(
    ("said", "quote", "found"),
    [
        ("Ich möchte eine Rückerstattung haben", "eine Ru\u0308ckerstattung", "eine Rückerstattung"),
        ("Ich mo\u0308chte eine Ru\u0308ckerstattung", "eine Rückerstattung", "eine Ru\u0308ckerstattung"),
        ("\u202bאני רוצה החזר כספי\u202c בבקשה", "אני רוצה החזר כספי", "אני רוצה החזר כספי"),
        ("أين طردي الآن؟ \u200fرقم الطلب", "الآن؟ رقم الطلب", "الآن؟ \u200fرقم الطلب"),
        (
            "The 👩\u200d👩\u200d👧 family ticket 🎉 please",
            "👩👩👧 family ticket 🎉",
            "👩\u200d👩\u200d👧 family ticket 🎉",
        ),
        (
            "Soft\u00adhyphen and zero\u200bwidth here",
            "Softhyphen and zerowidth",
            "Soft\u00adhyphen and zero\u200bwidth",
        ),
    ],
)
def test_a_quote_is_found_however_its_letters_are_written(agent, owner, said, quote, found):
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent, [("customer", said)]))
    toolbox = Toolbox(sessions.ask(session, by=owner, text="Do it."), guard=Guard(), proposal_limit=20)
    evidence = [{"turn": 0, "quote": quote}]

    made = toolbox.call("propose_memory_entry_create", {**MEMORY, "rationale": "So.", "evidence": evidence})

    assert Proposal.objects.get(pk=made.proposal).evidence[0]["quote"] == found


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        ({"turn": 1, "quote": "let me see. Error: order"}, "not in the transcript"),  # across two turns
        ({"turn": 3, "quote": "anything at all"}, "not in the transcript"),  # of an empty turn
        ({"turn": 3, "quote": " \n\t "}, "is empty"),
        ({"turn": 3, "quote": "\u200b\u200e"}, "is empty"),
        ({"turn": 3, "quote": ""}, "does not fit"),
        ({"turn": 99, "quote": "order not found"}, "turn 99"),
    ],
)
def test_a_quote_that_nobody_said_in_one_turn_is_refused(agent, owner, evidence, words):
    said = [("customer", "Where is it?"), ("agent", "Well, let me see."), ("tool", "Error: order not found, order not found"),
            ("tool", ""), ("tool", "order not found")]  # fmt: skip
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent, said))
    toolbox = Toolbox(sessions.ask(session, by=owner, text="Do it."), guard=Guard(), proposal_limit=20)

    given = {**MEMORY, "rationale": "So.", "evidence": [evidence]}
    assert words in refusal(toolbox, "propose_memory_entry_create", given)


def test_a_quote_of_a_folded_tool_turn_holds(toolbox):
    evidence = [{"turn": 2, "quote": "order not found"}]

    made = toolbox.call("propose_memory_entry_create", {**MEMORY, "rationale": "So.", "evidence": evidence})

    assert Proposal.objects.get(pk=made.proposal).evidence[0]["turn"] == 2


def test_under_a_focus_neither_the_message_nor_another_conversation_is_enough(agent, owner, mine):
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent))
    turn = sessions.ask(session, by=owner, text="Change this.", focus=[4])
    toolbox = Toolbox(turn, guard=Guard(), proposal_limit=20)
    there = {"conversation": mine["conversation"], "turn": 4, "quote": talks.PARCEL[4][1]}
    inside, outside = {"turn": 4, "quote": talks.PARCEL[4][1]}, {"turn": 6, "quote": talks.PARCEL[6][1]}
    given = {**MEMORY, "rationale": "So."}

    for evidence in ([{"message": True}], [there], [outside], [{"message": True}, there, outside]):
        words = refusal(toolbox, "propose_memory_entry_create", {**given, "evidence": evidence})
        assert "mention it as a follow-up" in words
    assert toolbox.call(
        "propose_memory_entry_create", {**given, "evidence": [{"message": True}, there, inside]}
    ).proposal


def test_a_conversation_that_went_to_another_agent_is_not_read_any_more(toolbox, agent):
    other = factories.ai_agent(agent.workspace)
    Conversation.objects.filter(pk=toolbox.session.conversation_id).update(agent=other)

    assert "no such conversation" in refusal(toolbox, "read_conversation", {})
    assert "no such conversation" in refusal(
        toolbox,
        "propose_memory_entry_create",
        {**MEMORY, "rationale": "So.", "evidence": [{"turn": 0, "quote": talks.PARCEL[0][1]}]},
    )
