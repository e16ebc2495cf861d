"""What a workspace lets go to Slack: short quotes, and where its flags are posted."""

from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from agents import outbound
from agents.access import Right, require
from agents.history import save_next
from coaching.actions.slack import posts
from coaching.actions.slack.connections import ChangedMeanwhile
from coaching.actions.slack.triggers import CHANNEL
from coaching.models import SlackConnection, SlackPolicy, SlackPost

QUOTING = (SlackPost.Kind.PROPOSAL, SlackPost.Kind.ANSWER)  # what may show words of a conversation
WEBHOOK_HOSTS = {"hooks.slack.com", "hooks.slack-gov.com"}


def of(workspace) -> SlackPolicy:
    """The policy of the workspace; one of defaults with version 0, not stored, where nobody has chosen yet."""
    return SlackPolicy.objects.filter(workspace=workspace).first() or SlackPolicy(workspace=workspace, version=0)


def choose(
    workspace,
    *,
    quotes: bool,
    flags_connection: SlackConnection | None,
    flags_channel_id: str,
    flags_channel_name: str = "",
    flags_webhook: str | None = None,
    by,
    version: int,
) -> SlackPolicy:
    """Decide what goes to Slack from now on: a new version of the policy, with its author. Harmless where it is so already.

    `flags_webhook` is None to keep the stored one, empty to forget it. `version` is the one that the choice was typed against, 0
    for none. Without quotes, those that stand in Slack already are taken out. Raises NotAllowed, ChangedMeanwhile,
    ValidationError.
    """
    require(by, Right.MANAGE_WORKSPACE)
    policy = of(workspace)
    channel_id = flags_channel_id.strip()
    webhook = policy.flags_webhook if flags_webhook is None else flags_webhook.strip()
    _check(workspace, flags_connection, channel_id, webhook if flags_webhook else "")
    if policy.version != version:
        raise ChangedMeanwhile("Somebody changed this while the page was open, so nothing was saved. Look at it again.")
    values = {
        "quotes": quotes,
        "flags_connection": flags_connection if channel_id else None,
        "flags_channel_id": channel_id,
        "flags_channel_name": flags_channel_name.removeprefix("#")[:200] if channel_id else "",
        "flags_webhook": webhook,
    }
    # Only what changes is written: a webhook that no key opens reads as empty, and stays for when the key is back.
    changed = {name: value for name, value in values.items() if getattr(policy, name) != value}
    if not changed:
        return policy
    if changed.keys() - {"quotes"}:
        changed["flags_trouble"] = ""
    with transaction.atomic():
        if not save_next(policy, by=by, **changed):
            raise ChangedMeanwhile(
                "Somebody else saved in this very moment, so nothing of yours was. Look at it again."
            )
        if "quotes" in changed:
            posts.redraw(workspace=workspace, kind__in=QUOTING)
    return policy


def note_flags_trouble(workspace_id, sentence: str) -> None:
    """Why the last flag could not be posted where the workspace wants it; empty once one could."""
    rows = SlackPolicy.objects.filter(workspace=workspace_id)
    rows.exclude(flags_trouble=sentence[:500]).update(flags_trouble=sentence[:500])


def _check(workspace, connection, channel_id, webhook):
    wrong: dict[str, str | list[str]] = {}
    if channel_id and not CHANNEL.fullmatch(channel_id):
        wrong["flags_channel"] = "This is not the id of a channel: it begins with C or G."
    elif channel_id and (connection is None or connection.workspace_id != workspace.pk):
        wrong["flags_connection"] = "Choose the Slack workspace that this channel is in."
    if webhook:
        try:
            _check_webhook(webhook)
        except ValidationError as refusal:
            wrong["flags_webhook"] = refusal.messages
    if wrong:
        raise ValidationError(wrong)


def _check_webhook(address):
    """Slack's own address, or one that the operator allows. Raises ValidationError."""
    outbound.cleaned(address)
    host = (urlsplit(address).hostname or "").lower()
    if host not in WEBHOOK_HOSTS and not outbound.is_allowed(address):
        raise ValidationError("Incoming webhooks of Slack begin with https://hooks.slack.com/.")
