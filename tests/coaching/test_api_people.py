"""The drawer, notes, samples, follow-ups and flags through the API, field by field."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from functools import partial
from urllib.parse import urlencode

import pytest
from django.core import signing
from django.db import connections
from django.db.models import Sum
from django.utils import timezone

from agents.api_base import epoch_ms
from coaching import calendar
from coaching.actions import flags, notes, samples, sweeps
from coaching.models import Flag, Note
from helpdesk.models import RatingDay
from tests import factories
from tests.calls import Script, problem
from tests.factories.ratings import team_with_a_fall

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(owner):
    return Script(owner)


@pytest.fixture
def person(linked_member):
    return linked_member.agent


def ahead(**span):
    return epoch_ms(timezone.now() + timedelta(**span))


def test_note_is_written_and_read_field_by_field(script, owner, person):
    follow_up_at = ahead(days=3)

    made = script.send("/coaching/notes", {"agent": person.name, "body": " Calm voice. ", "followUpAt": follow_up_at})

    told = made.json()
    assert made.status_code == 201
    assert told == {
        "id": told["id"],
        "agent": person.name,
        "agentId": str(person.pk),
        "body": "Calm voice.",
        "sampleId": None,
        "sharedWithAgent": False,
        "followUpAt": follow_up_at,
        "author": {"id": str(owner.pk), "name": owner.display_name},
        "createdAt": told["createdAt"],
        "updatedAt": told["updatedAt"],
        "archivedAt": None,
    }


@pytest.mark.parametrize(
    ("values", "status", "field"),
    [
        ({"body": ""}, 400, "body"),
        ({"body": "  "}, 400, "body"),
        ({"body": 5}, 400, "body"),
        ({"body": "x" * 20_001}, 400, "body"),
        ({"body": "x" * 102_400}, 400, "body"),
        ({"body": None}, 400, "body"),
        ({"followUpAt": 1_700_000_000_000}, 400, "followUpAt"),
        ({"followUpAt": 1_900_000_000}, 400, "followUpAt"),
        ({"followUpAt": 32_503_680_000_000}, 400, "followUpAt"),
        ({"followUpAt": "tomorrow"}, 400, "followUpAt"),
        ({"followUpAt": "1900000000000"}, 400, "followUpAt"),
        ({"followUpAt": 1_900_000_000_000.5}, 400, "followUpAt"),
        ({"followUpAt": True}, 400, "followUpAt"),
        ({"sharedWithAgent": None}, 400, "sharedWithAgent"),
        ({"sampleId": "first"}, 400, "sampleId"),
        ({"agent": ""}, 404, "agent"),
        ({"archivedAt": None}, 400, "archivedAt"),
        ({"sharedWithAgent": "no"}, 400, "sharedWithAgent"),
        ({"agent": "Nobody"}, 404, "agent"),
        ({"agent": 5}, 400, "agent"),
        ({"sampleId": "00000000-0000-4000-8000-000000000000"}, 404, "sampleId"),
        ({"author": "me"}, 400, "author"),
    ],
)
def test_note_that_is_none_is_refused(script, person, values, status, field):
    refused = problem(script.send("/coaching/notes", {"agent": person.name, "body": "x"} | values))

    assert (refused[0], list(refused[1])) == (status, [field])
    assert not Note.objects.exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"body": ""}, "body"),
        ({"body": "x" * 102_400}, "body"),
        ({"followUpAt": 1_700_000_000_000}, "followUpAt"),
        ({"followUpAt": 1_900_000_000}, "followUpAt"),
        ({"followUpAt": 32_503_680_000_000}, "followUpAt"),
        ({"followUpAt": "tomorrow"}, "followUpAt"),
        ({"sharedWithAgent": 1}, "sharedWithAgent"),
        ({"body": "y", "agent": "Ana"}, "agent"),
        ({"body": "y", "sampleId": None}, "sampleId"),
        ({"body": "y", "shared_with_agent": True}, "shared_with_agent"),
    ],
)
def test_change_of_a_note_that_is_none_is_refused_and_changes_nothing(script, owner, person, changes, field):
    note = notes.write(person, by=owner, body="As it was.")

    refused = problem(script.call("PATCH", f"/coaching/notes/{note.pk}", changes))

    assert (refused[0], list(refused[1])) == (400, [field])
    stored = Note.objects.get()
    assert (stored.body, stored.shared_with_agent, stored.follow_up_at, stored.version) == (
        "As it was.",
        False,
        None,
        1,
    )


def test_seconds_are_recognised_and_the_milliseconds_named(script, person):
    refused = script.send("/coaching/notes", {"agent": person.name, "body": "x", "followUpAt": 1_900_000_000})

    assert "1900000000000" in refused.json()["errors"]["followUpAt"][0]


def test_archived_note_is_not_changed_by_any_field(script, owner, person):
    note = notes.archive(notes.write(person, by=owner, body="Gone."), by=owner)
    path = f"/coaching/notes/{note.pk}"

    for changes in ({"body": "y"}, {"sharedWithAgent": True}, {"followUpAt": None}):
        refused = script.call("PATCH", path, changes)
        assert (problem(refused)[0], refused.json()["title"]) == (409, "Archived")
    assert problem(script.call("DELETE", path))[0] == 409
    assert Note.objects.get().version == note.version
    assert script.read(f"/coaching?agent={person.pk}").json()["notes"] == []


@pytest.mark.django_db(transaction=True)
def test_two_editors_of_one_note_change_what_they_name_and_lose_nothing(owner, admin, person):
    note = notes.write(person, by=owner, body="At first.")
    path, rounds = f"/coaching/notes/{note.pk}", 7

    def write():
        return [Script(owner).call("PATCH", path, {"body": f"Words {n}."}).status_code for n in range(rounds)]

    def share():
        return [Script(admin).call("PATCH", path, {"sharedWithAgent": n % 2 == 0}).status_code for n in range(rounds)]

    answers = at_once(write, share)

    stored = Note.objects.get()
    told = note.history.order_by("version")
    assert answers == [[200] * rounds] * 2
    assert (stored.body, stored.shared_with_agent) == (f"Words {rounds - 1}.", True)
    assert [row.version for row in told] == list(range(1, 2 * rounds + 2))
    for earlier, later in itertools.pairwise(told):
        by_whom = {owner.user_id} if earlier.body != later.body else {admin.user_id}
        if earlier.shared_with_agent != later.shared_with_agent:
            by_whom &= {admin.user_id}
        assert {later.history_user_id} == by_whom


@pytest.mark.django_db(transaction=True)
def test_same_key_sent_at_once_writes_one_note(owner, person):
    body = {"agent": str(person.pk), "body": "Once."}
    scripts = [Script(owner) for _ in range(6)]

    def send(script):
        return script.send("/coaching/notes", body, **{"Idempotency-Key": "k1"})

    answers = at_once(*(partial(send, script) for script in scripts))

    assert Note.objects.count() == 1
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert {answer.json()["id"] for answer in answers if answer.status_code == 201} == {str(Note.objects.get().pk)}
    assert send(scripts[0])["Idempotent-Replayed"] == "true"


def test_same_note_twice_is_two_notes_without_a_key_and_one_with(script, person):
    body = {"agent": person.name, "body": "Again."}

    plain = [script.send("/coaching/notes", body).json()["id"] for _ in range(2)]
    keyed = [script.send("/coaching/notes", body, **{"Idempotency-Key": "k" * 255}) for _ in range(2)]
    other = script.send("/coaching/notes", body | {"body": "Other."}, **{"Idempotency-Key": "k" * 255})
    too_long = script.send("/coaching/notes", body, **{"Idempotency-Key": "k" * 256})

    assert len(set(plain)) == 2
    assert keyed[0].json() == keyed[1].json()
    assert [problem(other)[0], problem(too_long)[0]] == [409, 400]
    assert Note.objects.count() == 3


def at_once(*works):
    """What each of these returned, done in a thread with a connection of its own, all begun at the same instant."""
    together = threading.Barrier(len(works))

    def run(work):
        try:
            together.wait(timeout=10)
            return work()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_note_names_a_sample_of_the_same_agent(script, owner, person, workspace):
    own = samples.pin(factories.conversation(person), by=owner)
    foreign = samples.pin(factories.conversation(factories.human(workspace)), by=owner)

    made = script.send("/coaching/notes", {"agent": str(person.pk), "body": "x", "sampleId": str(own.pk)})
    refused = problem(script.send("/coaching/notes", {"agent": person.name, "body": "x", "sampleId": str(foreign.pk)}))

    assert made.json()["sampleId"] == str(own.pk)
    assert (refused[0], list(refused[1])) == (400, ["sampleId"])


def test_note_is_edited_and_archived(script, owner, person):
    note = notes.write(person, by=owner, body="Private.", follow_up_at=timezone.now() + timedelta(days=1))
    path = f"/coaching/notes/{note.pk}"

    told = script.call("PATCH", path, {"sharedWithAgent": True, "followUpAt": None}).json()
    assert (told["sharedWithAgent"], told["followUpAt"], told["body"]) == (True, None, "Private.")
    assert problem(script.call("PATCH", path, {}))[0] == 400
    assert script.call("DELETE", path).status_code == 204
    assert problem(script.call("PATCH", path, {"body": "Late."}))[0] == 409
    assert script.read(path).json()["archivedAt"] is not None


def test_member_sees_what_was_shared_and_no_hint_of_more(owner, linked_member, person):
    for n in range(3):
        notes.write(person, by=owner, body=f"Private {n}.")
    shared = notes.write(person, by=owner, body="Shared.", shared_with_agent=True)
    script = Script(linked_member)

    told = script.read(f"/coaching?agent={person.name}").json()

    assert [note["id"] for note in told["notes"]] == [str(shared.pk)]
    assert "Private" not in script.read(f"/coaching?agent={person.pk}").content.decode()


def test_drawer_answers_field_by_field(script, owner, person):
    sample = samples.pin(factories.conversation(person, external_id="77"), by=owner)
    note = notes.write(person, by=owner, body="Calm voice.")
    flag = flags.raise_manual(person, by=owner, reason="Talk.")

    told = script.read(f"/coaching?agent={person.name}").json()

    assert told["agent"] == {"id": str(person.pk), "name": person.name, "kind": "human", "team": None}
    assert told["flag"] == {
        "id": str(flag.pk),
        "agent": {"id": str(person.pk), "name": person.name},
        "kind": "manual",
        "status": "open",
        "since": epoch_ms(datetime.combine(flag.since, time(), owner.workspace.zone)),
        "openedAt": epoch_ms(flag.opened_at),
        "openedBy": {"id": str(owner.pk), "name": owner.display_name},
        "closedAt": None,
        "closedBy": None,
        "closeReason": "",
        "sentence": "Talk.",
        "evidence": {},
        "cause": None,
    }
    assert told["samples"] == [
        {
            "id": str(sample.pk),
            "agent": person.name,
            "agentId": str(person.pk),
            "source": "desk",
            "externalId": "77",
            "url": None,
            "csat": None,
            "scale": None,
            "closedAt": epoch_ms(sample.closed_at),
            "summary": None,
            "summaryState": "pending",
            "capturedBy": {"id": str(owner.pk), "name": owner.display_name},
        }
    ]
    assert [one["id"] for one in told["notes"]] == [str(note.pk)]


def test_drawer_needs_to_know_whose(script, workspace, person):
    factories.human(workspace, name=person.name)

    assert problem(script.read("/coaching"))[0] == 400
    assert problem(script.read("/coaching?agent=Nobody"))[0] == 404
    twice = script.read(f"/coaching?agent={person.name}")
    assert problem(twice)[0] == 409
    assert len(twice.json()["candidates"]) == 2


@pytest.mark.parametrize(
    "name",
    [
        'O\'Neil "Bob" <b>x</b>',
        "Zoë 🚲 Müller",
        "é" * 300,
        "100 % & more; a=b #1 ?",
        "../../etc",
        "  spaced  out",
        "null",
        "12345678123456781234567812345678",
    ],
)
def test_any_name_finds_its_agent(script, workspace, name):
    person = factories.human(workspace, name=name)

    told = script.read(f"/coaching?{urlencode({'agent': person.name})}")
    note = script.send("/coaching/notes", {"agent": person.name, "body": "x"})

    assert told.json()["agent"] == {"id": str(person.pk), "name": person.name, "kind": "human", "team": None}
    assert note.json()["agentId"] == str(person.pk)


def test_name_that_fits_two_is_refused_with_both_by_every_route(script, workspace, person):
    twin = factories.human(workspace, name=person.name, team="Night")
    both = [
        {"id": str(person.pk), "name": person.name, "kind": "human", "team": None, "active": True},
        {"id": str(twin.pk), "name": person.name, "kind": "human", "team": "Night", "active": True},
    ]

    answers = [
        script.read(f"/coaching?agent={person.name}"),
        script.read(f"/coaching/follow-ups?agent={person.name}"),
        script.read(f"/flags?agent={person.name}"),
        script.send("/coaching/notes", {"agent": person.name, "body": "x"}),
        script.send("/coaching/samples", {"source": "desk", "externalId": "1", "agent": person.name}),
        script.send("/flags", {"agent": person.name, "reason": "x"}),
    ]

    for answer in answers:
        assert (problem(answer)[0], answer.json()["title"]) == (409, "Ambiguous agent")
        assert answer.json()["candidates"] == both
    assert script.read(f"/coaching?agent={twin.pk}").json()["agent"]["id"] == str(twin.pk)
    assert not Note.objects.exists()


def test_name_that_fits_a_member_and_a_colleague_is_the_members_own_to_them(linked_member, person, workspace):
    factories.human(workspace, name=person.name)

    told = Script(linked_member).read(f"/coaching?agent={person.name}")

    assert (told.status_code, told.json()["agent"]["id"]) == (200, str(person.pk))


def test_member_cannot_tell_whether_private_or_archived_notes_exist(owner, linked_member, person):
    script = Script(linked_member)
    before = script.read(f"/coaching?agent={person.pk}").content
    private = notes.write(person, by=owner, body="Private.", follow_up_at=timezone.now() + timedelta(days=1))
    archived = notes.archive(notes.write(person, by=owner, body="Old.", shared_with_agent=True), by=owner)
    unshared = notes.write(person, by=owner, body="Was shared.", shared_with_agent=True)
    notes.edit(unshared, by=owner, shared_with_agent=False)

    assert script.read(f"/coaching?agent={person.pk}").content == before
    for note in (private, archived, unshared):
        for method, body in (("GET", None), ("PATCH", {"body": "y"}), ("PATCH", {"nothing": 1}), ("DELETE", None)):
            assert problem(script.call(method, f"/coaching/notes/{note.pk}", body))[0] == 404


def test_cursor_of_follow_ups_cannot_be_forged(script, owner, person, workspace):
    for days in (1, 2, 3):
        notes.write(person, by=owner, body=f"{days}", follow_up_at=timezone.now() + timedelta(days=days))
    first = script.read("/coaching/follow-ups?limit=1").json()
    cursor = first["nextCursor"]

    assert [note["body"] for note in first["items"]] == ["1"]
    notes.write(person, by=owner, body="0", follow_up_at=timezone.now() + timedelta(hours=1))
    assert [n["body"] for n in script.read(f"/coaching/follow-ups?cursor={cursor}").json()["items"]] == ["2", "3"]
    for forged in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "x", signing.dumps(["t"]), cursor + cursor):
        assert list(problem(script.read(f"/coaching/follow-ups?cursor={forged}"))[1]) == ["cursor"]
    assert list(problem(script.read(f"/flags?cursor={cursor}"))[1]) == ["cursor"]


def test_drawer_asks_the_same_number_of_queries_for_any_number_of_rows(
    script, owner, person, django_assert_max_num_queries
):
    for n in range(6):
        samples.pin(factories.conversation(person), by=owner)
        notes.write(person, by=owner, body=f"Note {n}.")
    script.read(f"/coaching?agent={person.pk}")

    with django_assert_max_num_queries(6):  # token, agent, flag, samples, notes, their authors
        assert len(script.read(f"/coaching?agent={person.pk}").json()["samples"]) == 6


def test_sample_is_pinned_once_and_put_away(script, person):
    body = {"source": "desk", "externalId": "77", "agent": person.name}

    first, again = script.send("/coaching/samples", body), script.send("/coaching/samples", body)

    assert (first.status_code, first.json()["summaryState"]) == (201, "pending")
    assert again.json()["id"] == first.json()["id"]
    path = f"/coaching/samples/{first.json()['id']}"
    assert script.call("DELETE", path).status_code == 204
    assert problem(script.read(path))[0] == 404


def test_sample_of_an_unknown_conversation_is_not_found(script):
    status, errors = problem(script.send("/coaching/samples", {"source": "desk", "externalId": "78"}))

    assert (status, list(errors)) == (404, ["externalId"])


# --- Follow-ups ------------------------------------------------------------------------------------------------------


def test_follow_ups_come_in_their_order_with_a_private_feed(script, owner, person):
    later = notes.write(person, by=owner, body="Later.", follow_up_at=timezone.now() + timedelta(days=9))
    sooner = notes.write(person, by=owner, body="Sooner, secret.", follow_up_at=timezone.now() + timedelta(days=2))
    notes.write(person, by=owner, body="None.")

    told = script.read("/coaching/follow-ups").json()

    assert [note["id"] for note in told["items"]] == [str(sooner.pk), str(later.pk)]
    assert told["nextCursor"] is None
    address = told["feedUrl"].partition("/api/v1")[2]
    feed = Script().read(address)
    assert feed["Content-Type"] == "text/calendar; charset=utf-8"
    lines = feed.content.decode().split("\r\n")
    assert lines.count("BEGIN:VEVENT") == 2
    assert f"SUMMARY:Follow up with {person.name}" in lines
    assert "secret" not in feed.content.decode()


def test_feed_opens_with_its_key_only_and_closes_when_its_leader_goes(admin):
    address = calendar.feed_url(admin).partition("/api/v1")[2]

    assert Script().read(address).status_code == 200
    assert problem(Script().read(address[:-1]))[0] == 404
    assert problem(Script().read("/coaching/follow-ups.ics"))[0] == 404
    admin.role = "member"
    admin.save_without_historical_record()
    assert problem(Script().read(address))[0] == 404


def test_calendar_lines_are_folded_between_characters(owner, workspace):
    person = factories.human(workspace, name="Ünïcödé, " + "ü" * 120)
    notes.write(person, by=owner, body="x", follow_up_at=timezone.now() + timedelta(days=1))

    feed = calendar.feed(owner).decode()

    assert all(len(line.encode()) <= 75 for line in feed.split("\r\n"))
    assert f"SUMMARY:Follow up with Ünïcödé\\, {'ü' * 120}\r\n" in feed.replace("\r\n ", "")


# --- Flags -----------------------------------------------------------------------------------------------------------


def test_flag_is_raised_once_and_dismissed_with_a_reason(script, owner, person):
    raised = script.send("/flags", {"agent": person.name, "reason": "Talk."})
    path = f"/flags/{raised.json()['id']}"

    twice = script.send("/flags", {"agent": person.name, "reason": "Again."})
    silent = problem(script.send(f"{path}/dismiss", {"reason": " "}))
    dismissed = script.send(f"{path}/dismiss", {"reason": "We talked."}).json()
    late = script.send(f"{path}/dismiss", {"reason": "Again."})

    assert (raised.status_code, raised.json()["kind"], raised.json()["status"]) == (201, "manual", "open")
    assert problem(twice)[0] == 409
    assert (silent[0], list(silent[1])) == (400, ["reason"])
    assert (dismissed["status"], dismissed["closeReason"]) == ("dismissed", "We talked.")
    assert dismissed["closedBy"] == {"id": str(owner.pk), "name": owner.display_name}
    assert problem(late)[0] == 409


def test_flags_are_filtered_and_for_leaders_only(script, owner, linked_member, workspace):
    own = flags.raise_manual(linked_member.agent, by=owner, reason="Talk.")
    other = flags.raise_manual(factories.human(workspace), by=owner, reason="Talk.")
    flags.dismiss(other, by=owner, reason="Done.")

    assert [f["id"] for f in script.read("/flags?status=open").json()["items"]] == [str(own.pk)]
    assert len(script.read("/flags?kind=manual").json()["items"]) == Flag.objects.count() == 2
    assert Script(linked_member).read("/flags").status_code == 403
    assert Script(linked_member).read(f"/coaching?agent={linked_member.agent_id}").json()["flag"] is None


# --- Trajectory ------------------------------------------------------------------------------------------------------


def test_trajectory_tells_26_weeks_and_the_flag_with_its_evidence(script, workspace, person):
    today = timezone.now().astimezone(workspace.zone).date()
    fallen, _ = team_with_a_fall(workspace, today)
    sweeps.sweep(workspace, today)
    flag = Flag.objects.get(agent=fallen)

    told = script.read(f"/agents/{fallen.pk}/trajectory").json()

    points = told["points"]
    starts = [today - timedelta(days=7 * back - 1) for back in range(26, 0, -1)]
    assert (told["agent"], told["agentId"]) == (fallen.name, str(fallen.pk))
    assert [point["week"] for point in points] == [
        epoch_ms(datetime.combine(day, time(), workspace.zone)) for day in starts
    ]
    assert [set(point) for point in points] == [{"week", "n", "score", "expected", "team"}] * 26
    assert sum(point["n"] for point in points) == RatingDay.objects.filter(agent=fallen).aggregate(all=Sum("n"))["all"]
    assert points[-1]["score"] < points[-1]["expected"] == flag.evidence["expected"]
    assert points[0]["expected"] == flag.evidence["own_level"]
    assert points[-1]["team"] > points[-1]["score"]
    assert told["flag"]["id"] == str(flag.pk)
    assert told["flag"]["evidence"]["ratings"] == flag.evidence["ratings"]


def test_trajectory_without_ratings_is_26_empty_weeks(script, person):
    told = script.read(f"/agents/{person.pk}/trajectory").json()

    assert told["flag"] is None
    assert [{**point, "week": 0} for point in told["points"]] == [
        {"week": 0, "n": 0, "score": None, "expected": None, "team": None}
    ] * 26


def test_one_sees_ones_own_trajectory_without_the_flag(linked_member, person, owner):
    flags.raise_manual(person, by=owner, reason="Talk.")

    told = Script(linked_member).read(f"/agents/{person.pk}/trajectory").json()

    assert told["agentId"] == str(person.pk)
    assert told["flag"] is None


def test_flag_is_read_coached_given_a_cause_and_reopened(script, owner, person):
    flag = flags.raise_manual(person, by=owner, reason="Talk.")
    path, me = f"/flags/{flag.pk}", {"id": str(owner.pk), "name": owner.display_name}

    coached = script.send(f"{path}/coached", {}).json()
    caused = script.call("PATCH", path, {"cause": "wait"}).json()
    uncoached = script.call("DELETE", f"{path}/coached").json()
    script.send(f"{path}/dismiss", {"reason": "Done."})
    reopened = script.send(f"{path}/reopen", {}).json()
    again = script.send(f"{path}/reopen", {})
    uncaused = script.call("PATCH", path, {"cause": None}).json()

    flag.refresh_from_db()
    assert (coached["coachedAt"] is not None, coached["coachedBy"]) == (True, me)
    assert (caused["cause"], uncaused["cause"]) == ("wait", None)
    assert (uncoached["coachedAt"], uncoached["coachedBy"]) == (None, None)
    assert (reopened["status"], reopened["closedAt"], reopened["closeReason"]) == ("open", None, "")
    assert (problem(again)[0], again.json()["detail"]) == (409, "Only a dismissal can be taken back.")
    assert script.read(path).json() == uncaused | {"sentence": "Talk.", "closeEvidence": {}}
    assert flag.history.count() == 7


def test_flags_are_filtered_by_their_cause(script, owner, person, workspace):
    one = flags.raise_manual(person, by=owner, reason="Talk.")
    flags.set_cause(one, by=owner, cause="tool")
    flags.raise_manual(factories.human(workspace), by=owner, reason="Talk.")

    assert [f["id"] for f in script.read("/flags?cause=tool").json()["items"]] == [str(one.pk)]
    assert script.read("/flags?cause=wait").json()["items"] == []
    assert list(problem(script.read("/flags?cause=weather"))[1]) == ["cause"]


@pytest.mark.parametrize(
    "body", [{}, {"cause": "weather"}, {"cause": ""}, {"cause": 1}, {"cause": "tool", "status": "open"}]
)
def test_cause_that_is_none_is_refused(script, owner, person, body):
    flag = flags.raise_manual(person, by=owner, reason="Talk.")

    assert problem(script.call("PATCH", f"/flags/{flag.pk}", body))[0] == 400
    assert Flag.objects.get().cause == ""
