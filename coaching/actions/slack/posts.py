"""What is owed to Slack: a message for each thing that is to be seen there, drawn again whenever its record moves on.

Whoever changes a proposal or a flag says so here, in the same transaction; a worker draws what is owed (`coaching.slack`).
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from agents import work
from coaching.models import Flag, Proposal, SlackPolicy, SlackPost, SlackThread, SlackTrigger

Kind, State = SlackPost.Kind, SlackPost.State


def owe_proposal(proposal: Proposal) -> None:
    """A new proposal is posted in the thread it was born in, or else in the channels of its agent's coach that want every one."""
    thread = SlackThread.objects.filter(session=proposal.session_id).first() if proposal.session_id else None
    if thread is not None:
        places = [(thread.connection_id, thread.channel_id)]
    else:
        triggers = SlackTrigger.objects.active().filter(agent=proposal.agent_id, posts_every_proposal=True)
        places = list(triggers.values_list("connection", "channel_id"))
    SlackPost.objects.bulk_create(
        SlackPost(
            workspace_id=proposal.workspace_id,
            connection_id=connection,
            kind=Kind.PROPOSAL,
            proposal=proposal,
            thread=thread,
            channel_id=channel,
        )
        for connection, channel in places
    )


def owe_flag(flag: Flag) -> None:
    """A new flag is posted in the channel the workspace chose, or by its incoming webhook where that is all it has."""
    policy = SlackPolicy.objects.select_related("flags_connection").filter(workspace=flag.workspace_id).first()
    if policy is None:
        return
    connection = policy.flags_connection
    if connection is not None and connection.is_active and policy.flags_channel_id:
        place = {"connection": connection, "channel_id": policy.flags_channel_id}
    elif policy.flags_webhook:
        place = {"connection": None, "channel_id": ""}
    else:
        return
    SlackPost.objects.create(workspace_id=flag.workspace_id, kind=Kind.FLAG, flag=flag, **place)


def redraw(**of) -> None:
    """The record behind these posts moved on (`proposal=…`, `flag=…`, `proposal__in=…`): they are owed again, at once."""
    rows = SlackPost.objects.filter(**of).exclude(state=State.LOST)
    rows.update(next_try_at=timezone.now(), revision=F("revision") + 1)


def settle(post: SlackPost, **values) -> None:
    """The post shows its record as it was at `post.revision`. Where that moved on meanwhile it is owed again, at once.

    Raises work.LeaseLost.
    """
    with transaction.atomic():
        work.renew(post)  # holds the row: whoever moves it on now waits until this is stored
        if SlackPost.objects.filter(pk=post.pk, revision=post.revision).exists():
            work.settle(post, attempts=0, **values)
        else:
            work.put_off(post, error="", pause=timedelta(0), attempts=0, **values)
