"""What can be done to flags: raise, dismiss, say the cause, clear, expire. The scan and people, through every door.

What an automatic flag stores as `evidence`, every number that its sentence and its picture need (levels are scores 0..100,
days ISO dates):

    day, since, weeks                  the day it was seen, the first day and the length of the review window
    ratings, observed, expected        ratings in the window, their mean, and what own past and peers pointed to
    own_level, past_ratings, past_weeks   what the own past alone pointed to, and what that rests on
    peers, team_shift                  "team" or "workspace"; points by which their weather moved the expectation
    weeks_rated, weeks_below           weeks of the window with ratings; those of them below the expectation
    worst_start, holds_without_worst   first of the worst seven days; whether the fall stands without them
    statistic, evidence, evidence_without_worst, h   standard errors: what was found, what was asked for
    drop, rate28, n28                  what must be made up for; mean and number of the last 28 days' ratings
    scale, rarity                      the one scale all these ratings are on, or ""; one false flag in so many quarters
"""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents.access import Refusal, Right, require
from coaching import sentences, trajectory
from coaching.actions import samples
from coaching.models import Flag

MANUAL_WINDOW = timedelta(days=28)
LONGEST_REASON = 2_000  # characters


class AlreadyFlagged(Refusal):
    """The agent has an open flag, and one is enough; `flag` is that one."""

    def __init__(self, flag):
        super().__init__(f"{flag.agent} has an open flag already.")
        self.flag = flag


class AlreadyClosed(Refusal):
    """The flag is not open any more; `flag` says how it ended."""

    def __init__(self, flag):
        super().__init__(f"This flag is closed: {flag.get_status_display()}.")
        self.flag = flag


def raise_flag(agent, evidence):
    """Open an automatic flag on what the scan found (`evidence_of`) and take its worst conversations down as samples.

    Returns the flag, or None where the agent has an open one: somebody was first.
    """
    since, day = date.fromisoformat(evidence["since"]), date.fromisoformat(evidence["day"])
    try:
        with transaction.atomic():
            flag = Flag.objects.create(
                workspace_id=agent.workspace_id,
                agent=agent,
                kind=Flag.Kind.AUTO,
                since=since,
                opened_on=day,
                evidence=evidence | {"scale": _scale(agent, since, day)},
            )
            samples.capture(flag)
    except IntegrityError:
        if Flag.objects.open().filter(agent=agent).exists():
            return None
        raise
    return flag


def raise_manual(agent, *, by, reason):
    """Open a flag because a leader says so; the scan never touches it. Raises NotAllowed, ValidationError, AlreadyFlagged."""
    require(by, Right.COACH_PEOPLE)
    reason = checked_reason(reason)
    today = timezone.now().astimezone(agent.workspace.zone).date()
    try:
        with transaction.atomic():
            return Flag.objects.create(
                workspace_id=agent.workspace_id,
                agent=agent,
                kind=Flag.Kind.MANUAL,
                since=today - MANUAL_WINDOW + timedelta(days=1),
                opened_on=today,
                opened_by=by,
                reason=reason,
            )
    except IntegrityError:
        flag = Flag.objects.open().filter(agent=agent).first()
        if flag is None:
            raise
        raise AlreadyFlagged(flag) from None


def dismiss(flag, *, by, reason):
    """Close the flag because a leader says so. Raises NotAllowed, ValidationError, AlreadyClosed."""
    require(by, Right.COACH_PEOPLE)
    reason = checked_reason(reason)
    today = timezone.now().astimezone(flag.workspace.zone).date()
    closed = _close(flag, Flag.Status.DISMISSED, today, closed_by=by, close_reason=reason)
    flag.refresh_from_db()
    if not closed:
        raise AlreadyClosed(flag)
    return flag


def set_cause(flag, *, by, cause):
    """Say what was behind the fall, of an open flag or a closed one; empty takes it back. Raises NotAllowed, ValidationError."""
    require(by, Right.COACH_PEOPLE)
    if cause and cause not in Flag.Cause.values:
        raise ValidationError({"cause": f"Unknown cause. Known: {', '.join(Flag.Cause.values)}."})
    Flag.objects.filter(pk=flag.pk).update(cause=cause)
    flag.refresh_from_db()
    return flag


def clear(flag, evidence):
    """Close an automatic flag: most of the fall is made up for. `evidence` is `end_of`. False where it was not open any more."""
    return _close(flag, Flag.Status.CLEARED, date.fromisoformat(evidence["day"]), close_evidence=evidence)


def expire(flag, evidence):
    """Close an automatic flag that stood to its last day: this is the new level. As `clear`."""
    return _close(flag, Flag.Status.EXPIRED, date.fromisoformat(evidence["day"]), close_evidence=evidence)


def _close(flag, status, day, **values):
    rows = Flag.objects.open().filter(pk=flag.pk)
    if status != Flag.Status.DISMISSED:
        rows = rows.automatic()
    return bool(rows.update(status=status, closed_at=timezone.now(), closed_on=day, **values))


def checked_reason(reason):
    """The reason, trimmed. Raises ValidationError where it is empty or too long."""
    reason = (reason or "").strip()
    if not reason:
        raise ValidationError({"reason": "Say why, in a few words."})
    if len(reason) > LONGEST_REASON:
        raise ValidationError({"reason": f"A reason has at most {LONGEST_REASON:,} characters."})
    return reason


def evidence_of(scan, row, *, h, first_rated, in_team):
    """What is stored of one agent's row of a Scan. `first_rated` is the first day with ratings, `in_team` whether the peers were
    the agent's own team."""
    since, weeks = int(scan.since[row]), int(scan.weeks[row])
    worst = int(scan.worst_start[row])
    drop = max(scan.expected[row] - scan.rate28[row], trajectory.MIN_DROP)
    return {
        "day": _iso(scan.day),
        "since": _iso(since),
        "weeks": weeks,
        "ratings": round(float(scan.ratings[row])),
        "observed": _points(scan.observed[row]),
        "expected": _points(scan.expected[row]),
        "own_level": _points(scan.own_level[row]),
        "past_ratings": round(float(scan.past_ratings[row])),
        "past_weeks": past_weeks(since, weeks, first_rated),
        "peers": "team" if in_team else "workspace",
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
        "rarity": sentences.RARITY.get(h),
    }


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


def sentence(flag, *, today=None):
    """What the flag says, whoever raised it and however it ended. `today` as in `coaching.sentences`."""
    if flag.status == Flag.Status.DISMISSED:
        return f"Dismissed by {flag.closed_by}: {flag.close_reason}"
    if flag.kind == Flag.Kind.MANUAL:
        return flag.reason
    ended = {Flag.Status.CLEARED: sentences.cleared, Flag.Status.EXPIRED: sentences.expired}
    if flag.status in ended:
        return ended[flag.status](flag.close_evidence)
    return sentences.sentence(flag.agent.name, flag.evidence, today=today)


def _scale(agent, since, day):
    """The scale all counting ratings of the window are on, or "" where they are on several: means of those are points only."""
    scales = samples.rated_within(agent, since, day).order_by().values_list("scale", flat=True).distinct()[:2]
    return scales[0] if len(scales) == 1 else ""


def _points(level):
    """A level or difference 0..1 as points of a score, to a hundredth of a point's hundredth."""
    return round(100 * float(level), 4)


def _rounded(x):
    return round(float(x), 4)


def _iso(day):
    return date.fromordinal(day).isoformat()
