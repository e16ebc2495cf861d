"""The loop: every stop reason, every bound, tools in parallel and tools that fail."""

import json
import threading
import time

import anthropic
import pytest

from coaching import llm
from coaching.coach import loop
from tests import model_server as server

MODEL = llm.Connection(key="key", model="scripted")
LIMITS = loop.Limits(rounds=4, tokens=100_000, answer_tokens=1_000, seconds=5, stall_seconds=1)
SYSTEM = [{"type": "text", "text": "You are a coach."}]
QUESTION = [{"role": "user", "content": [{"type": "text", "text": "What went wrong?"}]}]


class Tools:
    """Three tools: one that finds, one that proposes, one that breaks in a way of its own."""

    schemas = [
        {"name": name, "description": name, "input_schema": {"type": "object"}} for name in ("find", "propose", "break")
    ]

    def __init__(self):
        self.called = []

    def call(self, name, given):
        self.called.append((name, given))
        if name == "find":
            return loop.ToolResult({"found": given})
        if name == "propose":
            return loop.ToolResult({"proposal": "p1"}, proposal="p1")
        if name == "break":
            raise RuntimeError("password hunter2")
        raise loop.ToolError(f"There is no tool called {name}.")


class Ran:
    def __init__(self, plays, *, limits=LIMITS, should_stop=lambda: False):
        self.events, self.tools = [], Tools()
        with (
            server.serving(plays) as model,
            anthropic.Anthropic(api_key="key", base_url=model.url, max_retries=0) as client,
        ):
            self.outcome = loop.run(
                client, connection=MODEL, system=SYSTEM, messages=QUESTION, toolbox=self.tools, limits=limits,
                emit=lambda kind, **data: self.events.append((kind, data)), should_stop=should_stop,
            )  # fmt: skip
            self.requests = model.requests

    @property
    def said(self):
        return "".join(data["text"] for kind, data in self.events if kind == "text")

    def results(self, request=-1):
        return [block for block in self.requests[request]["messages"][-1]["content"] if block["type"] == "tool_result"]


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)


def test_tools_run_between_the_rounds_and_the_texts_are_set_apart():
    ran = Ran(
        [server.calls(("find", {"a": 1}), ("find", {"a": 2}), say="Let me look."), server.text("Turn 4 shows it.")]
    )

    assert ran.outcome.state is loop.State.DONE
    assert ran.said == "Let me look.\n\nTurn 4 shows it."
    assert ran.tools.called == [("find", {"a": 1}), ("find", {"a": 2})]
    assert [json.loads(block["content"]) for block in ran.results()] == [{"found": {"a": 1}}, {"found": {"a": 2}}]
    assert [kind for kind, _ in ran.events] == ["text", "tool", "tool", "text"]


def test_every_call_is_answered_under_its_own_id():
    ran = Ran([server.calls(*[("find", {"n": n}) for n in range(70)]), server.text("Done.")])

    asked = [block["id"] for block in ran.requests[1]["messages"][-2]["content"]]
    assert [block["tool_use_id"] for block in ran.results()] == asked
    assert len(ran.tools.called) == loop.CALLS_A_ROUND
    assert ran.results()[-1]["is_error"]


def test_a_proposal_is_told_when_it_is_made():
    ran = Ran([server.calls(("propose", {})), server.text("Proposed.")])

    assert ran.events[:2] == [("tool", {"name": "propose", "ok": True}), ("proposal", {"proposal": "p1"})]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("nothing", {}), "There is no tool called nothing."),
        (("break", {}), "The tool failed for a reason of its own. Nothing was done. Go on without it, and say so."),
    ],
)
def test_a_tool_that_fails_goes_back_in_our_own_words(call, words):
    ran = Ran([server.calls(call), server.text("I could not look.")])

    assert ran.outcome.state is loop.State.DONE
    assert [(block["content"], block["is_error"]) for block in ran.results()] == [(words, True)]
    assert ran.events[0] == ("tool", {"name": "break" if call[0] == "break" else loop.UNKNOWN_TOOL, "ok": False})


def test_a_broken_tool_is_logged_by_its_kind_only(caplog):
    Ran([server.calls(("break", {})), server.text("So.")])

    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_half_a_tool_input_is_not_run():
    half = server.stream(server.start(), server.tool_block("propose", '{"a": ['), server.stop("tool_use"))
    ran = Ran([half, server.text("Again.")])

    assert ran.tools.called == []
    assert "not one whole JSON object" in ran.results()[0]["content"]


NO_KEY = "The model did not accept our key. An admin can put in a valid one; then press Retry."
CUT = "The connection to the model broke in the middle of its answer. Press Retry."
HALF_A_CALL = server.stream(server.start(), server.tool_block("propose", '{"a'), server.stop("max_tokens"))


