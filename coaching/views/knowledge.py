"""What an AI agent is told: its memories, procedures and prompt. Read, search, edit, remove, restore, compare versions.

The three differ in their fields and in one word of their addresses; how they are shown and changed is the same.
"""

from dataclasses import dataclass
from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect

from agents import actions as configuration
from agents.models import Agent, Door, Procedure, Prompt
from agents.pages import page
from agents.versions import Conflict, at_version, fields_of
from coaching import forms
from coaching.pages import agent as agent_page
from coaching.pages import proposal as proposal_page
from coaching.views.agent import find, show
from memories import actions as memories
from memories.models import Memory


@dataclass(frozen=True)
class Kind:
    """One kind of thing an agent is told: its model, the names of its list's and its own address, its words."""

    model: type
    tab: str
    address: str
    noun: str


KINDS = {
    "memory": Kind(Memory, "agent-memory", "memory", "memory"),
    "procedure": Kind(Procedure, "agent-procedures", "procedure", "procedure"),
    "prompt": Kind(Prompt, "agent-prompt", "agent-prompt", "prompt"),
}


@page()
def memory_list(request, agent_id):
    """The memory base: all of it, what a search finds, what expires, what was removed."""
    agent = find(request, agent_id, ai=True)
    found = agent_page.load_memories(agent, agent_page.MemoryQuestion.parse(request.GET))
    return show(request, "agent-memory", agent, {"memories": found})


@page()
def procedure_list(request, agent_id):
    """The procedures by name, and those that were removed."""
    agent = find(request, agent_id, ai=True)
    procedures, gone = agent_page.load_procedures(agent)
    return show(request, "agent-procedures", agent, {"procedures": procedures, "removed": gone})


@page()
def entry(request, agent_id, kind, pk=None):
    """One memory, procedure or prompt with its versions; `?from=1&to=3` compares two of them."""
    agent = find(request, agent_id, ai=True)
    return _show_entry(request, agent, KINDS[kind], _pk(agent, kind, pk))


@page("GET", "POST")
def create(request, agent_id, kind):
    """Write a new one by hand."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    if request.method != "POST":
        return _show_form(request, agent, about, forms.FORMS[kind]())
    form = forms.FORMS[kind](request.POST)
    if form.is_valid():
        make = memories.create if kind == "memory" else configuration.create_procedure
        try:
            made = make(agent, by=request.member, door=Door.PAGE, reason=form.cleaned_data["reason"], **form.changes)
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Written. The agent is told it from now on.")
            return redirect(about.address, agent.pk, made.pk)
    return _show_form(request, agent, about, form, status=HTTPStatus.BAD_REQUEST)


@page("GET", "POST")
def edit(request, agent_id, kind, pk=None):
    """Make a new version by hand. A lost race shows the three values of each field and keeps what was typed."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    row = get_object_or_404(about.model.objects.filter(agent=agent), pk=_pk(agent, kind, pk))
    fields = fields_of(row)
    if request.method != "POST":
        form = forms.FORMS[kind](initial={**fields, "base_version": row.version})
        return _show_form(request, agent, about, form, row)
    form = forms.FORMS[kind](request.POST, initial=fields)
    if not form.is_valid():
        return _show_form(request, agent, about, form, row, HTTPStatus.BAD_REQUEST)
    if form.changes == fields:
        messages.info(request, "Nothing was changed.")
        return redirect(*_address(about, agent, row))
    base = form.cleaned_data["base_version"] or 0
    revise = memories.revise if kind == "memory" else configuration.revise
    try:
        revise(
            row, changes=form.changes, base_version=base, by=request.member, door=Door.PAGE,
            reason=form.cleaned_data["reason"],
        )  # fmt: skip
    except ValidationError as refusal:
        row.refresh_from_db()
        form.refuse(refusal)
        return _show_form(request, agent, about, form, row, HTTPStatus.BAD_REQUEST)
    except Conflict as clash:
        return _lost_race(request, agent, about, form, clash)
    messages.success(request, f"Kept, as version {row.version}.")
    return redirect(*_address(about, agent, row))


