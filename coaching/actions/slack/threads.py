"""A talk with the coach in Slack: a thread there is a session here, a message is a question that is asked once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.models import Member
from coaching.actions import sessions
from coaching.models import Session, SlackPerson, SlackPost, SlackThread, SlackTrigger
from helpdesk.models import Conversation

PAUSE = timedelta(hours=4)  # after which direct messages outside a thread are a new talk


@dataclass(frozen=True)
class Asked:
    """A message that somebody wrote to a coach. `thread_ts` is "" for direct messages outside a thread, `ts` the message's own.

    `conversation` is what it says the talk shall be about, `focus` the turns of it that are meant.
    """

    person: SlackPerson
    by: Member
    channel_id: str
    thread_ts: str
    ts: str
    text: str
    focus: Iterable[int] = ()
    conversation: Conversation | None = None


class _Overtaken(Exception):
    """Somebody else has begun another talk in the thread in this very moment."""


def find(connection_id, channel_id: str, thread_ts: str) -> SlackThread | None:
    """The thread, where a coach owns it."""
    rows = _rows(connection_id, channel_id, thread_ts)
    return rows.select_related("session__agent", "session__conversation", "trigger").first()


def is_owned(connection_id, channel_id: str, thread_ts: str) -> bool:
    """Whether a coach owns the thread."""
    return _rows(connection_id, channel_id, thread_ts).exists()


def _rows(connection_id, channel_id, thread_ts):
    return SlackThread.objects.filter(connection=connection_id, channel_id=channel_id, thread_ts=thread_ts)


def ask(trigger: SlackTrigger, asked: Asked, *, going_on: Session | None = None) -> SlackPost | None:
    """Put the message to the coach of `trigger`; the answer is owed to the same thread.

    A thread that no coach owns yet begins a session, or is `going_on` with one. One that is to be about another conversation
    than before, or whose channel was given to another coach since, begins a new one. Focus counts where there is a
    conversation. Returns the post of the answer, None where this message was asked before. Raises NotAllowed, CoachOff,
    ValidationError.
    """
    try:
        return _asked(trigger, asked, going_on)
    except (IntegrityError, _Overtaken):  # somebody else was at the same thread in this very moment, and is done now
        return _asked(trigger, asked, going_on)


@transaction.atomic
def _asked(trigger, asked, going_on) -> SlackPost | None:
    thread = find(trigger.connection_id, asked.channel_id, asked.thread_ts)
    if thread is None:
        thread = SlackThread.objects.create(
            workspace_id=trigger.workspace_id,
            connection_id=trigger.connection_id,
            trigger=trigger,
            channel_id=asked.channel_id,
            thread_ts=asked.thread_ts,
            session=going_on or sessions.start(trigger.agent, by=asked.by, conversation=asked.conversation),
            started_by=asked.person,
        )
    elif thread.posts.filter(asked_ts=asked.ts).exists():
        return None
    if _is_another_talk(thread, trigger, asked):
        before = SlackThread.objects.filter(pk=thread.pk, session=thread.session)
        thread.session = sessions.start(trigger.agent, by=asked.by, conversation=asked.conversation)
        if not before.update(session=thread.session, trigger=trigger):
            raise _Overtaken
    focus = asked.focus if thread.session.conversation_id else ()
    turn = sessions.ask(thread.session, by=asked.by, text=asked.text, focus=focus)
    return SlackPost.objects.create(
        workspace_id=trigger.workspace_id,
        connection_id=trigger.connection_id,
        kind=SlackPost.Kind.ANSWER,
        turn=turn,
        thread=thread,
        asked_ts=asked.ts,
        channel_id=asked.channel_id,
    )


def _is_another_talk(thread, trigger, asked) -> bool:
    before = thread.session
    if asked.conversation is not None and asked.conversation.pk != before.conversation_id:
        return True
    if not asked.thread_ts and before.updated_at < timezone.now() - PAUSE:
        return True
    return thread.trigger_id != trigger.pk
