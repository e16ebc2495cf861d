"""What keeps a memory base true: near memories beside a new one, pairs that are kept or joined, the regular look."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from uuid import UUID

from coaching.hygiene import Relation, Said, Verdict
from memories.models import Memory
from memories.search.reading import search

COMPARED = 5_000  # memories, the newest, whose summaries are compared; the search looks through all of them
_SEVERITY = list(Relation)


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


@lru_cache(maxsize=20_000)
def parsed(summary: str) -> Said:
    """A summary taken apart; the same ones are asked for again and again."""
    return Said(summary)
