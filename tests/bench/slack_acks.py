"""How soon Slack is answered: 50 events a second for a minute on one web process, with the coach busy.

The web process follows fifty sessions for their readers meanwhile, with an event a second in each, and the worker follows what
Slack tells: twice a second somebody asks a coach something, which is told as a mention and as a message, and whose answer comes
in pieces for some seconds; the rest are replies in threads of people, kept and found to be none of our business. Slack takes the
answers. The sender keeps its pace whatever becomes of what it sent, and a time is timed from when an event was due. The floor
is sent the same by the same sender: a bare ASGI application under the same server, which verifies the signature and answers.
"""

import itertools
import json
import statistics
import tempfile
import threading
import time

from django.conf import settings
from django.test import override_settings

from coaching.actions import sessions
from coaching.models import SlackReceipt
from tests import factories, model_server, processes
from tests.bench.hooks import floor
from tests.bench.measuring import percentile
from tests.bench.slack_world import World, owed, served, world
from tests.bench.streams import cpu_seconds, readers, web, write_events
from tests.slack import Slack, told
from tests.slack.world import Message, new_ts

RATE, SECONDS = 50, 60
WARM_UP = 2  # seconds
ASKED = 2  # of a second's events; each is told twice
FLOOR_SECONDS = 10
STREAMS = 50
MOST_P999 = 3.0  # seconds: Slack tells it again after these
PATIENCE = 600  # seconds until all is followed
PIECES = [f"Piece {n} of an answer that takes its time. " for n in range(10)]

BARE = """
import hashlib, hmac

SECRET = %r

async def application(scope, receive, send):
    if scope["type"] != "http":
        return
    headers, body, more = dict(scope["headers"]), b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    stamp = headers[b"x-slack-request-timestamp"]
    right = b"v0=" + hmac.digest(SECRET, b"v0:" + stamp + b":" + body, hashlib.sha256).hex().encode()
    status = 200 if hmac.compare_digest(right, headers[b"x-slack-signature"]) else 401
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
"""


def events(here: World, seconds: int) -> list[dict]:
    """What Slack tells in these seconds, in its order."""
    people, places, made = itertools.cycle(here.users), itertools.cycle(here.channels), []
    for _ in range(seconds):
        for number in range(RATE - ASKED):
            channel, user = next(places), next(people)
            if number < ASKED:
                asked = channel.add(Message(channel, new_ts(), f"<@{here.team.bot_user_id}> Why is that so?", user.id))
                made.append(told.event(here.team.app, told.mentioned(asked, user)))
                made.append(told.event(here.team.app, told.said(asked, user)))
            else:
                reply = Message(channel, new_ts(), "I think so too.", user.id, thread_ts="1595926230.009600")
                made.append(told.event(here.team.app, told.said(reply, user)))
    return made


def sent(port: int, payloads: list[dict], secret: str) -> dict:
    """What became of them."""
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        file.writelines(json.dumps([payload, secret]) + "\n" for payload in payloads)
        file.flush()
        child = processes.start("-m", "tests.bench.slack_sender", str(port), file.name, str(RATE))
        try:
            assert child.stdout.readline() == "ready\n"
            child.stdin.write("\n")
            child.stdin.flush()
            return json.loads(child.communicate(timeout=processes.PATIENCE + len(payloads) / RATE)[0])
        finally:
            child.kill()


def shown(name: str, answered: dict) -> tuple[float, float]:
    """(p50, p99.9)"""
    took = answered["took"]
    p999 = statistics.quantiles(took, n=1_000, method="inclusive")[998]
    print(
        f"{name}: p50 {1000 * percentile(took, 50):.1f} ms, p99 {1000 * percentile(took, 99):.0f} ms, "
        f"p99.9 {1000 * p999:.0f} ms, at most {1000 * max(took):.0f} ms; answers {answered['statuses']}"
    )
    return percentile(took, 50), p999


def measured() -> bool:
    """Tell, wait until all is followed, and print; whether the limit was missed."""
    with Slack() as slack, model_server.serving([model_server.slowly(PIECES, seconds=0.4)]) as model:
        here = world(slack, channels=5, users=20)
        payloads = events(here, WARM_UP + SECONDS)
        timed = payloads[WARM_UP * RATE :]
        with floor(BARE % here.team.signing_secret.encode()) as port:
            bare = shown("a bare application", sent(port, payloads[: RATE * FLOOR_SECONDS], here.team.signing_secret))
        turns = [
            sessions.ask(factories.session(here.agents[0], here.owner), by=here.owner, text="Why?")
            for _ in range(STREAMS)
        ]
        for turn in turns:
            sessions.claim(turn.pk)  # its events are written here
        coach = {
            "OUTBOUND_ALLOW": model.url.removeprefix("http://"),
            "ANTHROPIC_API_KEY": "key",
            "ANTHROPIC_BASE_URL": model.url,
            "COACH_MODEL": "scripted",
        }
        secret, ids = factories.token(here.owner), [str(turn.session_id) for turn in turns]
        with (
            override_settings(SLACK_API_URL=slack.api_url),
            served(slack, threads=12, **coach),
            web(str(settings.DATA_DIR)) as (port, child),
            readers(port, secret, ids) as end,
        ):
            sent(port, payloads[: WARM_UP * RATE], here.team.signing_secret)
            writing = threading.Thread(target=write_events, args=[turns, SECONDS])
            writing.start()
            began, before = time.monotonic(), cpu_seconds(child)
            answered = sent(port, timed, here.team.signing_secret)
            used = cpu_seconds(child) - before
            behind = SlackReceipt.objects.owed().count()
            writing.join()
            end()
            while owed() and time.monotonic() - began < PATIENCE:
                time.sleep(1)
            took, left = time.monotonic() - began, owed()
        p50, p999 = shown("one web process", answered)
        answers = sum(len(channel.posts) for channel in here.channels)
        kept = SlackReceipt.objects.count()
    asked = ASKED * (WARM_UP + SECONDS)
    print(
        f"p50 {p50 / bare[0]:.1f} times that of the bare application; p99.9 at most {1000 * MOST_P999:.0f} ms; "
        f"{1000 * used / len(timed):.1f} ms of a processor for each event, with the streams"
    )
    print(
        f"{len(payloads):,} events: {kept:,} receipts, {behind:,} not followed yet at the last answer; {left:,} owed "
        f"{took:.0f} s after the first, with {answers} answers to {asked} questions"
    )
    everything = answered["statuses"] == {"200": len(timed)} and kept == len(payloads) - asked  # told twice, kept once
    return p999 > MOST_P999 or not everything or left > 0 or answers != asked
