"""Signing in is throttled: who guesses passwords is soon told to wait.

A try is counted before its password is looked at, and by compare-and-set, so that many at once are not let through.
Counts stand in the database, where every web process sees them.
"""

import hashlib
from datetime import datetime, timedelta

from django.contrib.auth.backends import ModelBackend
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from agents.models import SignInTries

WINDOW = timedelta(minutes=15)
MOST_WITH_ONE_EMAIL = 10  # from one place
MOST_FROM_ONE_PLACE = 100  # a whole office may share one address


def take(email: str, place: str) -> bool:
    """Count one try to sign in with `email` from the network address `place`; False where there were too many already."""
    SignInTries.objects.filter(since__lte=timezone.now() - WINDOW).delete()
    taken = [_take(key, most) for key, most in _limits(email, place)]  # both count, also where the first is full
    return all(taken)


def _take(key, most):
    with transaction.atomic():
        SignInTries.objects.get_or_create(key=key)
        return bool(SignInTries.objects.filter(key=key, count__lt=most).update(count=F("count") + 1))


def forgive(email: str, place: str) -> None:
    """They knew the password: what they mistyped before is forgotten, and their try counts against nobody."""
    (with_email, _), (from_place, _) = _limits(email, place)
    SignInTries.objects.filter(key=with_email).delete()
    SignInTries.objects.filter(key=from_place, count__gt=0).update(count=F("count") - 1)


def open_again_at(email: str, place: str) -> datetime | None:
    """When the next try will be looked at; None where it would be now."""
    full = Q()
    for key, most in _limits(email, place):
        full |= Q(key=key, count__gte=most)
    newest = SignInTries.objects.filter(full, since__gt=timezone.now() - WINDOW).order_by("-since").first()
    return newest.since + WINDOW if newest else None


def _limits(email, place):
    """[(key, most)]: of this email from this place, and of this place whatever the email."""
    with_email = hashlib.sha256(f"{place} {email.strip().lower()}".encode(errors="replace")).hexdigest()
    from_place = hashlib.sha256(place.encode(errors="replace")).hexdigest()
    return [(with_email, MOST_WITH_ONE_EMAIL), (from_place, MOST_FROM_ONE_PLACE)]


class ThrottledBackend(ModelBackend):
    """Email and password, as long as there were not too many tries. Every form that asks for a password ends here."""

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


def place_of(request):
    """The network address the request came from, as far as the server in front of us tells it."""
    return request.META.get("REMOTE_ADDR") or ""
