"""Pages that say how something is measured."""

from django.shortcuts import render

from agents.access import Right, require
from agents.pages import page
from coaching.csat import effects


@page()
def after_coaching(request):
    """What "since then" at a note's foot says, when it says nothing, and how often it is wrong."""
    require(request.member, Right.COACH_PEOPLE)
    context = {
        "section": "team",
        "past_weeks": effects.PAST_WEEKS,
        "recent_weeks": effects.RECENT_WEEKS,
        "first_look": effects.FIRST_LOOK,
        "last_look": effects.LAST_LOOK,
        "min_before": effects.MIN_PAST,
        "min_after": effects.MIN_AFTER,
        "min_controls": effects.MIN_CONTROLS,
        "sizes": effects.SIZES,
    }
    return render(request, "coaching/after_coaching.html", context)
