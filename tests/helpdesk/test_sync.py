"""Reading a helpdesk's ratings, from the row that owes it, whole and in slices; what weather does to any vendor's reading stands
in test_weather.py."""

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from agents import work
from helpdesk import actions
from helpdesk.actions import connections, mapping
from helpdesk.models import HelpdeskAgent, HelpdeskConnection, HelpdeskSync, Rating, RatingDay
from helpdesk.sync import people, ratings
from helpdesk.vendors import contract
from helpdesk.vendors.errors import NotFound, RateLimited
from tests import factories
from tests.desks import server
from tests.desks.helpscout import HelpScout
from tests.desks.server import Weather, serving
from tests.desks.world import NOON, small_world, talk
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected, read

pytestmark = pytest.mark.django_db(transaction=True)

LONG = {"backfill_days": 3650}


@pytest.fixture
def desk():
    with serving(Zendesk(small_world())) as desk:
        yield desk


def is_page(number):
    """Whether a request asks for that page of ratings, counted from 0."""
    cursor = str(number * Zendesk.page_size) if number else None
    return lambda asked: asked.path.endswith("satisfaction_ratings") and asked.query.get("page[after]") == cursor


def pages_asked(desk):
    return [asked.query.get("page[after]", "") for asked in desk.asked if asked.path.endswith("satisfaction_ratings")]


def stands_at(sync):
    """Where the run goes on, in the desk's own words."""
    return (re.findall(r'"page\[after\]": "(\d+)"', sync.cursor) or [""])[0]


def due_now(connection, kind="backfill"):
    HelpdeskSync.objects.filter(connection=connection, kind=kind).update(next_try_at=timezone.now())


def assert_all_is_there(desk, workspace):
    """Every rating of the world counts, once, with its value; the daily table is what the ratings say."""
    told = {one.id: one.answer.happy > 0.5 for one in desk.world.answered()}
    counting = Rating.objects.counting().filter(workspace=workspace).select_related("conversation")
    assert {one.conversation.external_id: one.value == "good" for one in counting} == told
    assert list(actions.check_days(workspace)) == []


# --- Good weather ------------------------------------------------------------------------------------------------------


