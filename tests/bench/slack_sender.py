"""Tells what Slack tells at a steady rate, answered or not, in a process of its own, for tests/bench/slack_acks.py.

    python -m tests.bench.slack_sender PORT FILE RATE

Signs what is in FILE, a line of JSON [payload, signing secret] each, prints "ready", and at a line on its standard input sends
it over connections that are kept. Prints JSON: {"statuses": {status: n}, "took": [seconds, each from the moment at which it was
due]}.
"""

import asyncio
import json
import sys
from pathlib import Path

from tests.bench.hook_sender import Sender
from tests.slack.deliveries import signed, written


def request(payload: dict, secret: str) -> bytes:
    path, body, kind = written(payload)
    lines = [f"POST {path} HTTP/1.1", "host: 127.0.0.1", f"content-type: {kind}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in signed(body, secret).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def main(port: str, file: str, rate: str) -> None:
    made = [request(*json.loads(line)) for line in Path(file).read_text().splitlines()]
    sender = Sender(int(port))
    print("ready", flush=True)
    sys.stdin.readline()
    asyncio.run(sender.all(made, float(rate)))
    print(json.dumps({"statuses": +sender.statuses, "took": sender.took}))


if __name__ == "__main__":
    main(*sys.argv[1:])
