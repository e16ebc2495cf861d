"""The decision log: read, filter, export, check, and take a change back from its entry. Rules stand in the actions."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents import decisions
from agents.access import Right, require
from agents.models import Decision, Door
from agents.pages import page
from coaching.api.decisions import export as exported
from coaching.pages import decisions as decisions_page
from coaching.views import taking_back

MOST_FAULTS = 50  # sentences; who tampers with a log at its beginning breaks all of it


@page("GET", "POST")
def log(request):
    """The entries, newest first. A POST walks the chain and says whether it is whole."""
    require(request.member, Right.READ_AI)
    faults = list(decisions.verify(request.member.workspace)) if request.method == "POST" else None
    found = decisions_page.load(request.member, decisions_page.Question.parse(request.GET))
    context = {
        "section": "settings",
        "tab": "decisions",
        "log": found,
        "actions": decisions.WORDS.items(),
        "doors": Door.choices,
        "checked": faults is not None,
        "faults": (faults or [])[:MOST_FAULTS],
        "more_faults": max(0, len(faults or ()) - MOST_FAULTS),
    }
    return render(request, "coaching/decisions.html", context)


@page()
def export(request, format):
    """What the filters leave, oldest first, as a file."""
    require(request.member, Right.READ_AI)
    question = decisions_page.Question.parse(request.GET)
    return exported(decisions_page.find(request.member, question), format)


@page("GET", "POST")
def take_back(request, number):
    """See what taking this entry's change back would do, and do it."""
    entry = get_object_or_404(Decision.objects.visible_to(request.member), number=number)
    require(request.member, Right.APPROVE)
    made = decisions_page.made_by(entry)
    if made is None:
        messages.error(request, f"Entry {entry.number} changed nothing that could be taken back.")
        return redirect("decisions")
    back, status = None, 200
    if request.method == "POST":
        undone, back, status = taking_back.attempt(request, made)
        if undone is not None:
            words = "Applied again" if made.reverts_id else "Taken back"
            messages.success(request, f"{words}, as version {undone.target_version}.")
            return redirect("decisions")
    (row,) = decisions_page.rows_of(request.member, [entry])
    context = {
        "section": "settings",
        "row": row,
        "entry": entry,
        "action": reverse("decision-take-back", args=[entry.number]),
        "leave": reverse("decisions"),
        **(back or taking_back.shown(made)),
    }
    return render(request, "coaching/decision_take_back.html", context, status=status)
