"""Freshdesk: what it sends, and its account as it is played by a desk."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from helpdesk.actions import arrivals
from helpdesk.models import Conversation as ConversationRow
from helpdesk.models import HelpdeskAgent
from helpdesk.models import Rating as RatingRow
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Conversation, Credit, Malformed, Person
from helpdesk.vendors.errors import CredentialsRefused, Garbled, NotFound
from helpdesk.vendors.freshdesk import events
from tests.desks.freshdesk import Freshdesk, rating
from tests.desks.server import Answer, Weather, serving, status
from tests.desks.world import NOON, small_world
from tests.helpdesk.connected import connected, read
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings
from tests.helpdesk.vendors.payloads import payload

GIVEN = {
    "id": 102,
    "survey_id": 1,
    "user_id": 2,
    "agent_id": 1,
    "feedback": "Thank you",
    "group_id": None,
    "ticket_id": 432,
    "ratings": {"default_question": 103, "question_2": -102},
    "created_at": "2015-08-28T09:08:16Z",
    "updated_at": "2015-08-28T09:08:16Z",
}


@pytest.fixture
def desk(settings):
    with serving(Freshdesk(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        yield desk


def paths(desk):
    return [asked.path for asked in desk.asked]


# --- What it sends -----------------------------------------------------------------------------------------------------


def test_rating_is_the_answer_to_the_survey_s_own_question():
    read = events.rating(GIVEN)

    assert (read.id, read.conversation_id, read.value, read.scale) == ("102", "432", "103", "freshdesk")
    assert (read.person_id, read.credit) == ("1", Credit.RATED)
    assert read.rated_at == datetime(2015, 8, 28, 9, 8, 16, tzinfo=UTC)
    assert "Thank" not in repr(read)


def test_rating_that_was_changed_keeps_its_id_and_has_a_later_time():
    changed = events.rating(GIVEN | {"ratings": {"default_question": -101}, "updated_at": "2015-08-28T11:08:16Z"})

    assert (changed.id, changed.value, changed.rated_at.hour) == ("102", "-101", 11)


@pytest.mark.parametrize("value", [103, "103", 103.0, " 103 ", "103.0"])
def test_value_may_come_as_number_or_text(value):
    assert events.rating(GIVEN | {"ratings": {"default_question": value}}).value == "103"


@pytest.mark.parametrize(
    "ratings", [None, [], {}, {"question_2": 103}, {"default_question": None}, {"default_question": "so happy"}, "103"]
)
def test_rating_without_an_answer_is_malformed_in_words_of_ours(ratings):
    with pytest.raises(Malformed) as fault:
        events.rating(GIVEN | {"ratings": ratings})

    assert "happy" not in str(fault.value)


@pytest.mark.parametrize("key", ["ticket_id", "created_at"])
def test_rating_needs_a_ticket_and_a_time(key):
    with pytest.raises(Malformed):
        events.rating(GIVEN | {"updated_at": None, key: None})


def test_rating_of_nobody_and_with_null_everywhere_else_is_read():
    bare = dict.fromkeys(GIVEN) | {key: GIVEN[key] for key in ("ticket_id", "ratings", "created_at")}

    assert (events.rating(bare).id, events.rating(bare).person_id) == ("", "")


def test_open_ticket_has_no_end_though_it_was_resolved_before():
    told = events.conversation(payload("freshdesk", "ticket_1"))

    assert told == Conversation("1", datetime(2016, 5, 18, 4, 36, 4, tzinfo=UTC), None, True, "portal", "6010396333")


@pytest.mark.parametrize("status", [4, 5, "5"])
def test_resolved_and_closed_tickets_ended_when_that_was_said(status):
    told = events.conversation(payload("freshdesk", "ticket_1") | {"status": status})

    assert (told.is_open, told.closed_at) == (False, datetime(2020, 7, 24, 15, 35, 21, tzinfo=UTC))


def test_ticket_that_ended_before_it_began_has_no_end():
    stats = {"closed_at": "2015-01-01T00:00:00Z", "resolved_at": None}

    assert events.conversation(payload("freshdesk", "ticket_1") | {"status": 5, "stats": stats}).closed_at is None


def test_agents_are_known_by_their_contact_also_where_the_address_was_never_confirmed():
    assert [events.person(agent) for agent in payload("freshdesk", "agents")] == [
        Person("1", "Support", "abc@xyz.com"),
        Person("432", "Clark Kent", "superman@freshdesk.com"),
    ]


def test_agent_without_a_contact_is_an_agent_all_the_same():
    assert events.person({"id": "7", "contact": None, "type": None}) == Person("7")


def test_private_notes_are_no_turns_and_replies_are_the_agent_s():
    turns = [events.turn(entry) for entry in payload("freshdesk", "conversations")]

    assert turns[0] is None
    assert (turns[1].role, turns[1].text, turns[1].at) == ("agent", "This is a reply", 1_463_636_174_000)
    assert [events.replier(entry) for entry in payload("freshdesk", "conversations")] == ["", "1"]


def test_remark_on_a_rating_is_no_turn():
    reply = payload("freshdesk", "reply_1")

    assert events.turn(reply | {"source": 6, "incoming": True}) is None
    assert events.replier(reply | {"source": 6}) == ""


def test_ticket_begins_with_its_description_said_by_who_began_it():
    ticket = payload("freshdesk", "ticket_1")

    assert events.opening(ticket).text == "This is a sample ticket, feel free to delete it."
    assert (events.opening(ticket).role, events.opening(ticket | {"source": 10}).role) == ("customer", "agent")
    assert events.opening(ticket | {"description_text": None}).text == events.opening(ticket).text
    assert events.opening(ticket | {"description_text": None, "description": None}) is None


@pytest.mark.parametrize(
    ("link", "number"),
    [
        ('<https://acme.freshdesk.com/api/v2/agents?page=2&per_page=100>; rel="next"', 2),
        ("</api/v2/agents?page=3>;rel=next", 3),
        ('<https://x/?page=1>; rel="prev", <https://x/?page=3>; rel="next"', 3),
        ('<https://x/?page=1>; rel="prev"', None),
        ('<https://x/?page=two>; rel="next"', None),
        ("", None),
    ],
)
def test_next_page_is_the_one_that_the_header_names(link, number):
    assert events.next_page({"link": link}) == number


@pytest.mark.parametrize(
    ("left", "cost", "wait"), [("5", "1", None), ("0", "1", 18), ("2", "3", 18), ("", "", None), ("many", "1", None)]
)
def test_rest_of_the_minute_is_waited_for_where_the_calls_are_used_up(left, cost, wait):
    headers = {"x-ratelimit-remaining": left, "x-ratelimit-used-currentrequest": cost}

    assert events.rest(headers, NOON.replace(second=42)) == (wait and timedelta(seconds=wait))


def test_webhook_without_an_id_of_its_own_is_named_by_event_and_ticket():
    hint = events.hint({"event": "rated", "ticket_id": 5}, {})

    assert (hint.event_id, hint.conversation_id) == ("rated:5", "5")


# --- Its account -------------------------------------------------------------------------------------------------------


def test_list_is_asked_for_in_the_largest_pages_since_a_moment(desk):
    with opened(desk) as client:
        pages(client)

    asked = [one.query for one in desk.asked]
    assert [one["page"] for one in asked] == ["1", "2", "3"]
    assert {(one["per_page"], one["created_since"]) for one in asked} == {("100", "2026-03-01T12:00:00Z")}


def test_ratings_that_name_somebody_cost_no_further_call(desk):
    with opened(desk) as client:
        assert len(ratings(client)) == 7

    assert set(paths(desk)) == {"/api/v2/surveys/satisfaction_ratings"}


def nobody_rated(desk, id="1001", **changes):
    told = desk.world.talks[id]
    desk.world.add(replace(told, answer=replace(told.answer, person=""), **changes))


def test_rating_of_nobody_is_the_ticket_s_agent_s_and_brings_what_is_known_of_the_ticket(desk):
    nobody_rated(desk)

    with opened(desk) as client:
        found = {one.conversation_id: one for one in ratings(client)}["1001"]
        again = client.found("1001").rating

    told = desk.world.talks["1001"]
    assert (found.person_id, found.credit, found.conversation.channel) == (told.assignee, Credit.ASSIGNEE, "email")
    assert (found.conversation.opened_at, found.conversation.closed_at) == (told.opened_at, told.closed_at)
    assert again == found
    assert paths(desk).count("/api/v2/tickets/1001") == 2


@pytest.mark.parametrize("answer", [404, 403])
def test_ticket_that_is_gone_or_hidden_leaves_its_rating_without_anybody(desk, answer):
    nobody_rated(desk)
    desk.weather.append(Weather(status(answer), times=9, when=lambda asked: "/tickets/" in asked.path))

    with opened(desk) as client:
        found = {one.conversation_id: one.person_id for one in ratings(client)}
        replied = client.last_reply("1001") if answer == 403 else ""

    assert (len(found), found["1001"], replied) == (7, "", "")


def test_rating_keeps_who_was_rated_when_the_ticket_is_reassigned(desk):
    told = desk.world.talks["1001"]
    desk.world.add(replace(told, assignee="11"))

    with opened(desk) as client:
        assert client.found("1001").rating.person_id == told.answer.person == "12"


def test_of_several_answers_on_a_ticket_the_last_one_is_found(desk):
    told = desk.world.talks["1001"]
    first, last = rating(told), rating(told.answered(happy=0.0, at=NOON + timedelta(hours=2))) | {"id": 900_500}
    own = Weather(
        lambda handler: handler.send(Answer(body=[last, first, {"id": 3}])),
        when=lambda asked: asked.path.endswith("/satisfaction_ratings") and "/tickets/" in asked.path,
    )
    desk.weather.append(own)

    with opened(desk) as client:
        assert client.found("1001").rating.id == "900500"


def test_ticket_whose_ratings_are_not_listed_is_looked_up_in_the_list_of_all(desk):
    with opened(desk) as client:
        right = client.found("1001")
        desk.lists_a_ticket_s_ratings = False
        again = client.found("1001")
        desk.world.add(replace(desk.world.talks["1001"], answer=None))
        withdrawn = client.found("1001")

    assert again == right
    assert (withdrawn.conversation.id, withdrawn.rating) == ("1001", None)


def test_ticket_is_not_called_unrated_where_the_list_of_all_is_too_long_to_say_so(desk):
    desk.world = small_world(80)
    desk.lists_a_ticket_s_ratings = False
    lost = replace(desk.world.talks["1001"], answer=None, opened_at=NOON - timedelta(days=1))
    desk.world.add(lost)

    with opened(desk) as client, pytest.raises(Garbled):
        client.found("1001")


def test_pages_without_the_header_go_on_while_they_are_full(desk):
    desk.page = lambda asked, rows, told: Answer(body=Freshdesk.page(desk, asked, rows, told).body)

    with opened(desk) as client:
        client.page_size = 3
        assert len(ratings(client)) == 7


def test_list_that_points_back_or_repeats_itself_is_garbled(desk):
    back = Answer(body=[], headers={"Link": '<https://x/?page=1>; rel="next"'})
    desk.page = lambda asked, rows, told: back
    with opened(desk) as client, pytest.raises(Garbled):
        pages(client)

    same = [rating(talk) for talk in desk.world.answered()[:3]]
    desk.page = lambda asked, rows, told: Answer(body=same)
    with opened(desk) as client:
        client.page_size = 3
        with pytest.raises(Garbled):
            pages(client)


def test_what_was_given_after_the_end_of_a_run_is_left_for_the_next(desk):
    with opened(desk) as client:
        first = ratings(client, SINCE, NOON + timedelta(minutes=3))
        second = ratings(client, NOON + timedelta(minutes=3), UNTIL)

    assert ([len(first), len(second)], {one.id for one in first} & {one.id for one in second}) == ([4, 4], {"900003"})


def test_minute_that_is_used_up_is_waited_for_before_the_next_call(desk):
    desk.calls_left = 0

    with opened(desk) as client:
        client.ratings(SINCE, UNTIL, "")

        assert 0 < client.wire.resume_at - time.monotonic() <= 60


@pytest.mark.parametrize(
    ("path", "body", "failed", "words"),
    [
        ("/api/v2/agents/me", None, "Sign-in", "View API key"),
        ("/api/v2/surveys/satisfaction_ratings", None, "Ratings", "plan"),
        ("/api/v2/agents", None, "Agents", "administrator"),
        ("/api/v2/agents/me", {"id": 1, "ticket_scope": 3}, "Tickets", "All tickets"),
    ],
)
def test_check_says_what_is_missing_and_is_the_last(desk, path, body, failed, words):
    play = status(403) if body is None else (lambda handler: handler.send(Answer(body=body)))
    desk.weather.append(Weather(play, times=9, when=lambda asked: asked.path == path))

    with opened(desk) as client:
        *passed, last = client.checks()

    assert all(check.is_ok for check in passed)
    assert (last.name, last.is_ok, words in last.sentence) == (failed, False, True)


def test_account_that_does_not_tell_whose_key_it_is_passes(desk):
    desk.weather.append(Weather(status(404), times=9, when=lambda asked: asked.path == "/api/v2/agents/me"))

    with opened(desk) as client:
        assert all(check.is_ok for check in client.checks())


@pytest.mark.parametrize(
    ("path", "call"),
    [("/api/v2/surveys/satisfaction_ratings", pages), ("/api/v2/agents", lambda client: list(client.people()))],
)
def test_right_that_was_taken_away_stops_the_reading_with_the_same_words(desk, path, call):
    desk.weather.append(Weather(status(403), times=9, when=lambda asked: asked.path == path))

    with opened(desk) as client, pytest.raises(CredentialsRefused, match="administrator"):
        call(client)


def test_id_leads_nowhere_else(desk):
    with opened(desk) as client, pytest.raises(NotFound):
        client.transcript("../agents/me?x=")

    assert paths(desk) == ["/api/v2/tickets/%2E%2E%2Fagents%2Fme%3Fx%3D"]


def test_default_link_follows_the_account(desk):
    known = registry.VENDORS["freshdesk"]

    assert known.link("https://acme.freshdesk.com", {}) == (
        "https://{subdomain}.freshdesk.com/a/tickets/{id}",
        {"subdomain": "acme"},
    )
    assert known.link("http://127.0.0.1:99", {})[0] == "http://127.0.0.1:99/a/tickets/{id}"


# --- Into the database -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_reading_keeps_what_is_right_and_names_what_is_not(desk, owner, settings):
    nobody_rated(desk, assignee="")
    strange = {
        "1002": {"ratings": {"default_question": 999}},
        "1003": {"ratings": None},
        "1004": {"agent_id": 4_711},  # somebody who was deleted since
        "1005": {"ticket_id": "1005", "agent_id": "11", "id": "900005"},
    }
    page = desk.page

    def strangely(told):
        return lambda row: (
            (shown := told(row)) | (strange.get(str(shown.get("ticket_id")), {}) if "ratings" in shown else {})
        )

    desk.page = lambda asked, rows, told: page(asked, rows, strangely(told))
    connection = connected(desk, owner, settings, backfill_days=3650)

    sync = read(connection)

    assert (sync.next_try_at, sync.last_error, sync.n_read, sync.n_new, sync.n_refused) == (None, "", 7, 5, 2)
    assert sorted(one["id"] for one in sync.refused) == ["900002", "900003"]
    people = dict(RatingRow.objects.counting().values_list("conversation__external_id", "helpdesk_agent__external_id"))
    assert people == {"1000": "11", "1001": "12", "1004": "4711", "1005": "11", "1006": "11"}
    assert RatingRow.objects.get(conversation__external_id="1001").credit == Credit.LAST_REPLY
    known = HelpdeskAgent.objects.filter(connection=connection).order_by("external_id")
    assert [(row.external_id, row.name) for row in known] == [("11", "Ada"), ("12", "Brook"), ("13", ""), ("4711", "")]


@pytest.mark.django_db(transaction=True)
def test_rating_that_is_changed_back_and_forth_and_withdrawn_counts_as_it_is_now(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=3650)
    read(connection)
    told, seen = desk.world.talks["1001"], []

    for step, happy in enumerate((0.0, 1.0, None, 0.0), 1):
        now = told.answered(happy=happy, at=NOON + timedelta(hours=step)) if happy is not None else None
        desk.world.add(now or replace(told, answer=None))
        with registry.open_client(connection) as client:
            told_twice = [client.found("1001") for _ in range(2)]
        for one in told_twice:
            with transaction.atomic():
                arrivals.found(connection, one)
        counting = RatingRow.objects.counting().filter(conversation__external_id="1001")
        seen.append(list(counting.values_list("value", flat=True)))

    assert seen == [["-103"], ["103"], [], ["-103"]]
    assert ConversationRow.objects.count() == 7
    assert RatingRow.objects.filter(conversation__external_id="1001").count() == 4
