"""The conversation page with the coach beside the transcript, the coach's sessions, and the questions put in them."""

import contextlib
from http import HTTPStatus
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Max
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.dateparse import parse_datetime

from agents import work
from agents.access import Right, may, require
from agents.models import Agent
from agents.pages import page, wants_fragment
from coaching.actions import sessions
from coaching.models import Session, Turn, TurnEvent
from coaching.pages import conversation as conversation_page
from coaching.pages import history as history_page
from coaching.pages import sets, talk
from coaching.pages.typed import number_or_none
from coaching.talks import streams
from coaching.tasks import run_turn
from helpdesk.models import Conversation


@page()
def conversations(request):
    """Every conversation of the workspace, newest first."""
    require(request.member, Right.COACH_AI)
    history = history_page.load_history(request.member, history_page.HistoryQuestion.parse(request.GET))
    return render(request, "coaching/conversations.html", {"section": "conversations", "history": history})


@page()
def conversation(request, conversation_id):
    """The transcript, and the talk with the coach about it; `?session=ID` chooses an earlier talk, `?new=1` begins one."""
    found = _conversation(request, conversation_id)
    return _show(request, found, _chosen_of(request, found))


@page()
def transcript(request, conversation_id):
    """The turns of a conversation that is in a helpdesk, for a page that shows its frame already."""
    found = _conversation(request, conversation_id)
    chosen = _chosen_of(request, found)
    if not wants_fragment(request):
        return redirect(f"{reverse('conversation', args=[found.pk])}?transcript=1")
    shown = _load(request, found, chosen, fetch=True)
    return render(request, "coaching/_transcript_turns.html", {"page": shown})


@page()
def session(request, session_id):
    """A talk with the coach that is about no single conversation."""
    found = _session(request, session_id)
    if found.conversation_id is not None:
        return redirect(_address(found))
    return _show_alone(request, found)


@streams.at_the_door()
@page()
def stream(request, session_id):
    """What happens in a session as server-sent events behind `?after=N`; `?as_of=T` is the state the page shows.

    Besides the events of the API's stream there is `changed`, without an id: something else about the session is new.
    """
    found = _session(request, session_id)
    after = request.GET.get("after", "")
    try:
        as_of = parse_datetime(request.GET.get("as_of", "")) or found.created_at
    except ValueError:
        as_of = found.created_at
    return streams.answer(request, found.pk, number_or_none(after) or 0, as_of=as_of)


@page()
def log(request, session_id):
    """The whole talk of a session as it stands, for a page that shows it already."""
    found = _session(request, session_id)
    if not wants_fragment(request):
        return redirect(_address(found))
    panel = talk.load_panel(request.member, found.agent, found.conversation, found)
    return render(request, "coaching/_talk.html", {"panel": panel, "fresh": True})


@page("POST")
def ask_about(request, conversation_id):
    """Put a question about a conversation: into the session that is open on the page, else into a new one."""
    found = _conversation(request, conversation_id)
    if found.agent is None:
        raise Http404
    chosen = _chosen(request, request.POST)
    if chosen is not None and chosen.conversation_id != found.pk:
        raise Http404
    return _ask(request, found.agent, found, chosen)


@page("POST")
def ask_agent(request, agent_id):
    """Put a question to an agent's coach without a conversation: into the session named, else into a new one."""
    found = get_object_or_404(Agent.objects.visible_to(request.member), pk=agent_id)
    require(request.member, Right.COACH_AI)
    chosen = _chosen(request, request.POST)
    if chosen is not None and (chosen.agent_id != found.pk or chosen.conversation_id is not None):
        raise Http404
    return _ask(request, found, None, chosen)


@page()
def turn(request, turn_id):
    """One question with its answer so far, followed by a page until it ends.

    `?after=N&state=S` is what the page has already: 204 where nothing has happened since.
    """
    found = _turn(request, turn_id)
    newest = TurnEvent.objects.filter(turn=found).aggregate(newest=Max("number"))["newest"] or 0
    if wants_fragment(request) and (request.GET.get("after"), request.GET.get("state")) == (
        str(newest),
        talk.stage(found),
    ):
        return HttpResponse(status=HTTPStatus.NO_CONTENT)
    return _show_turn(request, found)


@page("POST")
def stop(request, turn_id):
    """End a turn that waits or runs."""
    found = _turn(request, turn_id)
    with contextlib.suppress(sessions.NotRunning):  # it ended by itself meanwhile: the page shows how
        sessions.stop(found, by=request.member)
    return _show_turn(request, found)


@page("POST")
def retry(request, turn_id):
    """Ask the question of an ended turn again."""
    found = _turn(request, turn_id)
    try:
        with transaction.atomic():
            again = sessions.retry(found, by=request.member)
            _start_work(again)
    except (sessions.StillRunning, sessions.CoachOff) as refusal:
        messages.error(request, str(refusal))
        return redirect(_address(found.session))
    return _after_asking(request, found.session)


