"""Which model a workspace's coach and summaries ask."""

from django.conf import settings

from coaching import llm
from coaching.models import ModelConnection


def of(workspace_id) -> llm.Connection:
    """The workspace's own connection where it has a key, else the environment's; without any key the practice model."""
    own = ModelConnection.objects.filter(workspace=workspace_id).first()
    if own is not None and own.key:
        return llm.Connection(key=own.key, base_url=own.base_url, model=own.model, effort=own.effort)
    return from_environment()


def from_environment() -> llm.Connection:
    """What the operator has set for every workspace that has no connection of its own."""
    return llm.Connection(
        key=settings.ANTHROPIC_API_KEY,
        base_url=settings.ANTHROPIC_BASE_URL,
        model=settings.COACH_MODEL,
        effort=settings.COACH_EFFORT,
    )
