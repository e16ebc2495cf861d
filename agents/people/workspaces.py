"""What can be done to a workspace itself. Its clock is another matter: ratings hang on it (`helpdesk.actions`)."""

from django.db import transaction

from agents import history, names
from agents.access import Right, require
from agents.models import Member, Workspace
from agents.people import invitations


def rename(workspace, *, by, name):
    """Call the workspace `name` from now on. False where it is called so already. Raises NotAllowed, ValidationError."""
    require(by, Right.MANAGE_WORKSPACE)
    renamed = Workspace(name=names.in_one_line(name))
    names.check(renamed.name)
    renamed.clean_fields(exclude=["slug", "time_zone"])
    return history.change(workspace, Workspace.objects.exclude(name=renamed.name), by=by, name=renamed.name)


def create(slug, *, owner_email, name="", password=None):
    """A new workspace. Returns its owner's Member; or an Invitation where they are new here and no `password` is given.

    For operators: no right inside the product reaches across workspaces. Raises ValidationError.
    """
    workspace = Workspace(slug=slug, name=names.in_one_line(name) or slug)
    names.check(workspace.name)
    workspace.full_clean()
    with transaction.atomic():
        workspace.save(force_insert=True)
        return invitations.add_or_invite(workspace, owner_email, role=Member.Role.OWNER, password=password)
