"""What webhooks owe, worked off from their receipts."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest
from django.db import connections as databases
from django.utils import timezone

from agents import work
from agents.models import Agent, ExternalId
from coaching.tasks import read_helpdesks
from helpdesk.actions import connections, receipts
from helpdesk.actions.receipts import Hook
from helpdesk.models import Conversation, HelpdeskAgent, HelpdeskConnection, HelpdeskSync, Rating, WebhookReceipt
from helpdesk.sync import ratings
from helpdesk.sync import receipts as work_off
from helpdesk.tasks import follow_hooks
from tests import factories, processes
from tests.desks import DESKS
from tests.desks.server import Weather, hang_up, serving, slow, status
from tests.desks.world import small_world, talk
from tests.helpdesk.connected import connected
from tests.helpdesk.hooked import address, body_of, in_house, item, over_the_wire, signed
from tests.serving import serving as serving_web

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(params=sorted(DESKS))
def desk(request):
    world = small_world(0)
    with serving(DESKS[request.param](world)) as desk:
        yield desk


@pytest.fixture
def connection(desk, owner, settings):
    return connected(desk, owner, settings)


def answered(desk, number, *, happy=0.0, seconds=60):
    """A conversation that was rated that long ago, in the desk's world."""
    told = talk(number, happy=happy, at=timezone.now().replace(microsecond=0) - timedelta(seconds=seconds))
    desk.world.add(told)
    return told


def told_of(connection, desk, *talks, at=None):
    """Let the desk tell of conversations, each in a hook of its own."""
    hooks = [desk.webhook(one, at or timezone.now()) for one in talks]
    answers = receipts.receive([Hook(connection.vendor, connection.pk, body, headers) for body, headers in hooks])
    assert {answer.status for answer in answers} == {200}


def told_again(connection):
    """Let the desk tell of the same in another event."""
    receipt = WebhookReceipt.objects.filter(connection=connection).earliest("pk")
    WebhookReceipt.objects.create(
        workspace=receipt.workspace,
        connection=connection,
        event_id=str(uuid.uuid4()),
        conversation_id=receipt.conversation_id,
        rating_id=receipt.rating_id,
    )


def outcomes():
    return list(WebhookReceipt.objects.order_by("pk").values_list("outcome", flat=True))


def scores():
    """{conversation: score of what counts}."""
    return {r.conversation.external_id: r.score for r in Rating.objects.counting().select_related("conversation")}


# --- One by one --------------------------------------------------------------------------------------------------------


def test_a_rating_is_read_anew_and_taken_in(desk, connection):
    told_of(connection, desk, answered(desk, 1, happy=1.0))

    assert work_off.run(connection.pk) == 1

    assert (outcomes(), scores()) == (["A new rating."], {"1001": 100})
    assert WebhookReceipt.objects.owed().count() == 0


def test_several_about_one_conversation_cost_one_look(desk, connection):
    told_of(connection, desk, answered(desk, 1))
    work_off.run(connection.pk)
    calls = len(desk.asked)

    for _ in range(4):
        told_again(connection)
    assert work_off.run(connection.pk) == 4

    assert len(desk.asked) - calls == calls
    assert outcomes() == ["A new rating."] + ["The rating was known."] * 4
    assert Rating.objects.count() == 1


def test_events_in_any_order_end_as_the_helpdesk_has_it(desk, connection):
    """Each conversation is rated twice and told of three times, in every order; every second rating is taken back in the end."""
    expected, at = {}, timezone.now()
    for number, order in enumerate(permutations(range(3))):
        first = answered(desk, number, happy=0.0, seconds=90)
        told_of(connection, desk, first, at=at)
        work_off.run(connection.pk)
        second = first.answered(happy=1.0, at=first.answer.at + timedelta(seconds=30))
        now = replace(second, answer=None) if number % 2 else second
        desk.world.add(now)
        expected |= {} if number % 2 else {first.id: 100}
        events = [first, second, first.answered(happy=0.0, at=first.answer.at + timedelta(seconds=60))]
        for seconds, event in enumerate(order, start=1):
            told_of(connection, desk, events[event], at=at + timedelta(seconds=seconds))
            work_off.run(connection.pk)
        assert WebhookReceipt.objects.owed().count() == 0

    assert scores() == expected


