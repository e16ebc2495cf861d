import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.access import Scoped
from agents.models import Agent, Door, Member, Workspace
from coaching.models.sessions import Session, Turn


class ProposalQuerySet(Scoped):
    def pending(self):
        return self.filter(status=Proposal.Status.PENDING)

    def decided(self):
        return self.exclude(status=Proposal.Status.PENDING)


class Proposal(models.Model):
    """A suggested change to what an AI agent is told: what, why, on what evidence, against which version."""

    class Type(models.TextChoices):
        MEMORY_CREATE = "memory_entry_create", "New memory"
        MEMORY_UPDATE = "memory_entry_update", "Memory update"
        MEMORY_DELETE = "memory_entry_delete", "Memory delete"
        PROMPT_CHANGE = "prompt_change", "Prompt change"
        PROCEDURE_CREATE = "procedure_create", "New procedure"
        PROCEDURE_UPDATE = "procedure_update", "Procedure update"
        PROCEDURE_DELETE = "procedure_delete", "Procedure delete"

    class Status(models.TextChoices):
        PENDING = "pending", "Pending"
        APPROVED = "approved", "Approved"
        REJECTED = "rejected", "Rejected"
        SUPERSEDED = "superseded", "Superseded"

    class Risk(models.TextChoices):
        LOW = "low", "Low risk"
        HIGH = "high", "High risk"

    CREATES = (Type.MEMORY_CREATE, Type.PROCEDURE_CREATE)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="proposals")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="proposals")
    type = models.CharField(max_length=30, choices=Type)
    status = models.CharField(max_length=10, choices=Status, default=Status.PENDING)
    title = models.CharField(max_length=300)
    rationale = models.TextField()
    evidence = models.JSONField(default=list, help_text="References to turns, or to the leader's own message.")
    n_conversations = models.PositiveSmallIntegerField(
        default=0,
        editable=False,
        help_text="How many conversations the evidence comes from: whom it would have helped.",
    )
    target_id = models.UUIDField(
        null=True, blank=True, help_text="What is changed; for a new one, known once approved."
    )
    base_version = models.PositiveIntegerField(null=True, blank=True)
    base = models.JSONField(default=dict, blank=True, help_text="The target's fields at the base version.")
    change = models.JSONField(default=dict, blank=True, help_text="The fields as proposed; empty for a delete.")
    risk_level = models.CharField(max_length=4, choices=Risk, default=Risk.LOW)
    risk_reasons = models.JSONField(default=list, blank=True)
    session = models.ForeignKey(Session, models.SET_NULL, null=True, blank=True, related_name="proposals")
    turn = models.ForeignKey(Turn, models.SET_NULL, null=True, blank=True, related_name="proposals")
    fingerprint = models.CharField(
        max_length=64,
        blank=True,
        help_text="Hash of what was proposed: a turn that is run again proposes nothing twice.",
    )
    proposed_by = models.ForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: the agent's coach."
    )
    replaces = models.OneToOneField("self", models.SET_NULL, null=True, blank=True, related_name="superseded_by")
    brought_by = models.ForeignKey(
        "coaching.ConfigurationImport", models.SET_NULL, null=True, blank=True, related_name="proposals"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    decided_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_from = models.CharField(max_length=8, choices=Door, blank=True)
    decision_note = models.TextField(blank=True, help_text="The approver's note or the reason for the rejection.")
    approved_change = models.JSONField(
        null=True, blank=True, help_text="Where the reviewer edited it before approving."
    )
    result_version = models.PositiveIntegerField(null=True, blank=True)
    configuration_number = models.PositiveIntegerField(null=True, blank=True)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(status="pending", decided_at=None, decided_by=None, decided_from="")
                | Q(status="superseded", decided_at__isnull=False)
                | (
                    Q(status__in=["approved", "rejected"], decided_at__isnull=False, decided_by__isnull=False)
                    & ~Q(decided_from="")
                ),
                name="proposal_decided_iff_not_pending",
            ),
            models.CheckConstraint(
                condition=Q(status="approved", result_version__isnull=False, configuration_number__isnull=False)
                | (~Q(status="approved") & Q(result_version=None, configuration_number=None, approved_change=None)),
                name="proposal_has_a_result_iff_approved",
            ),
            models.CheckConstraint(
                condition=Q(type__in=["memory_entry_create", "procedure_create"], base_version=None)
                | (
                    ~Q(type__in=["memory_entry_create", "procedure_create"])
                    & Q(base_version__isnull=False, target_id__isnull=False)
                ),
                name="proposal_has_a_base_unless_it_creates",
            ),
            models.CheckConstraint(condition=~Q(rationale=""), name="proposal_has_a_rationale"),
            models.UniqueConstraint(
                fields=["session", "fingerprint"], condition=~Q(fingerprint=""), name="proposal_once_per_session"
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "status", "-created_at"], name="proposal_by_status_newest"),
            models.Index(fields=["agent", "status", "-created_at"], name="proposal_by_agent_newest"),
            models.Index(
                fields=["workspace", "status", "-n_conversations", "-created_at"], name="proposal_by_most_helped"
            ),
        ]

    def __str__(self):
        return self.title

    @property
    def is_create(self):
        return self.type in self.CREATES

    @property
    def target_kind(self):
        """memory, prompt or procedure"""
        return self.type.split("_")[0]


class Viewing(models.Model):
    """Who has a proposal open. The page says so every few seconds, so that two people do not work on the same one."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    proposal = models.ForeignKey(Proposal, models.CASCADE, related_name="viewings")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["proposal", "member"], name="one_viewing_per_proposal_and_member")
        ]

    def __str__(self):
        return f"{self.member} at {self.proposal}"
