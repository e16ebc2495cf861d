"""Queries that nearly every request asks: compiled to SQL once, then asked again with other values.

Django compiles a query set anew each time it is used. For a small query that takes five to ten times as long as SQLite takes to
answer it, and a request asks several. What rarely runs is better written as a query set.
"""

import uuid
from collections import namedtuple
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.core.exceptions import EmptyResultSet
from django.db import connection, models
from django.db.models.expressions import Expression


class Parameter(Expression):
    """Stands in a query set for a value that is told when it is asked. `field` is a field that holds such values."""

    def __init__(self, name: str, field: models.Field):
        super().__init__(output_field=field)
        self.name = name

    def as_sql(self, compiler, connection):
        return "%s", [self]

    def bound(self, values: dict):
        """What the driver is given for it."""
        return self.output_field.get_db_prep_value(values[self.name], connection)


WORKSPACE, OWN_AGENT = Parameter("workspace", models.UUIDField()), Parameter("own_agent", models.UUIDField())


class Somebody(NamedTuple):
    """Stands for every member of whom `visible_to` makes the same query."""

    is_leader: bool
    workspace_id: Parameter
    agent_id: Parameter | None


class _Compiled(NamedTuple):
    sql: str
    params: tuple
    converters: dict[int, Callable[[tuple], list]]  # of a whole column, by its number
    row: Callable[[tuple], Any]  # makes a named tuple


class CompiledQuery:
    """`build(somebody)` gives the query set, with a `Parameter` for each value that differs between two askings, and Somebody
    in place of the member; `columns` are those of the rows, as `values_list` takes them.
    """

    def __init__(self, build: Callable[[Somebody], models.QuerySet], columns: tuple[str, ...]):
        self._build, self._columns = build, columns
        self._compiled: dict[tuple, _Compiled | None] = {}  # by database and kind of member

    def rows(self, member=None, **values) -> list[Any]:
        """The rows as named tuples of Python values. `values` are those of the query's own parameters, by name; those of
        Somebody are the member's."""
        if member is not None:
            values |= {"workspace": member.workspace_id, "own_agent": member.agent_id}
        leads, linked = (False, False) if member is None else (member.is_leader, member.agent_id is not None)
        key = (connection.vendor, leads, linked)
        if key not in self._compiled:
            self._compiled[key] = self._compile(Somebody(leads, WORKSPACE, OWN_AGENT if linked else None))
        query = self._compiled[key]
        if query is None:
            return []
        bound = [one.bound(values) if isinstance(one, Parameter) else one for one in query.params]
        with connection.cursor() as cursor:
            cursor.execute(query.sql, bound)
            rows = cursor.fetchall()
        if rows and query.converters:
            columns: list[Any] = list(zip(*rows, strict=True))
            for n, convert in query.converters.items():
                columns[n] = convert(columns[n])
            rows = zip(*columns, strict=True)
        return list(map(query.row, rows))

    def _compile(self, somebody) -> _Compiled | None:
        """The SQL for such a member; None where there is nothing for them whatever the values."""
        compiler = self._build(somebody).values_list(*self._columns).query.get_compiler(connection=connection)
        try:
            sql, params = compiler.as_sql()
        except EmptyResultSet:
            return None
        converters = compiler.get_converters([expression for expression, *_ in compiler.select])
        row: Any = namedtuple("Row", self._columns)  # type: ignore[misc]  # its fields are told here, not in the source
        return _Compiled(sql, params, {n: _converter(*one) for n, one in converters.items()}, row._make)


def _converter(chain, expression) -> Callable[[tuple], list]:
    """A function from what the driver gave in one column to Python values. `chain` is what Django converts one value with."""
    if connection.vendor == "sqlite":
        # Django's own for these two take as long as all else for a row.
        names = [one.__name__ for one in chain]
        if names == ["convert_uuidfield_value"]:
            return _uuids
        if names == ["convert_datetimefield_value"]:
            return _instants

    def convert(column):
        for one in chain:
            column = [one(value, expression, connection) for value in column]
        return list(column)

    return convert


def _uuids(column) -> list[uuid.UUID | None]:
    """SQLite gives them as 32 hexadecimal digits. A foreign key is often the same in many rows."""
    known = {value: None if value is None else uuid.UUID(value) for value in set(column)}
    return [known[value] for value in column]


def _instants(column) -> list[datetime | None]:
    """SQLite gives a column of instants as datetimes without a zone, an expression of them as text; both mean UTC."""
    return [
        None if at is None else (datetime.fromisoformat(at) if isinstance(at, str) else at).replace(tzinfo=UTC)
        for at in column
    ]


def columns_of(model: type[models.Model], prefix="") -> tuple[str, ...]:
    """The columns of a whole model; with the look-up that leads to it as prefix, of one that is joined."""
    return tuple(prefix + field.attname for field in model._meta.concrete_fields)


def read_models(row: tuple, *kinds: type[models.Model]) -> list:
    """The models whose columns stand in `row` one after the other, as `columns_of` lists them; None for one that the join
    did not find."""
    found, at = [], 0
    for model in kinds:
        names = [field.attname for field in model._meta.concrete_fields]
        values = row[at : at + len(names)]
        at += len(names)
        key = values[names.index(model._meta.pk.attname)]
        found.append(None if key is None else model.from_db(connection.alias, names, values))
    return found
