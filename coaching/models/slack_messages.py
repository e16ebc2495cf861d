"""What comes from Slack and what is owed to it. Slack shows what our rows say; it is never asked what is true."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models import Workspace
from coaching.models.flags import Flag
from coaching.models.proposals import Proposal
from coaching.models.sessions import Session, Turn
from coaching.models.slack import SlackConnection, SlackPerson, SlackTrigger


class SlackThread(models.Model):
    """A thread that a coach owns: every reply in it goes to the session behind it."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(SlackConnection, models.CASCADE, related_name="threads")
    trigger = models.ForeignKey(SlackTrigger, models.CASCADE, related_name="threads")
    channel_id = models.CharField(max_length=50)
    thread_ts = models.CharField(max_length=50, help_text="The message it hangs on, in Slack's words.")
    session = models.ForeignKey(Session, models.CASCADE, related_name="slack_threads")
    started_by = models.ForeignKey(SlackPerson, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "channel_id", "thread_ts"], name="one_session_per_slack_thread"
            )
        ]

    def __str__(self):
        return f"Thread {self.thread_ts} in {self.channel_id}"


class SlackReceiptQuerySet(Scoped, work.OwedQuerySet):
    pass


class SlackReceipt(work.Owed):
    """Something Slack told us: a message, a click, a form. Stored before it is answered, worked off after.

    `key` tells what it is, so that the same thing told twice is one. What it says is kept until it is done.
    """

    class Kind(models.TextChoices):
        EVENT = "event", "event"
        ACTION = "action", "click"
        VIEW = "view", "form"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(SlackConnection, models.CASCADE, related_name="receipts")
    kind = models.CharField(max_length=6, choices=Kind)
    key = models.CharField(max_length=300)
    type = models.CharField(max_length=100, blank=True, help_text="The event's type, or the button's action id.")
    payload = models.JSONField(null=True, editable=False)
    received_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, editable=False)
    outcome = models.CharField(max_length=200, blank=True, editable=False, help_text="What became of it, in words.")

    objects = SlackReceiptQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "key"], name="slack_receipt_once_per_connection"),
            models.CheckConstraint(
                condition=Q(kind__in=["event", "action", "view"]), name="slack_receipt_kind_is_known"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(payload=None), name="done_slack_receipt_keeps_no_payload"
            ),
            models.CheckConstraint(
                condition=Q(done_at=None) | Q(next_try_at=None), name="done_slack_receipt_owes_nothing"
            ),
            work.owed_constraint("slack_receipt_is_held_only_while_owed"),
        ]
        indexes = [
            work.owed_index("slack_receipt_owed"),
            models.Index(fields=["connection", "-received_at"], name="slack_receipt_newest"),
        ]

    def __str__(self):
        return f"{self.get_kind_display()} {self.type}"


class SlackPostQuerySet(Scoped, work.OwedQuerySet):
    def takeable(self):
        """Owed, and Slack would take it: not while it refuses the token, or answers nobody."""
        silent = SlackPace.objects.filter(
            connection=models.OuterRef("connection"), method=SlackPace.ANY, blocked_until__gt=timezone.now()
        )
        refused = Q(connection__state=SlackConnection.State.REFUSED)
        return self.owed().exclude(refused).exclude(models.Exists(silent))


