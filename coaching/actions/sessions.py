"""What can be done to a talk with the coach: start it, ask, stop, retry. A worker answers; events tell how far it is."""

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.utils import timezone

from agents import work
from agents.access import Refusal, Right, require
from coaching.actions.slack import posts
from coaching.models import Message, Session, SessionConversation, Turn, TurnEvent
from coaching.models.sessions import MESSAGE_LIMIT
from coaching.talks import followups
from helpdesk.models import Conversation

SET_LIMIT = 50  # conversations of one session
ABOUT_LIMIT = 200  # characters


class CoachOff(Refusal):
    """The agent has no coach: it is a person, or coaching is switched off."""


class NotRunning(Refusal):
    """The turn has ended already, so it cannot be stopped."""


class StillRunning(Refusal):
    """The turn has not ended yet, so it cannot be asked again."""


class NotSuggested(Refusal):
    """The coach suggested no such question at the end of that answer."""


def start(agent, *, by, conversation=None, conversations=(), about=""):
    """A new session with the coach of `agent`: about one conversation, about a set of them in this order, or about none.

    A set has at most SET_LIMIT conversations and is fixed from here on; `about` says in words what they have in common.
    A set of one is a session about that conversation. Raises NotAllowed, CoachOff, ValidationError.
    """
    require(by, Right.COACH_AI)
    require_coach(agent)
    chosen = list(dict.fromkeys(conversations))
    if conversation is not None and chosen:
        raise ValidationError({"conversations": "A session is about one conversation or about several, not both."})
    if len(chosen) > SET_LIMIT:
        raise ValidationError({"conversations": f"A session is about at most {SET_LIMIT} conversations."})
    if conversation is not None and conversation.agent_id != agent.pk:
        raise ValidationError({"conversation": "This conversation belongs to another agent."})
    own = Conversation.objects.visible_to(by).filter(agent=agent, pk__in=[each.pk for each in chosen]).count()
    if own != len(chosen):
        raise ValidationError({"conversations": "One of these conversations belongs to another agent."})
    if len(chosen) == 1:
        conversation, chosen = chosen[0], []
    with transaction.atomic():
        session = Session.objects.create(
            workspace_id=agent.workspace_id,
            agent=agent,
            conversation=conversation,
            about=(about or f"{len(chosen)} conversations")[:ABOUT_LIMIT] if chosen else "",
            started_by=by,
        )
        SessionConversation.objects.bulk_create(
            SessionConversation(workspace_id=agent.workspace_id, session=session, conversation=each, position=position)
            for position, each in enumerate(chosen)
        )
    return session


def members(sessions):
    """{session id: the ids of the conversations it is about, in their order}, for many sessions in one query, or none."""
    ids = {each.pk: [each.conversation_id] if each.conversation_id else [] for each in sessions}
    sets = [each.pk for each in sessions if each.about]
    rows = SessionConversation.objects.filter(session__in=sets).order_by("position")
    for session, conversation in rows.values_list("session", "conversation"):
        ids[session].append(conversation)
    return ids


def ask(session, *, by, text, focus=(), retry_of=None, suggested=False):
    """Put a question to the coach; returns the turn that a worker owes. Raises NotAllowed, CoachOff, ValidationError.

    `suggested` marks the coach's own words, which `ask_next` puts: they are no instruction of the leader's.
    """
    require(by, Right.COACH_AI)
    require_coach(session.agent)
    text = (text or "").strip()
    if not text:
        raise ValidationError({"text": "Ask the coach something."})
    if len(text) > MESSAGE_LIMIT:
        raise ValidationError({"text": f"A message has at most {MESSAGE_LIMIT:,} characters."})
    focus = sorted(set(focus))
    if focus:
        turns = session.conversation.turn_count if session.conversation else 0
        beyond = [n for n in focus if n < 0 or (turns is not None and n >= turns)]
        if beyond:
            raise ValidationError({"focus": f"The conversation has no turn {beyond[0]}."})
    with transaction.atomic():
        Session.objects.filter(pk=session.pk).update(turns_asked=F("turns_asked") + 1, updated_at=timezone.now())
        number = Session.objects.values_list("turns_asked", flat=True).get(pk=session.pk)
        turn = Turn.objects.create(
            workspace_id=session.workspace_id, session=session, number=number, asked_by=by, retry_of=retry_of
        )
        Message.objects.create(
            workspace_id=session.workspace_id,
            session=session,
            turn=turn,
            role=Message.Role.USER,
            text=text,
            focus=focus,
            suggested=suggested,
        )
    return turn


def suggestions(answer):
    """What the stored answer (a Message of the coach, or None) says to ask next, in its order."""
    return followups.split(answer.text).suggestions if answer is not None else ()


