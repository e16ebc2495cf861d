"""Whether a proposal needs a second look: pure rules over its text.

What an agent is told can come from a customer's words by way of the coach. These rules do not decide; they make a person
look twice.
"""

import re
from dataclasses import dataclass, field

from helpdesk.masking import personal_data_in

LINK = re.compile(
    r"(?:https?|ftp|javascript|data):|www\.|!?\[[^\]]*\]\([^)]*\)|\b[\w-]+\.(?:com|net|org|io|ru|cn|xyz|example)\b",
    re.I,
)
INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b.{0,40}\b(?:instruction|rule|prompt|polic|above|previous|guardrail)"
    r"|\b(?:approve|accept|apply)\b.{0,20}\b(?:this|itself|all|every|automatically without)\b.{0,20}\b(?:proposal|change)"
    r"|\b(?:system prompt|your instructions|developer message)\b"
    r"|\byou are now\b|\bact as\b|\bpretend to be\b|\bjailbreak|</?(?:system|assistant|user|human)>",
    re.I | re.S,
)


@dataclass(frozen=True)
class Risk:
    """`level` is "low" or "high"; `reasons` are short sentences, one per rule that spoke."""

    level: str = "low"
    reasons: list[str] = field(default_factory=list)


def assess(*, type: str, change: dict, base: dict, rationale: str) -> Risk:
    """The risk of a change. Only text that is new against `base` counts; the rationale is read for instructions only."""
    new = "\n".join(
        line
        for name, value in change.items()
        if isinstance(value, str)
        for line in value.splitlines()
        if line not in str(base.get(name) or "").splitlines()
    )
    reasons = []
    if LINK.search(new):
        reasons.append("It adds a link.")
    if INSTRUCTION.search(new) or INSTRUCTION.search(rationale):
        reasons.append("It reads like an instruction to the system rather than a fact for the agent.")
    kinds = personal_data_in(new)
    if kinds:
        reasons.append(f"It seems to hold personal data ({', '.join(kinds)}).")
    if type.endswith("_delete") and type.startswith("procedure"):
        reasons.append("It removes a whole procedure.")
    return Risk("high" if reasons else "low", reasons)
