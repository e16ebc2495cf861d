"""Every place where words could come to rest, searched for one: rows, files, the queue, logs."""

import subprocess
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection


def places_with(word: str, *folders: Path) -> list[str]:
    """Where `word` rests: in which table, file of the data directory or of `folders`, or key of Redis."""
    return [*_tables(word), *_files(word, settings.DATA_DIR, *folders), *_keys(word), *_dump(word)]


def _tables(word):
    """Every column of every row, decrypted or not, as the database gives it."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                yield from (
                    f"table {table}.{name}" for name, cell in zip(names, row, strict=True) if word in _text(cell)
                )


def _text(cell):
    return bytes(cell).decode("utf-8", "replace") if isinstance(cell, (bytes, memoryview)) else str(cell)


def _files(word, *folders):
    """Read by another process: to close a file of SQLite's here would let go of this process's locks on it, and whoever opens the
    database next would take it for abandoned (https://www.sqlite.org/howtocorrupt.html, section 2.2)."""
    found = subprocess.run(["grep", "-rlaF", "-e", word, *map(str, folders)], capture_output=True, text=True)
    if found.returncode > 1 and "No such file" not in found.stderr:
        raise OSError(found.stderr)
    yield from (f"file {Path(path).name}" for path in sorted(found.stdout.splitlines()))


def _keys(word):
    if not settings.REDIS_URL:
        return
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        for key in client.scan_iter(count=1000):
            if word.encode() in key or word.encode() in (client.dump(key) or b""):
                yield f"Redis {key!r}"


def _dump(word):
    """What a backup would hold."""
    if connection.vendor != "postgresql":
        return
    told = connection.get_connection_params()
    address = f"postgresql://{told['user']}@{told.get('host', '')}:{told.get('port') or 5432}/{told['dbname']}"
    dumped = subprocess.run(["pg_dump", address], capture_output=True, check=True)
    if word.encode() in dumped.stdout:
        yield "dump of the database"
