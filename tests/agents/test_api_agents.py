"""Agents, configurations and procedures through the API, field by field."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from agents import actions
from agents.api_base import epoch_ms
from agents.models import Agent, Decision
from coaching.actions import changes
from tests import factories
from tests.calls import Script, problem

pytestmark = pytest.mark.django_db


@pytest.fixture
def script(owner):
    return Script(owner)


def test_ai_agent_is_made_and_read_field_by_field(script, workspace):
    body = {
        "name": "Assistant",
        "kind": "ai",
        "team": "Shop",
        "coaching": True,
        "externalIds": {"desk": "17"},
        "systemPrompt": "Be kind.",
        "storage": {"mode": "full", "retentionDays": 30},
    }

    made = script.send("/agents", body)

    told = made.json()
    assert made.status_code == 201
    assert told == body | {"id": told["id"], "active": True, "promptVersion": 1, "configurationVersion": 1}
    assert script.read(f"/agents/{told['id']}").json() == told
    assert script.read("/agents").json() == {"items": [told], "nextCursor": None}


def test_person_has_defaults_and_no_prompt(script):
    told = script.send("/agents", {"name": "Ana"}).json()

    assert told == {
        "id": told["id"],
        "name": "Ana",
        "kind": "human",
        "team": None,
        "active": True,
        "coaching": False,
        "externalIds": {},
    }


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "Ana", "systemPrompt": "x"}, "systemPrompt"),
        ({"name": "Ana", "coaching": True}, "coaching"),
        ({"name": "Ana", "externalIds": {"desk": "taken"}}, "externalIds"),
    ],
)
def test_agent_that_cannot_be_is_refused_and_not_stored(script, workspace, body, field):
    factories.human(workspace, name="Ben", external_ids={"desk": "taken"})

    status, errors = problem(script.send("/agents", body))

    assert (status, list(errors)) == (400, [field])
    assert list(Agent.objects.values_list("name", flat=True)) == ["Ben"]


def test_linked_member_reads_their_own_row_only(linked_member, agent):
    told = Script(linked_member).read("/agents").json()["items"]

    assert [row["id"] for row in told] == [str(linked_member.agent_id)]


def test_list_is_filtered(script, workspace, agent):
    factories.human(workspace, name="Ana", team="Shop")
    factories.human(workspace, name="Ben", active=False)

    def names(query):
        return [row["name"] for row in script.read(f"/agents?{query}").json()["items"]]

    assert names("kind=human") == ["Ana", "Ben"]
    assert names("team=Shop") == ["Ana"]
    assert names("active=false") == ["Ben"]
    assert names("name=Ben") == ["Ben"]
    assert names("coaching=true") == [agent.name]


def test_list_asks_the_same_number_of_queries_for_any_number_of_rows(script, workspace, django_assert_max_num_queries):
    for n in range(12):
        factories.ai_agent(workspace, team=f"Team {n}", external_ids={"desk": str(n)})
    script.read("/agents")  # notes the token's use

    with django_assert_max_num_queries(3):  # token, rows, external ids
        assert len(script.read("/agents").json()["items"]) == 12


def test_patch_changes_what_is_sent(script, agent):
    told = script.call("PATCH", f"/agents/{agent.pk}", {"name": "Helper", "team": "Shop", "active": False}).json()

    assert (told["name"], told["team"], told["active"], told["coaching"]) == ("Helper", "Shop", False, True)
    assert script.call("PATCH", f"/agents/{agent.pk}", {"team": None}).json()["team"] is None


def test_patch_of_the_prompt_is_a_version_of_its_base(script, agent):
    path = f"/agents/{agent.pk}"

    missing = problem(script.call("PATCH", path, {"systemPrompt": "New."}))
    alone = problem(script.call("PATCH", path, {"baseVersion": 1}))
    told = script.call("PATCH", path, {"systemPrompt": "New.", "baseVersion": 1}).json()
    stale = script.call("PATCH", path, {"systemPrompt": "Newer.", "baseVersion": 1, "name": "Changed"})

    assert (missing[0], list(missing[1]), alone[0], list(alone[1])) == (400, ["baseVersion"], 400, ["baseVersion"])
    assert (told["systemPrompt"], told["promptVersion"], told["configurationVersion"]) == ("New.", 2, 2)
    assert problem(stale)[0] == 409
    base = "You help customers of the shop.\nRefunds above 200 € need an approval."
    assert stale.json()["conflict"] == [
        {"field": "systemPrompt", "base": base, "current": "New.", "proposed": "Newer."}
    ]
    assert (stale.json()["baseVersion"], stale.json()["currentVersion"]) == (1, 2)
    agent.refresh_from_db()
    assert agent.name != "Changed"
    assert Decision.objects.latest("number").door == "api"


def test_prompt_beyond_the_limit_is_refused_by_name(script, agent):
    over = script.call("PATCH", f"/agents/{agent.pk}", {"systemPrompt": "p" * 50_001, "baseVersion": 1})

    assert (problem(over)[0], list(problem(over)[1])) == (400, ["systemPrompt"])


def test_patch_of_the_kind_is_refused(script, agent):
    assert problem(script.call("PATCH", f"/agents/{agent.pk}", {"kind": "human"}))[0] == 400


# --- Configurations --------------------------------------------------------------------------------------------------


def test_configuration_tells_what_the_runtime_needs(owner, agent):
    kept = factories.procedure(agent, owner, name="Refund", trigger="A refund.", content="1. Check.")
    factories.procedure(agent, owner, name="Draft", active=False)
    factories.memory(agent, owner)

    told = Script(owner, ["runtime"]).read(f"/agents/{agent.pk}/configuration").json()

    assert told == {
        "agent": agent.name,
        "agentId": str(agent.pk),
        "version": 4,
        "systemPrompt": agent.prompt.system_prompt,
        "promptVersion": 1,
        "procedures": [
            {"id": str(kept.pk), "version": 1, "name": "Refund", "trigger": "A refund.", "content": "1. Check."}
        ],
        "memoryBaseVersion": 1,
    }


def test_configuration_of_then_is_told_by_number_and_by_time(script, owner, workspace):
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        agent = factories.ai_agent(workspace, system_prompt="First.")
        procedure = factories.procedure(agent, owner, name="Refund", content="1.")
    with time_machine.travel("2026-04-01T12:00:00Z", tick=False):
        actions.change_prompt(agent.prompt, system_prompt="Second.", base_version=1, by=owner, door="page")
        actions.remove(procedure, base_version=1, by=owner, door="page")
    with time_machine.travel("2026-05-01T12:00:00Z", tick=False):
        actions.restore(type(procedure), procedure.pk, by=owner, door="page")
    path = f"/agents/{agent.pk}/configuration"

    def summary(query):
        told = script.read(f"{path}?{query}").json()
        return told["version"], told["systemPrompt"], [(p["name"], p["version"]) for p in told["procedures"]]

    assert [summary(f"version={n}") for n in range(1, 6)] == [
        (1, "First.", []),
        (2, "First.", [("Refund", 1)]),
        (3, "Second.", [("Refund", 1)]),
        (4, "Second.", []),
        (5, "Second.", [("Refund", 3)]),
    ]
    day = 24 * 3600 * 1000
    first = 1_772_366_400_000  # 2026-03-01T12:00Z
    assert summary(f"asOf={first + day}")[0] == 2
    assert summary(f"asOf={first + 40 * day}")[0] == 4
    for query, status in (
        ("version=0", 404), ("version=6", 404), (f"asOf={first - day}", 404), ("version=x", 400),
        (f"version=1&asOf={first}", 400), (f"asOf={first // 1000}", 400),
    ):  # fmt: skip
        assert problem(script.read(f"{path}?{query}"))[0] == status, query


def test_configuration_is_not_sent_again_while_it_is_the_same(script, agent, owner):
    path = f"/agents/{agent.pk}/configuration"
    etag = script.read(path)["ETag"]

    same = script.read(path, **{"If-None-Match": etag})
    assert (same.status_code, same.content, same["ETag"]) == (304, b"", etag)
    actions.change_prompt(agent.prompt, system_prompt="New.", base_version=1, by=owner, door="page")
    changed = script.read(path, **{"If-None-Match": etag})
    assert (changed.status_code, changed.json()["systemPrompt"]) == (200, "New.")


def test_configuration_of_a_person_is_not_there(script, workspace):
    assert problem(script.read(f"/agents/{factories.human(workspace).pk}/configuration"))[0] == 404


def test_versions_tell_what_changed_who_and_by_what(script, owner, agent):
    memory = factories.memory(agent, owner)

    told = script.read(f"/agents/{agent.pk}/versions").json()

    newest = told["items"][0]
    assert [row["version"] for row in told["items"]] == [2, 1]
    assert newest == {
        "version": 2,
        "change": "created",
        "targetKind": "memory",
        "targetId": str(memory.pk),
        "targetVersion": 1,
        "memoryBaseVersion": 1,
        "by": {"id": str(owner.pk), "name": owner.display_name},
        "door": "page",
        "reason": "",
        "proposal": None,
        "reverts": None,
        "revertedBy": None,
        "changedAt": newest["changedAt"],
    }
    assert abs(newest["changedAt"] - epoch_ms(timezone.now())) < 60_000


def test_versions_link_a_change_and_what_took_it_back(script, owner, agent):
    factories.memory(agent, owner)
    changes.take_back(agent.configurations.get(number=2), by=owner, door="page")

    told = script.read(f"/agents/{agent.pk}/versions").json()["items"]

    assert [(row["version"], row["reverts"], row["revertedBy"]) for row in told] == [
        (3, 2, None),
        (2, None, 3),
        (1, None, None),
    ]


def test_versions_ask_the_same_number_of_queries_for_any_number_of_rows(
    script, owner, agent, django_assert_max_num_queries
):
    for _ in range(9):
        factories.memory(agent, owner)
        changes.take_back(agent.configurations.latest("number"), by=owner, door="page")
    script.read(f"/agents/{agent.pk}/versions")  # notes the token's use

    with django_assert_max_num_queries(3):  # token, agent, rows
        assert len(script.read(f"/agents/{agent.pk}/versions").json()["items"]) == 19


# --- Procedures ------------------------------------------------------------------------------------------------------


def test_procedure_lives_from_creation_to_restoration(script, agent):
    made = script.send(f"/agents/{agent.pk}/procedures", {"name": "Refund", "trigger": "Asked.", "content": "1."})
    told = made.json()
    path = f"/procedures/{told['id']}"
    assert made.status_code == 201
    assert set(told) == {"id", "version", "name", "trigger", "content", "active", "folder", "createdAt", "updatedAt"}
    assert script.read(path).json() == told

    changed = script.call("PATCH", path, {"baseVersion": 1, "content": "2.", "active": False}).json()
    assert (changed["version"], changed["content"], changed["active"], changed["name"]) == (2, "2.", False, "Refund")
    assert problem(script.call("DELETE", path))[1].keys() == {"baseVersion"}
    assert problem(script.call("DELETE", f"{path}?baseVersion=1"))[0] == 409
    assert script.call("DELETE", path, {"baseVersion": 2}).status_code == 204
    assert problem(script.read(path))[0] == 404

    versions = script.read(f"{path}/versions").json()["items"]
    assert [(v["version"], v["change"]) for v in versions] == [(3, "removed"), (2, "revised"), (1, "created")]
    assert versions[2]["content"] == "1."
    assert script.send(f"{path}/restore", {}).json()["version"] == 4
    assert problem(script.send(f"{path}/restore", {}))[0] == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"content": "1."}, "name"),
        ({"name": "New"}, "content"),
        ({"name": "New", "content": ""}, "content"),
        ({"name": "n" * 201, "content": "1."}, "name"),
        ({"name": "New", "content": "c" * 50_001}, "content"),
        ({"name": "New", "content": "1.", "folder": "f" * 101}, "folder"),
        ({"name": "New", "content": "1.", "folder": None}, "folder"),
        ({"name": "New", "content": "1.", "version": 3}, "version"),
    ],
)
def test_procedure_that_is_none_is_refused(script, agent, body, field):
    status, errors = problem(script.send(f"/agents/{agent.pk}/procedures", body))

    assert (status, list(errors)) == (400, [field])


def test_folder_of_a_procedure_is_read_written_and_kept_in_its_versions(script, agent):
    path = f"/agents/{agent.pk}/procedures"
    made = script.send(path, {"name": "Refund", "content": "1.", "folder": " Money "}).json()

    changed = script.call("PATCH", f"/procedures/{made['id']}", {"baseVersion": 1, "folder": ""}).json()

    versions = script.read(f"/procedures/{made['id']}/versions").json()["items"]
    assert (made["folder"], changed["folder"], [row["folder"] for row in versions]) == ("Money", "", ["", "Money"])
    assert [row["folder"] for row in script.read(f"{path}?version=2").json()["items"]] == ["Money"]


def test_procedure_name_is_taken_once(script, agent, owner):
    factories.procedure(agent, owner, name="Refund")

    taken = problem(script.send(f"/agents/{agent.pk}/procedures", {"name": "refund", "content": "1."}))
    assert (taken[0], list(taken[1])) == (400, ["name"])


def test_patch_that_changes_nothing_is_refused(script, agent, owner):
    procedure = factories.procedure(agent, owner)

    assert problem(script.call("PATCH", f"/procedures/{procedure.pk}", {"baseVersion": 1}))[0] == 400


def test_person_has_no_procedures(script, workspace):
    human = factories.human(workspace)

    assert script.read(f"/agents/{human.pk}/procedures").json()["items"] == []
    status, errors = problem(script.send(f"/agents/{human.pk}/procedures", {"name": "New", "content": "1."}))
    assert (status, list(errors)) == (400, ["agent"])


def test_times_are_whole_milliseconds(script, agent, owner):
    expires_at = timezone.now() + timedelta(days=3)
    memory = factories.memory(agent, owner, expires_at=expires_at)

    told = script.read(f"/memories/{memory.pk}").json()["expiresAt"]

    assert told == epoch_ms(expires_at)
    assert isinstance(told, int)
