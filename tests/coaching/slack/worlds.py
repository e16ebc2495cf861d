"""A coach in a channel of a Slack that is played, and what is owed to it, delivered as a worker does."""

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from agents.models import Agent, Member
from coaching.actions import sessions
from coaching.models import SlackConnection, SlackPost, SlackThread, SlackTrigger, Turn
from coaching.slack import delivery
from tests import factories
from tests.slack.world import Channel, Team


@dataclass
class World:
    """One Slack workspace with one channel, that of the coach of `agent`; `owner` leads the workspace."""

    team: Team
    channel: Channel
    connection: SlackConnection
    trigger: SlackTrigger
    agent: Agent
    owner: Member

    def another_channel(self, **fields) -> Channel:
        """One more channel, with the coach of an agent of its own in it."""
        channel = self.team.add_channel(**fields)
        factories.slack_trigger(
            self.connection, factories.ai_agent(self.agent.workspace), channel_id=channel.id, channel_name=channel.name
        )
        return channel

    def agent_in(self, channel: Channel) -> Agent:
        return SlackTrigger.objects.get(channel_id=channel.id).agent

    def asked(self, text="Why?", channel: Channel | None = None) -> tuple[Turn, SlackPost]:
        """A question in a thread of a channel, and the answer that is owed to it."""
        channel = channel or self.channel
        asked_ts = self.team.add_user().says(text, channel)
        session = factories.session(self.agent, self.owner)
        turn = sessions.ask(session, by=self.owner, text=text)
        thread = SlackThread.objects.create(
            workspace=self.agent.workspace,
            connection=self.connection,
            trigger=self.trigger,
            channel_id=channel.id,
            thread_ts=asked_ts,
            session=session,
        )
        post = SlackPost.objects.create(
            workspace=self.agent.workspace,
            connection=self.connection,
            kind=SlackPost.Kind.ANSWER,
            turn=turn,
            thread=thread,
            asked_ts=asked_ts,
            channel_id=channel.id,
        )
        return turn, post


def make(slack, workspace, owner) -> World:
    team = slack.add_team()
    channel = team.add_channel("coaching")
    connection = factories.slack_connection(
        workspace,
        team_id=team.id,
        app_id=team.app_id,
        bot_token=team.bot_token,
        bot_user_id=team.bot_user_id,
        signing_secret=team.signing_secret,
    )
    agent = factories.ai_agent(workspace, name="Robin")
    trigger = factories.slack_trigger(connection, agent, channel_id=channel.id, channel_name=channel.name)
    return World(team, channel, connection, trigger, agent, owner)


def deliver_due() -> int:
    """What one look of the clock brings workers to do. Returns how many posts they were sent for."""
    due = list(SlackPost.objects.takeable().due().order_by("next_try_at").values_list("pk", flat=True))
    for pk in due:
        delivery.deliver(str(pk))
    return len(due)


def deliver_until_done(clock, *, step=1.0, most=3_600) -> float:
    """Looks every `step` seconds of a moved clock until nothing is owed. Returns how many seconds that took."""
    began = timezone.now()
    while SlackPost.objects.owed().exists():
        assert timezone.now() - began < timedelta(seconds=most), "it does not end"
        deliver_due()
        clock.shift(timedelta(seconds=step))
    return (timezone.now() - began).total_seconds()


@contextmanager
def answering(raw):
    """A server that says the same bytes to whoever calls, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            while True:
                try:
                    calling, _ = listening.accept()
                except OSError:
                    return
                with calling:
                    calling.recv(65_536)
                    calling.sendall(raw)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/api/"
        listening.shutdown(socket.SHUT_RDWR)
