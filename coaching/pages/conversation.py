"""What the conversation page shows, read at once: the transcript on the left, the talk with the coach on the right."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from agents.access import Right, may
from agents.models import Agent
from coaching import llm
from coaching.csat import said
from coaching.models import Message, Proposal, Sample, Session, Turn, TurnEvent
from coaching.pages import proposal as proposal_page
from helpdesk import deeplinks, transcripts
from helpdesk.models import Conversation, Rating
from memories.models import Memory

PROMPTS = ("What went wrong?", "How can the agent improve?", "Is this a pattern?")
PROMPTS_ALONE = ("How can the agent improve?", "Is there a pattern?")
SESSIONS = 20
LATE = timedelta(seconds=10)  # a worker takes a question up within a second or two
ROLES = {"customer": "Customer", "agent": "Agent", "tool": "Tool", "system": "System"}
TOOL_LINE = 90  # characters of a folded turn that stay in sight
ONLY_CALLS = re.compile(
    r"\[calls .+\]", re.DOTALL
)  # a turn in which the agent says nothing and calls tools, as imported

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


@dataclass(frozen=True)
class Span:
    """A run of a turn's text; `cited` where a proposal of this session quotes it."""

    text: str
    cited: bool = False


@dataclass(frozen=True)
class TurnLine:
    """One turn of the transcript. `label` says who spoke, `glimpse` what stays in sight of a folded one."""

    number: int
    role: str
    label: str
    at: object
    spans: tuple[Span, ...]
    glimpse: str
    is_folded: bool

    @property
    def key(self):
        """The number as text: a long transcript shows it many times, and numbers are dear to render."""
        return str(self.number)

    @property
    def is_empty(self):
        return not any(span.text.strip() for span in self.spans)


@dataclass(frozen=True)
class Card:
    """A proposal in the talk: as it stands now, its changes and its evidence."""

    item: proposal_page.Item
    changes: list
    evidence: list
    may_decide: bool

    @property
    def proposal(self):
        return self.item.proposal

    @property
    def prospect(self):
        """What it would be once approved, in words."""
        return "would be taken out" if self.proposal.type.endswith("_delete") else f"would be version {self.version}"

    @property
    def version(self):
        return (self.proposal.base_version or 0) + 1


@dataclass
class Part:
    """A stretch of an answer: words of the coach, or a proposal's card."""

    text: str = ""
    card: Card | None = None


@dataclass(frozen=True)
class Exchange:
    """One question and its answer so far. `after` is the number of the newest event in it; `read` says what was read."""

    turn: Turn
    question: Message
    parts: list[Part]
    after: int
    read: str
    cost: str

    @property
    def is_running(self):
        return self.turn.state in Turn.UNFINISHED

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


@dataclass(frozen=True)
class ConversationPage:
    """Both sides. `trouble` says why there is no transcript to show; `said` is the rating in the words of its scale; `url`
    opens the conversation in its helpdesk; `picked` are the turns chosen in the address, as text."""

    conversation: Conversation
    agent: Agent | None
    rating: Rating | None
    said: str
    is_low: bool
    sample: Sample | None
    memories: list[Memory]
    lines: list[TurnLine]
    trouble: str
    panel: Panel | None
    url: str
    picked: set = field(default_factory=set)


def load(member, conversation, session=None, picked=(), new=False):
    """The page of `conversation` (visible to the leader `member`), its panel on `session`, on its newest one, or `new`.

    Reads the transcript from its source, which may be a call over the network: never inside a transaction.
    """
    rating = Rating.objects.filter(conversation=conversation, counts=True).first()
    sample = Sample.objects.visible_to(member).kept().filter(conversation=conversation).first()
    turns, trouble = _transcript(conversation)
    texts = {number: turn.text for number, turn in enumerate(turns)}
    panel = None
    if conversation.agent is not None and conversation.agent.is_ai:
        panel = load_panel(member, conversation.agent, conversation, session, texts, new=new)
    served = [m["id"] for m in conversation.memories_served if isinstance(m, dict) and "id" in m]
    return ConversationPage(
        conversation=conversation,
        agent=conversation.agent,
        rating=rating,
        said=said(rating.value, rating.scale) if rating else "",
        is_low=rating is not None and rating.score < 50,
        sample=sample,
        memories=list(Memory.objects.visible_to(member).filter(pk__in=served).only("summary", "agent_id"))
        if served
        else [],
        lines=_lines(turns, _cited(texts, panel, conversation)),
        trouble=trouble,
        panel=panel,
        url=sample.url if sample is not None and sample.url else deeplinks.conversation_url(conversation),
        picked={str(number) for number in picked if number in texts},
    )


