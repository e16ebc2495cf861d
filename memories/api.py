"""Routes of memories: the same as those of procedures, and the search for an agent's runtime."""

import django_filters
from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.response import Response

from agents.access import Right
from agents.api_base import (
    ApiView,
    ChoiceField,
    IdField,
    InstantField,
    StrictFilterSet,
    StrictSerializer,
    TextField,
    WholeField,
    YesNoField,
    YesNoFilter,
)
from agents.api_versions import BaseVersion, Change, Restore, Row, RowsOfAgent, Versions, agent_or_404
from agents.models import TEXT_LIMIT
from memories import actions
from memories.models import SUMMARY_LIMIT, Memory, served_at
from memories.search.reading import search

MOST_HITS = 100


class MemoryShown(StrictSerializer):
    id = IdField()
    version = WholeField()
    summary = TextField()
    text = TextField()
    expires_at = InstantField(allow_null=True)
    source = ChoiceField(choices=Memory.Source.choices)
    created_at = InstantField()
    updated_at = InstantField()


class NewMemory(StrictSerializer):
    summary = TextField(max_length=SUMMARY_LIMIT)
    text = TextField(max_length=TEXT_LIMIT, allow_blank=True, default="")
    expires_at = InstantField(future=True, allow_null=True, default=None)


class MemoryChange(BaseVersion):
    summary = TextField(max_length=SUMMARY_LIMIT, required=False)
    text = TextField(max_length=TEXT_LIMIT, allow_blank=True, required=False)
    expires_at = InstantField(future=True, allow_null=True, required=False)


class MemoryVersion(Change, MemoryShown):
    pass


class MemoryFilters(StrictFilterSet):
    source = django_filters.ChoiceFilter(choices=Memory.Source.choices)
    expired = YesNoFilter(method="narrow_to_expired")

    def narrow_to_expired(self, rows, name, expired):
        now = timezone.now()
        return rows.filter(expires_at__lte=now) if expired else rows.filter(served_at(now))


def _create(agent, **values):
    return actions.create(agent, source=Memory.Source.API, **values)


class Memories(RowsOfAgent):
    model, shown, body, create = Memory, MemoryShown, NewMemory, staticmethod(_create)
    filterset_class = MemoryFilters

    def valid_at(self, rows, at):
        return rows.filter(served_at(at))


class OneMemory(Row):
    model, shown, body, revise = Memory, MemoryShown, MemoryChange, staticmethod(actions.revise)


class MemoryVersions(Versions):
    model, shown, version = Memory, MemoryShown, MemoryVersion


class MemoryRestore(Restore):
    model, shown = Memory, MemoryShown


# --- Search ----------------------------------------------------------------------------------------------------------


class SearchAsked(StrictSerializer):
    query = TextField(allow_blank=True)
    limit = WholeField(min_value=1, max_value=MOST_HITS, default=10)
    include_text = YesNoField(default=False)
    as_of = InstantField(required=False)


class Found(StrictSerializer):
    id = IdField()
    version = WholeField()
    summary = TextField()
    text = TextField(required=False)
    score = serializers.FloatField()

    def to_representation(self, hit):
        shown = super().to_representation(hit)
        if hit.text is None:
            del shown["text"]
        return shown


class SearchAnswer(StrictSerializer):
    items = Found(many=True)
    base_version = WholeField(help_text="The memory base's version that was searched.")


class MemorySearch(ApiView):
    """Find memories by words, best first. Expired entries are never served."""

    scopes = {"POST": ("read", "runtime")}
    rights = {"POST": Right.READ_AI}

    @extend_schema(request=SearchAsked, responses=SearchAnswer)
    def post(self, request, agent_id):
        agent = agent_or_404(request.member, agent_id)
        asked = self.read(SearchAsked)
        base_version = memory_base_version(agent, asked.get("as_of"))
        if not agent.is_ai or base_version is None:
            raise Http404
        hits = search(
            agent, asked["query"], limit=asked["limit"], as_of=asked.get("as_of"), include_text=asked["include_text"]
        )
        if "as_of" not in asked:
            actions.mark_served(agent.pk, [hit.id for hit in hits], timezone.now())
        return Response(SearchAnswer({"items": hits, "base_version": base_version}).data)


def memory_base_version(agent, as_of):
    """The version of the memory base at that instant (default: now); None before there was one."""
    if as_of is None:
        return agent.memory_base_version
    changes = agent.configurations.filter(created_at__lte=as_of).order_by("-number")
    return changes.values_list("memory_base_version", flat=True).first()


urlpatterns = [
    path("agents/<uuid:agent_id>/memories", Memories.as_view(), name="api-agent-memories"),
    path("agents/<uuid:agent_id>/memories/search", MemorySearch.as_view(), name="api-agent-memory-search"),
    path("memories/<uuid:row_id>", OneMemory.as_view(), name="api-memory"),
    path("memories/<uuid:row_id>/versions", MemoryVersions.as_view(), name="api-memory-versions"),
    path("memories/<uuid:row_id>/restore", MemoryRestore.as_view(), name="api-memory-restore"),
]
