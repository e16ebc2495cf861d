"""Which model answers, and the page of all connections: models, helpdesks, Slack."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.template.response import TemplateResponse
from django.urls import reverse

from agents.back_office.owed import OwedBack, Owes, TestBack
from agents.back_office.rows import ReadOnly, button, led
from agents.back_office.versioned import VersionsShown
from agents.models import Workspace
from coaching.actions import connections
from coaching.models import ModelConnection, ModelTest
from coaching.pages import connections as connections_page
from coaching.pages import slack as slack_page


def connections_shown(request):
    """Which model answers each workspace, which helpdesks are read, where it is in Slack, and when that last worked."""
    workspaces = Workspace.objects.all() if request.user.is_superuser else Workspace.objects.filter(pk__in=led(request))
    if not request.user.is_superuser and not led(request):
        raise PermissionDenied("The back office shows the rows of workspaces that you lead, and you lead none.")
    asked = request.GET.get("q", "").strip()[:200].replace("\0", "")
    workspaces = workspaces.filter(name__icontains=asked) if asked else workspaces
    found, more = connections_page.load(workspaces)
    helpdesks, more_helpdesks = connections_page.helpdesks(workspaces)
    slack, more_slack = slack_page.every(workspaces, most=connections_page.MOST)
    context = {"title": "Connections", "connections": found, "helpdesks": helpdesks, "slack": slack, "asked": asked}
    context["more"] = more or more_helpdesks or more_slack
    return TemplateResponse(request, "admin/connections.html", admin.site.each_context(request) | context)


admin.site.add_page("connections", connections_shown, label="Connections")  # type: ignore[attr-defined]  # config.apps makes it ours


@admin.register(ModelConnection)
class ModelConnectionBack(VersionsShown, ReadOnly):
    group = "Coaching"
    list_display = ("workspace", "model", "base_url", "effort", "version")
    list_filter = ("effort",)
    list_select_related = ("workspace",)
    search_fields = ("workspace__name", "model", "base_url")
    ordering = ("workspace__name", "pk")
    fields = ("workspace", "base_url", "model", "effort", "key_tail", "version")
    version_fields = ("base_url", "model", "effort", "key_tail")
    never_read = ("key",)

    def view_on_site(self, obj):
        return reverse("settings-model")

    def buttons_for(self, row):
        return ("test", "disconnect") if row.key_tail else ()

    @button("Test it")
    def test(self, request, row, words):
        connections.ask_for_test(row.workspace, by=self.acting(request, row))
        return "A test is asked for. A worker takes it within seconds."

    @button("Disconnect", danger=True)
    def disconnect(self, request, row, words):
        connections.disconnect(row.workspace, by=self.acting(request, row), version=row.version)
        return "Disconnected. The key is deleted here."


@admin.register(ModelTest)
class ModelTestBack(TestBack):
    group = "Coaching"
    one, many = "Test of a model", "Tests of models"
    list_display = ("workspace", "asked_by", "asked_at", "finished_at", "came_to", *OwedBack.owed_columns)
    list_filter = (Owes, "asked_at")
    list_select_related = ("workspace", "asked_by__user")
    search_fields = ("workspace__name", "asked_by__user__name", "asked_by__user__email")
    ordering = ("-asked_at", "pk")

    def view_on_site(self, obj):
        return reverse("settings-model") + "#model-test"

    def buttons_for(self, row):
        return ("try_again", "give_up") if row.finished_at is None else ("ask_again",)

    def end(self, row, *, by):
        connections.give_up(row, by=by)

    @button("Test again")
    def ask_again(self, request, row, words):
        connections.ask_for_test(row.workspace, by=self.acting(request, row))
        return "A new one is asked for. A worker takes it within seconds."
