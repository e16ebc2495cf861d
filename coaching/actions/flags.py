"""What can be done to flags, by the scan and by people: raise, dismiss, reopen, tick off, say the cause, clear, expire.

What an automatic flag stores as `evidence` stands in coaching.csat.findings. Where ratings of its days change later, the
evidence is brought up to date (`correct`) or the flag taken back (`take_back`); each version of it stays in its history.
"""

from datetime import date, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.utils import timezone

from agents import history
from agents.access import Refusal, Right, require
from coaching import trajectory
from coaching.actions import samples
from coaching.actions.slack import posts
from coaching.csat import sentences
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


class NotDismissed(Refusal):
    """The flag is open, or ended by itself."""


def raise_flag(agent, evidence):
    """Open an automatic flag on what the scan found (`findings.evidence_of`) and take its worst conversations down as samples.

    Returns the flag, or None where the agent has an open one: somebody was first.
    """
    try:
        with transaction.atomic():
            flag = Flag.objects.create(
                workspace_id=agent.workspace_id,
                agent=agent,
                kind=Flag.Kind.AUTO,
                since=date.fromisoformat(evidence["since"]),
                opened_on=date.fromisoformat(evidence["day"]),
                evidence=evidence | scales_of(agent, evidence),
            )
            samples.capture(flag)
            posts.owe_flag(flag)
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
            flag = Flag(
                workspace_id=agent.workspace_id,
                agent=agent,
                kind=Flag.Kind.MANUAL,
                since=today - MANUAL_WINDOW + timedelta(days=1),
                opened_on=today,
                opened_by=by,
                reason=reason,
            )
            flag._history_user = by.user  # type: ignore[attr-defined]  # simple-history reads it
            flag.save(force_insert=True)
            posts.owe_flag(flag)
            return flag
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
    closed = _close(flag, Flag.Status.DISMISSED, today, by=by, closed_by=by, close_reason=reason)
    flag.refresh_from_db()
    if not closed:
        raise AlreadyClosed(flag)
    return flag


def reopen(flag, *, by):
    """Take a dismissal back: the flag stands again as it stood. Raises NotAllowed, NotDismissed, AlreadyFlagged."""
    require(by, Right.COACH_PEOPLE)
    dismissed = Flag.objects.filter(status=Flag.Status.DISMISSED)
    nobody = {"closed_at": None, "closed_on": None, "closed_by": None, "close_reason": ""}
    try:
        reopened = _change(flag, dismissed, by=by, status=Flag.Status.OPEN, **nobody)
    except IntegrityError:
        other = Flag.objects.open().filter(agent=flag.agent_id).first()
        if other is None:
            raise
        raise AlreadyFlagged(other) from None
    flag.refresh_from_db()
    if not reopened:
        raise NotDismissed("Only a dismissal can be taken back.")
    return flag


def mark_coached(flag, *, by):
    """Tick off that the agent was coached on it, or that the new level was talked about.

    Harmless where somebody did before. Raises NotAllowed, AlreadyClosed.
    """
    require(by, Right.COACH_PEOPLE)
    untouched = Flag.objects.coachable().filter(coached_at=None)
    marked = _change(flag, untouched, by=by, coached_at=timezone.now(), coached_by=by)
    flag.refresh_from_db()
    if not marked and flag.coached_at is None:
        raise AlreadyClosed(flag)
    return flag


def unmark_coached(flag, *, by):
    """Take the tick back. Harmless where there is none. Raises NotAllowed."""
    require(by, Right.COACH_PEOPLE)
    _change(flag, Flag.objects.filter(coached_at__isnull=False), by=by, coached_at=None, coached_by=None)
    flag.refresh_from_db()
    return flag


def set_cause(flag, *, by, cause):
    """Say what was behind the fall, of an open flag or a closed one; empty takes it back. Raises NotAllowed, ValidationError."""
    require(by, Right.COACH_PEOPLE)
    if cause and cause not in Flag.Cause.values:
        raise ValidationError({"cause": f"Unknown cause. Known: {', '.join(Flag.Cause.values)}."})
    _change(flag, Flag.objects.exclude(cause=cause), by=by, cause=cause)
    flag.refresh_from_db()
    return flag


def clear(flag, evidence):
    """Close an automatic flag: most of the fall is made up for. False where it was not open any more.

    `evidence` is `findings.end_of`.
    """
    return _close(flag, Flag.Status.CLEARED, date.fromisoformat(evidence["day"]), close_evidence=evidence)


