"""What a note's foot says of the ratings since: one line in words, and what stands behind it."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone

from agents.templatetags.words import day, ratings
from coaching.actions.effects import PART
from coaching.csat import effects
from coaching.csat.effects import Basis, Verdict
from coaching.models import Note
from coaching.texts.numbers import counted

SURE_OF_SO = {Verdict.BETTER: "better than expected", Verdict.WORSE: "worse than expected"}


@dataclass(frozen=True)
class SinceNote:
    """`words` are the line; `behind` the sentences that say what it rests on, none where nothing was measured.

    `until` is the last day whose ratings count in it, None before the first look.
    """

    words: str
    behind: list[str]
    until: date | None = None


def of(note: Note) -> SinceNote | None:
    """What is known since `note`, from its stored measurement; None where nothing was or will be measured."""
    if note.archived_at is not None:
        return None
    on = timezone.localdate(note.created_at)
    measured = getattr(note, "effect", None)
    if measured is None:
        first_look = on + timedelta(days=7 * effects.FIRST_LOOK + 1)
        ahead = first_look >= timezone.localdate()
        return SinceNote(f"The ratings since are looked at from {day(first_look)} on.", []) if ahead else None
    result = measured.result
    if result["verdict"] == PART:
        since = day(date.fromisoformat(result["since"]))
        return SinceNote(f"Part of the coaching that began with the note of {since}, and measured there.", [])
    return SinceNote(_line(result), _behind(result), measured.day)


def _line(e):
    over = e["weeks"] == effects.LAST_LOOK
    if e["verdict"] == Verdict.FEW_BEFORE:
        return f"Nothing to compare with: {ratings(e['n_before'])} in the 13 weeks before, too few to know the usual level."
    if e["verdict"] == Verdict.FEW_AFTER:
        so_far = "in the 12 weeks since: too few to tell." if over else "since then: too few to tell yet."
        return f"{ratings(e['n_after']).capitalize()} {so_far}"
    near_nothing = min(abs(e["low"]), abs(e["high"])) < 0.5 and e["verdict"] in SURE_OF_SO
    low, high = (_signed(e[end], digits=1 if near_nothing else 0) for end in ("low", "high"))
    seen = (
        f"Since then {_signed(e['change'], digits=1)} against what was to be expected, range {low} to {high}, "
        f"{ratings(e['n_after'])}"
    )
    return f"{seen}: {_verdict(e)}."


def _verdict(e):
    if e["verdict"] in SURE_OF_SO:
        return SURE_OF_SO[e["verdict"]]
    if e["verdict"] == Verdict.SAME:
        within = max(-e["low"], e["high"])
        return (
            f"no difference seen, within ±{within:.0f}"
            if within <= 2 * e["size"]
            else "nothing seen beyond the rebound"
        )
    if e["weeks"] == effects.LAST_LOOK:
        return "cannot tell, and the 12 weeks are over"
    if e["more"] is None:
        return "cannot tell, and more ratings would not settle it"
    about = f"about {_roughly(e['more']):,} more {'rating' if e['more'] == 1 else 'ratings'}"
    to_come = e["n_after"] / e["weeks"] * (effects.LAST_LOOK - e["weeks"])
    if e["more"] > to_come:
        return f"cannot tell; a change of {e['size']:.0f} points would take {about}, more than come in 12 weeks"
    return f"cannot tell yet; {about} would show a change of {e['size']:.0f} points"


def _behind(e):
    if e["change"] is None:
        return []
    dip = e["dip"]
    before = f"Before the note: {ratings(e['n_before'])} in 13 weeks"
    if abs(dip) < 0.5:
        before += ", the last 4 weeks as the 9 before them."
    else:
        before += f", the last 4 weeks {counted(abs(dip), 'point')} {'lower' if dip > 0 else 'higher'} than the 9 before them."
    came = f"Expected {e['expected']:.1f} %, came {e['observed']:.1f} %."
    if e["basis"] == Basis.CONTROLS:
        how = (
            f"What to expect is learned from {e['n_controls']} others without a note in these months, who were as far from their "
            "own level just then: how much of that went away by itself."
        )
    else:
        how = (
            f"Fewer than {effects.MIN_CONTROLS} others without a note were like this just then, so nobody knows how much of it "
            "goes away by itself. The range leaves open both: all of it, and none."
        )
    return [before, how, came]


def _signed(points, *, digits):
    words = f"{abs(points):.{digits}f}"
    return "0" if float(words) == 0 else f"{'+' if points > 0 else '−'}{words}"


def _roughly(n):
    """A number to one or two digits: what it is estimated to."""
    if n < 20:
        return n
    step = 10 ** (len(str(n)) - 2) * (5 if n >= 100 else 1)
    return -(-n // step) * step if n >= 100 else -(-n // 10) * 10
