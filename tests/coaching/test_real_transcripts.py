"""Real conversations, imported as an operator does: each is shown, analysed by the practice model and changed upon.

They are read from the folder TOUCHLINE_SHARED, else from `../shared` beside the checkout; without it these tests are skipped.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as project
from django.test import Client

from agents.models import Agent
from coaching.actions import sessions
from coaching.practice import facts
from coaching.texts import risk
from coaching.texts.verbatim import shares_run
from helpdesk import sources
from helpdesk.models import Conversation
from tests.coaching import talks
from tests.helpdesk.test_import_ratings import Ran

SHARED = Path(os.environ.get("TOUCHLINE_SHARED") or Path(project.BASE_DIR).parent / "shared") / "data"
AIRLINE, RETAIL, THREADS = SHARED / "transcripts-airline", SHARED / "transcripts-retail", SHARED / "support-threads"
LABELS = SHARED / "failure-labels-airline" / "failures.jsonl"
FEW = 40  # of every so many conversations the quick tests look at one
ALL = (
    pytest.mark.slow,
    pytest.mark.skipif(
        not os.environ.get("TOUCHLINE_SHARED"), reason="all of them take minutes: name their folder in TOUCHLINE_SHARED"
    ),
)

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(
        not SHARED.is_dir(), reason=f"no real conversations in {SHARED}; name the folder in TOUCHLINE_SHARED"
    ),
]


@pytest.fixture(autouse=True)
def _no_key(settings):
    settings.ANTHROPIC_API_KEY = ""


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def thread_as_body(thread):
    """A thread of the forum as a body of POST /conversations; one was asked in its title alone."""
    at = [_milliseconds(each["at"]) for each in thread["messages"]]
    return {
        "externalId": str(thread["question_id"]),
        "openedAt": min(at),
        "closedAt": max(at),
        "transcript": [
            {"role": each["role"], "text": each["text"] or thread["title"], "at": when}
            | ({"name": each["agent"]} if each.get("agent") else {})
            for each, when in zip(thread["messages"], at, strict=True)
        ],
    }


def _milliseconds(at):
    return int(datetime.fromisoformat(at).astimezone(UTC).timestamp() * 1000)


def imported(workspace, tmp_path, which, every):
    """One in `every` conversations of a set, imported by the command for an AI agent with a coach."""
    path = tmp_path / "some.jsonl"
    options = {"workspace": workspace.slug, "agent": which.name}
    if which == THREADS:
        lines = [thread_as_body(each) for each in rows(which / "threads.jsonl")[::every]]
    else:
        lines = rows(which / "conversations.jsonl")[::every]
        options |= {"format": "tau", "csat_from": "reward", "system_prompt": which / "policy.md"}
    path.write_text("\n".join(map(json.dumps, lines)))
    ran = Ran("import_conversations", path, **options)
    assert (ran.code, ran.counts) == (0, {"accepted": len(lines)}), ran.err
    agent = Agent.objects.get(workspace=workspace, name=which.name)
    Agent.objects.filter(pk=agent.pk).update(coaching=True)
    agent.refresh_from_db()
    return agent


def check(conversation, owner, browser):
    """Shown whole, analysed without a verdict or a proposal, then changed upon with evidence that resolves."""
    said = sources.read(conversation)
    page = browser.get(f"/conversations/{conversation.pk}")
    assert page.status_code == 200
    assert page.content.decode().count('data-role="') == len(said)

    session = sessions.start(conversation.agent, by=owner, conversation=conversation)
    answered = talks.ask(session, "What went wrong?")
    assert answered.turn.state == "done", answered.turn.error
    assert answered.proposals == []
    assert f"Turns read: {len(said)} (" in answered.text
    assert not [turn.text[:200] for turn in said if turn.role == "customer" and shares_run(answered.text, turn.text)]

    focus = next(number for number, turn in enumerate(said) if turn.role == "customer" and turn.text.strip())
    told = f"Add a memory that case {conversation.external_id} is looked at by a person"
    answered = talks.ask(session, told, focus=[focus])
    assert len(answered.proposals) == 1, answered.text
    message, quote = answered.proposals[0].evidence
    assert message == {"message": str(answered.turn.messages.get(role="user").pk)}
    assert (quote["conversation"], quote["turn"]) == (str(conversation.pk), focus)
    assert said[focus].text[quote["start"] : quote["end"]].startswith(quote["quote"])
    assert quote["quote"].strip()


@pytest.mark.parametrize(
    ("which", "every"),
    [
        pytest.param(which, every, id=f"{which.name}-{'some' if every > 1 else 'all'}", marks=marks)
        for which in (AIRLINE, RETAIL, THREADS)
        for every, marks in ((FEW, ()), (1, ALL))
    ],
)
def test_every_conversation_is_shown_analysed_and_changed_upon(workspace, owner, tmp_path, which, every):
    agent = imported(workspace, tmp_path, which, every)
    browser = Client()
    browser.force_login(owner.user)

    conversations = list(Conversation.objects.filter(agent=agent).select_related("agent").order_by("pk"))
    for conversation in conversations:
        check(conversation, owner, browser)

    assert len(conversations) == len(rows(next(which.glob("*.jsonl")))[::every])


def test_a_set_of_real_conversations_is_counted_as_they_are(workspace, owner, tmp_path):
    agent = imported(workspace, tmp_path, AIRLINE, 10)
    chosen = list(Conversation.objects.filter(agent=agent).order_by("pk"))
    failed = sum(any(turn.role == "tool" and turn.text.startswith("Error") for turn in sources.read(c)) for c in chosen)
    low = sum(each["reward"] < 1 for each in rows(AIRLINE / "conversations.jsonl")[::10])

    text = talks.ask(sessions.start(agent, by=owner, conversations=chosen), "Is this a pattern?").text

    assert f"I could read {len(chosen)} of the {len(chosen)}." in text
    assert f"Rated below 50 of 100: in {low} of the {len(chosen)}" in text
    assert f"A tool answered with an error: in {failed} of the {len(chosen)}" in text


# What a coach should notice: the labels are a model's opinion and come without the messages, so only calls can be checked.


def told_of(actions):
    """The facts of a transcript in which an agent makes these calls and every tool answers."""
    turns = []
    for action in actions:
        arguments = json.dumps(action["arguments"], ensure_ascii=False)
        turns.append({"turn": len(turns), "role": "agent", "text": f"[calls {action['name']}({arguments})]"})
        turns.append({"turn": len(turns), "role": "tool", "name": action["name"], "text": "{}"})
    return facts.of({"turns": turns, "turn_count": len(turns), "cut": False, "csat": None}, [])


def test_the_calls_that_labels_blame_stand_among_the_facts():
    named = shown = labels = 0
    for label in rows(LABELS):
        wrong = [each for each in label["agent_actions"] if each not in label["expected_actions"]]
        if label["category"] not in ("wrong_arguments", "wrong_tool") or not wrong:
            continue
        told = "\n".join(told_of(label["agent_actions"]))
        labels += 1
        named += all(f"{each['name']} " in told for each in wrong)
        shown += any(f"“{each['name']}({json.dumps(each['arguments'])[:40]}" in told for each in wrong)
    print(
        f"of {labels} labels of a wrong call: every tool named {named}, a wrong call shown with its arguments {shown}"
    )

    assert labels > 40
    assert named == labels
    assert shown >= 0.9 * labels


def test_every_failed_tool_stands_among_the_facts():
    n = found = 0
    for row in rows(AIRLINE / "conversations.jsonl"):
        turns = []
        for at, each in enumerate(row["messages"]):
            role = "tool" if each["role"] == "tool" else "agent"
            turns.append({"turn": at, "role": role, "text": each["content"] or "", "name": each.get("name")})
        errors = [each["turn"] for each in turns if each["role"] == "tool" and each["text"].startswith("Error")]
        told = "\n".join(facts.of({"turns": turns, "turn_count": len(turns), "cut": False, "csat": None}, []))
        n += len(errors)
        found += sum(f"A tool answered with an error at turn {at}," in told for at in errors)
    assert (n, found) == (73, 73)


# How often the marks of risk speak without need


def test_real_conversations_hold_no_words_that_seem_to_speak_to_the_coach():
    made = [row for path in (AIRLINE, RETAIL) for row in rows(path / "conversations.jsonl")]
    texts = [each["content"] or "" for row in made for each in row["messages"]]
    texts += [each["text"] for row in rows(THREADS / "threads.jsonl") for each in row["messages"]]

    assert [text[:80] for text in texts if risk.planted(text)] == []


def test_few_real_memories_read_like_an_instruction():
    memories = rows(SHARED / "memory-kb-support" / "memories.jsonl")
    new = [{"summary": each["summary"], "text": each["text"]} for each in memories]
    marked = [risk.assess(type="memory_entry_create", change=each, base={}, rationale="So.") for each in new]

    for_links = sum("It adds a link." in each.reasons for each in marked)
    like_instructions = sum("It reads like an instruction" in " ".join(each.reasons) for each in marked)
    print(f"of {len(marked)} memories: with a link {for_links}, like an instruction {like_instructions}")
    assert like_instructions / len(marked) < 0.03
