"""The page of the decision log: what it lists and links, its filters, its files, its check, and taking back from an entry."""

import csv
import io
import json
from datetime import timedelta

import pytest
from django.urls import reverse

from agents import actions
from agents.models import Decision
from coaching.actions import changes, proposals
from coaching.pages import decisions as page
from memories import actions as memories
from tests import factories, tampering

pytestmark = [pytest.mark.django_db, pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")]


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


@pytest.fixture
def memory(agent, owner):
    """A memory of two versions: entries 1 and 2."""
    row = factories.memory(agent, owner, text="One.")
    return memories.revise(row, changes={"text": "Two."}, base_version=1, by=owner, door="page", reason="It changed.")


def load(owner, **question):
    return page.load(owner, page.Question(**question))


def numbers(client, query=""):
    return [row.entry.number for row in client.get(f"/decisions{query}").context["log"].rows]


def test_entries_lead_to_what_they_are_about(client, agent, owner, memory):
    approved = proposals.approve(factories.proposal(agent), by=owner, door="slack", note="Good.")
    gone = factories.memory(agent, owner, summary="Soon gone.")
    actions.remove(gone, base_version=1, by=owner, door="page")

    rows = load(owner).rows

    assert [row.address for row in rows] == [
        reverse("agent", args=[agent.pk]), reverse("agent", args=[agent.pk]), reverse("proposal", args=[approved.pk]),
        reverse("memory", args=[agent.pk, memory.pk]), reverse("memory", args=[agent.pk, memory.pk]),
    ]  # fmt: skip
    assert [row.action for row in rows] == ["Removed", "Added", "Approved", "Changed", "Added"]
    html = client.get("/decisions").content.decode()
    assert "from Slack" in html
    assert "version 2" in html
    assert "“It changed.”" in html


def test_taking_back_is_linked_both_ways_and_offered_once(client, agent, owner, memory):
    made = agent.configurations.latest("number")
    changes.take_back(made, by=owner, door="page")

    back, changed, created = load(owner).rows

    assert (back.takes_back, back.taken_back_by, back.may_take_back) == (2, None, True)
    assert (changed.takes_back, changed.taken_back_by, changed.may_take_back) == (None, 3, False)
    assert (created.takes_back, created.taken_back_by, created.may_take_back) == (None, None, True)
    html = client.get("/decisions").content.decode()
    assert 'takes back <a href="/decisions?entry=2">entry 2</a>' in html
    assert 'taken back by <a href="/decisions?entry=3">entry 3</a>' in html
    assert numbers(client, "?entry=3") == [3]


def test_filters_narrow_and_nonsense_is_taken_as_not_given(client, agent, owner, admin, memory, stranger):
    other = factories.ai_agent(owner.workspace)
    proposals.reject(factories.proposal(other), by=admin, door="api", reason="Opening hours are wrong.")
    factories.memory(factories.ai_agent(stranger.workspace), stranger)
    day = Decision.objects.get(number=3, workspace=owner.workspace).at.date()

    assert numbers(client) == [3, 2, 1]
    assert numbers(client, f"?agent={other.pk}") == [3]
    assert numbers(client, "?action=revised") == [2]
    assert numbers(client, f"?by={admin.pk}") == [3]
    assert numbers(client, "?door=page") == [2, 1]
    assert numbers(client, "?q=OPENING") == [3]
    assert numbers(client, f"?after={day - timedelta(days=1)}&before={day + timedelta(days=1)}") == [3, 2, 1]
    assert numbers(client, f"?before={day - timedelta(days=2)}") == []
    assert numbers(client, "?agent=x&action=x&by=x&door=x&after=0001-01-01&page=x&entry=x") == [3, 2, 1]
    assert "No entry fits" in client.get("/decisions?q=nowhere").content.decode()


def test_days_are_those_of_the_workspace(client, agent, owner, time_machine):
    owner.workspace.time_zone = "Pacific/Auckland"
    owner.workspace.save_without_historical_record()
    time_machine.move_to("2026-06-01T13:00Z")  # 1 am of the second there
    factories.memory(agent, owner)

    assert numbers(client, "?after=2026-06-02&before=2026-06-02") == [1]
    assert numbers(client, "?before=2026-06-01") == []


def test_empty_log_says_why(client):
    assert "Nothing has been decided yet" in client.get("/decisions").content.decode()


def test_export_has_what_the_filters_leave_and_no_formula(client, agent, owner, memory):
    memories.revise(memory, changes={"text": "Three."}, base_version=2, by=owner, door="page", reason="=1+1")

    sheet = client.get("/decisions.csv?action=revised")
    lines = client.get("/decisions.jsonl?action=created")

    rows = list(csv.DictReader(io.StringIO(b"".join(sheet).decode())))
    assert [(row["number"], row["note"]) for row in rows] == [("2", "It changed."), ("3", "'=1+1")]
    assert [json.loads(line)["number"] for line in b"".join(lines).splitlines()] == [1]
    assert sheet["Content-Disposition"] == 'attachment; filename="decisions.csv"'


def test_long_export_is_read_part_by_part(client, agent, owner, monkeypatch):
    monkeypatch.setattr("coaching.api.decisions.PART", 2)
    for _ in range(5):
        factories.memory(agent, owner)

    lines = b"".join(client.get("/decisions.jsonl")).splitlines()

    assert [json.loads(line)["number"] for line in lines] == [1, 2, 3, 4, 5]


def test_check_says_unbroken_or_which_entries(client, agent, owner, memory):
    assert "Unbroken: 2 entries." in client.post("/decisions").content.decode()

    tampering.edit(Decision.objects.get(number=2), "note", "Forged.")
    html = client.post("/decisions").content.decode()

    assert "Entry 2 was changed after it was written." in html
    assert "Unbroken" not in html


@pytest.mark.parametrize("n", [1, 30])
def test_page_asks_the_same_number_of_queries_for_any_number_of_rows(
    client, agent, owner, memory, n, django_assert_num_queries
):
    for _ in range(n):
        made = agent.configurations.latest("number")
        changes.take_back(made, by=owner, door="page")
        proposals.approve(factories.proposal(agent), by=owner, door="page")
        factories.procedure(agent, owner)

    with django_assert_num_queries(14):
        client.get("/decisions")


def test_change_is_taken_back_from_its_entry(client, agent, owner, memory):
    page_before = client.get("/decisions/2/take-back").content.decode()
    done = client.post("/decisions/2/take-back", {"note": "One was right."})

    memory.refresh_from_db()
    assert "Two." in page_before
    assert done.url == "/decisions"
    assert (memory.version, memory.text) == (3, "One.")
    entry = Decision.objects.latest("number")
    assert (entry.action, entry.note, entry.door) == ("reverted", "One was right.", "page")


def test_late_and_impossible_taking_back_says_so(client, agent, owner, memory):
    proposals.reject(factories.proposal(agent), by=owner, door="page")
    client.post("/decisions/2/take-back")

    late = client.post("/decisions/2/take-back")
    nothing = client.get("/decisions/3/take-back", follow=True)

    assert late.status_code == 409
    assert "taken back already" in late.content.decode().lower()
    assert "changed nothing that could be taken back" in nothing.content.decode()
    assert client.get("/decisions/99/take-back").status_code == 404
    assert Decision.objects.filter(action="reverted").count() == 1
