"""Triggers: which channel's messages go to the coach of which agent. A channel has one coach at most."""

import re
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agents import history
from agents.access import Refusal, Right, require
from agents.models import Agent
from coaching.actions.slack import posts
from coaching.actions.slack.connections import ChangedMeanwhile, NotConnected
from coaching.models import SlackConnection, SlackTrigger

State = SlackTrigger.State
# https://docs.slack.dev/reference/objects/conversation-object: public channels begin with C, private ones with C or G.
CHANNEL = re.compile(r"[CG][A-Z0-9]{2,48}")


class ChannelTaken(Refusal):
    """The channel has a coach already."""


def add(
    connection: SlackConnection,
    *,
    channel_id: str,
    agent: Agent,
    channel_name: str = "",
    posts_every_proposal: bool = True,
    by,
) -> SlackTrigger:
    """Let the messages of a channel go to the coach of `agent` from now on. `by` is None for an operator.

    A channel of a connection that was disconnected is free for others. Raises NotAllowed, NotConnected, ChannelTaken,
    ValidationError.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    channel_id = _checked(connection, channel_id, agent)
    if not SlackConnection.objects.connected().filter(pk=connection.pk).exists():
        raise NotConnected(f"{connection} is disconnected. Connect it again first.")
    trigger = SlackTrigger(
        workspace_id=connection.workspace_id,
        connection=connection,
        team_id=connection.team_id,
        channel_id=channel_id,
        channel_name=channel_name.removeprefix("#")[:200],
        agent=agent,
        posts_every_proposal=posts_every_proposal,
        created_by=by,
    )
    trigger._history_user = by.user if by is not None else None  # type: ignore[attr-defined]  # simple-history reads it
    with transaction.atomic():
        _make_room(trigger)
        with _taken(trigger):
            trigger.save(force_insert=True)
    return trigger


def change(
    trigger: SlackTrigger, *, agent: Agent, posts_every_proposal: bool, by, version: int | None = None
) -> SlackTrigger:
    """Give the channel another coach, or let it have other proposals. `by` is None for an operator.

    Threads that stand there go on with the coach they began with. `version` is the one that the change was typed against;
    without it the last word counts. Raises NotAllowed, ChangedMeanwhile, ValidationError.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if agent.pk != trigger.agent_id:
        _checked(trigger.connection, trigger.channel_id, agent)
    values = {"agent": agent, "posts_every_proposal": posts_every_proposal}
    as_read = SlackTrigger.objects.kept().filter(version=trigger.version if version is None else version)
    if not as_read.filter(pk=trigger.pk).exists():
        raise _changed()
    if all(getattr(trigger, name) == value for name, value in values.items()):
        return trigger
    if not history.change(trigger, as_read, by=by, **values):
        raise _changed()
    return trigger


def remove(trigger: SlackTrigger, *, by) -> SlackTrigger:
    """Listen no more in the channel. Threads there are heard no more; they stay readable. Raises NotAllowed, ChangedMeanwhile."""
    require(by, Right.MANAGE_WORKSPACE)
    if not history.change(trigger, SlackTrigger.objects.kept(), by=by, state=State.REMOVED, state_reason=""):
        raise ChangedMeanwhile("Somebody removed it meanwhile.")
    return trigger


def bring_back(trigger: SlackTrigger, *, by) -> SlackTrigger:
    """Undo a removal, as it was. Raises NotAllowed, NotConnected, ChannelTaken, ChangedMeanwhile."""
    require(by, Right.MANAGE_WORKSPACE)
    if not SlackConnection.objects.connected().filter(pk=trigger.connection_id).exists():
        raise NotConnected(f"{trigger.connection} is disconnected. Connect it again first.")
    removed = SlackTrigger.objects.filter(state=State.REMOVED)
    with transaction.atomic():
        _make_room(trigger)
        with _taken(trigger):
            is_back = history.change(trigger, removed, by=by, state=State.ACTIVE)
        if not is_back:
            raise ChangedMeanwhile("Somebody brought it back meanwhile.")
    return trigger


def lose(connection, channel_id: str, sentence: str) -> int:
    """The channel cannot be reached any more: say so until it can be, or a person has looked. How many triggers were active."""
    lost = {"state": State.LOST, "state_reason": sentence[:500]}
    return _all(connection, channel_id, State.ACTIVE, lost)


def find(connection, channel_id: str) -> int:
    """The channel can be reached again, and what was lost there gets in step. How many triggers were lost."""
    n_lost = _all(connection, channel_id, State.LOST, {"state": State.ACTIVE, "state_reason": ""})
    if n_lost:
        posts.recover(connection=connection, channel_id=channel_id)
    return n_lost


def rename(connection, channel_id: str, channel_name: str) -> None:
    """The channel is called otherwise by now."""
    rows = SlackTrigger.objects.kept().filter(connection=connection, channel_id=channel_id)
    for trigger in rows.exclude(channel_name=channel_name[:200]):
        history.change(trigger, rows, by=None, channel_name=channel_name[:200])


def _all(connection, channel_id, state, values):
    rows = SlackTrigger.objects.filter(connection=connection, channel_id=channel_id, state=state)
    return sum(history.change(trigger, rows, by=None, **values) for trigger in rows)


def _checked(connection, typed, agent):
    """The channel's id. Raises ValidationError with everything that is wrong."""
    wrong = {}
    channel_id = typed.strip()
    if not CHANNEL.fullmatch(channel_id):
        wrong["channel"] = (
            "This is not the id of a channel. It begins with C or G and stands at the end of the channel's details in Slack."
        )
    if agent.workspace_id != connection.workspace_id or not (agent.is_ai and agent.coaching and agent.active):
        wrong["agent"] = (
            "Choose an AI agent that has a coach. It is switched on in the agent's settings, under Advanced."
        )
    if wrong:
        raise ValidationError(wrong)
    return channel_id


def _make_room(trigger):
    """A trigger whose Slack workspace was disconnected stands in nobody's way."""
    rows = SlackTrigger.objects.kept().filter(connection__state=SlackConnection.State.DISCONNECTED)
    for other in rows.filter(team_id=trigger.team_id, channel_id=trigger.channel_id).exclude(pk=trigger.pk):
        history.change(other, SlackTrigger.objects.kept(), by=None, state=State.REMOVED, state_reason="")


@contextmanager
def _taken(trigger):
    """The database holds that a channel has one coach; say it in words."""
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        others = SlackTrigger.objects.kept().filter(team_id=trigger.team_id, channel_id=trigger.channel_id)
        other = others.exclude(pk=trigger.pk).select_related("agent").first()
        if other is None:
            raise
        # Another workspace's agent is nobody's business here.
        named = f": {other.agent.coach_name}" if other.workspace_id == trigger.workspace_id else ""
        raise ChannelTaken(f"This channel has a coach already{named}. A channel has one coach.") from None


def _changed():
    return ChangedMeanwhile("Somebody changed this coach's channel meanwhile, so nothing was saved. Look at it again.")
