import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models import Agent, Member, Workspace


class ConfigurationImportQuerySet(Scoped, work.OwedQuerySet):
    pass


class ConfigurationImport(work.Owed):
    """A file with an agent's prompt, procedures and memories that somebody brought in: first a plan, then, if they wish,
    its steps carried out, each as a proposal or at once."""

    class State(models.TextChoices):
        PLANNED = "planned", "Planned"
        QUEUED = "queued", "Waiting for a worker"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        DISCARDED = "discarded", "Discarded"

    class How(models.TextChoices):
        PROPOSALS = "proposals", "Each change as a proposal"
        DIRECT = "direct", "At once"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="imports")
    file_name = models.CharField(max_length=200)
    uploaded_by = models.ForeignKey(Member, models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField(default=timezone.now, editable=False)
    next_try_at = models.DateTimeField(null=True, blank=True, editable=False)  # a plan owes nothing
    state = models.CharField(max_length=9, choices=State, default=State.PLANNED)
    how = models.CharField(max_length=9, choices=How, blank=True)
    steps = models.JSONField(default=list, blank=True, help_text="As coaching.actions.imports stores them.")
    progress = models.PositiveIntegerField(default=0, help_text="Steps that are done.")
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = ConfigurationImportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=["planned", "queued", "running"], finished_at=None)
                | Q(state__in=["done", "failed", "discarded"], finished_at__isnull=False, next_try_at=None),
                name="import_finished_iff_not_unfinished",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["planned", "discarded"], how="")
                | Q(state__in=["queued", "running", "done", "failed"], how__in=["proposals", "direct"]),
                name="import_is_carried_out_in_a_way",
            ),
            models.CheckConstraint(
                condition=~Q(state="planned") | Q(next_try_at=None), name="import_plan_owes_nothing"
            ),
            work.owed_constraint("import_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("import_owed"),
            models.Index(fields=["agent", "-uploaded_at"], name="import_newest"),
        ]

    def __str__(self):
        return f"{self.file_name} for {self.agent}"
