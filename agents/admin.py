"""People, agents, what they are told, and the log, in the back office."""

from django.contrib import admin
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.options import get_content_type_for_model
from django.contrib.admin.utils import flatten_fieldsets, unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import AdminUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html

from agents import actions, decisions, names
from agents.back_office import owed_work
from agents.back_office.owed import OwedBack, Owes
from agents.back_office.rows import Back, ReadOnly, RowForm, Scope, button, led
from agents.back_office.versioned import HistoryBack, VersionedBack, VersionsShown
from agents.models import (
    Agent,
    ApiToken,
    BrowserSession,
    Configuration,
    Decision,
    Door,
    ExternalId,
    Invitation,
    Member,
    PasswordReset,
    Procedure,
    Prompt,
    Team,
    User,
    Workspace,
)
from agents.people import accounts, browsers, invitations, members, own_rows, workspaces

admin.site.unregister(Group)  # what people may do hangs on their role in a workspace
admin.site.add_page("owed-work", owed_work.page, label="Owed work")  # type: ignore[attr-defined]  # config.apps makes it ours

OF_AGENT = ("configuration_version", "memory_base_version", "created_at")
CHANGED_BY_ACTION = ("name", "active", "coaching", "storage_mode", "retention_days")


class Named:
    """A form with a field `name`, for logins."""

    def clean_name(self):
        name = names.in_one_line(self.cleaned_data["name"])
        if why := names.fault(name):
            raise ValidationError(why)
        return name


class LoginForm(Named, UserChangeForm):
    pass


class NewLoginForm(Named, AdminUserCreationForm):
    pass


@admin.register(User)
class UserBack(UserAdmin, Back):
    """Logins. A login may belong to several workspaces, so only superusers change one; staff see those of their people."""

    group = "People"
    one, many = "Login", "Logins"
    workspace_path = "memberships__workspace"
    form, add_form = LoginForm, NewLoginForm  # type: ignore[assignment]  # of Django's, not of a row of one workspace
    change_form_template = Back.change_form_template
    ordering = ("email",)
    list_display = ("email", "name", "is_active", "is_staff", "last_login")
    list_filter = ("is_active", "is_staff")
    search_fields = ("email", "name")
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ("email", "name", "password_kept")}),
        ("May", {"fields": ("is_active", "is_staff", "is_superuser")}),
        ("Times", {"fields": ("last_login", "created_at")}),
    )
    add_fieldsets = ((None, {"fields": ("email", "name", "usable_password", "password1", "password2")}),)
    readonly_fields = ("password_kept", "last_login", "created_at")

    @admin.display(description="Password")
    def password_kept(self, row):
        """Whether there is one and where a superuser changes it; not even a part of its hash."""
        kept = "Set." if row.has_usable_password() else "None."
        return format_html(
            '{} <a href="{}">Set another</a>', kept, reverse("admin:auth_user_password_change", args=[row.pk])
        )

    def get_fieldsets(self, request, obj=None):
        sets = super().get_fieldsets(request, obj)
        return sets if request.user.is_superuser else [(None, {"fields": ("email", "name")}), *sets[1:]]

    def get_fields(self, request, obj=None):
        return flatten_fieldsets(self.get_fieldsets(request, obj))

    def has_change_permission(self, request, obj=None):
        return request.user.is_superuser

    def has_add_permission(self, request):
        return request.user.is_superuser

    def user_change_password(self, request, id, form_url=""):
        """Who is given another password is signed out everywhere, as after every change of it."""
        before = self.get_object(request, unquote(id))
        answer = super().user_change_password(request, id, form_url)
        if before is not None and User.objects.exclude(password=before.password).filter(pk=before.pk).exists():
            accounts.end_sessions(before, keep=request.session.session_key)
        return answer

    def save_model(self, request, obj, form, change):
        obj.email = obj.email.lower()
        super().save_model(request, obj, form, change)


