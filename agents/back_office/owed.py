"""Rows that owe work: what waits, what fails and why, another try now, and no further one."""

from django.contrib import admin
from django.utils import timezone

from agents import work
from agents.access import Refusal
from agents.back_office.rows import ReadOnly, acting, button
from agents.models import Member
from agents.templatetags import words


class AtWork(Refusal):
    """A worker holds the row this very moment."""


HELD = "A worker is at it this moment."
SETTLED = "There is nothing to be done for it any more."


class OwedBack(ReadOnly):
    """One kind of row that owes work. `giving_up` says what it means to try no more.

    Operators act on work without being members: a try carries nobody's name.
    """

    owed_columns = ("work_owed", "last_error")
    never_shown: tuple[str, ...] = ("claim",)
    giving_up = ""

    @admin.display(description="Work owed", ordering="next_try_at")
    def work_owed(self, row):
        """Since or from when, whether a worker is at it, and how often it was tried."""
        if row.next_try_at is None:
            return None
        now = timezone.now()
        if row.claimed_until and row.claimed_until >= now:
            told = f"At work until {words.exact(row.claimed_until)}"
        else:
            told = f"{'Due since' if row.next_try_at <= now else 'Next try'} {words.exact(row.next_try_at)}"
        return f"{told}, tried {row.attempts}×" if row.attempts else told

    def acting_on_work(self, request, row) -> Member | None:
        """The membership as which this person acts; None for an operator who is no member there. Raises NotAllowed."""
        if request.user.is_superuser:
            return Member.objects.current().filter(user=request.user, workspace=self.workspace_of(row)).first()
        return acting(request, self.workspace_of(row))

    def workspace_of(self, row):
        return row.workspace

    def buttons_for(self, row):
        return () if row.next_try_at is None else ("try_again", "give_up")

    @button("Try again now")
    def try_again(self, request, row, _):
        self.acting_on_work(request, row)
        if row.next_try_at is None:
            raise work.NothingOwed(SETTLED)
        if not work.owe_again(row):
            raise AtWork(HELD)
        return "It is due now. A worker takes it within seconds."

    @button("Give up", danger=True)
    def give_up(self, request, row, _):
        self.end(row, by=self.acting_on_work(request, row))
        return f"Given up. {self.giving_up}"

    def end(self, row, *, by) -> None:
        """Try it no more. Kinds whose state changes with that call their own action. Raises a Refusal."""
        drop(row)


def drop(row, **values) -> None:
    """Let a row owe nothing more, with `values` of its own. Raises AtWork, work.NothingOwed."""
    if not work.drop(row, **values):
        row.refresh_from_db()
        raise AtWork(HELD) if row.next_try_at else work.NothingOwed(SETTLED)


class TestBack(OwedBack):
    """Tests of connections, which end with checks ([{name, state, sentence}]): the one that failed says what it came to."""

    never_shown = (*OwedBack.never_shown, "checks")
    giving_up = "The test ends without a result. The connection stays as it is, and can be tested again."

    @admin.display(description="Came to")
    def came_to(self, row):
        if row.finished_at is None:
            return None
        return next((check["sentence"] for check in row.checks if check.get("state") == "failed"), "It works.")

    def get_fields(self, request, obj=None):
        return [*super().get_fields(request, obj), *(["came_to"] if obj and obj.finished_at else [])]


class Owes(admin.SimpleListFilter):
    title = "owed work"
    parameter_name = "owes"

    def lookups(self, request, model_admin):
        return [
            ("now", "Due"),
            ("later", "Put off"),
            ("held", "At work"),
            ("failing", "Failing"),
            ("given-up", "Ended with an error"),
        ]

    def queryset(self, request, queryset):
        now = timezone.now()
        if self.value() == "now":
            return queryset.due(now)
        if self.value() == "later":
            return queryset.put_off(now)
        if self.value() == "held":
            return queryset.at_work(now)
        if self.value() == "failing":
            return queryset.failing()
        if self.value() == "given-up":
            return queryset.filter(next_try_at=None).exclude(last_error="")
        return queryset
