"""What Settings › Model shows: what answers now and why, the last test, the last changes, and what was used."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import pairwise
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db.models import Count, F
from django.db.models.functions import Coalesce, Now, TruncDate
from django.utils import timezone

from coaching import llm, usage
from coaching.actions import connections
from coaching.models import ModelConnection, ModelTest

SHOWN_CHANGES = 5
SHOWN_TALKS = 5
DAYS = 14
LATE = timedelta(seconds=20)  # after which a leader should know that no worker has taken it
CHECK_NAMES = {
    "address": "Address",
    "key": "Key",
    "model": "Model",
    "effort": "Request and effort",
    "answer": "Answer streams",
    "tools": "Tool use",
}
STATES = {"ok": "Works", "failed": "Failed", "not_reached": "Not reached", "waiting": "Not yet"}

# The picture of the days, in units of its view box; the width is the one that `.picture` sizes its words for.
WIDTH, HEIGHT, TOP, BOTTOM, LEFT = 452, 132, 8, 112, 44


@dataclass(frozen=True)
class Check:
    """One line of a test."""

    name: str
    state: str
    sentence: str

    @property
    def state_name(self):
        return STATES[self.state]


@dataclass(frozen=True)
class TestPart:
    """The newest test, None where there was none. `took` is {ms, tokens} where the model answered."""

    newest: ModelTest | None
    can_test: bool
    checks: list[Check]
    took: dict | None
    model: str
    is_stale: bool

    @property
    def is_running(self):
        return self.newest is not None and self.newest.finished_at is None

    @property
    def is_late(self):
        """Whether no worker has taken it for a while. One that is tried again waits on purpose."""
        return not self.newest.attempts and timezone.now() - self.newest.asked_at > LATE

    @property
    def failed(self):
        return next((check for check in self.checks if check.state == "failed"), None)

    @property
    def state(self):
        if self.newest is None:
            return "none"
        if self.is_running:
            return "running"
        return "failed" if self.failed else "passed"


@dataclass(frozen=True)
class Change:
    """One version of the connection: what it changed, in words."""

    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Day:
    """What the turns that ended on a day used, in tokens by kind; `bars` are the day's part of the picture."""

    day: date
    turns: int = 0
    sent: int = 0
    kept: int = 0
    from_cache: int = 0
    answered: int = 0
    bars: tuple[tuple[str, float, float], ...] = ()  # (kind, top, height)
    x: float = 0

    @property
    def total(self):
        return self.sent + self.kept + self.from_cache + self.answered


@dataclass(frozen=True)
class Talk:
    """A talk with a coach and what it used in the days that are shown."""

    session: UUID
    agent: str
    started_at: datetime
    turns: int
    tokens: int


@dataclass(frozen=True)
class Usage:
    """Tokens of the last days, oldest first, today last. `limit` is None where there is none."""

    days: list[Day]
    talks: list[Talk]
    limit: int | None
    highest: int

    width, height, bottom, left = WIDTH, HEIGHT, BOTTOM, LEFT

    @property
    def today(self):
        return self.days[-1]

    @property
    def highest_words(self):
        """The scale of the picture, short: 870, 12k, 3.4m."""
        for size, unit in ((1_000_000, "m"), (1_000, "k")):
            if self.highest >= size:
                return f"{self.highest / size:.3g}{unit}"
        return str(self.highest)

    @property
    def newest_first(self):
        return self.days[::-1]

    @property
    def total(self):
        return sum(day.total for day in self.days)

    @property
    def turns(self):
        return sum(day.turns for day in self.days)

    @property
    def is_used_up(self):
        return self.limit is not None and self.today.total >= self.limit


@dataclass(frozen=True)
class Page:
    """Everything on the page. `answers` is what is asked now, `host` the server of the workspace's own connection."""

    own: ModelConnection
    answers: llm.Connection
    by: str
    at: datetime | None
    host: str
    is_own: bool
    is_unreadable: bool
    fallback: str
    changes: list[Change]
    more_changes: bool
    test: TestPart
    usage: Usage


def load(workspace):
    """The page of a workspace. The same number of queries whatever was stored."""
    own, answers = connections.stored(workspace), connections.of(workspace.pk)
    versions = _versions(own)
    changes = _changes(versions)
    return Page(
        own=own,
        answers=answers,
        by=changes[0].by if changes else "",
        at=changes[0].at if changes else None,
        host=_host(own.base_url),
        is_own=bool(own.key),
        is_unreadable=connections.is_unreadable(own),
        fallback=_fallback(),
        changes=changes[:SHOWN_CHANGES],
        more_changes=len(changes) > SHOWN_CHANGES,
        test=load_test(workspace),
        usage=_usage(workspace),
    )


