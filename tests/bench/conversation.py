"""The conversation page of 20 and of 2,000 turns: its time against reading the transcript, its weight, its way to the eye.

    python -m tests.bench conversation

Each conversation is a round of five turns over and over (a question, a call, its answer in JSON, words, words), a turn a minute,
so that it spans days. The page is the whole answer to a signed-in leader through Django's test client. The bare work is what no
page of it can do without: its transcript read from the store. Both take turns. The fixed part is the page of 20 turns, where
the frame and the coach's panel are nearly all of it; what a turn costs is what 2,000 cost more than 20, by the turn. Then
Chromium opens the page from a real server: until it paints first, until its scripts have run, and until turn 1,999 has been
chosen, far below what is in sight. Exits with 1 where a turn of the page costs more than fifteen times its reading or weighs
more than 600 bytes, or choosing the last turn takes more than three seconds.
"""

import gzip
import os
import time
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

import numpy as np
from django.db import connection, connections
from django.test import Client
from django.utils import timezone

from helpdesk import sources
from helpdesk.models import StoredTranscript
from tests import factories
from tests.bench.measuring import own_database, seconds
from tests.coaching import talks
from tests.serving import serving

SIZES = (20, 2_000)
RUNS = 15  # of page and bare work each
OPENED = 5  # times in the browser
MOST_TIMES = 15.0
HEAVIEST = 600  # bytes a turn
SLOWEST = 3.0  # seconds until the last turn is chosen
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
ROUND = (
    ("customer", "I was charged twice for order W-{n:05}. I want one of them back, and I have asked for it before."),
    ("agent", '[calls find_order({{"order": "W-{n:05}", "with": ["payments", "refunds"]}})]'),
    (
        "tool",
        '{{"order": "W-{n:05}", "payments": [{{"amount": 39.0, "at": "2026-11-01"}}, {{"amount": 39.0, "at": "2026-11-02"}}]}}',
    ),
    (
        "agent",
        "Thank you. I can see the order. I'll have to check whether we can do that; refunds usually need an approval.",
    ),
    ("customer", "It says 30 days, automatic, on your own page?"),
)


@dataclass(frozen=True)
class Measured:
    """One size: seconds of the page and of reading its transcript (medians), bytes as they are and gzipped."""

    turns: int
    page: float
    bare: float
    weight: int
    zipped: int


def conversation(agent, size):
    """A stored conversation of `size` turns, a minute apart."""
    said = enumerate(islice(cycle(ROUND), size))
    row = talks.conversation(agent, [(role, text.format(n=n)) for n, (role, text) in said])
    stored = StoredTranscript.objects.get(conversation=row)
    began = int(timezone.now().timestamp()) - size * 60
    for n, turn in enumerate(stored.turns):
        turn |= {"at": (began + n * 60) * 1000} | ({"name": "find_order"} if turn["role"] == "tool" else {})
    stored.save()
    return row


def measure(owner, row) -> Measured:
    client = Client(SERVER_NAME="localhost")
    client.force_login(owner.user)
    path = f"/conversations/{row.pk}"
    answer = client.get(path)
    page, bare = [], []
    for _ in range(RUNS):
        page.append(seconds(lambda: client.get(path)))
        bare.append(seconds(lambda: sources.read(row)))
    return Measured(
        turns=row.turn_count,
        page=float(np.median(page)),
        bare=float(np.median(bare)),
        weight=len(answer.content),
        zipped=len(gzip.compress(answer.content)),
    )


def opened(owner, row) -> tuple[float, float, float]:
    """Seconds to the first paint, to the end of loading and to the last turn chosen, in Chromium (medians)."""
    from playwright.sync_api import sync_playwright  # only where the browser is installed

    client = Client()
    client.force_login(owner.user)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value}
    last = f"#turn-{row.turn_count - 1}"
    found = []
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # playwright's loop runs in this thread
    with serving() as (host, port), sync_playwright() as playwright:
        address = f"http://{host}:{port}"
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM), args=["--headless=new", "--no-sandbox", "--disable-gpu"]
        )
        for _ in range(OPENED):
            context = browser.new_context(viewport={"width": 1440, "height": 1000})
            context.add_cookies([{**cookie, "url": address}])
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{address}/conversations/{row.pk}")
            page.locator(f"{last} input[name=turn]").check()
            page.locator("#picked:not([hidden])").wait_for()
            chosen = time.perf_counter() - began
            painted, loaded = page.evaluate(
                "[performance.getEntriesByName('first-contentful-paint')[0].startTime,"
                " performance.getEntriesByType('navigation')[0].loadEventEnd]"
            )
            found.append((painted / 1000, loaded / 1000, chosen))
            context.close()
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]
    connections.close_all()
    return tuple(float(one) for one in np.median(found, axis=0))


def measured() -> bool:
    """Fill, measure and print; whether a limit was missed."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    agent = factories.ai_agent(workspace)
    rows = [conversation(agent, size) for size in SIZES]
    few, many = (measure(owner, row) for row in rows)
    print(f"{connection.vendor}; medians of {RUNS}")
    print(f"{'turns':>6} {'page':>9} {'reading':>9} {'times':>6} {'weight':>9} {'gzipped':>9}")
    for one in (few, many):
        times = f"{one.page / one.bare:.1f}"
        print(
            f"{one.turns:>6,} {1000 * one.page:>6.1f} ms {1000 * one.bare:>6.1f} ms {times:>6}"
            f" {one.weight / 1000:>6.0f} KB {one.zipped / 1000:>6.1f} KB"
        )
    n = many.turns - few.turns
    page, bare, weight = (many.page - few.page) / n, (many.bare - few.bare) / n, (many.weight - few.weight) / n
    print(
        f"a turn more: {1e6 * page:.0f} µs, {page / bare:.1f} times its reading, and {weight:.0f} bytes;"
        f" a turn of the short page: {1e6 * few.page / few.turns:.0f} µs"
    )
    missed = page > MOST_TIMES * bare or weight > HEAVIEST
    if CHROMIUM.exists():
        for row in rows:
            painted, loaded, chosen = opened(owner, row)
            print(
                f"{row.turn_count:>6,} turns in Chromium, medians of {OPENED}: first paint {1000 * painted:.0f} ms, loaded"
                f" {1000 * loaded:.0f} ms, last turn chosen {1000 * chosen:.0f} ms"
            )
        missed = missed or chosen > SLOWEST
    else:
        print(f"Chromium is not installed at {CHROMIUM}: nothing was opened")
    return missed


def main() -> bool:
    """Measure in a database of its own, made and dropped again. True where a limit was missed."""
    with own_database():
        return measured()
