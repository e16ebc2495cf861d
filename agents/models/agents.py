"""Who or what answers customers, in which team, under which names elsewhere."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.access import Scoped
from agents.models.people import Workspace


class Team(models.Model):
    """Agents that share customers' weather: the peer group of the flag."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="teams")
    name = models.CharField(max_length=200)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="team_name_once_per_workspace")]

    def __str__(self):
        return self.name


class AgentQuerySet(Scoped):
    own = "id"

    def active(self):
        return self.filter(active=True)

    def ai(self):
        return self.filter(kind=Agent.Kind.AI)


class Agent(models.Model):
    """Who or what answers customers."""

    class Kind(models.TextChoices):
        HUMAN = "human", "Person"
        AI = "ai", "AI agent"

    class Storage(models.TextChoices):
        FULL = "full", "Transcripts as they came"
        MASKED = "masked", "Transcripts with personal data masked"
        SUMMARY_ONLY = "summary_only", "No transcripts"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="agents")
    team = models.ForeignKey(Team, models.SET_NULL, null=True, blank=True, related_name="agents")
    name = models.CharField(max_length=300)
    kind = models.CharField(max_length=5, choices=Kind, default=Kind.HUMAN)
    active = models.BooleanField(default=True)
    coaching = models.BooleanField(
        default=False,
        help_text="Gives this AI agent a coach. Switching it off keeps all memories, procedures and proposals.",
    )
    storage_mode = models.CharField(max_length=12, choices=Storage, default=Storage.MASKED)
    retention_days = models.PositiveIntegerField(
        default=90, help_text="Days after which stored transcripts are deleted."
    )
    configuration_version = models.PositiveIntegerField(default=0, editable=False)
    memory_base_version = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AgentQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["workspace", "name"], name="agent_by_name")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=["human", "ai"]), name="agent_kind_is_known"),
            models.CheckConstraint(condition=Q(kind="ai") | Q(coaching=False), name="only_ai_agents_have_a_coach"),
            models.CheckConstraint(
                condition=Q(storage_mode__in=["full", "masked", "summary_only"]), name="agent_storage_mode_is_known"
            ),
            models.CheckConstraint(
                condition=Q(retention_days__range=(1, 3650)), name="agent_retention_is_1_to_3650_days"
            ),
        ]

    def __str__(self):
        return self.name

    @property
    def is_ai(self):
        return self.kind == self.Kind.AI

    @property
    def coach_name(self):
        return f"{self.name} (coach)"


class ExternalId(models.Model):
    """How one source calls an agent of ours."""

    workspace = models.ForeignKey(Workspace, models.CASCADE)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="external_ids")
    source = models.CharField(max_length=50)
    value = models.CharField(max_length=300)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "source", "value"], name="external_id_means_one_agent"),
            models.UniqueConstraint(fields=["agent", "source"], name="one_external_id_per_agent_and_source"),
        ]

    def __str__(self):
        return f"{self.source}: {self.value}"
