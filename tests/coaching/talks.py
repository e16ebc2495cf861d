"""Talking with the coach in a test: a session about a transcript, a question, and the answer as a page would show it."""

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from coaching.actions import sessions
from coaching.coach import turns
from coaching.models import Message, Proposal, Turn, TurnEvent
from helpdesk.models import API_SOURCE, StoredTranscript
from tests import factories

PARCEL = [
    ("customer", "Hello, I want to know where my parcel with the blue lamp is right now."),
    ("agent", "Let me look that up."),
    ("tool", "Error: order not found"),
    ("agent", "I cannot find it."),
    ("customer", "Where is my parcel with the blue lamp?"),
    ("agent", "It is on its way."),
    ("customer", "You do not know that."),
]


def conversation(agent, said=PARCEL, *, source=API_SOURCE, **fields):
    """A closed conversation with its transcript in the store."""
    row = factories.conversation(agent, source=source, turn_count=len(said), **fields)
    StoredTranscript.objects.create(
        workspace=agent.workspace,
        conversation=row,
        turns=[{"role": role, "text": text} for role, text in said],
        masked=True,
        delete_at=timezone.now() + timedelta(days=30),
    )
    return row


@dataclass
class Answered:
    turn: Turn
    text: str
    events: list[TurnEvent]
    proposals: list[Proposal]


def ask(session, text, **question):
    """Ask, and run the turn as a worker does."""
    return answer(sessions.ask(session, by=session.started_by, text=text, **question))


def answer(turn):
    turns.run(sessions.claim(turn.pk))
    return outcome(turn)


def outcome(turn):
    turn.refresh_from_db()
    said = turn.messages.filter(role=Message.Role.COACH).first()
    return Answered(
        turn,
        said.text if said else "",
        list(turn.events.order_by("number")),
        list(turn.proposals.order_by("created_at")),
    )
