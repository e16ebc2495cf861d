"""Flags, samples, notes, sessions and proposals in the back office. Buttons call the actions of every other door."""

from django.contrib import admin

from agents.back_office import Buttons, OwedBack, Owes, ReadOnly
from agents.models import Door
from coaching.actions import flags, notes, proposals
from coaching.models import Flag, Note, Proposal, Sample, Session, Sweep, Turn


@admin.register(Proposal)
class ProposalBack(Buttons, ReadOnly, admin.ModelAdmin):
    list_display = ("title", "type", "agent", "status", "risk_level", "created_at", "decided_by", "decided_at")
    list_filter = ("status", "type", "risk_level", ("agent", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("agent", "decided_by__user")
    search_fields = ("title", "rationale")
    ordering = ("-created_at",)

    def buttons_for(self, row):
        if row.status == Proposal.Status.PENDING:
            return {
                "approve": ("Approve", "Note (optional)", "approve"),
                "reject": ("Reject", "Reason, which the coach reads", "reject"),
            }
        if row.status == Proposal.Status.APPROVED:
            return {"revert": ("Take back", "Why? (optional)", "revert")}
        return {}

    def approve(self, request, row, words):
        proposals.approve(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Approved and applied as version {row.result_version}."

    def reject(self, request, row, words):
        proposals.reject(row, by=self.acting(request, row), door=Door.ADMIN, reason=words)

    def revert(self, request, row, words):
        made = proposals.revert(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Taken back as version {made.target_version}."


@admin.register(Flag)
class FlagBack(Buttons, ReadOnly, admin.ModelAdmin):
    list_display = ("agent", "kind", "status", "since", "opened_on", "closed_on", "cause")
    list_filter = ("status", "kind", "cause")
    list_select_related = ("agent",)
    search_fields = ("agent__name", "reason", "close_reason")
    ordering = ("-opened_at",)

    def buttons_for(self, row):
        return {"dismiss": ("Dismiss", "Reason", "dismiss")} if row.status == Flag.Status.OPEN else {}

    def dismiss(self, request, row, words):
        flags.dismiss(row, by=self.acting(request, row), reason=words)


@admin.register(Sweep)
class SweepBack(OwedBack, admin.ModelAdmin):
    list_display = ("workspace", "swept_on", "ratings_seen_at", *OwedBack.owed_columns)
    list_filter = (Owes,)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name",)


@admin.register(Sample)
class SampleBack(OwedBack, admin.ModelAdmin):
    list_display = ("conversation", "agent", "score", "summary_state", "created_at", *OwedBack.owed_columns)
    list_filter = ("summary_state", Owes)
    list_select_related = ("conversation", "agent")
    search_fields = ("agent__name", "conversation__external_id", "summary")
    ordering = ("-created_at",)


@admin.register(Turn)
class TurnBack(OwedBack, admin.ModelAdmin):
    list_display = ("session", "number", "state", "asked_by", "created_at", "ended_at", "error", *OwedBack.owed_columns)
    list_filter = ("state", Owes)
    list_select_related = ("session", "asked_by__user")
    search_fields = ("session__agent__name", "error")
    ordering = ("-created_at",)


@admin.register(Session)
class SessionBack(ReadOnly, admin.ModelAdmin):
    list_display = ("agent", "conversation", "started_by", "turns_asked", "created_at", "updated_at")
    list_select_related = ("agent", "conversation", "started_by__user")
    search_fields = ("agent__name", "conversation__external_id")
    ordering = ("-updated_at",)


@admin.register(Note)
class NoteBack(Buttons, ReadOnly, admin.ModelAdmin):
    list_display = ("__str__", "agent", "author", "shared_with_agent", "follow_up_at", "created_at", "archived_at")
    list_filter = ("shared_with_agent", ("agent", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("agent", "author__user")
    search_fields = ("body", "agent__name")
    ordering = ("-created_at",)

    def buttons_for(self, row):
        if row.archived_at:
            return {"restore": ("Restore", "", "restore")}
        return {"archive": ("Archive", "", "archive")}

    def archive(self, request, row, words):
        notes.archive(row, by=self.acting(request, row))

    def restore(self, request, row, words):
        notes.restore(row, by=self.acting(request, row))
