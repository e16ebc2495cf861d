import uuid

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.history import VersionHistory
from agents.models import Agent, Member, Workspace
from coaching import trajectory


class FlagQuerySet(Scoped):
    """Flags are what leaders see of others: a member sees their own samples and shared notes, not the claim about them."""

    def open(self):
        return self.filter(status=Flag.Status.OPEN)

    def automatic(self):
        return self.filter(kind=Flag.Kind.AUTO)

    def coachable(self):
        """Those that a leader can tick off: open ones, and new levels, which are there to be talked about."""
        return self.filter(status__in=[Flag.Status.OPEN, Flag.Status.EXPIRED])

    def to_coach(self, ended_after):
        """Those of active agents that nobody has ticked off.

        A new level waits for a talk where it ended after that day, and not beside a newer flag of the same agent.
        """
        newer = Flag.objects.open().filter(agent=OuterRef("agent"))
        still = Q(status=Flag.Status.OPEN) | Q(~Exists(newer), closed_on__gt=ended_after)
        return self.coachable().filter(still, coached_at=None, agent__active=True)


class Flag(models.Model):
    """An open claim that an agent's CSAT is sustained-falling, with its evidence. Each change of it is a version in `history`."""

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
    coached_at = models.DateTimeField(
        null=True, blank=True, help_text="When a leader ticked off that they coached on it."
    )
    coached_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory()
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
            models.CheckConstraint(
                condition=Q(coached_at=None, coached_by=None) | Q(coached_at__isnull=False, coached_by__isnull=False),
                name="flag_coached_at_and_by_go_together",
            ),
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


class Agenda(models.Model):
    """What to talk about in a 1:1 on a flag: five points, drafted once from the summaries of its samples."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    flag = models.OneToOneField(Flag, models.CASCADE, related_name="agenda")
    points = models.JSONField(help_text="Five sentences.")
    drafted_by = models.CharField(max_length=100, help_text="The model, or what else drafted it.")
    drafted_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = Scoped.as_manager()

    def __str__(self):
        return f"Agenda on {self.flag}"


class Sweep(work.Owed):
    """One workspace's regular look at every agent's CSAT. Owed every night and soon after new ratings."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="sweep")
    swept_on = models.DateField(null=True, blank=True, help_text="The workspace's last day that was swept.")
    ratings_revision = models.PositiveBigIntegerField(
        default=0, help_text="The workspace's ratings were taken in as of this revision of theirs."
    )

    objects = work.OwedQuerySet.as_manager()

    class Meta:
        constraints = [work.owed_constraint("sweep_is_held_only_while_owed")]
        indexes = [work.owed_index("sweep_owed")]

    def __str__(self):
        return f"Sweep of {self.workspace}"


class FlagPolicy(models.Model):
    """Whether a workspace has flags raised by themselves, and how readily. The defaults hold where nobody has chosen."""

    class Sensitivity(models.TextChoices):
        EARLY = trajectory.Sensitivity.EARLY, "Early"
        BALANCED = trajectory.Sensitivity.BALANCED, "Balanced"
        CAUTIOUS = trajectory.Sensitivity.CAUTIOUS, "Cautious"

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="flag_policy")
    automatic = models.BooleanField(default=True, help_text="Whether the regular look raises flags.")
    sensitivity = models.CharField(max_length=8, choices=Sensitivity, default=Sensitivity.BALANCED)
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory()
    objects = Scoped.as_manager()

    class Meta:
        verbose_name_plural = "flag policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(sensitivity__in=["early", "balanced", "cautious"]), name="sensitivity_is_known"
            )
        ]

    def __str__(self):
        return f"Flag policy of {self.workspace}"


class BacktestQuerySet(Scoped, work.OwedQuerySet):
    def unfinished(self):
        return self.filter(state__in=Backtest.UNFINISHED)

    def done(self):
        return self.filter(state=Backtest.State.DONE)


class Backtest(work.Owed):
    """The scan replayed over a workspace's own past: whom it would have flagged. Changes no flag."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        STOPPED = "stopped", "Stopped"

    UNFINISHED = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="backtests")
    asked_by = models.ForeignKey(Member, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    progress = models.PositiveSmallIntegerField(default=0, help_text="Per cent of the work that is done.")
    finished_at = models.DateTimeField(null=True, blank=True)
    result = models.JSONField(
        default=dict, blank=True, help_text="What was found, as coaching.actions.backtests stores it."
    )

    objects = BacktestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state__in=["queued", "running"]), name="one_backtest_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], finished_at=None)
                | Q(state__in=["done", "failed", "stopped"], finished_at__isnull=False),
                name="backtest_finished_iff_not_unfinished",
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="backtest_progress_is_per_cent"),
            work.owed_constraint("backtest_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("backtest_owed"),
            models.Index(fields=["workspace", "-asked_at"], name="backtest_newest"),
        ]

    def __str__(self):
        return f"Backtest of {self.workspace}"
