"""What is Chatwoot's own: pages by number that shift, two kinds of id, administrators only, a list that is silent on changes."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk import deeplinks
from helpdesk.models import Conversation, DeepLink
from helpdesk.vendors.chatwoot import events
from helpdesk.vendors.errors import CredentialsRefused
from helpdesk.vendors.registry import VENDORS
from tests.desks.chatwoot import Chatwoot
from tests.desks.server import Answer, Weather, serving, status
from tests.desks.world import NOON, Said, small_world, talk
from tests.helpdesk.connected import connected
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings

chatwoot = VENDORS["chatwoot"]
LIST = "/api/v1/accounts/7/csat_survey_responses"


@pytest.fixture
def desk(settings):
    with serving(Chatwoot(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        yield desk


def ids(found):
    return sorted(rating.conversation_id for rating in found)


# --- A list that shifts ------------------------------------------------------------------------------------------------


def test_what_vanishes_between_pages_lets_nothing_else_be_skipped(desk):
    read, cursor = [], ""
    with opened(desk) as client:
        for gone in ("1000", "1001", None, None, None):
            page = client.ratings(SINCE, UNTIL, cursor)
            read += page.ratings
            cursor = page.cursor
            if gone:
                del desk.world.talks[gone]
            if not cursor:
                break

    assert ids(read) == [str(1_000 + i) for i in range(7)]


def test_what_comes_in_between_pages_neither_repeats_nor_hides_anything(desk):
    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
        desk.world.add(talk(30, at=NOON + timedelta(hours=2)))
        later = ratings_from(client, first.cursor)

    assert ids([*first.ratings, *later]) == [str(1_000 + i) for i in (*range(7), 30)]


def ratings_from(client, cursor):
    read = []
    while cursor:
        page = client.ratings(SINCE, UNTIL, cursor)
        read += page.ratings
        cursor = page.cursor
    return read


def test_many_of_one_second_over_several_pages_are_read_once(desk):
    desk.world.add(*(talk(i, at=NOON + timedelta(minutes=3)) for i in range(40, 53)))

    with opened(desk) as client:
        found = ratings(client)

    assert ids(found) == [str(1_000 + i) for i in (*range(7), *range(40, 53))]


class Careless(Chatwoot):
    """Heeds neither bounds nor order: the newest come first, whatever was asked for."""

    def responses(self, query):
        page = {"page": query.get("page", "1"), "sort": "-created_at"}
        return super().responses(page)


class Boundless(Chatwoot):
    """Heeds the order, and no bounds."""

    def responses(self, query):
        return super().responses({name: value for name, value in query.items() if name not in ("since", "until")})


class Repeating(Chatwoot):
    """Answers every question with one and the same page."""

    def responses(self, query):
        return [self.response(one) for one in self.world.answered()]


@pytest.mark.parametrize("kind", [Careless, Boundless, Repeating])
def test_a_list_that_heeds_not_what_it_is_asked_is_read_by_page_numbers(settings, kind):
    with serving(kind(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        with opened(desk) as client:
            assert ids(ratings(client)) == [str(1_000 + i) for i in range(7)]
            window = ratings(client, NOON + timedelta(minutes=2), NOON + timedelta(minutes=4))
        assert ids(window) == ["1002", "1003", "1004"]


def test_reading_goes_on_from_a_cursor_alone(desk):
    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
    with opened(desk) as another:
        rest = ratings_from(another, first.cursor)

    assert ids([*first.ratings, *rest]) == [str(1_000 + i) for i in range(7)]


def test_a_rating_that_was_changed_keeps_its_time_and_its_id(desk):
    with opened(desk) as client:
        before = client.found("1001").rating
        desk.world.add(desk.world.talks["1001"].answered(happy=0.0, at=NOON + timedelta(days=3)))
        after = client.found("1001").rating

    assert (before.value, after.value) == ("5", "1")
    assert (before.id, before.rated_at) == (after.id, after.rated_at)


def test_found_asks_the_list_for_little(desk):
    with opened(desk) as client:
        desk.asked.clear()
        client.found("1006")

    (one,) = [asked for asked in desk.asked if asked.path == LIST]
    assert int(one.query["since"]) == int((NOON + timedelta(minutes=6)).timestamp())
    assert (one.query["rating"], one.query["inbox_id"]) == ("1", "3")


def test_a_chatwoot_that_does_not_show_its_surveys_is_asked_for_its_list(desk, monkeypatch):
    whole = Chatwoot.messages
    monkeypatch.setattr(Chatwoot, "messages", lambda self, t: whole(self, t)[:-1])

    with opened(desk) as client:
        listed = {rating.conversation_id: rating for rating in ratings(client)}
        assert client.found("1005").rating == listed["1005"]
        desk.world.add(replace(desk.world.talks["1005"], answer=None))
        assert client.found("1005").rating is None


def test_a_rating_that_the_list_does_not_show_counts_from_when_it_was_asked_for(desk):
    desk.weather = [Weather(status(200, []), times=99, when=lambda one: one.path == LIST)]

    with opened(desk) as client:
        found = client.found("1005").rating

    assert (found.id, found.value, found.rated_at) == ("1005999", "5", NOON + timedelta(minutes=5))


@pytest.mark.parametrize("rating", [0, 6, "good", True, [5], 2.5])
def test_a_rating_off_the_scale_is_named_and_the_others_land(desk, monkeypatch, rating):
    whole = Chatwoot.response
    monkeypatch.setattr(
        Chatwoot, "response", lambda self, t: whole(self, t) | ({"rating": rating} if t.id == "1002" else {})
    )

    with opened(desk) as client:
        read = pages(client)

    assert [(one.id, one.detail) for page in read for one in page.unreadable] == [
        ("900002", "The rating is not a number from 1 to 5.")
    ]
    assert len([one for page in read for one in page.ratings]) == 6


# --- Who ---------------------------------------------------------------------------------------------------------------


def test_a_bot_and_an_agent_of_the_same_number_are_two(desk):
    desk.world.people[2] = replace(desk.world.people[2], id="11")

    with opened(desk) as client:
        people = {person.id: person.is_bot for person in client.people()}

    assert people == {"11": False, "12": False, "agent_bot-11": True}


def test_a_bot_that_replied_last_is_told_by_its_own_id(desk):
    with opened(desk) as client:
        assert client.last_reply("1002") == "agent_bot-13"


def test_an_account_without_bots_is_read_all_the_same(desk):
    desk.weather = [Weather(status(404), times=9, when=lambda one: "bot" in one.path or "captain" in one.path)]

    with opened(desk) as client:
        assert {person.id for person in client.people()} == {"11", "12"}


def test_captain_s_assistants_are_bots(desk):
    answer = Answer(body={"payload": [{"id": 4, "name": "Captain"}], "meta": {"total_count": 1}})
    desk.weather = [Weather(lambda handler: handler.send(answer), when=lambda one: one.path.endswith("/assistants"))]

    with opened(desk) as client:
        (captain,) = [person for person in client.people() if person.name == "Captain"]

    assert (captain.id, captain.is_bot) == ("captain_assistant-4", True)
    assert events.person_id({"id": 4, "name": "Captain"}, "Captain::Assistant") == captain.id


@pytest.mark.parametrize("agent", [None, {}, {"id": None}, [], "11", {"id": True}])
def test_an_agent_who_was_deleted_is_nobody(agent):
    told = {"rating": 4, "conversation_id": 5, "created_at": 1_772_452_800, "message_id": 9, "assigned_agent": agent}

    assert events.rating(told).person_id == ""


def test_a_reassigned_conversation_says_who_has_it_now(desk):
    desk.world.add(replace(desk.world.talks["1001"], assignee="11"))

    with opened(desk) as client:
        found = client.found("1001")

    assert (found.conversation.assignee_id, found.rating.person_id) == ("11", "12")
    assert (found.conversation.channel, found.conversation.is_open) == ("chat", False)


# --- Words -------------------------------------------------------------------------------------------------------------


def test_what_is_known_of_the_conversations_of_a_page_comes_in_one_call(desk):
    with opened(desk) as client:
        found = ratings(client)

    assert {(r.conversation_id, r.conversation.opened_at, r.conversation.channel) for r in found} == {
        (t.id, t.opened_at, "chat") for t in desk.world.talks.values()
    }
    searches = [one for one in desk.asked if one.path.endswith("/conversations/filter")]
    assert len(searches) < len(found)


@pytest.mark.parametrize("answer", [status(404), status(500), status(422), status(401), status(200, {"payload": 3})])
def test_ratings_are_read_where_conversations_cannot_be_searched(desk, answer):
    desk.weather = [Weather(answer, times=99, when=lambda one: one.path.endswith("/conversations/filter"))]

    with opened(desk) as client:
        found = ratings(client)

    assert ids(found) == [str(1_000 + i) for i in range(7)]
    assert {rating.conversation for rating in found} == {None}
    assert len([one for one in desk.asked if one.path.endswith("/conversations/filter")]) <= 3


def test_a_long_conversation_is_read_page_by_page(desk):
    desk.message_page = 3

    with opened(desk) as client:
        assert [turn.role for turn in client.transcript("1001")] == ["customer", "agent"]
        assert client.found("1001").rating.value == "5"


def test_a_list_of_messages_that_heeds_no_bound_ends(desk):
    whole = Chatwoot.messages
    with opened(desk) as client:
        page = Answer(body={"payload": whole(desk, desk.world.talks["1001"])})
        desk.weather = [Weather(lambda h: h.send(page), times=99, when=lambda one: one.path.endswith("/messages"))]
        assert len(client.transcript("1001")) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"private": True},
        {"private": None},
        {"private": "false"},
        {"message_type": 2},
        {"message_type": 9},
        {"message_type": None},
        {"content": None},
        {"content_attributes": {"deleted": True}},
    ],
)
def test_notes_activities_and_what_was_deleted_are_left_out(changes):
    told = {"id": 1, "content": "Hello", "message_type": 1, "private": False, "created_at": 1_772_452_800}

    assert events.turn(told).role == "agent"
    assert events.turn(told | changes) is None


def test_a_template_is_neither_side_s(desk):
    told = {"id": 1, "content": "Please rate us", "message_type": 3, "private": False, "created_at": 1_772_452_800}

    assert events.turn(told).role == "system"
    assert events.replied(told | {"sender": {"id": 1, "type": "user"}}) == ""


def test_who_answered_in_a_note_did_not_answer_the_customer(desk):
    told = desk.world.talks["1001"]
    note = Said("note", "I told them.", told.said[-1].at + timedelta(minutes=1), "11")
    desk.world.add(replace(told, said=(*told.said, note)))

    with opened(desk) as client:
        assert client.last_reply("1001") == "12"


# --- Connect -----------------------------------------------------------------------------------------------------------


def test_checks_say_what_is_missing(desk):
    def failed(**credentials):
        with opened(desk, **credentials) as client:
            *fine, last = client.checks()
        assert all(check.is_ok for check in fine)
        assert not last.is_ok
        return last

    assert "token" in failed(api_token="wrong").sentence
    assert "/app/accounts/" in failed(account_id="8").sentence
    desk.role = "agent"
    assert "administrator" in failed().sentence
    desk.weather = [Weather(status(404), times=9)]
    assert "address" in failed().sentence


def test_an_account_number_stays_in_its_place(desk):
    with opened(desk, account_id="7/../8?x=#") as client:
        list(client.checks())

    assert {one.path for one in desk.asked} == {"/api/v1/profile"}
    with opened(desk, account_id="7/../8?x=#") as client, pytest.raises(CredentialsRefused):
        client.found("../../x")
    assert desk.asked[-1].path == "/api/v1/accounts/7%2F%2E%2E%2F8%3Fx%3D%23/conversations/%2E%2E%2F%2E%2E%2Fx"


@pytest.mark.django_db
def test_connecting_makes_the_deep_link(desk, owner, settings):
    connection = connected(desk, owner, settings)
    link = DeepLink.objects.get(workspace=owner.workspace, source=connection.source)

    assert link.keys == {"accountId": "7"}
    assert deeplinks.conversation_url(
        Conversation(workspace=owner.workspace, source=connection.source, external_id="1001")
    ) == (f"{desk.url}/app/accounts/7/conversations/1001")


# --- Webhooks ----------------------------------------------------------------------------------------------------------

NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)


@pytest.mark.parametrize("event", ["conversation_updated", "conversation_status_changed"])
def test_what_happens_to_a_conversation_is_a_hint_at_it(event):
    hint = chatwoot.hint({"event": event, "id": 1001, "status": "resolved"}, {"x-chatwoot-delivery": "d-1"})

    assert (hint.event_id, hint.event, hint.conversation_id) == ("d-1", event, "1001")


@pytest.mark.parametrize(
    ("body", "is_known"),
    [
        ({"event": "message_updated", "id": 5, "content_type": "text", "conversation": {"id": 1001}}, True),
        ({"event": "message_created", "id": 5, "content": "Hello", "conversation": {"id": 1001}}, True),
        ({"event": "contact_created", "id": 5}, True),
        ({"event": "something_new", "id": 5}, False),
    ],
)
def test_what_is_about_no_rating_is_of_no_interest(body, is_known):
    hint = chatwoot.hint(body, {})

    assert (hint.conversation_id, hint.is_known) == ("", is_known)


def test_an_older_chatwoot_that_numbers_no_deliveries_sends_the_same_event_twice(desk):
    body, _ = desk.webhook(desk.world.talks["1001"], NOW)
    told = json.loads(body)
    again = json.loads(json.dumps(dict(reversed(told.items()))))
    changed = told | {"content_attributes": {"submitted_values": {"csat_survey_response": {"rating": 1}}}}

    assert chatwoot.hint(told, {}).event_id == chatwoot.hint(again, {}).event_id
    assert chatwoot.hint(told, {}).event_id != chatwoot.hint(changed, {}).event_id