def test_a_rating_that_is_gone_is_withdrawn(desk, connection):
    first = answered(desk, 1)
    told_of(connection, desk, first)
    work_off.run(connection.pk)
    desk.world.add(replace(first, answer=None))

    told_again(connection)
    work_off.run(connection.pk)

    assert (scores(), outcomes()[-1]) == ({}, "The rating was withdrawn.")


def test_a_conversation_that_is_gone_is_done_with_a_word(desk, connection):
    told_of(connection, desk, answered(desk, 1))
    desk.world.talks.clear()

    work_off.run(connection.pk)

    assert outcomes() == ["The helpdesk has no such conversation."]
    assert WebhookReceipt.objects.owed().count() == 0


def meanwhile(desk, act, answer):
    """Let something happen while the desk is asked, and answer with `answer` then."""

    def play(handler):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_and_hang_up, act).result()
        answer(handler)

    desk.weather.append(Weather(play))


def _and_hang_up(act):
    try:
        act()
    finally:
        databases.close_all()


def test_credentials_refused_after_new_ones_were_given_refuse_nothing(desk, connection, owner, settings):
    told_of(connection, desk, answered(desk, 1))
    meanwhile(desk, lambda: connected(desk, owner, settings, backfill_days=10), status(401))

    work_off.run(connection.pk)

    connection.refresh_from_db()
    assert (connection.is_active, scores()) == (True, {"1001": 0})


@pytest.mark.parametrize("kind", ["receipts", "sync"])
def test_who_waits_for_a_slow_helpdesk_keeps_hold_of_the_row(desk, connection, monkeypatch, kind):
    monkeypatch.setattr(work, "LEASE", timedelta(seconds=0.3))
    told_of(connection, desk, answered(desk, 1))
    rows = (WebhookReceipt if kind == "receipts" else HelpdeskSync).objects.filter(connection=connection).at_work()
    seen = []

    def look():
        began = time.monotonic()
        while len(set(seen)) < 3 and time.monotonic() - began < 5:
            seen.extend(rows.values_list("claimed_until", flat=True))

    meanwhile(desk, look, lambda handler: handler.send(desk.answer(handler.asked)))
    if kind == "receipts":
        work_off.run(connection.pk)
    else:
        ratings.run(HelpdeskSync.objects.get(connection=connection, kind=HelpdeskSync.Kind.BACKFILL).pk)

    assert len(set(seen)) >= 3
    assert scores() == {"1001": 0}


# --- Many --------------------------------------------------------------------------------------------------------------


def test_many_are_read_from_the_list_and_those_that_were_not_in_it_one_by_one(desk, connection):
    desk.page_size = 50
    listed = [answered(desk, n) for n in range(40)]
    old = answered(desk, 50, seconds=3_600)
    gone = answered(desk, 51)
    told_of(connection, desk, *listed, old, gone)
    del desk.world.talks[gone.id]
    asked = len(desk.asked)

    work_off.run(connection.pk)

    assert len(scores()) == 41
    assert WebhookReceipt.objects.owed().count() == 0
    assert len(desk.asked) - asked < 40
    assert outcomes()[40:] == ["A new rating.", "The helpdesk has no such conversation."]


def test_of_many_only_what_hooks_are_about_is_taken_from_the_list(desk, connection):
    desk.page_size = 50
    for n in range(100, 110):
        answered(desk, n)
    told_of(connection, desk, *[answered(desk, n) for n in range(30)])

    work_off.run(connection.pk)

    assert len(scores()) == 30


# --- Bad weather -------------------------------------------------------------------------------------------------------


def rain(desk, play, *, times=1, about=""):
    """What is asked about a conversation is answered so."""
    desk.weather.append(Weather(play, times, lambda asked: about in f"{asked.path} {asked.query} {asked.body}"))


