"""Conversations, ratings and deep links in the back office. Transcripts are not shown here."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.rows import Back, ReadOnly
from helpdesk import deeplinks
from helpdesk.models import Conversation, DeepLink, Rating, RatingDay

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
class DeepLinkBack(Back):
    group = "Conversations"
    list_display = ("source", "conversation_pattern", "workspace")
    list_filter = (("workspace", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("workspace",)
    search_fields = ("source", "conversation_pattern")
    ordering = ("source", "pk")
    fields = ("workspace", "source", "conversation_pattern", "account_pattern", "keys")

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "source") if obj else fields

    def has_delete_permission(self, request, obj=None):
        return self.may(request)  # links that were rendered are frozen, so nothing is lost with the pattern

    def save_model(self, request, obj, form, change):
        saved = deeplinks.save(
            obj.workspace, source=obj.source, conversation_pattern=obj.conversation_pattern,
            account_pattern=obj.account_pattern, keys=obj.keys, by=self.acting(request, obj),
        )  # fmt: skip
        obj.pk = saved.pk
        obj._state.adding = False
