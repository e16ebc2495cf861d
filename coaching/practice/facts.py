"""What can be counted or quoted of a transcript, as read_conversation gives it. Nothing here is a verdict."""

import itertools
import re
from collections import Counter
from typing import Any

from coaching.texts.verbatim import WORD

QUOTE_WORDS = 9  # with the words around it, a quote never grows into a run of the transcript that we may not keep
QUOTE_LENGTH = 200
QUESTIONS_SHOWN = 5
TOOLS_SHOWN = 12
CALLS_SHOWN = 5
CALL = re.compile(r"^\[calls (.+)\]$", re.MULTILINE)  # what an agent calls stands in its turn so, a call a line
HIGH_SCORE, LOW_SCORE = 80, 50
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


def failed(turn: dict[str, Any]) -> bool:
    """Whether a tool answered with an error."""
    return turn["role"] == "tool" and bool(FAILED_CALL.match(turn["text"]))


def trouble(conversation: dict[str, Any]) -> bool:
    """Whether anything that can be counted speaks of trouble: a failed tool, a request that had to be repeated."""
    turns = conversation["turns"]
    return any(failed(each) for each in turns) or bool(repeated(customers(conversation)))


def customers(conversation: dict[str, Any]) -> list[dict[str, Any]]:
    """The customer's turns that say something, as many as are compared."""
    said = [each for each in conversation["turns"] if each["role"] == "customer" and each["text"].strip()]
    return said[:COMPARED]


def of(conversation: dict[str, Any], focus: list[int]) -> list[str]:
    """The facts, a sentence each. With a focus only those of the turns it points at."""
    turns = conversation["turns"]
    facts = []
    if focus:
        facts += [f"You point at {line(each)}" for each in turns if each["turn"] in focus]
        pairs = [pair for pair in repeated(customers(conversation)) if {pair[0]["turn"], pair[1]["turn"]} & set(focus)]
        facts += [f"Asked again: turn {later['turn']} repeats {line(first)}" for first, later in pairs]
        facts += [
            f"A tool answered with an error at {line(each)}" for each in turns if each["turn"] in focus and failed(each)
        ]
        return [*facts, rating(conversation)]
    if not turns:
        return [*facts, "The transcript has no turns.", rating(conversation)]
    by_role = Counter(each["role"] for each in turns)
    roles = ", ".join(f"{role} {count}" for role, count in by_role.most_common())
    read = f"the first {len(turns)} of {conversation['turn_count']}" if conversation["cut"] else str(len(turns))
    facts.append(f"Turns read: {read} ({roles}).")
    said = customers(conversation)
    if said:
        facts.append(f"It began with {line(said[0])}")
    asked = [each for each in said[1:] if "?" in each["text"]]
    facts += [f"Asked at {line(each)}" for each in asked[:QUESTIONS_SHOWN]]
    if len(asked) > QUESTIONS_SHOWN:
        facts.append(f"The customer asked {len(asked) - QUESTIONS_SHOWN} times more.")
    again = [f"Asked again: turn {later['turn']} repeats {line(first)}" for first, later in repeated(said)]
    facts += again
    if used := calls(turns):
        facts.append(f"Tools that were called: {', '.join(used[:TOOLS_SHOWN])}.")
    called = [f"turn {each['turn']}: “{_short(call)}”" for each in turns for call in CALL.findall(each["text"])]
    facts += [f"Called at {each}" for each in called[-CALLS_SHOWN:]]
    facts += [
        f"A tool answered with an error at {line(each)}" for each in turns if each["role"] == "tool" and failed(each)
    ]
    if not conversation["cut"]:
        facts.append(f"The last word is {line(turns[-1])}")
    return [*facts, rating(conversation)]


def repeated(turns: list[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
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


def line(turn: dict[str, Any]) -> str:
    who = f"{turn['role']} {turn['name']}" if turn.get("name") else turn["role"]
    if not turn["text"].strip():
        return f"turn {turn['turn']}, {who}, without text."
    return f"turn {turn['turn']}, {who}: “{_short(turn['text'])}”"


def _short(text: str) -> str:
    """Its beginning: QUOTE_WORDS words as the guard of bodies counts them, to whom "I'm" is two."""
    text = " ".join(text.split())
    ends = [match.end() for match in itertools.islice(WORD.finditer(text), QUOTE_WORDS + 1)]
    if len(ends) <= QUOTE_WORDS and len(text) <= QUOTE_LENGTH:
        return text
    end = ends[QUOTE_WORDS - 1] if len(ends) > QUOTE_WORDS else len(text)
    return text[: min(end, QUOTE_LENGTH)] + " …"


def rating(conversation: dict[str, Any]) -> str:
    csat = conversation.get("csat")
    return f"The customer's rating: {csat['said']}." if csat else "The customer gave no rating."


def calls(turns: list[dict[str, Any]]) -> list[str]:
    """The tools that were called, each with how often and how often it answered with an error."""
    called = Counter(each["name"] for each in turns if each["role"] == "tool" and each.get("name"))
    errors = Counter(each["name"] for each in turns if failed(each) and each.get("name"))
    return [f"{name} {n}" + (f" ({errors[name]} failed)" if errors[name] else "") for name, n in called.most_common()]
