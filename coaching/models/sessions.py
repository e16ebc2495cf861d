import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models import Agent, Member, Workspace
from helpdesk.models import Conversation

MESSAGE_LIMIT = 200_000  # characters


class Session(models.Model):
    """One talk with an AI agent's coach: about one conversation, about a set of them, or about none.

    A set is fixed when the session starts, so that every question in it is about the same conversations; `about` says in
    words which they are.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="coach_sessions")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="coach_sessions")
    conversation = models.ForeignKey(
        Conversation, models.SET_NULL, null=True, blank=True, related_name="coach_sessions"
    )
    conversations = models.ManyToManyField(
        Conversation, through="SessionConversation", blank=True, related_name="coach_session_sets"
    )
    about = models.CharField(max_length=200, blank=True, help_text="What a set of conversations has in common.")
    started_by = models.ForeignKey(Member, models.PROTECT, null=True, related_name="+")
    turns_asked = models.PositiveIntegerField(default=0, editable=False)
    events_written = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    updated_at = models.DateTimeField(default=timezone.now)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(conversation=None) | Q(about=""), name="session_is_about_one_conversation_or_a_set"
            )
        ]
        indexes = [models.Index(fields=["agent", "-updated_at"], name="session_by_agent_newest")]

    def __str__(self):
        return f"Session with {self.agent.coach_name}"


class SessionConversation(models.Model):
    """A conversation of the set that a session is about."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="+")
    conversation = models.ForeignKey(Conversation, models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(help_text="Counts from 0 in the order of the set.")

    objects = Scoped.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["session", "conversation"], name="conversation_once_in_a_set"),
            models.UniqueConstraint(fields=["session", "position"], name="position_once_in_a_set"),
        ]

    def __str__(self):
        return f"{self.conversation} in a set"


class TurnQuerySet(Scoped, work.OwedQuerySet):
    def unfinished(self):
        return self.filter(state__in=Turn.UNFINISHED)


class Turn(work.Owed):
    """One question to the coach and its answer: the work a worker owes, and how it ended."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "At work"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        STOPPED = "stopped", "Stopped"

    UNFINISHED = (State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="turns")
    number = models.PositiveIntegerField(help_text="Counts from 1 in its session.")
    asked_by = models.ForeignKey(Member, models.PROTECT, null=True, related_name="+")
    retry_of = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="retries")
    state = models.CharField(max_length=7, choices=State, default=State.QUEUED)
    stop_asked_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="One plain sentence for the leader.")
    usage = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TurnQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="turn_number_once_per_session"),
            models.UniqueConstraint(
                fields=["session"], condition=Q(state="running"), name="one_running_turn_per_session"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"], ended_at=None)
                | Q(state__in=["done", "failed", "stopped"], ended_at__isnull=False),
                name="turn_ended_iff_finished",
            ),
            models.CheckConstraint(condition=~Q(state="failed") | ~Q(error=""), name="failed_turn_says_why"),
            models.CheckConstraint(
                condition=Q(state__in=["queued", "running"]) | Q(next_try_at=None), name="finished_turn_owes_nothing"
            ),
            work.owed_constraint("turn_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("turn_owed")]

    def __str__(self):
        return f"Turn {self.number} of {self.session_id}"


class Message(models.Model):
    """What was said in a session. The coach's words never hold a run of a helpdesk conversation's body."""

    class Role(models.TextChoices):
        USER = "user"
        COACH = "coach"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="messages")
    turn = models.ForeignKey(Turn, models.CASCADE, related_name="messages")
    role = models.CharField(max_length=5, choices=Role)
    text = models.TextField(blank=True)
    focus = models.JSONField(default=list, blank=True, help_text="Numbers of the transcript's turns that are meant.")
    suggested = models.BooleanField(
        default=False, help_text="The coach's own words, asked with one click: no instruction of the leader's."
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = Scoped.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["turn", "role"], name="one_question_and_one_answer_per_turn"),
            models.CheckConstraint(condition=Q(role__in=["user", "coach"]), name="message_role_is_known"),
            models.CheckConstraint(condition=Q(suggested=False) | Q(role="user"), name="only_a_question_is_suggested"),
        ]

    def __str__(self):
        return f"{self.role}: {self.text[:80]}"


class TurnEvent(models.Model):
    """What happened in a turn, in the order in which it happened: the page follows this."""

    class Type(models.TextChoices):
        TEXT = "text"
        TOOL = "tool"
        PROPOSAL = "proposal"
        DONE = "done"
        FAILED = "failed"
        STOPPED = "stopped"

    CLOSING = (Type.DONE, Type.FAILED, Type.STOPPED)

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    session = models.ForeignKey(Session, models.CASCADE, related_name="events")
    turn = models.ForeignKey(Turn, models.CASCADE, related_name="events")
    number = models.PositiveIntegerField(help_text="Rises within the session.")
    type = models.CharField(max_length=8, choices=Type)
    data = models.JSONField(default=dict)
    created_at = models.DateTimeField(default=timezone.now)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="event_number_once_per_session"),
            models.UniqueConstraint(
                fields=["turn"], condition=Q(type__in=["done", "failed", "stopped"]), name="one_closing_event_per_turn"
            ),
        ]

    def __str__(self):
        return f"{self.number} {self.type}"
