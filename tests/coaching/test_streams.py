"""Following sessions: nothing lost, nothing twice, whatever the writers, the readers and the database do."""

import asyncio
import http.client
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection, connections
from django.test import Client

from agents.models import Door, Member
from coaching.actions import proposals, sessions
from coaching.models import TurnEvent
from coaching.talks import streams
from tests import factories
from tests.coaching import talks
from tests.coaching.test_api_sessions import connections_held
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)  # streams read over connections of their own
MANY = 50


@pytest.fixture
def address(transactional_db):
    with serving() as where:
        yield where
    connections.close_all()


@pytest.fixture
def turn(agent, owner):
    session = sessions.start(agent, by=owner, conversation=talks.conversation(agent))
    return sessions.ask(session, by=owner, text="Why?")


def cookie(member):
    browser = Client()
    browser.force_login(member.user)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


class PageStream:
    """A page that follows a session: signed in by cookie (a member's, or the cookie itself), reading frame by frame as
    {field: value}."""

    def __init__(self, address, session, member, query="", **headers):
        headers["Cookie"] = member if isinstance(member, str) else cookie(member)
        self.wire = http.client.HTTPConnection(*address, timeout=10)
        self.wire.request("GET", f"/coach/sessions/{session.pk}/stream?{query}", headers=headers)
        self.answer = self.wire.getresponse()

    def frame(self):
        """The next frame; None at the end of the stream."""
        lines = []
        while line := self.answer.readline().decode():
            if line == "\n":
                return {name: value for name, _, value in (each.partition(": ") for each in lines)}
            lines.append(line.rstrip("\n"))
        return None

    def event(self):
        """The next frame with an id, as what it says."""
        while True:
            frame = self.frame()
            if "id" in frame:
                said = json.loads(frame["data"])
                assert frame["id"] == str(said["id"])
                return said

    def until(self, event):
        """Read up to a frame of this event; what came before it."""
        before = []
        while (frame := self.frame()).get("event") != event:
            before.append(frame)
        return before

    def close(self):
        self.wire.close()


def write(turn, text):
    return sessions.append_event(turn, TurnEvent.Type.TEXT, text=text)


def test_page_follows_with_a_cookie_and_goes_on_where_it_ended(address, turn, owner):
    write(turn, "One ")
    page = PageStream(address, turn.session, owner)
    assert (page.answer.status, page.answer.getheader("Content-Type")) == (200, "text/event-stream")
    assert "no-store" in page.answer.getheader("Cache-Control")

    first = page.event()
    write(turn, "two.")
    second = page.event()
    page.close()
    write(turn, "Three.")
    resumed = PageStream(address, turn.session, owner, **{"Last-Event-ID": "2"})

    assert first == {"id": 1, "turn": str(turn.pk), "type": "text", "text": "One "}
    assert (second["id"], second["text"]) == (2, "two.")
    assert resumed.event() == {"id": 3, "turn": str(turn.pk), "type": "text", "text": "Three."}
    resumed.close()


def test_page_is_told_of_a_decision_and_of_a_question_of_somebody_else(address, turn, owner, admin, agent):
    proposal = factories.proposal(agent, session=turn.session, turn=turn)
    turn.session.refresh_from_db()
    seen = f"as_of={turn.session.updated_at.isoformat()}".replace("+", "%2B")
    page = PageStream(address, turn.session, owner, seen)
    assert page.frame() == {"retry": "500"}

    proposals.approve(proposal, by=admin, door=Door.API)
    assert page.frame() == {"event": "changed", "data": "{}"}
    sessions.ask(turn.session, by=admin, text="And why not?")
    assert page.frame() == {"event": "changed", "data": "{}"}
    page.close()

    later = PageStream(address, turn.session, owner, seen)  # it shows what was before both
    assert [later.frame(), later.frame()] == [{"retry": "500"}, {"event": "changed", "data": "{}"}]
    later.close()


def test_nothing_is_lost_while_many_write_and_many_read(address, agent, owner):
    turns = [sessions.ask(sessions.start(agent, by=owner), by=owner, text="Why?") for _ in range(3)]
    each, heard = 40, {}

    def writes(turn):
        for number in range(each):
            write(turn, str(number))
        connection.close()

    def reads(turn, reader):
        page = PageStream(address, turn.session, owner)
        heard[turn.pk, reader] = [page.event()["id"] for _ in range(each)]
        page.close()
        connection.close()

    threads = [threading.Thread(target=writes, args=[turn]) for turn in turns]
    threads += [threading.Thread(target=reads, args=[turn, reader]) for turn in turns for reader in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)

    whole = list(range(1, each + 1))
    assert heard == {(turn.pk, reader): whole for turn in turns for reader in range(3)}


