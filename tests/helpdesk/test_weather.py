"""Every vendor's ratings are read through the same bad weather, and through what happens at a helpdesk between two readings:
nothing is lost, nothing counts twice, and the row says what happened.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from helpdesk import actions
from helpdesk.actions import connections
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, HelpdeskSync, Rating
from helpdesk.sync import people
from helpdesk.vendors import registry
from tests import factories
from tests.desks import DESKS, server
from tests.desks.server import Weather, serving
from tests.desks.world import NOON, Answer, small_world, talk
from tests.helpdesk.connected import connected, read

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.parametrize("vendor", DESKS)]

ALWAYS = 1_000
LONG = {"backfill_days": 3650}


@pytest.fixture
def desk(vendor):
    with serving(DESKS[vendor](small_world())) as desk:
        yield desk


def from_list(desk, n):
    """Whether a request is the n-th of the list of ratings, counted from 1, or a later one."""
    seen = []

    def fits(asked):
        is_list = asked.path.endswith(desk.list_path) and desk.list_mark in str(asked.body)
        if is_list:
            seen.append(asked)
        return is_list and len(seen) >= n

    return fits


def due_now(connection, kind="backfill"):
    HelpdeskSync.objects.filter(connection=connection, kind=kind).update(next_try_at=timezone.now())


def read_again(connection, kind="backfill"):
    due_now(connection, kind)
    return read(connection, kind)


def counting():
    """{conversation: (score, whom it is credited to there)} of what counts."""
    rows = Rating.objects.counting().select_related("conversation", "helpdesk_agent")
    return {
        row.conversation.external_id: (row.score, row.helpdesk_agent.external_id if row.helpdesk_agent else "")
        for row in rows
    }


def as_told(desk):
    people = {person.id: desk.person_id(person) for person in desk.world.people}
    return {one.id: (one.answer.happy * 100, people.get(one.answer.person, "")) for one in desk.world.answered()}


def assert_in_step(desk, connection):
    """What counts is what the desk has, with whom it names, and the daily table says the same."""
    assert counting() == as_told(desk)
    assert list(actions.check_days(connection.workspace)) == []


# --- Weather -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fault:
    """How every page but the first is answered, what the row says of it, whether that counts as a failure, and for how long it
    waits at least."""

    play: object
    says: str
    is_failure: bool = True
    pause: timedelta = timedelta(0)


FAULTS = {
    "500": Fault(server.status(500), "{} has a fault of its own (500)."),
    "web page": Fault(server.web_page, "{} answered with a web page instead of data."),
    "half a page": Fault(server.half_a_page, "The connection to {} broke off."),
    "hung up": Fault(server.hang_up, "The connection to {} broke off."),
    "redirect": Fault(server.redirect("http://10.0.0.1/"), "{} sends on to another address, which is not followed."),
    "429": Fault(
        server.status(429, retry_after="40"),
        "{} asks to be called less often.",
        is_failure=False,
        pause=timedelta(seconds=40),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_fault_in_the_middle_keeps_what_was_read_and_goes_on_there(desk, owner, settings, name):
    fault, label = FAULTS[name], registry.VENDORS[desk.vendor].label
    desk.weather.append(Weather(fault.play, times=ALWAYS, when=from_list(desk, 2)))
    connection = connected(desk, owner, settings, **LONG)
    began = timezone.now()

    sync = read(connection)

    assert (sync.n_read, Rating.objects.count(), sync.cursor != "") == (3, 3, True)
    assert sync.last_error.startswith(fault.says.format(label))
    assert (sync.failed_at is not None, sync.next_try_at > began + fault.pause) == (fault.is_failure, True)
    assert HelpdeskConnection.objects.get().is_active
    desk.weather.clear()
    sync = read_again(connection)
    assert (sync.last_error, sync.n_new, sync.next_try_at) == ("", 7, None)
    assert_in_step(desk, connection)


def test_credentials_refused_in_the_middle_stop_the_connection_and_lose_nothing(desk, owner, settings):
    desk.weather.append(Weather(server.status(401), times=ALWAYS, when=from_list(desk, 2)))
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    connection.refresh_from_db()
    assert (connection.state, connection.state_reason, sync.n_read) == ("refused", sync.last_error, 3)
    assert read_again(connection) is None
    desk.weather.clear()
    connections.resume(connection, by=owner)
    assert read(connection).n_new == 7
    assert_in_step(desk, connection)


def test_list_that_never_ends_is_told_of_and_read_once(desk, owner, settings):
    """Every page is the second one, whichever is asked for: the list leads back to where it was."""
    if not desk.has_cursors:
        pytest.skip(f"{desk.vendor} has no cursors: its pages are asked for by time.")
    second = []
    answer, is_later = desk.answer, from_list(desk, 2)

    def play(asked):
        if not is_later(asked):
            return answer(asked)
        second.append(asked)
        return answer(second[0])

    desk.answer = play
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    assert sync.last_error != ""
    assert sync.next_try_at > timezone.now()
    assert len(second) < 20
    assert Rating.objects.count() == len(counting())
    desk.answer = answer
    assert read_again(connection).last_error == ""
    assert_in_step(desk, connection)
    assert Rating.objects.count() == 7


# --- Clocks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("minutes", [30, -30], ids=["ahead", "behind"])
def test_ratings_of_a_helpdesk_whose_clock_is_off_are_read_as_they_come(desk, owner, settings, minutes):
    """Each is given a moment after a reading, and stamped by the helpdesk's clock."""
    desk.world.talks.clear()
    began = timezone.now().replace(microsecond=0)
    with time_machine.travel(began, tick=True) as clock:
        connection = connected(desk, owner, settings)
        read(connection)
        for number in range(3):
            read_again(connection, "recent")
            clock.shift(60)
            desk.world.add(talk(number, at=timezone.now().replace(microsecond=0) + timedelta(minutes=minutes)))
            clock.shift(240)
        for _ in range(8):
            read_again(connection, "recent")
            clock.shift(300)

    assert_in_step(desk, connection)
    assert len(counting()) == 3


