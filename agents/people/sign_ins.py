"""Signing in is throttled: who guesses passwords is soon told to wait.

A try is counted before its password is looked at, and by compare-and-set, so that many at once are not let through.
Counts stand in the database, where every web process sees them.
"""

import hashlib
from datetime import datetime, timedelta

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.compiled import CompiledQuery, Parameter, columns_of, read_models
from agents.models import SignInTries, User

WINDOW = timedelta(minutes=15)
MOST_WITH_ONE_EMAIL = 10  # from one place
MOST_FROM_ONE_PLACE = 100  # a whole office may share one address
MOST_RESETS_OF_ONE_EMAIL = 3
MOST_RESETS_FROM_ONE_PLACE = 20
BY_ID = CompiledQuery(lambda _: User.objects.filter(pk=Parameter("id", User._meta.pk)), columns_of(User))


def take(email: str, place: str) -> bool:
    """Count one try to sign in with `email` from the network address `place`; False where there were too many already."""
    SignInTries.objects.filter(since__lte=timezone.now() - WINDOW).delete()
    taken = [_take(key, most) for key, most in _limits(email, place)]  # both count, also where the first is full
    return all(taken)


def take_reset_from(place: str) -> bool:
    """Count one wish for a new password from a network address, whatever the email; False where there were too many."""
    SignInTries.objects.filter(since__lte=timezone.now() - WINDOW).delete()
    return _take(_key("reset", place), MOST_RESETS_FROM_ONE_PLACE)


def take_reset_of(email: str) -> bool:
    """Count one wish for a new password of one email, from wherever; False where that inbox has got enough of them."""
    return _take(_key("reset of", email.strip().lower()), MOST_RESETS_OF_ONE_EMAIL)


def _take(key, most):
    with transaction.atomic():
        SignInTries.objects.get_or_create(key=key)
        return bool(SignInTries.objects.filter(key=key, count__lt=most).update(count=F("count") + 1))


def forgive(email: str, place: str) -> None:
    """They knew the password: what they mistyped before is forgotten, and their try counts against nobody."""
    (with_email, _), (from_place, _) = _limits(email, place)
    SignInTries.objects.filter(key=with_email).delete()
    SignInTries.objects.filter(key=from_place, count__gt=0).update(count=F("count") - 1)


def forget(email: str, place: str) -> None:
    """They have a new password: what was mistyped of the old one from here is forgotten."""
    (with_email, _), _ = _limits(email, place)
    SignInTries.objects.filter(key=with_email).delete()


def open_again_at(email: str, place: str) -> datetime | None:
    """When the next try will be looked at; None where it would be now."""
    full = Q()
    for key, most in _limits(email, place):
        full |= Q(key=key, count__gte=most)
    newest = SignInTries.objects.filter(full, since__gt=timezone.now() - WINDOW).order_by("-since").first()
    return newest.since + WINDOW if newest else None


def _limits(email, place):
    """[(key, most)]: of this email from this place, and of this place whatever the email."""
    return [
        (_key(place, email.strip().lower()), MOST_WITH_ONE_EMAIL),
        (_key(place), MOST_FROM_ONE_PLACE),
    ]


def _key(*parts):
    return hashlib.sha256(" ".join(parts).encode(errors="replace")).hexdigest()


class ThrottledBackend(ModelBackend):
    """Email and password, as long as there were not too many tries. Every form that asks for a password ends here."""

    def get_user(self, user_id):
        """Whose session it is; every page asks."""
        for row in BY_ID.rows(id=user_id):
            [user] = read_models(row, User)
            return user if self.user_can_authenticate(user) else None
        return None

    def authenticate(self, request, username=None, password=None, **credentials):
        if request is None or username is None:
            return super().authenticate(request, username=username, password=password, **credentials)
        place = place_of(request)
        if not take(username, place):
            raise PermissionDenied("Too many tries.")
        user = super().authenticate(request, username=username, password=password, **credentials)
        if user is not None:
            forgive(username, place)
        return user


def enter(request, user):
    """Sign `user` in with this browser, and note which it is."""
    login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
    request.session.begin(browser=request.headers.get("User-Agent", ""), place=place_of(request))


def place_of(request):
    """The network address the request came from, as far as the server in front of us tells it."""
    return request.META.get("REMOTE_ADDR") or ""
