"""Imports of configurations in the back office."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import button
from coaching.actions import imports
from coaching.admin.filters import AGENT
from coaching.models import ConfigurationImport


@admin.register(ConfigurationImport)
class ConfigurationImportBack(OwedBack):
    group = "Coaching"
    one, many = "Import of a configuration", "Imports of configurations"
    list_display = ("file_name", "agent", "state", "how", "uploaded_by", "uploaded_at", *OwedBack.owed_columns)
    list_filter = (Owes, "state", "how", AGENT)
    list_select_related = ("agent", "uploaded_by__user")
    search_fields = ("file_name", "agent__name", "uploaded_by__user__name", "uploaded_by__user__email")
    ordering = ("-uploaded_at", "pk")
    never_read = ("steps",)  # up to the size of the file
    giving_up = "What was brought in so far stays; the import is marked as failed, and can be gone on with."

    def view_on_site(self, obj):
        return reverse("import", args=[obj.agent_id, obj.pk])

    def buttons_for(self, row):
        if row.state == ConfigurationImport.State.PLANNED:
            return ("discard",)
        if row.state == ConfigurationImport.State.FAILED:
            return ("go_on",)
        return ("try_again", "give_up") if row.state == ConfigurationImport.State.QUEUED else ()

    def end(self, row, *, by):
        imports.give_up(row, by=by)

    @button("Discard", danger=True)
    def discard(self, request, row, words):
        imports.discard(row, by=self.acting(request, row))
        return "Discarded. Nothing of it was brought in."

    @button("Go on")
    def go_on(self, request, row, words):
        imports.go_on(row, by=self.acting(request, row))
        return "It goes on with the steps that are left."