def test_poller_outlives_a_database_that_fails_and_brings_what_was_missed(address, turn, owner, monkeypatch, caplog):
    monkeypatch.setattr(streams, "AFTER_AN_ERROR", 0.05)
    page = PageStream(address, turn.session, owner)
    write(turn, "before")
    assert page.event()["text"] == "before"

    with broken_events():
        write_blindly(turn, 2)
        time.sleep(0.3)
    write(turn, "after")

    assert [page.event()["id"] for _ in range(2)] == [2, 3]
    assert "could not be read" in caplog.text
    page.close()


@contextmanager
def broken_events():
    """The table of events cannot be read for a while."""
    table = TurnEvent._meta.db_table
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {table} RENAME TO gone")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE gone RENAME TO {table}")


def write_blindly(turn, number):
    """Write an event into the table that nobody finds at the moment."""
    TurnEvent._meta.db_table, table = "gone", TurnEvent._meta.db_table
    try:
        write(turn, str(number))
    finally:
        TurnEvent._meta.db_table = table


def test_slow_reader_holds_little_and_still_gets_everything(turn, monkeypatch):
    monkeypatch.setattr(streams, "MOST_WAITING", 5)
    monkeypatch.setattr(streams, "MOST_READ", 3)
    held = []

    async def read():
        def poller():
            return streams._pollers[asyncio.get_running_loop()]

        stream = streams.follow(turn.session_id, 0)
        write_one = asyncio.to_thread(in_a_thread, write, turn, "first")
        await write_one
        got = [await anext(stream)]
        for number in range(30):
            await asyncio.to_thread(in_a_thread, write, turn, str(number))
            await asyncio.sleep(0.01)
            (follower,) = poller().followers[turn.session_id]
            held.append(len(follower.waiting))
        while b"id: 31\n" not in got[-1]:
            got.append(await asyncio.wait_for(anext(stream), 5))
        await stream.aclose()
        return b"".join(got)

    with ThreadPoolExecutor(1) as elsewhere:  # the browser's client may run a loop in this thread
        told = elsewhere.submit(in_a_thread, asyncio.run, read()).result()

    ids = [int(line[4:]) for line in told.decode().splitlines() if line.startswith("id: ")]
    assert ids == list(range(1, 32))
    assert 0 < max(held) <= 5


def in_a_thread(work, *args):
    try:
        return work(*args)
    finally:
        connection.close()


def test_stream_shows_that_it_lives_and_ends_to_ask_again_who_reads(address, turn, owner, monkeypatch):
    monkeypatch.setattr(streams, "SIGN_OF_LIFE_EVERY", 0.05)
    monkeypatch.setattr(streams, "LONGEST", 0.5)
    page = PageStream(address, turn.session, owner)

    page.until("alive")
    Member.objects.filter(pk=owner.pk).update(role=Member.Role.MEMBER)
    while page.frame():
        pass
    page.close()
    again = PageStream(address, turn.session, owner, **{"Last-Event-ID": "0"})

    assert again.answer.status == 404
    again.close()


def test_many_streams_share_four_connections(address, turn, owner):
    ticket, pages = cookie(owner), [None] * MANY
    connection.close()
    if connection.vendor == "postgresql":
        connection.close_pool()  # from here on it holds what the streams need, and this test's own

    def enter(number):
        pages[number] = PageStream(address, turn.session, ticket)

    together = [threading.Thread(target=enter, args=[number]) for number in range(MANY)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join(timeout=20)
    write(turn, "to all")
    texts = [page.event()["text"] for page in pages]
    held = connections_held()
    for page in pages:
        page.close()

    assert texts == ["to all"] * MANY
    assert held <= 4


def test_streams_that_come_and_go_leave_no_connection_behind(address, turn, owner):
    """Each time the last reader leaves, the task that looks ends, and gives back the connection it looked with."""
    ticket = cookie(owner)
    write(turn, "hello")
    held = []
    for _ in range(6):
        page = PageStream(address, turn.session, ticket)
        page.event()
        page.close()
        page.answer.close()
        until_nobody_looks()
        held.append(taken())

    assert held[-1] <= held[0]


def taken():
    """Places of the pool that are not free again; a file has no pool."""
    if connection.vendor == "sqlite":
        return 0
    stats = connection.pool.get_stats()
    return stats["pool_size"] - stats["pool_available"]


def until_nobody_looks():
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("looker") for thread in threading.enumerate()):
        assert time.monotonic() < deadline, "the task that looks did not end"
        time.sleep(0.02)
