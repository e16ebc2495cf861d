"""Everything that can go wrong on the way to a model, as one small family of errors with a plain sentence each.

`translate` is the one place where what the SDK and its transport raise becomes ours. Their own words are dropped there:
they can hold what was sent or answered.
"""

import math
from typing import TYPE_CHECKING

import httpx2

from coaching import sdk

if TYPE_CHECKING:
    import anthropic


class ModelError(Exception):
    """The model gave no usable answer.

    `sentence` is for a leader: what happened and what to do next. `permanent` says that trying again changes nothing
    until somebody changes a setting or the question. `retry_after` is the wait in seconds a server asked for.
    """

    permanent = False

    def __init__(self, sentence: str, *, retry_after: float | None = None):
        super().__init__(sentence)
        self.sentence = sentence
        self.retry_after = retry_after


class ModelBusy(ModelError):
    """The service is there but does not answer now."""


class ModelUnreachable(ModelError):
    """There was no connection, or it broke before or during the answer."""


class ModelStalled(ModelError):
    """The connection stood, but no part of an answer came for too long."""


class AnswerBroken(ModelError):
    """An answer came that cannot be read."""


class ModelRefused(ModelError):
    """The service does not take this request, and will not take it again."""

    permanent = True


class TimeIsUp(ModelError):
    """The time allowed for the whole turn has passed."""


class Stopped(Exception):
    """Somebody asked for a stop."""


def cut() -> ModelError:
    return ModelUnreachable("The connection to the model broke in the middle of its answer. Press Retry.")


def stalled() -> ModelError:
    return ModelStalled("The model stopped sending anything and was given up. Press Retry.")


# By status, and by the error type that an `error` event inside a stream carries (its status is then the 200 of the
# stream's beginning).
_STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}
REFUSED = {
    400: "The model did not accept the request, perhaps because the session has grown too long. Start a new session "
    "and ask about a smaller part.",
    401: "The model did not accept our key. An admin can put in a valid one; then press Retry.",
    402: "The account behind the model's key has no credit left. An admin can add some; then press Retry.",
    403: "The model's key is not allowed to do this. An admin can check what the key may use; then press Retry.",
    404: "The model named in the settings is not known at its address. An admin can correct it; then press Retry.",
    413: "This is too much text for one request to the model. Start a new session and ask about a smaller part.",
}
_BUSY = {
    429: "The model is answering too many requests just now.",
    529: "The model's service is overloaded just now.",
}
_FAULT = "The model's service had a fault of its own."


def translate(error: Exception, *, begun: bool) -> ModelError:
    """Our error for anything the SDK or its transport raised. Its own words are dropped: they can hold bodies."""
    if isinstance(error, ModelError):
        return error
    anthropic = sdk.load()
    if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
        if isinstance(error.__cause__ or error, httpx2.ConnectTimeout):
            return _unreachable()
        return stalled()
    if isinstance(error, anthropic.APIStatusError):
        return _by_status(error)
    if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError | OSError):
        return cut() if begun else _unreachable()
    return AnswerBroken("The model sent an answer that cannot be read. Press Retry.")


def _unreachable() -> ModelError:
    return ModelUnreachable("The model cannot be reached at its address. Press Retry; if it stays so, tell an admin.")


def _by_status(error: "anthropic.APIStatusError") -> ModelError:
    status = error.status_code if error.status_code >= 400 else _STATUS_OF_TYPE.get(str(error.type), 500)
    if status in REFUSED:
        return ModelRefused(REFUSED[status])
    if status in (408, 409, 429) or status >= 500:
        wait = _retry_after(error.response.headers)
        minutes = max(1, math.ceil((wait or 0) / 60))
        again = f"Nothing is lost; press Retry in {'a minute' if minutes == 1 else f'{minutes} minutes'}."
        return ModelBusy(f"{_BUSY.get(status, _FAULT)} {again}", retry_after=wait)
    return ModelRefused(REFUSED[400])


def _retry_after(headers: httpx2.Headers) -> float | None:
    """The wait in seconds that the server asks for; a date or nonsense counts as no wish."""
    try:
        seconds = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
