"""What the page of an import shows: what a file would change, how far it is, what became of each step."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents import versions
from agents.access import Right, may
from agents.models import Member
from coaching.actions import import_plans, proposals
from coaching.actions.targets import MODELS
from coaching.models import ConfigurationImport
from coaching.pages import proposal as proposal_page
from coaching.texts import diffs

State = ConfigurationImport.State
SHOWN = 100  # steps of a group that are shown one by one; a form of all groups stays within Django's thousand fields
RECENT = 5
LATE = timedelta(seconds=15)  # without a worker

# (step or outcome, heading, the word for a count, what it means)
GROUPS = (
    ("change", "Changes", "changed", "In the file they say something else than here."),
    ("create", "New", "new", "The file has them, this agent has not."),
    ("conflict", "Conflicts", "in conflict", "They stay as they are here. Tick one to have it as in the file."),
    ("delete", "Not in the file any more", "missing in the file", "The export had them. Tick one to remove it here."),
    (
        "refused",
        "Refused",
        "refused",
        "These cannot be taken. Mend the file and bring it in again, or go on without them.",
    ),
)
OUTCOMES = (
    ("refused", "Not done", "not done", "It was not possible when their turn came. The others were done all the same."),
    ("proposed", "Proposals made", "proposed", "Each waits for a decision, or has it by now."),
    ("applied", "Applied", "applied", "Each is a version of its own and can be taken back."),
    ("waiting", "Still to do", "still to do", "These were chosen, and their turn has not come."),
    ("left", "Left as it was", "left", "These were not chosen."),
    ("unread", "Refused", "refused", "These could not be taken from the file."),
)
ADDRESS = {"memory": "memory", "procedure": "procedure"}


@dataclass(frozen=True)
class Item:
    """One step: its `place` in the import's list, and what it would change. `moved` says that the plan is out of date there."""

    place: int
    step: dict[str, Any]
    changes: list[diffs.FieldDiff] = field(default_factory=list)
    panes: list[proposal_page.Pane] = field(default_factory=list)
    moved: bool = False

    @property
    def diff_kind(self):
        return {"create": "new", "delete": "gone"}.get(self.step["step"], "")

    @property
    def address(self):
        """The name of the page that shows what is changed; empty where there is none."""
        return ADDRESS.get(self.step["kind"], "") if self.step.get("id") else ""


@dataclass(frozen=True)
class Group:
    """Steps of one kind, the first ones one by one. `more` counts the others, `more_take` says whether they are ticked."""

    name: str
    label: str
    counted: str
    words: str
    items: list[Item]
    count: int
    more_take: bool = False

    @property
    def more(self):
        return self.count - len(self.items)

    @property
    def can_be_taken(self):
        return self.name in import_plans.STEPS


@dataclass(frozen=True)
class Shown:
    """One import, as a plan (`groups` by what would happen) or carried out (by what became of it)."""

    imported: ConfigurationImport
    groups: list[Group]
    same: int
    chosen: int
    may_direct: bool
    asked_by: Member | None

    @property
    def is_plan(self):
        return self.imported.state == State.PLANNED

    @property
    def is_running(self):
        return self.imported.state in (State.QUEUED, State.RUNNING)

    @property
    def is_late(self):
        """Whether nobody has taken it for longer than a worker's next look."""
        owed = self.imported.next_try_at
        return self.imported.state == State.QUEUED and owed is not None and timezone.now() - owed > LATE

    @property
    def per_cent(self):
        return 100 * self.imported.progress // self.chosen if self.chosen else 0

    @property
    def can_be_taken(self):
        return any(group.can_be_taken for group in self.groups)

    @property
    def counts(self):
        """[(word, count)] of the groups, for one line."""
        return [(group.counted, group.count) for group in self.groups]

    @property
    def n_proposed(self):
        return next((group.count for group in self.groups if group.name == "proposed"), 0)


def recent(agent):
    """The newest imports of an agent: one query, without what is in them."""
    rows = ConfigurationImport.objects.filter(agent=agent).defer("steps").select_related("uploaded_by__user")
    return list(rows.order_by("-uploaded_at", "pk")[:RECENT])


