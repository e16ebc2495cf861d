"""Routes of proposals."""

from datetime import datetime

import django_filters
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.response import Response

from agents.access import Right
from agents.api_base import (
    AgentField,
    AgentFilter,
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    InstantFilter,
    PersonField,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    UnknownRow,
    WholeField,
    YesNoField,
    epoch_ms,
    problem_of,
)
from agents.api_base.fields import camel
from agents.models import TEXT_LIMIT, Door
from coaching.actions import proposals
from coaching.models import Proposal
from coaching.pages import proposal as proposal_page
from coaching.pages import queue as queue_page
from coaching.texts import diffs
from memories.models import SUMMARY_LIMIT

MOST_WORDS = 20_000  # characters of a rationale, a note or a reason


class ChangeSent(StrictSerializer):
    """The fields of a memory (summary, text, expiresAt), a prompt (systemPrompt) or a procedure (the others)."""

    summary = TextField(max_length=SUMMARY_LIMIT, required=False)
    text = TextField(max_length=TEXT_LIMIT, allow_blank=True, required=False)
    expires_at = InstantField(future=True, allow_null=True, required=False)
    system_prompt = TextField(max_length=TEXT_LIMIT, allow_blank=True, required=False)
    name = TextField(max_length=200, required=False)
    trigger = TextField(max_length=2_000, allow_blank=True, required=False)
    content = TextField(max_length=TEXT_LIMIT, required=False)
    active = YesNoField(required=False)
    folder = TextField(max_length=100, allow_blank=True, required=False)


class ProposalSent(StrictSerializer):
    agent = AgentField()
    type = ChoiceField(choices=Proposal.Type.choices)
    target = IdField(required=False, allow_null=True, help_text="What is changed; a prompt needs none.")
    base_version = WholeField(min_value=1, required=False, allow_null=True, help_text="Default: the current one.")
    change = ChangeSent(required=False)
    rationale = TextField(max_length=MOST_WORDS)


class ApprovalSent(StrictSerializer):
    note = TextField(max_length=MOST_WORDS, allow_blank=True, default="")
    change = ChangeSent(
        required=False, allow_null=True, default=None, help_text="The fields as the reviewer edited them."
    )


class RejectionSent(StrictSerializer):
    reason = TextField(max_length=MOST_WORDS, allow_blank=True, default="")


class Again(StrictSerializer):
    """Nothing where edits do not touch; where they do, what it shall be, written against `baseVersion`."""

    change = ChangeSent(required=False, allow_null=True, default=None)
    base_version = WholeField(min_value=1, required=False, allow_null=True, default=None)


class RebaseSent(Again):
    def validate(self, values):
        if values["change"] is not None and values["base_version"] is None:
            raise serializers.ValidationError({"baseVersion": "A change says which version it was made from."})
        return values


class RevertSent(Again):
    note = TextField(max_length=MOST_WORDS, allow_blank=True, default="")


class DecisionSent(StrictSerializer):
    verdict = ChoiceField(choices=[Proposal.Status.APPROVED, Proposal.Status.REJECTED])
    ids = serializers.ListField(child=IdField(), min_length=1, max_length=proposals.MOST_AT_ONCE)
    note = TextField(max_length=MOST_WORDS, allow_blank=True, default="")


class Decided(StrictSerializer):
    """One of several proposals, as it is now; `error` says why it was not decided."""

    id = IdField()
    status = ChoiceField(choices=Proposal.Status.choices)
    error = TextField(required=False)


class DecidedTogether(StrictSerializer):
    items = Decided(many=True)


class Risk(StrictSerializer):
    level = ChoiceField(choices=Proposal.Risk.choices, source="risk_level")
    reasons = serializers.ListField(child=TextField(), source="risk_reasons")


