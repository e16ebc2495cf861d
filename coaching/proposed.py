"""What a proposal would change and what became of it: what every place that shows one reads."""

from collections import defaultdict

from agents.models import Configuration
from coaching.actions import proposals
from coaching.models import Proposal
from coaching.texts import diffs

Status = Proposal.Status


def is_known(proposal):
    """Whether this release knows the type: another one may have written to the same database."""
    return proposal.type in Proposal.Type.values


def changes_of(proposal, change=None):
    """The FieldDiffs of a proposal, or of an edited `change` ({field: value}) of it.

    Everything for something new or removed, else the fields that differ.
    """
    base = proposals.loaded(proposal.base)
    if change is None:
        change = proposals.fields_to_apply(proposal)
    if proposal.is_create:
        return diffs.created(change)
    return diffs.fields(base, {} if proposal.type.endswith("_delete") else {**base, **change})


def applied_fields(proposal):
    """The fields that an approval applied: the reviewer's, where they edited it."""
    return proposals.loaded(proposal.change if proposal.approved_change is None else proposal.approved_change)


def made(proposal):
    """The Configurations that came of an approved one, oldest first (applied, taken back, applied again, …): what took it back
    names it too."""
    if proposal.status != Status.APPROVED:
        return []
    rows = Configuration.objects.filter(agent_id=proposal.agent_id, proposal_id=proposal.pk)
    return list(rows.select_related("by__user").order_by("number"))


def taken_back_each(proposals):
    """{proposal id: the Configuration that took it back} of those that do not stand any more, by one query."""
    approved = [row.pk for row in proposals if row.status == Status.APPROVED]
    made_of = defaultdict(list)
    rows = Configuration.objects.filter(proposal_id__in=approved).select_related("by__user")
    for row in rows.order_by("proposal_id", "number"):
        made_of[row.proposal_id].append(row)
    return {pk: made[-1] for pk, made in made_of.items() if len(made) % 2 == 0}
