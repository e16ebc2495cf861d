"""Settings › Model: which model the coach asks, a test of it, and what it used."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters

from agents import work
from agents.access import Right, require
from agents.pages import page, wants_fragment
from coaching.actions import connections
from coaching.forms import ModelForm
from coaching.models import ModelTest
from coaching.pages import models as models_page
from coaching.pages.typed import number_or_none
from coaching.tasks import run_model_test


@page("GET", "POST")
@sensitive_post_parameters("key")
def model(request):
    """What answers now, and the form for the workspace's own connection; saving starts a test."""
    require(request.member, Right.MANAGE_WORKSPACE)
    workspace = request.member.workspace
    if request.method != "POST":
        return _show(request, _form(workspace))
    form = ModelForm(request.POST)
    if form.is_valid():
        before = connections.stored(workspace).version
        try:
            saved = connections.connect(workspace, by=request.member, **form.cleaned_data)
        except ValidationError as refusal:
            form.refuse(refusal)
        except connections.ChangedMeanwhile as refusal:
            messages.error(request, str(refusal))
            return _show(request, _form(workspace), HTTPStatus.CONFLICT)
        else:
            _send_test(workspace)
            messages.success(
                request,
                "Nothing was changed; it is being tested."
                if saved.version == before
                else "Saved. The connection is being tested now.",
            )
            return redirect("settings-model")
    return _show(request, form, HTTPStatus.BAD_REQUEST)


@page("GET", "POST")
def test(request):
    """How far the test is, or what it found; a POST asks for a new one."""
    require(request.member, Right.MANAGE_WORKSPACE)
    workspace = request.member.workspace
    if request.method == "POST":
        try:
            connections.ask_for_test(workspace, by=request.member)
        except connections.NotConnected as refusal:
            messages.info(request, str(refusal))
        else:
            _send_test(workspace)
    if not wants_fragment(request):
        return redirect(f"{reverse('settings-model')}#model-test")
    return render(request, "coaching/_model_test.html", {"test": models_page.load_test(workspace)})


@page("POST")
def disconnect(request):
    """Forget the workspace's key."""
    require(request.member, Right.MANAGE_WORKSPACE)
    version = number_or_none(request.POST.get("version"))
    try:
        connections.disconnect(request.member.workspace, by=request.member, version=-1 if version is None else version)
    except (connections.NotConnected, connections.ChangedMeanwhile) as refusal:
        messages.error(request, str(refusal))
    else:
        messages.success(
            request, "Disconnected. The key is deleted here; you may also want to revoke it where it was made."
        )
    return redirect("settings-model")


def _form(workspace):
    own = connections.stored(workspace)
    known = {"base_url": own.base_url, "model": own.model, "effort": own.effort, "version": own.version}
    return ModelForm(initial=known)


def _send_test(workspace):
    waiting = ModelTest.objects.unfinished().due().filter(workspace=workspace).values_list("pk", flat=True)
    for pk in waiting:
        work.start_soon(run_model_test, str(pk))


def _show(request, form, status=HTTPStatus.OK):
    shown = models_page.load(request.member.workspace)
    context = {"section": "settings", "tab": "settings-model", "form": form, "page": shown}
    return render(request, "coaching/settings_model.html", context | {"test": shown.test}, status=status)
