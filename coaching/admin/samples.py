"""Samples in the back office: their summaries are owed work."""

from django.contrib import admin
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import button
from coaching.actions import samples
from coaching.admin.filters import TEAM
from coaching.models import Sample


@admin.register(Sample)
class SampleBack(OwedBack):
    group = "Coaching"
    list_display = ("conversation", "agent", "score", "summary_state", "created_at", *OwedBack.owed_columns)
    list_filter = (Owes, "summary_state", TEAM)
    list_select_related = ("conversation", "agent")
    search_fields = ("agent__name", "^conversation__external_id", "summary")
    ordering = ("-created_at", "pk")
    giving_up = "The sample stays without a summary, and says that it could not be read."

    def end(self, row, *, by):
        samples.give_up(row, by=by)

    def view_on_site(self, obj):
        return reverse("team-agent", args=[obj.agent_id])

    def buttons_for(self, row):
        if row.unpinned_at:
            return ()
        owed = row.next_try_at or row.summary_state == Sample.Summary.FAILED
        given_up = ("give_up",) if row.next_try_at else ()
        return ("try_again", *given_up, "unpin") if owed else ("unpin",)

    @button("Try again now")
    def try_again(self, request, row, words):
        """Also of one that was given up: its summary is pending again."""
        self.acting_on_work(request, row)
        samples.summarise_again(row)
        return "It is due now. A worker takes it within seconds."

    @button("Take out of the samples", danger=True)
    def unpin(self, request, row, words):
        samples.unpin(row, by=self.acting(request, row))
        return "Taken out."
