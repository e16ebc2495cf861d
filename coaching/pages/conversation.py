"""What the conversation page shows, read at once: the transcript on the left, the talk with the coach on the right."""

from collections import defaultdict
from dataclasses import dataclass, field
from urllib.parse import urlencode

from agents.models import Agent
from coaching.csat.figures import LOW, said
from coaching.models import Sample
from coaching.pages import talk
from coaching.pages import transcript as shown
from helpdesk import deeplinks, sources
from helpdesk.models import Conversation, Rating
from memories.models import Memory


@dataclass(frozen=True)
class ConversationPage:
    """Both sides. `trouble` says why there is no transcript to show; `is_fetched` where its helpdesk is called for it, and
    `waits` where that was left to the page, which asks at `address`; `said` is the rating in the words of its scale; `url`
    opens the conversation in its helpdesk; `picked` are the turns chosen in the address, as text."""

    conversation: Conversation
    agent: Agent | None
    rating: Rating | None
    said: str
    is_low: bool
    sample: Sample | None
    memories: list[Memory]
    lines: list[shown.TurnLine]
    trouble: str
    panel: talk.Panel | None
    url: str
    is_fetched: bool = False
    waits: bool = False
    address: str = ""
    picked: set = field(default_factory=set)

    @property
    def choosable(self):
        """The turns chosen in the address; None where none can be chosen, for nobody can be asked about them."""
        return self.picked if self.panel is not None and not self.panel.off else None

    @property
    def n_waiting(self):
        """The proposals of the shown session that this leader can decide."""
        parts = [part for exchange in (self.panel.exchanges if self.panel else []) for part in exchange.parts]
        return sum(part.card is not None and part.card.may_decide for part in parts)


def load(member, conversation, session=None, picked=(), new=False, *, fetch=False):
    """The page of `conversation` (visible to the leader `member`), its panel on `session`, on its newest one, or `new`.

    A transcript that is in a helpdesk is left to the page, which shows its frame at once, unless told to `fetch` it: that
    calls over the network, so never inside a transaction.
    """
    rating = Rating.objects.filter(conversation=conversation, counts=True).first()
    sample = Sample.objects.visible_to(member).kept().filter(conversation=conversation).first()
    is_fetched = sources.is_fetched(conversation)
    waits = is_fetched and not fetch
    turns, trouble = ((), "") if waits else shown.read(conversation)
    texts = {number: turn.text for number, turn in enumerate(turns)}
    panel = None
    if conversation.agent is not None and conversation.agent.is_ai:
        panel = talk.load_panel(member, conversation.agent, conversation, session, texts, new=new)
    served = [m["id"] for m in conversation.memories_served if isinstance(m, dict) and "id" in m]
    return ConversationPage(
        conversation=conversation,
        agent=conversation.agent,
        rating=rating,
        said=said(rating.value, rating.scale) if rating else "",
        is_low=rating is not None and rating.score < LOW,
        sample=sample,
        memories=list(Memory.objects.visible_to(member).filter(pk__in=served).only("summary", "agent_id"))
        if served
        else [],
        lines=shown.lines(turns, shown.places(texts, _quotes(panel, conversation))),
        trouble=trouble,
        panel=panel,
        url=sample.url if sample is not None and sample.url else deeplinks.conversation_url(conversation),
        is_fetched=is_fetched,
        waits=waits,
        address=_address(session, picked, new),
        picked={str(number) for number in picked if number in texts},
    )


def _address(session, picked, new):
    """What of the page's address says how its transcript is shown."""
    told = {"session": session.pk if session is not None else "", "new": "1" if new else "", "turn": sorted(picked)}
    return urlencode({name: value for name, value in told.items() if value}, doseq=True)


def _quotes(panel, conversation):
    """{turn: {quote: proposal}} of the proposals of the shown session."""
    quotes = defaultdict(dict)
    for exchange in panel.exchanges if panel else []:
        for part in exchange.parts:
            for one in part.card.evidence if part.card else []:
                if one.quote and one.conversation is not None and one.conversation.pk == conversation.pk:
                    quotes[one.turn].setdefault(one.quote, str(part.card.proposal.pk))
    return quotes
