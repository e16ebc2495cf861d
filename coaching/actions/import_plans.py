"""What a file would change of an AI agent: every entry of it held against what the agent has, step by step.

What an import stores as `steps`, a list of

    {step, kind, id, title, path, base_version, against, fields, note, take, outcome}

    step          create, change, delete, or conflict: the file and this agent both changed it
    kind, id      memory, procedure or prompt, and which; no id for something new that names none
    path          the file in the archive; empty for a delete, which is what the file lacks
    base_version  the version there was at the time of the plan, on which the step builds
    against       the version that the file was written against, where it is another one; for a conflict
    fields        {field: value} as proposals store them, complete; gone once the step is done
    note          what is said beside it: merged, comes back, why it is a conflict
    take          whether it is to be carried out
    outcome       {state: proposed, proposal} | {state: applied, version} | {state: refused, problem}, once it was

and of {step: refused, kind, title, path, note}, {step: same, kind, count}, and once the plan was taken {step: asked, by, door}.
"""

from collections import Counter
from typing import Any

from django.core.exceptions import ValidationError

from agents import versions
from agents.configurations import versions_at
from agents.models import Agent, Procedure, Prompt
from coaching import exchange
from coaching.actions import proposals
from coaching.actions.targets import MODELS
from coaching.texts.merging import merge_fields
from memories.models import Memory

STEPS = ("delete", "change", "conflict", "create")  # in this order, so that a name is free before it is taken
CHUNK = 1_000  # ids that one query asks for
OTHER_PROMPT = (
    "An agent has one prompt, and this one was not exported from here. Taken, it replaces the prompt as it is now."
)
MAY_BE_THERE = "A file that could not be read may be this one."
COPY_HINT = "To copy it, bring the file in as new entries."


def steps_of(agent, files: exchange.Files, *, as_new: bool) -> list[dict[str, Any]]:
    """The steps that the file asks for, with nothing changed yet. `as_new` leaves its ids aside."""
    return _Plan(agent, files, as_new).steps()


