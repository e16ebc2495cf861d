"""Reading a JSON body: strictly, within bounds, and with a sentence that says where it is broken."""

import json
from collections import Counter

from rest_framework import status
from rest_framework.exceptions import APIException, ParseError, ValidationError
from rest_framework.parsers import BaseParser

BODY_LIMIT = 10 * 1024 * 1024  # bytes
LIMIT_SENTENCE = "The body is larger than 10 MB."


class TooLarge(APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = LIMIT_SENTENCE


class LengthRequired(APIException):
    """REST framework takes a body without a length for none at all, and would answer as if nothing had been sent."""

    status_code = status.HTTP_411_LENGTH_REQUIRED
    default_detail = "Send the body with a Content-Length, not in chunks."


class StrictJSONParser(BaseParser):
    """JSON as RFC 8259 has it, and nothing that a database or another client could not hold.

    Refused with 400: a key twice, NaN and Infinity, NUL characters, halves of surrogate pairs, broken UTF-8; with 413: a
    body above 10 MB, before it is read.
    """

    media_type = "application/json"
    checks_characters = True  # a subclass may leave them to a view that refuses them item by item

    def parse(self, stream, media_type=None, parser_context=None):
        request = parser_context["request"]
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > BODY_LIMIT:
            raise TooLarge
        raw = stream.read(BODY_LIMIT + 1)
        if len(raw) > BODY_LIMIT:
            raise TooLarge
        return strict_json(raw, check_characters=self.checks_characters)


def strict_json(raw: bytes, *, check_characters=True):
    """The value that `raw` spells. Raises ParseError, or ValidationError with the path of a character that is refused."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ParseError(f"The body is not UTF-8: byte {error.start} is wrong.") from error
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_refused_constant)
    except json.JSONDecodeError as error:
        raise ParseError(
            f"The body is not JSON: {error.msg.removesuffix(' at')} at line {error.lineno}, column {error.colno}."
        ) from error
    except RecursionError as error:
        raise ParseError("The body is nested too deeply.") from error
    except ValueError as error:  # a number with more digits than Python reads
        raise ParseError(f"The body is not usable JSON: {error}.") from error
    if check_characters and "\\u" in text:
        _refuse_characters(value)
    return value


def _without_repeats(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        twice = Counter(key for key, _ in pairs).most_common(1)[0][0]
        raise ParseError(f"The key {json.dumps(twice[:100])} stands twice in one object.")
    return found


def _refused_constant(name):
    raise ParseError(f"{name} is not JSON.")


def _refuse_characters(value):
    """Only escapes can spell these; so bodies without one are not walked."""
    waiting = [((), value)]
    while waiting:
        path, here = waiting.pop()
        if isinstance(here, dict):
            waiting += [((*path, key), inner) for key, inner in here.items()]
            for key in here:
                _refuse_text((*path, "(a key)"), key)
        elif isinstance(here, list):
            waiting += [((*path, str(n)), inner) for n, inner in enumerate(here)]
        elif isinstance(here, str):
            _refuse_text(path, here)


def _refuse_text(path, text):
    where = ".".join(path) or "body"
    if "\0" in text:
        raise ValidationError({where: "A NUL character cannot be stored."})
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValidationError({where: "Half of a surrogate pair is not text."})
