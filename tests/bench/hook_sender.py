"""Sends webhooks at a steady rate, whether they are answered or not, in a process of its own, for tests/bench/hooks.py.

    python -m tests.bench.hook_sender PORT PATH COUNT RATE REPEATED

Signs COUNT events of a Zendesk, prints "ready", and at a line on its standard input sends them over connections that are kept:
the first of every REPEATED events twice. Prints JSON: {"statuses": {status: n}, "took": [seconds, each from the moment at which
it was due]}.
"""

import asyncio
import json
import sys
import time
from collections import Counter
from datetime import UTC, datetime

from tests.bench.hook_desk import talks
from tests.desks.world import World
from tests.desks.zendesk import Zendesk

AT_THE_END = 30  # seconds that answers are waited for
KEPT = 3  # seconds; after five idle ones the server hangs up


def requests(path: str, count: int, repeated: int) -> list[bytes]:
    now = datetime.now(UTC)
    desk = Zendesk(World())
    made = []
    for number, told in enumerate(talks(count, now)):
        body, headers = desk.webhook(told, now)
        lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", "content-type: application/json"]
        lines += [f"content-length: {len(body)}", *(f"{name}: {value}" for name, value in headers.items())]
        made += ["\r\n".join(lines).encode() + b"\r\n\r\n" + body] * (2 if number % repeated == 0 else 1)
    desk.server_close()
    return made


class Sender:
    def __init__(self, port: int):
        self.port = port
        self.idle: list[tuple] = []  # (since when, reader, writer)
        self.statuses: Counter = Counter()
        self.took: list[float] = []

    def kept(self) -> tuple | None:
        """A connection that was used just now."""
        since, *connection = self.idle.pop() if self.idle else (0.0,)
        if time.monotonic() - since < KEPT:
            return tuple(connection)
        self.idle.clear()  # the others were used even longer ago
        return None

    async def send(self, raw: bytes, due: float) -> None:
        try:
            reader, writer = self.kept() or await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(raw)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            await reader.readexactly(length)
            self.statuses[int(head.split(b" ", 2)[1])] += 1
            self.idle.append((time.monotonic(), reader, writer))
        except (OSError, asyncio.IncompleteReadError) as error:
            self.statuses[type(error).__name__] += 1
        self.took.append(time.monotonic() - due)

    async def all(self, made: list[bytes], rate: float) -> None:
        began, under_way = time.monotonic(), set()
        for number, raw in enumerate(made):
            due = began + number / rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            task = asyncio.create_task(self.send(raw, due))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=AT_THE_END)
            self.statuses["no answer"] += len(late)


def main(port: str, path: str, count: str, rate: str, repeated: str) -> None:
    made, sender = requests(path, int(count), int(repeated)), Sender(int(port))
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(sender.all(made, float(rate)))
    print(json.dumps({"statuses": +sender.statuses, "took": sender.took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
