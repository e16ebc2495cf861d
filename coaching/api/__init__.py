"""Routes of coaching: people (drawer, notes, samples, follow-ups), flags, the coach's sessions, proposals, decisions,
imports."""

from coaching.api import decisions, flags, imports, people, proposals, sessions
from coaching.api import problems as problems  # teaches the API what coaching refuses

urlpatterns = [
    *people.urlpatterns,
    *flags.urlpatterns,
    *sessions.urlpatterns,
    *proposals.urlpatterns,
    *decisions.urlpatterns,
    *imports.urlpatterns,
]
