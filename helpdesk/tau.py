"""Tool-using conversations in the OpenAI message shape, one object a line: `{id, messages: [{role, content, …}], reward?}`.

- user → customer, assistant → agent, tool and function → tool, system and developer → system.
- What an assistant calls stands at the end of its turn, a call a line: `[calls NAME({…})]`. A tool's answer is a tool
  turn with the tool's name; its text may be empty. An assistant's or user's message that says and calls nothing is no turn.
- `reward` is the verdict of a test, not of a customer. It becomes a rating (good from 1, else bad) only where asked for.
- All else in the object (goals, expected actions, breakdowns of the reward) is the test's hidden truth and is not read.
"""

import json
from datetime import datetime
from typing import Any

from helpdesk.models import API_SOURCE, Scale
from helpdesk.rows import ConversationRow, Csat, Refused, clean, transcript_from_json
from helpdesk.scales import hundredths

ROLES = {
    "user": "customer",
    "assistant": "agent",
    "tool": "tool",
    "function": "tool",
    "system": "system",
    "developer": "system",
}


def conversation_from_tau(
    item: Any, *, agent: str, source: str = API_SOURCE, now: datetime, rate: bool
) -> ConversationRow:
    """One such conversation, without times. With `rate` its reward becomes a rating. Raises Refused, TooLarge."""
    if not isinstance(item, dict):
        raise Refused("", "It is not an object.")
    external_id = item.get("id")
    if isinstance(external_id, int) and not isinstance(external_id, bool):
        external_id = str(external_id)
    if not isinstance(external_id, str) or not external_id.strip() or len(external_id) > 300:
        raise Refused("id", "It is missing, or no text of at most 300 characters.")
    messages = item.get("messages")
    if not isinstance(messages, list):
        raise Refused("messages", "It is a list.")
    turns = []
    called: dict[str, str] = {}
    for number, message in enumerate(messages):
        try:
            turn = _turn(message, called)
        except Refused as refused:
            raise Refused(f"messages.{number}.{refused.field}".rstrip("."), refused.detail) from None
        if turn is not None:
            turns.append(turn)
    return ConversationRow(
        external_id=clean(external_id.strip(), "id"),
        agent=agent,
        source=source,
        csat=_csat(item) if rate else None,
        transcript=transcript_from_json(turns, now=now),
    )


def _turn(message, called):
    if not isinstance(message, dict):
        raise Refused("", "It is not an object.")
    role = ROLES.get(message["role"]) if isinstance(message.get("role"), str) else None
    if role is None:
        raise Refused("role", f"It is one of {', '.join(ROLES)}.")
    text = _content(message.get("content"))
    if role == "agent":
        calls = [_call(call, called) for call in _list(message, "tool_calls")]
        text = "\n".join([*([text] if text else []), *calls])
    if role != "tool":
        return {"role": role, "text": text} if text else None
    call_id = message.get("tool_call_id")
    name = message.get("name") or (called.get(call_id) if isinstance(call_id, str) else None)
    return {"role": role, "text": text} | ({"name": name} if name else {})


def _content(content):
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        if all(isinstance(part, str) for part in parts):
            return "\n".join(parts)
    raise Refused("content", "It is text, or a list of parts.")


def _call(call, called):
    function = call.get("function", call) if isinstance(call, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    if not isinstance(name, str):
        raise Refused("tool_calls", "A call names its tool.")
    if isinstance(call.get("id"), str):
        called[call["id"]] = name
    arguments = function.get("arguments")
    if not isinstance(arguments, str):
        arguments = json.dumps({} if arguments is None else arguments, ensure_ascii=False)
    return f"[calls {name}({arguments})]"


def _list(message, name):
    value = message.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Refused(name, "It is a list.")
    return value


def _csat(item):
    reward = item.get("reward")
    if reward is None:
        return None
    if isinstance(reward, bool) or not isinstance(reward, (int, float)):
        raise Refused("reward", "It is a number.")
    value = "good" if reward >= 1 else "bad"
    return Csat(value, Scale.BINARY, hundredths(value, Scale.BINARY), rated_at=None)
