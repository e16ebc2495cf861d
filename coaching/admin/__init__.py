"""Coaching in the back office, one module a subject. Buttons call the actions of every other door."""

# Django looks for lists in this module only.
from coaching.admin import (  # noqa: F401 (imported to be registered)
    connections,
    flags,
    imports,
    notes,
    proposals,
    samples,
    sessions,
    slack,
    slack_work,
)
