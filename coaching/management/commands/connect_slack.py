"""manage.py connect_slack: one coach in one channel of Slack without the page."""

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from agents.access import Refusal
from agents.management.operators import workspace_of
from coaching.actions.slack import triggers
from coaching.management.agents import agent_of
from coaching.models import SlackConnection, SlackTrigger
from coaching.slack import channels, errors, identity, manifest
from helpdesk.management.given import given

KEYS = ("bot_token", "signing_secret", "app_token", "channel", "agent")


class Command(BaseCommand):
    help = (
        "Connect a Slack workspace by an app of your own, and let a coach into one of its channels. Repeating it changes what is "
        "given, resumes a connection that was refused, and lets another coach into the channel. Prints the connection's id, and "
        "where Slack sends events and clicks, each alone on a line. Exits with 0 where it is done, 2 where something given is "
        "wrong or missing, or Slack cannot be asked."
    )

    def create_parser(self, *args, **kwargs):
        """Values may stand before and after --workspace."""
        parser = super().create_parser(*args, **kwargs)
        parser.parse_args = parser.parse_intermixed_args
        return parser

    def add_arguments(self, parser):
        parser.add_argument(
            "values",
            nargs="*",
            metavar="KEY=VALUE",
            help="bot_token, signing_secret, [app_token], channel (a channel's id), agent (an AI agent's name or id). VALUE can "
            "be @FILE, or - for the next line of standard input, so that no secret stands in the shell's history. Of tokens and "
            "secret, what is not given stays as stored; without bot_token the only connection of the workspace is meant.",
        )
        parser.add_argument("--workspace", required=True, metavar="SLUG")

    def handle(self, *, values, workspace, **options):
        workspace = workspace_of(workspace)
        told = given(values, KEYS)
        missing = [name for name in ("channel", "agent") if not told.get(name)]
        for name in missing:
            self.stderr.write(f"{name}: It is missing.")
        if missing:
            raise CommandError("Nothing was changed.", returncode=2)
        agent, channel_id = agent_of(workspace, told.pop("agent")), told.pop("channel")
        if not triggers.CHANNEL.fullmatch(channel_id):
            self.stderr.write("channel: It is the id of a channel and begins with C or G.")
            raise CommandError("Nothing was changed.", returncode=2)
        try:
            stored = None if told.get("bot_token") else self._only(workspace)
            connection = identity.connect_own(workspace, **told, expected=stored, by=None)
            trigger = self._trigger(connection, channel_id, agent)
        except ValidationError as refusal:
            fields = refusal.message_dict if hasattr(refusal, "error_dict") else {"slack": refusal.messages}
            for field, sentences in fields.items():
                self.stderr.write(f"{field}: {' '.join(sentences)}")
            raise CommandError("No coach was let in.", returncode=2) from None
        except channels.NotThere as lost:
            self.stderr.write(f"channel: {lost.sentence}")
            raise CommandError("The Slack workspace is connected, and no coach was let in.", returncode=2) from None
        except errors.SlackError as failure:
            raise CommandError(failure.sentence, returncode=2) from None
        except Refusal as refusal:
            raise CommandError(str(refusal), returncode=2) from None
        for scope, without in manifest.missing(connection.scopes).items():
            self.stderr.write(f"The app lacks {scope}: {without}.")
        self.stdout.write(
            f"{trigger.agent.coach_name} listens in {channel_id} of {connection}. The connection's id, and the addresses for "
            "events and for interactivity, which Socket Mode does not need:"
        )
        self.stdout.write(str(connection.pk))
        self.stdout.write(f"{settings.PUBLIC_URL}{manifest.EVENTS_PATH}")
        self.stdout.write(f"{settings.PUBLIC_URL}{manifest.ACTIONS_PATH}")

    def _trigger(self, connection, channel_id, agent):
        try:
            channel = channels.look_up(connection, channel_id)
        except errors.Declined:  # Slack answers, and does not tell of channels: the app may not ask
            channel = channels.Channel(channel_id, "")
        stored = SlackTrigger.objects.kept().filter(connection=connection, channel_id=channel_id).first()
        if stored is None:
            return triggers.add(connection, channel_id=channel_id, channel_name=channel.name, agent=agent, by=None)
        triggers.find(connection, channel_id)
        stored.refresh_from_db()
        return triggers.change(stored, agent=agent, posts_every_proposal=stored.posts_every_proposal, by=None)

    def _only(self, workspace):
        found = list(SlackConnection.objects.connected().filter(workspace=workspace)[:2])
        if len(found) == 1:
            return found[0]
        if found:
            raise ValidationError({"bot_token": "Several Slack workspaces are connected: it says which one is meant."})
        return None
