"""Personal data in text: what it looks like, and how it is masked. Pure functions.

Patterns find what can be told from its shape alone: email addresses, phone numbers, payment cards (Luhn), IBANs, street
addresses. Names cannot be told from shape and are not claimed to be masked.
"""

import re

EMAIL = re.compile(r"[\w.+%-]+@[\w-]+(?:\.[\w-]+)*\.[^\W\d_]{2,}")
CARD = re.compile(r"(?<![\w-])(?:\d[ -]?){12,18}\d(?![\w-])")
IBAN = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b")
PHONE = re.compile(r"(?<![\w/#.-])(?:\+\d{1,3}[ .-]?)?(?:\(\d{1,4}\)[ .-]?)?\d{2,4}(?:[ .-]?\d{2,4}){2,4}(?![\w/-])")
ADDRESS = re.compile(
    r"\b\d{1,5} (?:[A-Z][\w'’-]+ ){1,3}(?:Street|St|Road|Rd|Avenue|Ave|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way)\b"
    r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|gasse|platz|weg) \d{1,4}[a-z]?\b"
)


def _is_card(text):
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[-2::-2]]
    return 13 <= len(digits) <= 19 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_phone(text):
    """Seven digits or more, and not just a plain number such as an order's: those have no + and no separator."""
    digits = sum(c.isdigit() for c in text)
    return (
        7 <= digits <= 15
        and (text.startswith("+") or not text.isdigit())
        and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text)
    )


KINDS = (
    ("email", EMAIL, None),
    ("IBAN", IBAN, None),
    ("card", CARD, _is_card),
    ("phone", PHONE, _is_phone),
    ("address", ADDRESS, None),
)


def mask(text: str) -> str:
    """The text with each piece of personal data replaced by its kind in angle brackets, e.g. `<email>`."""
    for kind, pattern, check in KINDS:

        def masked(match: re.Match[str], kind=kind, check=check) -> str:
            return f"<{kind}>" if check is None or check(match[0]) else match[0]

        text = pattern.sub(masked, text)
    return text


def personal_data_in(text: str) -> list[str]:
    """The kinds of personal data found, each once, in a fixed order; an empty list if there is none."""
    return [kind for kind, pattern, check in KINDS if any(check is None or check(m[0]) for m in pattern.finditer(text))]
