"""Samples: what is taken down, what a leader pins, and how the summary that is owed gets written."""

import json
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents import work
from agents.access import NotAllowed
from coaching import llm
from coaching.actions import flags, samples
from coaching.coach import captures
from coaching.models import Sample
from helpdesk import deeplinks
from helpdesk.actions import record_ratings
from helpdesk.models import Conversation, StoredTranscript
from tests import factories, model_server
from tests.factories import ratings

TODAY = date(2026, 5, 20)
EVIDENCE = {"day": "2026-05-20", "since": "2026-04-16", "expected": 90.0, "drop": 12.0}

pytestmark = pytest.mark.django_db


@pytest.fixture
def noor(workspace):
    return factories.human(workspace, name="Noor")


def rate(agent, *stars, day=TODAY, **fields):
    record_ratings(agent.workspace, [ratings.stars(agent, day, stars=n, **fields) for n in stars])


def flag_anew(noor, owner):
    flags.dismiss(flags.raise_flag(noor, EVIDENCE), by=owner, reason="Again.")


# --- Capture ---------------------------------------------------------------------------------------------------------


def test_the_worst_twenty_are_taken_lowest_score_first_then_newest(noor):
    for back in range(12):
        rate(noor, 1, 2, 3, day=TODAY - timedelta(days=back))

    flags.raise_flag(noor, EVIDENCE)

    taken = Sample.objects.order_by("score_hundredths", "-conversation__ratings__rated_at")
    assert [sample.value for sample in taken] == ["1"] * 12 + ["2"] * 8
    days = [sample.conversation.ratings.get().rated_at.date() for sample in taken.filter(value="2")]
    assert days == [TODAY - timedelta(days=back) for back in range(8)]


def test_a_sample_keeps_what_was_known_when_it_was_taken(noor):
    closed_at = datetime(2026, 5, 20, 9, tzinfo=UTC)
    rate(noor, 2, closed_at=closed_at, external_id="4711")

    flag = flags.raise_flag(noor, EVIDENCE)

    sample = Sample.objects.get()
    assert (sample.agent, sample.flag, sample.conversation.external_id) == (noor, flag, "4711")
    assert (sample.value, sample.scale, sample.score, sample.closed_at) == ("2", "stars5", 25.0, closed_at)
    assert (sample.captured_by, sample.summary_state, sample.summary) == (None, "pending", "")


def test_the_link_is_rendered_once_and_frozen(noor, owner):
    deeplinks.save(noor.workspace, source="desk", conversation_pattern="https://desk.example/t/{id}", by=owner)
    rate(noor, 2, external_id="47/11")
    flags.raise_flag(noor, EVIDENCE)
    deeplinks.save(noor.workspace, source="desk", conversation_pattern="https://new.example/{id}", by=owner)

    sample = samples.pin(Sample.objects.get().conversation, by=owner)

    assert sample.url == "https://desk.example/t/47%2F11"


def test_only_the_review_window_of_the_workspace_counts(db):
    workspace = factories.workspace(time_zone="America/New_York")
    noor = factories.human(workspace)
    for at in ("2026-04-16T03:59", "2026-04-16T04:00", "2026-05-21T03:59", "2026-05-21T04:00"):
        rate(noor, 1, external_id=at.replace(":", "-"), rated_at=datetime.fromisoformat(at + "+00:00"))

    flags.raise_flag(noor, EVIDENCE)

    assert sorted(s.conversation.external_id for s in Sample.objects.all()) == ["2026-04-16T04-00", "2026-05-21T03-59"]


def test_the_best_rating_there_is_makes_no_sample_and_others_conversations_neither(noor, workspace):
    rate(noor, 5, 4)
    rate(factories.human(workspace), 1)

    flags.raise_flag(noor, EVIDENCE)

    assert [sample.value for sample in Sample.objects.all()] == ["4"]


def test_a_second_flag_adds_what_is_new_and_leaves_the_rest(noor, owner):
    rate(noor, 1, external_id="old")
    flag_anew(noor, owner)
    old = Sample.objects.get()
    samples.unpin(old, by=owner)
    rate(noor, 2, external_id="new")

    second = flags.raise_flag(noor, EVIDENCE)

    assert [sample.conversation.external_id for sample in Sample.objects.kept()] == ["new"]
    assert Sample.objects.kept().get().flag == second
    old.refresh_from_db()
    assert old.unpinned_at is not None


# --- Pin -------------------------------------------------------------------------------------------------------------


def test_a_pinned_conversation_owes_a_summary(noor, owner):
    rate(noor, 3, external_id="4711")

    sample = samples.pin(Conversation.objects.get(), by=owner)

    assert (sample.agent, sample.captured_by, sample.flag, sample.score) == (noor, owner, None, 50.0)
    assert list(Sample.objects.due()) == [sample]


