"""From the file of the embedded mode to a PostgreSQL server: every row of every table as it is, or nothing.

The file is held alone while it is read, the rows go over in one transaction of the target, table by table in the order in which
they point at each other, a portion at a time, and each portion is read back and held against what was sent. Values go from one
driver to the other as the database has them: a secret stays encrypted as it is, a version keeps its number, a day its sum.
"""

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from graphlib import TopologicalSorter
from pathlib import Path

from django.apps import apps
from django.db import DatabaseError, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.sqlite3.base import DatabaseWrapper as SQLiteWrapper

from agents import encryption

PORTION = 2_000  # rows held in memory at a time
PATIENCE = 5  # seconds for somebody who has the file open to close it
MOST_NAMED = 5
# What `migrate` itself writes: the same rows in both, under other numbers perhaps. Those of the file count.
WRITTEN_BY_MIGRATE = ("django_content_type", "auth_permission")


class CannotMove(Exception):
    """Nothing was moved; why, and what to do about it, in words for the operator."""


def move(path: Path, target: BaseDatabaseWrapper, tell: Callable[[str, int], None]) -> None:
    """Copy every row of the SQLite file into the migrated, empty PostgreSQL database of `target`.

    `tell` is called with each table's name and its number of rows. Raises CannotMove, and then the target is as it was.
    """
    if target.vendor != "postgresql":
        raise CannotMove("DATABASE_URL names no PostgreSQL server: that is where the data would go.")
    with held_alone(path) as source:
        refuse_other_migrations(source, target)
        refuse_unreadable_secrets(source)
        tables = in_order(apps.get_models(include_auto_created=True))
        with transaction.atomic(using=target.alias):
            take_empty(target, tables)
            for model in tables:
                tell(model._meta.db_table, copy_table(source, target, model))
                continue_numbers(source, target, model)
            try:
                target.check_constraints()
            except DatabaseError as error:
                raise CannotMove(f"A row of the file points at one that is not there: {reason(error)}") from error
            with target.cursor() as cursor:
                cursor.execute("ANALYZE")  # or the first queries would be planned for empty tables


@contextmanager
def held_alone(path: Path) -> Iterator[SQLiteWrapper]:
    """The file, opened by nobody else while the block runs. Raises CannotMove where somebody has it open."""
    if not path.is_file():
        raise CannotMove(f"There is no file {path}.")
    options = {"timeout": PATIENCE, "init_command": "PRAGMA locking_mode=EXCLUSIVE", "transaction_mode": "IMMEDIATE"}
    databases = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": path, "OPTIONS": options}}
    source = SQLiteWrapper(connections.configure_settings(databases)["default"], alias="moved from")
    try:
        with source.cursor() as cursor:
            cursor.execute("BEGIN IMMEDIATE")
        yield source
    except DatabaseError as error:
        if "locked" in str(error):
            raise CannotMove(f"Something has {path} open. Stop Touchline, all of it, and try again.") from error
        if isinstance(error.__cause__, sqlite3.DatabaseError):
            raise CannotMove(f"{path} cannot be read: {error}.") from error
        raise
    finally:
        source.close()


def refuse_other_migrations(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper) -> None:
    """Raise CannotMove where the two databases were not made by the same migrations: their tables may differ."""
    there, here = (applied(database) for database in (source, target))
    if here - there:
        raise CannotMove(
            "The file is older than the database. Bring it up to date first, by this version of Touchline with an empty "
            "DATABASE_URL and REDIS_URL: manage.py migrate"
        )
    if there - here:
        raise CannotMove("The file is newer than the database. Run first: manage.py migrate")


def applied(database: BaseDatabaseWrapper) -> set[tuple[str, str]]:
    with database.cursor() as cursor:
        cursor.execute("SELECT app, name FROM django_migrations")
        return set(cursor.fetchall())


def refuse_unreadable_secrets(source: BaseDatabaseWrapper) -> None:
    """Raise CannotMove where FIELD_KEYS does not open a secret of the file: in the new place it would be lost."""
    closed = []
    for model in apps.get_models():
        for field in model._meta.concrete_fields:
            if isinstance(field, encryption.EncryptedTextField):
                for pk, secret in stored(source, model, [model._meta.pk, field]):
                    try:
                        encryption.decrypt(secret or encryption.encrypt(""))
                    except encryption.UnreadableSecret:
                        closed.append(f"{model._meta.db_table} {pk}: {field.name}")
    if closed:
        more = f" and {len(closed) - MOST_NAMED} more" if len(closed) > MOST_NAMED else ""
        raise CannotMove(
            f"FIELD_KEYS does not open what stands at {', '.join(closed[:MOST_NAMED])}{more}. Put the key from the file "
            "field_key, which lies beside the database, into FIELD_KEYS; a secret whose key is gone is put in anew first."
        )


def in_order(all_models) -> list[type[models.Model]]:
    """The models, each after those that its rows point at. A row that points at one of its own table may come before it."""
    points_at: dict[type[models.Model], set[type[models.Model]]] = {
        model: {
            field.remote_field.model
            for field in model._meta.concrete_fields
            if field.remote_field and field.db_constraint and field.remote_field.model is not model
        }
        for model in all_models
    }
    return list(TopologicalSorter(points_at).static_order())


