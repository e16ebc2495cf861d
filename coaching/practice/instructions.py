"""The instructions the practice model follows, and the proposal each one becomes.

An instruction is read from the leader's own message only. What is needed to write the proposal (a version, the text
to change) is read with the coach's tools first, one round after the other.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from coaching.practice.facts import FEW_WORDS
from coaching.practice.proposing import new_procedure, propose, waiting
from coaching.practice.talk import Result, Talk, call
from coaching.practice.wire import Reply
from coaching.practice.wording import changed, instruction, plain, sentence, summary, tail, unquoted

Handler = Callable[[Talk], Reply]

ADD = r"(?:add|create|save|write)"
CHANGE = r"(?:change|update|edit|correct|rewrite)"
REMOVE = r"(?:remove|delete|drop|forget)"
MEMORY = r"memory(?: entry)?"
SO_THAT = r"(?:\s+so that|\s+to say(?: that)?|\s*:)\s+"
NAMED = r"procedure\s+(?:called|named)?\s*"
# The patterns below try many places; these bounds keep a hostile message from keeping the worker busy for minutes.
LONGEST = 20_000
BLANKS = re.compile(r"\s{100}")
QUERY_LENGTH = 2_000
MADE_BEFORE = "I proposed this when you first asked. Nothing was added."
BEGINNING = 5  # letters by which two forms of a word are known


def understand(message: str) -> Handler | None:
    """The way to follow this message, or None where it is no instruction we know."""
    if len(message) > LONGEST or BLANKS.search(message):
        return None
    message = re.sub(
        r"^(?:(?:please|now|ok(?:ay)?|and|then|(?:can|could|would) you)[,\s]+)+",
        "",
        message.strip(),
        flags=re.IGNORECASE,
    )
    for pattern, handler in PATTERNS:
        if match := pattern.match(message):
            return partial(_once, partial(handler, *(each.strip() if each else "" for each in match.groups())))
    return None


def _once(handler: Handler, talk: Talk) -> Reply:
    """Follow an instruction; where it is run again and cannot be followed twice, say so."""
    reply = handler(talk)
    made = [each for each in talk.results if each.name.startswith("propose_") and not each.is_error]
    return Reply(MADE_BEFORE) if talk.made_before and not reply.calls and not made else reply


# Memories


def _add_memory(said: str, talk: Talk) -> Reply:
    given = {"query": said[:QUERY_LENGTH], "limit": 10}
    near = talk.found("search_memories", given)
    if near is None:
        return call("search_memories", **given)
    text = sentence(said)
    for item in [] if near.is_error else near.value["items"]:
        if plain(item["summary"]) == plain(summary(text)):
            return Reply(
                f"that is in the memory base already: “{item['summary'].rstrip('.')}”. Nothing needs to be added."
            )
    different = [] if near.is_error else [item["memory"] for item in near.value["items"]]
    return propose(talk, "propose_memory_entry_create", summary=summary(text), text=text, different_from=different)


def _change_last_memory(said: str, talk: Talk) -> Reply:
    earlier = talk.found("earlier_proposals", {"limit": 50})
    if earlier is None:
        return call("earlier_proposals", limit=50)
    last = _last_memory_proposal(earlier)
    if last is None:
        return Reply("I find no memory proposed in this session. Say which one: “Change the memory about … so that …”.")
    if last["proposal"] in talk.made_before:
        return Reply(MADE_BEFORE)
    if last["status"] == "pending" and last["type"] == "memory_entry_create":
        text = changed(last["change"].get("text", ""), said)
        change = {"summary": summary(text), "text": text, "replaces": last["proposal"]}
        return propose(talk, "propose_memory_entry_create", **change)
    if not last["target"]:
        return Reply("that proposal was not approved, so there is no memory to change. Say “Add a memory that …”.")
    return _change_memory_by_id(last["target"], said, talk)


def _last_memory_proposal(earlier: Result) -> dict[str, Any] | None:
    """The newest memory this session proposed to make or change, other than a proposal that was replaced."""
    for item in [] if earlier.is_error else earlier.value["items"]:
        kinds = ("memory_entry_create", "memory_entry_update")
        if item["this_session"] and item["type"] in kinds and item["status"] != "superseded":
            return item
    return None


def _change_memory(about: str, said: str, talk: Talk) -> Reply:
    return _with_memory(about, talk, partial(_change_memory_by_id, said=said, talk=talk))


def _change_memory_by_id(memory: str, said: str, talk: Talk) -> Reply:
    read = talk.found("read_memory", {"memory": memory})
    if read is None:
        return call("read_memory", memory=memory)
    if read.is_error:
        return Reply(f"I cannot read that memory. {read.value}")
    waits = waiting(talk)
    if isinstance(waits, Reply):
        return waits
    asked = _waiting_for(waits, memory, read.value["version"])
    before = asked["change"] if asked is not None and asked["change"] else read.value
    text = changed(before["text"], said)
    change = {"summary": summary(text), "text": text}
    if read.value.get("expires_at"):
        change["expires_at"] = read.value["expires_at"]
    target = {"memory": memory, "base_version": read.value["version"]}
    return propose(talk, "propose_memory_entry_update", **target, **change)


def _remove_memory(about: str, talk: Talk) -> Reply:
    return _with_memory(about, talk, partial(_remove_memory_by_id, talk=talk))


def _remove_last_memory(talk: Talk) -> Reply:
    earlier = talk.found("earlier_proposals", {"limit": 50})
    if earlier is None:
        return call("earlier_proposals", limit=50)
    last = _last_memory_proposal(earlier)
    if last is None or last["status"] != "approved":
        return Reply("I find no approved memory of this session. Say which one: “Remove the memory about …”.")
    return _remove_memory_by_id(last["target"], talk=talk)


def _remove_memory_by_id(memory: str, talk: Talk) -> Reply:
    read = talk.found("read_memory", {"memory": memory})
    if read is None:
        return call("read_memory", memory=memory)
    if read.is_error:
        return Reply(f"I cannot read that memory. {read.value}")
    return propose(talk, "propose_memory_entry_delete", memory=memory, base_version=read.value["version"])


def _with_memory(about: str, talk: Talk, then: Callable[[str], Reply]) -> Reply:
    """Go on with the one memory that these words mean; where they could mean two, ask."""
    about = about.strip("“”\"'. ")
    if re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", about):
        return then(about)
    given = {"query": about[:QUERY_LENGTH], "limit": 5}
    found = talk.found("search_memories", given)
    if found is None:
        return call("search_memories", **given)
    wanted = _beginnings(about)
    items = [] if found.is_error else found.value["items"]
    fitting = [each for each in items if wanted & _beginnings(each["summary"] + " " + each.get("text", ""))]
    most = max((len(wanted & _beginnings(each["summary"])) for each in fitting), default=0)
    fitting = [each for each in fitting if len(wanted & _beginnings(each["summary"])) == most]
    if not fitting:
        return Reply(f"I find no memory about “{about}”.")
    if len(fitting) > 1:
        listed = "\n".join(f"- {each['summary']}" for each in fitting)
        return Reply(f"more than one memory fits “{about}”. Say it with the words of the one you mean:\n\n{listed}")
    return then(fitting[0]["memory"])


def _beginnings(text: str) -> set[str]:
    """How its words begin, those that stand in every text left out: "reaching" fits "reach", "refund" fits "refunds"."""
    return {word[:BEGINNING] for word in plain(text).split() if word not in FEW_WORDS}


def _waiting_for(waits: list[dict[str, Any]], what: str, version: int) -> dict[str, Any] | None:
    """What waits for this target, or of this type; not where the target has moved on: on it nothing can be built any more
    without taking back what somebody changed since."""
    found = (each for each in waits if what in (each["target"], each["type"]))
    return next((each for each in found if each["base_version"] == version), None)


# The prompt


def _change_prompt(said: str, talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    waits = waiting(talk)
    if isinstance(waits, Reply):
        return waits
    prompt, line = read.value["prompt"], instruction(said)
    asked = _waiting_for(waits, "prompt_change", read.value["version"])
    if asked is not None:  # what the session proposed before stays in what takes its place
        before = asked["change"]["system_prompt"]
        edit = {"old": prompt, "new": f"{before}\n{line}"}
    else:
        anchor = tail(prompt)
        edit = {"old": anchor, "new": f"{anchor}\n{line}" if anchor else line}
    return propose(talk, "propose_prompt_change", base_version=read.value["version"], edits=[edit])


def _replace_in_prompt(old: str, new: str, talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    waits = waiting(talk)
    if isinstance(waits, Reply):
        return waits
    edits = [{"old": old, "new": new}]
    asked = _waiting_for(waits, "prompt_change", read.value["version"])
    if asked is not None:  # what the session proposed before stays in what takes its place
        before = asked["change"]["system_prompt"]
        if before.count(old) != 1:
            return Reply(
                f"a change of the prompt that I proposed here waits, and “{old}” does not stand in it exactly once. Decide "
                "on that one first, or name words that do."
            )
        edits = [{"old": read.value["prompt"], "new": before.replace(old, new)}]
    return propose(talk, "propose_prompt_change", base_version=read.value["version"], edits=edits)


def _remove_from_prompt(old: str, talk: Talk) -> Reply:
    return _replace_in_prompt(old, "", talk)


# Procedures


def _add_procedure(name: str, said: str, talk: Talk) -> Reply:
    trigger, content = _trigger(name, said)
    return propose(talk, "propose_procedure_create", name=unquoted(name), trigger=trigger, content=content)


def _change_procedure(name: str, said: str, talk: Talk) -> Reply:
    def then(procedure: dict[str, Any]) -> Reply:
        waits = waiting(talk)
        if isinstance(waits, Reply):
            return waits
        asked = _waiting_for(waits, procedure["procedure"], procedure["version"])
        old = procedure["content"]
        before = asked["change"].get("content", old) if asked is not None else old
        edit = {"field": "content", "old": old, "new": changed(before, said)}
        target = {"procedure": procedure["procedure"], "base_version": procedure["version"]}
        return propose(talk, "propose_procedure_update", **target, edits=[edit])

    waits = waiting(talk)
    if isinstance(waits, Reply):
        return waits
    if asked := new_procedure(waits, name):
        new = {**asked["change"], "content": changed(asked["change"]["content"], said)}
        fields = {field: new[field] for field in ("name", "trigger", "content")}
        return propose(talk, "propose_procedure_create", **fields, replaces=asked["proposal"])
    return _with_procedure(name, talk, then)


def _remove_procedure(name: str, talk: Talk) -> Reply:
    def then(procedure: dict[str, Any]) -> Reply:
        target = {"procedure": procedure["procedure"], "base_version": procedure["version"]}
        return propose(talk, "propose_procedure_delete", **target)

    return _with_procedure(name, talk, then)


def _with_procedure(name: str, talk: Talk, then: Callable[[dict[str, Any]], Reply]) -> Reply:
    listed = talk.found("list_procedures")
    if listed is None:
        return call("list_procedures")
    items = [] if listed.is_error else listed.value["items"]
    fitting = [each for each in items if plain(each["name"]) == plain(name)]
    if not fitting:
        known = ", ".join(f"“{each['name']}”" for each in items) or "none yet"
        return Reply(f"there is no procedure called “{unquoted(name)}”. The procedures are: {known}.")
    read = talk.found("read_procedure", {"procedure": fitting[0]["procedure"]})
    if read is None:
        return call("read_procedure", procedure=fitting[0]["procedure"])
    return Reply(f"I cannot read that procedure. {read.value}") if read.is_error else then(read.value)


def _trigger(name: str, said: str) -> tuple[str, str]:
    """The trigger and the steps of a procedure: “When …, do …” names its own trigger, else its name is one."""
    match = re.match(r"(when(?:ever)?|if)\s+([^,:\n]+)[,:]\s*(.+)", said, re.IGNORECASE | re.DOTALL)
    if match:
        return sentence(f"{match[1]} {match[2]}"), sentence(match[3])
    return f"The conversation is about: {unquoted(name)}.", sentence(said)


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


SAYING = r"(?:that says|that reads|saying|which says)(?:\s+that)?:?"
A_NEW = r"(?:a|another|this)(?:\s+new)?"
THE_PROMPT = r"the\s+(?:system\s+)?prompt"
ABOUT = r"(?:about|on|that says)?\s*(.+?)"
THAT_ONE = r"(?:that|this|the last)"
QUOTED = r"[“\"'](.+?)[”\"']"
REPLACE = rf"replace\s+{QUOTED}\s+(?:with|by)\s+{QUOTED}"

PATTERNS: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
    (_pattern(rf"{ADD}\s+{A_NEW}\s+{MEMORY}(?:\s+(?:{SAYING}|that)|\s*:)\s+(.+)$"), _add_memory),
    (_pattern(r"remember\s+that\s+(.+)$"), _add_memory),
    (_pattern(rf"{CHANGE}\s+(?:{THAT_ONE}|the)\s+{MEMORY}{SO_THAT}(.+)$"), _change_last_memory),
    (_pattern(rf"{CHANGE}\s+the\s+{MEMORY}\s+{ABOUT}{SO_THAT}(.+)$"), _change_memory),
    (_pattern(rf"{REMOVE}\s+{THAT_ONE}\s+{MEMORY}\.?$"), _remove_last_memory),
    (_pattern(rf"{REMOVE}\s+the\s+{MEMORY}\s+{ABOUT}\.?$"), _remove_memory),
    (_pattern(rf"{CHANGE}\s+{THE_PROMPT}:?\s+{REPLACE}\.?$"), _replace_in_prompt),
    (_pattern(rf"in\s+{THE_PROMPT},?\s+{REPLACE}\.?$"), _replace_in_prompt),
    (_pattern(rf"{REMOVE}\s+{QUOTED}\s+from\s+{THE_PROMPT}\.?$"), _remove_from_prompt),
    (_pattern(rf"{CHANGE}\s+{THE_PROMPT}{SO_THAT}(.+)$"), _change_prompt),
    (_pattern(rf"{ADD}\s+{A_NEW}\s+{NAMED}(.+?)\s*:\s+(.+)$"), _add_procedure),
    (_pattern(rf"{CHANGE}\s+the\s+{NAMED}(.+?){SO_THAT}(.+)$"), _change_procedure),
    (_pattern(rf"{REMOVE}\s+the\s+{NAMED}(.+?)\.?$"), _remove_procedure),
]
