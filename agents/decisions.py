"""The decision log: append, walk the chain, export. Nothing here changes an entry."""

import hashlib
import json

from django.db.models import F

from agents.models import Decision, Workspace


def append(
    *, workspace_id, by, door, action, agent, target_kind, target_id, title, configuration=None, proposal=None, note=""
):
    """Add one entry. Must run inside the transaction of what was decided, so that neither exists without the other."""
    Workspace.objects.filter(pk=workspace_id).update(
        decisions_made=F("decisions_made") + 1
    )  # holds the row: one at a time
    number = Workspace.objects.values_list("decisions_made", flat=True).get(pk=workspace_id)
    before = (
        Decision.objects.filter(workspace_id=workspace_id, number=number - 1).values_list("hash", flat=True).first()
    )
    entry = Decision(
        workspace_id=workspace_id,
        number=number,
        by=by,
        by_name=str(by) if by else "",
        door=door,
        action=action,
        agent=agent,
        agent_name=agent.name,
        target_kind=target_kind,
        target_id=target_id,
        result_version=configuration and configuration.target_version,
        configuration_number=configuration and configuration.number,
        proposal_id=proposal and proposal.pk,
        proposal_type=proposal.type if proposal else "",
        title=title,
        note=note,
        previous_hash=before or "",
    )
    entry.hash = digest(entry)
    entry.save(force_insert=True)
    return entry


def digest(entry) -> str:
    """SHA-256 (hex) over the entry's fields in a fixed order, the hash of the entry before among them."""
    return hashlib.sha256(
        json.dumps([_plain(getattr(entry, field)) for field in Decision.HASHED], ensure_ascii=False).encode()
    ).hexdigest()


def _plain(value):
    if value is None or isinstance(value, (int, str)):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def verify(workspace):
    """Walk the chain and yield one sentence for each entry that is missing or was changed afterwards."""
    expected, previous = 1, ""
    for entry in Decision.objects.filter(workspace=workspace).order_by("number").iterator():
        if entry.number != expected:
            yield f"Entries {expected} to {entry.number - 1} are missing."
        elif entry.previous_hash != previous:
            yield f"Entry {entry.number} does not follow on the entry before it."
        if entry.hash != digest(entry):
            yield f"Entry {entry.number} was changed after it was written."
        expected, previous = entry.number + 1, entry.hash
    made = Workspace.objects.values_list("decisions_made", flat=True).get(pk=workspace.pk)
    if made != expected - 1:
        yield f"The log ends at entry {expected - 1}; {made} were written."
