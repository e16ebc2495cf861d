"""What the search finds: any word, the summary first, never the expired, never another agent's; a query is data."""

import io
import json
from datetime import datetime, timedelta

import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from agents import actions as configuration
from agents.models import Agent
from memories import actions
from memories.apps import install_search
from memories.models import Memory
from memories.search.reading import search
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def remember(agent, owner):
    """Store a memory of the agent."""

    def store(summary, text="", **fields):
        return factories.memory(agent, owner, summary=summary, text=text, **fields)

    return store


def found(agent, query, **options):
    return [hit.summary for hit in search(agent, query, **options)]


def test_any_word_is_enough_and_word_forms_meet(agent, remember):
    remember("Refunds are paid within five days.")
    remember("Parcels wait at the counter.")

    assert found(agent, "How long does refunding my old bicycle take?") == ["Refunds are paid within five days."]


def test_summary_counts_more_than_text(agent, remember):
    remember("Opening hours of the shop.", text="Voucher codes are explained elsewhere.")
    remember("Voucher codes are valid for a year.", text="They are printed on the receipt.")

    assert found(agent, "voucher") == ["Voucher codes are valid for a year.", "Opening hours of the shop."]


def test_rare_words_count_more_than_frequent_ones(agent, remember):
    for n in range(8):
        remember(f"Orders of kind {n} are shipped daily.")
    remember("Orders with a gift ribbon are shipped weekly.")

    assert found(agent, "orders ribbon")[0] == "Orders with a gift ribbon are shipped weekly."


def test_expired_entries_are_masked_from_the_instant_on(agent, remember):
    expires_at = timezone.now() + timedelta(hours=1)
    remember("The summer sale ends tonight.", expires_at=expires_at)

    with time_machine.travel(expires_at - timedelta(seconds=1), tick=False):
        assert found(agent, "sale") == ["The summer sale ends tonight."]
    with time_machine.travel(expires_at, tick=False):
        assert found(agent, "sale") == []


def test_other_agents_are_never_searched(agent, remember, owner, stranger):
    remember("Refunds take five days.")
    for other, by in ((factories.ai_agent(owner.workspace), owner), (factories.ai_agent(stranger.workspace), stranger)):
        factories.memory(other, by, summary="Refunds of another agent.")

    assert found(agent, "refunds") == ["Refunds take five days."]


def test_index_follows_every_change(agent, owner, remember):
    memory = remember("Parcels wait seven days.", text="At the counter.")

    actions.revise(memory, changes={"summary": "Letters wait seven days."}, base_version=1, by=owner, door="page")
    assert (found(agent, "parcels"), found(agent, "letters")) == ([], ["Letters wait seven days."])
    configuration.remove(memory, base_version=2, by=owner, door="page")
    assert found(agent, "letters") == []
    configuration.restore(Memory, memory.pk, by=owner, door="page")
    assert found(agent, "letters") == ["Letters wait seven days."]


def test_what_was_known_then_can_be_searched(agent, owner, remember):
    with time_machine.travel("2026-03-01T12:00:00Z", tick=False):
        memory = remember("Parcels wait seven days.")
        short_lived = remember("Parcels are free in March.", expires_at=timezone.now() + timedelta(days=10))
    with time_machine.travel("2026-04-01T12:00:00Z", tick=False):
        actions.revise(memory, changes={"summary": "Parcels wait nine days."}, base_version=1, by=owner, door="page")
        configuration.remove(short_lived, base_version=1, by=owner, door="page")
    at = {day: datetime.fromisoformat(f"2026-{day}T12:00:00+00:00") for day in ("02-01", "03-05", "03-15", "04-02")}

    told = {day: sorted(found(agent, "parcels", as_of=moment)) for day, moment in at.items()}

    assert told == {
        "02-01": [],
        "03-05": ["Parcels are free in March.", "Parcels wait seven days."],
        "03-15": ["Parcels wait seven days."],
        "04-02": ["Parcels wait nine days."],
    }
    assert [hit.version for hit in search(agent, "parcels", as_of=at["03-15"])] == [1]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "😀",
        "'",
        '"',
        '"refunds',
        "refunds' OR '1'='1",
        "refunds AND NOT (",
        "summary:refunds",
        "refunds*",
        "NEAR(refunds, 5)",
        "^refunds -refunds +refunds",
        "a:* & !b | <-> 'c'",
        "%s {0} \\ ; --",
        "the of and",
        "Übergröße straße 日本語",
        "x" * 10_240,
        "refunds " * 1_300,
        " ".join(f"word{n}" for n in range(2_000)),
    ],
)
def test_query_is_data(agent, remember, query):
    remember("Refunds take five days.")

    hits = found(agent, query)

    assert hits == (["Refunds take five days."] if "refunds" in query else [])


