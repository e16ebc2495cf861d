"""The instructions the practice model follows, and the proposal each one becomes.

An instruction is read from the leader's own message only. What is needed to write the proposal (a version, the text
to change) is read with the coach's tools first, one round after the other.
"""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from coaching.practice.questions import FEW_WORDS
from coaching.practice.talk import Result, Talk, call
from coaching.practice.wire import Reply

Handler = Callable[[Talk], Reply]

ADD = r"(?:add|create|save|write)"
CHANGE = r"(?:change|update|edit|correct|rewrite)"
REMOVE = r"(?:remove|delete|drop|forget)"
MEMORY = r"memory(?: entry)?"
SO_THAT = r"(?:\s+so that|\s+to say(?: that)?|\s*:)\s+"
NAMED = r"procedure\s+(?:called|named)?\s*"
SUMMARY_LENGTH = 160
# The patterns below try many places; these bounds keep a hostile message from keeping the worker busy for minutes.
LONGEST = 20_000
BLANKS = re.compile(r"\s{100}")
QUOTE_LENGTH = 200
QUERY_LENGTH = 2_000
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
            return partial(handler, *(each.strip() if each else "" for each in match.groups()))
    return None


# Memories


def _add_memory(said: str, talk: Talk) -> Reply:
    given = {"query": said[:QUERY_LENGTH], "limit": 10}
    near = talk.found("search_memories", given)
    if near is None:
        return call("search_memories", **given)
    text = _sentence(said)
    for item in [] if near.is_error else near.value["items"]:
        if _plain(item["summary"]) == _plain(_summary(text)):
            return Reply(f"that is in the memory base already: “{item['summary']}”. Nothing needs to be added.")
    different = [] if near.is_error else [item["memory"] for item in near.value["items"]]
    return _propose(talk, "propose_memory_entry_create", summary=_summary(text), text=text, different_from=different)


def _change_last_memory(said: str, talk: Talk) -> Reply:
    earlier = talk.found("earlier_proposals")
    if earlier is None:
        return call("earlier_proposals", limit=50)
    last = _last_memory_proposal(earlier)
    if last is None:
        return Reply("I find no memory proposed in this session. Say which one: “Change the memory about … so that …”.")
    if last["status"] == "pending":
        text = _changed(last["change"].get("text", ""), said)
        change = {"summary": _summary(text), "text": text, "replaces": last["proposal"]}
        if last["type"] == "memory_entry_create":
            return _propose(talk, "propose_memory_entry_create", **change)
        target = {"memory": last["target"], "base_version": last["base_version"]}
        return _propose(talk, "propose_memory_entry_update", **target, **change)
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
    text = _changed(read.value["text"], said)
    change = {"summary": _summary(text), "text": text}
    if read.value.get("expires_at"):
        change["expires_at"] = read.value["expires_at"]
    target = {"memory": memory, "base_version": read.value["version"]}
    return _propose(talk, "propose_memory_entry_update", **target, **change)


def _remove_memory(about: str, talk: Talk) -> Reply:
    return _with_memory(about, talk, partial(_remove_memory_by_id, talk=talk))


def _remove_last_memory(talk: Talk) -> Reply:
    earlier = talk.found("earlier_proposals")
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
    return _propose(talk, "propose_memory_entry_delete", memory=memory, base_version=read.value["version"])


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
    return {word[:BEGINNING] for word in _plain(text).split() if word not in FEW_WORDS}


# The prompt


