"""Who may see and who may decide: one place, asked by every door.

Seeing is a queryset: `Model.objects.visible_to(member)`; a row outside it does not exist for that member (404).
Doing is a right: `require(member, Right.APPROVE)` raises `NotAllowed` with the reason (403).
"""

from enum import Enum

from django.db import models


class Refusal(Exception):
    """An action said no. The message says why, in words for a person; every door puts it in its own tongue."""


class NotAllowed(Refusal):
    """The member may not do this."""


class Right(Enum):
    """What a member may do; the value finishes the sentence "Only … may"."""

    READ_TEAM = "see all agents"
    COACH_PEOPLE = "write notes and look after flags"
    READ_AI = "see prompts, memories, procedures, proposals and conversations with customers"
    COACH_AI = "talk to the coach"
    APPROVE = "decide on proposals"
    CONFIGURE = "change prompts, memories and procedures"
    IMPORT = "bring in conversations and ratings"
    IMPORT_DIRECTLY = "apply an import without review"
    MANAGE_WORKSPACE = "change settings, members and tokens"
    HAND_OVER = "hand over the workspace"


OWNER_ONLY = {Right.HAND_OVER, Right.IMPORT_DIRECTLY}


def may(member, right: Right) -> bool:
    """Whether the role of `member` carries `right` in their own workspace."""
    if right in OWNER_ONLY:
        return member.is_owner
    return member.is_leader


def require(member, right: Right) -> None:
    """Raise NotAllowed, with the sentence to show, unless the member has the right."""
    if not may(member, right):
        who = "the owner" if right in OWNER_ONLY else "owners and admins"
        raise NotAllowed(f"Only {who} of this workspace may {right.value}.")


class Scoped(models.QuerySet):
    """Rows that belong to a workspace. `own` is the look-up from a row to the agent whose member may see it."""

    own: str | None = None

    def visible_to(self, member):
        """The rows this member may see: all of the workspace for leaders, their own for a linked member."""
        rows = self.filter(workspace_id=member.workspace_id)
        if member.is_leader:
            return rows
        if self.own is None or member.agent_id is None:
            return rows.none()
        return rows.filter(**{self.own: member.agent_id})
