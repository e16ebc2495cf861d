"""The To do page: what waits for the leaders, ticked off, dismissed and taken back. Rules stand in the actions."""

from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents.access import Refusal, Right, may, require
from agents.models import Agent
from agents.pages import page, wants_fragment
from coaching import calendar
from coaching.actions import feeds, flags, notes
from coaching.models import Flag, Note
from coaching.navigation import Navigation
from coaching.pages import days, drawer
from coaching.pages import todo as todo_page
from coaching.pages.typed import number_or_none, uuid_or_none

REFUSALS = (
    flags.AlreadyClosed,
    flags.AlreadyFlagged,
    flags.NotDismissed,
    notes.Archived,
    notes.ChangedMeanwhile,
    notes.NoFollowUp,
)


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


@page("POST")
def follow_up_snooze(request, note_id):
    """Put a follow-up off to the day that was chosen or typed."""
    note, typed = _note(request, note_id), request.POST.get("day", "").strip()

    def snooze():
        day = days.day_or_none(typed)
        if day is None:
            raise ValidationError("Give a day, as in 2027-01-31.")
        if note.follow_up_at is None:
            raise notes.NoFollowUp("This note asks for no follow-up any more.")
        until = todo_page.snoozed_to(note, day, request.member.workspace.zone)
        notes.snooze(note, by=request.member, until=until)

    return _act(request, note, snooze, f"The follow-up with {note.agent} was put off.", day=typed)


@page("POST")
def follow_up_unsnooze(request, note_id):
    """Take it back: the follow-up is asked for when it was before."""
    note, version = _note(request, note_id), number_or_none(request.POST.get("version"))
    if version is None:
        raise BadRequest("Which version is to be taken back is a number.")
    return _act(
        request, note, lambda: notes.unsnooze(note, by=request.member, version=version),
        f"The follow-up with {note.agent} stands where it stood.",
    )  # fmt: skip


@page()
def follow_up_file(request, note_id):
    """The follow-up as a file that calendar programs open. To others than leaders no note has one."""
    if not may(request.member, Right.COACH_PEOPLE):
        raise Http404
    waiting = Note.objects.visible_to(request.member).following_up().select_related("agent")
    note = get_object_or_404(waiting, pk=note_id)
    response = HttpResponse(calendar.single(note), content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="follow-up.ics"'
    return response


@page()
def calendar_feed(request):
    """The address of the reader's own calendar feed: how it is added, who can read it."""
    require(request.member, Right.COACH_PEOPLE)
    feed = feeds.of(request.member)
    address = calendar.url_of(feed)
    host = urlsplit(address).hostname or ""
    context = {
        "section": "todo",
        "feed": feed,
        "address": address,
        "webcal": f"webcal:{address.partition(':')[2]}",
        "host": host,
        "is_local": host == "localhost" or host.startswith("127.") or host == "::1",
        "reminders": settings.MAIL_IS_CONFIGURED,
    }
    return render(request, "coaching/todo_calendar.html", context)


@page("POST")
def renew_feed(request):
    """Replace the address; the old one is dead from now on."""
    number = number_or_none(request.POST.get("number"))
    if number is None:
        raise BadRequest("Which address is to be replaced is a number.")
    try:
        feeds.renew(request.member, number=number)
    except feeds.AlreadyRenewed as refusal:
        messages.info(request, str(refusal))
    else:
        messages.success(request, "Renewed. The old address is dead: add the new one to your calendar.")
    return redirect("todo-calendar")


# ----------------------------------------------------------------------------------------------------------------------


def _act(request, row, action, said, **typed):
    """Do it and show the list with what became of the row; a refusal is said where the row stands, with what was typed."""
    try:
        action()
    except ValidationError as refusal:
        return _show(request, row.pk, HTTPStatus.BAD_REQUEST, refused=" ".join(refusal.messages), typed=typed)
    except REFUSALS as refusal:
        return _show(request, row.pk, HTTPStatus.CONFLICT, refused=_words(refusal))
    if wants_fragment(request):
        return _show(request, row.pk, said=said)
    question = todo_page.Question.parse(request.GET)
    return redirect(f"{reverse('todo')}{question.query(just=row.pk)}")


def _show(request, just, status=HTTPStatus.OK, *, said="", refused="", typed=None):
    question = todo_page.Question.parse(request.GET)
    top = Navigation(request.member)
    found = todo_page.load(request.member, top, question, just)
    context = {
        "navigation": top,
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
