"""Conversations, ratings and deep links in the back office. Transcripts are not shown here."""

from django.contrib import admin

from agents.back_office import Back, ReadOnly
from helpdesk.models import Conversation, DeepLink, Rating, RatingDay


@admin.register(Conversation)
class ConversationBack(ReadOnly, admin.ModelAdmin):
    list_display = ("external_id", "source", "agent", "status", "channel", "closed_at", "turn_count")
    list_filter = ("source", "status", ("agent", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("agent",)
    search_fields = ("external_id", "agent__name")
    date_hierarchy = "closed_at"


@admin.register(Rating)
class RatingBack(ReadOnly, admin.ModelAdmin):
    list_display = ("conversation", "agent", "value", "scale", "score", "rated_at", "credit", "counts", "withdrawn_at")
    list_filter = ("scale", "credit", "counts")
    list_select_related = ("conversation", "agent")
    search_fields = ("conversation__external_id", "agent__name")
    ordering = ("-rated_at",)


@admin.register(RatingDay)
class RatingDayBack(ReadOnly, admin.ModelAdmin):
    list_display = ("agent", "day", "n", "mean")
    list_select_related = ("agent",)
    search_fields = ("agent__name",)
    ordering = ("-day",)

    @admin.display(description="Mean score")
    def mean(self, row):
        return round(row.sum_hundredths / row.n / 100, 1) if row.n else None


@admin.register(DeepLink)
class DeepLinkBack(Back, admin.ModelAdmin):
    list_display = ("source", "conversation_pattern", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("source", "conversation_pattern")
