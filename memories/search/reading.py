"""The search itself, over either database."""

import uuid
from dataclasses import dataclass
from datetime import datetime

from django.db import connection
from django.utils import timezone

from agents.configurations import number_at, versions_at
from memories.models import Memory, served_at
from memories.search.engines import ENGINES
from memories.search.words import words_of


@dataclass(frozen=True)
class Hit:
    """One entry that was found. `score` orders the hits of one search, higher is better; it compares with nothing else."""

    id: uuid.UUID
    version: int
    summary: str
    text: str | None
    score: float


def search(agent, query: str, *, limit: int = 10, as_of: datetime | None = None, include_text=False) -> list[Hit]:
    """The served memories of `agent` that fit `query`, best first.

    `as_of` searches what the agent knew at that instant: the versions that were in effect and had not expired by then.
    """
    words = words_of(query)
    if not words:
        return []
    engine = ENGINES[connection.vendor]
    if as_of is None:
        ranked = engine.ranked(agent.pk, words, timezone.now(), limit)
        rows = {row.pk: row for row in Memory.objects.filter(pk__in=[pk for pk, _ in ranked])}
    else:
        number = number_at(agent, as_of)
        if number is None:
            return []
        past = versions_at(Memory, agent, number).filter(served_at(as_of))
        ranked = engine.ranked_past(past, words, limit)
        rows = {row.id: row for row in past.filter(id__in=[pk for pk, _ in ranked])}
    return [
        Hit(pk, rows[pk].version, rows[pk].summary, rows[pk].text if include_text else None, score)
        for pk, score in ranked
        if pk in rows  # removed between the two queries
    ]
