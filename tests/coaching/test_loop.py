"""The loop: every stop reason, every bound, tools in parallel and tools that fail."""

import json
import threading
import time
from dataclasses import replace
from typing import get_args

import anthropic
import pytest

from coaching import llm
from coaching.coach import loop, room
from tests import model_server as server

MODEL = llm.Connection(key="key", model="scripted")
LIMITS = loop.Limits(rounds=4, tokens=100_000, answer_tokens=1_000, seconds=5, stall_seconds=1, results=400_000)
SYSTEM = [{"type": "text", "text": "You are a coach."}, {"type": "text", "text": "The agent is called Ada."}]
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
    def __init__(self, plays, *, messages=QUESTION, limits=LIMITS, should_stop=lambda: False, **more):
        self.events, self.tools = [], Tools()
        with (
            server.serving(plays) as model,
            anthropic.Anthropic(api_key="key", base_url=model.url, max_retries=0) as client,
        ):
            self.outcome = loop.run(
                client, connection=MODEL, system=SYSTEM, messages=messages, toolbox=self.tools, limits=limits,
                emit=lambda kind, **data: self.events.append((kind, data)), should_stop=should_stop, **more,
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
    [block] = ran.requests[1]["messages"][-1]["content"]
    assert (ran.requests[1]["messages"][-1]["role"], block["type"], block["text"]) == ("assistant", "text", "One.")


def test_the_last_round_asks_for_an_answer_without_tools():
    ran = Ran([server.calls(("find", {}))] * 3 + [server.text("With what I have.")])

    assert ran.outcome.state is loop.State.DONE
    assert [request.get("tool_choice") for request in ran.requests] == [None, None, None, {"type": "none"}]
    assert ran.requests[3]["messages"][-1]["content"][-1]["text"] == loop.LAST_ROUND


def test_tokens_of_all_rounds_are_bounded_and_summed():
    play = server.calls(("find", {}))
    ran = Ran([play], limits=replace(LIMITS, rounds=10, tokens=45))

    assert ran.outcome.error == loop.OUT_OF_TOKENS
    usage = ran.outcome.usage
    assert (usage.rounds, usage.input_tokens, usage.output_tokens) == (3, 30, 15)
    assert usage.latency_ms > 0


def test_the_wall_time_of_the_whole_turn_is_bounded():
    limits = replace(LIMITS, rounds=50, tokens=10**9, seconds=0.5)
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


EARLIER = [
    {"role": "user", "content": [{"type": "text", "text": "Hello?"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Hello."}]},
]


@pytest.mark.parametrize(
    ("earlier", "marks"),
    [
        ([], [["system 0", "system 1", 0], ["system 0", "system 1", 0, 2], ["system 0", "system 1", 2, 4]]),
        (EARLIER, [["system 0", "system 1", 1, 2], ["system 0", 1, 2, 4], ["system 0", 1, 4, 6]]),
    ],
)
def test_marks_for_the_cache_close_what_the_next_round_and_the_next_question_repeat(earlier, marks):
    find = server.calls(("find", {}))
    ran = Ran([find, find, server.text("Done.")], messages=[*earlier, *QUESTION])

    for request, expected in zip(ran.requests, marks, strict=True):
        parts = {f"system {index}": [block] for index, block in enumerate(request["system"])}
        parts |= {index: message["content"] for index, message in enumerate(request["messages"])}
        assert [place for place, blocks in parts.items() if "cache_control" in blocks[-1]] == expected
        assert str(request).count("cache_control") == len(expected) <= 4
    assert "cache_control" not in str([SYSTEM, QUESTION, EARLIER])


def test_a_turn_that_was_cut_still_counts_what_it_used():
    ran = Ran([server.calls(("find", {})), server.cut(server.start(), server.text_block("Ye"))])

    assert ran.outcome.state is loop.State.FAILED
    assert (ran.outcome.usage.rounds, ran.outcome.usage.input_tokens, ran.outcome.usage.output_tokens) == (2, 20, 5)


def test_whoever_runs_the_turn_can_end_it_between_two_rounds():
    told = []

    def before_round(usage):
        told.append(usage.total_tokens)
        return "That is enough." if len(told) == 2 else ""

    ran = Ran([server.calls(("find", {}))], before_round=before_round)

    assert (ran.outcome.state, ran.outcome.error, told) == (loop.State.FAILED, "That is enough.", [15, 30])


def test_tools_that_were_called_run_whatever_the_server_calls_the_stop():
    called = server.stream(server.start(), server.tool_block("find", "{}"), server.stop("end_turn"))
    ran = Ran([called, server.text("Done.")])

    assert (ran.tools.called, ran.said) == ([("find", {})], "Done.")


def test_every_stop_reason_of_the_sdk_has_its_line_in_the_table():
    assert set(loop.AFTER) == set(get_args(anthropic.types.StopReason))


THINKING = {"type": "thinking", "thinking": "", "signature": ""}
SECRET_THOUGHT = {"type": "redacted_thinking", "data": "b64"}
NEWER = {"type": "something_new", "inside": {"a": [1, None]}}


def test_thinking_and_blocks_nobody_knows_go_back_as_they_came():
    deltas = [
        {"type": "thinking_delta", "thinking": "Let me "},
        {"type": "thinking_delta", "thinking": "see."},
        {"type": "signature_delta", "signature": "c2ln"},
    ]
    thought = [server.event("content_block_start", index=0, content_block=THINKING)]
    thought += [server.event("content_block_delta", index=0, delta=delta) for delta in deltas]
    thought += [server.event("content_block_stop", index=0)]
    for index, block in enumerate((SECRET_THOUGHT, NEWER), start=1):
        thought += [server.event("content_block_start", index=index, content_block=block)]
        thought += [server.event("content_block_stop", index=index)]
    call = server.tool_block("find", "{}", index=3)
    ran = Ran([server.stream(server.start(), *thought, call, server.stop("tool_use")), server.text("Done.")])

    assert ran.outcome.state is loop.State.DONE
    assert ran.requests[1]["messages"][1]["content"] == [
        {"type": "thinking", "thinking": "Let me see.", "signature": "c2ln"},
        SECRET_THOUGHT,
        NEWER,
        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
    ]


def test_old_results_make_room_in_big_steps_and_every_call_keeps_its_result():
    find = server.calls(("find", {"a": "x" * 1_000}))
    limits = replace(LIMITS, rounds=9, results=4_000)
    ran = Ran([find] * 8 + [server.text("Done.")], limits=limits)

    whole = []
    for request in ran.requests:
        blocks = [block for message in request["messages"] for block in message["content"]]
        used = [block["id"] for block in blocks if block["type"] == "tool_use"]
        results = [block for block in blocks if block["type"] == "tool_result"]
        assert [block["tool_use_id"] for block in results] == used
        assert sum(len(block["content"]) for block in results) <= limits.results
        whole.append("".join("-" if block["content"] == room.LEFT_OUT else "+" for block in results))
    assert whole == ["", "+", "++", "+++", "---+", "---++", "---+++", "------+", "------++"]


def test_more_than_there_is_room_for_in_one_round_is_not_shown():
    limits = replace(LIMITS, results=4_000)
    ran = Ran([server.calls(*[("find", {"a": "x" * 900})] * 5), server.text("Done.")], limits=limits)

    assert [block["content"] == loop.TOO_MUCH for block in ran.results()] == [False, False, True, True, True]


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