def test_too_many_requests_put_off_what_is_left_for_as_long_as_is_asked(desk, connection):
    told_of(connection, desk, answered(desk, 1), answered(desk, 2))
    rain(desk, status(429, retry_after="120"), times=100)

    work_off.run(connection.pk)

    waiting = WebhookReceipt.objects.put_off()
    assert [one.attempts for one in waiting] == [0, 0]
    assert all(100 < (one.next_try_at - timezone.now()).total_seconds() < 150 for one in waiting)
    assert HelpdeskConnection.objects.get().is_active


def test_refused_credentials_let_receipts_wait_until_somebody_resumes(desk, connection, owner):
    told_of(connection, desk, answered(desk, 1))
    rain(desk, status(401), times=100)
    work_off.run(connection.pk)
    desk.weather.clear()
    connection.refresh_from_db()
    assert (connection.state, WebhookReceipt.objects.owed().count()) == ("refused", 1)
    assert work_off.run(connection.pk) == 0

    connections.resume(connection, by=owner)
    work_off.run(connection.pk)

    assert outcomes() == ["A new rating."]


def test_one_conversation_that_cannot_be_read_holds_up_no_other(desk, connection):
    told_of(connection, desk, *[answered(desk, n) for n in range(1, 4)])
    rain(desk, status(500), times=100, about="1001")

    work_off.run(connection.pk)

    assert scores().keys() == {"1002", "1003"}
    waiting = WebhookReceipt.objects.get(done_at=None)
    assert (waiting.attempts, waiting.last_error != "") == (1, True)


def test_a_helpdesk_that_is_down_is_not_asked_about_everything(desk, connection, monkeypatch):
    monkeypatch.setattr(work, "FIRST_PAUSE", timedelta(minutes=5))  # nothing is due again while this runs
    told_of(connection, desk, *[answered(desk, n) for n in range(1, 11)])
    rain(desk, hang_up, times=10_000)

    work_off.run(connection.pk)

    assert WebhookReceipt.objects.failing().count() == 10
    asked = {number for number in range(1001, 1011) for one in desk.asked if str(number) in f"{one.path} {one.body}"}
    assert len(asked) <= work_off.FAULTS_IN_A_ROW  # none where already signing in fails
    desk.weather.clear()
    WebhookReceipt.objects.update(next_try_at=timezone.now())
    work_off.run(connection.pk)
    assert len(scores()) == 10


def test_a_conversation_that_never_can_be_read_is_given_up(desk, connection):
    told_of(connection, desk, answered(desk, 1))
    WebhookReceipt.objects.update(attempts=work_off.MOST_TRIES - 1)
    rain(desk, status(500), times=100, about="1001")

    work_off.run(connection.pk)

    assert outcomes()[0].startswith("Given up after 20 tries: ")
    assert WebhookReceipt.objects.owed().count() == 0


def test_what_a_killed_worker_held_is_done_once_by_the_next(desk, connection, settings):
    told_of(connection, desk, answered(desk, 1), answered(desk, 2))
    rain(desk, slow(60), about="1002")
    with processes.worker(OUTBOUND_ALLOW=desk.place) as child:
        follow_hooks.delay(str(connection.pk))
        processes.until(lambda: scores().keys() == {"1001"} and not desk.weather[-1].times)
        child.kill()
    assert WebhookReceipt.objects.at_work().count() == 1
    assert work_off.run(connection.pk) == 0

    WebhookReceipt.objects.at_work().update(claimed_until=timezone.now() - timedelta(seconds=1))
    work_off.run(connection.pk)

    assert outcomes() == ["A new rating.", "A new rating."]
    assert Rating.objects.count() == 2


def test_two_workers_share_what_is_due(desk, connection):
    told_of(connection, desk, *[answered(desk, n) for n in range(20)])
    held = []

    def run():
        held.append(work_off.run(connection.pk))
        databases.close_all()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(held) == WebhookReceipt.objects.count()
    assert (Rating.objects.count(), WebhookReceipt.objects.owed().count()) == (20, 0)


def test_a_paused_connection_s_receipts_wait_and_the_clock_passes_them_by(desk, connection, owner):
    told_of(connection, desk, answered(desk, 1))
    connections.pause(connection, by=owner)

    assert (work_off.run(connection.pk), receipts.owing()) == (0, [])

    connections.resume(connection, by=owner)
    assert receipts.owing() == [connection.pk]


