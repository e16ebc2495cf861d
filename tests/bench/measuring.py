"""What the benchmarks share: a database of their own, the time of something, and the SQL of a page by itself."""

import statistics
import time
from contextlib import contextmanager

from django.db import connection


@contextmanager
def own_database():
    """A database for what is inside, made and dropped again."""
    name = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)
    try:
        yield
    finally:
        connection.creation.destroy_test_db(name, verbosity=0)


def keep_up():
    """What the upkeep of either database does by itself some time after many new rows."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def seconds(what) -> float:
    began_at = time.perf_counter()
    what()
    return time.perf_counter() - began_at


def percentile(values, percent) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def statements_of(ask) -> list[tuple]:
    """Every statement of one answer with its parameters, in order."""
    seen = []

    def note(execute, sql, params, many, context):
        seen.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(note):
        assert ask().status_code == 200
    return seen


def bare(statements):
    """Run them and fetch what comes, as tuples."""
    for sql, params in statements:
        with connection.cursor() as cursor:
            cursor.execute(sql, params)
            cursor.fetchall()
