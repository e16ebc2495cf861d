"""Idempotency-Key on POST: the same request under the same key is done once and answered the same twice."""

import hashlib
import json
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from agents.api_base.problems import MEDIA_TYPE, Problem, problem_of
from agents.models import IdempotentAnswer

HEADER = "Idempotency-Key"
LONGEST_KEY = 255
KEPT = timedelta(hours=24)
GIVEN_UP = timedelta(minutes=10)  # a first request that is still unanswered after this died with its process


class KeyInUse(Exception):
    """The key belongs to another request, or its first request is still at work."""


@problem_of.register
def _(exc: KeyInUse):
    return Problem(409, str(exc), kind="idempotency-key-in-use")


def begin(request):
    """Take the request's key. Returns (row, None) for a first request, (None, Response) for one that was answered before,
    (None, None) where no key was sent. Raises ValidationError, KeyInUse.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None, None
    if not 1 <= len(key) <= LONGEST_KEY or not key.isprintable():
        raise ValidationError({HEADER: f"A key has 1 to {LONGEST_KEY} printable characters."})
    member, asked = request.member, _hash(request)
    rows = IdempotentAnswer.objects.filter(member=member)
    rows.filter(created_at__lt=timezone.now() - KEPT).delete()
    try:
        with transaction.atomic():
            row = IdempotentAnswer.objects.create(
                workspace_id=member.workspace_id, member=member, key=key, request_hash=asked
            )
    except IntegrityError:
        earlier = rows.filter(key=key).first()
    else:
        return row, None
    if earlier is None:
        raise KeyInUse("The first request with this Idempotency-Key failed just now. Send it again.")
    if earlier.request_hash != asked:
        raise KeyInUse("This Idempotency-Key was used for another request.")
    if earlier.status is None:
        now = timezone.now()
        if rows.filter(pk=earlier.pk, status=None, created_at__lt=now - GIVEN_UP).update(created_at=now):
            return earlier, None
        raise KeyInUse("The first request with this Idempotency-Key is still at work.")
    answer = Response(earlier.body, status=earlier.status, headers={"Idempotent-Replayed": "true"})
    if earlier.status >= 400:
        answer.content_type = MEDIA_TYPE
    return None, answer


def keep(row, response) -> None:
    """Store what was answered, for the next request with this key."""
    body = None if response.data is None else json.loads(JSONRenderer().render(response.data))
    IdempotentAnswer.objects.filter(pk=row.pk).update(status=response.status_code, body=body)


def forget(row) -> None:
    """The request failed by our own mistake: its key may be used again."""
    row.delete()


def _hash(request):
    said = json.dumps(request.data, sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(f"{request.method} {request.get_full_path()}\n{said}".encode()).hexdigest()


def forget_expired(now) -> None:
    """Delete what was kept for requests that are too old to be repeated."""
    IdempotentAnswer.objects.filter(created_at__lt=now - KEPT).delete()
