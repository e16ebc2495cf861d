"""What every answer carries, and the line that it leaves in the log."""

import contextlib
import logging
import re
import time
import uuid

from django.conf import settings
from django.http import HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware

log = logging.getLogger("touchline.requests")
QUIET = (settings.STATIC_URL, "/health/")  # asked all day long, and of no news
KEPT = re.compile(r"<(?:\w+:)?(\w+)>")  # what a pattern of addresses takes out of the address

POLICY = "; ".join(
    [
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)


def content_security_policy(get_response):
    """Nothing inline and nothing from elsewhere runs on any page, the admin included."""

    def middleware(request):
        response = get_response(request)
        response.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, whose files are read whole before they are sent: the web process would read them whole in any case, with a
    warning that they came as a stream.
    """

    @staticmethod
    def serve(static_file, request):
        stream = WhiteNoiseMiddleware.serve(static_file, request)
        with contextlib.closing(stream):
            return HttpResponse(b"".join(stream), status=stream.status_code, headers=stream.headers)


def line_in_the_log(get_response):
    """One line for each request: method, address, status, milliseconds until the answer began."""

    def middleware(request):
        began = time.monotonic()
        response = get_response(request)
        if not request.path.startswith(QUIET):
            milliseconds = round((time.monotonic() - began) * 1000)
            log.info("%s %s %s %s ms", request.method, place(request), response.status_code, milliseconds)
        return response

    return middleware


def place(request) -> str:
    """The address as its pattern has it, with ids and numbers put in.

    No other part of it: keys stand in addresses, people's words in what they search for, and anything in one that is not ours.
    """
    match = request.resolver_match
    if match is None:
        return "(no such address)"

    def known(found):
        value = match.kwargs.get(found.group(1))
        return str(value) if isinstance(value, uuid.UUID | int) else "…"

    return "/" + KEPT.sub(known, match.route)
