"""Memories and their search through the API, field by field."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from agents import actions
from agents.api_base import epoch_ms
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.calls import Script, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(owner):
    return Script(owner)


def ahead(**span):
    return epoch_ms(timezone.now() + timedelta(**span))


def test_memory_is_made_and_read_field_by_field(script, agent):
    body = {"summary": "Parcels wait seven days.", "text": "At the counter.", "expiresAt": ahead(days=9)}

    made = script.send(f"/agents/{agent.pk}/memories", body)

    told = made.json()
    assert made.status_code == 201
    assert told == body | {
        "id": told["id"],
        "version": 1,
        "source": "api",
        "createdAt": told["createdAt"],
        "updatedAt": told["updatedAt"],
    }
    assert script.read(f"/memories/{told['id']}").json() == told
    assert script.read(f"/agents/{agent.pk}/memories").json() == {"items": [told], "nextCursor": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "summary"),
        ({"summary": ""}, "summary"),
        ({"summary": "Two. Sentences."}, "summary"),
        ({"summary": "Three. Whole. Sentences."}, "summary"),
        ({"summary": "s" * 301}, "summary"),
        ({"summary": 5}, "summary"),
        ({"summary": "One.", "text": None}, "text"),
        ({"summary": "One.", "text": "t" * 50_001}, "text"),
        ({"summary": "One.", "expiresAt": 1_700_000_000_000}, "expiresAt"),
        ({"summary": "One.", "examples": []}, "examples"),
    ],
)
def test_memory_that_is_none_is_refused(script, agent, body, field):
    status, errors = problem(script.send(f"/agents/{agent.pk}/memories", body))

    assert (status, list(errors)) == (400, [field])
    assert not Memory.objects.exists()


def test_memory_lives_from_revision_to_restoration(script, agent, owner):
    memory = factories.memory(agent, owner, summary="Parcels wait seven days.")
    path = f"/memories/{memory.pk}"

    changed = script.call("PATCH", path, {"baseVersion": 1, "summary": "Parcels wait nine days."}).json()
    assert (changed["version"], changed["summary"], changed["text"]) == (
        2, "Parcels wait nine days.", "No approval and no ticket.",
    )  # fmt: skip
    stale = script.call("PATCH", path, {"baseVersion": 1, "summary": "Parcels wait."})
    assert problem(stale)[0] == 409
    assert stale.json()["conflict"] == [
        {
            "field": "summary",
            "base": "Parcels wait seven days.",
            "current": "Parcels wait nine days.",
            "proposed": "Parcels wait.",
        }
    ]
    assert script.call("DELETE", f"{path}?baseVersion=2").status_code == 204
    gone = script.call("DELETE", f"{path}?baseVersion=2")
    assert problem(gone)[0] == 404
    assert [v["version"] for v in script.read(f"{path}/versions").json()["items"]] == [3, 2, 1]
    restored = script.send(f"{path}/restore", {}).json()
    assert (restored["id"], restored["version"], restored["summary"]) == (
        str(memory.pk), 4, "Parcels wait nine days.",
    )  # fmt: skip


def test_conflict_tells_times_in_milliseconds(script, agent, owner):
    memory = factories.memory(agent, owner)
    first, second = ahead(days=1), ahead(days=2)
    script.call("PATCH", f"/memories/{memory.pk}", {"baseVersion": 1, "expiresAt": first})

    stale = script.call("PATCH", f"/memories/{memory.pk}", {"baseVersion": 1, "expiresAt": second})

    assert stale.json()["conflict"] == [{"field": "expiresAt", "base": None, "current": first, "proposed": second}]


def test_versions_say_what_who_and_from_where(script, agent, owner):
    memory = factories.memory(agent, owner)

    (told,) = script.read(f"/memories/{memory.pk}/versions").json()["items"]

    assert told == script.read(f"/memories/{memory.pk}").json() | {
        "change": "created",
        "configurationVersion": 2,
        "by": {"id": str(owner.pk), "name": owner.display_name},
        "door": "page",
        "reason": "",
        "proposal": None,
        "changedAt": told["changedAt"],
        "updatedAt": told["updatedAt"],
    }


def test_list_is_filtered_and_goes_back_in_time(script, agent, owner):
    old = factories.memory(agent, owner, summary="Old.")
    factories.memory(agent, owner, summary="Expired.", expires_at=timezone.now() + timedelta(days=1))
    Memory.objects.filter(summary="Expired.").update(expires_at=timezone.now())
    script.call("DELETE", f"/memories/{old.pk}?baseVersion=1")

    def summaries(query):
        told = script.read(f"/agents/{agent.pk}/memories{query}").json()
        return [row["summary"] for row in told["items"]]

    assert summaries("") == ["Expired."]
    assert summaries("?expired=false") == []
    assert summaries("?expired=true&source=manual") == ["Expired."]
    assert summaries("?version=2") == ["Old."]
    assert sorted(summaries("?version=3")) == ["Expired.", "Old."]


def test_list_of_then_holds_only_what_was_served_then(script, agent, owner):
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    with time_machine.travel(noon - timedelta(days=9), tick=False):
        then = factories.ai_agent(agent.workspace)  # configuration 1
        gone = factories.memory(then, owner, summary="Gone.", expires_at=noon)  # 2
        factories.memory(then, owner, summary="Stays.")  # 3
    with time_machine.travel(noon + timedelta(days=1), tick=False):
        memories.revise(gone, changes={"expires_at": None}, base_version=1, by=owner, door="page")  # 4
    with time_machine.travel(noon + timedelta(days=2), tick=False):
        expires_at = noon + timedelta(days=3)
        memories.revise(gone, changes={"expires_at": expires_at}, base_version=2, by=owner, door="page")  # 5

    def summaries(query):
        told = script.read(f"/agents/{then.pk}/memories?{query}").json()
        return sorted(row["summary"] for row in told["items"])

    def at(moment):
        return summaries(f"asOf={epoch_ms(moment)}")

    assert at(noon - timedelta(milliseconds=1)) == ["Gone.", "Stays."]
    assert at(noon) == ["Stays."]
    assert at(noon + timedelta(days=1)) == ["Gone.", "Stays."]
    assert at(noon + timedelta(days=3)) == ["Stays."]
    assert [summaries(f"version={n}") for n in range(1, 6)] == [
        [],
        ["Gone."],
        ["Gone.", "Stays."],
        ["Gone.", "Stays."],
        ["Stays."],  # the current number is read as of now
    ]


def test_list_of_then_agrees_with_the_search_of_then(script, agent, owner):
    memory = factories.memory(agent, owner, expires_at=timezone.now() + timedelta(seconds=60))
    path, told = f"/agents/{agent.pk}/memories", []

    for later in (0, 61):
        with time_machine.travel(timezone.now() + timedelta(seconds=later), tick=False):
            as_of = epoch_ms(timezone.now())
            listed = script.read(f"{path}?asOf={as_of}").json()["items"]
            found = script.send(f"{path}/search", {"query": "refunds", "asOf": as_of}).json()["items"]
        told.append(([row["id"] for row in listed], [row["id"] for row in found]))

    assert told == [([str(memory.pk)], [str(memory.pk)]), ([], [])]


def test_memory_that_expired_since_is_restored_and_not_served(script, agent, owner):
    with time_machine.travel(timezone.now() - timedelta(days=2)):
        memory = factories.memory(agent, owner, expires_at=timezone.now() + timedelta(days=1))
        actions.remove(memory, base_version=1, by=owner, door="page")

    restored = script.send(f"/memories/{memory.pk}/restore", {})

    assert (restored.status_code, restored.json()["expiresAt"]) == (200, epoch_ms(memory.expires_at))
    assert script.send(f"/agents/{agent.pk}/memories/search", {"query": "refunds"}).json()["items"] == []
    past = script.call("PATCH", f"/memories/{memory.pk}", {"baseVersion": 3, "expiresAt": epoch_ms(memory.expires_at)})
    assert (problem(past)[0], list(problem(past)[1])) == (400, ["expiresAt"])


def test_search_answers_field_by_field(owner, agent):
    memory = factories.memory(agent, owner, summary="Refunds take five days.", text="Always.")
    factories.memory(agent, owner, summary="Parcels wait.")
    script = Script(owner, ["runtime"])

    told = script.send(f"/agents/{agent.pk}/memories/search", {"query": "How long does a refund take?"}).json()

    score = told["items"][0]["score"]
    assert told == {
        "items": [{"id": str(memory.pk), "version": 1, "summary": "Refunds take five days.", "score": score}],
        "baseVersion": 2,
    }
    in_full = script.send(f"/agents/{agent.pk}/memories/search", {"query": "refund", "includeText": True, "limit": 1})
    assert in_full.json()["items"][0]["text"] == "Always."


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "query"),
        ({"query": 5}, "query"),
        ({"query": "x", "limit": 0}, "limit"),
        ({"query": "x", "limit": 101}, "limit"),
        ({"query": "x", "limit": "5"}, "limit"),
        ({"query": "x", "includeText": "yes"}, "includeText"),
        ({"query": "x", "asOf": 5}, "asOf"),
        ({"query": "x", "agent": "other"}, "agent"),
    ],
)
def test_search_is_asked_strictly(script, agent, body, field):
    status, errors = problem(script.send(f"/agents/{agent.pk}/memories/search", body))

    assert (status, list(errors)) == (400, [field])


def test_search_before_the_agent_was_there_is_not_found(script, agent):
    body = {"query": "refund", "asOf": 1_500_000_000_000}

    assert problem(script.send(f"/agents/{agent.pk}/memories/search", body))[0] == 404


def test_search_for_nothing_finds_nothing(script, agent, owner):
    factories.memory(agent, owner)

    assert script.send(f"/agents/{agent.pk}/memories/search", {"query": ""}).json()["items"] == []


@pytest.mark.parametrize(
    "summary", ["返品は30日以内です。", "「はい。」と答えたら返金します。", "本当ですか？！", "Refunds take 2.5 days."]
)
def test_one_sentence_of_any_script_is_one(agent, owner, summary):
    assert factories.memory(agent, owner, summary=summary).summary == summary
