"""Conversations, what customers said of them in one number, and where their transcripts are."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Cast
from django.utils import timezone

from agents.access import Scoped
from agents.models import Agent, Workspace

API_SOURCE = "api"  # conversations pushed to us: the only ones whose transcripts are ours to keep


class Scale(models.TextChoices):
    """How a raw rating is to be read; `helpdesk.scales` normalises them."""

    BINARY = "binary", "good / bad"
    STARS5 = "stars5", "1 to 5 stars"
    FACES3 = "faces3", "three faces"
    HUBSPOT012 = "hubspot012", "0, 1, 2"
    FRESHDESK = "freshdesk", "103 to −103"
    PERCENT = "percent", "0 to 100"


class ConversationQuerySet(Scoped):
    own = "agent_id"

    def rated(self):
        return self.filter(ratings__counts=True)


class Conversation(models.Model):
    """One exchange, known by (source, external id). Its body is not here and, for helpdesks, nowhere in our system."""

    class Status(models.TextChoices):
        OPEN = "open"
        CLOSED = "closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="conversations")
    source = models.SlugField(max_length=50)
    external_id = models.CharField(max_length=300)
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True, related_name="conversations")
    status = models.CharField(max_length=6, choices=Status, default=Status.CLOSED)
    channel = models.CharField(max_length=50, blank=True)
    opened_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    turn_count = models.PositiveIntegerField(null=True, blank=True)
    configuration_version = models.PositiveIntegerField(
        null=True, blank=True, help_text="The agent's configuration number while it answered."
    )
    memories_served = models.JSONField(default=list, blank=True, help_text='[{"id": …, "version": …}]')
    memories_are_noted = models.BooleanField(
        default=True, editable=False, help_text="Whether the memories it was served know of it."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(auto_now=True)

    objects = ConversationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "source", "external_id"], name="conversation_once_per_source"),
            models.CheckConstraint(condition=~Q(external_id=""), name="conversation_has_an_external_id"),
            models.CheckConstraint(condition=Q(status__in=["open", "closed"]), name="conversation_status_is_known"),
            models.CheckConstraint(
                condition=Q(opened_at=None) | Q(closed_at=None) | Q(closed_at__gte=models.F("opened_at")),
                name="conversation_closes_after_it_opens",
            ),
        ]
        indexes = [
            models.Index(fields=["agent", "-closed_at"], name="conversation_by_agent_newest"),
            models.Index(fields=["workspace", "-closed_at"], name="conversation_newest"),
            models.Index(
                fields=["updated_at"], condition=Q(memories_are_noted=False), name="conversation_to_note_served"
            ),
        ]

    def __str__(self):
        return f"{self.source} {self.external_id}"

    @property
    def is_ours(self):
        """Whether the transcript was pushed to us and may be kept and quoted."""
        return self.source == API_SOURCE


class StoredTranscriptQuerySet(Scoped):
    def not_to_be_kept(self):
        """Those of agents whose transcripts are not stored any more."""
        return self.filter(conversation__agent__storage_mode=Agent.Storage.SUMMARY_ONLY)

    def to_be_masked(self):
        """Those that were stored before masking was switched on."""
        return self.filter(masked=False, conversation__agent__storage_mode=Agent.Storage.MASKED)

    def to_be_deleted(self, at):
        """What a clean-up at the moment `at` deletes."""
        return self.filter(Q(delete_at__lte=at) | Q(conversation__agent__storage_mode=Agent.Storage.SUMMARY_ONLY))


class StoredTranscript(models.Model):
    """The turns of a conversation that was pushed to our own API, as the agent's storage mode allows."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    conversation = models.OneToOneField(Conversation, models.CASCADE, related_name="stored_transcript")
    turns = models.JSONField(help_text='[{"role": …, "text": …, "at": epoch ms?, "name": …?}]')
    masked = models.BooleanField()
    delete_at = models.DateTimeField(db_index=True)

    objects = StoredTranscriptQuerySet.as_manager()

    def __str__(self):
        return f"Transcript of {self.conversation}"


class RatingQuerySet(Scoped):
    own = "agent_id"

    def counting(self):
        """One per conversation: the latest that was not withdrawn."""
        return self.filter(counts=True)


class Rating(models.Model):
    """One CSAT answer. The latest of a conversation counts; earlier and withdrawn ones stay visible."""

    class Credit(models.TextChoices):
        RATED = "rated", "the person who was rated"
        ASSIGNEE = "assignee", "the assignee at that time"
        LAST_REPLY = "last_reply", "the last who replied"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="ratings")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="ratings")
    agent = models.ForeignKey(Agent, models.SET_NULL, null=True, blank=True, related_name="ratings")
    helpdesk_agent = models.ForeignKey(
        "helpdesk.HelpdeskAgent",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="ratings",
        help_text="Whom the helpdesk named; it decides who the agent is as soon as they are mapped.",
    )
    external_id = models.CharField(max_length=300, blank=True, help_text="The rating's own id at its source.")
    value = models.CharField(max_length=50, help_text="As the source gave it.")
    scale = models.CharField(max_length=10, choices=Scale)
    score_hundredths = models.PositiveSmallIntegerField(
        help_text="0 (worst) to 10,000 (best): hundredths of a point, whole numbers so that sums stay exact."
    )
    rated_at = models.DateTimeField()
    credit = models.CharField(max_length=10, choices=Credit, default=Credit.RATED)
    counts = models.BooleanField(default=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = RatingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["conversation"], condition=Q(counts=True), name="one_rating_counts_per_conversation"
            ),
            models.CheckConstraint(condition=Q(score_hundredths__range=(0, 10_000)), name="rating_score_is_0_to_100"),
            models.CheckConstraint(
                condition=Q(counts=False) | Q(withdrawn_at=None), name="withdrawn_rating_does_not_count"
            ),
            models.CheckConstraint(condition=Q(scale__in=Scale.values), name="rating_scale_is_known"),
        ]
        indexes = [
            models.Index(fields=["agent", "rated_at"], condition=Q(counts=True), name="counting_rating_by_agent"),
            models.Index(fields=["workspace", "received_at"], name="rating_by_arrival"),
            models.Index(
                fields=["workspace", "external_id"], condition=Q(counts=True), name="counting_rating_by_its_id"
            ),
        ]

    def __str__(self):
        return f"{self.value} ({self.get_scale_display()})"

    @property
    def score(self) -> float:
        """0 (worst) to 100 (best)."""
        return self.score_hundredths / 100


class RatingDay(models.Model):
    """The counting ratings of one agent on one day of the workspace's calendar, summed.

    Kept in the same transaction as the ratings; `rebuild_days --check` proves it. Pages and the flag read only this.
    """

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="rating_days")
    day = models.DateField()
    n = models.PositiveIntegerField()
    sum_hundredths = models.PositiveBigIntegerField()
    sum_squares = models.PositiveBigIntegerField(help_text="Of hundredths.")

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["agent", "day"], name="one_row_per_agent_and_day"),
            models.CheckConstraint(
                # In 64 bits: n is a column of 32, and so would be its product with a number of the same size.
                condition=Q(sum_hundredths__lte=Cast("n", models.BigIntegerField()) * 10_000),
                name="daily_sum_is_possible_for_its_n",
            ),
        ]
        indexes = [
            # Holds all that pages and the sweep ask for, so that neither touches the table itself.
            models.Index(
                fields=["workspace", "day", "agent", "n", "sum_hundredths", "sum_squares"],
                name="rating_day_by_workspace",
            )
        ]

    def __str__(self):
        return f"{self.agent_id} {self.day}: {self.n}"
