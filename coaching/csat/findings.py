"""What the scan found of one agent, as a flag stores it. Numbers in, JSON out: no clock, no database.

What an automatic flag stores as `evidence`, every number that its sentence and its picture need (levels are scores 0..100,
days ISO dates):

    day, since, weeks                  the day it was seen, the first day and the length of the review window
    ratings, observed, expected        ratings in the window, their mean, and what own past and peers pointed to
    own_level, past_weeks              what the own past alone pointed to, and how far back it went
    past_ratings, past_observed        the own ratings before the window and their mean (None without any)
    peers, team_shift                  "team" or "workspace"; points by which their weather moved the expectation
    peers_ratings, peers_observed      the ratings of these others in the window and their mean (None without any)
    weeks_rated, weeks_below           weeks of the window with ratings; those of them below the expectation
    worst_start, holds_without_worst   first of the worst seven days; whether the fall stands without them
    statistic, evidence, evidence_without_worst, h   standard errors: what was found, what was asked for
    drop, rate28, n28                  what must be made up for; mean and number of the last 28 days' ratings
    scale, new_scale                   the one scale all these ratings are on, or ""; whether most are on one that is new here
    rarity                             one false flag in so many quarters
"""

import math
from datetime import date

import numpy as np

from coaching import trajectory
from coaching.csat import sentences


def evidence_of(scan, row, history, *, h):
    """What is stored of one agent's row of a Scan, made of `history` (daily.History) and judged by the threshold `h`.

    What there is no number for is None: levels without ratings, and the statistic where a guard fails.
    """
    since, weeks = int(scan.since[row]), int(scan.weeks[row])
    worst = int(scan.worst_start[row])
    drop = np.fmax(scan.expected[row] - scan.rate28[row], trajectory.MIN_DROP)
    return {
        "day": _iso(scan.day),
        "since": _iso(since),
        "weeks": weeks,
        **sums_of(history, row, since, scan.day),
        "expected": _points(scan.expected[row]),
        "own_level": _points(scan.own_level[row]),
        "past_weeks": past_weeks(since, weeks, history.first_rated(row, scan.day)),
        "peers": "team" if history.in_team(row) else "workspace",
        "team_shift": _points(scan.expected[row] - scan.own_level[row]),
        "weeks_rated": int(scan.weeks_rated[row]),
        "weeks_below": int(scan.weeks_below[row]),
        "worst_start": None if worst == trajectory.NO_DAY else _iso(worst),
        "holds_without_worst": bool(scan.statistic[row] >= h),  # the statistic counts the fall without them
        "statistic": _rounded(scan.statistic[row]),
        "evidence": _rounded(scan.evidence[row]),
        "evidence_without_worst": _rounded(scan.evidence_without_worst[row]),
        "h": h,
        "drop": _points(drop),
        "rate28": _points(scan.rate28[row]),
        "n28": round(float(scan.n28[row])),
        "rarity": sentences.RARITY.get(h) if scan.statistic[row] >= h else None,
    }


def sums_of(history, row, since, day):
    """The evidence's plain numbers of an agent of `history`, for a review window since..day (ordinals): own, past and peers'."""
    found = {
        "": history.own(row, since, day),
        "past_": history.own(row, day - trajectory.HISTORY_DAYS + 1, since - 1),
        "peers_": history.peers(row, since, day),
    }
    numbers = {f"{whose}ratings": round(float(n)) for whose, (n, _) in found.items()}
    return numbers | {f"{whose}observed": _points(mean) for whose, (_, mean) in found.items()}


def past_weeks(since, weeks, first_rated):
    """How many weeks of own past a flag rests on: those before the window, back to the first rating (days are ordinals)."""
    return min(trajectory.HISTORY_WEEKS - weeks, -(-(since - first_rated) // 7))


def end_of(flag, scan, row):
    """What is stored of the day on which the scan ended `flag`: the last 28 days, and what was needed of them."""
    raised_on = flag.evidence
    n28 = round(float(scan.n28[row]))
    return {
        "day": _iso(scan.day),
        "open_days": scan.day - flag.opened_on.toordinal(),
        "rate28": _points(scan.rate28[row]) if n28 else None,
        "n28": n28,
        "enough": n28 >= trajectory.MIN_CLEAR_RATINGS,
        "expected": raised_on["expected"],
        "needed": round(raised_on["expected"] - raised_on["drop"] / 3, 4),
        "scale": raised_on.get("scale", ""),
    }


def _points(level):
    """A level or difference 0..1 as points of a score, to a hundredth of a point's hundredth; None where there is none."""
    return _rounded(100 * level)


def _rounded(x):
    return round(float(x), 4) if math.isfinite(x) else None


def _iso(day):
    return date.fromordinal(day).isoformat()
