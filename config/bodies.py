"""How large a body may be. What is larger is refused while it arrives.

Django puts a body into a temporary file before anybody is asked, however large it is: whoever sends without an end would fill
the disk, signed in or not. The server itself holds a sender to the length that was announced.
"""

import json

from agents.api_base.problems import MEDIA_TYPE, Problem
from agents.api_parsing import BODY_LIMIT, LIMIT_SENTENCE

OF_HOOKS = 1_000_000  # bytes
OF_API = BODY_LIMIT
OF_PAGES = 32 * 1024 * 1024  # more than any form takes, so that the form itself can say what was too large
TOO_LARGE = 413


class Bounded:
    """An ASGI application that answers 413 to larger bodies and hands everything else to `application`."""

    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send):
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        most, headers = most_at(scope["path"]), dict(scope["headers"])
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > most:
            await refuse(scope["path"], send)
        elif b"transfer-encoding" in headers:
            await self._counted(scope, receive, send, most)
        else:
            await self.application(scope, receive, send)

    async def _counted(self, scope, receive, send, most):
        size, has_answered = 0, False

        async def counted():
            """The next piece; for Django it is as if the sender had hung up where that is one too many."""
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            return message if size <= most else {"type": "http.disconnect"}

        async def answered(message):
            nonlocal has_answered
            has_answered = True
            await send(message)

        await self.application(scope, counted, answered)
        if size > most and not has_answered:
            await refuse(scope["path"], send)


def most_at(path: str) -> int:
    """How many bytes a body may have at an address."""
    return OF_HOOKS if path.startswith("/hooks/") else OF_API if path.startswith("/api/") else OF_PAGES


async def refuse(path: str, send) -> None:
    """Answer 413, in the tongue of the address."""
    if path.startswith("/hooks/"):
        media_type, body = "application/json", json.dumps({"error": f"A body has at most {OF_HOOKS // 1_000_000} MB."})
    elif path.startswith("/api/"):
        media_type, body = MEDIA_TYPE, json.dumps(Problem(TOO_LARGE, LIMIT_SENTENCE).as_json())
    else:
        media_type, body = "text/plain; charset=utf-8", f"At most {OF_PAGES // 1024 // 1024} MB can be sent here.\n"
    told = {"content-type": media_type, "content-length": str(len(body)), "cache-control": "no-store"}
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    await send({"type": "http.response.start", "status": TOO_LARGE, "headers": headers})
    await send({"type": "http.response.body", "body": body.encode()})
