"""The people's part of the API, field by field: which keys, of which types, null where, times in epoch milliseconds.

A shape is a dictionary of exactly the keys of an answer, each with what its value must be: a type, a set of words, a shape, a
list of one shape, or `maybe` one of these.
"""

import uuid
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from django.utils import timezone

from agents.api_base import epoch_ms
from coaching.actions import flags, notes, samples, sweeps
from coaching.models import Flag, Note, Sample
from tests import factories
from tests.calls import Script
from tests.factories.ratings import team_with_a_fall

pytestmark = pytest.mark.django_db


@dataclass(frozen=True)
class Maybe:
    """Null, or this."""

    shape: object


def maybe(shape):
    return Maybe(shape)


def an_id(value):
    return isinstance(value, str) and str(uuid.UUID(value)) == value


def ms(value):
    """Epoch milliseconds: a whole number that is a day of our century, which seconds are not."""
    return type(value) is int and date(2000, 1, 1) < date.fromtimestamp(value / 1000) < date(2100, 1, 1)


def faults(value, shape, where="answer"):
    """What differs, in words."""
    if isinstance(shape, Maybe):
        return [] if value is None else faults(value, shape.shape, where)
    if isinstance(shape, dict):
        if not isinstance(value, dict) or value.keys() != shape.keys():
            return [f"{where}: keys {sorted(value)} and not {sorted(shape)}"]
        return [fault for key in shape for fault in faults(value[key], shape[key], f"{where}.{key}")]
    if isinstance(shape, list):
        return [fault for n, each in enumerate(value) for fault in faults(each, shape[0], f"{where}.{n}")]
    if isinstance(shape, set):
        return [] if value in shape else [f"{where}: {value!r} is none of {shape}"]
    if isinstance(shape, type):
        return [] if type(value) is shape else [f"{where}: {value!r} is no {shape.__name__}"]
    return [] if shape(value) else [f"{where}: {value!r} is no {shape.__name__}"]


def number(value):
    return type(value) in (int, float)


def number_or_text(value):
    return number(value) or type(value) is str


def an_object(value):
    return isinstance(value, dict)


WHO = {"id": an_id, "name": str}
NOTE = {
    "id": an_id,
    "agent": str,
    "agentId": an_id,
    "body": str,
    "sampleId": maybe(an_id),
    "sharedWithAgent": bool,
    "followUpAt": maybe(ms),
    "author": WHO,
    "createdAt": ms,
    "updatedAt": ms,
    "archivedAt": maybe(ms),
}
SAMPLE = {
    "id": an_id,
    "agent": str,
    "agentId": an_id,
    "source": str,
    "externalId": str,
    "url": maybe(str),
    "csat": maybe(number_or_text),
    "scale": maybe({"binary", "stars5", "faces3", "hubspot012", "freshdesk", "percent"}.__contains__),
    "closedAt": maybe(ms),
    "summary": maybe(str),
    "summaryState": {"pending", "captured", "metadata", "refused", "failed"},
    "capturedBy": maybe(WHO),
}
FLAG = {
    "id": an_id,
    "agent": WHO,
    "kind": {"auto", "manual"},
    "status": {"open", "cleared", "expired", "dismissed"},
    "since": ms,
    "openedAt": ms,
    "openedBy": maybe(WHO),
    "closedAt": maybe(ms),
    "closedBy": maybe(WHO),
    "closeReason": str,
    "sentence": str,
    "evidence": an_object,
    "cause": maybe(str),
}
PERSON = {
    "id": an_id,
    "name": str,
    "kind": {"human", "ai"},
    "team": maybe(str),
    "coaching": bool,
    "externalIds": an_object,
    "active": bool,
}
ASSISTANT = PERSON | {
    "systemPrompt": str,
    "promptVersion": int,
    "configurationVersion": int,
    "storage": {"mode": {"full", "masked", "summary_only"}, "retentionDays": int},
}
COACHED = {"id": an_id, "name": str, "kind": {"human", "ai"}, "team": maybe(str)}
COACHING = {"agent": COACHED, "flag": maybe(FLAG), "samples": [SAMPLE], "notes": [NOTE]}
POINT = {"week": ms, "n": int, "score": maybe(number), "expected": maybe(number), "team": maybe(number)}
TRAJECTORY = {"agent": str, "agentId": an_id, "points": [POINT], "flag": maybe(FLAG)}


def page_of(shape):
    return {"items": [shape], "nextCursor": maybe(str)}


@pytest.fixture
def script(owner):
    return Script(owner)


@pytest.fixture
def fallen(workspace, owner):
    """Somebody with an automatic flag, samples from it and by hand, and notes of every kind."""
    today = timezone.now().astimezone(workspace.zone).date()
    person, _ = team_with_a_fall(workspace, today)
    sweeps.sweep(workspace, today)
    pinned = samples.pin(factories.conversation(person), by=owner)
    ahead = timezone.now() + timedelta(days=3)
    notes.write(person, by=owner, body="Plain.")
    notes.write(person, by=owner, body="With everything.", sample=pinned, follow_up_at=ahead, shared_with_agent=True)
    return person


def test_drawer_is_what_the_contract_says(script, fallen):
    told = script.read(f"/coaching?agent={fallen.pk}").json()

    assert faults(told, COACHING) == []
    assert (told["flag"]["kind"], len(told["notes"])) == ("auto", 2)
    assert {sample["capturedBy"] is None for sample in told["samples"]} == {True, False}
    assert told["flag"]["evidence"]


