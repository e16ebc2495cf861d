"""What Settings › Helpdesks shows of each connection: whether it is read and how far, what it gave, what went wrong, what was
changed."""

import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from urllib.parse import urlsplit

from django.conf import settings
from django.db.models import Count, OuterRef, Q, Subquery
from django.utils import timezone

from helpdesk.actions import connections
from helpdesk.models import ConnectionTest, HelpdeskAgent, HelpdeskConnection, HelpdeskSync, Rating, WebhookReceipt
from helpdesk.vendors.contract import Vendor
from helpdesk.vendors.registry import VENDORS

Kind, State = HelpdeskSync.Kind, HelpdeskConnection.State

LATE = timedelta(seconds=20)  # after which a leader should know that no worker has taken it
NEAR = timedelta(minutes=2)  # what is tried again so soon is waited for on the page
LONG = timedelta(hours=6)  # unread for so long is said where leaders look
BODY = re.compile(r"\{\".+\}")  # of a webhook, in the steps
SHOWN_VERSIONS = 8
READ_VERSIONS = 300  # of all connections together


@dataclass(frozen=True)
class Step:
    """One thing to do at the vendor's. Between `before` and `after` stands what is copied: the address of the `webhook`, None
    nowhere, or the `body` that it is to send."""

    before: str
    webhook: str | None = None
    after: str = ""
    body: str = ""


@dataclass(frozen=True)
class Version:
    """One version of a connection: what it changed, in words, without secrets."""

    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class TestPart:
    """The newest test of a connection, None where there was none. `is_stale` where the connection was changed since."""

    newest: ConnectionTest | None = None
    is_stale: bool = False

    @property
    def is_running(self):
        return self.newest is not None and self.newest.finished_at is None

    @property
    def is_late(self):
        """Whether no worker has taken it for a while."""
        return not self.newest.attempts and timezone.now() - self.newest.asked_at > LATE

    @property
    def failed(self):
        return any(check["state"] == "failed" for check in self.newest.checks)


@dataclass(frozen=True)
class Reading:
    """One way of reading and how far it has come."""

    sync: HelpdeskSync
    oldest_first: bool | None

    @property
    def is_owed(self):
        return self.sync.next_try_at is not None

    @property
    def is_waiting(self):
        """Whether it is tried again at a later moment."""
        return self.is_owed and self.sync.next_try_at > timezone.now() and not self.is_held

    @property
    def is_held(self):
        return self.sync.claimed_until is not None and self.sync.claimed_until > timezone.now()

    @property
    def is_late(self):
        """Whether it is due for a while and nobody has taken it."""
        return self.is_owed and not self.is_held and self.sync.next_try_at < timezone.now() - LATE

    @property
    def percent(self):
        """How much of it is read, 0..100; None where that cannot be known."""
        sync = self.sync
        if sync.started_at is None:
            return None
        if sync.total:
            return min(100, round(100 * sync.n_read / sync.total))
        if self.oldest_first is None or sync.reached is None or sync.until <= sync.since:
            return None
        part = (sync.reached - sync.since) / (sync.until - sync.since)
        return round(100 * min(max(part if self.oldest_first else 1 - part, 0), 1))


