"""The queue of proposals. Rules stand in coaching.actions.proposals."""

from django.shortcuts import render

from agents.access import Right, require
from agents.pages import page
from coaching.models import Proposal
from coaching.pages import queue as queue_page


@page()
def queue(request):
    """The queue alone: what waits, newest first."""
    require(request.member, Right.APPROVE)
    found = queue_page.load_queue(request.member, queue_page.Question.parse(request.GET))
    return render(
        request, "coaching/proposals.html", {"section": "proposals", "types": Proposal.Type.choices, "queue": found}
    )
