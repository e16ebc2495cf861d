"""A talk with the coach as pages show it: questions, answers as far as they are, the proposals as cards, what was read."""

import json
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Exists, OuterRef, Subquery
from django.db.models.functions import Left
from django.utils import timezone

from agents.access import Right, may
from agents.models import Agent, Configuration
from coaching.actions import connections
from coaching.models import Message, Proposal, Session, Turn, TurnEvent
from coaching.pages import proposal as proposal_page
from coaching.proposed import is_known, taken_back_each
from coaching.talks import followups, quick
from coaching.talks.doing import DOING, doing_now
from coaching.usage import TOKENS
from helpdesk.models import Conversation

SESSIONS = 20
RUN = 3  # neighbours that are shown as one chip from here on, as in the composer
GLIMPSE = 90  # characters of a session's first question that the list of sessions shows
LATE = timedelta(seconds=10)  # a worker takes a question up within a second or two

# What the coach's reading tools read, for one and for several calls.
READ = {
    "read_prompt": ("the prompt", "the prompt"),
    "search_memories": ("a search of the memories", "{} searches of the memories"),
    "read_memory": ("1 memory", "{} memories"),
    "list_procedures": ("the list of procedures", "the list of procedures"),
    "read_procedure": ("1 procedure", "{} procedures"),
    "read_conversation": ("the conversation", "the conversation"),
    "find_conversations": ("a search of the conversations", "{} searches of the conversations"),
    "earlier_proposals": ("earlier proposals", "earlier proposals"),
}

# What a turn cost, in the order of its table.
SPENT = {
    "rounds": "Rounds",
    "inputTokens": "Input tokens",
    "outputTokens": "Output tokens",
    "cacheReadTokens": "Read from the cache",
    "cacheCreationTokens": "Written to the cache",
    "model": "Model",
}


@dataclass(frozen=True)
class Card:
    """A proposal in the talk: as it stands now, what became of its target since (None: nothing), its changes, its evidence;
    `superseded_by` where another one took its place, `taken_back` the configuration that took it back."""

    proposal: Proposal
    since: proposal_page.Since | None
    changes: list
    evidence: list
    may_decide: bool
    superseded_by: Proposal | None = None
    taken_back: Configuration | None = None

    @property
    def is_known_type(self):
        return is_known(self.proposal)

    @property
    def prospect(self):
        """What it would be once approved, in words; nothing is known of that where its target has moved on."""
        if self.since is not None:
            return ""
        return "would be taken out" if self.proposal.type.endswith("_delete") else f"would be version {self.version}"

    @property
    def version(self):
        return (self.proposal.base_version or 0) + 1


@dataclass
class Part:
    """A stretch of an answer: words of the coach, or a proposal's card. `is_growing` while the words are being written."""

    text: str = ""
    card: Card | None = None
    is_growing: bool = False


@dataclass(frozen=True)
class Exchange:
    """One question and its answer so far. `after` is the number of the newest event in it, `doing` what the coach does now,
    `read` what was read, `spent` what it cost as (word, value)."""

    turn: Turn
    question: Message
    parts: list[Part]
    after: int
    doing: str
    read: str
    cost: str
    spent: list[tuple[str, str]]
    suggestions: tuple[str, ...] = ()

    @property
    def is_running(self):
        return self.turn.state in Turn.UNFINISHED

    @property
    def focus(self):
        """The turns the question is about as (first number, words); from RUN neighbours on they are one."""
        runs = []
        for number in sorted(self.question.focus):
            if runs and number == runs[-1][-1] + 1:
                runs[-1].append(number)
            else:
                runs.append([number])
        found = []
        for run in runs:
            if len(run) < RUN:
                found += [(number, f"turn {number}") for number in run]
            else:
                found.append((run[0], f"turns {run[0]}–{run[-1]}"))
        return found

    @property
    def stage(self):
        return stage(self.turn)


@dataclass(frozen=True)
class Panel:
    """The coach's side. `session` is None before the first question; `off` says why there is no coach."""

    agent: Agent
    conversation: Conversation | None
    session: Session | None
    exchanges: list[Exchange]
    sessions: list[Session]
    is_practice: bool
    off: str
    prompts: tuple[str, ...]

    @property
    def running(self):
        return next((e for e in self.exchanges if e.is_running), None)

    @property
    def last(self):
        return self.exchanges[-1] if self.exchanges else None

    @property
    def doing(self):
        """The words for what the coach is doing, for the script that follows it."""
        return json.dumps(DOING, ensure_ascii=False)


def load_panel(member, agent, conversation, session, texts=None, new=False):
    """The coach's panel of a conversation, or of an agent alone: nine queries at most, however long the talk."""
    sessions = Session.objects.visible_to(member).filter(agent=agent, conversation=conversation)
    first = Message.objects.filter(session=OuterRef("pk"), role=Message.Role.USER).order_by("created_at")
    sessions = sessions.annotate(first_question=Left(Subquery(first.values("text")[:1]), GLIMPSE + 1))
    sessions = list(sessions.select_related("started_by__user").order_by("-updated_at")[:SESSIONS])
    if session is None and conversation is not None and sessions and not new:
        session = sessions[0]
    return Panel(
        agent=agent,
        conversation=conversation,
        session=session,
        exchanges=exchanges(member, session, texts) if session is not None else [],
        sessions=sessions,
        is_practice=connections.of(agent.workspace_id).is_practice,
        off=why_off(member, agent),
        prompts=_prompts(conversation, session),
    )


def _prompts(conversation, session):
    if conversation is not None:
        return quick.OF_ONE
    return quick.OF_A_SET if session is not None and session.about else quick.OF_AN_AGENT


