"""The page of one flag, and what a leader does about it there."""

from django.contrib import messages
from django.shortcuts import get_object_or_404, redirect, render

from agents.access import Right, require
from agents.pages import page
from coaching.actions import flags
from coaching.models import Flag, Sample
from coaching.pages import flag as flag_page


@page()
def flag(request, flag_id):
    """Why it was raised, where it stands, what happened to it."""
    return show(request, find(request, flag_id))


@page("POST")
def reopen(request, flag_id):
    """Take the dismissal back."""
    found = find(request, flag_id)
    try:
        flags.reopen(found, by=request.member)
    except (flags.NotDismissed, flags.AlreadyFlagged) as refusal:
        return show(request, found, str(refusal), status=409)
    return answer(request, found, "Reopened. It stands as it stood.")


@page("POST")
def coached(request, flag_id):
    """Tick off that the agent was coached on it (`coached` is in the form), or take that back."""
    found = find(request, flag_id)
    if "coached" not in request.POST:
        flags.unmark_coached(found, by=request.member)
        return answer(request, found, "Taken back: not coached yet.")
    try:
        flags.mark_coached(found, by=request.member)
    except flags.AlreadyClosed as refusal:
        return show(request, found, str(refusal), status=409)
    return answer(request, found, f"Noted: {found.agent} was coached on it.")


def find(request, flag_id):
    """The flag, for leaders: 404 where it may not be seen."""
    people = ("opened_by__user", "closed_by__user", "coached_by__user")
    rows = Flag.objects.visible_to(request.member).select_related("agent__team", "workspace", *people)
    found = get_object_or_404(rows, pk=flag_id)
    require(request.member, Right.COACH_PEOPLE)
    return found


def answer(request, flag, kept):
    """Back to the page, with what was done."""
    messages.success(request, kept)
    return redirect("flag", flag.pk)


def show(request, flag, errors="", *, status=200):
    found = find(request, flag.pk)
    n_samples = Sample.objects.kept().filter(flag=found, agent=found.agent).count() if found.agent.is_ai else 0
    context = {
        "section": "team",
        "page": flag_page.load(request.member, found),
        "n_samples": n_samples,
        "errors": errors,
    }
    return render(request, "coaching/flag.html", context, status=status)
