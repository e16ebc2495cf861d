"""The To do page: what waits for the leaders, ticked off, dismissed and taken back. Rules stand in the actions."""

from http import HTTPStatus

from django.core.exceptions import ValidationError
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents.access import Refusal, Right, require
from agents.models import Agent
from agents.pages import page, wants_fragment
from coaching.actions import flags, notes
from coaching.models import Flag, Note
from coaching.pages import drawer
from coaching.pages import todo as todo_page
from coaching.pages.queue import uuid_or_none


@page()
def todo(request):
    """What waits; `?agent=ID` shows the drawer of one agent over it, `?just=ID` what became of one of them."""
    require(request.member, Right.COACH_PEOPLE)
    return _show(request, uuid_or_none(request.GET.get("just", "")))


@page("POST")
def flag_done(request, flag_id):
    """Tick off that the agent was coached."""
    flag = _flag(request, flag_id)
    return _act(request, flag, lambda: flags.mark_coached(flag, by=request.member), f"Ticked off: {flag.agent}.")


@page("POST")
def flag_not_done(request, flag_id):
    """Take the tick back."""
    flag = _flag(request, flag_id)
    return _act(
        request, flag, lambda: flags.unmark_coached(flag, by=request.member), f"{flag.agent} is on the list again."
    )


@page("POST")
def flag_dismiss(request, flag_id):
    """Close the flag with the reason that was typed."""
    flag = _flag(request, flag_id)
    reason = request.POST.get("reason", "")
    return _act(
        request, flag, lambda: flags.dismiss(flag, by=request.member, reason=reason), f"Dismissed: {flag.agent}’s flag.",
        reason=reason,
    )  # fmt: skip


@page("POST")
def flag_reopen(request, flag_id):
    """Take a dismissal back."""
    flag = _flag(request, flag_id)
    return _act(
        request, flag, lambda: flags.reopen(flag, by=request.member), f"{flag.agent}’s flag stands again as it stood."
    )


@page("POST")
def follow_up_done(request, note_id):
    """Tick a follow-up off."""
    note = _note(request, note_id)
    return _act(request, note, lambda: notes.follow_up_done(note, by=request.member), f"Followed up with {note.agent}.")


@page("POST")
def follow_up_not_done(request, note_id):
    """Take the tick back."""
    note = _note(request, note_id)
    return _act(
        request, note, lambda: notes.follow_up_not_done(note, by=request.member),
        f"The follow-up with {note.agent} is on the list again.",
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------------------


def _act(request, row, action, said, **typed):
    """Do it and show the list with what became of the row; a refusal is said where the row stands, with what was typed."""
    try:
        action()
    except ValidationError as refusal:
        return _show(request, row.pk, HTTPStatus.BAD_REQUEST, refused=" ".join(refusal.messages), typed=typed)
    except (flags.AlreadyClosed, flags.AlreadyFlagged, flags.NotDismissed, notes.Archived, notes.NoFollowUp) as refusal:
        return _show(request, row.pk, HTTPStatus.CONFLICT, refused=_words(refusal))
    if wants_fragment(request):
        return _show(request, row.pk, said=said)
    question = todo_page.Question.parse(request.GET)
    return redirect(f"{reverse('todo')}{question.query(just=row.pk)}")


def _show(request, just, status=HTTPStatus.OK, *, said="", refused="", typed=None):
    question = todo_page.Question.parse(request.GET)
    found = todo_page.load(request.member, question, just)
    context = {
        "section": "todo",
        "page": found,
        "home": f"{reverse('todo')}{found.question.query()}",
        "said": said or refused,
        "refused": refused,
        "typed": typed or {},
    }
    if wants_fragment(request):
        return render(request, "coaching/_todo_answer.html", context, status=status)
    if request.method == "GET" and "agent" in request.GET:
        context |= _drawer(request, context["home"])
    return render(request, "coaching/todo.html", context, status=status)


def _drawer(request, home):
    agents = Agent.objects.visible_to(request.member).select_related("team")
    found = get_object_or_404(agents, pk=uuid_or_none(request.GET["agent"]))
    return {"drawer": drawer.load(request.member, found), "closed_url": home}


def _words(refusal: Refusal):
    return f"{refusal} Nothing was changed."


def _flag(request, flag_id):
    return get_object_or_404(Flag.objects.visible_to(request.member).select_related("agent", "workspace"), pk=flag_id)


def _note(request, note_id):
    return get_object_or_404(Note.objects.visible_to(request.member).select_related("agent"), pk=note_id)