class SlackPost(work.Owed):
    """One thing shown in one place in Slack: an answer, a proposal or a flag. Owes being drawn whenever its record moves on.

    It is drawn whole from the record. Where that is longer than Slack takes, it is several messages: `pieces` says which, and a
    hash of what each last showed, so what has not changed is not sent.
    """

    class Kind(models.TextChoices):
        ANSWER = "answer", "answer"
        PROPOSAL = "proposal", "proposal"
        FLAG = "flag", "flag"

    class State(models.TextChoices):
        WAITING = "waiting", "not posted yet"
        POSTED = "posted", "posted"
        LOST = "lost", "lost"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(
        SlackConnection,
        models.CASCADE,
        null=True,
        blank=True,
        related_name="posts",
        help_text="Empty: an incoming webhook.",
    )
    kind = models.CharField(max_length=8, choices=Kind)
    turn = models.OneToOneField(Turn, models.CASCADE, null=True, blank=True, related_name="slack_post")
    proposal = models.ForeignKey(Proposal, models.CASCADE, null=True, blank=True, related_name="slack_posts")
    flag = models.ForeignKey(Flag, models.CASCADE, null=True, blank=True, related_name="slack_posts")
    thread = models.ForeignKey(SlackThread, models.CASCADE, null=True, blank=True, related_name="posts")
    asked_ts = models.CharField(max_length=50, blank=True, help_text="The message that an answer answers.")
    channel_id = models.CharField(max_length=50, blank=True)
    pieces = models.JSONField(default=list, editable=False, help_text='[{"ts", "hash"}], a message each.')
    is_unsure = models.BooleanField(
        default=False,
        editable=False,
        help_text="A message was sent and no answer came: whether it is there is looked up first.",
    )
    slot_at = models.DateTimeField(
        null=True, editable=False, help_text="Its turn in a channel that takes one a second."
    )
    revision = models.PositiveIntegerField(
        default=0, editable=False, help_text="Counts how often its record moved on since it was first owed."
    )
    drawn = models.CharField(
        max_length=100, blank=True, editable=False, help_text="The state of the record that was last drawn."
    )
    state = models.CharField(max_length=7, choices=State, default=State.WAITING)
    state_reason = models.CharField(max_length=500, blank=True, help_text="A sentence: why it is lost.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    posted_at = models.DateTimeField(null=True, editable=False)
    drawn_at = models.DateTimeField(null=True, editable=False)

    objects = SlackPostQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="answer", turn__isnull=False, proposal=None, flag=None)
                | Q(kind="proposal", turn=None, proposal__isnull=False, flag=None)
                | Q(kind="flag", turn=None, proposal=None, flag__isnull=False),
                name="slack_post_shows_one_thing",
            ),
            models.CheckConstraint(
                condition=Q(kind="answer", thread__isnull=False) | (~Q(kind="answer") & Q(asked_ts="")),
                name="only_a_slack_answer_was_asked_for",
            ),
            models.CheckConstraint(
                condition=Q(connection=None, channel_id="", kind="flag")
                | Q(connection__isnull=False) & ~Q(channel_id=""),
                name="slack_post_has_a_channel_or_a_webhook",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["waiting", "posted", "lost"]), name="slack_post_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(state="lost") | (~Q(state_reason="") & Q(next_try_at=None)),
                name="lost_slack_post_says_why_and_owes_nothing",
            ),
            models.UniqueConstraint(
                fields=["thread", "asked_ts"], condition=~Q(asked_ts=""), name="a_slack_message_is_asked_once"
            ),
            models.UniqueConstraint(fields=["proposal", "channel_id"], name="proposal_once_per_slack_channel"),
            models.UniqueConstraint(fields=["flag", "channel_id"], name="flag_once_per_slack_channel"),
            work.owed_constraint("slack_post_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("slack_post_owed")]

    def __str__(self):
        return f"{self.get_kind_display()} in {self.channel_id or 'an incoming webhook'}"


class SlackPace(models.Model):
    """How fast a method may be called for a channel (empty: for all): the next free slot, and until when Slack said to wait.

    One of any method says until when nobody is asked because nobody answered.
    """

    ANY = ""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(SlackConnection, models.CASCADE, related_name="paces")
    method = models.CharField(max_length=50)
    channel_id = models.CharField(max_length=50, blank=True)
    next_at = models.DateTimeField(default=timezone.now)
    blocked_until = models.DateTimeField(null=True, blank=True)

    objects = Scoped.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "method", "channel_id"], name="one_slack_pace_per_channel")
        ]

    def __str__(self):
        return f"{self.method or 'Any method'} in {self.channel_id or self.connection}"
