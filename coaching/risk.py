"""Whether a proposal needs a second look: pure rules over its text.

What an agent is told can come from a customer's words by way of the coach. These rules do not decide; they make a person
look twice. They look for forms, not for meaning.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from helpdesk.masking import personal_data_in

LINK = re.compile(
    r"\b(?:https?|ftp|javascript|data|file):\S+|\bwww\.\S+|!?\[[^\]\n]{0,300}\]\([^)\n]{0,2000}\)"
    r"|(?<![@\w.-])[a-z0-9-]+(?:\.[a-z0-9-]+)*"
    r"\.(?:com|net|org|io|dev|app|info|biz|ru|cn|de|fr|uk|eu|me|xyz|top|site|online|example)\b",
    re.IGNORECASE,
)
INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
    r"\b(?:instruction|rule|prompt|polic|guideline|guardrail|previous|above|prior|earlier|safety)"
    r"|\b(?:system|developer) (?:prompt|message)\b|\byour instructions\b"
    r"|\b(?:reveal|print|repeat|output|leak)\b[^.\n]{0,30}\b(?:instructions?|prompt|rules|secrets?|passwords?|credentials?)\b"
    r"|\byou are now\b|\bfrom now on,? you\b|\bact as\b|\bpretend (?:to be|that|you)\b|\bjailbreak"
    r"|\b(?:approve|apply|accept)\b.{0,20}\b(?:this|itself|all|every|automatically)\b.{0,20}\b(?:proposal|change)"
    r"|\bwithout (?:asking|approval|confirmation|review|verification|verifying)\b"
    r"|</?(?:system|instructions?|assistant|tool|user|human)>|\[/?(?:INST|SYSTEM)\]",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Risk:
    """`level` is "low" or "high"; `reasons` are short sentences, one per rule that spoke."""

    level: str = "low"
    reasons: list[str] = field(default_factory=list)


def assess(*, type: str, change: dict, base: dict, rationale: str, quotes: Iterable[str] = ()) -> Risk:
    """The risk of a change. Only what is new against `base` counts; the rationale is read for instructions only.

    `quotes` are the words of the transcript it rests on: a change that rests on words like instructions may be planted.
    """
    after, before = _text(change), _text(base)
    reasons = []
    if links(after) - links(before):
        reasons.append("It adds a link.")
    if instructions(after) - instructions(before) or instructions(rationale):
        reasons.append("It reads like an instruction to the system rather than a fact for the agent.")
    if kinds := _personal_data(after, before):
        reasons.append(f"It seems to hold personal data ({', '.join(kinds)}).")
    if any(links(quote) or instructions(quote) for quote in quotes):
        reasons.append("It rests on a message that holds a link or words like instructions.")
    if type == "procedure_delete":
        reasons.append("It removes a whole procedure.")
    return Risk("high" if reasons else "low", reasons)


def links(text: str) -> set[str]:
    """The web addresses, Markdown links and pictures, and bare domains in a text."""
    return {match[0].casefold() for match in LINK.finditer(text)}


def instructions(text: str) -> set[str]:
    """The words of a text that speak to the machine that reads it rather than about the customer's matter."""
    return {match[0].casefold() for match in INSTRUCTION.finditer(text)}


def _personal_data(after: str, before: str) -> list[str]:
    """The kinds of personal data in lines that are new."""
    known = set(before.splitlines())
    return personal_data_in("\n".join(line for line in after.splitlines() if line not in known))


def _text(fields: dict) -> str:
    return "\n".join(value for value in fields.values() if isinstance(value, str))
