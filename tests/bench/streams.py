"""Streams: the time to the first words of an answer beyond the bare SDK's, and 200 sessions that stream at once.

    python -m tests.bench streams

The product runs as web and worker processes of its own. First words: a question is asked through the API while its session's
stream is open, and the clock stops at the first text in it; in turns with it the bare SDK asks the same local model server.
Two hundred: rows of events are written by this process, one a second in each session, and read by another one over 200
streams of one web process; meanwhile another page is asked for, in turns with the same page of a second web process that has
nothing else to do, so that what else this machine is busy with weighs on both. Exits with 1 where a limit is missed.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import anthropic
from django.conf import settings
from django.db import connection, connections
from django.test import Client

from coaching.actions import sessions
from coaching.models import TurnEvent
from tests import factories, model_server, processes
from tests.bench.measuring import own_database, percentile
from tests.bench.startup import free_port

QUESTIONS, WARM_UP = 40, 5
MOST_BEYOND = {50: 0.150, 95: 0.300}  # seconds
FOLLOWED, SECONDS = 200, 15
MOST_LAG = 0.250  # seconds, 99 in 100
MOST_CONNECTIONS = 4
MOST_TIMES = 2.0  # another page of the process that streams, to that of an idle one
PAGES = 100
WEB = "touchline-web"  # the name under which the web process is known to PostgreSQL


@contextmanager
def web(folder, name=WEB):
    """A web process: (its port, the process). PostgreSQL knows it by `name`."""
    port = free_port()
    command = ["-m", "uvicorn", "config.asgi:application", "--port", str(port), "--log-level", "error"]
    child = processes.start(*command, DATA_DIR=folder, SECRET_KEY=settings.SECRET_KEY, PGAPPNAME=name)
    try:
        until_it_answers(port)
        yield port, child
    finally:
        child.kill()
        print(child.communicate()[0], end="")


def until_it_answers(port):
    deadline = time.monotonic() + processes.PATIENCE
    while time.monotonic() < deadline:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise TimeoutError("the web process did not start")


# --- First words ------------------------------------------------------------------------------------------------------


class Follower(threading.Thread):
    """Follows a session and notes when the first text of each turn arrived, as {turn: time}."""

    def __init__(self, port, session, secret):
        super().__init__(daemon=True)
        self.arrived = {}
        self.news = threading.Condition()
        self.wire = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Authorization": f"Bearer {secret}", "Accept": "text/event-stream"}
        self.wire.request("GET", f"/api/v1/coach/sessions/{session.pk}/events", headers=headers)
        self.answer = self.wire.getresponse()

    def run(self):
        while line := self.answer.readline():
            if line.startswith(b"data: "):
                event = json.loads(line[6:])
                with self.news:
                    if event["type"] == "text":
                        self.arrived.setdefault(event["turn"], time.monotonic())
                    if event["type"] in TurnEvent.CLOSING:
                        self.arrived[event["turn"], "end"] = time.monotonic()
                    self.news.notify_all()

    def first_text(self, turn):
        """When it arrived, once the turn has ended."""
        with self.news:
            assert self.news.wait_for(lambda: (turn, "end") in self.arrived, timeout=processes.PATIENCE)
            return self.arrived[turn]


def bare(client) -> float:
    """Seconds to the first text of the SDK alone."""
    began_at = time.monotonic()
    with client.messages.stream(
        model="scripted", max_tokens=1_000, messages=[{"role": "user", "content": "Why?"}]
    ) as answer:
        next(iter(answer.text_stream))
        return time.monotonic() - began_at


def first_words(owner, session, folder) -> bool:
    secret = factories.token(owner)
    words = model_server.text("It answered ", "before it had ", "looked the order up.")
    with model_server.serving([words]) as model:
        address = model.url.removeprefix("http://")
        told = {
            "OUTBOUND_ALLOW": address,
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": model.url,
            "COACH_MODEL": "scripted",
        }
        sdk = anthropic.Anthropic(api_key="key", base_url=model.url, max_retries=0)
        with processes.worker(8, DATA_DIR=folder, PYTHONWARNINGS="ignore", **told), web(folder) as (port, _):
            follower = Follower(port, session, secret)
            follower.start()
            wire = http.client.HTTPConnection("127.0.0.1", port)
            path = f"/api/v1/coach/sessions/{session.pk}/messages"
            headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
            floor, ours = [], []
            for _ in range(WARM_UP + QUESTIONS):
                floor.append(bare(sdk))
                began_at = time.monotonic()
                wire.request("POST", path, json.dumps({"text": "Why?"}), headers)
                answer = wire.getresponse()
                assert answer.status == 202, answer.read()
                turn = json.loads(answer.read())["turn"]["id"]
                ours.append(follower.first_text(turn) - began_at)
                time.sleep(0.3)
            wire.close()
    floor, ours = floor[WARM_UP:], ours[WARM_UP:]
    missed = False
    for percent, most in MOST_BEYOND.items():
        sdk_alone, whole = percentile(floor, percent), percentile(ours, percent)
        beyond = whole - sdk_alone
        missed |= beyond > most
        print(
            f"first words, p{percent}: {1000 * whole:.0f} ms, the bare SDK {1000 * sdk_alone:.0f} ms: "
            f"{1000 * beyond:.0f} ms more (at most {1000 * most:.0f})"
        )
    return missed


# --- Two hundred ------------------------------------------------------------------------------------------------------


@contextmanager
def readers(port, secret, session_ids):
    """A process that follows the sessions; a function that ends it and gives [[session, number, time]]."""
    command = [sys.executable, "-m", "tests.bench.stream_readers", str(port), secret, *session_ids]
    child = subprocess.Popen(
        command, cwd=settings.BASE_DIR, env=processes.environment(), text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert child.stdout.readline() == "open\n"
        yield lambda: json.loads(child.communicate("\n", timeout=processes.PATIENCE)[0])
    finally:
        child.kill()


def write_events(turns, seconds) -> dict:
    """One event a second in every session, evenly spread; {(session, number): when its row was written}."""
    written, began_at = {}, time.monotonic()

    def write(share):
        for second in range(seconds):
            for place, turn in share:
                time.sleep(max(0.0, began_at + second + place / len(turns) - time.monotonic()))
                event = sessions.append_event(turn, TurnEvent.Type.TEXT, text="Some words of an answer that grows. ")
                written[str(turn.session_id), event.number] = time.monotonic()
        connections.close_all()

    shares = [list(enumerate(turns))[start::4] for start in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, shares))
    return written


def pages(ports, cookie, count) -> list[list[float]]:
    """Seconds that a page takes on each of the web processes, asked for in turns every tenth of a second."""
    took = [[] for _ in ports]
    for _ in range(count):
        for port, each in zip(ports, took, strict=True):
            began_at = time.monotonic()
            wire = http.client.HTTPConnection("127.0.0.1", port)
            wire.request("GET", "/proposals", headers={"Cookie": cookie})
            answer = wire.getresponse()
            answer.read()
            wire.close()
            assert answer.status == 200
            each.append(time.monotonic() - began_at)
            time.sleep(0.05)
    return took


def held() -> int:
    """Database connections of the web process; a file's are not counted."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [WEB])
        return cursor.fetchone()[0]