class EvidenceShown(StrictSerializer):
    """A quote of a turn, or the leader's own `message`. `quote` is null where only the conversation's source has it."""

    conversation = IdField(required=False)
    turn = WholeField(required=False)
    quote = TextField(required=False, allow_null=True)
    message = serializers.JSONField(required=False, help_text="The id of the message.")


class ProposalShown(StrictSerializer):
    id = IdField()
    agent = TextField(source="agent.name")
    agent_id = IdField()
    type = TextField()
    status = ChoiceField(choices=Proposal.Status.choices)
    title = TextField()
    rationale = TextField()
    evidence = serializers.SerializerMethodField()
    conversations = WholeField(source="n_conversations", help_text="How many conversations the evidence comes from.")
    risk = Risk(source="*")
    target = IdField(source="target_id", allow_null=True)
    base_version = WholeField(allow_null=True)
    change = serializers.SerializerMethodField()
    is_stale = serializers.SerializerMethodField()
    session = IdField(source="session_id", allow_null=True)
    turn = IdField(source="turn_id", allow_null=True)
    proposed_by = PersonField(allow_null=True, help_text="Null: the agent's coach.")
    replaces = IdField(source="replaces_id", allow_null=True)
    superseded_by = IdField(source="superseded_by.pk", default=None, allow_null=True)
    created_at = InstantField()
    decided_by = PersonField(allow_null=True)
    decided_at = InstantField(allow_null=True)
    decided_from = serializers.SerializerMethodField()
    note = TextField(source="decision_note", help_text="The approver's note, or the reason of a rejection.")
    approved_change = serializers.SerializerMethodField()
    result_version = WholeField(allow_null=True)
    configuration_version = WholeField(source="configuration_number", allow_null=True)

    @extend_schema_field(EvidenceShown(many=True))
    def get_evidence(self, proposal):
        return [_evidence(item) for item in proposal.evidence if isinstance(item, dict)]

    @extend_schema_field(ChangeSent)
    def get_change(self, proposal):
        return _change(proposal.change)

    @extend_schema_field(ChangeSent(allow_null=True))
    def get_approved_change(self, proposal):
        return None if proposal.approved_change is None else _change(proposal.approved_change)

    def get_is_stale(self, proposal) -> bool:
        return self.context["stale"][proposal.pk]

    @extend_schema_field(ChoiceField(choices=Door.choices, allow_null=True))
    def get_decided_from(self, proposal):
        return proposal.decided_from or None


@extend_schema_field({"type": "string", "enum": ["+", "-", ""], "description": "Added, removed, unchanged."})
class SignField(serializers.CharField):
    pass


class Piece(StrictSerializer):
    sign = SignField()
    text = TextField()


class LineShown(StrictSerializer):
    """A line with its numbers in the old and the new text, or a `gap` of so many unchanged lines."""

    sign = SignField(required=False)
    old_no = WholeField(required=False, allow_null=True)
    new_no = WholeField(required=False, allow_null=True)
    pieces = Piece(many=True, required=False)
    gap = WholeField(required=False)


class FieldChanged(StrictSerializer):
    """One field of the diff: both values, and the words or lines between them where it is text."""

    field = TextField()
    old = serializers.JSONField(allow_null=True)
    new = serializers.JSONField(allow_null=True)
    words = Piece(many=True, required=False)
    lines = LineShown(many=True, required=False)


class ConflictField(StrictSerializer):
    field = TextField()
    base = serializers.JSONField(allow_null=True)
    current = serializers.JSONField(allow_null=True)
    proposed = serializers.JSONField(allow_null=True)


class ProposalInFull(ProposalShown):
    """`conflict` stands only where the proposal is stale."""

    diff = FieldChanged(many=True)
    conflict = ConflictField(many=True, required=False)


class Reverted(StrictSerializer):
    """The version that took the change back, and the agent's configuration number it made."""

    result_version = WholeField(source="target_version")
    configuration_version = WholeField(source="number")
    reverted_at = InstantField(source="created_at")


