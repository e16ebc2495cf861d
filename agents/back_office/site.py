"""The site itself: one sign-in for the whole product, and lists in the order in which an operator thinks of them."""

from collections.abc import Callable
from dataclasses import dataclass

from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

GROUPS = ("Operation", "To decide", "Agents", "Coaching", "Conversations", "Helpdesks", "Slack", "People", "Record")


@dataclass(frozen=True)
class Page:
    """A page of the back office that is no list of one kind of row. `view` is called with the request of a member of staff."""

    path: str
    name: str
    label: str
    view: Callable
    group: str


class BackOffice(AdminSite):
    """Staff only. Who is not signed in goes to the product's own sign-in; who is not staff is told so."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.pages = []

    def add_page(self, path, view, *, label, group="Operation"):
        """Show `view` at /admin/PATH/ and in the list of lists; its address is called `admin:PATH`."""
        self.pages.append(Page(f"{path}/", path, label, view, group))

    def get_urls(self):
        return [path(one.path, self.admin_view(one.view), name=one.name) for one in self.pages] + super().get_urls()

    site_header = site_title = "Touchline back office"
    index_title = "Back office"

    @method_decorator(never_cache)
    def login(self, request, extra_context=None):
        wanted = request.GET.get("next", "")
        if not url_has_allowed_host_and_scheme(wanted, {request.get_host()}, request.is_secure()):
            wanted = reverse("admin:index")
        if self.has_permission(request):
            return HttpResponseRedirect(wanted)
        if request.user.is_authenticated:
            raise PermissionDenied("The back office is for the people who run this installation.")
        return redirect_to_login(wanted, reverse("sign-in"))

    def password_change(self, request, extra_context=None):
        """One's own password is changed where everybody changes theirs: throttled, and it ends the other browsers."""
        return HttpResponseRedirect(reverse("account"))

    def logout(self, request, extra_context=None):
        return LogoutView.as_view()(request)

    def get_app_list(self, request, app_label=None):
        """Lists by what they are for (`group` of their ModelAdmin), not by the app that their model lives in."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        groups = {name: [] for name in GROUPS}
        if apps:  # who leads nothing has no list, and no page beside the lists
            for one in self.pages:
                shown = {"name": one.label, "object_name": one.name, "admin_url": reverse(f"admin:{one.name}")}
                groups[one.group].append(shown | {"add_url": None, "view_only": True, "perms": {}})
        for app in apps:
            for shown in app["models"]:
                back = self._registry[shown["model"]]
                groups[back.group].append({**shown, "name": back.many})
        return [
            {"name": name, "app_label": name.lower().replace(" ", "-"), "app_url": "", "has_module_perms": True, "models": models}
            for name, models in groups.items()
            if models
        ]  # fmt: skip
