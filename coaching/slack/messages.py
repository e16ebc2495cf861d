"""The messages of one post in Slack: posted, changed and taken away until they are what was drawn.

How far it has come is stored after each, so that whoever goes on repeats nothing. That a message is on its way is stored before:
where nobody knows whether it arrived, it is looked for by its metadata before it is posted again.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from agents import work
from coaching.actions.slack import paces
from coaching.models import SlackConnection, SlackPost
from coaching.slack import client, errors
from coaching.slack.drawing import Drawing, Piece, draw

METADATA = "touchline_post"
APART = timedelta(minutes=5)  # at most, between Slack's clock and ours
PAGE, MOST_PAGES = 100, 20  # messages that are looked through at a time, and how often
QUIET = {"unfurl_links": False, "unfurl_media": False}


class NotYet(Exception):
    """There is a line for what is to be sent. `at` is the moment in it that is the post's own."""

    def __init__(self, at: datetime):
        super().__init__(at)
        self.at = at


class Messages:
    """Those of a post that this worker has claimed."""

    def __init__(self, post: SlackPost, connection: SlackConnection):
        self.post, self.connection = post, connection
        self.thread_ts = post.thread.thread_ts if post.thread is not None else None
        self.slot_at = post.slot_at  # until it is used
        self.in_line = ""  # the method whose turn it is

    def bring_in_step(self) -> Drawing:
        """Draw the post, and have its messages show that. Raises NotYet, errors.SlackError, work.LeaseLost."""
        self._wait_in_line(paces.UPDATE if self.post.pieces else paces.POST)
        if self.post.is_unsure:
            self._find()
        drawing = draw(self.post)
        if drawing.is_waiting:
            return drawing
        try:
            self._show(drawing.pieces)
        except errors.TooLong:
            drawing = draw(self.post, short=True)
            self._show(drawing.pieces)
        return drawing

    def _show(self, pieces: list[Piece]) -> None:
        for number, piece in enumerate(pieces):
            if number == len(self.post.pieces):
                self._post(piece)
            elif self.post.pieces[number]["hash"] != seal(piece):
                self._update(number, piece)
        while len(self.post.pieces) > len(pieces):
            self._delete_last()

    def _post(self, piece: Piece) -> None:
        at = {"thread_ts": self.thread_ts} if self.thread_ts else {}
        known = {"post": str(self.post.pk), "piece": len(self.post.pieces)}
        metadata = {"event_type": METADATA, "event_payload": known}
        self._wait_in_line(paces.POST)
        work.keep(self.post, is_unsure=True, slot_at=timezone.now())
        try:
            answer = self._call(paces.POST, text=piece.text, blocks=piece.blocks, metadata=metadata, **at, **QUIET)
        except errors.SlackError as error:
            if not (isinstance(error, errors.Broken) or getattr(error, "may_have_arrived", False)):
                work.keep(self.post, is_unsure=False)
            raise
        self._keep([*self.post.pieces, {"ts": answer["ts"], "hash": seal(piece)}])

    def _update(self, number: int, piece: Piece) -> None:
        self._wait_in_line(paces.UPDATE)
        shown = self.post.pieces[number]
        self._call(paces.UPDATE, ts=shown["ts"], text=piece.text, blocks=piece.blocks)
        self._keep([*self.post.pieces[:number], shown | {"hash": seal(piece)}, *self.post.pieces[number + 1 :]])

    def _delete_last(self) -> None:
        self._wait_in_line(paces.DELETE)
        with contextlib.suppress(errors.MessageGone):  # somebody was first
            self._call(paces.DELETE, ts=self.post.pieces[-1]["ts"])
        self._keep(self.post.pieces[:-1])

    def _find(self) -> None:
        """Take up what arrived although nobody said so. What it shows is not known: it will be changed."""
        there = {}
        for message in self._recent():
            metadata = message.get("metadata") or {}
            known = metadata.get("event_payload") or {}
            if metadata.get("event_type") == METADATA and known.get("post") == str(self.post.pk):
                there[known.get("piece")] = message["ts"]
        pieces = list(self.post.pieces)
        while len(pieces) in there:
            pieces.append({"ts": there[len(pieces)], "hash": ""})
        self._keep(pieces)

    def _recent(self) -> Iterator[dict[str, Any]]:
        """The messages in its thread, or else in its channel, since there is something to post.

        Not since it was last tried: when that was is not kept, for its place in the line moves on while Slack is away.
        """
        method = "conversations.replies" if self.thread_ts else "conversations.history"
        since = self.post.created_at - APART
        asked: dict[str, Any] = {"oldest": str(since.timestamp()), "limit": PAGE, "include_all_metadata": True}
        asked |= {"ts": self.thread_ts} if self.thread_ts else {}
        for _ in range(MOST_PAGES):
            answer = client.call(self.connection, method, channel_id=self.post.channel_id, **asked)
            yield from answer.get("messages", [])
            cursor = (answer.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return
            asked["cursor"] = cursor

    def _wait_in_line(self, method: str) -> None:
        if self.in_line == method:
            return
        is_urgent = self.post.kind == SlackPost.Kind.ANSWER
        at = paces.slot(self.connection, method, self.post.channel_id, held=self.slot_at, is_urgent=is_urgent)
        if at is not None:
            raise NotYet(at)
        self.in_line = method

    def _call(self, method: str, **arguments: Any) -> dict[str, Any]:
        slot_at, self.in_line, self.slot_at = self.slot_at, "", None
        try:
            return client.call(self.connection, method, channel_id=self.post.channel_id, **arguments)
        except errors.TooLong:  # what is shorter goes in its place
            self.in_line, self.slot_at = method, slot_at
            raise

    def _keep(self, pieces: list[dict[str, str]]) -> None:
        values: dict[str, Any] = {"pieces": pieces, "is_unsure": False, "slot_at": None}
        if pieces:
            values |= {"state": SlackPost.State.POSTED, "posted_at": self.post.posted_at or timezone.now()}
        work.keep(self.post, **values)


def seal(piece: Piece) -> str:
    """What tells whether a message shows this."""
    return hashlib.sha256(json.dumps([piece.text, piece.blocks], sort_keys=True).encode()).hexdigest()[:32]
