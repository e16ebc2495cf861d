"""The calendar feed: read back by a calendar library, held against RFC 5545, opened by its key only, renewed."""

import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as bounds
from hypothesis import strategies as st
from icalendar import Calendar

from agents.access import NotAllowed
from agents.models import Agent, Member
from coaching import calendar
from coaching.actions import feeds, notes
from coaching.models import CalendarFeed, Note
from tests import factories

pytestmark = pytest.mark.django_db

REQUIRED = {"uid", "dtstamp", "dtstart", "dtend", "sequence", "last-modified", "summary", "status", "url"}


def follow_up(by, days=1, agent=None, **fields):
    at = timezone.now() + timedelta(days=days)
    return notes.write(
        agent or factories.human(by.workspace), by=by, **{"body": "Secret words.", "follow_up_at": at} | fields
    )


def events(member):
    """The feed as a calendar library reads it: {id of the note: its event}."""
    read = Calendar.from_ical(calendar.feed(member))
    return {str(event["uid"]).removesuffix("@touchline"): event for event in read.walk("VEVENT")}


def status(member, note):
    event = events(member).get(str(note.pk))
    return None if event is None else str(event["status"])


def path_of(address):
    parts = urlsplit(address)
    return f"{parts.path}?{parts.query}"


def assert_well_formed(raw):
    """What RFC 5545 asks of every line and component, without help of the library that wrote it."""
    assert raw.endswith(b"\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    lines = raw[:-2].split(b"\r\n")
    assert max(len(line) for line in lines) <= 75
    for line in lines:
        line.decode()  # no character is cut in half
    unfolded = raw.decode().replace("\r\n ", "").split("\r\n")[:-1]
    assert unfolded[0] == "BEGIN:VCALENDAR"
    assert unfolded[-1] == "END:VCALENDAR"
    for line in unfolded:
        assert re.fullmatch(r"[A-Z-]+(;[A-Z-]+=[^;:,\"\x00-\x1f]+)*:[^\x00-\x08\x0a-\x1f\x7f]*", line)
    for name in ("VERSION:2.0", "PRODID:-//Touchline//Follow-ups//EN"):
        assert unfolded.count(name) == 1
    for event in "\r\n".join(unfolded).split("\r\nBEGIN:VEVENT\r\n")[1:]:
        names = [re.split("[;:]", line)[0] for line in event.partition("\r\nEND:VEVENT\r\n")[0].split("\r\n")]
        assert {name.upper() for name in REQUIRED} <= set(names)
        assert len(names) == len(set(names))
    uids = [line for line in unfolded if line.startswith("UID:")]
    assert len(uids) == len(set(uids))


# --- What stands in it ---------------------------------------------------------------------------------------------------


def test_follow_up_reads_back_with_its_instant_its_agent_and_no_word_of_the_note(owner, settings):
    settings.PUBLIC_URL = "https://coach.example"
    person = factories.human(owner.workspace, name="Ana, Bo; \\ “C”")
    at = datetime(2027, 3, 28, 7, 0, tzinfo=UTC)
    with time_machine.travel(datetime(2027, 3, 1, tzinfo=UTC), tick=False):
        note = follow_up(owner, agent=person, follow_up_at=at)
        raw = calendar.feed(owner)

    event = Calendar.from_ical(raw).walk("VEVENT")[0]

    assert_well_formed(raw)
    assert event["uid"] == f"{note.pk}@touchline"
    assert event["summary"] == "Follow up with Ana, Bo; \\ “C”"
    assert (event["dtstart"].dt, event["dtend"].dt) == (at, at + timedelta(minutes=30))
    assert (event["dtstamp"].dt, event["last-modified"].dt) == (datetime(2027, 3, 1, tzinfo=UTC),) * 2
    assert (event["sequence"], event["status"], event["class"]) == (1, "CONFIRMED", "PRIVATE")
    assert event["url"] == f"https://coach.example/team/{person.pk}"
    assert b"DTSTART:20270328T070000Z" in raw  # an instant: no zone that a program would have to know
    assert b"VTIMEZONE" not in raw
    assert b"Secret" not in raw


def test_calendar_says_its_name_and_how_often_to_look_again(owner):
    lines = calendar.feed(owner).decode().split("\r\n")

    assert {"NAME:Follow-ups", "X-WR-CALNAME:Follow-ups"} < set(lines)
    assert {"REFRESH-INTERVAL;VALUE=DURATION:PT1H", "X-PUBLISHED-TTL:PT1H"} < set(lines)


def test_feed_holds_the_leaders_own_follow_ups_only(owner, admin, stranger):
    mine = follow_up(owner)
    follow_up(owner, follow_up_at=None)
    follow_up(admin)
    follow_up(stranger)

    assert set(events(owner)) == {str(mine.pk)}


def test_put_off_follow_up_moves_under_the_same_uid_with_the_next_sequence(owner):
    note = follow_up(owner)
    later = timezone.now().replace(microsecond=0) + timedelta(days=8)

    notes.snooze(note, by=owner, until=later)

    event = events(owner)[str(note.pk)]
    assert (event["dtstart"].dt, event["sequence"], event["status"]) == (later, 2, "CONFIRMED")


@pytest.mark.parametrize(
    "off",
    [
        lambda note, by: notes.archive(note, by=by),
        lambda note, by: notes.edit(note, by=by, follow_up_at=None),
        lambda note, by: notes.follow_up_done(note, by=by),
    ],
    ids=["archived", "taken off", "done before its day"],
)
def test_what_is_not_asked_for_any_more_is_cancelled_for_two_weeks_then_left_out(off, owner):
    note = follow_up(owner, days=40)
    asked_at = note.follow_up_at.replace(microsecond=0)

    off(note, owner)

    event = events(owner)[str(note.pk)]
    assert (event["status"], event["sequence"], event["dtstart"].dt) == ("CANCELLED", 2, asked_at)
    with time_machine.travel(timezone.now() + timedelta(days=13)):
        assert status(owner, note) == "CANCELLED"
    with time_machine.travel(timezone.now() + timedelta(days=15)):
        assert status(owner, note) is None


def test_taken_off_long_ago_does_not_come_back_when_the_note_is_edited(owner):
    note = follow_up(owner, days=1)
    notes.edit(note, by=owner, follow_up_at=None)

    with time_machine.travel(timezone.now() + timedelta(days=30)):
        notes.edit(note, by=owner, body="Other words.")

        assert status(owner, note) is None


def test_restored_note_is_confirmed_again_with_a_higher_sequence(owner):
    note = follow_up(owner)
    notes.archive(note, by=owner)

    notes.restore(note, by=owner)

    assert (status(owner, note), events(owner)[str(note.pk)]["sequence"]) == ("CONFIRMED", 3)


def test_made_follow_up_stays_where_it_was_for_90_days(owner):
    note = follow_up(owner, days=1)
    with time_machine.travel(timezone.now() + timedelta(days=1, hours=1)):
        notes.follow_up_done(note, by=owner)
        assert status(owner, note) == "CONFIRMED"

    with time_machine.travel(timezone.now() + timedelta(days=89)):
        assert status(owner, note) == "CONFIRMED"
    with time_machine.travel(timezone.now() + timedelta(days=93)):
        assert status(owner, note) is None


def test_whether_it_was_done_before_its_day_is_asked_of_the_workspaces_clock(owner):
    owner.workspace.time_zone = "Pacific/Auckland"
    owner.workspace.save_without_historical_record()
    with time_machine.travel(datetime(2027, 6, 1, tzinfo=UTC)):
        note = follow_up(owner, follow_up_at=datetime(2027, 6, 9, 23, 0, tzinfo=UTC))  # 11:00 on the 10th there
    with time_machine.travel(datetime(2027, 6, 9, 13, 0, tzinfo=UTC)):  # 01:00 on the 10th there
        notes.follow_up_done(note, by=owner)

        assert status(owner, note) == "CONFIRMED"


def test_thousand_follow_ups_are_one_valid_calendar_in_as_many_queries_as_one(owner, django_assert_max_num_queries):
    people = [factories.human(owner.workspace) for _ in range(5)]
    now = timezone.now()
    Note.objects.bulk_create(
        Note(
            workspace=owner.workspace,
            agent=people[n % 5],
            author=owner,
            body="x",
            follow_up_at=now + timedelta(hours=n),
        )
        for n in range(1, 1001)
    )

    with django_assert_max_num_queries(2):
        raw = calendar.feed(owner)

    assert_well_formed(raw)
    assert len(events(owner)) == 1000


def test_feed_is_bounded_and_leaves_out_what_lies_farthest_back(owner, monkeypatch):
    monkeypatch.setattr(calendar, "MOST", 2)
    made = [follow_up(owner, days=n) for n in (1, 2, 3)]

    assert set(events(owner)) == {str(note.pk) for note in made[1:]}


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300)


