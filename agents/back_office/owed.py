"""Rows that owe work: what waits, what fails and why, and another try now."""

from django.contrib import admin
from django.utils import timezone

from agents import work
from agents.access import Refusal
from agents.back_office.rows import ReadOnly, button


class AtWork(Refusal):
    """A worker holds the row this very moment."""


class OwedBack(ReadOnly):
    owed_columns = ("owes_since", "attempts", "held_until", "last_error")
    never_shown: tuple[str, ...] = ("claim",)

    @admin.display(description="Next try", ordering="next_try_at")
    def owes_since(self, row):
        return row.next_try_at

    @admin.display(description="At work until", ordering="claimed_until")
    def held_until(self, row):
        return row.claimed_until

    def buttons_for(self, row):
        return () if row.next_try_at is None else ("try_again",)

    @button("Try again now")
    def try_again(self, request, row, words):
        self.acting(request, row)
        if not work.owe_again(row):
            raise AtWork("A worker is at it this moment.")
        return "It is due now. A worker takes it within seconds."


class Owes(admin.SimpleListFilter):
    title = "owed work"
    parameter_name = "owes"

    def lookups(self, request, model_admin):
        return [("now", "Due"), ("later", "Put off"), ("held", "At work"), ("failing", "Failing")]

    def queryset(self, request, queryset):
        now = timezone.now()
        if self.value() == "now":
            return queryset.due(now)
        if self.value() == "later":
            return queryset.filter(next_try_at__gt=now)
        if self.value() == "held":
            return queryset.filter(claimed_until__gte=now)
        if self.value() == "failing":
            return queryset.owed().exclude(last_error="")
        return queryset
