"""Bodies that no route takes: they are refused while they arrive, and put nowhere on the way."""

import http.client
import io
import json
import socket

import pytest

from config import bodies
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)

PIECE = b"x" * 100_000
PLACES = [
    ("/hooks/slack/events", bodies.OF_HOOKS, "application/json"),
    ("/hooks/slack/actions", bodies.OF_HOOKS, "application/json"),
    ("/api/v1/ratings", bodies.OF_API, "application/problem+json"),
    ("/sign-in", bodies.OF_PAGES, "text/plain; charset=utf-8"),
    ("/nowhere", bodies.OF_PAGES, "text/plain; charset=utf-8"),
]


class Counted(io.BytesIO):
    """Stands where a temporary file would."""

    written = 0

    def write(self, data):
        type(self).written += len(data)
        return len(data)


@pytest.fixture
def on_disk(monkeypatch):
    """A function: how many bytes went into temporary files."""
    monkeypatch.setattr(Counted, "written", 0)
    monkeypatch.setattr("tempfile.TemporaryFile", lambda **_: Counted())
    return lambda: Counted.written


def sent(place, path, size, *, says_how_long):
    """(status, headers, body) of the answer to a body of about `size` bytes."""
    with socket.create_connection(place, timeout=30) as wire:
        how = b"content-length: %d" % size if says_how_long else b"transfer-encoding: chunked"
        wire.sendall(b"POST %b HTTP/1.1\r\nhost: localhost\r\n%b\r\n\r\n" % (path.encode(), how))
        for _ in range(-(-size // len(PIECE))):
            wire.sendall(PIECE if says_how_long else b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
        if not says_how_long:
            wire.sendall(b"0\r\n\r\n")
        answer = http.client.HTTPResponse(wire)
        answer.begin()
        return answer.status, answer.headers, answer.read()


@pytest.mark.parametrize(("path", "most", "media_type"), PLACES, ids=[path for path, *_ in PLACES])
@pytest.mark.parametrize("says_how_long", [True, False], ids=["with a length", "in chunks"])
def test_body_that_is_too_large_is_refused_and_kept_nowhere(path, most, media_type, says_how_long, on_disk):
    with serving() as place:
        status, headers, body = sent(place, path, 3 * most, says_how_long=says_how_long)

    assert (status, headers["content-type"]) == (413, media_type)
    if "json" in media_type:
        assert json.loads(body)
    assert on_disk() <= (0 if says_how_long else most)


def test_what_is_not_too_large_reaches_its_route():
    with serving() as place:
        answers = [
            sent(place, path, bodies.OF_HOOKS - 100_000, says_how_long=says_how_long)[0]
            for path, says_how_long in (
                ("/hooks/slack/events", True),
                ("/hooks/slack/events", False),
                ("/nowhere", True),
            )
        ]

    assert answers == [400, 400, 404]  # what each says of such a body