def test_common_words_find_where_nothing_else_is_asked(agent, remember):
    remember("The who and the what.")

    assert found(agent, "who") == (["The who and the what."] if connection.vendor == "sqlite" else [])


def test_limit_text_and_scores(agent, remember):
    for n in range(5):
        remember(f"Refund rule number {n}.", text=f"Text {n}.")

    hits = search(agent, "refund", limit=3, include_text=True)

    assert len(hits) == 3
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert all(hit.score > 0 and hit.text.startswith("Text") for hit in hits)
    assert search(agent, "refund", limit=1)[0].text is None


def test_number_of_queries_does_not_grow(agent, remember, django_assert_num_queries):
    for n in range(20):
        remember(f"Refund rule number {n}.")

    with django_assert_num_queries(2):
        search(agent, "refund", limit=20)


def test_index_that_lost_its_triggers_is_filled_anew(agent, remember):
    if connection.vendor != "sqlite":
        pytest.skip("PostgreSQL keeps its column itself")
    remember("Refunds take five days.")
    with connection.cursor() as cursor:
        cursor.execute("DROP TRIGGER memory_search_changed")
    Memory.objects.update(summary="Letters take two days.")

    install_search(sender=None, using="default")

    assert found(agent, "letters") == ["Letters take two days."]


# --- evaluate_retrieval ----------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    """Write JSONL files and give their paths."""

    def write(entries, queries):
        paths = []
        for name, rows in (("entries", entries), ("queries", queries)):
            path = tmp_path / f"{name}.jsonl"
            path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows))
            paths.append(str(path))
        return paths

    return write


def test_evaluation_counts_what_was_found_and_leaves_nothing(files):
    entries = [
        {"id": "a", "summary": "Refunds take five days.", "text": ""},
        {"id": "b", "summary": "Parcels wait.", "text": "Refunds are mentioned here too, in passing."},
        {"id": 3, "summary": "Opening hours.", "text": ""},
    ]
    queries = [
        {"id": 1, "query": "refunds", "relevant": ["a"]},
        {"id": 2, "query": "refunds", "relevant": ["b"]},
        {"id": 3, "query": "opening", "relevant": [3, "a"]},
        {"id": 4, "query": "opening", "relevant": []},
    ]
    out = io.StringIO()

    call_command("evaluate_retrieval", *files(entries, queries), "--json", stdout=out)

    figures = json.loads(out.getvalue())
    assert {name: figures[name] for name in ("recall@1", "recall@5", "mrr@10")} == {
        "recall@1": 0.5,
        "recall@5": 0.8333,
        "mrr@10": 0.8333,
    }
    assert set(figures) == {"recall@1", "recall@5", "recall@10", "mrr@10", "ndcg@10", "p50Ms", "p99Ms"}
    assert (Agent.objects.count(), Memory.objects.count()) == (0, 0)


def test_relevant_ids_of_no_entry_are_said_and_count_as_not_found(files):
    entries = [{"id": "a", "summary": "Refunds take five days.", "text": ""}]
    queries = [{"id": 1, "query": "refunds", "relevant": ["a", "gone"]}]
    out, errors = io.StringIO(), io.StringIO()

    call_command("evaluate_retrieval", *files(entries, queries), "--json", stdout=out, stderr=errors)

    assert json.loads(out.getvalue())["recall@10"] == 0.5
    assert errors.getvalue() == "1 relevant ids are of no entry and count as not found: gone\n"


@pytest.mark.parametrize(
    ("entries", "queries", "said"),
    [
        (['{"id": "a"'], [], "entries.jsonl, line 1"),
        ([{"id": "a", "summary": 5, "text": ""}], [], "“summary”"),
        ([{"id": "a", "summary": "x", "text": ""}], [{"id": 1, "query": "x"}], "queries.jsonl, line 1"),
        ([], [], "nothing to evaluate"),
        ([{"id": "a", "summary": " ", "text": "x"}], [], "line 1: “summary” is empty"),
        ([{"id": "a", "summary": "x\0", "text": "x"}], [], "line 1: “summary” holds a NUL"),
        (
            [{"id": "1", "summary": "x", "text": ""}, {"id": 1, "summary": "y", "text": ""}],
            [],
            "line 2: the id 1 .* twice",
        ),
    ],
)
def test_evaluation_of_broken_files_says_where(files, entries, queries, said):
    with pytest.raises(CommandError, match=said):
        call_command("evaluate_retrieval", *files(entries, queries))