@pytest.mark.parametrize(
    ("play", "state", "error"),
    [
        (server.text("Yes."), "done", ""),
        (server.text("Yes.", reason="stop_sequence"), "done", ""),
        (server.text("Yes.", reason="tool_use"), "done", ""),
        (server.text("Yes.", reason="max_tokens"), "failed", loop.AFTER["max_tokens"]),
        (HALF_A_CALL, "failed", loop.AFTER["max_tokens"]),
        (server.text("", reason="refusal"), "failed", loop.AFTER["refusal"]),
        (server.text("Yes.", reason="model_context_window_exceeded"), "failed", loop.AFTER["model_context_window_exceeded"]),
        (server.text("Yes.", reason="something_new"), "failed", loop.UNKNOWN_STOP),
        (server.text("Yes.", reason=None), "failed", loop.UNKNOWN_STOP),
        (server.text(""), "failed", loop.EMPTY),
        (server.stream(server.start(), server.stop("end_turn")), "failed", loop.EMPTY),
        (server.text("Yes.", reason="pause_turn"), "failed", loop.OUT_OF_ROUNDS),
        (server.calls(("find", {})), "failed", loop.OUT_OF_ROUNDS),
        (server.status(401, "authentication_error"), "failed", NO_KEY),
        (server.cut(server.start(), server.text_block("Ye")), "failed", CUT),
    ],
)  # fmt: skip
def test_every_end_has_its_state_and_sentence(play, state, error):
    ran = Ran([play])

    assert (ran.outcome.state.value, ran.outcome.error) == (state, error)
    assert "propose" not in {name for name, _ in ran.tools.called}


def test_a_paused_answer_is_taken_up_again():
    ran = Ran([server.text("One.", reason="pause_turn"), server.text("Two.")])

    assert (ran.outcome.state, ran.said) == (loop.State.DONE, "One.\n\nTwo.")
    assert ran.requests[1]["messages"][-1] == {"role": "assistant", "content": [{"type": "text", "text": "One."}]}


def test_the_last_round_asks_for_an_answer_without_tools():
    ran = Ran([server.calls(("find", {}))] * 3 + [server.text("With what I have.")])

    assert ran.outcome.state is loop.State.DONE
    assert [request.get("tool_choice") for request in ran.requests] == [None, None, None, {"type": "none"}]
    assert ran.requests[3]["messages"][-1]["content"][-1]["text"] == loop.LAST_ROUND


def test_tokens_of_all_rounds_are_bounded_and_summed():
    play = server.calls(("find", {}))
    ran = Ran([play], limits=loop.Limits(rounds=10, tokens=45, answer_tokens=10, seconds=5, stall_seconds=1))

    assert ran.outcome.error == loop.OUT_OF_TOKENS
    usage = ran.outcome.usage
    assert (usage.rounds, usage.input_tokens, usage.output_tokens) == (3, 30, 15)
    assert usage.latency_ms > 0


def test_the_wall_time_of_the_whole_turn_is_bounded():
    limits = loop.Limits(rounds=50, tokens=10**9, answer_tokens=10, seconds=0.5, stall_seconds=1)
    began = time.monotonic()
    ran = Ran([server.slowly(["word "] * 100, seconds=0.05)], limits=limits)

    assert ran.outcome.state is loop.State.FAILED
    assert "ran out of time" in ran.outcome.error
    assert time.monotonic() - began < 2


def test_a_stop_ends_the_turn_and_keeps_what_was_said():
    stop = threading.Event()
    threading.Timer(0.4, stop.set).start()
    ran = Ran([server.slowly(["word "] * 100, seconds=0.05)], should_stop=stop.is_set)

    assert (ran.outcome.state, ran.outcome.error) == (loop.State.STOPPED, "")
    assert ran.said.startswith("word word ")


def test_the_stable_prefix_is_marked_for_the_cache():
    ran = Ran([server.calls(("find", {})), server.text("Done.")])

    for request in ran.requests:
        marks = [
            block
            for part in (request["tools"], request["system"], *(each["content"] for each in request["messages"]))
            for block in part
            if "cache_control" in block
        ]
        assert marks == [request["tools"][-1], request["system"][-1], request["messages"][-1]["content"][-1]]
    assert ran.requests[0]["tools"] == ran.requests[1]["tools"]
    assert QUESTION == [{"role": "user", "content": [{"type": "text", "text": "What went wrong?"}]}]


def test_an_exception_of_the_caller_passes_through():
    def lost(kind, **data):
        raise KeyError(kind)

    with (
        server.serving([server.text("Hello.")]) as model,
        anthropic.Anthropic(api_key="key", base_url=model.url, max_retries=0) as client,
        pytest.raises(KeyError),
    ):
        loop.run(
            client, connection=MODEL, system=SYSTEM, messages=QUESTION, toolbox=Tools(), limits=LIMITS,
            emit=lost, should_stop=lambda: False,
        )  # fmt: skip
