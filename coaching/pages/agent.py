"""What the pages of one agent show, one reader a tab: a fixed number of queries each, whatever stands in them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from urllib.parse import urlencode

from django.db.models import Count, Max, OuterRef, Q, Subquery, Sum
from django.utils import timezone

from agents import versions
from agents.models import Agent, Configuration, Procedure, Prompt
from coaching import diffs
from coaching.actions import flags
from coaching.csat import Csat
from coaching.models import Flag, Proposal, Session
from coaching.pages import queue as queue_page
from coaching.pages.team import LEVEL_DAYS
from helpdesk.models import Conversation, RatingDay
from memories.models import Memory
from memories.search.reading import search

PAGE_SIZE = 50
FOUND = 50  # memories that a search lists
SOON = timedelta(days=14)
CHARACTERS_A_TOKEN = 4  # rough, for English
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
    changes: list["Change"]

    @property
    def sentence(self):
        """What the open flag says: a manual flag's reason in the leader's words, else the scan's claim."""
        return flags.sentence(self.flag, today=timezone.localdate())

    @property
    def change(self):
        """Points against the four weeks before; None where either has too few ratings."""
        return self.csat.mean - self.before.mean if self.csat.enough and self.before.enough else None


@dataclass(frozen=True)
class Change:
    """One configuration: what was changed, and what that is called (empty for the prompt)."""

    row: Configuration
    title: str

    @property
    def words(self):
        kind = "the prompt" if self.row.target_kind == Prompt.KIND else f"a {self.row.target_kind}"
        verb = {"created": "Added", "revised": "Changed", "removed": "Removed", "restored": "Restored"}[self.row.change]
        return f"{verb} {kind}"

    @property
    def address(self):
        """The name of the page that shows it."""
        return {"prompt": "agent-prompt", "memory": "memory", "procedure": "procedure"}[self.row.target_kind]


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
        changes=_changes(agent) if agent.is_ai else [],
    )


def _flags_before(member, agent):
    """The newest of those that ended, so far as they fit in a line; the page of each lists the others."""
    ended = Flag.objects.visible_to(member).exclude(status=Flag.Status.OPEN).filter(agent=agent)
    return ended.order_by("-opened_at", "pk")[:FLAGS]


def _changes(agent):
    """The newest configurations with what they changed, in three queries. Removed things are named by their history."""
    rows = list(agent.configurations.select_related("by__user").order_by("-number")[:RECENT])
    titles = {}
    for model, name in ((Memory, "summary"), (Procedure, "name")):
        ids = {row.target_id for row in rows if row.target_kind == model.KIND}
        titles |= dict(model.history.filter(id__in=ids).order_by("version").values_list("id", name)) if ids else {}
    return [Change(row, titles.get(row.target_id, "")) for row in rows]


def _level(agent, last):
    days = RatingDay.objects.filter(agent=agent, day__range=(last - timedelta(days=LEVEL_DAYS - 1), last))
    sums = days.aggregate(n=Sum("n"), total=Sum("sum_hundredths"), squares=Sum("sum_squares"))
    return Csat(**{key: value or 0 for key, value in sums.items()})


# ------------------------------------------------------------------------------------------- memories, procedures, prompt


