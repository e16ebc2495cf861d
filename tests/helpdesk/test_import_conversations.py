"""Conversations from files, in our own shape and in that of tool-using test runs."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from agents.models import Agent
from helpdesk import files, sources
from helpdesk.models import Conversation, Rating, StoredTranscript
from tests import factories
from tests.helpdesk.test_import_ratings import Ran

NOW_MS = int(timezone.now().timestamp() * 1000)
TAU = {
    "id": "run-1",
    "task_id": 0,
    "reward": 0.0,
    "customer_goal": "hidden truth",
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Where is my parcel?"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "a", "name": "find", "arguments": {"id": "ü"}}]},
        {"role": "tool", "tool_call_id": "a", "content": ""},
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "One more look."}],
            "tool_calls": [{"id": "b", "type": "function", "function": {"name": "track", "arguments": '{"n": 1}'}}],
        },
        {"role": "tool", "name": "track", "content": "on its way"},
        {"role": "assistant", "content": ""},
        {"role": "assistant", "content": "It is on its way."},
    ],
}


@pytest.fixture
def run(workspace, tmp_path):
    def run(lines, **options):
        path = tmp_path / "conversations.jsonl"
        if not isinstance(lines, bytes):
            lines = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines).encode()
        path.write_bytes(lines)
        return Ran("import_conversations", path, workspace=workspace.slug, **options)

    return run


def test_tool_using_conversation_becomes_turns(run, workspace):
    Agent.objects.filter(workspace=workspace).update(storage_mode=Agent.Storage.FULL)

    ran = run([TAU], format="tau", agent="Robin")

    assert (ran.code, ran.counts, ran.out[-1]) == (0, {"accepted": 1}, "1 new agent: Robin.")
    conversation = Conversation.objects.get()
    assert (conversation.external_id, conversation.source, conversation.status) == ("run-1", "api", "closed")
    assert sources.read(conversation).as_json() == [
        {"role": "system", "text": "Be kind."},
        {"role": "customer", "text": "Where is my parcel?"},
        {"role": "agent", "text": '[calls find({"id": "ü"})]'},
        {"role": "tool", "text": "", "name": "find"},
        {"role": "agent", "text": 'One more look.\n[calls track({"n": 1})]'},
        {"role": "tool", "text": "on its way", "name": "track"},
        {"role": "agent", "text": "It is on its way."},
    ]
    assert Rating.objects.count() == 0
    assert "hidden" not in json.dumps(StoredTranscript.objects.get().turns)


def test_new_agent_gets_the_prompt_and_a_known_one_keeps_its_own(run, workspace, tmp_path):
    policy = tmp_path / "policy.md"
    policy.write_text("Be brief.")
    run([TAU], format="tau", agent="Robin", system_prompt=policy)
    agent = Agent.objects.get()
    assert (agent.kind, agent.prompt.system_prompt, agent.prompt.version) == ("ai", "Be brief.", 1)

    policy.write_text("Be long.")
    again = run([TAU], format="tau", agent="Robin", system_prompt=policy)

    agent.prompt.refresh_from_db()
    assert agent.prompt.system_prompt == "Be brief."
    assert again.err == ["Robin is known and keeps the prompt it has (version 1)."]


def test_name_of_two_agents_is_refused_with_their_ids(run, workspace):
    first, second = (factories.ai_agent(workspace, name="Robin") for _ in range(2))

    ran = run([TAU], format="tau", agent="Robin")

    assert ran.code == 2
    assert ran.err == [f"Several agents are called Robin; use one of the ids {first.pk}, {second.pk}."]


def test_runs_are_spaced_back_from_the_last_and_keep_their_times(run):
    lines = [TAU | {"id": n} for n in range(3)]
    options = {"format": "tau", "agent": "Robin", "spacing": 30}

    run(lines, closed_at="2026-03-01T12:00:00Z", **options)
    again = run(lines, csat_from="reward", **options)
    once_more = run(lines, csat_from="reward", **options)

    times = Conversation.objects.order_by("closed_at").values_list("external_id", "closed_at")
    assert [(ext, at.strftime("%H:%M")) for ext, at in times] == [("0", "11:00"), ("1", "11:30"), ("2", "12:00")]
    assert again.counts == {"accepted": 0, "updated": 3}
    assert once_more.counts == {"accepted": 0, "unchanged": 3}
    assert [rating.rated_at for rating in Rating.objects.order_by("rated_at")] == [at for _, at in times]


def test_reward_becomes_a_rating_only_where_asked_for(run):
    run(
        [TAU, TAU | {"id": "run-2", "reward": 1}, TAU | {"id": "run-3", "reward": None}],
        format="tau",
        agent="R",
        csat_from="reward",
    )

    told = Rating.objects.order_by("conversation__external_id").values_list("value", "scale", "credit")
    assert list(told) == [("bad", "binary", "assignee"), ("good", "binary", "assignee")]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": None}, "id: It is missing, or no text of at most 300 characters."),
        ({"messages": {}}, "messages: It is a list."),
        ({"messages": [{"role": "robot", "content": ""}]}, "messages.0.role: It is one of user"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content: It is text, or a list of parts."),
        ({"messages": [{"role": "assistant", "tool_calls": [{}]}]}, "messages.0.tool_calls: A call names its tool."),
        ({"messages": [{"role": "user", "content": "a\0"}]}, "transcript.0.text: It holds a NUL character."),
        ({"messages": [{"role": "user", "content": "\ud800"}]}, "transcript.0.text: It holds half a character"),
        ({"messages": [{"role": "user", "content": "x"}] * 5_001}, "transcript: It has 5,001 turns; at most 5,000"),
        ({"messages": [{"role": "user", "content": "x" * 2_000_001}]}, "transcript: It is larger than 2 MB."),
        ({"reward": "1"}, "reward: It is a number."),
    ],
)
def test_bad_line_is_named_and_the_others_land(run, change, why):
    ran = run(
        [TAU, TAU | change | {"id": change.get("id", "x")}, TAU | {"id": "z"}],
        format="tau",
        agent="R",
        csat_from="reward",
    )

    assert (ran.code, ran.counts) == (1, {"accepted": 2, "refused": 1})
    assert ran.err[0].startswith(f"line 2: {why}")


def test_lines_in_our_own_shape_are_bodies_of_the_route(run, workspace, agent):
    line = {
        "externalId": "1",
        "agent": agent.name,
        "openedAt": NOW_MS - 2_000,
        "closedAt": NOW_MS - 1_000,
        "csat": {"value": 4, "scale": "stars5", "ratedAt": NOW_MS},
        "transcript": [{"role": "customer", "text": "Hello"}],
    }
    nameless = {"externalId": "2", "closedAt": NOW_MS}

    ran = run([line, "", nameless, "{", "[]", '{"externalId": NaN}', line | {"agent": "Nobody"}], agent=agent.name)

    assert (ran.code, ran.counts) == (1, {"accepted": 2, "refused": 4})
    assert ran.err == [
        "line 4: It is not JSON (column 2).",
        "line 5: It is not an object.",
        "line 6: It is not JSON.",
        "line 7: agent: No agent is called Nobody.",
    ]
    assert Conversation.objects.get(external_id="2").agent == agent


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff\xfe{}", "line 1: It is not UTF-8."),
        (b"[" * 100_000, "line 1: It is nested too deeply."),
        (b'{"externalId": "' + b"x" * files.LONGEST_JSON_LINE + b'"}', "line 1: The line is longer than 10 MB."),
        (b"", "The file holds no conversation."),
    ],
)
def test_file_without_a_conversation_ends_with_two(run, content, why):
    ran = run(content)

    assert (ran.code, ran.err[0]) == (2, why)


@pytest.mark.parametrize(
    "options",
    [
        {"format": "tau"},
        {"closed_at": "2026-03-01"},
        {"csat_from": "reward"},
        {"format": "tau", "agent": "R", "closed_at": "1.3.2026"},
        {"format": "tau", "agent": "R", "spacing": -1},
        {"format": "tau", "agent": "R", "system_prompt": Path("nowhere.md")},
    ],
)
def test_options_that_do_not_fit_end_with_two_and_make_nothing(run, options):
    assert run([TAU], **options).code == 2
    assert Agent.objects.count() == 0


def test_person_cannot_have_transcripts(run, workspace):
    factories.human(workspace, name="Ana")

    ran = run([TAU], format="tau", agent="Ana")

    assert (ran.code, ran.err) == (
        2,
        ["line 1: transcript: Ana is a person; transcripts are taken for AI agents only."],
    )


def test_name_that_fits_two_ends_with_two(run, workspace):
    for _ in range(2):
        factories.ai_agent(workspace, name="Robin")

    assert run([TAU], format="tau", agent="Robin").code == 2


def test_times_of_new_runs_end_now(run):
    run([TAU], format="tau", agent="Robin")

    assert timezone.now() - Conversation.objects.get().closed_at < timedelta(minutes=1)