def test_pinning_twice_is_one_sample_and_unpinned_comes_back(noor, owner, admin):
    conversation = factories.conversation(noor)
    first = samples.pin(conversation, by=owner)
    samples.unpin(first, by=owner)
    assert not Sample.objects.kept().exists()
    assert not Sample.objects.due().exists()

    again = samples.pin(conversation, by=admin)

    assert again == first
    assert (again.captured_by, again.unpinned_at) == (admin, None)
    assert samples.pin(conversation, by=owner).captured_by == admin
    assert Sample.objects.due().get() == first


def test_a_summarised_sample_that_is_pinned_again_keeps_its_summary(noor, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)
    captures.summarise(sample.pk)
    samples.unpin(sample, by=owner)

    again = samples.pin(sample.conversation, by=owner)

    assert again.summary_state == "metadata"
    assert again.next_try_at is None


def test_a_conversation_is_pinned_by_what_the_helpdesk_calls_it(noor, owner):
    known = factories.conversation(noor, external_id="known")

    assert samples.pin_by_reference("desk", "known", by=owner).conversation == known
    new = samples.pin_by_reference("desk", "unseen", by=owner, agent=noor)
    assert (new.agent, new.conversation.external_id, new.score) == (noor, "unseen", None)
    for source, agent in (("desk", None), ("api", noor)):
        with pytest.raises(samples.UnknownConversation):
            samples.pin_by_reference(source, "nobody's", by=owner, agent=agent)


@pytest.mark.parametrize(("source", "external_id"), [("not a slug", "1"), ("desk", ""), ("desk", "x" * 301)])
def test_a_reference_that_cannot_be_one_is_refused(noor, owner, source, external_id):
    with pytest.raises(ValidationError):
        samples.pin_by_reference(source, external_id, by=owner, agent=noor)
    assert not Conversation.objects.exists()


def test_another_agents_conversation_and_nobodys_are_not_pinned(noor, owner, workspace):
    with pytest.raises(ValidationError) as others:
        samples.pin(factories.conversation(noor), by=owner, agent=factories.human(workspace))
    nobodys = Conversation.objects.create(workspace=workspace, source="desk", external_id="0")
    with pytest.raises(ValidationError):
        samples.pin(nobodys, by=owner)

    assert list(others.value.message_dict) == ["agent"]
    assert samples.pin(nobodys, by=owner, agent=noor).agent == noor


def test_a_reference_into_another_workspace_is_unknown(noor, stranger):
    factories.conversation(noor, external_id="4711")

    with pytest.raises(samples.UnknownConversation):
        samples.pin_by_reference("desk", "4711", by=stranger)


def test_what_cannot_be_a_source_is_said_in_words(noor, owner):
    with pytest.raises(ValidationError) as refused:
        samples.pin_by_reference("zen desk", "1", by=owner, agent=noor)

    assert refused.value.message_dict == {
        "source": ["A source is a short name of letters, digits, - and _ (at most 50)."]
    }


def test_sample_put_away_is_brought_back_as_it_stood_and_owes_its_summary_again(noor, owner, admin):
    sample = samples.pin(factories.conversation(noor), by=owner)
    samples.unpin(sample, by=owner)
    assert (sample.next_try_at, sample.unpinned_at is None) == (None, False)

    samples.bring_back(sample, by=admin)

    assert (sample.unpinned_at, sample.captured_by, sample.summary_state) == (None, owner, "pending")
    assert sample.next_try_at is not None


def test_bringing_back_leaves_a_written_summary_and_what_was_never_put_away(noor, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)
    Sample.objects.update(summary="The parcel was late.", summary_state="captured", next_try_at=None, captured_by=None)
    samples.unpin(sample, by=owner)

    for _ in range(2):
        samples.bring_back(sample, by=owner)

    assert (sample.summary, sample.next_try_at, sample.unpinned_at, sample.captured_by) == (
        "The parcel was late.",
        None,
        None,
        None,
    )


def test_members_pin_nothing(noor, linked_member, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)

    with pytest.raises(NotAllowed):
        samples.pin(factories.conversation(noor), by=linked_member)
    with pytest.raises(NotAllowed):
        samples.pin_by_reference("desk", "1", by=linked_member, agent=noor)
    with pytest.raises(NotAllowed):
        samples.unpin(sample, by=linked_member)
    with pytest.raises(NotAllowed):
        samples.bring_back(sample, by=linked_member)


# --- Summaries -------------------------------------------------------------------------------------------------------


def test_without_a_model_the_summary_is_a_sentence_from_metadata(noor, owner):
    sample = samples.pin(factories.conversation(noor, channel="chat"), by=owner)

    done = captures.summarise(sample.pk)

    assert (done.summary_state, done.next_try_at, done.last_error) == ("metadata", None, "")
    assert "chat" in done.summary
    assert captures.summarise(sample.pk) is None


