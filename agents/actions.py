"""What can be done to agents, their prompts and their procedures. Every door calls these."""

from django.core.exceptions import ValidationError
from django.db import transaction

from agents import decisions, names, versions
from agents.access import Right, require
from agents.models import Agent, Configuration, Decision, ExternalId, Procedure, Prompt, Team

VERB = {
    Configuration.Change.CREATED: Decision.Action.CREATED,
    Configuration.Change.REVISED: Decision.Action.REVISED,
    Configuration.Change.REMOVED: Decision.Action.REMOVED,
    Configuration.Change.RESTORED: Decision.Action.RESTORED,
}


def create_agent(
    workspace, *, name, by, door, kind=Agent.Kind.HUMAN, team="", system_prompt="", external_ids=None, **fields
):
    """Make an agent; an AI agent gets its prompt as version 1. `team` is a name, made if new. Raises ValidationError.

    `by` is None for the product's own imports, which may make agents that a file names.
    """
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)
    if kind != Agent.Kind.AI and system_prompt:
        raise ValidationError({"system_prompt": "Only an AI agent has a prompt."})
    if kind != Agent.Kind.AI and fields.get("coaching"):
        raise ValidationError({"coaching": "Only an AI agent has a coach."})
    with transaction.atomic():
        names.check(name.strip())
        agent = Agent(workspace=workspace, name=name.strip(), kind=kind, team=team_named(workspace, team), **fields)
        agent.full_clean(exclude=["workspace", "team"])
        agent.save(force_insert=True)
        if agent.is_ai:
            prompt = Prompt(workspace=workspace, agent=agent, system_prompt=system_prompt)
            versions.create(prompt, by=by, door=door, reason="Agent created")
        set_external_ids(agent, external_ids or {})
        agent.refresh_from_db()
    return agent


def update_agent(agent, *, by, team=None, external_ids=None, **fields):
    """Change an agent's name, team, activity, coaching or storage. Raises NotAllowed, ValidationError.

    Only what is given is written. `agent` is read anew, so that what others change at the same time stays.
    """
    require(by, Right.MANAGE_WORKSPACE)
    if "name" in fields:
        names.check(fields["name"])
    with transaction.atomic():
        agent.refresh_from_db(from_queryset=Agent.objects.select_for_update(no_key=True))
        given = dict(fields)
        if team is not None:
            given["team"] = team_named(agent.workspace, team)
        for field, value in given.items():
            setattr(agent, field, value)
        if agent.coaching and not agent.is_ai:
            raise ValidationError({"coaching": "Only an AI agent has a coach."})
        agent.full_clean(exclude=["workspace", "team"])
        if given:
            agent.save(update_fields=list(given))
        if external_ids is not None:
            set_external_ids(agent, external_ids)
    return agent


def team_named(workspace, name):
    """The team of that name, made if new; None for an empty name. Raises ValidationError."""
    name = name.strip()
    if not name:
        return None
    names.check(name, field="team")
    return Team.objects.get_or_create(workspace=workspace, name=name)[0]


def create_team(workspace, *, by, name):
    """A new team. Raises NotAllowed, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    team = Team(workspace=workspace, name=names.in_one_line(name))
    names.check(team.name)
    team.full_clean()
    team.save(force_insert=True)
    return team


def rename_team(team, *, by, name):
    """Call a team `name` from now on. Raises NotAllowed, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    renamed = Team.objects.select_related("workspace").get(pk=team.pk)
    renamed.name = names.in_one_line(name)
    names.check(renamed.name)
    renamed.full_clean()
    renamed.save(update_fields=["name"])