@dataclass(frozen=True)
class Card:
    """One connection and everything that is said of it. What it gave is not counted while its first reading runs, for the page
    asks for that every second."""

    connection: HelpdeskConnection
    vendor: Vendor
    readings: dict[str, Reading]
    test: TestPart
    last_event: WebhookReceipt | None
    n_credited: int | None
    n_kept: int | None
    n_people: int
    n_unmapped: int
    n_crediting: int
    versions: list[Version] = field(default_factory=list)

    @property
    def anchor(self):
        return f"helpdesk-{self.connection.pk}"

    @property
    def state(self):
        """One word of: active, reading, paused, refused, disconnected."""
        return "reading" if self.connection.is_active and self.reads_now else self.connection.state

    @property
    def state_name(self):
        return {
            "active": "Active",
            "reading": "Reading",
            "paused": "Paused",
            "refused": "Refused",
            "disconnected": "Disconnected",
        }[self.state]

    @property
    def reads_now(self):
        """Whether a reading is due or under way; one that is put off for long is not."""
        return any(
            one.is_owed and one.sync.next_try_at < timezone.now() + NEAR and (one.sync.started_at or not one.is_waiting)
            for one in self.readings.values()
        )

    @property
    def asks_again(self):
        """Every how many seconds the page asks how far it is; 0 where nothing goes on."""
        if self.test.is_running or self.n_crediting:
            return 1
        if not (self.connection.is_active and self.reads_now):
            return 0
        waits = all(one.is_waiting for one in self.readings.values() if one.is_owed)
        return 5 if waits else 1

    @property
    def backfill(self):
        return self.readings.get(Kind.BACKFILL)

    @property
    def recent(self):
        return self.readings.get(Kind.RECENT)

    @property
    def known_until(self):
        """Up to when its ratings are known here; None while nothing was read to the end."""
        told = [one.sync.read_until for one in self.readings.values() if one.sync.read_until]
        return max(told, default=None)

    @property
    def last_success(self):
        return max((one.sync.finished_at for one in self.readings.values() if one.sync.finished_at), default=None)

    @property
    def trouble(self):
        """The reading whose last try went wrong, the first reading before the others; None where none did."""
        if not self.connection.is_active:
            return None
        order = [self.readings[kind] for kind in (Kind.BACKFILL, Kind.RECENT, Kind.RECONCILE) if kind in self.readings]
        return next((one for one in order if one.is_owed and one.sync.last_error), None)

    @property
    def refused(self):
        """The items that could not be taken, as [{"id", "detail"}], those of the first reading first."""
        return [item for one in self.readings.values() for item in one.sync.refused]

    @property
    def n_refused(self):
        return sum(one.sync.n_refused for one in self.readings.values())

    @property
    def host(self):
        return urlsplit(self.connection.base_url or self.vendor.address.default).netloc

    @property
    def webhook_url(self):
        return connections.webhook_url(self.connection, settings.PUBLIC_URL)

    @property
    def set_up(self):
        return steps(self.vendor, self.webhook_url)

    @property
    def signs_nothing(self):
        """Whether its webhooks cannot be checked, for their secret was not put in."""
        return bool(self.vendor.webhook_secret) and self.vendor.webhook_secret not in self.connection.credentials


def steps(vendor: Vendor, webhook: str = "") -> list[Step]:
    """What a leader does at the vendor's, what is to be copied apart from the words around it."""
    found = []
    for words in vendor.set_up:
        before, mark, after = words.partition("{webhook}")
        if mark:
            found.append(Step(before, webhook, after))
        elif body := BODY.search(words):
            found.append(Step(words[: body.start()], after=words[body.end() :], body=body[0]))
        else:
            found.append(Step(words))
    return found


def load(member, connection_id=None) -> list[Card]:
    """The connections of the workspace, disconnected ones last; with an id only that one."""
    rows = HelpdeskConnection.objects.visible_to(member).filter(vendor__in=VENDORS)
    if connection_id is not None:
        rows = rows.filter(pk=connection_id)
    found = sorted(rows, key=lambda one: (one.state == State.DISCONNECTED, one.source))
    ids = [one.pk for one in found]
    syncs: dict = defaultdict(dict)
    for sync in HelpdeskSync.objects.filter(connection__in=ids).order_by("pk"):
        client = VENDORS[next(one.vendor for one in found if one.pk == sync.connection_id)].client
        syncs[sync.connection_id][sync.kind] = Reading(sync, client.oldest_first if client else None)
    tests = _newest(ConnectionTest.objects.select_related("asked_by__user"), ids, "-asked_at")
    events = _newest(WebhookReceipt.objects.defer("items"), ids, "-received_at")
    people = _people(ids)
    at_rest = [one.source for one in found if not (one.is_active and _reads_first(syncs[one.pk]))]
    credited = _ratings(member.workspace_id, at_rest)
    versions = _versions(ids)
    return [
        Card(
            connection=one,
            vendor=VENDORS[one.vendor],
            readings=syncs[one.pk],
            test=_test(tests.get(one.pk), versions[one.pk]),
            last_event=events.get(one.pk),
            n_credited=credited[one.source][True] if one.source in at_rest else None,
            n_kept=credited[one.source][False] if one.source in at_rest else None,
            n_people=people[one.pk]["n"],
            n_unmapped=people[one.pk]["unmapped"],
            n_crediting=people[one.pk]["crediting"],
            versions=[version for version, _ in versions[one.pk]][:SHOWN_VERSIONS],
        )
        for one in found
    ]


def _reads_first(readings):
    return Kind.BACKFILL in readings and readings[Kind.BACKFILL].sync.is_running


def _newest(rows, ids, order):
    """{connection: its newest row of these}."""
    newest = rows.model.objects.filter(connection=OuterRef("pk")).order_by(order, "-pk").values("pk")[:1]
    wanted = HelpdeskConnection.objects.filter(pk__in=ids).annotate(newest=Subquery(newest)).values("newest")
    return {row.connection_id: row for row in rows.filter(pk__in=wanted)}