def test_a_sample_at_work_or_put_away_is_left_alone(noor, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)
    assert work.claim(Sample.objects.kept(), sample.pk)
    assert captures.summarise(sample.pk) is None
    Sample.objects.update(claimed_until=None, unpinned_at=timezone.now())
    assert captures.summarise(sample.pk) is None


BODY = [
    {
        "role": "customer",
        "text": "The parcel came open and the lamp inside was in two pieces when I unpacked it on Monday.",
    },
    {"role": "agent", "text": "Please read our terms."},
]
GOOD = "The customer's lamp arrived broken and was answered with a link to the terms. Nothing was offered."


@pytest.fixture
def pinned(workspace, owner):
    """A sample whose transcript we hold."""
    conversation = factories.conversation(
        factories.ai_agent(workspace, storage_mode="full"), source="api", turn_count=2
    )
    StoredTranscript.objects.create(
        workspace=workspace,
        conversation=conversation,
        turns=BODY,
        masked=False,
        delete_at=timezone.now() + timedelta(days=9),
    )
    return samples.pin(conversation, by=owner)


@contextmanager
def model(settings, *plays):
    with model_server.serving(list(plays)) as server:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "key", server.url
        yield server


def test_a_models_summary_is_kept_and_nothing_of_the_body(settings, pinned):
    with model(settings, model_server.text(GOOD)) as server:
        done = captures.summarise(pinned.pk)

    assert BODY[0]["text"] in json.dumps(server.requests[0])
    assert (done.summary, done.summary_state, done.next_try_at) == (GOOD, "captured", None)


def test_a_summary_that_breaks_the_rules_twice_is_refused_and_not_kept(settings, pinned):
    with model(settings, model_server.text(BODY[0]["text"])) as server:
        done = captures.summarise(pinned.pk)

    assert len(server.requests) == 2
    assert (done.summary, done.summary_state, done.next_try_at) == ("", "refused", None)
    assert done.last_error == "What the model wrote was not fit to keep, twice."


def test_while_the_model_cannot_be_reached_the_summary_stays_pending_and_is_tried_later(settings, pinned, monkeypatch):
    monkeypatch.setattr(llm, "RETRIES", 0)
    with model(settings, model_server.status(529, "overloaded_error"), model_server.text(GOOD)):
        first = captures.summarise(pinned.pk)
        assert captures.summarise(pinned.pk) is None  # not due yet
        Sample.objects.update(next_try_at=timezone.now())
        second = captures.summarise(pinned.pk)

    assert (first.summary_state, first.attempts, first.claimed_until) == ("pending", 1, None)
    assert first.last_error.startswith("The model's service is overloaded just now.")
    assert timezone.now() < first.next_try_at < timezone.now() + timedelta(seconds=10)
    assert (second.summary_state, second.attempts, second.last_error) == ("captured", 2, "")


def test_a_key_that_is_not_accepted_is_tried_again_in_an_hour(settings, pinned):
    with model(settings, model_server.status(401, "authentication_error")):
        done = captures.summarise(pinned.pk)

    assert done.summary_state == "pending"
    assert done.next_try_at > timezone.now() + timedelta(minutes=59)


def test_after_many_tries_it_is_given_up_in_words(settings, pinned):
    Sample.objects.update(attempts=captures.MOST_TRIES - 1)
    with model(settings, model_server.status(401, "authentication_error")):
        done = captures.summarise(pinned.pk)

    assert (done.summary_state, done.next_try_at) == ("failed", None)
    assert done.last_error.startswith("Given up after 60 tries. The model did not accept our key.")


def test_a_conversation_that_cannot_be_read_says_so(settings, noor, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)
    with model(settings, model_server.text(GOOD)) as server:
        done = captures.summarise(sample.pk)

    assert (done.summary_state, done.next_try_at, server.requests) == ("failed", None, [])
    assert done.last_error == "The transcript is at “desk”, and no helpdesk of that name is connected."


@pytest.mark.django_db(transaction=True)
def test_a_sample_put_away_while_it_is_summarised_stays_without_one(settings, pinned, owner):
    def put_away(handler):
        samples.unpin(pinned, by=owner)
        model_server.text(GOOD)(handler)

    with model(settings, put_away):
        done = captures.summarise(pinned.pk)

    assert done.unpinned_at is not None
    assert (done.summary, done.summary_state, done.next_try_at) == ("", "pending", None)


def test_what_breaks_on_the_way_leaves_no_word_of_the_body(settings, pinned, caplog):
    StoredTranscript.objects.update(turns=[{"role": "customer", "text": "My lamp", "mood": "sad"}])
    with model(settings, model_server.text(GOOD)):
        done = captures.summarise(pinned.pk)

    assert (done.summary_state, done.last_error) == ("pending", "The summary broke (TypeError).")
    assert "lamp" not in caplog.text
    assert "transcripts.py" in caplog.text
