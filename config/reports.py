"""Error reports to the server that SENTRY_DSN names: what broke and where, and none of the words it broke on.

A report is made of what is known to be ours: the type of each exception, the files, functions and lines it came through, the
pattern of the address or the name of the task. Messages, arguments, variables, source lines, headers and bodies are never looked
at, for customers' words stand in all of them. See docs/decisions/0026-error-reports.md.
"""

import json
import logging
import queue
import sys
import threading
import time
import traceback
import urllib.request
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from celery import current_task

ROOT = Path(__file__).resolve().parent.parent
WAITING = 20  # reports held while one is sent; what comes beyond is not reported, only logged
PAUSE = 1.0  # seconds between two reports of a process, so that a broken database does not send thousands
PATIENCE = 5  # seconds for the server to answer
MOST_FRAMES = 100
CLIENT = "touchline/1"

log = logging.getLogger(__name__)


class Destination:
    """Where a DSN, SCHEME://KEY@HOST/PROJECT, leads. Raises ValueError where it is none."""

    def __init__(self, dsn: str):
        parts = urlsplit(dsn)
        path, _, project = parts.path.rpartition("/")
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.username or not project:
            raise ValueError("SENTRY_DSN has the form https://KEY@HOST/PROJECT.")
        host = parts.netloc.rpartition("@")[2]
        self.address = f"{parts.scheme}://{host}{path}/api/{project}/envelope/"
        self.authorisation = f"Sentry sentry_version=7, sentry_client={CLIENT}, sentry_key={parts.username}"


class Reports(logging.Handler):
    """Sends a report of each error that is logged, from a thread of its own: whoever meets an error does not wait for it."""

    def __init__(self, dsn: str, server_name: str):
        super().__init__(logging.ERROR)
        self._to = Destination(dsn)
        self._server_name = server_name
        self._waiting: queue.Queue[dict] = queue.Queue(WAITING)
        self._sender: threading.Thread | None = None
        self._starting = threading.Lock()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._waiting.put_nowait(event(record, self._server_name))
        except queue.Full:
            return
        except Exception:  # as every handler: an error in telling of an error must not become one more
            self.handleError(record)
            return
        with self._starting:
            if self._sender is None:
                self._sender = threading.Thread(target=self._send_all, name="error reports", daemon=True)
                self._sender.start()

    def _send_all(self) -> None:
        while True:
            report = self._waiting.get()
            try:
                self._send(report)
            except (OSError, HTTPException) as error:  # an answer of 400 and more is an OSError too
                log.warning("An error report could not be sent: %s", type(error).__name__)
            time.sleep(PAUSE)

    def _send(self, report: dict) -> None:
        headers = {"Content-Type": "application/x-sentry-envelope", "X-Sentry-Auth": self._to.authorisation}
        request = urllib.request.Request(self._to.address, envelope(report), headers)  # noqa: S310 (http or https, as checked)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:  # noqa: S310 (http or https, as checked)
            answer.read()


def event(record: logging.LogRecord, server_name: str) -> dict:
    """What is told of one logged error, as Sentry's event payload.

    An exception that is being handled is told of even where the line in the log leaves it out.
    """
    handled = record.exc_info if record.exc_info and record.exc_info[1] else sys.exc_info()
    told: dict[str, Any] = {
        "event_id": uuid.uuid4().hex,
        "timestamp": datetime.now(UTC).isoformat(),
        "platform": "python",
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "server_name": server_name,
        "logentry": {"message": f"{record.name}: {record.funcName}, line {record.lineno}"},
        "tags": {"line": f"{record.module}:{record.lineno}"},
    }
    if where := place(record):
        told["transaction"] = where
    if handled[1] is not None:
        told["exception"] = {"values": [told_of(error) for error in reversed(list(chain(handled[1])))]}
    return told


def place(record: logging.LogRecord) -> str:
    """The pattern of the address that was asked, or the task that ran; empty where it is neither."""
    request: Any = getattr(record, "request", None)
    if match := getattr(request, "resolver_match", None):
        return f"{request.method} /{match.route}"
    return current_task.name if current_task else ""


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception and those it came from, the last one first, each once."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def told_of(error: BaseException) -> dict:
    """Type and way of one exception. Its message is left out."""
    steps = list(traceback.walk_tb(error.__traceback__))[-MOST_FRAMES:]
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "stacktrace": {"frames": [frame(step.f_code, line) for step, line in steps]},
    }


def frame(code, line: int) -> dict:
    """One step: file, function and line, the file as seen from the checkout."""
    path = Path(code.co_filename)
    ours = path.is_relative_to(ROOT) and ".venv" not in path.parts
    return {
        "filename": str(path.relative_to(ROOT)) if ours else "/".join(path.parts[-3:]),
        "function": code.co_qualname if hasattr(code, "co_qualname") else code.co_name,
        "lineno": line,
        "in_app": ours,
    }


def envelope(report: dict) -> bytes:
    """The report as one item of Sentry's envelope: a line that names it, a line that measures it, and the report."""
    payload = json.dumps(report).encode()
    about = {"event_id": report["event_id"], "sent_at": datetime.now(UTC).isoformat()}
    item = {"type": "event", "content_type": "application/json", "length": len(payload)}
    return b"\n".join([json.dumps(about).encode(), json.dumps(item).encode(), payload, b""])