def take_empty(target: BaseDatabaseWrapper, tables: list[type[models.Model]]) -> None:
    """Keep everybody else from writing until the end of the transaction. Raises CannotMove where a table holds rows."""
    quoted = {model._meta.db_table: target.ops.quote_name(model._meta.db_table) for model in tables}
    with target.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(quoted.values())} IN EXCLUSIVE MODE")
        asked = [name for name in quoted if name not in WRITTEN_BY_MIGRATE]
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT 1 FROM {quoted[name]})" for name in asked)
        )
        if full := sorted(name for (name,) in cursor.fetchall()):
            raise CannotMove(
                f"The database is not empty: rows stand in {', '.join(full[:MOST_NAMED])}. "
                "Make a new one, run `manage.py migrate` on it, and nothing else, and try again."
            )
        for name in reversed(WRITTEN_BY_MIGRATE):
            cursor.execute(f"DELETE FROM {quoted[name]}")


def copy_table(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, model: type[models.Model]) -> int:
    """Copy the rows of one table and hold each against its original. Returns how many there are. Raises CannotMove."""
    fields = list(model._meta.concrete_fields)
    key = fields.index(model._meta.pk)
    table = target.ops.quote_name(model._meta.db_table)
    columns = ", ".join(target.ops.quote_name(str(field.column)) for field in fields)
    n = 0
    for portion in portions(stored(source, model, fields)):
        sent = portion[0]
        try:
            with (
                target.wrap_database_errors,
                target.cursor() as cursor,
                cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy,
            ):
                for sent in portion:
                    copy.write_row(sent)
        except DatabaseError as error:
            row = refused(error, portion, sent)
            raise CannotMove(f"{model._meta.db_table} {row[key]} is refused: {reason(error)}") from error
        arrived = {row[key]: row for row in stored(target, model, fields, [row[key] for row in portion])}
        for row in portion:
            if [*map(comparable, fields, row)] != [*map(comparable, fields, arrived.get(row[key], ()))]:
                raise CannotMove(f"{model._meta.db_table} {row[key]} did not arrive as it was sent.")
        n += len(portion)
    with target.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")
        if (arrived_n := cursor.fetchone()[0]) != n:
            raise CannotMove(f"{model._meta.db_table} has {n} rows in the file and {arrived_n} in the database.")
    return n


def stored(database: BaseDatabaseWrapper, model, fields, keys=None) -> Iterator[tuple]:
    """The rows of a table (of those `keys`, where given) as Python values, a portion in memory at a time.

    Only what the database itself needs is converted: no field opens its secret or makes an object of its value.
    """
    quote = database.ops.quote_name
    query = f"SELECT {', '.join(quote(field.column) for field in fields)} FROM {quote(model._meta.db_table)}"
    converters = []
    for at, field in enumerate(fields):
        expression = field.get_col(model._meta.db_table)
        converters += [(at, one, expression) for one in database.ops.get_db_converters(expression)]
    with database.cursor() as cursor:
        if keys is None:
            cursor.execute(query)
        else:
            cursor.execute(f"{query} WHERE {quote(model._meta.pk.column)} = ANY(%s)", [keys])
        while rows := cursor.fetchmany(PORTION):
            for found in rows:
                row = list(found)
                for at, convert, expression in converters:
                    row[at] = convert(row[at], expression, database)
                yield tuple(row)


def portions(rows: Iterator[tuple]) -> Iterator[list[tuple]]:
    """The rows in lists of at most PORTION."""
    portion = []
    for row in rows:
        portion.append(row)
        if len(portion) == PORTION:
            yield portion
            portion = []
    if portion:
        yield portion


def comparable(field: models.Field, value):
    """The value as both databases give it: PostgreSQL writes JSON in its own way, 1e21 with all its zeros for one."""
    if value is None or not isinstance(field, models.JSONField):
        return value
    return json.loads(value, parse_float=Decimal, parse_int=Decimal)


def refused(error: DatabaseError, portion: list[tuple], sent: tuple) -> tuple:
    """Which of the rows the database did not take: the one it names by its line, else the one that could not even be sent."""
    diagnosis = getattr(error.__cause__, "diag", None)
    line = re.search(r"^COPY .*, line (\d+)", (diagnosis and diagnosis.context) or "")
    return portion[int(line.group(1)) - 1] if line else sent


def reason(error: DatabaseError) -> str:
    """What the database says, without the row it says it of: people's words may stand in that."""
    diagnosis = getattr(error.__cause__, "diag", None)
    return ((diagnosis and diagnosis.message_primary) or str(error).splitlines()[0]).rstrip(".") + "."


def continue_numbers(source: BaseDatabaseWrapper, target: BaseDatabaseWrapper, model: type[models.Model]) -> None:
    """Go on behind the highest number that the file ever gave, so that none is given twice, those of deleted rows included."""
    if not isinstance(model._meta.pk, models.AutoField | models.BigAutoField):
        return
    with source.cursor() as cursor:
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [model._meta.db_table])
        given = cursor.fetchone()
    if given and given[0]:
        with target.cursor() as cursor:
            cursor.execute(
                "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                [target.ops.quote_name(model._meta.db_table), model._meta.pk.column, given[0]],
            )
