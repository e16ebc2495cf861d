"""What every page of the back office shares: rows of one's own workspaces only, buttons that call actions, versions."""

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.http import HttpResponseRedirect
from django.utils import timezone
from django.utils.html import format_html, format_html_join

from agents import actions, work
from agents.access import NotAllowed, Refusal
from agents.models import Door, Member, User, Workspace


class Back:
    """What every list here shares: staff see and change only rows of workspaces that they lead; superusers all."""

    workspace_path = "workspace"
    show_full_result_count = False
    list_per_page = 50

    def leads(self, request):
        user = request.user
        return user.is_active and user.is_staff and (user.is_superuser or self.memberships(request).exists())

    @staticmethod
    def memberships(request):
        return Member.objects.current().filter(user=request.user, role__in=[Member.Role.OWNER, Member.Role.ADMIN])

    def acting(self, request, row):
        """The membership as which this person acts on `row`. Raises NotAllowed where they have none there."""
        workspace = row if isinstance(row, Workspace) else row.workspace
        member = Member.objects.current().filter(user=request.user, workspace=workspace).select_related("user").first()
        if member is None:
            raise NotAllowed(f"Only members of {workspace} decide there.")
        return member

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        return rows.filter(**{f"{self.workspace_path}__in": self.memberships(request).values("workspace_id")})

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """Choices, too, come from the staff member's own workspaces."""
        target = db_field.remote_field.model
        if not request.user.is_superuser and target is not User:
            own = self.memberships(request).values("workspace_id")
            path = "pk__in" if target is Workspace else "workspace__in"
            kwargs["queryset"] = target._default_manager.filter(**{path: own})
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_module_permission(self, request):
        return self.leads(request)

    def has_view_permission(self, request, obj=None):
        return self.leads(request)

    def has_change_permission(self, request, obj=None):
        return self.leads(request)

    def has_add_permission(self, request, *args):
        return self.leads(request)

    def has_delete_permission(self, request, obj=None):
        return False  # what is removed is removed by an action, which keeps its history


class ReadOnly(Back):
    def has_add_permission(self, request, *args):
        return False

    def has_change_permission(self, request, obj=None):
        return False


class Buttons:
    """Buttons on a row's page, each calling an action: `buttons` maps a name to (label, asks for words, method)."""

    change_form_template = "admin/with_buttons.html"
    buttons: dict[str, tuple[str, str, str]] = {}

    def buttons_for(self, row):
        """The buttons that make sense for the row as it is now."""
        return self.buttons

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        row = self.get_object(request, object_id) if object_id else None
        shown = self.buttons_for(row) if row is not None else {}
        pressed = request.POST.get("_button") if request.method == "POST" else None
        if pressed in shown:
            self.press(request, row, *shown[pressed])
            return HttpResponseRedirect(request.path)
        return super().changeform_view(request, object_id, form_url, {**(extra_context or {}), "buttons": shown})

    def press(self, request, row, label, asks, method):
        try:
            said = getattr(self, method)(request, row, request.POST.get("_words", "").strip())
        except (Refusal, ValidationError) as refusal:
            messages.error(request, _in_words(refusal))
        else:
            messages.success(request, said or f"{label}: done.")


def _in_words(refusal):
    return " ".join(refusal.messages) if isinstance(refusal, ValidationError) else str(refusal)


class OwedBack(Buttons, ReadOnly):
    """Rows that owe work: what waits, what fails and why; try again now, or give up."""

    owed_columns = ("owes_since", "attempts", "held_until", "last_error")

    @admin.display(description="Next try", ordering="next_try_at")
    def owes_since(self, row):
        return row.next_try_at

    @admin.display(description="At work until", ordering="claimed_until")
    def held_until(self, row):
        return row.claimed_until

    def buttons_for(self, row):
        if row.next_try_at is None:
            return {}
        return {"retry": ("Try again now", "", "try_again")}

    def try_again(self, request, row, words):
        self.acting(request, row)
        return "It is due now." if work.owe_again(row) else "A worker is at it this moment."


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


class VersionedForm(forms.ModelForm):
    """A form that carries the version it was opened on, so that a lost race is told and not overwritten."""

    base_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["base_version"].initial = self.instance.version


class VersionedBack(Buttons, Back):
    """Prompts, procedures and memories: a change here is a version by the same action as on the pages."""

    form = VersionedForm
    readonly_fields = ("version", "created_at", "updated_at", "versions_table")
    list_select_related = ("agent", "workspace")
    buttons = {"remove": ("Remove", "Why? (optional)", "remove")}

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "agent", "workspace") if obj else fields

    def save_model(self, request, obj, form, change):
        by = self.acting(request, obj)
        if change:
            changes = {name: form.cleaned_data[name] for name in obj.FIELDS if name in form.changed_data}
            if changes:
                self.revise(obj, changes, form.cleaned_data["base_version"], by)
        else:
            self.create(obj, by)

    def changeform_view(self, request, *args, **kwargs):
        try:
            return super().changeform_view(request, *args, **kwargs)
        except (Refusal, ValidationError) as refusal:
            messages.error(request, f"{_in_words(refusal)} Nothing was saved.")
            return HttpResponseRedirect(request.path)

    def create(self, row, by):
        actions.create(row, by=by, door=Door.ADMIN)

    def revise(self, row, changes, base_version, by):
        fresh = type(row).objects.get(pk=row.pk)
        actions.revise(fresh, changes=changes, base_version=base_version, by=by, door=Door.ADMIN)

    def remove(self, request, row, words):
        actions.remove(row, base_version=row.version, by=self.acting(request, row), door=Door.ADMIN, reason=words)
        return "Removed. It can be restored from its versions."

    @admin.display(description="Versions")
    def versions_table(self, row):
        rows = row.history.select_related("history_user").order_by("-version")[:50]
        items = format_html_join(
            "",
            "<li value='{}'>{:%Y-%m-%d %H:%M} · {} · {}</li>",
            ((r.version, r.history_date, r.history_user or "the product", r.history_change_reason or "") for r in rows),
        )
        return format_html("<ol class='versions'>{}</ol>", items)


class HistoryBack(Buttons, ReadOnly):
    """All versions of one kind of thing, removed ones among them; a removed one can be restored."""

    list_display = ("__str__", "agent", "version", "history_type", "history_date", "history_user")
    list_filter = ("history_type", "history_date")
    list_select_related = ("agent", "history_user", "workspace")
    ordering = ("-history_date",)

    def buttons_for(self, row):
        return {"restore": ("Restore", "", "restore")} if row.history_type == "-" else {}

    def restore(self, request, row, words):
        member = self.acting(request, row)
        back = actions.restore(row.instance_type, row.id, by=member, door=Door.ADMIN)
        return f"Restored as version {back.version}."
