"""What is Gorgias' own: surveys without an agent, listed by when they were made; a bucket that leaks; no signature."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk.vendors.contract import Credit, Malformed
from helpdesk.vendors.errors import NotFound, RateLimited
from helpdesk.vendors.gorgias import events
from helpdesk.vendors.registry import VENDORS
from tests.desks.gorgias import Gorgias, survey
from tests.desks.server import Weather, serving, status
from tests.desks.world import NOON, Said, World, small_world, talk
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings

gorgias = VENDORS["gorgias"]


@pytest.fixture
def desk(settings):
    with serving(Gorgias(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        yield desk


def asked(desk, path):
    return [one for one in desk.asked if one.path == path]


def test_a_list_may_come_bare(desk):
    rows = [survey(one) for one in desk.world.talks.values()]
    desk.weather = [Weather(status(200, rows), times=9, when=lambda one: one.path == "/api/satisfaction-surveys")]

    with opened(desk) as client:
        assert len(ratings(client)) == 7


def test_the_tickets_of_a_page_are_asked_for_in_one_call(desk):
    with opened(desk) as client:
        found = ratings(client)

    assert len(found) == 7
    assert len(asked(desk, "/api/tickets")) == len(asked(desk, "/api/satisfaction-surveys")) == 3
    assert [rating.conversation.channel for rating in found] == ["email"] * 7
    assert {rating.conversation.opened_at for rating in found} == {t.opened_at for t in desk.world.talks.values()}


def test_tickets_that_the_list_does_not_give_are_asked_for_one_by_one(desk):
    for refusal in (
        status(404),
        status(200, {"object": "list", "data": []}),
        status(200, {"object": "list", "data": None}),
    ):
        desk.weather = [Weather(refusal, times=99, when=lambda one: one.path == "/api/tickets")]
        with opened(desk) as client:
            found = ratings(client)

        assert {(r.conversation_id, r.person_id) for r in found} == {
            (t.id, t.answer.person) for t in desk.world.talks.values()
        }


def test_a_rating_whose_ticket_is_gone_lands_without_anybody(desk):
    gone = [Weather(status(404), times=99, when=lambda one: one.path == "/api/tickets/1003")]
    short = [Weather(status(200, {"data": []}), times=99, when=lambda one: one.path == "/api/tickets")]
    desk.weather = gone + short

    with opened(desk) as client:
        found = {rating.conversation_id: rating for rating in ratings(client)}

    assert len(found) == 7
    assert (found["1003"].person_id, found["1003"].conversation) == ("", None)
    assert found["1002"].person_id == "13"


def test_reading_stops_behind_the_window(desk):
    old = [talk(i, at=NOON - timedelta(days=40, minutes=i)) for i in range(100, 160)]
    desk.world.add(*old)

    with opened(desk) as client:
        found = {rating.conversation_id for rating in ratings(client, NOON - timedelta(hours=1), UNTIL)}

    assert found == {str(1_000 + i) for i in range(7)}
    assert len(asked(desk, "/api/satisfaction-surveys")) == 3


def test_a_survey_that_was_made_long_before_it_was_answered_is_read_with_its_answer(desk):
    late = talk(50, at=NOON - timedelta(days=2))
    desk.world.add(late.answered(at=NOON + timedelta(minutes=30)))

    with opened(desk) as client:
        found = {r.conversation_id: r.rated_at for r in ratings(client, NOON + timedelta(minutes=20), UNTIL)}

    assert found == {"1050": NOON + timedelta(minutes=30)}


def test_a_survey_without_an_answer_is_no_rating_and_takes_one_back(desk):
    desk.world.add(talk(20, happy=None))

    with opened(desk) as client:
        read = pages(client)

    assert [id for page in read for id in page.withdrawn] == ["1020"]
    assert "1020" not in {rating.conversation_id for page in read for rating in page.ratings}


@pytest.mark.parametrize("score", [0, 6, -1, 2.5, "good", "", True, [5], {"x": 5}])
def test_a_score_that_is_none_is_named_and_the_others_land(desk, score, monkeypatch):
    monkeypatch.setattr(
        "tests.desks.gorgias.survey", lambda t: survey(t) | ({"score": score} if t.id == "1002" else {})
    )

    with opened(desk) as client:
        read = pages(client)

    assert [(one.id, one.detail) for page in read for one in page.unreadable] == [
        ("900002", "The rating is not a number from 1 to 5.")
    ]
    assert len([rating for page in read for rating in page.ratings]) == 6


def test_whoever_has_the_ticket_now_is_credited(desk):
    desk.world.add(replace(desk.world.talks["1001"], assignee="11"))

    with opened(desk) as client:
        found = client.found("1001").rating

    assert (found.person_id, found.credit) == ("11", Credit.ASSIGNEE)


def test_a_ticket_without_its_survey_is_asked_for_it(desk, monkeypatch):
    whole = Gorgias.ticket
    monkeypatch.setattr(
        Gorgias, "ticket", lambda self, t: {k: v for k, v in whole(self, t).items() if k != "satisfaction_survey"}
    )

    with opened(desk) as client:
        assert client.found("1001").rating.value == "5"
        desk.world.add(replace(desk.world.talks["1001"], answer=None))
        assert client.found("1001").rating is None


def test_messages_are_read_from_the_list_of_all_where_the_ticket_has_none_of_its_own(desk):
    desk.weather = [
        Weather(status(404), times=99, when=lambda one: one.path.endswith("/messages") and "tickets" in one.path)
    ]

    with opened(desk) as client:
        assert [turn.role for turn in client.transcript("1001")] == ["customer", "agent"]
        with pytest.raises(NotFound):
            client.transcript("77777")


def test_a_rule_s_answer_is_shown_and_counts_as_nobody_s_reply(desk):
    told = desk.world.talks["1001"]
    robot = Said("system", "We got your mail.", told.said[-1].at + timedelta(minutes=1), "13")
    desk.world.add(replace(told, said=(*told.said, robot)))

    with opened(desk) as client:
        assert client.last_reply("1001") == "12"
        assert [turn.text for turn in client.transcript("1001")][-1] == "We got your mail."


def test_words_come_without_what_was_quoted_and_html_only_where_there_is_nothing_else():
    told = {
        "public": True,
        "from_agent": False,
        "created_datetime": "2026-03-02T12:00:00.5",
        "sender": None,
        "source": None,
    }

    stripped = events.turn(told | {"stripped_text": "New", "body_text": "New\n> Old", "body_html": "<p>x</p>"})
    bare = events.turn(told | {"stripped_text": None, "body_text": "", "body_html": "<p>One</p><p>two</p>"})

    assert (stripped.text, stripped.at) == ("New", 1_772_452_800_500)
    assert bare.text == "One\ntwo"
    assert events.turn(told | {"body_text": None}) is None


@pytest.mark.parametrize(
    "changes",
    [{"public": False}, {"public": None}, {"channel": "internal-note"}, {"source": {"type": "internal-note"}}],
)
def test_what_is_not_said_to_be_public_is_taken_for_a_note(changes):
    assert events.turn({"public": True, "from_agent": True, "body_text": "Between us"} | changes) is None


def test_a_user_who_was_switched_off_is_not_active():
    user = {"id": 3, "name": None, "firstname": "Ada", "lastname": "B", "role": None, "active": True}

    assert events.person(user).is_active
    assert events.person(user).name == "Ada B"
    assert not events.person(user | {"active": False}).is_active
    assert not events.person(user | {"deactivated_datetime": "2026-01-01T00:00:00"}).is_active


def test_calls_slow_down_before_the_bucket_runs_over(desk):
    slept = []
    with opened(desk, slept=slept) as client:
        ratings(client)
        assert slept == []
        desk.calls = 39
        client.last_reply("1001")
        client.last_reply("1002")

    assert 0.9 < slept[0] <= 1.0


@pytest.mark.parametrize("told", ["", "39", "/40", "x/40", "39/0", "39/x", "5/40", "37/40"])
def test_a_bucket_with_room_or_one_that_cannot_be_read_slows_nothing(told):
    assert events.rest({"x-gorgias-account-api-call-limit": told}, NOON) is None


def test_a_bucket_that_ran_over_is_left_alone_for_as_long_as_it_says(desk):
    desk.weather = [Weather(status(429, retry_after="12"), when=lambda one: one.path == "/api/tickets")]

    with opened(desk) as client, pytest.raises(RateLimited) as limited:
        ratings(client)

    assert limited.value.pause >= timedelta(seconds=12)


def test_checks_say_what_is_missing(desk):
    with opened(desk, api_key="wrong") as client:
        (sign_in, *_) = client.checks()
    assert (sign_in.is_ok, "REST API" in sign_in.sentence) == (False, True)

    desk.weather = [Weather(status(403), times=9, when=lambda one: one.path == "/api/satisfaction-surveys")]
    with opened(desk) as client:
        checks = list(client.checks())
    assert [(check.name, check.is_ok) for check in checks] == [("Sign-in", True), ("Ratings", False)]
    assert "admin" in checks[1].sentence


NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)


def test_an_event_is_known_by_its_id_and_kind():
    one = gorgias.hint({"event": "ticket-updated", "id": 5, "ticket_id": 12}, {})

    assert (one.event_id, one.event, one.conversation_id, one.is_known) == (
        "ticket-updated 5", "ticket-updated", "12", True,
    )  # fmt: skip
    assert gorgias.hint({"event": "ticket-created", "id": 5, "ticket_id": "12"}, {}).event_id != one.event_id


@pytest.mark.parametrize("body", [{"event": "x", "id": 1}, {"event": "x", "ticket_id": 1}, {"id": {}, "ticket_id": 1}])
def test_an_event_without_ticket_or_id_is_malformed(body):
    with pytest.raises(Malformed):
        gorgias.hint(body, {})


def test_the_set_up_s_body_is_what_the_hook_reads():
    """The JSON that a leader copies, with Gorgias' own places filled in."""
    (step,) = [step for step in gorgias.set_up if "ticket_id" in step]
    body = json.loads(step[step.index("{") : step.rindex("}") + 1].replace("{{ticket.id}}", "12"))

    assert gorgias.hint(body, {}).conversation_id == "12"


def test_nothing_rated_in_the_window_asks_for_no_tickets(desk):
    desk.world = World(desk.world.people, {})
    with opened(desk) as client:
        assert client.ratings(SINCE, UNTIL, "").ratings == ()
    assert asked(desk, "/api/tickets") == []
