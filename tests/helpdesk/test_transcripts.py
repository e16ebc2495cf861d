"""Transcripts: in memory they show and travel nowhere; stored they keep to the agent's storage mode and retention."""

import copy
import logging
import pickle
from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from helpdesk import actions, sources, tasks
from helpdesk.models import StoredTranscript
from helpdesk.rows import ConversationRow
from helpdesk.transcripts import Transcript, TranscriptTurn, TranscriptUnavailable
from tests import factories

SAID = Transcript(
    (
        TranscriptTurn("customer", "I am mia@test.example.", at=1_772_359_200_000, name="Mia Li"),
        TranscriptTurn("tool", "", name="find"),
    )
)
MASKED = [
    {"role": "customer", "text": "I am <email>.", "at": 1_772_359_200_000},
    {"role": "tool", "text": "", "name": "find"},
]


def take(agent, said=SAID, **fields):
    row = ConversationRow(external_id="1", agent=str(agent.pk), transcript=said, **fields)
    return actions.upsert_conversation(agent.workspace, row)


def store_mode(agent, mode, **fields):
    Agent.objects.filter(pk=agent.pk).update(storage_mode=mode, **fields)
    agent.refresh_from_db()


@pytest.mark.parametrize("thing", [SAID, SAID[0]])
def test_transcript_refuses_to_be_pickled_or_shown(thing):
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(thing, protocol)
    with pytest.raises(TypeError):
        copy.deepcopy(thing)
    for shown in (repr(thing), str(thing), f"{thing}", f"{[thing]}"):
        assert "mia" not in shown.lower()


def test_turns_are_stored_and_read_without_loss():
    assert Transcript.from_json(SAID.as_json()) == SAID
    assert (len(SAID), SAID[1].name, [turn.role for turn in SAID]) == (2, "find", ["customer", "tool"])


@pytest.mark.parametrize(
    ("mode", "stored"),
    [(Agent.Storage.FULL, SAID.as_json()), (Agent.Storage.MASKED, MASKED), (Agent.Storage.SUMMARY_ONLY, None)],
)
def test_storage_mode_decides_what_rests(agent, mode, stored):
    store_mode(agent, mode)

    conversation, _ = take(agent)

    assert [row.turns for row in StoredTranscript.objects.all()] == ([stored] if stored else [])
    assert conversation.turn_count == 2


def test_nothing_unmasked_is_logged_or_sent_to_the_database(agent, caplog, django_assert_max_num_queries):
    caplog.set_level(logging.DEBUG)

    with django_assert_max_num_queries(40) as asked:
        take(agent)

    assert "mia" not in caplog.text.lower()
    assert [query["sql"] for query in asked.captured_queries if "mia" in query["sql"].lower()] == []


def test_same_transcript_again_changes_nothing(agent):
    take(agent)
    before = StoredTranscript.objects.get()

    _, outcome = take(agent)

    after = StoredTranscript.objects.get()
    assert (outcome, after.pk, after.delete_at) == (actions.Outcome.UNCHANGED, before.pk, before.delete_at)


def test_longer_transcript_takes_the_place_of_the_shorter(agent):
    take(agent)

    conversation, outcome = take(agent, Transcript((*SAID, TranscriptTurn("agent", "Found."))))

    assert (outcome, conversation.turn_count) == (actions.Outcome.UPDATED, 3)
    assert [turn.text for turn in sources.read(conversation)] == ["I am <email>.", "", "Found."]


def test_reading_keeps_to_the_mode_of_now(agent):
    store_mode(agent, Agent.Storage.FULL)
    conversation, _ = take(agent)
    assert sources.read(conversation) == SAID

    store_mode(agent, Agent.Storage.MASKED)
    conversation.refresh_from_db()
    assert sources.read(conversation).as_json() == MASKED

    store_mode(agent, Agent.Storage.SUMMARY_ONLY)
    conversation.refresh_from_db()
    with pytest.raises(TranscriptUnavailable, match=r"No transcripts are kept"):
        sources.read(conversation)


def test_transcript_that_was_never_sent_is_unavailable(agent):
    for source, why in (("api", "No transcript of this conversation was sent."), ("intranet", "is connected")):
        with pytest.raises(TranscriptUnavailable, match=why):
            sources.read(factories.conversation(agent, source=source))


def test_clock_deletes_what_is_due_and_says_so_afterwards(agent):
    conversation, _ = take(agent)
    StoredTranscript.objects.update(delete_at=timezone.now() - timedelta(seconds=1))

    tasks.delete_expired_transcripts()

    assert StoredTranscript.objects.count() == 0
    conversation.refresh_from_db()
    with pytest.raises(TranscriptUnavailable, match="not kept any more"):
        sources.read(conversation)


def test_clock_leaves_what_is_not_due(agent):
    take(agent)

    tasks.delete_expired_transcripts()

    assert StoredTranscript.objects.count() == 1


def test_clock_follows_a_changed_mode(agent):
    store_mode(agent, Agent.Storage.FULL)
    take(agent)

    store_mode(agent, Agent.Storage.MASKED)
    tasks.delete_expired_transcripts()
    stored = StoredTranscript.objects.get()
    assert (stored.masked, stored.turns) == (True, MASKED)

    store_mode(agent, Agent.Storage.SUMMARY_ONLY)
    tasks.delete_expired_transcripts()
    assert StoredTranscript.objects.count() == 0


def test_shorter_retention_counts_for_what_is_here_already(agent):
    take(agent)

    store_mode(agent, Agent.Storage.MASKED, retention_days=7)
    tasks.delete_expired_transcripts()

    assert StoredTranscript.objects.get().delete_at <= timezone.now() + timedelta(days=7)
