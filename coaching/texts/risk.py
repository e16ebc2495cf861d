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
    r"|\byou are now (?:a|an|the|in|free|allowed|no longer)\b|\bfrom now on,? you\b|"
    r"(?:^|[.!?:;\n\"“]|\byou (?:must|should|will|can|shall)|\bplease|\bto)[ \t]{0,4}act as (?:if|though|an?|the)\b|"
    r"\bpretend (?:to be|that|you)\b|\bjailbreak"
    r"|\b(?:approve|apply|accept)\b.{0,20}\b(?:this|itself|all|every|automatically)\b.{0,20}\b(?:proposal|change)"
    r"|\bwithout (?:asking|approval|confirmation|review|verification|verifying)\b"
    r"|</?(?:system|instructions?|assistant|human)>|</(?:tool|user)>|\[/?(?:INST|SYSTEM)\]",
    re.IGNORECASE,
)
# What speaks to a coach or a reviewer, wherever it is read. Narrower than INSTRUCTION: a customer, a tool or a memory may
# well say "without confirmation", but none has a reason to say these.
PLANTED = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,20}\b(?:your|all|any|these|previous|prior|earlier|above|system|"
    r"safety)\b[^.\n]{0,20}\b(?:instructions?|rules?|prompts?|guidelines?|guardrails?|polic(?:y|ies))\b"
    r"|\b(?:reveal|print|repeat|output|leak|show|tell)\b[^.\n]{0,30}"
    r"\b(?:your|the system|the developer) (?:instructions?|prompt|rules|secrets?|credentials?)\b"
    r"|(?:^|[.!?:;,\n\"'“”„>*_-][ \t]{0,4}|\b(?:please|now|then|and|must|should|just|to) )"
    r"approve (?:this|it|them|all|every\w*)\b(?: (?:proposals?|changes?)\b|\s*(?:[.!;\n\"'“”]|$))"
    r"|\bapprove\b[^.\n]{0,30}\bproposals?\b"
    r"|\bpropose\b[^.\n]{0,60}\b(?:agent|memor(?:y|ies)|prompt|procedures?)\b"
    r"|\b(?:add|create|save|store|write|remember|change|update|delete|remove) (?:a|an|this|that|the|another|your|its|every)"
    r"(?: \w+){0,2} (?:memory|memories|system prompt)\b(?= (?:entry|that|which|saying|says|about|so that|to say)\b|\s*:)"
    r"|\bjailbreak|\byou are now (?:a|an|the|in|free|allowed|no longer)\b|\bnew instructions?:"
    r"|\b(?:note|message|instructions?|order) (?:to|for) the (?:coach|reviewer|ai|model|assistant|leader)\b"
    r"|</?(?:system|instructions?|assistant|human|focus|proposals?|suggested|leader|coach)\b[^>\n]{0,200}/?>"
    r"|\[/?(?:INST|SYSTEM)\]|^\W{0,4}ask next\W{0,4}$",
    re.IGNORECASE | re.MULTILINE,
)
SCANNED = 200_000  # characters of one text; what is longer is read to here


@dataclass(frozen=True)
class Risk:
    """`level` is "low" or "high"; `reasons` are short sentences, one per rule that spoke."""

    level: str = "low"
    reasons: list[str] = field(default_factory=list)


def assess(
    *,
    type: str,
    change: dict,
    base: dict,
    rationale: str,
    told: str = "",
    quotes: Iterable[str] = (),
    planted: Iterable[str] = (),
) -> Risk:
    """The risk of a change. Only what is new against `base` counts; the rationale is read for instructions only, and there
    not for those of `told`, the leader's own message that asks for the change: a rationale may well repeat it.

    `quotes` are the words of the transcript it rests on: a change that rests on words like instructions may be planted.
    `planted` names what was read before it, outside its evidence too, that speaks to the coach ("a memory", …).
    """
    after, before = _text(change), _text(base)
    reasons = []
    if links(after) - links(before):
        reasons.append("It adds a link.")
    if instructions(after) - instructions(before) or instructions(rationale) - instructions(told):
        reasons.append("It reads like an instruction to the system rather than a fact for the agent.")
    if kinds := _personal_data(after, before):
        reasons.append(f"It seems to hold personal data ({', '.join(kinds)}).")
    if any(links(quote) or instructions(quote) for quote in quotes):
        reasons.append("It rests on a message that holds a link or words like instructions.")
    if sources := sorted(planted):
        reasons.append(f"It was made after reading {' and '.join(sources)} with words like instructions to the coach.")
    if type == "procedure_delete":
        reasons.append("It removes a whole procedure.")
    return Risk("high" if reasons else "low", reasons)


def links(text: str) -> set[str]:
    """The web addresses, Markdown links and pictures, and bare domains in a text."""
    return {match[0].casefold() for match in LINK.finditer(text)}


def instructions(text: str) -> set[str]:
    """The words of a text that speak to the machine that reads it rather than about the customer's matter."""
    return {match[0].casefold() for pattern in (INSTRUCTION, PLANTED) for match in pattern.finditer(text[:SCANNED])}


def planted(text: str, told: str = "") -> bool:
    """Whether a text that somebody wrote holds words that speak to the coach or to whoever decides, other than those that it
    repeats from `told`, a leader's message."""
    said, own = ({match[0].casefold() for match in PLANTED.finditer(each[:SCANNED])} for each in (text, told))
    return bool(said - own)


def _personal_data(after: str, before: str) -> list[str]:
    """The kinds of personal data in lines that are new."""
    known = set(before.splitlines())
    return personal_data_in("\n".join(line for line in after.splitlines() if line not in known))


def _text(fields: dict) -> str:
    return "\n".join(value for value in fields.values() if isinstance(value, str))
