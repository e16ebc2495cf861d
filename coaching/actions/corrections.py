"""What late and corrected ratings do to the open flags that were raised without them.

A flag is a claim about the ratings up to the day it was raised on. Ratings of those days arrive late, are corrected, taken back
or credited to somebody else; then the day is looked at again with what is known now. Where the flag would still have been
raised, or nearly, its evidence is brought up to date; where it would clearly not, it is taken back. The day itself has to be
over: while its ratings come in they change the sums all the time and mean nothing.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from itertools import chain

from django.db.models import F, Sum

from coaching import trajectory
from coaching.actions import flags
from coaching.csat import daily, findings
from coaching.models import Flag
from helpdesk.models import RatingDay

MARGIN = 0.7  # standard errors under the threshold up to which a flag stands: what made it is nearly there still
SAME = 0.001  # points: means are stored rounded
PEERS_SHARE = 0.1  # of the peers' ratings, and
PEERS_POINTS = 1.0  # points of their mean, under which a change says nothing new about the weather


@dataclass(frozen=True)
class Corrected:
    """How many open flags were taken back, and how many stand on evidence that was brought up to date."""

    taken_back: int = 0
    brought_up_to_date: int = 0


def take_in(workspace, history, day):
    """Look again at the open automatic flags whose ratings have changed since. `history` is that of `day`.

    Two queries where nothing changed, however many flags are open; for each day on which changed ones were raised one more look
    at the whole workspace. Returns Corrected.
    """
    by_day = defaultdict(list)
    for flag in _changed(workspace, history, day):
        by_day[flag.opened_on].append(flag)
    stands = list(chain.from_iterable(_looked_at_again(workspace, *one, day) for one in by_day.items()))
    return Corrected(stands.count(False), stands.count(True))


def _changed(workspace, history, day):
    """The open automatic flags, raised before `day`, whose evidence does not say what the daily table says now."""
    of_workspace = Flag.objects.filter(workspace=workspace, opened_on__lt=day).open().automatic()
    # Those that end today by their age were looked at on every day before.
    open_flags = list(
        of_workspace.filter(opened_on__gt=day - timedelta(days=trajectory.EXPIRE_DAYS)).select_related(
            "agent__workspace"
        )
    )
    if not open_flags:
        return []
    row_of = {agent: row for row, agent in enumerate(history.agents)}
    pasts = _pasts(open_flags)
    return [
        flag for flag in open_flags if _differs(flag, history, row_of[flag.agent_id], pasts.get(flag.pk, (0, None)))
    ]


def _pasts(open_flags):
    """{flag: (ratings, mean score 0..100)} of the own ratings before each one's review window, back to 26 weeks: one query."""
    of_flag = RatingDay.objects.filter(
        agent__flags__in=open_flags,
        day__lt=F("agent__flags__since"),
        day__gt=F("agent__flags__opened_on") - timedelta(days=trajectory.HISTORY_DAYS),
    )
    sums = of_flag.order_by().values("agent__flags").annotate(ratings=Sum("n"), total=Sum("sum_hundredths"))
    return {one["agent__flags"]: (one["ratings"], one["total"] / one["ratings"] / 100) for one in sums}


def _differs(flag, history, row, past):
    told = flag.evidence
    span = flag.since.toordinal(), flag.opened_on.toordinal()
    (n, mean), (peers_n, peers_mean) = history.own(row, *span), history.peers(row, *span)
    if (n, past[0]) != (told["ratings"], told["past_ratings"]) or _apart(100 * mean, told["observed"]) > SAME:
        return True
    if "peers_ratings" not in told:  # raised before these were kept
        return False
    return (
        _apart(past[1], told["past_observed"]) > SAME
        or abs(peers_n - told["peers_ratings"]) > PEERS_SHARE * told["peers_ratings"]
        or _apart(100 * peers_mean, told["peers_observed"]) > PEERS_POINTS
    )


def _apart(mean, told):
    """Points between two means; 0 where there is none on either side."""
    return 0 if mean is None or told is None else abs(mean - told)


def _looked_at_again(workspace, raised_on, changed, day):
    """Judge the day `raised_on` as its ratings are now. Yields of each flag that changed by it whether it stands."""
    history = daily.load(workspace, raised_on)
    found = trajectory.scan(history.days, history.team, raised_on.toordinal())
    row_of = {agent: row for row, agent in enumerate(history.agents)}
    for flag in changed:
        row, h = row_of[flag.agent_id], flag.evidence["h"]
        evidence = findings.evidence_of(found, row, history, h=h)
        if found.statistic[row] >= h - MARGIN:
            if flags.correct(flag, evidence):
                yield True
        else:
            sums = findings.sums_of(history, row, flag.since.toordinal(), found.day)
            if flags.take_back(flag, sums | {"statistic": evidence["statistic"]}, day=day):
                yield False
