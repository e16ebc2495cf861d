"""Filters of lists: django-filter's, made strict. A value that does not fit and a filter that is not there are refused."""

import django_filters
from django import forms
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.api_base.fields import instant
from agents.api_base.references import find_agent


class InstantFormField(forms.Field):
    def to_python(self, value):
        if value in self.empty_values:
            return None
        if not (value.isascii() and value.lstrip("-").isdigit() and len(value) < 17):
            raise forms.ValidationError("This must be a time in epoch milliseconds.")
        try:
            return instant(int(value))
        except serializers.ValidationError as error:
            raise forms.ValidationError([str(said) for said in error.detail]) from error


@extend_schema_field({"type": "integer", "format": "int64", "description": "Epoch milliseconds."})
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


class YesNoFilter(django_filters.TypedChoiceFilter):
    """`true` or `false`, nothing else."""

    def __init__(self, **options):
        options["choices"] = [("true", "true"), ("false", "false")]
        super().__init__(coerce=lambda value: value == "true", **options)


class StrictFilterSet(django_filters.FilterSet):
    """Declare filters under the names that clients use. `ApiView` refuses every other name."""
