"""Notes in the back office, with what came after them, the reminders they owe and the addresses of calendars."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly, button
from agents.back_office.versioned import VersionsShown
from coaching.actions import notes
from coaching.admin.filters import TEAM
from coaching.models import CalendarFeed, Note, NoteEffect, Reminder


@admin.register(Note)
class NoteBack(VersionsShown, ReadOnly):
    group = "Coaching"
    list_display = ("__str__", "agent", "author", "shared_with_agent", "follow_up_at", "created_at", "archived_at")
    list_filter = ("shared_with_agent", ("archived_at", admin.EmptyFieldListFilter), TEAM)
    list_select_related = ("agent", "author__user")
    search_fields = ("body", "agent__name")
    ordering = ("-created_at", "pk")
    version_fields = ("body", "shared_with_agent", "follow_up_at", "followed_up_at", "archived_at")

    def view_on_site(self, obj):
        return reverse("team-agent", args=[obj.agent_id])

    def buttons_for(self, row):
        return ("restore",) if row.archived_at else ("archive",)

    @button("Archive", danger=True)
    def archive(self, request, row, words):
        notes.archive(row, by=self.acting(request, row))
        return "Archived. Its history stays."

    @button("Restore")
    def restore(self, request, row, words):
        notes.restore(row, by=self.acting(request, row))
        return "Restored."


@admin.register(NoteEffect)
class NoteEffectBack(ReadOnly):
    group = "Coaching"
    one, many = "Effect of a note", "Effects of notes"
    list_display = ("note", "agent", "day", "workspace")
    list_filter = ("day", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("note__agent", "workspace")
    search_fields = ("note__agent__name", "note__body")
    ordering = ("-day", "-pk")

    @admin.display(description="Agent", ordering="note__agent__name")
    def agent(self, row):
        return row.note.agent


@admin.register(Reminder)
class ReminderBack(OwedBack):
    group = "Coaching"
    one, many = "Reminder by mail", "Reminders by mail"
    list_display = ("note", "follow_up_at", "sent_at", *OwedBack.owed_columns)
    list_filter = (Owes, "follow_up_at", ("sent_at", admin.EmptyFieldListFilter))
    list_select_related = ("note__agent", "note__author__user")
    search_fields = ("note__agent__name", "note__body")
    ordering = ("-follow_up_at", "-pk")
    giving_up = "The mail is not sent. The follow-up stands on the To do page all the same."


@admin.register(CalendarFeed)
class CalendarFeedBack(ReadOnly):
    """Who has renewed the address of their calendar, and when. What the address is made from is shown to nobody."""

    group = "Coaching"
    one, many = "Calendar address", "Calendar addresses"
    list_display = ("member", "renewed_at", "workspace")
    list_filter = ("renewed_at", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("member__user", "workspace")
    search_fields = ("member__user__name", "member__user__email")
    ordering = ("-renewed_at", "-pk")
    never_shown = ("number",)
