"""What people do with their own account: make it, name it, change or reset its password, end its sessions."""

from datetime import timedelta

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.tokens import default_token_generator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from agents import names, work
from agents.access import Refusal
from agents.models import BrowserSession, PasswordReset, User
from agents.people import mail, sign_ins

RESETS_KEPT = timedelta(days=30)
SWITCHED_OFF = "The account was switched off before the mail could be sent."


class SignedOut(Refusal):
    """The browser session has ended."""


class ChangedMeanwhile(Refusal):
    """Somebody else changed the password first."""


def create(email, *, password, name=""):
    """A new account. Raises ValidationError, also where the address has one."""
    user = User(email=email, name=names.in_one_line(name))
    names.check(user.name)
    user.clean_fields(exclude=["password"])
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error
    try:
        with transaction.atomic():
            return User.objects.create_user(user.email, password, name=user.name)
    except IntegrityError as error:
        raise ValidationError({"email": f"{email} has an account already."}) from error


def rename(user, *, name):
    """Call the person `name` from now on, wherever their name stands. Raises ValidationError."""
    name = names.in_one_line(name)
    if not name:
        raise ValidationError({"name": "A name is needed: it stands under what you write and decide."})
    names.check(name)
    user.name = name
    user.clean_fields(exclude=["password"])
    user.save(update_fields=["name"])


def set_password(user, password, *, keep=None) -> int:
    """Give the account a new password and end its browser sessions but the one whose key is `keep`. Returns how many ended.

    Raises ValidationError where the password will not do, and ChangedMeanwhile where it is another by now than the one that was
    read: of two who use one link at once, one does.
    """
    validate_password(password, user)
    with transaction.atomic():
        as_read = User.objects.filter(pk=user.pk, password=user.password)
        user.set_password(password)
        if not as_read.update(password=user.password):
            raise ChangedMeanwhile("The password was changed meanwhile, somewhere else.")
        return end_sessions(user, keep=keep)


def end_sessions(user, *, keep=None) -> int:
    """End the browser sessions of `user`, all but the one whose key is `keep`. Returns how many."""
    ended, _ = BrowserSession.objects.filter(user=user).exclude(session_key=keep or "").delete()
    return ended


def end_session(session) -> None:
    """Sign one browser out: its next request leads to the sign-in. Raises SignedOut where it is signed out already."""
    ended, _ = BrowserSession.objects.filter(id=session.id).delete()
    if not ended:
        raise SignedOut("That browser is signed out already.")


def ask_for_reset(email, *, place) -> bool:
    """Owe a mail with a link to whoever has an account under `email`. False where too much was asked for from `place`.

    The answer is the same whether or not there is such an account, and whether or not it was asked for too often.
    """
    if not sign_ins.take_reset_from(place):
        return False
    user = User.objects.filter(email__iexact=email.strip(), is_active=True).first()
    wanted = sign_ins.take_reset_of(email)
    if user is not None and wanted and settings.MAIL_IS_CONFIGURED:
        try:
            with transaction.atomic():
                PasswordReset.objects.create(user=user)
        except IntegrityError:
            pass  # one is on its way already
    return True


def deliver_reset(reset_id) -> None:
    """Send the mail that a password reset owes, if it is due and nobody else is at it."""
    reset = work.claim(PasswordReset.objects.select_related("user"), reset_id)
    if reset is None:
        return
    if not reset.user.is_active:
        work.give_up(reset, error=SWITCHED_OFF)
        return
    hours = settings.PASSWORD_RESET_TIMEOUT // 3600
    context = {"user": reset.user, "link": reset_link(reset.user), "hours": hours}
    mail.deliver(reset, reset.user.email, "Set a new password for Touchline", "password_reset", context)


def reset_link(user) -> str:
    """The address with which the person sets a new password, once, until they next sign in or the time is over."""
    key = urlsafe_base64_encode(force_bytes(user.pk))
    return settings.PUBLIC_URL + reverse("reset-password", args=[key, default_token_generator.make_token(user)])


def forget() -> None:
    """Delete browser sessions that have ended by themselves, and what was owed to forgotten passwords long ago."""
    now = timezone.now()
    BrowserSession.objects.filter(expire_date__lt=now).delete()
    PasswordReset.objects.filter(next_try_at=None, asked_at__lt=now - RESETS_KEPT).delete()
