"""Moving an AI agent's configuration in and out: export it, plan what a file would change, carry the plan out in a worker.

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

import logging
import time
from collections import Counter
from datetime import datetime
from typing import Any

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import actions as configuration
from agents import versions, work
from agents.access import NotAllowed, Refusal, Right, may, require
from agents.configurations import versions_at
from agents.models import Agent, Member, Procedure, Prompt
from coaching import exchange
from coaching.actions import proposals
from coaching.actions.changes import MODELS
from coaching.merging import merge_fields
from coaching.models import ConfigurationImport
from memories import actions as memories
from memories.models import Memory

State, How = ConfigurationImport.State, ConfigurationImport.How
STEPS = (
    "delete",
    "change",
    "conflict",
    "create",
)  # in the order in which they are carried out: a name is free before it is taken
RIGHT = {How.PROPOSALS: Right.COACH_AI, How.DIRECT: Right.IMPORT_DIRECTLY}
CHUNK = 1_000  # ids that one query asks for
BATCH_SECONDS = 0.3  # steps of one transaction; others wait for the database no longer than this
ATTEMPTS = 3  # without a step being done in between

BROKEN = "It broke off {times} times, the last time with {error}. What is done stands; go on with the rest."
UNFINISHABLE = (
    "The worker that carried it out was lost several times at the same step. What is done stands; go on with the rest."
)
OTHER_PROMPT = (
    "An agent has one prompt, and this one was not exported from here. Taken, it replaces the prompt as it is now."
)
MAY_BE_THERE = "A file that could not be read may be this one."
COPY_HINT = "To copy it, bring the file in as new entries."

log = logging.getLogger(__name__)


class AlreadyBegun(Refusal):
    """The plan has been taken or discarded already."""


class NotFailed(Refusal):
    """Only an import that failed can be gone on with."""


# ------------------------------------------------------------------------------------------------------------- export


def export(agent, *, by) -> tuple[str, bytes]:
    """(file name, archive) of what `agent` is told at its current configuration number. Raises NotAllowed, ValidationError."""
    _require(agent, by, Right.READ_AI)
    _require_ai(agent)
    number = Agent.objects.values_list("configuration_version", flat=True).get(pk=agent.pk)
    entries = [
        exchange.Entry(kind, str(row.id), row.version, versions.fields_of(row))
        for kind, model in MODELS.items()
        for row in versions_at(model, agent, number)
    ]
    about = exchange.About(agent.name, str(agent.pk), number, timezone.now().replace(microsecond=0))
    return f"{exchange.slug(agent.name, 'agent')}-{number}.zip", exchange.write(about, entries)


# --------------------------------------------------------------------------------------------------------------- plan


def plan(agent, raw: bytes, *, by, file_name, as_new=False) -> ConfigurationImport:
    """What the archive `raw` would change of `agent`; nothing is changed yet. `as_new` leaves the ids of the file aside.

    Raises NotAllowed, and ValidationError that names `file` where it cannot be read as a whole.
    """
    _require(agent, by, Right.CONFIGURE)
    _require_ai(agent)
    try:
        files = exchange.read(raw)
    except exchange.Unreadable as problem:
        raise ValidationError({"file": str(problem)}) from problem
    return ConfigurationImport.objects.create(
        workspace_id=agent.workspace_id,
        agent=agent,
        file_name=_shown_name(file_name),
        uploaded_by=by,
        steps=_Planning(agent, files, as_new).steps(),
    )


def _shown_name(name):
    return (
        "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:200].strip() or "upload.zip"
    )


def _require_ai(agent):
    if not agent.is_ai:
        raise ValidationError({"agent": f"{agent} is a person: only AI agents have a configuration."})


class _Planning:
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
            "base_version": base_version, "against": against, "fields": stored(fields), "note": note, "take": take,
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


def stored(fields):
    """Fields as JSON holds them; `proposals.loaded` reads them back."""
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in fields.items()}


def in_words(refusal) -> str:
    """A refusal as one line. A message about a field says which."""
    if isinstance(refusal, ValidationError):
        if not hasattr(refusal, "error_dict"):
            return " ".join(refusal.messages)
        told = {name: " ".join(said) for name, said in refusal.message_dict.items()}
        return " ".join(f"{LABELS[name]}: {said}" if name in LABELS else said for name, said in told.items())
    return str(refusal)


LABELS = {"expires_at": "expires", "content": "steps", "name": "name", "trigger": "trigger", "folder": "folder"}


# ---------------------------------------------------------------------------------------------------- carrying it out


def carry_out(imported, *, by, door, how, steps=None) -> ConfigurationImport:
    """Take the plan: a worker owes its chosen steps, as proposals or at once. `steps` are places in the list (from 0);
    None takes those that are ticked. Raises NotAllowed, AlreadyBegun, ValidationError."""
    if how not in How.values:
        raise ValidationError({"how": f"This must be one of: {', '.join(How.values)}."})
    _require(imported, by, RIGHT[How(how)])
    if imported.state != State.PLANNED:  # said before what is chosen of it is looked at
        raise _begun(imported)
    planned = imported.steps
    if steps is not None:
        chosen = set(steps)
        possible = {place for place, step in enumerate(planned) if step["step"] in STEPS}
        if chosen - possible:
            raise ValidationError({"steps": f"There is no step {min(chosen - possible)} that could be taken."})
        planned = [
            {**step, "take": place in chosen} if place in possible else step for place, step in enumerate(planned)
        ]
    if not any(step.get("take") for step in planned):
        raise ValidationError({"steps": "Nothing is chosen, so there is nothing to do."})
    asked = {"step": "asked", "by": str(by.pk), "door": door}
    begun = ConfigurationImport.objects.filter(pk=imported.pk, state=State.PLANNED).update(
        state=State.QUEUED, how=how, steps=[*planned, asked], next_try_at=timezone.now()
    )
    imported.refresh_from_db()
    if not begun:
        raise _begun(imported)
    return imported


def _begun(imported):
    return AlreadyBegun(f"This import is {imported.get_state_display().lower()} already.")


def discard(imported, *, by) -> ConfigurationImport:
    """Do nothing of the plan, and keep nothing of the file. Raises NotAllowed, AlreadyBegun."""
    _require(imported, by, Right.CONFIGURE)
    planned = ConfigurationImport.objects.filter(pk=imported.pk, state=State.PLANNED)
    gone = planned.update(state=State.DISCARDED, finished_at=timezone.now(), steps=[])
    imported.refresh_from_db()
    if not gone:
        raise _begun(imported)
    return imported


def go_on(imported, *, by) -> ConfigurationImport:
    """After a failure: a worker owes the steps that are left. Raises NotAllowed, NotFailed."""
    _require(imported, by, RIGHT[How(imported.how)] if imported.how else Right.CONFIGURE)
    failed = ConfigurationImport.objects.filter(pk=imported.pk, state=State.FAILED)
    owed = {"state": State.QUEUED, "finished_at": None, "next_try_at": timezone.now(), "attempts": 0, "last_error": ""}
    if not failed.update(**owed):
        raise NotFailed("Only an import that failed can be gone on with.")
    imported.refresh_from_db()
    return imported


def _require(row, by, right):
    require(by, right)
    if by.workspace_id != row.workspace_id:
        raise NotAllowed("This belongs to another workspace.")


def run(import_id) -> ConfigurationImport | None:
    """Carry out what is owed. Returns the import, or None where it is not due or another worker has it.

    Steps and their outcomes are stored together, a few at a time: a worker that is killed leaves no step half done, and
    whoever takes over repeats none.
    """
    owed = _claim(import_id)
    if owed is None:
        return None
    try:
        if owed.attempts > ATTEMPTS:
            _fail(owed, UNFINISHABLE)
        else:
            _finish(owed)
    except work.LeaseLost:
        log.info("Import %s was taken over.", owed.pk)
    owed.refresh_from_db()
    return owed


def _claim(import_id):
    with transaction.atomic():
        owed = work.claim(ConfigurationImport.objects.all(), import_id)
        if owed is not None:
            ConfigurationImport.objects.filter(pk=owed.pk).update(state=State.RUNNING)
            owed.refresh_from_db()
    return owed


def _finish(owed):
    try:
        _carry_out(owed)
    except work.LeaseLost:
        raise
    except Exception as error:
        log.exception("Import %s broke off.", owed.pk)
        kind = type(error).__name__
        if owed.attempts < ATTEMPTS:
            work.put_off(owed, error=kind, state=State.QUEUED)
        else:
            _fail(owed, BROKEN.format(times=owed.attempts, error=kind))


def _fail(owed, sentence):
    work.give_up(owed, error=sentence, state=State.FAILED, finished_at=timezone.now())


def _carry_out(owed):
    asked = next(step for step in owed.steps if step["step"] == "asked")
    by = Member.objects.select_related("user", "workspace").get(pk=asked["by"])
    if by.left_at is not None or not may(by, RIGHT[How(owed.how)]):
        _fail(owed, f"{by.display_name}, who asked for it, may not {RIGHT[How(owed.how)].value} any more.")
        return
    waiting = iter([step for step in owed.steps if step.get("take") and "outcome" not in step])
    step = next(waiting, None)
    while step is not None:
        with transaction.atomic():
            until = time.monotonic() + BATCH_SECONDS
            while step is not None:
                step["outcome"] = _outcome(owed, step, by, asked["door"])
                step = next(waiting, None)
                if time.monotonic() >= until:
                    break
            _store(owed)
    for left in owed.steps:
        if left.get("outcome", {}).get("state") != "refused":
            left.pop("fields", None)
    work.settle(owed, state=State.DONE, finished_at=timezone.now(), steps=owed.steps)


def _store(owed):
    """Keep what was done, and the row for another lease. Raises LeaseLost, which takes the steps of this transaction back."""
    held = ConfigurationImport.objects.filter(pk=owed.pk, claim=owed.claim, state=State.RUNNING)
    owed.progress = sum("outcome" in step for step in owed.steps)
    owed.attempts = 1  # it goes forward: what comes now is another try
    lease = timezone.now() + work.LEASE
    if not held.update(steps=owed.steps, progress=owed.progress, claimed_until=lease, attempts=1):
        raise work.LeaseLost


def _outcome(owed, step, by, door):
    """Do one step, or say why not."""
    try:
        with transaction.atomic():
            if owed.how == How.PROPOSALS:
                made = _propose(owed, step, by)
                done = {"state": "proposed", "proposal": str(made.pk)}
            else:
                done = {"state": "applied", "version": _apply(owed, step, by, door)}
    except versions.Conflict:
        return {"state": "refused", "problem": "It was changed here after the plan was made."}
    except (Refusal, ValidationError) as refusal:
        return {"state": "refused", "problem": in_words(refusal)}
    except ObjectDoesNotExist:
        return {"state": "refused", "problem": "It was removed after the plan was made."}
    except IntegrityError:
        return {"state": "refused", "problem": "Something of this id or name was made after the plan."}
    return done


def _type(step):
    return TYPES[step["kind"], "change" if step["step"] == "conflict" else step["step"]]


def _propose(owed, step, by):
    creates, note = step["step"] == "create", step["note"] if step["step"] == "change" else ""
    return proposals.create(
        owed.agent,
        type=_type(step),
        rationale=f"Brought in with {owed.file_name} by {by.display_name}. {note}".strip(),
        change=proposals.loaded(step.get("fields", {})),
        target_id=None if creates else step["id"],
        base_version=step["base_version"],
        new_id=step["id"] if creates else None,
        proposed_by=by,
        brought_by=owed,
    )


def _apply(owed, step, by, door):
    """Make the version by the same actions as a change by hand. Returns its number."""
    agent, model = owed.agent, MODELS[step["kind"]]
    how = {"by": by, "door": door, "reason": f"Import of {owed.file_name}"}
    fields = proposals.loaded(step.get("fields", {}))
    if step["step"] == "create":
        row = _create(agent, model, step["id"], fields, how)
        step["id"] = str(row.pk)
        return row.version
    row = model.objects.get(agent=agent, pk=step["id"])
    if step["step"] == "delete":
        return configuration.remove(row, base_version=step["base_version"], **how).target_version
    revise = memories.revise if model is Memory else configuration.revise
    return revise(row, changes=fields, base_version=step["base_version"], **how).version


def _create(agent, model, pk, fields, how):
    if pk is not None and model.history.filter(id=pk, agent_id=agent.pk).exists():
        return configuration.restore(model, pk, changes=fields, **how)
    given = {"id": pk} if pk is not None else {}
    if model is Memory:
        return memories.create(agent, source=Memory.Source.IMPORT, **given, **fields, **how)
    return configuration.create_procedure(agent, **given, **fields, **how)