def ask_next(turn, number, *, by):
    """Ask the question that the answer of `turn` suggests as its `number`, counted from 1; returns the new turn, or the one
    that asks it already and has not ended: a second click asks nothing twice.

    The text is read from the stored answer, never taken from whoever clicks. Raises NotAllowed, CoachOff, NotSuggested.
    """
    require(by, Right.COACH_AI)
    offered = suggestions(turn.messages.filter(role=Message.Role.COACH).first())
    if not 1 <= number <= len(offered):
        raise NotSuggested("The coach did not suggest this question.")
    with transaction.atomic():
        # Holds the session's row: the second of two sees the first.
        Session.objects.filter(pk=turn.session_id).update(updated_at=timezone.now())
        asked = Message.objects.filter(role=Message.Role.USER, suggested=True, text=offered[number - 1])
        waiting = Turn.objects.unfinished().filter(
            session=turn.session_id, number__gt=turn.number, pk__in=asked.values("turn")
        )
        return waiting.first() or ask(turn.session, by=by, text=offered[number - 1], suggested=True)


def retry(turn, *, by):
    """Ask the question of an ended turn again, as a new turn that repeats no proposal.

    Raises NotAllowed, CoachOff, StillRunning.
    """
    if turn.state in Turn.UNFINISHED:
        raise StillRunning("The coach is still at it.")
    question = turn.messages.get(role=Message.Role.USER)
    first = turn.retry_of or turn
    with transaction.atomic():
        again = ask(
            turn.session,
            by=by,
            text=question.text,
            focus=question.focus,
            retry_of=first,
            suggested=question.suggested,
        )
        posts.owe_answer_of(again, first)
    return again


def stop(turn, *, by):
    """End the turn: at once if it waits, at the next event if it runs. Raises NotAllowed, NotRunning."""
    require(by, Right.COACH_AI)
    with transaction.atomic():
        waiting = Turn.objects.filter(pk=turn.pk, state=Turn.State.QUEUED)
        if waiting.update(
            state=Turn.State.STOPPED, ended_at=timezone.now(), next_try_at=None, claimed_until=None, claim=None
        ):
            append_event(turn, TurnEvent.Type.STOPPED)
        elif not Turn.objects.filter(pk=turn.pk, state=Turn.State.RUNNING).update(stop_asked_at=timezone.now()):
            raise NotRunning("This turn has ended already.")
    turn.refresh_from_db()
    return turn


def give_up(turn, *, by=None):
    """Leave a question that waits for its next try without an answer; `by` is None for operators.

    Raises NotAllowed, NotRunning.
    """
    if by is not None:
        require(by, Right.COACH_AI)
    with transaction.atomic():
        if not work.drop(turn, state=Turn.State.STOPPED, ended_at=timezone.now()):
            raise NotRunning("This turn has ended already, or a worker is at it this moment.")
        append_event(turn, TurnEvent.Type.STOPPED)
    return turn


def claim(turn_id):
    """Take the turn to work on it: it is due, nobody holds it, and no earlier turn of its session is unfinished.

    Returns the running turn, or None. A turn whose worker died comes back here with `attempts` above 1.
    """
    earlier = Turn.objects.unfinished().filter(session=OuterRef("session"), number__lt=OuterRef("number"))
    with transaction.atomic():
        turn = work.claim(Turn.objects.unfinished().filter(~Exists(earlier)), turn_id)
        if turn is not None:
            # What an earlier worker tells is told once its session's row is free.
            Session.objects.select_for_update(no_key=True).get(pk=turn.session_id)
            Turn.objects.filter(pk=turn.pk).update(
                state=Turn.State.RUNNING, started_at=turn.started_at or timezone.now()
            )
            turn.refresh_from_db()
    return turn


def finish(turn, state, *, text="", error="", usage=None):
    """Close a running turn exactly once: its state, the coach's answer and the closing event, together. Raises LeaseLost."""
    with transaction.atomic():
        work.settle(turn, state=state, ended_at=timezone.now(), error=error, usage=usage or {})
        if text:
            Message.objects.create(
                workspace_id=turn.workspace_id,
                session_id=turn.session_id,
                turn=turn,
                role=Message.Role.COACH,
                text=text,
            )
        append_event(turn, TurnEvent.Type(state), **({"error": error} if error else {}))
    turn.refresh_from_db()


def tell(turn, type, **data):
    """Write the next event of a turn at work. Raises LeaseLost, and then writes nothing: another worker speaks now."""
    with transaction.atomic():
        append_event(turn, type, **data)
        if not Turn.objects.filter(pk=turn.pk, claim=turn.claim).exists():
            raise work.LeaseLost


def keep_usage(turn, usage):
    """Store what a turn at work has used so far. Raises LeaseLost."""
    if not Turn.objects.filter(pk=turn.pk, claim=turn.claim).update(usage=usage):
        raise work.LeaseLost


def append_event(turn, type, **data):
    """Write the next event of the session. Numbers rise without gaps in the order of commit, for the row is held."""
    with transaction.atomic():
        Session.objects.filter(pk=turn.session_id).update(events_written=F("events_written") + 1)
        number = Session.objects.values_list("events_written", flat=True).get(pk=turn.session_id)
        return TurnEvent.objects.create(
            workspace_id=turn.workspace_id, session_id=turn.session_id, turn=turn, number=number, type=type, data=data
        )


def require_coach(agent):
    """Raises CoachOff, with the sentence to show, unless the agent has a coach."""
    if not agent.is_ai:
        raise CoachOff(f"{agent} is a person: only AI agents have a coach.")
    if not agent.coaching:
        raise CoachOff(f"Coaching is switched off for {agent}. Switch it on under Settings › Advanced.")
