"""The configurations of one AI agent: the list of its changes, two of them compared, one of them read. Each in a fixed
number of queries."""

from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import urlencode

from django.db.models import Case, IntegerField, Max, Value, When
from django.db.models.functions import Left, Lower
from django.utils import timezone

from agents import configurations
from agents.models import Configuration, Decision, Procedure, Prompt
from agents.paging import Paged, n_pages_of, page_asked
from agents.versions import fields_of
from coaching.actions.changes import came_with_its_agent
from coaching.actions.targets import MODELS
from coaching.pages.knowledge import BEGINNING, Folder, holding, words_asked
from coaching.pages.typed import number_or_none
from coaching.texts import diffs
from coaching.texts.sizes import Size
from memories.models import Memory, served_at

PAGE_SIZE = 50
COMPARED = 100  # changed things that a comparison tells in full
ADDRESSES = {"prompt": "agent-prompt", "memory": "memory", "procedure": "procedure"}
VERBS = {"created": "Added", "revised": "Changed", "removed": "Removed", "restored": "Restored"}
ORDER = Case(
    *[When(target_kind=kind, then=Value(place)) for place, kind in enumerate(MODELS)], output_field=IntegerField()
)


@dataclass(frozen=True)
class Change:
    """One configuration: what was changed, and what that is called (empty for the prompt).

    `decision` is its number in the decision log; None for what came with the agent.
    """

    row: Configuration
    title: str
    decision: int | None = None
    taken_back_by: int | None = None

    @property
    def words(self):
        kind = "the prompt" if self.row.target_kind == Prompt.KIND else f"a {self.row.target_kind}"
        return f"{VERBS[self.row.change]} {kind}"

    @property
    def address(self):
        """The name of the page that shows it."""
        return ADDRESSES[self.row.target_kind]

    @property
    def may_be_taken_back(self):
        return self.decision is not None and self.taken_back_by is None and not came_with_its_agent(self.row)


def newest(agent, n):
    """The newest configurations with what they changed, in three queries."""
    return _told(agent.configurations.select_related("by__user").order_by("-number")[:n])


def _told(rows, decisions=None, taken_back=None):
    """Changes with their titles, in two queries. What was removed is named by its history."""
    rows, titles = list(rows), {}
    for model, name in ((Memory, "summary"), (Procedure, "name")):
        ids = {row.target_id for row in rows if row.target_kind == model.KIND}
        named = model.history.filter(id__in=ids, version__in={row.target_version for row in rows})
        titles |= {(pk, version): title for pk, version, title in named.values_list("id", "version", name)}
    return [
        Change(
            row,
            titles.get((row.target_id, row.target_version), ""),
            (decisions or {}).get(row.number),
            (taken_back or {}).get(row.pk),
        )
        for row in rows
    ]


# ------------------------------------------------------------------------------------------------------------- the list


