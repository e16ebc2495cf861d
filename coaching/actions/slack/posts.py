"""What is owed to Slack: a message for each thing that is to be seen there, drawn again whenever its record moves on.

Whoever changes a proposal or a flag says so here, in the same transaction; a worker draws what is owed (`coaching.slack`).
"""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from agents import work
from coaching.actions.targets import MODELS
from coaching.models import Flag, Proposal, SlackConnection, SlackPolicy, SlackPost, SlackThread, SlackTrigger, Turn

Kind, State = SlackPost.Kind, SlackPost.State
PENDING, STALE = "pending", "stale"  # words of `drawn`
GIVEN_UP = "Given up by hand."
MOST_AT_ONCE = 200  # that one look finds stale


def owe_proposal(proposal: Proposal) -> None:
    """A new proposal is posted in the thread it was born in, or else in the channels of its agent's coach that want every one.

    Called within the transaction that stores it.
    """
    thread = _thread_of(proposal)
    if thread is not None:
        _post_in(thread.connection_id, thread.channel_id, proposal, thread=thread).save()
        return
    # Where Slack refuses the token just now it waits. Where the channel is lost it is too, until somebody finds the channel,
    # and whoever does just now waits until this is stored.
    kept = SlackTrigger.objects.kept().filter(agent=proposal.agent_id, posts_every_proposal=True)
    for trigger in kept.filter(connection__in=SlackConnection.objects.connected()).select_for_update(no_key=True):
        post = _post_in(trigger.connection_id, trigger.channel_id, proposal)
        if trigger.state == SlackTrigger.State.LOST:
            post.state, post.state_reason, post.next_try_at = State.LOST, trigger.state_reason, None
        post.save()


def _post_in(connection_id, channel_id: str, proposal: Proposal, *, thread: SlackThread | None = None) -> SlackPost:
    return SlackPost(
        workspace_id=proposal.workspace_id,
        connection_id=connection_id,
        channel_id=channel_id,
        kind=Kind.PROPOSAL,
        proposal=proposal,
        thread=thread,
    )


def _thread_of(proposal) -> SlackThread | None:
    """The thread that its question was asked in; of a question on a page the first in which the same talk is led."""
    if proposal.session_id is None:
        return None
    asked = SlackThread.objects.filter(posts__turn=proposal.turn_id) if proposal.turn_id else SlackThread.objects.none()
    of_the_talk = SlackThread.objects.filter(session=proposal.session_id).order_by("pk")
    return asked.first() or of_the_talk.first()


def owe_answer_of(again: Turn, first: Turn) -> None:
    """Where the question was asked in a thread, what it is answered when it is asked again stands there too."""
    answered = SlackPost.objects.filter(turn=first).first()
    if answered is not None:
        SlackPost.objects.create(
            workspace_id=answered.workspace_id,
            connection_id=answered.connection_id,
            kind=Kind.ANSWER,
            turn=again,
            thread_id=answered.thread_id,
            channel_id=answered.channel_id,
        )


def owe_flag(flag: Flag) -> None:
    """A new flag is posted in the channel the workspace chose, or by its incoming webhook where that is all that works."""
    policy = SlackPolicy.objects.select_related("flags_connection").filter(workspace=flag.workspace_id).first()
    if policy is None:
        return
    connection = policy.flags_connection
    if connection is None or not policy.flags_channel_id or connection.state == SlackConnection.State.DISCONNECTED:
        works = False
    else:
        works = connection.is_active or not policy.flags_webhook  # else it waits there until somebody connects again
    if works:
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


def redraw_stale() -> int:
    """Owe those again that show a pending proposal whose target has moved on since, or is gone. Returns how many.

    Whoever changes a memory, a procedure or the prompt knows nothing of Slack, so it is asked for on the clock. Only pending
    proposals are looked through, of workspaces that are connected.
    """
    connected = SlackConnection.objects.active().values("workspace")
    is_fresh = [
        Exists(model.objects.filter(pk=OuterRef("target_id"), version=OuterRef("base_version")))
        for model in MODELS.values()
    ]
    pending = Proposal.objects.pending().filter(workspace__in=connected, base_version__isnull=False)
    for fresh in is_fresh:
        pending = pending.exclude(fresh)
    shown = SlackPost.objects.filter(
        proposal__in=pending, state=State.POSTED, next_try_at=None, drawn__startswith=PENDING
    )
    stale = list(shown.exclude(drawn__contains=STALE).values_list("pk", flat=True)[:MOST_AT_ONCE])
    if stale:
        redraw(pk__in=stale)
    return len(stale)


def lose(post: SlackPost, sentence: str) -> None:
    """The post cannot be shown, or not be kept in step, any more. `sentence` says why. Raises work.LeaseLost."""
    work.give_up(post, error="", state=State.LOST, state_reason=sentence[:500], is_unsure=False)


def recover(**of) -> None:
    """Slack can be reached where these posts were lost (`connection=…`, `channel_id=…`): what stands there gets in step again.

    What was never posted is posted where somebody still waits for it. What is lost for a reason of its own is lost again.
    """
    lost = SlackPost.objects.filter(state=State.LOST, **of).exclude(state_reason=GIVEN_UP)
    wanted = Q(proposal__status=Proposal.Status.PENDING) | Q(flag__status=Flag.Status.OPEN)
    unposted = lost.filter(wanted, posted_at=None).values("pk")
    owed = {"state_reason": "", "next_try_at": timezone.now(), "attempts": 0, "revision": F("revision") + 1}
    lost.filter(posted_at__isnull=False).update(state=State.POSTED, **owed)
    SlackPost.objects.filter(pk__in=unposted).update(state=State.WAITING, **owed)


def fall_back(post: SlackPost, sentence: str) -> bool:
    """A flag that did not get into its channel goes by the workspace's incoming webhook instead, once; False where it has none.

    `sentence` says why it is lost in its channel. Raises work.LeaseLost.
    """
    policy = SlackPolicy.objects.filter(workspace=post.workspace_id).first()
    if post.flag is None or post.pieces or policy is None or not policy.flags_webhook:
        return False
    with transaction.atomic():
        lose(post, sentence)
        SlackPost.objects.get_or_create(
            flag=post.flag, channel_id="", defaults={"workspace_id": post.workspace_id, "kind": Kind.FLAG}
        )
    return True


def give_up(post: SlackPost) -> None:
    """Bring it in step no more until it changes again; what was never posted is lost. Raises work.NothingOwed."""
    lost = {"state": State.LOST, "state_reason": GIVEN_UP} if post.state == State.WAITING else {}
    if not work.drop(post, **lost):
        raise work.NothingOwed
