"""The site itself: one sign-in for the whole product, and lists in the order in which an operator thinks of them."""

from django.contrib.admin import AdminSite
from django.contrib.auth.views import LogoutView, redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache

GROUPS = ("To decide", "Agents", "Coaching", "Conversations", "People", "Record")


class BackOffice(AdminSite):
    """Staff only. Who is not signed in goes to the product's own sign-in; who is not staff is told so."""

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

    def logout(self, request, extra_context=None):
        return LogoutView.as_view()(request)

    def get_app_list(self, request, app_label=None):
        """Lists by what they are for (`group` of their ModelAdmin), not by the app that their model lives in."""
        apps = super().get_app_list(request, app_label)
        if app_label is not None:
            return apps
        groups = {name: [] for name in GROUPS}
        for app in apps:
            for shown in app["models"]:
                back = self._registry[shown["model"]]
                groups[back.group].append({**shown, "name": back.many})
        return [
            {"name": name, "app_label": name.lower().replace(" ", "-"), "app_url": "", "has_module_perms": True, "models": models}
            for name, models in groups.items()
            if models
        ]  # fmt: skip
