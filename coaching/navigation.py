"""The pages of the settings, and the counts beside the links of the top bar."""

from functools import cached_property

from agents.models import Workspace
from coaching.models import Proposal
from coaching.pages import my_coaching, slack, todo
from helpdesk.pages import connections as helpdesks

SETTINGS = (
    ("settings-workspace", "Workspace"),
    ("settings-members", "Members"),
    ("settings-helpdesks", "Helpdesks"),
    ("settings-slack", "Slack"),
    ("settings-deep-links", "Deep links"),
    ("settings-tokens", "Tokens"),
    ("settings-flag-policy", "Flag policy"),
    ("settings-model", "Model"),
    ("settings-retention", "Retention"),
    ("decisions", "Decision log"),
)


class Navigation:
    """What waits for this member; counted only where a page shows it."""

    settings = SETTINGS

    def __init__(self, member):
        self.member = member

    @cached_property
    def pending_proposals(self):
        return Proposal.objects.visible_to(self.member).pending().count()

    @cached_property
    def due(self):
        """Flags to coach on, and follow-ups whose day has come."""
        return todo.flags_to_coach(self.member).count() + todo.follow_ups_due(self.member).count()

    @cached_property
    def helpdesk_trouble(self):
        """Whether a connection to a helpdesk wants a leader to look at it."""
        return helpdesks.in_trouble(self.member.workspace_id).exists()

    @cached_property
    def slack_trouble(self):
        """Whether something in Slack wants a leader to look at it."""
        return Workspace.objects.filter(
            slack.is_in_trouble(self.member.workspace_id), pk=self.member.workspace_id
        ).exists()

    @cached_property
    def unread(self):
        """Notes that were shared with this member and wait for "I have read this"."""
        if self.member.agent_id is None:
            return 0
        return my_coaching.shared_notes(self.member).filter(acknowledged_at=None).count()


def counts(request):
    """Context processor: `navigation` on every page of a member."""
    member = getattr(request, "member", None)
    return {"navigation": Navigation(member)} if member else {}
