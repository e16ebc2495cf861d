"""What AI agents are told, and the number that each change of it gets."""

import uuid

from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from agents.access import Scoped
from agents.history import VersionHistory
from agents.models.agents import Agent
from agents.models.doors import Door
from agents.models.people import Member, Workspace

TEXT_LIMIT = 50_000  # characters of a prompt, a memory's text or a procedure's content


class Versioned(models.Model):
    """What an AI agent is told. Every change is a version; `agents.versions` is the only way to make one."""

    FIELDS: tuple[str, ...] = ()  # the fields that a version consists of
    KIND = ""  # how configurations and decisions call this

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        abstract = True


class Prompt(Versioned):
    """The system prompt of one AI agent. Every AI agent has exactly one, from version 1 on."""

    FIELDS = ("system_prompt",)
    KIND = "prompt"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.OneToOneField(Agent, models.CASCADE, related_name="prompt")
    system_prompt = models.TextField(blank=True, validators=[MaxLengthValidator(TEXT_LIMIT)])

    history = VersionHistory()
    objects = Scoped.as_manager()

    def __str__(self):
        return f"Prompt of {self.agent}"


class Procedure(Versioned):
    """Named steps with a trigger that an AI agent follows."""

    FIELDS = ("name", "trigger", "content", "active", "folder")
    KIND = "procedure"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="procedures")
    name = models.CharField(max_length=200)
    trigger = models.TextField(
        blank=True, validators=[MaxLengthValidator(2_000)], help_text="When the agent follows it."
    )
    content = models.TextField(validators=[MaxLengthValidator(TEXT_LIMIT)], help_text="The steps, in Markdown.")
    active = models.BooleanField(default=True)
    folder = models.CharField(max_length=100, blank=True, help_text="Where the procedure stands in the list.")

    history = VersionHistory()
    objects = Scoped.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint("agent", Lower("name"), name="procedure_name_once_per_agent")]

    def __str__(self):
        return self.name

    def validate_constraints(self, exclude=None):
        """A name that is taken is said beside the name and in words; Django would say the constraint's."""
        try:
            super().validate_constraints(exclude)
        except ValidationError as error:
            raise ValidationError({"name": "This agent has a procedure with that name already."}) from error


class Configuration(models.Model):
    """One applied change to what an agent is told. The number counts from 1 per agent.

    What the agent knew at number N is, for each target, its newest row with a number up to N.
    """

    class Change(models.TextChoices):
        CREATED = "created"
        REVISED = "revised"
        REMOVED = "removed"
        RESTORED = "restored"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="configurations")
    number = models.PositiveIntegerField()
    change = models.CharField(max_length=8, choices=Change)
    target_kind = models.CharField(max_length=9, choices=[(k, k) for k in ("prompt", "procedure", "memory")])
    target_id = models.UUIDField()
    target_version = models.PositiveIntegerField()
    memory_base_version = models.PositiveIntegerField()
    by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    door = models.CharField(max_length=8, choices=Door)
    reason = models.TextField(blank=True)
    proposal_id = models.UUIDField(null=True, blank=True)
    reverts = models.OneToOneField(
        "self", models.SET_NULL, null=True, blank=True, related_name="reverted_by", help_text="The change it took back."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "number"], name="configuration_number_once_per_agent"),
            models.UniqueConstraint(
                fields=["target_kind", "target_id", "target_version"], name="each_version_in_one_configuration"
            ),
        ]

    def __str__(self):
        return f"{self.agent} #{self.number}"
