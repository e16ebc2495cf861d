"""Proposals and decisions through the API, field by field."""

import csv
import io
import json

import pytest

from agents.models import Decision
from coaching.actions import proposals
from coaching.models import Proposal
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.calls import Script, problem

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")]


@pytest.fixture
def script(owner):
    return Script(owner)


def test_proposal_is_made_and_read_field_by_field(script, agent, owner):
    body = {
        "agent": agent.name,
        "type": "memory_entry_create",
        "change": {"summary": "Parcels wait seven days.", "text": "At the counter."},
        "rationale": "Customers ask.",
    }

    made = script.send("/proposals", body)

    told = made.json()
    assert made.status_code == 201
    assert told == {
        "id": told["id"],
        "agent": agent.name,
        "agentId": str(agent.pk),
        "type": "memory_entry_create",
        "status": "pending",
        "title": "Parcels wait seven days.",
        "rationale": "Customers ask.",
        "evidence": [],
        "conversations": 0,
        "risk": {"level": "low", "reasons": []},
        "target": None,
        "baseVersion": None,
        "change": {"summary": "Parcels wait seven days.", "text": "At the counter.", "expiresAt": None},
        "isStale": False,
        "session": None,
        "turn": None,
        "proposedBy": {"id": str(owner.pk), "name": owner.display_name},
        "replaces": None,
        "supersededBy": None,
        "createdAt": told["createdAt"],
        "decidedBy": None,
        "decidedAt": None,
        "decidedFrom": None,
        "note": "",
        "approvedChange": None,
        "resultVersion": None,
        "configurationVersion": None,
        "diff": [
            {"field": "summary", "old": None, "new": "Parcels wait seven days."},
            {"field": "text", "old": None, "new": "At the counter."},
        ],
    }
    assert script.read(f"/proposals/{told['id']}").json() == told
    (listed,) = script.read("/proposals").json()["items"]
    assert listed == {name: value for name, value in told.items() if name != "diff"}


@pytest.mark.parametrize(
    ("values", "status", "field"),
    [
        ({"type": "memory"}, 400, "type"),
        ({"rationale": ""}, 400, "rationale"),
        ({"rationale": 7}, 400, "rationale"),
        ({"change": {"summary": 7}}, 400, "change.summary"),
        ({"change": {"name": "x"}}, 400, "name"),
        ({"change": {}}, 400, "summary"),
        ({"change": {"expires": 1}}, 400, "change.expires"),
        ({"agent": "Nobody"}, 404, "agent"),
        ({"target": "x"}, 400, "target"),
        ({"type": "memory_entry_update", "target": "00000000-0000-4000-8000-000000000000"}, 404, "target"),
        ({"baseVersion": "1"}, 400, "baseVersion"),
        ({"evidence": []}, 400, "evidence"),
    ],
)
def test_proposal_that_is_none_is_refused(script, agent, values, status, field):
    body = {"agent": agent.name, "type": "memory_entry_create", "change": {"summary": "New."}, "rationale": "Why."}

    assert problem(script.send("/proposals", body | values)) == (
        status,
        {field: problem_text(script, body | values, field)},
    )
    assert not Proposal.objects.exists()


def problem_text(script, body, field):
    """The sentences about the field, which must be there."""
    said = script.send("/proposals", body).json()["errors"][field]
    assert said
    assert all(said)
    return said


def test_name_that_fits_two_agents_tells_both(script, workspace, agent):
    twin = factories.ai_agent(workspace, name=agent.name)

    response = script.send("/proposals", {"agent": agent.name, "type": "prompt_change", "rationale": "Why."})

    assert problem(response)[0] == 409
    assert {candidate["id"] for candidate in response.json()["candidates"]} == {str(agent.pk), str(twin.pk)}
    assert {candidate["name"] for candidate in response.json()["candidates"]} == {agent.name}


def test_approval_takes_effect_at_once_and_says_so(script, agent, owner):
    proposal = factories.proposal(agent)

    told = script.send(f"/proposals/{proposal.pk}/approve", {"note": "Good."}).json()

    memory = Memory.objects.get(pk=told["target"])
    assert (told["status"], told["decidedFrom"], told["note"], told["resultVersion"]) == ("approved", "api", "Good.", 1)
    assert told["decidedBy"] == {"id": str(owner.pk), "name": owner.display_name}
    assert memory.summary == told["change"]["summary"]
    assert Decision.objects.latest("number").door == "api"


