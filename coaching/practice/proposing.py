"""How the practice model proposes what a leader told it."""

from typing import Any

from coaching.practice.talk import Talk, call
from coaching.practice.wire import Reply

QUOTE_LENGTH = 200
QUOTES = 19  # evidence has at most 20 items, one of them the message


def propose(talk: Talk, tool: str, /, **change: Any) -> Reply:
    """Propose, with the leader's own message as evidence and, under a focus, the words of the turns it points at.

    A change of what this session has changed already replaces that proposal; something new, which the leader asks for in
    these words, stands beside what is like it.
    """
    waits = waiting(talk)
    if isinstance(waits, Reply):
        return waits
    made = talk.found(tool)
    if made is not None:
        if made.is_error:
            return Reply(f"the proposal was refused. {made.value}")
        if made.value["status"] != "pending":
            return Reply(f"I proposed this before, and it is {made.value['status']}. Nothing was added.")
        rejected = made.value.get("rejected_before")
        before = f" A person rejected this before ({rejected}); you asked for it all the same." if rejected else ""
        return Reply(f"I made the proposal you asked for. Nothing changes until somebody approves it.{before}")
    evidence: list[dict[str, Any]] = [{"message": True}]
    if talk.focus:
        span = {"first_turn": min(talk.focus), "last_turn": max(talk.focus)}
        read = talk.found("read_conversation", span)
        if read is None:
            return call("read_conversation", **span)
        turns = [] if read.is_error else read.value["turns"]
        quoted = [each for each in turns if each["turn"] in talk.focus and each["text"].strip()]
        evidence += [{"turn": each["turn"], "quote": each["text"].strip()[:QUOTE_LENGTH].strip()} for each in quoted][
            :QUOTES
        ]
    target = change.get("memory") or change.get("procedure")
    same = [each for each in waits if (each["target"] == target if target else each["type"] == "prompt_change")]
    if tool.endswith("_create"):
        alike = [each["proposal"] for each in waits if each["type"] == tool.removeprefix("propose_")]
        if tool == "propose_memory_entry_create":
            change["different_from"] = [*change.get("different_from", []), *alike][:20]
    elif same:
        change.setdefault("replaces", same[0]["proposal"])
    return call(tool, **change, rationale="You asked for this directly.", evidence=evidence)


def waiting(talk: Talk) -> list[dict[str, Any]] | Reply:
    """The proposals of this session that wait for a decision, or the reply that looks them up."""
    given = {"status": "pending", "limit": 50}
    found = talk.found("earlier_proposals", given)
    if found is None:
        return call("earlier_proposals", **given)
    return [] if found.is_error else [each for each in found.value["items"] if each["this_session"]]
