"""What a flag says, in sentences that can be checked. Pure: numbers in, words out; no clock, no database.

Everything is read from the evidence that was stored when the flag was raised or ended (`coaching.actions.flags` names its
keys), so a sentence never claims more than was known then. Levels in it are scores, 0..100.
"""

from datetime import date, timedelta

FRESH = timedelta(days=7)  # for so long "the last 5 weeks" are still the weeks that were meant

# How rarely the scan flags an agent who keeps their level, one quarter each, by the threshold h it was swept with: measured by
# `make flag-eval` (its last table) in simulated workspaces with seasons, holidays and teams' weather. Of 60,000 agents 296 were
# flagged at 3.4 and 108 at 3.65: 1 in 203 and in 556, of which chance leaves 1 in 184 and in 473 open; rounded down from those.
RARITY = {3.4: 150, 3.65: 400}


def sentence(name, evidence, *, today=None):
    """The claim in full: what came, what was to be expected, how steadily it stayed below, how seldom that is chance.

    `today` (a date) makes the sentence right for a flag that has stood for a while; without it the flag counts as new.
    """
    e = evidence
    said = [
        f"{_window(e, today)} {name}’s {_count(e['ratings'], 'rating')} average {level(e['observed'], e.get('scale'))}; "
        f"their own previous {_past(e)} and {_peers(e)} point to {level(e['expected'], e.get('scale'))}.",
        f"Below that in {e['weeks_below']} of the {_weeks_rated(e)}"
        + (", and it holds without the worst 7 days." if e["holds_without_worst"] else "."),
    ]
    if e.get("rarity"):
        said.append(f"A steady agent shows this in fewer than 1 in {e['rarity']} quarters.")
    return " ".join(said)


def brief(evidence):
    """The claim in the length of a table's row."""
    e = evidence
    points = round(e["expected"] - e["observed"])
    holds = "; holds without the worst week" if e["holds_without_worst"] else ""
    return f"Down {_count(points, 'point')} in {_count(e['weeks'], 'week')} against what was expected{holds}"


def cleared(evidence):
    """Why a flag is over, from the evidence of its end."""
    e = evidence
    return (
        f"Cleared on {_day(e['day'])}: the {_count(e['n28'], 'rating')} of the last 4 weeks average "
        f"{level(e['rate28'], e.get('scale'))}, and {level(e['needed'], e.get('scale'))} was needed."
    )


def expired(evidence):
    """Why a flag that did not clear is closed all the same, from the evidence of its end."""
    e = evidence
    since = f"Open for {_count(e['open_days'] // 7, 'week')}"
    if not e["enough"]:
        few = _count(e["n28"], "rating")
        return f"{since}, with {few} in the last 4 weeks: too few to say whether it is over. Talk about it."
    return (
        f"{since}: the {_count(e['n28'], 'rating')} of the last 4 weeks average {level(e['rate28'], e.get('scale'))} where "
        f"{level(e['expected'], e.get('scale'))} was expected. This is the new level: talk about it."
    )


def level(score, scale=""):
    """A score (0..100) as people say it: "4.1" where all ratings are stars, else "82 %"."""
    return f"{1 + score / 25:.1f}" if scale == "stars5" else f"{score:.0f} %"


def _window(e, today):
    until = date.fromisoformat(e["day"])
    weeks = _count(e["weeks"], "week")
    if today is None or today - until <= FRESH:
        return f"In the last {weeks}"
    return f"In the {weeks} up to {_day(e['day'])}"


def _past(e):
    return "week" if e["past_weeks"] == 1 else _count(e["past_weeks"], "week")


def _peers(e):
    return "what their team got in these weeks" if e["peers"] == "team" else "what everybody else got in these weeks"


def _weeks_rated(e):
    return (
        _count(e["weeks"], "week")
        if e["weeks_rated"] == e["weeks"]
        else f"{_count(e['weeks_rated'], 'week')} with ratings"
    )


def _count(n, noun):
    n = round(n)
    return f"1 {noun}" if n == 1 else f"{n:,} {noun}s"


def _day(iso):
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"
