from django.urls import path

from helpdesk.views import deep_links, helpdesks, hooks, retention, workspace

urlpatterns = [
    path("settings/workspace", workspace.workspace, name="settings-workspace"),
    path("settings/workspace/clock", workspace.clock, name="settings-clock"),
    path("settings/workspace/clock/<int:change_id>/try-again", workspace.try_again, name="settings-clock-try-again"),
    path("settings/helpdesks", helpdesks.helpdesks, name="settings-helpdesks"),
    path("settings/helpdesks/connect/<slug:vendor>", helpdesks.connect, name="settings-helpdesks-connect"),
    path("settings/helpdesks/<uuid:connection_id>", helpdesks.helpdesk, name="settings-helpdesk"),
    path("settings/helpdesks/<uuid:connection_id>/change", helpdesks.change, name="settings-helpdesk-change"),
    path("settings/helpdesks/<uuid:connection_id>/read", helpdesks.read_now, name="settings-helpdesk-read"),
    path("settings/helpdesks/<uuid:connection_id>/test", helpdesks.test, name="settings-helpdesk-test"),
    path("settings/helpdesks/<uuid:connection_id>/pause", helpdesks.pause, name="settings-helpdesk-pause"),
    path("settings/helpdesks/<uuid:connection_id>/resume", helpdesks.resume, name="settings-helpdesk-resume"),
    path(
        "settings/helpdesks/<uuid:connection_id>/disconnect", helpdesks.disconnect, name="settings-helpdesk-disconnect"
    ),
    path("settings/helpdesks/<uuid:connection_id>/people", helpdesks.people, name="settings-helpdesk-people"),
    path(
        "settings/helpdesks/<uuid:connection_id>/people/create",
        helpdesks.create_people,
        name="settings-helpdesk-people-create",
    ),
    path(
        "settings/helpdesks/<uuid:connection_id>/people/<int:person_id>",
        helpdesks.person,
        name="settings-helpdesk-person",
    ),
    path("settings/deep-links", deep_links.deep_links, name="settings-deep-links"),
    path("settings/deep-links/preview", deep_links.preview, name="settings-deep-links-preview"),
    path("settings/deep-links/<int:link_id>/remove", deep_links.remove, name="settings-deep-links-remove"),
    path("settings/retention", retention.retention, name="settings-retention"),
    path("hooks/<slug:vendor>/<uuid:connection_id>", hooks.hook, name="hook"),
]
