from django.urls import path
from django.views.generic import RedirectView

from coaching.views import team

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="team")),
    path("team", team.team, name="team"),
    path("team/<uuid:agent_id>", team.agent, name="team-agent"),
    path("team/<uuid:agent_id>/notes", team.write_note, name="write-note"),
]