def test_reviewer_edits_before_approving_and_both_texts_are_kept(script, agent):
    proposal = factories.proposal(agent)

    told = script.send(f"/proposals/{proposal.pk}/approve", {"change": {"text": "At the back door."}}).json()

    assert told["change"]["text"] == "At the counter."
    assert told["approvedChange"]["text"] == "At the back door."
    assert Memory.objects.get(pk=told["target"]).text == "At the back door."


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_who_comes_second_is_told_who_was_first(script, agent, admin, verb):
    proposal = factories.proposal(agent)
    proposals.reject(proposal, by=admin, door="slack", reason="No.")

    response = script.send(f"/proposals/{proposal.pk}/{verb}", {})

    told = response.json()
    assert problem(response)[0] == 409
    assert told["decidedBy"] == {"id": str(admin.pk), "name": admin.display_name}
    assert (told["decidedFrom"], told["proposalStatus"]) == ("slack", "rejected")
    assert isinstance(told["decidedAt"], int)


def test_stale_proposal_tells_three_values_and_stays_pending(script, agent, owner):
    memory = factories.memory(agent, owner, summary="Parcels wait seven days.")
    change = {"summary": "Parcels wait eight days."}
    proposal = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change=change)
    memories.revise(memory, changes={"summary": "Parcels wait nine days."}, base_version=1, by=owner, door="page")
    conflict = [
        {
            "field": "summary",
            "base": "Parcels wait seven days.",
            "current": "Parcels wait nine days.",
            "proposed": "Parcels wait eight days.",
        }
    ]

    detail = script.read(f"/proposals/{proposal.pk}").json()
    listed = script.read("/proposals").json()["items"][0]
    refused = script.send(f"/proposals/{proposal.pk}/approve", {})

    assert (detail["isStale"], detail["conflict"], listed["isStale"]) == (True, conflict, True)
    assert problem(refused)[0] == 409
    assert refused.json()["conflict"] == conflict
    proposal.refresh_from_db()
    assert proposal.status == "pending"


def test_rejection_keeps_its_reason(script, agent):
    proposal = factories.proposal(agent)

    told = script.send(f"/proposals/{proposal.pk}/reject", {"reason": "Not true."}).json()

    assert (told["status"], told["note"], told["resultVersion"]) == ("rejected", "Not true.", None)


def test_applied_change_is_taken_back_as_a_new_version(script, agent, owner):
    memory = factories.memory(agent, owner, text="At the counter.")
    proposal = factories.proposal(
        agent, type="memory_entry_update", target_id=memory.pk, change={"text": "At the back door."}
    )
    approved = script.send(f"/proposals/{proposal.pk}/approve", {}).json()

    told = script.send(f"/proposals/{proposal.pk}/revert", {"note": "It was the counter."})

    memory.refresh_from_db()
    made = agent.configurations.latest("number")
    assert told.status_code == 200
    assert told.json() == approved | {
        "reverted": {
            "resultVersion": 3,
            "configurationVersion": made.number,
            "revertedAt": round(made.created_at.timestamp() * 1000),
        }
    }
    assert (memory.version, memory.text) == (3, "At the counter.")
    entry = Decision.objects.latest("number")
    assert (entry.action, entry.door, entry.note) == ("reverted", "api", "It was the counter.")


@pytest.mark.parametrize("type", ["memory_entry_create", "memory_entry_update", "memory_entry_delete"])
def test_change_is_taken_back_once(script, agent, owner, type):
    memory = factories.memory(agent, owner)
    fields = {"memory_entry_create": {}, "memory_entry_update": {"change": {"text": "New."}}}
    target = {} if type == "memory_entry_create" else {"target_id": memory.pk, "change": {}}
    proposal = factories.proposal(agent, type=type, **target | fields.get(type, {}))
    script.send(f"/proposals/{proposal.pk}/approve", {})

    first, second = (script.send(f"/proposals/{proposal.pk}/revert", {}) for _ in range(2))

    assert first.status_code == 200
    assert problem(second)[0] == 409
    assert second.json()["configurationVersion"] == first.json()["reverted"]["configurationVersion"]
    assert Decision.objects.filter(action="reverted").count() == 1