def why_off(member, agent):
    """The sentence that says why this member can ask the agent's coach nothing; empty where they can."""
    if not agent.is_ai:
        return f"{agent} is a person: only AI agents have a coach."
    if not agent.coaching:
        return f"Coaching is switched off for {agent}. Its memories, procedures and proposals are kept."
    return "" if may(member, Right.COACH_AI) else "Only owners and admins may talk to the coach."


def stage(turn):
    """How far a turn is as the page tells it: its state; "behind" where an earlier question is still being answered; "late"
    where it waits so long that a leader should know. `turn` comes from `with_place`."""
    if turn.state != Turn.State.QUEUED:
        return "stopping" if turn.state == Turn.State.RUNNING and turn.stop_asked_at else turn.state
    if turn.is_behind:
        return "behind"
    return "late" if timezone.now() - turn.created_at > LATE else turn.state


def with_place(turns):
    """The turns with `is_behind`: whether an earlier one of their session is unfinished."""
    earlier = Turn.objects.unfinished().filter(session=OuterRef("session"), number__lt=OuterRef("number"))
    return turns.annotate(is_behind=Exists(earlier))


def exchanges(member, session, texts=None, turn=None):
    """The questions and answers of a session in order, or of one turn of it alone; six queries, however many there are."""
    turns = with_place(session.turns).select_related("asked_by__user", "session").order_by("number")
    events = TurnEvent.objects.filter(session=session).order_by("number")
    messages = Message.objects.filter(session=session)
    rows = (
        Proposal.objects.visible_to(member)
        .filter(session=session)
        .select_related("decided_by__user", "agent", "session__conversation", "replaces")
    )
    if turn is not None:
        turns = turns.filter(pk=turn.pk)
        events, messages, rows = (found.filter(turn=turn) for found in (events, messages, rows))
    said_by = {(m.turn_id, m.role): m for m in messages}
    cards = {str(card.proposal.pk): card for card in load_cards(member, list(rows), session, texts)}
    happened = defaultdict(list)
    for turn_id, number, type_, data in events.values_list("turn_id", "number", "type", "data"):
        happened[turn_id].append((number, type_, data))
    return [
        _exchange(one, said_by[one.pk, "user"], said_by.get((one.pk, "coach")), happened[one.pk], cards)
        for one in turns
        if (one.pk, "user") in said_by
    ]


def load_cards(member, rows, session, texts):
    """The proposals of a session as cards, quotes read from `texts` ({turn: text} of the session's conversation)."""
    at_hand = {session.conversation_id: texts} if session is not None and texts else {}
    evidence = proposal_page.evidence_of(member, rows, at_hand)
    since = proposal_page.since_each(rows)
    newer = {p.replaces_id: p for p in Proposal.objects.visible_to(member).filter(replaces__in=rows).only("replaces")}
    taken_back = taken_back_each(rows)
    return [
        Card(
            proposal=row,
            since=since.get(row.pk),
            changes=proposal_page.changes_of(row),
            evidence=evidence[row.pk],
            may_decide=proposal_page.may_decide(member, row),
            superseded_by=newer.get(row.pk),
            taken_back=taken_back.get(row.pk),
        )
        for row in rows
    ]


def _exchange(turn, question, answer, happened, cards):
    parts, tools, shown = [], Counter(), set()
    for _, type_, data in happened:
        if type_ == TurnEvent.Type.TEXT:
            if not parts or parts[-1].card is not None:
                parts.append(Part())
            parts[-1].text += data.get("text", "")
        elif type_ == TurnEvent.Type.PROPOSAL and data.get("proposal") in cards:
            parts.append(Part(card=cards[data["proposal"]]))
            shown.add(data["proposal"])
        elif type_ == TurnEvent.Type.TOOL and data.get("ok"):
            tools[data.get("name", "")] += 1
    if answer is not None and not any(part.text for part in parts):
        parts.insert(0, Part(text=answer.text))
    parts += [Part(card=c) for pk, c in cards.items() if c.proposal.turn_id == turn.pk and pk not in shown]
    if parts and turn.state in Turn.UNFINISHED:
        parts[-1].is_growing = parts[-1].card is None
        parts[-1].text = parts[-1].text.lstrip()
    elif said := [part for part in parts if part.text]:
        said[-1].text = followups.split(said[-1].text).shown
    return Exchange(
        turn=turn,
        question=question,
        parts=parts,
        after=happened[-1][0] if happened else 0,
        doing=doing_now(happened),
        read=_read(tools),
        cost=_cost(turn.usage),
        spent=_spent(turn.usage),
        suggestions=_worth_a_button(followups.split(answer.text).suggestions) if answer is not None else (),
    )


def _worth_a_button(questions):
    """Those that do not stand on a button above the composer already."""
    return tuple(question for question in questions if not quick.is_quick(question))


def _read(tools):
    one = [(READ[name][0] if n == 1 else READ[name][1].format(n)) for name, n in tools.items() if name in READ]
    return ", ".join(one)


def _cost(usage):
    """ "3.1k tokens", all kinds added up; empty where nothing was asked of a model."""
    tokens = sum(usage.get(kind) or 0 for kind in TOKENS)
    if not tokens:
        return ""
    return f"{tokens / 1000:.1f}k tokens" if tokens >= 1000 else f"{tokens} tokens"


def _spent(usage):
    """What a turn cost as (word, value), without what is not known."""
    rows = [(word, usage[key]) for key, word in SPENT.items() if usage.get(key) not in (None, "")]
    shown = [(word, f"{value:,}" if isinstance(value, int) else str(value)) for word, value in rows]
    if usage.get("latencyMs"):
        shown.append(("Time", f"{usage['latencyMs'] / 1000:.1f} s"))
    return shown