class _Plan:
    """One file held against what the agent has. Reads everything it needs at once, then decides entry by entry."""

    def __init__(self, agent, files: exchange.Files, as_new: bool):
        self.agent, self.files, self.as_new = agent, files, as_new
        self.rows: dict[str, dict[str, Any]] = {
            kind: {str(row.pk): row for row in model.objects.filter(agent=agent)} for kind, model in MODELS.items()
        }
        self.kind_of = {pk: kind for kind, rows in self.rows.items() for pk in rows}
        self.given = {entry.id for entry in files.entries if entry.id and not as_new}
        self.paths: dict[str, list[str]] = {}
        self.named: dict[str, list[str]] = {}
        for entry in files.entries:
            if entry.id and not as_new:
                self.paths.setdefault(entry.id, []).append(entry.path)
            if entry.kind == Procedure.KIND:
                self.named.setdefault(entry.fields["name"].strip().lower(), []).append(entry.path)
        self.taken_names = {row.name.lower() for pk, row in self.rows["procedure"].items() if pk not in self.given}
        self.removed: dict[str, str] = {}
        self.elsewhere: dict[str, Any] = {}
        self._look_for_unknown()
        self.bases = self._bases()

    def _look_for_unknown(self):
        """Of the ids that the agent has not: those it had once (`removed`: kind), and those of others (`elsewhere`: name)."""
        unknown = sorted(self.given - self.kind_of.keys())
        for kind, model in MODELS.items():
            for ids in _chunks(unknown):
                rows = model.history.filter(id__in=ids).order_by().values_list("id", "agent_id").distinct()
                for pk, agent_id in rows:
                    if agent_id == self.agent.pk:
                        self.removed[str(pk)] = kind
                    else:
                        self.elsewhere[str(pk)] = agent_id
        names = Agent.objects.filter(workspace_id=self.agent.workspace_id, pk__in=set(self.elsewhere.values()))
        found = {agent.pk: agent.name for agent in names}
        self.elsewhere = {pk: found.get(agent_id) for pk, agent_id in self.elsewhere.items()}

    def _bases(self):
        """{(id, version): fields} of the versions that entries were written against, where they are not the current ones."""
        found: dict[tuple[str, int], dict] = {}
        for kind, model in MODELS.items():
            wanted = {
                entry.id: entry.version
                for entry in self.files.entries
                if entry.kind == kind and entry.id in self.rows[kind] and entry.version is not None
            }
            moved = [pk for pk, version in wanted.items() if self.rows[kind][pk].version != version]
            for ids in _chunks(moved):
                rows = model.history.filter(id__in=ids, version__in={wanted[pk] for pk in ids})
                found |= {(str(row.id), row.version): versions.fields_of(row) for row in rows}
        return found

    def steps(self):
        counts: Counter[str] = Counter()
        made = []
        for entry in self.files.entries:
            try:
                step = self._step(entry)
            except ValidationError as error:
                step = self._refused(entry, in_words(error))
            if step is None:
                counts[entry.kind] += 1
            else:
                made.append(step)
        made += [
            {"step": "refused", "kind": one.kind, "title": one.path, "path": one.path, "note": one.problem}
            for one in self.files.refused
        ]
        made += self._deletes()
        order = {name: place for place, name in enumerate((*STEPS, "refused"))}
        made.sort(key=lambda step: (order[step["step"]], step["kind"], step["title"].lower(), step["path"]))
        return made + [{"step": "same", "kind": kind, "count": n} for kind, n in sorted(counts.items())]

    def _step(self, entry) -> dict | None:
        """What becomes of one entry; None where nothing does. Raises ValidationError."""
        pk = None if self.as_new else entry.id
        if pk and len(self.paths[pk]) > 1:
            return self._refused(entry, f"The id {pk} stands in several files: {', '.join(self.paths[pk])}.")
        if entry.kind == Prompt.KIND:
            return self._prompt(entry, pk)
        if entry.kind == Procedure.KIND:
            name = entry.fields["name"].strip().lower()
            if len(self.named[name]) > 1:
                return self._refused(
                    entry, f"Several files hold a procedure of this name: {', '.join(self.named[name])}."
                )
            if name in self.taken_names:
                return self._refused(entry, "There is a procedure of this name already, under another id.")
        if pk in self.rows[entry.kind]:
            return self._known(entry, self.rows[entry.kind][pk])
        if refused := self._not_ours(entry, pk):
            return refused
        note, take = "", True
        if pk in self.removed:
            came_from_here = self.files.about.agent_id == str(self.agent.pk)
            note, take = "It was removed here. It comes back under its id.", not came_from_here
        fields = _checked(entry, {})
        return self._made("create", entry, fields, id=pk, note=note, take=take)

    def _not_ours(self, entry, pk):
        kind = self.kind_of.get(pk) or self.removed.get(pk)
        if kind is not None and kind != entry.kind:
            return self._refused(entry, f"The id {pk} belongs to a {kind} of this agent.")
        if pk in self.elsewhere:
            name = self.elsewhere[pk]
            whose = f"to another agent, {name}" if name else "to something that is not this agent’s"
            return self._refused(entry, f"The id {pk} belongs {whose}. {COPY_HINT}")
        return None

    def _prompt(self, entry, pk):
        [(own, row)] = self.rows["prompt"].items()
        if pk == own:
            return self._known(entry, row)
        if refused := self._not_ours(entry, pk):
            return refused
        fields = _checked(entry, versions.fields_of(row))
        if fields == versions.fields_of(row):
            return None
        return self._made("conflict", entry, fields, id=own, base_version=row.version, note=OTHER_PROMPT, take=False)

    def _known(self, entry, row):
        current = versions.fields_of(row)
        how = {"id": str(row.pk), "base_version": row.version}
        if entry.fields == current:
            return None
        if entry.version == row.version:
            fields = _checked(entry, current)
            return None if fields == current else self._made("change", entry, fields, **how)
        base = self.bases.get((str(row.pk), entry.version))
        if base is None:
            fields = _checked(entry, current)
            said = "does not say against which version" if entry.version is None else f"says version {entry.version}"
            note = f"The file {said}; there was none such here, and it is version {row.version} now."
            if entry.version is None:
                note = f"The file does not say against which version it was written; it is version {row.version} now."
            return None if fields == current else self._made("conflict", entry, fields, **how, note=note, take=False)
        merged = merge_fields(base, current, entry.fields)
        if merged.touching:
            fields = _checked(entry, current)
            note = f"Changed in the file and, since version {entry.version}, here too, at the same places."
            return self._made("conflict", entry, fields, **how, against=entry.version, note=note, take=False)
        fields = _checked(entry, current, merged.fields)
        note = f"Merged with what was changed here since version {entry.version}."
        return None if fields == current else self._made("change", entry, fields, **how, note=note)

    def _deletes(self):
        """What the agent has, the export knew, and the file lacks. Never ticked by itself."""
        about = self.files.about
        if self.as_new or about.agent_id != str(self.agent.pk) or about.configuration is None:
            return []
        made = []
        mentioned = {pk for one in self.files.refused for pk in one.ids}
        nameless = {one.kind for one in self.files.refused if not one.ids}
        for model in (Procedure, Memory):
            rows = self.rows[model.KIND]
            missing = sorted(rows.keys() - self.given - mentioned)
            for ids in _chunks(missing):
                for past in versions_at(model, self.agent, about.configuration).filter(id__in=ids):
                    row = rows[str(past.id)]
                    note = "" if row.version == past.version else "It was changed here after the export."
                    note = MAY_BE_THERE if model.KIND in nameless else note
                    how = {"id": str(row.pk), "base_version": row.version, "note": note, "take": False}
                    made.append({"step": "delete", "kind": model.KIND, "title": str(row)[:300], "path": "", **how})
        return made

    def _made(self, step, entry, fields, *, id, base_version=None, against=None, note="", take=True):
        return {
            "step": step, "kind": entry.kind, "id": id, "title": _title(entry.kind, fields), "path": entry.path,
            "base_version": base_version, "against": against, "fields": proposals.stored(fields), "note": note, "take": take,
        }  # fmt: skip

    def _refused(self, entry, note):
        title = _title(entry.kind, entry.fields) or entry.path
        return {"step": "refused", "kind": entry.kind, "title": title, "path": entry.path, "note": note}


