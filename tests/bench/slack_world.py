"""A Slack with coaches in its channels, and the processes that serve it, for the benchmarks of Slack."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from agents.models import Agent, Member
from coaching.models import SlackConnection, SlackPost, SlackReceipt
from tests import factories, processes
from tests.slack import Slack, joined
from tests.slack.world import Channel, Team, User


@dataclass
class World:
    slack: Slack
    team: Team
    connection: SlackConnection
    owner: Member
    agents: list[Agent]
    channels: list[Channel]  # of the agents, in their order
    users: list[User]


def world(slack: Slack, *, channels: int, users: int = 0) -> World:
    """A workspace whose AI agents have a channel each, and people in them who are members."""
    owner = factories.owner(factories.workspace())
    team = slack.add_team()
    connection = joined.connection(team, owner.workspace)
    agents = [factories.ai_agent(owner.workspace) for _ in range(channels)]
    places = [team.add_channel() for _ in agents]
    for agent, place in zip(agents, places, strict=True):
        joined.trigger(connection, place, agent)
    people = [team.add_user() for _ in range(users)]
    for person in people:
        joined.person(connection, person, factories.member(owner.workspace, Member.Role.ADMIN, email=person.email))
    return World(slack, team, connection, owner, agents, places, people)


@contextmanager
def served(slack: Slack, *, workers: int = 1, threads: int = 8, **environment: str) -> Iterator[None]:
    """So many workers, and the clock that sends out what is owed."""
    told = {"SLACK_API_URL": slack.api_url, "PYTHONWARNINGS": "ignore", **environment}
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(processes.worker(threads, **told))
        stack.enter_context(processes.clock("ERROR", **told))
        yield


def owed() -> int:
    """What Slack has told and was not followed yet, and what is not shown there yet."""
    return SlackReceipt.objects.owed().count() + SlackPost.objects.owed().count()
