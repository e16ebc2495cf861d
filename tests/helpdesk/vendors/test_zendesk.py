"""Zendesk: what it sends is read, and its lists are read to their end whatever they are like."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from helpdesk import scales
from helpdesk.models import Conversation, HelpdeskSync, Rating
from helpdesk.vendors.contract import Forged, Hint, Malformed
from helpdesk.vendors.errors import CredentialsRefused, RateLimited
from helpdesk.vendors.zendesk import VENDOR, events
from tests.desks.server import Weather, status
from tests.desks.world import NOON, Said, World, small_world, talk
from tests.desks.zendesk import Zendesk, ZendeskSurvey, signed
from tests.helpdesk.connected import connected, read
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings
from tests.helpdesk.vendors.payloads import payload

RATED_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
OLD = NOON - timedelta(days=40)


# --- Payloads ----------------------------------------------------------------------------------------------------------


def a_rating(**changes):
    """As the documentation has it."""
    return {
        "id": 35436,
        "ticket_id": 208,
        "assignee_id": 135,
        "group_id": 44,
        "requester_id": 7881,
        "score": "good",
        "comment": "Awesome support!",
        "reason": None,
        "created_at": "2026-02-26T22:55:29Z",
        "updated_at": "2026-03-01T09:30:00Z",
        "url": "https://acme.zendesk.com/api/v2/satisfaction_ratings/35436.json",
    } | changes


def a_response(rating=1, *, question=None, **changes):
    """As the documentation has it."""
    asked = {"id": "01J1WBE8", "type": "rating_scale_numeric", "sub_type": "customer_satisfaction"} | (question or {})
    times = {"created_at": "2026-02-26T12:00:00.000Z", "updated_at": "2026-03-01T09:30:00.000Z"}
    return {
        "id": "01J1WB51MG6HXTYWE6Q0C93RNW",
        "responder_id": 4398080151295,
        "subject_zrns": ["zen:ticket:99"],
        "subjects": [{"id": "99", "type": "ticket", "zrn": "zen:ticket:99"}],
        "survey": {"id": "01J58KJ9RAE0D2EK7HRVM7Z8F2", "state": "enabled", "version": 3},
        "expires_at": "2026-04-01T00:00:00.000Z",
        "answers": [
            {"type": "skipped", "question": {"id": "01J1WBSA", "type": "open_ended"}, **times},
            {"type": "rating_scale", "rating": rating, "rating_category": "bad", "question": asked, **times},
        ],
    } | changes


def test_a_rating_is_of_when_it_was_given_and_of_whom_it_names():
    found = events.rating(a_rating())

    assert (found.conversation_id, found.value, found.id, found.person_id) == ("208", "good", "35436", "135")
    assert (found.rated_at, found.credit) == (RATED_AT, "assignee")


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({"id": "35436", "ticket_id": "208", "assignee_id": "135"}, {}),
        ({"assignee_id": None}, {"person_id": ""}),
        ({"updated_at": None, "created_at": "2026-03-01T09:30:00Z"}, {}),
        ({"updated_at": int(RATED_AT.timestamp())}, {}),
        ({"updated_at": "2026-03-01T10:30:00+01:00"}, {}),
        ({"id": None}, {"id": ""}),
        ({"comment": None, "reason": {"x": []}, "unheard_of": 1}, {}),
    ],
)
def test_a_rating_is_read_however_it_is_spelt(changes, known):
    assert events.rating(a_rating(**changes)) == replace(events.rating(a_rating()), **known)


@pytest.mark.parametrize("score", ["offered", "unoffered"])
def test_a_rating_that_was_not_answered_is_none(score):
    assert events.rating(a_rating(score=score)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"score": "splendid"},
        {"score": None},
        {"score": 1},
        {"ticket_id": None},
        {"ticket_id": True},
        {"updated_at": "yesterday"},
        {"updated_at": None, "created_at": None},
        {"updated_at": 10**30},
    ],
)
def test_a_rating_that_cannot_be_read_is_malformed(changes):
    with pytest.raises(Malformed):
        events.rating(a_rating(**changes))


def test_a_response_to_the_survey_is_a_rating_of_nobody():
    found = events.survey_rating(a_response(1))

    assert (found.conversation_id, found.value, found.scale, found.person_id) == ("99", "1", "stars5", "")
    assert (found.id, found.rated_at) == ("01J1WB51MG6HXTYWE6Q0C93RNW", RATED_AT)


@pytest.mark.parametrize(
    ("response", "value"),
    [
        (a_response("4"), "4"),
        (a_response(5, subjects=None), "5"),
        (a_response(5, subjects=[], subject_zrns=["zrn:ticket:99"]), "5"),
        (a_response(5, question={"sub_type": None, "type": "rating_scale_emoji"}), "5"),
        (a_response(5, question={"options": [{"rating": 1}, {"rating": 5}]}), "5"),
    ],
)
def test_a_response_is_read_however_it_is_spelt(response, value):
    assert events.survey_rating(response).value == value


@pytest.mark.parametrize(
    "response",
    [
        a_response(5, answers=[]),
        a_response(5, answers=None),
        a_response(None),
        a_response(5, question={"sub_type": "other"}),
        a_response(
            5, subjects=[{"id": "4295a81b", "type": "conversation"}], subject_zrns=["zen:conversation:4295a81b"]
        ),
    ],
)
def test_a_response_without_an_answer_about_a_ticket_is_none(response):
    assert events.survey_rating(response) is None


@pytest.mark.parametrize("rating", [0, 6, 10, "great", True, 2.5, [5]])
def test_a_step_that_is_unknown_is_malformed(rating):
    with pytest.raises(Malformed):
        events.survey_rating(a_response(rating))


def test_steps_that_go_otherwise_than_from_one_to_five_are_not_guessed():
    with pytest.raises(Malformed):
        events.survey_rating(a_response(3, question={"options": [{"rating": n} for n in (1, 2, 3)]}))


@pytest.mark.parametrize("name", ["get.tickets", "get.search_ticket"])
def test_real_tickets_are_read(name):
    answer = payload("zendesk", name)
    found = events.tickets(answer, next(key for key in ("tickets", "results") if key in answer))

    assert found
    for ticket in found:
        assert ticket.conversation.id.isdecimal()
        assert ticket.conversation.opened_at.year >= 2010
        assert (ticket.conversation.channel, ticket.requester_id) != ("", "")


def test_a_real_ticket_is_read():
    ticket = events.ticket(payload("zendesk", "get.ticket")["ticket"], {"2": RATED_AT})

    assert ticket.conversation.id == "2"
    assert ticket.conversation.opened_at == datetime(2019, 6, 3, 2, 23, 47, tzinfo=UTC)
    assert (ticket.conversation.closed_at, ticket.conversation.is_open) == (RATED_AT, False)
    assert (ticket.conversation.channel, ticket.conversation.assignee_id) == ("email", "377922500012")
    assert (ticket.is_rated, ticket.score, ticket.rating_id) == (False, "", "")


def test_real_users_are_read():
    people = [events.person(item) for item in payload("zendesk", "get.users")["users"]]

    assert [(p.id.isdecimal(), p.name != "", "@" in p.email, p.is_active) for p in people] == [(True,) * 4] * 2


def test_real_comments_are_turns():
    ticket = events.ticket(payload("zendesk", "get.ticket")["ticket"], {})
    turns = [events.turn(item, ticket, {}) for item in payload("zendesk", "get.ticket_comments")["comments"]]

    assert [(turn.role, turn.text[:4]) for turn in turns] == [("customer", "Mail"), ("customer", "Mail")]
    assert turns[0].at == 1_559_525_027_000


TICKET = {"id": 7, "requester_id": 1, "assignee_id": 2, "collaborator_ids": [3], "email_cc_ids": None, "status": "open"}
USERS = {
    "users": [
        {"id": 1, "role": "end-user", "name": "Customer"},
        {"id": 2, "role": "agent", "name": "Ada"},
        {"id": 3, "role": "end-user", "name": "Copied"},
        {"id": 4, "role": "admin", "name": "Brook"},
        {"id": 5, "role": "end-user", "active": False, "name": "Permanently deleted user"},
        {"id": 6, "role": "end-user", "active": True, "name": "Other"},
    ]
}


@pytest.mark.parametrize(
    ("author_id", "role"),
    [
        (1, "customer"),
        (2, "agent"),
        ("2", "agent"),
        (3, "customer"),
        (4, "agent"),
        (5, "agent"),
        (6, "customer"),
        (-1, "system"),
        (None, "system"),
        (99, "customer"),
    ],
)
def test_who_speaks_is_told_by_the_ticket_and_by_their_role(author_id, role):
    ticket, users = events.ticket(TICKET, {}), events.authors(USERS)
    comment = {"author_id": author_id, "plain_body": "Words.", "public": True, "created_at": 1_772_000_000}

    assert events.turn(comment, ticket, users).role == role
    assert events.replier(comment, ticket, users) == (str(author_id) if role == "agent" else "")


def test_an_assignee_who_is_gone_without_a_trace_is_an_agent_still():
    comment = {"author_id": 2, "body": "Words.", "public": True}

    assert events.turn(comment, events.ticket(TICKET, {}), {}).role == "agent"


@pytest.mark.parametrize("public", [False, None, "yes"])
def test_only_what_is_surely_public_is_a_turn(public):
    comment = {"author_id": 2, "body": "Internal.", "public": public}

    assert events.turn(comment, events.ticket(TICKET, {}), {}) is None
    assert events.replier(comment, events.ticket(TICKET, {}), events.authors(USERS)) == ""


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"plain_body": "Plain.", "body": "Body.", "html_body": "<p>HTML.</p>"}, "Plain."),
        ({"plain_body": "", "body": "Body.", "html_body": "<p>HTML.</p>"}, "Body."),
        (
            {"plain_body": None, "body": " ", "html_body": "<p>One.</p><script>x</script><p>Two &amp; three.</p>"},
            "One.\nTwo & three.",
        ),
    ],
)
def test_words_are_plain_text(told, words):
    assert events.turn({"author_id": 2, "public": True} | told, events.ticket(TICKET, {}), {}).text == words


def test_what_an_automation_wrote_is_the_system_s():
    told = {"author_id": 2, "public": True, "body": "Solved.", "via": {"channel": "rule"}}

    assert events.turn(told, events.ticket(TICKET, {}), events.authors(USERS)).role == "system"


@pytest.mark.parametrize(
    ("answer", "following"),
    [
        ({"meta": {"has_more": True, "after_cursor": "xxx"}}, {"page[after]": "xxx"}),
        ({"meta": {"has_more": False, "after_cursor": "xxx"}}, {}),
        ({"meta": {"has_more": True, "after_cursor": None}}, {}),
        ({"next_page": "https://other.example/api/v2/satisfaction_ratings.json?page=2&per_page=100"}, {"page": "2"}),
        ({"next_page": None, "count": 2}, {}),
        (
            {"links": {"next": "https://other.example/users?page%5Bafter%5D=xxx&page%5Bsize%5D=9"}},
            {"page[after]": "xxx"},
        ),
        ({"next_page": "https://acme.zendesk.com/?page=two"}, {}),
        ({}, {}),
    ],
)
def test_lists_go_on_by_cursor_or_by_number(answer, following):
    assert events.following(answer) == following


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"x-rate-limit": "700", "x-rate-limit-remaining": "0", "ratelimit-reset": "41"}, 41),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "5"}, 5),
        ({"x-rate-limit-remaining": "1", "ratelimit-reset": "41"}, None),
        ({"x-rate-limit-remaining": "0"}, None),
        ({"x-rate-limit-remaining": "-", "ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_calls_pause_once_the_minute_s_are_spent(headers, seconds):
    pause = events.rest(headers, NOON)

    assert pause == (None if seconds is None else timedelta(seconds=seconds))


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def an_event(kind="status_changed", **changes):
    """As the documentation has it."""
    return {
        "account_id": 22129848,
        "id": "2b24ef10-19a3-4740-93cf-98e2ec4776c0",
        "type": f"zen:event-type:ticket.{kind}",
        "subject": "zen:ticket:12345",
        "time": "2026-03-01T09:30:00Z",
        "zendesk_event_version": "2022-11-06",
        "event": {"current": "SOLVED", "previous": "OPEN"},
        "detail": {"id": "12345", "assignee_id": "8447388090494", "status": "SOLVED", "subject": "Where is it?"},
    } | changes


CALL = {"x-zendesk-webhook-invocation-id": "8350205582"}


@pytest.mark.parametrize(
    ("body", "event_id", "ticket_id"),
    [
        (an_event(), "2b24ef10-19a3-4740-93cf-98e2ec4776c0", "12345"),
        (an_event(detail=None), "2b24ef10-19a3-4740-93cf-98e2ec4776c0", "12345"),
        (an_event(subject=None, detail={"id": 12345}), "2b24ef10-19a3-4740-93cf-98e2ec4776c0", "12345"),
        (an_event(id=None), "8350205582", "12345"),
        ({"event": "ticket.rated", "id": "208-2026", "ticket_id": "208"}, "208-2026", "208"),
        ({"event": "ticket.rated", "id": "208", "ticket_id": 208}, "8350205582", "208"),
        ({"event": "ticket.rated", "ticket_id": 208}, "8350205582", "208"),
    ],
)
def test_a_webhook_names_its_ticket(body, event_id, ticket_id):
    hint = events.hint(body, CALL)

    assert (hint.event_id, hint.conversation_id, hint.is_known) == (event_id, ticket_id, True)


@pytest.mark.parametrize("kind", ["soft_deleted", "permanently_deleted"])
def test_a_ticket_that_was_deleted_is_of_no_interest(kind):
    hint = events.hint(an_event(kind), CALL)

    assert (hint.conversation_id, hint.is_known) == ("", True)


def test_an_event_of_something_else_is_not_known():
    told = an_event(type="zen:event-type:user.created", subject="zen:user:1")

    assert events.hint(told, CALL) == Hint(told["id"], "zen:event-type:user.created", is_known=False)


@pytest.mark.parametrize(
    "body",
    [
        {"event": "ticket.rated", "id": "1"},
        {"event": "ticket.rated", "ticket_id": {"x": 1}, "id": "9"},
        {"id": "1", "ticket_id": 2},
        an_event(subject=None, detail=None),
    ],
)
def test_an_event_that_names_no_ticket_is_malformed(body):
    with pytest.raises(Malformed):
        events.hint(body, CALL)


def test_an_event_without_any_id_is_malformed():
    with pytest.raises(Malformed):
        events.hint(an_event(id=None), {})


def test_the_signature_is_over_time_and_body():
    body, headers = signed(an_event(), NOON, number="1", secret="dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==")

    events.verify(body, headers, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", NOON)
    later = headers | {"x-zendesk-webhook-signature-timestamp": "2026-03-02T12:00:01Z"}
    with pytest.raises(Forged):
        events.verify(body, later, "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==", NOON)


# --- The account -------------------------------------------------------------------------------------------------------


def asked_for(desk):
    return [asked.path.removeprefix("/api/v2/") for asked in desk.asked]


def test_the_survey_s_answers_are_credited_to_whom_the_ticket_names(serve):
    world = small_world()
    desk = serve(ZendeskSurvey(world))

    with opened(desk) as client:
        found = ratings(client)
        one = client.found("1001")

    assert sorted(r.conversation_id for r in found) == sorted(world.talks)
    for rating in found:
        told = world.talks[rating.conversation_id]
        assert (rating.person_id, rating.credit, rating.scale) == (told.assignee, "assignee", "stars5")
        assert scales.hundredths(rating.value, rating.scale) == told.answer.happy * 10_000
    assert one.rating in found


@pytest.mark.parametrize("way", ["missing", "hidden"])
def test_the_list_that_the_account_has_is_enough(serve, way):
    for kind, other in ((Zendesk, "/api/v2/guide"), (ZendeskSurvey, "/api/v2/satisfaction_ratings")):
        desk = kind(small_world())
        setattr(desk, way, (other,))
        with opened(serve(desk)) as client:
            assert len(ratings(client)) == 7
            assert all(check.is_ok for check in client.checks())


@pytest.mark.parametrize("way", ["missing", "hidden"])
def test_an_account_that_shows_no_ratings_at_all_is_refused_and_the_check_says_what_to_do(serve, way):
    desk = Zendesk(small_world())
    setattr(desk, way, ("/api/v2/guide", "/api/v2/satisfaction_ratings"))

    with opened(serve(desk)) as client:
        with pytest.raises(CredentialsRefused):
            ratings(client)
        check = list(client.checks())[-1]

    assert (check.name, check.is_ok) == ("Ratings", False)
    assert "Switch customer satisfaction on" in check.sentence


def test_an_email_that_may_not_read_tickets_is_told_so(serve):
    desk = Zendesk(small_world())
    desk.hidden = ("/api/v2/tickets",)

    with opened(serve(desk)) as client:
        check = list(client.checks())[-1]

    assert (check.name, check.is_ok) == ("Tickets", False)


def test_a_token_that_ends_in_the_middle_of_a_list_is_a_fault_and_no_end(serve):
    desk = serve(Zendesk(small_world()))
    desk.weather.append(Weather(status(401), when=lambda asked: "page[after]" in asked.query))

    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
        with pytest.raises(CredentialsRefused):
            client.ratings(SINCE, UNTIL, first.cursor)
        assert len(first.ratings) + len(client.ratings(SINCE, UNTIL, first.cursor).ratings) == 6


def test_the_export_s_limit_leaves_what_the_lists_said(serve):
    desk = serve(Zendesk(small_world(2)))
    desk.weather.append(Weather(status(429, retry_after="55"), when=lambda asked: "incremental" in asked.path))

    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
        assert len(first.ratings) == 2
        with pytest.raises(RateLimited):
            client.ratings(SINCE, UNTIL, first.cursor)
    with opened(desk) as client:
        last = client.ratings(SINCE, UNTIL, first.cursor)

    assert last.cursor == ""


def test_lists_may_know_pages_by_number_only(serve):
    desk = Zendesk(small_world())
    desk.is_numbered = True

    with opened(serve(desk)) as client:
        found = ratings(client)
        people = {person.id for person in client.people()}
        turns = len(client.transcript("1001"))

    assert sorted(r.conversation_id for r in found) == sorted(desk.world.talks)
    assert (people, turns) == ({"11", "12"}, 2)


def old_and_new():
    """Two tickets that were solved and rated before the window, one within."""
    world = World(small_world().people)
    world.add(talk(1, happy=1.0, at=OLD), talk(2, happy=1.0, at=OLD), talk(3, happy=1.0))
    return world


@pytest.mark.parametrize("kind", [Zendesk, ZendeskSurvey])
def test_a_rating_that_changed_on_an_old_ticket_is_found(serve, kind):
    world = old_and_new()
    world.add(world.talks["1001"].answered(happy=0.0, at=NOON))

    with opened(serve(kind(world))) as client:
        found = {r.conversation_id: r for r in ratings(client)}

    assert set(found) == {"1001", "1003"}
    changed = found["1001"]
    assert (scales.hundredths(changed.value, changed.scale), changed.rated_at, changed.person_id) == (0, NOON, "11")


@pytest.mark.parametrize("kind", [Zendesk, ZendeskSurvey])
def test_a_rating_that_was_withdrawn_from_an_old_ticket_is_told(serve, kind):
    world = old_and_new()
    world.add(replace(world.talks["1001"], answer=None, updated_at=NOON))

    with opened(serve(kind(world))) as client:
        read = pages(client)

    assert [one for page in read for one in page.withdrawn] == ["1001"]


def test_a_rating_that_is_listed_as_offered_again_is_withdrawn_unless_its_ticket_says_otherwise(serve):
    world = small_world(3)
    world.add(replace(world.talks["1001"], answer=None, updated_at=NOON - timedelta(days=20)))
    desk = serve(Zendesk(world))
    with opened(desk) as client:
        assert [one for page in pages(client) for one in page.withdrawn] == ["1001"]

    own = desk.ticket
    desk.ticket = lambda talk: own(talk) | {"satisfaction_rating": {"id": 900001, "score": "good"}}
    with opened(desk) as client:
        assert [one for page in pages(client) for one in page.withdrawn] == []


def test_an_offer_of_the_old_kind_takes_no_answer_to_the_survey_back(serve):
    world = small_world(2)
    desk, old = (
        ZendeskSurvey(world),
        Zendesk(World(world.people, {k: replace(t, answer=None) for k, t in world.talks.items()})),
    )
    own = desk.found
    desk.found = lambda asked: old.found(asked) if asked.path == "/api/v2/satisfaction_ratings" else own(asked)

    with opened(serve(desk)) as client:
        read = pages(client)
    old.server_close()

    assert sorted(one.conversation_id for page in read for one in page.ratings) == ["1000", "1001"]
    assert [one for page in read for one in page.withdrawn] == []


def test_of_a_ticket_that_says_nothing_of_ratings_nothing_is_concluded(serve):
    desk = Zendesk(old_and_new())
    own = desk.ticket
    desk.ticket = lambda talk: own(replace(talk, updated_at=NOON)) | {"satisfaction_rating": None}
    desk.touched = lambda: [replace(one, updated_at=NOON) for one in desk.world.talks.values()]

    with opened(serve(desk)) as client:
        read = pages(client)

    assert [one for page in read for one in page.withdrawn] == []


def test_a_rating_without_an_id_on_its_ticket_is_known_again(serve):
    world = old_and_new()
    world.add(world.talks["1001"].answered(happy=0.0, at=NOON))
    desk = Zendesk(world)
    own = desk.ticket
    desk.ticket = lambda talk: own(talk) | {"satisfaction_rating": {"score": "bad" if talk.id == "1001" else "good"}}

    with opened(serve(desk)) as client:
        found = {r.conversation_id: r for r in ratings(client)}

    assert (found["1001"].value, found["1001"].id, found["1001"].rated_at) == ("bad", "ticket-1001", NOON)
    assert found["1003"].id == world.talks["1003"].answer.id


def test_ratings_are_read_where_nobody_may_list_people(serve):
    desk = Zendesk(small_world())
    desk.missing = ("/api/v2/users",)

    with opened(serve(desk)) as client:
        assert list(client.people()) == []


def test_a_ticket_that_was_deleted_keeps_its_rating(serve):
    world = old_and_new()
    world.add(replace(world.talks["1001"], answer=None, updated_at=NOON))
    desk = serve(Zendesk(world))
    desk.deleted.add("1001")
    desk.unoffered.add("1001")

    with opened(desk) as client:
        assert [page.withdrawn for page in pages(client)] == [()]


def test_a_ticket_that_was_reassigned_keeps_whom_the_rating_names(serve):
    world = old_and_new()
    world.add(replace(world.talks["1001"], assignee="12", updated_at=NOON))

    with opened(serve(Zendesk(world))) as client:
        found = {r.conversation_id: r for r in ratings(client)}

    assert (found["1001"].person_id, found["1001"].conversation.assignee_id) == ("11", "12")
    assert found["1001"].rated_at == OLD


def test_a_rating_that_is_not_shown_by_itself_is_as_its_ticket_says(serve):
    world = old_and_new()
    world.add(world.talks["1001"].answered(happy=0.0, at=NOON))
    desk = serve(Zendesk(world))
    desk.hidden = ("/api/v2/satisfaction_ratings/",)

    with opened(desk) as client:
        found = {r.conversation_id: r for r in ratings(client)}["1001"]

    assert (found.value, found.rated_at, found.id, found.person_id) == (
        "bad",
        NOON,
        world.talks["1001"].answer.id,
        "11",
    )


def same_second(n):
    """Old ratings of which `n` changed in one second, and one a minute later."""
    world = World(small_world().people)
    world.add(*(talk(i, happy=1.0, at=OLD).answered(happy=0.0, at=NOON) for i in range(n)))
    world.add(talk(n, happy=1.0, at=OLD).answered(happy=0.0, at=NOON + timedelta(minutes=1)))
    return world


@pytest.mark.parametrize("n", [1, 2, 3, 4, 7])
def test_an_export_by_time_repeats_the_last_second_and_everything_is_found_once(serve, n):
    desk = Zendesk(same_second(n))
    desk.missing = ("/api/v2/incremental/tickets/cursor",)

    with opened(serve(desk)) as client:
        found = [rating.conversation_id for rating in ratings(client)]

    assert sorted(found) == sorted(desk.world.talks)


def test_an_export_by_time_that_stands_still_ends(serve):
    desk = Zendesk(same_second(2))
    desk.missing = ("/api/v2/incremental/tickets/cursor",)
    whole = desk.export_by_time
    desk.export_by_time = lambda query: whole({"start_time": 0}) | {"end_of_stream": False}

    with opened(serve(desk)) as client:
        assert len(ratings(client)) == 3


def test_an_export_that_stands_still_ends(serve):
    desk = Zendesk(same_second(2))
    whole = desk.export
    desk.export = lambda query: whole({"start_time": 0}) | {"end_of_stream": None, "after_cursor": "c1"}

    with opened(serve(desk)) as client:
        assert len(ratings(client)) == 3


def test_a_long_first_reading_leaves_the_export_out_and_a_short_one_costs_few_questions(serve):
    desk = serve(Zendesk(small_world(3)))
    with opened(desk) as client:
        ratings(client, NOON - timedelta(days=180), UNTIL)
    assert asked_for(desk) == ["guide/survey_responses", "satisfaction_ratings", "tickets/show_many"]

    desk.asked.clear()
    with opened(desk) as client:
        ratings(client)
    expected = ["guide/survey_responses", "satisfaction_ratings", "tickets/show_many", "incremental/tickets/cursor"]
    assert asked_for(desk) == expected


def test_a_rating_tells_of_its_ticket(serve):
    with opened(serve(Zendesk(small_world(1)))) as client:
        (rating,) = ratings(client)

    told = rating.conversation
    assert (told.channel, told.opened_at, told.closed_at) == ("email", NOON - timedelta(hours=1), NOON)


def test_tickets_are_asked_for_one_by_one_where_they_cannot_be_in_bulk(serve):
    world = small_world(4)
    alone = world.talks["1001"]
    world.add(replace(alone, answer=replace(alone.answer, person="")))
    desk = serve(Zendesk(world))
    desk.missing = ("/api/v2/tickets/show_many",)

    with opened(desk) as client:
        found = {r.conversation_id: r for r in ratings(client)}

    assert (found["1001"].person_id, found["1001"].credit) == ("12", "assignee")
    assert asked_for(desk).count("tickets/1001") == 1
    assert "tickets/1000" not in asked_for(desk)


def test_what_an_automation_said_and_what_is_internal_are_told_apart(serve):
    world = small_world(1)
    told = world.talks["1000"]
    world.add(replace(told, said=(*told.said, Said("system", "Solved by an automation.", NOON))))

    with opened(serve(Zendesk(world))) as client:
        transcript = client.transcript("1000")

    assert [(turn.role, turn.name) for turn in transcript] == [
        ("customer", "Customer"),
        ("agent", "Ada"),
        ("system", ""),
    ]


# --- The engine over it ------------------------------------------------------------------------------------------------


def recent(connection):
    """What is owed every few minutes, due now."""
    HelpdeskSync.objects.filter(connection=connection, kind="recent").update(
        next_try_at=timezone.now(), read_until=timezone.now() - timedelta(minutes=5)
    )
    return read(connection, "recent")


@pytest.mark.django_db
@pytest.mark.parametrize("kind", [Zendesk, ZendeskSurvey])
def test_what_changed_on_old_tickets_is_stored_once_and_what_was_withdrawn_counts_no_more(serve, owner, settings, kind):
    now = timezone.now().replace(microsecond=0)
    world = World(small_world().people)
    world.add(*(talk(i, happy=1.0, at=now - timedelta(days=60, minutes=i)) for i in range(8)))
    desk = serve(kind(world))
    connection = connected(desk, owner, settings, backfill_days=90)
    first = read(connection)
    assert (first.next_try_at, first.last_error, first.n_new) == (None, "", 8)

    at = now - timedelta(minutes=10)
    world.add(world.talks["1001"].answered(happy=0.0, at=at))
    world.add(replace(world.talks["1002"], answer=None, updated_at=at))
    world.add(replace(world.talks["1003"], updated_at=at))
    for _ in range(2):
        sync = recent(connection)
        assert sync.last_error == ""
        assert Rating.objects.count() == 9
        counting = Rating.objects.counting().select_related("conversation")
        scores = {one.conversation.external_id: one.score_hundredths for one in counting}
        assert scores == {f"100{i}": 0 if i == 1 else 10_000 for i in range(8) if i != 2}


@pytest.mark.django_db
def test_an_account_that_moved_to_the_survey_is_read_over_both(serve, owner, settings):
    world = small_world(4)
    desk = Zendesk(world)
    survey = ZendeskSurvey(World(world.people, {key: world.talks[key] for key in ("1002", "1003")}))
    old = World(world.people, {key: world.talks[key] for key in ("1000", "1001")})
    own = desk.found

    def found(asked):
        if "survey_responses" in asked.path:
            return survey.found(asked)
        if asked.path == "/api/v2/satisfaction_ratings":
            return Zendesk.listed(desk, asked, "satisfaction_ratings", [desk.rating(one) for one in old.answered()])
        return own(asked)

    desk.found = found
    connection = connected(serve(desk), owner, settings, backfill_days=3650)

    read(connection)

    scales_of = dict(Rating.objects.values_list("conversation__external_id", "scale"))
    assert scales_of == {"1000": "binary", "1001": "binary", "1002": "stars5", "1003": "stars5"}
    assert Conversation.objects.filter(channel="email", opened_at__isnull=False).count() == 4
    survey.server_close()


def test_the_body_of_the_trigger_that_the_set_up_tells_is_understood():
    step = next(step for step in VENDOR.set_up if "ticket_id" in step)
    body = json.loads(step[step.index('{"event"') :].rstrip("."))

    hint = events.hint(body | {"id": "208-2026-03-01T09:30:00Z", "ticket_id": "208"}, CALL)

    assert (set(body), hint.conversation_id) == ({"event", "id", "ticket_id"}, "208")
