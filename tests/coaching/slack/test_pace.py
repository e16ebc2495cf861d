"""How fast Slack is called: a slot a second and channel, lines only where Slack asks for a pause, one who tries for all."""

import threading
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import time_machine
from django.db import connections as databases
from django.utils import timezone

from coaching.actions.slack import paces
from coaching.models import SlackPace
from tests import factories

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
POST, UPDATE = paces.POST, paces.UPDATE


@pytest.fixture
def connection(workspace):
    return factories.slack_connection(workspace)


@pytest.fixture
def clock():
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def after(seconds):
    return NOW + timedelta(seconds=seconds)


@pytest.mark.django_db
def test_the_first_message_goes_at_once_and_the_next_have_a_second_each(connection, clock):
    slots = [paces.slot(connection, POST, "C1") for _ in range(4)]

    assert slots == [None, after(1), after(2), after(3)]


@pytest.mark.django_db
def test_another_channel_and_another_slack_workspace_have_lines_of_their_own(connection, clock):
    paces.slot(connection, POST, "C1")

    assert paces.slot(connection, POST, "C2") is None
    assert paces.slot(factories.slack_connection(connection.workspace), POST, "C1") is None


@pytest.mark.django_db
def test_a_line_that_has_passed_is_forgotten(connection, clock):
    for _ in range(3):
        paces.slot(connection, POST, "C1")
    clock.move_to(after(60))

    assert [paces.slot(connection, POST, "C1") for _ in range(2)] == [None, after(61)]


@pytest.mark.django_db
def test_whoever_holds_a_slot_has_it_when_its_moment_comes_and_not_before(connection, clock):
    paces.slot(connection, POST, "C1")
    held = paces.slot(connection, POST, "C1")
    paces.slot(connection, POST, "C1")

    assert paces.slot(connection, POST, "C1", held=held) == held
    clock.move_to(held + timedelta(seconds=1))
    assert paces.slot(connection, POST, "C1", held=held) is None
    assert paces.slot(connection, POST, "C1") == after(3)  # and took no other


@pytest.mark.django_db
def test_a_slot_that_was_long_not_used_is_taken_anew(connection, clock):
    """After an outage all who waited hold one that has passed: they would all come at once."""
    paces.slot(connection, POST, "C1")
    held = [paces.slot(connection, POST, "C1") for _ in range(3)]
    clock.move_to(after(3600))

    assert [paces.slot(connection, POST, "C1", held=one) for one in held] == [None, after(3601), after(3602)]


@pytest.mark.django_db
def test_an_answer_does_not_wait_behind_a_long_line(connection, clock):
    for _ in range(100):
        paces.slot(connection, POST, "C1")

    assert paces.slot(connection, POST, "C1", is_urgent=True) is None
    assert paces.slot(connection, POST, "C1") == after(100)


@pytest.mark.django_db
def test_answers_among_themselves_stand_in_line_for_a_few_seconds(connection, clock):
    slots = [paces.slot(connection, POST, "C1", is_urgent=True) for _ in range(6)]

    assert slots == [None, after(1), after(2), after(3), None, None]


@pytest.mark.django_db
def test_a_pause_moves_the_line_behind_it_and_nobody_is_urgent_in_it(connection, clock):
    paces.slot(connection, POST, "C1")
    held = paces.slot(connection, POST, "C1")
    paces.block(connection, POST, "C1", 30)

    assert paces.slot(connection, POST, "C1", held=held) == after(30)
    assert paces.slot(connection, POST, "C1", is_urgent=True) == after(31)
    assert paces.slot(connection, POST, "C2") is None


@pytest.mark.django_db
def test_a_slot_behind_the_pause_is_kept(connection, clock):
    paces.block(connection, POST, "C1", 30)
    held = [paces.slot(connection, POST, "C1") for _ in range(3)][-1]
    paces.block(connection, POST, "C1", 31)

    assert paces.slot(connection, POST, "C1", held=held) == held == after(32)


@pytest.mark.django_db
def test_messages_are_changed_without_a_line_until_slack_asks_for_a_pause(connection, clock):
    free = [paces.slot(connection, UPDATE, "C1") for _ in range(5)]
    paces.block(connection, UPDATE, "C1", 30)
    lined_up = [paces.slot(connection, UPDATE, channel) for channel in ("C1", "C2", "C3")]
    clock.move_to(after(31))
    still = paces.slot(connection, UPDATE, "C1")
    clock.move_to(after(40))
    over = [paces.slot(connection, UPDATE, "C1") for _ in range(5)]

    assert (free, over) == ([None] * 5, [None] * 5)
    assert lined_up == [after(30), after(31.2), after(32.4)]
    assert still == after(33.6)


