"""One turn of the coach, from the claimed row to the closed one.

A worker claims a turn and calls `run`. What happens is written as events while it happens; the answer, the usage and
the closing event are stored together, once. A worker that dies leaves a turn whose lease runs out: whoever claims it
next runs it again, unless words of an answer were out already, for those cannot be unsaid.
"""

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, OperationalError
from django.db import connection as database

from agents import work
from coaching import llm, usage
from coaching.actions import connections, sessions
from coaching.coach import history, loop
from coaching.coach.protocol import ToolResult
from coaching.coach.tools import Toolbox
from coaching.models import Proposal, Turn, TurnEvent
from coaching.texts.verbatim import Guard

if TYPE_CHECKING:
    import anthropic

logger = logging.getLogger(__name__)

ANSWER_TOKENS = 8_000
TURN_TOKENS = 1_000_000  # of all rounds together, cached ones included
RESULT_CHARACTERS = 400_000  # of tools in one request: about half of what models take in
PRACTICE_CHARACTERS = 10_000_000  # the practice model has no such bound, and does not read again what was left out
RENEW_SECONDS = 15.0
TEXT_SECONDS = 0.1  # text is written as an event at most this often
ATTEMPTS = 3
BUSY_SECONDS = 40.0  # how long a database that takes no writes is waited for: less than a lease
PAUSE_SECONDS = 0.2

INTERRUPTED = "The coach was interrupted in the middle of its answer. Press Retry; what it proposed is kept."
SWITCHED_OFF = "Coaching was switched off. What the coach had said and proposed until then is kept."
UNFINISHABLE = "The coach was interrupted several times while it worked on this. Press Retry, or ask for less at once."
TOKENS_USED = "This workspace has used its tokens for today. Ask again tomorrow, or have an admin raise the limit."

T = TypeVar("T")


def run(turn: Turn, *, connect: Callable[[llm.Connection], "anthropic.Anthropic"] = llm.client) -> None:
    """Answer a turn that `sessions.claim` gave, and close it; where the claim was lost meanwhile, leave it.

    A failure of our own side (the database, say) puts the turn off, to be run again; where not even that can be stored,
    its lease runs out. `connect` makes the client that speaks to the model.
    """
    counted = usage.read(turn.usage)  # by a worker that did not come to an end
    try:
        _answer(turn, counted, connect)
    except work.LeaseLost:
        logger.warning("Turn %s was taken over by another worker.", turn.pk)
    except Exception as error:
        # Its words could hold a body: only its kind is kept.
        logger.error("Turn %s was interrupted by %s.", turn.pk, type(error).__name__)
        try:
            work.put_off(turn, error=type(error).__name__, usage=usage.stored(counted, turn.usage.get("model", "")))
        except (work.LeaseLost, DatabaseError) as late:
            logger.error("Turn %s could not be put off: %s.", turn.pk, type(late).__name__)


def _answer(turn: Turn, counted: llm.Usage, connect: Callable[[llm.Connection], "anthropic.Anthropic"]) -> None:
    writer = _Writer(turn)
    connection = connections.of(turn.workspace_id)

    def close(state: Turn.State, error: str = "") -> None:
        used = usage.stored(counted, connection.model_name)
        _patiently(lambda: sessions.finish(turn, state, text=writer.said, error=error, usage=used))

    writer.announce_what_was_proposed()
    if turn.stop_asked_at:
        return close(Turn.State.STOPPED)
    if not turn.session.agent.coaching:
        return close(Turn.State.STOPPED, SWITCHED_OFF)
    if refused := _reason_not_to_start(turn, writer):
        return close(Turn.State.FAILED, refused)
    toolbox = Toolbox(turn, guard=writer.guard, proposal_limit=settings.COACH_PROPOSALS)
    toolbox.guard_what_it_is_about()
    should_stop = _StopCheck(turn, writer)
    with connect(connection) as client:
        outcome = loop.run(
            client,
            connection=connection,
            system=history.system(turn),
            messages=history.messages(turn),
            toolbox=_PatientToolbox(toolbox),
            limits=loop.Limits(
                rounds=settings.COACH_ROUNDS,
                tokens=TURN_TOKENS,
                answer_tokens=ANSWER_TOKENS,
                seconds=settings.COACH_TURN_SECONDS,
                stall_seconds=settings.COACH_STALL_SECONDS,
                results=PRACTICE_CHARACTERS if connection.is_practice else RESULT_CHARACTERS,
            ),
            emit=writer.emit,
            should_stop=should_stop,
            before_round=_Account(turn, connection),
            usage=counted,
        )
    writer.end_text()
    state = Turn.State(outcome.state.value)
    was_switched_off = state == Turn.State.STOPPED and should_stop.coach_is_off
    return close(state, SWITCHED_OFF if was_switched_off else outcome.error)