class ProposalReverted(ProposalInFull):
    reverted = Reverted()


def _evidence(item):
    if "message" in item:
        return {"message": item["message"]}
    return {"conversation": item.get("conversation"), "turn": item.get("turn"), "quote": item.get("quote") or None}


def _spoken(value):
    return epoch_ms(value) if isinstance(value, datetime) else value


def _change(stored):
    return {camel(field): _spoken(value) for field, value in proposals.loaded(stored).items()}


def _diff(change: diffs.FieldDiff):
    told = {"field": camel(change.field), "old": _spoken(change.old), "new": _spoken(change.new)}
    if change.style == "words":
        told["words"] = _pieces(change.words)
    if change.lines is not None:
        told["lines"] = [_line(row) for row in change.lines.rows]
    return told


def _line(row):
    if isinstance(row, diffs.Gap):
        return {"gap": row.count}
    return {"sign": row.sign, "oldNo": row.old_no, "newNo": row.new_no, "pieces": _pieces(row.pieces)}


def _pieces(pieces):
    return [{"sign": piece.sign, "text": piece.text} for piece in pieces]


def visible_proposals(member):
    """The proposals `member` may see, with what an answer needs of them."""
    return Proposal.objects.visible_to(member).select_related(
        "agent", "decided_by__user", "proposed_by__user", "superseded_by"
    )


def in_full(member, proposal_id):
    """The whole answer of one proposal, as it is now."""
    proposal = visible_proposals(member).get(pk=proposal_id)
    detail = proposal_page.load(member, proposal)
    shown = ProposalShown(proposal, context={"stale": {proposal.pk: detail.is_stale}}).data
    shown["diff"] = [_diff(change) for change in detail.changes]
    if detail.is_stale:
        shown["conflict"] = [
            {
                "field": camel(pane.field),
                "base": _spoken(pane.base),
                "current": _spoken(pane.current),
                "proposed": _spoken(pane.proposed),
            }
            for pane in detail.panes
        ]
    return shown


class ProposalFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")
    status = django_filters.ChoiceFilter(choices=Proposal.Status.choices)
    type = django_filters.ChoiceFilter(choices=Proposal.Type.choices)
    session = django_filters.UUIDFilter(field_name="session_id")
    risk = django_filters.ChoiceFilter(field_name="risk_level", choices=Proposal.Risk.choices)
    decidedBy = django_filters.UUIDFilter(field_name="decided_by_id")
    search = django_filters.CharFilter(method="with_words", help_text="Words of the title or the rationale.")
    createdAfter = InstantFilter(field_name="created_at", lookup_expr="gte")
    createdBefore = InstantFilter(field_name="created_at", lookup_expr="lt")

    def with_words(self, rows, name, value):
        return queue_page.with_words(rows, value)


class Proposals(ApiView):
    rights = {"GET": Right.READ_AI, "POST": Right.COACH_AI}
    filterset_class = ProposalFilters
    ordering = ("-created_at", "-id")
    queryset = Proposal.objects.none()

    @extend_schema(responses=ProposalShown(many=True))
    def get(self, request):
        return self.page(visible_proposals(request.member), ProposalShown)

    def get_serializer_context(self):
        return super().get_serializer_context() | {"stale": getattr(self, "stale", {})}

    def paginate_queryset(self, queryset):
        rows = super().paginate_queryset(queryset)
        self.stale = {item.proposal.pk: item.is_stale for item in queue_page.items(rows)}
        return rows

    @extend_schema(request=ProposalSent, responses={201: ProposalInFull})
    def post(self, request):
        sent = self.read(ProposalSent)
        made = proposals.create(
            sent["agent"],
            type=sent["type"],
            rationale=sent["rationale"],
            change=sent.get("change"),
            target_id=sent.get("target"),
            base_version=sent.get("base_version"),
            proposed_by=request.member,
        )
        return Response(in_full(request.member, made.pk), status=status.HTTP_201_CREATED)


