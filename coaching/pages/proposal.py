"""What the page of one proposal shows, read at once, from title to buttons."""

from dataclasses import dataclass, field

from django.utils import timezone

from agents import versions
from agents.access import Right, may
from agents.models import Configuration
from coaching import diffs
from coaching.actions import proposals
from coaching.coach.evidence import Quote
from coaching.models import Proposal
from coaching.pages.queue import Item, is_known, items, uuid_or_none
from helpdesk.models import Conversation

Status = Proposal.Status


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence. A leader's own message has no conversation; `quote` is empty where only the source has it."""

    conversation: Conversation | None = None
    turn: int | None = None
    quote: str = ""
    is_message: bool = False


@dataclass(frozen=True)
class Pane:
    """One field of a conflict, three times; `since` is what others changed in it, where anything did."""

    field: str
    label: str
    base: object
    current: object
    proposed: object
    since: diffs.FieldDiff | None


@dataclass(frozen=True)
class Detail:
    """One proposal, read top to bottom. `changes` is the diff as proposed, `approved` as it was applied where edited."""

    proposal: Proposal
    item: Item
    changes: list[diffs.FieldDiff]
    evidence: list[Evidence]
    may_decide: bool
    panes: list[Pane] = field(default_factory=list)
    approved: list[diffs.FieldDiff] = field(default_factory=list)
    superseded_by: Proposal | None = None
    taken_back: Configuration | None = None
    asked_by: object = None

    @property
    def is_known_type(self):
        return is_known(self.proposal)

    @property
    def has_lines(self):
        """Whether anything is told by lines, so that it can stand side by side."""
        return (
            not self.proposal.is_create and any(change.lines for change in self.changes) and bool(self.proposal.change)
        )

    @property
    def is_stale(self):
        return self.item.is_stale

    @property
    def target_is_gone(self):
        return self.is_stale and self.item.target_version is None

    @property
    def outcome(self):
        """What an approval would make, in words."""
        return outcome(self.proposal)

    @property
    def may_take_back(self):
        return self.proposal.status == Status.APPROVED and self.taken_back is None and self.is_known_type


def load(member, proposal, texts=None):
    """One proposal for a leader. `texts` are {conversation id: {turn: text}} where transcripts are at hand for quotes."""
    item = items([proposal])[0]
    return Detail(
        proposal=proposal,
        item=item,
        changes=changes_of(proposal),
        evidence=evidence_of(member, [proposal], texts or {})[proposal.pk],
        may_decide=may_decide(member, proposal),
        panes=panes(proposal) if item.is_stale else [],
        approved=changes_of(proposal, applied_fields(proposal)) if proposal.approved_change is not None else [],
        superseded_by=Proposal.objects.visible_to(member).filter(replaces=proposal).first(),
        taken_back=_taken_back(proposal),
        asked_by=asked_by(proposal),
    )


def may_decide(member, proposal):
    """Whether `member` can approve or reject it now. A type from another release can be read only."""
    return may(member, Right.APPROVE) and proposal.status == Status.PENDING and is_known(proposal)


def changes_of(proposal, change=None):
    """The FieldDiffs of a proposal, or of an edited `change` ({field: value}) of it.

    Everything for something new or removed, else the fields that differ.
    """
    base = proposals.loaded(proposal.base)
    if change is None:
        change = proposals.fields_to_apply(proposal)
    changes = diffs.fields(base, {} if proposal.type.endswith("_delete") else {**base, **change})
    if proposal.is_create and change.get("text") == change.get("summary"):
        return [one for one in changes if one.field != "text"]  # a memory of one sentence is not shown twice
    return changes


def outcome(proposal):
    """What approving would make of it: "as version 3", or that it is taken out."""
    if proposal.type.endswith("_delete"):
        return f"the {proposal.target_kind} is taken out"
    return f"as version {(proposal.base_version or 0) + 1}"


def asked_by(proposal):
    """The member in whose talk with the coach, or by whose own hand, it came to be; None where nobody asked."""
    if proposal.proposed_by is not None:
        return proposal.proposed_by
    return proposal.turn.asked_by if proposal.turn is not None else None


def panes(proposal):
    """The fields of a stale proposal as three values each: at its base, now, and as proposed."""
    model = proposals.MODELS[proposal.target_kind]
    clash = versions.conflict(model(pk=proposal.target_id), proposal.base_version, proposals.loaded(proposal.change))
    return told(clash)


def told(clash):
    """The panes of a versions.Conflict."""
    return [_pane(**field) for field in clash.fields]


def _pane(field, base, current, proposed):
    since = None if base == current else diffs.field_diff(field, base, current)
    return Pane(field, diffs.LABELS[field], base, current, proposed, since)


def evidence_of(member, rows, texts):
    """{proposal id: [Evidence]}, in one query. Quotes that are stored as references are read from `texts`."""
    given = {p.pk: [e for e in p.evidence if isinstance(e, dict)] for p in rows}
    ids = {uuid_or_none(e.get("conversation")) for items_ in given.values() for e in items_} - {None}
    known = {c.pk: c for c in Conversation.objects.visible_to(member).filter(pk__in=ids)} if ids else {}
    return {pk: [_evidence(one, known, texts) for one in items_] for pk, items_ in given.items()}


def _evidence(one, known, texts):
    if "message" in one:
        return Evidence(is_message=True)
    conversation = known.get(uuid_or_none(one.get("conversation")))
    quote = one.get("quote") or ""
    if not quote and conversation is not None and {"start", "end", "sha256"} <= set(one):
        quote = Quote(one["turn"], one["start"], one["end"], one["sha256"]).of(texts.get(conversation.pk, {}))
    return Evidence(conversation=conversation, turn=one.get("turn"), quote=quote)


def edited(proposal, change):
    """The fields that approving with the reviewer's `change` would apply. Raises ValidationError that names the field."""
    model = proposals.MODELS[proposal.target_kind]
    whole = {**proposals.fields_to_apply(proposal), **change}
    return proposals.proposed_change(proposal.type, model, whole, proposals.loaded(proposal.base))


def applied_fields(proposal):
    """The fields that an approval applied: the reviewer's, where they edited it."""
    return proposals.loaded(proposal.change if proposal.approved_change is None else proposal.approved_change)


def taking_back(proposal):
    """The FieldDiffs of taking an applied change back."""
    base = proposals.loaded(proposal.base)
    if proposal.type.endswith("_delete"):
        return diffs.fields({}, base)
    return diffs.fields({**base, **applied_fields(proposal)}, base)


def _taken_back(proposal):
    """The Configuration that took an approved change back; None where it stands."""
    if proposal.status != Status.APPROVED:
        return None
    rows = Configuration.objects.filter(proposal_id=proposal.pk, number__gt=proposal.configuration_number)
    return rows.filter(agent_id=proposal.agent_id).select_related("by__user").order_by("number").first()


def decided_words(proposal):
    """ "already approved by Ana at 20 Nov 2026, 10:42 from Slack": what a late click is told."""
    by = proposal.decided_by.display_name if proposal.decided_by else "its author's newer proposal"
    at = timezone.localtime(proposal.decided_at)
    door = f" from {proposal.get_decided_from_display()}" if proposal.decided_from else ""
    return f"already {proposal.get_status_display().lower()} by {by} at {at.day} {at:%b %Y, %H:%M}{door}"
