"""The decision log: append, walk the chain, check it against what was applied. Nothing here changes an entry."""

import hashlib
import json

from django.db.models import Count, Exists, F, OuterRef, Q

from agents.models import Agent, Configuration, Decision, Prompt, Workspace

MOST_NAMED = 20  # faults of one kind that are told one by one
Action = Decision.Action
WORDS = {
    Action.APPROVED: "Approved", Action.REJECTED: "Rejected", Action.REBASED: "Brought up to date",
    Action.REVERTED: "Taken back", Action.CREATED: "Added", Action.REVISED: "Changed", Action.REMOVED: "Removed",
    Action.RESTORED: "Restored",
}  # fmt: skip


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
    """Walk the chain and hold it against the configurations; yield one sentence for each fault, naming the entry.

    An entry that was changed, taken out, put in or moved breaks the chain, or its end does not fit the count of what was
    written. Somebody who wrote the hashes behind it anew as well is found where an entry says another thing than the
    configuration it made, or where one of them is not there. What is decided meanwhile disturbs nothing.
    """
    written = _written(workspace)
    expected, previous = 1, ""
    for entry in Decision.objects.filter(workspace=workspace).order_by("number").iterator():
        if entry.number == expected + 1:
            yield f"Entry {expected} is missing."
        elif entry.number > expected:
            yield f"Entries {expected} to {entry.number - 1} are missing."
        elif entry.previous_hash != previous:
            yield f"Entry {entry.number} does not follow on the entry before it."
        if entry.hash != digest(entry):
            yield f"Entry {entry.number} was changed after it was written."
        expected, previous = entry.number + 1, entry.hash
    if not written <= expected - 1 <= _written(workspace):
        yield f"The log ends at entry {expected - 1}; {written} were written."
    yield from _against_configurations(workspace)


def _written(workspace):
    return Workspace.objects.values_list("decisions_made", flat=True).get(pk=workspace.pk)


def _against_configurations(workspace):
    """What the log and the configurations of agents that are still there say of each other."""
    agents = Agent.objects.filter(workspace=workspace)
    applied = Decision.objects.filter(workspace=workspace).exclude(configuration_number=None)
    made = Configuration.objects.filter(
        agent=OuterRef("agent_id"), number=OuterRef("configuration_number"), target_kind=OuterRef("target_kind"),
        target_id=OuterRef("target_id"), target_version=OuterRef("result_version"), door=OuterRef("door"),
    )  # fmt: skip
    made = Exists(made.filter(by=OuterRef("by_id"))) | Q(by=None) & Exists(made.filter(by=None))
    wrong = applied.filter(agent__in=agents.values("pk")).exclude(made).order_by("number")
    for number, configuration, name in wrong.values_list("number", "configuration_number", "agent_name")[:MOST_NAMED]:
        yield f"Entry {number} does not say what configuration {configuration} of {name} is."
    twice = applied.order_by().values("agent_id", "agent_name", "configuration_number").annotate(n=Count("pk"))
    for row in twice.filter(n__gt=1).order_by("agent_name", "configuration_number")[:MOST_NAMED]:
        yield f"Configuration {row['configuration_number']} of {row['agent_name']} stands in {row['n']} entries."
    first = Q(target_kind=Prompt.KIND, change=Configuration.Change.CREATED)  # a prompt comes with its agent
    for agent in agents.ai().order_by("name"):
        numbers = list(
            Configuration.objects.filter(agent=agent).exclude(first).order_by("number").values_list("number", flat=True)
        )
        told = set(applied.filter(agent=agent).values_list("configuration_number", flat=True).iterator())
        for number in [number for number in numbers if number not in told][:MOST_NAMED]:
            yield f"Configuration {number} of {agent} has no entry."
