"""The memory base of an AI agent."""

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.access import Scoped
from agents.history import VersionHistory
from agents.models import TEXT_LIMIT, Agent, Member, Versioned, Workspace

SUMMARY_LIMIT = 300  # characters


def served_at(at):
    """The condition, for memories and for their history rows: an entry is served until the instant it expires."""
    return Q(expires_at=None) | Q(expires_at__gt=at)


class MemoryQuerySet(Scoped):
    def served(self, at=None):
        """What an agent may still be told at `at` (default: now)."""
        return self.filter(served_at(at or timezone.now()))

    def expired(self, at=None):
        return self.filter(expires_at__lte=at or timezone.now())


class Memory(Versioned):
    """One short fact: a search-optimised sentence, the text behind it, and when it stops being true."""

    class Source(models.TextChoices):
        MANUAL = "manual", "Written by hand"
        COACH = "coach", "Proposed by the coach"
        API = "api", "Through the API"
        IMPORT = "import", "Imported"

    FIELDS = ("summary", "text", "expires_at")
    KIND = "memory"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="memories")
    summary = models.CharField(
        max_length=SUMMARY_LIMIT, help_text="One sentence, worded as somebody would search for it."
    )
    text = models.TextField(blank=True, validators=[MaxLengthValidator(TEXT_LIMIT)])
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Served until this instant.")
    source = models.CharField(max_length=6, choices=Source, default=Source.MANUAL)
    last_served_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="To the day: when an agent was last given it."
    )
    checked_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="When somebody last said that it is still true."
    )
    checked_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, editable=False, related_name="+")

    history = VersionHistory(excluded_fields=["last_served_at", "checked_at", "checked_by"])
    objects = MemoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "memories"
        indexes = [models.Index(fields=["agent", "-updated_at"], name="memory_by_agent_newest")]
        constraints = [
            models.CheckConstraint(condition=~Q(summary=""), name="memory_has_a_summary"),
            models.CheckConstraint(condition=Q(version__gte=1), name="memory_versions_count_from_1"),
            models.CheckConstraint(
                condition=Q(checked_at=None, checked_by=None) | Q(checked_at__isnull=False, checked_by__isnull=False),
                name="memory_is_checked_by_somebody",
            ),
        ]

    def __str__(self):
        return self.summary


class KeptPair(models.Model):
    """Two memories that look alike, and somebody who said that both are to stay. It holds for these two versions.

    `first` is the one with the smaller id, so that a pair is one row whichever way it is met.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    first = models.ForeignKey(Memory, models.CASCADE, related_name="+")
    first_version = models.PositiveIntegerField()
    second = models.ForeignKey(Memory, models.CASCADE, related_name="+")
    second_version = models.PositiveIntegerField()
    kept_at = models.DateTimeField(default=timezone.now, editable=False)
    kept_by = models.ForeignKey(Member, models.PROTECT, related_name="+")

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="pair_is_kept_once"),
            models.CheckConstraint(condition=Q(first__lt=models.F("second")), name="kept_pair_is_of_two_in_order"),
        ]

    def __str__(self):
        return f"{self.first} · {self.second}"
