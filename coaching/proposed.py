"""What a proposal would change and what became of it: what every place that shows one reads."""

from collections import defaultdict

from django.db.models import Count, OuterRef, Subquery
from django.db.models.functions import Coalesce

from agents.models import Configuration
from coaching.actions import proposals
from coaching.actions.targets import MODELS
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


def is_taken_back(n_made):
    """Whether a proposal of which so many Configurations came does not stand any more: each took back the one before."""
    return n_made > 0 and n_made % 2 == 0


def taken_back_each(proposals):
    """{proposal id: the Configuration that took it back} of those that do not stand any more, by one query."""
    approved = {row.pk: row.agent_id for row in proposals if row.status == Status.APPROVED}
    made_of = defaultdict(list)
    rows = Configuration.objects.filter(agent_id__in=set(approved.values()), proposal_id__in=approved)
    for row in rows.select_related("by__user").order_by("proposal_id", "number"):
        made_of[row.proposal_id].append(row)
    return {pk: made[-1] for pk, made in made_of.items() if is_taken_back(len(made))}


def with_n_made(rows):
    """A queryset of proposals, each with `n_made`: how many Configurations came of it."""
    of_target = Configuration.objects.filter(  # by its target, for which there is an index
        target_kind__in=MODELS, target_id=OuterRef("target_id"), proposal_id=OuterRef("pk")
    )
    counted = of_target.order_by().values("proposal_id").annotate(n=Count("*")).values("n")
    return rows.annotate(n_made=Coalesce(Subquery(counted), 0))
