"""What can be done to proposals: make, approve, reject, rebase, take back. Pages, API, Slack, admin and chat all call these."""

import uuid
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from agents import actions as configuration
from agents import decisions, versions
from agents.access import Refusal, Right, require
from agents.models import Decision, Procedure, Prompt
from coaching.actions import changes
from coaching.actions.slack import posts
from coaching.actions.targets import MODELS
from coaching.models import Message, Proposal, Session
from coaching.texts.merging import merge_fields
from coaching.texts.risk import assess
from memories import actions as memories
from memories.models import Memory

Type, Status = Proposal.Type, Proposal.Status
MOST_AT_ONCE = 200  # proposals that one person decides with one click


class AlreadyDecided(Refusal):
    """Somebody was first; `proposal` says who, when and from where."""

    def __init__(self, proposal):
        if proposal.status == Status.SUPERSEDED:
            super().__init__("This proposal was replaced by a newer one.")
        else:
            at = timezone.localtime(proposal.decided_at, proposal.workspace.zone)
            super().__init__(
                f"Already {proposal.status} by {proposal.decided_by.display_name} at {at:%H:%M on %d %b %Y}."
            )
        self.proposal = proposal


class NotApplied(Refusal):
    """There is nothing to take back: the proposal was never applied."""


class NothingToRebase(Refusal):
    """The proposal is not stale, or what it asks for is there already."""


class NotTogether(Refusal):
    """These proposals cannot be decided with one click."""


class NotAPossibleTarget(Refusal):
    """The target is gone, never was, or belongs to another agent."""


def create(
    agent, *, type, rationale, change=None, target_id=None, base_version=None, evidence=(), told="", quotes=(), planted=(),
    proposed_by=None, session=None, turn=None, replaces=None, fingerprint="", new_id=None, brought_by=None,
):  # fmt: skip
    """Store a pending proposal and return it. `change` holds model fields (summary, text, expires_at | system_prompt | name, …).

    `proposed_by` is the person who suggests; None means the coach. `replaces`, a pending proposal of the same agent, is
    superseded. `told` is the leader's message, where its evidence is that it was asked for there; `quotes` are the words its
    evidence points at. Both are read for the risk and not stored. `planted` says what was read for it
    that holds words like instructions to the coach. The same `fingerprint` in one session gives back the proposal that is
    there already. `new_id` is the id that something new shall have, `brought_by` the import that brings it. Raises NotAllowed,
    NotAPossibleTarget, versions.Conflict (the base version is not one the target has
    had), AlreadyDecided (`replaces`), ValidationError.
    """
    if proposed_by is not None:
        require(proposed_by, Right.COACH_AI)
    if not agent.is_ai:
        raise ValidationError(
            {"agent": f"{agent} is a person: only an AI agent's prompt, memories and procedures are changed so."}
        )
    if type not in Type.values:
        raise ValidationError({"type": f"Unknown type. Known: {', '.join(Type.values)}."})
    if not rationale.strip():
        raise ValidationError({"rationale": "A proposal says why."})
    model = MODELS[type.split("_")[0]]
    base = {}
    if type in Proposal.CREATES:
        if target_id is not None or base_version is not None:
            raise ValidationError({"target": "Something new has no target and no base version."})
    else:
        target = find_target(agent, model, target_id)
        base_version = target.version if base_version is None else base_version
        base = versions.at_version(model, target.pk, base_version)
        if base is None:
            raise ValidationError(
                {"baseVersion": f"There is no version {base_version}; the current one is {target.version}."}
            )
        target_id = target.pk
    if new_id is not None and type not in Proposal.CREATES:
        raise ValidationError({"target": "Only something new is given an id."})
    change = proposed_change(type, model, change or {}, base)
    if type not in Proposal.CREATES and not type.endswith("_delete") and change == {f: base[f] for f in change}:
        raise ValidationError({"change": "This changes nothing."})
    risk = assess(type=type, change=change, base=base, rationale=rationale, told=told, quotes=quotes, planted=planted)
    evidence = list(evidence)
    proposal = Proposal(
        workspace_id=agent.workspace_id, agent=agent, type=type, title=title_of(type, change, base), rationale=rationale.strip(),
        evidence=evidence, n_conversations=_n_conversations(evidence), target_id=target_id or new_id, base_version=base_version,
        base=stored(base), change=stored(change),
        risk_level=risk.level, risk_reasons=risk.reasons, session=session, turn=turn, fingerprint=fingerprint,
        proposed_by=proposed_by, replaces=replaces, brought_by=brought_by,
    )  # fmt: skip
    try:
        with transaction.atomic():
            if replaces is not None:
                _supersede(replaces, agent, by=proposed_by)
            proposal.save(force_insert=True)
            posts.owe_proposal(proposal)
    except IntegrityError:
        there = Proposal.objects.filter(session=session, fingerprint=fingerprint).exclude(fingerprint="").first()
        if there is None:
            raise
        return there
    return proposal


