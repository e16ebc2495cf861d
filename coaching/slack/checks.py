"""Looking at a connection anew, because somebody asked: is its token good, and can each of its channels be spoken in."""

from django.core.exceptions import ValidationError

from coaching.actions.slack import connections, triggers
from coaching.models import SlackConnection
from coaching.slack import channels
from coaching.slack.identity import identify

MOST_CHANNELS = 20  # that one check looks at, for somebody waits for it
UNREADABLE = "Its tokens cannot be read any more: the FIELD_KEYS they were encrypted under are gone. Connect it again."


def check(connection: SlackConnection, *, by) -> SlackConnection:
    """Ask Slack what it thinks of the token and of the coaches' channels, and store it: what was lost may be found again.

    Raises NotAllowed, NotConnected, ChangedMeanwhile; errors.SlackError where Slack did not say.
    """
    connections.check_right(by)
    if connection.state == SlackConnection.State.DISCONNECTED:
        raise connections.NotConnected(f"{connection} is disconnected. Connect it again first.")
    is_own = connection.mode == SlackConnection.Mode.OWN
    if not connection.bot_token or (is_own and not connection.signing_secret):
        connections.refuse(connection, UNREADABLE)
        return connection
    try:
        identity = identify(connection.bot_token)
        connection = connections.connect(
            connection.workspace,
            identity,
            mode=connection.mode,
            bot_token=connection.bot_token,
            by=by,
            expected=connection,
            version=connection.version,
        )
    except ValidationError as refusal:
        connections.refuse(connection, " ".join(refusal.messages))
        return connection
    for channel_id in list(connection.triggers.kept().values_list("channel_id", flat=True)[:MOST_CHANNELS]):
        try:
            found = channels.look_up(connection, channel_id)
        except channels.NotThere as lost:
            triggers.lose(connection, channel_id, lost.sentence)
        else:
            triggers.find(connection, channel_id)
            if found.name:
                triggers.rename(connection, channel_id, found.name)
    return connection
