"""The decision log, page by page as JSON, or whole as CSV or JSON lines."""

import io
import json

import django_filters
from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer

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
from agents.sheets import Sheet

PART = 1_000  # entries


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


class ExportRenderer(BaseRenderer):
    """Names a media type; what is exported is streamed past it, so that only refusals are drawn here."""

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return JSONRenderer().render(data)


class CsvRenderer(ExportRenderer):
    media_type, format, charset = "text/csv", "csv", "utf-8"


class JsonLinesRenderer(ExportRenderer):
    media_type, format, charset = "application/x-ndjson", "jsonl", "utf-8"


def export(rows, format):
    """The response that tells these entries whole, oldest first, as "csv" or "jsonl", part by part."""
    parts = {"csv": _csv, "jsonl": _json_lines}[format](rows)
    media_type = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}[format]
    disposition = f'attachment; filename="decisions.{format}"'
    return StreamingHttpResponse(
        _one_by_one(parts), content_type=media_type, headers={"Content-Disposition": disposition}
    )


async def _one_by_one(parts):
    """The parts, each read from the database only once the one before has been taken."""
    while part := await sync_to_async(next)(parts, None):
        yield part


def _told(rows):
    """The entries as they are told, in lists of PART, each read anew behind the last: no cursor is held open meanwhile."""
    last = 0
    while part := list(rows.filter(number__gt=last).order_by("number")[:PART]):
        last = part[-1].number
        yield DecisionShown(part, many=True).data


def _csv(rows):
    names = [name for name in DecisionShown().fields if name != "by"]
    file = io.StringIO()
    sheet = Sheet(file, [*names, "by", "byId"])
    sheet.writeheader()
    yield file.getvalue().encode()
    for part in _told(rows):
        file.seek(0)
        file.truncate()
        for row in part:
            by = row.pop("by")
            sheet.writerow({**row, "by": by["name"], "byId": by["id"]})
        yield file.getvalue().encode()


def _json_lines(rows):
    for part in _told(rows):
        yield "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in part).encode()


class DecisionFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")
    action = django_filters.ChoiceFilter(choices=Decision.Action.choices)
    proposal = django_filters.UUIDFilter(field_name="proposal_id")
    by = django_filters.UUIDFilter(field_name="by_id")
    door = django_filters.ChoiceFilter(choices=Door.choices)
    after = InstantFilter(field_name="at", lookup_expr="gte")
    before = InstantFilter(field_name="at", lookup_expr="lt")


class Decisions(ApiView):
    """Newest first as JSON; the whole log, oldest first, with `Accept: text/csv` or `application/x-ndjson`."""

    rights = {"GET": Right.READ_AI}
    renderer_classes = (JSONRenderer, CsvRenderer, JsonLinesRenderer)
    filterset_class = DecisionFilters
    ordering = ("-number",)
    queryset = Decision.objects.none()

    @extend_schema(
        responses={
            (200, "application/json"): DecisionShown(many=True),
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/x-ndjson"): OpenApiTypes.STR,
        }
    )
    def get(self, request):
        rows = Decision.objects.visible_to(request.member)
        if isinstance(request.accepted_renderer, JSONRenderer):
            return self.page(rows, DecisionShown)
        return export(self.filtered(rows), request.accepted_renderer.format)


urlpatterns = [path("decisions", Decisions.as_view(), name="api-decisions")]
