"""Lists in pages: {items, nextCursor}. A cursor is the place of the last row, so rows that are added shift nothing."""

import uuid
from datetime import datetime

from django.core import signing
from django.db.models import F, Q
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.response import Response

LIMIT, MOST = 50, 200
MARKS = {datetime: "t", uuid.UUID: "u"}
READERS = {"t": datetime.fromisoformat, "u": uuid.UUID}


class CursorPage(BasePagination):
    """Keyset pages over the view's `ordering`, e.g. ("-created_at", "-id"): the last of it must be unique.

    A field that may be empty sorts its empty rows last, on both databases.
    """

    def paginate_queryset(self, queryset, request, view=None):
        self.ordering, self.salt = view.ordering, f"cursor {request.path}"
        self.limit = read_limit(request.query_params.get("limit"))
        cursor = request.query_params.get("cursor")
        rows = queryset.order_by(*(_order(field) for field in self.ordering))
        if cursor is not None:
            rows = rows.filter(_after(queryset.model, self.ordering, self._read(cursor)))
        found = list(rows[: self.limit + 1])
        self.items, self.more = found[: self.limit], len(found) > self.limit
        return self.items

    def get_paginated_response(self, data):
        next_cursor = self._write(self.items[-1]) if self.more else None
        return Response({"items": data, "nextCursor": next_cursor})

    def get_paginated_response_schema(self, schema):
        return {
            "type": "object",
            "required": ["items", "nextCursor"],
            "properties": {
                "items": schema | {"maxItems": MOST},
                "nextCursor": {"type": "string", "nullable": True},
            },
        }

    def get_schema_operation_parameters(self, view):
        return [
            {
                "name": "limit",
                "in": "query",
                "required": False,
                "schema": {"type": "integer", "minimum": 1, "maximum": MOST, "default": LIMIT},
            },
            {
                "name": "cursor",
                "in": "query",
                "required": False,
                "description": "The `nextCursor` of the page before.",
                "schema": {"type": "string", "minLength": 1},
            },
        ]

    def _write(self, row):
        values = [_packed(getattr(row, field.lstrip("-"))) for field in self.ordering]
        return signing.dumps(values, salt=self.salt)

    def _read(self, cursor):
        try:
            values = [_unpacked(value) for value in signing.loads(cursor, salt=self.salt)]
        except signing.BadSignature as error:
            raise serializers.ValidationError({"cursor": "This cursor was not given out for this list."}) from error
        if len(values) != len(self.ordering):  # given out by an earlier release
            raise serializers.ValidationError({"cursor": "This cursor is out of date. Start at the first page."})
        return values


def read_limit(given: str | None) -> int:
    """The number of rows asked for: 1 … 200, 50 unless said. Raises ValidationError."""
    if given is None:
        return LIMIT
    if not (given.isascii() and given.isdigit() and len(given) < 5 and 1 <= int(given) <= MOST):
        raise serializers.ValidationError({"limit": f"This must be a whole number from 1 to {MOST}."})
    return int(given)


def _order(field):
    name = F(field.lstrip("-"))
    return name.desc(nulls_last=True) if field.startswith("-") else name.asc(nulls_last=True)


def _after(model, ordering, values):
    """The rows behind the one with `values`, in the order of `_order`."""
    behind, same = Q(pk__in=[]), Q()
    for field, value in zip(ordering, values, strict=True):
        name = field.lstrip("-")
        may_be_empty = model._meta.get_field(name).null
        if value is None:
            same &= Q(**{f"{name}__isnull": True})
            continue
        beyond = Q(**{f"{name}__{'lt' if field.startswith('-') else 'gt'}": value})
        if may_be_empty:
            beyond |= Q(**{f"{name}__isnull": True})
        behind |= same & beyond
        same &= Q(**{name: value})
    return behind


def _packed(value):
    mark = MARKS.get(type(value))
    return value if mark is None else [mark, value.isoformat() if mark == "t" else str(value)]


def _unpacked(value):
    return READERS[value[0]](value[1]) if isinstance(value, list) else value