@admin.register(Workspace)
class WorkspaceBack(VersionsShown):
    group = "People"
    version_fields = ("name", "slug", "time_zone")
    workspace_path = "pk"
    list_display = ("name", "slug", "time_zone", "decisions_made", "created_at")
    list_filter = ("created_at",)
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = ("name", "slug", "time_zone", "decisions_made", "created_at")
    readonly_fields = ("decisions_made", "created_at")

    def get_fields(self, request, obj=None):
        return [f"{name}_kept" if obj and name == "time_zone" else name for name in self.fields]

    def get_readonly_fields(self, request, obj=None):
        # Addresses and scripts carry the slug; the daily sums are days of this time zone.
        return (*self.readonly_fields, "slug", "time_zone_kept") if obj else self.readonly_fields

    @admin.display(description="Time zone")
    def time_zone_kept(self, row):
        """Where it is changed: with it change the days that every rating belongs to, by a worker."""
        address = reverse("admin:helpdesk_timezonechange_add")
        return format_html('{} <a href="{}?workspace={}">Change it</a>', row.time_zone, address, row.pk)

    def has_add_permission(self, request, *args):
        return request.user.is_superuser

    def save_model(self, request, obj, form, change):
        if change:
            workspaces.rename(Workspace.objects.get(pk=obj.pk), by=self.acting(request, obj), name=obj.name)
        else:
            obj.name = names.in_one_line(obj.name)
            names.check(obj.name)
            super().save_model(request, obj, form, change)


class MemberForm(RowForm):
    """Ownership is handed over by the owner, so a list of roles names it only for a workspace's first owner."""

    compared = ("role", "agent")

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        if "role" in self.fields and not self.instance._state.adding:
            self.fields["role"].choices = [
                choice for choice in Member.Role.choices if choice[0] != Member.Role.OWNER
            ]  # fmt: skip

    def clean(self):
        cleaned = super().clean()
        owners = Member.objects.filter(workspace=cleaned.get("workspace"), role=Member.Role.OWNER)
        if cleaned.get("role") == Member.Role.OWNER and owners.exists():
            self.add_error("role", f"{cleaned['workspace']} has an owner already.")
        return cleaned


