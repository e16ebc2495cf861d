"""Room in a request: when the results of many tool calls grow beyond a bound, the oldest are left out.

Sources are read again rather than kept: a result that was left out says so and can be asked for once more. Room is made
in big steps, down to half the bound, so that most rounds repeat the one before word for word and the service can read
it from its cache.
"""

from typing import Any

SHORT = 500  # characters; a result that is no longer stays: what a proposal came to, an error, an empty list
LEFT_OUT = "Left out to make room; it was read before. Call the tool again if it is still needed."


def made(messages: list[dict[str, Any]], *, most: int) -> list[dict[str, Any]]:
    """The messages with at most `most` characters of tool results, the oldest left out where there are more.

    Every tool_use keeps its tool_result, as the protocol asks; the results of the last message stay whole.
    """
    there = sum(len(block["content"]) for message in messages for block in _results(message))
    if there <= most:
        return messages
    made = list(messages)
    for index, message in enumerate(made[:-1]):
        content = []
        for block in message["content"] if isinstance(message["content"], list) else []:
            if there > most // 2 and block["type"] == "tool_result" and len(block["content"]) > SHORT:
                there -= len(block["content"]) - len(LEFT_OUT)
                block = {**block, "content": LEFT_OUT, "is_error": True}
            content.append(block)
        if content:
            made[index] = {**message, "content": content}
    return made


def _results(message: dict[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [block for block in content if block["type"] == "tool_result"] if isinstance(content, list) else []
