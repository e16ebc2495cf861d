"""What the queue of proposals shows, read at once: its filters, how many there are of each status, one page of the list."""

from dataclasses import dataclass, replace
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count

from agents.models import Agent, Procedure, Prompt
from coaching.models import Proposal
from helpdesk.models import Conversation
from memories.models import Memory

PAGE_SIZE = 50
Status = Proposal.Status


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given.

    With `conversation` only what was proposed in talks about it is listed, by default whatever became of it (status "").
    """

    status: str = Status.PENDING
    type: str = ""
    agent: UUID | None = None
    conversation: UUID | None = None
    page: int = 1

    @classmethod
    def parse(cls, query, shown=Status.PENDING):
        """From a QueryDict; `shown` is the status where it names none."""
        status, type_, agent, page = (query.get(key, "") for key in ("status", "type", "agent", "page"))
        conversation = uuid_or_none(query.get("conversation", ""))
        return cls(
            status=status if status in Status.values else "" if conversation else shown,
            type=type_ if type_ in Proposal.Type.values else "",
            agent=uuid_or_none(agent),
            conversation=conversation,
            page=max(1, int(page)) if page.isdecimal() and len(page) < 7 else 1,
        )

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`; empty where nothing is asked."""
        q = replace(self, **changes)
        given = {
            "status": "" if q.status == Status.PENDING and not q.conversation else q.status,
            "type": q.type,
            "agent": q.agent,
            "conversation": q.conversation,
            "page": q.page if q.page > 1 else "",
        }
        encoded = urlencode({key: value for key, value in given.items() if value})
        return f"?{encoded}" if encoded else ""

    @property
    def as_query(self):
        return self.query()

    @property
    def narrows(self):
        return bool(self.type or self.agent or self.conversation)


@dataclass(frozen=True)
class StatusLink:
    """One status of the queue: how many there are under the other filters, and the address that shows them."""

    status: str
    label: str
    count: int
    query: str
    is_shown: bool


@dataclass(frozen=True)
class Item:
    """A proposal in a list. `target_version` is its target's version now; None for something new or gone."""

    proposal: Proposal
    target_version: int | None

    @property
    def is_stale(self):
        """Whether it waits and its target has moved on, or is gone, since it was written."""
        waits = self.proposal.status == Status.PENDING and not self.proposal.is_create
        return waits and is_known(self.proposal) and self.target_version != self.proposal.base_version


@dataclass(frozen=True)
class Queue:
    """The list on the left. `n_found` counts what the filters leave; `conversation` is the one that is asked for."""

    question: Question
    statuses: list[StatusLink]
    items: list[Item]
    agents: list[Agent]
    conversation: Conversation | None
    n_found: int
    n_pages: int

    @property
    def previous_page(self):
        return self.question.query(page=self.question.page - 1) if self.question.page > 1 else None

    @property
    def next_page(self):
        return self.question.query(page=self.question.page + 1) if self.question.page < self.n_pages else None

    def around(self, proposal):
        """The proposals before and after this one in the list as shown; None at its ends."""
        ids = [item.proposal.pk for item in self.items]
        if proposal.pk not in ids:
            return None, next(iter(ids), None)
        at = ids.index(proposal.pk)
        return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)


def load_queue(member, question):
    """The queue for a leader: eight queries at most, however many proposals there are."""
    found = Proposal.objects.visible_to(member)
    if question.type:
        found = found.filter(type=question.type)
    if question.agent:
        found = found.filter(agent_id=question.agent)
    if question.conversation:
        found = found.filter(session__conversation=question.conversation)
    counts = dict(found.order_by().values_list("status").annotate(Count("pk")))
    if question.conversation:
        counts[""] = sum(counts.values())
    n_found = counts.get(question.status, 0)
    n_pages = max(1, -(-n_found // PAGE_SIZE))
    question = replace(question, page=min(question.page, n_pages))
    rows = found.filter(status=question.status) if question.status else found
    rows = rows.select_related("agent").order_by("-created_at", "pk")
    start = (question.page - 1) * PAGE_SIZE
    return Queue(
        question=question,
        statuses=[
            StatusLink(
                value,
                label,
                counts.get(value, 0),
                question.query(status=value, page=1) or "?",
                value == question.status,
            )
            for value, label in [*([("", "All")] if question.conversation else []), *Status.choices]
        ],
        items=items(rows.defer("change", "base", "rationale", "evidence")[start : start + PAGE_SIZE]),
        agents=list(Agent.objects.visible_to(member).ai().order_by("name")),
        conversation=Conversation.objects.visible_to(member).filter(pk=question.conversation).first()
        if question.conversation
        else None,
        n_found=n_found,
        n_pages=n_pages,
    )


def items(rows):
    """The proposals with their targets' versions now, in three more queries."""
    rows = list(rows)
    now = {}
    for model in (Memory, Procedure, Prompt):
        ids = {p.target_id for p in rows if p.target_kind == model.KIND and p.status == Status.PENDING and p.target_id}
        now |= dict(model.objects.filter(pk__in=ids).values_list("pk", "version"))
    return [Item(p, now.get(p.target_id)) for p in rows]


def is_known(proposal):
    """Whether this release knows the type: another one may have written to the same database."""
    return proposal.type in Proposal.Type.values


def uuid_or_none(value):
    """The UUID that somebody typed or stored as text; None where it is none."""
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None
