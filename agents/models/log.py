"""The decision log."""

from django.db import models
from django.utils import timezone

from agents.access import Scoped
from agents.models.agents import Agent
from agents.models.doors import Door
from agents.models.people import Member, Workspace

APPEND_ONLY = "The decision log is append-only."


class DecisionQuerySet(Scoped):
    def update(self, **values):
        raise TypeError(APPEND_ONLY)

    def delete(self):
        raise TypeError(APPEND_ONLY)

    def bulk_update(self, *args, **kwargs):
        raise TypeError(APPEND_ONLY)

    def _update(self, values):
        raise TypeError(APPEND_ONLY)

    def _raw_delete(self, using):
        raise TypeError(APPEND_ONLY)

    def bulk_create(self, *args, **kwargs):
        raise TypeError("Entries of the decision log are appended one by one, by agents.decisions.")


class Decision(models.Model):
    """One entry of the decision log: append-only, each carrying the hash of the one before."""

    class Action(models.TextChoices):
        APPROVED = "approved"
        REJECTED = "rejected"
        REBASED = "rebased"
        REVERTED = "reverted"
        CREATED = "created"
        REVISED = "revised"
        REMOVED = "removed"
        RESTORED = "restored"

    HASHED = (
        "number", "at", "by_id", "by_name", "door", "action", "agent_id", "agent_name", "target_kind", "target_id",
        "result_version", "configuration_number", "proposal_id", "proposal_type", "title", "note", "previous_hash",
    )  # fmt: skip

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="decisions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(Member, models.PROTECT, null=True, related_name="+")
    by_name = models.CharField(max_length=300, blank=True)
    door = models.CharField(max_length=8, choices=Door)
    action = models.CharField(max_length=8, choices=Action)
    # The id is part of the hash: an agent that is deleted must not change what was written about it.
    agent = models.ForeignKey(Agent, models.DO_NOTHING, null=True, db_constraint=False, related_name="+")
    agent_name = models.CharField(max_length=300)
    target_kind = models.CharField(max_length=9)
    target_id = models.UUIDField(null=True)
    result_version = models.PositiveIntegerField(null=True)
    configuration_number = models.PositiveIntegerField(null=True)
    proposal_id = models.UUIDField(null=True)
    proposal_type = models.CharField(max_length=30, blank=True)
    title = models.TextField()
    note = models.TextField(blank=True)
    previous_hash = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = DecisionQuerySet.as_manager()

    class Meta:
        base_manager_name = "objects"  # what Django itself reaches rows by refuses the same
        constraints = [
            models.UniqueConstraint(fields=["workspace", "number"], name="decision_number_once_per_workspace")
        ]

    def __str__(self):
        return f"{self.number} {self.action} {self.title}"

    def save(self, *args, **kwargs):
        if not self._state.adding:
            raise TypeError(APPEND_ONLY)
        super().save(*args, **kwargs)

    def save_base(self, *args, **kwargs):
        if not self._state.adding:
            raise TypeError(APPEND_ONLY)
        super().save_base(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise TypeError(APPEND_ONLY)
