"""What a flag says, in sentences that can be checked. Pure: numbers in, words out; no clock, no database.

Everything is read from the evidence that was stored when the flag was raised or ended (`coaching.csat.findings` names its
keys), so a sentence never claims more than was known then. Levels in it are scores, 0..100.
"""

from datetime import date, timedelta
from typing import NamedTuple

from coaching.texts.numbers import counted

FRESH = timedelta(days=7)  # for so long "the last 5 weeks" are still the weeks that were meant

# How rarely the scan flags an agent who keeps their level, one quarter each, by the threshold h it was swept with: measured by
# `make flag-eval` in simulated workspaces with seasons, holidays and teams' weather. Of 60,000 agents 815, 307, 120, 60 and 32
# were flagged: 1 in 74 to 1 in 1,875, of which chance leaves 1 in 69, 178, 430, 807 and 1,396 open; rounded down from those.
RARITY = {3.1: 60, 3.4: 150, 3.65: 400, 3.8: 600, 4.0: 1200}


class Found(NamedTuple):
    """What becomes of real falls of one size: how many in a hundred are found within a quarter, and when."""

    percent: int
    weeks: int  # from the fall to the flag: half of those that are found have been by then


# What the scan finds of falls that come at once and stay, by h and by (points, ratings a week): measured as RARITY is, 1,500
# falls each, and rounded down to a multiple of 5 from what chance leaves open. For the choice between sensitivities.
FINDS = {
    3.1: {(20, 8): Found(80, 6), (20, 20): Found(95, 4), (10, 20): Found(60, 7)},
    3.4: {(20, 8): Found(70, 7), (20, 20): Found(95, 4), (10, 20): Found(45, 7)},
    3.65: {(20, 8): Found(60, 7), (20, 20): Found(90, 5), (10, 20): Found(30, 8)},
    3.8: {(20, 8): Found(50, 8), (20, 20): Found(90, 5), (10, 20): Found(25, 8)},
    4.0: {(20, 8): Found(45, 8), (20, 20): Found(85, 6), (10, 20): Found(20, 8)},
}

# How often it finds a fall of 30 points at three ratings a week within a quarter, by h: in the simulator's step30, six
# workspaces and 307 such agents, 77, 66, 53, 45 and 40 of a hundred.
FOUND_IN_FEW = {
    3.1: "only three times in four",
    3.4: "only two times in three",
    3.65: "only every second time",
    3.8: "not even every second time",
    4.0: "only two times in five",
}


def sentence(name, evidence, *, today=None):
    """The claim in full: what came, what was to be expected, how steadily it stayed below, how seldom that is chance.

    `today` (a date) makes the sentence right for a flag that has stood for a while; without it the flag counts as new.
    """
    e = evidence
    said = [
        f"{_window(e, today)} {name}’s {counted(e['ratings'], 'rating')} average {level(e['observed'], e.get('scale'))}; "
        f"their own previous {_basis(e)} to {level(e['expected'], e.get('scale'))}.",
        f"Below that in {e['weeks_below']} of the {_weeks_rated(e)}"
        + (", and it holds without the worst 7 days." if e["holds_without_worst"] else "."),
    ]
    if e.get("new_scale"):
        said.append("Most of these ratings are on a scale that is new here, which alone can look like a fall.")
    elif e.get("rarity"):
        said.append(f"A steady agent shows this in fewer than 1 in {e['rarity']} quarters.")
    return " ".join(said)


def brief(evidence):
    """The claim in the length of a table's row."""
    e = evidence
    points = round(e["expected"] - e["observed"])
    holds = "; holds without the worst week" if e["holds_without_worst"] else ""
    if e.get("new_scale"):
        holds = "; but the scale of the ratings is new"
    return f"Down {counted(points, 'point')} in {counted(e['weeks'], 'week')} against what was expected{holds}"


def cleared(evidence):
    """Why a flag is over, from the evidence of its end."""
    e = evidence
    if e.get("corrected"):
        return (
            f"Cleared on {_day(e['day'])}: ratings of these weeks were corrected since; with them as they are now it would not "
            "have been raised."
        )
    return (
        f"Cleared on {_day(e['day'])}: the {counted(e['n28'], 'rating')} of the last 4 weeks average "
        f"{level(e['rate28'], e.get('scale'))}, and {level(e['needed'], e.get('scale'))} was needed."
    )


def expired(evidence):
    """Why a flag that did not clear is closed all the same, from the evidence of its end."""
    e = evidence
    since = f"Open for {counted(e['open_days'] // 7, 'week')}"
    if not e["enough"]:
        few = counted(e["n28"], "rating")
        return f"{since}, with {few} in the last 4 weeks: too few to say whether it is over. Talk about it."
    return (
        f"{since}: the {counted(e['n28'], 'rating')} of the last 4 weeks average {level(e['rate28'], e.get('scale'))} where "
        f"{level(e['expected'], e.get('scale'))} was expected. This is the new level: talk about it."
    )


def cannot_see(h):
    """What few ratings hide from a scan with the threshold `h`."""
    return f"At 3 ratings a week even a 30-point fall is found {FOUND_IN_FEW[h]} within a quarter"


def level(score, scale=""):
    """A score (0..100) as people say it: "4.1" where all ratings are stars, else "82 %"."""
    return f"{1 + score / 25:.1f}" if scale == "stars5" else f"{score:.0f} %"


def in_per_cent(evidence):
    """The claim's two levels as pictures draw them, where the claim tells them in stars; else empty."""
    if evidence.get("scale") != "stars5":
        return ""
    was, wanted = (f"{level(evidence[key], 'stars5')} is {level(evidence[key])}" for key in ("observed", "expected"))
    return f"of 5 stars, {was} and {wanted}"


def _window(e, today):
    until = date.fromisoformat(e["day"])
    weeks = counted(e["weeks"], "week")
    if today is None or today - until <= FRESH:
        return f"In the last {weeks}"
    return f"In the {weeks} up to {_day(e['day'])}"


def _basis(e):
    """What the expectation rests on: the own past, and the peers where they had ratings in these weeks."""
    one_week = e["past_weeks"] == 1
    past = "week" if one_week else counted(e["past_weeks"], "week")
    if e.get("peers_ratings") == 0:
        return f"{past} {'points' if one_week else 'point'}"
    peers = "their team" if e["peers"] == "team" else "everybody else"
    return f"{past} and what {peers} got in these weeks point"


def _weeks_rated(e):
    return (
        counted(e["weeks"], "week")
        if e["weeks_rated"] == e["weeks"]
        else f"{counted(e['weeks_rated'], 'week')} with ratings"
    )


def _day(iso):
    day = date.fromisoformat(iso)
    return f"{day.day} {day:%B %Y}"
