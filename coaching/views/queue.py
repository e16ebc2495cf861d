"""The queue of proposals, and deciding several of it at once. Rules stand in coaching.actions.proposals."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.html import format_html

from agents.access import Right, require
from agents.models import Door
from agents.pages import page
from agents.versions import Conflict
from coaching.actions import proposals as actions
from coaching.models import Proposal
from coaching.pages import queue as queue_page

Status = Proposal.Status
VERDICTS = {"approve": Status.APPROVED, "reject": Status.REJECTED}
OUTCOME = "decided-together"  # the key in the session under which the last one is kept, so that a reload shows it again


@page()
def queue(request):
    """The queue alone: what waits, newest first."""
    require(request.member, Right.APPROVE)
    return _show(request)


@page("GET", "POST")
def decide(request):
    """Decide several of one kind. Before an approval the page asks; afterwards it lists what could not be decided.

    `chosen` are ids, `verdict` is approve or reject, with `reason`; `sure=1` answers the question.
    """
    require(request.member, Right.APPROVE)
    if request.method != "POST":
        return _show_outcome(request)
    verdict = VERDICTS.get(request.POST.get("verdict"))
    if verdict is None:
        raise BadRequest("Several proposals are approved or rejected.")
    rows, n_missing = queue_page.chosen(request.member, request.POST.getlist("chosen"))
    try:
        actions.require_togetherness(rows)
        if rows and verdict == Status.APPROVED and not request.POST.get("sure"):
            return _show(request, asked=queue_page.items(rows))
        note = request.POST.get("reason", "").strip()[:5_000]
        told = actions.decide_together(rows, verdict=verdict, by=request.member, door=Door.PAGE, note=note)
    except actions.NotTogether as refusal:
        return _show(request, HTTPStatus.CONFLICT, refused=str(refusal), ticked={row.pk for row in rows})
    kept = [[str(row.pk), _reason(row, refusal)] for row, refusal in told if refusal is not None]
    n_decided = len(told) - len(kept)
    request.session[OUTCOME] = {"verdict": verdict, "n_decided": n_decided, "kept": kept, "n_missing": n_missing}
    back = queue_page.Question.parse(request.GET).query()
    if kept or n_missing:
        return redirect(f"{reverse('proposals-decide')}{back}")
    if n_decided:
        theirs = queue_page.Question(status=verdict, decided_by=request.member.pk).query()
        address = f"{reverse('proposals')}{theirs}"
        words = "1 proposal" if n_decided == 1 else f"{n_decided} proposals"
        messages.success(request, format_html('{} <a href="{}">{}</a>.', verdict.label, address, words))
    else:
        messages.error(request, "None was ticked, so nothing was decided. Tick those that you want to decide together.")
    return redirect(f"{reverse('proposals')}{back}")


# ----------------------------------------------------------------------------------------------------------------------


def _show(request, status=HTTPStatus.OK, *, asked=(), outcome=None, refused="", ticked=frozenset()):
    context = {
        "section": "proposals",
        "types": Proposal.Type.choices,
        "queue": queue_page.load_queue(request.member, queue_page.Question.parse(request.GET)),
        "asked": asked,
        "outcome": outcome,
        "refused": refused,
        "ticked": ticked,
    }
    return render(request, "coaching/proposals.html", context, status=status)


def _show_outcome(request):
    told = request.session.get(OUTCOME)
    if told is None:
        return redirect(f"{reverse('proposals')}{queue_page.Question.parse(request.GET).query()}")
    return _show(request, outcome=queue_page.outcome_of(request.member, told))


def _reason(row, refusal):
    """Why one was kept from being decided, and the way on."""
    if isinstance(refusal, Conflict):
        if refusal.current is None:
            return (
                f"The {row.target_kind} was removed after this was proposed. It still waits, and can only be rejected."
            )
        return f"The {row.target_kind} changed after this was proposed. It still waits: open it to bring it up to date."
    if isinstance(refusal, actions.AlreadyDecided):
        return str(refusal)
    words = " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
    return f"{words} It still waits: open it to edit or reject it."
