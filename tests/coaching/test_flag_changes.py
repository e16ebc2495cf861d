"""Each change of a flag is one version with its author, whoever is first; and what a reopened flag still has before it."""

import threading
from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from agents.access import NotAllowed
from agents.models import Member
from coaching.actions import flags, sweeps
from coaching.models import Flag
from tests import factories
from tests.factories import ratings

TODAY = date(2026, 5, 20)
EVIDENCE = {"day": "2026-05-20", "since": "2026-04-16", "expected": 90.0, "drop": 12.0}
END = EVIDENCE | {"day": "2026-06-20"}
AT_ONCE = 8

pytestmark = pytest.mark.django_db


@pytest.fixture
def flag(workspace):
    return flags.raise_flag(factories.human(workspace, name="Noor"), EVIDENCE)


def versions(flag):
    """(version, status, coached, cause, who) of each, oldest first."""
    rows = flag.history.order_by("version").values_list("version", "status", "coached_at", "cause", "history_user")
    return [(version, status, at is not None, cause, who) for version, status, at, cause, who in rows]


def noon(day):
    return time_machine.travel(datetime(day.year, day.month, day.day, 12, tzinfo=UTC), tick=False)


def test_each_change_by_a_person_is_one_version_with_its_author(flag, owner, admin):
    flags.mark_coached(flag, by=owner)
    flags.set_cause(flag, by=admin, cause="wait")
    flags.dismiss(flag, by=owner, reason="Known.")
    flags.reopen(flag, by=admin)
    flags.unmark_coached(flag, by=owner)

    one, other = owner.user.pk, admin.user.pk
    assert versions(flag) == [
        (1, "open", False, "", None),
        (2, "open", True, "", one),
        (3, "open", True, "wait", other),
        (4, "dismissed", True, "wait", one),
        (5, "open", True, "wait", other),
        (6, "open", False, "wait", one),
    ]
    assert flag.version == 6


@pytest.mark.parametrize(("end", "status"), [(flags.clear, "cleared"), (flags.expire, "expired")])
def test_an_end_by_the_scan_is_a_version_of_nobody(flag, end, status):
    assert end(flag, END) is True

    assert versions(flag) == [(1, "open", False, "", None), (2, status, False, "", None)]


def test_a_flag_raised_by_hand_has_its_author(workspace, owner):
    flag = flags.raise_manual(factories.human(workspace), by=owner, reason="Calls.")

    assert versions(flag) == [(1, "open", False, "", owner.user.pk)]


def test_what_is_so_already_makes_no_version(flag, owner):
    flags.unmark_coached(flag, by=owner)
    flags.set_cause(flag, by=owner, cause="")
    flags.mark_coached(flag, by=owner)
    flags.mark_coached(flag, by=owner)

    assert flag.version == flag.history.count() == 2
    assert (flag.coached_by, flag.coached_at is not None) == (owner, True)


def test_a_tick_is_taken_back_with_its_author(flag, owner):
    flags.mark_coached(flag, by=owner)

    flags.unmark_coached(flag, by=owner)

    assert (flag.coached_at, flag.coached_by) == (None, None)


def test_a_closed_flag_is_ticked_off_no_more_but_a_tick_can_be_taken_back(flag, owner):
    flags.mark_coached(flag, by=owner)
    flags.dismiss(flag, by=owner, reason="Known.")

    flags.unmark_coached(flag, by=owner)
    with pytest.raises(flags.AlreadyClosed):
        flags.mark_coached(flag, by=owner)


def test_a_reopened_flag_stands_as_it_stood(flag, owner):
    before = Flag.objects.values().get()
    flags.dismiss(flag, by=owner, reason="Known.")

    flags.reopen(flag, by=owner)

    assert Flag.objects.values().get() == before | {"version": 3}


def test_only_a_dismissal_can_be_taken_back(flag, owner):
    with pytest.raises(flags.NotDismissed):
        flags.reopen(flag, by=owner)
    flags.clear(flag, END)
    with pytest.raises(flags.NotDismissed) as refused:
        flags.reopen(flag, by=owner)

    assert str(refused.value) == "Only a dismissal can be taken back."
    assert flag.history.count() == 2


def test_a_flag_is_not_reopened_beside_another(flag, owner):
    flags.dismiss(flag, by=owner, reason="Known.")
    other = flags.raise_manual(flag.agent, by=owner, reason="Calls.")

    with pytest.raises(flags.AlreadyFlagged) as refused:
        flags.reopen(flag, by=owner)

    assert (str(refused.value), refused.value.flag) == ("Noor has an open flag already.", other)
    assert versions(flag)[-1][:2] == (2, "dismissed")


def test_members_change_nothing_about_flags(flag, owner, linked_member):
    flags.mark_coached(flag, by=owner)
    for act in (flags.mark_coached, flags.unmark_coached, flags.reopen):
        with pytest.raises(NotAllowed):
            act(flag, by=linked_member)

    assert flag.history.count() == 2