def approve(proposal, *, by, door, note="", change=None):
    """Apply the proposal at once, as a new version. `change` is the reviewer's edited version of its fields.

    Raises NotAllowed, AlreadyDecided, versions.Conflict (the proposal stays pending), NotAPossibleTarget, ValidationError.
    """
    require_decider(proposal, by)
    _refuse_unknown(proposal)
    _refuse_decided(proposal)
    with transaction.atomic():
        edited = None if change is None else _edited(proposal, change)
        applied = fields_to_apply(proposal) if edited is None else edited
        # The guard: whoever turns "pending" first has decided. Result columns are filled below, in the same transaction.
        new_id = proposal.target_id or uuid.uuid4()
        _decide(
            proposal, Status.APPROVED, by, door, note,
            target_id=new_id, result_version=0, configuration_number=0,
            approved_change=None if edited is None else stored(edited),
        )  # fmt: skip
        made = _apply(proposal, applied, new_id, by, door, note)
        Proposal.objects.filter(pk=proposal.pk).update(
            result_version=made.target_version, configuration_number=made.number
        )
        decisions.append(
            workspace_id=proposal.workspace_id, by=by, door=door, action=Decision.Action.APPROVED, agent=proposal.agent,
            target_kind=proposal.target_kind, target_id=new_id, title=proposal.title, configuration=made, proposal=proposal,
            note=note,
        )  # fmt: skip
    proposal.refresh_from_db()
    return proposal


def reject(proposal, *, by, door, reason=""):
    """Decide against it; the coach reads the reason later. Raises NotAllowed, AlreadyDecided, ValidationError (its type)."""
    require_decider(proposal, by)
    _refuse_unknown(proposal)
    _refuse_decided(proposal)
    with transaction.atomic():
        _decide(proposal, Status.REJECTED, by, door, reason)
        decisions.append(
            workspace_id=proposal.workspace_id, by=by, door=door, action=Decision.Action.REJECTED, agent=proposal.agent,
            target_kind=proposal.target_kind, target_id=proposal.target_id, title=proposal.title, proposal=proposal, note=reason,
        )  # fmt: skip
    proposal.refresh_from_db()
    return proposal


