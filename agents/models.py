"""Workspaces, the people in them, the agents they look after, and what each AI agent was told when."""

import hashlib
import secrets
import uuid
import zoneinfo

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.core.validators import MaxLengthValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from agents.access import Scoped
from agents.history import VersionHistory

APPEND_ONLY = "The decision log is append-only."
TEXT_LIMIT = 50_000  # characters of a prompt, a memory's text or a procedure's content


class Door(models.TextChoices):
    """The way in through which somebody acted."""

    PAGE = "page", "the dashboard"
    CHAT = "chat", "the coach chat"
    API = "api", "the API"
    ADMIN = "admin", "the back office"
    SLACK = "slack", "Slack"
    COMMAND = "command", "a command"


class UserManager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        """Make a user; without a password they cannot sign in until they set one."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)

    def get_by_natural_key(self, email):
        return self.get(email__iexact=email)


class User(AbstractBaseUser, PermissionsMixin):
    """A person who signs in with an email address. What they may do hangs on their memberships."""

    email = models.EmailField(unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField("may use the back office", default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = UserManager()
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="one_user_per_email")]

    def __str__(self):
        return self.name or self.email

    def get_full_name(self):
        return str(self)

    get_short_name = get_full_name


def known_time_zone(name):
    if name not in zoneinfo.available_timezones():
        raise ValidationError(f"{name} is not a time zone. Use a name like Europe/Berlin.")


class Workspace(models.Model):
    """One support organisation. Nothing of one workspace is ever visible in another."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    time_zone = models.CharField(max_length=64, default="UTC", validators=[known_time_zone])
    decisions_made = models.PositiveIntegerField(default=0, editable=False, help_text="Entries in the decision log.")
    ratings_revision = models.PositiveBigIntegerField(
        default=0, editable=False, help_text="Counts the changes of what the ratings say, whatever their cause."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    def __str__(self):
        return self.name

    @property
    def zone(self):
        return zoneinfo.ZoneInfo(self.time_zone)


class MemberQuerySet(Scoped):
    def current(self):
        return self.filter(left_at=None, user__is_active=True)


class Member(models.Model):
    """A user's place in one workspace. Somebody who left keeps the row, for their name stands under what they did."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="members")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role, default=Role.MEMBER)
    agent = models.OneToOneField(
        "agents.Agent",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="member",
        help_text="Their own row in the team.",
    )
    joined_at = models.DateTimeField(default=timezone.now, editable=False)
    left_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = MemberQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "user"], name="one_membership_per_user_and_workspace"),
            models.UniqueConstraint(fields=["workspace"], condition=Q(role="owner"), name="one_owner_per_workspace"),
            models.CheckConstraint(condition=Q(role__in=["owner", "admin", "member"]), name="member_role_is_known"),
            models.CheckConstraint(condition=~Q(role="owner") | Q(left_at=None), name="owner_has_not_left"),
        ]

    def __str__(self):
        return str(self.user)

    @property
    def is_owner(self):
        return self.role == self.Role.OWNER

    @property
    def is_leader(self):
        return self.role in (self.Role.OWNER, self.Role.ADMIN)

    @property
    def display_name(self):
        return self.user.name or self.user.email.split("@")[0]


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


class ApiTokenQuerySet(Scoped):
    def usable(self):
        now = timezone.now()
        return self.filter(revoked_at=None, member__left_at=None, member__user__is_active=True).filter(
            Q(expires_at=None) | Q(expires_at__gt=now)
        )


class ApiToken(models.Model):
    """A script's way in. Only a hash is kept; the token itself is shown once, when it is made."""

    SCOPES = ("read", "write", "approve", "runtime")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="tokens")
    member = models.ForeignKey(Member, models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=200)
    hash = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiTokenQuerySet.as_manager()

    def __str__(self):
        return self.name

    @staticmethod
    def new_secret():
        return f"tl_{secrets.token_urlsafe(32)}"

    @staticmethod
    def hashed(secret):
        """SHA-256 in hex: the secrets are 256 random bits, so no slow hash is needed."""
        return hashlib.sha256(secret.encode()).hexdigest()


class SignInTries(models.Model):
    """How often somebody tried to sign in with one email from one place, or from one place at all, since `since`.

    `key` is a hash: neither the email nor the place is kept. Rules stand in agents.sign_ins.
    """

    key = models.CharField(max_length=64, unique=True)
    count = models.PositiveIntegerField(default=0)
    since = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        verbose_name_plural = "sign-in tries"

    def __str__(self):
        return f"{self.count} since {self.since:%H:%M}"


class IdempotentAnswer(models.Model):
    """The answer once given to a POST with an Idempotency-Key, given again to the same request."""

    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="+")
    member = models.ForeignKey(Member, models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request_hash = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True)  # empty while the first request is still at work
    body = models.JSONField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["member", "key"], name="idempotency_key_once_per_member")]

    def __str__(self):
        return self.key
