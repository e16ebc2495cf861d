"""What can be done to backtests: ask for one, stop it, and run it in a worker.

What a finished one stores as `result` (days are ISO dates, levels scores 0..100):

    first_day, last_day          the days on which a sweep was replayed; None where there are no ratings
    agents, judged               active agents; those of them with ratings enough to judge by on at least one day
    ratings, agent_quarters      ratings of those days; agent-days with ratings enough to judge by, divided by 91
    ratings_revision, agents_as  what the ratings and the agents were as of: with others the result is out of date
    levels                       {sensitivity: level}

of each level

    h                            the threshold it stands for in a workspace of so many agents
    flags                        each as {agent, raised_on, ended_on, ended_by, end, …}, the agent by id, `end` and the rest
                                 the evidence that a flag would have stored, named as in coaching.csat.findings
    shuffled                     {flags, agent_quarters, repeats} of the permutation check
"""

import hashlib
import time
from datetime import date, timedelta

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Subquery
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from agents.models import Agent
from coaching import trajectory
from coaching.actions import flags, long_work
from coaching.csat import backtests, daily
from coaching.models import Backtest

LONGEST = timedelta(days=730)  # of the past that is replayed; the 26 weeks before are read with it
KEPT = timedelta(days=90)  # what has ended, unless it is the newest
TELL_SECONDS = 0.5  # progress is stored, and a stop seen, this often

BROKEN = "The replay broke off {times} times, the last time with {error}. Nothing was changed by it; start it again."
UNFINISHABLE = (
    "The worker that replayed it was lost several times in the middle. It may lack memory for so many agents and days."
)


class NotRunning(Refusal):
    """The backtest has ended already, so it cannot be stopped."""


def ask(workspace, *, by) -> Backtest:
    """A backtest that a worker owes; the one that waits or runs where there is one. Raises NotAllowed."""
    require(by, Right.MANAGE_WORKSPACE)
    try:
        return _asked(workspace, by)
    except IntegrityError:
        running = Backtest.objects.unfinished().filter(workspace=workspace).first()
        return running or _asked(workspace, by)  # it ended between the two looks


def _asked(workspace, by):
    with transaction.atomic():
        return Backtest.objects.create(workspace=workspace, asked_by=by)


def stop(backtest, *, by) -> Backtest:
    """End it: a worker that is at it notices within a second or two. Raises NotAllowed, NotRunning."""
    require(by, Right.MANAGE_WORKSPACE)
    stopped = Backtest.objects.unfinished().filter(pk=backtest.pk)
    ended = {"state": Backtest.State.STOPPED, "finished_at": timezone.now(), "last_error": ""}
    if not stopped.update(**ended, next_try_at=None, claimed_until=None, claim=None):
        raise NotRunning("This backtest has ended already.")
    backtest.refresh_from_db()
    return backtest


def give_up(backtest, *, by=None) -> Backtest:
    """Let a backtest that waits not happen; `by` is None for operators. Raises NotAllowed, NotRunning."""
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if not work.drop(backtest, state=Backtest.State.STOPPED, finished_at=timezone.now()):
        raise NotRunning("It has ended already, or a worker is at it this moment.")
    return backtest


def forget() -> int:
    """Delete backtests that ended long ago, but for each workspace's newest and its newest result, which its page shows.

    Returns how many.
    """
    of_workspace = Backtest.objects.filter(workspace=OuterRef("workspace")).order_by("-asked_at")
    newest, newest_done = (Subquery(rows.values("pk")[:1]) for rows in (of_workspace, of_workspace.done()))
    ended = Backtest.objects.filter(finished_at__lt=timezone.now() - KEPT)
    old = ended.exclude(pk=newest).exclude(Exists(of_workspace.done()), pk=newest_done)
    return old.delete()[0]


def run(backtest_id) -> Backtest | None:
    """Replay what is owed and store its result. Returns the backtest, or None where it is not due or another worker has it.

    No transaction is open while it computes. What breaks is tried again a few times, from the start.
    """
    told = {"broken": BROKEN, "unfinishable": UNFINISHABLE}
    return long_work.run(Backtest.objects.unfinished(), backtest_id, _carry_out, **told, progress=0)


