"""One turn of the coach, from the claimed row to the closed one.

A worker claims a turn and calls `run`. What happens is written as events while it happens; the answer, the usage and
the closing event are stored together, once. A worker that dies leaves a turn whose lease runs out: whoever claims it
next runs it again, unless words of an answer were out already, for those cannot be unsaid.
"""

import contextlib
import json
import logging
import time
from typing import Any

from django.conf import settings
from django.utils import timezone

from agents import work
from coaching import llm, prompts
from coaching.actions import connections, sessions
from coaching.coach import loop
from coaching.coach.tools import Toolbox, made_before
from coaching.models import Message, Proposal, Turn, TurnEvent
from coaching.verbatim import Guard

logger = logging.getLogger(__name__)

ANSWER_TOKENS = 8_000
TURN_TOKENS = 1_000_000  # of all rounds together, cached ones included
HISTORY_CHARACTERS = 60_000
RENEW_SECONDS = 15.0
TEXT_SECONDS = 0.1  # text is written as an event at most this often
ATTEMPTS = 3

INTERRUPTED = "The coach was interrupted in the middle of its answer. Press Retry; what it proposed is kept."
UNFINISHABLE = "The coach was interrupted several times while it worked on this. Press Retry, or ask for less at once."
TOKENS_USED = "This workspace has used its tokens for today. Ask again tomorrow, or have an admin raise the limit."
NO_ANSWER = "(This turn ended without an answer.)"
LEFT_OUT = "(Earlier messages of this session are left out.)"


def run(turn: Turn) -> None:
    """Answer a turn that `sessions.claim` gave, and close it; where the claim was lost meanwhile, leave it.

    A failure of our own side (the database, say) puts the turn off, to be run again.
    """
    try:
        _answer(turn)
    except work.LeaseLost:
        logger.warning("Turn %s was taken over by another worker.", turn.pk)
    except Exception as error:
        # Its words could hold a body: only its kind is kept.
        logger.error("Turn %s was interrupted by %s.", turn.pk, type(error).__name__)
        with contextlib.suppress(work.LeaseLost):
            work.put_off(turn, error=type(error).__name__)


def _answer(turn: Turn) -> None:
    writer = _Writer(turn)
    writer.announce_what_was_proposed()
    if turn.stop_asked_at:
        sessions.finish(turn, Turn.State.STOPPED, text=writer.said)
        return
    if refused := _reason_not_to_start(turn, writer):
        sessions.finish(turn, Turn.State.FAILED, text=writer.said, error=refused)
        return
    toolbox = Toolbox(turn, guard=writer.guard, proposal_limit=settings.COACH_PROPOSALS)
    connection = connections.of(turn.workspace_id)
    with llm.client(connection) as client:
        outcome = loop.run(
            client,
            connection=connection,
            system=_system(turn),
            messages=_messages(turn),
            toolbox=toolbox,
            limits=loop.Limits(
                rounds=settings.COACH_ROUNDS,
                tokens=TURN_TOKENS,
                answer_tokens=ANSWER_TOKENS,
                seconds=settings.COACH_TURN_SECONDS,
                stall_seconds=settings.COACH_STALL_SECONDS,
            ),
            emit=writer.emit,
            should_stop=_StopCheck(turn, writer),
        )
    writer.end_text()
    sessions.finish(
        turn,
        Turn.State(outcome.state.value),
        text=writer.said,
        error=outcome.error,
        usage=_usage(outcome.usage, connection),
    )


def _reason_not_to_start(turn: Turn, writer: "_Writer") -> str:
    """The sentence a turn fails with before the model is asked; empty where nothing stands against it."""
    if writer.said:
        return INTERRUPTED
    if turn.attempts > ATTEMPTS:
        return UNFINISHABLE
    try:
        sessions.require_coach(turn.session.agent)
    except sessions.CoachOff as error:
        return str(error)
    if settings.COACH_DAILY_TOKENS and _tokens_today(turn) >= settings.COACH_DAILY_TOKENS:
        return TOKENS_USED
    return ""


def _tokens_today(turn: Turn) -> int:
    midnight = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    used = Turn.objects.filter(workspace_id=turn.workspace_id, ended_at__gte=midnight).values_list("usage", flat=True)
    return sum(value for usage in used for name, value in usage.items() if name.endswith("Tokens"))


class _StopCheck:
    """Whether to stop, asked a few times a second: somebody pressed Stop, or the coach was switched off.

    It also keeps the lease and lets waiting text out. Raises LeaseLost.
    """

    def __init__(self, turn: Turn, writer: "_Writer"):
        self.turn = turn
        self.writer = writer
        self.renewed = time.monotonic()

    def __call__(self) -> bool:
        self.writer.write_text_if_due()
        if time.monotonic() - self.renewed >= RENEW_SECONDS:
            work.renew(self.turn)
            self.renewed = time.monotonic()
        asked = Turn.objects.filter(pk=self.turn.pk).values_list("stop_asked_at", "session__agent__coaching", "claim")
        stop_asked_at, coaching, claim = asked.get()
        if claim != self.turn.claim:
            raise work.LeaseLost
        return stop_asked_at is not None or not coaching