@page("POST")
def remove(request, agent_id, kind, pk):
    """Take it out of what the agent is told; it can be restored."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    row = get_object_or_404(about.model.objects.filter(agent=agent), pk=pk)
    try:
        configuration.remove(row, base_version=_base(request), by=request.member, door=Door.PAGE)
    except Conflict as clash:
        refused = "It was not removed: it has been changed since you opened it. Look at it again first."
        return _show_entry(request, agent, about, pk, refused, proposal_page.told(clash), HTTPStatus.CONFLICT)
    messages.success(request, f"Removed: {row}. It can be restored.")
    return redirect(about.tab, agent.pk)


@page("POST")
def restore(request, agent_id, kind, pk):
    """Bring a removed one back under its own id."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    if not about.model.history.filter(id=pk, agent_id=agent.pk).exists():
        raise Http404
    try:
        row = configuration.restore(about.model, pk, by=request.member, door=Door.PAGE)
    except Conflict:
        messages.info(request, "It is there already; somebody was faster.")
    except ValidationError as refusal:
        messages.error(request, "It was not restored. " + " ".join(refusal.messages))
    else:
        messages.success(request, f"Restored, as version {row.version}.")
    return redirect(about.address, agent.pk, pk)


@page("POST")
def bring_back(request, agent_id, kind, pk=None):
    """Make an older version the newest again: a new version with its fields."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    row = get_object_or_404(about.model.objects.filter(agent=agent), pk=_pk(agent, kind, pk))
    wanted = request.POST.get("version", "")
    fields = at_version(about.model, row.pk, int(wanted)) if wanted.isdecimal() and len(wanted) < 9 else None
    if fields is None:
        raise Http404
    revise = memories.revise if kind == "memory" else configuration.revise
    try:
        revise(
            row, changes=fields, base_version=_base(request), by=request.member, door=Door.PAGE,
            reason=f"Version {wanted} brought back",
        )  # fmt: skip
    except Conflict as clash:
        refused = "It was not brought back: somebody has changed it since you opened this page."
        panes = proposal_page.told(clash)
        return _show_entry(request, agent, about, row.pk, refused, panes, HTTPStatus.CONFLICT)
    except ValidationError as refusal:
        refused = "It was not brought back. " + " ".join(refusal.messages)
        return _show_entry(request, agent, about, row.pk, refused, status=HTTPStatus.BAD_REQUEST)
    messages.success(request, f"Version {wanted} is back, as version {row.version}.")
    return redirect(*_address(about, agent, row))


# ----------------------------------------------------------------------------------------------------------------------


def _show_entry(request, agent, about, pk, refused="", panes=(), status=HTTPStatus.OK):
    found = agent_page.load_entry(about.model, agent, pk, request.GET)
    if found is None:
        raise Http404
    context = {"entry": found, "kind": about, "refused": refused, "panes": panes}
    return show(request, about.tab, agent, context, status, f"coaching/{about.noun}.html")


def _show_form(request, agent, about, form, row=None, status=HTTPStatus.OK, panes=()):
    context = {"form": form, "kind": about, "row": row, "panes": panes}
    return show(request, about.tab, agent, context, status, "coaching/knowledge_edit.html")


def _lost_race(request, agent, about, form, clash):
    """The form as it was typed, now against the current version, beside what the others wrote."""
    if clash.current is None:
        messages.error(
            request, "It was removed while you were typing. What you typed is below; restore it first to keep it."
        )
    else:
        form.data = form.data.copy()
        form.data["base_version"] = clash.current.version
    panes = proposal_page.told(clash)
    return _show_form(request, agent, about, form, clash.current, HTTPStatus.CONFLICT, panes)


def _pk(agent: Agent, kind, pk):
    """The id of what is meant: an agent's prompt is known by its agent."""
    return Prompt.objects.values_list("pk", flat=True).get(agent=agent) if kind == "prompt" else pk


def _address(about, agent, row):
    return (about.tab, agent.pk) if about.model is Prompt else (about.address, agent.pk, row.pk)


def _base(request):
    given = request.POST.get("base_version", "")
    return int(given) if given.isdecimal() and len(given) < 9 else 0
