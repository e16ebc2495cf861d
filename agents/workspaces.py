"""What can be done to a workspace itself. Its clock is another matter: ratings hang on it (`helpdesk.actions`)."""

from django.core.exceptions import ValidationError

from agents import history
from agents.access import Right, require
from agents.models import Workspace


def rename(workspace, *, by, name):
    """Call the workspace `name` from now on. False where it is called so already. Raises NotAllowed, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    renamed = Workspace(name=" ".join(name.split()))
    if not renamed.name.isprintable():
        raise ValidationError({"name": "A name has no control characters in it."})
    renamed.clean_fields(exclude=["slug", "time_zone"])
    return history.change(workspace, Workspace.objects.exclude(name=renamed.name), by=by, name=renamed.name)
