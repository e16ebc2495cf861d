"""Who a token is, "Add to Slack" from the page to the connection and every way it can go wrong, and which channels there are."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents.access import NotAllowed
from coaching.actions.slack import connections
from coaching.models import SlackConnection, SlackInstallation
from coaching.slack import channels, errors, identity, install, manifest
from tests import factories, processes

pytestmark = pytest.mark.django_db
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def team(slack):
    return slack.add_team("Support", bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET)


@pytest.fixture
def offered(slack, team, settings):
    """The app of this Touchline can be installed, into that team."""
    settings.SLACK_CLIENT_ID, settings.SLACK_CLIENT_SECRET = slack.client_id, slack.client_secret
    slack.installs_into = team
    return team


def brought_back(slack, address):
    """What Slack sends the browser back with from where it was sent to."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}
    told = parse_qs(urlsplit(slack.authorized(asked)).query)
    return {name: told.get(name, [""])[0] for name in ("state", "code", "error")}


# --- Who a token is ----------------------------------------------------------------------------------------------------


def test_token_tells_its_workspace_its_app_and_what_it_may_do(team):
    app = team.app

    found = identity.identify("xoxb-1")

    assert (found.team_id, found.team_name, found.app_id) == (team.id, "Support", app.app_id)
    assert (found.bot_user_id, found.bot_id, found.scopes) == (app.bot_user_id, app.bot_id, tuple(app.scopes))


def test_app_stays_unknown_where_the_token_may_not_ask_for_it(team):
    team.app.scopes = ["chat:write"]

    assert identity.identify("xoxb-1").app_id == ""
    assert "users:read" in manifest.missing(["chat:write"])


@pytest.mark.parametrize("token", ["", "xoxp-1", "xapp-1", "xoxe.xoxb-1", "secret", "xoxb-unknown"])
def test_what_is_no_bots_token_is_refused_beside_its_field(team, token):
    with pytest.raises(ValidationError) as refusal:
        identity.identify(token)

    assert set(refusal.value.message_dict) == {"bot_token"}
    assert token not in str(refusal.value) or not token


def test_slack_that_is_down_is_no_verdict_on_a_token(slack, team, workspace, owner):
    slack.goes_down("500")

    with pytest.raises(errors.Unreachable):
        identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=owner)

    assert not SlackConnection.objects.exists()


def test_both_tokens_are_tried_before_anything_is_stored(slack, team, workspace, owner):
    with pytest.raises(ValidationError) as refusal:
        identity.connect_own(workspace, bot_token="xoxb-no", app_token="xapp-no", signing_secret=SECRET, by=owner)
    assert set(refusal.value.message_dict) == {"bot_token", "app_token"}
    assert not SlackConnection.objects.exists()

    made = identity.connect_own(workspace, bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET, by=owner)
    assert (made.app_token, made.team_id, made.mode) == ("xapp-1", team.id, SlackConnection.Mode.OWN)


def test_nobody_is_asked_for_somebody_who_may_not_connect(slack, team, workspace, linked_member):
    with pytest.raises(NotAllowed):
        identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=linked_member)

    assert slack.calls == []


def test_stored_token_is_tried_again_where_none_is_given(slack, team, workspace, owner):
    made = identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=owner)
    connections.refuse(made, "Slack does not accept the bot's token.")

    identity.connect_own(workspace, expected=made, by=owner)

    assert SlackConnection.objects.get().is_active


# --- Add to Slack ------------------------------------------------------------------------------------------------------


def test_installing_the_app_connects_its_workspace(slack, offered, workspace, owner):
    address = install.begin(owner)

    made, was_there = install.finish(owner, **brought_back(slack, address))
    again, is_there = install.finish(owner, **brought_back(slack, install.begin(owner)))

    assert (made.team_id, made.team_name, made.mode) == (offered.id, "Support", SlackConnection.Mode.INSTALLED)
    assert (made.bot_token, made.signing_secret, made.app_token) == ("xoxb-1", "", "")
    assert (made.app_id, made.bot_id) == (offered.app.app_id, offered.app.bot_id)
    assert (was_there, is_there, again) == (False, True, made)
    assert address.startswith(f"{slack.url}/oauth/v2/authorize?")
    asked = parse_qs(urlsplit(address).query)
    assert asked["scope"] == [",".join(manifest.SCOPES)]
    assert asked["redirect_uri"] == ["http://127.0.0.1:8000/hooks/slack/oauth"]


def test_only_a_hash_of_the_state_is_kept(slack, offered, owner):
    state = parse_qs(urlsplit(install.begin(owner)).query)["state"][0]

    kept = SlackInstallation.objects.get()

    assert state not in str(kept.__dict__)
    assert len(state) >= 40


