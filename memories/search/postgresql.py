"""Full text on PostgreSQL: a generated column beside the memories' own, with its index.

`ts_rank` knows nothing of how rare a word is, so it is asked word by word, and each word's rank is weighed by how few of
the agent's entries hold it.
"""

from django.db import connection

VECTOR = "setweight(to_tsvector('english', summary), 'A') || setweight(to_tsvector('english', text), 'B')"
WEIGHTS = "{0, 0, 0.33, 1.0}"  # of text (B) and summary (A)
INSTALL = (
    f"ALTER TABLE memories_memory ADD COLUMN IF NOT EXISTS search tsvector GENERATED ALWAYS AS ({VECTOR}) STORED",
    "CREATE INDEX IF NOT EXISTS memory_search ON memories_memory USING gin (search)",
)
# Vectors of long texts lie compressed beside their rows; `|| ''` unpacks each once instead of once a word.
CURRENT = "SELECT id, search || '' AS search FROM memories_memory WHERE agent_id = %s AND (expires_at IS NULL OR expires_at > %s)"
RANKED = """
    WITH entry AS MATERIALIZED ({entries}),
    word AS (SELECT DISTINCT lexeme, quote_literal(lexeme)::tsquery AS query
             FROM unnest(to_tsvector('english', %s)) AS said (lexeme, positions, weights)),
    hit AS (SELECT entry.id, ts_rank('{weights}', entry.search, word.query, 1) AS rank,
                   count(*) OVER (PARTITION BY word.lexeme) AS holders
            FROM entry JOIN word ON entry.search @@ word.query),
    everything AS MATERIALIZED (SELECT count(*)::float AS entries FROM entry)
    SELECT hit.id, sum(hit.rank * ln(1 + (everything.entries - hit.holders + 0.5) / (hit.holders + 0.5))) AS score
    FROM hit, everything GROUP BY hit.id ORDER BY score DESC, hit.id LIMIT %s
"""


def install(database):
    """Make what is missing of the column and its index."""
    with database.cursor() as cursor:
        for statement in INSTALL:
            cursor.execute(statement)


def ranked(agent_id, words, at, limit):
    """[(memory id, score)] of the agent's entries that are served at `at` and hold any of `words`, best first."""
    return _ranked(CURRENT, [agent_id, at], words, limit)


def ranked_past(rows, words, limit):
    """The same over history rows, which have no index."""
    entries, parameters = rows.values("id", "summary", "text").query.sql_with_params()
    return _ranked(f"SELECT id, {VECTOR} AS search FROM ({entries}) AS past", parameters, words, limit)  # noqa: S608 (statements of ours)


def _ranked(entries, parameters, words, limit):
    with connection.cursor() as cursor:
        cursor.execute(RANKED.format(entries=entries, weights=WEIGHTS), [*parameters, " ".join(words), limit])
        return [(memory_id, score) for memory_id, score in cursor.fetchall()]
