"""One sample's summary, from the row that owes it to the sentences that are kept."""

import logging

from agents import work
from agents.breakages import log_where
from coaching import llm
from coaching.actions import connections
from coaching.coach import summaries
from coaching.models import Sample
from helpdesk import sources, transcripts

MOST_TRIES = 60  # two days, most of it hourly

log = logging.getLogger(__name__)


def summarise(sample_id):
    """Write the summary that is owed: read the conversation, ask the model, keep its checked sentences and nothing else.

    Where the model cannot be reached the summary stays pending and is tried again later, less and less often; what cannot
    succeed any more ends in a state that says so. Returns the sample, or None where it is not due or another worker has it.
    No transaction is open while the helpdesk or the model is asked.
    """
    sample = work.claim(Sample.objects.kept(), sample_id)
    if sample is None:
        return None
    try:
        with work.holding(sample):
            _settle(sample)
    except work.LeaseLost:
        log.info("Sample %s was put away or taken over while it was summarised.", sample.pk)
    sample.refresh_from_db()
    return sample


def _settle(sample):
    try:
        summary = _summary(sample)
    except transcripts.TranscriptUnreachable as reason:
        _put_off(sample, str(reason), reason.pause)
    except transcripts.TranscriptUnavailable as reason:
        work.give_up(sample, error=str(reason), summary_state=Sample.Summary.FAILED)
    except llm.ModelError as error:
        _put_off(sample, error.sentence, work.LONGEST_PAUSE if error.permanent else None)
    except Exception as error:
        _put_off(sample, f"The summary broke ({log_where(log, f'Sample {sample.pk}', error)}).", None)
    else:
        if summary.state == Sample.Summary.REFUSED:
            work.give_up(sample, error="What the model wrote was not fit to keep, twice.", summary_state=summary.state)
        else:
            work.settle(sample, summary=summary.text, summary_state=summary.state)


def _put_off(sample, error, pause):
    if sample.attempts < MOST_TRIES:
        work.put_off(sample, error=error, pause=pause)
    else:
        error = f"Given up after {sample.attempts} tries. {error}"
        work.give_up(sample, error=error, summary_state=Sample.Summary.FAILED)


def _summary(sample):
    conversation = sample.conversation
    connection = connections.of(sample.workspace_id)
    # The practice model reads no bodies, so none is fetched for it.
    transcript = transcripts.Transcript(()) if connection.is_practice else sources.read(conversation)
    closed_at = sample.closed_at
    return summaries.write(
        transcript,
        connection,
        channel=conversation.channel,
        closed_on=closed_at.astimezone(sample.workspace.zone).date() if closed_at else None,
        score=sample.score,
    )
