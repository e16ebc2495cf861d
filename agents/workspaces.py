"""What can be done to a workspace itself. Its clock is another matter: ratings hang on it (`helpdesk.actions`)."""

from agents import history
from agents.access import Right, require
from agents.models import Workspace


def rename(workspace, *, by, name):
    """Call the workspace `name` from now on. Raises NotAllowed, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    renamed = Workspace(name=name.strip())
    renamed.clean_fields(exclude=["slug", "time_zone"])
    history.change(workspace, Workspace.objects.all(), by=by, name=renamed.name)
