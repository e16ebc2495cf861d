"""Following talks with the coach while they happen, for the API's streams and the pages' alike.

However many streams a web process has open, one task looks for what is new in all followed sessions: one question to the
database says which have moved, a second brings the new events of these. It hands them out in memory. A stream asks by
itself only at its start, and again where its reader fell so far behind that waiting for it would fill the memory.

In a web process streams hold four database connections at most: one that looks, one that catches up, and two at the door,
where people are recognised one pair at a time and give their connection back before the stream begins.
"""

import asyncio
import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import reduce
from operator import or_

from django.db import connection
from django.db.models import Q
from django.http import StreamingHttpResponse

from coaching.models import Session, TurnEvent

# Seconds between two looks: short after anything moved, longer when all is quiet, and never so short that looking takes
# more than a fifth (a twentieth) of the time.
PAUSE, QUIET_PAUSE = 0.02, 0.1
QUIET_AFTER = 10
AFTER_AN_ERROR = 1
SIGN_OF_LIFE_EVERY = 15  # seconds without an event after which a comment keeps proxies from closing the stream
LONGEST = 300  # seconds; whoever takes the stream up again is asked again who they are
MOST_WAITING = 200  # events that wait for one slow reader; it reads the rest from the database when it is ready
MOST_READ = 500  # events of one session that are read at once
MOST_EVENTS = 5_000  # of one look, and of one answer without a stream
SIGN_OF_LIFE = b": still here\n\n"
CHANGED = b"event: changed\ndata: {}\n\n"
# Pages come back quickly, and see the sign of life: a connection that died unnoticed shows no other.
COME_BACK = b"retry: 500\n\n"
SIGN_OF_LIFE_FOR_PAGES = b"event: alive\ndata: {}\n\n"

log = logging.getLogger(__name__)
_door = threading.BoundedSemaphore(2)


@contextmanager
def at_the_door():
    """Recognise who asks for a stream: two at a time, their database connection given back at the end. Also a decorator."""
    with _door:
        try:
            yield
        finally:
            if not connection.in_atomic_block:  # a transaction around the request keeps its connection
                connection.close()


def events_after(session_id, number, most=MOST_EVENTS) -> list[dict]:
    """The session's events behind `number`, oldest first, at most `most`, each {id, turn, type, …}."""
    rows = TurnEvent.objects.filter(session_id=session_id, number__gt=number).order_by("number")[:most]
    return [_event(*row) for row in rows.values_list("number", "turn_id", "type", "data")]