def load_test(workspace):
    """The part about the test. While one waits or runs the page asks for it again every second."""
    newest = (
        ModelTest.objects.filter(workspace=workspace).select_related("asked_by__user").order_by("-asked_at").first()
    )
    told = {check["check"]: check for check in newest.checks} if newest else {}
    as_tried = told.get("connection", {})
    return TestPart(
        newest=newest,
        can_test=not connections.of(workspace.pk).is_practice,
        checks=[_check(name, told.get(name), bool(newest and newest.finished_at)) for name in connections.CHECKS],
        took=told.get("took"),
        model=as_tried.get("model") or llm.DEFAULT_MODEL,
        is_stale=bool(newest and newest.finished_at) and as_tried != connections.tried(workspace),
    )


def _check(name, told, finished):
    if told is None:
        return Check(CHECK_NAMES[name], "not_reached" if finished else "waiting", "")
    return Check(CHECK_NAMES[name], told["state"], told["sentence"])


def _host(base_url):
    return urlsplit(base_url or llm.ANTHROPIC).netloc


def _fallback():
    """What answers where the workspace has no connection of its own, as a sentence begins with it."""
    given = connections.from_environment()
    return "The practice model" if given.is_practice else f"{given.model_name}, the connection of this server,"


def _versions(own):
    """The newest first, one more than is shown and the one before it."""
    if own.pk is None:
        return []
    rows = list(own.history.select_related("history_user").order_by("-version")[: SHOWN_CHANGES + 2])
    if rows[-1].version == 1:
        rows.append(ModelConnection(version=0))
    return rows


def _changes(versions):
    return [
        Change(_change(before, row), str(row.history_user or "Touchline"), row.history_date)
        for row, before in pairwise(versions)
    ]


def _change(before, after):
    if not before.version:
        how = f", effort {_effort(after)}" if after.effort else ""
        return f"Connected {after.model or llm.DEFAULT_MODEL} at {_host(after.base_url)}{how}"
    said = []
    if after.key_tail and not before.key_tail:
        said.append("connected")
    elif before.key_tail and not after.key_tail:
        said.append("disconnected")
    elif before.key_tail != after.key_tail:
        said.append("key replaced")
    if before.base_url != after.base_url:
        said.append(f"address {_host(after.base_url)}, before {_host(before.base_url)}")
    if before.model != after.model:
        said.append(f"model {after.model or llm.DEFAULT_MODEL}, before {before.model or llm.DEFAULT_MODEL}")
    if before.effort != after.effort:
        said.append(f"effort {_effort(after)}, before {_effort(before)}")
    words = "; ".join(said or ["key replaced"])  # by one that ends the same
    return words[:1].upper() + words[1:]


def _effort(row):
    return ModelConnection.Effort(row.effort).label.lower() if row.effort else "the model’s own"


def _usage(workspace):
    today = timezone.now().astimezone(workspace.zone).date()
    first = today - timedelta(days=DAYS - 1)
    since = datetime.combine(first, time.min, tzinfo=workspace.zone)
    turns = usage.turns_since(workspace, since)
    kinds = {
        "sent": usage.tokens("inputTokens"),
        "kept": usage.tokens("cacheCreationTokens"),
        "from_cache": usage.tokens("cacheReadTokens"),
        "answered": usage.tokens("outputTokens"),
    }
    # A turn that is not through counts for today, as it does for the limit.
    of_day = turns.annotate(day=TruncDate(Coalesce("ended_at", Now()), tzinfo=workspace.zone)).values("day")
    found = {row["day"]: row for row in of_day.annotate(turns=Count("pk"), **kinds)}
    days = [Day(**found.get(day, {"day": day})) for day in (first + timedelta(days=n) for n in range(DAYS))]
    highest = max(day.total for day in days)
    talks = (
        turns.values("session", "session__agent__name", "session__created_at")
        .annotate(turns=Count("pk"), **kinds)
        .annotate(tokens=F("sent") + F("kept") + F("from_cache") + F("answered"))
        .filter(tokens__gt=0)
        .order_by("-tokens", "session")[:SHOWN_TALKS]
    )
    return Usage(
        days=[_drawn(day, number, highest) for number, day in enumerate(days)],
        talks=[
            Talk(row["session"], row["session__agent__name"], row["session__created_at"], row["turns"], row["tokens"])
            for row in talks
        ],
        limit=settings.COACH_DAILY_TOKENS or None,
        highest=highest,
    )


def _drawn(day, number, highest):
    """The day with its bar: what was sent at the foot, then what came from the cache, then the answers."""
    step = (WIDTH - LEFT) / DAYS
    bars, at = [], float(BOTTOM)
    for kind, tokens in (("sent", day.sent + day.kept), ("cache", day.from_cache), ("answered", day.answered)):
        height = (BOTTOM - TOP) * tokens / highest if highest else 0
        at -= height
        if tokens:
            bars.append((kind, round(at, 1), round(height, 1)))
    return Day(
        day.day,
        day.turns,
        day.sent,
        day.kept,
        day.from_cache,
        day.answered,
        tuple(bars),
        round(LEFT + step * number + 4, 1),
    )
