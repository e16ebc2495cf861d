"""When a memory was last given to an agent: noted by the search of its runtime and from what conversations name."""

import uuid
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from coaching import tasks
from coaching.actions import hygiene
from helpdesk import actions as helpdesk
from helpdesk import rows
from helpdesk.models import Conversation
from memories import actions
from memories.models import Memory
from tests import factories

pytestmark = pytest.mark.django_db


def ask(agent, owner, **body):
    client = Client(headers={"authorization": f"Bearer {factories.token(owner)}"})
    path = f"/api/v1/agents/{agent.pk}/memories/search"
    return client.post(path, {"query": "refund", **body}, content_type="application/json")


def served_at(memory):
    return Memory.objects.values_list("last_served_at", flat=True).get(pk=memory.pk)


def tell(agent, external_id, served, closed_at=None):
    """What a runtime posts of a conversation."""
    body = {"externalId": external_id, "agent": str(agent.pk), "memoriesServed": served}
    if closed_at:
        body["closedAt"] = int(closed_at.timestamp() * 1000)
    row = rows.conversation_from_json(body, now=timezone.now())
    return helpdesk.upsert_conversation(agent.workspace, row)


def test_search_of_a_runtime_notes_what_it_returned_and_nothing_else(agent, owner):
    found = factories.memory(agent, owner)
    other = factories.memory(agent, owner, summary="Parcels wait at the counter.", text="Until noon.")
    version, changed_at, base = found.version, found.updated_at, agent.configuration_version

    assert len(ask(agent, owner).json()["items"]) == 1

    found.refresh_from_db()
    agent.refresh_from_db()
    assert timezone.now() - found.last_served_at < timedelta(minutes=1)
    assert (found.version, found.updated_at, agent.configuration_version) == (version, changed_at, base + 2)
    assert served_at(other) is None


def test_search_of_the_past_and_of_the_pages_notes_nothing(agent, owner, client):
    memory = factories.memory(agent, owner)
    client.force_login(owner.user)

    ask(agent, owner, asOf=int(timezone.now().timestamp() * 1000))
    client.get(f"/agents/{agent.pk}/memory?q=refund")

    assert served_at(memory) is None


def test_what_was_noted_within_a_day_is_not_written_again(agent, owner, django_assert_num_queries):
    memory, now = factories.memory(agent, owner), timezone.now()
    actions.mark_served(agent.pk, [memory.pk], now - timedelta(hours=20))

    with django_assert_num_queries(1):
        assert actions.mark_served(agent.pk, [memory.pk], now)
    assert served_at(memory) == now - timedelta(hours=20)

    actions.mark_served(agent.pk, [memory.pk], now + timedelta(hours=6))  # nothing is served in the future
    assert served_at(memory) == now - timedelta(hours=20)


def test_an_older_conversation_does_not_turn_the_time_back(agent, owner):
    memory, now = factories.memory(agent, owner), timezone.now()
    actions.mark_served(agent.pk, [memory.pk], now)

    actions.mark_served(agent.pk, [memory.pk], now - timedelta(days=9))

    assert served_at(memory) == now


def test_what_conversations_name_is_noted_at_their_time(agent, owner):
    memory, closed_at = factories.memory(agent, owner), timezone.now().replace(microsecond=0) - timedelta(days=40)
    elsewhere = factories.memory(factories.ai_agent(owner.workspace), owner)
    named = [{"id": str(one.pk), "version": 1} for one in (memory, elsewhere)]
    tell(agent, "1", [*named, {"id": str(uuid.uuid4()), "version": 1}], closed_at)

    tasks.note_served()

    assert served_at(memory) == closed_at
    assert served_at(elsewhere) is None  # a memory of another agent
    assert not Conversation.objects.filter(memories_are_noted=False).exists()


@pytest.mark.parametrize("garbage", [[{"id": "x"}], [{}], ["x"], [None], {"id": 1}, "x", [{"id": 5}], [{"id": None}]])
def test_garbage_among_what_was_served_is_passed_over(garbage, agent):
    Conversation.objects.filter(pk=factories.conversation(agent).pk).update(
        memories_served=garbage, memories_are_noted=False
    )

    tasks.note_served()

    assert not Conversation.objects.filter(memories_are_noted=False).exists()


def test_the_same_conversation_told_again_is_unchanged_and_not_noted_again(agent, owner):
    named = [{"id": str(factories.memory(agent, owner).pk), "version": 1}]
    tell(agent, "1", named)
    tasks.note_served()

    _, outcome = tell(agent, "1", named)

    assert outcome == helpdesk.Outcome.UNCHANGED
    assert not Conversation.objects.filter(memories_are_noted=False).exists()


def test_a_list_that_changes_while_it_is_noted_is_noted_again(agent, owner, monkeypatch):
    first, second = factories.memory(agent, owner), factories.memory(agent, owner, summary="Parcels wait.")
    tell(agent, "1", [{"id": str(first.pk), "version": 1}])
    mark_served = actions.mark_served

    def mark_then_tell(*args):
        tell(agent, "1", [{"id": str(second.pk), "version": 1}])
        return mark_served(*args)

    monkeypatch.setattr(actions, "mark_served", mark_then_tell)
    hygiene.note_served()
    monkeypatch.undo()
    assert served_at(second) is None

    tasks.note_served()

    assert served_at(first) is not None
    assert served_at(second) is not None


def test_a_worker_that_dies_loses_nothing(agent, owner, monkeypatch):
    memory = factories.memory(agent, owner)
    for number in range(3):
        tell(agent, str(number), [{"id": str(memory.pk), "version": 1}])
    mark_served, seen = actions.mark_served, []

    def die_at_the_second(*args):
        seen.append(args)
        if len(seen) == 2:
            raise SystemExit
        return mark_served(*args)

    monkeypatch.setattr(actions, "mark_served", die_at_the_second)
    with pytest.raises(SystemExit):
        tasks.note_served()
    monkeypatch.undo()
    assert Conversation.objects.filter(memories_are_noted=False).count() == 2

    tasks.note_served()

    assert served_at(memory) is not None
    assert not Conversation.objects.filter(memories_are_noted=False).exists()


def test_one_look_notes_more_than_one_batch(agent, owner, monkeypatch):
    monkeypatch.setattr(hygiene, "BATCH", 2)
    monkeypatch.setattr(hygiene.note_served, "__defaults__", (2,))
    memory = factories.memory(agent, owner)
    for number in range(5):
        tell(agent, str(number), [{"id": str(memory.pk), "version": 1}])

    tasks.note_served()

    assert not Conversation.objects.filter(memories_are_noted=False).exists()
