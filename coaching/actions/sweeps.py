"""The regular look at every agent's CSAT: when it is due, and what it does to the flags."""

import zoneinfo
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.db.models import Exists, Max, OuterRef, Q, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from agents import work
from agents.models import Agent, Workspace
from coaching import daily, trajectory
from coaching.actions import flags
from coaching.models import Flag, Sweep
from helpdesk.models import Rating

# A rating becomes visible a moment after it was received, when its transaction ends: so far back it is looked for again.
SETTLING = timedelta(seconds=30)


@dataclass(frozen=True)
class Swept:
    """What one sweep saw and did: agents with and without ratings, and flags."""

    day: date
    agents: int
    raised: int
    cleared: int
    expired: int


def sweep(workspace, day):
    """Look at the 26 weeks up to and including `day` (a date of the workspace's calendar): raise, clear and expire flags.

    Each flag changes in a transaction of its own, by compare-and-set: a sweep that runs twice, or beside a leader's click,
    changes nothing twice. Manual flags stay as they are, and an agent who has one gets no other. Returns Swept.
    """
    history = daily.load(workspace, day)
    if not history.agents:
        return Swept(day, 0, 0, 0, 0)
    n_active = int(history.active.sum())
    h = trajectory.threshold(n_active)
    found = trajectory.scan(history.days, history.team, day.toordinal())
    open_flags = {flag.agent_id: flag for flag in Flag.objects.filter(workspace=workspace).open()}
    _, events = trajectory.step(_state(workspace, history, open_flags, day), found, h)

    cleared = [_end(flags.clear, row, history, found, open_flags) for row in events.cleared.tolist()]
    expired = [_end(flags.expire, row, history, found, open_flags) for row in events.expired.tolist()]
    rows = {
        history.agents[row]: row
        for row in events.raised.tolist()
        if history.active[row] and history.agents[row] not in open_flags
    }
    agents = Agent.objects.filter(workspace=workspace, pk__in=rows).select_related("workspace").order_by("name", "pk")
    raised = [flags.raise_flag(agent, _evidence(rows[agent.pk], history, found, h)) for agent in agents]
    return Swept(day, n_active, sum(flag is not None for flag in raised), sum(cleared), sum(expired))


def _state(workspace, history, open_flags, day):
    """The flags as the scan's step wants them. Manual ones are not in it: the scan does not know of them."""
    row_of = {agent: row for row, agent in enumerate(history.agents)}
    state = trajectory.State.empty(len(row_of))
    for agent, flag in open_flags.items():
        if flag.kind == Flag.Kind.AUTO:
            row = row_of[agent]
            state.raised_on[row] = flag.opened_on.toordinal()
            state.expected[row] = flag.evidence["expected"] / 100
            state.drop[row] = flag.evidence["drop"] / 100
    resting = Flag.objects.filter(
        workspace=workspace, closed_on__gt=day - timedelta(days=trajectory.REST_DAYS)
    ).automatic()
    for agent, closed_on in resting.order_by("closed_on").values_list("agent_id", "closed_on"):
        state.ended_on[row_of[agent]] = closed_on.toordinal()
    return state


def _end(close, row, history, found, open_flags):
    flag = open_flags[history.agents[row]]
    return close(flag, flags.end_of(flag, found, row))


def _evidence(row, history, found, h):
    return flags.evidence_of(found, row, h=h, first_rated=history.first_rated(row), in_team=history.in_team(row))


def owe_due(now=None):
    """Make owed what the clock and new ratings ask for: every workspace's night, and a look soon after ratings came in.

    A night is due until a day that has ended was swept, so one that was missed is caught up as soon as a worker runs again.
    """
    now = now or timezone.now()
    new = Workspace.objects.filter(sweep=None)
    Sweep.objects.bulk_create([Sweep(workspace=one, next_try_at=now) for one in new], ignore_conflicts=True)
    idle = Sweep.objects.filter(next_try_at=None)
    for zone in set(idle.values_list("workspace__time_zone", flat=True)):
        night = Q(swept_on=None) | Q(swept_on__lt=_ended(now, zoneinfo.ZoneInfo(zone)))
        idle.filter(night | Q(_has_news()), workspace__time_zone=zone).update(next_try_at=now, attempts=0)


def run(sweep_id, now=None):
    """Do the sweep that is owed: of the day that has ended where its night was not swept, of today where ratings came in.

    Returns the Swept of each day looked at, or None where it is not due or another worker has it.
    """
    now = now or timezone.now()
    owed = work.claim(Sweep.objects.all(), sweep_id)
    if owed is None:
        return None
    workspace = owed.workspace
    ended = _ended(now, workspace.zone)
    newest = Rating.objects.filter(workspace=workspace).aggregate(Max("received_at"))["received_at__max"]
    is_night = owed.swept_on is None or owed.swept_on < ended
    has_news = newest is not None and (owed.ratings_seen_at is None or newest > owed.ratings_seen_at)
    days = [ended] if is_night else []
    if has_news or not is_night:
        days.append(ended + timedelta(days=1))
    try:
        with work.holding(owed):
            swept = [sweep(workspace, day) for day in days]
    except Exception as error:
        work.put_off(owed, error=f"{type(error).__name__}: {error}")
        raise
    seen = owed.ratings_seen_at if newest is None else min(newest, now - SETTLING)
    work.settle(owed, swept_on=max(filter(None, [owed.swept_on, ended])), ratings_seen_at=seen)
    return swept


def _ended(now, zone):
    """The last day of this time zone that is over."""
    return now.astimezone(zone).date() - timedelta(days=1)


def _has_news():
    seen = Coalesce(OuterRef("ratings_seen_at"), Value(datetime(1970, 1, 1, tzinfo=UTC)))
    return Exists(Rating.objects.filter(workspace=OuterRef("workspace"), received_at__gt=seen))