def test_taking_back_what_has_moved_on_tells_the_conflict(script, agent, owner):
    memory = factories.memory(agent, owner, text="One.")
    proposal = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change={"text": "Two."})
    script.send(f"/proposals/{proposal.pk}/approve", {})
    memory.refresh_from_db()
    memories.revise(memory, changes={"text": "Three."}, base_version=2, by=owner, door="page")

    refused = script.send(f"/proposals/{proposal.pk}/revert", {})

    assert problem(refused)[0] == 409
    assert refused.json()["conflict"] == [{"field": "text", "base": "Two.", "current": "Three.", "proposed": "One."}]


def test_what_was_not_applied_cannot_be_taken_back(script, agent):
    proposal = factories.proposal(agent)

    assert problem(script.send(f"/proposals/{proposal.pk}/revert", {}))[0] == 409
    assert problem(script.send(f"/proposals/{proposal.pk}/revert", {"reason": "x"})) == (
        400,
        {"reason": ["There is no such field."]},
    )


@pytest.fixture
def stale(agent, owner):
    """A proposal whose memory got another summary since: the edits do not touch."""
    memory = factories.memory(agent, owner, text="One.")
    change = {"text": "Two."}
    proposal = factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change=change, evidence=[])
    memories.revise(memory, changes={"summary": "Another fact."}, base_version=1, by=owner, door="page")
    return proposal


def test_stale_proposal_is_rebased_and_the_new_one_told(script, stale):
    made = script.send(f"/proposals/{stale.pk}/rebase", {})

    told = made.json()
    assert made.status_code == 201
    assert (told["replaces"], told["status"], told["baseVersion"], told["isStale"]) == (
        str(stale.pk),
        "pending",
        2,
        False,
    )
    assert told["change"] == {"summary": "Another fact.", "text": "Two.", "expiresAt": None}
    assert script.read(f"/proposals/{stale.pk}").json()["supersededBy"] == told["id"]
    refused = script.send(f"/proposals/{stale.pk}/rebase", {})
    assert (refused.status_code, refused.json()["proposalStatus"]) == (409, "superseded")
    refused = script.send(f"/proposals/{told['id']}/rebase", {})
    assert (problem(refused)[0], refused.json()["type"]) == (409, "/api/v1/docs#problem-nothing-to-rebase")


def test_rebase_that_touches_tells_the_conflict_and_takes_what_a_person_wrote(script, agent, owner, stale):
    memory = agent.memories.get()
    memories.revise(memory, changes={"text": "Three."}, base_version=2, by=owner, door="page")

    refused = script.send(f"/proposals/{stale.pk}/rebase", {})
    late = script.send(f"/proposals/{stale.pk}/rebase", {"change": {"text": "Two or three."}, "baseVersion": 2})
    made = script.send(f"/proposals/{stale.pk}/rebase", {"change": {"text": "Two or three."}, "baseVersion": 3})

    assert problem(refused)[0] == problem(late)[0] == 409
    assert {"field": "text", "base": "One.", "current": "Three.", "proposed": "Two."} in refused.json()["conflict"]
    assert (made.status_code, made.json()["change"]["text"], made.json()["baseVersion"]) == (201, "Two or three.", 3)


@pytest.mark.parametrize(
    ("body", "field"),
    [({"baseVersion": 0}, "baseVersion"), ({"baseVersion": "2"}, "baseVersion"), ({"change": {"x": 1}}, "change.x")],
)
def test_rebase_and_revert_refuse_what_they_do_not_know(script, stale, body, field):
    for verb in ("rebase", "revert"):
        status, errors = problem(script.send(f"/proposals/{stale.pk}/{verb}", body))
        assert (status, list(errors)) == (400, [field])


def test_rebase_with_a_change_says_against_which_version(script, stale):
    refused = script.send(f"/proposals/{stale.pk}/rebase", {"change": {"text": "Two or three."}})

    assert problem(refused) == (400, {"baseVersion": ["A change says which version it was made from."]})


