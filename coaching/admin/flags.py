"""Flags, the sweeps that raise them, their policy and its backtests in the back office."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import ReadOnly, button
from agents.back_office.versioned import VersionedForm, VersionsShown
from coaching.actions import backtests, flags, policies
from coaching.admin.filters import TEAM
from coaching.models import Backtest, Flag, FlagPolicy, Sweep


@admin.register(Flag)
class FlagBack(ReadOnly):
    group = "To decide"
    list_display = ("agent", "kind", "status", "since", "opened_on", "closed_on", "cause")
    list_filter = ("status", "kind", "cause", TEAM)
    list_select_related = ("agent",)
    search_fields = ("agent__name", "reason", "close_reason")
    ordering = ("-opened_at", "pk")
    words_label = "Reason"
    fields = (
        "agent", "kind", "status", "sentence", "since", "opened_on", "opened_at", "opened_by", "reason", "cause", "evidence",
        "coached_at", "coached_by", "closed_at", "closed_by", "close_reason", "close_evidence",
    )  # fmt: skip

    @admin.display(description="What it says")
    def sentence(self, row):
        return flags.sentence(row)

    def view_on_site(self, obj):
        return reverse("flag", args=[obj.pk])

    def buttons_for(self, row):
        if row.status == Flag.Status.OPEN:
            return ("dismiss",)
        return ("reopen",) if row.status == Flag.Status.DISMISSED else ()

    @button("Reopen")
    def reopen(self, request, row, words):
        flags.reopen(row, by=self.acting(request, row))
        return "Reopened. It stands as it stood."

    @button("Dismiss", asks=True, danger=True)
    def dismiss(self, request, row, words):
        flags.dismiss(row, by=self.acting(request, row), reason=words)
        return "Dismissed. The scan leaves this agent alone for a while."


@admin.register(Sweep)
class SweepBack(OwedBack):
    group = "Coaching"
    one, many = "Flag sweep", "Flag sweeps"
    list_display = ("workspace", "swept_on", *OwedBack.owed_columns)
    list_filter = (Owes,)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    ordering = ("workspace__name",)
    giving_up = "Flags stay as they are until the next look, tonight or soon after new ratings."


@admin.register(FlagPolicy)
class FlagPolicyBack(VersionsShown):
    group = "Coaching"
    one, many = "Flag policy", "Flag policies"
    list_display = ("workspace", "sensitivity", "automatic", "version")
    list_filter = ("sensitivity", "automatic")
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)
    ordering = ("workspace__name", "pk")
    form = VersionedForm
    fields = ("workspace", "sensitivity", "automatic", "version", "base_version")
    readonly_fields = ("version",)
    version_fields = ("sensitivity", "automatic")

    def save_model(self, request, obj, form, change):
        by, chosen = self.acting(request, obj), {"sensitivity": obj.sensitivity, "automatic": obj.automatic}
        base_version = form.cleaned_data["base_version"] if change else None
        made = policies.choose(obj.workspace, by=by, base_version=base_version, **chosen)
        obj.pk, obj._state.adding = made.pk, False

    def view_on_site(self, obj):
        return reverse("settings-flag-policy")


@admin.register(Backtest)
class BacktestBack(OwedBack):
    group = "Coaching"
    list_display = ("workspace", "state", "per_cent", "asked_by", "asked_at", "finished_at", *OwedBack.owed_columns)
    list_filter = (Owes, "state", "asked_at")
    list_select_related = ("workspace", "asked_by__user")
    search_fields = ("workspace__name", "asked_by__user__name", "asked_by__user__email")
    ordering = ("-asked_at", "pk")
    never_read = ("result",)  # up to a megabyte each
    giving_up = "The replay is stopped. What an earlier one found stays; anybody can ask for a new one."

    @admin.display(description="Progress", ordering="progress")
    def per_cent(self, row):
        return f"{row.progress} %"

    @admin.display(description="Flags: early, balanced, cautious")
    def flags_found(self, row):
        return ", ".join(str(len(level["flags"])) for level in row.result.get("levels", {}).values()) or "–"

    def get_fields(self, request, obj=None):
        return [*super().get_fields(request, obj), *(["flags_found"] if obj and obj.result else [])]

    def view_on_site(self, obj):
        return reverse("settings-flag-policy") + "#backtest"

    def buttons_for(self, row):
        if row.state in Backtest.UNFINISHED:
            return ("try_again", "stop") if row.state == Backtest.State.QUEUED else ("stop",)
        return ("ask_again",)

    def end(self, row, *, by):
        backtests.give_up(row, by=by)

    @button("Stop", danger=True)
    def stop(self, request, row, words):
        backtests.stop(row, by=self.acting(request, row))
        return "Stopped."

    @button("Try again")
    def ask_again(self, request, row, words):
        backtests.ask(row.workspace, by=self.acting(request, row))
        return "A new one is asked for. A worker takes it within seconds."
