"""What an AI agent is told: its memories, procedures and prompt. Read, search, edit, remove, restore, compare versions.

The three differ in their fields and in one word of their addresses; how they are shown and changed is the same.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404
from django.shortcuts import redirect
from django.utils import timezone

from agents import actions as configuration
from agents.models import Agent, Door, Procedure, Prompt
from agents.pages import page
from agents.templatetags.words import exact
from agents.versions import Conflict, at_version, fields_of
from coaching import forms
from coaching.pages import knowledge as knowledge_page
from coaching.pages import proposal as proposal_page
from coaching.pages.typed import number_or_none
from coaching.texts import diffs, merging
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
    """The memory base: all of it, what a search finds, what expires, what was never served, what was removed."""
    agent = find(request, agent_id, ai=True)
    found = knowledge_page.load_memories(agent, knowledge_page.MemoryQuestion.parse(request.GET))
    return show(request, "agent-memory", agent, {"memories": found})


@page()
def procedure_list(request, agent_id):
    """The procedures by folder and name, or those that were removed."""
    agent = find(request, agent_id, ai=True)
    found = knowledge_page.load_procedures(agent, knowledge_page.ProcedureQuestion.parse(request.GET))
    return show(request, "agent-procedures", agent, {"procedures": found})


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
    return _show_refusals(request, agent, about, form)


@page("GET", "POST")
def edit(request, agent_id, kind, pk=None):
    """Make a new version by hand. A lost race shows the three values of each field and keeps what was typed."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    pk = _pk(agent, kind, pk)
    row = about.model.objects.filter(agent=agent, pk=pk).first()
    if request.method != "POST":
        if row is None:
            raise Http404
        form = forms.FORMS[kind](initial={**fields_of(row), "base_version": row.version})
        return _show_form(request, agent, about, form, row)
    if row is None:
        return _gone(request, agent, about, kind, pk)
    fields = fields_of(row)
    form = forms.FORMS[kind](request.POST, initial=fields)
    if not form.is_valid():
        return _show_refusals(request, agent, about, form, row)
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
        return _show_refusals(request, agent, about, form, row)
    except Conflict as clash:
        if clash.current is None:
            return _gone(request, agent, about, kind, pk)
        return _lost_race(request, agent, about, form, clash, kind)
    messages.success(request, f"Kept, as version {row.version}.")
    return redirect(*_address(about, agent, row))


@page("POST")
def remove(request, agent_id, kind, pk):
    """Take it out of what the agent is told; it can be restored."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    row = about.model.objects.filter(agent=agent, pk=pk).first()
    try:
        if row is None:
            return _removed_meanwhile(request, agent, about, pk, "It was removed already; somebody was faster.")
        configuration.remove(row, base_version=_base(request), by=request.member, door=Door.PAGE)
    except Conflict as clash:
        if clash.current is None:
            return _removed_meanwhile(request, agent, about, pk, "It was removed already; somebody was faster.")
        words = "It was not removed: it has been changed since you opened it. Look at it again first."
        since = diffs.fields(at_version(about.model, pk, clash.base_version) or {}, fields_of(clash.current))
        refused = Refused(words, since=since)
        return _show_entry(request, agent, about, pk, refused, HTTPStatus.CONFLICT)
    messages.success(request, f"Removed, and can be restored: {row}")
    return redirect(about.tab, agent.pk)


@page("POST")
def restore(request, agent_id, kind, pk):
    """Bring a removed one back under its own id. An expiry that has passed comes back with it, and is said."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    _require_history(about, agent, pk)
    try:
        row = configuration.restore(about.model, pk, by=request.member, door=Door.PAGE)
    except Conflict:
        messages.info(request, "It is there already; somebody was faster.")
    except ValidationError as refusal:
        messages.error(request, "It was not restored. " + " ".join(refusal.messages))
    else:
        _say_it_is_back(request, f"Restored, as version {row.version}.", row)
    return redirect(about.address, agent.pk, pk)


@page("POST")
def bring_back(request, agent_id, kind, pk=None):
    """Make an older version the newest again: a new version with its fields, its expiry among them even if it has passed."""
    agent, about = find(request, agent_id, ai=True), KINDS[kind]
    pk = _pk(agent, kind, pk)
    row = about.model.objects.filter(agent=agent, pk=pk).first()
    gone = "It was not brought back: somebody has removed it since you opened this page. Restore it first."
    if row is None:
        return _removed_meanwhile(request, agent, about, pk, gone)
    wanted = number_or_none(request.POST.get("version"))
    fields = at_version(about.model, row.pk, wanted) if wanted is not None else None
    if fields is None:
        raise Http404
    try:
        # Not by memories.revise: an expiry that has passed meanwhile was right when it was written.
        configuration.revise(
            row, changes=fields, base_version=_base(request), by=request.member, door=Door.PAGE,
            reason=f"Version {wanted} brought back",
        )  # fmt: skip
    except Conflict as clash:
        if clash.current is None:
            return _removed_meanwhile(request, agent, about, pk, gone)
        words = (
            "It was not brought back: somebody has changed it since you opened this page. "
            f"To put version {wanted} over version {clash.current.version}, bring it back again."
        )
        refused = Refused(words, panes=proposal_page.told(clash), third=f"Version {wanted}")
        return _show_entry(request, agent, about, row.pk, refused, HTTPStatus.CONFLICT)
    except ValidationError as refusal:
        refused = Refused("It was not brought back. " + " ".join(refusal.messages))
        return _show_entry(request, agent, about, row.pk, refused, HTTPStatus.BAD_REQUEST)
    _say_it_is_back(request, f"Version {wanted} is back, as version {row.version}.", row)
    return redirect(*_address(about, agent, row))


