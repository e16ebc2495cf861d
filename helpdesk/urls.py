from django.urls import path

from helpdesk.views import deep_links, hooks, retention, workspace

urlpatterns = [
    path("settings/workspace", workspace.workspace, name="settings-workspace"),
    path("settings/workspace/clock", workspace.clock, name="settings-clock"),
    path("settings/workspace/clock/<int:change_id>/try-again", workspace.try_again, name="settings-clock-try-again"),
    path("settings/deep-links", deep_links.deep_links, name="settings-deep-links"),
    path("settings/deep-links/preview", deep_links.preview, name="settings-deep-links-preview"),
    path("settings/deep-links/<int:link_id>/remove", deep_links.remove, name="settings-deep-links-remove"),
    path("settings/retention", retention.retention, name="settings-retention"),
    path("hooks/<slug:vendor>/<uuid:connection_id>", hooks.hook, name="hook"),
]