def test_first_reading_keeps_every_rating_and_nobody_s_agent(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    assert (sync.next_try_at, sync.last_error, sync.n_pages, sync.n_read, sync.n_new) == (None, "", 3, 7, 7)
    assert_all_is_there(desk, owner.workspace)
    assert set(Rating.objects.values_list("agent", flat=True)) == {None}
    assert HelpdeskAgent.objects.filter(connection=connection).count() == 3


def test_reading_again_changes_nothing(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    read(connection)
    HelpdeskSync.objects.filter(connection=connection, kind="recent").update(read_until=NOON - timedelta(days=1))

    sync = read(connection, "recent")

    assert (sync.n_read, sync.n_new, Rating.objects.count()) == (7, 0, 7)


def test_first_reading_of_no_days_reads_nothing_and_is_done(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=0)

    sync = read(connection)

    assert (sync.next_try_at, sync.n_read, pages_asked(desk)) == (None, 0, [])
    assert sync.finished_at is not None


def test_what_is_new_is_read_with_an_overlap_and_what_was_missed_with_two_weeks(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    recent, reconcile = (HelpdeskSync.objects.get(connection=connection, kind=kind) for kind in ("recent", "reconcile"))
    for kind in ("recent", "reconcile"):
        due_now(connection, kind)
        read(connection, kind)

    for sync in (recent, reconcile):
        sync.refresh_from_db()
    assert recent.since == connection.created_at - ratings.OVERLAP
    assert reconcile.until - reconcile.since == timedelta(days=14)
    due_now(connection, "recent")
    again = read(connection, "recent")
    assert again.since == recent.until - ratings.OVERLAP


def test_the_clock_asks_for_what_is_new_every_few_minutes_of_active_connections(desk, owner, settings):
    connection = connected(desk, owner, settings)
    recent = HelpdeskSync.objects.filter(connection=connection, kind="recent")
    read(connection, "recent")
    now = timezone.now()

    def owed_at(moment):
        connections.owe_due(moment)
        owed = recent.get().next_try_at is not None
        recent.update(next_try_at=None)
        return owed

    assert [owed_at(now + timedelta(minutes=m)) for m in (1, 6)] == [False, True]
    connections.pause(connection, by=owner)
    assert not owed_at(now + timedelta(minutes=6))


def test_more_days_are_read_when_they_are_asked_for_and_fewer_are_not(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=30)
    sync = read(connection)
    assert (sync.n_read, sync.next_try_at) == (0, None)

    connected(desk, owner, settings, backfill_days=10)
    assert HelpdeskSync.objects.get(pk=sync.pk).next_try_at is None
    connected(desk, owner, settings, **LONG)
    assert read(connection).n_new == 7


def test_another_account_is_read_from_its_beginning(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    desk.weather.append(Weather(server.status(500), times=9, when=is_page(1)))
    assert stands_at(read(connection)) == "3"
    other = small_world(0)
    other.add(talk(50), talk(51))

    with serving(Zendesk(other)) as second:
        connected(second, owner, settings, **LONG)
        sync = read(connection)
        assert pages_asked(second) == [""]

    assert (sync.n_new, sync.next_try_at, sync.last_error) == (2, None, "")


# --- Slices, and who takes over ----------------------------------------------------------------------------------------


def test_a_run_gives_its_worker_back_and_goes_on_where_it_was(desk, owner, settings, monkeypatch):
    monkeypatch.setattr(ratings, "SLICE", timedelta(0))
    connection = connected(desk, owner, settings, **LONG)

    cursors = []
    while (sync := read(connection)).next_try_at is not None:
        cursors.append(stands_at(sync))

    assert cursors == ["3", "6"]
    assert pages_asked(desk) == ["", "3", "6"]
    assert (sync.n_pages, sync.n_read, sync.n_new, sync.attempts) == (3, 7, 7, 0)
    assert_all_is_there(desk, owner.workspace)


def in_the_middle(desk, act):
    """Let something happen while the second page is being fetched."""

    def play(handler):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_and_hang_up, act).result()
        handler.send(desk.answer(handler.asked))

    desk.weather.append(Weather(play, when=is_page(1)))


def _and_hang_up(act):
    try:
        act()
    finally:
        database.close()


@pytest.mark.parametrize("how", [connections.pause, connections.disconnect])
def test_what_is_read_while_it_is_paused_or_disconnected_is_not_stored(desk, owner, settings, how):
    connection = connected(desk, owner, settings, **LONG)
    in_the_middle(desk, lambda: how(HelpdeskConnection.objects.get(pk=connection.pk), by=owner))

    sync = read(connection)

    assert (sync.n_read, sync.claim, Rating.objects.count()) == (0, None, 0)
    assert sync.next_try_at is not None
    assert read(connection) is None
    connected(desk, owner, settings, **LONG)
    assert read(connection).n_new == 7


def test_credentials_refused_after_new_ones_were_given_refuse_nothing(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG, credentials=desk.credentials | {"api_token": "old"})

    def play(handler):
        with ThreadPoolExecutor(1) as thread:
            thread.submit(_and_hang_up, lambda: connected(desk, owner, settings, **LONG)).result()
        server.status(401)(handler)

    desk.weather.append(Weather(play))
    read(connection)

    connection.refresh_from_db()
    assert connection.is_active
    assert read(connection).n_new == 7


def test_one_worker_at_a_time_reads_a_helpdesk(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    backfill = HelpdeskSync.objects.get(connection=connection, kind="backfill")
    held = work.claim(HelpdeskSync.objects.takeable(), backfill.pk)

    assert read(connection, "recent") is None
    work.put_off(held, error="", pause=timedelta(0))
    assert read(connection, "recent").last_error == ""


def test_worker_that_lost_its_row_stores_nothing_and_the_next_everything_once(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    row = HelpdeskSync.objects.get(connection=connection, kind="backfill")
    others = []
    in_the_middle(desk, lambda: others.append(ratings.carry_on(work.seize(HelpdeskSync.objects.all(), row.pk))))

    sync = read(connection)

    assert others == [None]
    assert (sync.n_read, sync.n_new, sync.next_try_at) == (7, 7, None)
    assert_all_is_there(desk, owner.workspace)


def test_connecting_twice_at_once_makes_one_connection(desk, owner, settings):
    settings.OUTBOUND_ALLOW = [desk.place]

    def connect(_):
        try:
            return connections.connect(
                owner.workspace, vendor="zendesk", base_url=desk.url, credentials=desk.credentials, by=owner
            )
        except connections.ChangedMeanwhile:
            return None
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        made = [one for one in pool.map(connect, range(4)) if one]

    assert made
    assert HelpdeskConnection.objects.count() == 1
    assert HelpdeskSync.objects.count() == 3


# --- Bad weather -------------------------------------------------------------------------------------------------------


def test_fault_that_passes_at_once_is_not_told_of(desk, owner, settings):
    desk.weather += [Weather(server.status(503), when=is_page(n)) for n in range(3)]
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    assert (sync.last_error, sync.failed_at, sync.n_new) == ("", None, 7)


def circular(desk):
    """The last page points back to the first but one."""
    answer = desk.answer

    def play(asked):
        told = answer(asked)
        if is_page(2)(asked):
            told.body["meta"] = {"has_more": True, "after_cursor": "3"}
        return told

    desk.answer = play
    return answer


def test_list_that_goes_in_circles_is_told_of_and_begun_anew_later(desk, owner, settings):
    right = circular(desk)
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    assert sync.last_error.startswith("The helpdesk's list of ratings goes in circles")
    assert (sync.cursor, sync.started_at) == ("", None)
    assert sync.next_try_at > timezone.now() + timedelta(minutes=9)
    assert len(pages_asked(desk)) == 3
    desk.answer = right
    due_now(connection)
    sync = read(connection)
    assert (sync.last_error, sync.n_read, sync.n_new) == ("", 7, 0)
    assert_all_is_there(desk, owner.workspace)


@pytest.mark.parametrize("code", [400, 404, 410, 422])
def test_cursor_that_has_expired_begins_the_run_anew_soon(desk, owner, settings, monkeypatch, code):
    connection = connected(desk, owner, settings, **LONG)
    with monkeypatch.context() as patch:
        patch.setattr(ratings, "SLICE", timedelta(0))
        assert stands_at(read(connection)) == "3"
    desk.weather.append(Weather(server.status(code), times=99, when=is_page(1)))

    sync = read(connection)

    assert (sync.cursor, sync.started_at) == ("", None)
    assert sync.next_try_at < timezone.now() + timedelta(seconds=20)
    desk.weather.clear()
    due_now(connection)
    assert read(connection).n_read == 7
    assert_all_is_there(desk, owner.workspace)


def test_cursor_of_another_make_begins_the_run_anew(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    now = timezone.now()
    backfill = HelpdeskSync.objects.filter(connection=connection, kind="backfill")
    backfill.update(since=now - timedelta(days=3650), until=now, started_at=now, cursor="[1, 2]", n_pages=4, n_read=99)

    sync = read(connection)

    assert (sync.cursor, sync.started_at) == ("", None)
    assert sync.last_error.startswith("What the helpdesk answered could not be read")
    due_now(connection)
    assert read(connection).n_read == 7
    assert_all_is_there(desk, owner.workspace)


def test_page_of_which_nothing_can_be_taken_is_named_and_passed(desk, owner, settings):
    answer = desk.answer

    def play(asked):
        told = answer(asked)
        if is_page(0)(asked):
            rows = told.body["satisfaction_ratings"]
            rows[0]["score"], rows[1]["ticket_id"], rows[2]["ticket_id"] = "purple", None, "a\0b"
        return told

    desk.answer = play
    connection = connected(desk, owner, settings, **LONG)

    sync = read(connection)

    assert (sync.n_read, sync.n_new, sync.n_refused, sync.next_try_at) == (7, 4, 3, None)
    assert [one["id"] for one in sync.refused] == ["900000", "900001", "900002"]
    assert "purple" not in str(sync.refused)


# --- Whose the ratings are ---------------------------------------------------------------------------------------------


def test_ratings_of_the_unmapped_are_credited_once_they_are_mapped(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    read(connection)
    ana = factories.human(owner.workspace, name="Ana")
    row = HelpdeskAgent.objects.get(connection=connection, external_id="11")

    mapping.map_to(row, ana, by=owner, was=None)
    mapping.credit(row.pk)

    assert Rating.objects.filter(agent=ana).count() == 3
    assert RatingDay.objects.get(agent=ana).n == 3
    assert_all_is_there(desk, owner.workspace)
    ben = factories.human(owner.workspace, name="Ben")
    mapping.map_to(row, ben, by=owner, was=ana)
    mapping.credit(row.pk)
    assert (Rating.objects.filter(agent=ana).count(), Rating.objects.filter(agent=ben).count()) == (0, 3)
    assert_all_is_there(desk, owner.workspace)


def test_two_of_theirs_can_be_one_of_ours(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    read(connection)
    ana = factories.human(owner.workspace)

    for row in HelpdeskAgent.objects.filter(connection=connection, external_id__in=["11", "12"]):
        mapping.map_to(row, ana, by=owner, was=None)
        mapping.credit(row.pk)

    assert RatingDay.objects.get(agent=ana).n == 5
    assert_all_is_there(desk, owner.workspace)


def test_external_id_that_is_set_later_is_recognised_by_the_clock(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    read(connection)
    ana = factories.human(owner.workspace, external_ids={"zendesk": "12"})

    assert mapping.recognise() == 1

    row = HelpdeskAgent.objects.get(connection=connection, external_id="12")
    assert (row.agent, row.mapping) == (ana, "id")
    mapping.credit(row.pk)
    assert RatingDay.objects.get(agent=ana).n == 2


def test_whom_somebody_decided_on_by_hand_no_email_changes_and_who_is_deleted_here_is_recognised_anew(
    desk, owner, settings
):
    connection = connected(desk, owner, settings, **LONG)
    mapping.learn(connection, [contract.Person("11", "Ada", "Ada@Desk.example")])
    row = HelpdeskAgent.objects.get(connection=connection)
    factories.member(owner.workspace, agent=factories.human(owner.workspace), email="ada@desk.example")

    assert mapping.recognise() == 1
    row.refresh_from_db()
    assert row.mapping == "email"
    mapping.map_to(row, None, by=owner, was=row.agent)
    assert mapping.recognise() == 0
    HelpdeskAgent.objects.filter(pk=row.pk).update(mapping="email", agent=None)  # as after the agent's own end
    assert mapping.recognise() == 1


def test_person_who_vanished_keeps_their_ratings_and_an_empty_list_says_nothing(desk, owner, settings):
    connection = connected(desk, owner, settings)
    ada, brook = contract.Person("11", "Ada"), contract.Person("12", "Brook")
    rows = HelpdeskAgent.objects.filter(connection=connection)
    mapping.learn(connection, [ada, brook])

    mapping.learn(connection, [ada])
    assert list(rows.filter(is_gone=True).values_list("name", flat=True)) == ["Brook"]
    mapping.learn(connection, [])
    assert rows.filter(is_gone=True).count() == 1
    mapping.learn(connection, [ada, brook])
    assert not rows.filter(is_gone=True).exists()


def test_ratings_that_come_in_while_somebody_is_mapped_are_theirs(desk, owner, settings):
    connection = connected(desk, owner, settings, **LONG)
    ana = factories.human(owner.workspace)
    rows = HelpdeskAgent.objects.filter(connection=connection)
    mapping.learn(connection, [contract.Person("11", "Ada")])

    def map_and_credit():
        mapping.map_to(rows.get(), ana, by=owner, was=None)
        mapping.credit(rows.get().pk)

    in_the_middle(desk, map_and_credit)
    read(connection)

    assert Rating.objects.filter(agent=ana).count() == 3
    assert_all_is_there(desk, owner.workspace)


# --- Who replied last --------------------------------------------------------------------------------------------------


class Replies:
    """A client that is asked who replied last, and how often it can be."""

    def __init__(self, most=99):
        self.most, self.asked = most, []

    def last_reply(self, conversation_id):
        if len(self.asked) == self.most:
            raise RateLimited("Too many.", timedelta(seconds=9))
        self.asked.append(conversation_id)
        if conversation_id == "gone":
            raise NotFound("No such thing.")
        return "11"


def unnamed(conversation_id):
    return contract.Rating(conversation_id, "good", "binary", NOON, credit="assignee")


def take(connection, told):
    from django.db import transaction

    from helpdesk.actions import arrivals

    with transaction.atomic():
        return arrivals.take_in(connection, told)


def test_ratings_without_a_name_are_credited_to_who_replied_last_try_by_try(desk, owner, settings):
    connection = connected(desk, owner, settings)
    told = [unnamed("a"), unnamed("gone"), unnamed("b"), unnamed("c")]
    client = Replies(most=3)

    first, fault = people.completed(connection, client, told)
    assert isinstance(fault, RateLimited)
    assert [(one.person_id, one.credit) for one in first] == [
        ("11", "last_reply"),
        ("", "assignee"),
        ("11", "last_reply"),
    ]
    take(connection, first)
    client = Replies()
    second, fault = people.completed(connection, client, told)

    assert fault is None
    assert client.asked == ["gone", "c"]
    take(connection, second)
    assert Rating.objects.filter(helpdesk_agent__external_id="11", credit="last_reply").count() == 3


def test_credit_becomes_surer_and_not_less_sure(desk, owner, settings):
    connection = connected(desk, owner, settings)

    def told(person, credit):
        take(connection, [contract.Rating("1", "good", "binary", NOON, person_id=person, credit=credit)])
        rating = Rating.objects.get()
        return rating.helpdesk_agent.external_id, rating.credit

    assert told("11", "last_reply") == ("11", "last_reply")
    assert told("12", "last_reply") == ("11", "last_reply")  # whoever replied since was not rated
    assert told("13", "assignee") == ("13", "assignee")
    assert told("14", "assignee") == ("13", "assignee")  # reassigned after the rating
    assert told("15", "rated") == ("15", "rated")
    assert told("16", "rated") == ("16", "rated")
    assert told("17", "assignee") == ("16", "rated")


# --- Withdrawn, and back again -----------------------------------------------------------------------------------------


def counting():
    return [rating.value for rating in Rating.objects.counting()]


def rated(value="good", at=NOON, **fields):
    return contract.Rating("1", value, "binary", at, **fields)


def state(connection, ratings=(), withdrawn=(), as_of=None):
    from django.db import transaction

    from helpdesk.actions import arrivals

    with transaction.atomic():
        arrivals.take_in(connection, list(ratings), withdrawn, as_of=as_of)
    assert list(actions.check_days(connection.workspace)) == []
    return counting()


def test_withdrawn_rating_counts_again_once_it_is_listed_again(desk, owner, settings):
    connection = connected(desk, owner, settings)
    ana = factories.human(owner.workspace, external_ids={"zendesk": "11"})
    HelpdeskAgent.objects.create(workspace=owner.workspace, connection=connection, external_id="11", agent=ana)
    good = rated(person_id="11")

    assert state(connection, [good]) == ["good"]
    assert state(connection, [], ["1"]) == []
    assert state(connection, [], ["1", "unheard of"]) == []
    assert state(connection, [good]) == ["good"]
    assert RatingDay.objects.get(agent=ana).n == 1


def test_answer_that_is_older_than_what_was_learned_undoes_nothing(desk, owner, settings):
    connection = connected(desk, owner, settings)
    before = timezone.now()

    assert state(connection, [rated()]) == ["good"]
    assert state(connection, [], ["1"], as_of=before) == ["good"]
    assert state(connection, [], ["1"]) == []
    assert state(connection, [rated()], as_of=before) == []
    assert state(connection, [rated()]) == ["good"]


def test_rating_that_changes_at_one_instant_ends_as_the_helpdesk_has_it(desk, owner, settings):
    """Some vendors tell only when a rating was first given."""
    connection = connected(desk, owner, settings)

    for told in ("good", "bad", "good", "good", "bad", "bad", "good"):
        assert state(connection, [rated(told, id="9")]) == [told]
    assert state(connection, [rated("bad"), rated("good")]) == ["good"]
    assert Rating.objects.count() == 2


def test_rating_that_is_told_under_another_conversation_has_gone_there(desk, owner, settings):
    connection = connected(desk, owner, settings)
    ana = factories.human(owner.workspace, external_ids={"zendesk": "11"})
    HelpdeskAgent.objects.create(workspace=owner.workspace, connection=connection, external_id="11", agent=ana)
    before, after = rated(id="9", person_id="11"), replace(rated(id="9", person_id="11"), conversation_id="2")

    assert state(connection, [before]) == ["good"]
    for told in (after, before, after):
        assert state(connection, [told]) == ["good"]
        rating = Rating.objects.counting().select_related("conversation").get()
        assert rating.conversation.external_id == told.conversation_id
        assert RatingDay.objects.get(agent=ana).n == 1
    assert Rating.objects.get(conversation__external_id="1").withdrawn_at is not None


def test_rating_that_moves_within_one_answer_ends_where_it_was_told_last(desk, owner, settings):
    connection = connected(desk, owner, settings)
    places = [replace(rated(id="9"), conversation_id=place) for place in ("1", "2", "3")]

    assert state(connection, places) == ["good"]

    assert Rating.objects.counting().get().conversation.external_id == "3"
    assert Rating.objects.count() == 3


def test_rating_that_moves_to_a_conversation_with_a_later_one_does_not_count_there(desk, owner, settings):
    connection = connected(desk, owner, settings)
    later = replace(rated("bad", NOON + timedelta(minutes=5), id="10"), conversation_id="2")

    assert sorted(state(connection, [rated(id="9"), later])) == ["bad", "good"]
    assert state(connection, [replace(rated(id="9"), conversation_id="2")]) == ["bad"]


def test_older_answer_moves_no_rating_back_and_other_ids_scales_and_sources_move_none(desk, owner, settings):
    connection = connected(desk, owner, settings)
    before = timezone.now()
    second = replace(rated(id="9"), conversation_id="2")

    assert state(connection, [rated(id="9")]) == ["good"]
    assert state(connection, [second], as_of=before) == ["good"]
    assert Rating.objects.get().conversation.external_id == "1"
    assert state(connection, [replace(second, id="10")]) == ["good"] * 2
    assert state(connection, [replace(second, conversation_id="3", id="")]) == ["good"] * 3
    stars = replace(second, conversation_id="4", value="5", scale="stars5")
    assert sorted(state(connection, [stars])) == ["5", "good", "good", "good"]
    settings.OUTBOUND_ALLOW = [desk.place]
    other = connections.connect(
        owner.workspace, vendor="zendesk", base_url=desk.url, source="second", credentials=desk.credentials, by=owner
    )
    assert sorted(state(other, [second])) == ["5", "good", "good", "good", "good"]


def test_page_that_withdraws_what_an_earlier_one_listed_is_believed():
    first = contract.Page((rated(),), cursor="2")
    second = contract.Page((), withdrawn=("1", "2"))
    third = contract.Page((rated("bad"),), withdrawn=("1",))

    told = list(ratings._statements([(page, NOON) for page in (first, second, third)]))

    assert [([one.value for one in rows], gone) for rows, gone, _ in told] == [
        (["good"], set()),
        ([], {"1", "2"}),
        (["bad"], set()),
    ]


def test_rating_goes_along_when_its_conversation_is_merged_into_another(owner, settings):
    with serving(HelpScout(small_world())) as desk:
        connection = connected(desk, owner, settings, backfill_days=3650)
        read(connection, "backfill")
        rated = desk.world.answered()[0]
        unrated = talk(99, happy=None)
        desk.world.add(unrated)

        desk.merge(rated, into=unrated)
        HelpdeskSync.objects.filter(connection=connection, kind="backfill").update(next_try_at=timezone.now())
        read(connection, "backfill")

        counting = Rating.objects.counting().values_list("conversation__external_id", flat=True)
        assert sorted(counting) == sorted(one.id for one in desk.world.answered())
        assert rated.id not in counting
        assert list(actions.check_days(connection.workspace)) == []