def _people(ids):
    """{connection: how many people there are, how many nobody has mapped and how many are being credited}."""
    rows = HelpdeskAgent.objects.filter(connection__in=ids).order_by().values("connection")
    told = rows.annotate(
        n=Count("pk"),
        unmapped=Count("pk", filter=HelpdeskAgent.UNMAPPED),
        crediting=Count("pk", filter=Q(next_try_at__isnull=False)),
    )
    found = defaultdict(lambda: {"n": 0, "unmapped": 0, "crediting": 0})
    return found | {row["connection"]: row for row in told}


def _ratings(workspace_id, sources):
    """{source: {whether it is credited to somebody: how many ratings}}, of those that count."""
    counting = Rating.objects.counting().filter(conversation__workspace=workspace_id, conversation__source__in=sources)
    told = counting.order_by().values("conversation__source").annotate(n=Count("pk"), credited=Count("agent"))
    found = defaultdict(lambda: {True: 0, False: 0})
    for row in told:
        found[row["conversation__source"]] = {True: row["credited"], False: row["n"] - row["credited"]}
    return found


def _test(newest, versions):
    changed = next((at for _, at in versions if at is not None), None)
    is_stale = newest is not None and newest.finished_at is not None and changed is not None
    return TestPart(newest, is_stale and changed > newest.asked_at)


def _versions(ids):
    """{connection: [(version, when, where it changed what opens the account, else None)]}, the newest first."""
    rows = HelpdeskConnection.history.filter(id__in=ids).select_related("history_user")
    of_one = defaultdict(list)
    for row in rows.order_by("-history_date", "-history_id")[:READ_VERSIONS]:
        of_one[row.id].append(row)
    found = defaultdict(list)
    for pk, own in of_one.items():
        for row, before in pairwise([*own, None]):
            if before is None and row.version != 1:
                continue  # what it changed is older than what was read
            version = Version(_words(row, before), str(row.history_user or _nobody(row)), row.history_date)
            opens = before is not None and row.state == before.state and row.backfill_days == before.backfill_days
            found[pk].append((version, row.history_date if opens else None))
    return found


def _nobody(row):
    return "Touchline" if row.state == State.REFUSED else "an operator"


def _words(row, before):
    if before is None:
        where = f" at {urlsplit(row.base_url).netloc}" if row.base_url else ""
        return f"Connected{where}"
    said = []
    if row.state != before.state:
        said.append(_moved(row, before))
    if row.base_url != before.base_url:
        said.append(f"address {row.base_url or 'the usual'}, before {before.base_url or 'the usual'}")
    for name in sorted({*row.account, *before.account}):
        if row.account.get(name) != before.account.get(name):
            said.append(f"{name} {row.account.get(name, 'taken away')}")
    if row.backfill_days != before.backfill_days:
        said.append(f"first reading of {row.backfill_days:,} days, before {before.backfill_days:,}")
    words = "; ".join(said or ["credentials put in again"])
    return words[:1].upper() + words[1:]


def _moved(row, before):
    if row.state == State.ACTIVE:
        return "connected again" if before.state == State.DISCONNECTED else "resumed"
    if row.state == State.REFUSED:
        return f"refused: {row.state_reason}"
    return row.state


# --- What leaders are told elsewhere -----------------------------------------------------------------------------------


def long_ago() -> datetime:
    """What was read before was not read for long."""
    return timezone.now() - LONG


def in_trouble(workspace_id, long_ago):
    """The connections that a leader should look at: refused, or not read since `long_ago` although they should be."""
    read = Q(syncs__kind=Kind.RECENT, syncs__finished_at__lt=long_ago)
    never = Q(syncs__kind=Kind.RECENT, syncs__finished_at=None, created_at__lt=long_ago)
    unread = Q(state=State.ACTIVE) & (read | never)
    return HelpdeskConnection.objects.filter(Q(state=State.REFUSED) | unread, workspace=workspace_id).distinct()


@dataclass(frozen=True)
class Trouble:
    """A connection that a leader should look at, and what to do, in a sentence."""

    connection: HelpdeskConnection
    sentence: str


def troubles(workspace_id) -> list[Trouble]:
    """Those of the workspace, in one query."""
    newest = HelpdeskSync.objects.filter(connection=OuterRef("pk"), kind=Kind.RECENT)
    rows = in_trouble(workspace_id, long_ago()).annotate(
        read_until=Subquery(newest.values("read_until")[:1]), why=Subquery(newest.values("last_error")[:1])
    )
    return [Trouble(one, _sentence(one)) for one in rows.order_by("source")]


def _sentence(one):
    if one.state == State.REFUSED:
        return one.state_reason or "The helpdesk does not accept what the connection was given. Put it in again."
    return one.why or "Nothing was read for hours. Is a worker running? Tell whoever runs Touchline here."
