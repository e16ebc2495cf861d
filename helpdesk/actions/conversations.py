"""What is told of a conversation, and what of it may be kept."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents.access import Right, require
from agents.models import Agent, Workspace
from helpdesk.actions.days import enter
from helpdesk.actions.directory import agent_meant
from helpdesk.actions.ratings import Batch, Outcome, withdraw_rating
from helpdesk.models import Conversation, Rating, StoredTranscript
from helpdesk.rows import ConversationRow, RatingRow, Refused


def upsert_conversation(workspace: Workspace, row: ConversationRow, *, by=None) -> tuple[Conversation, Outcome]:
    """Take in what is told of one conversation, known by (source, external id); what is not told stays as it is.

    Its transcript is stored as the agent's storage mode allows: nothing unmasked leaves this function in mode `masked`.
    The outcome is ACCEPTED for a new one, UPDATED or UNCHANGED. `by` is None for the product's own imports.
    Raises NotAllowed, Refused, AmbiguousAgent.
    """
    if by is not None:
        require(by, Right.IMPORT)
    agent = agent_meant(workspace, row.agent, source=row.source)
    if row.transcript is not None and not agent.is_ai:
        raise Refused("transcript", f"{agent} is a person; transcripts are taken for AI agents only.")
    if row.configuration_version is not None and row.configuration_version > agent.configuration_version:
        raise Refused("configurationVersion", f"{agent} is at configuration {agent.configuration_version}.")
    kept = None if row.transcript is None else _kept(row.transcript, agent.storage_mode)
    with transaction.atomic():
        workspace = enter(workspace)
        conversation = Conversation.objects.filter(
            workspace=workspace, source=row.source, external_id=row.external_id
        ).first() or Conversation(
            workspace=workspace, source=row.source, external_id=row.external_id, status=Conversation.Status.OPEN
        )
        is_new = conversation._state.adding
        changed = _tell(conversation, row, agent)
        if is_new:
            conversation.save(force_insert=True)
        elif changed:
            conversation.save(update_fields=[*changed, "updated_at"])
        if row.transcript is not None:
            changed |= _keep_transcript(conversation, agent, kept)
        if row.csat is not None:
            changed |= _rate(workspace, conversation, agent, row.csat)
        elif row.withdrawn and withdraw_rating(conversation):
            changed.add("csat")
    outcome = Outcome.ACCEPTED if is_new else Outcome.UPDATED if changed else Outcome.UNCHANGED
    return conversation, outcome


def _tell(conversation, row, agent) -> set[str]:
    """Set what the row tells. Returns the names of the fields that changed. Raises Refused."""
    told: dict[str, Any] = {"agent_id": agent.pk}
    if row.opened_at is not None:
        told["opened_at"] = row.opened_at
    if row.closed_at is not None:
        told |= {"closed_at": row.closed_at, "status": Conversation.Status.CLOSED}
    if row.status is not None:
        told["status"] = row.status
        if row.status == Conversation.Status.OPEN:
            told["closed_at"] = None
    if row.channel is not None:
        told["channel"] = row.channel
    if row.transcript is not None:
        told["turn_count"] = len(row.transcript)
    if row.configuration_version is not None:
        told["configuration_version"] = row.configuration_version
    if row.memories_served is not None:
        told["memories_served"] = row.memories_served
    changed = {name for name, value in told.items() if getattr(conversation, name) != value}
    if "memories_served" in changed:
        # Written with the list whatever it was when this was read: somebody may have noted the list before it meanwhile.
        told["memories_are_noted"] = not row.memories_served
        changed.add("memories_are_noted")
    for name in changed:
        setattr(conversation, name, told[name])
    opened_at, closed_at = conversation.opened_at, conversation.closed_at
    if opened_at and closed_at and closed_at < opened_at:
        raise Refused("closedAt" if row.closed_at else "openedAt", "It would be closed before it was opened.")
    return changed


def _kept(transcript, mode) -> list[dict] | None:
    """What of a transcript may rest in the database; None where nothing may."""
    if mode == Agent.Storage.SUMMARY_ONLY:
        return None
    return (transcript if mode == Agent.Storage.FULL else transcript.masked()).as_json()


def _keep_transcript(conversation, agent, turns) -> set[str]:
    stored = StoredTranscript.objects.filter(conversation=conversation)
    if turns is None:
        return {"transcript"} if stored.delete()[0] else set()
    if stored.filter(masked=agent.storage_mode != Agent.Storage.FULL).exists() and stored.get().turns == turns:
        return set()
    StoredTranscript.objects.update_or_create(
        conversation=conversation,
        defaults={
            "workspace_id": conversation.workspace_id,
            "turns": turns,
            "masked": agent.storage_mode != Agent.Storage.FULL,
            "delete_at": timezone.now() + timedelta(days=agent.retention_days),
        },
    )
    return {"transcript"}


def _rate(workspace, conversation, agent, csat) -> set[str]:
    rated_at = csat.rated_at or conversation.closed_at
    if rated_at is None:
        raise Refused("csat.ratedAt", "It is missing.")
    batch = Batch(workspace, {(conversation.source, conversation.external_id)})
    # Whose conversation it was is told, not whom the customer had in mind.
    row = RatingRow(
        external_id=conversation.external_id,
        agent=str(agent.pk),
        value=csat.value,
        scale=csat.scale,
        score=csat.score,
        rated_at=rated_at,
        source=conversation.source,
        credit=Rating.Credit.ASSIGNEE,
    )
    outcome = batch.take(row, agent.pk)
    batch.store()
    return set() if outcome is Outcome.UNCHANGED else {"csat"}
