"""What makes a proposed change risky, and what makes a text personal. Pure functions over texts.

The checks look for forms, not for meaning: they mark for a person to look, and never let a change pass or fail.
"""

import re

LINK = re.compile(
    r"https?://\S+|www\.\w\S*|!?\[[^\]]*\]\([^)]*\)|\b(?:javascript|data|file):\S+"
    r"|\b[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|net|org|io|dev|app|co|info|biz|ru|cn|de|fr|uk|eu|me|xyz|top|site|online)\b",
    re.IGNORECASE,
)
EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)+")
# Digits grouped as people write them; a date, a price or an order number of few digits is not one.
PHONE = re.compile(
    r"(?<![\w.,-])(?:\+|00)?\(?\d(?:[\s()./-]{0,2}\d){8,14}(?![\w-])|(?<!\d)\(?\d{3}\)?[ .-]\d{3}[ .-]\d{4}(?!\d)"
)
CARD = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
STREET = (
    r"street|st|avenue|ave|road|rd|boulevard|blvd|lane|ln|drive|dr|court|ct|way|place|pl|square|sq|terrace|parkway|pkwy"
)
ADDRESS = re.compile(
    rf"\b\d{{1,5}}[a-z]?\s+(?:[A-Z][\w'.-]*\s+){{1,4}}(?i:{STREET})\b\.?"
    r"|\b[A-ZÄÖÜ][\wäöüß.-]*(?:straße|strasse|str\.|weg|platz|allee|gasse)\s+\d{1,4}\b"
    r"|\b\d{1,4},?\s+(?:rue|avenue|boulevard|via|calle)\s+\w+",
)
INSTRUCTION = re.compile(
    r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
    r"\b(?:instruction|rule|prompt|polic|guideline|previous|above|prior|earlier|safety)"
    r"|\b(?:system|developer) (?:prompt|message)\b"
    r"|\b(?:reveal|print|show|repeat|output|leak|send)\b[^.\n]{0,30}\b(?:your|the|all)\b[^.\n]{0,20}"
    r"\b(?:instructions?|prompt|rules|secrets?|passwords?|keys?|credentials?|tokens?)\b"
    r"|\byou are now\b|\bfrom now on,? you\b|\bact as (?:an?|the)\b|\bpretend (?:to be|that|you)\b|\bjailbreak"
    r"|\b(?:approve|apply|accept) (?:this|that|the|every|all)\b[^.\n]{0,30}\b(?:proposal|change|request)s?\b"
    r"|\bwithout (?:asking|approval|confirmation|review|verification|verifying)\b"
    r"|</?(?:system|instructions?|assistant|tool|user)>|\[/?(?:INST|SYSTEM)\]",
    re.IGNORECASE,
)


def personal(text: str) -> set[tuple[str, str]]:
    """The personal identifiers in a text, as (kind, words): email address, phone number, card number, bank account,
    postal address."""
    found = {("email address", match[0]) for match in EMAIL.finditer(text)}
    cards = {match[0] for match in CARD.finditer(text) if _luhn(match[0])}
    found |= {("card number", each) for each in cards}
    found |= {("bank account", match[0]) for match in IBAN.finditer(text)}
    found |= {("postal address", match[0]) for match in ADDRESS.finditer(text)}
    for match in PHONE.finditer(text):
        if not _is_time(match[0]) and not any(match[0] in each or each in match[0] for each in cards):
            found.add(("phone number", match[0]))
    return found


def links(text: str) -> set[str]:
    """The web addresses, Markdown links and pictures, and bare domains in a text."""
    return {match[0] for match in LINK.finditer(EMAIL.sub(" ", text))}


def instructions(text: str) -> set[str]:
    """The words of a text that speak to the machine that reads it rather than about the customer's matter."""
    return {match[0] for match in INSTRUCTION.finditer(text)}


def assess(after: str, *, before: str = "", quotes: list[str] | None = None) -> list[str]:
    """The reasons why a proposed change is of high risk; an empty list means low.

    `after` and `before` are the target's texts, joined; what was there before is no reason. `quotes` are the words of
    the transcript it rests on: a change that rests on words like instructions may have been planted.
    """
    reasons = []
    if links(after) - links(before):
        reasons.append("It adds a link.")
    if instructions(after) - instructions(before):
        reasons.append("It adds words that read like instructions to the machine.")
    if added := personal(after) - personal(before):
        reasons.append(f"It adds personal data: {', '.join(sorted({kind for kind, _ in added}))}.")
    if any(instructions(quote) or links(quote) for quote in quotes or []):
        reasons.append("It rests on a message that holds a link or words like instructions.")
    return reasons


def _luhn(digits: str) -> bool:
    numbers = [int(each) for each in re.sub(r"\D", "", digits)][::-1]
    doubled = sum(sum(divmod(each * 2, 10)) for each in numbers[1::2])
    return (sum(numbers[::2]) + doubled) % 10 == 0 and len(set(numbers)) > 1


def _is_time(text: str) -> bool:
    """A date with a time of day has as many digits as a phone number."""
    return bool(re.match(r"\d{4}-\d{2}-\d{2}|\d{1,2}[./]\d{1,2}[./]\d{4}", text.strip()))
