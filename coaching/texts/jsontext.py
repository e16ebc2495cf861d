"""JSON as people read it: indented, every name and number spelled as it came."""

import json
import re

LONGEST = 100_000  # characters; beyond, indenting costs more than it helps
DEEPEST = 30
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}:,]|[^\s\[\]{}:,"]+')
INDENT = "  "


def indented(text: str) -> str:
    """The JSON object or list of `text` with a line for each value; any other text as it is.

    Tokens are copied, not parsed: no number is rounded and no name that stands twice is lost.
    """
    if text.lstrip()[:1] not in ("{", "[") or len(text) > LONGEST or _loaded(text) is None:
        return text
    out: list[str] = []
    depth, opened = 0, False
    for piece in TOKEN.findall(text):
        if piece in "}]":
            depth -= 1
            out.append(piece if opened else f"\n{INDENT * depth}{piece}")
            opened = False
            continue
        if opened:
            out.append(f"\n{INDENT * depth}")
            opened = False
        if piece in "{[":
            depth += 1
            opened = True
            if depth > DEEPEST:
                return text
        out.append(f",\n{INDENT * depth}" if piece == "," else ": " if piece == ":" else piece)
    return "".join(out)


def names_an_error(text: str) -> bool:
    """Whether `text` is a JSON object that says of itself that something failed."""
    loaded = _loaded(text) if len(text) <= LONGEST else None
    if not isinstance(loaded, dict):
        return False
    return any(loaded.get(key) for key in ("error", "errors", "is_error", "isError")) or loaded.get("status") == "error"


def _loaded(text):
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
