"""Connections to helpdesks: make one, change it, pause it, take it away; and when each is to be read."""

import contextlib
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from agents import history, outbound, work
from agents.access import Refusal, Right, require
from agents.models import Workspace
from helpdesk import deeplinks
from helpdesk.models import API_SOURCE, ConnectionTest, DeepLink, HelpdeskConnection, HelpdeskSync, WebhookReceipt
from helpdesk.vendors.contract import Vendor
from helpdesk.vendors.registry import VENDORS

State, Kind = HelpdeskConnection.State, HelpdeskSync.Kind
SOURCE = re.compile(r"[A-Za-z0-9_-]{1,50}")
LONGEST_VALUE = 1_000  # characters of a credential
MOST_BACKFILL_DAYS = 3_650
RECENT_EVERY = timedelta(minutes=5)
RECONCILE_EVERY = timedelta(days=1)
RECEIPTS_KEPT = timedelta(days=30)

OTHER_HOST = "Only addresses of {label} itself are called ({hosts}). Whoever runs Touchline can allow this one by OUTBOUND_ALLOW."
GIVEN_UP = "It was given up."
KEPT_FOR_ANOTHER = "What is stored is for another address and is not sent to this one. Put it in again."


class ChangedMeanwhile(Refusal):
    """Somebody else changed the connection since it was read."""


class NotConnected(Refusal):
    """The connection was disconnected: put in its credentials again."""


# --- Connect and disconnect --------------------------------------------------------------------------------------------


