"""What the pages of one agent show, one reader a tab: a fixed number of queries each, whatever stands in them."""

from dataclasses import dataclass
from datetime import timedelta

from django.db.models import Count, Q, Sum
from django.utils import timezone

from agents.models import Agent, Procedure, Prompt
from coaching.actions import flags
from coaching.csat.figures import Csat
from coaching.models import Flag, Proposal, Session
from coaching.pages import configurations
from coaching.pages import queue as queue_page
from coaching.pages.team import LEVEL_DAYS
from helpdesk.models import Conversation, RatingDay
from memories.models import Memory

PAGE_SIZE = 50
RECENT = 8
WAITING = 20  # proposals that the Coaching tab lists
FLAGS = 5  # ended ones that the overview names

TABS = (
    ("agent", "Overview", False),
    ("agent-history", "History", False),
    ("agent-memory", "Memory", True),
    ("agent-procedures", "Procedures", True),
    ("agent-prompt", "Prompt", True),
    ("agent-coaching", "Coaching", True),
    ("agent-settings", "Settings", True),
)


def tabs(agent):
    """The (address name, label) of the tabs that this kind of agent has."""
    return [(name, label) for name, label, only_ai in TABS if agent.is_ai or not only_ai]


# ------------------------------------------------------------------------------------------------------------ overview


@dataclass(frozen=True)
class Overview:
    """One agent at a glance. `csat` adds up the last four weeks, `before` the four before them; `changes` are the newest
    configurations, `past_flags` the newest that ended. What only AI agents have is empty for a person."""

    agent: Agent
    csat: Csat
    before: Csat
    flag: Flag | None
    past_flags: list[Flag]
    external_ids: list
    n_conversations: int
    n_memories: int
    n_expired: int
    n_procedures: int
    n_pending: int
    prompt: Prompt | None
    changes: list[configurations.Change]

    @property
    def sentence(self):
        """What the open flag says: a manual flag's reason in the leader's words, else the scan's claim."""
        return flags.sentence(self.flag, today=timezone.localdate())

    @property
    def change(self):
        """Points against the four weeks before; None where either has too few ratings."""
        return self.csat.mean - self.before.mean if self.csat.enough and self.before.enough else None


def load_overview(member, agent):
    today = timezone.now().astimezone(member.workspace.zone).date()
    memories = {}
    if agent.is_ai:
        memories = Memory.objects.filter(agent=agent).aggregate(
            n=Count("pk"), expired=Count("pk", filter=Q(expires_at__lte=timezone.now()))
        )
    return Overview(
        agent=agent,
        csat=_level(agent, today),
        before=_level(agent, today - timedelta(days=LEVEL_DAYS)),
        flag=Flag.objects.visible_to(member).open().filter(agent=agent).select_related("agent").first(),
        past_flags=list(_flags_before(member, agent)),
        external_ids=list(agent.external_ids.order_by("source")),
        n_conversations=Conversation.objects.filter(agent=agent).count(),
        n_memories=memories.get("n", 0),
        n_expired=memories.get("expired", 0),
        n_procedures=Procedure.objects.filter(agent=agent).count() if agent.is_ai else 0,
        n_pending=Proposal.objects.pending().filter(agent=agent).count() if agent.is_ai else 0,
        prompt=Prompt.objects.filter(agent=agent).first(),
        changes=configurations.newest(agent, RECENT) if agent.is_ai else [],
    )


def _flags_before(member, agent):
    """The newest of those that ended, so far as they fit in a line; the page of each lists the others."""
    ended = Flag.objects.visible_to(member).exclude(status=Flag.Status.OPEN).filter(agent=agent)
    return ended.order_by("-opened_at", "pk")[:FLAGS]


def _level(agent, last):
    days = RatingDay.objects.filter(agent=agent, day__range=(last - timedelta(days=LEVEL_DAYS - 1), last))
    sums = days.aggregate(n=Sum("n"), total=Sum("sum_hundredths"), squares=Sum("sum_squares"))
    return Csat(**{key: value or 0 for key, value in sums.items()})


# ------------------------------------------------------------------------------------------------------------- coaching


@dataclass(frozen=True)
class Coaching:
    """The agent's proposals that wait, as its queue lists them, those decided last, and its talks with the coach."""

    waiting: queue_page.Listing
    decided: list[queue_page.Item]
    sessions: list[Session]


def load_coaching(member, agent, order=""):
    """For the Coaching tab; `order` is one of the queue's. Ten queries at most."""
    decided = Proposal.objects.visible_to(member).filter(agent=agent).decided()
    decided = decided.defer("change", "base", "evidence", "rationale").select_related("decided_by__user")
    sessions = Session.objects.visible_to(member).filter(agent=agent).select_related("conversation", "started_by__user")
    sessions = sessions.annotate(n_proposals=Count("proposals")).order_by("-updated_at")
    return Coaching(
        waiting=queue_page.load_list(member, queue_page.Question(agent=agent.pk, order=order), WAITING),
        decided=[queue_page.Item(p, None) for p in decided.order_by("-decided_at", "pk")[:RECENT]],
        sessions=list(sessions[:PAGE_SIZE]),
    )
