"""Following a session while it happens. One poller per web process asks the database for all streams together."""

import asyncio
import json
import logging
import time
from collections import defaultdict
from weakref import WeakKeyDictionary

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from rest_framework import serializers

from agents.api_base import ChoiceField, IdField, WholeField
from coaching.models import Session, TurnEvent

LOOK_EVERY = 0.25  # seconds
SIGN_OF_LIFE_EVERY = 15  # seconds without an event after which a comment keeps proxies from closing the stream
LONGEST = 600  # seconds; whoever takes the stream up again is asked again who they are
MOST_EVENTS = 5_000  # of one look

log = logging.getLogger(__name__)


class EventShown(serializers.Serializer):
    """`text` events carry `text` (a delta), `tool` events `name` and `ok`, `proposal` events `proposal`, failures `error`."""

    id = WholeField()
    turn = IdField()
    type = ChoiceField(choices=TurnEvent.Type.choices)
    text = serializers.CharField(required=False)
    name = serializers.CharField(required=False)
    ok = serializers.BooleanField(required=False)
    proposal = IdField(required=False)
    error = serializers.CharField(required=False)


class EventsShown(serializers.Serializer):
    items = EventShown(many=True)


def events_after(session_id, number) -> list[dict]:
    """The session's events behind `number`, oldest first, at most 5,000, each {id, turn, type, …}."""
    rows = TurnEvent.objects.filter(session_id=session_id, number__gt=number).order_by("number")[:MOST_EVENTS]
    return [{**row.data, "id": row.number, "turn": str(row.turn_id), "type": row.type} for row in rows]


async def follow(session_id, after):
    """Yield server-sent events of the session behind number `after`, as they come, for some minutes."""
    watch = _watch()
    ends_at = time.monotonic() + LONGEST
    news = watch.add(session_id)
    try:
        while time.monotonic() < ends_at:
            news.clear()  # before looking, so that what comes while looking is not missed
            for event in await _alone(events_after)(session_id, after):
                after = event["id"]
                yield f"id: {after}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()
            try:
                await asyncio.wait_for(news.wait(), SIGN_OF_LIFE_EVERY)
            except TimeoutError:
                yield b": still here\n\n"
    finally:
        watch.remove(session_id, news)


class Watch:
    """Wakes the followers of a session when its number of events has risen. Polls only while there are followers."""

    def __init__(self):
        self.followers = defaultdict(set)
        self.written = {}
        self.poller = None

    def add(self, session_id):
        news = asyncio.Event()
        self.followers[session_id].add(news)
        if self.poller is None or self.poller.done():
            self.poller = asyncio.create_task(self._poll())
        return news

    def remove(self, session_id, news):
        self.followers[session_id].discard(news)
        if not self.followers[session_id]:
            del self.followers[session_id]
            self.written.pop(session_id, None)

    async def _poll(self):
        while self.followers:
            try:
                seen = await _alone(_events_written)(list(self.followers))
            except DatabaseError:
                log.exception("The sessions that are followed could not be read.")
                seen = {}
            for session_id, written in seen.items():
                if self.written.get(session_id) != written:
                    self.written[session_id] = written
                    for news in self.followers.get(session_id, ()):
                        news.set()
            await asyncio.sleep(LOOK_EVERY)


_watches: WeakKeyDictionary = WeakKeyDictionary()  # one for each event loop, so one for each web process


def _watch():
    return _watches.setdefault(asyncio.get_running_loop(), Watch())


def _events_written(session_ids):
    return dict(Session.objects.filter(pk__in=session_ids).values_list("pk", "events_written"))


def _alone(look):
    """`look` in a thread of its own, its database connection given back afterwards."""

    def looked(*args):
        try:
            return look(*args)
        finally:
            close_old_connections()

    return sync_to_async(looked, thread_sensitive=False)
