"""A turn of a talk that was asked in Slack, read into its messages."""

from datetime import timedelta

from django.utils import timezone

from coaching import llm
from coaching.models import Message, SlackPost, Turn, TurnEvent
from coaching.slack import addresses, bodies
from coaching.slack.blocks.answers import Answer, answer
from coaching.slack.blocks.message import Drawing
from coaching.talks import followups
from coaching.talks.doing import doing_now

LATE = timedelta(seconds=10)
Type, State = TurnEvent.Type, Turn.State


def draw(post: SlackPost, *, short: bool = False) -> Drawing:
    """The answer as far as it is."""
    turn = Turn.objects.select_related("session__conversation__agent").get(slack_post=post)
    happened = list(TurnEvent.objects.filter(turn=turn).order_by("number").values_list("number", "type", "data"))
    moving = turn.state in Turn.UNFINISHED
    about = [turn.session.conversation] if turn.session.conversation is not None else []
    quotes = bodies.quotes_are_allowed(turn.workspace_id)
    said = bodies.for_slack(_said(turn, happened), about=about, quotes=quotes, ended=not moving)
    told = followups.split(said)
    shown = Answer(
        said=told.shown,
        url=addresses.session(turn.session_id),
        doing=_doing(turn, happened) if moving else "",
        trouble=_trouble(turn),
        suggestions=() if moving else told.suggestions,
        is_practice=turn.usage.get("model") == llm.PRACTICE_MODEL,
    )
    return Drawing(answer(shown, short=short), drawn=turn.state, is_moving=moving)


def _said(turn, happened):
    """The coach's words; a proposal between two stretches parts them."""
    said = ""
    for _, type_, data in happened:
        if type_ == Type.TEXT:
            said += data.get("text", "")
        elif type_ == Type.PROPOSAL and said.strip():
            said = said.rstrip() + "\n\n"
    if not said.strip() and turn.state not in Turn.UNFINISHED:
        answered = Message.objects.filter(turn=turn, role=Message.Role.COACH).values_list("text", flat=True)
        said = answered.first() or ""
    return said


def _doing(turn, happened):
    if turn.stop_asked_at is not None:
        return "Stopping …"
    if turn.state == State.RUNNING:
        return doing_now(happened)
    earlier = Turn.objects.unfinished().filter(session=turn.session_id, number__lt=turn.number)
    if earlier.exists():
        return "Waits its turn: the coach answers the question before it first."
    if timezone.now() - turn.created_at > LATE:
        return "The coach has not started yet: its workers are busy, or none is running. The question is kept."
    return "Waiting for the coach …"


def _trouble(turn):
    if turn.state == State.FAILED:
        return turn.error
    if turn.state == State.STOPPED:
        return turn.error or "Stopped. What it had said and proposed until then is kept."
    return ""
