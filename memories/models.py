"""The memory base of an AI agent."""

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.access import Scoped
from agents.history import VersionHistory
from agents.models import TEXT_LIMIT, Agent, Versioned, Workspace

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

    history = VersionHistory()
    objects = MemoryQuerySet.as_manager()

    class Meta:
        verbose_name_plural = "memories"
        indexes = [models.Index(fields=["agent", "-updated_at"], name="memory_by_agent_newest")]
        constraints = [
            models.CheckConstraint(condition=~Q(summary=""), name="memory_has_a_summary"),
            models.CheckConstraint(condition=Q(version__gte=1), name="memory_versions_count_from_1"),
        ]

    def __str__(self):
        return self.summary
