"""What vendors' JSON is read with. What is not as documented raises Malformed, in words that repeat nothing of what came."""

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

from helpdesk.times import AHEAD, FIRST
from helpdesk.vendors.contract import Forged, Malformed, Rating, Unreadable

WINDOW = timedelta(minutes=5)  # a signed webhook that is older is not believed


def an_object(value: Any, what: str) -> dict:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is not an object.")
    return value


def maybe_object(value: Any) -> dict:
    """An object, an empty one where there is none."""
    return value if isinstance(value, dict) else {}


def maybe_list(value: Any) -> list:
    """A list, an empty one where there is none."""
    return value if isinstance(value, list) else []


def a_list(value: Any, key: str) -> list:
    """The list under `key` of an object."""
    found = an_object(value, "The answer").get(key)
    if not isinstance(found, list):
        raise Malformed(f"The answer has no list of {key}.")
    return found


def an_id(value: Any, what: str) -> str:
    """An id as text, whether it came as a number or as text."""
    if isinstance(value, bool) or not isinstance(value, (int, str)) or not str(value).strip():
        raise Malformed(f"{what} has no id.")
    return str(value).strip()[:300]


def maybe_id(value: Any) -> str:
    """An id as text, "" where there is none (vendors write null, 0, -1 or an empty text for nobody)."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return ""
    told = str(value).strip()[:300]
    return "" if told in ("0", "-1") else told


def in_path(id: str) -> str:
    """An id as one step of an address's path: whatever it holds, it leads nowhere else."""
    return quote(id, safe="").replace(".", "%2E")


def text(value: Any, limit: int = 300) -> str:
    """Text, "" for anything else, without what no database can hold."""
    if not isinstance(value, str):
        return ""
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:limit]


def moment(value: Any, what: str) -> datetime:
    """A time as vendors write it: ISO 8601, or seconds since 1970."""
    found = maybe_moment(value)
    if found is None:
        raise Malformed(f"{what} has no time that can be read.")
    return found


def maybe_moment(value: Any) -> datetime | None:
    """As `moment`, None where there is none; a time without an offset is in UTC, one that cannot be counts as none."""
    if isinstance(value, bool) or value in (None, "", 0):
        return None
    try:
        if isinstance(value, (int, float)) or (isinstance(value, str) and value.isdecimal()):
            found = datetime.fromtimestamp(float(value), UTC)
        else:
            found = datetime.fromisoformat(value)
            found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
    return found if FIRST <= found <= datetime.now(UTC) + AHEAD else None


def milliseconds(value: Any) -> int | None:
    """A time as vendors write it in epoch milliseconds, None where there is none."""
    found = value if isinstance(value, datetime) else maybe_moment(value)
    return int(found.timestamp() * 1000) if found else None


def ended(closed_at: datetime | None, opened_at: datetime | None) -> datetime | None:
    """When a conversation ended, None where that would be before it began: imports from elsewhere say such things."""
    return None if closed_at and opened_at and closed_at < opened_at else closed_at


def iso(moment: datetime) -> str:
    """A time as vendors take it: ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stars(value: Any) -> str:
    """One to five, whether it came as a number or as text."""
    told = str(value).strip().removesuffix(".0") if isinstance(value, (int, float, str)) else ""
    if isinstance(value, bool) or told not in ("1", "2", "3", "4", "5"):
        raise Malformed("The rating is not a number from 1 to 5.")
    return told


def each(
    items: Iterable[Any], read: Callable[[Any], Rating | None]
) -> tuple[tuple[Rating, ...], tuple[Unreadable, ...]]:
    """Every item read, None left out; those that are Malformed are named, the others land."""
    ratings, unreadable = [], []
    for item in items:
        try:
            rating = read(item)
        except Malformed as fault:
            unreadable.append(Unreadable(_shown_id(item), str(fault)))
        else:
            if rating is not None:
                ratings.append(rating)
    return tuple(ratings), tuple(unreadable)


def _shown_id(item: Any) -> str:
    """The id of what could not be read, where it looks like one: a word in its place may be a customer's."""
    told = maybe_id(item.get("id")) if isinstance(item, dict) else ""
    return told if any(character.isdigit() for character in told) else ""


def decoded(body: bytes) -> Any:
    """The JSON of a webhook."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Malformed("The body is no JSON.") from None


# --- Who sent a webhook ------------------------------------------------------------------------------------------------


def require_equal(given: str | None, right: str) -> None:
    """Raise Forged unless the two are the same, in a time that tells nothing."""
    if not given or not hmac.compare_digest(given.strip().encode("utf-8", "replace"), right.encode()):
        raise Forged


def require_fresh(sent_at: datetime | None, now: datetime) -> None:
    """Raise Forged unless a webhook was signed within WINDOW of now."""
    if sent_at is None or abs(now - sent_at) > WINDOW:
        raise Forged


def hex_hmac(body: bytes, secret: str, algorithm: str = "sha256") -> str:
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()


def basic(name: str, password: str) -> str:
    """The Authorization header of RFC 7617."""
    return f"Basic {b64encode(f'{name}:{password}'.encode()).decode()}"


def base64_hmac(body: bytes, secret: str, algorithm: str = "sha256") -> str:
    return b64encode(hmac.digest(secret.encode(), body, algorithm)).decode()


# --- Words that came as HTML -------------------------------------------------------------------------------------------


BREAKS = frozenset({"br", "p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "pre", "hr"})
SILENT = frozenset({"script", "style", "head", "title"})


class _Words(HTMLParser):
    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.parts, self.silent = [], 0

    def handle_starttag(self, tag, attrs):
        self.silent += tag in SILENT
        if tag in BREAKS:
            self.parts.append("\n")

    def handle_endtag(self, tag):
        self.silent -= tag in SILENT and self.silent > 0
        if tag in BREAKS:
            self.parts.append("\n")

    def handle_data(self, data):
        if not self.silent:
            self.parts.append(data)


def plain(html: str) -> str:
    """The words of HTML as plain text, a line for each block."""
    words = _Words()
    words.feed(html)
    words.close()
    lines = (" ".join(line.split()) for line in "".join(words.parts).splitlines())
    return "\n".join(line for line in lines if line)