def _chunks(ids):
    return [ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)]


def _checked(entry, current, fields=None):
    """The entry's fields (or `fields`) by the rules of every change by hand. Raises ValidationError."""
    type = "prompt_change" if entry.kind == Prompt.KIND else TYPES[entry.kind, "change" if current else "create"]
    return proposals.proposed_change(type, MODELS[entry.kind], entry.fields if fields is None else fields, current)


TYPES = {
    ("memory", "create"): proposals.Type.MEMORY_CREATE,
    ("memory", "change"): proposals.Type.MEMORY_UPDATE,
    ("memory", "delete"): proposals.Type.MEMORY_DELETE,
    ("procedure", "create"): proposals.Type.PROCEDURE_CREATE,
    ("procedure", "change"): proposals.Type.PROCEDURE_UPDATE,
    ("procedure", "delete"): proposals.Type.PROCEDURE_DELETE,
    ("prompt", "change"): proposals.Type.PROMPT_CHANGE,
}


def _title(kind, fields):
    return "System prompt" if kind == Prompt.KIND else (fields.get("summary") or fields.get("name") or "")[:300]


def in_words(refusal) -> str:
    """A refusal as one line. A message about a field says which."""
    if isinstance(refusal, ValidationError):
        if not hasattr(refusal, "error_dict"):
            return " ".join(refusal.messages)
        told = {name: " ".join(said) for name, said in refusal.message_dict.items()}
        return " ".join(f"{LABELS[name]}: {said}" if name in LABELS else said for name, said in told.items())
    return str(refusal)


LABELS = {"expires_at": "expires", "content": "steps", "name": "name", "trigger": "trigger", "folder": "folder"}
