"""How every helpdesk is called: one account's HTTP client, its patience, its limits, and its failures as a family of ours.

An answer is read whole, within bounds of size and time, and handed on as decoded JSON; nothing of it goes into an error or a log.
A short wait is waited here. A longer one is the caller's: it gives its worker back and comes again later, so that one slow
helpdesk does not hold up the others.
"""

import json
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx2

from agents import outbound
from helpdesk.vendors.errors import (
    CredentialsRefused,
    Forbidden,
    Garbled,
    Moved,
    NotCalled,
    NotFound,
    NotUnderstood,
    RateLimited,
    Unreachable,
    VendorError,
)

MOST_BYTES = 32_000_000  # of one answer
TIMEOUT = httpx2.Timeout(30, connect=10)
CALL_SECONDS = 90  # an answer that drips in for longer is given up
TRIES = 3  # of one call, while nothing but the network or the server is at fault
RETRY_SECONDS = (0.1, 0.3)  # between them, doubled each time; what takes longer to pass is the caller's to wait for
PATIENCE = 5  # seconds after which nothing is tried again in place: who is slow to fail is asked again later
SHORT_WAIT = timedelta(seconds=2)  # is waited for in place
DEFAULT_PAUSE = timedelta(seconds=30)  # after "too many requests" that says no more
LEAST_PAUSE = timedelta(seconds=0.25)  # though "too many requests" may ask for none
LONGEST_PAUSE = timedelta(hours=1)

Rest = Callable[[Mapping[str, str], datetime], timedelta | None]
"""(headers in lower case, the server's time): how long the next call should wait, None where there is no need."""


