"""The real clock and a real worker: ratings become a flag, and a flag follows its ratings, within a minute."""

import time
from datetime import timedelta

import pytest
from django.utils import timezone

from coaching.actions import sweeps
from coaching.models import Flag, Sweep
from config.celery import app
from helpdesk.actions import record_ratings, withdraw_rating
from helpdesk.models import Rating
from tests import factories
from tests.factories import ratings
from tests.processes import clock, worker

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

MINUTE = 60


@pytest.fixture(autouse=True)
def _empty_queue():
    app.control.purge()
    yield
    app.control.purge()


def seconds_until(happened):
    began = time.monotonic()
    while not happened():
        if time.monotonic() - began > 2 * MINUTE:
            pytest.fail("it did not happen")
        time.sleep(0.1)
    return time.monotonic() - began


def test_ratings_become_a_flag_and_a_flag_follows_them_within_a_minute():
    """In one place a fall arrives; in two others, where one was flagged yesterday, a late rating, and most are withdrawn."""
    yesterday = timezone.now().date() - timedelta(days=1)
    here, there, beyond = (factories.workspace() for _ in range(3))
    noor = factories.human(here, team="First line")
    record_ratings(here, ratings.steady(noor, ratings.days_until(yesterday, 182)[:-35]))
    ines, _ = ratings.team_with_a_fall(there, yesterday)
    omar, _ = ratings.team_with_a_fall(beyond, yesterday)
    sweeps.owe_due()
    for owed in Sweep.objects.all():
        sweeps.run(owed.pk)
    flags = {flag.agent: Flag.objects.filter(pk=flag.pk) for flag in Flag.objects.all()}
    assert set(flags) == {ines, omar}

    with worker(threads=2), clock():
        seconds_until(lambda: app.control.ping(timeout=1))  # both are awake
        record_ratings(here, ratings.steady(noor, ratings.days_until(yesterday, 35), bad_one_in=2))
        record_ratings(there, [ratings.good_or_bad(ines, yesterday, good=False)])
        for one in Rating.objects.filter(agent=omar, rated_at__date__gt=yesterday - timedelta(days=33)):
            withdraw_rating(one.conversation)
        raised = seconds_until(Flag.objects.open().filter(agent=noor).exists)
        corrected = seconds_until(flags[ines].filter(version=2, evidence__ratings=36).exists)
        taken_back = seconds_until(flags[omar].filter(close_evidence__corrected=True).exists)

    print(
        f"raised after {raised:.0f} s, brought up to date {corrected:.0f} s later, taken back {taken_back:.0f} s after that"
    )
    assert raised + corrected + taken_back < MINUTE