def rebase(proposal, *, by, door, change=None, base_version=None):
    """Write a stale proposal anew against its target's current version, and supersede it. Returns the new, pending one.

    Where the edits of both sides do not touch they are put together. Where they touch, a person says what it shall be as
    `change` ({field: value}), written against `base_version`. Evidence, risk and the talk it came from are carried over.
    Raises NotAllowed, AlreadyDecided, NotAPossibleTarget, NothingToRebase, ValidationError, and versions.Conflict where
    edits touch, or where the target has moved on from `base_version` too.
    """
    require_decider(proposal, by)
    _refuse_unknown(proposal)
    if proposal.status != Status.PENDING:
        raise AlreadyDecided(proposal)
    if not is_stale(proposal):
        raise NothingToRebase("This proposal is up to date.")
    target = find_target(proposal.agent, MODELS[proposal.target_kind], proposal.target_id)
    is_delete = proposal.type.endswith("_delete")
    base, wanted = loaded(proposal.base), fields_to_apply(proposal)
    if is_delete:
        change = {}
    elif change is None:
        merged = merge_fields(base, versions.fields_of(target), wanted)
        if merged.touching:
            raise versions.conflict(target, proposal.base_version, wanted)
        change = merged.fields
    elif base_version != target.version:
        raise versions.conflict(target, base_version, change)
    if not is_delete and {**versions.fields_of(target), **change} == versions.fields_of(target):
        raise NothingToRebase(f"What it asks for is there already, as version {target.version}. It can be rejected.")
    with transaction.atomic():
        made = create(
            proposal.agent, type=proposal.type, change=change, target_id=proposal.target_id, base_version=target.version,
            rationale=proposal.rationale, evidence=proposal.evidence, told=_told(proposal), session=proposal.session,
            turn=proposal.turn, brought_by=proposal.brought_by,
        )  # fmt: skip
        _supersede(proposal, proposal.agent, by=by, door=door)
        reasons = [*made.risk_reasons, *(reason for reason in proposal.risk_reasons if reason not in made.risk_reasons)]
        level = Proposal.Risk.HIGH if reasons else Proposal.Risk.LOW
        carried = {
            "replaces": proposal,
            "proposed_by": proposal.proposed_by,
            "risk_reasons": reasons,
            "risk_level": level,
        }
        Proposal.objects.filter(pk=made.pk).update(**carried)
        decisions.append(
            workspace_id=proposal.workspace_id, by=by, door=door, action=Decision.Action.REBASED, agent=proposal.agent,
            target_kind=proposal.target_kind, target_id=proposal.target_id, title=proposal.title, proposal=proposal,
        )  # fmt: skip
    proposal.refresh_from_db()
    made.refresh_from_db()
    return made


def decide_together(rows, *, verdict, by, door, note=""):
    """Approve or reject several proposals of one type and of low risk, each a decision of its own.

    `verdict` is Status.APPROVED or Status.REJECTED. Returns [(proposal, None or the Exception that kept it from being
    decided)] in the given order. Raises NotAllowed; NotTogether before anything is decided.
    """
    require(by, Right.APPROVE)
    if verdict not in (Status.APPROVED, Status.REJECTED):
        raise ValueError(f"{verdict} is no verdict.")
    rows = list(rows)
    require_togetherness(rows)
    told: list[tuple[Proposal, Exception | None]] = []
    for row in rows:
        try:
            if verdict == Status.APPROVED:
                approve(row, by=by, door=door, note=note)
            else:
                reject(row, by=by, door=door, reason=note)
        except (Refusal, ValidationError) as refusal:
            told.append((row, refusal))
        else:
            told.append((row, None))
    return told


def require_togetherness(rows):
    """Raises NotTogether unless these proposals can be decided with one click."""
    if len(rows) > MOST_AT_ONCE:
        raise NotTogether(f"At most {MOST_AT_ONCE} proposals are decided at once.")
    if len({row.type for row in rows}) > 1:
        raise NotTogether("Only proposals of one type are decided at once. Filter by type first.")
    if any(row.risk_level != Proposal.Risk.LOW for row in rows):
        raise NotTogether("A proposal of high risk is decided by itself.")


def revert(proposal, *, by, door, note="", change=None, base_version=None):
    """Take an applied change back, as coaching.actions.changes.take_back does. Returns its Configuration.

    Raises NotApplied, and what `take_back` raises.
    """
    require_decider(proposal, by)
    if proposal.status != Status.APPROVED:
        raise NotApplied("Only an approved change can be taken back.")
    made = proposal.agent.configurations.get(number=proposal.configuration_number)
    return changes.take_back(made, by=by, door=door, note=note, change=change, base_version=base_version)


