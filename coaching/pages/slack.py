"""What Settings › Slack shows: each Slack workspace and how it is, the coaches there, what goes there, what was changed."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from django.conf import settings
from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.utils import timezone

from agents.models import Agent
from coaching.actions.slack import policy
from coaching.models import SlackConnection, SlackPolicy, SlackPost, SlackTrigger
from coaching.slack import install, manifest

State = SlackConnection.State

SHOWN_VERSIONS = 8
READ_VERSIONS = 200  # of all connections together
RECENT = timedelta(days=14)  # for so long a message that was lost is told of


@dataclass(frozen=True)
class Version:
    """One version: what it changed, in words, without secrets."""

    words: str
    by: str
    at: datetime


@dataclass(frozen=True)
class Coach:
    """A channel and whose coach listens there; `was_removed` where that was undone a moment ago."""

    trigger: SlackTrigger
    was_removed: bool = False

    @property
    def channel(self):
        return f"#{self.trigger.channel_name}" if self.trigger.channel_name else self.trigger.channel_id

    @property
    def problem(self):
        """Why nobody answers there, in a sentence; empty where somebody does."""
        if self.trigger.state == SlackTrigger.State.LOST:
            return self.trigger.state_reason
        agent = self.trigger.agent
        if not agent.active:
            return f"{agent.name} is not active any more, so nobody answers there."
        return "" if agent.coaching else f"The coach of {agent.name} is switched off, so nobody answers there."


@dataclass(frozen=True)
class Card:
    """One Slack workspace and everything that is said of it."""

    connection: SlackConnection
    coaches: list[Coach]
    versions: list[Version] = field(default_factory=list)

    @property
    def anchor(self):
        return f"slack-{self.connection.pk}"

    @property
    def state_name(self):
        return {"active": "Connected", "refused": "Refused", "disconnected": "Disconnected"}[self.connection.state]

    @property
    def is_installed(self):
        return self.connection.mode == SlackConnection.Mode.INSTALLED

    @property
    def uses_sockets(self):
        return bool(settings.SLACK_APP_TOKEN if self.is_installed else self.connection.app_token)

    @property
    def is_unreadable(self):
        """Whether its token is stored under a key that is gone."""
        return self.connection.state != State.DISCONNECTED and not self.connection.bot_token

    @property
    def lacks(self):
        return manifest.missing(self.connection.scopes)


@dataclass(frozen=True)
class SlackPage:
    cards: list[Card]
    policy: SlackPolicy
    policy_versions: list[Version]
    n_agents: int

    @property
    def connected(self):
        return [card for card in self.cards if card.connection.state != State.DISCONNECTED]

    @property
    def is_offered(self):
        return install.is_offered()


def connected(member):
    """The Slack workspaces that a channel can be chosen in, those that refuse their token behind the active ones."""
    return SlackConnection.objects.visible_to(member).connected().order_by("state", "team_name", "pk")


def called(connection):
    """A Slack workspace among those to choose from."""
    return str(connection) if connection.state == State.ACTIVE else f"{connection} ({connection.get_state_display()})"


def coached(member):
    """The agents whose coach can be let into a channel."""
    return Agent.objects.visible_to(member).ai().active().filter(coaching=True).order_by("name", "pk")


def load(member, removed=None) -> SlackPage:
    """The page for a leader; `removed` is the id of a trigger that was removed a moment ago and can be brought back."""
    found = sorted(_connections(member), key=lambda one: (one.state == State.DISCONNECTED, str(one).lower()))
    wanted = ~Q(state=SlackTrigger.State.REMOVED) | Q(pk=removed)
    rows = SlackTrigger.objects.visible_to(member).filter(wanted).select_related("agent", "connection")
    coaches = defaultdict(list)
    for trigger in rows.order_by("channel_name", "channel_id", "pk"):
        coaches[trigger.connection_id].append(Coach(trigger, trigger.state == SlackTrigger.State.REMOVED))
    versions = _versions([one.pk for one in found])
    return SlackPage(
        cards=[Card(one, coaches[one.pk], versions[one.pk]) for one in found],
        policy=policy.of(member.workspace),
        policy_versions=_policy_versions(member.workspace_id),
        n_agents=coached(member).count(),
    )


def _connections(member):
    """Each with `n_waiting` and `why_waiting` of what is owed there, `n_lost` and `why_lost` of what is lost."""
    mine = SlackPost.objects.filter(connection=OuterRef("pk"))
    owed, lost = mine.owed(), mine.filter(state=SlackPost.State.LOST, created_at__gt=timezone.now() - RECENT)
    return SlackConnection.objects.visible_to(member).annotate(
        n_waiting=_count(owed),
        why_waiting=Subquery(owed.exclude(last_error="").order_by("next_try_at").values("last_error")[:1]),
        n_lost=_count(lost),
        why_lost=Subquery(lost.order_by("-created_at").values("state_reason")[:1]),
    )


def _count(rows):
    return Subquery(rows.order_by().values("connection").annotate(n=Count("pk")).values("n"))


def _versions(ids):
    """{connection: what was changed, the newest first}."""
    rows = SlackConnection.history.filter(id__in=ids).select_related("history_user")
    of_one = defaultdict(list)
    for row in rows.order_by("-history_date", "-history_id")[:READ_VERSIONS]:
        of_one[row.id].append(row)
    return defaultdict(list, {pk: _told(own, _words)[:SHOWN_VERSIONS] for pk, own in of_one.items()})


def _policy_versions(workspace_id):
    rows = SlackPolicy.history.filter(workspace=workspace_id).select_related("history_user")
    return _told(list(rows.order_by("-history_date", "-history_id")[: SHOWN_VERSIONS + 1]), _policy_words)[
        :SHOWN_VERSIONS
    ]


def _told(rows, words):
    found = []
    for row, before in pairwise([*rows, None]):
        if before is not None or row.version == 1:  # else what it changed is older than what was read
            who = str(row.history_user or ("Slack" if getattr(row, "state", "") == State.REFUSED else "an operator"))
            found.append(Version(words(row, before), who, row.history_date))
    return found


def _words(row, before):
    if before is None:
        return f"Connected, {row.get_mode_display()}"
    said = []
    if row.state != before.state:
        said.append(
            {
                State.ACTIVE: "connected again",
                State.REFUSED: f"refused: {row.state_reason}",
                State.DISCONNECTED: "disconnected",
            }[row.state]
        )
    if row.mode != before.mode:
        said.append(f"now {row.get_mode_display()}")
    elif row.app_id != before.app_id:
        said.append("now another app")
    if row.scopes != before.scopes:
        said.append("other permissions")
    words = "; ".join(said or ["tokens put in again"])
    return words[:1].upper() + words[1:]


def _policy_words(row, before):
    was = before or SlackPolicy()
    said = []
    if row.quotes != was.quotes:
        said.append(f"short quotes {'shown' if row.quotes else 'left out'}")
    if row.flags_channel_id != was.flags_channel_id:
        where = row.flags_channel_name and f"#{row.flags_channel_name}"
        said.append(
            f"flags go to {where or row.flags_channel_id}" if row.flags_channel_id else "flags go to no channel"
        )
    words = "; ".join(said or ["incoming webhook changed"])
    return words[:1].upper() + words[1:]


# --- What leaders are told elsewhere -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Trouble:
    """Something in Slack that a leader should look at: where it stands on the page, and what to do, in a sentence."""

    name: str
    anchor: str
    sentence: str
    is_bad: bool


def is_in_trouble(workspace_id):
    """An expression: whether a connection was refused, a coach's channel was lost, or flags could not be posted."""
    here = {"workspace": workspace_id}
    return (
        Exists(SlackConnection.objects.filter(state=State.REFUSED, **here))
        | Exists(_lost(workspace_id))
        | Exists(SlackPolicy.objects.filter(**here).exclude(flags_trouble=""))
    )


