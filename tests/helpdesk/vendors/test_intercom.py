"""Intercom: what it sends is read, and its two searches find what was answered, changed and taken back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from helpdesk import deeplinks, scales
from helpdesk.models import ConnectionTest, Conversation, DeepLink, HelpdeskAgent, HelpdeskSync, Rating
from helpdesk.sync import connection_tests
from helpdesk.vendors.contract import Forged, Hint, Malformed
from helpdesk.vendors.errors import CredentialsRefused, Garbled
from helpdesk.vendors.intercom import events
from helpdesk.vendors.intercom.client import VERSION
from tests.desks.intercom import Intercom, notification, signed
from tests.desks.server import Weather, status
from tests.desks.world import NOON, Said, World, small_world, talk
from tests.helpdesk.connected import connected, read
from tests.helpdesk.vendors.opened import SINCE, UNTIL, opened, pages, ratings
from tests.helpdesk.vendors.payloads import payload

ASKED_AT, RATED_AT = datetime(2026, 3, 1, 9, tzinfo=UTC), datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
OLD = NOON - timedelta(days=40)


# --- Payloads ----------------------------------------------------------------------------------------------------------


def a_rating(**changes):
    return {
        "rating": 2,
        "remark": "Too slow!",
        "created_at": int(ASKED_AT.timestamp()),
        "updated_at": int(RATED_AT.timestamp()),
        "contact": {"type": "contact", "id": "5ba682d23d7cf92bef87bfd4"},
        "teammate": {"type": "admin", "id": "274"},
    } | changes


def a_conversation(rating=None, **changes):
    return {
        "type": "conversation",
        "id": "503",
        "created_at": int((ASKED_AT - timedelta(hours=2)).timestamp()),
        "updated_at": int(RATED_AT.timestamp()),
        "source": {
            "type": "whatsapp",
            "body": "Where is it?",
            "author": {"type": "user", "id": "1", "name": "Customer"},
        },
        "admin_assignee_id": 991267715,
        "open": False,
        "state": "closed",
        "statistics": {"last_close_at": int(ASKED_AT.timestamp())},
        "conversation_rating": rating,
        "ai_agent": None,
        "ai_agent_participated": False,
    } | changes


def test_a_rating_is_of_the_teammate_it_names_and_of_when_it_was_given():
    found = events.rating(a_conversation(a_rating()))

    assert (found.conversation_id, found.value, found.scale, found.person_id) == ("503", "2", "stars5", "274")
    assert (found.rated_at, found.credit, found.id) == (RATED_AT, "rated", f"503-{int(ASKED_AT.timestamp())}")
    told = found.conversation
    assert (told.opened_at, told.closed_at, told.channel) == (ASKED_AT - timedelta(hours=2), ASKED_AT, "whatsapp")
    assert (told.is_open, told.assignee_id) == (False, "991267715")


@pytest.mark.parametrize(
    ("conversation", "known"),
    [
        (a_conversation(a_rating(rating="2"), id=503), {}),
        (a_conversation(a_rating(teammate={"type": "contact", "id": 274})), {}),
        (a_conversation(a_rating(updated_at="2026-03-01T09:30:00Z")), {}),
        (a_conversation(a_rating(remark=None, contact=None, unheard_of=[1])), {}),
        (a_conversation(a_rating(updated_at=None, replied_at=int(RATED_AT.timestamp()))), {}),
        (a_conversation(a_rating(updated_at=None)), {"rated_at": ASKED_AT}),
        (a_conversation(a_rating(created_at=None)), {"id": ""}),
        (a_conversation(a_rating(created_at=None, updated_at=None)), {"id": ""}),
    ],
)
def test_a_rating_is_read_however_it_is_spelt(conversation, known):
    assert events.rating(conversation) == replace(events.rating(a_conversation(a_rating())), **known)


@pytest.mark.parametrize("rating", [None, {}, a_rating(rating=None), [], "good"])
def test_a_conversation_without_an_answer_has_no_rating(rating):
    assert events.rating(a_conversation(rating)) is None


@pytest.mark.parametrize(
    "conversation",
    [a_conversation(a_rating(rating=given)) for given in (0, 6, True, "great", 2.5, [5])]
    + [
        a_conversation(a_rating(), id=None),
        a_conversation(a_rating(updated_at="soon")),
        a_conversation(a_rating(), id=True),
    ],
)
def test_a_rating_that_cannot_be_read_is_malformed(conversation):
    with pytest.raises(Malformed):
        events.rating(conversation)


@pytest.mark.parametrize(
    ("rating", "changes", "credited"),
    [
        ({"teammate": None}, {}, ("991267715", "assignee")),
        ({"teammate": {"type": None, "id": None}}, {"admin_assignee_id": "12"}, ("12", "assignee")),
        ({"teammate": {"type": "bot", "id": "278"}}, {}, ("fin", "rated")),
        ({"teammate": None}, {"admin_assignee_id": None, "ai_agent_participated": True}, ("fin", "rated")),
        ({"teammate": None}, {"ai_agent_participated": True}, ("991267715", "assignee")),
        ({"teammate": None}, {"admin_assignee_id": None}, ("", "assignee")),
        ({"teammate": None}, {"admin_assignee_id": 0, "team_assignee_id": 5}, ("", "assignee")),
        ({}, {"ai_agent_participated": True, "ai_agent": {"rating": None}}, ("274", "rated")),
    ],
)
def test_who_is_credited(rating, changes, credited):
    found = events.rating(a_conversation(a_rating(**rating), **changes))

    assert (found.person_id, found.credit) == credited


def test_what_fin_alone_was_rated_is_fin_s():
    by_fin = {
        "rating": 5,
        "rating_remark": "Nice.",
        "created_at": ASKED_AT.timestamp(),
        "updated_at": RATED_AT.timestamp(),
    }
    found = events.rating(a_conversation(None, ai_agent=by_fin, ai_agent_participated=True))
    both = events.rating(a_conversation(a_rating(), ai_agent=by_fin, ai_agent_participated=True))

    assert (found.value, found.person_id, found.credit, found.rated_at) == ("5", "fin", "rated", RATED_AT)
    assert (both.value, both.person_id) == ("2", "274")


def test_a_rating_that_was_given_again_is_the_same_and_one_asked_for_anew_is_not():
    first, changed = (events.rating(a_conversation(a_rating(rating=n, updated_at=1_772_400_000 + n))) for n in (2, 5))
    anew = events.rating(a_conversation(a_rating(created_at=1_772_500_000)))

    assert (first.id, first.id) == (changed.id, first.id)
    assert anew.id != first.id


def test_a_real_rating_is_read():
    found = events.rating(a_conversation(payload("intercom", "conversation_rating.example")))

    assert (found.value, found.person_id, found.credit) == ("5", "1a2b3c", "rated")
    assert found.rated_at == datetime.fromtimestamp(1671028894, UTC)


@pytest.mark.parametrize(
    "name",
    [
        "searchConversations.200.successful",
        "listConversations.200.successful",
        "retrieveConversation.200.conversation-found",
    ],
)
def test_real_conversations_are_read(name):
    body = payload("intercom", name)["body"]

    for item in body.get("conversations", [body]):
        told = events.conversation(item)
        assert (told.id.isdecimal(), told.opened_at.year, told.channel) == (True, 2024, "conversation")
        assert events.rating(item) is None


def test_a_real_search_has_an_end_and_a_count():
    body = payload("intercom", "searchConversations.200.successful")["body"]

    assert (events.following(body), events.total(body)) == ("", 1)


def test_a_real_conversation_is_two_turns():
    turns = events.turns(payload("intercom", "retrieveConversation.200.conversation-found")["body"])

    assert [(turn.role, turn.text, turn.name) for turn in turns] == [
        ("agent", "this is the message body", "Ciaran176 Lee"),
        ("agent", "Okay!", "Operator"),
    ]


@pytest.mark.parametrize(
    ("name", "n"),
    [
        ("admin-reply-with-a-note", 1),
        ("user-reply", 2),
        ("admin-reply-to-send-quick-reply-options", 1),
    ],  # without words
)
def test_real_replies_are_turns_and_notes_are_not(name, n):
    body = payload("intercom", f"replyConversation.200.{name}")["body"]
    parts = body["conversation_parts"]["conversation_parts"] if "conversation_parts" in body else [body]
    conversation = a_conversation(conversation_parts={"conversation_parts": parts})

    assert len(events.turns(conversation)) == n


def test_real_teammates_are_read():
    (found,) = map(events.person, payload("intercom", "listAdmins.200.successful-response")["body"]["admins"])

    assert (found.id, found.name, found.email, found.is_bot) == ("991267466", "Ciaran7 Lee", "admin7@email.com", False)


def test_operator_is_a_bot():
    assert events.person({"id": 274, "name": "Operator", "email": "operator+abcd1234@intercom.io"}).is_bot


def a_part(number, text, kind="comment", author="admin", **changes):
    at = int((ASKED_AT + timedelta(minutes=number)).timestamp())
    told = {"type": "conversation_part", "id": str(number), "part_type": kind, "body": text, "created_at": at}
    return told | {"author": {"type": author, "id": f"a{number}", "name": "Ada"}, "redacted": False} | changes


def with_parts(*parts, **told):
    return a_conversation(conversation_parts={"conversation_parts": list(parts)} | told)


def test_turns_are_what_the_customer_and_we_said_oldest_first():
    told = with_parts(
        a_part(3, "Bye.", "close"),
        a_part(1, "Hello.", author="bot"),
        a_part(2, "I am still waiting.", author="lead"),
        a_part(4, "Internal.", "note"),
        a_part(5, "Internal.", "note_and_reopen"),
        a_part(6, "Internal?", "something_new"),
        a_part(7, "Too slow!", "conversation_rating_remark_added", author="user"),
        a_part(8, None, "close"),
        a_part(9, None, redacted=True, author="user"),
        a_part(10, "Sent by a rule.", author="rule"),
    )

    assert [(turn.role, turn.text) for turn in events.turns(told)] == [
        ("customer", "Where is it?"),
        ("agent", "Hello."),
        ("customer", "I am still waiting."),
        ("agent", "Bye."),
        ("customer", "[redacted]"),
        ("system", "Sent by a rule."),
    ]


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("One.\n\nTwo < three & <four>.", "One.\n\nTwo < three & <four>."),
        ("<p>One.</p><p>Two &lt; three.</p>", "One.\nTwo < three."),
    ],
)
def test_words_are_plain_whether_asked_for_or_not(body, text):
    assert events.turns(with_parts(a_part(1, body)))[1].text == text


def test_parts_that_intercom_leaves_out_are_told_of():
    turns = events.turns(with_parts(*(a_part(i, f"Part {i}") for i in range(500)), total_count=620))

    assert len(turns) == 502
    assert (turns[1].role, turns[1].text) == ("system", "[Intercom gives the newest 500 parts; 120 are older.]")


@pytest.mark.parametrize(
    ("parts", "replier"),
    [
        ([a_part(1, "A."), a_part(2, "B."), a_part(3, "C.", author="user")], "a2"),
        ([a_part(1, "A."), a_part(2, "B.", author="bot")], "a1"),
        ([a_part(1, "A.", author="bot")], "fin"),
        ([a_part(1, "A.", "note"), a_part(2, None, "close")], ""),
        ([], ""),
    ],
)
def test_a_teammate_who_replied_comes_before_a_bot(parts, replier):
    assert events.last_replier(with_parts(*parts)) == replier


@pytest.mark.parametrize(
    ("pages", "after"),
    [
        ({"next": {"per_page": 5, "starting_after": "WzE3MzQ1Mzc1NDYwMDAsNTE1XQ=="}}, "WzE3MzQ1Mzc1NDYwMDAsNTE1XQ=="),
        ({"next": "https://api.intercom.io/conversations?per_page=5&starting_after=abc"}, "abc"),
        ({"next": {"page": 2, "starting_after": 7}}, "7"),
        ({"next": None}, ""),
        ({"next": {"starting_after": None}}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_where_a_search_goes_on(pages, after):
    assert events.following({"pages": pages}) == after


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON.timestamp()) + 7)}, timedelta(seconds=7)),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOON.timestamp()) - 7)}, timedelta(0)),
        ({"x-ratelimit-remaining": "1", "x-ratelimit-reset": str(int(NOON.timestamp()) + 7)}, None),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": "soon"}, None),
        ({}, None),
    ],
)
def test_calls_pause_once_those_of_ten_seconds_are_spent(headers, pause):
    assert events.rest(headers, NOON) == pause


# --- Webhooks ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "topic", ["conversation.rating.added", "conversation.admin.closed", "conversation.rating.updated"]
)
def test_a_notification_names_its_conversation(topic):
    hint = events.hint(notification(topic, {"type": "conversation", "id": "503"}, NOON), {})

    assert hint == Hint("notif_503_1772452800", topic, "503")


def test_a_part_names_the_conversation_it_belongs_to():
    item = {"type": "conversation_part", "id": "9", "conversation_id": 503}

    assert events.hint(notification("conversation.rating.added", item, NOON), {}).conversation_id == "503"


def test_a_ping_and_other_topics_are_of_no_interest():
    ping = notification("ping", {"type": "ping", "message": "something something interzen"}, NOON, id=None)
    reply = notification("conversation.user.replied", {"type": "conversation", "id": "503"}, NOON)
    user = notification("contact.created", {"type": "contact", "id": "1"}, NOON)

    hints = [events.hint(one, {}) for one in (ping, reply, user)]

    assert [(hint.conversation_id, hint.is_known) for hint in hints] == [("", True), ("", True), ("", False)]
    assert hints[0].event_id == "ping--1772452800"


@pytest.mark.parametrize(
    "body",
    [
        notification("conversation.rating.added", {"type": "conversation"}, NOON),
        notification("conversation.rating.added", {"id": "503"}, NOON, id=None, created_at=None),
        notification("conversation.rating.added", {}, NOON, data=None),
        notification("", {"id": "503"}, NOON),
    ],
)
def test_a_notification_without_what_it_is_about_is_malformed(body):
    with pytest.raises(Malformed):
        events.hint(body, {})


def test_the_signature_is_over_the_body_and_of_no_time():
    body, headers = signed(notification("ping", {}, NOON), "the client secret")

    for now in (NOON, NOON + timedelta(days=400)):
        events.verify(body, headers, "the client secret", now)
    for wrong in ({}, {"x-hub-signature": headers["x-hub-signature"].removeprefix("sha1=")}):
        with pytest.raises(Forged):
            events.verify(body, wrong, "the client secret", NOON)


# --- The account -------------------------------------------------------------------------------------------------------


def searches(desk):
    """(field, whether it goes on) of each search that was made."""
    bodies = [asked.body for asked in desk.asked if asked.path == "/conversations/search"]
    found = []
    for body in bodies:
        first = body["query"]["value"][0] if body["query"]["operator"] == "AND" else body["query"]
        found.append((first["field"], "starting_after" in body["pagination"]))
    return found


def test_every_call_says_its_version(serve):
    desk = serve(Intercom(small_world()))

    with opened(desk) as client:
        ratings(client)
        list(client.people())

    assert {asked.headers["intercom-version"] for asked in desk.asked} == {VERSION}


def test_a_long_first_reading_searches_by_replies_only_and_knows_how_many_there_are(serve):
    desk = serve(Intercom(small_world(7)))

    with opened(desk) as client:
        read = pages(client, NOON - timedelta(days=180), UNTIL)

    assert [len(page.ratings) for page in read] == [3, 3, 1]
    assert {page.total for page in read} == {7}
    assert searches(desk) == [("conversation_rating.replied_at", going_on) for going_on in (False, True, True)]


def test_a_run_that_finds_little_costs_two_searches(serve):
    desk = serve(Intercom(small_world(2)))

    with opened(desk) as client:
        (page,) = pages(client)

    assert len(page.ratings) == 2
    assert searches(desk) == [("conversation_rating.replied_at", False), ("updated_at", False)]


def test_what_was_answered_at_the_very_bounds_is_found(serve):
    with opened(serve(Intercom(small_world(4)))) as client:
        found = ratings(client, NOON, NOON + timedelta(minutes=2))

    assert [rating.conversation_id for rating in found] == ["1000", "1001", "1002"]


def test_a_rating_that_was_changed_or_withdrawn_later_is_found_by_the_change(serve):
    world = World(small_world().people)
    world.add(*(talk(i, happy=1.0, at=OLD) for i in range(3)))
    desk = Intercom(world)
    own = desk.fields
    desk.fields = lambda talk: own(talk) | {"conversation_rating.replied_at": talk.answer and int(OLD.timestamp())}
    world.add(
        world.talks["1000"].answered(happy=0.0, at=NOON), replace(world.talks["1001"], answer=None, updated_at=NOON)
    )

    with opened(serve(desk)) as client:
        read = pages(client)

    (found,) = [one for page in read for one in page.ratings]
    assert (found.conversation_id, found.value, found.rated_at) == ("1000", "1", NOON)
    assert [one for page in read for one in page.withdrawn] == ["1001"]


def test_a_conversation_that_changes_while_pages_are_turned_is_not_passed_over(serve):
    desk = serve(Intercom(small_world(7)))

    with opened(desk) as client:
        first = client.ratings(NOON - timedelta(days=100), UNTIL, "")
        desk.world.add(replace(desk.world.talks["1006"], updated_at=NOON + timedelta(hours=2)))
        desk.world.add(replace(desk.world.talks["1003"], updated_at=NOON + timedelta(hours=3)))
        found, cursor = list(first.ratings), first.cursor
        while cursor:
            page = client.ratings(NOON - timedelta(days=100), UNTIL, cursor)
            found, cursor = [*found, *page.ratings], page.cursor

    assert sorted(rating.conversation_id for rating in found) == sorted(desk.world.talks)


def test_what_cannot_be_read_is_named_once_and_counts_as_no_withdrawal(serve):
    desk = Intercom(small_world(3))
    own = desk.rating
    desk.rating = lambda talk, bots: own(talk, bots) | ({"rating": 9} if talk.id == "1001" else {})

    with opened(serve(desk)) as client:
        (page,) = pages(client)

    assert [(one.id, one.detail) for one in page.unreadable] == [("1001", "The rating is not a number from 1 to 5.")]
    assert (len(page.ratings), page.withdrawn) == (2, ())


def test_a_search_that_fails_later_hands_on_what_was_read(serve):
    desk = serve(Intercom(small_world(2)))

    def by_change(asked):
        return asked.path.endswith("search") and asked.body["query"]["value"][0]["field"] == "updated_at"

    desk.weather.append(Weather(status(401), when=by_change))
    with opened(desk) as client:
        first = client.ratings(SINCE, UNTIL, "")
        desk.weather.append(Weather(status(401), when=by_change))
        with pytest.raises(CredentialsRefused):
            client.ratings(SINCE, UNTIL, first.cursor)
        assert client.ratings(SINCE, UNTIL, first.cursor).cursor == ""

    assert len(first.ratings) == 2


def test_a_rating_that_names_nobody_is_the_assignee_s(serve):
    desk = Intercom(small_world(3))
    desk.untold = {"1001"}

    with opened(serve(desk)) as client:
        found = {r.conversation_id: (r.person_id, r.credit) for r in ratings(client)}

    assert found == {"1000": ("11", "rated"), "1001": ("12", "assignee"), "1002": ("fin", "rated")}


def test_fin_is_listed_only_where_it_took_part(serve):
    world = World(small_world().people)
    world.add(talk(1))
    desk = serve(Intercom(world))

    with opened(desk) as client:
        assert [person.id for person in client.people()] == ["11", "12"]
        world.add(talk(2, person="13"))
        assert [person.id for person in client.people()] == ["11", "12", "fin"]


@pytest.mark.parametrize(
    ("hidden", "name", "words"),
    [("/admins", "Teammates", "Read admins"), ("/conversations", "Conversations", "Read conversations")],
)
def test_a_check_names_the_permission_that_is_missing(serve, hidden, name, words):
    desk = Intercom(small_world())
    desk.hidden = (hidden,)

    with opened(serve(desk)) as client:
        check = list(client.checks())[-1]

    assert (check.name, check.is_ok) == (name, False)
    assert words in check.sentence


def test_another_conversation_than_the_one_asked_for_is_refused(serve):
    desk = Intercom(small_world())
    own = desk.conversation
    desk.conversation = lambda talk, **how: own(talk, **how) | {"id": "9"}

    with opened(serve(desk)) as client, pytest.raises(Garbled):
        client.found("1001")


def test_a_long_conversation_is_read_to_what_intercom_gives(serve):
    world = small_world(1)
    said = [Said("customer", f"Question {i}", NOON + timedelta(seconds=i)) for i in range(700)]
    world.add(replace(world.talks["1000"], said=tuple(said)))

    with opened(serve(Intercom(world))) as client:
        turns = list(client.transcript("1000"))

    assert (len(turns), turns[0].text, turns[2].text, turns[-1].text) == (
        502,
        "Question 0",
        "Question 200",
        "Question 699",
    )


# --- The engine over it ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_changed_is_stored_once_and_what_was_withdrawn_counts_no_more(serve, owner, settings):
    now = timezone.now().replace(microsecond=0)
    world = World(small_world().people)
    world.add(*(talk(i, person=f"1{1 + i % 3}", happy=1.0, at=now - timedelta(days=60, minutes=i)) for i in range(8)))
    desk = serve(Intercom(world))
    connection = connected(desk, owner, settings, backfill_days=90)
    first = read(connection)
    assert (first.next_try_at, first.last_error, first.n_read, first.n_new, first.total) == (None, "", 8, 8, 8)
    assert HelpdeskAgent.objects.get(external_id="fin").is_bot

    at = now - timedelta(minutes=10)
    world.add(world.talks["1001"].answered(happy=0.0, at=at))
    world.add(replace(world.talks["1002"], answer=None, updated_at=at))
    world.add(replace(world.talks["1003"], updated_at=at))
    for _ in range(2):
        HelpdeskSync.objects.filter(connection=connection, kind="recent").update(
            next_try_at=timezone.now(), read_until=at
        )
        sync = read(connection, "recent")
        assert sync.last_error == ""
        assert Rating.objects.count() == 9
        counting = Rating.objects.counting().select_related("conversation")
        scores = {one.conversation.external_id: one.score_hundredths for one in counting}
        assert scores == {f"100{i}": 0 if i == 1 else 10_000 for i in range(8) if i != 2}


@pytest.mark.django_db
def test_a_remark_that_is_added_later_makes_no_second_rating(serve, owner, settings):
    now = timezone.now().replace(microsecond=0)
    world = World(small_world().people)
    world.add(talk(1, happy=1.0, at=now - timedelta(days=3)))
    connection = connected(serve(Intercom(world)), owner, settings, backfill_days=90)
    read(connection)

    world.add(world.talks["1001"].answered(at=now - timedelta(minutes=5)))
    HelpdeskSync.objects.filter(connection=connection, kind="recent").update(next_try_at=now)
    read(connection, "recent")

    (rating,) = Rating.objects.all()
    assert scales.hundredths(rating.value, rating.scale) == 10_000
    assert rating.rated_at == now - timedelta(days=3)


# --- Deep link ---------------------------------------------------------------------------------------------------------


def opens_at(connection):
    return deeplinks.conversation_url(
        Conversation(workspace=connection.workspace, source=connection.source, external_id="1001")
    )


def tried(connection):
    return connection_tests.run(ConnectionTest.objects.unfinished().get(connection=connection).pk)


@pytest.mark.django_db(transaction=True)
def test_connection_that_works_learns_from_intercom_where_conversations_are_opened(serve, owner, settings):
    connection = connected(serve(Intercom(small_world())), owner, settings)
    assert opens_at(connection) == ""

    assert all(check["state"] == "ok" for check in tried(connection).checks)

    assert opens_at(connection) == Intercom.linked[1]
    assert DeepLink.objects.get().history.get().history_user == owner.user


@pytest.mark.django_db(transaction=True)
def test_pattern_that_somebody_has_set_stays(serve, owner, settings):
    desk = serve(Intercom(small_world()))
    settings.OUTBOUND_ALLOW = [desk.place]
    deeplinks.save(owner.workspace, source="intercom", conversation_pattern="https://ours.example/{id}", by=owner)

    tried(connected(desk, owner, settings))

    assert DeepLink.objects.get().conversation_pattern == "https://ours.example/{id}"


@pytest.mark.django_db(transaction=True)
def test_failed_test_learns_nothing(serve, owner, settings):
    desk = serve(Intercom(small_world()))
    desk.hidden = ("/admins",)

    tried(connected(desk, owner, settings))

    assert not DeepLink.objects.exists()
