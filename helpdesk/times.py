"""Times as sources write them. Pure functions; `now` is handed in.

Only what can be read in one way is read: ISO 8601 and epoch milliseconds. 03/04/2024 is refused, not guessed.
"""

import re
from datetime import UTC, datetime, timedelta, tzinfo

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
AHEAD = timedelta(days=1)  # clocks and time zones of sources differ by less
DIGITS = re.compile(r"\d{9,20}")
YEAR_FIRST = re.compile(r"\d{4}/\d{1,2}/\d{1,2}(?!\d)")
SHOWN = 40  # characters of a time that a message repeats


class NotATime(ValueError):
    """It cannot be read as a time, or not in one way only, or it lies outside what can be; the message says which."""


def from_ms(value: int, *, now: datetime) -> datetime:
    """Epoch milliseconds as a time in UTC. Raises NotATime, with a hint where seconds or microseconds were sent."""
    try:
        when = datetime.fromtimestamp(value // 1000, UTC) + timedelta(milliseconds=value % 1000)
    except (OverflowError, ValueError, OSError):
        when = None
    if when is None or not FIRST <= when <= now + AHEAD:
        for unit, in_ms in (
            ("seconds", value * 1000),
            ("microseconds", value // 1000),
            ("nanoseconds", value // 10**6),
        ):
            if _ms(FIRST) <= in_ms <= _ms(now + AHEAD):
                raise NotATime(f"{value} looks like {unit}; times are in milliseconds since 1970 ({in_ms}).")
        if when is None:
            raise NotATime(f"{str(value)[:SHOWN]} is not a time in milliseconds since 1970.")
    return _possible(when, now)


def from_text(text: str, *, zone: tzinfo, now: datetime) -> datetime:
    """A time in ISO 8601 (also with a space, slashes after the year, or UTC at its end) or in epoch milliseconds.

    A time without an offset, and midnight of a date without a time, are meant in `zone`. Raises NotATime.
    """
    text = text.strip()
    if not text:
        raise NotATime("The time is blank.")
    if DIGITS.fullmatch(text):
        return from_ms(int(text), now=now)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = _other_spelling(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=zone)
    try:
        return _possible(when.astimezone(UTC), now)
    except OverflowError:
        raise NotATime(f"{text} is before the year 2000.") from None


def _other_spelling(text):
    plain = text.removesuffix("UTC").removesuffix("GMT").rstrip()
    utc = plain != text
    if YEAR_FIRST.match(plain):
        head, *rest = re.split(r"(?=[ T])", plain, maxsplit=1)
        plain = "-".join(part.zfill(2) for part in head.split("/")) + "".join(rest)
    try:
        when = datetime.fromisoformat(plain)
    except ValueError:
        raise NotATime(
            f'"{text[:SHOWN]}" cannot be read in one way only; write 2024-01-31T17:00:00Z or milliseconds since 1970.'
        ) from None
    return when.replace(tzinfo=UTC) if utc and when.tzinfo is None else when


def _ms(when):
    return int(when.timestamp() * 1000)


def _possible(when, now):
    if when < FIRST:
        raise NotATime(f"{when:%Y-%m-%d} is before the year 2000.")
    if when > now + AHEAD:
        raise NotATime(f"{when:%Y-%m-%d} is more than a day ahead.")
    return when
