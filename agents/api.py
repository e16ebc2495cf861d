"""Routes of agents, their configurations and their procedures."""

import hashlib
import re

import django_filters
from django.db import transaction
from django.db.models import prefetch_related_objects
from django.urls import path
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from agents import actions, configurations
from agents.access import Right, may
from agents.api_base import (
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    PersonField,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoField,
    YesNoFilter,
)
from agents.api_versions import (
    BaseVersion,
    Change,
    Restore,
    Row,
    RowsOfAgent,
    Versions,
    agent_or_404,
    number_asked,
)
from agents.models import TEXT_LIMIT, Agent, Configuration, Door, Procedure

# --- Agents ----------------------------------------------------------------------------------------------------------


class Storage(StrictSerializer):
    mode = ChoiceField(choices=Agent.Storage.choices, source="storage_mode", required=False)
    retention_days = WholeField(min_value=1, max_value=3650, required=False)


class ExternalIds(serializers.DictField):
    """{source: id}: how each source calls the agent."""

    child = TextField(max_length=300)

    def to_internal_value(self, data):
        values = super().to_internal_value(data)
        for source in values:
            if not re.fullmatch(r"[-\w]{1,50}", source, re.ASCII):
                raise serializers.ValidationError(f"{source[:60]!r} is not a source: a short slug, such as “zendesk”.")
        return values

    def to_representation(self, rows):
        return {row.source: row.value for row in rows.all()}


class AgentShown(StrictSerializer):
    """An agent. What an AI agent is told stands only where the reader may read it."""

    id = IdField()
    name = TextField()
    kind = ChoiceField(choices=Agent.Kind.choices)
    team = TextField(source="team.name", default=None, allow_null=True)
    active = YesNoField()
    coaching = YesNoField()
    external_ids = ExternalIds()
    system_prompt = TextField(source="prompt.system_prompt", required=False)
    prompt_version = WholeField(source="prompt.version", required=False)
    configuration_version = WholeField(required=False)
    storage = Storage(source="*", required=False)

    AI_ONLY = ("systemPrompt", "promptVersion", "configurationVersion", "storage")

    def to_representation(self, agent):
        shown = super().to_representation(agent)
        if not (agent.is_ai and may(self.context["request"].member, Right.READ_AI)):
            for name in self.AI_ONLY:
                shown.pop(name, None)
        return shown


class NewAgent(StrictSerializer):
    name = TextField(max_length=300, trim_whitespace=True)
    kind = ChoiceField(choices=Agent.Kind.choices, default=Agent.Kind.HUMAN)
    team = TextField(max_length=200, allow_blank=True, allow_null=True, default="")
    active = YesNoField(default=True)
    coaching = YesNoField(default=False)
    external_ids = ExternalIds(required=False)
    system_prompt = TextField(max_length=TEXT_LIMIT, allow_blank=True, default="")
    storage = Storage(required=False)


class AgentChange(StrictSerializer):
    """`systemPrompt` needs the `baseVersion` of the prompt."""

    name = TextField(max_length=300, trim_whitespace=True, required=False)
    team = TextField(max_length=200, allow_blank=True, allow_null=True, required=False)
    active = YesNoField(required=False)
    coaching = YesNoField(required=False)
    external_ids = ExternalIds(required=False)
    storage = Storage(required=False)
    system_prompt = TextField(max_length=TEXT_LIMIT, allow_blank=True, required=False)
    base_version = WholeField(min_value=1, required=False)

    def validate(self, values):
        if "system_prompt" in values and "base_version" not in values:
            raise ValidationError({"baseVersion": "A change of the prompt says which version it was made from."})
        if "base_version" in values and "system_prompt" not in values:
            raise ValidationError({"baseVersion": "This belongs to a systemPrompt, and there is none."})
        return values


def _for_the_action(values):
    """The values under the names that the action takes."""
    values |= values.pop("storage", {})
    if "team" in values:
        values["team"] = values["team"] or ""
    return values


