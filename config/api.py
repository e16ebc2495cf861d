"""Everything under /api/v1: each app's routes, their description, and a clear no for the rest."""

from django.urls import include, path, re_path
from django.views.decorators.gzip import gzip_page
from drf_spectacular.views import SpectacularJSONAPIView

from agents.api_base.views import UnknownRoute
from config import docs

urlpatterns = [
    path("docs", docs.docs, name="api-docs"),
    path("schema", gzip_page(SpectacularJSONAPIView.as_view()), name="api-schema"),
    path("", include("agents.api")),
    path("", include("memories.api")),
    path("", include("helpdesk.api")),
    path("", include("coaching.api")),
    re_path(r"^[\s\S]*$", UnknownRoute.as_view(), name="api-unknown"),
]
