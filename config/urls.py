"""Every address of the product."""

from django.contrib import admin
from django.urls import include, path, re_path
from django.views.generic import RedirectView

from agents.api_base.views import UnknownRoute
from config import health

urlpatterns = [
    path("health/live", health.live),
    path("health/ready", health.ready),
    path("admin", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("config.api")),
    re_path(r"^api(?:/[\s\S]*)?$", UnknownRoute.as_view()),
    path("", include("agents.urls")),
    path("", include("helpdesk.urls")),
    path("", include("coaching.urls")),
]

handler400 = "config.errors.bad_request"
handler500 = "config.errors.server_error"
