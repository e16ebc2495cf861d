"""Taking back: what one change of an AI agent's prompt, procedures or memories did is undone by one more version."""

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from agents import actions as configuration
from agents import decisions, versions
from agents.access import NotAllowed, Refusal, Right, require
from agents.models import Configuration, Decision, Prompt
from coaching.actions.slack import posts
from coaching.actions.targets import MODELS
from coaching.models import Proposal
from memories import actions as memories
from memories.models import Memory

Change = Configuration.Change


class AlreadyTakenBack(Refusal):
    """It was taken back before; `made` is the Configuration that did."""

    def __init__(self, made):
        by = made.by.display_name if made.by else "Touchline"
        super().__init__(f"It was taken back already, by {by}, as configuration {made.number}.")
        self.made = made


class NothingToTakeBack(Refusal):
    """It is as it was before the change; or it is the first version of a prompt, which came with its agent."""


def came_with_its_agent(made: Configuration) -> bool:
    """Whether it is the first version of a prompt, which can be emptied but not taken back."""
    return made.target_kind == Prompt.KIND and made.change == Change.CREATED


def before_and_after(made: Configuration) -> tuple[dict, dict]:
    """The fields before and after the change, {field: value}; empty where the thing was not there."""
    model = MODELS[made.target_kind]
    after = versions.at_version(model, made.target_id, made.target_version) or {}
    before = versions.at_version(model, made.target_id, made.target_version - 1) or {}
    return (
        {} if made.change in (Change.CREATED, Change.RESTORED) else before,
        {} if made.change == Change.REMOVED else after,
    )


def take_back(made: Configuration, *, by, door, note="", change=None, base_version=None) -> Configuration:
    """Undo the change that made this configuration: a new version with the fields of before, or gone, or there again.

    Where its target has moved on since, a person says what it shall be as `change` ({field: value}), written against
    `base_version`. Raises NotAllowed, AlreadyTakenBack, NothingToTakeBack, versions.Conflict, ValidationError.
    """
    require_place(made, by)
    model, proposal = MODELS[made.target_kind], _proposal(made)
    if came_with_its_agent(made):
        raise NothingToTakeBack("A prompt came with its agent: it can be emptied, not taken back.")
    title = proposal.title if proposal else title_of(made)
    reason = note or f"Taken back: {title}"
    how = {"by": by, "door": door, "reason": reason, "proposal": proposal, "reverts": made}
    try:
        with transaction.atomic():
            _undo(made, model, how, change, base_version)
            undone = Configuration.objects.get(reverts=made)
            decisions.append(
                workspace_id=made.workspace_id, by=by, door=door, action=Decision.Action.REVERTED, agent=made.agent,
                target_kind=made.target_kind, target_id=made.target_id, title=title, configuration=undone,
                proposal=proposal, note=note,
            )  # fmt: skip
            if proposal is not None:
                posts.redraw(proposal=proposal)
    except (versions.Conflict, NothingToTakeBack, IntegrityError) as error:
        if earlier := Configuration.objects.filter(reverts=made).select_related("by__user").first():
            raise AlreadyTakenBack(earlier) from error
        raise
    return undone


def _undo(made, model, how, change, base_version):
    base_version = made.target_version if base_version is None else base_version
    row = model.objects.filter(agent_id=made.agent_id, pk=made.target_id).first()
    if made.change == Change.REMOVED:
        if row is not None:
            raise NothingToTakeBack(f"This {made.target_kind} was brought back already.")
        _refuse_unknown(model, change)
        fields = memories.checked(change) if model is Memory and change else change
        configuration.restore(model, made.target_id, changes=fields, base_version=base_version, **how)
        return
    before, _ = before_and_after(made)
    if row is None and not before:
        raise NothingToTakeBack(f"This {made.target_kind} is gone already.")
    if row is None:
        raise versions.conflict(model(pk=made.target_id), base_version, change or before)
    if change is not None and row.version == base_version:
        _refuse_idle(row, change)
    if change is None and before == versions.fields_of(row):
        raise NothingToTakeBack(f"This {made.target_kind} is as it was before already.")
    if change is not None:
        revise = memories.revise if model is Memory else configuration.revise
        revise(row, changes=change, base_version=base_version, **how)
    elif before:
        # Straight to the version: an expiry that has passed meanwhile was right when it was written.
        configuration.revise(row, changes=before, base_version=base_version, **how)
    else:
        configuration.remove(row, base_version=base_version, **how)


def _refuse_unknown(model, change):
    if unknown := set(change or ()) - set(model.FIELDS):
        raise ValidationError(dict.fromkeys(unknown, f"A {model.KIND} has no such field."))


def _refuse_idle(row, change):
    """What leaves everything as it is takes nothing back, and must not be told as if it had."""
    _refuse_unknown(type(row), change)
    now = versions.fields_of(row)
    if {**now, **change} == now:
        raise ValidationError("This leaves everything as it is, so nothing would be taken back.")


def _proposal(made):
    return Proposal.objects.filter(pk=made.proposal_id).first() if made.proposal_id else None


def title_of(made: Configuration) -> str:
    """What the changed thing is called: as it was after the change, for the prompt that it is the prompt."""
    before, after = before_and_after(made)
    fields = after or before
    return (fields.get("summary") or fields.get("name") or f"Prompt of {made.agent}")[:300]


def require_place(row, by, right=Right.APPROVE):
    """Raises NotAllowed unless `by` may do this, to decide unless told otherwise, in this row's workspace."""
    require(by, right)
    if by.workspace_id != row.workspace_id:
        raise NotAllowed("This belongs to another workspace.")
