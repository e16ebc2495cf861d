"""manage.py evaluate_retrieval: how well the search finds what people marked as relevant."""

import json
import math
import time
import uuid
from pathlib import Path
from statistics import fmean, quantiles

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from agents import actions
from agents.models import Agent, Door, Workspace
from memories.models import SUMMARY_LIMIT, Memory
from memories.search.reading import search

DEPTH = 10


class Command(BaseCommand):
    help = (
        "Search ENTRIES ({id, summary, text} a line) for QUERIES ({id, query, relevant[]} a line) with the product's own "
        "search on this database, and print recall, MRR, nDCG and times. What it stores for that is rolled back."
    )

    def add_arguments(self, parser):
        parser.add_argument("entries", type=Path)
        parser.add_argument("queries", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON object instead of a table")

    def handle(self, *args, entries, queries, **options):
        entries = list(lines(entries, {"id": (str, int), "summary": str, "text": str}))
        queries = list(lines(queries, {"id": (str, int), "query": str, "relevant": list}))
        self._tell_unknown(entries, queries)
        figures = evaluate(entries, queries)
        if options["json"]:
            self.stdout.write(json.dumps(figures))
        else:
            for name, value in figures.items():
                self.stdout.write(f"{name:>10}  {value}")

    def _tell_unknown(self, entries, queries):
        """What no search can find is counted as not found, and said."""
        known = {str(entry["id"]) for entry in entries}
        unknown = [str(wanted) for query in queries for wanted in query["relevant"] if str(wanted) not in known]
        if unknown:
            self.stderr.write(
                f"{len(unknown)} relevant ids are of no entry and count as not found: {', '.join(unknown[:5])}"
            )


def lines(path, fields):
    """The objects of a JSONL file, each with these fields of these types, no id twice. Raises CommandError with the line."""
    seen = set()
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise CommandError(f"{path.name}, line {number}: not JSON ({error}).") from error
                for name, kind in fields.items():
                    if not isinstance(row, dict) or not isinstance(row.get(name), kind):
                        raise CommandError(f"{path.name}, line {number}: “{name}” is missing or of another type.")
                    if kind is str and "\0" in row[name]:
                        raise CommandError(f"{path.name}, line {number}: “{name}” holds a NUL character.")
                if not row.get("summary", "x").strip():
                    raise CommandError(f"{path.name}, line {number}: “summary” is empty.")
                if str(row["id"]) in seen:
                    raise CommandError(f"{path.name}, line {number}: the id {row['id']} stands there twice.")
                seen.add(str(row["id"]))
                yield row
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error


def evaluate(entries, queries) -> dict:
    """{recall@1, recall@5, recall@10, mrr@10, ndcg@10, p50Ms, p99Ms}; queries without a relevant entry are left out.

    recall@k is the share of a query's relevant entries among its first k hits, averaged over the queries.
    """
    queries = [query for query in queries if query["relevant"]]
    if not entries or not queries:
        raise CommandError("There is nothing to evaluate: no entry, or no query with a relevant entry.")
    with transaction.atomic():
        agent, ids = _stored(entries)
        found, times = [], []
        for query in queries:
            started = time.perf_counter()
            hits = search(agent, query["query"], limit=DEPTH)
            times.append((time.perf_counter() - started) * 1000)
            found.append(([ids[hit.id] for hit in hits], {str(wanted) for wanted in query["relevant"]}))
        transaction.set_rollback(True)
    centiles = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return {
        **{f"recall@{k}": round(fmean(recall(hits, wanted, k) for hits, wanted in found), 4) for k in (1, 5, DEPTH)},
        f"mrr@{DEPTH}": round(fmean(reciprocal_rank(hits, wanted) for hits, wanted in found), 4),
        f"ndcg@{DEPTH}": round(fmean(ndcg(hits, wanted) for hits, wanted in found), 4),
        "p50Ms": round(centiles[49], 2),
        "p99Ms": round(centiles[98], 2),
    }


def recall(hits, wanted, k):
    return len(wanted & set(hits[:k])) / len(wanted)


def reciprocal_rank(hits, wanted):
    return next((1 / rank for rank, hit in enumerate(hits, start=1) if hit in wanted), 0.0)


def ndcg(hits, wanted):
    gained = sum(1 / math.log2(rank + 1) for rank, hit in enumerate(hits, start=1) if hit in wanted)
    return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(len(wanted), DEPTH) + 1))


def _stored(entries):
    """An agent of a workspace of its own, with the entries as its memories; and {memory id: entry id}."""
    workspace = Workspace.objects.create(slug=f"evaluation-{uuid.uuid4().hex[:8]}", name="Evaluation")
    agent = actions.create_agent(workspace, name="Evaluation", kind=Agent.Kind.AI, by=None, door=Door.COMMAND)
    ids = {uuid.uuid4(): str(entry["id"]) for entry in entries}
    Memory.objects.bulk_create(
        Memory(
            id=pk,
            workspace=workspace,
            agent=agent,
            summary=entry["summary"][:SUMMARY_LIMIT],
            text=entry["summary"][SUMMARY_LIMIT:] + "\n" + entry["text"],  # what a summary cannot hold is not lost
        )
        for pk, entry in zip(ids, entries, strict=True)
    )
    return agent, ids
