"""The questions the practice model answers: with facts that can be counted or quoted, and with what it cannot judge.

Nothing here is a verdict. Every line names the turn it comes from, quotes stay short, and a question whose answer would
be a judgement gets told so.
"""

import json
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

from coaching.practice.talk import Talk, call
from coaching.practice.wire import Reply

Handler = Callable[[Talk], Reply]

QUOTE_WORDS = 11  # a quote never grows into a run of the transcript that we may not keep
QUESTIONS_SHOWN = 5
WORST_SHOWN = 10
LOW_SCORE = 50
LONGEST = 2_000  # characters of a message in which a question is looked for
COMPARED = 500  # requests of one transcript that are compared with each other
FEW_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be but by can could do does for from had has have hello hi how i if in is it just me my "
        "not of on or please so than thank thanks that the then there this to was we what when where which will with "
        "would you your",
    )
)
FAILED_CALL = re.compile(
    r'\s*(error|exception|traceback|fail(ed|ure))\b|\s*\{.*"(error|errors|exception)"\s*:\s*(?!null|false|\[\]|"")',
    re.IGNORECASE | re.DOTALL,
)
TELL_ME = "Tell me what to change, for example “Add a memory that …”, and I propose exactly that."


def understand(message: str) -> Handler | None:
    """The way to answer this message, or None where it is no question we know."""
    for pattern, handler in QUESTIONS:
        if match := pattern.search(message[:LONGEST]):
            return partial(handler, *(each.strip() for each in match.groups()))
    return None


def summary(request: dict[str, Any]) -> str:
    """One sentence on a conversation from its metadata alone, the JSON of the last message; never from a body."""
    blocks = request["messages"][-1]["content"]
    text = blocks if isinstance(blocks, str) else blocks[0]["text"]
    try:
        known = json.loads(text)
    except ValueError:
        return "I write nothing without metadata."
    parts = ["a conversation"]
    if known.get("channel"):
        parts.append(f"over {known['channel']}")
    if known.get("turns"):
        parts.append(f"of {known['turns']} turns")
    if known.get("closed_on"):
        parts.append(f"closed on {known['closed_on']}")
    if known.get("score") is not None:
        parts.append(f"rated {known['score']:g} of 100")
    return " ".join(parts) + "; what was said in it was not read."


def _what_went_wrong(talk: Talk) -> Reply:
    read = _conversation(talk)
    if isinstance(read, Reply):
        return read
    facts = _facts(read, talk.focus)
    return Reply(
        "I follow instructions and count; I do not judge. What the transcript shows:\n\n"
        + "\n".join(f"- {fact}" for fact in facts)
        + "\n\nWhat I cannot judge: whether the agent's answers were right, kind or within its rules, and what caused "
        f"the rating. {TELL_ME}"
    )


def _improve(talk: Talk) -> Reply:
    earlier, procedures = talk.found("earlier_proposals"), talk.found("list_procedures")
    if earlier is None:
        return call("earlier_proposals", limit=50)
    if procedures is None:
        return call("list_procedures")
    facts = []
    if not procedures.is_error:
        facts.append(f"The agent has {_count(len(procedures.value['items']), 'procedure')}.")
    if not earlier.is_error:
        by_status = Counter(each["status"] for each in earlier.value["items"])
        listed = ", ".join(f"{count} {status}" for status, count in sorted(by_status.items()))
        facts.append(f"Earlier proposals, the newest {len(earlier.value['items'])}: {listed or 'none'}.")
    read = _conversation(talk)
    if isinstance(read, Reply) and read.calls:
        return read
    if not isinstance(read, Reply):
        facts += _facts(read, talk.focus)
    return Reply(
        "how an agent should improve is a judgement, and I make none. What I can count:\n\n"
        + "\n".join(f"- {fact}" for fact in facts)
        + f"\n\n{TELL_ME}"
    )


def _pattern_question(talk: Talk) -> Reply:
    found = talk.found("find_conversations")
    if found is None:
        return call("find_conversations", score_below=LOW_SCORE, limit=50)
    if found.is_error:
        return Reply(f"I cannot look for conversations. {found.value}")
    total = found.value["total"]
    if not total:
        return Reply(f"no conversation of this agent is rated below {LOW_SCORE} of 100: there is nothing to compare.")
    days = sorted(each["closed_on"] for each in found.value["items"] if each.get("closed_on"))
    span = f", the ones I looked at closed between {days[0]} and {days[-1]}" if days else ""
    rated = "conversation is" if total == 1 else "conversations are"
    return Reply(
        f"whether they have one cause is a judgement, and I make none. What I can count: {total} of this agent's "
        f"{rated} rated below {LOW_SCORE} of 100{span}. Open them one by one and ask “What went wrong?”."
    )


def _worst(talk: Talk) -> Reply:
    found = talk.found("find_conversations")
    if found is None:
        return call("find_conversations", score_below=100, limit=50)
    if found.is_error:
        return Reply(f"I cannot look for conversations. {found.value}")
    rated = sorted(found.value["items"], key=lambda each: each["csat"]["score"])[:WORST_SHOWN]
    if not rated:
        return Reply("no conversation of this agent is rated below 100 of 100.")
    newest = f" of the newest {len(found.value['items'])}" if found.value["total"] > len(found.value["items"]) else ""
    lines = [
        f"- {each['csat']['score']:g} of 100, closed on {each['closed_on']}: conversation {each['conversation']}"
        for each in rated
    ]
    return Reply(f"these are rated lowest{newest}:\n\n" + "\n".join(lines))


def _prompt(talk: Talk) -> Reply:
    read = talk.found("read_prompt")
    if read is None:
        return call("read_prompt")
    if read.is_error:
        return Reply(f"I cannot read the prompt. {read.value}")
    if not read.value["prompt"].strip():
        return Reply("the prompt is empty. Say “Change the prompt so that …” to begin it.")
    return Reply(f"the prompt, version {read.value['version']}, says:\n\n{read.value['prompt']}")


