"""The pages of the settings, and the counts beside the links of the top bar."""

from collections import Counter
from functools import cached_property

from django.core.exceptions import EmptyResultSet
from django.db import connection

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


def _waiting(member):
    """{name: the rows that are counted for it}."""
    waiting = {}
    if member.agent_id is not None:
        waiting["unread"] = my_coaching.unread_notes(member)
    if member.is_leader:
        waiting |= {
            "pending_proposals": Proposal.objects.visible_to(member).pending(),
            "flags_to_coach": todo.flags_to_coach(member),
            "follow_ups_due": todo.follow_ups_due(member),
            "helpdesks_in_trouble": helpdesks.in_trouble(member.workspace_id),
            "slack_in_trouble": Workspace.objects.filter(
                slack.is_in_trouble(member.workspace_id), pk=member.workspace_id
            ),
        }
    return waiting


def counted(querysets):
    """{name: how many rows} of {name: queryset}, in one query.

    Put together from the SQL of each: as subqueries of a queryset they take Django longer than queries of their own.
    """
    found, asked, params = dict.fromkeys(querysets, 0), {}, []
    for name, rows in querysets.items():
        try:
            sql, of_these = rows.order_by().values("pk").query.sql_with_params()
        except EmptyResultSet:
            continue
        asked[name] = f"(SELECT COUNT(*) FROM ({sql}) AS counted)"  # noqa: S608 (Django's own)
        params += of_these
    if asked:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {', '.join(asked.values())}", params)
            found |= zip(asked, cursor.fetchone(), strict=True)
    return found


class Navigation:
    """What waits for this member; counted only where a page shows it, and all at once."""

    settings = SETTINGS

    def __init__(self, member):
        self.member = member

    @cached_property
    def _n(self):
        return Counter(counted(_waiting(self.member)))

    @property
    def pending_proposals(self):
        return self._n["pending_proposals"]

    @property
    def due(self):
        """Flags to coach on, and follow-ups whose day has come."""
        return self._n["flags_to_coach"] + self._n["follow_ups_due"]

    @property
    def helpdesk_trouble(self):
        """Whether a connection to a helpdesk wants a leader to look at it."""
        return self._n["helpdesks_in_trouble"] > 0

    @property
    def slack_trouble(self):
        """Whether something in Slack wants a leader to look at it."""
        return self._n["slack_in_trouble"] > 0

    @property
    def unread(self):
        """Notes that were shared with this member and wait for "I have read this"."""
        return self._n["unread"]


def counts(request):
    """Context processor: `navigation` on every page of a member."""
    member = getattr(request, "member", None)
    return {"navigation": Navigation(member)} if member else {}