def connect(
    workspace: Workspace,
    *,
    vendor: str,
    source: str = "",
    base_url: str = "",
    credentials: Mapping[str, str] | None = None,
    backfill_days: int | None = None,
    by,
    version: int | None = None,
) -> HelpdeskConnection:
    """Make or change the connection of a source, and let it be read from now on; whatever paused it is over.

    `credentials` are the vendor's fields; those that are not given stay as they are stored. `by` is None for an operator.
    `version` is the one that the change was typed against, 0 for none; without it the last word counts. Owes a test, and the
    first reading of `backfill_days` where there was none that far back. Raises NotAllowed, ChangedMeanwhile, ValidationError
    with every field that is wrong.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    kind, source = _vendor(vendor), source or vendor
    stored = HelpdeskConnection.objects.filter(workspace=workspace, source=source).first()
    values = _checked(kind, source, base_url, credentials or {}, backfill_days, stored)
    values |= {"state": State.ACTIVE, "state_reason": ""}
    with transaction.atomic():
        connection = _stored(workspace, kind, source, values, stored, by, version)
        _owe_first_reading(connection)
        link(connection, by=by)
        ask_for_test(connection, by=by)
    return connection


def proposed(
    workspace: Workspace,
    *,
    vendor: str,
    source: str = "",
    base_url: str = "",
    credentials: Mapping[str, str] | None = None,
) -> HelpdeskConnection:
    """The connection that `connect` would make of this, not stored: something to test. Raises ValidationError."""
    kind, source = _vendor(vendor), source or vendor
    stored = HelpdeskConnection.objects.filter(workspace=workspace, source=source).first()
    values = _checked(kind, source, base_url, credentials or {}, None, stored)
    return HelpdeskConnection(workspace=workspace, vendor=kind.name, source=source, **values)


def pause(connection, *, by) -> HelpdeskConnection:
    """Read nothing until somebody resumes it, and store nothing of what is being read; webhooks are kept meanwhile.

    Raises NotAllowed, ChangedMeanwhile.
    """
    require(by, Right.MANAGE_WORKSPACE)
    return _move(connection, [State.ACTIVE], State.PAUSED, "", by)


def resume(connection, *, by) -> HelpdeskConnection:
    """Go on where it was paused or refused: what is owed is due at once. Raises NotAllowed, ChangedMeanwhile."""
    require(by, Right.MANAGE_WORKSPACE)
    _move(connection, [State.PAUSED, State.REFUSED], State.ACTIVE, "", by)
    _go_on(connection)
    return connection


def refuse(connection, sentence: str) -> bool:
    """The helpdesk does not accept the credentials: nothing is asked of it until a person has looked, and nothing is lost.

    False where it is not active any more.
    """
    return history.change(
        connection, HelpdeskConnection.objects.active(), by=None, state=State.REFUSED, state_reason=sentence[:500]
    )


def disconnect(connection, *, by) -> HelpdeskConnection:
    """Forget what opens the account. Ratings stay, and so does who is whom. Raises NotAllowed, ChangedMeanwhile."""
    require(by, Right.MANAGE_WORKSPACE)
    return _move(connection, [State.ACTIVE, State.PAUSED, State.REFUSED], State.DISCONNECTED, "", by, secrets="")


def webhook_url(connection: HelpdeskConnection, public_url: str) -> str:
    """Where the vendor sends its events."""
    return f"{public_url}/hooks/{connection.vendor}/{connection.pk}"


def _move(connection, states, state, reason, by, **values):
    movable = HelpdeskConnection.objects.filter(state__in=states)
    with transaction.atomic():
        if not history.change(connection, movable, by=by, state=state, state_reason=reason, **values):
            raise ChangedMeanwhile("Somebody changed this connection meanwhile. Look at how it is now.")
        _interrupt(connection)
    return connection


def _interrupt(connection):
    """Whoever reads with what the connection was until now stores nothing more, and does not say what became of it."""
    for owed in (HelpdeskSync, WebhookReceipt):
        owed.objects.owed().filter(connection=connection).update(claim=None, claimed_until=None)


def _go_on(connection):
    work.owe_all_again(HelpdeskSync.objects.owed().filter(connection=connection))
    work.owe_all_again(WebhookReceipt.objects.owed().filter(connection=connection))


def _stored(workspace, vendor, source, values, stored, by, version):
    if stored is None:
        if version:
            raise ChangedMeanwhile("This connection was removed meanwhile.")
        made = HelpdeskConnection(workspace=workspace, vendor=vendor.name, source=source, **values)
        made._history_user = by.user if by is not None else None  # type: ignore[attr-defined]  # simple-history reads it
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError:
            raise ChangedMeanwhile("Somebody connected this source in this very moment.") from None
        return made
    as_read = HelpdeskConnection.objects.filter(version=stored.version if version is None else version)
    is_another = (stored.base_url, stored.account) != (values["base_url"], values["account"])
    if any(getattr(stored, name) != value for name, value in values.items()):
        if not history.change(stored, as_read, by=by, **values):
            raise ChangedMeanwhile(
                "Somebody changed this connection meanwhile, so nothing was saved. Look at it again."
            )
        _interrupt(stored)
        if is_another:
            _begin_anew(stored)
        _go_on(stored)
    return stored


def _begin_anew(connection):
    """Where runs stood means nothing at another account: each begins again, and the first reading is owed again."""
    HelpdeskSync.objects.filter(connection=connection).update(
        since=None, until=None, cursor="", started_at=None, read_until=None
    )


def _vendor(name) -> Vendor:
    if name not in VENDORS:
        raise ValidationError({"vendor": f"Unknown helpdesk. Known: {', '.join(sorted(VENDORS))}."})
    return VENDORS[name]


def _checked(vendor: Vendor, source, base_url, credentials, backfill_days, stored) -> dict:
    """{field of the row: value}. Raises ValidationError."""
    wrong: dict[str, str | list[str]] = {}
    if stored is not None and stored.vendor != vendor.name:
        wrong["source"] = f"{source} is a connection to {stored.get_vendor_display()} already. Choose another name."
    elif not SOURCE.fullmatch(source) or source == API_SOURCE:
        wrong["source"] = f"It is a short name of letters, digits, - and _ (at most 50), and not {API_SOURCE}."
    elif source in VENDORS and source != vendor.name:
        wrong["source"] = f"{source} is the name of another helpdesk. Choose another."
    address = ""
    try:
        address = _address(vendor, base_url or (stored.base_url if stored else ""))
    except ValidationError as refusal:
        wrong["base_url"] = refusal.messages
    known = {field.name for field in vendor.fields}
    unknown = sorted(set(credentials) - known)
    if unknown:
        wrong["credentials"] = (
            f"{vendor.label} knows no {', '.join(unknown)}. It takes {', '.join(sorted(known)) or 'none'}."
        )
    kept = stored.credentials if stored is not None else {}
    if stored is not None and kept and _origin(address) != _origin(stored.base_url):
        kept = {}
    told = {}
    for field in vendor.fields:
        value = str(credentials.get(field.name, "")).strip() or kept.get(field.name, "")
        if len(value) > LONGEST_VALUE or not all("!" <= letter <= "~" for letter in value):
            wrong[field.name] = (
                f"It has at most {LONGEST_VALUE:,} letters, digits and signs, without blanks and accents."
            )
        elif field.is_required and not value:
            wrong[field.name] = (
                KEPT_FOR_ANOTHER if stored is not None and stored.secrets and not kept else "It is missing."
            )
        if value:
            told[field.name] = value
    days = backfill_days if backfill_days is not None else (stored.backfill_days if stored else 180)
    if not isinstance(days, int) or not 0 <= days <= MOST_BACKFILL_DAYS:
        wrong["backfill_days"] = f"It is a number of days from 0 to {MOST_BACKFILL_DAYS:,}."
    if wrong:
        raise ValidationError(wrong)
    secret = {field.name for field in vendor.fields if field.is_secret}
    hidden = {name: value for name, value in told.items() if name in secret}
    return {
        "base_url": address,
        "account": {name: value for name, value in told.items() if name not in secret},
        "secrets": json.dumps(hidden, sort_keys=True) if hidden else "",
        "backfill_days": days,
    }


def _address(vendor: Vendor, typed: str) -> str:
    """The account's address: the vendor's own, or one that the operator allows. Raises ValidationError."""
    if not vendor.reads:
        return ""
    address = outbound.cleaned(typed)
    if not address:
        if not vendor.address.default:
            raise ValidationError(f"It is missing. For example: {vendor.address.example}")
        return ""
    host = (urlsplit(address).hostname or "").lower()
    own = any(not one or host == one or (one.startswith(".") and host.endswith(one)) for one in vendor.address.hosts)
    if not own and not outbound.is_allowed(address):
        hosts = ", ".join(f"*{one}" if one.startswith(".") else one for one in vendor.address.hosts)
        raise ValidationError(OTHER_HOST.format(label=vendor.label, hosts=hosts))
    return address


def _origin(address: str) -> tuple:
    parts = urlsplit(address)
    return parts.scheme, (parts.hostname or "").lower(), parts.port


def lacks_link(connection) -> bool:
    """Whether the vendor has a pattern of its own and nobody has set one for this source."""
    set_already = DeepLink.objects.filter(workspace=connection.workspace_id, source=connection.source)
    return bool(VENDORS[connection.vendor].deep_link) and not set_already.exists()


def link(connection, *, by, learned: Mapping[str, str] | None = None) -> None:
    """Set the vendor's own pattern where nobody has set one for this source and all that it needs is known.

    `learned` is what the vendor told of it, {name: value}, beside what the account says. `by` is None for an operator.
    """
    if not lacks_link(connection):
        return
    known = {**connection.account, **(learned or {})}
    pattern, keys = VENDORS[connection.vendor].link(connection.base_url, known)
    if not pattern:
        return
    deeplinks.check(pattern, needs=deeplinks.ID)
    made = DeepLink(
        workspace_id=connection.workspace_id, source=connection.source, conversation_pattern=pattern, keys=keys
    )
    made._history_user = by.user if by is not None else None  # type: ignore[attr-defined]  # simple-history reads it
    with contextlib.suppress(IntegrityError), transaction.atomic():  # somebody set one in this moment
        made.save(force_insert=True)


# --- When a connection is read -----------------------------------------------------------------------------------------


def _owe_first_reading(connection) -> None:
    """A row of each kind; the first reading is owed where none reached back so far."""
    if not VENDORS[connection.vendor].reads:
        return
    now = timezone.now()
    backfill, made = HelpdeskSync.objects.get_or_create(
        connection=connection, kind=Kind.BACKFILL, defaults={"workspace_id": connection.workspace_id}
    )
    since = now - timedelta(days=connection.backfill_days)
    # Without a beginning it was never read, given up, or of another account.
    covered = backfill.since is not None and backfill.since <= since + timedelta(days=1)
    if not made and not covered:
        HelpdeskSync.objects.filter(pk=backfill.pk).update(
            **work.anew(now), since=None, until=None, cursor="", started_at=None
        )
    HelpdeskSync.objects.get_or_create(
        connection=connection, kind=Kind.RECENT, defaults={"workspace_id": connection.workspace_id}
    )
    HelpdeskSync.objects.get_or_create(
        connection=connection,
        kind=Kind.RECONCILE,
        defaults={"workspace_id": connection.workspace_id, "next_try_at": now + RECONCILE_EVERY},
    )


def owe_due(now: datetime | None = None) -> None:
    """Make owed what the clock asks for: what is new every few minutes, what was missed once a day."""
    now = now or timezone.now()
    idle = HelpdeskSync.objects.filter(next_try_at=None, connection__state=State.ACTIVE)
    for kind, every in ((Kind.RECENT, RECENT_EVERY), (Kind.RECONCILE, RECONCILE_EVERY)):
        due = idle.filter(kind=kind).filter(Q(finished_at=None) | Q(finished_at__lt=now - every))
        due.update(next_try_at=now, attempts=0)


def read_now(connection, *, by) -> None:
    """Somebody does not want to wait for the clock: what is new, and whatever failed, is due at once.

    Raises NotAllowed, NotConnected.
    """
    require(by, Right.MANAGE_WORKSPACE)
    if not HelpdeskConnection.objects.active().filter(pk=connection.pk).exists():
        raise NotConnected("This connection is not active. Resume it first.")
    now = timezone.now()
    syncs = HelpdeskSync.objects.filter(connection=connection).filter(work.free(now))
    syncs.filter(Q(kind=Kind.RECENT) | Q(next_try_at__isnull=False)).exclude(kind=Kind.RECONCILE).update(
        next_try_at=now, attempts=0, last_error=""
    )


def take(sync_id) -> HelpdeskSync | None:
    """Hold a sync for a worker; None where it is not due, paused, or where its helpdesk is read already.

    Of two syncs of one helpdesk that are taken at the same instant the second must see the first, so both ask for the
    connection's row before.
    """
    with transaction.atomic():
        of_sync = HelpdeskSync.objects.filter(pk=sync_id).values("connection")
        HelpdeskConnection.objects.select_for_update(no_key=True).filter(pk__in=of_sync).first()
        return work.claim(HelpdeskSync.objects.takeable(), sync_id)


def take_over(connection, kind: str, *, anew: bool = False) -> HelpdeskSync | None:
    """Hold a sync for somebody in front of a terminal, whoever reads it now; None where it owes nothing.

    `anew` makes it owed, from the beginning of its window.
    """
    syncs = HelpdeskSync.objects.filter(connection=connection, kind=kind)
    with transaction.atomic():
        if anew:
            syncs.update(next_try_at=timezone.now(), started_at=None, cursor="", attempts=0)
        found = syncs.first()
        return found and work.seize(HelpdeskSync.objects.all(), found.pk)


def give_up(sync: HelpdeskSync, *, by=None) -> None:
    """Read no further in this run; what was read stays. The first reading is owed again when somebody connects again.

    `by` is None for operators. Raises NotAllowed, work.NothingOwed.
    """
    _drop(sync, by, started_at=None, cursor="", since=None, until=None)


# --- Tests -------------------------------------------------------------------------------------------------------------


def ask_for_test(connection, *, by) -> ConnectionTest | None:
    """A test that a worker owes; the one that waits where there is one, None where nothing can be tested. Raises NotAllowed."""
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not VENDORS[connection.vendor].reads:
        return None
    waiting = ConnectionTest.objects.unfinished().filter(connection=connection)
    # One that runs may be trying what does not count any more: it begins anew.
    waiting.update(**work.anew(), checks=[])
    found = waiting.first()
    if found is not None:
        return found
    try:
        with transaction.atomic():
            return ConnectionTest.objects.create(
                workspace_id=connection.workspace_id, connection=connection, asked_by=by
            )
    except IntegrityError:
        return waiting.first()


def give_up_test(test: ConnectionTest, *, by=None) -> None:
    """Let a test that waits for its next try end without a result; `by` is None for operators.

    Raises NotAllowed, work.NothingOwed.
    """
    fault = {"name": VENDORS[test.connection.vendor].label, "state": "failed", "sentence": GIVEN_UP}
    _drop(test, by, finished_at=timezone.now(), checks=[*test.checks, fault])


def give_up_receipt(receipt: WebhookReceipt, *, by=None) -> None:
    """Do nothing more about a webhook; `by` is None for operators. Raises NotAllowed, work.NothingOwed."""
    _drop(receipt, by, done_at=timezone.now(), items=None, outcome=GIVEN_UP)


def _drop(row, by, **values):
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not work.drop(row, **values):
        raise work.NothingOwed


def forget_receipts(now: datetime) -> int:
    """Delete the receipts of webhooks that were done long enough ago: nobody sends those again."""
    return WebhookReceipt.objects.filter(done_at__lt=now - RECEIPTS_KEPT).delete()[0]
