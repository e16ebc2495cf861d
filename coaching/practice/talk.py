"""A Messages request as the practice model sees it: the leader's last message, and what its tools have found since."""

import json
import re
from dataclasses import dataclass
from typing import Any

from coaching.practice.wire import Call, Reply

FOCUS = re.compile(r'^<focus turns="([\d,]+)"/>$')

SUGGESTED = "<suggested/>"
PROPOSALS = re.compile(r"^<proposals>(.*)</proposals>$", re.DOTALL)


@dataclass(frozen=True)
class Result:
    """What one tool call came back with: a JSON value, or the words of an error."""

    name: str
    input: dict[str, Any]
    value: Any
    is_error: bool


def metadata(request: dict[str, Any]) -> dict[str, Any] | None:
    """What a request without tools tells: the JSON object of its last message. None where that is none."""
    blocks = request["messages"][-1]["content"]
    try:
        known = json.loads(blocks if isinstance(blocks, str) else blocks[0]["text"])
    except ValueError:
        return None
    return known if isinstance(known, dict) else None


@dataclass(frozen=True)
class Talk:
    """The last message of the leader, the turns it points at, and the tool results that followed it, in order.

    `suggested` says that the message is a suggestion the leader clicked: no instruction. `made_before` are the ids of what an
    earlier run of this very question proposed.
    """

    message: str
    focus: list[int]
    suggested: bool
    made_before: frozenset[str]
    results: list[Result]
    may_call: bool

    @classmethod
    def of(cls, request: dict[str, Any]) -> "Talk":
        messages = request["messages"]
        start = max((i for i, each in enumerate(messages) if _is_said(each)), default=0)
        texts = [block["text"] for block in _blocks(messages[start]) if block["type"] == "text"]
        focus: list[int] = []
        made: list[str] = []
        for context in texts[:-1]:  # what the coach adds stands in blocks before the message, which is the last one
            if match := FOCUS.match(context):
                focus = [int(each) for each in match[1].split(",")]
            elif match := PROPOSALS.match(context):
                listed = json.loads(match[1])
                made += [each["proposal"] for each in listed if each["by_an_earlier_run_of_this_question"]]
        return cls(
            message=texts[-1].strip() if texts else "",
            focus=focus,
            suggested=SUGGESTED in texts[:-1],
            made_before=frozenset(made),
            results=_results(messages[start + 1 :]),
            may_call=request.get("tool_choice", {}).get("type") != "none",
        )

    def found(self, name: str, given: dict[str, Any] | None = None) -> Result | None:
        """The latest result of a tool, or of exactly this call of it; None when it was not called yet."""
        for result in reversed(self.results):
            if result.name == name and (given is None or result.input == given):
                return result
        return None


def call(name: str, /, **given: Any) -> Reply:
    return Reply(calls=[Call(name, given)])


def ask_next(*questions: str) -> str:
    """The end of an answer: what to ask next, in the form of the coach."""
    return "\n\nAsk next:\n" + "\n".join(f"- {question}" for question in questions)


def _is_said(message: dict[str, Any]) -> bool:
    return message["role"] == "user" and not any(block["type"] == "tool_result" for block in _blocks(message))


def _blocks(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _results(messages: list[dict[str, Any]]) -> list[Result]:
    called: dict[str, dict[str, Any]] = {}
    results = []
    for block in (block for message in messages for block in _blocks(message)):
        if block["type"] == "tool_use":
            called[block["id"]] = block
        elif block["type"] == "tool_result" and block["tool_use_id"] in called:
            made = called[block["tool_use_id"]]
            is_error = bool(block.get("is_error"))
            value = block["content"] if is_error else json.loads(block["content"])
            results.append(Result(made["name"], made["input"], value, is_error))
    return results