def set_external_ids(agent, ids):
    """Make `ids` ({source: id}) the whole of how sources call this agent. Raises ValidationError where one is taken."""
    agent.external_ids.exclude(source__in=ids).delete()
    for source, value in ids.items():
        taken = ExternalId.objects.filter(workspace_id=agent.workspace_id, source=source, value=value)
        if taken.exclude(agent=agent).exists():
            raise ValidationError({"external_ids": f"{source} {value} belongs to another agent."})
        ExternalId.objects.update_or_create(
            agent=agent, source=source, defaults={"value": value, "workspace_id": agent.workspace_id}
        )


def change_prompt(prompt, *, system_prompt, base_version, by, door, reason="", proposal=None):
    """A new version of the system prompt. Raises NotAllowed, versions.Conflict, ValidationError."""
    return revise(
        prompt, changes={"system_prompt": system_prompt}, base_version=base_version, by=by, door=door, reason=reason,
        proposal=proposal,
    )  # fmt: skip


def create_procedure(agent, *, by, door, reason="", proposal=None, **fields):
    """A new procedure (name, trigger, content, active). Raises NotAllowed, ValidationError."""
    return create(
        Procedure(workspace_id=agent.workspace_id, agent=agent, **fields),
        by=by,
        door=door,
        reason=reason,
        proposal=proposal,
    )


def create(row, *, by, door, reason="", proposal=None):
    """Store a new versioned row, number the configuration and log it. Raises NotAllowed, ValidationError."""
    require(by, Right.CONFIGURE)
    if not row.agent.is_ai:
        raise ValidationError({"agent": f"{row.agent} is a person: only AI agents have a {row.KIND}."})
    with transaction.atomic():
        made = versions.create(row, by=by, door=door, reason=reason, proposal_id=proposal and proposal.pk)
        _log(row, made, by, door, reason)
    return row


def revise(row, *, changes, base_version, by, door, reason="", proposal=None, reverts=None):
    """A new version with `changes` ({field: value}); `reverts` is the Configuration that it takes back, where it does.

    Raises NotAllowed, versions.Conflict, ValidationError.
    """
    require(by, Right.CONFIGURE)
    with transaction.atomic():
        made = versions.revise(
            row,
            base_version=base_version,
            changes=changes,
            by=by,
            door=door,
            reason=reason,
            proposal_id=proposal and proposal.pk,
            reverts=reverts,
        )
        _log(row, made, by, door, reason)
    return row


def remove(row, *, base_version, by, door, reason="", proposal=None, reverts=None):
    """Take it out of what the agent is told; it can be restored. Raises NotAllowed, versions.Conflict, ValidationError."""
    require(by, Right.CONFIGURE)
    if row.KIND == Prompt.KIND:
        raise ValidationError("A prompt can be emptied, not removed.")
    with transaction.atomic():
        made = versions.remove(
            row,
            base_version=base_version,
            by=by,
            door=door,
            reason=reason,
            proposal_id=proposal and proposal.pk,
            reverts=reverts,
        )
        _log(row, made, by, door, reason)
    return made


def restore(model, pk, *, by, door, reason="", changes=None, base_version=None, proposal=None, reverts=None):
    """Bring a removed one back under its own id, with `changes` ({field: value}) where it shall be another.

    With `base_version` only where that is the version that removed it.

    Raises NotAllowed, model.DoesNotExist, versions.Conflict, ValidationError.
    """
    require(by, Right.CONFIGURE)
    with transaction.atomic():
        row, made = versions.restore(
            model,
            pk,
            by=by,
            door=door,
            reason=reason,
            changes=changes,
            base_version=base_version,
            proposal_id=proposal and proposal.pk,
            reverts=reverts,
        )
        _log(row, made, by, door, reason)
    return row


def _log(row, made, by, door, reason):
    """A change by hand is a decision of its own; an approval and a taking back write their own entries."""
    if made.proposal_id is None and made.reverts_id is None:
        decisions.append(
            workspace_id=row.workspace_id, by=by, door=door, action=VERB[made.change], agent=row.agent, target_kind=row.KIND,
            target_id=row.id, title=str(row)[:300], configuration=made, note=reason,
        )  # fmt: skip
