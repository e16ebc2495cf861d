"""The Messages wire format, as a server of it speaks: one JSON object, or server-sent events.

Only what the practice model says is covered: text, tool calls, and why it stopped.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Call:
    name: str
    input: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What a model says in one round: text, then tool calls. With calls it waits for their results."""

    text: str = ""
    calls: list[Call] = field(default_factory=list)


def message(reply: Reply, *, number: str, model: str, input_tokens: int) -> dict[str, Any]:
    """The reply as the JSON of a whole message. `number` makes the ids of one conversation differ."""
    content: list[dict[str, Any]] = []
    if reply.text:
        content.append({"type": "text", "text": reply.text})
    for index, call in enumerate(reply.calls):
        content.append({"type": "tool_use", "id": f"toolu_{number}_{index}", "name": call.name, "input": call.input})
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": "tool_use" if reply.calls else "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": input_tokens,
            "output_tokens": tokens(json.dumps(content)),
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def events(whole: dict[str, Any]) -> Iterator[bytes]:
    """The same message as the bytes of its event stream, message_start … message_stop."""
    usage = whole["usage"]
    begun = {**whole, "content": [], "stop_reason": None, "usage": {**usage, "output_tokens": 0}}
    yield _event("message_start", message=begun)
    for index, block in enumerate(whole["content"]):
        if block["type"] == "text":
            yield _event("content_block_start", index=index, content_block={"type": "text", "text": ""})
            for piece in re.findall(r"\S+\s*|\s+", block["text"]):
                yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})
        else:
            yield _event("content_block_start", index=index, content_block={**block, "input": {}})
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    stop = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield _event("message_delta", delta=stop, usage={"output_tokens": usage["output_tokens"]})
    yield _event("message_stop")


def tokens(text: str) -> int:
    """About how many tokens a text is: a model's own count needs its tokenizer, four characters each is the habit."""
    return len(text) // 4


def _event(kind: str, **data: Any) -> bytes:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **data})}\n\n".encode()
