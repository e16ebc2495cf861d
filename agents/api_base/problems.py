"""Every refusal under /api/v1 as problem+json (RFC 9457): {type, title, status, detail, errors?, …}.

`errors` is {path of a field: [sentences]}. Exceptions of the apps above are taught here by `problem_of.register`, so that
this module need not know them.
"""

from dataclasses import dataclass, field
from functools import singledispatch
from http import HTTPStatus

from django.core import exceptions as django_errors
from django.http import Http404, JsonResponse, UnreadablePostError
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from agents.access import NotAllowed, Refusal
from agents.api_base.fields import camel, epoch_ms
from agents.api_base.references import UnknownRow, told_apart
from agents.api_parsing import LIMIT_SENTENCE
from agents.names import AmbiguousAgent
from agents.versions import Conflict

MEDIA_TYPE = "application/problem+json"
WHOLE = ("non_field_errors", "nonFieldErrors", django_errors.NON_FIELD_ERRORS)  # messages about no one field
FIELDS_SENTENCE = "Some fields were refused."


@dataclass(frozen=True)
class Problem:
    """One refusal. `kind` names what happened where the status alone does not; `extra` are further members."""

    status: int
    detail: str
    kind: str = ""
    errors: dict[str, list[str]] = field(default_factory=dict)
    extra: dict = field(default_factory=dict)
    headers: dict = field(default_factory=dict)

    def as_json(self) -> dict:
        phrase = HTTPStatus(self.status).phrase
        body = {
            "type": f"/api/v1/docs#problem-{self.kind}" if self.kind else "about:blank",
            "title": self.kind.replace("-", " ").capitalize() if self.kind else phrase,
            "status": self.status,
            "detail": self.detail or phrase,
        }
        return body | ({"errors": self.errors} if self.errors else {}) | self.extra


def problem(exc, context):
    """REST framework's exception handler. None (so a 500) for what nobody expected."""
    found = problem_of(exc)
    if found is None:
        return None
    set_rollback()
    response = Response(found.as_json(), status=found.status, headers=found.headers)
    response.content_type = MEDIA_TYPE
    return response


def plain_response(found: Problem) -> JsonResponse:
    """The same answer where REST framework is not at work: Django's own error pages."""
    return JsonResponse(found.as_json(), status=found.status, content_type=MEDIA_TYPE)


@singledispatch
def problem_of(exc: Exception) -> Problem | None:
    """What to answer to `exc`; None where it is nobody's refusal but our mistake."""
    return None


@problem_of.register
def _(exc: exceptions.APIException):
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exc, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    return Problem(exc.status_code, str(exc.detail), headers=headers)


@problem_of.register
def _(exc: exceptions.UnsupportedMediaType):
    return Problem(415, f"{exc.detail} Most routes read application/json.")


@problem_of.register
def _(exc: exceptions.ValidationError):
    return _refused_fields(flat_errors(exc.detail))


@problem_of.register
def _(exc: django_errors.ValidationError):
    if not hasattr(exc, "error_dict"):
        return _refused_fields({"": exc.messages})
    return _refused_fields(flat_errors({_spoken_name(name): said for name, said in exc.message_dict.items()}))


def _refused_fields(errors):
    whole = errors.pop("", [])
    detail = " ".join(whole) or (f"{next(iter(errors))}: {next(iter(errors.values()))[0]}" if len(errors) == 1 else "")
    return Problem(400, detail or FIELDS_SENTENCE, kind="refused-fields" if errors else "", errors=errors)


@problem_of.register
def _(exc: Refusal):
    return Problem(409, str(exc))


@problem_of.register
def _(exc: NotAllowed):
    return Problem(403, str(exc))


@problem_of.register
def _(exc: django_errors.PermissionDenied):
    return Problem(403, str(exc))


@problem_of.register(Http404)
@problem_of.register(django_errors.ObjectDoesNotExist)
def _(exc):
    return Problem(404, "There is nothing here under this address.")


@problem_of.register
def _(exc: UnknownRow):
    return Problem(404, str(exc), errors={exc.field: [str(exc)]})


@problem_of.register
def _(exc: AmbiguousAgent):
    return Problem(409, str(exc), kind="ambiguous-agent", extra={"candidates": told_apart(exc.candidates)})


@problem_of.register
def _(exc: Conflict):
    return Problem(
        409,
        "It was removed after this version." if exc.current is None else str(exc),
        kind="stale-version",
        extra={
            "baseVersion": exc.base_version,
            "currentVersion": exc.current and exc.current.version,
            "conflict": [{key: _spoken(key, value) for key, value in told.items()} for told in exc.fields],
        },
    )


def _spoken(key, value):
    if key == "field":
        return camel(value)
    return epoch_ms(value) if hasattr(value, "timestamp") else value


@problem_of.register
def _(exc: django_errors.RequestDataTooBig):
    return Problem(413, LIMIT_SENTENCE)


@problem_of.register(django_errors.SuspiciousOperation)
@problem_of.register(UnreadablePostError)
def _(exc):
    return Problem(400, "This request cannot be read.")


def flat_errors(detail, path="") -> dict[str, list[str]]:
    """{dotted path: [sentences]} of REST framework's nested errors; messages about the whole stand under the empty path."""
    if isinstance(detail, dict):
        found: dict[str, list[str]] = {}
        for key, inner in detail.items():
            step = "" if key in WHOLE else str(key)
            for where, said in flat_errors(inner, ".".join(filter(None, (path, step)))).items():
                found.setdefault(where, []).extend(said)
        return found
    if isinstance(detail, (list, tuple)) and any(isinstance(inner, (dict, list)) for inner in detail):
        return flat_errors({str(n): inner for n, inner in enumerate(detail) if inner}, path)
    return {path: [str(said) for said in (detail if isinstance(detail, (list, tuple)) else [detail])]}


def _spoken_name(field):
    """A model's field as clients know it."""
    return field if field in WHOLE else camel(field)
