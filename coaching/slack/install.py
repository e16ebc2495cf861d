"""Installing the app of this Touchline by "Add to Slack": who set out to, what Slack brings back, and where it is kept.

The stores are those that slack_sdk asks for (https://docs.slack.dev/tools/python-slack-sdk/oauth), on our own tables.
"""

import hashlib
import logging
import secrets
from datetime import timedelta
from urllib.parse import quote

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from slack_sdk.oauth import AuthorizeUrlGenerator, OAuthStateStore
from slack_sdk.oauth.installation_store import Bot, Installation, InstallationStore

from agents.access import Refusal
from coaching.actions.slack import connections
from coaching.models import SlackConnection, SlackInstallation
from coaching.slack import client, errors
from coaching.slack.identity import identify
from coaching.slack.manifest import OAUTH_PATH, SCOPES

LASTS = timedelta(minutes=10)
log = logging.getLogger(__name__)


class NotInstalled(Refusal):
    """Slack, or whoever asked, did not go through with it."""


def is_offered() -> bool:
    """Whether this Touchline has an app that can be installed."""
    return bool(settings.SLACK_CLIENT_ID and settings.SLACK_CLIENT_SECRET)


class StateStore(OAuthStateStore):
    """The states with which one member set out. Each counts once, for that member, for ten minutes; only its hash is kept."""

    logger = log

    def __init__(self, member):
        self.member = member

    def issue(self, *args, **kwargs) -> str:
        """A new state. What nobody came back with is forgotten."""
        now = timezone.now()
        SlackInstallation.objects.filter(member=self.member, expires_at__lt=now).delete()
        state = secrets.token_urlsafe(32)
        SlackInstallation.objects.create(
            workspace=self.member.workspace, member=self.member, state_hash=_hash(state), expires_at=now + LASTS
        )
        return state

    def consume(self, state: str) -> bool:
        """Whether the member set out with it, not long ago, and did not come back with it before."""
        rows = SlackInstallation.objects.filter(member=self.member, state_hash=_hash(state), used_at=None)
        now = timezone.now()
        return bool(rows.filter(expires_at__gte=now).update(used_at=now))


class ConnectionStore(InstallationStore):
    """The connections of a member's workspace that were made by installing the app."""

    logger = log

    def __init__(self, member):
        self.member = member

    def save(self, installation: Installation) -> SlackConnection:
        """Connect the Slack workspace. Raises NotAllowed, ChangedMeanwhile, ValidationError."""
        identity = connections.Identity(
            team_id=installation.team_id or "",
            team_name=installation.team_name or "",
            app_id=installation.app_id or "",
            bot_user_id=installation.bot_user_id or "",
            bot_id=installation.bot_id or "",
            scopes=tuple(installation.bot_scopes or ()),
        )
        return connections.connect(
            self.member.workspace,
            identity,
            mode=SlackConnection.Mode.INSTALLED,
            bot_token=installation.bot_token or "",
            by=self.member,
        )

    def find_bot(self, *, enterprise_id, team_id, is_enterprise_install=False) -> Bot | None:
        """The bot in a Slack workspace; None where the app was not installed there, or was taken away."""
        rows = SlackConnection.objects.connected().filter(workspace=self.member.workspace, team_id=team_id)
        found = rows.filter(mode=SlackConnection.Mode.INSTALLED).first()
        return found and Bot(
            app_id=found.app_id,
            team_id=found.team_id,
            team_name=found.team_name,
            bot_token=found.bot_token,
            bot_id=found.bot_id,
            bot_user_id=found.bot_user_id,
            bot_scopes=found.scopes,
            installed_at=found.created_at.timestamp(),
        )


def begin(member) -> str:
    """The address at Slack where the app is installed. Raises NotAllowed, NotInstalled."""
    connections.check_right(member)
    if not is_offered():
        raise NotInstalled("This Touchline has no app of its own. Connect one of yours.")
    pages = AuthorizeUrlGenerator(
        client_id=settings.SLACK_CLIENT_ID,
        redirect_uri=quote(_redirect_uri(), safe=""),
        scopes=list(SCOPES),
        authorization_url=f"{settings.SLACK_API_URL.removesuffix('api/')}oauth/v2/authorize",
    )
    return pages.generate(StateStore(member).issue())


def finish(member, *, state: str, code: str, error: str) -> tuple[SlackConnection, bool]:
    """What Slack sent the member back with becomes a connection; and whether it was one before.

    Raises NotAllowed, NotInstalled, ChangedMeanwhile.
    """
    connections.check_right(member)
    if not StateStore(member).consume(state):
        raise NotInstalled(
            "This installation was not begun here by you within the last ten minutes, or it is finished. Begin it again."
        )
    if error or not code:
        raise NotInstalled(
            "It was cancelled in Slack. Nothing was connected."
            if error == "access_denied"
            else "Slack did not go through with it. Nothing was connected; begin it again."
        )
    installation = _installation(_exchanged(code))
    store = ConnectionStore(member)
    before = store.find_bot(enterprise_id=None, team_id=installation.team_id)
    return store.save(installation), before is not None


def _exchanged(code) -> str:
    """The bot's token that Slack gives for the code. Raises NotInstalled.

    https://docs.slack.dev/reference/methods/oauth.v2.access
    """
    try:
        answer = client.ask(
            "",
            "oauth.v2.access",
            client_id=settings.SLACK_CLIENT_ID,
            client_secret=settings.SLACK_CLIENT_SECRET,
            code=code,
            redirect_uri=_redirect_uri(),
        )
    except errors.Declined as refusal:
        raise NotInstalled(
            "Slack does not know this installation any more. Begin it again."
            if refusal.code in ("invalid_code", "code_already_used")
            else "Slack does not accept this Touchline’s app. Tell whoever runs it to look at SLACK_CLIENT_ID and its secret."
        ) from None
    except errors.SlackError as failure:
        raise NotInstalled(f"{failure.sentence} Nothing was connected; begin it again.") from None
    told: dict = answer.data if isinstance(answer.data, dict) else {}
    token = told.get("access_token") or ""
    if told.get("is_enterprise_install") or not (told.get("team") or {}).get("id"):
        raise NotInstalled("Install the app into one Slack workspace, not into a whole organisation.")
    if told.get("token_type") != "bot" or not token or told.get("refresh_token"):
        raise NotInstalled("Slack gave no lasting token of a bot. Compare the app with the manifest.")
    return token


def _installation(token) -> Installation:
    """What the token is good for; the answer to the code leaves out which bot it is. Raises NotInstalled."""
    try:
        identity = identify(token)
    except ValidationError as refusal:
        raise NotInstalled(" ".join(refusal.messages)) from None
    except errors.SlackError as failure:
        raise NotInstalled(f"{failure.sentence} Nothing was connected; begin it again.") from None
    return Installation(
        app_id=identity.app_id,
        team_id=identity.team_id,
        team_name=identity.team_name,
        bot_token=token,
        bot_id=identity.bot_id,
        bot_user_id=identity.bot_user_id,
        bot_scopes=identity.scopes,
        user_id="",  # no token of a person was asked for
        token_type="bot",  # noqa: S106 (a kind, no secret)
    )


def _redirect_uri():
    return f"{settings.PUBLIC_URL}{OAUTH_PATH}"


def _hash(state):
    return hashlib.sha256(state.encode()).hexdigest()
