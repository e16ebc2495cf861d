"""My coaching: what a person sees of their own, and the page that everybody begins on."""

from http import HTTPStatus

from django.contrib import messages
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from agents.access import NotAllowed
from agents.pages import page, wants_fragment
from coaching.actions import notes
from coaching.pages import my_coaching as my_page
from coaching.pages.typed import uuid_or_none


@page()
def home(request):
    """Leaders begin with the team, everybody else with what is theirs."""
    return redirect("team" if request.member.is_leader else "my-coaching")


@page()
def my_coaching(request):
    """The reader's own record; who is linked to no agent is told what to ask for."""
    if request.member.agent is None:
        return render(request, "coaching/my_coaching_unlinked.html", {"section": "my-coaching"})
    return _show(request, uuid_or_none(request.GET.get("just", "")))


@page("POST")
def read(request, note_id):
    """ "I have read this", said of the words that were shown."""
    note = _note(request, note_id)
    if request.POST.get("words", "") != my_page.words_of(note):
        return _refused(request, note, "These words were changed a moment ago. Please read them again.")
    return _act(request, note, lambda: notes.acknowledge(note, by=request.member, body=note.body), "Noted as read.")


@page("POST")
def unread(request, note_id):
    """Take it back."""
    note = _note(request, note_id)
    return _act(request, note, lambda: notes.unacknowledge(note, by=request.member), "Taken back.")


def _act(request, note, action, said):
    try:
        action()
    except NotAllowed:
        raise Http404 from None  # not shared any more: it is not there
    except (notes.WordsChanged, notes.TooLate) as refusal:
        return _refused(request, note, str(refusal))
    if wants_fragment(request):
        return _show(request, note.pk, said=said)
    messages.success(request, said)
    question = my_page.Question.parse(request.GET)
    return redirect(f"{reverse('my-coaching')}{question.query()}#note-{note.pk}")


def _refused(request, note, why):
    return _show(request, note.pk, HTTPStatus.CONFLICT, refused=f"{why} Nothing was changed.")


def _show(request, just, status=HTTPStatus.OK, *, said="", refused=""):
    found = my_page.load(request.member, my_page.Question.parse(request.GET), just)
    context = {"section": "my-coaching", "page": found, "said": said or refused, "refused": refused}
    template = "coaching/_my_notes_answer.html" if wants_fragment(request) else "coaching/my_coaching.html"
    return render(request, template, context, status=status)


def _note(request, note_id):
    """A note that was shared with the reader; where they are no agent there is none."""
    if request.member.agent_id is None:
        raise Http404
    return get_object_or_404(my_page.shared_notes(request.member), pk=note_id)
