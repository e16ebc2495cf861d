"""Routes that procedures and memories have in common: listed and made under their agent, changed against a version."""

from datetime import datetime

from django.http import Http404
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response

from agents import actions
from agents.access import Right, may
from agents.api_base import (
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    PersonField,
    StrictSerializer,
    TextField,
    WholeField,
    instant_parameter,
    whole_parameter,
)
from agents.configurations import instant_of, number_at, versions_at
from agents.models import Agent, Configuration, Door


class Change(StrictSerializer):
    """What every version says of itself beside its fields."""

    change = ChoiceField(choices=Configuration.Change.choices)
    configuration_version = WholeField(source="number", help_text="The agent's configuration number it made.")
    by = PersonField(allow_null=True, help_text="Null: nobody did, an operator's command or the product itself.")
    door = ChoiceField(choices=Door.choices, help_text="From where it was made.")
    reason = TextField()
    proposal = IdField(source="proposal_id", allow_null=True)
    changed_at = InstantField(source="created_at")


class NothingMore(StrictSerializer):
    """An empty body: anything in it is refused."""


class BaseVersion(StrictSerializer):
    base_version = WholeField(min_value=1)


def agent_or_404(member, agent_id) -> Agent:
    """The agent the member may see. Raises Http404."""
    return get_object_or_404(
        Agent.objects.visible_to(member).select_related("team", "workspace", "prompt"), pk=agent_id
    )


def number_asked(request, agent) -> int | None:
    """The configuration number that `version` or `asOf` asks for; None for now. Raises ValidationError, Http404."""
    return then_asked(request, agent)[0]


def then_asked(request, agent) -> tuple[int | None, datetime | None]:
    """That number, and the instant it is read at: the time asked for, or what `instant_of` says. (None, None) for now."""
    version, as_of = whole_parameter(request, "version"), instant_parameter(request, "asOf")
    if version is not None and as_of is not None:
        raise ValidationError({"asOf": "Ask for a version or for a time, not for both."})
    if version is None and as_of is None:
        return None, None
    number = number_at(agent, as_of) if version is None else version
    made = agent.configurations.filter(number=number).first()
    if made is None:
        raise Http404
    return made.number, as_of or instant_of(made, is_newest=made.number == agent.configuration_version)


class RowsOfAgent(ApiView):
    """`GET` and `POST /agents/:id/…`. Subclasses name `model`, `shown`, `body`, `create` and the filters.

    With `version` or `asOf` the list is what the agent was told then; where rows expire, `valid_at` leaves out what had.
    """

    rights = {"GET": Right.READ_AI, "POST": Right.CONFIGURE}
    parameters = {"GET": ("version", "asOf")}
    ordering = ("-created_at", "-id")

    def __init_subclass__(cls):
        cls.queryset = cls.model.objects.none()
        described = {
            "get": extend_schema(responses=cls.shown(many=True)),
            "post": extend_schema(request=cls.body, responses={status.HTTP_201_CREATED: cls.shown}),
        }
        extend_schema_view(**described)(cls)

    def get(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        number, at = then_asked(request, agent)
        if number is None:
            rows = self.model.objects.visible_to(request.member).filter(agent=agent)
        else:
            rows = self.valid_at(versions_at(self.model, agent, number), at)
        return self.page(rows, self.shown)

    def valid_at(self, rows, at):
        """Those of the history rows that were in force at the instant `at`."""
        return rows

    def post(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        made = self.create(agent, by=request.member, door=Door.API, **self.read(self.body))
        return Response(self.shown(made).data, status=status.HTTP_201_CREATED)


class Row(ApiView):
    """`GET`, `PATCH` and `DELETE` of one row. Subclasses name `model`, `shown`, `body` and `revise`.

    PATCH and DELETE take `baseVersion`, DELETE as a query parameter or in a body; 409 where the row has moved on.
    """

    parameters = {"DELETE": ("baseVersion",)}

    def __init_subclass__(cls):
        described = {
            "get": extend_schema(responses=cls.shown),
            "patch": extend_schema(request=cls.body, responses=cls.shown),
            "delete": extend_schema(request=BaseVersion, responses={status.HTTP_204_NO_CONTENT: None}),
        }
        extend_schema_view(**described)(cls)

    def row(self, row_id):
        return get_object_or_404(self.model.objects.visible_to(self.member).select_related("agent"), pk=row_id)

    def get(self, request, row_id):
        return Response(self.shown(self.row(row_id)).data)

    def patch(self, request, row_id):
        row = self.row(row_id)
        changes = self.read(self.body)
        base_version = changes.pop("base_version")
        if not changes:
            raise ValidationError("This changes nothing.")
        row = self.revise(row, changes=changes, base_version=base_version, by=request.member, door=Door.API)
        return Response(self.shown(row).data)

    def delete(self, request, row_id):
        row = self.row(row_id)
        base_version = whole_parameter(request, "baseVersion")
        if base_version is None:
            base_version = self.read(BaseVersion)["base_version"]
        actions.remove(row, base_version=base_version, by=request.member, door=Door.API)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Versions(ApiView):
    """`GET /…/:id/versions`, newest first; of a removed row too. Subclasses name `model`, `shown`, and `version`, which is both
    `shown` and a Change.
    """

    ordering = ("-number",)

    def __init_subclass__(cls):
        extend_schema_view(get=extend_schema(responses=cls.version(many=True)))(cls)

    def get(self, request, row_id):
        history_or_404(self.model, request.member, row_id)
        made = Configuration.objects.filter(
            workspace_id=request.member.workspace_id, target_kind=self.model.KIND, target_id=row_id
        ).select_related("by__user")
        page = self.paginate_queryset(made)
        versions = self.model.history.filter(id=row_id, version__in=[change.target_version for change in page])
        texts = {row.version: row for row in versions}
        return self.get_paginated_response(
            [self.shown(texts[change.target_version]).data | Change(change).data for change in page]
        )


class Restore(ApiView):
    """`POST /…/:id/restore`: a removed row comes back under its id. Subclasses name `model` and `shown`."""

    def __init_subclass__(cls):
        extend_schema_view(post=extend_schema(request=NothingMore, responses=cls.shown))(cls)

    def post(self, request, row_id):
        history_or_404(self.model, request.member, row_id)
        self.read(NothingMore)
        row = actions.restore(self.model, row_id, by=request.member, door=Door.API)
        return Response(self.shown(row).data)


def history_or_404(model, member, row_id):
    """Whether such a row ever was, in this member's workspace and for their eyes. Raises Http404."""
    if not (may(member, Right.READ_AI) and model.history.filter(id=row_id, workspace_id=member.workspace_id).exists()):
        raise Http404