def test_a_reopened_flag_keeps_its_last_day_and_the_rest_begins_at_its_end(workspace, owner):
    """Dismissed on day 5 and reopened on day 40, it expires on day 84; from there on the scan rests for 28 days."""
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    flag = Flag.objects.get()
    ratings.record_ratings(
        workspace, ratings.steady(falling, ratings.days_until(TODAY + timedelta(days=84), 84), bad_one_in=2)
    )
    with noon(TODAY + timedelta(days=5)):
        flags.dismiss(flag, by=owner, reason="Known.")
    with noon(TODAY + timedelta(days=40)):
        flags.reopen(flag, by=owner)

    looks = {day: sweeps.sweep(workspace, TODAY + timedelta(days=day)) for day in (41, 83, 84)}

    assert [(one.raised, one.expired) for one in looks.values()] == [(0, 0), (0, 0), (0, 1)]
    flag.refresh_from_db()
    assert (flag.status, flag.closed_on) == ("expired", TODAY + timedelta(days=84))


def test_a_flag_reopened_after_its_last_day_ends_with_the_next_sweep(workspace, owner):
    ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    flag = Flag.objects.get()
    with noon(TODAY + timedelta(days=50)):
        flags.dismiss(flag, by=owner, reason="Known.")
    with noon(TODAY + timedelta(days=100)):
        flags.reopen(flag, by=owner)

    assert sweeps.sweep(workspace, TODAY + timedelta(days=100)).expired == 1
    flag.refresh_from_db()
    assert flags.sentence(flag).startswith("Open for 14 weeks, with 0 ratings in the last 4 weeks: too few")


# --- Many at once ----------------------------------------------------------------------------------------------------


def together(act):
    """Call `act(number)` from many threads at the same moment; what each returned, or the type of what it raised."""
    outcomes, start = [], threading.Barrier(AT_ONCE)

    def run(number):
        start.wait()
        try:
            outcomes.append(act(number))
        except flags.Refusal as refusal:
            outcomes.append(type(refusal))
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.fixture
def leaders(workspace):
    return [factories.member(workspace, Member.Role.ADMIN) for _ in range(AT_ONCE)]


def prepared(flag, by, state):
    if state == "coached":
        flags.mark_coached(flag, by=by)
    elif state == "dismissed":
        flags.dismiss(flag, by=by, reason="Known.")
    return flag.history.count()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("state", "act"),
    [
        ("open", flags.mark_coached),
        ("coached", flags.unmark_coached),
        ("dismissed", flags.reopen),
        ("open", lambda flag, by: flags.dismiss(flag, by=by, reason=f"As {by.pk} says.")),
        ("open", lambda flag, by: flags.set_cause(flag, by=by, cause="tool")),
    ],
    ids=["coached", "not coached", "reopened", "dismissed", "cause"],
)
def test_of_many_at_once_one_changes_the_flag_and_signs_it(flag, leaders, state, act):
    before = prepared(flag, leaders[0], state)

    together(lambda number: act(Flag.objects.get(), by=leaders[number]) and None)

    rows = list(flag.history.order_by("version"))
    assert len(rows) == before + 1 == Flag.objects.get().version
    author = rows[-1].history_user_id
    assert author in {leader.user_id for leader in leaders}
    for member_id in (rows[-1].closed_by_id, rows[-1].coached_by_id):
        assert member_id is None or Member.objects.get(pk=member_id).user_id == author


@pytest.mark.django_db(transaction=True)
def test_ticks_causes_and_an_end_at_once_lose_nothing(flag, leaders):
    """Different changes at the same moment: all of them stand afterwards, each as a version of its own."""
    acts = (
        lambda number: flags.mark_coached(Flag.objects.get(), by=leaders[number]) and None,
        lambda number: flags.set_cause(Flag.objects.get(), by=leaders[number], cause="tool") and None,
        lambda number: flags.clear(Flag.objects.get(), END) and None,
        lambda number: flags.correct(Flag.objects.get(), EVIDENCE | {"ratings": 40}) and None,
    )

    together(lambda number: acts[number % len(acts)](number))

    now = Flag.objects.get()
    assert (now.status, now.cause) == ("cleared", "tool")
    assert now.version == now.history.count() == len(set(now.history.values_list("version", flat=True)))


@pytest.mark.django_db(transaction=True)
def test_of_many_dismissed_flags_of_one_agent_one_is_reopened(workspace, leaders):
    noor, dismissed = factories.human(workspace), []
    for _ in range(AT_ONCE):
        dismissed.append(flags.raise_flag(noor, EVIDENCE))
        flags.dismiss(dismissed[-1], by=leaders[0], reason="Known.")

    outcomes = together(lambda number: flags.reopen(dismissed[number], by=leaders[number]).status)

    assert sorted(outcomes, key=str) == [flags.AlreadyFlagged] * (AT_ONCE - 1) + ["open"]
    assert Flag.objects.open().count() == 1
