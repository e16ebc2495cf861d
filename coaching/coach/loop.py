"""One turn of the coach: ask the model, run the tools it calls, ask again, until it has said what it has to say.

The loop knows no row and no door. It takes messages and a toolbox, tells what happens through `emit`, and returns an
Outcome; whoever runs it stores both. Every bound holds here: rounds, tokens, wall time, stalls and a stop.
"""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

from coaching import llm
from coaching.coach import room
from coaching.coach.protocol import Toolbox, ToolError, ToolResult

if TYPE_CHECKING:
    import anthropic

logger = logging.getLogger(__name__)

CALLS_A_ROUND = 64
UNKNOWN_TOOL = "unknown"  # a name that a model made up is not stored: it could hold anything
TOO_MUCH = "Not shown: more was read at once than there is room for. Read fewer at a time, in the next round."
LAST_ROUND = "This is the last round of this turn: no tool can be called any more. Answer now with what you have."


@dataclass(frozen=True)
class Limits:
    """The bounds of a turn: rounds with the model, tokens of all rounds together, tokens of one answer, seconds of
    the whole turn, seconds without any part of an answer, and characters of tool results that one request carries."""

    rounds: int
    tokens: int
    answer_tokens: int
    seconds: float
    stall_seconds: float
    results: int


class State(Enum):
    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass
class Outcome:
    """How a turn ended; `error` is one sentence for the leader where it failed."""

    state: State
    usage: llm.Usage = field(default_factory=llm.Usage)
    error: str = ""


class Next(Enum):
    """What follows on a stop reason."""

    END = "end"
    TOOLS = "tools"
    GO_ON = "go on"


# Every stop reason the protocol knows. A string is the sentence a turn fails with. Where tools were called they run after
# each of the others, for not every server of the protocol says tool_use.
AFTER: dict[str | None, Next | str] = {
    "end_turn": Next.END,
    "stop_sequence": Next.END,
    "tool_use": Next.TOOLS,
    "pause_turn": Next.GO_ON,
    "max_tokens": "The answer reached its greatest length and was cut there. Ask about a smaller part, or press Retry.",
    "refusal": "The model declined to answer this. Put the question differently, or ask about another part.",
    "model_context_window_exceeded": "The session has grown too long for the model. Start a new session and ask about "
    "a smaller part.",
}
UNKNOWN_STOP = "The model stopped for a reason this version does not know. Press Retry; if it stays so, tell an admin."
EMPTY = "The model gave an empty answer. Press Retry, or put the question differently."
OUT_OF_ROUNDS = "The coach used all the steps one turn may take without coming to an end. Ask about a smaller part."
OUT_OF_TOKENS = "The coach used all the tokens one turn may use. Ask about a smaller part, or start a new session."


def run(
    client: "anthropic.Anthropic",
    *,
    connection: llm.Connection,
    system: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    toolbox: Toolbox,
    limits: Limits,
    emit: Callable[..., None],
    should_stop: Callable[[], bool],
    before_round: Callable[[llm.Usage], str] = lambda usage: "",
    usage: llm.Usage | None = None,
) -> Outcome:
    """Run one turn to its end and say how it ended.

    `system` and `messages` are blocks of the Messages API, the stable ones first, and stay as they are. `emit` is
    called as emit("text", text=…), emit("tool", name=…, ok=…) and emit("proposal", proposal=id), in the order things
    happen. `before_round` is told before every further round what was used so far, and answers with the sentence the
    turn ends with, or nothing. What is used is added to `usage`, at once and however the turn ends. Exceptions of these
    callables pass through: the caller has lost its turn, not the model.
    """
    watch = llm.Watch(limits.stall_seconds, time.monotonic() + limits.seconds, should_stop)
    turn = _Turn(client, connection, system, list(messages), toolbox, limits, _Said(emit), watch, before_round)
    turn.outcome.usage = usage or turn.outcome.usage
    try:
        turn.outcome.error = turn.rounds()
    except llm.Stopped:
        turn.outcome.state = State.STOPPED
    except llm.ModelError as error:
        turn.outcome.error = error.sentence
    if turn.outcome.error:
        turn.outcome.state = State.FAILED
    return turn.outcome


class _Said:
    """Passes on what happens, with a blank line between the texts of two rounds; knows whether anything came."""

    def __init__(self, emit: Callable[..., None]):
        self.emit = emit
        self.text = False
        self.proposal = False
        self.gap = False

    @property
    def anything(self) -> bool:
        return self.text or self.proposal

    def new_round(self) -> None:
        self.gap = self.text

    def __call__(self, text: str) -> None:
        self.emit("text", text=f"\n\n{text}" if self.gap else text)
        self.gap = False
        self.text = True

    def tool(self, name: str, result: ToolResult | None) -> None:
        self.emit("tool", name=name, ok=result is not None)
        if result is not None and result.proposal:
            self.emit("proposal", proposal=result.proposal)
            self.proposal = True