@dataclass(frozen=True)
class MemoryQuestion:
    """What the Memory tab asks for: words, or one of the lists."""

    search: str = ""
    shown: str = ""  # "expiring", "expired", "removed"; empty: all
    page: int = 1

    LISTS = (("", "All"), ("expiring", "Expiring in 14 days"), ("expired", "Expired"), ("removed", "Removed"))

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        page, shown = query.get("page", ""), query.get("show", "")
        return cls(
            search=query.get("q", "").replace("\0", "").strip()[:300],
            shown=shown if shown in dict(cls.LISTS) else "",
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def query(self, **changes):
        q = replace(self, **changes)
        given = {"q": q.search, "show": q.shown, "page": q.page if q.page > 1 else ""}
        return "?" + urlencode({key: value for key, value in given.items() if value})


@dataclass(frozen=True)
class MemoryList:
    """The entries of a memory base; of removed ones the last version. `counts` are those of the lists by their name."""

    question: MemoryQuestion
    entries: list
    lists: list[tuple[str, str, int, str]]
    n_found: int
    n_pages: int
    now: datetime

    @property
    def previous_page(self):
        return self.question.query(page=self.question.page - 1) if self.question.page > 1 else None

    @property
    def next_page(self):
        return self.question.query(page=self.question.page + 1) if self.question.page < self.n_pages else None


def load_memories(agent, question):
    """The Memory tab: four queries, or three and a search."""
    now = timezone.now()
    rows = Memory.objects.filter(agent=agent)
    gone = removed(Memory, agent)
    soon = Q(expires_at__gt=now, expires_at__lte=now + SOON)
    counts = rows.aggregate(
        all=Count("pk"), expiring=Count("pk", filter=soon), expired=Count("pk", filter=Q(expires_at__lte=now))
    )
    counts[""] = counts.pop("all")
    counts["removed"] = gone.count()
    if question.search:
        hits = search(agent, question.search, limit=FOUND)
        by_id = rows.in_bulk([hit.id for hit in hits])
        entries, n_found = [by_id[hit.id] for hit in hits if hit.id in by_id], len(hits)
    else:
        found = {
            "": rows.order_by("-updated_at", "pk"),
            "expiring": rows.filter(soon).order_by("expires_at", "pk"),
            "expired": rows.expired(now).order_by("-expires_at", "pk"),
            "removed": gone.order_by("-history_date"),
        }[question.shown]
        n_found = counts[question.shown]
        start = (min(question.page, _pages(n_found)) - 1) * PAGE_SIZE
        entries = list(found[start : start + PAGE_SIZE])
    question = replace(question, page=min(question.page, _pages(n_found)))
    return MemoryList(
        question=question,
        entries=entries,
        lists=[
            (name, label, counts[name], MemoryQuestion(shown=name).query())
            for name, label in MemoryQuestion.LISTS
            if not name or counts[name] or name == question.shown
        ],
        n_found=n_found,
        n_pages=_pages(n_found),
        now=now,
    )


def removed(model, agent):
    """The last history row of everything of `model` that this agent had and that was removed."""
    there = model.objects.filter(agent=agent).values("pk")
    last = model.history.filter(agent_id=agent.pk).order_by().values("id").annotate(last=Max("version"))
    return model.history.filter(agent_id=agent.pk, history_type="-").exclude(id__in=there).filter(
        version=Subquery(last.filter(id=OuterRef("id")).values("last")[:1])
    )  # fmt: skip


def _pages(n):
    return max(1, -(-n // PAGE_SIZE))


@dataclass(frozen=True)
class Version:
    """One version of something versioned, as history keeps it: who made it, when, through which door and why."""

    number: int
    at: datetime
    by: str
    door: str
    reason: str
    change: str
    proposal_id: object

    @property
    def is_removal(self):
        return self.change == Configuration.Change.REMOVED


@dataclass(frozen=True)
class Entry:
    """One prompt, procedure or memory with its versions, newest first, and the two that are compared, if two were chosen.

    `row` is what the agent is told now, or the last version of a removed one (`is_removed`).
    """

    row: object
    is_removed: bool
    versions: list[Version]
    compared: tuple[int, int] | None
    changes: list[diffs.FieldDiff]
    pending: list[Proposal]

    @property
    def size(self):
        return Size(getattr(self.row, "system_prompt", ""))


@dataclass(frozen=True)
class Size:
    """How long a text is; tokens are rough."""

    text: str

    @property
    def characters(self):
        return len(self.text)

    @property
    def tokens(self):
        return -(-len(self.text) // CHARACTERS_A_TOKEN)

    @property
    def lines(self):
        return len(self.text.splitlines())


def load_entry(model, agent, pk, query):
    """One versioned row of this agent, there or removed; None where it never was. Five queries.

    `query` may hold `from` and `to`, two versions to compare.
    """
    row = model.objects.filter(agent=agent, pk=pk).first()
    is_removed = row is None
    if is_removed:
        last = model.history.filter(agent_id=agent.pk, id=pk).order_by("-version").first()
        if last is None:
            return None
        row = last.instance
    made = Configuration.objects.filter(agent=agent, target_kind=model.KIND, target_id=pk).select_related("by__user")
    numbers = [
        Version(
            number=one.target_version,
            at=one.created_at,
            by=one.by.display_name if one.by else "",
            door=one.get_door_display(),
            reason=one.reason,
            change=one.change,
            proposal_id=one.proposal_id,
        )
        for one in made.order_by("-target_version")
    ]
    compared, changes = None, []
    pair = [query.get(key, "") for key in ("from", "to")]
    if all(n.isdecimal() and len(n) < 9 for n in pair):
        old, new = (versions.at_version(model, pk, int(n)) for n in pair)
        if old is not None and new is not None:
            compared, changes = (int(pair[0]), int(pair[1])), diffs.fields(old, new)
    return Entry(
        row=row,
        is_removed=is_removed,
        versions=numbers,
        compared=compared,
        changes=changes,
        pending=list(Proposal.objects.pending().filter(agent=agent, target_id=pk).order_by("-created_at")[:PAGE_SIZE]),
    )


def load_procedures(agent):
    """(procedures by name, removed ones newest first)."""
    return (
        list(Procedure.objects.filter(agent=agent).order_by("name")),
        list(removed(Procedure, agent).order_by("-history_date")),
    )


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
