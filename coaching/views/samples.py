"""The samples of an agent's record: pinned by hand, put away and brought back."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.db import transaction
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse

from agents import work
from agents.access import Right, require
from agents.pages import page, wants_fragment
from coaching.actions import samples
from coaching.models import Sample
from coaching.tasks import capture_sample
from coaching.views import drawer

FIELDS = {"source": "source", "external_id": "external_id"}  # what a refusal may name; all else is said of the id


@page("POST")
def pin(request, agent_id):
    """Keep a conversation as a sample, by what its helpdesk calls it; the summary is owed from then on."""
    agent = drawer.visible_agent(request, agent_id)
    require(request.member, Right.COACH_PEOPLE)
    typed = {name: request.POST.get(name, "").strip() for name in FIELDS}
    errors = {
        name: said
        for name, said in (("source", "Say where it came from."), ("external_id", "Say its id there."))
        if not typed[name]
    }
    try:
        if not errors:
            with transaction.atomic():
                sample = samples.pin_by_reference(**typed, by=request.member, agent=agent)
                work.start_soon(capture_sample, str(sample.pk))
            return _answer(request, agent, pinned=sample)
    except samples.UnknownConversation as refusal:
        errors = {"external_id": str(refusal)}
    except ValidationError as refusal:
        for name, said in refusal.message_dict.items():
            errors.setdefault(FIELDS.get(name, "external_id"), " ".join(said))
    shown = {"pin": typed, "pin_errors": errors}
    return drawer.part(request, agent, "coaching/_samples.html", HTTPStatus.BAD_REQUEST, **shown)


@page("POST")
def unpin(request, sample_id):
    """Put a sample away; bringing it back is offered at once."""
    sample = _sample(request, sample_id)
    samples.unpin(sample, by=request.member)
    return _answer(request, sample.agent, gone=sample)


@page("POST")
def bring_back(request, sample_id):
    """Take the putting away back."""
    sample = _sample(request, sample_id)
    with transaction.atomic():
        samples.bring_back(sample, by=request.member)
        work.start_soon(capture_sample, str(sample.pk))
    return _answer(request, sample.agent, back=sample)


@page()
def of_agent(request, agent_id):
    """The samples as they stand now: asked for while a summary is being written."""
    agent = drawer.visible_agent(request, agent_id)
    if not wants_fragment(request):
        return redirect(_address(agent))
    return drawer.part(request, agent, "coaching/_samples.html")


def said_of(request, agent):
    """What became of the sample that the address names, for a browser without scripts; empty where it names none."""
    rows = Sample.objects.visible_to(request.member).filter(agent=agent).select_related("conversation")
    for name in ("pinned", "gone", "back"):
        if name in request.GET and request.member.is_leader:
            return {name: get_object_or_404(rows, pk=drawer.uuid_or_404(request.GET[name]))}
    return {}


def _answer(request, agent, **became):
    """The samples with what became of one of them: `pinned`, `gone` or `back`."""
    if wants_fragment(request):
        return drawer.changed(drawer.part(request, agent, "coaching/_samples.html", **became))
    [(name, sample)] = became.items()
    return redirect(_address(agent, f"?{name}={sample.pk}"))


def _address(agent, query=""):
    return f"{reverse('team-agent', args=[agent.pk])}{query}#samples"


def _sample(request, sample_id):
    rows = Sample.objects.visible_to(request.member).select_related("agent__team", "conversation")
    return get_object_or_404(rows, pk=sample_id)