# --- What happens at a helpdesk between two readings -------------------------------------------------------------------


def changed(desk):
    desk.world.add(desk.world.talks["1001"].answered(happy=0.0, at=NOON + timedelta(hours=1)))


def without_an_agent(desk):
    alone = talk(50)
    desk.world.add(replace(alone, assignee="", said=alone.said[:1], answer=replace(alone.answer, person="")))


def reassigned(desk):
    desk.world.add(replace(desk.world.talks["1001"], assignee="11", updated_at=NOON + timedelta(hours=1)))


def one_more_of_the_same_second(desk):
    former = desk.world.talks["1006"]
    desk.world.add(replace(talk(51, person="12"), answer=Answer("900051", 1.0, former.answer.at, "12")))


@pytest.mark.parametrize("happens", [changed, without_an_agent, reassigned, one_more_of_the_same_second])
def test_next_reading_ends_as_the_helpdesk_has_it(desk, owner, settings, happens):
    connection = connected(desk, owner, settings, **LONG)
    ours = {"11": factories.human(owner.workspace), "12": factories.human(owner.workspace)}
    for id, agent in ours.items():
        HelpdeskAgent.objects.create(
            workspace=owner.workspace, connection=connection, external_id=id, agent=agent, mapping="person"
        )
    read(connection)
    assert_in_step(desk, connection)
    happens(desk)

    sync = read_again(connection)

    assert (sync.last_error, sync.n_refused) == ("", 0)
    assert_in_step(desk, connection)
    assert read_again(connection).n_new == 0
    assert_in_step(desk, connection)


def test_somebody_who_is_deleted_there_keeps_their_ratings(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    read(connection)
    before = counting()
    gone = desk.world.people[1]
    answer = desk.answer
    desk.answer = lambda asked: without(gone, desk, answer, asked)

    with time_machine.travel(timezone.now() + people.FRESH):
        sync = read_again(connection)

    assert (sync.last_error, counting()) == ("", before)
    is_gone = dict(HelpdeskAgent.objects.values_list("external_id", "is_gone"))
    assert (is_gone[desk.person_id(gone)], is_gone[desk.person_id(desk.world.people[0])]) == (True, False)
    assert list(actions.check_days(connection.workspace)) == []


def without(person, desk, answer, asked):
    """The desk's answer, without somebody in the list of people; conversations go on naming them."""
    told = answer(asked)

    def is_them(one):
        return isinstance(one, dict) and person.email in (one.get("email"), (one.get("contact") or {}).get("email"))

    def cut(value):
        if isinstance(value, list):
            return [cut(one) for one in value if not is_them(one)]
        return {name: cut(one) for name, one in value.items()} if isinstance(value, dict) else value

    told.body = cut(told.body)
    return told
