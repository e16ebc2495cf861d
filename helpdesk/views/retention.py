"""Settings › Retention: what is kept of conversations that are pushed to us, for how long, and what goes next."""

from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Count
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from agents import actions
from agents.access import Right, require
from agents.forms import Typed
from agents.models import Agent
from agents.pages import page
from agents.paging import n_pages_of, page_asked
from helpdesk.models import StoredTranscript

PAGE_SIZE = 50
CLEAN_UP_EVERY = timedelta(hours=1)
LONGEST_DAYS = 3650
DAYS_ERROR = "Between 1 and 3,650 days."


class KeptForm(Typed):
    """What is kept of one agent's conversations, or of all agents' alike."""

    storage_mode = forms.ChoiceField(
        label="What is kept",
        choices=Agent.Storage.choices,
        error_messages={"required": "Choose what is kept.", "invalid_choice": "Choose what is kept."},
    )
    retention_days = forms.IntegerField(
        label="Days",
        min_value=1,
        max_value=LONGEST_DAYS,
        error_messages=dict.fromkeys(("required", "invalid", "min_value", "max_value"), DAYS_ERROR),
        widget=forms.NumberInput(attrs={"min": 1, "max": LONGEST_DAYS, "class": "days"}),
    )


@dataclass(frozen=True)
class Row:
    agent: Agent
    n_stored: int
    form: KeptForm


@page("GET", "POST")
def retention(request):
    """The page; a POST stores the rows of the table that were changed, or with `all` sets all AI agents alike."""
    require(request.member, Right.MANAGE_WORKSPACE)
    if request.method != "POST":
        return _show(request)
    return _set_all(request) if "all" in request.POST else _set_each(request)


def _set_each(request):
    agents = _agents(request.member)
    sent = list(agents.filter(pk__in=[one for one in request.POST.getlist("agent") if _is_id(one)])[:PAGE_SIZE])
    forms_of = {agent.pk: KeptForm(request.POST, prefix=str(agent.pk)) for agent in sent}
    if not all(form.is_valid() for form in forms_of.values()):
        return _show(request, typed=forms_of, status=HTTPStatus.BAD_REQUEST)
    wanted = [(agent, forms_of[agent.pk].cleaned_data) for agent in sent]
    return _store(request, _changed(wanted), typed=forms_of)


def _set_all(request):
    form = KeptForm(request.POST, prefix="all")
    if not form.is_valid():
        return _show(request, all_form=form, status=HTTPStatus.BAD_REQUEST)
    wanted = [(agent, form.cleaned_data) for agent in _agents(request.member)]
    return _store(request, _changed(wanted), all_form=form)


def _store(request, changed, **typed):
    """Store the changes, unless transcripts would go by them and nobody has said yet that they may."""
    n_lost = _n_lost(changed)
    if n_lost and "sure" not in request.POST:
        return _show(request, n_lost=n_lost, **typed)
    try:
        with transaction.atomic():
            for agent, fields in changed:
                actions.update_agent(agent, by=request.member, **fields)
    except ValidationError as refusal:
        messages.error(request, f"{' '.join(refusal.messages)} Nothing was saved.")
        return _show(request, status=HTTPStatus.BAD_REQUEST, **typed)
    messages.success(request, _saved(len(changed)))
    number = _page_shown(request)
    return redirect(reverse("settings-retention") + (f"?page={number}" if number > 1 else ""))


def _page_shown(request):
    return page_asked(request.POST if "page" in request.POST else request.GET)


def _saved(n):
    if not n:
        return "Nothing was changed."
    for_whom = "1 AI agent" if n == 1 else f"{n:,} AI agents"
    return f"Saved for {for_whom}. What is stored already follows with the next clean-up, within the hour."


def _changed(wanted):
    return [
        (agent, fields)
        for agent, fields in wanted
        if any(getattr(agent, name) != value for name, value in fields.items())
    ]


def _n_lost(changed):
    """How many transcripts are stored of agents of which none are to be kept any more."""
    emptied = [agent.pk for agent, fields in changed if fields["storage_mode"] == Agent.Storage.SUMMARY_ONLY]
    return StoredTranscript.objects.filter(conversation__agent__in=emptied).count() if emptied else 0


def _agents(member):
    return Agent.objects.visible_to(member).ai().order_by("name", "pk")


def _show(request, *, typed=None, all_form=None, n_lost=0, status=HTTPStatus.OK):
    agents = _agents(request.member)
    n_agents = agents.count()
    n_pages = n_pages_of(n_agents, PAGE_SIZE)
    number = min(_page_shown(request), n_pages)
    shown = list(agents[(number - 1) * PAGE_SIZE : number * PAGE_SIZE])
    stored = StoredTranscript.objects.visible_to(request.member)
    kept = stored.filter(conversation__agent__in=[agent.pk for agent in shown]).order_by()
    n_of = dict(kept.values_list("conversation__agent").annotate(n=Count("pk")))
    typed = typed or {}
    context = {
        "section": "settings",
        "tab": "settings-retention",
        "rows": [Row(agent, n_of.get(agent.pk, 0), typed.get(agent.pk) or _as_stored(agent)) for agent in shown],
        "all_form": all_form
        or KeptForm(prefix="all", initial={"storage_mode": Agent.Storage.MASKED, "retention_days": 90}),
        "is_all": all_form is not None,
        "has_errors": bool(all_form and all_form.errors) or any(form.errors for form in typed.values()),
        "n_lost": n_lost,
        "n_agents": n_agents,
        "n_stored": stored.count(),
        "n_next": stored.to_be_deleted(timezone.now() + CLEAN_UP_EVERY).count(),
        "n_to_mask": stored.to_be_masked().count(),
        "number": number,
        "n_pages": n_pages,
    }
    return render(request, "helpdesk/settings_retention.html", context, status=status)


def _as_stored(agent):
    known = {"storage_mode": agent.storage_mode, "retention_days": agent.retention_days}
    return KeptForm(prefix=str(agent.pk), initial=known)


def _is_id(word):
    return len(word) == 36 and word.count("-") == 4 and all(letter in "0123456789abcdef-" for letter in word.lower())
