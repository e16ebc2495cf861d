"""What keeps a memory base true: near memories beside a new one, pairs that are kept or joined, the regular look."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from agents.access import Refusal, Right, require
from coaching.actions import proposals
from coaching.hygiene import Relation, Said, Verdict
from coaching.models import Proposal
from helpdesk.models import Conversation
from memories import actions as memories
from memories.models import KeptPair, Memory
from memories.search.reading import search

COMPARED = 5_000  # memories, the newest, whose summaries are compared; the search looks through all of them
BATCH = 200  # conversations that are read at once
MOST_AT_ONCE = 200  # memories that are confirmed, or proposed to be removed, with one click
_SEVERITY = list(Relation)


class MovedOn(Refusal):
    """A memory has changed, or is gone, since it was read; nothing was done."""


class Waits(Refusal):
    """A proposal about the memory waits for a decision already; `proposal` says which."""

    def __init__(self, proposal):
        super().__init__("A proposal about one of the two waits for a decision already.")
        self.proposal = proposal


@dataclass(frozen=True)
class Read:
    """A memory as somebody has read it."""

    id: UUID
    version: int


@dataclass(frozen=True)
class Near:
    """A memory that says nearly what somebody is about to say. In `why`, `first` are words of the new one, `second` of it."""

    memory: Memory
    relation: Relation
    why: Verdict


def near(agent, summary: str, text: str = "", besides: Collection[UUID] = ()) -> list[Near]:
    """The agent's memories that say nearly this, expired ones too, without those in `besides`; the most serious first.

    Three queries at most.
    """
    wanted = Said(summary, text)
    rows = Memory.objects.filter(agent=agent).exclude(pk__in=besides)
    said = list(rows.order_by("-updated_at", "pk").values_list("pk", "summary")[:COMPARED])
    if len(said) == COMPARED:
        seen = {pk for pk, _ in said}
        said += [(hit.id, hit.summary) for hit in search(agent, summary, limit=50) if hit.id not in seen]
    close = [pk for pk, its_summary in said if pk not in besides and wanted.is_near(parsed(its_summary))]
    found = rows.in_bulk(close)
    told = []
    for memory in (found[pk] for pk in close if pk in found):
        verdict = wanted.compare(Said(memory.summary, memory.text))
        if verdict is not None:
            told.append(Near(memory, verdict.relation, verdict))
    return sorted(told, key=lambda each: _SEVERITY.index(each.relation))


@lru_cache(maxsize=COMPARED)
def parsed(summary: str) -> Said:
    """A summary taken apart; the same ones are asked for again and again. Each takes some ten kilobytes."""
    return Said(summary)


# ----------------------------------------------------------------------------------------------------- pairs, by a person


def keep_both(agent, one: Read, other: Read, *, by):
    """Both are to stay as they are: the pair is not shown again until one of the two changes. Returns the KeptPair.

    Raises NotAllowed, MovedOn.
    """
    require(by, Right.CONFIGURE)
    with transaction.atomic():
        first, second = sorted(_as_read(agent, [one, other]), key=lambda memory: memory.pk)
        kept, _ = KeptPair.objects.update_or_create(
            first=first,
            second=second,
            defaults={
                "workspace_id": agent.workspace_id,
                "first_version": first.version,
                "second_version": second.version,
                "kept_at": timezone.now(),
                "kept_by": by,
            },
        )
    return kept


def show_again(kept, *, by):
    """Take a "keep both" back. Harmless where somebody did before. Raises NotAllowed."""
    require(by, Right.CONFIGURE)
    KeptPair.objects.filter(pk=kept.pk).delete()


def replace(agent, *, keep: Read, gone: Read, by):
    """Propose to remove `gone`, for `keep` says it better. Returns the Proposal.

    Raises NotAllowed, MovedOn, Waits, ValidationError.
    """
    require(by, Right.COACH_AI)
    with transaction.atomic():
        kept, removed = _free_to_change(agent, [keep, gone])
        return _propose_removal(agent, removed, _why(kept, removed, "It is replaced by"), by)


def merge(agent, *, keep: Read, gone: Read, change, by):
    """Propose that `keep` says what `change` ({summary, text, expires_at}) says, and that `gone` is removed.

    Returns the proposals; only the removal where `keep` says it already. Raises NotAllowed, MovedOn, Waits, ValidationError.
    """
    require(by, Right.COACH_AI)
    with transaction.atomic():
        kept, removed = _free_to_change(agent, [keep, gone])
        made = []
        if any(getattr(kept, name) != value for name, value in change.items()):
            made.append(
                proposals.create(
                    agent, type=Proposal.Type.MEMORY_UPDATE, change=change, target_id=kept.pk, base_version=kept.version,
                    rationale=_why(kept, removed, "It takes in"), proposed_by=by,
                )
            )  # fmt: skip
        made.append(_propose_removal(agent, removed, _why(kept, removed, "It is merged into"), by))
        return made


def still_true(agent, entries: Sequence[Read], *, by):
    """Note that somebody looked and they are still true: no version, nothing an agent is told changes.

    Returns the ids of those that had changed since they were read and were left alone. Raises NotAllowed, ValidationError.
    """
    require(by, Right.CONFIGURE)
    _refuse_too_many(entries)
    now, moved = timezone.now(), []
    for entry in entries:
        there = Memory.objects.filter(agent=agent, pk=entry.id, version=entry.version)
        if not there.update(checked_at=now, checked_by=by):
            moved.append(entry.id)
    return moved


def propose_removals(agent, entries: Sequence[Read], *, reason, by):
    """Propose to remove each of them. Returns [(Read, Proposal, or the Refusal that kept it from being made)].

    Raises NotAllowed, ValidationError.
    """
    require(by, Right.COACH_AI)
    _refuse_too_many(entries)
    told: list[tuple[Read, Proposal | Refusal]] = []
    for entry in entries:
        try:
            with transaction.atomic():
                (memory,) = _free_to_change(agent, [entry])
                told.append((entry, _propose_removal(agent, memory, reason, by)))
        except Refusal as refusal:
            told.append((entry, refusal))
    return told


def waiting(agent, ids: Collection[UUID]):
    """{memory id: its oldest proposal that waits for a decision}."""
    rows = (
        agent.proposals.pending().filter(type__startswith=Memory.KIND, target_id__in=ids).order_by("-created_at", "pk")
    )
    return {row.target_id: row for row in rows}


# ------------------------------------------------------------------------------------------------------ what was served


def note_served(most=BATCH) -> int:
    """Let the memories that conversations name know when they were served; returns how many conversations were looked at.

    A conversation that changes meanwhile stays for the next look, as do those that a worker that dies did not come to.
    """
    rows = Conversation.objects.filter(memories_are_noted=False).order_by("updated_at")
    looked_at = list(rows.only("agent_id", "memories_served", "closed_at", "updated_at")[:most])
    for row in looked_at:
        at = row.closed_at or row.updated_at
        if row.agent_id is None or memories.mark_served(row.agent_id, _named(row.memories_served), at):
            # After the memories: who dies in between has noted them, and they are noted once more.
            as_read = Conversation.objects.filter(pk=row.pk, memories_are_noted=False, updated_at=row.updated_at)
            as_read.update(memories_are_noted=True)
    return len(looked_at)


def _named(served):
    """The ids of memories among what a runtime said it was served."""
    found = set()
    for each in served if isinstance(served, list) else ():
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            found.add(UUID(each["id"]))
    return found


# ----------------------------------------------------------------------------------------------------------------------


def _propose_removal(agent, memory, rationale, by):
    return proposals.create(
        agent, type=Proposal.Type.MEMORY_DELETE, target_id=memory.pk, base_version=memory.version,
        rationale=rationale, proposed_by=by,
    )  # fmt: skip


def _why(kept, removed, how):
    """The rationale, which names the other one of the pair and what the two are to each other."""
    verdict = Said(kept.summary, kept.text).compare(Said(removed.summary, removed.text))
    other = removed if how == "It takes in" else kept
    relation = {
        Relation.CONTRADICTION: " The two contradict each other",
        Relation.DUPLICATE: " The two say the same",
        Relation.SIMILAR: " The two are near in words",
    }
    why = "" if verdict is None else f"{relation[verdict.relation]}{_reason(verdict)}."
    return f"{how} “{other.summary}”.{why}"


def _reason(verdict):
    return "" if verdict.relation == Relation.DUPLICATE else f": {verdict.reason}"


def _free_to_change(agent, entries):
    """The memories as they were read, while no proposal about them waits. Raises MovedOn, Waits."""
    rows = _as_read(agent, entries)
    if found := waiting(agent, [row.pk for row in rows]):
        raise Waits(next(iter(found.values())))
    return rows


def _as_read(agent, entries):
    """The memories in the given order, held until the end of the transaction. Raises MovedOn."""
    held = Memory.objects.select_for_update().filter(agent=agent, pk__in=[entry.id for entry in entries])
    rows = {row.pk: row for row in held.order_by("pk")}
    if len(rows) < len({entry.id for entry in entries}) or len(rows) < len(entries):
        raise MovedOn("One of them has been removed since you opened this page.")
    if any(rows[entry.id].version != entry.version for entry in entries):
        raise MovedOn("One of them has been changed since you opened this page. Read it again first.")
    return [rows[entry.id] for entry in entries]


def _refuse_too_many(entries):
    if len(entries) > MOST_AT_ONCE:
        raise ValidationError(f"At most {MOST_AT_ONCE} at once.")
