"""Routes of flags."""

from datetime import datetime, time

import django_filters
from django.db import models
from django.shortcuts import get_object_or_404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.response import Response

from agents.access import Right
from agents.api_base import (
    AgentField,
    AgentFilter,
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    InstantFilter,
    PersonField,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    epoch_ms,
)
from agents.api_base.fields import camel
from agents.api_versions import NothingMore
from coaching.actions import flags
from coaching.models import Flag


def day_ms(day, workspace) -> int:
    """The start of `day` (a date) by the workspace's clock, in epoch milliseconds."""
    return epoch_ms(datetime.combine(day, time(), workspace.zone))


class AgentNamed(StrictSerializer):
    id = IdField()
    name = TextField()


class FlagShown(StrictSerializer):
    id = IdField()
    agent = AgentNamed()
    kind = ChoiceField(choices=Flag.Kind.choices)
    status = ChoiceField(choices=Flag.Status.choices)
    since = serializers.SerializerMethodField(help_text="Start of the review window's first day, epoch milliseconds.")
    opened_at = InstantField()
    opened_by = PersonField(allow_null=True)
    closed_at = InstantField(allow_null=True)
    closed_by = PersonField(allow_null=True)
    close_reason = TextField()
    sentence = serializers.SerializerMethodField()
    evidence = serializers.SerializerMethodField()
    cause = ChoiceField(choices=Flag.Cause.choices, allow_null=True)

    def get_since(self, flag) -> int:
        return day_ms(flag.since, flag.workspace)

    def get_sentence(self, flag) -> str:
        return flags.sentence(flag)

    def get_evidence(self, flag) -> dict:
        return {camel(name): value for name, value in flag.evidence.items()}

    def to_representation(self, flag):
        return super().to_representation(flag) | {"cause": flag.cause or None}


class FlagDetail(FlagShown):
    """One flag with what leaders and the scan made of it since."""

    coached_at = InstantField(allow_null=True)
    coached_by = PersonField(allow_null=True)
    close_evidence = serializers.SerializerMethodField(help_text="The scan's numbers of the day it ended.")

    def get_close_evidence(self, flag) -> dict:
        return {camel(name): value for name, value in flag.close_evidence.items()}


class FlagAsked(StrictSerializer):
    agent = AgentField()
    reason = TextField(max_length=flags.LONGEST_REASON)


class DismissalAsked(StrictSerializer):
    reason = TextField(max_length=flags.LONGEST_REASON)


class CauseAsked(StrictSerializer):
    cause = ChoiceField(choices=Flag.Cause.choices, allow_null=True, help_text="Empty takes it back.")


class FlagFilters(StrictFilterSet):
    agent = AgentFilter(field_name="agent")
    kind = django_filters.ChoiceFilter(choices=Flag.Kind.choices)
    status = django_filters.ChoiceFilter(choices=Flag.Status.choices)
    cause = django_filters.ChoiceFilter(choices=Flag.Cause.choices)
    openedAfter = InstantFilter(field_name="opened_at", lookup_expr="gte")
    openedBefore = InstantFilter(field_name="opened_at", lookup_expr="lt")


def visible_flags(member) -> models.QuerySet[Flag]:
    """The flags that `member` may see, with what an answer needs of them."""
    people = ("opened_by__user", "closed_by__user", "coached_by__user")
    return Flag.objects.visible_to(member).select_related("agent", "workspace", *people)


class Flags(ApiView):
    rights = {"GET": Right.COACH_PEOPLE, "POST": Right.COACH_PEOPLE}
    filterset_class = FlagFilters
    ordering = ("-opened_at", "-id")
    queryset = Flag.objects.none()

    @extend_schema(responses=FlagShown(many=True))
    def get(self, request):
        return self.page(visible_flags(request.member), FlagShown)

    @extend_schema(request=FlagAsked, responses={201: FlagShown})
    def post(self, request):
        asked = self.read(FlagAsked)
        flag = flags.raise_manual(asked["agent"], by=request.member, reason=asked["reason"])
        return Response(FlagShown(flag).data, status=status.HTTP_201_CREATED)


def found(member, flag_id) -> Flag:
    return get_object_or_404(visible_flags(member), pk=flag_id)


class OneFlag(ApiView):
    @extend_schema(responses=FlagDetail)
    def get(self, request, flag_id):
        return Response(FlagDetail(found(request.member, flag_id)).data)

    @extend_schema(request=CauseAsked, responses=FlagDetail)
    def patch(self, request, flag_id):
        flag = found(request.member, flag_id)
        flag = flags.set_cause(flag, by=request.member, cause=self.read(CauseAsked)["cause"] or "")
        return Response(FlagDetail(flag).data)


class DismissFlag(ApiView):
    scopes = {"POST": "approve"}

    @extend_schema(request=DismissalAsked, responses=FlagShown)
    def post(self, request, flag_id):
        flag = found(request.member, flag_id)
        flag = flags.dismiss(flag, by=request.member, **self.read(DismissalAsked))
        return Response(FlagShown(flag).data)


class ReopenFlag(ApiView):
    """Take a dismissal back."""

    scopes = {"POST": "approve"}

    @extend_schema(request=NothingMore, responses=FlagDetail)
    def post(self, request, flag_id):
        flag = found(request.member, flag_id)
        self.read(NothingMore)
        return Response(FlagDetail(flags.reopen(flag, by=request.member)).data)


class CoachedFlag(ApiView):
    """The tick that the agent was coached on it: set it, or take it back."""

    @extend_schema(request=NothingMore, responses=FlagDetail)
    def post(self, request, flag_id):
        flag = found(request.member, flag_id)
        self.read(NothingMore)
        return Response(FlagDetail(flags.mark_coached(flag, by=request.member)).data)

    @extend_schema(responses={200: FlagDetail})
    def delete(self, request, flag_id):
        return Response(FlagDetail(flags.unmark_coached(found(request.member, flag_id), by=request.member)).data)


urlpatterns = [
    path("flags", Flags.as_view(), name="api-flags"),
    path("flags/<uuid:flag_id>", OneFlag.as_view(), name="api-flag"),
    path("flags/<uuid:flag_id>/reopen", ReopenFlag.as_view(), name="api-flag-reopen"),
    path("flags/<uuid:flag_id>/coached", CoachedFlag.as_view(), name="api-flag-coached"),
    path("flags/<uuid:flag_id>/dismiss", DismissFlag.as_view(), name="api-flag-dismiss"),
]
