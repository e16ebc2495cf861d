"""The practice model at the place of the network: the SDK's requests end here instead of at a server."""

import json
from collections.abc import Iterator

import httpx2

from coaching.practice import model, wire


class PracticeTransport(httpx2.BaseTransport):
    """Answers POST /v1/messages as a Messages server does, streamed or whole; anything else is 404."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if request.method != "POST" or request.url.path != "/v1/messages":
            error = {"type": "not_found_error", "message": "The practice model only answers messages."}
            return httpx2.Response(404, json={"type": "error", "error": error})
        body = request.read()
        asked = json.loads(body)
        whole = wire.message(
            model.answer(asked),
            number=f"practice{len(asked['messages'])}",
            model=asked["model"],
            input_tokens=wire.tokens(body.decode()),
        )
        if not asked.get("stream"):
            return httpx2.Response(200, json=whole)
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=_Events(wire.events(whole)))


class _Events(httpx2.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]):
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
