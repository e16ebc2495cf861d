"""What the page of the decision log shows, read at once: its filters and one page of entries, each with where it leads."""

from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Q
from django.urls import reverse

from agents import decisions
from agents.models import Agent, Configuration, Decision, Door, Member, Procedure, Prompt
from agents.paging import Paged, n_pages_of, page_asked
from coaching.actions.changes import came_with_its_agent
from coaching.models import Proposal
from coaching.pages import days
from coaching.pages.typed import number_or_none, uuid_or_none
from memories.models import Memory

PAGE_SIZE = 50
Action = Decision.Action


@dataclass(frozen=True)
class Question:
    """Which entries the address asks for. Values that mean nothing are taken as not given. `entry` is the number of one."""

    entry: int | None = None
    agent: UUID | None = None
    action: str = ""
    by: UUID | None = None
    door: str = ""
    after: date | None = None
    before: date | None = None
    search: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        action, door = query.get("action", ""), query.get("door", "")
        entry = query.get("entry", "")
        return cls(
            entry=number_or_none(entry),
            agent=uuid_or_none(query.get("agent", "")),
            action=action if action in Action.values else "",
            by=uuid_or_none(query.get("by", "")),
            door=door if door in Door.values else "",
            after=days.day_or_none(query.get("after", "")),
            before=days.day_or_none(query.get("before", "")),
            search=query.get("q", "").replace("\0", "").strip()[:300],
            page=page_asked(query),
        )

    def query(self, **changes):
        """The query string, with its question mark, after `changes`."""
        q = replace(self, **changes)
        given = {
            "entry": q.entry, "agent": q.agent, "action": q.action, "by": q.by, "door": q.door,
            "after": q.after, "before": q.before, "q": q.search, "page": q.page if q.page > 1 else "",
        }  # fmt: skip
        return "?" + urlencode({key: value for key, value in given.items() if value})

    @property
    def narrows(self):
        return replace(self, page=1) != Question()

    @property
    def as_filter(self):
        """The query string without the page."""
        return self.query(page=1)


@dataclass(frozen=True)
class Row:
    """One entry. `address` leads to what was decided on: the proposal, else what was changed, else the agent; empty where
    none of them is there any more. `takes_back` and `taken_back_by` are the numbers of the other entry of the two."""

    entry: Decision
    address: str
    takes_back: int | None
    taken_back_by: int | None
    may_take_back: bool

    @property
    def action(self):
        return decisions.WORDS[self.entry.action]

    @property
    def what(self):
        """ "Memory", "Memory update", …: the type of the proposal, or what was changed by hand."""
        if self.entry.proposal_type in Proposal.Type.values:
            return Proposal.Type(self.entry.proposal_type).label
        return (self.entry.proposal_type.replace("_", " ") or self.entry.target_kind).capitalize()


@dataclass(frozen=True)
class Log(Paged):
    """A page of what was found; `n_all` counts the whole log."""

    question: Question
    rows: list[Row]
    agents: list[Agent]
    people: list[Member]
    n_found: int
    n_all: int
    n_pages: int


def find(member, question):
    """The entries that `question` asks for, in no order."""
    found = Decision.objects.visible_to(member)
    exact = {
        "number": question.entry, "agent_id": question.agent, "action": question.action, "by_id": question.by,
        "door": question.door,
    }  # fmt: skip
    found = found.filter(**{field: value for field, value in exact.items() if value})
    found = days.within(found, "at", member.workspace.zone, question.after, question.before)
    if question.search:
        found = found.filter(Q(title__icontains=question.search) | Q(note__icontains=question.search))
    return found


def load(member, question):
    """The log for a leader, newest first: eleven queries at most, however long it is."""
    found = find(member, question)
    n_found = found.count()
    n_pages = n_pages_of(n_found, PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    start = (question.page - 1) * PAGE_SIZE
    return Log(
        question=question,
        rows=rows_of(member, list(found.order_by("-number")[start : start + PAGE_SIZE])),
        agents=list(Agent.objects.visible_to(member).ai().order_by("name")),
        people=sorted(
            Member.objects.filter(workspace_id=member.workspace_id).select_related("user"),
            key=lambda each: each.display_name.casefold(),
        ),
        n_found=n_found,
        n_all=member.workspace.decisions_made,
        n_pages=n_pages,
    )


def rows_of(member, entries):
    """The entries with where they lead, in eight queries at most."""
    numbers = {(e.agent_id, e.configuration_number) for e in entries if e.configuration_number}
    made = _made(member, numbers)
    pairs = {}
    for one in made.values():
        back, undone = one.reverts, getattr(one, "reverted_by", None)
        pairs |= {(other.agent_id, other.number): None for other in (back, undone) if other is not None}
    pairs = _entry_numbers(member, pairs)
    there = _there(member, entries)
    rows = []
    for entry in entries:
        one = made.get((entry.agent_id, entry.configuration_number))
        back, undone = (one.reverts, getattr(one, "reverted_by", None)) if one else (None, None)
        rows.append(
            Row(
                entry=entry,
                address=_address(entry, there),
                takes_back=pairs.get((back.agent_id, back.number)) if back else None,
                taken_back_by=pairs.get((undone.agent_id, undone.number)) if undone else None,
                may_take_back=one is not None and undone is None and not came_with_its_agent(one),
            )
        )
    return rows


def made_by(entry):
    """The Configuration that an entry tells of; None where nothing was applied, or its agent is gone."""
    if entry.configuration_number is None:
        return None
    rows = Configuration.objects.filter(workspace_id=entry.workspace_id, agent_id=entry.agent_id)
    return rows.filter(number=entry.configuration_number).select_related("agent__workspace", "by__user").first()


def _made(member, numbers):
    """{(agent id, number): Configuration} with what it takes back and what took it back."""
    rows = Configuration.objects.visible_to(member).filter(
        agent_id__in={agent for agent, _ in numbers}, number__in={number for _, number in numbers}
    )
    rows = rows.select_related("reverts", "reverted_by")
    return {(one.agent_id, one.number): one for one in rows if (one.agent_id, one.number) in numbers}


def _entry_numbers(member, pairs):
    """{(agent id, configuration number): number of the entry}."""
    if not pairs:
        return {}
    rows = Decision.objects.visible_to(member).filter(
        agent_id__in={agent for agent, _ in pairs}, configuration_number__in={number for _, number in pairs}
    )
    return {(agent, made): n for agent, made, n in rows.values_list("agent_id", "configuration_number", "number")}


def _there(member, entries):
    """The ids of what is still there, of everything these entries could lead to."""
    wanted = [
        (Proposal, {e.proposal_id for e in entries}), (Agent, {e.agent_id for e in entries}),
        (Memory, {e.target_id for e in entries if e.target_kind == Memory.KIND}),
        (Procedure, {e.target_id for e in entries if e.target_kind == Procedure.KIND}),
    ]  # fmt: skip
    return {pk for model, ids in wanted for pk in _ids(model.objects.visible_to(member), ids - {None})}


def _ids(rows, ids):
    return rows.filter(pk__in=ids).values_list("pk", flat=True) if ids else ()


def _address(entry, there):
    if entry.proposal_id in there:
        return reverse("proposal", args=[entry.proposal_id])
    if entry.agent_id not in there:
        return ""
    if entry.target_kind == Prompt.KIND:
        return reverse("agent-prompt", args=[entry.agent_id])
    if entry.target_id in there:
        return reverse(entry.target_kind, args=[entry.agent_id, entry.target_id])
    return reverse("agent", args=[entry.agent_id])