class OneProposal(ApiView):
    @extend_schema(responses=ProposalInFull)
    def get(self, request, proposal_id):
        return Response(in_full(request.member, find(request, proposal_id).pk))


class ApproveProposal(ApiView):
    scopes = {"POST": "approve"}

    @extend_schema(request=ApprovalSent, responses=ProposalInFull)
    def post(self, request, proposal_id):
        proposal = find(request, proposal_id)
        proposals.approve(proposal, by=request.member, door=Door.API, **self.read(ApprovalSent))
        return Response(in_full(request.member, proposal.pk))


class RejectProposal(ApiView):
    scopes = {"POST": "approve"}

    @extend_schema(request=RejectionSent, responses=ProposalInFull)
    def post(self, request, proposal_id):
        proposal = find(request, proposal_id)
        proposals.reject(proposal, by=request.member, door=Door.API, **self.read(RejectionSent))
        return Response(in_full(request.member, proposal.pk))


class RebaseProposal(ApiView):
    """Write a stale proposal anew against the current version; 409 with `conflict` where edits touch. Answers the new one."""

    scopes = {"POST": "approve"}

    @extend_schema(request=RebaseSent, responses={201: ProposalInFull})
    def post(self, request, proposal_id):
        proposal = find(request, proposal_id)
        made = proposals.rebase(proposal, by=request.member, door=Door.API, **self.read(RebaseSent))
        return Response(in_full(request.member, made.pk), status=status.HTTP_201_CREATED)


class DecideProposals(ApiView):
    """Approve or reject several proposals of one type and of low risk, each a decision of its own."""

    scopes = {"POST": "approve"}
    rights = {"POST": Right.APPROVE}

    @extend_schema(request=DecisionSent, responses=DecidedTogether)
    def post(self, request):
        sent = self.read(DecisionSent)
        found, n_missing = queue_page.chosen(request.member, sent["ids"])
        if n_missing:
            raise UnknownRow("There is no such proposal here.", "ids")
        how = {"verdict": sent["verdict"], "by": request.member, "door": Door.API, "note": sent["note"]}
        told = proposals.decide_together(found, **how)
        return Response(DecidedTogether({"items": [_decided(*each) for each in told]}).data)


def _decided(proposal, refusal):
    proposal.refresh_from_db(fields=["status"])
    told = {"id": proposal.pk, "status": proposal.status}
    return told if refusal is None else told | {"error": problem_of(refusal).detail}


class RevertProposal(ApiView):
    """Take an approved change back, at once, as a new version; 409 where its target has moved on since."""

    scopes = {"POST": "approve"}

    @extend_schema(request=RevertSent, responses=ProposalReverted)
    def post(self, request, proposal_id):
        proposal = find(request, proposal_id)
        made = proposals.revert(proposal, by=request.member, door=Door.API, **self.read(RevertSent))
        return Response(in_full(request.member, proposal.pk) | {"reverted": Reverted(made).data})


def find(request, proposal_id):
    """The proposal the member may see. Raises Http404."""
    return get_object_or_404(visible_proposals(request.member), pk=proposal_id)


urlpatterns = [
    path("proposals", Proposals.as_view(), name="api-proposals"),
    path("proposals/decide", DecideProposals.as_view(), name="api-proposals-decide"),
    path("proposals/<uuid:proposal_id>", OneProposal.as_view(), name="api-proposal"),
    path("proposals/<uuid:proposal_id>/approve", ApproveProposal.as_view(), name="api-proposal-approve"),
    path("proposals/<uuid:proposal_id>/reject", RejectProposal.as_view(), name="api-proposal-reject"),
    path("proposals/<uuid:proposal_id>/rebase", RebaseProposal.as_view(), name="api-proposal-rebase"),
    path("proposals/<uuid:proposal_id>/revert", RevertProposal.as_view(), name="api-proposal-revert"),
]
