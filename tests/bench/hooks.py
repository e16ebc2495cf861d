"""Webhooks: 500 a second for 30 seconds on one web process, each answered in time, kept once and followed once.

    python -m tests.bench hooks

Web process, worker, helpdesk and sender are processes of their own on loopback. The sender keeps its pace whatever becomes of
what it sent; a time is counted from when a hook was due. A twelfth of the events come twice. The worker follows while they
arrive: it reads the helpdesk's list and writes the ratings into the database that keeps the receipts. The floor is sent the same
by the same sender: a bare ASGI application under the same server, which verifies the signature and answers. Exits with 1 where a
limit is missed.
"""

import json
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.test import override_settings

from helpdesk.actions import connections, receipts
from helpdesk.models import HelpdeskSync, Rating, WebhookReceipt
from helpdesk.tasks import follow_hooks
from tests import factories, processes
from tests.bench.measuring import own_database, percentile
from tests.bench.startup import free_port
from tests.bench.streams import cpu_seconds, until_it_answers, web
from tests.desks.zendesk import CREDENTIALS

RATE, SECONDS = 500, 30
REPEATED = 12  # one in so many comes twice
FLOOR_SECONDS = 10
MOST_P99 = 0.200  # seconds
MOST_GROWTH = 60.0  # MB, of the web process
PATIENCE = 600  # seconds until all are followed

BARE = """
import base64, hashlib, hmac

SECRET = %r

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    headers, body, more = dict(scope["headers"]), b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    stamp = headers[b"x-zendesk-webhook-signature-timestamp"]
    right = base64.b64encode(hmac.digest(SECRET, stamp + body, hashlib.sha256))
    status = 200 if hmac.compare_digest(right, headers[b"x-zendesk-webhook-signature"]) else 401
    told = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": status, "headers": told})
    await send({"type": "http.response.body", "body": b"{}"})
"""


def megabytes(child) -> float:
    """What of a process is in memory."""
    return int(Path(f"/proc/{child.pid}/statm").read_text().split()[1]) * 4096 / 1e6


@contextmanager
def floor(application):
    """A bare application under uvicorn, given as the text of its module: its port."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bare.py").write_text(application)
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "bare:application", "--port", str(port), "--log-level", "error"]
        child = subprocess.Popen(command, cwd=folder)
        try:
            until_it_answers(port)
            yield port
        finally:
            child.kill()
            child.wait()


@contextmanager
def desk(count):
    """A helpdesk of so many ratings: its port."""
    child = processes.start("-m", "tests.bench.hook_desk", str(count))
    try:
        yield int(child.stdout.readline())
    finally:
        child.kill()
        child.communicate()


def sent(port, path, count, watch=lambda: None) -> dict:
    """What became of so many events; `watch` is called while they are sent."""
    child = processes.start("-m", "tests.bench.hook_sender", str(port), path, str(count), str(RATE), str(REPEATED))
    try:
        assert child.stdout.readline() == "ready\n"
        child.stdin.write("\n")
        child.stdin.flush()
        end = time.monotonic() + count / RATE
        while time.monotonic() < end:
            watch()
            time.sleep(0.5)
        return json.loads(child.communicate(timeout=processes.PATIENCE)[0])
    finally:
        child.kill()


def told(name, answered) -> tuple[float, float]:
    p50, p99 = (percentile(answered["took"], percent) for percent in (50, 99))
    print(
        f"{name}: p50 {1000 * p50:.1f} ms, p99 {1000 * p99:.1f} ms, at most {1000 * max(answered['took']):.0f} ms; "
        f"answers {answered['statuses']}"
    )
    return p50, p99


def measured() -> bool:
    """Send, wait until all is followed, and print; whether a limit was missed."""
    count = RATE * SECONDS * REPEATED // (REPEATED + 1)
    owner = factories.owner(factories.workspace())
    print(connection.vendor)
    with floor(BARE % CREDENTIALS["webhook_secret"].encode()) as port:
        bare = told("a bare application", sent(port, "/hooks/zendesk/x", count * FLOOR_SECONDS // SECONDS))
    with desk(count) as place, override_settings(OUTBOUND_ALLOW=[f"127.0.0.1:{place}"]):
        zendesk = connections.connect(
            owner.workspace, by=owner, vendor="zendesk", base_url=f"http://127.0.0.1:{place}", credentials=CREDENTIALS,
        )  # fmt: skip
        HelpdeskSync.objects.update(next_try_at=None)  # only what hooks tell of is read
        folder, allowed = str(settings.DATA_DIR), {"OUTBOUND_ALLOW": f"127.0.0.1:{place}"}
        with processes.worker(8, **allowed), web(folder) as (port, child):
            memory, before = [megabytes(child)], cpu_seconds(child)
            began = time.monotonic()
            answered = sent(port, f"/hooks/zendesk/{zendesk.pk}", count, lambda: memory.append(megabytes(child)))
            used = cpu_seconds(child) - before
            p50, p99 = told("one web process", answered)
            behind = WebhookReceipt.objects.owed().count()
            while WebhookReceipt.objects.owed().exists() and time.monotonic() - began < PATIENCE:
                for owing in receipts.owing():
                    follow_hooks.delay(str(owing))
                time.sleep(5)
            took = time.monotonic() - began
            memory.append(megabytes(child))
    print(f"p99 {p99 / bare[1]:.1f} times that of the bare application, p50 {p50 / bare[0]:.1f} times; at most 200 ms")
    n_sent = len(answered["took"])
    kept, ratings = WebhookReceipt.objects.count(), Rating.objects.counting().count()
    print(
        f"{n_sent:,} hooks of {count:,} events: {kept:,} receipts, {ratings:,} ratings; {behind:,} were not followed yet at the "
        f"last answer, all were {took:.0f} s after the first"
    )
    print(
        f"memory of the web process {memory[0]:.0f} MB before, {max(memory):.0f} at most, {memory[-1]:.0f} after; "
        f"{1000 * used / n_sent:.2f} ms of a processor for each hook"
    )
    everything = answered["statuses"] == {"200": n_sent} and kept == ratings == count
    return p99 > MOST_P99 or not everything or max(memory) - memory[0] > MOST_GROWTH


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
