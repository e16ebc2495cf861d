"""What the pages about one agent's record have in common: whose it is, and the drawer as a part and as a page."""

from urllib.parse import urlsplit
from uuid import uuid4

from django.http import Http404
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from agents.models import Agent
from agents.pages import wants_fragment
from coaching.pages import drawer
from coaching.pages import team as team_page
from coaching.pages.typed import uuid_or_none


def visible_agent(request, agent_id):
    """The agent, where the member may see them; else 404."""
    return get_object_or_404(Agent.objects.visible_to(request.member).select_related("team"), pk=uuid_or_404(agent_id))


def uuid_or_404(value):
    """The UUID that somebody typed, or that an address held. Raises Http404 where it is none."""
    found = uuid_or_none(value)
    if found is None:
        raise Http404
    return found


def context(request, agent):
    """What the drawer of `agent` (a visible one) is drawn from. `note_id` is for the note that is to be written: it is kept
    once, however often its form is sent.
    """
    return {
        "drawer": drawer.load(request.member, agent),
        "note_id": uuid4(),
        "typed": {"sample": request.GET.get("sample", "")},
        "closed_url": f"{reverse('team')}{team_page.Question.parse(request.GET).query()}",
    }


def is_whole_page(request, agent):
    """Whether the part that htmx asks for stands on the agent's own page, whose headings begin a level higher."""
    return urlsplit(request.headers.get("HX-Current-URL", "")).path == reverse("team-agent", args=[agent.pk])


def part(request, agent, template, status=200, **shown):
    """The drawer of `agent` with `shown` in it: for htmx the part that `template` draws, else the whole page."""
    if wants_fragment(request):
        shown = {"whole_page": is_whole_page(request, agent)} | shown
        return render(request, template, context(request, agent) | shown, status=status)
    whole = {"section": "team", "whole_page": True}
    return render(request, "coaching/drawer.html", context(request, agent) | whole | shown, status=status)


def changed(response):
    """Tell the table behind the drawer that its row is out of date."""
    response["HX-Trigger"] = "record-changed"
    return response