def load_panel(member, agent, conversation, session, texts=None, new=False):
    """The coach's panel of a conversation, or of an agent alone: nine queries at most, however long the talk."""
    sessions = Session.objects.visible_to(member).filter(agent=agent, conversation=conversation)
    sessions = list(sessions.select_related("started_by__user").order_by("-updated_at")[:SESSIONS])
    if session is None and conversation is not None and sessions and not new:
        session = sessions[0]
    off = ""
    if not agent.coaching:
        off = f"Coaching is switched off for {agent}. Its memories, procedures and proposals are kept."
    elif not may(member, Right.COACH_AI):
        off = "Only owners and admins may talk to the coach."
    return Panel(
        agent=agent,
        conversation=conversation,
        session=session,
        exchanges=exchanges(member, session, texts) if session is not None else [],
        sessions=sessions,
        is_practice=llm.is_practice(),
        off=off,
        prompts=PROMPTS if conversation is not None else PROMPTS_ALONE,
    )


def stage(turn):
    """How far a turn is as the page tells it: its state, or "late" where it waits so long that a leader should know."""
    if turn.state == Turn.State.QUEUED and timezone.now() - turn.created_at > LATE:
        return "late"
    return turn.state


def exchanges(member, session, texts=None, turn=None):
    """The questions and answers of a session in order, or of one turn of it alone; six queries, however many there are."""
    turns = session.turns.select_related("asked_by__user", "session").order_by("number")
    events = TurnEvent.objects.filter(session=session).order_by("number")
    messages = Message.objects.filter(session=session)
    rows = (
        Proposal.objects.visible_to(member)
        .filter(session=session)
        .select_related("decided_by__user", "agent", "session__conversation")
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
    return [
        Card(
            item=item,
            changes=proposal_page.changes_of(item.proposal),
            evidence=evidence[item.proposal.pk],
            may_decide=proposal_page.may_decide(member, item.proposal),
        )
        for item in proposal_page.items(rows)
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
    return Exchange(
        turn=turn,
        question=question,
        parts=parts,
        after=happened[-1][0] if happened else 0,
        read=_read(tools),
        cost=_cost(turn.usage),
    )


def _read(tools):
    one = [(READ[name][0] if n == 1 else READ[name][1].format(n)) for name, n in tools.items() if name in READ]
    return ", ".join(one)


def _cost(usage):
    """ "3.1k tokens", all kinds added up; empty where nothing was asked of a model."""
    kinds = ("inputTokens", "outputTokens", "cacheReadTokens", "cacheCreationTokens")
    tokens = sum(usage.get(kind) or 0 for kind in kinds)
    if not tokens:
        return ""
    return f"{tokens / 1000:.1f}k tokens" if tokens >= 1000 else f"{tokens} tokens"


def _transcript(conversation):
    """The turns, and the sentence to show where there are none."""
    try:
        turns = transcripts.read(conversation)
    except transcripts.TranscriptUnavailable as trouble:
        return (), str(trouble)
    return turns, "" if len(turns) else "This conversation has no turns."


def _lines(turns, cited):
    return [_line(number, turn, cited.get(number, [])) for number, turn in enumerate(turns)]


def _line(number, turn, cited):
    label, glimpse = ROLES[turn.role], " ".join(turn.text.split())
    if turn.name and turn.role == "tool":
        glimpse = f"{turn.name} · {glimpse}" if glimpse else turn.name
    elif turn.name:
        label = f"{turn.name} ({label.lower()})"
    spans, at = [], 0
    for start, end in cited:
        spans += [Span(turn.text[at:start])] * (start > at) + [Span(turn.text[start:end], cited=True)]
        at = end
    spans += [Span(turn.text[at:])] * (at < len(turn.text))
    return TurnLine(
        number=number,
        role=turn.role,
        label=label,
        at=None if turn.at is None else datetime.fromtimestamp(turn.at / 1000, UTC),
        spans=tuple(spans),
        glimpse=glimpse if len(glimpse) <= TOOL_LINE else f"{glimpse[:TOOL_LINE].rstrip()} …",
        is_folded=turn.role in ("tool", "system") or bool(ONLY_CALLS.fullmatch(turn.text.strip())),
    )


def _cited(texts, panel, conversation):
    """{turn: the places that proposals of the shown session quote, as (start, end) that do not overlap}."""
    quotes = defaultdict(set)
    for exchange in panel.exchanges if panel else []:
        for part in exchange.parts:
            for one in part.card.evidence if part.card else []:
                if one.quote and one.conversation is not None and one.conversation.pk == conversation.pk:
                    quotes[one.turn].add(one.quote)
    return {turn: _places(texts[turn], found) for turn, found in quotes.items() if turn in texts}


def _places(text, quotes):
    places = sorted((text.find(quote), text.find(quote) + len(quote)) for quote in quotes if quote in text)
    kept = []
    for start, end in places:
        if not kept or start >= kept[-1][1]:
            kept.append((start, end))
    return kept
