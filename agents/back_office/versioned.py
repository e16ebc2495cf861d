"""Prompts, procedures, memories and notes: a change is a version by the same action as on the pages; all versions are shown."""

import difflib
from itertools import zip_longest

from django import forms
from django.contrib import admin
from django.utils import timezone

from agents import actions, versions
from agents.access import Refusal
from agents.back_office.rows import Back, ReadOnly, RowForm, button
from agents.models import Door

SHOWN_VERSIONS = 50
SIGNS = {"+": "added", "-": "removed"}


class NotRemoved(Refusal):
    """What is there cannot be brought back."""


class VersionedForm(RowForm):
    """Carries the version it was opened on, so that a lost race is told and not overwritten."""

    base_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.fields["base_version"].required = True
            self.fields["base_version"].initial = self.instance.version

    def tell(self, refusal):
        if not isinstance(refusal, versions.Conflict) or refusal.current is None:
            super().tell(refusal)
            return
        current = refusal.current
        self.add_error(
            None,
            f"Meanwhile it became version {current.version}, so nothing was saved. What you typed is still here. Where it "
            "differs, the current words stand above the field. Saving again puts yours in their place.",
        )
        for told in refusal.fields:
            if told["current"] != self.cleaned_data.get(told["field"]):
                self.add_error(told["field"], f"Version {current.version} says: {told['current']}")
        self.data = self.data.copy()
        self.data["base_version"] = current.version


class VersionsShown(Back):
    """The history page of a row shows its versions: who, when, why, and what each changed."""

    object_history_template = "admin/versions.html"
    version_fields: tuple[str, ...] = ()

    def history_view(self, request, object_id, extra_context=None):
        found = self.versions_of(self.row(request, object_id))
        shown = {"versions": found, "shown_versions": SHOWN_VERSIONS, "subtitle": "Versions"}
        return super().history_view(request, object_id, shown | (extra_context or {}))

    def versions_of(self, row):
        """The newest versions first, each with what it changed as {label: [(sign, words, line)]}."""
        names = self.version_fields or self.model.FIELDS
        related = [name for name in names if self.model._meta.get_field(name).is_relation]
        versions = row.history.select_related("history_user", *related)
        rows = list(versions.order_by("-version")[: SHOWN_VERSIONS + 1])
        return [
            {"row": row, "changes": self.changes(before, row)}
            for row, before in list(zip_longest(rows, rows[1:]))[:SHOWN_VERSIONS]
        ]

    def changes(self, before, after):
        fields = self.version_fields or self.model.FIELDS
        found = {}
        for name in fields:
            old = "" if before is None else readable(getattr(before, name))
            new = readable(getattr(after, name))
            if old != new:
                label = self.model._meta.get_field(name).verbose_name
                found[label] = lines(old, new)
        return found


def readable(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M}" if hasattr(value, "tzinfo") else str(value)


def lines(old, new):
    """The lines that differ, with two around them, as (sign, what the sign means, line)."""
    found = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=2)
    return [
        (line[:1].replace("-", "−"), SIGNS.get(line[:1], ""), line[1:])
        for line in list(found)[2:]
        if not line.startswith("@@")
    ]


class VersionedBack(VersionsShown):
    form = VersionedForm
    readonly_fields = ("version", "updated_at")
    list_select_related = ("agent", "workspace")
    autocomplete_fields = ("agent",)
    words_label = "Why? Kept with the version"
    also_shown: tuple[str, ...] = ()

    def get_fields(self, request, obj=None):
        told = ("agent", *self.model.FIELDS)
        return (*told, *self.also_shown, "version", "updated_at", "base_version") if obj else told

    def get_readonly_fields(self, request, obj=None):
        return (*super().get_readonly_fields(request, obj), "agent", *self.also_shown) if obj else ()

    def save_model(self, request, obj, form, change):
        how = {"by": self.acting(request, obj), "door": Door.ADMIN, "reason": request.POST.get("_words", "").strip()}
        if not change:
            self.create(obj, **how)
            return
        changes = {name: form.cleaned_data[name] for name in obj.FIELDS if name in form.changed_data}
        base_version = form.cleaned_data["base_version"]
        if changes:
            # Read anew: `obj` carries what was typed already, and an action compares with what is stored.
            stored = self.model._default_manager.filter(pk=obj.pk).first()
            if stored is None:
                raise versions.conflict(obj, base_version, changes)
            self.revise(stored, changes=changes, base_version=base_version, **how)

    def create(self, row, **how):
        actions.create(row, **how)

    def revise(self, row, **how):
        actions.revise(row, **how)

    def asks_words(self, row, shown):
        return True  # a change may say why, as a removal may

    def buttons_for(self, row):
        return ("remove",)

    @button("Remove", asks=True, danger=True)
    def remove(self, request, row, words):
        seen = request.POST.get("base_version", "")
        base_version = int(seen) if seen.isdecimal() else row.version
        actions.remove(row, base_version=base_version, by=self.acting(request, row), door=Door.ADMIN, reason=words)
        return "Removed. It can be restored from the list of versions."


class HistoryBack(ReadOnly):
    """All versions of one kind of thing, removed ones among them; a removed one can be restored."""

    group = "Record"
    list_display = ("what", "agent", "version", "history_type", "history_date", "history_user", "history_change_reason")
    list_filter = ("history_type", "history_date")
    list_select_related = ("agent", "history_user", "workspace")
    ordering = ("-history_date", "-history_id")
    never_shown = ("id", "history_id")
    title_field = ""

    @admin.display(description="What")
    def what(self, row):
        return str(getattr(row, self.title_field))[:120]

    def name_of(self, row):
        return f"{self.what(row)}, version {row.version}"

    def buttons_for(self, row):
        return ("restore",) if row.history_type == "-" else ()

    @button("Restore")
    def restore(self, request, row, words):
        member = self.acting(request, row)
        try:
            back = actions.restore(row.instance_type, row.id, by=member, door=Door.ADMIN)
        except versions.Conflict as conflict:
            raise NotRemoved("It is not removed, or has been restored already.") from conflict
        return f"Restored as version {back.version}."
