"""The pages of one agent: overview, history, and for AI agents what they are told, their coach and their settings."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render

from agents import actions
from agents.access import Right, require
from agents.models import Agent
from agents.pages import page
from coaching.forms import SettingsForm
from coaching.pages import agent as agent_page
from coaching.pages import history as history_page
from coaching.pages import imports as imports_page
from coaching.pages import queue as queue_page
from coaching.pages import talk


@page()
def overview(request, agent_id):
    """What this agent is, how customers rate it, and what changed last."""
    agent = find(request, agent_id)
    return show(request, "agent", agent, {"overview": agent_page.load_overview(request.member, agent)})


@page()
def history(request, agent_id):
    """The agent's conversations."""
    agent = find(request, agent_id)
    question = history_page.HistoryQuestion.parse(request.GET)
    return show(
        request, "agent-history", agent, {"history": history_page.load_history(request.member, question, agent)}
    )


@page()
def coaching(request, agent_id):
    """The agent's proposals and its talks with the coach; a new talk begins here."""
    agent = find(request, agent_id, ai=True)
    order = queue_page.Question.parse(request.GET).order
    context = {
        "coaching": agent_page.load_coaching(request.member, agent, order),
        "panel": talk.load_panel(request.member, agent, None, None),
    }
    return show(request, "agent-coaching", agent, context)


@page("GET", "POST")
def settings(request, agent_id):
    """The coaching switch, and what is kept of pushed conversations."""
    agent = find(request, agent_id, ai=True)
    if request.method != "POST":
        form = settings_form(agent)
        return show_settings(request, agent, form)
    form = SettingsForm(request.POST)
    if form.is_valid():
        try:
            actions.update_agent(agent, by=request.member, **form.cleaned_data)
        except ValidationError as refusal:
            form.refuse(refusal)
            agent.refresh_from_db()
        else:
            messages.success(request, "Saved.")
            return redirect("agent-settings", agent.pk)
    return show_settings(request, agent, form, status=HTTPStatus.BAD_REQUEST)


def settings_form(agent):
    """The settings as they are."""
    return SettingsForm(initial={name: getattr(agent, name) for name in SettingsForm.base_fields})


def show_settings(request, agent, form, refused="", status=HTTPStatus.OK):
    """The Settings tab; `refused` says why a file could not be brought in."""
    context = {"form": form, "imports": imports_page.recent(agent), "refused": refused}
    return show(request, "agent-settings", agent, context, status)


def find(request, agent_id, ai=False):
    """The agent, for leaders: 404 where it may not be seen or, with `ai`, is a person; NotAllowed for a member's own."""
    agent = get_object_or_404(Agent.objects.visible_to(request.member).select_related("team"), pk=agent_id)
    require(request.member, Right.READ_TEAM)
    if ai and not agent.is_ai:
        raise Http404
    return agent


def show(request, tab, agent, context, status=HTTPStatus.OK, template=None):
    """One tab of an agent's page; `tab` is the name of its address."""
    frame = {"section": "team", "agent": agent, "tab": tab, "tabs": agent_page.tabs(agent)}
    name = template or f"coaching/{tab.replace('-', '_')}.html"
    return render(request, name, frame | context, status=status)
