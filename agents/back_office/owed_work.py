"""The page of everything that is owed: each kind of row with what waits, what fails and why; another try, or none."""

from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Count, Min, Q
from django.http import Http404, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from agents import work
from agents.access import Refusal
from agents.back_office.owed import OwedBack
from agents.back_office.rows import in_words

SHOWN_ERRORS = 5  # of each kind
MOST_AT_ONCE = 500  # rows of a kind that one press tries again


@dataclass(frozen=True)
class Failing:
    """One row that failed and is tried again by itself."""

    pk: str
    name: str
    address: str
    attempts: int
    next_try_at: datetime
    is_held: bool
    error: str


@dataclass(frozen=True)
class Kind:
    """One kind of owed row: how many are due, put off, at work and failing, since when, and the last errors."""

    label: str
    name: str
    address: str
    giving_up: str
    due: int
    put_off: int
    at_work: int
    failing: int
    oldest: datetime | None
    errors: list[Failing]

    @property
    def is_idle(self):
        return not (self.due or self.put_off or self.at_work)


def models():
    """Every kind of row that owes work."""
    return [model for model in apps.get_models() if issubclass(model, work.Owed)]


def page(request):
    """What is owed, kind by kind; a POST tries all failing rows of one kind again, or one row, or gives one up."""
    backs = {model._meta.label_lower: admin.site._registry[model] for model in models()}
    backs = {label: back for label, back in backs.items() if back.has_view_permission(request)}
    if not backs:
        raise PermissionDenied("The back office shows the rows of workspaces that you lead, and you lead none.")
    if request.method == "POST":
        back = backs.get(request.POST.get("kind", ""))
        if back is None:
            raise Http404
        _act(request, back)
        return HttpResponseRedirect(f"{reverse('admin:owed-work')}#{request.POST['kind']}")
    kinds = [load(request, label, back) for label, back in backs.items()]
    context = {
        **admin.site.each_context(request),
        "title": "Owed work",
        # What fails stands first, then what waits; the rest by name.
        "kinds": sorted(kinds, key=lambda kind: (not kind.failing, kind.is_idle, kind.name)),
        "now": timezone.now(),
    }
    return TemplateResponse(request, "admin/owed_work.html", context)


def load(request, label, back):
    """One kind, in two queries."""
    now, rows = timezone.now(), _rows(request, back)
    is_free = work.free(now)
    counted = rows.owed().aggregate(
        due=Count("pk", filter=is_free & Q(next_try_at__lte=now)),
        put_off=Count("pk", filter=is_free & Q(next_try_at__gt=now)),
        at_work=Count("pk", filter=Q(claimed_until__gte=now)),
        failing=Count("pk", filter=~Q(last_error="")),
        oldest=Min("next_try_at", filter=is_free & Q(next_try_at__lte=now)),
    )
    newest = rows.failing().select_related(*back.list_select_related or ()).order_by("-next_try_at", "pk")
    address = reverse(f"admin:{back.opts.app_label}_{back.opts.model_name}_changelist")
    return Kind(
        label=label,
        name=back.many,
        address=address,
        giving_up=back.giving_up,
        errors=[_failing(back, row, now) for row in newest[:SHOWN_ERRORS]],
        **counted,
    )


def _rows(request, back):
    """The rows this person may see, each once, whichever ways lead from it to their workspaces."""
    rows = back.get_queryset(request).order_by()
    if request.user.is_superuser or "__" not in back.workspace_path:
        return rows
    return back.model._default_manager.filter(pk__in=rows.values("pk"))


def _failing(back, row, now):
    return Failing(
        pk=str(row.pk),
        name=back.name_of(row),
        address=reverse(f"admin:{back.opts.app_label}_{back.opts.model_name}_change", args=[row.pk]),
        attempts=row.attempts,
        next_try_at=row.next_try_at,
        is_held=row.claimed_until is not None and row.claimed_until >= now,
        error=row.last_error,
    )


def _act(request, back: OwedBack):
    does = request.POST.get("do", "")
    if does == "retry-all":
        _retry_all(request, back)
        return
    if does not in ("try_again", "give_up"):
        raise Http404
    row = back.row(request, request.POST.get("row", ""))
    press = getattr(back, does)
    try:
        with transaction.atomic():
            said = press(request, row, "")
            back.log_change(request, row, press.label)
    except Refusal as refusal:
        messages.error(request, f"{in_words(refusal)} Nothing was changed.")
    else:
        messages.success(request, said)


def _retry_all(request, back):
    with transaction.atomic():
        failing = _rows(request, back).failing().order_by("next_try_at")[:MOST_AT_ONCE]
        chosen = back.model._default_manager.filter(pk__in=list(failing.values_list("pk", flat=True)))
        n_tried = work.owe_all_again(chosen.failing())
        if n_tried:
            LogEntry.objects.log_actions(request.user.pk, chosen, CHANGE, "Try again now, with all that failed.")
    if n_tried:
        messages.success(request, f"{n_tried:,} due now. Workers take them within seconds.")
    else:
        messages.info(request, "Nothing of this kind fails just now, or workers are at it this moment.")
