"""The pages of the settings, and the counts beside the links of the top bar."""

from functools import cached_property

from django.db.models import DateField, DateTimeField, IntegerField, Subquery

from agents.compiled import CompiledQuery, Parameter
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


class Counted(Subquery):
    """How many rows a query set has."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) AS counted)"
    output_field = IntegerField()
    empty_result_set_value = 0


WAITING = (
    "unread",
    "pending_proposals",
    "flags_to_coach",
    "follow_ups_due",
    "helpdesks_in_trouble",
    "slack_in_trouble",
)


def _waiting(somebody):
    """The row of their workspace with the counts of WAITING."""
    workspace = Workspace.objects.filter(pk=somebody.workspace_id)
    waiting = {name: Workspace.objects.none() for name in WAITING}
    if somebody.agent_id is not None:
        waiting["unread"] = my_coaching.unread_notes(somebody)
    if somebody.is_leader:
        waiting |= {
            "pending_proposals": Proposal.objects.visible_to(somebody).pending(),
            "flags_to_coach": todo.flags_to_coach(somebody, Parameter("ended_after", DateField())),
            "follow_ups_due": todo.follow_ups_due(somebody, Parameter("tomorrow", DateTimeField())),
            "helpdesks_in_trouble": helpdesks.in_trouble(somebody.workspace_id, Parameter("long_ago", DateTimeField())),
            "slack_in_trouble": workspace.filter(slack.is_in_trouble(somebody.workspace_id)),
        }
    return workspace.annotate(**{name: Counted(rows.order_by().values("pk")) for name, rows in waiting.items()})


COUNTS = CompiledQuery(_waiting, WAITING)


class Navigation:
    """What waits for this member; counted only where a page shows it, and all at once."""

    settings = SETTINGS

    def __init__(self, member):
        self.member = member

    @cached_property
    def _n(self):
        [row] = COUNTS.rows(self.member, long_ago=helpdesks.long_ago(), **todo.moments(self.member))
        return row

    @property
    def pending_proposals(self):
        return self._n.pending_proposals

    @property
    def due(self):
        """Flags to coach on, and follow-ups whose day has come."""
        return self._n.flags_to_coach + self.follow_ups_due

    @property
    def follow_ups_due(self):
        return self._n.follow_ups_due

    @property
    def helpdesk_trouble(self):
        """Whether a connection to a helpdesk wants a leader to look at it."""
        return self._n.helpdesks_in_trouble > 0

    @property
    def slack_trouble(self):
        """Whether something in Slack wants a leader to look at it."""
        return self._n.slack_in_trouble > 0

    @property
    def unread(self):
        """Notes that were shared with this member and wait for "I have read this"."""
        return self._n.unread


def counts(request):
    """Context processor: `navigation` on every page of a member."""
    member = getattr(request, "member", None)
    return {"navigation": Navigation(member)} if member else {}