def require_decider(proposal, by):
    """Raises NotAllowed unless `by` may decide on this very proposal."""
    changes.require_place(proposal, by)


def _refuse_unknown(proposal):
    if proposal.type not in Type.values:
        raise ValidationError(f"“{proposal.type}” comes from another release; this one cannot apply it.")


def _refuse_decided(proposal):
    """Whoever is plainly late is told so without waiting to write. What decides is the guard in `_decide`."""
    if not Proposal.objects.pending().filter(pk=proposal.pk).exists():
        proposal.refresh_from_db()
        raise AlreadyDecided(proposal)


def target_of(proposal):
    """The row the proposal would change, as it is now; None where there is none (yet, or any more)."""
    if proposal.target_id is None:
        return None
    return MODELS[proposal.target_kind].objects.filter(pk=proposal.target_id, agent_id=proposal.agent_id).first()


def is_stale(proposal) -> bool:
    """Whether a pending proposal's target has moved on, or is gone, since its base version."""
    if proposal.status != Status.PENDING or proposal.is_create:
        return False
    target = target_of(proposal)
    return target is None or target.version != proposal.base_version


def find_target(agent, model, target_id):
    """The agent's own row of that id; the prompt needs no id. Raises NotAPossibleTarget."""
    rows = model.objects.filter(agent=agent)
    if model is Prompt and target_id is None:
        return rows.get()
    row = rows.filter(pk=target_id).first() if target_id is not None else None
    if row is None:
        raise NotAPossibleTarget(f"This agent has no such {model.KIND}.")
    return row


def proposed_change(type, model, change, base):
    """The fields of `change` that belong to this type, checked and complete. Raises ValidationError that names the field."""
    unknown = set(change) - set(model.FIELDS)
    if unknown:
        raise ValidationError(dict.fromkeys(unknown, f"A {model.KIND} has no such field."))
    if type.endswith("_delete"):
        if change:
            raise ValidationError({"change": "A delete changes no field."})
        return {}
    whole = {**base, **change}
    if model is Memory:
        unchanged_expiry = bool(base) and whole.get("expires_at") == base.get("expires_at")
        whole = {"text": "", "expires_at": None} | memories.checked(
            {"summary": "", **whole}, past_expiry_is_fine=unchanged_expiry
        )
    elif model is Procedure:
        whole = {"trigger": "", "active": True, "folder": ""} | whole
        missing = next((f for f in ("name", "content") if not (whole.get(f) or "").strip()), None)
        if missing:
            raise ValidationError({missing: "A procedure has a name and steps."})
    _check_lengths(model, whole)
    return whole


def _check_lengths(model, fields):
    row = model(**fields)
    row.clean_fields(exclude=[f.name for f in model._meta.fields if f.name not in fields])


def fields_to_apply(proposal):
    """The proposal's fields as model values (instants as datetimes)."""
    return loaded(proposal.change)


def loaded(fields):
    """Stored fields back as model values."""
    return {k: datetime.fromisoformat(v) if k == "expires_at" and v else v for k, v in fields.items()}


def stored(fields):
    """Model values as JSON holds them; `loaded` reads them back."""
    return {k: v.isoformat() if isinstance(v, datetime) else v for k, v in fields.items()}


def _edited(proposal, change):
    model = MODELS[proposal.target_kind]
    return proposed_change(proposal.type, model, {**fields_to_apply(proposal), **change}, loaded(proposal.base))


def title_of(type, change, base):
    """What a list shows: the memory's summary, the procedure's name, or the first line that a prompt change adds."""
    if type == Type.PROMPT_CHANGE:
        before = set(base["system_prompt"].splitlines())
        new = [
            line.strip("#*- ") for line in change["system_prompt"].splitlines() if line.strip() and line not in before
        ]
        return (new[0] if new else "Take lines out of the prompt")[:300]
    fields = {**base, **change}
    return (fields.get("summary") or fields.get("name") or "")[:300]