@bounds(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=NAMES
    | st.sampled_from(['"', "\\n", "a\r\nBEGIN:VEVENT", ";,:\\", "👩🏽‍🚒" * 60, "\u2028\x85\x0b", "ü" * 300, " "])
)
def test_any_name_makes_a_valid_calendar_and_reads_back(name):
    at = timezone.now()
    note = Note(agent=Agent(name=name), follow_up_at=at, created_at=at, updated_at=at)

    raw = calendar.single(note)

    assert_well_formed(raw)
    [event] = Calendar.from_ical(raw).walk("VEVENT")
    read = str(event["summary"]).removeprefix("Follow up with ")
    shown = "".join(name.split())
    assert "".join(read.split()) == "".join(c for c in shown if c.isprintable() or ord(c) > 0x9F)


# --- Who may read it -------------------------------------------------------------------------------------------------------


def test_feed_is_fetched_without_signing_in_and_answered_304_while_nothing_changed(owner):
    note, client, address = follow_up(owner), Client(), path_of(calendar.feed_url(owner))

    first = client.get(address)
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    notes.edit(note, by=owner, body="Other words.")
    changed = client.get(address, headers={"If-None-Match": first["ETag"]})

    assert (first.status_code, first["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert first["Cache-Control"] == "private, no-cache"
    assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
    assert changed.status_code == 200
    assert client.head(address).status_code == 200


def test_renewed_address_opens_and_the_old_one_is_dead_at_once(owner, admin):
    old, others = calendar.feed_url(owner), calendar.feed_url(admin)

    feeds.renew(owner, number=1)
    feeds.renew(owner, number=2)

    answers = [Client().get(path_of(one)).status_code for one in (old, calendar.feed_url(owner), others)]
    assert answers == [404, 200, 200]
    assert CalendarFeed.objects.get().number == 3


@pytest.mark.parametrize("known", [1, 2])
def test_address_is_renewed_once_by_who_presses_twice(known, owner):
    for number in range(1, known):
        feeds.renew(owner, number=number)
    feeds.renew(owner, number=known)

    with pytest.raises(feeds.AlreadyRenewed):
        feeds.renew(owner, number=known)

    assert feeds.of(owner).number == known + 1


def test_number_that_never_was_renews_nothing(owner):
    with pytest.raises(feeds.AlreadyRenewed):
        feeds.renew(owner, number=7)

    assert not CalendarFeed.objects.exists()


def test_only_leaders_renew(linked_member):
    with pytest.raises(NotAllowed):
        feeds.renew(linked_member, number=1)


@pytest.mark.parametrize(
    "gone",
    [{"role": Member.Role.MEMBER}, {"left_at": datetime(2026, 1, 1, tzinfo=UTC)}],
    ids=["leads no more", "left"],
)
def test_feed_is_not_there_for_who_leads_no_more(gone, admin):
    address = path_of(calendar.feed_url(admin))
    Member.objects.filter(pk=admin.pk).update(**gone)

    assert Client().get(address).status_code == 404


@pytest.mark.parametrize("key", ["", "x", "{pk}.1", "{pk}.1:forged", "%00", "{real}x", "{longer}"])
def test_forged_keys_are_answered_as_no_key(key, owner):
    real = parse_qs(urlsplit(calendar.feed_url(owner)).query)["key"][0]
    key = key.format(pk=owner.pk, real=real, longer=real.replace(".1:", ".01:"))

    response = Client().get("/api/v1/coaching/follow-ups.ics", {"key": key} if key else {})

    assert response.status_code in (400, 404) if key in ("%00",) else response.status_code == 404


# --- One follow-up -----------------------------------------------------------------------------------------------------------


def test_single_follow_up_is_the_event_of_the_feed(owner):
    note = follow_up(owner)

    [alone] = Calendar.from_ical(calendar.single(note)).walk("VEVENT")

    assert alone.to_ical() == events(owner)[str(note.pk)].to_ical()


def test_google_link_is_filled_in_and_encoded(owner, settings):
    settings.PUBLIC_URL = "https://coach.example"
    person = factories.human(owner.workspace, name='A & B="C"#?é')
    note = follow_up(owner, agent=person, follow_up_at=timezone.now() + timedelta(days=3))
    at = note.follow_up_at.astimezone(UTC)

    link = urlsplit(calendar.google_link(note, "Europe/Berlin"))

    assert (link.scheme, link.netloc, link.path) == ("https", "calendar.google.com", "/calendar/render")
    assert parse_qs(link.query) == {
        "action": ["TEMPLATE"],
        "text": ['Follow up with A & B="C"#?é'],
        "dates": [f"{at:%Y%m%dT%H%M%SZ}/{at + timedelta(minutes=30):%Y%m%dT%H%M%SZ}"],
        "ctz": ["Europe/Berlin"],
        "details": [f"https://coach.example/team/{person.pk}"],
    }
