"""How the practice model proposes what a leader told it."""

import re
from typing import Any

from coaching.practice.talk import Talk, call
from coaching.practice.wire import Reply
from coaching.practice.wording import plain

QUOTE_LENGTH = 200
ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_NAMED = 50  # memories and proposals that a new one is different from
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
            named = made.input.get("different_from", [])
            others = set(ID.findall(made.value)) - set(named) if "different_from" in made.value else set()
            if others and len(named) + len(others) <= MOST_NAMED:
                # The leader asked for it in these words, so it is another.
                return call(tool, **{**made.input, "different_from": [*named, *sorted(others)]})
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
        if tool == "propose_procedure_create" and (named := new_procedure(waits, change["name"])):
            change.setdefault("replaces", named["proposal"])
        if tool == "propose_memory_entry_create":
            change["different_from"] = [*change.get("different_from", []), *alike][:MOST_NAMED]
    elif same:
        change.setdefault("replaces", same[0]["proposal"])
    return call(tool, **change, rationale=f"You asked for this directly: “{talk.message[:400]}”", evidence=evidence)


def waiting(talk: Talk) -> list[dict[str, Any]] | Reply:
    """The proposals of this session that wait for a decision, or the reply that looks them up.

    What an earlier run of this question proposed is left out: then this run comes to the very same, which is not added.
    """
    given = {"status": "pending", "limit": 50}
    found = talk.found("earlier_proposals", given)
    if found is None:
        return call("earlier_proposals", **given)
    items = [] if found.is_error else found.value["items"]
    return [each for each in items if each["this_session"] and each["proposal"] not in talk.made_before]


def new_procedure(waits: list[dict[str, Any]], name: str) -> dict[str, Any] | None:
    """The procedure of this name that this session wants to add, where it waits."""
    new = (each for each in waits if each["type"] == "procedure_create")
    return next((each for each in new if plain(each["change"].get("name", "")) == plain(name)), None)
