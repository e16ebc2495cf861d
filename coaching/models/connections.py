import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.encryption import EncryptedTextField
from agents.history import VersionHistory
from agents.models import Member, Workspace


class ModelConnection(models.Model):
    """The model that a workspace's coach and summaries ask. Without a key here the environment's connection counts."""

    class Effort(models.TextChoices):
        LOW = "low", "Low"
        MEDIUM = "medium", "Medium"
        HIGH = "high", "High"
        XHIGH = "xhigh", "Very high"
        MAX = "max", "Highest"

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="model_connection")
    key = EncryptedTextField(blank=True, editable=False)
    key_tail = models.CharField(max_length=4, blank=True, editable=False, help_text="The key's last characters.")
    base_url = models.URLField(max_length=500, blank=True, help_text="Empty: the address of Anthropic.")
    model = models.CharField(max_length=100, blank=True, help_text="Empty: the model that Touchline prefers.")
    effort = models.CharField(max_length=6, choices=Effort, blank=True, help_text="Empty: the model's own.")
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory(excluded_fields=["key"])
    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(effort__in=["", "low", "medium", "high", "xhigh", "max"]), name="effort_is_known"
            ),
            models.CheckConstraint(
                condition=Q(key="", key_tail="") | (~Q(key="") & ~Q(key_tail="")), name="key_and_its_tail_go_together"
            ),
        ]

    def __str__(self):
        return f"Model connection of {self.workspace}"


class ModelTestQuerySet(Scoped, work.OwedQuerySet):
    def unfinished(self):
        return self.filter(finished_at=None)


class ModelTest(work.Owed):
    """A try of a workspace's model connection, check by check. A worker does it, for it waits on somebody else's server."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="model_tests")
    asked_by = models.ForeignKey(Member, models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True, blank=True)
    checks = models.JSONField(
        default=list, blank=True, help_text="What was tried, as coaching.actions.connections stores it."
    )

    objects = ModelTestQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(finished_at=None), name="one_model_test_at_a_time"
            ),
            models.CheckConstraint(
                condition=Q(finished_at=None) | Q(next_try_at=None), name="finished_model_test_owes_nothing"
            ),
            work.owed_constraint("model_test_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("model_test_owed"),
            models.Index(fields=["workspace", "-asked_at"], name="model_test_newest"),
        ]

    def __str__(self):
        return f"Test of the model of {self.workspace}"
