"""Personal data in text: what it looks like, and how it is masked. Pure functions.

Patterns find what can be told from its shape alone: email addresses, phone numbers, payment cards (Luhn), IBANs, street
addresses. Names cannot be told from shape and are not claimed to be masked.
"""

import bisect
import re
from collections.abc import Iterator

EMAIL = re.compile(
    r"(?<![\w.+%'-])[\w.+%'-]+(?:@|(?:%40)|\s?[\[(]\s?at\s?[\])]\s?)"  # also as it stands in an address, or is hidden from robots
    r"[\w-]{1,63}(?:(?:\.|\s?[\[(]\s?dot\s?[\])]\s?)[\w-]{1,63}){0,4}(?:\.|\s?[\[(]\s?dot\s?[\])]\s?)[^\W\d_]{2,24}",
    re.IGNORECASE,
)
IBAN = re.compile(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])", re.IGNORECASE
)
DIGITS = re.compile(r"\d(?:[ .-]{0,2}\d)*")
PHONE = re.compile(
    r"(?<![\w/#.-])(?:(?:\+|00)\d{1,3}[ ./-]{0,2})?(?:\(\d{1,5}\)[ ./-]{0,2})?\d{2,5}(?:[ ./-]{0,2}\d{2,5}){1,5}(?![\w/-])"
)
CALLED = re.compile(  # a plain number is a phone number where the words before it say so
    r"(?:\b(?:phone|telephone|mobile|cell|whatsapp|tel|handy|telefon|fax)\b|\b(?:call|text|ring|reach)\s+(?:me|us|him|her)\b)"
    r"[^\d\n]{0,25}(?<![\d/#])(\d{7,15})(?!\d)",
    re.IGNORECASE,
)
KINDS_OF_STREET = "street|road|avenue|boulevard|lane|drive|court|terrace|parkway|highway|square|crescent"
SHORT_KINDS = "St|Rd|Ave|Blvd|Ln|Dr|Ct|Pkwy|Hwy|Sq|Way|Pl|Place"
NO_STREET = (
    r"(?!(?:the|a|an|my|our|your|this|that|per|of|to|in|on|at|or|and|min\w*|hours?|days?|miles?|km|times?|blocks?)\b)"
)
ADDRESS = re.compile(
    rf"\b\d{{1,5}}[A-Za-z]?,? (?:[NSEW]\.? )?(?:[A-Z0-9][\w'’.-]* ){{1,3}}(?i:{KINDS_OF_STREET}|(?-i:{SHORT_KINDS}))\b"
    rf"|\b\d{{1,5}}[a-z]? (?:(?i:{NO_STREET})[a-z][\w'’.-]* ){{1,2}}(?:street|road|avenue|boulevard)\b"
    r"|\b[A-ZÄÖÜ][\wäöüß-]*(?:straße|strasse|str\.|gasse|platz|weg|allee|damm|ufer) ?\d{1,4} ?[a-z]?\b"
    r"|\b\d{1,4}(?: ?bis)?,? (?:rue|avenue|boulevard|place|impasse) (?:d(?:e|es|u) )?(?:l[a'’] ?)?[A-ZÀ-Ý][\w'’-]+"
)
A_DATE = re.compile(
    r"\d{4}([./-])\d{1,2}\1\d{1,2}(?:[ .-]+\d{1,2})?|\d{1,2}([./-])\d{1,2}\2(?:19|20)\d{2}(?:[ .-]+\d{1,2})?"
)
SHORTEST_CARD, LONGEST_CARD = 13, 19
FIRST_DIGITS = (2, 3, 4, 5, 6)  # of every card scheme


def _cards(text: str) -> Iterator[tuple[int, int]]:
    """Where card numbers stand. In a long run of digits (a card, then its expiry) each group may begin or end one."""
    for run in DIGITS.finditer(text):
        places = [n for n in range(run.start(), run.end()) if text[n].isdigit()]
        if len(places) < SHORTEST_CARD:
            continue
        digits = [int(text[n]) for n in places]
        breaks = [0, *(n for n in range(1, len(places)) if places[n] > places[n - 1] + 1), len(places)]
        taken = 0
        for first in breaks:
            if first < taken or len(places) - first < SHORTEST_CARD or digits[first] not in FIRST_DIGITS:
                continue
            longest = bisect.bisect_right(breaks, first + LONGEST_CARD)
            shortest = bisect.bisect_left(breaks, first + SHORTEST_CARD)
            for last in reversed(breaks[shortest:longest]):
                if _is_card(digits[first:last]):
                    yield places[first], places[last - 1] + 1
                    taken = last
                    break


def _is_card(digits: list[int]) -> bool:
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0 and len(set(digits)) > 1


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    """In capitals the shape is enough; in small letters, which words have too, the check digits must be right."""
    for found in IBAN.finditer(text):
        plain = re.sub("[ -]", "", found[0])
        if found[0].isupper() or _is_iban(plain):
            yield found.span()


def _is_iban(plain: str) -> bool:
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


def _phones(text: str) -> Iterator[tuple[int, int]]:
    """Seven digits or more, and not just a plain number such as an order's: those have no + and no separator."""
    for found in PHONE.finditer(text):
        number = found[0]
        digits = sum(c.isdigit() for c in number)
        plain = number.isdigit() and not number.startswith("00")
        if 7 <= digits <= 15 and not plain and not A_DATE.fullmatch(number):
            yield found.span()
    for found in CALLED.finditer(text):
        yield found.span(1)


def _spans(pattern):
    return lambda text: (found.span() for found in pattern.finditer(text))


KINDS = (
    ("email", _spans(EMAIL)),
    ("IBAN", _ibans),
    ("card", _cards),
    ("phone", _phones),
    ("address", _spans(ADDRESS)),
)


def mask(text: str) -> str:
    """The text with each piece of personal data replaced by its kind in angle brackets, e.g. `<email>`."""
    for kind, find in KINDS:
        parts, end = [], 0
        for start, stop in sorted(find(text)):
            if start >= end:
                parts += [text[end:start], f"<{kind}>"]
                end = stop
        text = "".join([*parts, text[end:]]) if parts else text
    return text


def personal_data_in(text: str) -> list[str]:
    """The kinds of personal data found, each once, in a fixed order; an empty list if there is none."""
    return [kind for kind, find in KINDS if next(iter(find(text)), None) is not None]