def _procedures(talk: Talk) -> Reply:
    listed = talk.found("list_procedures")
    if listed is None:
        return call("list_procedures")
    if listed.is_error:
        return Reply(f"I cannot list the procedures. {listed.value}")
    lines = [f"- {each['name']} (version {each['version']}): {each['trigger']}" for each in listed.value["items"]]
    if not lines:
        return Reply("there are no procedures yet. Say “Add a procedure called NAME: …”.")
    return Reply(f"the agent has {_count(len(lines), 'procedure')}:\n\n" + "\n".join(lines))


def _memories(about: str, talk: Talk) -> Reply:
    about = about.strip("?.“”\"' ")
    given = {"query": about[:2_000], "limit": 5}
    found = talk.found("search_memories", given)
    if found is None:
        return call("search_memories", **given)
    items = [] if found.is_error else found.value["items"]
    lines = [f"- {each['summary']} (version {each['version']})" for each in items]
    if not lines:
        return Reply(f"I find no memory about “{about}”.")
    return Reply(f"these memories come nearest to “{about}”:\n\n" + "\n".join(lines))


# Facts of a transcript


def _conversation(talk: Talk) -> dict[str, Any] | Reply:
    """The session's conversation, read page by page; or the reply that reads on, or that says why there is none."""
    pages = [each for each in talk.results if each.name == "read_conversation"]
    if not pages:
        return call("read_conversation")
    if pages[0].is_error:
        return Reply(f"I cannot read a conversation here. {pages[0].value}")
    following = pages[-1].value["next_turn"] if not pages[-1].is_error else None
    if following is not None and talk.may_call:
        return call("read_conversation", first_turn=following)
    whole = [each.value for each in pages if not each.is_error]
    return {**whole[0], "turns": [turn for page in whole for turn in page["turns"]], "cut": following is not None}


def _facts(conversation: dict[str, Any], focus: list[int]) -> list[str]:
    turns = conversation["turns"]
    facts = []
    if focus:
        facts += [f"You point at {_line(each)}" for each in turns if each["turn"] in focus]
    if not turns:
        return [*facts, "The transcript has no turns.", _rating(conversation)]
    by_role = Counter(each["role"] for each in turns)
    roles = ", ".join(f"{role} {count}" for role, count in by_role.most_common())
    read = f"the first {len(turns)} of {conversation['turn_count']}" if conversation["cut"] else str(len(turns))
    facts.append(f"Turns read: {read} ({roles}).")
    customers = [each for each in turns if each["role"] == "customer" and each["text"].strip()]
    if customers:
        facts.append(f"It began with {_line(customers[0])}")
    asked = [each for each in customers[1:] if "?" in each["text"]]
    facts += [f"Asked at {_line(each)}" for each in asked[:QUESTIONS_SHOWN]]
    if len(asked) > QUESTIONS_SHOWN:
        facts.append(f"The customer asked {len(asked) - QUESTIONS_SHOWN} times more.")
    repeated = _repeated(customers[:COMPARED])
    facts += [f"Asked again: turn {again['turn']} repeats {_line(first)}" for first, again in repeated]
    facts += [
        f"A tool answered with an error at {_line(each)}"
        for each in turns
        if each["role"] == "tool" and FAILED_CALL.match(each["text"])
    ]
    if not conversation["cut"]:
        facts.append(f"The last word is {_line(turns[-1])}")
    return [*facts, _rating(conversation)]


def _repeated(turns: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs of a request and the first later turn that says it again in mostly the same words."""
    words = [set(re.findall(r"\w+", each["text"].lower())) - FEW_WORDS for each in turns]
    pairs, seen = [], set()
    for later in range(len(turns)):
        for earlier in range(later):
            both, either = words[earlier] & words[later], words[earlier] | words[later]
            if earlier not in seen and len(both) >= 3 and len(both) >= 0.6 * len(either):
                pairs.append((turns[earlier], turns[later]))
                seen.add(earlier)
                break
    return pairs


def _line(turn: dict[str, Any]) -> str:
    who = f"{turn['role']} {turn['name']}" if turn.get("name") else turn["role"]
    words = turn["text"].split()
    if not words:
        return f"turn {turn['turn']}, {who}, without text."
    more = " …" if len(words) > QUOTE_WORDS else ""
    return f"turn {turn['turn']}, {who}: “{' '.join(words[:QUOTE_WORDS])[:200]}{more}”"


def _rating(conversation: dict[str, Any]) -> str:
    csat = conversation.get("csat")
    return f"The customer's rating: {csat['score']:g} of 100." if csat else "The customer gave no rating."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _question(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE | re.DOTALL)


QUESTIONS: list[tuple[re.Pattern[str], Callable[..., Reply]]] = [
    (_question(r"\bwhat\s+(?:went|is|was)\s+wrong\b"), _what_went_wrong),
    (_question(r"\bhow\s+(?:can|could|should)\s+.*\bimprove\b"), _improve),
    (_question(r"\bis\s+(?:this|that|it|there)\s+a\s+pattern\b"), _pattern_question),
    (_question(r"\bwhich\s+conversations\s+(?:were|are|was)\s+rated\s+(?:worst|lowest)\b"), _worst),
    (_question(r"\bwhat\s+does\s+the\s+(?:system\s+)?prompt\s+say\b"), _prompt),
    (_question(r"\b(?:which|what)\s+procedures\b"), _procedures),
    (_question(r"\bwhat\s+do(?:es)?\s+the\s+memor(?:ies|y)\s+(?:base\s+)?say\s+about\s+(.+)$"), _memories),
]
