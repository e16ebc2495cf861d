"""The questions about a set of conversations: what can be counted over all of them, in n of m, with their numbers."""

from collections import Counter
from typing import Any

from coaching.practice import facts
from coaching.practice.talk import Talk, ask_next, call
from coaching.practice.wire import Call, Reply

TURNS_READ = 80  # of each conversation; a set is read in one step
TOOLS_SHOWN = 3
NUMBERS_SHOWN = 20
LISTING = {"in_session": True, "limit": 50}


def over(talk: Talk) -> Reply | None:
    """The answer over the conversations of the session, or the calls that read them; None where it is not about a set."""
    listed = talk.found("find_conversations", LISTING)
    if listed is None:
        return call("find_conversations", **LISTING)
    if listed.is_error or len(listed.value["items"]) < 2:
        return None
    missing = [item for item in listed.value["items"] if talk.found("read_conversation", _reading(item)) is None]
    if missing and talk.may_call and len(missing) == len(listed.value["items"]):
        return Reply(calls=[Call("read_conversation", _reading(item)) for item in missing])
    lines = "\n".join(f"- {line}" for line in facts_over(talk))
    return Reply(
        "whether they have one cause is a judgement, and I make none. What I can count over these "
        f"{len(listed.value['items'])} conversations:\n\n{lines}\n\nWhat I cannot judge: whether the agent was right in any of "
        "them. Open one that shows it, choose the turns, and tell me what to change."
        + ask_next("How can the agent improve?", "Which procedures are there?")
    )


def facts_over(talk: Talk) -> list[str]:
    """What was counted over the set that was read, a sentence each; nothing where there is no set."""
    listed = talk.found("find_conversations", LISTING)
    if listed is None or listed.is_error or len(listed.value["items"]) < 2:
        return []
    items = listed.value["items"]
    results = {item["number"]: talk.found("read_conversation", _reading(item)) for item in items}
    read = {number: found.value for number, found in results.items() if found is not None and not found.is_error}
    return [*_ratings(items), *_of_transcripts(read, len(items))]


def _ratings(items: list[dict[str, Any]]) -> list[str]:
    scores = {item["number"]: item["csat"]["score"] for item in items if item.get("csat")}
    if not scores:
        return [f"Rated: none of the {len(items)}."]
    low = [number for number, score in scores.items() if score < facts.LOW_SCORE]
    mean = sum(scores.values()) / len(scores)
    return [
        f"Rated: {len(scores)} of the {len(items)}, on average {mean:.0f} of 100.",
        f"Rated below {facts.LOW_SCORE} of 100: {_in(low, len(items))}",
    ]


def _of_transcripts(read: dict[int, dict[str, Any]], of: int) -> list[str]:
    if not read:
        return [f"Transcripts: I could read none of the {of}."]
    told = [f"Transcripts: I could read {len(read)} of the {of}."]
    cut = [number for number, each in read.items() if each["next_turn"] is not None or _is_cut(each)]
    if cut:
        told.append(f"Longer than I read (the first {TURNS_READ} turns): {_in(cut, len(read))}")
    asked_again = [number for number, each in read.items() if facts.repeated(facts.customers(each))]
    told.append(f"The customer had to repeat a request: {_in(asked_again, len(read))}")
    errors = [number for number, each in read.items() if any(map(facts.failed, each["turns"]))]
    told.append(f"A tool answered with an error: {_in(errors, len(read))}")
    by_tool: Counter[str] = Counter()
    for each in read.values():
        by_tool.update({turn["name"] for turn in each["turns"] if facts.failed(turn) and turn.get("name")})
    told += [f"The tool {name} failed in {n} of the {len(read)}." for name, n in by_tool.most_common(TOOLS_SHOWN)]
    last = [number for number, each in read.items() if each["turns"] and each["turns"][-1]["role"] == "customer"]
    told.append(f"The customer had the last word: {_in(last, len(read))}")
    return told


def _reading(item: dict[str, Any]) -> dict[str, Any]:
    return {"conversation": item["conversation"], "last_turn": TURNS_READ - 1}


def _is_cut(conversation: dict[str, Any]) -> bool:
    return len(conversation["turns"]) < conversation["turn_count"]


def _in(numbers: list[int], of: int) -> str:
    """ "in 3 of the 20 (numbers 1, 4, 9)" """
    if not numbers:
        return f"in none of the {of}."
    shown = ", ".join(map(str, numbers[:NUMBERS_SHOWN])) + (", …" if len(numbers) > NUMBERS_SHOWN else "")
    return f"in {len(numbers)} of the {of} (number{'' if len(numbers) == 1 else 's'} {shown})."
