"""Rows of ours that fit a Slack that is played: its team connected, its channel with a coach, its person a member."""

from coaching.models import SlackConnection, SlackPerson, SlackTrigger
from tests import factories
from tests.slack.world import App, Channel, Team, User


def connection(team: Team | App, workspace, **fields) -> SlackConnection:
    """A team, by its first app or by the app that is given."""
    app = team.app if isinstance(team, Team) else team
    own = {"signing_secret": app.signing_secret, "app_token": app.app_token}
    installed = fields.get("mode") == SlackConnection.Mode.INSTALLED
    told = {
        "team_id": app.team.id,
        "team_name": app.team.name,
        "app_id": app.app_id,
        "bot_user_id": app.bot_user_id,
        "bot_id": app.bot_id,
        "bot_token": app.bot_token,
        "scopes": app.scopes,
    }
    return factories.slack_connection(workspace, **({**told} | ({} if installed else own) | fields))


def trigger(connection: SlackConnection, channel: Channel, agent, **fields) -> SlackTrigger:
    told = {"channel_id": channel.id, "channel_name": channel.name}
    return factories.slack_trigger(connection, agent, **(told | fields))


def person(connection: SlackConnection, user: User, member, **fields) -> SlackPerson:
    return factories.slack_person(connection, member, **({"user_id": user.id, "name": user.name} | fields))