# ----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refused:
    """Why something was not done, above the entry: in words, with the three values of each field (the last of them is
    `third`), or with what changed `since`."""

    words: str
    panes: Any = ()
    third: str = ""
    since: Any = ()


@dataclass(frozen=True)
class Race:
    """A lost race: the three values of each field, and what stands in the form now.

    `merged` says that both edits were put together; `touching` are the labels of the fields where they could not be.
    """

    panes: Any
    merged: bool
    touching: tuple[str, ...]


def _show_entry(request, agent, about, pk, refused=None, status=HTTPStatus.OK):
    found = knowledge_page.load_entry(about.model, agent, pk, request.GET)
    if found is None:
        raise Http404
    context = {"entry": found, "kind": about, "refused": refused}
    return show(request, about.tab, agent, context, status, f"coaching/{about.noun}.html")


def _show_form(request, agent, about, form, row=None, status=HTTPStatus.OK, race=None, gone=False):
    context = {"form": form, "kind": about, "row": row, "race": race, "gone": gone}
    if about.model is Procedure:
        context["folders"] = knowledge_page.folders_of(agent)
    return show(request, about.tab, agent, context, status, "coaching/knowledge_edit.html")


def _show_refusals(request, agent, about, form, row=None, gone=False):
    """The form with everything that is wrong in it, each beside its field: an action names the first that it meets."""
    known = row.expires_at if isinstance(row, Memory) else None
    rest = {field: value for field, value in form.changes.items() if field in about.model.FIELDS}
    for field, value in rest.items():
        try:
            if about.model is Memory:
                memories.checked({field: value}, past_expiry_is_fine=value == known)
            about.model(**{field: value}).clean_fields(exclude={f.name for f in about.model._meta.fields} - {field})
        except ValidationError as refusal:
            form.refuse(refusal)
    return _show_form(request, agent, about, form, row, HTTPStatus.BAD_REQUEST, gone=gone)


def _lost_race(request, agent, about, form, clash, kind):
    """The form against the current version, beside what the others wrote: with both edits put together where they do not
    touch, else as it was typed."""
    now, typed = fields_of(clash.current), form.changes
    base = at_version(about.model, clash.current.pk, clash.base_version)
    merged = merging.merge_fields(base, now, typed) if base else merging.Merged(now, tuple(now))
    content = {**merged.fields, **{field: typed[field] for field in merged.touching}}
    race = Race(
        panes=proposal_page.told(clash),
        merged=content != typed,
        touching=tuple(diffs.LABELS[field] for field in merged.touching if typed[field] != now[field]),
    )
    again = {**content, "reason": form.cleaned_data["reason"], "base_version": clash.current.version}
    form = forms.FORMS[kind](initial=again)
    return _show_form(request, agent, about, form, clash.current, HTTPStatus.CONFLICT, race)


def _gone(request, agent, about, kind, pk):
    """What was typed about something that has been removed meanwhile: kept in the form, or, if asked to, restored with it."""
    _require_history(about, agent, pk)
    form = forms.FORMS[kind](request.POST)
    if not form.is_valid():
        return _show_refusals(request, agent, about, form, gone=True)
    if "restore" not in request.POST:
        return _show_form(request, agent, about, form, status=HTTPStatus.CONFLICT, gone=True)
    try:
        changes = memories.checked(form.changes) if kind == "memory" else form.changes
        row = configuration.restore(
            about.model, pk, by=request.member, door=Door.PAGE, reason=form.cleaned_data["reason"], changes=changes
        )
    except ValidationError as refusal:
        form.refuse(refusal)
        return _show_refusals(request, agent, about, form, gone=True)
    except Conflict as clash:
        return _lost_race(request, agent, about, form, clash, kind)
    messages.success(request, f"Restored with your words, as version {row.version}.")
    return redirect(about.address, agent.pk, pk)


def _removed_meanwhile(request, agent, about, pk, words):
    _require_history(about, agent, pk)
    messages.info(request, words)
    return redirect(about.address, agent.pk, pk)


def _require_history(about, agent, pk):
    """Raises Http404 unless this agent has, or had, one with that id."""
    if not about.model.history.filter(id=pk, agent_id=agent.pk).exists():
        raise Http404


def _say_it_is_back(request, words, row):
    expires_at = getattr(row, "expires_at", None)
    if expires_at is None or expires_at > timezone.now():
        messages.success(request, words)
    else:
        expired = f"It expired on {exact(expires_at)}, so the agent is not given it."
        messages.info(request, f"{words} {expired} Give it a later expiry, or none, to change that.")


def _pk(agent: Agent, kind, pk):
    """The id of what is meant: an agent's prompt is known by its agent."""
    return Prompt.objects.values_list("pk", flat=True).get(agent=agent) if kind == "prompt" else pk


def _address(about, agent, row):
    return (about.tab, agent.pk) if about.model is Prompt else (about.address, agent.pk, row.pk)


def _base(request):
    return number_or_none(request.POST.get("base_version")) or 0
