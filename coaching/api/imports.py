"""Routes that move an agent's configuration out and in, as a zip archive."""

import hashlib

from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import OpenApiTypes, extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import BaseParser, MultiPartParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.response import Response

from agents import work
from agents.access import Right
from agents.api_base import (
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    PersonField,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoField,
    epoch_ms,
)
from agents.api_base.fields import camel
from agents.api_parsing import TooLarge
from agents.api_versions import NothingMore, agent_or_404
from agents.models import Door
from coaching import exchange
from coaching.actions import import_plans, imports, proposals
from coaching.models import ConfigurationImport
from coaching.tasks import run_import

YES_NO = {"true": True, "false": False}


class Upload(dict):
    """What was sent, as `raw` bytes with a `name`. As a dictionary it is what two requests are compared by."""

    def __init__(self, raw, name):
        super().__init__(name=name, sha256=hashlib.sha256(raw).hexdigest())
        self.raw, self.name = raw, name


class ZipParser(BaseParser):
    """The archive itself as the body."""

    media_type = "application/zip"

    def parse(self, stream, media_type=None, parser_context=None):
        raw = stream.read(exchange.LARGEST + 1)
        if len(raw) > exchange.LARGEST:
            raise TooLarge
        return Upload(raw, "upload.zip")


class ZipFieldParser(MultiPartParser):
    """The archive as the one field `file` of a form."""

    def parse(self, stream, media_type=None, parser_context=None):
        sent = super().parse(stream, media_type, parser_context)
        if set(sent.files) != {"file"} or len(sent.files.getlist("file")) != 1 or sent.data:
            raise ParseError("Send one file in the field “file”, and nothing beside it.")
        if sent.files["file"].size > exchange.LARGEST:
            raise TooLarge
        return Upload(sent.files["file"].read(), sent.files["file"].name)


class ZipRenderer(BaseRenderer):
    """So that a client may ask for a zip; a refusal is JSON all the same."""

    media_type, format, charset = "application/zip", "zip", None

    def render(self, data, accepted_media_type=None, renderer_context=None):
        return JSONRenderer().render(data)


class FieldsBrought(serializers.DictField):
    """{field: value} in the names of memories, procedures and prompts."""


class Outcome(StrictSerializer):
    state = ChoiceField(choices=["proposed", "applied", "refused"])
    proposal = IdField(required=False)
    version = WholeField(required=False)
    problem = TextField(required=False)


class StepShown(StrictSerializer):
    """One step. `number` is what `steps` of /apply names; refused ones have none."""

    number = WholeField(required=False)
    step = ChoiceField(choices=[*import_plans.STEPS, "refused"])
    kind = TextField()
    id = IdField(required=False, allow_null=True)
    title = TextField()
    path = TextField(help_text="The file in the archive; empty for a delete.")
    base_version = WholeField(required=False, allow_null=True)
    fields_brought = FieldsBrought(required=False, help_text="What it would be; not told once it is done.")
    note = TextField()
    take = YesNoField(required=False)
    outcome = Outcome(required=False)


class ImportShown(StrictSerializer):
    id = IdField()
    agent = TextField(source="agent.name")
    agent_id = IdField()
    file_name = TextField()
    uploaded_by = PersonField()
    uploaded_at = InstantField()
    state = ChoiceField(choices=ConfigurationImport.State.choices)
    how = ChoiceField(choices=ConfigurationImport.How.choices, allow_null=True)
    progress = WholeField(help_text="Steps that are done.")
    finished_at = InstantField(allow_null=True)
    error = TextField(source="last_error")
    same = serializers.SerializerMethodField(help_text="Entries of the file that change nothing.")
    steps = serializers.SerializerMethodField()

    def get_same(self, row) -> int:
        return sum(step["count"] for step in row.steps if step["step"] == "same")

    @extend_schema_field(StepShown(many=True))
    def get_steps(self, row):
        told = enumerate(row.steps)
        return [_step(number, step) for number, step in told if step["step"] not in ("same", "asked")]

    def to_representation(self, row):
        return super().to_representation(row) | {"how": row.how or None}


