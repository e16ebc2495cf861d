"""Every vendor is asked the same over a small world, in good weather and in bad.

A desk joins by its line in tests.desks.DESKS; what it has to have stands at tests.desks.server.Desk.
"""

import json
import traceback
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from helpdesk import deeplinks, scales
from helpdesk.models import HelpdeskSync, Rating
from helpdesk.vendors import registry
from helpdesk.vendors.contract import Forged, Hint, Malformed
from helpdesk.vendors.errors import CredentialsRefused, NotCalled, NotFound, RateLimited, VendorError
from tests.desks import DESKS
from tests.desks.server import Answer, Weather, half_a_page, hang_up, redirect, serving, status, web_page
from tests.desks.world import NOON, Said, World, small_world, talk
from tests.helpdesk.connected import connected, read
from tests.helpdesk.vendors.opened import Endless, opened, pages, ratings

ALWAYS = 1_000
WORDS = "zanzibar"  # what customers write and no object or error may repeat
NOW = datetime(2026, 3, 2, 13, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("vendor", DESKS)


@pytest.fixture
def play(settings, vendor):
    """Let the vendor's desk play a world for the rest of the test."""
    served = []

    def play(world: World | None = None, *, kind=None):
        serve = serving((kind or DESKS[vendor])(world or small_world()))
        desk = serve.__enter__()
        served.append(serve)
        settings.OUTBOUND_ALLOW = [*settings.OUTBOUND_ALLOW, desk.place]
        return desk

    yield play
    for serve in served:
        serve.__exit__(None, None, None)


CALLS = {
    "people": lambda client: list(client.people()),
    "ratings": pages,
    "found": lambda client: client.found("1001", "900001"),
    "transcript": lambda client: client.transcript("1001"),
    "last_reply": lambda client: client.last_reply("1001"),
    "checks": lambda client: list(client.checks()),
}
PASSING = {"500": status(500), "503": status(503), "hung up": hang_up, "half": half_a_page, "web page": web_page}
BOTTOMLESS = {"content-type": "application/json"}
PASSING["bottomless"] = lambda handler: handler.send_raw(200, b"[" * 200_000, BOTTOMLESS)
STAYING = PASSING | {"400": status(400), "422": status(422)}


# --- Good weather ------------------------------------------------------------------------------------------------------


def test_everybody_who_answers_is_listed_with_name_email_and_whether_it_is_a_bot(play):
    desk = play()

    with opened(desk) as client:
        people = {(p.id, p.name, p.email, p.is_bot) for p in client.people() if p.is_active}

    assert people == {
        (desk.person_id(p), p.name, p.email, p.is_bot) for p in desk.world.people if desk.tells_bots or not p.is_bot
    }


def test_all_ratings_are_read_once_over_several_pages(play):
    desk = play()

    with opened(desk) as client:
        read = pages(client)
    found = [rating for page in read for rating in page.ratings]

    assert len([page for page in read if page.ratings]) > 1
    assert [page.unreadable for page in read] == [()] * len(read)
    assert sorted(rating.conversation_id for rating in found) == sorted(desk.world.talks)
    for rating in found:
        told = desk.world.talks[rating.conversation_id]
        assert scales.hundredths(rating.value, rating.scale) == told.answer.happy * 10_000
        assert rating.rated_at == told.answer.at
        person, credit = desk.credited(told)
        assert (rating.person_id, rating.credit if person else credit) == (person, credit)


def test_a_rating_s_id_is_its_own_and_the_same_each_time(play):
    desk = play()

    with opened(desk) as client:
        first, again = ({r.conversation_id: r.id for r in ratings(client)} for _ in range(2))

    assert first == again
    told = [one for one in first.values() if one]
    assert len(set(told)) == len(told)


def test_only_what_was_answered_between_the_bounds_is_listed(play):
    desk = play()
    since, until = NOON + timedelta(minutes=1, seconds=30), NOON + timedelta(minutes=4, seconds=30)

    with opened(desk) as client:
        found = {rating.conversation_id for rating in ratings(client, since, until)}

    assert found == {"1002", "1003", "1004"}


def test_nothing_rated_is_an_empty_page(play):
    with opened(play(World(small_world().people))) as client:
        read = pages(client)

    assert [(page.ratings, page.cursor) for page in read] == [((), "")]


def test_a_rating_that_was_changed_is_the_same_with_another_value(play):
    desk = play()
    with opened(desk) as client:
        before = {r.conversation_id: r for r in ratings(client)}["1001"]
        desk.world.add(desk.world.talks["1001"].answered(happy=0.0, at=NOON + timedelta(hours=1)))

        found = client.found("1001", before.id).rating
        listed = {r.conversation_id: r for r in ratings(client)}["1001"]

    assert before.id == found.id
    assert listed == replace(found, conversation=listed.conversation)
    assert (scales.hundredths(before.value, before.scale), scales.hundredths(found.value, found.scale)) == (10_000, 0)


def test_a_rating_that_was_withdrawn_is_not_listed_and_not_found(play):
    desk = play()
    with opened(desk) as client:
        before = {r.conversation_id: r for r in ratings(client)}["1001"]
        gone = replace(desk.world.talks["1001"], answer=None, updated_at=NOON + timedelta(hours=1))
        desk.world.add(gone)

        found = client.found("1001", before.id)
        listed = {r.conversation_id for r in ratings(client)}

    assert (found.conversation.id, found.rating) == ("1001", None)
    assert listed == set(desk.world.talks) - {"1001"}


def test_a_rated_conversation_is_found_as_it_is_listed(play):
    desk = play()

    with opened(desk) as client:
        listed = {r.conversation_id: r for r in ratings(client)}
        for id in desk.world.talks:
            found = client.found(id, listed[id].id).rating
            person, _ = desk.credited(desk.world.talks[id])
            if person:
                assert found == replace(listed[id], conversation=found.conversation)
            assert (found.id, found.value, found.rated_at) == (listed[id].id, listed[id].value, listed[id].rated_at)
            assert client.found(id).rating == found


def test_what_is_not_there_is_not_found(play):
    with opened(play()) as client:
        for look in (lambda: client.found("77777"), lambda: client.transcript("77777")):
            with pytest.raises(NotFound):
                look()


def test_transcript_has_the_turns_oldest_first_without_internal_notes(play):
    world = small_world()
    at = NOON - timedelta(minutes=55)
    said = [
        Said("customer", f"Question {i}", at + timedelta(seconds=2 * i)) for i in range(30)
    ] + [Said("agent", f"Reply {i}", at + timedelta(seconds=2 * i + 1), "12") for i in range(30)]  # fmt: skip
    notes = tuple(s for s in world.talks["1001"].said if s.role == "note")
    world.add(replace(world.talks["1001"], said=notes + tuple(sorted(said, key=lambda s: s.at))))

    with opened(play(world)) as client:
        turns = list(client.transcript("1001"))

    assert [turn.text for turn in turns] == [f"{kind} {i}" for i in range(30) for kind in ("Question", "Reply")]
    assert [turn.role for turn in turns] == ["customer", "agent"] * 30
    moments = [turn.at for turn in turns]
    assert None not in moments
    assert moments == sorted(moments)


def test_who_answered_last_is_told(play):
    world = small_world()
    told = world.talks["1001"]
    later = Said("agent", "Anything else?", told.said[-1].at + timedelta(minutes=1), "11")
    world.add(replace(told, said=(*told.said, later, Said("customer", "No.", later.at + timedelta(minutes=1)))))
    world.add(replace(world.talks["1002"], said=world.talks["1002"].said[:1]))
    desk = play(world)

    with opened(desk) as client:
        replied = [client.last_reply(id) for id in ("1001", "1002")]

    assert replied == ["11", ""]


def test_a_conversation_with_nobody_assigned_is_read_all_the_same(play):
    world = small_world(0)
    alone = talk(1)
    world.add(replace(alone, assignee="", answer=replace(alone.answer, person="")))

    with opened(play(world)) as client:
        (rating,) = ratings(client)

    assert (rating.conversation_id, rating.person_id) == ("1001", "")


def test_every_check_is_passed_with_the_right_credentials(play):
    with opened(play()) as client:
        checks = list(client.checks())

    assert checks
    assert all(check.is_ok for check in checks), checks
    assert all(check.sentence.endswith(".") and check.name for check in checks)


def test_the_default_deep_link_opens_the_conversation(play, vendor):
    desk = play()
    known = registry.VENDORS[vendor]
    with opened(desk) as client:
        told = {field.name: desk.credentials[field.name] for field in known.fields if not field.is_secret}
        pattern, values = known.link(desk.linked[0], told | client.deep_link_keys())

    deeplinks.check(pattern, needs=deeplinks.ID)
    assert deeplinks.render(pattern, values | {"id": "1001"}) == desk.linked[1]


@pytest.mark.django_db(transaction=True)
def test_a_first_reading_keeps_every_rating_and_a_second_adds_none(play, owner, settings):
    desk = play()
    connection = connected(desk, owner, settings, backfill_days=3650)

    first = read(connection)
    HelpdeskSync.objects.filter(pk=first.pk).update(next_try_at=first.finished_at)
    again = read(connection)

    assert (first.next_try_at, first.last_error, first.n_read, first.n_new, first.n_refused) == (None, "", 7, 7, 0)
    assert (again.next_try_at, again.last_error, again.n_read, again.n_new) == (None, "", 7, 0)
    told = Rating.objects.counting().values_list(
        "conversation__external_id", "score_hundredths", "helpdesk_agent__external_id"
    )
    people = {person.id: desk.person_id(person) for person in desk.world.people}
    assert set(told) == {(t.id, t.answer.happy * 10_000, people[t.answer.person]) for t in desk.world.talks.values()}
    assert Rating.objects.count() == 7


# --- Bad weather -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("call", CALLS)
def test_wrong_credentials_are_refused(play, vendor, call):
    desk = play()
    wrong = {field.name: "wrong" for field in registry.VENDORS[vendor].fields if field.is_secret}

    with opened(desk, **wrong) as client:
        if call == "checks" and (failed := _failed(client)):
            assert failed.sentence.endswith(".")
            return
        with pytest.raises(CredentialsRefused):
            CALLS[call](client)


def _failed(client):
    """The check that says in a sentence of its own what is wrong; None where the fault of the wire is to say it."""
    try:
        return next((check for check in client.checks() if not check.is_ok), None)
    except CredentialsRefused:
        return None


def test_a_long_pause_is_the_caller_s_and_a_short_one_is_waited_for(play):
    desk, slept = play(), []
    desk.weather.append(Weather(status(429, retry_after="30")))
    with opened(desk) as client, pytest.raises(RateLimited) as limited:
        pages(client)
    assert timedelta(seconds=30) <= limited.value.pause < timedelta(seconds=60)

    desk.weather.append(Weather(status(429, retry_after="1")))
    with opened(desk, slept=slept) as client:
        assert len(ratings(client)) == 7
    assert max(slept) > 0.9


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("weather", PASSING)
def test_a_fault_that_passes_is_tried_again(play, weather, call):
    desk = play()
    with opened(desk) as client:
        right = CALLS[call](client)
    desk.weather.append(Weather(PASSING[weather]))

    with opened(desk) as client:
        again = CALLS[call](client)

    assert repr(again) == repr(right)


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("weather", STAYING)
def test_a_fault_that_stays_is_an_error_of_our_family(play, weather, call):
    desk = play()
    desk.weather.append(Weather(STAYING[weather], times=ALWAYS))

    with opened(desk) as client, pytest.raises((VendorError, Malformed)):
        CALLS[call](client)


@pytest.mark.parametrize("call", CALLS)
def test_a_redirect_is_not_followed(play, call):
    desk, elsewhere = play(), play()
    desk.weather.append(Weather(redirect(f"{elsewhere.url}/api"), times=ALWAYS))

    with opened(desk) as client, pytest.raises(NotCalled):
        CALLS[call](client)

    assert elsewhere.asked == []


# --- What nobody documents ---------------------------------------------------------------------------------------------


def changed(leaf, found=None):
    """The right answer with every leaf of it changed; `found` (an object, a list) changes those first."""

    def walk(value, key=""):
        if isinstance(value, dict):
            return {name: walk(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [walk(one, key) for one in value]
        return leaf(value, key)

    def play(handler):
        answer = handler.server.answer(handler.asked)
        handler.send(Answer(answer.status, walk(answer.body), answer.headers))

    return play


def answered(body):
    """The same for every question."""
    return lambda handler: handler.send(Answer(body=body))


STRANGE = {
    "null": answered(None),
    "a list": answered([WORDS, None, 7, {}, []]),
    "an empty object": answered({}),
    "a word": answered(WORDS),
    "every value null": changed(lambda value, key: None),
    "every value a word": changed(lambda value, key: WORDS),
    "every value a number": changed(lambda value, key: 10**30),
    "every value an object": changed(lambda value, key: {"x": WORDS}),
    "every value a list": changed(lambda value, key: [WORDS, None]),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("strange", STRANGE)
def test_strange_answers_end_in_a_result_or_in_an_error_of_our_family_without_words(play, strange, call):
    desk, said = play(), ""
    with opened(desk) as client:
        CALLS[call](client)  # whoever asks for a token or the like first has it
        desk.weather.append(Weather(STRANGE[strange], times=ALWAYS))
        try:
            CALLS[call](client)
        except (VendorError, Malformed) as error:
            said = "".join(traceback.format_exception(error))
        except Endless:
            pass  # whoever reads the list ends what goes in circles

    assert WORDS not in said


def test_ids_may_come_as_text(play):
    def as_text(value, key):
        is_id = isinstance(value, int) and not isinstance(value, bool) and (key == "id" or key.endswith("_id"))
        return str(value) if is_id else value

    desk = play()
    with opened(desk) as client:
        right = ratings(client)
        desk.weather.append(Weather(changed(as_text), times=ALWAYS))
        assert ratings(client) == right


def test_no_object_and_no_error_repeats_what_was_said(play):
    world = small_world(0)
    world.add(*(talk(i, happy=float(i % 2), words=WORDS) for i in range(4)))
    desk = play(world)

    with opened(desk) as client:
        for call in CALLS.values():
            assert WORDS not in repr(call(client)) + repr(client) + repr(client.wire)
        assert any(WORDS in turn.text for turn in client.transcript("1001"))

    told = status(400, {"error": WORDS, "message": WORDS}), status(500, {"error": WORDS}), half_a_page, web_page
    for weather in told:
        desk.weather = [Weather(weather, times=ALWAYS)]
        for call in CALLS.values():
            with opened(desk) as client, pytest.raises((VendorError, Malformed)) as error:
                call(client)
            assert WORDS not in "".join(traceback.format_exception(error.value)) + repr(error.value)


# --- Webhooks ----------------------------------------------------------------------------------------------------------


def secret_of(desk):
    return desk.credentials[registry.VENDORS[desk.vendor].webhook_secret]


def test_a_webhook_says_which_conversation_was_rated_and_is_the_same_when_sent_again(play, vendor):
    desk = play()
    known = registry.VENDORS[vendor]
    body, headers = desk.webhook(desk.world.talks["1001"], NOW)

    known.verify(body, headers, secret_of(desk), NOW + timedelta(seconds=20))
    hint, again = (known.hint(json.loads(body), headers) for _ in range(2))
    other_body, other_headers = desk.webhook(desk.world.talks["1002"], NOW)

    assert hint == again
    assert hint.is_known
    assert (hint.conversation_id == "1001") or (not hint.conversation_id and hint.rating_id == "900001")
    assert hint.event_id not in ("", known.hint(json.loads(other_body), other_headers).event_id)


def test_a_webhook_of_somebody_else_is_forged(play, vendor):
    desk = play()
    known = registry.VENDORS[vendor]
    body, headers = desk.webhook(desk.world.talks["1001"], NOW)
    proof = max(headers, key=lambda name: ("signature" in name or "secret" in name, "timestamp" not in name))

    forged = [
        (body, headers, "another"),
        (body, {name: value for name, value in headers.items() if name != proof}, secret_of(desk)),
        (body, headers | {proof: ""}, secret_of(desk)),
        (body, headers | {proof: headers[proof][:-2]}, secret_of(desk)),
        (body, headers | {proof: "sha256=\u00e4\ud800"}, secret_of(desk)),
        (body, {}, secret_of(desk)),
    ]
    if known.signs:
        at = len(body) // 2
        forged.append((body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], headers, secret_of(desk)))
        forged.append((body[:-1], headers, secret_of(desk)))
    for told, sent, secret in forged:
        with pytest.raises(Forged):
            known.verify(told, sent, secret, NOW)


def test_a_webhook_that_was_signed_long_ago_is_not_believed(play, vendor):
    desk = play()
    if not desk.dates_webhooks:
        pytest.skip(f"{registry.VENDORS[vendor].label} signs no time.")
    known = registry.VENDORS[vendor]
    body, headers = desk.webhook(desk.world.talks["1001"], NOW)

    for now in (NOW + timedelta(minutes=6), NOW - timedelta(minutes=6)):
        with pytest.raises(Forged):
            known.verify(body, headers, secret_of(desk), now)


@pytest.mark.parametrize("body", [None, [], {}, 7, WORDS, [WORDS], {"id": [WORDS]}, {"event": {"x": WORDS}, "id": 3}])
def test_an_event_that_nobody_expects_is_malformed_or_of_no_interest(vendor, body):
    try:
        found = registry.VENDORS[vendor].hint(body, {})
    except Malformed as fault:
        found = fault

    assert getattr(found, "conversation_id", "") == ""
    assert isinstance(found, Hint) or WORDS not in str(found)


def test_set_up_and_fields_are_told(vendor):
    known = registry.VENDORS[vendor]

    assert known.set_up
    assert any("{webhook}" in step for step in known.set_up)
    assert all(step.endswith(".") for step in known.set_up)
    assert all(field.help.endswith(".") for field in known.fields)