def cpu_seconds(child) -> float:
    """What a process has used so far."""
    fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def two_hundred(owner, agent, folder) -> bool:
    secret = factories.token(owner)
    browser = Client()
    browser.force_login(owner.user)
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    turns = [sessions.ask(factories.session(agent, owner), by=owner, text="Why?") for _ in range(FOLLOWED)]
    with web(folder) as (port, process), web(folder, "touchline-idle") as (idle_port, _):
        pages([port, idle_port], cookie, 10)
        before_streams, _ = pages([port, idle_port], cookie, PAGES)
        with readers(port, secret, [str(turn.session_id) for turn in turns]) as end:
            time.sleep(12)  # until all is quiet
            before = cpu_seconds(process)
            time.sleep(5)
            idle = (cpu_seconds(process) - before) / 5
            counts, written = [held()], {}
            before = cpu_seconds(process)
            writing = threading.Thread(target=lambda: written.update(write_events(turns, SECONDS)))
            writing.start()
            while writing.is_alive():
                counts.append(held())
                time.sleep(0.5)
            busy = (cpu_seconds(process) - before) / SECONDS
            writing = threading.Thread(target=lambda: written.update(write_events(turns, SECONDS)))
            writing.start()
            streaming, alone = pages([port, idle_port], cookie, PAGES)
            with_pages = held()
            writing.join()
            time.sleep(1)
            arrived = {(session, number): at for session, number, at in end()}
    assert arrived.keys() == written.keys(), f"{len(written)} written, {len(arrived)} arrived"
    lags = [arrived[key] - at for key, at in written.items()]
    lag, times = percentile(lags, 99), percentile(streaming, 95) / percentile(alone, 95)
    print(
        f"{FOLLOWED} streams, {len(lags):,} events: from row to reader p50 {1000 * percentile(lags, 50):.0f} ms, "
        f"p99 {1000 * lag:.0f} ms (at most {1000 * MOST_LAG:.0f})"
    )
    print(f"the web process uses {100 * busy:.0f} % of a core for them, {100 * idle:.0f} % when all is quiet")
    if connection.vendor == "postgresql":
        print(
            f"database connections: {max(counts)} at most (limit {MOST_CONNECTIONS}), {with_pages} with pages asked for"
        )
    print(
        f"another page, p95: {1000 * percentile(streaming, 95):.0f} ms, of an idle web process at the same time "
        f"{1000 * percentile(alone, 95):.0f} ms: {times:.1f} times (at most {MOST_TIMES:.0f}); of the same process before "
        f"there were streams, their writers and their readers {1000 * percentile(before_streams, 95):.0f} ms"
    )
    return lag > MOST_LAG or max(counts) > MOST_CONNECTIONS or times > MOST_TIMES


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    owner = factories.owner(factories.workspace())
    agent = factories.ai_agent(owner.workspace)
    with tempfile.TemporaryDirectory() as folder:
        print(connection.vendor)
        missed = first_words(owner, factories.session(agent, owner), folder)
        return two_hundred(owner, agent, folder) or missed


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
