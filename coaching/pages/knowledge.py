"""What the Memory, Procedures and Prompt tabs of one AI agent show: a fixed number of queries each, whatever stands in them."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from urllib.parse import urlencode

from django.db.models import Count, Exists, F, OuterRef, Q
from django.db.models.functions import Left, Lower
from django.utils import timezone

from agents import versions
from agents.models import Configuration, Procedure
from agents.paging import Paged, n_pages_of, page_asked
from coaching.models import Proposal
from coaching.pages.typed import number_or_none
from coaching.texts import diffs
from coaching.texts.sizes import Size
from memories.models import Memory
from memories.search.reading import search

PAGE_SIZE = 50
PROCEDURES = 100  # on a page
FOUND = 50  # memories that a search as the agent's lists
BEGINNING = 181  # characters of a text that a list needs
SOON = timedelta(days=14)


def words_asked(query):
    """What an address searches for."""
    return query.get("q", "").replace("\0", "").strip()[:300]


def holding(words, *fields):
    """The condition that every word of `words` stands in one of the fields."""
    condition = Q()
    for word in words.split():
        anywhere = Q()
        for field in fields:
            anywhere |= Q(**{f"{field}__icontains": word})
        condition &= anywhere
    return condition


# ------------------------------------------------------------------------------------------------------------- memories


@dataclass(frozen=True)
class MemoryQuestion:
    """What the Memory tab asks for. Values that mean nothing are taken as not given; an empty `order` is the list's own."""

    search: str = ""
    shown: str = ""  # one of LISTS
    source: str = ""
    order: str = ""  # one of ORDERS
    page: int = 1

    LISTS = (
        ("", "All"),
        ("expiring", "Expiring in 14 days"),
        ("expired", "Expired"),
        ("unserved", "Never served"),
        ("removed", "Removed"),
    )
    ORDERS = (("changed", "Newest change"), ("expiring", "Expiring first"), ("served", "Last served"))

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        shown, source, order = (query.get(key, "") for key in ("show", "source", "order"))
        asked = cls(
            search=words_asked(query),
            shown=shown if shown in dict(cls.LISTS) else "",
            source=source if source in Memory.Source.values else "",
            page=page_asked(query),
        )
        return replace(asked, order=order) if order in dict(cls.ORDERS) and order != asked.own_order else asked

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`."""
        q = replace(self, **changes)
        given = {"q": q.search, "show": q.shown, "source": q.source, "order": q.order}
        given["page"] = q.page if q.page > 1 else ""
        return "?" + urlencode({key: value for key, value in given.items() if value})

    @property
    def own_order(self):
        """The order of the chosen list where none is asked for."""
        return "expiring" if self.shown in ("expiring", "expired") else "changed"

    @property
    def ordered(self):
        return self.order or self.own_order

    @property
    def as_the_agent(self):
        """Whether it is searched as the agent would: best first, and only what is served."""
        return bool(self.search) and not (self.shown or self.source or self.order)

    @property
    def narrows(self):
        return bool(self.search or self.shown or self.source)


@dataclass(frozen=True)
class MemoryList(Paged):
    """The entries of a memory base, their texts only by how they begin; of removed ones the last version.

    `lists` are (name, label, count, query) of what one can choose, counted within the chosen source.
    """

    question: MemoryQuestion
    entries: list
    lists: list[tuple[str, str, int, str]]
    sources: list[tuple[str, str]]
    orders: tuple[tuple[str, str], ...]
    n_found: int
    n_pages: int
    now: datetime


def load_memories(agent, question):
    """The Memory tab: five queries at most."""
    now = timezone.now()
    of_source = {"source": question.source} if question.source else {}
    rows = Memory.objects.filter(agent=agent, **of_source)
    gone = removed(Memory, agent).filter(**of_source)
    lists = {
        "": Q(),
        "expiring": Q(expires_at__gt=now, expires_at__lte=now + SOON),
        "expired": Q(expires_at__lte=now),
        "unserved": Q(last_served_at=None),
    }
    counted = rows.aggregate(**{f"n_{name}": Count("pk", filter=which) for name, which in lists.items()})
    counts = {name: counted[f"n_{name}"] for name in lists} | {"removed": gone.count()}
    if question.as_the_agent:
        hits = search(agent, question.search, limit=FOUND)
        by_id = _beginning(rows).in_bulk([hit.id for hit in hits])
        entries, n_found, n_pages = [by_id[hit.id] for hit in hits if hit.id in by_id], len(hits), 1
    else:
        found = gone if question.shown == "removed" else rows.filter(lists[question.shown])
        n_found = counts[question.shown]
        if question.search:
            found = found.filter(holding(question.search, "summary", "text"))
            n_found = found.count()
        n_pages = n_pages_of(n_found, PAGE_SIZE)
        start = (min(question.page, n_pages) - 1) * PAGE_SIZE
        entries = list(_beginning(_ordered(found, question))[start : start + PAGE_SIZE])
    return MemoryList(
        question=replace(question, page=min(question.page, n_pages)),
        entries=entries,
        lists=[
            (name, label, counts[name], MemoryQuestion(shown=name, source=question.source).query())
            for name, label in MemoryQuestion.LISTS
            if not name or counts[name] or name == question.shown
        ],
        sources=Memory.Source.choices,
        orders=MemoryQuestion.ORDERS,
        n_found=n_found,
        n_pages=n_pages,
        now=now,
    )


def _ordered(found, question):
    if question.shown == "removed":
        return found.order_by("-history_date", "pk")
    if question.ordered == "expiring":
        return found.order_by(F("expires_at").asc(nulls_last=True), "pk")
    if question.ordered == "served":
        return found.order_by(F("last_served_at").desc(nulls_last=True), "pk")
    return found.order_by("-updated_at", "pk")


def _beginning(rows):
    """The rows without their texts, which may be long, but with how they begin."""
    return rows.defer("text").annotate(beginning=Left("text", BEGINNING))


def removed(model, agent):
    """The last history row of everything of `model` that this agent had and that was removed."""
    later = model.history.filter(id=OuterRef("id"), version__gt=OuterRef("version"))
    return model.history.filter(agent_id=agent.pk, history_type="-").exclude(Exists(later))


# ----------------------------------------------------------------------------------------------------------- procedures


@dataclass(frozen=True)
class ProcedureQuestion:
    """What the Procedures tab asks for."""

    search: str = ""
    shown: str = ""  # one of LISTS
    page: int = 1

    LISTS = (("", "All"), ("active", "In use"), ("inactive", "Not in use"), ("removed", "Removed"))

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        shown = query.get("show", "")
        return cls(search=words_asked(query), shown=shown if shown in dict(cls.LISTS) else "", page=page_asked(query))

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`."""
        q = replace(self, **changes)
        given = {"q": q.search, "show": q.shown, "page": q.page if q.page > 1 else ""}
        return "?" + urlencode({key: value for key, value in given.items() if value})

    @property
    def narrows(self):
        return bool(self.search or self.shown)


@dataclass(frozen=True)
class Folder:
    """The procedures of one folder that stand on a page; those without a folder have none as its name."""

    name: str
    procedures: list


@dataclass(frozen=True)
class ProcedureList(Paged):
    """Procedures by folder and name, those without a folder first; of removed ones the last version, newest first."""

    question: ProcedureQuestion
    folders: list[Folder]
    lists: list[tuple[str, str, int, str]]
    n_found: int
    n_pages: int


def load_procedures(agent, question):
    """The Procedures tab: four queries at most."""
    rows, gone = Procedure.objects.filter(agent=agent), removed(Procedure, agent)
    lists = {"": Q(), "active": Q(active=True), "inactive": Q(active=False)}
    counted = rows.aggregate(**{f"n_{name}": Count("pk", filter=which) for name, which in lists.items()})
    counts = {name: counted[f"n_{name}"] for name in lists} | {"removed": gone.count()}
    found = gone if question.shown == "removed" else rows.filter(lists[question.shown])
    n_found = counts[question.shown]
    if question.search:
        found = found.filter(holding(question.search, "name", "trigger", "content", "folder"))
        n_found = found.count()
    n_pages = n_pages_of(n_found, PROCEDURES)
    start = (min(question.page, n_pages) - 1) * PROCEDURES
    if question.shown == "removed":
        listed = list(found.defer("content").order_by("-history_date", "pk")[start : start + PROCEDURES])
        folders = [Folder("", listed)] if listed else []
    else:
        listed = found.defer("content").order_by(Lower("folder"), "folder", Lower("name"), "pk")
        by_folder = groupby(listed[start : start + PROCEDURES], key=lambda one: one.folder)
        folders = [Folder(name, list(procedures)) for name, procedures in by_folder]
    return ProcedureList(
        question=replace(question, page=min(question.page, n_pages)),
        folders=folders,
        lists=[
            (name, label, counts[name], ProcedureQuestion(shown=name).query())
            for name, label in ProcedureQuestion.LISTS
            if not name or counts[name] or name == question.shown
        ],
        n_found=n_found,
        n_pages=n_pages,
    )


def folders_of(agent):
    """The names of the folders that this agent's procedures stand in."""
    named = Procedure.objects.filter(agent=agent).exclude(folder="").order_by("folder")
    return list(named.values_list("folder", flat=True).distinct())


# ------------------------------------------------------------------------------------------ one of them, and its versions


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
    configuration: int

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
    now: datetime

    @property
    def size(self):
        return Size(getattr(self.row, "system_prompt", ""))

    @property
    def has_expired(self):
        expires_at = getattr(self.row, "expires_at", None)
        return expires_at is not None and expires_at <= self.now


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
            configuration=one.number,
        )
        for one in made.order_by("-target_version")
    ]
    compared, changes = None, []
    before, after = number_or_none(query.get("from")), number_or_none(query.get("to"))
    if before is not None and after is not None:
        old, new = (versions.at_version(model, pk, version) for version in (before, after))
        if old is not None and new is not None:
            compared, changes = (before, after), diffs.fields(old, new)
    return Entry(
        row=row,
        is_removed=is_removed,
        versions=numbers,
        compared=compared,
        changes=changes,
        pending=list(Proposal.objects.pending().filter(agent=agent, target_id=pk).order_by("-created_at")[:PAGE_SIZE]),
        now=timezone.now(),
    )
