"""Which backtests are deleted, and when: those that no page shows any more."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from coaching.actions import backtests
from coaching.models import Backtest
from coaching.tasks import forget_backtests
from tests import factories

pytestmark = pytest.mark.django_db
State = Backtest.State


def asked(by, days_ago, state):
    at = timezone.now() - timedelta(days=days_ago)
    finished = None if state in Backtest.UNFINISHED else at
    return Backtest.objects.create(
        workspace=by.workspace, asked_by=by, asked_at=at, state=state, finished_at=finished, next_try_at=None
    )


def left():
    return set(Backtest.objects.all())


def test_newest_and_newest_result_stay_however_old(owner):
    asked(owner, 400, State.DONE)
    result = asked(owner, 300, State.DONE)
    asked(owner, 250, State.FAILED)
    newest = asked(owner, 200, State.STOPPED)

    assert backtests.forget() == 2

    assert left() == {result, newest}


def test_workspace_without_a_result_keeps_its_newest(owner):
    asked(owner, 300, State.FAILED)
    newest = asked(owner, 200, State.FAILED)

    backtests.forget()

    assert left() == {newest}


def test_young_and_running_ones_stay(owner):
    kept = {
        asked(owner, 200, State.QUEUED),
        asked(owner, 89, State.DONE),
        asked(owner, 10, State.FAILED),
        asked(owner, 1, State.DONE),
    }

    assert backtests.forget() == 0

    assert left() == kept


def test_each_workspace_keeps_its_own(owner):
    other = factories.owner(factories.workspace())
    mine, theirs = asked(owner, 300, State.DONE), asked(other, 200, State.DONE)

    backtests.forget()

    assert left() == {mine, theirs}


def test_clock_does_it(owner):
    asked(owner, 300, State.DONE)
    newest = asked(owner, 200, State.DONE)

    forget_backtests()

    assert left() == {newest}
    assert forget_backtests.name in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
