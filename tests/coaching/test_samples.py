"""Samples: what is taken down, what a leader pins, and how the summary that is owed gets written."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents import work
from agents.access import NotAllowed
from coaching.actions import flags, samples
from coaching.models import Sample
from helpdesk.actions import record_ratings
from helpdesk.models import Conversation
from tests import factories
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
    samples.summarise(sample.pk)
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


def test_members_pin_nothing(noor, linked_member, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)

    with pytest.raises(NotAllowed):
        samples.pin(factories.conversation(noor), by=linked_member)
    with pytest.raises(NotAllowed):
        samples.pin_by_reference("desk", "1", by=linked_member, agent=noor)
    with pytest.raises(NotAllowed):
        samples.unpin(sample, by=linked_member)


# --- Summaries -------------------------------------------------------------------------------------------------------


def test_without_a_model_the_summary_is_a_sentence_from_metadata(noor, owner):
    sample = samples.pin(factories.conversation(noor, channel="chat"), by=owner)

    done = samples.summarise(sample.pk)

    assert (done.summary_state, done.next_try_at, done.last_error) == ("metadata", None, "")
    assert "chat" in done.summary
    assert samples.summarise(sample.pk) is None


def test_a_sample_at_work_or_put_away_is_left_alone(noor, owner):
    sample = samples.pin(factories.conversation(noor), by=owner)
    assert work.claim(Sample.objects.kept(), sample.pk)
    assert samples.summarise(sample.pk) is None
    Sample.objects.update(claimed_until=None, unpinned_at=timezone.now())
    assert samples.summarise(sample.pk) is None
