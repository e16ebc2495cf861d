"""What somebody wrote to a coach in Slack, read: its words, the conversation it is about, the turns it means."""

import re
import uuid
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ValidationError

from agents.access import Refusal
from agents.models import Member
from coaching.actions.slack import threads
from coaching.actions.slack.threads import Asked
from coaching.models import Session, SlackConnection, SlackPerson, SlackPost, SlackTrigger
from coaching.slack import plain
from coaching.slack.following import Followed, to_whom
from helpdesk import deeplinks
from helpdesk.models import Conversation

PAGE = re.compile(r"/conversations/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/?")
TURN = re.compile(r"turn-(\d{1,5})")
NOTHING = "Ask the coach something, or tell it what to change: “Add a memory that …”."


def ask(
    trigger: SlackTrigger,
    facts: dict[str, Any],
    *,
    person: SlackPerson,
    by: Member,
    thread_ts: str,
    above: SlackPost | None = None,
) -> Followed:
    """Put a message to the coach of `trigger`, in the thread `thread_ts`; what keeps it from being asked is told.

    Under what the coach posted (`above`) the talk goes on that it came from.
    """
    text = words_of(trigger.connection, facts["text"])
    if not text:
        return Followed("It says nothing.", notice=to_whom(facts, NOTHING))
    conversation, turns = conversation_in(by, trigger, text)
    asked = Asked(
        person=person,
        by=by,
        channel_id=facts["channel"],
        thread_ts=thread_ts,
        ts=facts["ts"],
        text=text,
        focus=sorted({*turns, *plain.turns(text)}),
        conversation=conversation,
    )
    try:
        post = threads.ask(trigger, asked, going_on=_talk_of(above, trigger))
    except Refusal as refusal:
        return Followed("Refused.", notice=to_whom(facts, str(refusal)))
    except ValidationError as refusal:
        return Followed("Refused.", notice=to_whom(facts, " ".join(refusal.messages)))
    if post is None:
        return Followed("Asked before.")
    return Followed("Asked.", turn_id=str(post.turn_id))


def _talk_of(above, trigger) -> Session | None:
    shown = (above.proposal or above.turn) if above is not None else None
    session = shown.session if shown is not None else None
    return session if session is not None and session.agent_id == trigger.agent_id else None


def words_of(connection: SlackConnection, said: str) -> str:
    """A message as plain text, with the names of those whom we know in place of ids."""
    named = plain.mentioned(said)
    rows = SlackPerson.objects.filter(connection=connection, user_id__in=named) if named else SlackPerson.objects.none()
    channels = SlackTrigger.objects.filter(connection=connection).exclude(channel_name="") if "<#" in said else ()
    return plain.text_of(
        said,
        bot=connection.bot_user_id,
        people={row.user_id: row.name for row in rows},
        channels={row.channel_id: row.channel_name for row in channels},
    )


def conversation_in(by: Member, trigger: SlackTrigger, text: str) -> tuple[Conversation | None, list[int]]:
    """The first conversation that the text has a link to, on our pages or in a helpdesk, and the turns that links point at.

    A link to what `by` may not see, or nobody knows, is text like any other.
    """
    own = urlsplit(settings.PUBLIC_URL)
    for address in plain.addresses(text):
        try:
            parts = urlsplit(address)
        except ValueError:
            continue
        rows = Conversation.objects.visible_to(by).filter(workspace=trigger.workspace_id)
        page = PAGE.fullmatch(parts.path) if parts.netloc == own.netloc else None
        if page:
            found = rows.filter(pk=uuid.UUID(page[1])).first()
        else:
            linked = deeplinks.conversation_at(trigger.workspace, address)
            found = rows.filter(pk=linked.pk).first() if linked is not None else None
        if found is not None:
            turn = TURN.fullmatch(parts.fragment) if page else None
            return found, [int(turn[1])] if turn else []
    return None, []