def troubles(workspace_id) -> list[Trouble]:
    """Those of the workspace, in two queries."""
    refused = Q(state=State.REFUSED) | Q(pk__in=_lost(workspace_id).values("connection"))
    rows = SlackConnection.objects.filter(refused, workspace=workspace_id)
    lost = _lost(workspace_id).filter(connection=OuterRef("pk")).order_by("pk")
    told = rows.annotate(why=Subquery(lost.values("state_reason")[:1]), where=Subquery(lost.values("channel_name")[:1]))
    found = [
        Trouble(
            f"Slack, {one}",
            f"slack-{one.pk}",
            one.state_reason if one.state == State.REFUSED else f"{_named(one.where)}: {one.why}",
            one.state == State.REFUSED,
        )
        for one in told.order_by("team_name", "pk")
    ]
    for trouble in SlackPolicy.objects.filter(workspace=workspace_id).values_list("flags_trouble", flat=True):
        if trouble:
            found.append(Trouble("Flags in Slack", "slack-policy", trouble, False))
    return found


def _lost(workspace_id):
    return SlackTrigger.objects.filter(
        workspace=workspace_id, state=SlackTrigger.State.LOST, connection__state=State.ACTIVE
    )


def _named(channel_name):
    return f"#{channel_name}" if channel_name else "A channel"


# --- The back office ---------------------------------------------------------------------------------------------------


def every(workspaces, most: int):
    """The connections of the workspaces of a queryset, at most so many, and whether there are more. One query."""
    rows = SlackConnection.objects.filter(workspace__in=workspaces).select_related("workspace")
    shown = list(
        rows.defer("bot_token", "signing_secret", "app_token")
        .annotate(n_coaches=Count("triggers", filter=~Q(triggers__state=SlackTrigger.State.REMOVED)))
        .order_by(F("workspace__name"), "team_name", "pk")[: most + 1]
    )
    return shown[:most], len(shown) > most
