"""What an AI agent was told at a configuration number: its prompt and procedures, read from their histories."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import F, OuterRef, Subquery
from django.utils import timezone

from agents.models import Configuration, Procedure, Prompt


@dataclass(frozen=True)
class Told:
    """`prompt` is a history row of Prompt, `procedures` are those of Procedure: only active ones, by name."""

    number: int
    memory_base_version: int
    prompt: Prompt
    procedures: list[Procedure]


def number_at(agent, at) -> int | None:
    """The configuration number that was in effect at the instant `at`; None before the first."""
    return agent.configurations.filter(created_at__lte=at).order_by("-number").values_list("number", flat=True).first()


def instant_of(made: Configuration, *, is_newest) -> datetime:
    """The instant at which a configuration is read where nobody names one: when it was made, for the newest now.

    What expires is judged by it, so that an entry that had expired by then is not told as served.
    """
    return timezone.now() if is_newest else made.created_at


def told(agent, number) -> Told:
    """Everything `agent` was told at configuration `number`. Raises Configuration.DoesNotExist."""
    configuration = Configuration.objects.get(agent=agent, number=number)
    return Told(
        number=number,
        memory_base_version=configuration.memory_base_version,
        prompt=versions_at(Prompt, agent, number).get(),
        procedures=list(versions_at(Procedure, agent, number).filter(active=True).order_by("name")),
    )


def versions_at(model, agent, number):
    """The history rows of `model` (Prompt, Procedure, a memory) that were in effect at configuration `number`."""
    newest = Configuration.objects.filter(
        agent=agent, target_kind=model.KIND, target_id=OuterRef("id"), number__lte=number
    ).order_by("-target_version")  # as by number, and there is an index of exactly this
    rows = model.history.filter(agent_id=agent.pk).annotate(in_effect=Subquery(newest.values("target_version")[:1]))
    return rows.filter(version=F("in_effect")).exclude(history_type="-")