class Wire:
    """The way to one account. Use it in a `with` block.

    `headers` go with every call. `rest` reads the vendor's own rate-limit headers. `sleep` is time.sleep but in tests.
    """

    def __init__(
        self,
        base_url: str,
        *,
        label: str,
        headers: Mapping[str, str],
        rest: Rest | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.base_url, self.label, self.headers = base_url.rstrip("/"), label, dict(headers)
        self.rest, self.sleep = rest, sleep
        self.resume_at = 0.0  # on the monotonic clock
        self.n_calls = 0
        self._http = outbound.client(outbound.certificates(), guarded=True)

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        """The decoded answer. `path` begins with a slash, or is a whole address of the same origin. Raises VendorError."""
        return self.get_with_headers(path, **params)[0]

    def get_with_headers(self, path: str, **params: Any) -> tuple[Any, dict[str, str]]:
        """As `get`, with the answer's headers, their names in lower case: some vendors page by them."""
        told = {name: value for name, value in params.items() if value is not None}
        return self._patiently("GET", path, params=told)

    def post(self, path: str, body: Any = None, *, form: Mapping[str, str] | None = None) -> Any:
        """As `get`, with a JSON body or a form. Only for calls that may be repeated: searches and tokens."""
        return self._patiently("POST", path, json=body, data=form)[0]

    def _patiently(self, method: str, path: str, **told: Any) -> tuple[Any, dict[str, str]]:
        url, until = self._url(path), time.monotonic() + PATIENCE
        for attempt in range(1, TRIES + 1):
            self._wait_for_turn()
            try:
                return self._call(method, url, **told)
            except RateLimited as limited:
                self.resume_at = time.monotonic() + limited.pause.total_seconds()
                if limited.pause > SHORT_WAIT or attempt == TRIES:
                    raise
            except (Unreachable, Garbled) as fault:
                if attempt == TRIES or time.monotonic() > until or isinstance(fault, NotUnderstood):
                    raise
                self.sleep(random.uniform(*RETRY_SECONDS) * 2**attempt)  # noqa: S311 (spreads tries, guards nothing)
        raise AssertionError("unreachable")

    def _url(self, path):
        if not path.startswith("/"):
            if not path.startswith(f"{self.base_url}/"):
                raise NotCalled(f"{self.label} sends on to another address, which is not followed.")
            return path
        return f"{self.base_url}{path}"

    def _is_own(self, location):
        return location.startswith(f"{self.base_url}/") or (location.startswith("/") and location[1:2] != "/")

    def _wait_for_turn(self):
        wait = self.resume_at - time.monotonic()
        if wait > SHORT_WAIT.total_seconds():
            raise RateLimited(f"{self.label} asks to be called less often.", timedelta(seconds=wait))
        if wait > 0:
            self.sleep(wait)

    def _call(self, method, url, **told):
        told = {name: value for name, value in told.items() if value is not None}
        self.n_calls += 1
        headers = {"accept": "application/json", **self.headers}
        try:
            with self._http.stream(method, url, headers=headers, timeout=TIMEOUT, **told) as response:
                body = self._body(response)
        except outbound.NotCalled as refusal:
            raise NotCalled(refusal.sentence) from None
        except outbound.NameNotFound:
            raise Unreachable(f"There is no server of {self.label} at this address.") from None
        except outbound.NotTrusted:
            raise Unreachable(f"The certificate of the server of {self.label} was not accepted.") from None
        except httpx2.TimeoutException:
            raise Unreachable(f"{self.label} did not answer in time.") from None
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise Unreachable(f"The connection to {self.label} broke off.") from None
        self._rest(response)
        if response.is_success:
            return self._decoded(response, body), lower(response.headers)
        raise self._failure(response)

    def _body(self, response):
        parts, size, deadline = [], 0, time.monotonic() + CALL_SECONDS
        for part in response.iter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise Garbled(f"{self.label} answered with more than {MOST_BYTES // 1_000_000} MB.")
            if time.monotonic() > deadline:
                raise Unreachable(f"{self.label} did not answer in time.")
            parts.append(part)
        return b"".join(parts)

    def _decoded(self, response, body):
        if not body:
            return None
        try:
            return json.loads(body)
        except (ValueError, RecursionError):
            if "json" not in response.headers.get("content-type", "json"):
                raise Garbled(f"{self.label} answered with a web page instead of data. Is the address right?") from None
            raise Garbled(f"{self.label} answered with data that breaks off or is no JSON.") from None

    def _rest(self, response):
        """Heed the limits that the answer tells of before they are passed."""
        pause = self.rest and self.rest(lower(response.headers), _server_time(response))
        if pause:
            self.resume_at = time.monotonic() + min(pause, LONGEST_PAUSE).total_seconds()

    def _failure(self, response) -> VendorError:
        status = response.status_code
        if status == 429:
            return RateLimited(f"{self.label} asks to be called less often.", self._pause(response))
        if 300 <= status < 400:
            sentence = f"{self.label} sends on to another address, which is not followed. Is the address right?"
            location = response.headers.get("location", "")
            return Moved(sentence, urlsplit(location).path) if self._is_own(location) else NotCalled(sentence)
        if status == 401:
            return CredentialsRefused(f"{self.label} does not accept the credentials (401). Put them in again.")
        if status == 403:
            return Forbidden(f"{self.label} does not allow this with these credentials (403).")
        if status in (404, 410):
            return NotFound(f"{self.label} has no such thing ({status}).")
        if status >= 500 or status in (408, 425):
            return Unreachable(f"{self.label} has a fault of its own ({status}).")
        return NotUnderstood(f"{self.label} does not understand what it was asked ({status}).")

    def _pause(self, response):
        pause = _retry_after(response.headers.get("retry-after", ""), _server_time(response))
        if pause is None and self.rest:
            pause = self.rest(lower(response.headers), _server_time(response))
        if pause is None:
            pause = DEFAULT_PAUSE
        # A little more, and never the same for all: whoever was told to wait must not come back in step.
        return min(max(pause, LEAST_PAUSE), LONGEST_PAUSE) * random.uniform(1.0, 1.15)  # noqa: S311 (spreads tries, guards nothing)


def lower(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers by their names in lower case."""
    return {name.lower(): value for name, value in headers.items()}


def until_epoch(text: str, now: datetime) -> timedelta | None:
    """How long it is until a moment in epoch seconds, None where it cannot be read."""
    try:
        return max(datetime.fromtimestamp(float(text), UTC) - now, timedelta(0))
    except (ValueError, OverflowError, OSError):
        return None


def _server_time(response) -> datetime:
    """The server's own time: what it names as a moment is meant by its clock, which may not be ours."""
    try:
        told = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return datetime.now(UTC)
    return told if told.tzinfo else told.replace(tzinfo=UTC)


def _retry_after(text, now) -> timedelta | None:
    """RFC 9110, 10.2.3: seconds, or a date."""
    if not text.strip():
        return None
    try:
        return timedelta(seconds=max(float(text), 0))
    except (ValueError, OverflowError):
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now, timedelta(0))