def test_what_moved_on_is_taken_back_by_what_a_person_wrote(script, agent, stale):
    rebased = script.send(f"/proposals/{stale.pk}/rebase", {}).json()["id"]
    script.send(f"/proposals/{rebased}/approve", {})
    memory = agent.memories.get()
    script.call("PATCH", f"/memories/{memory.pk}", {"baseVersion": 3, "summary": "A third fact."})

    assert problem(script.send(f"/proposals/{rebased}/revert", {}))[0] == 409
    done = script.send(f"/proposals/{rebased}/revert", {"change": {"text": "One."}, "baseVersion": 4, "note": "Wrong."})

    memory.refresh_from_db()
    assert done.json()["reverted"]["resultVersion"] == 5
    assert (memory.summary, memory.text) == ("A third fact.", "One.")


def test_several_are_decided_at_once(script, agent, owner):
    rows = [factories.proposal(agent) for _ in range(3)]
    proposals.reject(rows[1], by=owner, door="page")
    ids = [str(row.pk) for row in rows]

    told = script.send("/proposals/decide", {"verdict": "approved", "ids": ids, "note": "Together."}).json()["items"]

    assert [(each["id"], each["status"], "error" in each) for each in told] == [
        (ids[0], "approved", False), (ids[1], "rejected", True), (ids[2], "approved", False),
    ]  # fmt: skip
    assert told[1]["error"].startswith("Already rejected by")
    assert owner.workspace.decisions.filter(action="approved", door="api", note="Together.").count() == 2


def test_several_that_do_not_belong_together_or_are_not_there_decide_nothing(script, agent, stranger):
    fine = factories.proposal(agent)
    other = factories.proposal(agent, type="prompt_change", change={"system_prompt": "Be brief."})
    elsewhere = factories.proposal(factories.ai_agent(stranger.workspace))

    def send(*ids, **more):
        return problem(script.send("/proposals/decide", {"verdict": "rejected", "ids": list(map(str, ids)), **more}))

    assert send(fine.pk, other.pk)[0] == 409
    assert send(fine.pk, elsewhere.pk) == (404, {"ids": ["There is no such proposal here."]})
    assert list(send(fine.pk, verdict="pending")[1]) == ["verdict"]
    assert list(send()[1]) == ["ids"]
    assert list(send(*[fine.pk] * 201)[1]) == ["ids"]
    assert Proposal.objects.filter(status="pending").count() == 3


def test_proposal_of_another_release_is_read_and_cannot_be_decided(script, agent):
    old = factories.proposal(agent)
    Proposal.objects.filter(pk=old.pk).update(type="tone_of_voice_change", base_version=1, target_id=agent.pk)

    assert [row["type"] for row in script.read("/proposals").json()["items"]] == ["tone_of_voice_change"]
    assert script.read(f"/proposals/{old.pk}").json()["isStale"] is False
    for verb in ("approve", "reject", "rebase"):
        refused = script.send(f"/proposals/{old.pk}/{verb}", {})
        assert problem(refused)[0] == 400
        assert "comes from another release" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"summary": "One. Two. Three."}, "A summary is one sentence"),
        ({"summary": "返品は三十日以内です。返金は五日かかります。"}, "A summary is one sentence"),
        ({"summary": "\u200b \u2060"}, "A memory needs a summary"),
        ({"summary": " "}, "A memory needs a summary"),
        ({"summary": "Fine.", "text": "x" * 50_001}, "50000"),
    ],
)
def test_rule_of_a_summary_is_told(script, agent, change, words):
    body = {"agent": agent.name, "type": "memory_entry_create", "change": change, "rationale": "Why not."}

    status, errors = problem(script.send("/proposals", body))

    (said,) = errors.values()
    assert (status, words in said[0]) == (400, True), said


def test_folder_is_a_field_of_a_procedure(script, agent):
    change = {"name": "Refund", "content": "1. Look.", "folder": "Money"}
    body = {"agent": agent.name, "type": "procedure_create", "change": change, "rationale": "Why not."}

    made = script.send("/proposals", body).json()
    script.send(f"/proposals/{made['id']}/approve", {})

    assert made["change"]["folder"] == "Money"
    assert agent.procedures.get().folder == "Money"