def test_drawer_of_somebody_new_has_the_same_keys(script, workspace):
    told = script.read(f"/coaching?agent={factories.human(workspace).pk}").json()

    assert faults(told, COACHING) == []
    assert (told["flag"], told["samples"], told["notes"]) == (None, [], [])


def test_trajectory_is_what_the_contract_says(script, fallen, workspace):
    for agent in (fallen, factories.human(workspace)):
        told = script.read(f"/agents/{agent.pk}/trajectory").json()
        assert faults(told, TRAJECTORY) == []
        assert len(told["points"]) == 26


def test_note_is_the_same_from_every_route(script, fallen):
    made = script.send("/coaching/notes", {"agent": fallen.name, "body": "x", "followUpAt": None, "sampleId": None})
    path = f"/coaching/notes/{made.json()['id']}"

    edited = script.call("PATCH", path, {"body": "y", "sharedWithAgent": True})

    assert faults(made.json(), NOTE) == faults(edited.json(), NOTE) == []
    stored = Note.objects.get(pk=made.json()["id"])
    assert edited.json() == script.read(path).json()
    assert edited.json()["createdAt"] == epoch_ms(stored.created_at) == made.json()["createdAt"]
    assert edited.json()["updatedAt"] == epoch_ms(stored.updated_at) >= made.json()["updatedAt"]
    assert script.call("DELETE", path).content == b""
    archived = script.read(path).json()
    assert faults(archived, NOTE) == []
    assert archived["archivedAt"] == epoch_ms(Note.objects.get(pk=stored.pk).archived_at)


def test_sample_is_the_same_from_every_route(script, fallen):
    told = script.send("/coaching/samples", {"source": "desk", "externalId": "9", "agent": fallen.name})
    path = f"/coaching/samples/{told.json()['id']}"

    assert told.status_code == 201
    assert faults(told.json(), SAMPLE) == faults(script.read(path).json(), SAMPLE) == []
    auto = script.read(f"/coaching/samples/{Sample.objects.filter(captured_by=None).first().pk}").json()
    assert faults(auto, SAMPLE) == []
    assert (auto["csat"], auto["scale"]) == ("bad", "binary")
    assert script.call("DELETE", path).content == b""


def test_follow_ups_are_what_the_contract_says(script, fallen):
    told = script.read("/coaching/follow-ups").json()

    assert faults(told, page_of(NOTE) | {"feedUrl": str}) == []
    assert [note["body"] for note in told["items"]] == ["With everything."]


def test_flags_are_what_the_contract_says(script, fallen, workspace):
    raised = script.send("/flags", {"agent": factories.human(workspace).name, "reason": "Talk."})
    dismissed = script.send(f"/flags/{raised.json()['id']}/dismiss", {"reason": "Talked."})

    assert faults(raised.json(), FLAG) == faults(dismissed.json(), FLAG) == []
    told = script.read("/flags").json()
    assert faults(told, page_of(FLAG)) == []
    assert len(told["items"]) == Flag.objects.count() == 2
    assert dismissed.json()["closedAt"] == epoch_ms(Flag.objects.get(status="dismissed").closed_at)


def test_agents_are_what_the_contract_says(script, workspace, agent):
    person = script.send("/agents", {"name": "Ana", "team": "Billing", "externalIds": {"desk": "7"}})

    assert (person.status_code, faults(person.json(), PERSON)) == (201, [])
    assert faults(script.read(f"/agents/{agent.pk}").json(), ASSISTANT) == []
    told = script.read("/agents").json()
    assert {one["kind"]: faults(one, ASSISTANT if one["kind"] == "ai" else PERSON) for one in told["items"]} == {
        "ai": [],
        "human": [],
    }
    assert told["nextCursor"] is None


def test_members_answers_have_the_same_shapes(linked_member, owner):
    own = linked_member.agent
    notes.write(own, by=owner, body="Private.")
    notes.write(own, by=owner, body="Shared.", shared_with_agent=True)
    samples.pin(factories.conversation(own), by=owner)
    flags.raise_manual(own, by=owner, reason="Talk.")
    script = Script(linked_member)

    told = script.read(f"/coaching?agent={own.pk}").json()

    assert faults(told, COACHING) == faults(script.read(f"/agents/{own.pk}/trajectory").json(), TRAJECTORY) == []
    assert faults(script.read(f"/agents/{own.pk}").json(), PERSON) == []
    assert ([note["body"] for note in told["notes"]], told["flag"], len(told["samples"])) == (["Shared."], None, 1)


def test_calendar_is_a_calendar(script, fallen):
    address = script.read("/coaching/follow-ups").json()["feedUrl"].partition("/api/v1")[2]

    feed = Script().read(address)

    assert (feed.status_code, feed["Content-Type"]) == (200, "text/calendar; charset=utf-8")
    assert feed.content.startswith(b"BEGIN:VCALENDAR\r\n")
    assert feed.content.endswith(b"END:VCALENDAR\r\n")


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        ({"id": str(uuid.uuid4())}, WHO),
        ({"id": "7", "name": "x", "more": 1}, WHO),
        (1_790_000_000, ms),
        ("1790000000000", ms),
        (True, int),
        (None, str),
        ([{"n": 1}], [POINT]),
        ("shut", FLAG["status"]),
    ],
)
def test_what_breaks_a_shape_is_told(value, shape):
    assert faults(value, shape)