class AgentFilters(StrictFilterSet):
    name = django_filters.CharFilter(lookup_expr="exact")
    kind = django_filters.ChoiceFilter(choices=Agent.Kind.choices)
    team = django_filters.CharFilter(field_name="team__name", lookup_expr="exact")
    active = YesNoFilter()
    coaching = YesNoFilter()


class Agents(ApiView):
    for_members = ("GET",)
    rights = {"POST": Right.MANAGE_WORKSPACE}
    filterset_class = AgentFilters
    ordering = ("name", "id")
    queryset = Agent.objects.none()

    @extend_schema(responses=AgentShown(many=True))
    def get(self, request):
        """By name. A member is told their own row; what an AI agent is told is for leaders."""
        agents = Agent.objects.visible_to(request.member).select_related("team", "prompt")
        return self.page(agents.prefetch_related("external_ids"), AgentShown)

    @extend_schema(request=NewAgent, responses={201: AgentShown})
    def post(self, request):
        values = _for_the_action(self.read(NewAgent))
        agent = actions.create_agent(request.member.workspace, by=request.member, door=Door.API, **values)
        return Response(_shown(agent, self), status=status.HTTP_201_CREATED)


class OneAgent(ApiView):
    for_members = ("GET",)

    @extend_schema(responses=AgentShown)
    def get(self, request, agent_id):
        return Response(_shown(agent_or_404(request.member, agent_id), self))

    @extend_schema(request=AgentChange, responses=AgentShown)
    def patch(self, request, agent_id):
        """Only the fields that are named change. `systemPrompt` needs the `baseVersion` it was written against, and answers 409
        where the prompt has moved on.
        """
        agent = agent_or_404(request.member, agent_id)
        values = _for_the_action(self.read(AgentChange))
        prompt, base_version = values.pop("system_prompt", None), values.pop("base_version", None)
        if prompt is not None and not agent.is_ai:
            raise ValidationError({"systemPrompt": "Only an AI agent has a prompt."})
        with transaction.atomic():
            if prompt is not None:
                actions.change_prompt(
                    agent.prompt, system_prompt=prompt, base_version=base_version, by=request.member, door=Door.API
                )
            if values or prompt is None:
                actions.update_agent(agent, by=request.member, **values)
        return Response(_shown(agent_or_404(request.member, agent_id), self))


def _shown(agent, view):
    prefetch_related_objects([agent], "external_ids")
    return AgentShown(agent, context=view.get_serializer_context()).data


# --- Configurations --------------------------------------------------------------------------------------------------


class ProcedureTold(StrictSerializer):
    id = IdField()
    version = WholeField()
    name = TextField()
    trigger = TextField()
    content = TextField()


class ConfigurationShown(StrictSerializer):
    agent = TextField()
    agent_id = IdField()
    version = WholeField()
    system_prompt = TextField()
    prompt_version = WholeField()
    procedures = ProcedureTold(many=True)
    memory_base_version = WholeField()


