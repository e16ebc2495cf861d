"""Flags in people's hands: raise, dismiss, say the cause; and who is first."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.db import connection

from agents.access import NotAllowed
from coaching.actions import flags, sweeps
from coaching.models import Flag
from tests import factories
from tests.factories import ratings

TODAY = date(2026, 5, 20)
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
EVIDENCE = {"day": "2026-05-20", "since": "2026-04-16", "expected": 90.0, "drop": 12.0}

pytestmark = pytest.mark.django_db


@pytest.fixture
def noor(workspace):
    return factories.human(workspace, name="Noor")


def test_a_manual_flag_carries_its_reason_and_author(noor, owner):
    with time_machine.travel(NOW, tick=False):
        flag = flags.raise_manual(noor, by=owner, reason="  Three complaints this week. ")

    assert (flag.kind, flag.status, flag.opened_by, flag.reason) == (
        "manual",
        "open",
        owner,
        "Three complaints this week.",
    )
    assert (flag.since, flag.opened_on) == (TODAY - timedelta(days=27), TODAY)
    assert flags.sentence(flag) == "Three complaints this week."


def test_a_manual_flag_opens_on_the_day_of_the_workspace(db):
    workspace = factories.workspace(time_zone="Pacific/Auckland")
    with time_machine.travel(NOW, tick=False):
        flag = flags.raise_manual(factories.human(workspace), by=factories.owner(workspace), reason="Calls.")

    assert flag.opened_on == date(2026, 5, 21)


@pytest.mark.parametrize("reason", ["", "  ", None, "x" * 2_001])
def test_a_flag_is_neither_raised_nor_dismissed_without_a_reason_one_can_read(noor, owner, reason):
    with pytest.raises(ValidationError) as refused:
        flags.raise_manual(noor, by=owner, reason=reason)
    flag = flags.raise_flag(noor, EVIDENCE)
    with pytest.raises(ValidationError):
        flags.dismiss(flag, by=owner, reason=reason)

    assert list(refused.value.message_dict) == ["reason"]
    assert Flag.objects.get().status == Flag.Status.OPEN


def test_members_do_not_look_after_flags(noor, linked_member):
    flag = flags.raise_flag(noor, EVIDENCE)

    for act in (
        lambda: flags.raise_manual(noor, by=linked_member, reason="x"),
        lambda: flags.dismiss(flag, by=linked_member, reason="x"),
        lambda: flags.set_cause(flag, by=linked_member, cause="tool"),
    ):
        with pytest.raises(NotAllowed):
            act()
    flag.refresh_from_db()
    assert (flag.status, flag.cause) == ("open", "")


def test_one_open_flag_is_enough(noor, owner):
    first = flags.raise_flag(noor, EVIDENCE)

    assert flags.raise_flag(noor, EVIDENCE) is None
    with pytest.raises(flags.AlreadyFlagged) as refused:
        flags.raise_manual(noor, by=owner, reason="Calls.")
    assert refused.value.flag == first
    assert Flag.objects.count() == 1


def test_dismissing_says_who_when_and_why(noor, owner):
    flag = flags.raise_flag(noor, EVIDENCE)
    with time_machine.travel(NOW + timedelta(days=3), tick=False):
        flags.dismiss(flag, by=owner, reason="New product line.")

    assert (flag.status, flag.closed_by, flag.close_reason) == ("dismissed", owner, "New product line.")
    assert (flag.closed_on, flag.closed_at) == (TODAY + timedelta(days=3), NOW + timedelta(days=3))
    assert flags.sentence(flag) == f"Dismissed by {owner.display_name}: New product line."


def test_dismissal_of_somebody_without_a_name_tells_no_address(noor, owner):
    owner.user.name, owner.user.email = "", "sam@shop.example"
    owner.user.save()

    flag = flags.dismiss(flags.raise_flag(noor, EVIDENCE), by=owner, reason="A holiday.")

    assert flags.sentence(flag) == "Dismissed by sam: A holiday."


def test_a_closed_flag_is_not_dismissed_again(noor, owner, admin):
    flag = flags.raise_flag(noor, EVIDENCE)
    flags.dismiss(flag, by=owner, reason="First.")

    with pytest.raises(flags.AlreadyClosed):
        flags.dismiss(flag, by=admin, reason="Second.")
    flag.refresh_from_db()
    assert (flag.closed_by, flag.close_reason) == (owner, "First.")


def test_the_scan_does_not_close_what_a_leader_raised_or_closed(noor, owner, workspace):
    manual = flags.raise_manual(noor, by=owner, reason="Calls.")
    dismissed = flags.raise_flag(factories.human(workspace), EVIDENCE)
    flags.dismiss(dismissed, by=owner, reason="Known.")

    assert [flags.clear(manual, EVIDENCE), flags.expire(manual, EVIDENCE), flags.clear(dismissed, EVIDENCE)] == [
        False
    ] * 3
    manual.refresh_from_db()
    dismissed.refresh_from_db()
    assert (manual.status, dismissed.status) == ("open", "dismissed")


def test_the_cause_can_be_said_and_taken_back_also_later(noor, owner):
    flag = flags.raise_flag(noor, EVIDENCE)

    assert flags.set_cause(flag, by=owner, cause="policy").cause == "policy"
    flags.dismiss(flag, by=owner, reason="Done.")
    assert flags.set_cause(flag, by=owner, cause="").cause == ""
    with pytest.raises(ValidationError):
        flags.set_cause(flag, by=owner, cause="weather")


def test_a_raised_flag_says_its_numbers(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    flag = Flag.objects.get()

    assert flags.sentence(flag) == (
        f"In the last 5 weeks {falling}’s 35 ratings average 51 %; their own previous 21 weeks and what their team got in these "
        f"weeks point to {flag.evidence['expected']:.0f} %. Below that in 5 of the 5 weeks, and it holds without "
        "the worst 7 days. A steady agent shows this in fewer than 1 in 150 quarters."
    )


def test_nobody_is_credited_with_more_history_than_they_have(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    hired = TODAY - timedelta(days=100)
    falling.rating_days.filter(day__lt=hired).delete()

    sweeps.sweep(workspace, TODAY)

    flag = Flag.objects.get(agent=falling)
    assert flag.evidence["past_weeks"] == -(-(flag.since - hired).days // 7)


@pytest.mark.django_db(transaction=True)
def test_of_many_who_raise_at_once_one_wins(workspace):
    noor = factories.human(workspace)
    owner = factories.owner(workspace)
    outcomes, start = [], threading.Barrier(8)

    def act(number):
        start.wait()
        try:
            won = (
                flags.raise_flag(noor, EVIDENCE) if number % 2 else flags.raise_manual(noor, by=owner, reason="Calls.")
            )
            outcomes.append(won is not None)
        except flags.AlreadyFlagged:
            outcomes.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == [False] * 7 + [True]
    assert Flag.objects.open().count() == 1