@admin.register(Member)
class MemberBack(VersionsShown):
    """Memberships. Superusers put logins into workspaces; staff see to the roles and agents of their own people."""

    group = "People"
    version_fields = ("role", "agent", "left_at")
    form = MemberForm
    list_display = ("user", "workspace", "role", "agent", "joined_at", "left_at")
    list_filter = ("role", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("user", "workspace", "agent")
    search_fields = ("user__email", "user__name")
    ordering = ("workspace", "-joined_at")
    autocomplete_fields = ("user", "agent")
    fields = ("workspace", "user", "role", "agent", "joined_at", "left_at")
    readonly_fields = ("joined_at", "left_at")

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        if obj is None:
            return fields
        return (*fields, "user", "role") if obj.is_owner else (*fields, "user")

    def has_add_permission(self, request, *args):
        return request.user.is_superuser

    def save_model(self, request, obj, form, change):
        if not change:
            made = members.add_member(obj.workspace, obj.user.email, by=None, role=obj.role, agent=obj.agent)
            obj.pk, obj._state.adding = made.pk, False
            return
        by, member = self.acting(request, obj), Member.objects.get(pk=obj.pk)
        if "role" in form.changed_data:
            members.change_role(member, by=by, role=obj.role)
        if "agent" in form.changed_data:
            members.link(member, by=by, agent=obj.agent)

    def buttons_for(self, row):
        if row.left_at:
            return ("bring_back",)
        return () if row.is_owner else ("hand_over", "remove")

    @button("Bring back")
    def bring_back(self, request, row, words):
        by = self.acting(request, row)
        members.add_member(row.workspace, row.user.email, by=by, role=row.role)
        return "Back in the workspace, with the role from before and without an agent."

    @button("Hand the workspace over to them")
    def hand_over(self, request, row, words):
        members.hand_over(row, by=self.acting(request, row))
        return f"{row} owns the workspace now. You are an admin."

    @button("Take out of the workspace", danger=True)
    def remove(self, request, row, words):
        members.remove(row, by=self.acting(request, row))
        return "Taken out. What they wrote stays under their name; their tokens are dead."


@admin.register(Team)
class TeamBack(Back):
    group = "Agents"
    list_display = ("name", "workspace")
    list_filter = (("workspace", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("workspace",)
    search_fields = ("name",)
    ordering = ("name",)
    fields = ("workspace", "name")

    def save_model(self, request, obj, form, change):
        by = self.acting(request, obj)
        if change:
            actions.rename_team(obj, by=by, name=obj.name)
        else:
            made = actions.create_team(obj.workspace, by=by, name=obj.name)
            obj.pk, obj._state.adding = made.pk, False


class ExternalIdInline(Scope, admin.StackedInline):
    model = ExternalId
    form = RowForm
    extra = 0
    fields = (("source", "value"),)

    def has_delete_permission(self, request, obj=None):
        return self.may(request)


class AgentForm(RowForm):
    compared = ("team", *CHANGED_BY_ACTION)


@admin.register(Agent)
class AgentBack(Back):
    group = "Agents"
    form = AgentForm
    list_display = ("name", "kind", "team", "active", "coaching", "configuration_version", "workspace")
    list_filter = ("kind", "active", "coaching", "storage_mode", ("team", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("team", "workspace")
    search_fields = ("name", "external_ids__value")
    ordering = ("name", "pk")
    autocomplete_fields = ("team",)
    fields = ("workspace", "name", "kind", "team", "active", "coaching", "storage_mode", "retention_days", *OF_AGENT)
    readonly_fields = OF_AGENT
    inlines = (ExternalIdInline,)

    def get_fields(self, request, obj=None):
        fields = super().get_fields(request, obj)
        return fields if obj else [name for name in fields if name not in OF_AGENT]

    def get_readonly_fields(self, request, obj=None):
        fields = super().get_readonly_fields(request, obj)
        return (*fields, "kind") if obj else fields

    def get_search_results(self, request, queryset, search_term):
        """Where only AI agents can be chosen, or only people who are nobody's own row yet, no others are offered."""
        asked_for = request.GET.get("model_name")
        if asked_for in (Procedure.KIND, "memory"):
            queryset = queryset.ai()
        elif asked_for in ("member", "invitation"):
            queryset = queryset.filter(own_rows.FREE)
        return super().get_search_results(request, queryset, search_term)

    def view_on_site(self, obj):
        return reverse("agent", args=[obj.pk])

    def save_model(self, request, obj, form, change):
        by = self.acting(request, obj)
        team = obj.team.name if obj.team else ""
        if change:
            fields = {name: form.cleaned_data[name] for name in CHANGED_BY_ACTION if name in form.changed_data}
            if "team" in form.changed_data:
                fields["team"] = team
            if fields:
                actions.update_agent(Agent.objects.get(pk=obj.pk), by=by, **fields)
        else:
            fields = {name: form.cleaned_data[name] for name in CHANGED_BY_ACTION}
            made = actions.create_agent(obj.workspace, kind=obj.kind, team=team, by=by, door=Door.ADMIN, **fields)
            obj.pk = made.pk
            obj._state.adding = False

    def save_formset(self, request, form, formset, change):
        formset.save(commit=False)  # fills the lists that the log of this page reads
        if formset.has_changed():
            kept = [row.cleaned_data for row in formset.forms if row.cleaned_data and row not in formset.deleted_forms]
            ids = {row["source"]: row["value"] for row in kept}
            actions.update_agent(form.instance, by=self.acting(request, form.instance), external_ids=ids)


@admin.register(Prompt)
class PromptBack(VersionedBack):
    group = "Agents"
    list_display = ("agent", "version", "updated_at", "workspace")
    list_filter = ("updated_at", ("workspace", admin.RelatedOnlyFieldListFilter))
    search_fields = ("agent__name", "system_prompt")
    ordering = ("agent__name", "pk")

    def has_add_permission(self, request, *args):
        return False  # every AI agent has one from the start

    def buttons_for(self, row):
        return ()  # a prompt can be emptied, not removed


@admin.register(Procedure)
class ProcedureBack(VersionedBack):
    group = "Agents"
    list_display = ("name", "agent", "folder", "version", "active", "updated_at")
    list_filter = ("active", ("agent", admin.RelatedOnlyFieldListFilter))
    search_fields = ("name", "trigger", "content", "folder", "agent__name")
    ordering = ("agent__name", "folder", "name")


@admin.register(Procedure.history.model)
class ProcedureVersions(HistoryBack):
    one, many = "Procedure version", "Procedure versions"
    title_field = "name"
    search_fields = ("name", "agent__name")


@admin.register(Prompt.history.model)
class PromptVersions(HistoryBack):
    one, many = "Prompt version", "Prompt versions"
    title_field = "agent"
    search_fields = ("agent__name",)


@admin.register(Configuration)
class ConfigurationBack(ReadOnly):
    group = "Record"
    list_display = ("agent", "number", "change", "target_kind", "target_version", "by", "door", "created_at")
    list_filter = ("change", "target_kind", "door")
    list_select_related = ("agent", "by__user")
    search_fields = ("agent__name", "reason")
    ordering = ("-created_at", "-pk")


class WhatWasDecided(admin.SimpleListFilter):
    title = "decision"
    parameter_name = "action"

    def lookups(self, request, model_admin):
        return decisions.WORDS.items()

    def queryset(self, request, queryset):
        return queryset.filter(action=self.value()) if self.value() else queryset


@admin.register(Decision)
class DecisionBack(ReadOnly):
    group = "Record"
    many = "Decision log"
    list_display = ("number", "decided", "title", "agent_name", "by_name", "door", "at", "result_version")
    list_filter = (WhatWasDecided, "door", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("workspace",)
    search_fields = ("title", "agent_name", "by_name", "note")
    ordering = ("-at", "-pk")

    @admin.display(description="Decision", ordering="action")
    def decided(self, row):
        return decisions.WORDS[row.action]


@admin.register(ApiToken)
class ApiTokenBack(ReadOnly):
    group = "People"
    one, many = "API token", "API tokens"
    list_display = ("name", "member", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = ("created_at", ("workspace", admin.RelatedOnlyFieldListFilter))
    list_select_related = ("member__user",)
    search_fields = ("name", "member__user__email")
    ordering = ("-created_at",)
    never_read = ("hash",)

    def buttons_for(self, row):
        return () if row.revoked_at else ("revoke",)

    @button("Revoke", danger=True)
    def revoke(self, request, row, words):
        if row.revoked_at:
            return "It was revoked already."
        members.revoke_token(row, by=self.acting(request, row))
        return "Revoked: the next request with this token is refused."

    def view_on_site(self, obj):
        return reverse("settings-tokens")


@admin.register(Invitation)
class InvitationBack(OwedBack):
    """Who was asked in. The link is nowhere: it is signed anew when it is sent."""

    group = "People"
    list_display = ("email", "workspace", "role", "invited_by", "expires_at", "accepted_at", *OwedBack.owed_columns)
    list_filter = (
        Owes,
        "role",
        ("accepted_at", admin.EmptyFieldListFilter),
        ("revoked_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("workspace", "invited_by__user")
    search_fields = ("email", "workspace__name")
    ordering = ("-created_at", "pk")
    autocomplete_fields = ("agent",)
    form = RowForm
    never_shown = (*OwedBack.never_shown, "number")
    giving_up = "The mail is not sent. The invitation stands, and can be sent again."

    def has_add_permission(self, request, *args):
        return self.may(request)

    def get_fields(self, request, obj=None):
        if obj:
            return super().get_fields(request, obj)
        asked = ["email", "role", "agent"]
        return ["workspace", *asked] if request.user.is_superuser or len(led(request)) > 1 else asked

    def get_readonly_fields(self, request, obj=None):
        return super().get_readonly_fields(request, obj) if obj else ()

    def save_model(self, request, obj, form, change):
        by = self.acting_on_work(request, obj)
        made = invitations.invite(obj.workspace, obj.email, by=by, role=obj.role, agent=obj.agent)
        obj.pk, obj._state.adding = made.pk, False

    def buttons_for(self, row):
        if row.accepted_at or row.revoked_at:
            return ()
        owed = super().buttons_for(row)
        return (*(owed if row.expires_at > timezone.now() else owed[1:]), "send_again", "revoke")

    @button("Try again now")
    def try_again(self, request, row, words):
        invitations.mail_again(row, by=self.acting_on_work(request, row))
        return "The mail is due now, with the same link. A worker takes it within seconds."

    def end(self, row, *, by):
        invitations.give_up_mail(row, by=by)

    @button("Send again")
    def send_again(self, request, row, words):
        invitations.send_again(row, by=self.acting(request, row))
        return "Another seven days and a new link. Every earlier one is dead."

    @button("Take back", danger=True)
    def revoke(self, request, row, words):
        invitations.revoke(row, by=self.acting(request, row))
        return "Taken back. Its link is dead."


@admin.register(PasswordReset)
class PasswordResetBack(OwedBack):
    """Who asked to set a new password. The link is nowhere: it is made while the mail is sent."""

    group = "People"
    workspace_path = "user__memberships__workspace"
    list_display = ("user", "asked_at", "sent_at", *OwedBack.owed_columns)
    list_filter = (Owes, "asked_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name")
    ordering = ("-asked_at", "-pk")
    giving_up = "The mail is not sent. They can ask for another."

    def acting_on_work(self, request, row):
        """A login belongs to no workspace: whoever sees it may have its mail tried again."""
        return None


class SessionList(ChangeList):
    """Rows are called by their `id`: what opens a session is its key, which stands in no address."""

    def url_for_result(self, result):
        return reverse("admin:agents_browsersession_change", args=[result.id])


@admin.register(BrowserSession)
class BrowserSessionBack(ReadOnly):
    """Where people are signed in. Superusers see all of them; what is in a session, and what opens it, is shown to nobody."""

    group = "People"
    one, many = "Browser", "Browsers signed in"
    workspace_path = "user__memberships__workspace"
    list_display = ("in_words", "user", "place", "started_at", "seen_at", "expire_date")
    list_filter = ("started_at", "seen_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name", "browser", "place")
    ordering = ("-seen_at", "id")
    never_shown = ("session_key", "id", "pk")
    never_read = ("session_data",)

    @admin.display(description="Browser", ordering="browser")
    def in_words(self, session):
        return browsers.in_words(session.browser)

    def get_changelist(self, request, **kwargs):
        return SessionList

    def get_object(self, request, object_id, from_field=None):
        try:
            return self.get_queryset(request).filter(id=unquote(object_id)).first()
        except ValidationError:
            return None

    def buttons_for(self, row):
        return ("end",)

    @button("Sign out there", danger=True)
    def end(self, request, row, words):
        accounts.end_session(row)
        return "Signed out there: the next request of that browser leads to the sign-in."

    def log_change(self, request, obj, message):
        """The log keeps what it is about by its key, which here would open the session."""
        return LogEntry.objects.create(
            user_id=request.user.pk,
            content_type=get_content_type_for_model(obj),
            object_id=str(obj.id),
            object_repr=str(obj)[:200],
            action_flag=CHANGE,
            change_message=message,
        )
