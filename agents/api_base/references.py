"""How a body, a filter or a path names an agent: by its id or by its exact name."""

import uuid

from agents.models import Agent
from agents.names import AmbiguousAgent


def told_apart(candidates):
    """Agents of one name as a refusal lists them, with what tells them apart: [{id, name, kind, team, active}]."""
    return [
        {
            "id": str(agent.pk),
            "name": agent.name,
            "kind": agent.kind,
            "team": agent.team and agent.team.name,
            "active": agent.active,
        }
        for agent in candidates
    ]


class UnknownRow(Exception):
    """A reference to something that is not there, or not for this member's eyes. `field` is where it stood."""

    def __init__(self, message, field):
        super().__init__(message)
        self.field = field


class UnknownAgent(UnknownRow):
    """No agent of that id or name that the member may see."""


def find_agent(member, reference: str, *, field="agent", agents=None) -> Agent:
    """The agent that `member` may see by that id or exact name. Raises AmbiguousAgent, UnknownAgent.

    `agents` narrows the agents looked at (default: all).
    """
    rows = (Agent.objects.all() if agents is None else agents).visible_to(member).select_related("team")
    try:
        found = list(rows.filter(pk=uuid.UUID(reference)))
    except ValueError:
        found = []
    found = found or list(rows.filter(name=reference).order_by("created_at", "id")[:20])
    if len(found) > 1:
        raise AmbiguousAgent(reference, found)
    if not found:
        raise UnknownAgent(f"There is no agent {reference[:300]!r} here.", field)
    [agent] = found
    agent.workspace = member.workspace  # it is theirs, and read already
    return agent