def test_receipts_are_forgotten_thirty_days_after_they_were_done(desk, connection):
    told_of(connection, desk, answered(desk, 1), answered(desk, 2))
    first = WebhookReceipt.objects.earliest("pk")
    now = timezone.now()
    WebhookReceipt.objects.filter(pk=first.pk).update(done_at=now - timedelta(days=31), next_try_at=None)

    assert connections.forget_receipts(now) == 1
    assert WebhookReceipt.objects.owed().count() == WebhookReceipt.objects.count()


# --- In-house desks ----------------------------------------------------------------------------------------------------


@pytest.fixture
def counter(owner):
    return in_house(owner)


def sent(connection, *items, event=None):
    body = body_of(*items, event=event)
    headers = {name.lower(): value for name, value in signed(body).items()}
    (answer,) = receipts.receive([Hook("generic", connection.pk, body, headers)])
    assert answer.status == 200


def test_an_in_house_desk_s_ratings_are_its_agents(counter, workspace):
    ada, brook, cleo = (factories.human(workspace, name=name) for name in ("Ada", "Brook", "Cleo"))
    ExternalId.objects.create(workspace=workspace, agent=cleo, source="counter", value="77")
    sent(counter, item(1, agent="Ada"), item(2, agent=str(brook.pk)), item(3, agent="77"), item(4, agent="Nobody"))

    work_off.run(counter.pk)

    credited = {r.conversation.external_id: r.agent for r in Rating.objects.select_related("conversation", "agent")}
    assert credited == {"c-1": ada, "c-2": brook, "c-3": cleo, "c-4": None}
    assert set(Conversation.objects.values_list("source", flat=True)) == {"counter"}
    unknown = HelpdeskAgent.objects.unmapped().get()
    assert (unknown.name, unknown.external_id) == ("Nobody", "Nobody")
    receipt = WebhookReceipt.objects.get()
    assert (receipt.items, receipt.outcome) == (None, "4 taken in.")


def test_a_name_that_two_have_is_left_to_a_person(counter, workspace):
    factories.human(workspace, name="Ada")
    factories.human(workspace, name="Ada")
    sent(counter, item(1))

    work_off.run(counter.pk)

    assert HelpdeskAgent.objects.unmapped().get().name == "Ada"
    assert Rating.objects.get().agent is None


def test_an_in_house_desk_s_changed_rating_counts_and_a_repeated_one_changes_nothing(counter):
    sent(counter, item(1, value=1), event="a")
    sent(counter, item(1, value=5, ratedAt=item(2)["ratedAt"]), event="b")
    sent(counter, item(1, value=1), event="c")

    work_off.run(counter.pk)

    assert (scores(), Rating.objects.count()) == ({"c-1": 100}, 2)


def test_an_agent_that_comes_to_be_known_is_credited_with_what_came_before(counter, workspace, owner):
    sent(counter, item(1))
    work_off.run(counter.pk)
    ada = factories.human(workspace, name="Ada")

    sent(counter, item(2))
    work_off.run(counter.pk)

    assert HelpdeskAgent.objects.get().agent == ada
    assert HelpdeskAgent.objects.due().count() == 1
    assert Agent.objects.count() == 1


def test_many_items_of_many_receipts_land_once(counter):
    for number in range(30):
        sent(counter, *[item(number * 20 + n) for n in range(20)])

    work_off.run(counter.pk)

    assert Rating.objects.count() == 600
    assert set(outcomes()) == {"20 taken in."}


def test_a_hook_becomes_a_rating_without_anybody_s_clock(counter):
    with processes.worker(), serving_web() as place:
        body = body_of(item(1))
        assert over_the_wire(place, address(counter), body, signed(body)).status == 200
        processes.until(lambda: Rating.objects.exists())

    assert outcomes() == ["1 taken in."]


def test_the_clock_finds_what_no_message_told_of(counter):
    sent(counter, item(1))

    with processes.worker():
        processes.until(lambda: Rating.objects.exists(), look=read_helpdesks)

    assert outcomes() == ["1 taken in."]
