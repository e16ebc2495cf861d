"""One way to have versions: claim the number by compare-and-set, then save with the history row; number the configuration.

Works on every `agents.models.Versioned` row (prompt, procedure, memory). Must run inside `transaction.atomic()`, so that
number, row, history and configuration stand or fall together.
"""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F

from agents.access import Refusal
from agents.models import Agent, Configuration

Change = Configuration.Change


class Conflict(Refusal):
    """The target has moved on since the base version, or is gone (`current` is then None).

    `fields` is a list of {field, base, current, proposed}, one per field where the three are not all equal.
    """

    def __init__(self, *, base_version, current, fields):
        super().__init__("It was changed after this version." if current else "It was removed after this version.")
        self.base_version, self.current, self.fields = base_version, current, fields


def create(row, *, by, door, reason="", proposal_id=None) -> Configuration:
    """Store the new `row` as version 1. Raises ValidationError, Conflict where its id is taken."""
    numbers = _next_numbers(row)
    row.version = 1
    _validate(row)
    _save_with_history(row, by, reason, force_insert=True)
    return _configuration(row, numbers, Change.CREATED, by, door, reason, proposal_id)


def revise(row, *, base_version, changes, by, door, reason="", proposal_id=None, reverts=None) -> Configuration:
    """Store `changes` ({field: value}) on `row` as the version after `base_version`. Raises Conflict, ValidationError."""
    numbers = _next_numbers(row)
    if not _claim(row, base_version):
        raise conflict(row, base_version, changes)
    row.refresh_from_db()
    for field, value in changes.items():
        setattr(row, field, value)
    _validate(row)
    _save_with_history(row, by, reason)
    return _configuration(row, numbers, Change.REVISED, by, door, reason, proposal_id, reverts)


def remove(row, *, base_version, by, door, reason="", proposal_id=None, reverts=None) -> Configuration:
    """Delete `row`; its history, and one more version that says so, stay. Raises Conflict."""
    numbers = _next_numbers(row)
    if not _claim(row, base_version):
        raise conflict(row, base_version, {})
    row.refresh_from_db()
    gone_id = row.id
    row._history_user, row._change_reason = by and by.user, reason[:100]
    row.delete()
    row.id = gone_id  # the deleted instance still says which one it was
    return _configuration(row, numbers, Change.REMOVED, by, door, reason, proposal_id, reverts)


def restore(model, pk, *, by, door, reason="", changes=None, base_version=None, proposal_id=None, reverts=None):
    """Bring a removed row back under its own id, as the version after its last. Returns (row, Configuration).

    `changes` ({field: value}) are made to what it was when it was removed. Raises model.DoesNotExist where
    no such row ever was, Conflict where it was not removed, or last removed after `base_version`, or somebody was faster,
    ValidationError.
    """
    last = model.history.filter(id=pk).order_by("-version").first()
    if last is None:
        raise model.DoesNotExist
    row = last.instance
    numbers = _next_numbers(row)
    if last.history_type != "-" or base_version not in (None, last.version):
        raise conflict(row, last.version if base_version is None else base_version, changes or {})
    row.version = last.version + 1
    for field, value in (changes or {}).items():
        setattr(row, field, value)
    _validate(row)
    _save_with_history(row, by, reason, force_insert=True)
    return row, _configuration(row, numbers, Change.RESTORED, by, door, reason, proposal_id, reverts)


def at_version(model, pk, version):
    """The fields of one version as {field: value}; None where there is no such version."""
    past = model.history.filter(id=pk, version=version).first()
    return None if past is None else fields_of(past)


def fields_of(row):
    """The versioned fields of a row, or of one of its history rows, as {field: value}."""
    model = getattr(row, "instance_type", type(row))
    return {field: getattr(row, field) for field in model.FIELDS}


def conflict(row, base_version, changes) -> Conflict:
    """The Conflict that tells base, current and proposed value of each field."""
    model = type(row)
    current = model._default_manager.filter(pk=row.pk).first()
    base = at_version(model, row.pk, base_version) or {}
    now = fields_of(current) if current else dict.fromkeys(model.FIELDS)
    told = [
        {"field": f, "base": base.get(f), "current": now[f], "proposed": changes.get(f, base.get(f))}
        for f in model.FIELDS
    ]
    return Conflict(
        base_version=base_version,
        current=current,
        fields=[t for t in told if not t["base"] == t["current"] == t["proposed"]],
    )


def _claim(row, base_version):
    return type(row)._default_manager.filter(pk=row.pk, version=base_version).update(version=F("version") + 1)


def _validate(row):
    try:
        row.full_clean(validate_unique=False, validate_constraints=False, exclude=["id", "workspace", "agent"])
        row.validate_constraints(exclude=["id", "workspace"])
    except ValidationError as error:
        raise ValidationError(error.message_dict) from error


def _save_with_history(row, by, reason, **how):
    """Save the checked row. Raises ValidationError or Conflict where somebody was faster since the check."""
    row._history_user, row._change_reason = by and by.user, reason[:100]
    try:
        with transaction.atomic():
            row.save(**how)
    except IntegrityError as error:
        _validate(row)  # a name that was given away meanwhile
        if how and type(row).history.filter(id=row.pk, version__gte=row.version).exists():
            raise conflict(row, row.version - 1, fields_of(row)) from error
        raise


def _next_numbers(row):
    """The numbers that the agent's configuration and memory base get with this change. Taken before anything else is touched:
    whoever makes several changes in one transaction and whoever makes one wait for each other here, and never in a circle."""
    bumps = {"configuration_version": F("configuration_version") + 1}
    if row.KIND == "memory":
        bumps["memory_base_version"] = F("memory_base_version") + 1
    Agent.objects.filter(pk=row.agent_id).update(**bumps)
    return Agent.objects.values_list("configuration_version", "memory_base_version").get(pk=row.agent_id)


def _configuration(row, numbers, change, by, door, reason, proposal_id, reverts=None):
    number, memory_base = numbers
    return Configuration.objects.create(
        workspace_id=row.workspace_id,
        agent_id=row.agent_id,
        number=number,
        change=change,
        target_kind=row.KIND,
        target_id=row.id,
        target_version=row.version,
        memory_base_version=memory_base,
        by=by,
        door=door,
        reason=reason,
        proposal_id=proposal_id,
        reverts=reverts,
    )