def test_state_counts_once_for_whom_it_was_made_and_for_ten_minutes(slack, offered, owner, admin):
    brought = brought_back(slack, install.begin(owner))
    with pytest.raises(install.NotInstalled):
        install.finish(admin, **brought)
    with pytest.raises(install.NotInstalled):
        install.finish(owner, **brought | {"state": "made-up"})
    install.finish(owner, **brought)
    with pytest.raises(install.NotInstalled, match="finished"):
        install.finish(owner, **brought)

    late = brought_back(slack, install.begin(owner))
    with time_machine.travel(timezone.now() + timedelta(minutes=11)), pytest.raises(install.NotInstalled):
        install.finish(owner, **late)
    assert len(slack.called("oauth.v2.access")) == 1


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_that_come_back_with_one_state_one_goes_through():
    owner = factories.owner(factories.workspace())
    state = install.StateStore(owner).issue()
    children = [processes.start("-m", "tests.flows.ask_at_once", "come back", str(owner.pk), state) for _ in range(6)]

    assert sorted(processes.together(children)) == ["False"] * 5 + ["True"]


def test_state_of_one_workspace_is_none_of_another(slack, offered, owner, workspace):
    elsewhere = factories.owner(factories.workspace())
    brought = brought_back(slack, install.begin(owner))

    with pytest.raises(install.NotInstalled):
        install.finish(elsewhere, **brought)

    assert not SlackConnection.objects.exists()


def test_declining_in_slack_connects_nothing_and_says_so(slack, offered, owner):
    slack.installs_into = None

    with pytest.raises(install.NotInstalled, match="cancelled in Slack"):
        install.finish(owner, **brought_back(slack, install.begin(owner)))

    assert not SlackConnection.objects.exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("invalid_code", "does not know this installation"),
        ("code_already_used", "does not know this installation"),
        ("bad_client_secret", "SLACK_CLIENT_ID"),
        ("internal_error", "Nothing was connected"),
    ],
)
def test_code_that_slack_does_not_exchange_connects_nothing(slack, offered, owner, error, said):
    slack.fails("oauth.v2.access", error)

    with pytest.raises(install.NotInstalled, match=said):
        install.finish(owner, **brought_back(slack, install.begin(owner)))

    assert not SlackConnection.objects.exists()


def test_without_an_app_of_its_own_nothing_can_be_installed(slack, owner, settings):
    settings.SLACK_CLIENT_ID = ""

    with pytest.raises(install.NotInstalled):
        install.begin(owner)
    assert not install.is_offered()


def test_members_cannot_install(slack, offered, linked_member):
    with pytest.raises(NotAllowed):
        install.begin(linked_member)


# --- Channels ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def connection(team, workspace, owner):
    return identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=owner)


def test_channels_come_page_by_page_those_the_app_is_in_first(slack, team, connection):
    slack.page_size = 2
    names = ["zebra", "apple", "mango", "berry", "quiet"]
    for name in names:
        team.add_channel(name, bot_is_member=name in ("zebra", "mango"))
    team.add_channel("gone", is_archived=True)
    team.add_channel("secret", is_private=True, bot_is_member=False)

    assert [one.name for one in channels.every(connection)] == ["mango", "zebra", "apple", "berry", "quiet"]
    assert len(slack.called("conversations.list")) == 3


def test_channels_of_a_kind_that_the_app_may_not_see_are_left_out(team, workspace, owner):
    team.app.scopes = [scope for scope in team.app.scopes if not scope.startswith("groups:")]
    made = identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=owner)
    team.add_channel("coaching")
    team.add_channel("secret", is_private=True)

    assert [one.name for one in channels.every(made)] == ["coaching"]


@pytest.mark.parametrize("words", ["coaching", "#coaching", " #Coaching ", None])
def test_channel_is_found_by_its_name_or_its_id(team, connection, words):
    channel = team.add_channel("coaching")

    found = channels.typed(connection, words or channel.id)

    assert (found.id, found.name) == (channel.id, "coaching")


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        ({"is_archived": True}, "is archived"),
        ({"bot_is_member": False}, "not in #coaching yet"),
        ({"is_private": True, "bot_is_member": False}, "does not know this channel"),
        (None, "does not know this channel"),
    ],
)
def test_channel_that_cannot_be_spoken_in_says_why(team, connection, channel, said):
    channel_id = "C0123456789" if channel is None else team.add_channel("coaching", **channel).id

    with pytest.raises(channels.NotThere, match=said):
        channels.typed(connection, channel_id)


@pytest.mark.parametrize(("words", "said"), [("", "Choose a channel"), ("#nowhere", "no channel #nowhere")])
def test_name_of_no_channel_says_so(team, connection, words, said):
    with pytest.raises(channels.NotThere, match=said):
        channels.typed(connection, words)
