"""What turns use of a model: as it is stored with each, and added up over a workspace's day."""

from datetime import datetime, time
from typing import Any

from django.db.models import BigIntegerField, Q, QuerySet, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce
from django.utils import timezone

from agents.models import Workspace
from coaching.llm import Usage
from coaching.models import Turn

NAMES = {
    "inputTokens": "input_tokens",
    "outputTokens": "output_tokens",
    "cacheReadTokens": "cache_read_tokens",
    "cacheCreationTokens": "cache_creation_tokens",
    "rounds": "rounds",
    "latencyMs": "latency_ms",
}
TOKENS = tuple(name for name in NAMES if name.endswith("Tokens"))


def stored(usage: Usage, model: str) -> dict[str, Any]:
    """The JSON that is kept with a turn."""
    return {**{name: getattr(usage, field) for name, field in NAMES.items()}, "model": model}


def read(kept: dict[str, Any]) -> Usage:
    """What the JSON of a turn says was used; nothing where it is empty."""
    return Usage(**{field: kept.get(name, 0) for name, field in NAMES.items()})


def tokens_today(workspace: Workspace) -> int:
    """Tokens of all kinds that ended turns used since the workspace's midnight, and unfinished ones until now."""
    today = timezone.now().astimezone(workspace.zone).date()
    midnight = datetime.combine(today, time.min, tzinfo=workspace.zone)
    sums = turns_since(workspace, midnight).aggregate(**{name: tokens(name) for name in TOKENS})
    return sum(sums.values())


def turns_since(workspace: Workspace, since: datetime) -> QuerySet[Turn]:
    """The turns whose use counts from then on: those that have ended since, and those that are not through."""
    return Turn.objects.filter(Q(ended_at=None) | Q(ended_at__gte=since), workspace=workspace).order_by()


def tokens(name: str) -> Coalesce:
    """The sum of one kind of tokens over turns, 0 where there are none; `name` is one of TOKENS."""
    return Coalesce(Sum(Cast(KT(f"usage__{name}"), BigIntegerField())), 0, output_field=BigIntegerField())
