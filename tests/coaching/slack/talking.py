"""A Slack with people, a channel and a coach in it, connected to a workspace: what they do there is told to the product."""

from django.utils import timezone

from coaching.models import SlackPace, SlackPost, SlackReceipt, Turn
from coaching.slack import delivery, switchboard
from tests import factories


class Talking:
    """`leader` is the workspace's owner, `channel` the one that the coach of `agent` listens in."""

    def __init__(self, slack, client, owner, agent, *, team=None):
        self.slack, self.client, self.owner, self.agent = slack, client, owner, agent
        self.team = team or slack.add_team()
        self.team.events_to(self.take)
        self.connection = connected(self.team.app, owner.workspace)
        self.channel = self.team.add_channel("coaching")
        self.trigger = factories.slack_trigger(self.connection, agent, channel_id=self.channel.id)
        self.leader = self.user_of(owner)

    def take(self, path, body, headers):
        """What Slack sends, into the product's own view."""
        told = dict(headers)
        answer = self.client.generic("POST", path, body, content_type=told.pop("Content-Type"), headers=told)
        return answer.status_code, answer.content

    def user_of(self, member, **flags):
        """Somebody in this Slack with the email of a member."""
        return self.team.add_user(email=member.user.email, name=member.display_name, **flags)

    def stranger(self, **flags):
        return self.team.add_user(**flags)


def connected(app, workspace, **fields):
    """The connection of a workspace to a played app."""
    return factories.slack_connection(
        workspace,
        team_id=app.team.id,
        team_name=app.team.name,
        app_id=app.app_id,
        bot_user_id=app.bot_user_id,
        bot_id=app.bot_id,
        bot_token=app.bot_token,
        signing_secret=app.signing_secret,
        **fields,
    )


def follow_all():
    """Follow what is due, in the order in which it came; returns what became of each, in words."""
    for _ in range(3):  # what waited for what came before it
        for receipt in SlackReceipt.objects.due().order_by("pk"):
            switchboard.follow(str(receipt.pk))
    return list(SlackReceipt.objects.exclude(done_at=None).order_by("pk").values_list("outcome", flat=True))


def questions():
    """What was asked of coaches: (agent, text, focus, conversation) of each turn, the oldest first."""
    asked = Turn.objects.order_by("created_at", "number").select_related("session__agent", "session__conversation")
    told = []
    for turn in asked:
        message = turn.messages.get(role="user")
        told.append((turn.session.agent, message.text, message.focus, turn.session.conversation))
    return told


def notices(user):
    """The sentences that somebody alone was shown."""
    return [each.text for each in user.ephemerals]


def shown(there, proposal):
    """The message in which a proposal stands in Slack."""
    post = SlackPost.objects.get(proposal=proposal)
    later()
    delivery.deliver(str(post.pk))
    post.refresh_from_db()
    return there.channel.find(post.pieces[0]["ts"])


def later():
    """What Slack asked to wait for, and what was put off, has come."""
    SlackPace.objects.all().delete()
    SlackReceipt.objects.owed().update(next_try_at=timezone.now())
