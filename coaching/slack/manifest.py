"""What the app in Slack is made of: the permissions it asks for, what it is told of, and the manifest that says so.

A manifest is a description of an app from which Slack makes one: https://docs.slack.dev/reference/app-manifest.
"""

from collections.abc import Iterable

# {permission of the bot's token: what does not work without it}. https://docs.slack.dev/reference/scopes
SCOPES = {
    "app_mentions:read": "hearing that somebody mentions the coach",
    "channels:history": "hearing replies in the coach’s threads, in public channels",
    "channels:read": "names of public channels, and hearing that one was renamed or archived",
    "chat:write": "answering, and posting proposals and flags",
    "groups:history": "hearing replies in the coach’s threads, in private channels",
    "groups:read": "names of private channels the app is in, and hearing that one was renamed or archived",
    "im:history": "hearing direct messages to the app",
    "users:read": "telling people from bots and guests",
    "users:read.email": "knowing which member somebody in Slack is",
}

# {event: why the app is told of it}. https://docs.slack.dev/reference/events
EVENTS = {
    "app_mention": "a mention begins a thread with the coach",
    "app_uninstalled": "the connection says so at once",
    "channel_archive": "a coach’s channel was archived",
    "channel_deleted": "a coach’s channel was deleted",
    "channel_left": "the app was removed from a public channel",
    "channel_rename": "a coach’s channel has another name",
    "channel_unarchive": "a coach’s channel is back",
    "group_archive": "the same, in private channels",
    "group_deleted": "the same, in private channels",
    "group_left": "the same, in private channels",
    "group_rename": "the same, in private channels",
    "group_unarchive": "the same, in private channels",
    "member_joined_channel": "the app was invited again",
    "member_left_channel": "the app was removed from a channel, where Slack withholds channel_left",
    "message.channels": "replies in the coach’s threads",
    "message.groups": "the same, in private channels",
    "message.im": "direct messages to the app",
    "tokens_revoked": "the connection says so at once",
}

EVENTS_PATH, ACTIONS_PATH, OAUTH_PATH = "/hooks/slack/events", "/hooks/slack/actions", "/hooks/slack/oauth"


def missing(scopes: Iterable[str]) -> dict[str, str]:
    """What a token lacks, as SCOPES; nothing where it is not known what it may do."""
    held = set(scopes)
    return {scope: lost for scope, lost in SCOPES.items() if held and scope not in held}


def manifest(public_url: str, *, socket_mode: bool) -> str:
    """The app's manifest as YAML: told over Socket Mode, or at addresses under `public_url` (without a slash at its end)."""
    events, actions = f"{public_url}{EVENTS_PATH}", f"{public_url}{ACTIONS_PATH}"
    lines = [
        "display_information:",
        "  name: Touchline",
        "  description: Coaches of your AI agents, in Slack.",
        "features:",
        "  app_home:",
        "    home_tab_enabled: false",
        "    messages_tab_enabled: true",
        "    messages_tab_read_only_enabled: false",
        "  bot_user:",
        "    display_name: Touchline",
        "    always_online: true",
        "oauth_config:",
        *([] if socket_mode else ["  redirect_urls:", f"    - {public_url}{OAUTH_PATH}"]),
        "  scopes:",
        "    bot:",
        *(f"      - {scope}" for scope in SCOPES),
        "settings:",
        "  event_subscriptions:",
        *([] if socket_mode else [f"    request_url: {events}"]),
        "    bot_events:",
        *(f"      - {event}" for event in EVENTS),
        "  interactivity:",
        "    is_enabled: true",
        *([] if socket_mode else [f"    request_url: {actions}"]),
        "  org_deploy_enabled: false",
        f"  socket_mode_enabled: {str(socket_mode).lower()}",
        "  token_rotation_enabled: false",
    ]
    return "\n".join(lines) + "\n"
