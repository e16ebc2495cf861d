"""Recorded exchanges with a model: what was asked and answered on the wire, kept in a file without anybody's words.

A recording is for tests that play a real service's answers again: their events, their order, where they were cut, their
stop reasons and counts. So these stay, and every text goes: patterns can find an address or a card, but not a name nor a
secret somebody told in a chat, so nothing a person or a model wrote is looked at for what may stay. A text becomes x's of
its own length and lines, whether it comes from a transcript, a memory, a prompt, a question or an answer; an id becomes
one that counts. Headers, and with them the key, are not recorded.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx2

from coaching import llm

if TYPE_CHECKING:
    import anthropic

KEPT_HEADERS = ("content-type", "retry-after")
PLAIN = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
KEPT = {"type", "role", "model", "stop_reason", "effort", "service_tier"}  # keys whose words are the protocol's
IDS = {"id", "tool_use_id", "request_id"}
PREFIX = re.compile(r"(msg|toolu|srvtoolu|req)_")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass
class Exchange:
    """One request and what came back: `cut` where the connection broke before the answer was whole."""

    request: dict[str, Any]
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    answer: bytes = b""
    cut: bool = False


class Recorder(httpx2.BaseTransport):
    """Passes requests on to the HTTP client of a model's client and keeps what goes by, in memory, as it came."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.inner: httpx2.Client

    def connect(self, connection: llm.Connection) -> "anthropic.Anthropic":
        """A client for the model of a connection, made as always, whose exchanges are kept here."""
        client = llm.client(connection)
        self.inner = client._client  # the SDK has no public way to it, and its own settings must hold
        return client.copy(http_client=httpx2.Client(transport=self))

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        exchange = Exchange(json.loads(request.read()))
        self.exchanges.append(exchange)
        exchange.cut = True  # until it is whole
        answer = self.inner.send(request, stream=True)
        exchange.status = answer.status_code
        exchange.headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
        return httpx2.Response(
            answer.status_code,
            headers=exchange.headers,
            stream=_Kept(answer, exchange),
            extensions=answer.extensions,
        )

    def close(self) -> None:
        self.inner.close()


class _Kept(httpx2.SyncByteStream):
    def __init__(self, answer: httpx2.Response, exchange: Exchange):
        self.answer = answer
        self.exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.answer.iter_bytes():
            self.exchange.answer += piece
            # Who listens stops at the end of the message, not of the connection.
            self.exchange.cut = not (self.exchange.status >= 400 or b"event: message_stop" in self.exchange.answer)
            yield piece

    def close(self) -> None:
        self.answer.close()


def masked(exchanges: list[Exchange]) -> list[dict[str, Any]]:
    """What may rest in a file: [{request_body, status, headers, response_body, cut}], the body of a streamed answer as the
    text of its events."""
    mask = _Mask({name for each in exchanges for name in _names(each.request.get("tools", []))})
    return [
        {
            "request_body": mask.request(each.request),
            "status": each.status,
            "headers": each.headers,
            "response_body": mask.answer(each.answer.decode("utf-8", "replace")),
            "cut": each.cut,
        }
        for each in exchanges
    ]


def _names(tools: Any) -> Iterator[str]:
    """Every name in the tools' own descriptions: of tools, and of what they take."""
    if isinstance(tools, list):
        for each in tools:
            yield from _names(each)
    elif isinstance(tools, dict):
        if isinstance(tools.get("name"), str):
            yield tools["name"]
        for key, value in tools.items():
            if key == "properties":
                yield from value
            yield from _names(value)


def filler(text: str) -> str:
    """X's of the same length, in the same lines and words."""
    return re.sub(r"\S", "x", text)