def expire(flag, evidence):
    """Close an automatic flag that stood to its last day: this is the new level. As `clear`."""
    return _close(flag, Flag.Status.EXPIRED, date.fromisoformat(evidence["day"]), close_evidence=evidence)


def correct(flag, evidence):
    """Bring an open automatic flag's evidence up to date: ratings of its days changed, and it would still have been raised.

    `evidence` is `findings.evidence_of` the day it was raised on. The review window follows it, and worst conversations that
    came in late become samples; those that were taken down stay. False where the flag was not open any more.
    """
    with transaction.atomic():
        values = {
            "since": date.fromisoformat(evidence["since"]),
            "evidence": evidence | scales_of(flag.agent, evidence),
        }
        if not _change(flag, Flag.objects.open().automatic(), **values):
            return False
        flag.refresh_from_db()
        samples.capture(flag)
    return True


def take_back(flag, evidence, *, day):
    """Close an automatic flag that should not have been raised: ratings of its days were corrected since. As `clear`.

    `evidence` says what the same days tell now: `findings.sums_of` its review window, and the statistic. `day` (a date) is when
    that was seen.
    """
    told = {
        "day": day.isoformat(),
        "open_days": (day - flag.opened_on).days,
        "corrected": True,
        "scale": flag.evidence.get("scale", ""),
        "was": {key: flag.evidence.get(key) for key in evidence},
        "is": evidence,
    }
    return _close(flag, Flag.Status.CLEARED, day, close_evidence=told)


def _close(flag, status, day, *, by=None, **values):
    rows = Flag.objects.open()
    if status != Flag.Status.DISMISSED:
        rows = rows.automatic()
    return _change(flag, rows, by=by, status=status, closed_at=timezone.now(), closed_on=day, **values)


def _change(flag, rows, *, by=None, **values):
    """Change the flag while it is one of `rows`, as its next version. False where it is none of them (any more)."""
    with transaction.atomic():
        changed = history.change(flag, rows, by=by, **values)
        if changed:
            posts.redraw(flag=flag)
    return changed


def checked_reason(reason):
    """The reason, trimmed. Raises ValidationError where it is empty or too long."""
    reason = (reason or "").strip()
    if not reason:
        raise ValidationError({"reason": "Say why, in a few words."})
    if len(reason) > LONGEST_REASON:
        raise ValidationError({"reason": f"A reason has at most {LONGEST_REASON:,} characters."})
    return reason


def sentence(flag, *, today=None):
    """What the flag says, whoever raised it and however it ended. `today` as in `coaching.csat.sentences`."""
    if flag.status == Flag.Status.DISMISSED:
        return f"Dismissed by {flag.closed_by.display_name}: {flag.close_reason}"
    if flag.kind == Flag.Kind.MANUAL:
        return flag.reason
    ended = {Flag.Status.CLEARED: sentences.cleared, Flag.Status.EXPIRED: sentences.expired}
    if flag.status in ended:
        return ended[flag.status](flag.close_evidence)
    return sentences.sentence(flag.agent.name, flag.evidence, today=today)


def scales_of(agent, evidence):
    """What the scales of the ratings add to the evidence of a flag on `agent`, which daily sums do not tell: {scale, new_scale}.

    `scale` is the one all ratings of the review window are on, or "" where they are on several: means of those are points only.
    `new_scale` says that most of them are on one which the agent was hardly rated on before.
    """
    since, day = date.fromisoformat(evidence["since"]), date.fromisoformat(evidence["day"])
    is_recent = Q(rated_at__gte=datetime.combine(since, time(), agent.workspace.zone))
    ratings = samples.rated_within(agent, day - timedelta(days=trajectory.HISTORY_DAYS - 1), day).order_by()
    recent: dict[str, int] = {}
    before: dict[str, int] = {}
    for scale, in_window, n in ratings.values_list("scale", is_recent).annotate(Count("pk")):
        (recent if in_window else before)[scale] = n
    usual = max(recent, key=lambda scale: (recent[scale], scale), default="")
    return {
        "scale": usual if len(recent) == 1 else "",
        "new_scale": bool(recent and before) and before.get(usual, 0) < trajectory.MIN_PAST_RATINGS,
    }
