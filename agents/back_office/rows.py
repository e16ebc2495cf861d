"""What every list and page shares: rows of the workspaces one leads, refusals told in the form, buttons that call actions."""

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.contrib.admin.widgets import RelatedFieldWidgetWrapper
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils.text import capfirst

from agents.access import NotAllowed, Refusal
from agents.models import Member, User, Workspace
from agents.versions import Conflict


def led(request):
    """The ids of the workspaces that this person leads, read once a request."""
    if not hasattr(request, "led_workspaces"):
        leads = Member.objects.current().filter(user=request.user, role__in=Member.LEADING)
        request.led_workspaces = set(leads.values_list("workspace_id", flat=True))
    return request.led_workspaces


def acting(request, workspace):
    """The membership as which this person acts in `workspace`. Raises NotAllowed where they have none there."""
    member = Member.objects.current().filter(user=request.user, workspace=workspace).select_related("user").first()
    if member is None:
        raise NotAllowed(
            f"Only the owner and admins of {workspace} do this: every change there carries a member's name."
        )
    return member


def in_words(refusal):
    """What an action refused, as one sentence or several."""
    if isinstance(refusal, ValidationError):
        return " ".join(refusal.messages)
    if isinstance(refusal, Conflict):
        fields = " and ".join(
            told["field"].replace("_", " ") for told in refusal.fields if told["base"] != told["current"]
        )
        return f"{refusal} Changed since: {fields}." if refusal.current and fields else str(refusal)
    return str(refusal)


class RowForm(forms.ModelForm):
    """Knows the row's workspace where it is not asked for, so that what must be unique or belong together there is checked.

    `Back.get_form` gives it the request, and what an action refused when the form was sent a moment ago.
    """

    request = None
    compared: tuple[
        str, ...
    ] = ()  # fields that changed where they differ from what the form showed, not from what is stored

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        for name in self.compared:
            shown = not self.is_bound or self.add_initial_prefix(name) in self.data
            if name in self.fields and shown and not self.instance._state.adding:
                self.fields[name].show_hidden_initial = True

    def clean(self):
        cleaned = super().clean()
        workspace = self.workspace_of(cleaned)
        if workspace is not None:
            if self.instance._state.adding:
                self.instance.workspace = workspace
            for name, chosen in list(cleaned.items()):
                if getattr(chosen, "workspace_id", workspace.pk) != workspace.pk:
                    self.add_error(name, f"{chosen} belongs to another workspace.")
        if refusal := getattr(self.request, "refusal", None):
            self.tell(refusal)
        return cleaned

    def workspace_of(self, cleaned):
        """The workspace the row is in, or will be in: as chosen, the agent's, or the only one this person leads."""
        if not any(field.name == "workspace" for field in self._meta.model._meta.concrete_fields):
            return None
        if not self.instance._state.adding:
            return self.instance.workspace
        if "workspace" in self.fields:
            return cleaned.get("workspace")
        if "agent" in self.fields and (
            self.fields["agent"].required or self.request is None
        ):  # a row of the agent's form
            return cleaned["agent"].workspace if cleaned.get("agent") else None
        return Workspace.objects.get(pk__in=led(self.request))

    def tell(self, refusal):
        """Put what an action refused where the person looks: beside its field, else on top."""
        if not hasattr(refusal, "error_dict"):
            self.add_error(None, in_words(refusal))
            return
        for field, errors in refusal.error_dict.items():
            self.add_error(field if field in self.fields else None, errors)

    def _get_validation_exclusions(self):
        exclusions = super()._get_validation_exclusions()
        if getattr(self.instance, "workspace_id", None):
            exclusions.discard("workspace")
        return exclusions


class Instant(forms.DateTimeInput):
    """The browser's own field for a day and a time (UTC here), with one label."""

    input_type = "datetime-local"

    def __init__(self, attrs=None):
        super().__init__({"step": 1, **(attrs or {})}, format="%Y-%m-%dT%H:%M:%S")


class Scope:
    """Staff see and choose from rows of the workspaces that they lead; superusers from all."""

    workspace_path = "workspace"

    def may(self, request):
        user = request.user
        return user.is_active and user.is_staff and (user.is_superuser or bool(led(request)))

    def get_queryset(self, request):
        rows = super().get_queryset(request)
        if request.user.is_superuser:
            return rows
        rows = rows.filter(**{f"{self.workspace_path}__in": led(request)})
        return rows.distinct() if "__" in self.workspace_path else rows  # several ways may lead to a row

    def formfield_for_foreignkey(self, db_field, request, **kwargs):
        """What can be chosen comes from the same workspaces, whatever is posted."""
        target = db_field.remote_field.model
        if not request.user.is_superuser:
            path = {Workspace: "pk__in", User: "memberships__workspace__in"}.get(target, "workspace__in")
            kwargs["queryset"] = target._default_manager.filter(**{path: led(request)}).distinct()
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field, request, **kwargs):
        """Beside a choice stands the way to add one, and no further icons."""
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if isinstance(getattr(field, "widget", None), RelatedFieldWidgetWrapper):
            field.widget.can_change_related = field.widget.can_view_related = field.widget.can_delete_related = False
        return field

    def has_module_permission(self, request):
        return self.may(request)

    def has_view_permission(self, request, obj=None):
        return self.may(request)

    def has_change_permission(self, request, obj=None):
        return self.may(request)

    def has_add_permission(self, request, *args):
        return self.may(request)

    def has_delete_permission(self, request, obj=None):
        return False  # what is removed is removed by an action, which keeps its history


def button(label, *, asks=False, danger=False):
    """Mark a method `(self, request, row, words)` of a ModelAdmin as a button of the row's page.

    It calls one action and may return what to say. `asks`: words typed beside the buttons belong to it.
    """

    def mark(method):
        method.label, method.asks, method.danger = label, asks, danger
        return method

    return mark