@dataclass
class _Turn:
    """A turn on its way: what it was given, and the talk as it grows."""

    client: "anthropic.Anthropic"
    connection: llm.Connection
    system: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    toolbox: Toolbox
    limits: Limits
    said: _Said
    watch: llm.Watch
    before_round: Callable[[llm.Usage], str]
    outcome: Outcome = field(default_factory=lambda: Outcome(State.DONE))

    def __post_init__(self) -> None:
        self.ends = [len(self.messages) - 2]  # the messages at which this turn's requests may end: the one before the
        # question, which the next question repeats, then the last of each request, which the next round repeats

    def rounds(self) -> str:
        """The sentence the turn fails with; empty where it came to a good end."""
        usage = self.outcome.usage
        for number in range(1, self.limits.rounds + 1):
            if number > 1 and (sentence := self.before_round(usage)):
                return sentence
            last = number == self.limits.rounds > 1
            self.said.new_round()
            answer = llm.ask(self.client, self.request(last=last), watch=self.watch, on_text=self.said, count=usage.add)
            after = AFTER.get(answer.stop_reason, UNKNOWN_STOP)
            if isinstance(after, str):
                return after
            if after is not Next.GO_ON and not answer.calls:
                return "" if self.said.anything else EMPTY
            if usage.total_tokens >= self.limits.tokens:
                return OUT_OF_TOKENS
            if answer.content:
                self.messages.append({"role": "assistant", "content": answer.content})
            if answer.calls and not last:
                self.messages.append({"role": "user", "content": self.results(answer.calls)})
                self.messages = room.made(self.messages, most=self.limits.results)
        return OUT_OF_ROUNDS

    def request(self, *, last: bool) -> dict[str, Any]:
        """The request of a round.

        At most four cache marks, as the protocol has it, each at the end of something that is sent again: the tools with the
        coach's instructions (by every session), what was said before the question (by the next question; without it the
        agent's part of the system), the request of the round before, and this one (by the next round). The one before is
        marked again because a service looks back from a mark over twenty blocks only, and a round can add more.
        """
        messages = list(self.messages)
        if last:
            note = {"type": "text", "text": LAST_ROUND}
            if messages[-1]["role"] == "user":
                messages[-1] = {**messages[-1], "content": [*_blocks(messages[-1]["content"]), note]}
            else:
                messages.append({"role": "user", "content": [note]})
        if self.ends[-1] != len(self.messages) - 1:
            self.ends.append(len(self.messages) - 1)
        places = [
            place for place in {self.ends[0], *self.ends[1:][-2:]} if place >= 0 and _can_be_marked(messages[place])
        ]
        for place in places:
            messages[place] = {**messages[place], "content": _marked(_blocks(messages[place]["content"]))}
        agent = self.system[1:]
        request = self.connection.request(
            max_tokens=self.limits.answer_tokens,
            system=[*_marked(self.system[:1]), *(_marked(agent) if len(places) < 3 else agent)],
            messages=messages,
            tools=self.toolbox.schemas,
        )
        if last:
            request["tool_choice"] = {"type": "none"}
        return request

    def results(self, calls: list[llm.ToolCall]) -> list[dict[str, Any]]:
        """Run the calls of one answer in their order; every call gets its result, as the protocol asks."""
        known = {schema["name"] for schema in self.toolbox.schemas}
        results = []
        free = self.limits.results // 2  # so that what is read in one round always fits beside what is kept of others
        for index, call in enumerate(calls):
            self.watch.check()
            if index < CALLS_A_ROUND:
                value, result = _run_tool(call, self.toolbox)
                self.said.tool(call.name if call.name in known else UNKNOWN_TOOL, result)
            else:
                value, result = f"Only {CALLS_A_ROUND} tools run in one round. Call this one again in the next.", None
            if len(value) > max(free, room.SHORT):
                value, result = TOO_MUCH, None
            free -= len(value)
            block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": value}
            if result is None:
                block["is_error"] = True
            results.append(block)
        return results


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _can_be_marked(message: dict[str, Any]) -> bool:
    """An answer can end with a block that takes no mark, such as thinking."""
    return _blocks(message["content"])[-1]["type"] in ("text", "tool_result")


def _marked(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*blocks[:-1], {**blocks[-1], "cache_control": {"type": "ephemeral"}}] if blocks else []


def _run_tool(call: llm.ToolCall, toolbox: Toolbox) -> tuple[str, ToolResult | None]:
    """The text that answers a call, and its result, None for an error."""
    if call.input is None:
        return "The input of this call was not one whole JSON object. Nothing was done. Call it again.", None
    try:
        result = toolbox.call(call.name, call.input)
    except ToolError as error:
        return str(error), None
    except Exception as error:
        # Its words could hold a body or a secret, for the model as for the log: only its kind is told.
        logger.error("The tool %s failed with %s.", call.name, type(error).__name__)
        return "The tool failed for a reason of its own. Nothing was done. Go on without it, and say so.", None
    return json.dumps(result.value, ensure_ascii=False, separators=(",", ":")), result