@pytest.mark.django_db
def test_a_thousand_who_are_blocked_are_each_touched_twice(connection, clock):
    """Once to be given a slot, and once in it."""
    paces.block(connection, UPDATE, "C1", 30)
    waiting = {number: paces.slot(connection, UPDATE, "C1") for number in range(1_000)}
    served = 0
    for slot in waiting.values():
        clock.move_to(slot)
        served += paces.slot(connection, UPDATE, "C1", held=slot) is None

    assert (len(set(waiting.values())), served) == (1_000, 1_000)


@pytest.mark.django_db
def test_a_longer_pause_is_not_cut_short_by_a_shorter_one(connection, clock):
    paces.block(connection, UPDATE, "C1", 30)
    paces.block(connection, UPDATE, "C1", 5)

    assert paces.ask_leave(connection, UPDATE, "C1").seconds == 30


@pytest.mark.django_db
def test_methods_that_are_not_blocked_may_be_called(connection, clock):
    paces.block(connection, UPDATE, "C1", 30)
    paces.block(connection, POST, "C1", 30)

    assert paces.ask_leave(connection, "users.info", "") == paces.Leave()
    assert paces.ask_leave(connection, POST, "C2") == paces.Leave()
    assert paces.ask_leave(connection, UPDATE, "C2").seconds == 30


@pytest.mark.django_db
def test_while_nobody_answers_one_is_let_through_at_a_time(connection, clock):
    paces.rest(connection)
    resting = paces.ask_leave(connection, POST, "C1")
    clock.move_to(after(1))
    first, second = paces.ask_leave(connection, POST, "C1"), paces.ask_leave(connection, UPDATE, "C2")
    paces.rest(connection)
    longer = paces.ask_leave(connection, POST, "C1")
    clock.move_to(after(6))
    third = paces.ask_leave(connection, POST, "C1")
    paces.go_on(connection)

    assert resting == paces.Leave(1.0, is_down=True)
    assert (first, second) == (paces.Leave(0.0, is_down=True), paces.Leave(15.0, is_down=True))
    assert (longer, third) == (paces.Leave(5.0, is_down=True), paces.Leave(0.0, is_down=True))
    assert [paces.ask_leave(connection, POST, "C1") for _ in range(2)] == [paces.Leave()] * 2


@pytest.mark.django_db
def test_whoever_may_not_call_for_another_reason_does_not_try_for_all(connection, clock):
    paces.rest(connection)
    paces.block(connection, POST, "C1", 30)
    clock.move_to(after(1))

    assert paces.ask_leave(connection, POST, "C1") == paces.Leave(29.0)
    assert paces.ask_leave(connection, UPDATE, "C1") == paces.Leave(0.0, is_down=True)


@pytest.mark.django_db(transaction=True)
def test_many_at_once_get_a_slot_each(connection):
    began, slots, barrier = timezone.now(), [], threading.Barrier(8)

    def take():
        barrier.wait()
        for _ in range(3):
            slots.append(paces.slot(connection, POST, "C1"))
        databases.close_all()

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    taken = sorted(slot for slot in slots if slot is not None)
    apart = {later - earlier for earlier, later in pairwise(taken)}
    assert (len(slots), len(taken), apart) == (24, 23, {timedelta(seconds=1)})
    assert taken[0] - began < timedelta(seconds=5)
    assert SlackPace.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_tries_for_all(connection):
    rounds = 10
    paces.rest(connection)
    leaves, barrier = [], threading.Barrier(8)

    def ask():
        SlackPace.objects.count()  # connected before all begin together
        for number in range(rounds):
            if barrier.wait() == 0:
                SlackPace.objects.update(blocked_until=timezone.now() - timedelta(seconds=1))
            barrier.wait()
            leaves.append((number, paces.ask_leave(connection, POST, "C1").seconds))
            barrier.wait()
        databases.close_all()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(number for number, seconds in leaves if seconds == 0) == [*range(rounds)]
    assert len(leaves) == 8 * rounds
