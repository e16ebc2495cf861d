"""Memories in the back office."""

from django.contrib import admin

from agents.back_office import HistoryBack, VersionedBack
from agents.models import Door
from memories import actions
from memories.models import Memory


@admin.register(Memory)
class MemoryBack(VersionedBack, admin.ModelAdmin):
    list_display = ("summary", "agent", "version", "source", "expires_at", "updated_at")
    list_filter = ("source", ("agent", admin.RelatedOnlyFieldListFilter))
    search_fields = ("summary", "text")
    autocomplete_fields = ("agent",)

    def create(self, row, by):
        fields = {name: getattr(row, name) for name in row.FIELDS}
        row.pk = actions.create(row.agent, by=by, door=Door.ADMIN, source=row.source, **fields).pk

    def revise(self, row, changes, base_version, by):
        actions.revise(
            Memory.objects.get(pk=row.pk), changes=changes, base_version=base_version, by=by, door=Door.ADMIN
        )


@admin.register(Memory.history.model)
class MemoryVersions(HistoryBack, admin.ModelAdmin):
    search_fields = ("summary", "text")