class _Mask:
    """Masks one recording; the same id becomes the same wherever it stands in it. `names` are those of tools and inputs."""

    def __init__(self, names: set[str]):
        self.names = names
        self.ids: dict[str, str] = {}

    def request(self, body: dict[str, Any]) -> dict[str, Any]:
        tools = [{"name": tool["name"]} for tool in body.get("tools", [])]
        return {**self._wire({name: value for name, value in body.items() if name != "tools"}), "tools": tools}

    def answer(self, body: str) -> Any:
        if "data:" in body:
            return self._events(body)
        try:
            return self._wire(json.loads(body))
        except ValueError:
            return filler(body)

    def _wire(self, value: Any, key: str = "") -> Any:
        """A value of the protocol's own layer: its words stay, what it carries goes."""
        if isinstance(value, list):
            return [self._wire(each, key) for each in value]
        if isinstance(value, dict):
            return {
                name: self._carried(each) if name == "input" else self._field(value, name)
                for name, each in value.items()
            }
        if not isinstance(value, str):
            return value
        if key in IDS:
            return self._id(value)
        if (key in KEPT and PLAIN.fullmatch(value)) or (key == "name" and value in self.names):
            return value
        return filler(value)

    def _field(self, holder: dict[str, Any], name: str) -> Any:
        value = holder[name]
        if name == "content" and holder.get("type") == "tool_result" and isinstance(value, str):
            return self._json(value)
        return self._wire(value, name)

    def _carried(self, value: Any, *, ours: bool = False) -> Any:
        """A tool's input or result: its shape, its numbers and its ids stay. Names stay where they are our own."""
        if isinstance(value, list):
            return [self._carried(each, ours=ours) for each in value]
        if isinstance(value, dict):
            return {
                name if ours or name in self.names else filler(name): self._carried(each, ours=ours)
                for name, each in value.items()
            }
        if isinstance(value, str):
            return self._id(value) if UUID.fullmatch(value) else filler(value)
        return value

    def _json(self, text: str) -> str:
        try:
            return json.dumps(self._carried(json.loads(text), ours=True), separators=(",", ":"))
        except ValueError:
            return filler(text)

    def _id(self, value: str) -> str:
        if value not in self.ids:
            number = len(self.ids) + 1
            prefix = PREFIX.match(value)
            counted = f"{prefix[0] if prefix else 'id_'}{number:04}"
            self.ids[value] = f"00000000-0000-4000-8000-{number:012}" if UUID.fullmatch(value) else counted
        return self.ids[value]

    def _events(self, stream: str) -> str:
        """The stream event by event. The input of a tool is masked as a whole and cut where it was cut."""
        lines = stream.split("\n")
        inputs: dict[Any, list[tuple[int, dict[str, Any]]]] = {}
        told: dict[int, dict[str, Any]] = {}
        for place, line in enumerate(lines):
            if line.startswith("data:"):
                try:
                    data = json.loads(line.removeprefix("data:"))
                    delta = data.get("delta", {})
                except (ValueError, AttributeError):
                    lines[place] = f"data: {filler(line.removeprefix('data:').strip())}"
                    continue
                if isinstance(delta, dict) and delta.get("type") == "input_json_delta":
                    inputs.setdefault(data.get("index"), []).append((place, data))
                told[place] = self._wire(data)
            elif line.startswith("event:"):
                kind = line.removeprefix("event:").strip()
                lines[place] = f"event: {kind if PLAIN.fullmatch(kind) else filler(kind)}"
            else:
                lines[place] = filler(line)
        for pieces in inputs.values():
            texts = [str(data["delta"].get("partial_json", "")) for _, data in pieces]
            whole = self._input("".join(texts))
            for (place, _), text in zip(pieces, texts, strict=True):
                told[place]["delta"]["partial_json"], whole = whole[: len(text)], whole[len(text) :]
            told[pieces[-1][0]]["delta"]["partial_json"] += whole
        for place, data in told.items():
            lines[place] = f"data: {json.dumps(data)}"
        return "\n".join(lines)

    def _input(self, text: str) -> str:
        try:
            return json.dumps(self._carried(json.loads(text)))
        except ValueError:  # half of one, or none: it stays broken in the same place
            return re.sub(r'[^\s{}\[\]":,]', "x", text)