class AgentConfiguration(ApiView):
    """What the agent is told, or was told at a `version` or `asOf` a time. Active procedures only."""

    scopes = {"GET": ("read", "runtime")}
    rights = {"GET": Right.READ_AI}
    parameters = {"GET": ("version", "asOf")}

    @extend_schema(responses=ConfigurationShown)
    def get(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        if not agent.is_ai:
            raise Configuration.DoesNotExist
        number = number_asked(request, agent)
        told = configurations.told(agent, agent.configuration_version if number is None else number)
        answer = ConfigurationShown(
            {
                "agent": agent.name,
                "agent_id": agent.pk,
                "version": told.number,
                "system_prompt": told.prompt.system_prompt,
                "prompt_version": told.prompt.version,
                "procedures": told.procedures,
                "memory_base_version": told.memory_base_version,
            }
        ).data
        etag = f'"{hashlib.sha256(JSONRenderer().render(answer)).hexdigest()[:32]}"'
        response = Response(answer, headers={"ETag": etag, "Cache-Control": "private, no-cache"})
        return get_conditional_response(request._request, etag=etag, response=response)


class ConfigurationMade(StrictSerializer):
    version = WholeField(source="number")
    change = ChoiceField(choices=Configuration.Change.choices)
    target_kind = TextField()
    target_id = IdField()
    target_version = WholeField()
    memory_base_version = WholeField()
    by = PersonField(allow_null=True, help_text="Null: nobody did, an operator's command or the product itself.")
    door = ChoiceField(choices=Door.choices)
    reason = TextField()
    proposal = IdField(source="proposal_id", allow_null=True)
    reverts = WholeField(
        source="reverts.number", default=None, allow_null=True, help_text="The version that it took back."
    )
    reverted_by = WholeField(
        source="reverted_by.number", default=None, allow_null=True, help_text="The version that took it back."
    )
    changed_at = InstantField(source="created_at")


class AgentVersions(ApiView):
    """The configuration numbers, newest first: what changed, who changed it, by which proposal, what took it back."""

    rights = {"GET": Right.READ_AI}
    ordering = ("-number",)

    @extend_schema(responses=ConfigurationMade(many=True))
    def get(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        return self.page(agent.configurations.select_related("by__user", "reverts", "reverted_by"), ConfigurationMade)


# --- Procedures ------------------------------------------------------------------------------------------------------


class ProcedureShown(StrictSerializer):
    id = IdField()
    version = WholeField()
    name = TextField()
    trigger = TextField()
    content = TextField()
    active = YesNoField()
    folder = TextField()
    created_at = InstantField()
    updated_at = InstantField()


class NewProcedure(StrictSerializer):
    name = TextField(max_length=200, trim_whitespace=True)
    trigger = TextField(max_length=2_000, allow_blank=True, default="")
    content = TextField(max_length=TEXT_LIMIT)
    active = YesNoField(default=True)
    folder = TextField(max_length=100, trim_whitespace=True, allow_blank=True, default="")


class ProcedureChange(BaseVersion):
    name = TextField(max_length=200, trim_whitespace=True, required=False)
    trigger = TextField(max_length=2_000, allow_blank=True, required=False)
    content = TextField(max_length=TEXT_LIMIT, required=False)
    active = YesNoField(required=False)
    folder = TextField(max_length=100, trim_whitespace=True, allow_blank=True, required=False)


class ProcedureVersion(Change, ProcedureShown):
    pass


class ProcedureFilters(StrictFilterSet):
    active = YesNoFilter()


class Procedures(RowsOfAgent):
    model, shown, body, create = Procedure, ProcedureShown, NewProcedure, staticmethod(actions.create_procedure)
    filterset_class = ProcedureFilters


class OneProcedure(Row):
    model, shown, body, revise = Procedure, ProcedureShown, ProcedureChange, staticmethod(actions.revise)


class ProcedureVersions(Versions):
    model, shown, version = Procedure, ProcedureShown, ProcedureVersion


class ProcedureRestore(Restore):
    model, shown = Procedure, ProcedureShown


urlpatterns = [
    path("agents", Agents.as_view(), name="api-agents"),
    path("agents/<uuid:agent_id>", OneAgent.as_view(), name="api-agent"),
    path("agents/<uuid:agent_id>/configuration", AgentConfiguration.as_view(), name="api-agent-configuration"),
    path("agents/<uuid:agent_id>/versions", AgentVersions.as_view(), name="api-agent-versions"),
    path("agents/<uuid:agent_id>/procedures", Procedures.as_view(), name="api-agent-procedures"),
    path("procedures/<uuid:row_id>", OneProcedure.as_view(), name="api-procedure"),
    path("procedures/<uuid:row_id>/versions", ProcedureVersions.as_view(), name="api-procedure-versions"),
    path("procedures/<uuid:row_id>/restore", ProcedureRestore.as_view(), name="api-procedure-restore"),
]
