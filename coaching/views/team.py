"""The Team page, the drawer of one agent, and the notes written in it."""

from datetime import datetime, time
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.dateparse import parse_date

from agents.models import Agent
from agents.pages import page, wants_fragment
from coaching.actions import flags, notes
from coaching.models import Flag, Sample
from coaching.pages import drawer
from coaching.pages import team as team_page
from coaching.views import flags as flag_page


@page()
def team(request):
    """Everybody with their CSAT; `?agent=ID` shows the drawer of one of them over it."""
    question = team_page.Question.parse(request.GET)
    opened = _drawer(request, _visible_agent(request, request.GET["agent"])) if "agent" in request.GET else {}
    context = {"section": "team", "page": team_page.load(request.member, question)} | opened
    return render(request, "coaching/team.html", context)


@page()
def agent(request, agent_id):
    """One agent: as a fragment for the drawer, else as a page of its own."""
    context = _drawer(request, _visible_agent(request, agent_id))
    if wants_fragment(request):
        return render(request, "coaching/_drawer.html", context)
    return render(request, "coaching/drawer.html", context | {"section": "team", "whole_page": True})


@page("POST")
def write_note(request, agent_id):
    """Keep the note that was typed in the drawer; what is wrong with it is said beside it and the words stay."""
    found = _visible_agent(request, agent_id)
    typed = {
        "body": request.POST.get("body", ""),
        "sample": request.POST.get("sample", ""),
        "follow_up": request.POST.get("follow_up", ""),
        "share": "share" in request.POST,
    }
    try:
        note = notes.write(
            found,
            by=request.member,
            body=typed["body"],
            sample=_sample(request, found, typed["sample"]),
            follow_up_at=_morning(typed["follow_up"]),
            shared_with_agent=typed["share"],
        )
    except ValidationError as refusal:
        context = _drawer(request, found) | {"typed": typed, "errors": " ".join(refusal.messages)}
        if wants_fragment(request):
            return render(request, "coaching/_notes.html", context, status=400)
        return render(request, "coaching/drawer.html", context | {"section": "team", "whole_page": True}, status=400)
    kept = f"Kept, and shared with {found}." if note.shared_with_agent else "Kept, private to leaders."
    if wants_fragment(request):
        return _changed(render(request, "coaching/_notes.html", _drawer(request, found) | {"kept": kept}))
    messages.success(request, kept)
    return redirect(f"{reverse('team-agent', args=[found.pk])}#notes")


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
    found = _visible_agent(request, agent_id)
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
    found = _visible_agent(request, flag.agent_id)
    context = _drawer(request, found) | {"flag_errors": errors, "flag_kept": kept} | focused
    if wants_fragment(request):
        return _changed(render(request, "coaching/_why.html", context | {"out_of_band": True}, status=status))
    if errors:
        return render(request, "coaching/drawer.html", context | {"section": "team", "whole_page": True}, status=status)
    if kept:
        messages.success(request, kept)
    return redirect("team-agent", found.pk)


def _changed(response):
    """Tell the table behind the drawer that its row is out of date."""
    response["HX-Trigger"] = "record-changed"
    return response


def _visible_flag(request, flag_id):
    return get_object_or_404(Flag.objects.visible_to(request.member).select_related("agent", "workspace"), pk=flag_id)


def _drawer(request, found):
    return {
        "drawer": drawer.load(request.member, found),
        "typed": {"sample": request.GET.get("sample", "")},
        "closed_url": f"{reverse('team')}{team_page.Question.parse(request.GET).query()}",
    }


def _visible_agent(request, agent_id):
    return get_object_or_404(Agent.objects.visible_to(request.member).select_related("team"), pk=_uuid(agent_id))


def _sample(request, found, sample_id):
    if not sample_id:
        return None
    return get_object_or_404(Sample.objects.visible_to(request.member).filter(agent=found), pk=_uuid(sample_id))


def _uuid(value):
    try:
        return value if isinstance(value, UUID) else UUID(value)
    except ValueError:
        raise Http404 from None


def _morning(value):
    """Nine in the morning of the day that was picked, in the workspace's time zone; None where none was."""
    if not value:
        return None
    try:
        picked = parse_date(value)
    except ValueError:
        picked = None
    if picked is None:
        raise ValidationError("The follow-up needs a date, as in 2027-01-31.")
    return datetime.combine(picked, time(9), tzinfo=timezone.get_current_timezone())
