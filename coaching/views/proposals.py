"""One proposal and the decisions on it. Rules stand in coaching.actions.proposals."""

from dataclasses import replace
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
from coaching.actions import viewings
from coaching.models import Proposal
from coaching.pages import proposal as proposal_page
from coaching.pages import queue as queue_page
from coaching.pages import take_back as take_back_page
from coaching.pages import talk
from coaching.views import taking_back


@page()
def proposal(request, proposal_id):
    """One proposal beside the queue, from title to buttons."""
    return _show(request, _proposal(request, proposal_id))


@page("POST")
def approve(request, proposal_id):
    """Apply it at once. With `edited=1` the typed fields are applied instead of the proposed ones."""
    found = _proposal(request, proposal_id)
    change, form = None, None
    if request.POST.get("edited") and queue_page.is_known(found):
        form = _form(found, request.POST)
        if not form.is_valid():
            return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
        change = form.changes
    return _decide(
        request,
        found,
        lambda by, door: actions.approve(found, by=by, door=door, note=_said(request, "note"), change=change),
        form,
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
    """Change the words before approving: type, see the final change, approve it. With `queue` the next one follows."""
    found = _proposal(request, proposal_id)
    require(request.member, Right.APPROVE)
    if not proposal_page.may_decide(request.member, found):
        return redirect("proposal", found.pk)
    is_stale = actions.is_stale(found)
    if request.method != "POST":
        return redirect("proposal", found.pk) if is_stale else _edit(request, found, _form(found))
    form = _form(found, request.POST)
    if not form.is_valid():
        return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
    if is_stale:
        words = f"The {found.target_kind} was changed while you were typing. What you typed is kept below."
        return _refused(request, found, words, False, form)
    if request.POST.get("again"):
        return _edit(request, found, form)
    try:
        final = proposal_page.edited(found, form.changes)
    except ValidationError as refusal:
        form.refuse(refusal)
        return _edit(request, found, form, HTTPStatus.BAD_REQUEST)
    return _edit(request, found, form, final=proposal_page.changes_of(found, final))


@page()
def live(request, proposal_id):
    """What can change while somebody looks at it, and a sign of life of who looks."""
    found = _proposal(request, proposal_id)
    told = _see(request, found)
    if told.is_over:
        question = queue_page.Question.parse(request.GET)
        before, after = queue_page.load_queue(request.member, question).around(found)
        told = replace(told, following=after or before)
    return render(
        request, "coaching/_proposal_live.html", {"live": told, "question": _question(request), "polled": True}
    )


@page("POST")
def rebase(request, proposal_id):
    """Write a stale proposal anew against the current version: both sides' edits put together, or what a person typed."""
    found = _proposal(request, proposal_id)
    in_chat = request.POST.get("door") == Door.CHAT
    form, typed = None, {}
    if request.POST.get("edited") and queue_page.is_known(found):
        form = _form(found, request.POST)
        if not form.is_valid():
            return _show(request, found, HTTPStatus.BAD_REQUEST, editor=form)
        typed = {"change": form.changes, "base_version": form.cleaned_data["base_version"]}
    try:
        made = actions.rebase(found, by=request.member, door=Door.CHAT if in_chat else Door.PAGE, **typed)
    except actions.AlreadyDecided as late:
        return _refused(request, _proposal(request, found.pk), _late(request, late.proposal), in_chat, form)
    except Conflict:
        words = "Both changed the same place: it cannot be put together without you."
        if form is not None:
            words = f"The {found.target_kind} was changed again while you were typing. What you typed is kept below."
        return _refused(request, _proposal(request, found.pk), words, in_chat, form)
    except ValidationError as refusal:
        if form is None:
            return _refused(request, _proposal(request, found.pk), _words(refusal), in_chat)
        form.refuse(refusal)
        return _show(request, found, HTTPStatus.BAD_REQUEST, editor=form)
    except (actions.NothingToRebase, actions.NotAPossibleTarget) as refusal:
        return _refused(request, _proposal(request, found.pk), str(refusal), in_chat, form)
    if in_chat:
        return _show_card(request, _proposal(request, made.pk))
    messages.success(request, "Brought up to date. This one waits for a decision.")
    return redirect(f"{reverse('proposal', args=[made.pk])}{_question(request)}")


@page("GET", "POST")
def take_back(request, proposal_id):
    """See what taking an applied change back would do, and do it: a new version. What was taken back can be applied again."""
    found = _proposal(request, proposal_id)
    detail = proposal_page.load(request.member, found)
    if detail.last_made is None and request.method != "POST":
        return redirect("proposal", found.pk)
    if detail.last_made is None:
        words = "Only an approved change can be taken back." if detail.is_known_type else ""
        return _show(request, found, HTTPStatus.CONFLICT, refused=words)
    if request.method != "POST":
        return _show(request, found, back=taking_back.shown(detail.last_made))
    # What was shown is undone, not what somebody made of it meanwhile.
    asked = request.POST.get("configuration", "")
    made = next((one for one in detail.made if str(one.number) == asked), detail.made[0])
    undone, back, status = taking_back.attempt(request, made)
    if undone is None:
        return _show(request, found, status, back=back)
    words = "Applied again" if made.reverts_id else "Taken back"
    messages.success(request, f"{words}, as version {undone.target_version}.")
    return redirect("proposal", found.pk)


# ----------------------------------------------------------------------------------------------------------------------


def _decide(request, found, decide, form=None):
    """Make one decision through the door of the page it was made on, and answer in the manner of that page. `form` holds
    what the reviewer typed: it is kept where the decision is refused."""
    in_chat = request.POST.get("door") == Door.CHAT
    following = None if in_chat else _following(request, found)
    try:
        decided = decide(request.member, Door.CHAT if in_chat else Door.PAGE)
    except actions.AlreadyDecided as late:
        return _refused(request, _proposal(request, found.pk), _late(request, late.proposal), in_chat, form)
    except Conflict:
        words = "It was changed after this was proposed. Nothing was applied, and the proposal still waits."
        return _refused(request, _proposal(request, found.pk), words, in_chat, form)
    except (actions.NotAPossibleTarget, ValidationError) as refusal:
        return _refused(request, _proposal(request, found.pk), _words(refusal), in_chat, form)
    if in_chat:
        return _show_card(request, _proposal(request, decided.pk))
    done = f"Approved, as version {decided.result_version}:" if decided.result_version else "Rejected:"
    address = reverse("proposal", args=[decided.pk])
    messages.success(request, format_html('{} <a href="{}">{}</a>', done, address, decided.title))
    if following is None:
        return redirect(address)
    return redirect(f"{reverse('proposal', args=[following])}{_question(request)}")


def _following(request, found):
    """The proposal to open after this one is decided: the next that waits in the queue as filtered, else none."""
    if "queue" not in request.POST:
        return None
    queue = queue_page.load_queue(request.member, queue_page.Question.parse(request.GET))
    before, after = queue.around(found)
    return after or before


def _late(request, decided):
    """What whoever comes too late is told: who was first and when, or what has taken its place."""
    words = f"This was {proposal_page.decided_words(decided)}."
    newer = Proposal.objects.visible_to(request.member).filter(replaces=decided).first()
    if newer is None:
        return f"{words} Nothing was changed."
    address = reverse("proposal", args=[newer.pk])
    return format_html('{} Nothing was changed. <a href="{}">Open the newer one</a>', words, address)


def _refused(request, found, words, in_chat, form=None):
    """Say why not. What was typed stays, from now on against the version that is there now."""
    if in_chat:
        return _show_card(request, found, words, HTTPStatus.CONFLICT)
    if form is not None:
        target = actions.target_of(found)
        form.data = form.data.copy()
        form.data["base_version"] = target.version if target is not None else ""
    return _show(request, found, HTTPStatus.CONFLICT, refused=words, editor=form)


def _show(request, found, status=HTTPStatus.OK, *, refused="", editor=None, back=None):
    detail = proposal_page.load(request.member, found)
    since = detail.since
    if editor is None and detail.may_decide and since is not None and since.touches:
        editor = _form(found, **since.start, base_version=since.version)
    context = {
        "section": "proposals",
        "types": Proposal.Type.choices,
        "queue": queue_page.load_queue(request.member, queue_page.Question.parse(request.GET, shown=found.status)),
        "detail": detail,
        "live": _see(request, found, detail),
        "question": _question(request, found.status),
        "side": request.GET.get("view") == "side",
        "opened": request.GET.get("context") == "all",
        "other_view": _here(request, found, view="" if request.GET.get("view") == "side" else "side"),
        "fold_link": _here(request, found, context="" if request.GET.get("context") == "all" else "all"),
        "refused": refused,
        "editor": editor,
        "taken_back_address": take_back_page.address(detail.taken_back) if detail.taken_back else "",
        **(back or {}),
    }
    return render(request, "coaching/proposal.html", context, status=status)


def _show_card(request, found, words="", status=HTTPStatus.OK):
    if not wants_fragment(request):
        if words:
            messages.error(request, words)
        return redirect(_in_chat(found))
    card = talk.load_cards(request.member, [found], None, None)[0]
    return render(request, "coaching/_proposal_card.html", {"card": card, "refused": words}, status=status)


def _see(request, found, detail=None):
    """A sign of life of who looks, where there is something to decide; and what can change meanwhile."""
    if proposal_page.may_decide(request.member, found):
        viewings.see(found, by=request.member)
    return proposal_page.load_live(request.member, found, detail)


def _here(request, found, **changes):
    """The address of this page after `changes` of its query string; what was refused is shown on the proposal's own."""
    given = request.GET.copy()
    for name, value in changes.items():
        given[name] = value
        if not value:
            del given[name]
    path = reverse("proposal", args=[found.pk]) if request.method == "POST" else request.path
    return f"{path}?{given.urlencode()}" if given else path


def _question(request, shown=Proposal.Status.PENDING):
    """The query string that keeps the queue beside it, and how diffs are shown, as they are."""
    return queue_page.Question.parse(request.GET, shown=shown).as_query


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
        "question": _question(request),
        "in_queue": "queue" in request.GET or "queue" in request.POST,
    }
    return render(request, "coaching/proposal_edit.html", context, status=status)


def _form(found, typed=None, **initial):
    """The fields of what is proposed, to be typed over."""
    return forms.FORMS[found.target_kind](typed, initial={**actions.fields_to_apply(found), **initial})


def _proposal(request, pk):
    rows = Proposal.objects.visible_to(request.member).select_related(
        "agent__workspace",
        "session__conversation",
        "turn__asked_by__user",
        "decided_by__user",
        "proposed_by__user",
        "replaces__decided_by__user",
    )
    return get_object_or_404(rows, pk=pk)


def _said(request, field):
    return request.POST.get(field, "").strip()[:5_000]


def _words(refusal):
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)
