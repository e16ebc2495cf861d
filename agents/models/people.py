"""Workspaces, the people in them, and those who are asked in."""

import uuid
import zoneinfo

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.history import VersionHistory


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
    version = models.PositiveIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    history = VersionHistory(excluded_fields=["decisions_made", "ratings_revision"])

    def __str__(self):
        return self.name

    @property
    def zone(self):
        return zoneinfo.ZoneInfo(self.time_zone)


def display_name(name: str, email: str) -> str:
    """What a person is called: their name, else what stands before the @ of their address."""
    return name or email.split("@")[0]


class MemberQuerySet(Scoped):
    def current(self):
        return self.filter(left_at=None, user__is_active=True)


class Member(models.Model):
    """A user's place in one workspace. Somebody who left keeps the row, for their name stands under what they did."""

    class Role(models.TextChoices):
        OWNER = "owner"
        ADMIN = "admin"
        MEMBER = "member"

    LEADING = (Role.OWNER, Role.ADMIN)

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
    version = models.PositiveIntegerField(default=1, editable=False)

    history = VersionHistory()
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
        return self.role in self.LEADING

    @property
    def display_name(self):
        return display_name(self.user.name, self.user.email)


class InvitationQuerySet(Scoped, work.OwedQuerySet):
    def waiting(self):
        """Neither accepted nor taken back; some of them may have expired."""
        return self.filter(accepted_at=None, revoked_at=None)

    def open(self):
        """Those whose link can still be used."""
        return self.waiting().filter(expires_at__gt=timezone.now())


class Invitation(work.Owed):
    """A place in a workspace that waits for the person behind one email address. Owes the mail that tells them.

    The link is signed anew whenever it is shown or sent (`agents.people.invitations`): nothing that opens it is stored.
    Sending it again counts `number` up, and every earlier link is dead.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    role = models.CharField(max_length=8, choices=Member.Role, default=Member.Role.MEMBER)
    agent = models.ForeignKey(
        "agents.Agent", models.SET_NULL, null=True, blank=True, related_name="+", help_text="Their own row in the team."
    )
    invited_by = models.ForeignKey(
        Member, models.PROTECT, null=True, blank=True, related_name="+", help_text="Empty: an operator, by a command."
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    number = models.PositiveIntegerField(default=1, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True, editable=False)
    accepted_as = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", editable=False)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    revoked_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", editable=False)

    objects = InvitationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "workspace",
                Lower("email"),
                condition=Q(accepted_at=None, revoked_at=None),
                name="one_waiting_invitation_per_email",
            ),
            models.CheckConstraint(condition=Q(role__in=["owner", "admin", "member"]), name="invited_role_is_known"),
            models.CheckConstraint(
                condition=Q(accepted_at=None, accepted_as=None)
                | Q(accepted_at__isnull=False, accepted_as__isnull=False, revoked_at=None),
                name="invitation_is_accepted_by_somebody_or_revoked_or_neither",
            ),
            models.CheckConstraint(
                condition=Q(revoked_by=None) | Q(revoked_at__isnull=False), name="only_revoked_invitations_say_who_did"
            ),
            work.owed_constraint("invitation_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("invitation_owed")]

    def __str__(self):
        return f"Invitation of {self.email}"
