"""The configurations of an AI agent: its changes by number, two of them compared, any of them read as it was."""

from http import HTTPStatus

from django.http import Http404

from agents.pages import page
from coaching.forms import AsOfForm
from coaching.pages import configurations as configurations_page
from coaching.views.agent import find, show

TAB = "agent-configurations"
NOT_YET = "That has not come yet. Give a time in the past."
BEFORE = "The agent was not here then. Give a later time."


@page()
def listed(request, agent_id):
    """The changes, newest first; `?from=3&to=9` compares two configurations."""
    agent = find(request, agent_id, ai=True)
    question = configurations_page.Question.parse(request.GET)
    return _show_list(request, agent, question, AsOfForm(auto_id="%s"))


@page()
def one(request, agent_id, number):
    """What the agent was told at that configuration."""
    agent = find(request, agent_id, ai=True)
    return _show_then(request, agent, number)


@page()
def as_of(request, agent_id):
    """What the agent was told at `?asOf=2026-11-03T10:00`, a time on the clock of the workspace."""
    agent = find(request, agent_id, ai=True)
    form = AsOfForm(request.GET, auto_id="%s")
    if form.is_valid():
        at = form.cleaned_data["asOf"]
        number = configurations_page.number_then(agent, at)
        if number is not None:
            return _show_then(request, agent, number, at)
        form.add_error("asOf", BEFORE if at < agent.created_at else NOT_YET)
    question = configurations_page.Question()
    return _show_list(request, agent, question, form, HTTPStatus.BAD_REQUEST)


# ----------------------------------------------------------------------------------------------------------------------


def _show_list(request, agent, question, form, status=HTTPStatus.OK):
    context = {"configurations": configurations_page.load_list(agent, question), "form": form}
    return show(request, TAB, agent, context, status)


def _show_then(request, agent, number, at=None):
    question = configurations_page.ThenQuestion.parse(request.GET)
    then = configurations_page.load_then(agent, number, question, at)
    if then is None:
        raise Http404
    return show(request, TAB, agent, {"then": then, "as_of": at}, template="coaching/agent_configuration.html")
