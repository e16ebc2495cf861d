"""People, agents, what they are told, and the log, in the back office."""

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import Group
from django.utils import timezone

from agents import actions
from agents.back_office import Back, Buttons, HistoryBack, ReadOnly, VersionedBack
from agents.models import (
    Agent,
    ApiToken,
    Configuration,
    Decision,
    Door,
    ExternalId,
    Member,
    Procedure,
    Prompt,
    Team,
    User,
    Workspace,
)

admin.site.site_header = admin.site.site_title = "Touchline back office"
admin.site.index_title = "Back office"
admin.site.unregister(Group)  # what people may do hangs on their role in a workspace


@admin.register(User)
class UserBack(Back, UserAdmin):
    workspace_path = "memberships__workspace"
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "password", "name")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Times", {"fields": ("last_login",)}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    readonly_fields = ("last_login",)

    def get_queryset(self, request):
        return super().get_queryset(request).distinct()

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser  # a login may belong to several workspaces

    def has_add_permission(self, request):
        return request.user.is_superuser


@admin.register(Workspace)
class WorkspaceBack(Back, admin.ModelAdmin):
    workspace_path = "pk"
    list_display = ("name", "slug", "time_zone", "decisions_made", "created_at")
    search_fields = ("name", "slug")
    readonly_fields = ("decisions_made", "created_at")

    def has_add_permission(self, request):
        return request.user.is_superuser


@admin.register(Member)
class MemberBack(Back, admin.ModelAdmin):
    list_display = ("user", "workspace", "role", "agent", "joined_at", "left_at")
    list_filter = ("role", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "workspace", "agent")
    search_fields = ("user__email", "user__name")
    autocomplete_fields = ("user", "agent")
    readonly_fields = ("joined_at", "left_at")


@admin.register(Team)
class TeamBack(Back, admin.ModelAdmin):
    list_display = ("name", "workspace")
    list_select_related = ("workspace",)
    search_fields = ("name",)


class ExternalIdInline(Back, admin.TabularInline):
    model = ExternalId
    extra = 0
    fields = ("source", "value")


@admin.register(Agent)
class AgentBack(Back, admin.ModelAdmin):
    list_display = ("name", "kind", "team", "active", "coaching", "configuration_version", "workspace")
    list_filter = ("kind", "active", "coaching", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "workspace")
    search_fields = ("name", "external_ids__value")
    readonly_fields = ("configuration_version", "memory_base_version", "created_at")
    inlines = (ExternalIdInline,)

    def get_readonly_fields(self, request, obj=None):
        return (*self.readonly_fields, "kind", "workspace") if obj else self.readonly_fields

    def save_model(self, request, obj, form, change):
        if change:
            super().save_model(request, obj, form, change)
        else:
            fields = {
                name: form.cleaned_data[name] for name in ("active", "coaching", "storage_mode", "retention_days")
            }
            made = actions.create_agent(
                obj.workspace, name=obj.name, kind=obj.kind, team=obj.team.name if obj.team else "",
                by=self.acting(request, obj), door=Door.ADMIN, **fields,
            )  # fmt: skip
            obj.pk = made.pk
            obj._state.adding = False

    def save_formset(self, request, form, formset, change):
        for row in formset.save(commit=False):
            row.workspace = form.instance.workspace
            row.save()
        for row in formset.deleted_objects:
            row.delete()


@admin.register(Prompt)
class PromptBack(VersionedBack, admin.ModelAdmin):
    list_display = ("agent", "version", "updated_at", "workspace")
    search_fields = ("agent__name", "system_prompt")

    def has_add_permission(self, request, *args):
        return False  # every AI agent has one from the start

    def buttons_for(self, row):
        return {}


@admin.register(Procedure)
class ProcedureBack(VersionedBack, admin.ModelAdmin):
    list_display = ("name", "agent", "version", "active", "updated_at")
    list_filter = ("active", ("agent", admin.RelatedOnlyFieldListFilter))
    search_fields = ("name", "trigger", "content")
    autocomplete_fields = ("agent",)


@admin.register(Procedure.history.model)
class ProcedureVersions(HistoryBack, admin.ModelAdmin):
    search_fields = ("name",)


@admin.register(Prompt.history.model)
class PromptVersions(HistoryBack, admin.ModelAdmin):
    search_fields = ("agent__name",)


@admin.register(Configuration)
class ConfigurationBack(ReadOnly, admin.ModelAdmin):
    list_display = ("agent", "number", "change", "target_kind", "target_version", "by", "door", "created_at")
    list_filter = ("change", "target_kind", "door")
    list_select_related = ("agent", "by__user")
    search_fields = ("agent__name", "reason")
    ordering = ("-created_at",)


@admin.register(Decision)
class DecisionBack(ReadOnly, admin.ModelAdmin):
    list_display = ("number", "at", "by_name", "door", "action", "agent_name", "title", "result_version")
    list_filter = ("action", "door", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("workspace",)
    search_fields = ("title", "agent_name", "by_name", "note")
    ordering = ("-at",)


@admin.register(ApiToken)
class ApiTokenBack(Buttons, ReadOnly, admin.ModelAdmin):
    list_display = ("name", "member", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_select_related = ("member__user",)
    search_fields = ("name", "member__user__email")
    exclude = ("hash",)

    def buttons_for(self, row):
        return {} if row.revoked_at else {"revoke": ("Revoke", "", "revoke")}

    def revoke(self, request, row, words):
        self.acting(request, row)
        ApiToken.objects.filter(pk=row.pk, revoked_at=None).update(revoked_at=timezone.now())
        return "Revoked: the next request with this token is refused."
