"""Moving a configuration in and out: the download, the upload, the plan, and what became of it."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents import work
from agents.models import Door
from agents.pages import page, wants_fragment
from coaching import exchange
from coaching.actions import imports
from coaching.models import ConfigurationImport
from coaching.pages import imports as imports_page
from coaching.pages.typed import number_or_none
from coaching.tasks import run_import
from coaching.views.agent import find, settings_form, show, show_settings


@page()
def export(request, agent_id):
    """The agent's prompt, procedures and memories as a zip archive."""
    agent = find(request, agent_id, ai=True)
    name, raw = imports.export(agent, by=request.member)
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(raw, content_type="application/zip", headers=disposition)


@page("GET", "POST")
def upload(request, agent_id):
    """Take a file and show what it would change."""
    agent = find(request, agent_id, ai=True)
    if request.method != "POST":
        return redirect(f"{reverse('agent-settings', args=[agent.pk])}#move")
    file = request.FILES.get("file")
    try:
        made = imports.plan(
            agent, _read(file), by=request.member, file_name=file.name, as_new=request.POST.get("as_new") == "on"
        )
    except ValidationError as refusal:
        words = " ".join(refusal.messages)
        return show_settings(request, agent, settings_form(agent), words, HTTPStatus.BAD_REQUEST)
    return redirect("import", agent.pk, made.pk)


@page()
def imported(request, agent_id, import_id):
    """The plan with its ticks; once it was taken how far it is, then what became of each step."""
    agent, found = _find(request, agent_id, import_id)
    return _show(request, agent, found)


@page("POST")
def apply(request, agent_id, import_id):
    """Take the ticked steps, each as a proposal or, for the owner, at once."""
    agent, found = _find(request, agent_id, import_id)
    ticked = [n for n in map(number_or_none, request.POST.getlist("step")) if n is not None]
    chosen = imports_page.chosen(found, ticked, request.POST.getlist("more"))
    try:
        imports.carry_out(found, by=request.member, door=Door.PAGE, how=request.POST.get("how", ""), steps=chosen)
    except ValidationError as refusal:
        return _show(request, agent, found, " ".join(refusal.messages), set(chosen), HTTPStatus.BAD_REQUEST)
    except imports.AlreadyBegun as refusal:
        messages.info(request, str(refusal))
    else:
        work.start_soon(run_import, str(found.pk))
    return redirect("import", agent.pk, found.pk)


@page("POST")
def discard(request, agent_id, import_id):
    """Do nothing of it."""
    agent, found = _find(request, agent_id, import_id)
    try:
        imports.discard(found, by=request.member)
    except imports.AlreadyBegun as refusal:
        messages.info(request, str(refusal))
        return redirect("import", agent.pk, found.pk)
    messages.success(request, f"Discarded. Nothing of {found.file_name} was brought in.")
    return redirect(f"{reverse('agent-settings', args=[agent.pk])}#move")


@page("POST")
def go_on(request, agent_id, import_id):
    """After a failure, the steps that are left."""
    agent, found = _find(request, agent_id, import_id)
    try:
        imports.go_on(found, by=request.member)
    except imports.NotFailed as refusal:
        messages.info(request, str(refusal))
    else:
        work.start_soon(run_import, str(found.pk))
    return redirect("import", agent.pk, found.pk)


# ----------------------------------------------------------------------------------------------------------------------


def _find(request, agent_id, import_id):
    agent = find(request, agent_id, ai=True)
    rows = ConfigurationImport.objects.visible_to(request.member).select_related("uploaded_by__user", "agent")
    return agent, get_object_or_404(rows, agent=agent, pk=import_id)


def _show(request, agent, found, refused="", ticked=None, status=HTTPStatus.OK):
    """`ticked` are the places that were chosen when the form was refused; else the plan's own ticks stand."""
    shown = imports_page.load(request.member, found)
    if ticked is None:
        ticked = {place for place, step in enumerate(found.steps) if step.get("take")}
    context = {"shown": shown, "refused": refused, "ticked": ticked}
    if wants_fragment(request):
        return render(request, "coaching/_import.html", context | {"agent": agent}, status=status)
    return show(request, "agent-settings", agent, context, status, "coaching/import.html")


def _read(file):
    if file is None:
        raise ValidationError("Choose a file first: a zip archive that was exported here.")
    if file.size > exchange.LARGEST:
        raise ValidationError("The file is larger than 10 MB.")
    return file.read()
