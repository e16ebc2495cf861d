"""Full text on SQLite: an FTS5 table beside the memories, kept by triggers.

`memory_search_row` gives each memory a number that stays, for rowids of the memories may move when Django rebuilds their
table. Rebuilding also drops the triggers, so `install` runs after every migrate and fills the index anew where they were
gone.
"""

import sqlite3
import uuid
from contextlib import closing

from django.db import connection

TOKENS = "porter unicode61 remove_diacritics 2"
SUMMARY, TEXT = 1.0, 0.1  # how much a word counts where it stands

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS memory_search_row (
        number INTEGER PRIMARY KEY, memory_id char(32) NOT NULL UNIQUE)""",
    f"CREATE VIRTUAL TABLE IF NOT EXISTS memory_search USING fts5(summary, text, tokenize = '{TOKENS}')",
)
TRIGGERS = {
    "memory_search_added": """AFTER INSERT ON memories_memory BEGIN
        INSERT INTO memory_search_row (memory_id) VALUES (NEW.id);
        INSERT INTO memory_search (rowid, summary, text) VALUES (
            (SELECT number FROM memory_search_row WHERE memory_id = NEW.id), NEW.summary, NEW.text);
        END""",
    "memory_search_changed": """AFTER UPDATE OF summary, text ON memories_memory BEGIN
        UPDATE memory_search SET summary = NEW.summary, text = NEW.text
        WHERE rowid = (SELECT number FROM memory_search_row WHERE memory_id = NEW.id);
        END""",
    "memory_search_removed": """AFTER DELETE ON memories_memory BEGIN
        DELETE FROM memory_search WHERE rowid = (SELECT number FROM memory_search_row WHERE memory_id = OLD.id);
        DELETE FROM memory_search_row WHERE memory_id = OLD.id;
        END""",
}
REFILL = (
    "DELETE FROM memory_search",
    "DELETE FROM memory_search_row",
    "INSERT INTO memory_search_row (memory_id) SELECT id FROM memories_memory",
    """INSERT INTO memory_search (rowid, summary, text) SELECT row.number, memory.summary, memory.text
        FROM memory_search_row row JOIN memories_memory memory ON memory.id = row.memory_id""",
)
RANKED = f"""
    SELECT memory.id, -bm25(memory_search, {SUMMARY}, {TEXT}) AS score
    FROM memory_search
    JOIN memory_search_row row ON row.number = memory_search.rowid
    JOIN memories_memory memory ON memory.id = row.memory_id
    WHERE memory_search MATCH %s AND memory.agent_id = %s AND (memory.expires_at IS NULL OR memory.expires_at > %s)
    ORDER BY score DESC, memory.id LIMIT %s
"""  # noqa: S608 (the weights are ours)


def install(database):
    """Make what is missing of the index, and fill it anew where a trigger was missing."""
    with database.cursor() as cursor:
        for statement in STATEMENTS:
            cursor.execute(statement)
        cursor.execute("SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'memories_memory'")
        missing = set(TRIGGERS) - {name for (name,) in cursor.fetchall()}
        for name in sorted(missing):
            cursor.execute(f"CREATE TRIGGER {name} {TRIGGERS[name]}")
        for statement in REFILL if missing else ():
            cursor.execute(statement)


def ranked(agent_id, words, at, limit):
    """[(memory id, score)] of the agent's entries that are served at `at` and hold any of `words`, best first."""
    with connection.cursor() as cursor:
        cursor.execute(RANKED, [_any(words), agent_id.hex, connection.ops.adapt_datetimefield_value(at), limit])
        return [(uuid.UUID(hex=memory_id), score) for memory_id, score in cursor.fetchall()]


def ranked_past(rows, words, limit):
    """The same over history rows, which have no index: they are put into one that lives for this search only."""
    with closing(sqlite3.connect(":memory:")) as past:
        past.execute(STATEMENTS[1])
        numbered = dict(enumerate(rows.values_list("id", "summary", "text")))
        past.executemany(
            "INSERT INTO memory_search (rowid, summary, text) VALUES (?, ?, ?)",
            [(number, summary, text) for number, (_, summary, text) in numbered.items()],
        )
        found = past.execute(
            f"SELECT rowid, -bm25(memory_search, {SUMMARY}, {TEXT}) AS score FROM memory_search "  # noqa: S608 (the weights are ours)
            "WHERE memory_search MATCH ? ORDER BY score DESC, rowid LIMIT ?",
            [_any(words), limit],
        )
        return [(numbered[number][0], score) for number, score in found]


def _any(words):
    """FTS5's own tongue: each word quoted, so that none of them is an operator."""
    return " OR ".join(f'"{word}"' for word in words)
