"""The "Check memories" page: what to do about near pairs, and the regular look. Rules stand in coaching.actions.hygiene."""

from http import HTTPStatus

from django.contrib import messages
from django.core.exceptions import BadRequest, ValidationError
from django.http import Http404
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from agents.access import Refusal
from agents.pages import page
from coaching.actions import hygiene
from coaching.forms import MergeForm
from coaching.models import Proposal
from coaching.pages import hygiene as hygiene_page
from coaching.pages.typed import number_or_none, uuid_or_none
from coaching.views.agent import find, show
from memories.models import KeptPair


@page()
def check(request, agent_id):
    """Near pairs, and the entries that somebody should look at again."""
    agent = find(request, agent_id, ai=True)
    found = hygiene_page.load(agent, hygiene_page.Question.parse(request.GET))
    return show(request, "agent-memory", agent, {"check": found}, template="coaching/check_memories.html")


@page("POST")
def decide_pair(request, agent_id):
    """Keep both of a pair, or propose that one of the two goes."""
    agent = find(request, agent_id, ai=True)
    first, second = _read(request.POST.get("first")), _read(request.POST.get("second"))
    do = request.POST.get("do")
    try:
        if do == "keep-both":
            hygiene.keep_both(agent, first, second, by=request.member)
            messages.success(request, "Both are kept. The pair is shown again when one of the two changes.")
        elif do in ("keep-first", "keep-second"):
            keep, gone = (first, second) if do == "keep-first" else (second, first)
            _say_made(request, [hygiene.replace(agent, keep=keep, gone=gone, by=request.member)])
        else:
            raise BadRequest("Nothing that can be done with a pair.")
    except hygiene.Waits as refusal:
        _say_waits(request, refusal)
    except hygiene.MovedOn as refusal:
        messages.error(request, f"Nothing was done. {refusal}")
    return _back(request, agent)


@page("GET", "POST")
def merge(request, agent_id):
    """Write what both of a pair say into one of them, and propose that the other goes."""
    agent = find(request, agent_id, ai=True)
    keep, gone = _read(request.GET.get("first")), _read(request.GET.get("second"))
    pair = hygiene_page.load_pair(agent, keep.id, gone.id)
    if pair is None and request.method != "POST":
        raise Http404
    if pair is None:
        messages.error(request, "Nothing was proposed: one of the two has been removed meanwhile.")
        return _back(request, agent)
    if request.method != "POST":
        form = MergeForm(initial=hygiene_page.union(pair))
        return _show_merge(request, agent, pair, form)
    form = MergeForm(request.POST, initial={"expires_at": pair.first.memory.expires_at})
    if not form.is_valid():
        return _show_merge(request, agent, pair, form, HTTPStatus.BAD_REQUEST)
    try:
        made = hygiene.merge(agent, keep=keep, gone=gone, change=form.changes, by=request.member)
    except ValidationError as refusal:
        form.refuse(refusal)
        return _show_merge(request, agent, pair, form, HTTPStatus.BAD_REQUEST)
    except hygiene.Waits as refusal:
        _say_waits(request, refusal)
        return _back(request, agent)
    except hygiene.MovedOn:
        form.add_error(None, "One of the two was changed while you were typing. Both are shown as they are now.")
        return _show_merge(request, agent, pair, form, HTTPStatus.CONFLICT)
    _say_made(request, made)
    return _back(request, agent)


@page("POST")
def show_again(request, agent_id):
    """Take a "keep both" back."""
    agent = find(request, agent_id, ai=True)
    number = number_or_none(request.POST.get("kept"), digits=15)
    if number is None:
        raise BadRequest("A kept pair is named by its number.")
    kept = get_object_or_404(KeptPair.objects.filter(first__agent=agent), pk=number)
    hygiene.show_again(kept, by=request.member)
    messages.success(request, "The pair is shown among the near ones again.")
    return _back(request, agent)


@page("POST")
def look_over(request, agent_id):
    """Confirm the ticked entries, or propose to remove them."""
    agent = find(request, agent_id, ai=True)
    entries = [_read(given) for given in request.POST.getlist("entry")]
    if not entries:
        messages.error(request, "Nothing was done: tick the memories first.")
        return _back(request, agent)
    try:
        if request.POST.get("do") == "confirm":
            _confirm(request, agent, entries)
        elif request.POST.get("do") == "remove":
            _remove(request, agent, entries)
        else:
            raise BadRequest("Nothing that can be done with entries.")
    except ValidationError as refusal:
        messages.error(request, f"Nothing was done. {' '.join(refusal.messages)}")
    return _back(request, agent)


# ----------------------------------------------------------------------------------------------------------------------


def _confirm(request, agent, entries):
    moved = hygiene.still_true(agent, entries, by=request.member)
    n = len(entries) - len(moved)
    if n:
        messages.success(request, f"Noted: {_memories(n)} still true, as of now.")
    if moved:
        messages.error(request, f"{_memories(len(moved))} had changed since you opened this page: left as it was.")


def _remove(request, agent, entries):
    question = hygiene_page.Question.parse(request.POST)
    reason = {
        "expired": "It has expired: no agent is told it any more.",
        "unserved": "No agent was ever given it in the more than 30 days since it was written.",
        "unchecked": f"Nobody has changed it, or said that it is still true, for {question.months} months.",
    }.get(question.shown, "It was found in the regular look over the memories.")
    told = hygiene.propose_removals(agent, entries, reason=reason, by=request.member)
    made = [result for _, result in told if isinstance(result, Proposal)]
    if made:
        _say_made(request, made)
    refused = [str(result) for _, result in told if isinstance(result, Refusal)]
    if refused:
        messages.error(request, f"{_memories(len(refused))} not proposed. {' '.join(dict.fromkeys(refused))}")


def _show_merge(request, agent, pair, form, status=HTTPStatus.OK):
    question = hygiene_page.Question.parse(request.GET)
    address = f"{request.path}?first={pair.first.as_read}&second={pair.second.as_read}"
    context = {"pair": pair, "form": form, "question": question, "address": address}
    return show(request, "agent-memory", agent, context, status, "coaching/check_memories_merge.html")


def _say_made(request, made):
    links = format_html_join(
        ", ", '<a href="{}">{}</a>', ((reverse("proposal", args=[p.pk]), p.get_type_display()) for p in made[:5])
    )
    more = f" and {len(made) - 5} more" if len(made) > 5 else ""
    wait = "It waits" if len(made) == 1 else "They wait"
    messages.success(request, format_html("Proposed: {}{}. {} for a decision.", links, more, wait))


def _say_waits(request, refusal):
    address = reverse("proposal", args=[refusal.proposal.pk])
    words = 'Nothing was done: <a href="{}">a proposal about one of the two</a> waits for a decision already.'
    messages.error(request, format_html(words, address))


def _memories(n):
    return "1 memory" if n == 1 else f"{n} memories"


def _read(given):
    """ "ID:VERSION" of a memory as somebody has read it. Raises BadRequest."""
    id, _, typed = (given or "").partition(":")
    pk, version = uuid_or_none(id), number_or_none(typed)
    if pk is None or version is None:
        raise BadRequest("A memory is named by its id and its version.")
    return hygiene.Read(pk, version)


def _back(request, agent):
    """To the list somebody came from."""
    question = hygiene_page.Question.parse(request.POST if request.method == "POST" else request.GET)
    return redirect(reverse("check-memories", args=[agent.pk]) + question.query())