def _carry_out(owed):
    with work.holding(owed):
        result = _result(owed)
    work.settle(owed, result=result, state=Backtest.State.DONE, progress=100, finished_at=timezone.now())


def _result(owed):
    # The revision is read before the ratings: what changes meanwhile makes the result out of date.
    workspace = owed.workspace
    last = timezone.now().astimezone(workspace.zone).date() - timedelta(days=1)
    agents_as = agents_now(workspace)
    history = daily.load(workspace, last, n_days=LONGEST.days + trajectory.HISTORY_DAYS)
    first_day = _first_day(history, last)
    n_active = int(history.active.sum())
    thresholds = {level.value: trajectory.threshold(n_active, level) for level in trajectory.Sensitivity}
    known = {"agents": n_active, "agents_as": agents_as, "ratings_revision": workspace.ratings_revision}
    if first_day is None:
        return known | {
            "first_day": None,
            "last_day": None,
            "judged": 0,
            "ratings": 0,
            "agent_quarters": 0,
            "levels": {},
        }

    span = first_day, last.toordinal()
    replayed, checks = backtests.run(history, *span, thresholds, _Teller(owed).tell)
    scales_of = _scales(history, replayed)
    return known | {
        "first_day": date.fromordinal(span[0]).isoformat(),
        "last_day": last.isoformat(),
        "judged": int((replayed.days_judged > 0).sum()),
        "ratings": round(float(history.days.n[:, span[0] - history.days.first_day :].sum())),
        "agent_quarters": round(replayed.agent_quarters, 2),
        "levels": {
            name: {
                "h": h,
                "flags": [_told(flag, history, scales_of) for flag in replayed.raised[name]],
                "shuffled": {
                    "flags": checks[name].flags,
                    "agent_quarters": round(checks[name].agent_quarters, 2),
                    "repeats": checks[name].repeats,
                },
            }
            for name, h in thresholds.items()
        },
    }


def _first_day(history, last):
    """The first day (ordinal) of the replay: with ratings, and at most LONGEST before `last`. None where there are no ratings."""
    rated = np.flatnonzero(history.days.n.any(axis=0)) + history.days.first_day
    earliest = last.toordinal() - LONGEST.days + 1
    return int(max(rated[0], earliest)) if rated.size and rated[-1] >= earliest else None


def _scales(history, replayed):
    """{(row, since, day): scales} of every flag, as `flags.raise_flag` would have stored it. The levels have many in common."""
    raised = {_window(flag): flag for found in replayed.raised.values() for flag in found}
    agents = Agent.objects.in_bulk({history.agents[flag.row] for flag in raised.values()})
    return {key: flags.scales_of(agents[history.agents[flag.row]], flag.evidence) for key, flag in raised.items()}


def _window(flag):
    return flag.row, flag.evidence["since"], flag.evidence["day"]


def _told(flag, history, scales_of):
    scales = scales_of[_window(flag)]
    return (
        flag.evidence
        | scales
        | {
            "agent": str(history.agents[flag.row]),
            "raised_on": flag.evidence["day"],
            "ended_on": flag.close_evidence and flag.close_evidence["day"],
            "ended_by": flag.ended_by,
            "end": flag.close_evidence and flag.close_evidence | {"scale": scales["scale"]},
        }
    )


def agents_now(workspace) -> str:
    """A short word for who is in the workspace, in which team, and active: another one where any of that changed."""
    rows = Agent.objects.filter(workspace=workspace).order_by("pk").values_list("pk", "team_id", "active")
    return hashlib.sha256(repr([(str(pk), team, active) for pk, team, active in rows]).encode()).hexdigest()[:16]


class _Teller:
    """Stores how far a held backtest is. Raises LeaseLost where it was stopped, or another worker has taken it over."""

    def __init__(self, owed):
        self.owed, self.told_at = owed, 0.0

    def tell(self, percent):
        if time.monotonic() - self.told_at < TELL_SECONDS:
            return
        self.told_at = time.monotonic()
        held = Backtest.objects.filter(pk=self.owed.pk, claim=self.owed.claim, state=Backtest.State.RUNNING)
        if not held.update(progress=percent):
            raise work.LeaseLost
