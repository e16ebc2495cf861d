"""What goes wrong in a Slack that is played: errors, limits, outages, and calls faster than it takes them."""

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

# Calls a minute of a method by one app in one team (https://docs.slack.dev/apis/web-api/rate-limits): its tier says "at least".
TIERS = {"chat.update": 50, "chat.delete": 50, "conversations.history": 50, "conversations.replies": 50}
TIERS |= {"conversations.list": 20, "conversations.info": 50, "users.info": 100, "chat.postEphemeral": 100}
BURST = 1.2  # "bursts are tolerated": how much more than that
POSTS_AT_ONCE = 3  # one message a second and channel; "short bursts" are taken, and nobody says how short


class Throttled(Exception):
    """429, for so many seconds."""

    def __init__(self, seconds: int):
        super().__init__(f"{seconds} s")
        self.seconds = seconds


@dataclass
class Spell:
    """What befalls the next `times` calls of a method (None: all), in one channel or in all."""

    method: str
    times: int | None = 1
    channel: str | None = None
    error: str = ""
    seconds: int = 0
    loses_answer: bool = False

    def fits(self, method: str, arguments: dict[str, Any]) -> bool:
        return self.method == method and self.channel in (None, arguments.get("channel")) and self.times != 0


class Paces:
    """How fast an app calls, where Slack is strict about it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.called: dict[tuple[str, str], deque[float]] = {}
        self.posted: dict[tuple[str, str], float] = {}  # when a channel has taken all that it was sent, at one a second

    def note_call(self, app_id: str, method: str) -> None:
        """Raises Throttled where the method's tier is used up."""
        if method not in TIERS:
            return
        now = time.monotonic()
        with self.lock:
            calls = self.called.setdefault((app_id, method), deque())
            while calls and calls[0] < now - 60:
                calls.popleft()
            if len(calls) >= TIERS[method] * BURST:
                raise Throttled(max(1, round(calls[0] + 60 - now)))
            calls.append(now)

    def note_post(self, app_id: str, channel: str) -> None:
        """Raises Throttled where the channel had more than one message a second, and a burst."""
        now = time.monotonic()
        with self.lock:
            taken = max(self.posted.get((app_id, channel), now), now)
            if taken - now > POSTS_AT_ONCE - 1:
                raise Throttled(1)
            self.posted[app_id, channel] = taken + 1
