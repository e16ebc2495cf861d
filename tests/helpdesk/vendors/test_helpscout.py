"""Help Scout: what it sends, and its account as it is played by a desk."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from helpdesk.actions import arrivals
from helpdesk.models import HelpdeskConnection
from helpdesk.models import Rating as RatingRow
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Conversation, Credit, Forged, Malformed, Person
from helpdesk.vendors.errors import CredentialsRefused, Garbled, NotFound
from helpdesk.vendors.helpscout import events
from tests.desks.helpscout import HelpScout, rating, row
from tests.desks.server import Answer, Weather, serving, status
from tests.desks.world import NOON, Said, small_world
from tests.helpdesk.connected import connected, read
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings

TOKENS = "/v2/oauth2/token"
LISTED = {
    "number": 222_043,
    "threadid": 1_169_815_634,
    "threadCreatedAt": "2017-09-15T11:57:14Z",
    "id": 432_207_336,
    "type": "email",
    "ratingId": 1,
    "ratingCustomerId": 121,
    "ratingComments": "Thanks for the clear reply",
    "ratingCreatedAt": "2017-09-15T12:26:53Z",
    "ratingCustomerName": "Somebody",
    "ratingUserId": 69_013,
    "ratingUserName": "A user",
}
ALONE = {
    "id": 1,
    "customer": {"id": 500},
    "threadId": 10,
    "conversationId": 123,
    "conversationNumber": 456,
    "mailboxId": 85,
    "rating": "great",
    "user": {"id": 11},
    "comments": "Well done!",
    "createdAt": "2017-12-12T12:12:13",
}


class Watched(dict):
    """An object that knows what was looked at."""

    def __init__(self, *args):
        super().__init__(*args)
        self.read = set()

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)


@pytest.fixture
def desk(settings):
    with serving(HelpScout(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        yield desk


def n_asked(desk, path):
    return [asked.path for asked in desk.asked].count(path)


# --- What it sends -----------------------------------------------------------------------------------------------------


def test_row_of_the_report_names_the_conversation_by_its_id_and_the_face_by_a_number():
    told = Watched(LISTED)
    read = events.listed(told)

    assert (read.conversation_id, read.value, read.scale, read.id) == ("432207336", "great", "faces3", "1169815634")
    assert (read.person_id, read.credit) == ("69013", Credit.RATED)
    assert read.rated_at == datetime(2017, 9, 15, 12, 26, 53, tzinfo=UTC)
    assert (read.conversation.id, read.conversation.channel) == ("432207336", "email")
    assert not told.read & {"ratingComments", "ratingCustomerName", "number"}


def test_rating_by_itself_names_the_user_whose_reply_was_rated():
    told = Watched(ALONE)
    read = events.rating(told)

    assert (read.conversation_id, read.value, read.id, read.person_id) == ("123", "great", "10", "11")
    assert read.rated_at == datetime(2017, 12, 12, 12, 12, 13, tzinfo=UTC)
    assert not told.read & {"comments", "customer", "conversationNumber"}


@pytest.mark.parametrize(
    ("told", "value"),
    [
        (1, "great"), ("2", "okay"), (3, "not_good"),
        ("great", "great"), ("okay", "okay"), ("not_good", "not_good"),
        ("Great", "great"), ("Okay", "okay"), ("Bad", "not_good"),
        ("ok", "okay"), ("not-good", "not_good"), ("Not Good", "not_good"), ("notGood", "not_good"),
    ],
)  # fmt: skip
def test_one_scale_is_spelled_in_several_ways(told, value):
    assert events.listed(LISTED | {"ratingId": told}).value == value
    assert events.listed(LISTED | {"ratingId": 77_001, "rating": told}).value == value
    assert events.rating(ALONE | {"rating": told}).value == value


@pytest.mark.parametrize("told", ["unknown", 0, 4, True, None, "lovely", {}, [1], 1.0])
def test_face_that_nobody_knows_is_malformed_in_words_of_ours(told):
    for parse, item in ((events.listed, LISTED | {"ratingId": told}), (events.rating, ALONE | {"rating": told})):
        with pytest.raises(Malformed) as fault:
            parse(item)
        assert "lovely" not in str(fault.value)


@pytest.mark.parametrize("key", ["id", "ratingCreatedAt"])
def test_row_of_the_report_needs_a_conversation_and_a_time(key):
    with pytest.raises(Malformed):
        events.listed(LISTED | {key: None})


def test_row_with_null_everywhere_else_is_read():
    bare = dict.fromkeys(LISTED) | {key: LISTED[key] for key in ("id", "ratingId", "ratingCreatedAt")}

    assert (events.listed(bare).id, events.listed(bare).person_id) == ("", "")


def test_rating_of_a_deleted_user_is_of_nobody():
    assert [events.rating(ALONE | {"user": user}).person_id for user in (None, {}, {"id": None}, {"id": 0})] == [""] * 4


@pytest.mark.parametrize(
    ("told", "is_open", "closed"),
    [("active", True, False), ("pending", True, False), ("closed", False, True), ("x", None, True)],
)
def test_conversation_that_is_open_has_no_end(told, is_open, closed):
    item = {"id": 5, "number": 1, "type": "chat", "status": told, "closedAt": "2026-03-02T12:00:00Z", "assignee": None}

    assert events.conversation(item) == Conversation("5", None, NOON if closed else None, is_open, "chat")


def test_conversation_that_ended_before_it_began_has_no_end():
    item = {"id": 5, "status": "closed", "createdAt": "2026-03-02T12:00:00Z", "closedAt": "2026-03-01T12:00:00Z"}

    assert events.conversation(item) == Conversation("5", NOON, None, is_open=False)


def test_teams_are_nobody_and_system_users_are_bots():
    told = {"id": 1, "firstName": "Ada", "lastName": None, "email": "ada@desk.example", "type": "user"}

    assert events.person(told) == Person("1", "Ada", "ada@desk.example")
    assert events.person(told | {"type": "system_user", "email": None}).is_bot
    assert events.person(told | {"type": "team"}) is None


@pytest.mark.parametrize(
    ("kind", "maker", "state", "role"),
    [
        ("customer", "customer", "published", "customer"),
        ("message", "user", "published", "agent"),
        ("message", "user", None, "agent"),
        ("chat", "customer", "published", "customer"),
        ("chat", "user", "published", "agent"),
        ("message", "user", "draft", None),
        ("message", "user", "underreview", None),
        ("customer", "customer", "hidden", None),
        ("note", "user", "published", None),
        ("lineitem", "user", "published", None),
        ("forwardchild", "user", "published", None),
    ],
)
def test_turns_are_what_customer_and_agent_exchanged(kind, maker, state, role):
    thread = {"type": kind, "state": state, "body": "<p>One</p>Two &amp; three", "createdBy": {"id": 9, "type": maker}}

    turn = events.turn(thread)

    assert (turn and (turn.role, turn.text)) == (role and (role, "One\nTwo & three"))
    assert events.replier(thread) == ("9" if role == "agent" else "")


def test_turn_without_words_is_none():
    assert [events.turn({"type": "customer", "body": body}) for body in (None, "", "<br>", 7)] == [None] * 4


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"x-ratelimit-remaining-minute": "7"}, None),
        ({"x-ratelimit-remaining-minute": "0", "x-ratelimit-retry-after": "12"}, 12),
        ({"x-ratelimit-retry-after": "12"}, 12),
        ({"x-ratelimit-remaining-minute": "1", "x-ratelimit-retry-after": "12"}, 12),
        ({"x-ratelimit-remaining-minute": "90", "x-ratelimit-retry-after": "12"}, None),
        ({"x-ratelimit-remaining-minute": "0"}, 18),
        ({}, None),
    ],
)
def test_rest_of_the_minute_is_waited_for_where_the_calls_are_used_up(headers, wait):
    assert events.rest(headers, NOON.replace(second=42)) == (wait and timedelta(seconds=wait))


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def test_rating_that_is_changed_is_another_event_under_the_same_id():
    headers = {"x-helpscout-event": "satisfaction.ratings"}
    first = events.hint(ALONE, headers)
    changed = events.hint(ALONE | {"rating": "okay", "modifiedAt": "2017-12-12T12:20:00Z"}, headers)

    assert (first.conversation_id, first.rating_id, first.is_known) == ("123", "1", True)
    assert (changed.rating_id, changed.event_id == first.event_id) == ("1", False)


def test_older_payload_calls_the_conversation_a_ticket():
    told = {"id": 5434, "ticketId": 1_560_011, "threadId": 3, "rating": "Bad", "createdAt": "2015-04-13T12:34:12Z"}

    assert events.hint(told, {}).conversation_id == "1560011"


@pytest.mark.parametrize(
    ("event", "is_known"), [("convo.merged", True), ("customer.created", True), ("moon.rise", False)]
)
def test_events_of_other_kinds_are_of_no_interest(event, is_known):
    hint = events.hint({"id": 5, "conversationId": 5, "rating": "great"}, {"x-helpscout-event": event})

    assert (hint.conversation_id, hint.rating_id, hint.is_known) == ("", "", is_known)


def test_signature_is_of_the_bytes_as_they_came(desk):
    body, headers = desk.webhook(desk.world.talks["1001"], NOON)
    vendor = registry.VENDORS["helpscout"]

    vendor.verify(body, headers, "whs", NOON)
    with pytest.raises(Forged):
        vendor.verify(json.dumps(json.loads(body), indent=1).encode(), headers, "whs", NOON)


# --- Signing in --------------------------------------------------------------------------------------------------------


def test_one_token_serves_all_calls_of_an_account_and_stands_nowhere(desk):
    with opened(desk) as client:
        pages(client)
        list(client.people())
        shown = repr(client) + repr(client.wire) + str(vars(client))

    assert n_asked(desk, TOKENS) == 1
    assert "authorization" not in desk.asked[0].headers
    assert "token1" not in shown
    assert "right" not in repr(client)


def test_token_that_ended_in_the_middle_is_renewed_once(desk):
    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
        desk.end_tokens()
        second = client.ratings(SINCE, UNTIL, first.cursor)

    assert (n_asked(desk, TOKENS), len(first.ratings), len(second.ratings)) == (2, 3, 3)


def test_token_that_is_not_accepted_anew_is_refused(desk):
    with opened(desk) as client:
        client.ratings(SINCE, UNTIL, "")
        desk.weather.append(Weather(status(401), times=99, when=lambda asked: asked.path != TOKENS))
        with pytest.raises(CredentialsRefused):
            client.ratings(SINCE, UNTIL, "2")

    assert n_asked(desk, TOKENS) == 2


@pytest.mark.parametrize("answer", [400, 401, 403])
def test_app_that_is_not_known_is_refused_with_where_to_look(desk, answer):
    desk.weather.append(Weather(status(answer), times=99, when=lambda asked: asked.path == TOKENS))

    with opened(desk) as client, pytest.raises(CredentialsRefused, match="My Apps"):
        list(client.checks())

    assert len(desk.asked) == 1


@pytest.mark.parametrize(
    "body", [{}, {"access_token": None}, {"access_token": "a\r\nb"}, {"access_token": 7}, [], None]
)
def test_answer_without_a_token_is_malformed(desk, body):
    desk.weather.append(Weather(lambda handler: handler.send(Answer(body=body))))

    with opened(desk) as client, pytest.raises(Malformed):
        pages(client)


def test_right_that_is_missing_fetches_no_further_token(desk):
    with opened(desk) as client:
        list(client.people())
        desk.has_reports = False
        with pytest.raises(CredentialsRefused, match="Plus or Pro"):
            pages(client)

    assert n_asked(desk, TOKENS) == 1


# --- Its account -------------------------------------------------------------------------------------------------------


def test_report_is_asked_for_all_ratings_between_two_moments_oldest_change_first(desk):
    with opened(desk) as client:
        read = pages(client)

    asked = [one.query for one in desk.asked if one.path.endswith("/ratings")]
    told = {"start": "2026-03-01T12:00:00Z", "end": "2026-03-03T12:00:00Z", "rating": "all"}
    assert asked == [told | {"page": str(n), "sortField": "modifiedAt", "sortOrder": "ASC"} for n in (1, 2, 3)]
    assert {page.total for page in read} == {7}


@pytest.mark.parametrize(
    ("path", "failed", "words"),
    [("/v2/reports/happiness/ratings", "Ratings", "Plus or Pro"), ("/v2/users", "Users", "administrator")],
)
def test_check_says_what_is_missing_and_is_the_last(desk, path, failed, words):
    desk.weather.append(Weather(status(403), times=9, when=lambda asked: asked.path == path))

    with opened(desk) as client:
        *passed, last = client.checks()

    assert all(check.is_ok for check in passed)
    assert (last.name, last.is_ok, words in last.sentence) == (failed, False, True)


@pytest.mark.parametrize("answer", [404, 403])
def test_account_without_a_list_of_ai_agents_has_its_people(desk, answer):
    desk.weather.append(Weather(status(answer), times=9, when=lambda asked: asked.path.startswith("/v3/")))

    with opened(desk) as client:
        assert [person.name for person in client.people()] == ["Ada", "Brook"]


def test_rating_is_fetched_by_its_id_without_the_report(desk):
    with opened(desk) as client:
        found = client.found("1001", "900001")

    assert (found.rating.value, found.conversation.id) == ("great", "1001")
    assert n_asked(desk, "/v2/reports/happiness/ratings") == 0


def test_id_of_a_rating_elsewhere_is_not_taken_for_this_one(desk):
    with opened(desk) as client:
        found = client.found("1001", "900002")

    assert (found.rating.conversation_id, found.rating.value) == ("1001", "great")


def test_rating_without_its_conversation_is_found_all_the_same(desk):
    desk.weather.append(Weather(status(404), times=9, when=lambda asked: "/conversations/" in asked.path))

    with opened(desk) as client:
        found = client.found("1001", "900001")
        assert (found.conversation, found.rating.value) == (Conversation("1001"), "great")
        with pytest.raises(NotFound):
            client.found("1001", "1")


def test_conversation_that_was_merged_is_the_one_it_went_to(desk):
    desk.merged["1005"] = "1001"
    rated = desk.world.talks["1001"]

    with opened(desk) as client:
        found = client.found("1005", rated.answer.id)
        again = client.found("1005")
        turns = client.transcript("1005")
        replied = client.last_reply("1005")

    assert (found.conversation.id, found.rating.conversation_id, again.rating) == ("1001", "1001", found.rating)
    assert (turns[0].text, len(turns), replied) == (rated.said[0].text, 2, "12")


def test_report_that_repeats_a_page_is_garbled(desk):
    same = [row(talk) for talk in desk.world.answered()[:3]]
    desk.report = lambda asked: Answer(body={"results": same, "pages": 9, "count": 27})

    with opened(desk) as client, pytest.raises(Garbled):
        pages(client)


def test_conversation_is_not_called_unrated_where_the_report_is_too_long_to_say_so(desk):
    desk.world = small_world(80)
    desk.world.add(replace(desk.world.talks["1001"], answer=None, opened_at=NOON - timedelta(days=1)))

    with opened(desk) as client, pytest.raises(Garbled):
        client.found("1001")


def test_who_replied_last_is_read_from_the_newest_page_alone(desk):
    told = desk.world.talks["1001"]
    said = [Said("customer", f"Question {n}", told.opened_at + timedelta(seconds=n)) for n in range(9)]
    desk.world.add(replace(told, said=(*said, Said("agent", "Yes.", told.closed_at, "11"))))

    with opened(desk) as client:
        assert client.last_reply("1001") == "11"

    assert n_asked(desk, "/v2/conversations/1001/threads") == 1


def test_minute_that_is_used_up_is_waited_for_before_the_next_call(desk):
    with opened(desk) as client:
        client.ratings(SINCE, UNTIL, "")
        desk.calls_left = 0
        client.ratings(SINCE, UNTIL, "2")

        assert 0 < client.wire.resume_at - time.monotonic() <= 60


def test_default_link_and_address_are_help_scout_s_own():
    known = registry.VENDORS["helpscout"]

    for address in ("", "http://127.0.0.1:99"):
        assert known.link(address, {}) == ("https://secure.helpscout.net/conversation/{id}", {})
    assert known.address.default == "https://api.helpscout.net"


# --- Into the database -------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_reading_keeps_what_is_right_and_names_what_is_not(desk, owner, settings):
    lost = replace(desk.world.talks["1006"], assignee="")
    desk.world.add(replace(lost, answer=replace(lost.answer, person="")))
    strange = {
        1002: {"ratingId": 4},
        1003: {"ratingCreatedAt": None},
        1004: {"ratingUserId": None},
        1005: {"id": "1005"},
    }
    report = desk.report

    def stranger(asked):
        answer = report(asked)
        answer.body["results"] = [one | strange.get(one["id"], {}) for one in answer.body["results"]]
        return answer

    desk.report = stranger
    connection = connected(desk, owner, settings, backfill_days=3650)

    sync = read(connection)

    assert (sync.next_try_at, sync.last_error, sync.n_read, sync.n_new, sync.n_refused) == (None, "", 7, 5, 2)
    assert (sync.total, sorted(one["id"] for one in sync.refused)) == (7, ["1002", "1003"])
    credited = RatingRow.objects.order_by("conversation__external_id")
    assert list(credited.values_list("conversation__external_id", "credit", "helpdesk_agent__external_id")) == [
        ("1000", Credit.RATED, "11"),
        ("1001", Credit.RATED, "12"),
        ("1004", Credit.ASSIGNEE, "12"),
        ("1005", Credit.RATED, "13"),
        ("1006", Credit.LAST_REPLY, "11"),
    ]
    stored = HelpdeskConnection.objects.get(pk=connection.pk)
    assert (stored.account, "token" in stored.secrets, "Help Scout" in str(stored)) == ({"app_id": "app"}, False, True)


@pytest.mark.django_db(transaction=True)
def test_webhook_and_report_tell_of_the_same_rating_once(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=3650)
    told, seen = desk.world.talks["1001"], []
    sync = read(connection)
    assert sync.n_new == 7

    for step, happy in enumerate((0.0, 1.0, 0.5), 1):
        desk.world.add(told.answered(happy=happy, at=NOON + timedelta(hours=step)))
        hint = events.hint(rating(desk.world.talks["1001"]), {})
        with registry.open_client(connection) as client:
            found, listed = client.found(hint.conversation_id, hint.rating_id), ratings(client)
        with transaction.atomic():
            arrivals.found(connection, found)
        with transaction.atomic():
            arrivals.take_in(connection, listed)
        counting = RatingRow.objects.counting().filter(conversation__external_id="1001")
        seen.append((list(counting.values_list("value", flat=True)), RatingRow.objects.count()))

    assert seen == [(["not_good"], 8), (["great"], 9), (["okay"], 10)]
