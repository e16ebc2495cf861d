"""The configurations of an AI agent: the list of its changes, two of them compared, what it was told then."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents import actions
from agents.models import Configuration
from coaching.actions import changes, proposals
from coaching.pages import configurations
from memories import actions as memories
from memories.models import Memory
from tests import factories

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def text(response):
    return " ".join(response.content.decode().split())


def queries(client, path):
    with CaptureQueriesContext(connection) as context:
        assert client.get(path).status_code == 200
    return len(context)


def revise(memory, by, **fields):
    return memories.revise(memory, changes=fields, base_version=memory.version, by=by, door="page")


# --- The list ---------------------------------------------------------------------------------------------------------


def test_list_tells_each_change_with_number_who_and_proposal(agent, owner, admin, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")
    revise(memory, admin, summary="Open till eight.")
    approved = proposals.approve(factories.proposal(agent), by=owner, door="page")
    actions.remove(memory, base_version=2, by=owner, door="page")

    page = signed_in(owner).get(f"/agents/{agent.pk}/configurations")

    told = [(c.row.number, c.words, c.title) for c in page.context["configurations"].changes]
    assert told == [
        (5, "Removed a memory", "Open till eight."),
        (4, "Added a memory", approved.change["summary"]),
        (3, "Changed a memory", "Open till eight."),
        (2, "Added a memory", "Open till six."),
        (1, "Added the prompt", ""),
    ]
    assert f'href="/proposals/{approved.pk}"' in text(page)
    assert admin.display_name in text(page)


def test_list_links_a_change_and_what_took_it_back_both_ways(agent, owner, signed_in):
    factories.memory(agent, owner)
    made = Configuration.objects.get(agent=agent, number=2)
    changes.take_back(made, by=owner, door="page")

    page = signed_in(owner).get(f"/agents/{agent.pk}/configurations")

    newest, taken_back, first = page.context["configurations"].changes
    assert (newest.row.reverts.number, taken_back.taken_back_by) == (2, 3)
    assert (newest.may_be_taken_back, taken_back.may_be_taken_back, first.may_be_taken_back) == (True, False, False)
    path = f"/agents/{agent.pk}/configurations"
    assert f'href="{path}/2">takes back 2</a>' in text(page)
    assert f'href="{path}/3">taken back by 3</a>' in text(page)


def test_change_is_taken_back_by_way_of_its_decision(agent, owner, signed_in):
    factories.memory(factories.ai_agent(owner.workspace), owner)  # decision 1 is of another agent
    factories.memory(agent, owner)
    client, path = signed_in(owner), f"/agents/{agent.pk}/configurations"

    page = client.get(path)
    assert 'href="/decisions/2/take-back"' in page.content.decode()
    assert client.get("/decisions/2/take-back").status_code == 200
    client.post("/decisions/2/take-back")

    newest, taken_back, _ = client.get(path).context["configurations"].changes
    assert (newest.words, newest.row.reverts.number, taken_back.taken_back_by) == ("Removed a memory", 2, 3)


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("?kind=memory", [3, 2]),
        ("?kind=procedure", [4]),
        ("?kind=prompt", [1]),
        ("?kind=nonsense&page=9", [4, 3, 2, 1]),
    ],
)
def test_list_is_narrowed_to_one_kind(query, numbers, agent, owner, signed_in):
    factories.memory(agent, owner)
    factories.memory(agent, owner)
    factories.procedure(agent, owner)

    found = signed_in(owner).get(f"/agents/{agent.pk}/configurations{query}").context["configurations"]

    assert [change.row.number for change in found.changes] == numbers


def test_list_is_paged_within_its_kind(agent, owner, signed_in):
    for _ in range(configurations.PAGE_SIZE + 1):
        factories.memory(agent, owner)

    found = signed_in(owner).get(f"/agents/{agent.pk}/configurations?kind=memory&page=2").context["configurations"]

    assert (found.n_found, found.n_pages, [c.row.number for c in found.changes]) == (51, 2, [2])
    assert found.previous_page == "?kind=memory"


def test_pages_take_as_many_queries_for_thirty_as_for_one(agent, owner, signed_in):
    client, base = signed_in(owner), f"/agents/{agent.pk}/configurations"
    paths = [base, f"{base}?from=1&to=6", f"{base}/6"]

    def fill(n):
        for _ in range(n):
            revise(factories.memory(agent, owner), owner, text="Other.")
            factories.procedure(agent, owner, folder="Money")
            approved = proposals.approve(factories.proposal(agent), by=owner, door="page")
            changes.take_back(
                Configuration.objects.get(agent=agent, number=approved.configuration_number), by=owner, door="page"
            )

    fill(1)
    few = [queries(client, path) for path in paths]
    fill(8)
    paths[1:] = [f"{base}?from=1&to=40", f"{base}/40"]

    assert [queries(client, path) for path in paths] == few


def test_person_has_no_configurations(owner, signed_in):
    person = factories.human(owner.workspace)

    assert signed_in(owner).get(f"/agents/{person.pk}/configurations").status_code == 404


# --- Two compared -----------------------------------------------------------------------------------------------------


@pytest.fixture
def compared(agent, owner, signed_in):
    """A function: from, to -> the differences as (words, kind, title)."""
    client = signed_in(owner)

    def compare(old, new):
        page = client.get(f"/agents/{agent.pk}/configurations?from={old}&to={new}")
        found = page.context["configurations"].compared
        return page, found, found and [(one.words, one.target_kind, one.title) for one in found.differences]

    return compare


def test_comparison_tells_what_differs_thing_by_thing_either_way_round(agent, owner, compared):
    kept = factories.memory(agent, owner, summary="Open till six.")  # 2
    gone = factories.memory(agent, owner, summary="No cash.")  # 3
    revise(kept, owner, summary="Open till eight.")  # 4
    actions.remove(gone, base_version=1, by=owner, door="page")  # 5
    actions.change_prompt(agent.prompt, system_prompt="Be brief.", base_version=1, by=owner, door="page")  # 6
    factories.procedure(agent, owner, name="Refund")  # 7

    page, found, told = compared(3, 7)

    assert told == [
        ("Changed", "prompt", ""),
        ("Added", "procedure", "Refund"),
        ("Removed", "memory", "No cash."),
        ("Changed", "memory", "Open till eight."),
    ]
    (changed,) = found.differences[3].changes
    assert (changed.field, changed.old, changed.new) == ("summary", "Open till six.", "Open till eight.")
    assert "From configuration 3 to 7" in text(page)
    assert compared(7, 3)[2] == [
        ("Changed", "prompt", ""),
        ("Removed", "procedure", "Refund"),
        ("Added", "memory", "No cash."),
        ("Changed", "memory", "Open till six."),
    ]


def test_comparison_leaves_out_what_is_again_as_it_was(agent, owner, compared):
    memory = factories.memory(agent, owner, summary="Open till six.")
    revise(memory, owner, summary="Open till eight.")
    revise(memory, owner, summary="Open till six.")
    actions.remove(factories.memory(agent, owner), base_version=1, by=owner, door="page")

    page, found, told = compared(2, 6)

    assert (told, found.n_same) == ([], 2)
    assert "was told the same at both" in text(page)


@pytest.mark.parametrize(("old", "new"), [(0, 1), (1, 99), ("x", 1), (1, "99999999999")])
def test_comparison_with_what_is_not_there_says_so(old, new, compared):
    page, found, _ = compared(old, new)

    assert (page.status_code, found) == (200, None)
    assert ("There is nothing to compare" in text(page)) is True


def test_comparison_of_many_things_tells_the_newest_and_counts_the_others(agent, owner, compared, monkeypatch):
    monkeypatch.setattr(configurations, "COMPARED", 3)
    for number in range(5):
        factories.memory(agent, owner, summary=f"Fact {number}.")

    page, found, told = compared(1, 6)

    assert [title for _, _, title in told] == ["Fact 4.", "Fact 3.", "Fact 2."]
    assert found.n_more == 2
    assert "2 more things changed in between" in text(page)


def test_things_of_other_agents_are_not_compared(agent, owner, compared):
    factories.memory(agent, owner, summary="Ours.")
    factories.memory(factories.ai_agent(owner.workspace), owner, summary="Theirs.")

    assert [title for _, _, title in compared(1, 2)[2]] == ["Ours."]


# --- What it was told then --------------------------------------------------------------------------------------------


@pytest.fixture
def history(owner):
    """An agent that learned something at noon of each first days of March 2026, and what it knew is known."""
    with time_machine.travel(NOON, tick=False):
        agent = factories.ai_agent(owner.workspace, system_prompt="First prompt.")  # 1
        memory = factories.memory(agent, owner, summary="Open till six.", expires_at=NOON + timedelta(days=3))  # 2
        factories.procedure(agent, owner, name="Refund", folder="Money")  # 3
        factories.procedure(agent, owner, name="Draft", active=False)  # 4
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        revise(memory, owner, summary="Open till eight.")  # 5
        factories.memory(agent, owner, summary="No cash.", text="Cards only.")  # 6
    with time_machine.travel(NOON + timedelta(days=6), tick=False):
        actions.change_prompt(agent.prompt, system_prompt="Second prompt.", base_version=1, by=owner, door="page")  # 7
    return agent


def then(client, agent, tail):
    found = client.get(f"/agents/{agent.pk}/configurations/{tail}").context["then"]
    folders = [(folder.name, [one.name for one in folder.procedures]) for folder in found.folders]
    return found.made.number, found.prompt.system_prompt, folders, sorted(m.summary for m in found.memories)


@pytest.mark.parametrize(
    ("tail", "told"),
    [
        ("1", (1, "First prompt.", [], [])),
        ("4", (4, "First prompt.", [("Money", ["Refund"])], ["Open till six."])),
        ("6", (6, "First prompt.", [("Money", ["Refund"])], ["No cash.", "Open till eight."])),
        ("7", (7, "Second prompt.", [("Money", ["Refund"])], ["No cash."])),
        ("as-of?asOf=2026-03-02T12:00", (4, "First prompt.", [("Money", ["Refund"])], ["Open till six."])),
        (
            "as-of?asOf=2026-03-04T11:59",
            (6, "First prompt.", [("Money", ["Refund"])], ["No cash.", "Open till eight."]),
        ),
        ("as-of?asOf=2026-03-04T12:00", (6, "First prompt.", [("Money", ["Refund"])], ["No cash."])),
    ],
)
def test_configuration_is_read_as_it_was_and_as_it_was_valid(tail, told, history, owner, signed_in):
    assert then(signed_in(owner), history, tail) == told


def test_as_of_is_a_time_on_the_clock_of_the_workspace(history, owner, signed_in):
    owner.workspace.time_zone = "Europe/Berlin"
    owner.workspace.save_without_historical_record()

    assert then(signed_in(owner), history, "as-of?asOf=2026-03-03T12:59")[0] == 4
    assert then(signed_in(owner), history, "as-of?asOf=2026-03-03T13:00")[0] == 6


@pytest.mark.parametrize(
    ("as_of", "words"),
    [
        ("2026-02-01T10:00", "was not here then"),
        ("2126-02-01T10:00", "has not come yet"),
        ("2026-03-29T02:30", "02:30 does not exist on 29 Mar 2026 in Europe/Berlin"),
        ("2025-10-26T02:30", "02:30 comes twice on 26 Oct 2025 in Europe/Berlin"),
        ("0001-01-01T00:00", "beyond the calendar"),
        ("soon", "Give a date and a time"),
        ("", "Give a date and a time"),
    ],
)
def test_as_of_that_cannot_be_is_said_beside_its_field(as_of, words, history, owner, signed_in):
    owner.workspace.time_zone = "Europe/Berlin"
    owner.workspace.save_without_historical_record()

    response = signed_in(owner).get(f"/agents/{history.pk}/configurations/as-of", {"asOf": as_of})

    assert response.status_code == 400
    assert words in " ".join(response.context["form"].errors["asOf"])
    assert words in text(response)


def test_memories_of_then_are_searched_and_paged(history, owner, signed_in, monkeypatch):
    monkeypatch.setattr(configurations, "PAGE_SIZE", 1)
    client, path = signed_in(owner), f"/agents/{history.pk}/configurations/as-of?asOf=2026-03-04T11:59"

    def found(query):
        answer = client.get(path + query).context["then"]
        return answer.n_found, answer.n_pages, [m.summary for m in answer.memories]

    assert found("&q=CARDS") == (1, 1, ["No cash."])
    assert found("&q=six") == (0, 1, [])
    assert found("&page=2") == (2, 2, ["Open till eight."])
    assert client.get(path + "&page=2").context["then"].previous_page == "?asOf=2026-03-04T11%3A59"


def test_configuration_that_is_not_there_is_not_found(history, owner, signed_in):
    for number in (0, 8, 10**12):
        assert signed_in(owner).get(f"/agents/{history.pk}/configurations/{number}").status_code == 404


def test_memory_that_was_restored_is_read_with_the_version_of_then(agent, owner, signed_in):
    memory = factories.memory(agent, owner, summary="Open till six.")
    actions.remove(memory, base_version=1, by=owner, door="page")
    revise(actions.restore(Memory, memory.pk, by=owner, door="page"), owner, summary="Open till eight.")

    told = [then(signed_in(owner), agent, str(number))[3] for number in range(1, 6)]

    assert told == [[], ["Open till six."], [], ["Open till six."], ["Open till eight."]]
