"""Conversations, ratings and deep links in the back office. Transcripts are not shown here."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly, RowForm, button, led
from agents.back_office.versioned import VersionedForm, VersionsShown
from helpdesk import clocks, deeplinks
from helpdesk.models import Conversation, DeepLink, Rating, RatingDay, TimeZoneChange

TEAM = ("agent__team", admin.RelatedOnlyFieldListFilter)


@admin.register(Conversation)
class ConversationBack(ReadOnly):
    group = "Conversations"
    list_display = ("external_id", "source", "agent", "status", "channel", "closed_at", "turn_count")
    list_filter = ("source", "status", "agent__kind", TEAM)
    list_select_related = ("agent",)
    search_fields = ("^external_id", "agent__name")
    ordering = ("-closed_at", "pk")
    date_hierarchy = "closed_at"

    def view_on_site(self, obj):
        return reverse("conversation", args=[obj.pk])


@admin.register(Rating)
class RatingBack(ReadOnly):
    group = "Conversations"
    list_display = ("conversation", "agent", "value", "scale", "score", "rated_at", "credit", "counts", "withdrawn_at")
    list_filter = ("scale", "credit", "counts", TEAM)
    list_select_related = ("conversation", "agent")
    search_fields = ("^conversation__external_id", "agent__name")
    ordering = ("-rated_at", "pk")


@admin.register(RatingDay)
class RatingDayBack(ReadOnly):
    group = "Conversations"
    one, many = "Daily sum", "Daily sums of ratings"
    list_display = ("day", "agent", "n", "mean")
    list_filter = ("agent__kind", TEAM)
    list_select_related = ("agent",)
    search_fields = ("agent__name",)
    ordering = ("-day", "agent__name", "pk")

    @admin.display(description="Mean score")
    def mean(self, row):
        return round(row.sum_hundredths / row.n / 100, 1) if row.n else None


@admin.register(DeepLink)
class DeepLinkBack(VersionsShown):
    group = "Conversations"
    form = VersionedForm
    version_fields = ("conversation_pattern", "account_pattern", "keys")
    list_display = ("source", "conversation_pattern", "workspace")
    list_filter = (("workspace", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("workspace",)
    search_fields = ("source", "conversation_pattern")
    ordering = ("source", "pk")
    fields = ("workspace", "source", "conversation_pattern", "account_pattern", "keys")

    def get_fields(self, request, obj=None):
        return [*super().get_fields(request, obj), *(["base_version"] if obj else [])]

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "source") if obj else fields

    def has_delete_permission(self, request, obj=None):
        return self.may(request)  # links that were rendered are frozen, so nothing is lost with the pattern

    def save_model(self, request, obj, form, change):
        saved = deeplinks.save(
            obj.workspace, source=obj.source, conversation_pattern=obj.conversation_pattern,
            account_pattern=obj.account_pattern, keys=obj.keys, by=self.acting(request, obj),
            version=form.cleaned_data["base_version"] if change else 0,
        )  # fmt: skip
        obj.pk = saved.pk
        obj._state.adding = False

    def delete_model(self, request, obj):
        deeplinks.remove(obj, by=self.acting(request, obj))

    def view_on_site(self, obj):
        return reverse("settings-deep-links")


@admin.register(TimeZoneChange)
class TimeZoneChangeBack(OwedBack):
    """A new one is asked for by adding it; the rest happens by itself."""

    group = "People"
    one, many = "Change of the time zone", "Changes of the time zone"
    form = RowForm
    list_display = ("workspace", "time_zone", "asked_by", "asked_at", "done_at", *OwedBack.owed_columns)
    list_filter = (Owes, ("done_at", admin.EmptyFieldListFilter))
    list_select_related = ("workspace", "asked_by__user")
    search_fields = ("workspace__name", "time_zone")
    ordering = ("-asked_at", "-pk")
    giving_up = "The clock and all days stay as they are."

    def has_add_permission(self, request, *args):
        return self.may(request)

    def get_fields(self, request, obj=None):
        if obj:
            return super().get_fields(request, obj)
        return ["workspace", "time_zone"] if request.user.is_superuser or len(led(request)) > 1 else ["time_zone"]

    def get_readonly_fields(self, request, obj=None):
        return super().get_readonly_fields(request, obj) if obj else ()

    def save_model(self, request, obj, form, change):
        made = clocks.ask(obj.workspace, by=self.acting(request, obj), time_zone=obj.time_zone)
        if made is None:
            raise ValidationError({"time_zone": f"{obj.workspace} lives by this clock already."})
        obj.pk, obj._state.adding = made.pk, False

    def buttons_for(self, row):
        if row.done_at:
            return ()
        return ("try_again", "give_up") if row.next_try_at else ("ask_again",)

    def end(self, row, *, by):
        clocks.give_up(row, by=by)

    @button("Try again")
    def ask_again(self, request, row, words):
        clocks.try_again(row, by=self.acting(request, row))
        return "It is due now. A worker takes it within seconds."
