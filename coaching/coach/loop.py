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
from typing import Any

import anthropic

from coaching import llm
from coaching.coach.protocol import Toolbox, ToolError, ToolResult

logger = logging.getLogger(__name__)

CALLS_A_ROUND = 64
UNKNOWN_TOOL = "unknown"  # a name that a model made up is not stored: it could hold anything
LAST_ROUND = "This is the last round of this turn: no tool can be called any more. Answer now with what you have."


@dataclass(frozen=True)
class Limits:
    """The bounds of a turn: rounds with the model, tokens of all rounds together, tokens of one answer, seconds of
    the whole turn, and seconds without any part of an answer."""

    rounds: int
    tokens: int
    answer_tokens: int
    seconds: float
    stall_seconds: float


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


# Every stop reason the protocol knows. A string is the sentence a turn fails with.
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
    client: anthropic.Anthropic,
    *,
    connection: llm.Connection,
    system: list[dict[str, Any]],
    messages: list[dict[str, Any]],
    toolbox: Toolbox,
    limits: Limits,
    emit: Callable[..., None],
    should_stop: Callable[[], bool],
) -> Outcome:
    """Run one turn to its end and say how it ended.

    `system` and `messages` are blocks of the Messages API, the stable ones first, and stay as they are. `emit` is
    called as emit("text", text=…), emit("tool", name=…, ok=…) and emit("proposal", proposal=id), in the order things
    happen. Exceptions of `emit` and `should_stop` pass through: the caller has lost its turn, not the model.
    """
    watch = llm.Watch(limits.stall_seconds, time.monotonic() + limits.seconds, should_stop)
    turn = _Turn(client, connection, system, list(messages), toolbox, limits, _Said(emit), watch)
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

    client: anthropic.Anthropic
    connection: llm.Connection
    system: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    toolbox: Toolbox
    limits: Limits
    said: _Said
    watch: llm.Watch
    outcome: Outcome = field(default_factory=lambda: Outcome(State.DONE))

    def rounds(self) -> str:
        """Ask, run tools and ask again; returns the sentence the turn fails with, empty when it went well."""
        usage = self.outcome.usage
        for number in range(1, self.limits.rounds + 1):
            last = number == self.limits.rounds > 1
            self.said.new_round()
            answer = llm.ask(self.client, self.request(last=last), watch=self.watch, on_text=self.said)
            usage.add(answer.usage)
            after = AFTER.get(answer.stop_reason, UNKNOWN_STOP)
            if isinstance(after, str):
                return after
            if after is Next.END or (after is Next.TOOLS and not answer.calls):
                return "" if self.said.anything else EMPTY
            if usage.total_tokens >= self.limits.tokens:
                return OUT_OF_TOKENS
            self.messages.append({"role": "assistant", "content": answer.content})
            if after is Next.TOOLS and not last:
                self.messages.append({"role": "user", "content": self.results(answer.calls)})
        return OUT_OF_ROUNDS

    def request(self, *, last: bool) -> dict[str, Any]:
        """The request of a round. Cache marks close the three prefixes that the next round repeats: the tools, the
        system blocks, and everything said so far."""
        messages = list(self.messages)
        if last:
            note = {"type": "text", "text": LAST_ROUND}
            if messages[-1]["role"] == "user":
                messages[-1] = {**messages[-1], "content": [*_blocks(messages[-1]["content"]), note]}
            else:
                messages.append({"role": "user", "content": [note]})
        if messages[-1]["role"] == "user":
            messages[-1] = {**messages[-1], "content": _marked(_blocks(messages[-1]["content"]))}
        request = self.connection.request(
            max_tokens=self.limits.answer_tokens,
            system=_marked(self.system),
            messages=messages,
            tools=_marked(self.toolbox.schemas),
        )
        if last:
            request["tool_choice"] = {"type": "none"}
        return request

    def results(self, calls: list[llm.ToolCall]) -> list[dict[str, Any]]:
        """Run the calls of one answer in their order; every call gets its result, as the protocol asks."""
        known = {schema["name"] for schema in self.toolbox.schemas}
        results = []
        for index, call in enumerate(calls):
            self.watch.check()
            if index < CALLS_A_ROUND:
                value, result = _run_tool(call, self.toolbox)
                self.said.tool(call.name if call.name in known else UNKNOWN_TOOL, result)
            else:
                value, result = f"Only {CALLS_A_ROUND} tools run in one round. Call this one again in the next.", None
            block: dict[str, Any] = {"type": "tool_result", "tool_use_id": call.id, "content": value}
            if result is None:
                block["is_error"] = True
            results.append(block)
        return results


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _marked(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [*blocks[:-1], {**blocks[-1], "cache_control": {"type": "ephemeral"}}]


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
