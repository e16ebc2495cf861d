"""Who a token is: Slack is asked before anything is stored."""

from django.core.exceptions import ValidationError

from coaching.actions.slack import connections
from coaching.actions.slack.connections import Identity
from coaching.models import SlackConnection
from coaching.slack import client, errors


def connect_own(
    workspace,
    *,
    bot_token: str = "",
    signing_secret: str = "",
    app_token: str = "",
    by,
    expected: SlackConnection | None = None,
    version: int | None = None,
) -> SlackConnection:
    """As `connections.connect`, with an app of the workspace's own. Both tokens are tried first.

    A `bot_token` that is not given stays as the `expected` connection has it. Raises also errors.SlackError where Slack did not
    say what it thinks of a token.
    """
    connections.check_right(by)
    token = bot_token.strip() or (expected.bot_token if expected is not None else "")
    wrong: dict[str, list[str]] = {}
    identity = None
    try:
        identity = identify(token)
    except ValidationError as refusal:
        wrong |= refusal.message_dict
    try:
        if app_token.strip():
            check_app_token(app_token.strip())
    except ValidationError as refusal:
        wrong |= refusal.message_dict
    if wrong or identity is None:
        raise ValidationError(wrong)
    return connections.connect(
        workspace,
        identity,
        mode=SlackConnection.Mode.OWN,
        bot_token=token,
        signing_secret=signing_secret,
        app_token=app_token,
        by=by,
        expected=expected,
        version=version,
    )


def identify(bot_token: str) -> Identity:
    """Whose a bot's token is. Raises ValidationError where it cannot be used, errors.SlackError where Slack did not say.

    Slack names the workspace and the bot to any token (https://docs.slack.dev/reference/methods/auth.test), and tells in a header
    what it may do. Which app it belongs to stands in bots.info, which wants a permission: without it the app stays unknown, and
    what comes in is told by its signature alone.
    """
    if not bot_token:
        raise _wrong("It is missing.")
    if bot_token.startswith("xoxe."):
        raise _wrong("This token expires within hours. Switch token rotation off in the app, and install it again.")
    if not bot_token.startswith("xoxb-"):
        raise _wrong(
            "Bot tokens begin with xoxb-. It stands under OAuth & Permissions of the app, once it is installed."
        )
    try:
        answer = client.ask(bot_token, "auth.test")
    except (errors.Revoked, errors.Declined) as refusal:
        raise _wrong(refusal.sentence) from None
    told = answer.data
    if not isinstance(told, dict) or not told.get("team_id") or not told.get("user_id"):
        raise _wrong("Slack does not say which workspace this token belongs to.")
    if not told.get("bot_id"):
        raise _wrong("This is the token of a person. Put in the bot’s.")
    headers = {name.lower(): value for name, value in answer.headers.items()}
    scopes = headers.get("x-oauth-scopes", "")
    return Identity(
        team_id=told["team_id"],
        team_name=told.get("team") or "",
        app_id=_app_id(bot_token, told["bot_id"]),
        bot_user_id=told["user_id"],
        bot_id=told["bot_id"],
        scopes=tuple(scope.strip() for scope in scopes.split(",") if scope.strip()),
    )


def check_app_token(app_token: str) -> None:
    """Try to open a connection with it. Raises ValidationError, errors.SlackError."""
    try:
        client.ask(app_token, "apps.connections.open", app_token=app_token)
    except errors.Revoked:
        sentence = (
            "Slack does not accept this app-level token. It stands under Basic Information and begins with xapp-."
        )
        raise ValidationError({"app_token": sentence}) from None
    except errors.Declined as refusal:
        sentence = "It lacks connections:write." if refusal.code == "missing_scope" else refusal.sentence
        raise ValidationError({"app_token": sentence}) from None


def _app_id(bot_token, bot_id):
    try:
        told = client.ask(bot_token, "bots.info", bot=bot_id).data
    except errors.SlackError:
        return ""
    bot = told.get("bot") if isinstance(told, dict) else None
    return (bot.get("app_id") or "") if isinstance(bot, dict) else ""


def _wrong(sentence):
    return ValidationError({"bot_token": sentence})