def load(member, imported) -> Shown:
    """The page: at most eight queries, whatever is in the file. While it is carried out, only how far it is."""
    steps = imported.steps
    asked = next((step["by"] for step in steps if step["step"] == "asked"), None)
    running = imported.state in (State.QUEUED, State.RUNNING)
    return Shown(
        imported=imported,
        groups=[] if running else _planned(imported) if imported.state == State.PLANNED else _done(imported),
        same=sum(step["count"] for step in steps if step["step"] == "same"),
        chosen=sum(bool(step.get("take")) for step in steps),
        may_direct=may(member, Right.IMPORT_DIRECTLY),
        asked_by=Member.objects.select_related("user").get(pk=asked) if asked else None,
    )


def chosen(imported, ticked, more) -> list[int]:
    """The places that a form chose: those `ticked`, and of each group named in `more` the steps that it did not show."""
    places = {place for place in ticked if 0 <= place < len(imported.steps)}
    by_group = _by_group(imported.steps)
    return sorted(places.union(*(by_group.get(name, [])[SHOWN:] for name in more if name in import_plans.STEPS)))


def _by_group(steps):
    """{step: [places]}"""
    found: dict[str, list[int]] = {}
    for place, step in enumerate(steps):
        found.setdefault(step["step"], []).append(place)
    return found


def _planned(imported):
    steps, by_group = imported.steps, _by_group(imported.steps)
    shown = {name: places[:SHOWN] for name, places in by_group.items() if name not in ("same", "asked")}
    rows, bases = _rows(imported.agent, [steps[place] for places in shown.values() for place in places])
    made = []
    for name, label, counted, words in GROUPS:
        places = by_group.get(name, [])
        if places:
            items = [_item(place, steps[place], rows, bases) for place in shown[name]]
            more_take = any(steps[place].get("take") for place in places[SHOWN:])
            made.append(Group(name, label, counted, words, items, len(places), more_take))
    return made


def _rows(agent, steps):
    """({id: row}, {(id, version): fields}): what the steps change as it is now, and as conflicts began."""
    rows, bases = {}, {}
    for kind, model in MODELS.items():
        mine = [step for step in steps if step["kind"] == kind and step.get("id")]
        ids = {step["id"] for step in mine if step["step"] != "create"}
        if ids:
            rows |= {str(row.pk): row for row in model.objects.filter(agent=agent, pk__in=ids)}
        wanted = {step["id"]: step["against"] for step in mine if step.get("against")}
        if wanted:
            past = model.history.filter(id__in=wanted, version__in=set(wanted.values()))
            bases |= {(str(row.id), row.version): versions.fields_of(row) for row in past}
    return rows, bases


def _item(place, step, rows, bases):
    if step["step"] == "refused":
        return Item(place, step)
    fields = proposals.loaded(step.get("fields", {}))
    if step["step"] == "create":
        return Item(place, step, diffs.created(fields))
    row = rows.get(step["id"])
    if row is None:
        return Item(place, step, moved=True)
    current = versions.fields_of(row)
    base = bases.get((step["id"], step.get("against")))
    panes = []
    if step["step"] == "conflict" and base is not None:
        three = [
            {"field": name, "base": base[name], "current": current[name], "proposed": fields[name]}
            for name in current
            if not base[name] == current[name] == fields[name]
        ]
        clash = versions.Conflict(base_version=step["against"], current=row, fields=three)
        panes = proposal_page.told(clash)
    return Item(place, step, diffs.fields(current, fields), panes, row.version != step["base_version"])


def _done(imported):
    found: dict[str, list[int]] = {}
    for place, step in enumerate(imported.steps):
        if step["step"] in import_plans.STEPS:
            undone = "waiting" if step.get("take") else "left"
            found.setdefault(step.get("outcome", {}).get("state", undone), []).append(place)
        elif step["step"] == "refused":
            found.setdefault("unread", []).append(place)
    return [
        Group(name, label, counted, words, _first(imported, found[name]), len(found[name]))
        for name, label, counted, words in OUTCOMES
        if name in found
    ]


def _first(imported, places):
    return [Item(place, imported.steps[place]) for place in places[:SHOWN]]
