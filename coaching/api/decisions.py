"""The decision log, page by page as JSON, or whole as CSV or JSON lines."""

import csv
import io
import json

import django_filters
from django.urls import path
from django.utils.encoding import force_bytes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from agents.access import Right
from agents.api_base import (
    AgentFilter,
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    InstantFilter,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    WholeField,
)
from agents.models import Decision, Door

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that starts so


class Decider(StrictSerializer):
    """Who decided, by the name they had then."""

    id = IdField(source="by_id", allow_null=True)
    name = TextField(source="by_name")


class DecisionShown(StrictSerializer):
    number = WholeField()
    at = InstantField()
    by = Decider(source="*")
    decided_from = ChoiceField(source="door", choices=Door.choices)
    action = ChoiceField(choices=Decision.Action.choices)
    agent = TextField(source="agent_name")
    agent_id = IdField(allow_null=True)
    target_kind = TextField()
    target_id = IdField(allow_null=True)
    result_version = WholeField(allow_null=True)
    configuration_version = WholeField(source="configuration_number", allow_null=True)
    proposal = IdField(source="proposal_id", allow_null=True)
    proposal_type = TextField()
    title = TextField()
    note = TextField()
    previous_hash = TextField()
    hash = TextField()


class CsvRenderer(BaseRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        if not isinstance(data, list):
            return JSONRenderer().render(data)  # a refusal
        file = io.StringIO()
        names = [name for name in DecisionShown().fields if name != "by"]
        rows = csv.DictWriter(file, [*names, "by", "byId"])
        rows.writeheader()
        for row in data:
            by = row.pop("by")
            rows.writerow({name: _cell(value) for name, value in {**row, "by": by["name"], "byId": by["id"]}.items()})
        return force_bytes(file.getvalue())


class JsonLinesRenderer(BaseRenderer):
    media_type, format, charset = "application/x-ndjson", "jsonl", "utf-8"

    def render(self, data, accepted_media_type=None, renderer_context=None):
        if not isinstance(data, list):
            return JSONRenderer().render(data)  # a refusal
        return b"".join(force_bytes(json.dumps(row, ensure_ascii=False)) + b"\n" for row in data)


def _cell(value):
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


class DecisionFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")
    action = django_filters.ChoiceFilter(choices=Decision.Action.choices)
    proposal = django_filters.UUIDFilter(field_name="proposal_id")
    after = InstantFilter(field_name="at", lookup_expr="gte")
    before = InstantFilter(field_name="at", lookup_expr="lt")


class Decisions(ApiView):
    """Newest first as JSON; the whole log, oldest first, with `Accept: text/csv` or `application/x-ndjson`."""

    rights = {"GET": Right.READ_AI}
    renderer_classes = (JSONRenderer, CsvRenderer, JsonLinesRenderer)
    filterset_class = DecisionFilters
    ordering = ("-number",)
    queryset = Decision.objects.none()

    @extend_schema(responses=DecisionShown(many=True))
    def get(self, request):
        rows = Decision.objects.visible_to(request.member)
        if isinstance(request.accepted_renderer, JSONRenderer):
            return self.page(rows, DecisionShown)
        entries = DecisionShown(self.filtered(rows).order_by("number").iterator(), many=True).data
        name = f"decisions.{request.accepted_renderer.format}"
        return Response(list(entries), headers={"Content-Disposition": f'attachment; filename="{name}"'})


urlpatterns = [path("decisions", Decisions.as_view(), name="api-decisions")]
