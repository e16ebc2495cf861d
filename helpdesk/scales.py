"""Ratings as sources give them, read on their scale. Pure functions, whole numbers.

A score is hundredths of a point: 0 (worst) to 10,000 (best). The steps of a scale are equally far apart.
"""

from collections.abc import Iterable
from decimal import Decimal, InvalidOperation

from helpdesk.models import Scale

WORDS: dict[str, dict[str, int]] = {
    Scale.BINARY: {
        "good": 10_000, "positive": 10_000, "yes": 10_000, "1": 10_000,
        "bad": 0, "negative": 0, "no": 0, "0": 0,
    },
    Scale.STARS5: {"1": 0, "2": 2_500, "3": 5_000, "4": 7_500, "5": 10_000},
    Scale.FACES3: {"not_good": 0, "okay": 5_000, "great": 10_000},
    Scale.HUBSPOT012: {"0": 0, "1": 5_000, "2": 10_000},
    Scale.FRESHDESK: {
        "-103": 0, "-102": 1_667, "-101": 3_333, "100": 5_000, "101": 6_667, "102": 8_333, "103": 10_000,
    },
}  # fmt: skip
NUMBERS = frozenset({Scale.STARS5, Scale.HUBSPOT012, Scale.FRESHDESK, Scale.PERCENT})  # scales whose values are numbers
NAMES = ", ".join(Scale.values)
SHOWN = 40  # characters of a value that a message repeats
REMEMBERED = 1_000  # values that a guess need not look at again


class UnknownValue(ValueError):
    """The value is not on the scale; the message says so in a sentence."""


def hundredths(value: str, scale: str) -> int:
    """The score of `value` on `scale` (one of Scale.values), 0 to 10,000. Raises UnknownValue."""
    if scale not in Scale.values:
        raise UnknownValue(f'"{scale[:SHOWN]}" is not a scale; known are {NAMES}.')
    if not value.strip():
        raise UnknownValue("The value is blank.")
    score = _fits(value, scale)
    if score is None:
        allowed = "a number from 0 to 100" if scale == Scale.PERCENT else ", ".join(WORDS[scale])
        raise UnknownValue(f'"{value[:SHOWN]}" is not on the scale {scale} ({allowed}).')
    return score


def plainly(value: str, scale: str) -> int | float | str:
    """A stored value as JSON has it: a number where the scale has numbers, else text."""
    if scale not in NUMBERS:
        return value
    number = float(value)
    return int(number) if number.is_integer() else number


def guess(values: Iterable[str]) -> str | None:
    """The one scale that all values fit, or None where none or more than one does.

    A value that fits no scale at all says nothing about the others and is left out: it is refused in any case. Numbers
    are taken for percentages only where at least half of the different ones are above 10: else they could as well be of
    a scale that is not known here, or stars with one that was mistyped.
    """
    shared: set[str] | None = None
    large, small = 0, 0
    seen: set[str] = set()
    for value in values:
        if value in seen:
            continue
        if len(seen) < REMEMBERED:
            seen.add(value)
        fitting = {str(scale) for scale in Scale.values if _fits(value, scale) is not None}
        if fitting:
            shared = fitting if shared is None else shared & fitting
            large += (number := _number(value)) is not None and number > 10
            small += number is not None and number <= 10
    if shared and (not large or large < small):
        shared.discard(Scale.PERCENT)
    return shared.pop() if shared and len(shared) == 1 else None


def _fits(value: str, scale: str) -> int | None:
    if scale == Scale.PERCENT:
        number = _number(value)
        return None if number is None or not 0 <= number <= 100 else int((number * 100).to_integral_value())
    word = value.strip().lower()
    if scale == Scale.FACES3:
        word = word.replace(" ", "_")
    return WORDS[scale].get(_plain(word))


def _plain(word: str) -> str:
    """Whole numbers without a fraction of zeros: 4.0 is the fourth star."""
    whole, dot, fraction = word.partition(".")
    return whole if dot and fraction and not fraction.strip("0") else word


def _number(value: str) -> Decimal | None:
    try:
        number = Decimal(value.strip())
    except InvalidOperation:
        return None
    return number if number.is_finite() and "_" not in value else None
