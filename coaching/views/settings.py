"""Settings: what a workspace decides about itself. Here how its flags are raised, with the backtest that shows what it does."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents import work
from agents.access import Right, require
from agents.pages import page, wants_fragment
from coaching.actions import backtests, policies
from coaching.forms import FlagPolicyForm
from coaching.models import Backtest
from coaching.navigation import SETTINGS
from coaching.pages import policy as policy_page
from coaching.tasks import run_backtest


@page()
def index(request):
    """The first of the pages."""
    require(request.member, Right.MANAGE_WORKSPACE)
    return redirect(SETTINGS[0][0])


@page("GET", "POST")
def flag_policy(request):
    """Whether and how readily flags are raised; beside it what that would have meant on the workspace's own history."""
    require(request.member, Right.MANAGE_WORKSPACE)
    workspace = request.member.workspace
    if request.method != "POST":
        policy = policies.of(workspace)
        return _show(
            request, FlagPolicyForm(initial={"automatic": policy.automatic, "sensitivity": policy.sensitivity})
        )
    form = FlagPolicyForm(request.POST)
    if form.is_valid():
        before = policies.of(workspace)
        try:
            policy = policies.choose(workspace, by=request.member, **form.cleaned_data)
        except ValidationError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, _saved(before, policy))
            return redirect("settings-flag-policy")
    return _show(request, form, HTTPStatus.BAD_REQUEST)


@page("GET", "POST")
def backtest(request):
    """How far the backtest is, or what it found; a POST asks for a new one."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method == "POST":
        asked = backtests.ask(request.member.workspace, by=request.member)
        work.start_soon(run_backtest, str(asked.pk))
    return _backtest(request)


@page("POST")
def stop_backtest(request, backtest_id):
    """End the backtest; what an earlier one found stays."""
    found = get_object_or_404(Backtest.objects.visible_to(request.member), pk=backtest_id)
    try:
        backtests.stop(found, by=request.member)
    except backtests.NotRunning as refusal:
        if not wants_fragment(request):
            messages.info(request, str(refusal))
    return _backtest(request)


def _show(request, form, status=HTTPStatus.OK):
    workspace = request.member.workspace
    shown = policy_page.load(workspace, policy_page.Question.parse(request.GET))
    context = {"section": "settings", "tab": "settings-flag-policy", "form": form, "page": shown}
    return render(request, "coaching/settings_flag_policy.html", context | {"backtest": shown.backtest}, status=status)


def _backtest(request):
    if not wants_fragment(request):
        return redirect(f"{reverse('settings-flag-policy')}#backtest")
    shown = policy_page.load_backtest(request.member.workspace, policy_page.Question.parse(request.GET))
    return render(request, "coaching/_backtest.html", {"backtest": shown})


def _saved(before, after):
    if (before.automatic, before.sensitivity) == (after.automatic, after.sensitivity):
        return "Nothing was changed."
    if not after.automatic:
        return "Saved. No new flags are raised by themselves; open ones stay and still clear."
    return f"Saved: {after.get_sensitivity_display()}. It counts from the next look, tonight or soon after new ratings."
