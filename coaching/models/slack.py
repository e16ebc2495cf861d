"""Where Touchline is at home in Slack: where it may speak, the channels a coach listens in, and the people there."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents.access import Scoped
from agents.encryption import EncryptedTextField
from agents.history import VersionHistory
from agents.models import Agent, Member, Workspace


class SlackConnectionQuerySet(Scoped):
    def active(self):
        return self.filter(state=SlackConnection.State.ACTIVE)

    def connected(self):
        """All but those that were disconnected."""
        return self.exclude(state=SlackConnection.State.DISCONNECTED)


class SlackConnection(models.Model):
    """One Slack workspace (there: a team) that one of ours speaks in, and what proves that a request comes from it.

    One team may be connected to several of our workspaces and one of ours to several teams: a channel says whose a message is.
    """

    class Mode(models.TextChoices):
        INSTALLED = "installed", "the app of this Touchline"
        OWN = "own", "an app of your own"

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        REFUSED = "refused", "refused by Slack"
        DISCONNECTED = "disconnected", "disconnected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="slack_connections")
    mode = models.CharField(max_length=9, choices=Mode)
    team_id = models.CharField(max_length=50)
    team_name = models.CharField(max_length=200, blank=True)
    app_id = models.CharField(max_length=50, blank=True)
    bot_user_id = models.CharField(max_length=50, blank=True)
    bot_id = models.CharField(max_length=50, blank=True)
    scopes = models.JSONField(default=list, blank=True, help_text="What the bot's token may do, in Slack's words.")
    bot_token = EncryptedTextField(blank=True, editable=False)
    signing_secret = EncryptedTextField(blank=True, editable=False)  # empty: that of the environment's app
    app_token = EncryptedTextField(blank=True, editable=False)  # for Socket Mode; empty: that of the environment's app
    state = models.CharField(max_length=12, choices=State, default=State.ACTIVE)
    state_reason = models.CharField(max_length=500, blank=True, help_text="A sentence: why it is not active.")
    connected_by = models.ForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: an operator, by a command."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    heard_at = models.DateTimeField(null=True, editable=False, help_text="When Slack last told us something.")
    spoke_at = models.DateTimeField(null=True, editable=False, help_text="When Slack last took something from us.")
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory(excluded_fields=["bot_token", "signing_secret", "app_token", "heard_at", "spoke_at"])
    objects = SlackConnectionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "team_id"], name="one_slack_connection_per_team"),
            models.CheckConstraint(condition=Q(mode__in=["installed", "own"]), name="slack_mode_is_known"),
            models.CheckConstraint(
                condition=Q(state__in=["active", "refused", "disconnected"]), name="slack_connection_state_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(state="disconnected") | Q(bot_token="", signing_secret="", app_token=""),
                name="disconnected_slack_has_no_secrets",
            ),
        ]
        indexes = [models.Index(fields=["team_id", "app_id"], name="slack_connection_by_team")]

    def __str__(self):
        return self.team_name or self.team_id

    @property
    def is_active(self):
        return self.state == self.State.ACTIVE


class SlackPolicy(models.Model):
    """What a workspace lets go to Slack. The defaults hold where nobody has chosen."""

    workspace = models.OneToOneField(Workspace, models.CASCADE, related_name="slack_policy")
    quotes = models.BooleanField(
        "short quotes", default=True, help_text="Whether evidence may show short quotes of conversations in Slack."
    )
    flags_connection = models.ForeignKey(
        SlackConnection, models.SET_NULL, null=True, blank=True, related_name="+", help_text="Empty: no flag is posted."
    )
    flags_channel_id = models.CharField(max_length=50, blank=True)
    flags_channel_name = models.CharField(max_length=200, blank=True)
    flags_webhook = EncryptedTextField(blank=True, editable=False)  # used where the channel fails or is none
    flags_trouble = models.CharField(
        max_length=500, blank=True, editable=False, help_text="A sentence: why the last flag could not be posted there."
    )
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory(excluded_fields=["flags_webhook", "flags_trouble"])
    objects = Scoped.as_manager()

    class Meta:
        verbose_name_plural = "Slack policies"
        constraints = [
            models.CheckConstraint(
                condition=Q(flags_channel_id="") | Q(flags_connection__isnull=False),
                name="slack_flags_channel_has_a_connection",
            )
        ]

    def __str__(self):
        return f"Slack policy of {self.workspace}"


class SlackTriggerQuerySet(Scoped):
    def kept(self):
        return self.exclude(state=SlackTrigger.State.REMOVED)

    def active(self):
        return self.filter(state=SlackTrigger.State.ACTIVE, connection__state=SlackConnection.State.ACTIVE)


class SlackTrigger(models.Model):
    """A channel whose messages go to the coach of one AI agent. A channel has one coach at most."""

    class State(models.TextChoices):
        ACTIVE = "active", "active"
        LOST = "lost", "the channel cannot be reached"
        REMOVED = "removed", "removed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="slack_triggers")
    connection = models.ForeignKey(SlackConnection, models.CASCADE, related_name="triggers")
    team_id = models.CharField(
        max_length=50, editable=False, help_text="The connection's; a channel id is one of a team."
    )
    channel_id = models.CharField(max_length=50)
    channel_name = models.CharField(max_length=200, blank=True)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="slack_triggers")
    posts_every_proposal = models.BooleanField(
        "post every proposal",
        default=True,
        help_text="Whether proposals that were not born in this channel are posted there too.",
    )
    state = models.CharField(max_length=7, choices=State, default=State.ACTIVE)
    state_reason = models.CharField(max_length=500, blank=True, help_text="A sentence: why it is not active.")
    created_by = models.ForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: an operator, by a command."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory()
    objects = SlackTriggerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team_id", "channel_id"], condition=~Q(state="removed"), name="one_coach_per_slack_channel"
            ),
            models.CheckConstraint(
                condition=Q(state__in=["active", "lost", "removed"]), name="slack_trigger_state_is_known"
            ),
        ]

    def __str__(self):
        return f"{self.agent.coach_name} in #{self.channel_name or self.channel_id}"


class SlackPerson(models.Model):
    """Somebody in a Slack workspace, and which member that is here: by an email that Slack has confirmed, looked up once.

    Who is no member is looked up again later, for they may have been invited meanwhile.
    """

    class Problem(models.TextChoices):
        STRANGER = "stranger", "nobody here has this email"
        UNCONFIRMED = "unconfirmed", "the email is not confirmed"
        OUTSIDER = "outsider", "a guest, a bot, or somebody of another organisation"

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    connection = models.ForeignKey(SlackConnection, models.CASCADE, related_name="people")
    user_id = models.CharField(max_length=50)
    name = models.CharField(max_length=200, blank=True)
    member = models.ForeignKey(Member, models.SET_NULL, null=True, blank=True, related_name="slack_people")
    problem = models.CharField(max_length=11, choices=Problem, blank=True)
    direct_trigger = models.ForeignKey(
        SlackTrigger,
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose coach their direct messages go to, once they have chosen.",
    )
    looked_up_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = Scoped.as_manager()

    class Meta:
        verbose_name_plural = "Slack people"
        constraints = [
            models.UniqueConstraint(fields=["connection", "user_id"], name="slack_person_once_per_connection"),
            models.CheckConstraint(
                condition=Q(problem__in=["", "stranger", "unconfirmed", "outsider"]), name="slack_problem_is_known"
            ),
            models.CheckConstraint(condition=Q(problem="") | Q(member=None), name="slack_member_has_no_problem"),
        ]

    def __str__(self):
        return self.name or self.user_id


class SlackInstallation(models.Model):
    """Somebody set out to install the app in their Slack workspace. Only a hash of the state that Slack brings back is kept."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    state_hash = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, editable=False)

    objects = Scoped.as_manager()

    def __str__(self):
        return f"Installation by {self.member}"
