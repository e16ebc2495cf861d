"""Work of minutes that has states of its own: one worker at a time carries it out, it is tried a few times, and ends in words."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone

from agents import work

ATTEMPTS = 3  # without coming to an end

log = logging.getLogger(__name__)


def run(rows, pk, carry_out: Callable[[Any], None], *, broken: str, unfinishable: str, **anew) -> Any:
    """Claim row `pk` of `rows` and let `carry_out` do its work and settle it. The row, or None where it is not due or taken.

    The rows have a `state`, one of their QUEUED, RUNNING and FAILED, and a `finished_at`. `anew` are the values that each try
    begins with. What breaks is tried again; in the end it fails with the sentence `broken`, which names {times} and {error},
    or with `unfinishable` where workers were lost over it.
    """
    model = rows.model
    with transaction.atomic():
        owed = work.claim(rows, pk)
        if owed is None:
            return None
        model.objects.filter(pk=owed.pk).update(state=model.State.RUNNING, **anew)
        owed.refresh_from_db()
    try:
        if owed.attempts > ATTEMPTS:
            fail(owed, unfinishable)
        else:
            _try(owed, carry_out, broken, anew)
    except work.LeaseLost:
        log.info("%s %s was stopped or taken over.", model.__name__, owed.pk)
    owed.refresh_from_db()
    return owed


def fail(owed, sentence: str) -> None:
    """End it with this sentence. Raises LeaseLost."""
    work.give_up(owed, error=sentence, state=owed.State.FAILED, finished_at=timezone.now())


def _try(owed, carry_out, broken, anew):
    try:
        carry_out(owed)
    except work.LeaseLost:
        raise
    except Exception as error:
        log.exception("%s %s broke off.", type(owed).__name__, owed.pk)
        kind = type(error).__name__
        if owed.attempts < ATTEMPTS:
            work.put_off(owed, error=kind, state=owed.State.QUEUED, **anew)
        else:
            fail(owed, broken.format(times=owed.attempts, error=kind))
