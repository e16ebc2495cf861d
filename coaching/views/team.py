"""The Team page, the drawer of one agent, and what is said of its flag there."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render

from agents.pages import page, wants_fragment
from coaching.actions import flags
from coaching.models import Flag
from coaching.pages import team as team_page
from coaching.views import drawer, samples
from coaching.views import flags as flag_page


@page()
def team(request):
    """Everybody with their CSAT; `?agent=ID` shows the drawer of one of them over it."""
    question = team_page.Question.parse(request.GET)
    opened = (
        drawer.context(request, drawer.visible_agent(request, request.GET["agent"])) if "agent" in request.GET else {}
    )
    context = {"section": "team", "page": team_page.load(request.member, question)} | opened
    return render(request, "coaching/team.html", context)


@page()
def agent(request, agent_id):
    """One agent: as a fragment for the drawer, else as a page of its own."""
    found = drawer.visible_agent(request, agent_id)
    context = drawer.context(request, found) | samples.said_of(request, found)
    if wants_fragment(request):
        return render(request, "coaching/_drawer.html", context)
    return render(request, "coaching/drawer.html", context | {"section": "team", "whole_page": True})


@page("POST")
def set_cause(request, flag_id):
    """Say what was behind the fall; the same answer again takes it back."""
    flag = _visible_flag(request, flag_id)
    cause = request.POST.get("cause", "")
    try:
        flags.set_cause(flag, by=request.member, cause="" if cause == flag.cause else cause)
    except ValidationError as refusal:
        return _flag_answer(request, flag, " ".join(refusal.messages), status=400)
    return _flag_answer(request, flag, cause_said=bool(flag.cause), cause_taken_back=not flag.cause)


@page("POST")
def dismiss(request, flag_id):
    """Close the flag with the reason that was typed."""
    flag = _visible_flag(request, flag_id)
    try:
        flags.dismiss(flag, by=request.member, reason=request.POST.get("reason", ""))
    except ValidationError as refusal:
        return _flag_answer(request, flag, " ".join(refusal.messages), status=400)
    except flags.AlreadyClosed as refusal:
        return _flag_answer(request, flag, str(refusal), status=409)
    return _flag_answer(request, flag, kept="Dismissed. The reason stays with the flag.")


@page("POST")
def raise_by_hand(request, agent_id):
    """Flag somebody whom the scan has not flagged, with the reason that was typed. Dismissing it takes it back."""
    found = drawer.visible_agent(request, agent_id)
    try:
        flag = flags.raise_manual(found, by=request.member, reason=request.POST.get("reason", ""))
    except ValidationError as refusal:
        return _flag_answer(request, Flag(agent=found), " ".join(refusal.messages), status=400)
    except flags.AlreadyFlagged as refusal:
        return _flag_answer(request, refusal.flag, str(refusal), status=409)
    return _flag_answer(request, flag, kept="Flagged. To take it back, dismiss it.")


def _flag_answer(request, flag, errors="", *, kept="", status=200, **focused):
    if "on_page" in request.POST:  # the form of the flag's own page
        if errors:
            return flag_page.show(request, flag, errors, status=status)
        return flag_page.answer(request, flag, kept)
    found = drawer.visible_agent(request, flag.agent_id)
    context = drawer.context(request, found) | {"flag_errors": errors, "flag_kept": kept} | focused
    if wants_fragment(request):
        return drawer.changed(render(request, "coaching/_why.html", context | {"out_of_band": True}, status=status))
    if errors:
        return render(request, "coaching/drawer.html", context | {"section": "team", "whole_page": True}, status=status)
    if kept:
        messages.success(request, kept)
    return redirect("team-agent", found.pk)


def _visible_flag(request, flag_id):
    return get_object_or_404(Flag.objects.visible_to(request.member).select_related("agent", "workspace"), pk=flag_id)
