"""The queue of proposals, read at once: its filters, how many there are of each status, one page of the list."""

from dataclasses import dataclass, replace
from datetime import date
from urllib.parse import urlencode
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import Left

from agents.models import Agent, Member, Procedure, Prompt
from agents.paging import Paged, n_pages_of, page_asked
from coaching.models import Proposal, Session
from coaching.pages import days
from coaching.pages.typed import uuid_or_none
from coaching.proposed import is_known, is_taken_back, with_n_made
from helpdesk.models import Conversation
from memories.models import Memory

PAGE_SIZE = 50
LONGEST_SEARCH = 300  # characters
MOST_WORDS = 8  # that one search looks for
WHY = 240  # characters of the rationale that a list needs at most
Status = Proposal.Status


@dataclass(frozen=True)
class Question:
    """What the address asks for. Values that mean nothing are taken as not given; of a day that is none the typed words stay.

    By default it asks for what waits. With `conversation` or `session` only what was proposed in such talks is listed, with
    `decided_by` only what this member decided: by default whatever became of it (status "").
    """

    status: str = Status.PENDING
    type: str = ""
    agent: UUID | None = None
    conversation: UUID | None = None
    session: UUID | None = None
    risk: str = ""
    decided_by: UUID | None = None
    after: date | None = None
    before: date | None = None
    search: str = ""
    order: str = ""  # "helped": evidence from most conversations first; empty: newest first
    page: int = 1
    view: str = ""  # "side": the diff of the open one has old and new beside each other
    after_typed: str = ""  # what was typed as the first day and is none
    before_typed: str = ""

    ORDERS = (("", "Newest"), ("helped", "Most helped"))
    NARROWING = ("type", "agent", "conversation", "session", "risk", "decided_by", "after", "before", "search")

    @classmethod
    def parse(cls, query, shown=Status.PENDING):
        """From a QueryDict; `shown` is the status where it names none."""
        given = {name: query.get(name, "").replace("\0", "").strip() for name in query}
        status, order = given.get("status", ""), given.get("order", "")
        after, before = (given.get(name, "") for name in ("after", "before"))
        asked = cls(
            type=given.get("type", "") if given.get("type") in Proposal.Type.values else "",
            agent=uuid_or_none(given.get("agent")),
            conversation=uuid_or_none(given.get("conversation")),
            session=uuid_or_none(given.get("session")),
            risk=given.get("risk", "") if given.get("risk") in Proposal.Risk.values else "",
            decided_by=uuid_or_none(given.get("by")),
            after=days.day_or_none(after),
            before=days.day_or_none(before),
            search=given.get("q", "")[:LONGEST_SEARCH].strip(),
            order=order if order in dict(cls.ORDERS) else "",
            page=page_asked(query),
            view="side" if given.get("view") == "side" else "",
            after_typed="" if days.day_or_none(after) else after[:40],
            before_typed="" if days.day_or_none(before) else before[:40],
        )
        return replace(asked, status=status if status in Status.values else "" if asked.is_wide else shown)

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`; empty where nothing is asked."""
        q = replace(self, **changes)
        given = {
            "status": q.status_given,
            "type": q.type,
            "agent": q.agent,
            "conversation": q.conversation,
            "session": q.session,
            "risk": q.risk,
            "by": q.decided_by,
            "after": q.after,
            "before": q.before,
            "q": q.search,
            "order": q.order,
            "page": q.page if q.page > 1 else "",
            "view": q.view,
        }
        encoded = urlencode({key: value for key, value in given.items() if value})
        return f"?{encoded}" if encoded else ""

    @property
    def as_query(self):
        return self.query()

    @property
    def is_wide(self):
        """Whether it is so narrow in another way that every status is shown, where none is asked for."""
        return bool(self.conversation or self.session or self.decided_by)

    @property
    def status_given(self):
        """The status as the address names it; empty where it goes without saying."""
        return "" if self.status == Status.PENDING and not self.is_wide else self.status

    @property
    def narrows(self):
        return any(getattr(self, name) for name in self.NARROWING)

    @property
    def is_backwards(self):
        """Whether the first day comes after the last, so that nothing can be found."""
        return bool(self.after and self.before and self.after > self.before)

    @property
    def the_other_way_round(self):
        """The query string with the two days exchanged."""
        return self.query(after=self.before, before=self.after, page=1)

    @property
    def is_unfolded(self):
        """Whether the form behind "Filter" has something to say that no chip says."""
        return bool(self.after_typed or self.before_typed or self.is_backwards)


@dataclass(frozen=True)
class StatusLink:
    """One status of the queue: how many there are under the other filters, and the address that shows them."""

    status: str
    label: str
    count: int
    query: str
    is_shown: bool


@dataclass(frozen=True)
class Filter:
    """One filter that narrows the list, in words, and the address without it."""

    words: str
    query: str


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

    @property
    def is_taken_back(self):
        """Whether it was approved and does not stand any more; only `load_list` looks for that."""
        return is_taken_back(getattr(self.proposal, "n_made", 0))

    @property
    def may_be_chosen(self):
        """Whether it can be decided together with others of its type."""
        waits = self.proposal.status == Status.PENDING and is_known(self.proposal)
        return waits and self.proposal.risk_level == Proposal.Risk.LOW


@dataclass(frozen=True)
class Listing(Paged):
    """One page of the proposals that a question finds, and how many there are of each status under its other filters.

    `n_found` counts what the filters leave; `beyond` is the first proposal of the next page.
    """

    question: Question
    statuses: list[StatusLink]
    items: list[Item]
    beyond: Proposal | None
    n_found: int
    n_pages: int

    @property
    def orders(self):
        """[(words, query string, whether it is the one shown)]"""
        return [
            (words, self.question.query(order=order, page=1) or "?", order == self.question.order)
            for order, words in Question.ORDERS
        ]

    @property
    def is_found_elsewhere(self):
        """Whether another status has some that fit."""
        return any(one.count for one in self.statuses if not one.is_shown)

    @property
    def may_choose(self):
        """Whether there are any that can be decided together."""
        return any(item.may_be_chosen for item in self.items)

    def around(self, proposal):
        """The proposals that wait before and after this one in the list; None where there is none."""
        rows = [item.proposal for item in self.items] + ([self.beyond] if self.beyond else [])
        ids = [row.pk for row in rows if row.status == Status.PENDING or row.pk == proposal.pk]
        if proposal.pk not in ids:
            return None, next(iter(ids), None)
        at = ids.index(proposal.pk)
        return (ids[at - 1] if at else None), (ids[at + 1] if at + 1 < len(ids) else None)


@dataclass(frozen=True)
class Queue(Listing):
    """The list on the left with what its form offers. `conversation` and `session` are those that are asked for."""

    agents: list[Agent]
    deciders: list[Member]
    conversation: Conversation | None
    session: Session | None

    @property
    def filters(self):
        """What narrows the list, one by one."""
        asked = self.question
        agents, deciders = ({row.pk: row for row in rows} for rows in (self.agents, self.deciders))
        decider = deciders.get(asked.decided_by)
        words = {
            "search": f"“{asked.search}”",
            "type": dict(Proposal.Type.choices).get(asked.type, ""),
            "agent": str(agents.get(asked.agent, "an agent that is not here")),
            "risk": dict(Proposal.Risk.choices).get(asked.risk, ""),
            "after": f"from {_day(asked.after)}" if asked.after else "",
            "before": f"to {_day(asked.before)}" if asked.before else "",
            "decided_by": f"decided by {decider.display_name if decider else 'nobody here'}",
            "conversation": "one conversation",
            "session": "one talk",
        }
        return [
            Filter(said, asked.query(**{name: getattr(Question, name), "page": 1}) or "?")
            for name, said in words.items()
            if getattr(asked, name)
        ]


@dataclass(frozen=True)
class Kept:
    """One of several that were to be decided together and could not: why, and the way on."""

    proposal: Proposal
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of several that were decided together. `n_missing` were not there any more."""

    verdict: str
    n_decided: int
    kept: list[Kept]
    n_missing: int

    @property
    def n_kept(self):
        return len(self.kept) + self.n_missing


def load_queue(member, question):
    """The queue for a leader: ten queries at most, however many proposals there are."""
    listing = load_list(member, question, PAGE_SIZE)
    agents = Agent.objects.visible_to(member).ai().order_by("name")
    decided = Proposal.objects.filter(decided_by=OuterRef("pk"))
    deciders = Member.objects.visible_to(member).filter(Exists(decided)).select_related("user")
    talks = Session.objects.visible_to(member).select_related("conversation")
    conversations = Conversation.objects.visible_to(member)
    return Queue(
        **vars(listing),
        agents=list(agents),
        deciders=sorted(deciders, key=lambda one: one.display_name.casefold()),
        conversation=conversations.filter(pk=question.conversation).first() if question.conversation else None,
        session=talks.filter(pk=question.session).first() if question.session else None,
    )


def load_list(member, question, size):
    """One page, of `size`, of what a leader asks for: five queries. Each proposal's rationale begins as its `why`."""
    found = find(member, question)
    counts = dict(found.order_by().values_list("status").annotate(n=Count("*")))
    if question.is_wide:
        counts[""] = sum(counts.values())
    n_found = counts.get(question.status, 0)
    n_pages = n_pages_of(n_found, size)
    question = replace(question, page=min(question.page, n_pages))
    rows = found.filter(status=question.status) if question.status else found
    rows = rows.select_related("agent").annotate(why=Left("rationale", WHY))
    rows = rows.defer("change", "base", "rationale", "evidence", "risk_reasons", "decision_note", "approved_change")
    if question.status in ("", Status.APPROVED):
        rows = with_n_made(rows)
    order = ("-n_conversations", "-created_at", "pk") if question.order == "helped" else ("-created_at", "pk")
    start = (question.page - 1) * size
    page = list(rows.order_by(*order)[start : start + size + 1])
    return Listing(
        question=question,
        statuses=[
            StatusLink(
                value,
                label,
                counts.get(value, 0),
                question.query(status=value, page=1) or "?",
                value == question.status,
            )
            for value, label in [*([("", "All")] if question.is_wide else []), *Status.choices]
        ],
        items=items(page[:size]),
        beyond=page[size] if len(page) > size else None,
        n_found=n_found,
        n_pages=n_pages,
    )


def find(member, question):
    """The proposals of every status that fit the question's other filters."""
    found = Proposal.objects.visible_to(member)
    exact = {
        "type": question.type,
        "agent_id": question.agent,
        "session_id": question.session,
        "session__conversation": question.conversation,
        "risk_level": question.risk,
        "decided_by_id": question.decided_by,
    }
    found = found.filter(**{field: value for field, value in exact.items() if value})
    found = days.within(found, "created_at", member.workspace.zone, question.after, question.before)
    return with_words(found, question.search)


def with_words(rows, search):
    """The proposals whose title or rationale holds every word of `search`."""
    for word in search.split()[:MOST_WORDS]:
        rows = rows.filter(Q(title__icontains=word) | Q(rationale__icontains=word))
    return rows


def chosen(member, ids):
    """(the proposals that were ticked, in that order; how many of the ids are not there any more)."""
    ids = list(dict.fromkeys(uuid_or_none(one) or one for one in ids))
    rows = Proposal.objects.visible_to(member).select_related("agent", "workspace", "session")
    there = rows.in_bulk([one for one in ids if isinstance(one, UUID)])
    return [there[one] for one in ids if one in there], len(ids) - len(there)


def outcome_of(member, told):
    """The Outcome as it was kept: {"verdict", "n_decided", "kept": [[id, reason]], "n_missing"}."""
    rows = Proposal.objects.visible_to(member).select_related("agent").only("title", "agent__name")
    rows = rows.in_bulk([UUID(pk) for pk, _ in told["kept"]])
    kept = [Kept(rows[UUID(pk)], reason) for pk, reason in told["kept"] if UUID(pk) in rows]
    n_missing = told["n_missing"] + len(told["kept"]) - len(kept)
    return Outcome(told["verdict"], told["n_decided"], kept, n_missing)


def items(rows):
    """The proposals with their targets' versions now, in three more queries."""
    rows = list(rows)
    now = {}
    for model in (Memory, Procedure, Prompt):
        ids = {p.target_id for p in rows if p.target_kind == model.KIND and p.status == Status.PENDING and p.target_id}
        now |= dict(model.objects.filter(pk__in=ids).values_list("pk", "version"))
    return [Item(p, now.get(p.target_id)) for p in rows]


def _day(date):
    return f"{date.day} {date:%b %Y}"
