"""Follow-ups of notes: ticked off once, put off, taken back; shared notes: read by whom they are about."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from agents.access import NotAllowed, Refusal
from agents.models import Member
from coaching.actions import feeds, notes
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


# --- Put off ---------------------------------------------------------------------------------------------------------------


def test_follow_up_is_put_off_as_its_next_version_and_back(owner, admin):
    asked, before = note(owner), timezone.now() + timedelta(days=1)
    later = timezone.now() + timedelta(days=4)

    notes.snooze(asked, by=admin, until=later)
    assert (asked.follow_up_at, asked.version, asked.history.latest().history_user) == (later, 2, admin.user)
    notes.unsnooze(asked, by=owner, version=2)

    assert abs(asked.follow_up_at - before) < timedelta(minutes=1)
    assert asked.version == 3
    assert notes.unsnooze(asked, by=owner, version=2).version == 3


@pytest.mark.parametrize("ahead", [timedelta(seconds=-1), timedelta(days=3660 + 366)])
def test_follow_up_is_not_put_off_to_the_past_or_beyond_ten_years(ahead, owner):
    asked = note(owner)

    with pytest.raises(ValidationError):
        notes.snooze(asked, by=owner, until=timezone.now() + ahead)

    assert Note.objects.get().version == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda one, by: notes.snooze(one, by=by, until=timezone.now() + timedelta(days=2)),
        lambda one, by: notes.unsnooze(one, by=by, version=1),
    ],
    ids=["snooze", "unsnooze"],
)
def test_what_asks_for_nothing_is_not_put_off_and_only_leaders_do(change, owner, linked_member):
    done, archived = notes.follow_up_done(note(owner), by=owner), notes.archive(note(owner), by=owner)

    with pytest.raises(notes.NoFollowUp):
        change(done, owner)
    with pytest.raises(notes.NoFollowUp):
        change(note(owner, follow_up_at=None), owner)
    with pytest.raises(notes.Archived):
        change(archived, owner)
    with pytest.raises(NotAllowed):
        change(note(owner), linked_member)


def test_what_somebody_changed_since_is_not_put_back(owner):
    asked = notes.snooze(note(owner), by=owner, until=timezone.now() + timedelta(days=4))
    notes.edit(asked, by=owner, body="Other words.")

    with pytest.raises(notes.ChangedMeanwhile):
        notes.unsnooze(asked, by=owner, version=2)


# --- Read by whom they are about ---------------------------------------------------------------------------------------------


def shared(member, by, **fields):
    return notes.write(member.agent, by=by, **{"body": "Well done.", "shared_with_agent": True} | fields)


def test_shared_note_is_acknowledged_once_by_whom_it_is_about(owner, linked_member):
    given = shared(linked_member, owner)

    notes.acknowledge(given, by=linked_member, body="Well done.")
    first = given.acknowledged_at
    with time_machine.travel(timezone.now() + timedelta(minutes=9)):
        notes.acknowledge(Note.objects.get(), by=linked_member, body="Well done.")

    kept = Note.objects.get()
    assert (kept.acknowledged_at, kept.acknowledged_by, kept.version) == (first, linked_member, 2)
    assert kept.history.latest().history_user == linked_member.user


def test_nobody_else_says_that_it_was_read(owner, admin, linked_member, unlinked_member, stranger):
    given = shared(linked_member, owner)
    colleague = factories.member(owner.workspace, agent=factories.human(owner.workspace))

    for other in (owner, admin, unlinked_member, stranger, colleague):
        with pytest.raises(NotAllowed):
            notes.acknowledge(given, by=other, body="Well done.")

    assert Note.objects.get().acknowledged_at is None


@pytest.mark.parametrize("how", ["private", "archived", "unlinked", "left"])
def test_what_is_not_shared_with_them_at_that_moment_cannot_be_acknowledged(how, owner, linked_member):
    given = shared(linked_member, owner)
    {
        "private": lambda: notes.edit(given, by=owner, shared_with_agent=False),
        "archived": lambda: notes.archive(given, by=owner),
        "unlinked": lambda: Member.objects.filter(pk=linked_member.pk).update(agent=None),
        "left": lambda: Member.objects.filter(pk=linked_member.pk).update(left_at=timezone.now()),
    }[how]()

    for said in (notes.acknowledge, notes.unacknowledge):
        with pytest.raises(NotAllowed):
            said(given, by=linked_member, **({"body": "Well done."} if said is notes.acknowledge else {}))

    assert Note.objects.get().acknowledged_at is None


def test_other_words_than_were_read_are_not_acknowledged(owner, linked_member):
    given = shared(linked_member, owner)
    notes.edit(Note.objects.get(), by=owner, body="Not so well done.")

    with pytest.raises(notes.WordsChanged):
        notes.acknowledge(given, by=linked_member, body="Well done.")

    assert Note.objects.get().acknowledged_at is None


def test_acknowledgement_is_taken_back_within_the_hour_and_harmless_where_there_is_none(owner, linked_member):
    given = shared(linked_member, owner)
    assert notes.unacknowledge(given, by=linked_member).version == 1
    notes.acknowledge(given, by=linked_member, body="Well done.")

    with time_machine.travel(timezone.now() + timedelta(minutes=61)), pytest.raises(notes.TooLate):
        notes.unacknowledge(given, by=linked_member)
    notes.unacknowledge(given, by=linked_member)

    assert (given.acknowledged_at, given.acknowledged_by, given.version) == (None, None, 3)


def test_leader_who_answers_customers_acknowledges_notes_on_themselves(owner, admin):
    admin.agent = factories.human(owner.workspace)
    admin.save_without_historical_record()

    assert notes.acknowledge(shared(admin, owner), by=admin, body="Well done.").acknowledged_by == admin


# --- At once ----------------------------------------------------------------------------------------------------------------


def at_once(*calls):
    """Start all at the same moment, each on a connection of its own: what each returned or raised."""
    ready = threading.Barrier(len(calls))

    def run(call):
        ready.wait()
        try:
            return call()
        except Refusal as refusal:
            return type(refusal)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.django_db(transaction=True)
def test_address_that_is_renewed_twice_at_once_is_renewed_once():
    owner = factories.owner(factories.workspace())
    for number in (1, 2):
        told = at_once(*[lambda number=number: feeds.renew(owner, number=number).number] * 4)

        assert sorted(map(str, told)) == sorted(map(str, [number + 1, *[feeds.AlreadyRenewed] * 3]))
    assert feeds.of(owner).number == 3


@pytest.mark.django_db(transaction=True)
def test_note_that_is_read_and_put_off_at_once_keeps_both_and_each_once():
    owner = factories.owner(factories.workspace())
    person = factories.member(owner.workspace, agent=factories.human(owner.workspace))
    later = timezone.now() + timedelta(days=5)
    given = shared(person, owner, follow_up_at=timezone.now() + timedelta(days=1))

    at_once(
        *[lambda: notes.acknowledge(Note.objects.get(pk=given.pk), by=person, body="Well done.")] * 3,
        *[lambda: notes.snooze(Note.objects.get(pk=given.pk), by=owner, until=later)] * 3,
    )

    given.refresh_from_db()
    assert (given.acknowledged_by, given.follow_up_at, given.version, given.history.count()) == (person, later, 3, 3)
