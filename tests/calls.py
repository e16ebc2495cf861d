"""Calling the API as a script does: with a token, in JSON."""

import json

from rest_framework.test import APIClient

from tests import factories

BASE = "/api/v1"


class Script(APIClient):
    """A client with a member's token. Paths are given without /api/v1; bodies are JSON."""

    def __init__(self, member=None, scopes=("read", "write", "approve")):
        super().__init__()
        if member is not None:
            self.credentials(HTTP_AUTHORIZATION=f"Bearer {factories.token(member, scopes)}")

    def call(self, method, path, body=None, media_type="application/json", **headers):
        """The response; `body` is any JSON value, or bytes that are sent as they are."""
        raw = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.generic(method, BASE + path, raw, media_type if raw else "", headers=headers)

    def read(self, path, **headers):
        return self.call("GET", path, **headers)

    def send(self, path, body, **headers):
        return self.call("POST", path, body, **headers)


def problem(response):
    """(status, {field: [sentences]}) of a refusal, which must be a well-formed problem."""
    assert response["Content-Type"] == "application/problem+json", response.content
    told = response.json()
    assert told["status"] == response.status_code
    assert {"type", "title", "detail"} <= set(told)
    return response.status_code, told.get("errors", {})
