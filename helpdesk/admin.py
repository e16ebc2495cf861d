"""Conversations, ratings and deep links in the back office. Transcripts are not shown here."""

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes, TestBack
from agents.back_office.rows import ReadOnly, RowForm, button, led
from agents.back_office.versioned import VersionedForm, VersionsShown
from helpdesk import clocks, deeplinks
from helpdesk.actions import connections
from helpdesk.models import (
    ConnectionTest,
    Conversation,
    DeepLink,
    HelpdeskAgent,
    HelpdeskConnection,
    HelpdeskSync,
    Rating,
    RatingDay,
    TimeZoneChange,
    WebhookReceipt,
)

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


@admin.register(HelpdeskConnection)
class HelpdeskConnectionBack(VersionsShown, ReadOnly):
    group = "Helpdesks"
    one, many = "Connection to a helpdesk", "Connections to helpdesks"
    list_display = ("source", "vendor", "workspace", "state", "state_reason", "base_url", "version")
    list_filter = ("vendor", "state")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "source", "base_url")
    ordering = ("workspace__name", "source", "pk")
    fields = (
        "workspace", "vendor", "source", "base_url", "account", "backfill_days", "state", "state_reason", "created_at", "version"
    )  # fmt: skip
    version_fields = ("vendor", "source", "base_url", "account", "backfill_days", "state", "state_reason")
    never_read = ("secrets",)

    def buttons_for(self, row):
        return {
            HelpdeskConnection.State.ACTIVE: ("read_now", "test", "pause", "disconnect"),
            HelpdeskConnection.State.PAUSED: ("resume", "test", "disconnect"),
            HelpdeskConnection.State.REFUSED: ("resume", "test", "disconnect"),
        }.get(row.state, ())

    @button("Read now")
    def read_now(self, request, row, words):
        connections.read_now(row, by=self.acting(request, row))
        return "It is due now. A worker takes it within seconds."

    @button("Test it")
    def test(self, request, row, words):
        connections.ask_for_test(row, by=self.acting(request, row))
        return "A test is asked for. A worker takes it within seconds."

    @button("Pause")
    def pause(self, request, row, words):
        connections.pause(row, by=self.acting(request, row))
        return "Paused. Nothing is read until somebody resumes it; webhooks are kept meanwhile."

    @button("Resume")
    def resume(self, request, row, words):
        connections.resume(row, by=self.acting(request, row))
        return "Resumed. It goes on where it was."

    @button("Disconnect", danger=True)
    def disconnect(self, request, row, words):
        connections.disconnect(row, by=self.acting(request, row))
        return "Disconnected. Its secrets are deleted here; ratings stay."


@admin.register(HelpdeskSync)
class HelpdeskSyncBack(OwedBack):
    group = "Helpdesks"
    one, many = "Reading of a helpdesk", "Readings of helpdesks"
    list_display = (
        "connection", "kind", "since", "until", "reached", "n_read", "n_new", "n_refused", "finished_at", "failed_at",
        *OwedBack.owed_columns,
    )  # fmt: skip
    list_filter = (Owes, "kind", "connection__vendor", "connection__state")
    list_select_related = ("connection",)
    search_fields = ("workspace__name", "connection__source")
    ordering = ("connection__source", "kind", "pk")
    never_shown = (*OwedBack.never_shown, "cursor")
    giving_up = (
        "What was read stays. A first reading is owed again when somebody connects again; what is new and what was missed when "
        "the clock asks for it."
    )

    def end(self, row, *, by):
        connections.give_up(row, by=by)


@admin.register(ConnectionTest)
class ConnectionTestBack(TestBack):
    group = "Helpdesks"
    one, many = "Test of a connection", "Tests of connections"
    list_display = ("connection", "asked_by", "asked_at", "finished_at", "came_to", *OwedBack.owed_columns)
    list_filter = (Owes, "asked_at", "connection__vendor")
    list_select_related = ("connection", "asked_by__user")
    search_fields = ("workspace__name", "connection__source")
    ordering = ("-asked_at", "pk")

    def end(self, row, *, by):
        connections.give_up_test(row, by=by)


@admin.register(HelpdeskAgent)
class HelpdeskAgentBack(OwedBack):
    group = "Helpdesks"
    one, many = "Agent as a helpdesk knows them", "Agents as helpdesks know them"
    list_display = ("name", "email", "external_id", "connection", "agent", "mapping", "is_gone", *OwedBack.owed_columns)
    list_filter = (Owes, "mapping", "is_bot", "is_gone", ("agent", admin.EmptyFieldListFilter), "connection__vendor")
    list_select_related = ("connection", "agent")
    search_fields = ("name", "email", "^external_id", "connection__source")
    ordering = ("connection__source", "name", "pk")
    giving_up = "Ratings that were not credited yet stay with whom they were; mapping the agent anew credits them."


@admin.register(WebhookReceipt)
class WebhookReceiptBack(OwedBack):
    group = "Helpdesks"
    one, many = "Webhook that came in", "Webhooks that came in"
    list_display = (
        "event", "connection", "conversation_id", "received_at", "done_at", "outcome", *OwedBack.owed_columns
    )  # fmt: skip
    list_filter = (Owes, "received_at", ("done_at", admin.EmptyFieldListFilter), "connection__vendor")
    list_select_related = ("connection",)
    search_fields = ("^event_id", "^conversation_id", "connection__source")
    ordering = ("-received_at", "-pk")
    never_read = ("items",)
    giving_up = "Nothing more is done about it. The daily look finds what it told of, if the helpdesk lists it."

    def end(self, row, *, by):
        connections.give_up_receipt(row, by=by)
