"""Doors to a talk with the coach about several conversations at once."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect

from agents import work
from agents.access import Right, require
from agents.models import Agent
from agents.pages import page
from coaching.actions import sessions
from coaching.models import Flag
from coaching.pages import sets
from coaching.pages.history import HistoryQuestion
from coaching.talks import quick
from coaching.tasks import run_turn


@page("POST")
def ask_about_filter(request, agent_id):
    """Begin a talk about what the filter in the address finds of an agent's conversations; `quick` asks at once."""
    agent = get_object_or_404(Agent.objects.visible_to(request.member), pk=agent_id)
    require(request.member, Right.COACH_AI)
    chosen, about = sets.of_filter(request.member, HistoryQuestion.parse(request.GET), agent)
    return _begin(request, agent, chosen, about, redirect("agent-history", agent.pk))


@page("POST")
def ask_about_flag(request, flag_id):
    """Begin a talk about the samples of a flag; `quick` asks at once."""
    flag = get_object_or_404(Flag.objects.visible_to(request.member).select_related("agent"), pk=flag_id)
    require(request.member, Right.COACH_AI)
    if not flag.agent.is_ai:
        raise Http404
    chosen, about = sets.of_flag(request.member, flag)
    return _begin(request, flag.agent, chosen, about, redirect("flag", flag.pk))


def _begin(request, agent, chosen, about, back):
    if not chosen:
        messages.error(request, "There is no conversation to ask about here.")
        return back
    question = request.POST.get("quick", "")
    try:
        with transaction.atomic():
            session = sessions.start(agent, by=request.member, conversations=chosen, about=about)
            if quick.is_quick(question):
                asked = sessions.ask(session, by=request.member, text=question)
                work.start_soon(run_turn, str(asked.pk))
    except (sessions.CoachOff, ValidationError) as refusal:
        words = refusal.messages if isinstance(refusal, ValidationError) else [str(refusal)]
        messages.error(request, " ".join(words))
        return back
    return redirect("coach-session", session.pk)