@dataclass(frozen=True)
class Question:
    """What the list asks for: one kind of thing, two numbers to compare. Values that mean nothing are taken as not given."""

    kind: str = ""
    old: int | None = None
    new: int | None = None
    page: int = 1

    KINDS = (("", "All"), ("prompt", "Prompt"), ("procedure", "Procedures"), ("memory", "Memories"))

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        kind = query.get("kind", "")
        old, new = (number_or_none(query.get(key, "")) for key in ("from", "to"))
        return cls(kind=kind if kind in MODELS else "", old=old, new=new, page=page_asked(query))

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`; a comparison is left behind."""
        q = replace(self, **changes)
        given = {"kind": q.kind, "page": q.page if q.page > 1 else ""}
        return "?" + urlencode({key: value for key, value in given.items() if value})


@dataclass(frozen=True)
class ConfigurationList(Paged):
    """The changes of what an agent is told, newest first, and the comparison of two numbers where they were chosen."""

    question: Question
    changes: list[Change]
    kinds: list[tuple[str, str, str]]
    n_found: int
    n_pages: int
    compared: "Comparison | None"


def load_list(agent, question):
    """The list: seven queries, and nine more for a comparison."""
    rows = agent.configurations.filter(**({"target_kind": question.kind} if question.kind else {}))
    n_found = rows.count()
    n_pages = n_pages_of(n_found, PAGE_SIZE)
    question = replace(question, page=min(question.page, n_pages))
    start = (question.page - 1) * PAGE_SIZE
    shown = list(rows.select_related("by__user", "reverts").order_by("-number")[start : start + PAGE_SIZE])
    return ConfigurationList(
        question=question,
        changes=_told(shown, _decisions(agent, shown), _taken_back(shown)),
        kinds=[(kind, label, question.query(kind=kind, page=1)) for kind, label in Question.KINDS],
        n_found=n_found,
        n_pages=n_pages,
        compared=compare(agent, question.old, question.new),
    )


def _decisions(agent, rows):
    """{configuration number: number of the decision that made it}."""
    made = Decision.objects.filter(workspace_id=agent.workspace_id, agent_id=agent.pk)
    numbers = made.filter(configuration_number__in=[row.number for row in rows])
    return dict(numbers.values_list("configuration_number", "number"))


def _taken_back(rows):
    """{configuration: the number that took it back}."""
    return dict(Configuration.objects.filter(reverts__in=[row.pk for row in rows]).values_list("reverts_id", "number"))


# ------------------------------------------------------------------------------------------------------- two of them compared


@dataclass(frozen=True)
class Difference:
    """What became of one thing: `kind` "new", "gone" or "" (changed), as the diffs' template takes it."""

    target_kind: str
    target_id: object
    title: str
    kind: str
    changes: list[diffs.FieldDiff]

    @property
    def address(self):
        return ADDRESSES[self.target_kind]

    @property
    def words(self):
        return {"new": "Added", "gone": "Removed", "": "Changed"}[self.kind]


@dataclass(frozen=True)
class Comparison:
    """What differs from one configuration to another. Of many changed things the newest are told, `n_more` only counted;
    `n_same` were changed and are again as they were."""

    old: int
    new: int
    differences: list[Difference]
    n_more: int
    n_same: int


def compare(agent, old, new):
    """The Comparison of two numbers of this agent, either way round; None where one of them is not there. Nine queries."""
    if not all(n is not None and 1 <= n <= agent.configuration_version for n in (old, new)):
        return None
    between = agent.configurations.filter(number__gt=min(old, new), number__lte=max(old, new))
    touched = between.order_by().values("target_kind", "target_id").annotate(last=Max("number"), kind=ORDER)
    listed = list(touched.order_by("kind", "-last").values_list("target_kind", "target_id")[:COMPARED])
    before, after = _as_told(agent, listed, old), _as_told(agent, listed, new)
    differences = [
        _difference(kind, pk, before.get(pk), after.get(pk))
        for kind, pk in listed
        if not _same(before.get(pk), after.get(pk))
    ]
    return Comparison(
        old=old,
        new=new,
        differences=differences,
        n_more=touched.count() - len(listed),
        n_same=len(listed) - len(differences),
    )


def _as_told(agent, targets, number):
    """{id: history row} of these targets as they were at a configuration, in three queries."""
    return {
        row.id: row
        for kind, model in MODELS.items()
        for row in configurations.versions_at(model, agent, number).filter(
            id__in=[pk for named, pk in targets if named == kind]
        )
    }


def _same(before, after):
    if before is None or after is None:
        return before is after
    return fields_of(before) == fields_of(after)


def _difference(kind, pk, before, after):
    row = after or before
    return Difference(
        target_kind=kind,
        target_id=pk,
        title=getattr(row, "summary", "") or getattr(row, "name", ""),
        kind="new" if before is None else "gone" if after is None else "",
        changes=diffs.fields(fields_of(before) if before else {}, fields_of(after) if after else {}),
    )


# --------------------------------------------------------------------------------------------------------------- one of them


@dataclass(frozen=True)
class ThenQuestion:
    """What the page of one configuration asks for. `as_of` is given back as it was typed."""

    search: str = ""
    as_of: str = ""
    page: int = 1

    @classmethod
    def parse(cls, query):
        """From a QueryDict."""
        return cls(search=words_asked(query), as_of=query.get("asOf", "")[:40], page=page_asked(query))

    def query(self, **changes):
        """The query string, with its question mark, of this question after `changes`."""
        q = replace(self, **changes)
        given = {"asOf": q.as_of, "q": q.search, "page": q.page if q.page > 1 else ""}
        return "?" + urlencode({key: value for key, value in given.items() if value})


@dataclass(frozen=True)
class Then(Paged):
    """What an agent was told at a configuration, and which of its memories were served at the instant `at`.

    `until` is when the next configuration came; None where it is the newest.
    """

    question: ThenQuestion
    made: Configuration
    at: datetime
    until: datetime | None
    prompt: Prompt
    folders: list[Folder]
    memories: list
    n_found: int
    n_pages: int

    @property
    def size(self):
        return Size(self.prompt.system_prompt)

    @property
    def n_procedures(self):
        return sum(len(folder.procedures) for folder in self.folders)


def load_then(agent, number, question, at=None):
    """One configuration, read at the instant `at`: where none is given, when it was made, or now for the newest.

    Six queries. None where there is no such number.
    """
    made = agent.configurations.filter(number=number).select_related("by__user").first()
    if made is None:
        return None
    after = agent.configurations.filter(number=number + 1).values_list("created_at", flat=True).first()
    at = at or configurations.instant_of(made, is_newest=after is None)
    valid = configurations.versions_at(Memory, agent, number).filter(served_at(at))
    if question.search:
        valid = valid.filter(holding(question.search, "summary", "text"))
    n_found = valid.count()
    n_pages = n_pages_of(n_found, PAGE_SIZE)
    start = (min(question.page, n_pages) - 1) * PAGE_SIZE
    shown = valid.defer("text").annotate(beginning=Left("text", BEGINNING)).order_by("-created_at", "id")
    return Then(
        question=replace(question, page=min(question.page, n_pages)),
        made=made,
        at=at,
        until=after,
        prompt=configurations.versions_at(Prompt, agent, number).get(),
        folders=_folders(agent, number),
        memories=list(shown[start : start + PAGE_SIZE]),
        n_found=n_found,
        n_pages=n_pages,
    )


def _folders(agent, number):
    rows = configurations.versions_at(Procedure, agent, number).filter(active=True)
    folders: dict[str, Folder] = {}
    for row in rows.order_by(Lower("folder"), "folder", Lower("name")):
        folders.setdefault(row.folder, Folder(row.folder, [])).procedures.append(row)
    return list(folders.values())


def number_then(agent, at):
    """The number that was in effect at that instant; None before the first, and for what has not come yet."""
    return None if at > timezone.now() else configurations.number_at(agent, at)
