"""Moving an AI agent's configuration in and out: export it, plan what a file would change, carry the plan out in a worker."""

import time

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import actions as configuration
from agents import versions, work
from agents.access import Refusal, Right, may
from agents.configurations import versions_at
from agents.models import Agent, Member
from coaching import exchange
from coaching.actions import import_plans, long_work, proposals
from coaching.actions.changes import require_place
from coaching.actions.targets import MODELS
from coaching.models import ConfigurationImport
from memories import actions as memories
from memories.models import Memory

State, How = ConfigurationImport.State, ConfigurationImport.How
RIGHT = {How.PROPOSALS: Right.COACH_AI, How.DIRECT: Right.IMPORT_DIRECTLY}
BATCH_SECONDS = 0.3  # steps of one transaction; others wait for the database no longer than this

BROKEN = "It broke off {times} times, the last time with {error}. What is done stands; go on with the rest."
GIVEN_UP = "It was given up. What is done stands; go on with the rest."
UNFINISHABLE = (
    "The worker that carried it out was lost several times at the same step. What is done stands; go on with the rest."
)


class AlreadyBegun(Refusal):
    """The plan has been taken or discarded already."""


class NotFailed(Refusal):
    """Only an import that failed can be gone on with."""


# ------------------------------------------------------------------------------------------------------------- export


def export(agent, *, by) -> tuple[str, bytes]:
    """(file name, archive) of what `agent` is told at its current configuration number. Raises NotAllowed, ValidationError."""
    require_place(agent, by, Right.READ_AI)
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
    require_place(agent, by, Right.CONFIGURE)
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
        steps=import_plans.steps_of(agent, files, as_new=as_new),
    )


def _shown_name(name):
    return (
        "".join(c for c in name.replace("\\", "/").rpartition("/")[2] if c.isprintable())[:200].strip() or "upload.zip"
    )


def _require_ai(agent):
    if not agent.is_ai:
        raise ValidationError({"agent": f"{agent} is a person: only AI agents have a configuration."})


# ---------------------------------------------------------------------------------------------------- carrying it out


def carry_out(imported, *, by, door, how, steps=None) -> ConfigurationImport:
    """Take the plan: a worker owes its chosen steps, as proposals or at once. `steps` are places in the list (from 0);
    None takes those that are ticked. Raises NotAllowed, AlreadyBegun, ValidationError."""
    if how not in How.values:
        raise ValidationError({"how": f"This must be one of: {', '.join(How.values)}."})
    require_place(imported, by, RIGHT[How(how)])
    if imported.state != State.PLANNED:  # said before what is chosen of it is looked at
        raise _begun(imported)
    planned = imported.steps
    if steps is not None:
        chosen = set(steps)
        possible = {place for place, step in enumerate(planned) if step["step"] in import_plans.STEPS}
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
    require_place(imported, by, Right.CONFIGURE)
    planned = ConfigurationImport.objects.filter(pk=imported.pk, state=State.PLANNED)
    gone = planned.update(state=State.DISCARDED, finished_at=timezone.now(), steps=[])
    imported.refresh_from_db()
    if not gone:
        raise _begun(imported)
    return imported


def go_on(imported, *, by) -> ConfigurationImport:
    """After a failure: a worker owes the steps that are left. Raises NotAllowed, NotFailed."""
    require_place(imported, by, RIGHT[How(imported.how)] if imported.how else Right.CONFIGURE)
    failed = ConfigurationImport.objects.filter(pk=imported.pk, state=State.FAILED)
    owed = {"state": State.QUEUED, "finished_at": None, "next_try_at": timezone.now(), "attempts": 0, "last_error": ""}
    if not failed.update(**owed):
        raise NotFailed("Only an import that failed can be gone on with.")
    imported.refresh_from_db()
    return imported


def give_up(imported, *, by=None) -> ConfigurationImport:
    """Carry out no further step of an import that waits for its next try; `by` is None for operators.

    What was brought in stays, and it can be gone on with as after a failure. Raises NotAllowed, AlreadyBegun.
    """
    if by is not None:
        require_place(imported, by, Right.CONFIGURE)
    if not work.drop(imported, state=State.FAILED, finished_at=timezone.now(), last_error=GIVEN_UP):
        raise AlreadyBegun("It has ended already, or a worker is at it this moment.")
    return imported


def run(import_id) -> ConfigurationImport | None:
    """Carry out what is owed. Returns the import, or None where it is not due or another worker has it.

    Steps and their outcomes are stored together, a few at a time: a worker that is killed leaves no step half done, and
    whoever takes over repeats none.
    """
    told = {"broken": BROKEN, "unfinishable": UNFINISHABLE}
    return long_work.run(ConfigurationImport.objects.all(), import_id, _carry_out, **told)


def _carry_out(owed):
    asked = next(step for step in owed.steps if step["step"] == "asked")
    by = Member.objects.select_related("user", "workspace").get(pk=asked["by"])
    if by.left_at is not None or not may(by, RIGHT[How(owed.how)]):
        long_work.fail(owed, f"{by.display_name}, who asked for it, may not {RIGHT[How(owed.how)].value} any more.")
        return
    waiting = iter([step for step in owed.steps if step.get("take") and "outcome" not in step])
    step = next(waiting, None)
    while step is not None:
        with transaction.atomic():
            until = time.monotonic() + BATCH_SECONDS
            while step is not None:
                step["outcome"] = _outcome(owed, step, by, asked["door"])
                if step["outcome"]["state"] != "refused":
                    step.pop("fields", None)  # they stand in what was made; the rest is stored again with each batch
                step = next(waiting, None)
                if time.monotonic() >= until:
                    break
            _store(owed)
    for left in owed.steps:
        if "outcome" not in left:
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
        return {"state": "refused", "problem": import_plans.in_words(refusal)}
    except ObjectDoesNotExist:
        return {"state": "refused", "problem": "It was removed after the plan was made."}
    except IntegrityError:
        return {"state": "refused", "problem": "Something of this id or name was made after the plan."}
    return done


def _type(step):
    return import_plans.TYPES[step["kind"], "change" if step["step"] == "conflict" else step["step"]]


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
