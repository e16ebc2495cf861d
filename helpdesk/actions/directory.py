"""Whom the words of a row mean: an id, an exact name, or how the row's source calls an agent."""

import uuid
from collections import defaultdict

from django.db.models import Q

from agents import actions as agents
from agents.models import Agent, ExternalId, Workspace
from agents.names import AmbiguousAgent
from helpdesk.rows import Refused


def agent_meant(workspace: Workspace, word: str, *, source: str = "") -> Agent:
    """The agent that an id, an exact name or the source's own id means. Raises Refused, AmbiguousAgent."""
    directory = Directory(workspace, {(source, word)})
    if len(directory.by_name.get(word, ())) > 1:
        raise AmbiguousAgent(word, directory.by_name[word])
    pk = directory.id_of(source, word)
    return directory.by_id.get(pk) or Agent.objects.get(pk=pk)


class Directory:
    """Whom the references of a batch mean: an id, the exact name, or how the row's source calls an agent."""

    def __init__(self, workspace, references: set[tuple[str, str]]):
        self.workspace = workspace
        words = {word for _, word in references}
        ids = {pk for word in words if (pk := _as_id(word))}
        self.by_id: dict[uuid.UUID, Agent] = {}
        self.by_name: dict[str, list[Agent]] = defaultdict(list)
        wanted = Q(name__in=words) | Q(pk__in=ids) if ids else Q(name__in=words)
        for agent in Agent.objects.filter(wanted, workspace=workspace).select_related("team").order_by("created_at"):
            self.by_id[agent.pk] = agent
            self.by_name[agent.name].append(agent)
        called = ExternalId.objects.filter(
            workspace=workspace, source__in={source for source, _ in references}, value__in=words
        )
        self.by_external_id = {(e.source, e.value): e.agent_id for e in called}

    def id_of(self, source: str, word: str) -> uuid.UUID:
        """Raises Refused where nobody, or more than one, is meant."""
        named = self.by_name.get(word)
        if named:
            if len(named) > 1:
                raise Refused("agent", AmbiguousAgent(word, named).with_ids)
            return named[0].pk
        pk = _as_id(word)
        if pk in self.by_id:
            return pk
        if (source, word) in self.by_external_id:
            return self.by_external_id[source, word]
        raise Refused("agent", f"No agent is called {word}.")

    def make_missing(self, rows, door) -> list[Agent]:
        """Make a person for each name that means nobody; an id that means nobody is a mistake, not a name."""
        made = []
        for row in rows:
            word = row.agent
            if word in self.by_name or _as_id(word) or (row.source, word) in self.by_external_id:
                continue
            agent = agents.create_agent(self.workspace, name=word, team=row.team, by=None, door=door)
            self.by_name[word].append(agent)
            made.append(agent)
        return made


def _as_id(word):
    try:
        return uuid.UUID(word) if len(word) == 36 else None
    except ValueError:
        return None