def test_list_is_filtered_by_risk_decider_and_words(script, agent, owner, admin):
    risky = factories.proposal(agent, change={"summary": "See https://x.example.", "text": ""})
    done = factories.proposal(agent, rationale="The opening hours are wrong.")
    proposals.reject(done, by=admin, door="page")

    def ids(query):
        return [row["id"] for row in script.read(f"/proposals?{query}").json()["items"]]

    assert ids("risk=high") == [str(risky.pk)]
    assert ids(f"decidedBy={admin.pk}") == [str(done.pk)]
    assert ids("search=HOURS%20opening") == [str(done.pk)]
    assert problem(script.read("/proposals?risk=huge"))[0] == 400


def test_list_is_filtered(script, agent, owner, workspace):
    other = factories.proposal(factories.ai_agent(workspace))
    done = factories.proposal(agent)
    proposals.reject(done, by=owner, door="page")
    waiting = factories.proposal(agent)

    def ids(query):
        return {row["id"] for row in script.read(f"/proposals?{query}").json()["items"]}

    assert ids("") == {str(p.pk) for p in (other, done, waiting)}
    assert ids(f"agent={agent.name}&status=pending") == {str(waiting.pk)}
    assert ids(f"agent={agent.pk}") == {str(done.pk), str(waiting.pk)}
    assert ids("type=prompt_change") == set()
    assert ids("createdBefore=1600000000000") == set()
    assert len(ids("createdAfter=1600000000000")) == 3
    assert problem(script.read("/proposals?agent=Nobody"))[0] == 404


def test_list_asks_the_same_number_of_queries_for_any_number_of_rows(
    script, agent, owner, django_assert_max_num_queries
):
    for n in range(6):
        memory = factories.memory(agent, owner, summary=f"Fact number {n}.")
        factories.proposal(agent, type="memory_entry_update", target_id=memory.pk, change={"text": "New."})
    script.read("/proposals")

    with django_assert_max_num_queries(5):  # token, rows, targets of three kinds
        assert len(script.read("/proposals").json()["items"]) == 6


# --- Decisions -------------------------------------------------------------------------------------------------------


def test_decision_is_told_field_by_field(script, agent, owner):
    proposal = factories.proposal(agent)
    proposals.approve(proposal, by=owner, door="slack", note="Good.")
    entry = Decision.objects.get()

    (told,) = script.read("/decisions").json()["items"]

    assert told == {
        "number": 1,
        "at": told["at"],
        "by": {"id": str(owner.pk), "name": str(owner)},
        "decidedFrom": "slack",
        "action": "approved",
        "agent": agent.name,
        "agentId": str(agent.pk),
        "targetKind": "memory",
        "targetId": str(proposal.target_id),
        "resultVersion": 1,
        "configurationVersion": 2,
        "proposal": str(proposal.pk),
        "proposalType": "memory_entry_create",
        "title": proposal.title,
        "note": "Good.",
        "previousHash": "",
        "hash": entry.hash,
    }


def test_log_is_exported_whole_as_csv_and_as_json_lines(script, agent, owner):
    for note in ("=1+1", "plain"):
        proposals.reject(factories.proposal(agent), by=owner, door="page", reason=note)

    exported = script.read("/decisions?limit=1", Accept="text/csv")
    lines = script.read("/decisions", Accept="application/x-ndjson")

    rows = list(csv.DictReader(io.StringIO(b"".join(exported).decode())))
    assert exported["Content-Type"].startswith("text/csv")
    assert "attachment" in exported["Content-Disposition"]
    assert [(row["number"], row["note"], row["by"]) for row in rows] == [
        ("1", "'=1+1", str(owner)),
        ("2", "plain", str(owner)),
    ]
    assert [json.loads(line)["note"] for line in b"".join(lines).splitlines()] == ["=1+1", "plain"]


def test_refusal_of_an_export_is_a_problem(linked_member):
    assert problem(Script(linked_member).read("/decisions", Accept="text/csv"))[0] == 403


def test_log_is_filtered_by_person_and_door(script, agent, owner, admin):
    for by, door in ((owner, "page"), (admin, "slack")):
        proposals.reject(factories.proposal(agent), by=by, door=door)

    def numbers(query):
        return [row["number"] for row in script.read(f"/decisions?{query}").json()["items"]]

    assert numbers("") == [2, 1]
    assert numbers(f"by={owner.pk}") == [1]
    assert numbers("door=slack") == [2]
    assert problem(script.read("/decisions?door=window"))[0] == 400
