"""Connections to Slack: make one, change it, take it away; and what becomes of it when Slack does not accept it any more.

Nothing here asks Slack: who a token is comes in as an `Identity`, which `coaching.slack.identity` has found out.
"""

import re
from dataclasses import dataclass
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from agents import history, work
from agents.access import Refusal, Right, require
from agents.models import Workspace
from coaching.actions.slack import posts
from coaching.models import SlackConnection, SlackPost, SlackReceipt

Mode, State = SlackConnection.Mode, SlackConnection.State
# https://docs.slack.dev/authentication/verifying-requests-from-slack shows one; none of another form was ever given out.
SIGNING_SECRET = re.compile(r"[0-9a-f]{32}")
SEEN_EVERY = timedelta(seconds=10)  # how exactly it is known when Slack was last heard

ANOTHER_APP = "What is stored belongs to another app. Put in that of this one."


class ChangedMeanwhile(Refusal):
    """Somebody else changed it since it was read."""


class NotConnected(Refusal):
    """The Slack workspace was disconnected: connect it again first."""


@dataclass(frozen=True)
class Identity:
    """Whose a bot's token is, as Slack itself said: its workspace there, its app, its bot, and what it may do (`scopes`)."""

    team_id: str
    team_name: str
    app_id: str
    bot_user_id: str
    bot_id: str
    scopes: tuple[str, ...] = ()


def connect(
    workspace: Workspace,
    identity: Identity,
    *,
    mode: str,
    bot_token: str,
    signing_secret: str = "",
    app_token: str = "",
    by,
    expected: SlackConnection | None = None,
    version: int | None = None,
) -> SlackConnection:
    """Make or change the connection to the Slack workspace that `identity` names, and let it be spoken in from now on.

    Whatever ended it is over, and what it owes is due at once. Of an app of one's own, `signing_secret` and `app_token` that are
    not given stay as they are stored. `by` is None for an operator. `expected` is the connection that the change was meant for:
    a token of another Slack workspace is refused then. `version` is the one that it was typed against; without it the last word
    counts. Raises NotAllowed, ChangedMeanwhile, ValidationError.
    """
    check_right(by)
    if expected is not None and expected.team_id != identity.team_id:
        where = identity.team_name or identity.team_id
        raise ValidationError(
            {
                "bot_token": f"This token belongs to the Slack workspace {where}, not to {expected}. Connect that one anew."
            }
        )
    stored = SlackConnection.objects.filter(workspace=workspace, team_id=identity.team_id).first()
    values = {
        "mode": mode,
        "team_name": identity.team_name[:200],
        "app_id": identity.app_id,
        "bot_user_id": identity.bot_user_id,
        "bot_id": identity.bot_id,
        "scopes": sorted(identity.scopes),
        "bot_token": bot_token,
        "state": State.ACTIVE,
        "state_reason": "",
    } | _secrets(mode, identity, signing_secret.strip(), app_token.strip(), stored)
    was_away = stored is not None and stored.state == State.DISCONNECTED
    with transaction.atomic():
        connection = _stored(workspace, identity.team_id, values, stored, by, version)
        if was_away:
            posts.recover(connection=connection)
        work.owe_all_again(SlackReceipt.objects.owed().filter(connection=connection))
        work.owe_all_again(SlackPost.objects.owed().filter(connection=connection))
    return connection


def check_right(by) -> None:
    """Ahead of asking Slack: whether this member may connect; an operator, None, may. Raises NotAllowed."""
    if by is not None:
        require(by, Right.MANAGE_WORKSPACE)


def refuse(connection, sentence: str) -> bool:
    """Slack does not accept the token: nothing is asked of it until a person has looked, and what is owed waits.

    False where it is not active any more, or was connected anew since it was read.
    """
    as_read = SlackConnection.objects.active().filter(version=connection.version)
    return history.change(connection, as_read, by=None, state=State.REFUSED, state_reason=sentence[:500])


def disconnect(connection, *, by) -> SlackConnection:
    """Forget its secrets. Threads stay readable, triggers stay for the next time. Raises NotAllowed, ChangedMeanwhile."""
    require(by, Right.MANAGE_WORKSPACE)
    gone = {"bot_token": "", "signing_secret": "", "app_token": ""}
    connected = SlackConnection.objects.connected()
    if not history.change(connection, connected, by=by, state=State.DISCONNECTED, state_reason="", **gone):
        raise ChangedMeanwhile("Somebody disconnected it meanwhile.")
    return connection


def heard(connection) -> None:
    """Slack told us something just now."""
    _seen(connection, "heard_at")


def spoke(connection) -> None:
    """Slack took something from us just now."""
    _seen(connection, "spoke_at")


def _seen(connection, column):
    now = timezone.now()
    before, seen = now - SEEN_EVERY, getattr(connection, column)
    if seen is not None and seen > before:
        return
    rows = SlackConnection.objects.filter(Q(**{column: None}) | Q(**{f"{column}__lte": before}), pk=connection.pk)
    rows.update(**{column: now})
    setattr(connection, column, now)


def _secrets(mode, identity, signing_secret, app_token, stored):
    """{field: secret}. Raises ValidationError with every one that is wrong."""
    if mode == Mode.INSTALLED:
        return {"signing_secret": "", "app_token": ""}  # those of the environment's app
    is_same_app = stored is not None and stored.mode == Mode.OWN and stored.app_id == identity.app_id
    had = {name: getattr(stored, name) if stored is not None else "" for name in ("signing_secret", "app_token")}
    kept = had if is_same_app else dict.fromkeys(had, "")
    wrong: dict[str, str] = {}
    if signing_secret and not SIGNING_SECRET.fullmatch(signing_secret):
        wrong |= {
            "signing_secret": "It is 32 letters and digits, under Basic Information › App Credentials of the app."
        }
    elif not signing_secret and not kept["signing_secret"]:
        wrong |= {"signing_secret": ANOTHER_APP if had["signing_secret"] else "It is missing."}
    if app_token and not app_token.startswith("xapp-"):
        wrong |= {"app_token": "App-level tokens begin with xapp-."}
    if wrong:
        raise ValidationError(wrong)
    return {
        "signing_secret": signing_secret or kept["signing_secret"],
        "app_token": app_token or kept["app_token"],
    }


def _stored(workspace, team_id, values, stored, by, version):
    if stored is None:
        if version:
            raise ChangedMeanwhile("This connection was removed meanwhile.")
        made = SlackConnection(workspace=workspace, team_id=team_id, connected_by=by, **values)
        made._history_user = by.user if by is not None else None  # type: ignore[attr-defined]  # simple-history reads it
        try:
            with transaction.atomic():
                made.save(force_insert=True)
        except IntegrityError:
            raise ChangedMeanwhile("Somebody connected this Slack workspace in this very moment.") from None
        return made
    if all(getattr(stored, name) == value for name, value in values.items()):
        return stored
    as_read = SlackConnection.objects.filter(version=stored.version if version is None else version)
    if not history.change(stored, as_read, by=by, connected_by=by, **values):
        raise ChangedMeanwhile("Somebody changed this connection meanwhile, so nothing was saved. Look at it again.")
    return stored
