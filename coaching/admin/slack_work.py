"""What Slack told and what is owed to it, in the back office. Nothing that anybody wrote is shown."""

from django.contrib import admin

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly
from coaching.actions.slack import posts, receipts
from coaching.models import SlackPace, SlackPost, SlackReceipt, SlackThread


@admin.register(SlackReceipt)
class SlackReceiptBack(OwedBack):
    group = "Slack"
    one, many = "What Slack told", "What Slack told"
    list_display = ("kind", "type", "connection", "received_at", "done_at", "outcome", *OwedBack.owed_columns)
    list_filter = (Owes, "kind", "received_at")
    list_select_related = ("connection",)
    search_fields = ("workspace__name", "connection__team_name", "type")
    ordering = ("-received_at", "pk")
    never_shown = (*OwedBack.never_shown, "key")
    never_read = ("payload",)
    giving_up = "Nothing more is done about it: what was asked or clicked there stays without an answer."

    def end(self, row, *, by):
        receipts.give_up(row)


@admin.register(SlackPost)
class SlackPostBack(OwedBack):
    group = "Slack"
    one, many = "Message in Slack", "What Slack would say"
    list_display = (
        "__str__", "connection", "state", "drawn", "drawn_at", "state_reason", "created_at", *OwedBack.owed_columns,
    )  # fmt: skip
    list_filter = (Owes, "state", "kind", "created_at")
    list_select_related = ("connection",)
    search_fields = ("workspace__name", "connection__team_name", "=channel_id")
    ordering = ("-created_at", "pk")
    never_shown = (*OwedBack.never_shown, "pieces")
    giving_up = (
        "What was never posted stays unposted, and says so. What stands in Slack stays as it is until it changes again."
    )

    def end(self, row, *, by):
        posts.give_up(row)


@admin.register(SlackThread)
class SlackThreadBack(ReadOnly):
    group = "Slack"
    one, many = "Thread in Slack", "Threads in Slack"
    list_display = ("__str__", "connection", "trigger", "started_by", "created_at")
    list_filter = ("created_at",)
    list_select_related = ("connection", "trigger__agent", "started_by")
    search_fields = ("workspace__name", "connection__team_name", "=channel_id", "=thread_ts")
    ordering = ("-created_at", "pk")


@admin.register(SlackPace)
class SlackPaceBack(ReadOnly):
    group = "Slack"
    one, many = "Pace in Slack", "Paces in Slack"
    list_display = ("__str__", "connection", "next_at", "blocked_until")
    list_filter = (("blocked_until", admin.EmptyFieldListFilter),)
    list_select_related = ("connection",)
    search_fields = ("workspace__name", "connection__team_name", "=channel_id")
    ordering = ("connection", "method", "channel_id", "pk")
