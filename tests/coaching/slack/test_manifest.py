"""The app asks for what the code needs, and is told what the code handles: no more, no less, in the manifest and in the docs."""

import ast
import re
from pathlib import Path

import pytest
import yaml
from slack_sdk import WebClient

from coaching import slack
from coaching.slack import incoming, manifest

CODE = Path(slack.__file__).parent
DOCS = Path(slack.__file__).parents[2] / "docs"
PUBLIC = "https://touchline.example.com"
NOTHING: set[str] = set()
READS = {"channels:read", "groups:read"}
HISTORY = {"channels:history", "groups:history", "im:history"}
# What each method wants of a bot's token: https://docs.slack.dev/reference/methods
WANTED = {
    "apps.connections.open": NOTHING,  # of an app-level token: connections:write
    "auth.test": NOTHING,
    "bots.info": {"users:read"},
    "chat.delete": {"chat:write"},
    "chat.postEphemeral": {"chat:write"},
    "chat.postMessage": {"chat:write"},
    "chat.update": {"chat:write"},
    "conversations.history": HISTORY,
    "conversations.info": READS,
    "conversations.list": READS,
    "conversations.replies": HISTORY,
    "oauth.v2.access": NOTHING,
    "users.info": {"users:read", "users:read.email"},
    "views.open": NOTHING,
}
# What each event wants: https://docs.slack.dev/reference/events
HEARD = {
    "app_mention": {"app_mentions:read"},
    "message.channels": {"channels:history"},
    "message.groups": {"groups:history"},
    "message.im": {"im:history"},
    "member_joined_channel": READS,
    "member_left_channel": READS,
}


def methods_called():
    """Every text in the code that names a method of Slack's client."""
    found = set()
    for path in [*CODE.rglob("*.py"), *(CODE.parent / "actions" / "slack").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            told = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
            if re.fullmatch(r"[a-z]+(\.[a-zA-Z0-9]+)+", told) and hasattr(WebClient, method_name(told)):
                found.add(told)
    return found


def method_name(method):
    """As slack_sdk names it: `chat.postMessage` is `chat_postMessage`."""
    return method.replace(".", "_")


def scopes_of(event):
    if event in incoming.TOKEN_EVENTS:
        return NOTHING
    return HEARD.get(event) or {"groups:read" if event.startswith("group_") else "channels:read"}


def test_every_method_the_code_calls_is_known_here():
    assert methods_called() == set(WANTED)


def test_app_asks_for_what_methods_and_events_want_and_for_nothing_else():
    wanted = set().union(*WANTED.values(), *(scopes_of(event) for event in manifest.EVENTS))

    assert set(manifest.SCOPES) == wanted
    assert manifest.missing(manifest.SCOPES) == {}
    assert manifest.missing([]) == {}  # nobody said what it may do


def test_app_is_told_of_what_is_handled_and_of_nothing_else():
    kinds = {event.partition(".")[0] for event in manifest.EVENTS}

    assert kinds == {"app_mention", "message"} | incoming.CHANNEL_EVENTS | incoming.TOKEN_EVENTS


@pytest.mark.parametrize("socket_mode", [False, True])
def test_manifest_is_yaml_of_the_shape_that_slack_documents(socket_mode):
    told = yaml.safe_load(manifest.manifest(PUBLIC, socket_mode=socket_mode))

    settings = told["settings"]
    assert told["oauth_config"]["scopes"] == {"bot": list(manifest.SCOPES)}
    assert settings["event_subscriptions"]["bot_events"] == list(manifest.EVENTS)
    assert (settings["socket_mode_enabled"], settings["interactivity"]["is_enabled"]) == (socket_mode, True)
    assert ("request_url" in settings["event_subscriptions"]) == (not socket_mode)
    assert ("request_url" in settings["interactivity"]) == (not socket_mode)
    assert told["features"]["app_home"]["messages_tab_read_only_enabled"] is False
    assert len(told["display_information"]["name"]) <= 35
    assert len(told["display_information"]["description"]) <= 140


def test_documents_say_what_the_code_says():
    guide = (DOCS / "slack.md").read_text()
    listed = dict(re.findall(r"^\| `([a-z_:.]+)` \| (.+) \|$", guide, re.MULTILINE))

    assert (DOCS / "slack-manifest.yaml").read_text() == manifest.manifest(PUBLIC, socket_mode=False)
    assert listed == manifest.SCOPES
    assert all(path in guide for path in (manifest.EVENTS_PATH, manifest.ACTIONS_PATH, manifest.OAUTH_PATH))
