"""Where a conversation's transcript is read from: our own store, or the helpdesk it happened in."""

import logging

from agents import work
from agents.breakages import log_where
from agents.models import Agent
from helpdesk.models import Conversation, HelpdeskConnection, StoredTranscript
from helpdesk.transcripts import Transcript, TranscriptUnavailable, TranscriptUnreachable
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Malformed
from helpdesk.vendors.errors import NotFound, RateLimited, VendorError

log = logging.getLogger(__name__)


def read(conversation: Conversation) -> Transcript:
    """The transcript of the conversation, as its agent's storage mode lets it be seen now, or as its helpdesk gives it.

    Calls the helpdesk, so no transaction may be open. Raises TranscriptUnavailable where none was sent, it is not kept any
    more, or its helpdesk is not connected or does not have it; TranscriptUnreachable where that may pass.
    """
    stored = StoredTranscript.objects.filter(conversation=conversation).first()
    mode = conversation.agent.storage_mode if conversation.agent else Agent.Storage.MASKED
    if stored is not None and mode != Agent.Storage.SUMMARY_ONLY:
        transcript = Transcript.from_json(stored.turns)
        return transcript if stored.masked or mode == Agent.Storage.FULL else transcript.masked()
    if mode == Agent.Storage.SUMMARY_ONLY and conversation.is_ours:
        raise TranscriptUnavailable(f"No transcripts are kept for {conversation.agent}.")
    connection = HelpdeskConnection.objects.filter(
        workspace=conversation.workspace_id, source=conversation.source
    ).first()
    if connection is not None:
        return _at_its_helpdesk(connection, conversation)
    if conversation.turn_count is not None:
        raise TranscriptUnavailable("The transcript of this conversation is not kept any more.")
    if conversation.is_ours:
        raise TranscriptUnavailable("No transcript of this conversation was sent.")
    raise TranscriptUnavailable(
        f"The transcript is at “{conversation.source}”, and no helpdesk of that name is connected."
    )


def is_fetched(conversation: Conversation) -> bool:
    """Whether reading its transcript now would call its helpdesk, which takes as long as that takes."""
    if conversation.is_ours or StoredTranscript.objects.filter(conversation=conversation).exists():
        return False
    connected = HelpdeskConnection.objects.active().filter(
        workspace=conversation.workspace_id, source=conversation.source
    )
    return any(registry.VENDORS[vendor].reads for vendor in connected.values_list("vendor", flat=True))


def _at_its_helpdesk(connection, conversation):
    if connection.state == HelpdeskConnection.State.DISCONNECTED:
        raise TranscriptUnavailable(f"The transcript is in {connection}, which was disconnected.")
    if not connection.is_active:
        raise TranscriptUnreachable(
            f"The transcript is in {connection}, and that connection is {connection.get_state_display()}.",
            pause=work.LONGEST_PAUSE,
        )
    if not registry.VENDORS[connection.vendor].reads:
        raise TranscriptUnavailable(f"{connection} sends ratings only, no transcripts.")
    try:
        with registry.open_client(connection) as client:
            return client.transcript(conversation.external_id)
    except NotFound:
        raise TranscriptUnavailable(f"{connection} has no such conversation any more.") from None
    except RateLimited as limited:
        raise TranscriptUnreachable(limited.sentence, limited.pause) from None
    except (VendorError, Malformed) as fault:
        raise TranscriptUnreachable(str(fault)) from None
    except Exception as error:
        kind = log_where(log, f"Transcript at {connection.vendor}", error)
        raise TranscriptUnreachable(f"Reading the transcript broke ({kind}).") from None
