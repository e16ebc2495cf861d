"""Settings › Slack: connecting, the coaches in channels, what goes there, what the cards say, what leaders are told elsewhere."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from cryptography.fernet import Fernet
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from coaching.actions.slack import connections, policy, triggers
from coaching.models import SlackConnection, SlackPolicy, SlackPost, SlackTrigger
from coaching.pages import slack as slack_page
from coaching.slack import identity
from tests import factories
from tests.slack import Slack

pytestmark = pytest.mark.django_db
URL = "/settings/slack"
SECRET = "0123456789abcdef0123456789abcdef"
TYPED = {"bot_token": "xoxb-1", "signing_secret": SECRET, "app_token": "", "version": "0"}


@pytest.fixture
def slack(settings):
    with Slack() as slack:
        settings.SLACK_API_URL = slack.api_url
        yield slack


@pytest.fixture
def team(slack):
    return slack.add_team("Support", bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET)


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


@pytest.fixture
def connected(team, workspace, owner):
    return identity.connect_own(workspace, bot_token="xoxb-1", signing_secret=SECRET, by=owner)


def page_of(client, query=""):
    return client.get(f"{URL}{query}").content.decode()


def coach(connected, owner, agent, channel="C0000001", **fields):
    return triggers.add(connected, channel_id=channel, channel_name="coaching", agent=agent, by=owner, **fields)


# --- Connect -----------------------------------------------------------------------------------------------------------


def test_empty_page_tells_both_ways_in_and_shows_the_manifest(client, settings):
    without = page_of(client)
    settings.SLACK_CLIENT_ID = settings.SLACK_CLIENT_SECRET = "x"
    offered = page_of(client)

    assert "No Slack workspace is connected yet" in without
    assert ("/settings/slack/install" in without, "/settings/slack/install" in offered) == (False, True)
    assert "request_url: http://127.0.0.1:8000/hooks/slack/events" in without
    assert "socket_mode_enabled: true" in without


def test_own_app_is_asked_about_and_connected(client, team):
    response = client.post(f"{URL}/connect", TYPED | {"app_token": "xapp-1"}, follow=True)

    made = SlackConnection.objects.get()
    assert (made.team_id, made.mode, made.app_token) == (team.id, SlackConnection.Mode.OWN, "xapp-1")
    html = response.content.decode()
    assert "Support is connected. Add a coach to one of its channels." in html
    assert not any(secret in html for secret in ("xoxb-1", "xapp-1", SECRET))


@pytest.mark.parametrize(
    ("typed", "fields"),
    [
        ({"bot_token": "xoxb-2"}, {"bot_token"}),
        ({"bot_token": "", "signing_secret": ""}, {"bot_token"}),
        ({"signing_secret": "short"}, {"signing_secret"}),
        ({"app_token": "xapp-2"}, {"app_token"}),
        ({"app_token": "xapp-2", "bot_token": "xoxp-1"}, {"app_token", "bot_token"}),
    ],
)
def test_what_slack_does_not_accept_is_said_beside_its_field_and_not_sent_back(client, team, typed, fields):
    response = client.post(f"{URL}/connect", TYPED | typed)

    assert response.status_code == 400
    assert set(response.context["form"].errors) == fields
    assert not any(value in response.content.decode() for value in (SECRET, "xoxb-1", "xoxb-2", "xapp-2", "xoxp-1"))
    assert not SlackConnection.objects.exists()


def test_slack_that_is_down_saves_nothing_and_says_so(client, slack, team):
    slack.goes_down("500")

    response = client.post(f"{URL}/connect", TYPED)

    assert response.status_code == 502
    assert "Nothing was saved." in response.content.decode()
    assert not SlackConnection.objects.exists()


def test_missing_permissions_are_named_with_what_does_not_work_without_them(client, team):
    team.app.scopes = [scope for scope in team.app.scopes if scope != "groups:history"]
    client.post(f"{URL}/connect", TYPED)

    html = page_of(client)

    assert "<code>groups:history</code>: hearing replies in the coach’s threads, in private channels" in html
    assert "<code>chat:write</code>" not in html


def test_change_keeps_what_is_left_empty_and_refuses_a_token_of_another_workspace(client, slack, connected):
    slack.add_team("Elsewhere", bot_token="xoxb-2")
    url = f"{URL}/{connected.pk}/change"

    html = client.get(url).content.decode()
    another = client.post(url, TYPED | {"bot_token": "xoxb-2", "signing_secret": "", "version": "1"})
    kept = client.post(url, {"app_token": "xapp-1", "version": "1"})

    assert html.count("(stored; leave this empty to keep it)") == 2
    assert another.status_code == 400
    assert "belongs to the Slack workspace Elsewhere, not to Support" in another.content.decode()
    assert kept.status_code == 302
    made = SlackConnection.objects.get()
    assert (made.bot_token, made.signing_secret, made.app_token) == ("xoxb-1", SECRET, "xapp-1")


def test_form_against_an_old_version_saves_nothing(client, connected, admin, workspace):
    identity.connect_own(workspace, app_token="xapp-1", expected=connected, by=admin)

    typed = TYPED | {"version": "1", "signing_secret": SECRET[::-1]}
    response = client.post(f"{URL}/{connected.pk}/change", typed, follow=True)

    assert "Somebody changed this connection meanwhile, so nothing was saved." in response.content.decode()
    stored = SlackConnection.objects.get()
    assert (stored.version, stored.signing_secret, stored.app_token) == (2, SECRET, "xapp-1")


def test_add_to_slack_leads_there_and_back(client, slack, team, settings):
    settings.SLACK_CLIENT_ID, settings.SLACK_CLIENT_SECRET = slack.client_id, slack.client_secret
    slack.installs_into = team

    there = client.get(f"{URL}/install")
    asked = {name: values[0] for name, values in parse_qs(urlsplit(there["Location"]).query).items()}
    back = urlsplit(slack.authorized(asked))
    response = client.get(f"{back.path}?{back.query}", follow=True)
    again = client.get(f"{back.path}?{back.query}", follow=True)

    assert there["Location"].startswith(slack.url)
    assert "Support is connected." in response.content.decode()
    assert SlackConnection.objects.get().mode == SlackConnection.Mode.INSTALLED
    assert "This installation was not begun here by you" in again.content.decode()


@pytest.mark.parametrize("query", ["", "?error=access_denied&state=x", "?code=x&state=x", "?state=%00"])
def test_address_of_the_way_back_alone_connects_nothing(client, slack, query):
    response = client.get(f"/hooks/slack/oauth{query}", follow=True)

    assert "This installation was not begun here by you" in response.content.decode()
    assert slack.calls == []


def test_only_leaders_come_back_from_slack(signed_in, linked_member, slack, db):
    anonymous, member = Client().get("/hooks/slack/oauth?code=x&state=y"), signed_in(linked_member)

    assert anonymous["Location"].startswith("/sign-in?next=/hooks/slack/oauth")
    assert member.get("/hooks/slack/oauth?code=x&state=y").status_code == 403
    assert slack.calls == []


def test_disconnecting_deletes_the_tokens_and_keeps_what_was_said(client, connected, owner, agent):
    coach(connected, owner, agent)

    html = client.post(f"{URL}/{connected.pk}/disconnect", follow=True).content.decode()

    gone = SlackConnection.objects.get()
    assert (gone.state, gone.bot_token, gone.signing_secret) == (SlackConnection.State.DISCONNECTED, "", "")
    assert "Its tokens are deleted here" in html
    assert "threads stay readable here" in html
    assert SlackTrigger.objects.kept().count() == 1


# --- Coaches in channels -----------------------------------------------------------------------------------------------


def add(client, connected, **typed):
    told = {"connection": str(connected.pk), "channel": "#coaching", "posts_every_proposal": "on", "version": "0"}
    return client.post(f"{URL}/coaches/add", told | typed, follow=True)


def test_coach_is_let_into_a_channel_by_its_name(client, team, connected, agent):
    channel = team.add_channel("coaching")

    html = add(client, connected, agent=str(agent.pk)).content.decode()

    made = SlackTrigger.objects.get()
    assert (made.channel_id, made.channel_name, made.agent) == (channel.id, "coaching", agent)
    assert f"{agent.coach_name} listens in #coaching now." in html
    assert "every proposal is posted" in html


@pytest.mark.parametrize("ask", ["get", "post"])
def test_without_a_slack_workspace_it_leads_to_connecting_one(client, ask):
    page = getattr(client, ask)(f"{URL}/coaches/add", follow=True)

    assert page.redirect_chain == [(URL, 302)]
    assert "Connect a Slack workspace first." in page.content.decode()
    assert f'href="{URL}/connect"' in page.content.decode()


def test_with_two_slack_workspaces_one_says_which_is_meant(client, slack, team, connected, agent, workspace, owner):
    elsewhere = slack.add_team("Elsewhere", bot_token="xoxb-2")
    channel = elsewhere.add_channel("coaching")
    team.add_channel("coaching")
    second = identity.connect_own(workspace, bot_token="xoxb-2", signing_secret=SECRET, by=owner)

    html = client.get(f"{URL}/coaches/add?connection={second.pk}").content.decode()
    add(client, second, agent=str(agent.pk))
    choose(client, flags_connection=str(second.pk), flags_channel="#coaching")

    assert f'<option value="{second.pk}" selected>Elsewhere</option>' in html
    assert (SlackTrigger.objects.get().channel_id, SlackTrigger.objects.get().connection) == (channel.id, second)
    stored = SlackPolicy.objects.get()
    assert (stored.flags_channel_id, stored.flags_connection) == (channel.id, second)
    assert f'<option value="{second.pk}" selected>Elsewhere</option>' in page_of(client)


@pytest.mark.parametrize(
    ("channel", "typed", "said"),
    [
        ({}, {"channel": ""}, "Choose a channel."),
        ({}, {"channel": "#elsewhere"}, "There is no channel #elsewhere"),
        ({"bot_is_member": False}, {}, "The app is not in #coaching yet."),
        ({"is_archived": True}, {}, "There is no channel #coaching"),
        ({}, {"agent": ""}, "Choose a coach."),
        ({}, {"connection": ""}, "Choose a Slack workspace."),
    ],
)
def test_what_keeps_a_coach_out_of_a_channel_is_said(client, team, connected, agent, channel, typed, said):
    team.add_channel("coaching", **channel)

    response = add(client, connected, **({"agent": str(agent.pk)} | typed))

    assert response.status_code == 400
    assert said in response.content.decode()
    assert not SlackTrigger.objects.exists()


def test_only_agents_with_a_coach_of_this_workspace_are_offered(client, connected, agent, workspace):
    factories.ai_agent(workspace, name="Silent", coaching=False)
    factories.human(workspace, name="Human")
    stranger = factories.ai_agent(factories.workspace(), name="Stranger")

    html = client.get(f"{URL}/coaches/add").content.decode()
    refused = add(client, connected, agent=str(stranger.pk))

    assert agent.coach_name in html
    assert not any(name in html for name in ("Silent", "Human", "Stranger"))
    assert refused.status_code == 400


def test_second_coach_of_a_channel_is_refused_with_the_first_ones_name(
    client, team, connected, agent, owner, workspace
):
    channel = team.add_channel("coaching")
    coach(connected, owner, agent, channel.id)

    response = add(client, connected, agent=str(factories.ai_agent(workspace).pk))

    assert response.status_code == 409
    assert f"This channel has a coach already: {agent.coach_name}." in response.content.decode()


def test_channels_are_offered_while_one_types(client, team, connected):
    team.add_channel("coaching")
    team.add_channel("other", bot_is_member=False)

    html = client.get(f"{URL}/channels?connection={connected.pk}").content.decode()

    assert '<option value="#coaching"></option>' in html
    assert 'label="#other (the app is not in it yet)"' in html
    assert "2 channels, the app is in 1 of them." in html


def test_channels_that_cannot_be_read_leave_the_id_to_be_typed(client, slack, connected):
    slack.goes_down("500")

    html = client.get(f"{URL}/channels?connection={connected.pk}").content.decode()

    assert "Type the channel’s id instead." in html


def test_removed_coach_comes_back_by_undo(client, connected, owner, agent):
    trigger = coach(connected, owner, agent)

    removed = client.post(f"{URL}/coaches/{trigger.pk}/remove", follow=True)
    assert "Removed. Nobody listens there any more." in removed.content.decode()
    assert not SlackTrigger.objects.kept().exists()
    assert "Nobody listens there any more." not in page_of(client)

    back = client.post(f"{URL}/coaches/{trigger.pk}/bring-back", follow=True)
    assert "It listens there again." in back.content.decode()
    assert SlackTrigger.objects.active().get() == trigger


def test_coach_of_a_channel_is_changed_unless_somebody_was_first(client, connected, owner, admin, agent, workspace):
    trigger = coach(connected, owner, agent)
    another = factories.ai_agent(workspace)
    url = f"{URL}/coaches/{trigger.pk}"

    client.post(url, {"agent": str(another.pk), "version": "1"})
    trigger.refresh_from_db()
    assert (trigger.agent, trigger.posts_every_proposal, trigger.version) == (another, False, 2)

    late = client.post(url, {"agent": str(agent.pk), "version": "1"})
    assert late.status_code == 409
    assert "Somebody changed this coach" in late.content.decode()
    trigger.refresh_from_db()
    assert trigger.agent == another


def test_check_finds_what_was_lost_and_loses_what_is_gone(client, slack, team, connected, owner, agent, workspace):
    here, gone = team.add_channel("coaching"), team.add_channel("old")
    coach(connected, owner, agent, here.id)
    coach(connected, owner, factories.ai_agent(workspace), gone.id)
    triggers.lose(connected, here.id, "It was archived.")
    gone.is_archived = True

    html = client.post(f"{URL}/{connected.pk}/check", follow=True).content.decode()

    states = dict(SlackTrigger.objects.values_list("channel_id", "state"))
    assert states == {here.id: SlackTrigger.State.ACTIVE, gone.id: SlackTrigger.State.LOST}
    assert "#old is archived." in html
    assert SlackTrigger.objects.get(channel_id=gone.id).channel_name == "coaching"


def test_check_of_a_revoked_token_refuses_the_connection_and_a_good_one_resumes_it(client, team, connected):
    team.app.is_revoked = True
    html = client.post(f"{URL}/{connected.pk}/check", follow=True).content.decode()
    assert "Until then nothing is posted and nobody is answered; what is owed waits." in html
    assert SlackConnection.objects.get().state == SlackConnection.State.REFUSED

    team.app.is_revoked = False
    html = client.post(f"{URL}/{connected.pk}/check", follow=True).content.decode()
    assert "Slack accepts the token" in html
    assert SlackConnection.objects.get().is_active


def test_check_of_tokens_that_no_key_opens_says_so_and_asks_nobody(client, slack, connected, settings):
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    asked = len(slack.calls)

    html = client.post(f"{URL}/{connected.pk}/check", follow=True).content.decode()

    assert "Its tokens cannot be read any more" in html
    assert len(slack.calls) == asked
    assert SlackConnection.objects.get().state == SlackConnection.State.REFUSED


def test_app_of_this_touchline_has_no_tokens_to_change(client, workspace):
    installed = factories.slack_connection(workspace, mode=SlackConnection.Mode.INSTALLED)

    assert client.get(f"{URL}/{installed.pk}/change").status_code == 404
    assert "Change tokens" not in page_of(client)


# --- What goes there ---------------------------------------------------------------------------------------------------


def choose(client, **typed):
    return client.post(f"{URL}/policy", {"quotes": "on", "version": "0"} | typed, follow=True)


def test_flags_go_to_a_channel_and_the_webhook_is_never_shown(client, team, connected):
    channel = team.add_channel("flags")
    webhook = "https://hooks.slack.com/services/T1/B1/secret"

    told = choose(client, flags_connection=str(connected.pk), flags_channel="#flags", flags_webhook=webhook)

    stored = SlackPolicy.objects.get()
    assert (stored.flags_channel_id, stored.flags_channel_name, stored.flags_connection) == (
        channel.id,
        "flags",
        connected,
    )
    assert stored.flags_webhook == webhook
    html = told.content.decode()
    assert 'value="#flags"' in html
    assert "(one is stored; leave this empty to keep it)" in html
    assert "services/T1" not in html


def test_workspace_that_refuses_its_token_is_offered_last_and_called_so(client, slack, connected, owner):
    slack.add_team("Aaa first by name", bot_token="xoxb-9")
    refused = identity.connect_own(owner.workspace, bot_token="xoxb-9", signing_secret=SECRET, by=owner)
    connections.refuse(refused, "The token was revoked.")

    shown = [words for _, words in client.get(URL).context["form"].fields["flags_connection"].choices]

    assert shown == [str(connected), "Aaa first by name (refused by Slack)"]


def test_saving_the_rest_asks_slack_nothing_about_the_channel_that_is_stored(client, slack, team, connected, owner):
    policy.choose(
        connected.workspace, quotes=True, flags_connection=connected, flags_channel_id="C0000001",
        flags_channel_name="flags", flags_webhook="https://hooks.slack.com/services/x", by=owner, version=0,
    )  # fmt: skip
    asked = len(slack.calls)

    client.post(f"{URL}/policy", {"flags_connection": str(connected.pk), "flags_channel": "#flags", "version": "1"})

    stored = SlackPolicy.objects.get()
    assert (stored.quotes, stored.flags_channel_id) == (False, "C0000001")
    assert stored.flags_webhook == "https://hooks.slack.com/services/x"
    assert len(slack.calls) == asked


def test_stored_webhook_is_forgotten_by_a_tick(client, owner, workspace):
    policy.choose(
        workspace, quotes=True, flags_connection=None, flags_channel_id="", by=owner, version=0,
        flags_webhook="https://hooks.slack.com/services/x",
    )  # fmt: skip

    choose(client, version="1", forget_webhook="on")

    assert SlackPolicy.objects.get().flags_webhook == ""


@pytest.mark.parametrize(
    ("typed", "field"),
    [
        ({"flags_channel": "#nowhere"}, "flags_channel"),
        ({"flags_webhook": "https://example.com/x"}, "flags_webhook"),
    ],
)
def test_what_is_wrong_with_the_policy_is_said_beside_its_field(client, connected, typed, field):
    response = choose(client, flags_connection=str(connected.pk), **typed)

    assert response.status_code == 400
    assert set(response.context["form"].errors) == {field}
    assert "example.com" not in response.content.decode()
    assert not SlackPolicy.objects.exists()


def test_policy_form_that_is_out_of_date_saves_nothing(client, workspace, admin):
    policy.choose(workspace, quotes=False, flags_connection=None, flags_channel_id="", by=admin, version=0)

    response = choose(client)

    assert "so nothing was saved" in response.content.decode()
    assert SlackPolicy.objects.get().quotes is False


# --- What a card says --------------------------------------------------------------------------------------------------


def test_card_tells_what_waits_and_what_was_lost(client, connected, agent):
    told = {"workspace": connected.workspace, "connection": connected, "kind": SlackPost.Kind.PROPOSAL}
    for n in range(2):
        SlackPost.objects.create(
            proposal=factories.proposal(agent), channel_id=f"C000000{n}", last_error="Slack cannot be reached.", **told
        )
    SlackPost.objects.create(
        proposal=factories.proposal(agent), channel_id="C0000009", state=SlackPost.State.LOST,
        state_reason="The message was deleted in Slack.", next_try_at=None, **told,
    )  # fmt: skip

    html = page_of(client)

    assert "2 messages <span" in html
    assert "Slack cannot be reached." in html
    assert "1 message of the last 14 days" in html
    assert "The message was deleted in Slack." in html


def test_coach_that_was_switched_off_is_said_where_it_listens(client, connected, owner, agent):
    coach(connected, owner, agent)
    agent.coaching = False
    agent.save()

    assert f"The coach of {agent.name} is switched off, so nobody answers there." in page_of(client)


def test_history_names_who_did_what_and_who_is_meant_by_slack(client, connected, owner):
    connections.refuse(connected, "The bot's token was revoked.")

    card = client.get(URL).context["page"].cards[0]

    assert [(one.words, one.by) for one in card.versions] == [
        ("Refused: The bot's token was revoked.", "Slack"),
        ("Connected, an app of your own", str(owner)),
    ]


def test_page_asks_the_same_number_of_queries_for_many_as_for_one(client, workspace, owner):
    def filled():
        connection = factories.slack_connection(workspace)
        for _ in range(2):
            factories.slack_trigger(connection, factories.ai_agent(workspace))

    filled()
    client.get(URL)
    with CaptureQueriesContext(database) as few:
        client.get(URL)
    for _ in range(4):
        filled()
    with CaptureQueriesContext(database) as many:
        client.get(URL)

    assert len(many) == len(few)


# --- What leaders are told elsewhere -----------------------------------------------------------------------------------


def test_trouble_is_told_in_the_top_bar_and_among_what_is_to_do(client, connected, owner, agent):
    trigger = coach(connected, owner, agent)
    assert "Slack needs you" not in client.get("/todo").content.decode()

    triggers.lose(connected, trigger.channel_id, "The channel was archived.")
    html = client.get("/todo").content.decode()
    assert "(Slack needs you)" in html
    assert "#coaching: The channel was archived." in html

    connections.refuse(connected, "The bot's token was revoked.")
    (told,) = slack_page.troubles(connected.workspace_id)
    assert (told.sentence, told.is_bad) == ("The bot's token was revoked.", True)

    connections.disconnect(SlackConnection.objects.get(), by=owner)
    assert "Slack needs you" not in client.get("/todo").content.decode()


def test_flags_that_could_not_be_posted_are_told(client, workspace):
    SlackPolicy.objects.create(workspace=workspace, flags_trouble="The channel is archived.")

    assert "The last flag could not be posted: The channel is archived." in page_of(client)
    assert "Flags in Slack:" in client.get("/todo").content.decode()


def test_lost_messages_of_long_ago_are_not_told(client, connected, agent):
    SlackPost.objects.create(
        workspace=connected.workspace, connection=connected, kind=SlackPost.Kind.PROPOSAL, channel_id="C0000009",
        proposal=factories.proposal(agent), state=SlackPost.State.LOST, state_reason="Gone.", next_try_at=None,
        created_at=timezone.now() - timedelta(days=15),
    )  # fmt: skip

    assert "of the last 14 days" not in page_of(client)