class Applied(StrictSerializer):
    how = ChoiceField(choices=ConfigurationImport.How.choices)
    steps = serializers.ListField(
        child=WholeField(), required=False, help_text="Their numbers; default: those with take."
    )


def _step(number, step):
    told = {camel(key): step[key] for key in ("step", "kind", "id", "title", "path", "note", "take") if key in step}
    if step["step"] in import_plans.STEPS:
        told |= {"number": number, "baseVersion": step.get("base_version")}
    if "fields" in step:
        fields = proposals.loaded(step["fields"])
        told["fieldsBrought"] = {
            camel(name): epoch_ms(value) if hasattr(value, "timestamp") else value for name, value in fields.items()
        }
    if "outcome" in step:
        told["outcome"] = step["outcome"]
    return told


class AgentExport(ApiView):
    """The prompt, the procedures and the memories as files. The same configuration gives the same files."""

    rights = {"GET": Right.READ_AI}
    renderer_classes = (JSONRenderer, ZipRenderer)

    @extend_schema(responses={(200, "application/zip"): OpenApiTypes.BINARY})
    def get(self, request, agent_id):
        name, raw = imports.export(agent_or_404(request.member, agent_id), by=request.member)
        disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
        return HttpResponse(raw, content_type="application/zip", headers=disposition)


class AgentImports(ApiView):
    """Plan what an archive would change. Nothing is changed before /apply."""

    rights = {"POST": Right.CONFIGURE}
    parameters = {"POST": ("asNew",)}
    parser_classes = (ZipParser, ZipFieldParser)

    @extend_schema(request={"application/zip": OpenApiTypes.BINARY}, responses={201: ImportShown})
    def post(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        as_new = request.query_params.get("asNew", "false")
        if as_new not in YES_NO:
            raise ValidationError({"asNew": "This must be true or false."})
        sent = request.data
        if not isinstance(sent, Upload):
            raise ValidationError({"file": "There is no archive in the body."})
        made = imports.plan(agent, sent.raw, by=request.member, file_name=sent.name, as_new=YES_NO[as_new])
        return Response(ImportShown(made).data, status=status.HTTP_201_CREATED)


class OneImport(ApiView):
    @extend_schema(responses=ImportShown)
    def get(self, request, import_id):
        return Response(ImportShown(find(request, import_id)).data)


class ApplyImport(ApiView):
    """Carry out the steps in a worker: each as a proposal, or at once, which only the owner may."""

    scopes = {"POST": "approve"}

    @extend_schema(request=Applied, responses={202: ImportShown})
    def post(self, request, import_id):
        found = find(request, import_id)
        imports.carry_out(found, by=request.member, door=Door.API, **self.read(Applied))
        work.start_soon(run_import, str(found.pk))
        return Response(ImportShown(found).data, status=status.HTTP_202_ACCEPTED)


class DiscardImport(ApiView):
    @extend_schema(request=NothingMore, responses=ImportShown)
    def post(self, request, import_id):
        found = find(request, import_id)
        self.read(NothingMore)
        return Response(ImportShown(imports.discard(found, by=request.member)).data)


def find(request, import_id):
    """The import that the member may see. Raises Http404."""
    rows = ConfigurationImport.objects.visible_to(request.member).select_related("agent", "uploaded_by__user")
    return get_object_or_404(rows, pk=import_id)


urlpatterns = [
    path("agents/<uuid:agent_id>/export", AgentExport.as_view(), name="api-agent-export"),
    path("agents/<uuid:agent_id>/imports", AgentImports.as_view(), name="api-agent-imports"),
    path("imports/<uuid:import_id>", OneImport.as_view(), name="api-import"),
    path("imports/<uuid:import_id>/apply", ApplyImport.as_view(), name="api-import-apply"),
    path("imports/<uuid:import_id>/discard", DiscardImport.as_view(), name="api-import-discard"),
]