def _reason_not_to_start(turn: Turn, writer: "_Writer") -> str:
    """The sentence a turn fails with before the model is asked; empty where nothing stands against it."""
    if writer.said:
        return INTERRUPTED
    if turn.attempts > ATTEMPTS:
        return UNFINISHABLE
    return TOKENS_USED if _tokens_are_used_up(turn) else ""


def _tokens_are_used_up(turn: Turn) -> bool:
    """Whether the workspace has used what it may in a day, by this turn and those beside it too."""
    return bool(settings.COACH_DAILY_TOKENS) and usage.tokens_today(turn.workspace) >= settings.COACH_DAILY_TOKENS


class _Account:
    """Stores between two rounds what the turn has used: another turn, and whoever takes over this one, counts it too.

    Answers with the sentence the turn ends with where the workspace has used up its day. Raises LeaseLost.
    """

    def __init__(self, turn: Turn, connection: llm.Connection):
        self.turn = turn
        self.model = connection.model_name

    def __call__(self, counted: llm.Usage) -> str:
        _patiently(lambda: sessions.keep_usage(self.turn, usage.stored(counted, self.model)))
        return TOKENS_USED if _tokens_are_used_up(self.turn) else ""


class _StopCheck:
    """Whether to stop, asked a few times a second: somebody pressed Stop, or the coach was switched off.

    It also keeps the lease and lets waiting text out. Raises LeaseLost.
    """

    def __init__(self, turn: Turn, writer: "_Writer"):
        self.turn = turn
        self.writer = writer
        self.renewed = time.monotonic()
        self.coach_is_off = False

    def __call__(self) -> bool:
        self.writer.write_text_if_due()
        if time.monotonic() - self.renewed >= RENEW_SECONDS:
            _patiently(lambda: work.renew(self.turn))
            self.renewed = time.monotonic()
        asked = Turn.objects.filter(pk=self.turn.pk).values_list("stop_asked_at", "session__agent__coaching", "claim")
        stop_asked_at, coaching, claim = _patiently(asked.get)
        if claim != self.turn.claim:
            raise work.LeaseLost
        self.coach_is_off = not coaching
        return stop_asked_at is not None or self.coach_is_off


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
        self._tell(TurnEvent.Type(kind), **data)

    def announce_what_was_proposed(self) -> None:
        """A worker can die between a proposal and its event: the next one makes up for it."""
        events = TurnEvent.objects.filter(turn=self.turn, type=TurnEvent.Type.PROPOSAL)
        announced = {event.data["proposal"] for event in events}
        for proposal in Proposal.objects.filter(turn=self.turn).order_by("created_at"):
            if str(proposal.pk) not in announced:
                self._tell(TurnEvent.Type.PROPOSAL, proposal=str(proposal.pk))

    def write_text_if_due(self) -> None:
        if time.monotonic() - self.written >= TEXT_SECONDS:
            self._write_text()

    def end_text(self) -> None:
        self.waiting += self.guard.flush()
        self._write_text()

    def _write_text(self) -> None:
        if not self.waiting:
            return
        self._tell(TurnEvent.Type.TEXT, text=self.waiting)
        self.said += self.waiting
        self.waiting = ""
        self.written = time.monotonic()

    def _tell(self, kind: TurnEvent.Type, **data: Any) -> None:
        _patiently(lambda: sessions.tell(self.turn, kind, **data))


class _PatientToolbox:
    """The toolbox of a turn, waiting for a database that takes no writes: nothing was stored by a call that it refused."""

    def __init__(self, toolbox: Toolbox):
        self.toolbox = toolbox
        self.schemas = toolbox.schemas

    def call(self, name: str, given: dict[str, Any]) -> ToolResult:
        return _patiently(lambda: self.toolbox.call(name, given))


def _patiently(write: Callable[[], T]) -> T:
    """Write or read, and again while the database is busy or away, for BUSY_SECONDS: words that are out cannot be said
    again by a turn that is put off. Raises what the database said after that, and whatever else `write` raises at once."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError):
            if time.monotonic() >= until:
                raise
        time.sleep(PAUSE_SECONDS)
        if not database.in_atomic_block and not database.is_usable():
            database.close()  # the next try opens another
