"""Slack in the back office: connections, channels with a coach, policies, people and installations. No token is shown."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.rows import ReadOnly, button
from agents.back_office.versioned import VersionsShown
from coaching.actions.slack import connections, triggers
from coaching.admin.filters import AGENT
from coaching.models import SlackConnection, SlackInstallation, SlackPerson, SlackPolicy, SlackTrigger
from coaching.slack import checks, errors


class NotSaid(connections.Refusal):
    """Slack did not answer."""


@admin.register(SlackConnection)
class SlackConnectionBack(VersionsShown, ReadOnly):
    group = "Slack"
    one, many = "Connection to Slack", "Connections to Slack"
    list_display = ("__str__", "team_id", "mode", "workspace", "state", "state_reason", "heard_at", "spoke_at")
    list_filter = ("mode", "state")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "team_name", "=team_id", "=app_id")
    ordering = ("workspace__name", "team_name", "pk")
    fields = (
        "workspace", "mode", "team_id", "team_name", "app_id", "bot_user_id", "bot_id", "scopes", "state", "state_reason",
        "connected_by", "created_at", "heard_at", "spoke_at", "version",
    )  # fmt: skip
    version_fields = ("mode", "team_name", "app_id", "bot_user_id", "bot_id", "scopes", "state", "state_reason")
    never_read = ("bot_token", "signing_secret", "app_token")

    def view_on_site(self, obj):
        return f"{reverse('settings-slack')}#slack-{obj.pk}"

    def buttons_for(self, row):
        return () if row.state == SlackConnection.State.DISCONNECTED else ("ask_slack", "disconnect")

    @button("Check")
    def ask_slack(self, request, row, words):
        try:
            checks.check(row, by=self.acting(request, row))
        except errors.SlackError as failure:
            raise NotSaid(failure.sentence) from None
        return "Slack was asked. What it said stands here and at its channels."

    @button("Disconnect", danger=True)
    def disconnect(self, request, row, words):
        connections.disconnect(row, by=self.acting(request, row))
        return "Disconnected. Its tokens are deleted here."


@admin.register(SlackTrigger)
class SlackTriggerBack(VersionsShown, ReadOnly):
    group = "Slack"
    one, many = "Coach in a channel", "Coaches in channels"
    list_display = (
        "channel_name",
        "channel_id",
        "agent",
        "connection",
        "posts_every_proposal",
        "state",
        "state_reason",
    )
    list_filter = ("state", AGENT)
    list_select_related = ("agent", "connection")
    search_fields = ("channel_name", "=channel_id", "agent__name")
    ordering = ("channel_name", "pk")
    fields = (
        "workspace", "connection", "channel_id", "channel_name", "agent", "posts_every_proposal", "state", "state_reason",
        "created_by", "created_at", "version",
    )  # fmt: skip
    version_fields = ("channel_name", "agent", "posts_every_proposal", "state", "state_reason")

    def view_on_site(self, obj):
        return f"{reverse('settings-slack')}#coach-{obj.pk}"

    def buttons_for(self, row):
        return ("bring_back",) if row.state == SlackTrigger.State.REMOVED else ("remove",)

    @button("Remove", danger=True)
    def remove(self, request, row, words):
        triggers.remove(row, by=self.acting(request, row))
        return "Removed. Nobody listens there any more."

    @button("Bring back")
    def bring_back(self, request, row, words):
        triggers.bring_back(row, by=self.acting(request, row))
        return "It listens there again."


@admin.register(SlackPolicy)
class SlackPolicyBack(VersionsShown, ReadOnly):
    group = "Slack"
    one, many = "Policy for Slack", "Policies for Slack"
    list_display = ("workspace", "quotes", "flags_connection", "flags_channel_name", "flags_trouble", "version")
    list_filter = ("quotes",)
    list_select_related = ("workspace", "flags_connection")
    search_fields = ("workspace__name", "flags_channel_name")
    ordering = ("workspace__name", "pk")
    fields = (
        "workspace", "quotes", "flags_connection", "flags_channel_id", "flags_channel_name", "flags_trouble", "version",
    )  # fmt: skip
    version_fields = ("quotes", "flags_connection", "flags_channel_id", "flags_channel_name")
    never_read = ("flags_webhook",)


@admin.register(SlackPerson)
class SlackPersonBack(ReadOnly):
    group = "Slack"
    one, many = "Person in Slack", "People in Slack"
    list_display = ("__str__", "user_id", "connection", "member", "problem", "looked_up_at")
    list_filter = ("problem",)
    list_select_related = ("connection", "member__user")
    search_fields = ("name", "=user_id", "member__user__name", "member__user__email")
    ordering = ("name", "pk")


@admin.register(SlackInstallation)
class SlackInstallationBack(ReadOnly):
    group = "Slack"
    one, many = "Installation in Slack", "Installations in Slack"
    list_display = ("member", "workspace", "created_at", "expires_at", "used_at")
    list_filter = ("created_at",)
    list_select_related = ("member__user", "workspace")
    search_fields = ("member__user__name", "member__user__email")
    ordering = ("-created_at", "pk")
    fields = ("workspace", "member", "created_at", "expires_at", "used_at")
    never_shown = ("state_hash",)