def _n_conversations(evidence):
    return len({one["conversation"] for one in evidence if one.get("conversation")})


def _told(proposal):
    """What the leader said in the messages that are its evidence."""
    ids = {one["message"] for one in proposal.evidence if "message" in one}
    asked = Message.objects.filter(session_id=proposal.session_id, role=Message.Role.USER) if ids else ()
    return "\n".join(message.text for message in asked if str(message.pk) in ids)


def _supersede(old, agent, *, by, door=""):
    if old.agent_id != agent.pk:
        raise NotAPossibleTarget("Only a proposal for the same agent can be replaced.")
    now = timezone.now()
    superseded = {"status": Status.SUPERSEDED, "decided_at": now, "decided_by": by, "decided_from": door}
    if not Proposal.objects.pending().filter(pk=old.pk).update(**superseded):
        old.refresh_from_db()
        raise AlreadyDecided(old)
    _tell_who_shows(old)


def _decide(proposal, status, by, door, note, **values):
    decided = (
        Proposal.objects.pending()
        .filter(pk=proposal.pk)
        .update(
            status=status, decided_by=by, decided_at=timezone.now(), decided_from=door, decision_note=note, **values
        )
    )
    if not decided:
        proposal.refresh_from_db()
        raise AlreadyDecided(proposal)
    _tell_who_shows(proposal)


def _tell_who_shows(proposal):
    """Whoever has the session open that it came from sees the card change: their stream follows `updated_at`. So does Slack."""
    posts.redraw(proposal=proposal)
    if proposal.session_id is not None:
        Session.objects.filter(pk=proposal.session_id).update(updated_at=timezone.now())


def _apply(proposal, fields, new_id, by, door, note):
    """Make the new version by the same actions as a change by hand. Returns its Configuration."""
    how = {"by": by, "door": door, "reason": note or proposal.title, "proposal": proposal}
    agent, model = proposal.agent, MODELS[proposal.target_kind]
    if proposal.is_create and model.history.filter(id=new_id).exists():
        # It was there before, under the id that an import knows it by.
        if model.history.filter(id=new_id).exclude(agent_id=agent.pk).exists():
            raise NotAPossibleTarget(f"The id of this {proposal.target_kind} is taken.")
        try:
            configuration.restore(model, new_id, changes=memories.checked(fields) if model is Memory else fields, **how)
        except versions.Conflict as error:
            words = f"This {proposal.target_kind} is there already: it was brought in after this was proposed."
            raise NotAPossibleTarget(words) from error
    elif proposal.type == Type.MEMORY_CREATE:
        memories.create(agent, id=new_id, source=_source(proposal), **fields, **how)
    elif proposal.type == Type.PROCEDURE_CREATE:
        configuration.create_procedure(agent, id=new_id, **fields, **how)
    else:
        target = target_of(proposal)
        if target is None:
            raise versions.conflict(model(pk=proposal.target_id), proposal.base_version, fields)
        if proposal.type in (Type.MEMORY_DELETE, Type.PROCEDURE_DELETE):
            configuration.remove(target, base_version=proposal.base_version, **how)
        elif proposal.type == Type.MEMORY_UPDATE:
            memories.revise(target, changes=fields, base_version=proposal.base_version, **how)
        else:
            configuration.revise(target, changes=fields, base_version=proposal.base_version, **how)
    return agent.configurations.get(target_id=new_id, proposal_id=proposal.pk)


def _source(proposal):
    """Where a memory that this proposal makes comes from."""
    if proposal.brought_by_id is not None:
        return Memory.Source.IMPORT
    return Memory.Source.COACH if proposal.proposed_by_id is None else Memory.Source.MANUAL
