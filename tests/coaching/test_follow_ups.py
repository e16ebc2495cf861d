"""Follow-ups of notes: ticked off once, taken back, and not asked of notes that ask for none."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from agents.access import NotAllowed
from coaching.actions import notes
from coaching.models import Note
from tests import factories

pytestmark = pytest.mark.django_db


def note(owner, **fields):
    tomorrow = timezone.now() + timedelta(days=1)
    return notes.write(factories.human(owner.workspace), by=owner, body="x", **{"follow_up_at": tomorrow} | fields)


def test_second_tick_keeps_the_first_time_and_writes_no_version(owner, admin):
    asked = notes.follow_up_done(note(owner), by=owner)
    first, version = asked.followed_up_at, asked.version

    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        again = notes.follow_up_done(Note.objects.get(), by=admin)

    assert (again.followed_up_at, again.version, again.history.count()) == (first, version, version)


def test_tick_is_taken_back_and_harmless_where_there_is_none(owner):
    asked = note(owner)

    assert notes.follow_up_not_done(asked, by=owner).version == 1
    notes.follow_up_done(asked, by=owner)
    back = notes.follow_up_not_done(asked, by=owner)

    assert (back.followed_up_at, back.version) == (None, 3)
    assert back.history.latest().history_user == owner.user


@pytest.mark.parametrize("tick", [notes.follow_up_done, notes.follow_up_not_done])
def test_note_without_a_follow_up_or_put_away_is_refused(tick, owner):
    without, archived = note(owner, follow_up_at=None), notes.archive(note(owner), by=owner)

    with pytest.raises(notes.NoFollowUp):
        tick(without, by=owner)
    with pytest.raises(notes.Archived):
        tick(archived, by=owner)


@pytest.mark.parametrize("tick", [notes.follow_up_done, notes.follow_up_not_done])
def test_only_leaders_tick(tick, owner, linked_member):
    asked = note(owner)

    with pytest.raises(NotAllowed):
        tick(asked, by=linked_member)

    asked.refresh_from_db()
    assert (asked.followed_up_at, asked.version) == (None, 1)
