import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models import Agent, Member, Workspace


class FlagQuerySet(Scoped):
    """Flags are what leaders see of others: a member sees their own samples and shared notes, not the claim about them."""

    def open(self):
        return self.filter(status=Flag.Status.OPEN)

    def automatic(self):
        return self.filter(kind=Flag.Kind.AUTO)


class Flag(models.Model):
    """An open claim that an agent's CSAT is sustained-falling, with its evidence."""

    class Kind(models.TextChoices):
        AUTO = "auto", "Auto"
        MANUAL = "manual", "Manual"

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLEARED = "cleared", "Cleared"
        EXPIRED = "expired", "New level: talk about it"
        DISMISSED = "dismissed", "Dismissed"

    class Cause(models.TextChoices):
        PERSON = "person", "Person"
        POLICY = "policy", "Policy"
        PRODUCT = "product", "Product"
        WAIT = "wait", "Wait"
        TOOL = "tool", "Tool"
        PROMPT = "prompt", "Prompt"
        MEMORY = "memory", "Memory"
        PROCEDURE = "procedure", "Procedure"
        UNKNOWN = "unknown", "Not known"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="flags")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="flags")
    kind = models.CharField(max_length=6, choices=Kind)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    since = models.DateField(help_text="First day of the review window.")
    opened_on = models.DateField(help_text="The workspace's day on which it was raised.")
    opened_at = models.DateTimeField(default=timezone.now)
    opened_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    reason = models.TextField(blank=True, help_text="A manual flag's reason, in the leader's words.")
    evidence = models.JSONField(
        default=dict, blank=True, help_text="Numbers of the scan, as coaching.actions.flags stores them."
    )
    cause = models.CharField(max_length=9, choices=Cause, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_on = models.DateField(null=True, blank=True)
    closed_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    close_reason = models.TextField(blank=True)
    close_evidence = models.JSONField(default=dict, blank=True)

    objects = FlagQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent"], condition=Q(status="open"), name="one_open_flag_per_agent"),
            models.CheckConstraint(
                condition=Q(status="open", closed_at=None, closed_on=None)
                | (~Q(status="open") & Q(closed_at__isnull=False, closed_on__isnull=False)),
                name="flag_closed_iff_not_open",
            ),
            models.CheckConstraint(
                condition=~Q(status="dismissed") | (Q(closed_by__isnull=False) & ~Q(close_reason="")),
                name="dismissed_flag_says_who_and_why",
            ),
            models.CheckConstraint(
                condition=~Q(kind="manual") | (Q(opened_by__isnull=False) & ~Q(reason="")),
                name="manual_flag_says_who_and_why",
            ),
            models.CheckConstraint(condition=~Q(kind="auto") | Q(opened_by=None), name="automatic_flag_has_no_author"),
            models.CheckConstraint(condition=Q(kind__in=["auto", "manual"]), name="flag_kind_is_known"),
            models.CheckConstraint(
                condition=Q(status__in=["open", "cleared", "expired", "dismissed"]), name="flag_status_is_known"
            ),
            models.CheckConstraint(
                condition=Q(since__lte=models.F("opened_on")), name="flag_window_starts_before_it_opens"
            ),
        ]
        indexes = [models.Index(fields=["workspace", "-opened_at"], name="flag_newest")]

    def __str__(self):
        return f"{self.get_kind_display()} flag on {self.agent}"


class Sweep(work.Owed):
    """One workspace's regular look at every agent's CSAT. Owed every night and soon after new ratings."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="sweep")
    swept_on = models.DateField(null=True, blank=True, help_text="The workspace's last day that was swept.")
    ratings_seen_at = models.DateTimeField(
        null=True, blank=True, help_text="Ratings received up to here were taken in."
    )

    objects = work.OwedQuerySet.as_manager()

    class Meta:
        constraints = [work.owed_constraint("sweep_is_held_only_while_owed")]
        indexes = [work.owed_index("sweep_owed")]

    def __str__(self):
        return f"Sweep of {self.workspace}"
