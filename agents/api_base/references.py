"""How a body, a filter or a path names an agent: by its id or by its exact name."""

import uuid

from django.db.models import CharField, UUIDField

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import Agent, Team
from agents.names import AmbiguousAgent

AGENT_AND_TEAM = columns_of(Agent) + columns_of(Team, "team__")
BY_ID = CompiledQuery(
    lambda somebody: Agent.objects.visible_to(somebody).filter(pk=Parameter("id", UUIDField())), AGENT_AND_TEAM
)
BY_NAME = CompiledQuery(
    lambda somebody: (
        Agent.objects.visible_to(somebody).filter(name=Parameter("name", CharField())).order_by("created_at", "id")[:20]
    ),
    AGENT_AND_TEAM,
)


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


def find_agent(member, reference: str, *, field="agent") -> Agent:
    """The agent that `member` may see by that id or exact name, with its team. Raises AmbiguousAgent, UnknownAgent."""
    try:
        rows = BY_ID.rows(member, id=uuid.UUID(reference))
    except ValueError:
        rows = []
    found = [_agent(row, member) for row in rows or BY_NAME.rows(member, name=reference)]
    if len(found) > 1:
        raise AmbiguousAgent(reference, found)
    if not found:
        raise UnknownAgent(f"There is no agent {reference[:300]!r} here.", field)
    return found[0]


def _agent(row, member) -> Agent:
    agent, agent.team = read_models(row, Agent, Team)
    agent.workspace = member.workspace  # it is theirs, and read already
    return agent