@page("POST")
def ask_next(request, turn_id):
    """Ask the question that an answer suggests as its `number`; the words are read from the stored answer."""
    found = _turn(request, turn_id)
    number = request.POST.get("number", "")
    try:
        with transaction.atomic():
            _start_work(sessions.ask_next(found, int(number) if number in ("1", "2", "3") else 0, by=request.member))
    except (sessions.NotSuggested, sessions.CoachOff) as refusal:
        messages.error(request, str(refusal))
        return redirect(_address(found.session))
    return _after_asking(request, found.session)


# ----------------------------------------------------------------------------------------------------------------------


def _ask(request, agent, about, chosen):
    text = request.POST.get("quick") or request.POST.get("text", "")
    focus = [int(n) for n in request.POST.getlist("turn") if n.isdecimal() and len(n) < 7]
    try:
        with transaction.atomic():
            found = chosen or sessions.start(agent, by=request.member, conversation=about)
            _start_work(sessions.ask(found, by=request.member, text=text, focus=focus))
    except ValidationError as refusal:
        typed = {"text": text, "error": " ".join(refusal.messages)}
        return _refused(request, agent, about, chosen, typed, HTTPStatus.BAD_REQUEST)
    except sessions.CoachOff as refusal:
        return _refused(request, agent, about, chosen, {"text": text, "error": str(refusal)}, HTTPStatus.CONFLICT)
    return _after_asking(request, found, unsent=request.POST.get("text", "") if request.POST.get("quick") else "")


def _start_work(asked):
    """Tell a worker once the question is stored. The row is what is owed: a lost message is found again by the clock."""
    work.start_soon(run_turn, str(asked.pk))


def _after_asking(request, found, unsent=""):
    """The talk with the new question in it; `unsent` are words in the composer that were not part of it."""
    address = _address(found)
    if not wants_fragment(request):
        return redirect(f"{address}#coach-end")
    found.refresh_from_db(fields=["updated_at"])  # the panel tells its stream which state it shows
    panel = talk.load_panel(request.member, found.agent, found.conversation, found)
    answer = render(request, "coaching/_coach_panel.html", {"panel": panel, "typed": {"text": unsent}})
    answer["HX-Replace-Url"] = address
    return answer


def _refused(request, agent, about, chosen, typed, status):
    if wants_fragment(request):
        panel = talk.load_panel(request.member, agent, about, chosen)
        return render(request, "coaching/_coach_panel.html", {"panel": panel, "typed": typed}, status=status)
    if about is not None:
        return _show(request, about, chosen, typed, status)
    return _show_alone(request, chosen, typed, status, agent=agent)


def _show(request, found, chosen, typed=None, status=HTTPStatus.OK):
    shown = _load(request, found, chosen, fetch=request.GET.get("transcript") == "1")
    context = {"section": "conversations", "page": shown, "typed": typed or {}}
    return render(request, "coaching/conversation.html", context, status=status)


def _load(request, found, chosen, *, fetch):
    picked = {int(n) for n in request.GET.getlist("turn") if n.isdecimal() and len(n) < 7}
    new = request.GET.get("new") == "1" and chosen is None
    return conversation_page.load(request.member, found, chosen, picked=picked, new=new, fetch=fetch)


def _show_alone(request, found, typed=None, status=HTTPStatus.OK, agent=None):
    panel = talk.load_panel(request.member, agent or found.agent, None, found)
    lines = sets.load(request.member, found) if found is not None else []
    context = {"section": "team", "agent": panel.agent, "panel": panel, "set": lines, "typed": typed or {}}
    return render(request, "coaching/agent_session.html", context, status=status)


def _show_turn(request, found):
    shown = talk.exchanges(request.member, found.session, turn=found)[0]
    if not wants_fragment(request):
        return redirect(_address(found.session))
    panel = {"off": talk.why_off(request.member, found.session.agent)}
    return render(request, "coaching/_exchange.html", {"exchange": shown, "fresh": True, "panel": panel})


def _address(found):
    if found.conversation_id is None:
        return reverse("coach-session", args=[found.pk])
    return f"{reverse('conversation', args=[found.conversation_id])}?{urlencode({'session': found.pk})}"


def _conversation(request, pk):
    _leaders_only(request)
    return get_object_or_404(Conversation.objects.visible_to(request.member).select_related("agent"), pk=pk)


def _session(request, pk):
    rows = Session.objects.visible_to(request.member).select_related("agent", "conversation", "started_by__user")
    try:
        return get_object_or_404(rows, pk=pk)
    except ValidationError:
        raise Http404 from None


def _turn(request, pk):
    rows = talk.with_place(Turn.objects.visible_to(request.member))
    return get_object_or_404(rows.select_related("session__agent", "session__conversation"), pk=pk)


def _chosen(request, given=None):
    wanted = (request.GET if given is None else given).get("session")
    return _session(request, wanted) if wanted else None


def _chosen_of(request, found):
    """The session that the address names, which is about this conversation."""
    chosen = _chosen(request)
    if chosen is not None and chosen.conversation_id != found.pk:
        raise Http404
    return chosen


def _leaders_only(request):
    """A conversation does not exist for somebody who may not read any."""
    if not may(request.member, Right.COACH_AI):
        raise Http404