class Back(Scope, admin.ModelAdmin):
    """One kind of row. `group` says under which heading its list stands, `buttons_for` which buttons a row has now.

    `one` and `many` are what pages call the rows; by default, what the model is called.
    """

    group = ""
    one = many = ""
    form = RowForm
    change_form_template = "admin/with_buttons.html"
    formfield_overrides = {models.DateTimeField: {"form_class": forms.DateTimeField, "widget": Instant}}
    words_label = ""
    show_full_result_count = False
    list_per_page = 50
    empty_value_display = "–"

    def __init__(self, model, admin_site):
        super().__init__(model, admin_site)
        self.one = self.one or capfirst(self.opts.verbose_name)
        self.many = self.many or capfirst(self.opts.verbose_name_plural)

    def acting(self, request, row):
        return acting(request, row if isinstance(row, Workspace) else row.workspace)

    def get_fields(self, request, obj=None):
        """The workspace is asked for only where it could be another one."""
        fields = super().get_fields(request, obj)
        asked = obj is not None or request.user.is_superuser or len(led(request)) > 1
        return [name for name in fields if asked or name != "workspace"]

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "workspace") if obj and "workspace" in (self.fields or ()) else fields

    def get_form(self, request, obj=None, change=False, **kwargs):
        form = super().get_form(request, obj, change, **kwargs)
        return type(form.__name__, (form,), {"request": request}) if issubclass(form, RowForm) else form

    def name_of(self, row):
        """What the row's page is headed."""
        return str(row)

    def buttons_for(self, row):
        """Names of the methods marked as buttons that make sense for the row as it is now."""
        return ()

    def asks_words(self, row, shown):
        """Whether a field for words stands beside the buttons `shown`."""
        return any(getattr(self, name).asks for name in shown)

    def changelist_view(self, request, extra_context=None):
        return super().changelist_view(request, {"title": self.many, "many": self.many, **(extra_context or {})})

    def changeform_view(self, request, object_id=None, form_url="", extra_context=None):
        row = self.row(request, object_id) if object_id else None
        pressed = request.POST.get("_button", "")
        if row and hasattr(getattr(self, pressed, None), "asks"):
            return self.press(request, row, pressed)
        shown = self.buttons_for(row) if row else ()
        extra_context = {
            "title": self.name_of(row) if row else f"Add to {self.many[0].lower()}{self.many[1:]}",
            "subtitle": self.one if row else None,
            "many": self.many,
            "buttons": [
                {"name": name, "label": getattr(self, name).label, "danger": getattr(self, name).danger}
                for name in shown
            ],
            "words": request.POST.get("_words", ""),
            "words_label": self.words_label if self.asks_words(row, shown) else "",
            **(extra_context or {}),
        }
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except (Refusal, ValidationError) as refusal:
            request.refusal = refusal
        except IntegrityError:
            request.refusal = ValidationError("This clashes with something that was stored in this moment.")
        # Nothing was saved. The same page once more, with what was typed and the refusal.
        return super().changeform_view(request, object_id, form_url, extra_context)

    def press(self, request, row, name):
        """Do what the button says, though it may not be shown any more: then the action tells who was first."""
        does = getattr(self, name)
        words = request.POST.get("_words", "").strip()
        try:
            with transaction.atomic():
                said = does(request, row, words)
                self.log_change(request, row, f"{does.label}. {words}".strip())
        except (Refusal, ValidationError) as refusal:
            messages.error(request, f"{in_words(refusal)} Nothing was changed.")
        except IntegrityError:
            messages.error(request, "It changed in this moment. Nothing was changed by this button.")
        else:
            messages.success(request, said or f"{does.label}: done.")
        if self.get_queryset(request).filter(pk=row.pk).exists():
            return HttpResponseRedirect(request.path)
        return HttpResponseRedirect(reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"))

    def history_view(self, request, object_id, extra_context=None):
        # Pages call a row as their own address does, which for some is not its key (`BrowserSessionBack`).
        named = {"title": self.name_of(self.row(request, object_id)), "subtitle": "History", "many": self.many}
        named["object_id"] = unquote(object_id)
        return super().history_view(request, object_id, named | (extra_context or {}))

    def row(self, request, object_id):
        """The row of an address. Raises Http404: the same answer for a row of another workspace and for none."""
        found = self.get_object(request, unquote(object_id))
        if found is None:
            raise Http404
        return found

    def _get_obj_does_not_exist_redirect(self, request, opts, object_id):
        raise Http404


class ReadOnly(Back):
    """Rows that only actions write. Every column that says something is shown, but those in `never_shown` and `never_read`.

    What is in `never_read` does not even come from the database: secrets, and what is as large as a file.
    """

    never_shown: tuple[str, ...] = ()
    never_read: tuple[str, ...] = ()

    @property
    def hidden(self):
        return {*self.never_shown, *self.never_read}

    def get_queryset(self, request):
        return super().get_queryset(request).defer(*self.never_read)

    def get_fields(self, request, obj=None):
        fields = self.fields or [f.name for f in self.opts.concrete_fields if f.name not in self.hidden]
        return [name for name in fields if getattr(obj, name, True) not in (None, "", [], {})]

    def get_readonly_fields(self, request, obj=None):
        return self.get_fields(request, obj)

    def has_add_permission(self, request, *args):
        return False

    def has_change_permission(self, request, obj=None):
        return False

    def lookup_allowed(self, lookup, value, request):
        """What is never shown cannot be guessed by filtering either."""
        return lookup.split("__")[0] not in self.hidden and super().lookup_allowed(lookup, value, request)
