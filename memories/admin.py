"""Memories in the back office."""

from django.contrib import admin

from agents.back_office.rows import ReadOnly
from agents.back_office.versioned import HistoryBack, VersionedBack
from memories import actions
from memories.models import KeptPair, Memory


@admin.register(Memory)
class MemoryBack(VersionedBack):
    group = "Agents"
    list_display = ("summary", "agent", "version", "source", "expires_at", "updated_at")
    list_filter = ("source", ("agent", admin.RelatedOnlyFieldListFilter))
    search_fields = ("summary", "text", "agent__name")
    ordering = ("-updated_at", "pk")
    also_shown = ("source",)

    def create(self, row, **how):
        fields = {name: getattr(row, name) for name in row.FIELDS}
        actions.create(row.agent, id=row.pk, **fields, **how)

    def revise(self, row, **how):
        actions.revise(row, **how)


@admin.register(Memory.history.model)
class MemoryVersions(HistoryBack):
    one, many = "Memory version", "Memory versions"
    title_field = "summary"
    search_fields = ("summary", "text", "agent__name")


@admin.register(KeptPair)
class KeptPairBack(ReadOnly):
    group = "Agents"
    list_display = ("__str__", "first_version", "second_version", "kept_at", "kept_by")
    list_filter = (("first__agent", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("first", "second", "kept_by__user")
    search_fields = ("first__summary", "second__summary")
    ordering = ("-kept_at", "pk")
    fields = ("first", "first_version", "second", "second_version", "kept_at", "kept_by")
