"""Memories in the back office."""

from django.contrib import admin

from agents.back_office.versioned import HistoryBack, VersionedBack
from agents.models import Door
from memories import actions
from memories.models import Memory


@admin.register(Memory)
class MemoryBack(VersionedBack):
    group = "Agents"
    list_display = ("summary", "agent", "version", "source", "expires_at", "updated_at")
    list_filter = ("source", ("agent", admin.RelatedOnlyFieldListFilter))
    search_fields = ("summary", "text", "agent__name")
    ordering = ("-updated_at", "pk")
    also_shown = ("source",)

    def create(self, row, by):
        fields = {name: getattr(row, name) for name in row.FIELDS}
        actions.create(row.agent, by=by, door=Door.ADMIN, id=row.pk, **fields)

    def revise(self, row, changes, base_version, by):
        actions.revise(row, changes=changes, base_version=base_version, by=by, door=Door.ADMIN)


@admin.register(Memory.history.model)
class MemoryVersions(HistoryBack):
    title_field = "summary"
    search_fields = ("summary", "text", "agent__name")