def _change_prompt(said: str, talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    prompt, line = read.value["prompt"], _instruction(said)
    anchor = _tail(prompt)
    edit = {"old": anchor, "new": f"{anchor}\n{line}" if anchor else line}
    return _propose(talk, "propose_prompt_change", base_version=read.value["version"], edits=[edit])


def _replace_in_prompt(old: str, new: str, talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    edits = [{"old": old, "new": new}]
    return _propose(talk, "propose_prompt_change", base_version=read.value["version"], edits=edits)


def _remove_from_prompt(old: str, talk: Talk) -> Reply:
    return _replace_in_prompt(old, "", talk)


# Procedures


def _add_procedure(name: str, said: str, talk: Talk) -> Reply:
    trigger, content = _trigger(name, said)
    return _propose(talk, "propose_procedure_create", name=_unquoted(name), trigger=trigger, content=content)


def _change_procedure(name: str, said: str, talk: Talk) -> Reply:
    def then(procedure: dict[str, Any]) -> Reply:
        old = procedure["content"]
        edit = {"field": "content", "old": old, "new": _changed(old, said)}
        target = {"procedure": procedure["procedure"], "base_version": procedure["version"]}
        return _propose(talk, "propose_procedure_update", **target, edits=[edit])

    return _with_procedure(name, talk, then)


def _remove_procedure(name: str, talk: Talk) -> Reply:
    def then(procedure: dict[str, Any]) -> Reply:
        target = {"procedure": procedure["procedure"], "base_version": procedure["version"]}
        return _propose(talk, "propose_procedure_delete", **target)

    return _with_procedure(name, talk, then)


def _with_procedure(name: str, talk: Talk, then: Callable[[dict[str, Any]], Reply]) -> Reply:
    listed = talk.found("list_procedures")
    if listed is None:
        return call("list_procedures")
    items = [] if listed.is_error else listed.value["items"]
    fitting = [each for each in items if _plain(each["name"]) == _plain(name)]
    if not fitting:
        known = ", ".join(f"“{each['name']}”" for each in items) or "none yet"
        return Reply(f"there is no procedure called “{_unquoted(name)}”. The procedures are: {known}.")
    read = talk.found("read_procedure", {"procedure": fitting[0]["procedure"]})
    if read is None:
        return call("read_procedure", procedure=fitting[0]["procedure"])
    return Reply(f"I cannot read that procedure. {read.value}") if read.is_error else then(read.value)


def _trigger(name: str, said: str) -> tuple[str, str]:
    """The trigger and the steps of a procedure: “When …, do …” names its own trigger, else its name is one."""
    match = re.match(r"(when(?:ever)?|if)\s+([^,:\n]+)[,:]\s*(.+)", said, re.IGNORECASE | re.DOTALL)
    if match:
        return _sentence(f"{match[1]} {match[2]}"), _sentence(match[3])
    return f"The conversation is about: {_unquoted(name)}.", _sentence(said)


# Making the proposal


def _propose(talk: Talk, tool: str, /, **change: Any) -> Reply:
    """Propose, with the leader's own message as evidence and, under a focus, the words of the turns it points at."""
    made = talk.found(tool)
    if made is not None:
        if made.is_error:
            return Reply(f"the proposal was refused. {made.value}")
        if made.value["status"] != "pending":
            return Reply(f"I proposed this before, and it is {made.value['status']}. Nothing was added.")
        return Reply("I made the proposal you asked for. Nothing changes until somebody approves it.")
    evidence: list[dict[str, Any]] = [{"message": True}]
    if talk.focus:
        span = {"first_turn": min(talk.focus), "last_turn": max(talk.focus)}
        read = talk.found("read_conversation", span)
        if read is None:
            return call("read_conversation", **span)
        turns = [] if read.is_error else read.value["turns"]
        quoted = [each for each in turns if each["turn"] in talk.focus and each["text"].strip()]
        evidence += [{"turn": each["turn"], "quote": each["text"].strip()[:QUOTE_LENGTH].strip()} for each in quoted]
    return call(tool, **change, rationale=f"You asked for this directly: “{talk.message[:400]}”", evidence=evidence)


def _changed(old: str, said: str) -> str:
    """The new text: “also …” is added to the old one, anything else takes its place."""
    if match := re.match(r"(?:it\s+)?also(?:\s+(?:says?|tells?)(?:\s+that)?)?[,:]?\s+(.+)", said, re.I | re.S):
        return f"{old.rstrip()}\n{_sentence(match[1])}".lstrip()
    return _sentence(said)


def _sentence(said: str) -> str:
    """The leader's words as sentences of their own, without “it says that”."""
    said = re.sub(r"^(?:it|which)\s+(?:says|reads|tells|states)(?:\s+that)?[,:]?\s+", "", said.strip(), flags=re.I)
    said = _unquoted(said)
    said = said[:1].upper() + said[1:]
    return said if said.endswith((".", "!", "?", "…", ":", ")")) else f"{said}."


def _instruction(said: str) -> str:
    """A line for the prompt: “it always greets …” speaks of the agent."""
    if re.match(r"it\s+(?!says|reads|tells|states)", said, re.IGNORECASE):
        said = "the agent" + said[2:]
    return _sentence(said)


def _summary(text: str) -> str:
    first = re.split(r"(?<=[.!?])\s", text, maxsplit=1)[0].split("\n")[0]
    if len(first) <= SUMMARY_LENGTH:
        return first
    return first[:SUMMARY_LENGTH].rsplit(" ", 1)[0].rstrip(",;: ") + "…"


def _tail(prompt: str) -> str:
    """The shortest run of whole last lines that stands in the prompt only once, to put a new line after."""
    lines = prompt.rstrip().split("\n")
    for count in range(1, len(lines)):
        tail = "\n".join(lines[-count:])
        if tail and prompt.count(tail) == 1:
            return tail
    return prompt.rstrip()


def _unquoted(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and (text[0], text[-1]) in {('"', '"'), ("“", "”"), ("'", "'"), ("„", "“")}:
        return text[1:-1].strip()
    return text


def _plain(text: str) -> str:
    """Words in lower case, for comparing."""
    return " ".join(re.findall(r"\w+", text.lower()))


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
