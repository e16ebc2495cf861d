"""What can be done to samples: capture an agent's worst conversations, pin one, put it away. Each owes a summary."""

from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from coaching.models import Sample
from helpdesk import deeplinks
from helpdesk.models import Conversation, Rating

MOST_SAMPLES = 20
BEST = 10_000  # hundredths: a conversation rated as well as can be is no sample of what went wrong


class UnknownConversation(Refusal):
    """No conversation is known by this source and id, and nobody said whose it is."""


def rated_within(agent, since, day):
    """The agent's counting ratings of the days since..day (both included) of the workspace's calendar."""
    zone = agent.workspace.zone
    start, end = (datetime.combine(at, time(), zone) for at in (since, day + timedelta(days=1)))
    return Rating.objects.counting().filter(agent=agent, rated_at__gte=start, rated_at__lt=end)


def capture(flag):
    """Take down the worst-rated conversations of the flag's review window, lowest score first, then newest; how many are new.

    What was captured, pinned or put away before stays as it is. Runs in the transaction that raises the flag: the summaries are
    owed from then on.
    """
    day = date.fromisoformat(flag.evidence["day"])
    worst = (
        rated_within(flag.agent, flag.since, day)
        .filter(score_hundredths__lt=BEST)
        .select_related("conversation")
        .order_by("score_hundredths", "-rated_at", "pk")[:MOST_SAMPLES]
    )
    known = set(Sample.objects.filter(agent_id=flag.agent_id).values_list("conversation_id", flat=True))
    new = [rating for rating in worst if rating.conversation_id not in known]
    rows = [_sample(rating.conversation, flag.agent, rating, flag=flag) for rating in new]
    Sample.objects.bulk_create(rows, ignore_conflicts=True)  # somebody may be pinning the same one
    return len(rows)


def pin(conversation, *, by, agent=None):
    """Keep a conversation as a sample of `agent`, by default of the one it is credited to. Harmless where it is one already.

    Raises NotAllowed, ValidationError (nobody's conversation, or another agent's).
    """
    require(by, Right.COACH_PEOPLE)
    rating = conversation.ratings.counting().first()
    credited = {conversation.agent_id, rating and rating.agent_id} - {None}
    if agent is None:
        agent = (rating and rating.agent) or conversation.agent
        if agent is None:
            raise ValidationError({"agent": "Nobody is known for this conversation: say whose sample it is."})
    elif credited and agent.pk not in credited:
        raise ValidationError({"agent": "This conversation is another agent's."})
    with transaction.atomic():
        sample = _sample(conversation, agent, rating, captured_by=by)
        Sample.objects.bulk_create([sample], ignore_conflicts=True)
        rows = Sample.objects.filter(agent=agent, conversation=conversation)
        rows.filter(unpinned_at__isnull=False).update(unpinned_at=None, captured_by=by)
        _owe_summary(rows)
        return rows.get()


def pin_by_reference(source, external_id, *, by, agent=None):
    """As `pin`, by what the helpdesk calls the conversation. One that we have not seen yet is made, if `agent` says whose it is.

    Raises NotAllowed, ValidationError, UnknownConversation.
    """
    require(by, Right.COACH_PEOPLE)
    rows = Conversation.objects.filter(workspace_id=by.workspace_id, source=source, external_id=external_id)
    conversation = rows.first()
    if conversation is None:
        new = Conversation(workspace_id=by.workspace_id, source=source, external_id=external_id, agent=agent)
        if agent is None or new.is_ours:
            raise UnknownConversation(f"No conversation {external_id} of {source} is known here.")
        _check(new)
        Conversation.objects.bulk_create([new], ignore_conflicts=True)
        conversation = rows.get()
    return pin(conversation, by=by, agent=agent)


def _check(conversation):
    """Raise ValidationError, in words, unless a conversation can be known by this source and id."""
    try:
        conversation.clean_fields()
    except ValidationError as error:
        told = error.message_dict
        if "source" in told:
            told["source"] = ["A source is a short name of letters, digits, - and _ (at most 50)."]
        raise ValidationError(told) from None


def unpin(sample, *, by):
    """Put the sample away; a summary that is still owed is not written any more. Harmless to repeat. Raises NotAllowed."""
    require(by, Right.COACH_PEOPLE)
    Sample.objects.kept().filter(pk=sample.pk).update(
        unpinned_at=timezone.now(), next_try_at=None, claimed_until=None, claim=None
    )
    sample.refresh_from_db()
    return sample


def bring_back(sample, *, by):
    """Take the putting away back: the sample stands as it stood, and owes its summary again if that was still to come.

    Harmless where it was not put away. Raises NotAllowed.
    """
    require(by, Right.COACH_PEOPLE)
    with transaction.atomic():
        rows = Sample.objects.filter(pk=sample.pk)
        if rows.filter(unpinned_at__isnull=False).update(unpinned_at=None):
            _owe_summary(rows)
        sample.refresh_from_db()
    return sample


def _owe_summary(rows):
    """Let those of `rows` whose summary is still to come, and that nobody works at, owe it from now on."""
    rows.filter(summary_state=Sample.Summary.PENDING, next_try_at=None).update(next_try_at=timezone.now(), attempts=0)


def give_up(sample, *, by=None):
    """Leave a sample whose summary is owed without one; `by` is None for operators. Raises NotAllowed, work.NothingOwed."""
    if by is not None:
        require(by, Right.COACH_PEOPLE)
    if not work.drop(sample, summary_state=Sample.Summary.FAILED):
        raise work.NothingOwed
    return sample


def summarise_again(sample):
    """Owe the summary of a sample anew, also of one that was given up. Raises work.NothingOwed."""
    wanted = Sample.objects.kept().filter(pk=sample.pk, summary="")
    with transaction.atomic():
        if not work.owe_all_again(wanted):
            raise work.NothingOwed("It has a summary, is put away, or a worker is at it this moment.")
        Sample.objects.filter(pk=sample.pk).update(summary_state=Sample.Summary.PENDING)
    sample.refresh_from_db()
    return sample


def _sample(conversation, agent, rating, **values):
    """A sample with what is known now; the link is rendered this once."""
    return Sample(
        workspace_id=agent.workspace_id,
        agent=agent,
        conversation=conversation,
        url=deeplinks.conversation_url(conversation),
        value=rating.value if rating else "",
        scale=rating.scale if rating else "",
        score_hundredths=rating.score_hundredths if rating else None,
        closed_at=conversation.closed_at,
        **values,
    )
