"""Many new rows written at once, with little between them and the database.

Django's own bulk_create asks each value whether it is an expression and writes a statement for every portion; where ratings
come in by the hundred thousand that takes longer than all the rest.
"""

from collections.abc import Sequence
from functools import lru_cache

from django.db import connection, connections, models


def insert(rows: Sequence[models.Model]) -> None:
    """Store new rows of one model, inside the caller's transaction. Keys that the database gives stay unknown to them."""
    if not rows:
        return
    statement, columns, by_itself = _statement(type(rows[0]), connection.vendor)
    for row in rows:
        for field in by_itself:
            field.pre_save(row, add=True)
    itself = connections[connection.alias]  # not the proxy, which looks for it at every value
    values = [tuple(prepared(getattr(row, name), itself) for name, prepared in columns) for row in rows]
    with connection.cursor() as cursor:
        cursor.executemany(statement, values)


@lru_cache
def _statement(model, vendor):
    """(INSERT with a place for each value, [(attribute, what makes it a value of the database)], fields that fill themselves)."""
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, models.AutoField)]
    names = ", ".join(connection.ops.quote_name(field.column) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {connection.ops.quote_name(model._meta.db_table)} ({names}) VALUES ({places})"  # noqa: S608
    by_itself = [
        field for field in fields if getattr(field, "auto_now", False) or getattr(field, "auto_now_add", False)
    ]
    return statement, [(field.attname, field.get_db_prep_save) for field in fields], by_itself
