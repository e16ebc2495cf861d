"""One proposal and the decisions on it. Rules stand in coaching.actions.proposals."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.html import format_html

from agents.access import Right, require
from agents.models import Door
from agents.pages import page, wants_fragment
from agents.versions import Conflict
from coaching import forms
from coaching.actions import proposals as actions
from coaching.models import Proposal
from coaching.pages import proposal as proposal_page
from coaching.pages import queue as queue_page
from coaching.pages import talk


@page()
def proposal(request, proposal_id):
    """One proposal beside the queue, from title to buttons."""
    return _show(request, _proposal(request, proposal_id))


@page("POST")
def approve(request, proposal_id):
    """Apply it at once. With `edited=1` the typed fields are applied instead of the proposed ones."""
    found = _proposal(request, proposal_id)
    change = None
    if request.POST.get("edited") and queue_page.is_known(found):
        form = _form(found, request.POST)
        if not form.is_valid():
            return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
        change = form.changes
    return _decide(
        request,
        found,
        lambda by, door: actions.approve(found, by=by, door=door, note=_said(request, "note"), change=change),
    )


@page("POST")
def reject(request, proposal_id):
    """Decide against it; the coach reads the reason later."""
    found = _proposal(request, proposal_id)
    return _decide(
        request, found, lambda by, door: actions.reject(found, by=by, door=door, reason=_said(request, "reason"))
    )


@page("GET", "POST")
def edit(request, proposal_id):
    """Change the words before approving: type, see the final change, approve it."""
    found = _proposal(request, proposal_id)
    require(request.member, Right.APPROVE)
    if not proposal_page.may_decide(request.member, found):
        return redirect("proposal", found.pk)
    if request.method != "POST":
        return _edit(request, found, _form(found))
    form = _form(found, request.POST)
    if not form.is_valid():
        return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
    if request.POST.get("again"):
        return _edit(request, found, form)
    try:
        final = proposal_page.edited(found, form.changes)
    except ValidationError as refusal:
        form.refuse(refusal)
        return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
    return _edit(request, found, form, final=proposal_page.changes_of(found, final))


@page("GET", "POST")
def take_back(request, proposal_id):
    """See what taking an applied change back would do, and do it: a new version with the fields of before."""
    found = _proposal(request, proposal_id)
    if request.method != "POST" or not queue_page.is_known(found):
        return _show(request, found, taking_back=True)
    try:
        made = actions.revert(found, by=request.member, door=Door.PAGE, note=_said(request, "note"))
    except Conflict as clash:
        return _show(
            request, found, HTTPStatus.CONFLICT, taking_back=True, clash=proposal_page.told(clash),
            refused="It was not taken back: what it changed has been changed again since.",
        )  # fmt: skip
    except (actions.NotApplied, ValidationError) as refusal:
        return _show(request, found, HTTPStatus.CONFLICT, refused=_words(refusal))
    messages.success(request, f"Taken back, as version {made.target_version}.")
    return redirect("proposal", found.pk)


@page("POST")
def renew(request, proposal_id):
    """Write a stale proposal anew against the current version: a new proposal that supersedes it."""
    found = _proposal(request, proposal_id)
    if not queue_page.is_known(found):
        return _show(request, found, HTTPStatus.CONFLICT)
    form = _form(found, request.POST)
    if not form.is_valid():
        return _show(request, found, HTTPStatus.BAD_REQUEST, renewing=form)
    try:
        made = actions.create(
            found.agent, type=found.type, change=form.changes, target_id=found.target_id, rationale=found.rationale,
            base_version=form.cleaned_data["base_version"] or 0, evidence=found.evidence, proposed_by=request.member,
            session=found.session, replaces=found,
        )  # fmt: skip
    except ValidationError as refusal:
        form.refuse(refusal)
        return _show(request, found, HTTPStatus.BAD_REQUEST, renewing=form)
    except (actions.AlreadyDecided, actions.NotAPossibleTarget) as refusal:
        found.refresh_from_db()
        return _show(request, found, HTTPStatus.CONFLICT, refused=_words(refusal))
    messages.success(request, "Written anew against the current version. It waits for a decision.")
    return redirect("proposal", made.pk)


# ----------------------------------------------------------------------------------------------------------------------


def _decide(request, found, decide):
    """Make one decision through the door of the page it was made on, and answer in the manner of that page."""
    in_chat = request.POST.get("door") == Door.CHAT
    following = None if in_chat else _following(request, found)
    try:
        decided = decide(request.member, Door.CHAT if in_chat else Door.PAGE)
    except actions.AlreadyDecided as late:
        found = _proposal(request, found.pk)
        return _refused(
            request, found, f"This was {proposal_page.decided_words(late.proposal)}. Nothing was changed.", in_chat
        )
    except Conflict as clash:
        words = "It was changed after this was proposed. Nothing was applied, and the proposal still waits."
        return _refused(request, _proposal(request, found.pk), words, in_chat, clash=proposal_page.told(clash))
    except (actions.NotAPossibleTarget, ValidationError) as refusal:
        return _refused(request, _proposal(request, found.pk), _words(refusal), in_chat)
    if in_chat:
        return _show_card(request, _proposal(request, decided.pk))
    done = f"Approved, as version {decided.result_version}:" if decided.result_version else "Rejected:"
    address = reverse("proposal", args=[decided.pk])
    messages.success(request, format_html('{} <a href="{}">{}</a>', done, address, decided.title))
    question = queue_page.Question.parse(request.GET)
    target = reverse("proposal", args=[following]) if following else address
    return redirect(f"{target}{question.query()}" if following else target)


def _following(request, found):
    """The proposal to open after this one is decided: the next that waits in the queue as filtered, else none."""
    if "queue" not in request.POST:
        return None
    queue = queue_page.load_queue(request.member, queue_page.Question.parse(request.GET))
    before, after = queue.around(found)
    return after or before


def _refused(request, found, words, in_chat, clash=()):
    if in_chat:
        return _show_card(request, found, words, HTTPStatus.CONFLICT)
    return _show(request, found, HTTPStatus.CONFLICT, refused=words, clash=clash)


def _show(request, found, status=HTTPStatus.OK, *, refused="", clash=(), taking_back=False, renewing=None):
    detail = proposal_page.load(request.member, found)
    if (
        detail.is_stale
        and detail.may_decide
        and not detail.target_is_gone
        and renewing is None
        and not found.type.endswith("_delete")
    ):
        renewing = _form(found, base_version=detail.item.target_version)
    context = {
        "section": "proposals",
        "types": Proposal.Type.choices,
        "queue": queue_page.load_queue(request.member, queue_page.Question.parse(request.GET, shown=found.status)),
        "detail": detail,
        "side": request.GET.get("view") == "side",
        "side_query": _with_side(request),
        "refused": refused,
        "panes": clash or detail.panes,
        "taking_back": taking_back and detail.may_take_back,
        "back": proposal_page.taking_back(found) if taking_back and detail.may_take_back else [],
        "renewing": renewing,
    }
    return render(request, "coaching/proposal.html", context, status=status)


def _show_card(request, found, words="", status=HTTPStatus.OK):
    if not wants_fragment(request):
        if words:
            messages.error(request, words)
        return redirect(_in_chat(found))
    card = talk.load_cards(request.member, [found], None, None)[0]
    return render(request, "coaching/_proposal_card.html", {"card": card, "refused": words}, status=status)


def _with_side(request):
    """The query string of this page with old and new side by side."""
    given = request.GET.copy()
    given["view"] = "side"
    return f"?{given.urlencode()}"


def _in_chat(found):
    if found.session is None:
        return reverse("proposal", args=[found.pk])
    if found.session.conversation_id is None:
        return f"{reverse('coach-session', args=[found.session_id])}#proposal-{found.pk}"
    address = reverse("conversation", args=[found.session.conversation_id])
    return f"{address}?session={found.session_id}#proposal-{found.pk}"


def _edit(request, found, form, status=HTTPStatus.OK, final=None):
    context = {
        "section": "proposals",
        "detail": proposal_page.load(request.member, found),
        "form": form,
        "final": final,
    }
    return render(request, "coaching/proposal_edit.html", context, status=status)


def _form(found, typed=None, **initial):
    """The fields of what is proposed, to be typed over."""
    return forms.FORMS[found.target_kind](typed, initial={**actions.fields_to_apply(found), **initial})


def _proposal(request, pk):
    rows = Proposal.objects.visible_to(request.member).select_related(
        "agent", "session__conversation", "turn__asked_by__user", "decided_by__user", "proposed_by__user", "replaces"
    )
    return get_object_or_404(rows, pk=pk)


def _said(request, field):
    return request.POST.get(field, "").strip()[:5_000]


def _words(refusal):
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
