"""Proposals in the back office: what changes, on what evidence, and the decision."""

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from agents.back_office.rows import ReadOnly, button
from agents.back_office.versioned import lines, readable
from agents.models import Door
from coaching.actions import proposals
from coaching.admin.filters import AGENT
from coaching.models import Proposal
from coaching.texts.diffs import LABELS


@admin.register(Proposal)
class ProposalBack(ReadOnly):
    group = "To decide"
    list_display = ("title", "type", "agent", "status", "risk_level", "created_at", "decided_by")
    list_filter = ("status", "type", "risk_level", AGENT)
    list_select_related = ("agent", "decided_by__user")
    search_fields = ("title", "rationale", "agent__name")
    ordering = ("-created_at", "pk")
    words_label = "Note, or the reason of a rejection (the coach reads it)"
    fields = (
        "agent", "type", "status", "risk_level", "risk_reasons", "rationale", "what_changes", "base_version",
        "evidence_told", "proposed_by", "session", "replaces", "created_at", "decided_by", "decided_at", "decided_from",
        "decision_note", "result_version", "configuration_number",
    )  # fmt: skip

    def view_on_site(self, obj):
        return reverse("proposal", args=[obj.pk])

    @admin.display(description="What changes")
    def what_changes(self, row):
        after = dict.fromkeys(row.base, "") if row.type.endswith("_delete") else row.approved_change or row.change
        before, after = proposals.loaded(row.base), proposals.loaded(after)
        names = [*(name for name in LABELS if name in after), *sorted(after.keys() - LABELS.keys())]
        found = [(name, lines(readable(before.get(name)), readable(after[name]))) for name in names]
        drawn = ((LABELS.get(name, name), drawn_lines(diff)) for name, diff in found if diff)
        return format_html_join("", "<h3>{}</h3>{}", drawn)

    @admin.display(description="Evidence")
    def evidence_told(self, row):
        return format_html_join("", "<p>{}</p>", ((told(one),) for one in row.evidence))

    def buttons_for(self, row):
        if row.status == Proposal.Status.PENDING:
            return ("rebase" if proposals.is_stale(row) else "approve", "reject")
        return ("revert",) if row.status == Proposal.Status.APPROVED else ()

    @button("Approve", asks=True)
    def approve(self, request, row, words):
        proposals.approve(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Approved and applied as version {row.result_version}."

    @button("Bring up to date")
    def rebase(self, request, row, words):
        made = proposals.rebase(row, by=self.acting(request, row), door=Door.ADMIN)
        address = reverse("admin:coaching_proposal_change", args=[made.pk])
        return format_html('Written anew against version {}: <a href="{}">{}</a>', made.base_version, address, made)

    @button("Reject", asks=True, danger=True)
    def reject(self, request, row, words):
        proposals.reject(row, by=self.acting(request, row), door=Door.ADMIN, reason=words)
        return "Rejected. The coach reads the reason."

    @button("Take back", asks=True, danger=True)
    def revert(self, request, row, words):
        made = proposals.revert(row, by=self.acting(request, row), door=Door.ADMIN, note=words)
        return f"Taken back as version {made.target_version}."


def drawn_lines(diff):
    """Lines of a diff, each with its sign as well as its colour."""
    rows = format_html_join(
        "", '<li class="line {}"><span class="sign">{}</span>{}</li>', ((word, sign, line) for sign, word, line in diff)
    )
    return format_html('<ol class="diff">{}</ol>', rows)


def told(evidence):
    """One piece of evidence with the way to it: a quote of a turn, or the leader's own message."""
    if "conversation" not in evidence:
        return "The leader asked for it in so many words."
    address = reverse("conversation", args=[evidence["conversation"]])
    quote = f"“{evidence['quote']}”" if evidence.get("quote") else "A passage"
    return format_html('{} – <a href="{}">turn {} of the conversation</a>', quote, address, evidence["turn"])
