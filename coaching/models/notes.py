import uuid

from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.history import VersionHistory
from agents.models import Agent, Member, Workspace
from helpdesk.models import Conversation, Scale

NOTE_LIMIT = 20_000  # characters


class SampleQuerySet(Scoped, work.OwedQuerySet):
    own = "agent_id"

    def kept(self):
        return self.filter(unpinned_at=None)


class Sample(work.Owed):
    """One of an agent's worst conversations, with a short summary. The deep link is rendered once and frozen."""

    class Summary(models.TextChoices):
        PENDING = "pending", "Summary pending"
        CAPTURED = "captured", "Summarised by the model"
        METADATA = "metadata", "From metadata only"
        REFUSED = "refused", "Not kept: the summary broke the privacy rules"
        FAILED = "failed", "The conversation could not be read"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="samples")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="samples")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="samples")
    flag = models.ForeignKey("coaching.Flag", models.SET_NULL, null=True, blank=True, related_name="samples")
    url = models.CharField(max_length=2000, blank=True)
    value = models.CharField(max_length=50, blank=True)
    scale = models.CharField(max_length=10, choices=Scale, blank=True)
    score_hundredths = models.PositiveSmallIntegerField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    summary = models.TextField(blank=True, validators=[MaxLengthValidator(600)])
    summary_state = models.CharField(max_length=8, choices=Summary, default=Summary.PENDING)
    captured_by = models.ForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", help_text="Who pinned it; empty: the flag did."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    unpinned_at = models.DateTimeField(null=True, blank=True)

    objects = SampleQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "conversation"], name="sample_once_per_agent_and_conversation"),
            models.CheckConstraint(
                condition=Q(summary="") | Q(summary_state__in=["captured", "metadata"]),
                name="summary_only_when_captured",
            ),
            models.CheckConstraint(
                condition=~Q(summary_state__in=["captured", "metadata"]) | ~Q(summary=""),
                name="captured_sample_has_a_summary",
            ),
            models.CheckConstraint(
                condition=Q(score_hundredths=None) | Q(score_hundredths__range=(0, 10_000)),
                name="sample_score_is_0_to_100",
            ),
            work.owed_constraint("sample_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("sample_owed"),
            models.Index(fields=["agent", "score_hundredths", "-closed_at"], name="sample_worst_first"),
        ]

    def __str__(self):
        return f"Sample {self.conversation}"

    @property
    def score(self) -> float | None:
        """0 (worst) to 100 (best); None for a conversation without a rating."""
        return None if self.score_hundredths is None else self.score_hundredths / 100


class NoteQuerySet(Scoped):
    own = "agent_id"

    def visible_to(self, member):
        """Leaders see all; a linked member sees what was shared with them, and nothing that hints at more."""
        rows = super().visible_to(member)
        return rows if member.is_leader else rows.filter(shared_with_agent=True, archived_at=None)

    def current(self):
        return self.filter(archived_at=None)

    def following_up(self):
        return self.current().filter(follow_up_at__isnull=False, followed_up_at=None)


class Note(models.Model):
    """A leader's note on an agent; private to leaders unless shared."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="notes")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="notes")
    author = models.ForeignKey(Member, models.PROTECT, related_name="notes")
    body = models.TextField(validators=[MaxLengthValidator(NOTE_LIMIT)])
    sample = models.ForeignKey(Sample, models.SET_NULL, null=True, blank=True, related_name="notes")
    shared_with_agent = models.BooleanField(default=False)
    follow_up_at = models.DateTimeField(null=True, blank=True)
    followed_up_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    archived_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")
    acknowledged_at = models.DateTimeField(
        null=True, blank=True, help_text="When the person it is about said that they have read it."
    )
    acknowledged_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+")

    history = VersionHistory()
    objects = NoteQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(body=""), name="note_has_a_body"),
            models.CheckConstraint(
                condition=Q(archived_at=None, archived_by=None)
                | Q(archived_at__isnull=False, archived_by__isnull=False),
                name="note_archived_at_and_by_go_together",
            ),
            models.CheckConstraint(
                condition=Q(acknowledged_at=None, acknowledged_by=None)
                | Q(acknowledged_at__isnull=False, acknowledged_by__isnull=False),
                name="note_acknowledged_at_and_by_go_together",
            ),
            models.CheckConstraint(
                condition=Q(followed_up_at=None) | Q(follow_up_at__isnull=False), name="only_follow_ups_are_followed_up"
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "-created_at"], name="note_by_agent_newest"),
            models.Index(
                fields=["workspace", "follow_up_at"],
                condition=Q(follow_up_at__isnull=False, followed_up_at=None, archived_at=None),
                name="note_following_up",
            ),
        ]

    def __str__(self):
        return self.body[:80]


class NoteEffect(models.Model):
    """What became of the agent's CSAT after a note, as the newest sweep measured it. Pages read this and measure nothing."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    note = models.OneToOneField(Note, models.CASCADE, related_name="effect")
    day = models.DateField(help_text="The workspace's last day that was taken in.")
    result = models.JSONField(help_text="Numbers and verdict, as coaching.csat.effects gives them.")

    objects = Scoped.as_manager()

    def __str__(self):
        return f"After {self.note}"


class CalendarFeed(models.Model):
    """A leader's private calendar address. Its key is signed from `number`; renewing counts that up, and the old address is dead.

    Who never renewed theirs has no row and the number 1.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    member = models.OneToOneField(Member, models.CASCADE, related_name="calendar_feed")
    number = models.PositiveIntegerField(default=1)
    renewed_at = models.DateTimeField(default=timezone.now)

    objects = Scoped.as_manager()

    def __str__(self):
        return f"Calendar of {self.member}"


class ReminderQuerySet(Scoped, work.OwedQuerySet):
    pass


class Reminder(work.Owed):
    """A mail that reminds a note's author of the follow-up that is due at `follow_up_at`."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    note = models.ForeignKey(Note, models.CASCADE, related_name="reminders")
    follow_up_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)

    objects = ReminderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["note", "follow_up_at"], name="one_reminder_per_follow_up"),
            work.owed_constraint("reminder_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("reminder_owed")]

    def __str__(self):
        return f"Reminder of {self.note}"
