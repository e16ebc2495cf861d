"""The regular look at every agent's CSAT: when it is due, and what it does to the flags."""

import zoneinfo
from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import F, Q
from django.utils import timezone

from agents import work
from agents.models import Agent, Workspace
from coaching import trajectory
from coaching.actions import corrections, effects, flags, policies
from coaching.csat import daily, findings
from coaching.models import Flag, Sweep

MOST_NIGHTS = 14  # missed ones that are caught up one by one; what lies further back is in the windows of these


@dataclass(frozen=True)
class Swept:
    """What one sweep saw and did: agents with and without ratings, and flags by what became of them.

    `taken_back` are those that corrected ratings showed to be wrong, `brought_up_to_date` those whose evidence they changed.
    """

    day: date
    agents: int
    raised: int
    cleared: int
    expired: int
    taken_back: int = 0
    brought_up_to_date: int = 0


def sweep(workspace, day):
    """Look at the 26 weeks up to and including `day` (a date of the workspace's calendar): raise, clear and expire flags.

    First the open flags whose ratings changed since they were raised are looked at again (`corrections`), so that somebody whose
    flag was wrong then is free to be flagged for what is right now.

    Each flag changes in a transaction of its own, by compare-and-set: a sweep that runs twice, or beside a leader's click,
    changes nothing twice. Manual flags stay as they are, and an agent who has one gets no other. At the end what came after notes
    is measured (`effects`). Returns Swept.
    """
    history = daily.load(workspace, day)
    if not history.agents:
        return Swept(day, 0, 0, 0, 0)
    n_active = int(history.active.sum())
    corrected = corrections.take_in(workspace, history, day)
    policy = policies.of(workspace)
    h = trajectory.threshold(n_active, policy.sensitivity)
    found = trajectory.scan(history.days, history.team, day.toordinal())
    open_flags = {flag.agent_id: flag for flag in Flag.objects.filter(workspace=workspace).open()}
    _, events = trajectory.step(_state(workspace, history, open_flags, day), found, h)

    cleared = [_end(flags.clear, row, history, found, open_flags) for row in events.cleared.tolist()]
    expired = [_end(flags.expire, row, history, found, open_flags) for row in events.expired.tolist()]
    rows = {
        history.agents[row]: row
        for row in events.raised.tolist()
        if policy.automatic and history.active[row] and history.agents[row] not in open_flags
    }
    agents = Agent.objects.filter(workspace=workspace, pk__in=rows).select_related("workspace").order_by("name", "pk")
    raised = [flags.raise_flag(agent, findings.evidence_of(found, rows[agent.pk], history, h=h)) for agent in agents]
    n_raised = sum(flag is not None for flag in raised)
    effects.measure(workspace, history, day)
    return Swept(
        day, n_active, n_raised, sum(cleared), sum(expired), corrected.taken_back, corrected.brought_up_to_date
    )


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
    for agent, ended_on in rests(workspace, day):
        state.ended_on[row_of[agent]] = ended_on.toordinal()
    return state


def rests(workspace, day):
    """Yield (agent, day the rest began on) of those the scan rests for: an automatic flag of theirs ended less than 28 days ago.

    One that was wrong from the start is no reason to look away; only where that happens twice in these days does the scan rest,
    so that ratings which keep changing cannot raise and take back in turns.
    """
    ended = Flag.objects.filter(
        workspace=workspace, closed_on__gt=day - timedelta(days=trajectory.REST_DAYS)
    ).automatic()
    taken_back = set()
    for agent, closed_on, how in ended.order_by("closed_on", "pk").values_list("agent", "closed_on", "close_evidence"):
        if how.get("corrected") and agent not in taken_back:
            taken_back.add(agent)
        else:
            yield agent, closed_on


def _end(close, row, history, found, open_flags):
    flag = open_flags[history.agents[row]]
    return close(flag, findings.end_of(flag, found, row))


def owe_due(now=None):
    """Make owed what the clock and the ratings ask for: every workspace's night, and a look soon after ratings changed.

    A night is due until a day that has ended was swept, so one that was missed is caught up as soon as a worker runs again.
    """
    now = now or timezone.now()
    new = Workspace.objects.filter(sweep=None)
    Sweep.objects.bulk_create([Sweep(workspace=one, next_try_at=now) for one in new], ignore_conflicts=True)
    idle = Sweep.objects.filter(next_try_at=None)
    for zone in set(idle.values_list("workspace__time_zone", flat=True)):
        night = Q(swept_on=None) | Q(swept_on__lt=_ended(now, zoneinfo.ZoneInfo(zone)))
        # Any revision but the one that was seen: a number has no clock that could run behind.
        news = ~Q(workspace__ratings_revision=F("ratings_revision"))
        due = idle.filter(night | news, workspace__time_zone=zone)
        idle.filter(pk__in=list(due.values_list("pk", flat=True))).update(next_try_at=now, attempts=0)


def run(sweep_id, now=None):
    """Do the sweep that is owed: of every day that has ended since the last one, and of today where ratings changed.

    Returns the Swept of each day looked at, or None where it is not due or another worker has it.
    """
    now = now or timezone.now()
    owed = work.claim(Sweep.objects.all(), sweep_id)
    if owed is None:
        return None
    workspace = owed.workspace  # its revision is read before its ratings: what changes meanwhile is news again
    ended = _ended(now, workspace.zone)
    days = _nights(owed.swept_on, ended)
    if workspace.ratings_revision != owed.ratings_revision or not days:
        days.append(ended + timedelta(days=1))
    try:
        with work.holding(owed):
            swept = [sweep(workspace, day) for day in days]
    except Exception as error:
        work.put_off(owed, error=f"{type(error).__name__}: {error}")
        raise
    work.settle(owed, swept_on=max(filter(None, [owed.swept_on, ended])), ratings_revision=workspace.ratings_revision)
    return swept


def _nights(swept_on, ended):
    """The days that have ended and were not swept, oldest first: the last one only where none ever was."""
    missed = 1 if swept_on is None else min((ended - swept_on).days, MOST_NIGHTS)
    return [ended - timedelta(days=back) for back in reversed(range(missed))]


def _ended(now, zone):
    """The last day of this time zone that is over."""
    return now.astimezone(zone).date() - timedelta(days=1)
