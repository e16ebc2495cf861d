"""Filters of lists: django-filter's, made strict. A value that does not fit and a filter that is not there are refused."""

import django_filters
from django import forms
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.api_base.fields import EARLIEST_MS, instant
from agents.api_base.references import find_agent


def whole_parameter(request, name: str) -> int | None:
    """A query parameter as a whole number from 0; None where it is absent. Raises ValidationError."""
    given = request.query_params.get(name)
    if given is None:
        return None
    if not (given.isascii() and given.isdigit() and len(given) <= 9):
        raise serializers.ValidationError({name: "This must be a whole number."})
    return int(given)


def instant_parameter(request, name: str):
    """A query parameter in epoch milliseconds as a datetime; None where it is absent. Raises ValidationError."""
    given = request.query_params.get(name)
    try:
        return None if given is None else _spelled_instant(given)
    except serializers.ValidationError as error:
        raise serializers.ValidationError({name: error.detail}) from error


def _spelled_instant(text):
    if not (text.isascii() and text.removeprefix("-").isdigit() and len(text) < 17):
        raise serializers.ValidationError("This must be a time in epoch milliseconds.")
    return instant(int(text))


class InstantFormField(forms.Field):
    def to_python(self, value):
        if value in self.empty_values:
            return None
        try:
            return _spelled_instant(value)
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(said) for said in error.detail]) from error


@extend_schema_field(
    {"type": "integer", "format": "int64", "minimum": EARLIEST_MS, "description": "Epoch milliseconds."}
)
class InstantFilter(django_filters.Filter):
    """`createdAfter=1790000000000`: give `field_name` and `lookup_expr` (gte for …After, lt for …Before)."""

    field_class = InstantFormField


@extend_schema_field({"type": "string", "description": "An agent's id or exact name."})
class AgentFilter(django_filters.CharFilter):
    """An agent by id or exact name; `field_name` is the look-up to the agent."""

    def filter(self, qs, value):
        if not value:
            return qs
        return qs.filter(**{self.field_name: find_agent(self.parent.request.member, value)})


@extend_schema_field({"type": "boolean"})
class YesNoFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`, nothing else."""

    def __init__(self, **options):
        options["choices"] = [("true", "true"), ("false", "false")]
        super().__init__(coerce=lambda value: value == "true", **options)


class StrictFilterSet(django_filters.FilterSet):
    """Declare filters under the names that clients use. `ApiView` refuses every other name."""