class _Writer:
    """Writes what happens as events, and gathers the text of the answer. Text passes the guard before it is stored."""

    def __init__(self, turn: Turn):
        self.turn = turn
        self.guard = Guard()
        texts = TurnEvent.objects.filter(turn=turn, type=TurnEvent.Type.TEXT).order_by("number")
        self.said = "".join(event.data["text"] for event in texts)
        self.waiting = ""
        self.written = 0.0

    def emit(self, kind: str, **data: Any) -> None:
        if kind == "text":
            self.waiting += self.guard.add(data["text"])
            self.write_text_if_due()
            return
        self._write_text()
        sessions.append_event(self.turn, TurnEvent.Type(kind), **data)

    def announce_what_was_proposed(self) -> None:
        """A worker can die between a proposal and its event: the next one makes up for it."""
        events = TurnEvent.objects.filter(turn=self.turn, type=TurnEvent.Type.PROPOSAL)
        announced = {event.data["proposal"] for event in events}
        for proposal in Proposal.objects.filter(turn=self.turn).order_by("created_at"):
            if str(proposal.pk) not in announced:
                sessions.append_event(self.turn, TurnEvent.Type.PROPOSAL, proposal=str(proposal.pk))

    def write_text_if_due(self) -> None:
        if time.monotonic() - self.written >= TEXT_SECONDS:
            self._write_text()

    def end_text(self) -> None:
        self.waiting += self.guard.flush()
        self._write_text()

    def _write_text(self) -> None:
        if not self.waiting:
            return
        sessions.append_event(self.turn, TurnEvent.Type.TEXT, text=self.waiting)
        self.said += self.waiting
        self.waiting = ""
        self.written = time.monotonic()


def _system(turn: Turn) -> list[dict[str, Any]]:
    """What stays the same through a session: the coach's instructions, then whom it coaches and what about."""
    session = turn.session
    about: dict[str, Any] = {
        "agent": session.agent.name,
        "you": session.agent.coach_name,
        "conversation": str(session.conversation_id) if session.conversation_id else None,
    }
    if session.about:
        about["about"] = session.about
        about["conversations"] = len(sessions.members([session])[session.pk])
    return [
        {"type": "text", "text": prompts.read("coach")},
        {"type": "text", "text": f"This session (data): {_data(about)}"},
    ]


def _messages(turn: Turn) -> list[dict[str, Any]]:
    """The session so far as text, the newest that fit, then the question. What tools read is read again, not kept."""
    earlier: list[dict[str, Any]] = []
    for past in _past_turns(turn):
        by_role = {message.role: message for message in past.messages.all()}
        earlier.append({"role": "user", "content": _question(by_role[Message.Role.USER])})
        answer = by_role.get(Message.Role.COACH)
        earlier.append({"role": "assistant", "content": answer.text if answer and answer.text.strip() else NO_ANSWER})
    fitting = _newest(earlier)
    question = turn.messages.get(role=Message.Role.USER)
    return [*fitting, {"role": "user", "content": [*_proposals_so_far(turn), *_question(question)]}]


def _past_turns(turn: Turn) -> list[Turn]:
    """The earlier turns of the session, without the runs that this turn repeats."""
    past = turn.session.turns.filter(number__lt=turn.number).order_by("number").prefetch_related("messages")
    if turn.retry_of_id:
        past = past.exclude(pk=turn.retry_of_id).exclude(retry_of=turn.retry_of_id)
    return list(past)


def _question(message: Message) -> list[dict[str, Any]]:
    """A leader's message as blocks; what it points at stands in a block of its own, the message itself last."""
    blocks = []
    if message.suggested:
        blocks.append("<suggested/>")
    if message.focus:
        blocks.append(f'<focus turns="{",".join(map(str, message.focus))}"/>')
    blocks.append(message.text)
    return [{"type": "text", "text": text} for text in blocks]


def _newest(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest question-and-answer pairs that fit into HISTORY_CHARACTERS."""
    room = HISTORY_CHARACTERS
    kept = len(messages)
    while kept and (room := room - sum(map(_length, messages[kept - 2 : kept]))) >= 0:
        kept -= 2
    fitting = messages[kept:]
    if kept and fitting:
        first = {"type": "text", "text": LEFT_OUT}
        fitting[0] = {**fitting[0], "content": [first, *fitting[0]["content"]]}
    return fitting


def _length(message: dict[str, Any]) -> int:
    content = message["content"]
    return len(content) if isinstance(content, str) else sum(len(block["text"]) for block in content)


def _proposals_so_far(turn: Turn) -> list[dict[str, Any]]:
    """What this session proposed and what became of it; what an earlier run of this very question did is marked."""
    repeated = {proposal.pk for proposal in made_before(turn)}
    listed = [
        {
            "proposal": str(each.pk),
            "type": each.type,
            "status": each.status,
            "title": each.title,
            "by_an_earlier_run_of_this_question": each.pk in repeated,
        }
        for each in Proposal.objects.filter(session=turn.session).order_by("created_at")
    ]
    if not listed:
        return []
    return [{"type": "text", "text": f"<proposals>{_data(listed)}</proposals>"}]


def _data(value: Any) -> str:
    """JSON that cannot close the block it stands in: a title can hold a customer's words by way of the coach."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def _usage(usage: llm.Usage, connection: llm.Connection) -> dict[str, Any]:
    return {
        "inputTokens": usage.input_tokens,
        "outputTokens": usage.output_tokens,
        "cacheReadTokens": usage.cache_read_tokens,
        "cacheCreationTokens": usage.cache_creation_tokens,
        "rounds": usage.rounds,
        "model": connection.model_name,
        "latencyMs": usage.latency_ms,
    }
