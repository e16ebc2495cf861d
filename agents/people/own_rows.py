"""Choosing the agent that is a member's own row: which are free, under which names they are offered, which one was typed."""

from django.core.exceptions import ValidationError
from django.db.models import Q

from agents import names
from agents.models import Agent

MOST_OFFERED = 100
MOST_NAMED = 5
FREE = Q(kind=Agent.Kind.HUMAN, member=None)


def free(workspace):
    """The people among the agents who are nobody's own row yet."""
    return Agent.objects.filter(FREE, workspace=workspace)


def offered(workspace, typed="") -> list[str]:
    """The names of free rows that hold what was typed, active ones first, at most so many."""
    rows = free(workspace).filter(name__icontains=typed.strip()).order_by("-active", "name", "pk")
    return names.labels(list(rows.values_list("pk", "name", "team__name")[:MOST_OFFERED]))


def find(workspace, typed):
    """The free row that was typed, by its name or a part that fits only one; None where nothing was typed.

    Where several have one name they are told apart by their team or the beginning of their id. Raises ValidationError.
    """
    typed = " ".join(typed.split())
    if not typed:
        return None
    rows = list(free(workspace).order_by("name", "pk").values_list("pk", "name", "team__name"))
    fits = _fits(rows, typed)
    if len(fits) == 1:
        return Agent.objects.get(pk=fits[0][0])
    if fits:
        named = ", ".join(f"“{label}”" for label in names.labels(fits)[:MOST_NAMED])
        more = " and others" if len(fits) > MOST_NAMED else ""
        raise ValidationError({"agent": f"Several fit: {named}{more}. Type the one you mean."})
    raise ValidationError(
        {"agent": f"No free row is called “{typed}”. It may be somebody’s own already, or an AI agent."}
    )


def _fits(rows, typed):
    wanted = typed.casefold()
    for label_of in (names.labels, lambda rows: [name for _, name, _ in rows]):
        labels = label_of(rows)
        exact = [row for row, label in zip(rows, labels, strict=True) if " ".join(label.split()).casefold() == wanted]
        if exact:
            return exact
    return [row for row in rows if wanted in row[1].casefold()]