def frame(event) -> bytes:
    """The event as it goes over the wire."""
    return f"id: {event['id']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def answer(request, session_id, after, *, as_of=None):
    """The response that is a stream: behind the `Last-Event-ID` header where there is one, else behind `after`."""
    last = request.headers.get("Last-Event-ID", "")
    if last.isascii() and last.isdigit() and len(last) < 10:
        after = int(last)
    return StreamingHttpResponse(
        follow(session_id, after, as_of=as_of),
        content_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def follow(session_id, after, *, as_of=None):
    """Yield server-sent events of the session behind number `after`, as they come, for some minutes.

    Pages give `as_of`, the `updated_at` of the session they show: they get a `changed` without an id whenever something
    else about it is different from what they have, such as a new question or the decision on a proposal.
    """
    poller = _poller()
    ends_at = time.monotonic() + LONGEST
    is_page = as_of is not None
    follower = poller.add(session_id, tells_changes=is_page)
    try:
        if is_page:
            yield COME_BACK
        while time.monotonic() < ends_at:
            follower.news.clear()  # before looking, so that what comes meanwhile is not missed
            if follower.is_behind:
                follower.is_behind = False  # from here on the poller gives it what is new
                caught_up = await poller.read(session_id, after)
                if caught_up is None:
                    follower.is_behind = True
                    await asyncio.sleep(AFTER_AN_ERROR)
                    continue
                updated_at, frames = caught_up
                follower.is_behind |= len(frames) == MOST_READ
                if is_page and updated_at is not None and updated_at != as_of:
                    follower.has_changed, as_of = True, updated_at
            else:
                frames = follower.take()
            fresh = [(number, wire) for number, wire in frames if number > after]
            if fresh:
                after = fresh[-1][0]
                yield b"".join(wire for _, wire in fresh)
            if follower.has_changed:
                follower.has_changed = False
                yield CHANGED
            if follower.is_behind or follower.waiting:
                continue
            try:
                async with asyncio.timeout(min(SIGN_OF_LIFE_EVERY, ends_at - time.monotonic())):
                    await follower.news.wait()
            except TimeoutError:
                yield SIGN_OF_LIFE_FOR_PAGES if is_page else SIGN_OF_LIFE
    finally:
        poller.remove(session_id, follower)


class Follower:
    """One open stream: the events that wait for its reader. `is_behind` where it has to read for itself first."""

    def __init__(self, tells_changes):
        self.tells_changes = tells_changes
        self.waiting = []
        self.is_behind = True
        self.has_changed = False
        self.news = asyncio.Event()

    def give(self, frames, has_changed):
        if not self.is_behind:
            self.waiting += frames
            if len(self.waiting) > MOST_WAITING:
                self.waiting, self.is_behind = [], True
        self.has_changed |= has_changed and self.tells_changes
        self.news.set()

    def take(self):
        taken, self.waiting = self.waiting, []
        return taken


class Poller:
    """Looks for what is new in all followed sessions while there are followers. One for each web process."""

    def __init__(self):
        self.followers: dict = {}
        self.known: dict = {}  # {session: (number of the newest event that was given out, updated_at)}
        self.task = None
        self.moved_at = 0.0
        self.hurry = asyncio.Event()
        self.looker = ThreadPoolExecutor(1, thread_name_prefix="looker")
        self.reader = ThreadPoolExecutor(1, thread_name_prefix="catching-up")

    def add(self, session_id, tells_changes):
        follower = Follower(tells_changes)
        self.followers.setdefault(session_id, set()).add(follower)
        if self.task is None:
            self.task = asyncio.create_task(self._poll())
        return follower

    def remove(self, session_id, follower):
        self.followers[session_id].discard(follower)
        if not self.followers[session_id]:
            del self.followers[session_id]
            self.known.pop(session_id, None)

    async def read(self, session_id, after):
        """(updated_at, [(number, frame)]) of a session behind `after`, or None where the database failed."""
        try:
            updated_at, written, frames = await _in(self.reader, _read, session_id, after)
        except Exception:
            log.exception("A session could not be read for its stream.")
            return None
        if session_id in self.followers:
            newest = frames[-1][0] if frames else written
            self.known.setdefault(session_id, (newest, updated_at))
        self._expect()
        return updated_at, frames

    def _expect(self):
        self.moved_at = time.monotonic()
        self.hurry.set()

    async def _poll(self):
        try:
            while self.followers:
                self.hurry.clear()
                pause = AFTER_AN_ERROR
                try:
                    moved, took = await _in(self.looker, _look, dict(self.known))
                except Exception:  # whatever it was: the next look brings what was missed
                    log.exception("The sessions that are followed could not be read.")
                else:
                    self._hand_out(moved)
                    is_quiet = time.monotonic() - self.moved_at > QUIET_AFTER
                    pause = max(QUIET_PAUSE, 19 * took) if is_quiet else max(PAUSE, 4 * took)
                try:
                    async with asyncio.timeout(pause):
                        await self.hurry.wait()
                except TimeoutError:
                    pass
        finally:  # nobody follows any more, or the process ends
            _pollers.pop(asyncio.get_running_loop(), None)
            self.looker.submit(_close)
            self.looker.shutdown(wait=False)
            self.reader.shutdown(wait=False)

    def _hand_out(self, moved):
        for session_id, (updated_at, frames) in moved.items():
            if session_id not in self.known:
                continue  # its last reader left while we looked
            number, before = self.known[session_id]
            self.known[session_id] = (frames[-1][0] if frames else number, updated_at)
            for follower in self.followers[session_id]:
                follower.give(frames, updated_at != before)
        if moved:
            self.moved_at = time.monotonic()


def _look(known):
    """{session: (updated_at, [(number, frame)])} of the sessions that have moved from `known`, and the seconds of work
    that took; two queries at most."""
    began_at = time.thread_time()  # work, not waiting: on a busy machine the looks must not become rarer as well
    try:
        moved, behind = {}, []
        rows = Session.objects.filter(pk__in=known).values_list("pk", "events_written", "updated_at")
        for pk, written, updated_at in rows if known else ():
            number, before = known[pk]
            if written > number:
                behind.append(Q(session_id=pk, number__gt=number))
            if written > number or updated_at != before:
                moved[pk] = (updated_at, [])
        if behind:
            found = TurnEvent.objects.filter(reduce(or_, behind)).order_by("session_id", "number")[:MOST_EVENTS]
            for pk, *row in found.values_list("session_id", "number", "turn_id", "type", "data"):
                moved[pk][1].append((row[0], frame(_event(*row))))
        return moved, time.thread_time() - began_at
    except Exception:
        connection.close()  # the next look begins with a new one
        raise


def _read(session_id, after):
    """(updated_at, events_written, [(number, frame)]); the session is read first, so no event lies between the two."""
    try:
        session = Session.objects.filter(pk=session_id).values_list("updated_at", "events_written").first()
        frames = [(event["id"], frame(event)) for event in events_after(session_id, after, MOST_READ)]
        return *(session or (None, 0)), frames
    finally:
        connection.close()


def _close():
    """Give back the connection of the thread that runs this; `connection.close` alone would be bound where it is named."""
    connection.close()


def _event(number, turn_id, type_, data):
    return {**data, "id": number, "turn": str(turn_id), "type": type_}


def _in(executor, work, *args):
    return asyncio.get_running_loop().run_in_executor(executor, work, *args)


_pollers: dict = {}  # one for each event loop, so one for each web process


def _poller():
    loop = asyncio.get_running_loop()
    if loop not in _pollers:
        _pollers[loop] = Poller()
    return _pollers[loop]
