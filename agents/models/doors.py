"""The ways in: which there are, what opens them, and what is remembered of who came."""

import hashlib
import secrets
import uuid
from importlib import import_module

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models import Q
from django.utils import timezone

from agents import work
from agents.access import Scoped
from agents.models.people import Member, User, Workspace


class Door(models.TextChoices):
    """The way in through which somebody acted."""

    PAGE = "page", "the dashboard"
    CHAT = "chat", "the coach chat"
    API = "api", "the API"
    ADMIN = "admin", "the back office"
    SLACK = "slack", "Slack"
    COMMAND = "command", "a command"


class ApiTokenQuerySet(Scoped):
    def usable(self, at=None):
        """Those that open the door `at` that time (default: now)."""
        return self.filter(revoked_at=None, member__left_at=None, member__user__is_active=True).filter(
            Q(expires_at=None) | Q(expires_at__gt=at or timezone.now())
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
    revoked_by = models.ForeignKey(Member, models.PROTECT, null=True, blank=True, related_name="+", editable=False)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(revoked_by=None) | Q(revoked_at__isnull=False), name="only_revoked_tokens_say_who_did"
            )
        ]

    def __str__(self):
        return self.name

    @staticmethod
    def new_secret():
        return f"tl_{secrets.token_urlsafe(32)}"

    @staticmethod
    def hashed(secret):
        """SHA-256 in hex: the secrets are 256 random bits, so no slow hash is needed."""
        return hashlib.sha256(secret.encode()).hexdigest()


class BrowserSession(AbstractBaseSession):
    """A browser that somebody is signed in with, so that they can see where they are and end it from elsewhere.

    `session_key` opens it and is shown nowhere; pages call it by its `id`.
    """

    id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="browser_sessions")
    started_at = models.DateTimeField(default=timezone.now)
    seen_at = models.DateTimeField(default=timezone.now)
    browser = models.CharField(max_length=300, blank=True, help_text="What it called itself when it signed in.")
    place = models.CharField(max_length=45, blank=True, help_text="The network address it was last seen at.")

    def __str__(self):
        return f"{self.browser or 'A browser'} of {self.user}"

    @classmethod
    def get_session_store_class(cls):
        return import_module(settings.SESSION_ENGINE).SessionStore


class PasswordReset(work.Owed):
    """Somebody asked for a link with which to set a new password. Owes the mail; the link is made while it is sent."""

    user = models.ForeignKey(User, models.CASCADE, related_name="password_resets")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    sent_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = work.OwedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user"], condition=Q(next_try_at__isnull=False), name="one_owed_password_reset_per_user"
            ),
            work.owed_constraint("password_reset_is_held_only_while_owed"),
        ]
        indexes = [work.owed_index("password_reset_owed")]

    def __str__(self):
        return f"Password reset of {self.user}"


class SignInTries(models.Model):
    """How often somebody tried to sign in with one email from one place, or from one place at all, since `since`.

    `key` is a hash: neither the email nor the place is kept. Rules stand in agents.people.sign_ins.
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
