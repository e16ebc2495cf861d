"""Where the coach is at home in Slack: who may connect, what a refusal and a farewell leave behind, one coach a channel."""

import dataclasses

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.utils import timezone

from agents.access import NotAllowed
from coaching.actions import flags, sessions
from coaching.actions.slack import connections, policy, triggers
from coaching.models import SlackConnection, SlackPost, SlackThread, SlackTrigger
from tests import factories, processes

pytestmark = pytest.mark.django_db
Mode, State = SlackConnection.Mode, SlackConnection.State

IDENTITY = connections.Identity("T0000001", "Support", "A0000001", "UB000001", "B0000001", ("chat:write",))
SECRET = "0123456789abcdef0123456789abcdef"  # a made-up one
LONG_AGO = timezone.now() - timezone.timedelta(hours=1)


def connect(workspace, by, identity=IDENTITY, **fields):
    told = {"mode": Mode.OWN, "bot_token": "xoxb-1", "signing_secret": SECRET} | fields
    return connections.connect(workspace, identity, by=by, **told)


def post_of(connection, agent, **fields):
    told = {"kind": SlackPost.Kind.PROPOSAL, "channel_id": "C0000001"}
    if "proposal" not in fields:
        told["proposal"] = factories.proposal(agent)
    return SlackPost.objects.create(workspace=connection.workspace, connection=connection, **(told | fields))


def versions(row):
    return [(one.version, one.state, one.history_user) for one in row.history.order_by("version")]


# --- Connections -------------------------------------------------------------------------------------------------------


def test_each_change_of_a_connection_is_a_version_with_its_author_and_without_secrets(workspace, owner, admin):
    connection = connect(workspace, owner)
    connect(workspace, admin, app_token="xapp-1")
    connections.disconnect(connection, by=owner)

    assert versions(connection) == [
        (1, State.ACTIVE, owner.user),
        (2, State.ACTIVE, admin.user),
        (3, State.DISCONNECTED, owner.user),
    ]
    kept = {field.name for field in SlackConnection.history.model._meta.concrete_fields}
    assert not kept & {"bot_token", "signing_secret", "app_token"}


def test_connecting_what_is_so_already_makes_no_version(workspace, owner):
    connect(workspace, owner)

    connection = connect(workspace, owner, signing_secret="")

    assert (connection.version, connection.signing_secret) == (1, SECRET)


def test_members_may_neither_connect_nor_disconnect(workspace, owner, linked_member):
    connection = connect(workspace, owner)

    with pytest.raises(NotAllowed):
        connect(workspace, linked_member)
    with pytest.raises(NotAllowed):
        connections.disconnect(connection, by=linked_member)


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"signing_secret": ""}, {"signing_secret"}),
        ({"signing_secret": SECRET[:-1]}, {"signing_secret"}),
        ({"signing_secret": SECRET.upper()}, {"signing_secret"}),
        ({"signing_secret": "x", "app_token": "xoxb-9"}, {"signing_secret", "app_token"}),
    ],
)
def test_secrets_of_another_form_are_refused_by_name(workspace, owner, fields, wrong):
    with pytest.raises(ValidationError) as refusal:
        connect(workspace, owner, **fields)

    assert set(refusal.value.message_dict) == wrong
    assert not SlackConnection.objects.exists()


def test_secrets_of_one_app_are_not_kept_for_another(workspace, owner):
    connect(workspace, owner, app_token="xapp-1")
    another = dataclasses.replace(IDENTITY, app_id="A0000002")

    with pytest.raises(ValidationError):
        connect(workspace, owner, another, signing_secret="")
    connection = connect(workspace, owner, another, signing_secret=SECRET[::-1])

    assert (connection.signing_secret, connection.app_token) == (SECRET[::-1], "")


def test_token_of_another_slack_workspace_is_refused_where_one_was_meant(workspace, owner):
    connection = connect(workspace, owner)
    another = dataclasses.replace(IDENTITY, team_id="T0000002", team_name="Elsewhere")

    with pytest.raises(ValidationError, match="Elsewhere"):
        connect(workspace, owner, another, expected=connection)

    assert SlackConnection.objects.get() == connection


def test_change_that_was_typed_against_an_older_version_is_refused(workspace, owner, admin):
    connect(workspace, owner)
    connect(workspace, admin, bot_token="xoxb-2")

    with pytest.raises(connections.ChangedMeanwhile):
        connect(workspace, owner, bot_token="xoxb-3", version=1)

    assert SlackConnection.objects.get().bot_token == "xoxb-2"


def test_one_slack_workspace_can_be_connected_to_two_of_ours_and_one_of_ours_to_two(workspace, owner):
    elsewhere = factories.workspace()
    connect(workspace, owner)
    connect(workspace, owner, dataclasses.replace(IDENTITY, team_id="T0000002"))
    connect(elsewhere, factories.owner(elsewhere))

    assert [SlackConnection.objects.filter(workspace=one).count() for one in (workspace, elsewhere)] == [2, 1]


def test_connecting_again_resumes_a_refused_connection_and_what_it_owes(workspace, owner):
    connection = connect(workspace, owner)
    connections.refuse(connection, "Slack does not know this token any more.")
    agent = factories.ai_agent(workspace)
    post = post_of(connection, agent, next_try_at=timezone.now() + timezone.timedelta(hours=1), attempts=9)

    connect(workspace, owner, bot_token="xoxb-2")

    connection.refresh_from_db()
    assert (connection.state, connection.state_reason) == (State.ACTIVE, "")
    assert SlackPost.objects.due().get() == post


def test_token_that_was_exchanged_meanwhile_is_not_refused_for_the_old_one(workspace, owner):
    connection = connect(workspace, owner)
    connect(workspace, owner, bot_token="xoxb-2")

    assert not connections.refuse(connection, "Slack does not know this token any more.")

    assert SlackConnection.objects.get().is_active


def test_refusing_a_connection_whose_tokens_no_key_opens_leaves_them_for_when_the_key_is_back(workspace, settings):
    connection = factories.slack_connection(workspace, bot_token="xoxb-kept")
    keys = settings.FIELD_KEYS

    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    unreadable = SlackConnection.objects.get(pk=connection.pk)
    assert unreadable.bot_token == ""
    assert connections.refuse(unreadable, "Slack does not accept the bot's token.")

    settings.FIELD_KEYS = keys
    assert SlackConnection.objects.get().bot_token == "xoxb-kept"


def test_disconnecting_forgets_the_secrets_and_is_done_once(workspace, owner):
    connection = connect(workspace, owner, app_token="xapp-1")

    connections.disconnect(connection, by=owner)
    with pytest.raises(connections.ChangedMeanwhile):
        connections.disconnect(connection, by=owner)

    row = SlackConnection.objects.get()
    assert (row.state, row.bot_token, row.signing_secret, row.app_token) == (State.DISCONNECTED, "", "", "")


def test_when_slack_was_heard_is_written_at_most_every_few_seconds(workspace, django_assert_num_queries):
    connection = factories.slack_connection(workspace, heard_at=LONG_AGO)

    with django_assert_num_queries(1):
        connections.heard(connection)
        connections.heard(connection)

    assert SlackConnection.objects.get().heard_at > LONG_AGO


# --- Triggers ----------------------------------------------------------------------------------------------------------


def test_channel_has_one_coach_whoever_asks_and_only_ones_own_is_named(workspace, owner):
    connection = connect(workspace, owner)
    agent = factories.ai_agent(workspace, name="Nova")
    triggers.add(connection, channel_id="C0000001", agent=agent, by=owner)
    elsewhere = factories.workspace()
    stranger = factories.owner(elsewhere)

    with pytest.raises(triggers.ChannelTaken, match=r"Nova \(coach\)"):
        triggers.add(connection, channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner)
    with pytest.raises(triggers.ChannelTaken) as refusal:
        triggers.add(
            connect(elsewhere, stranger), channel_id="C0000001", agent=factories.ai_agent(elsewhere), by=stranger
        )

    assert "Nova" not in str(refusal.value)
    assert SlackTrigger.objects.get().agent == agent


def test_same_channel_id_of_another_slack_workspace_is_another_channel(workspace, owner):
    first = connect(workspace, owner)
    second = connect(workspace, owner, dataclasses.replace(IDENTITY, team_id="T0000002"))

    for connection in (first, second):
        triggers.add(connection, channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner)

    assert SlackTrigger.objects.active().count() == 2


def test_channel_of_a_disconnected_slack_workspace_is_free(workspace, owner):
    elsewhere = factories.workspace()
    stranger = factories.owner(elsewhere)
    left = connect(elsewhere, stranger)
    before = triggers.add(left, channel_id="C0000001", agent=factories.ai_agent(elsewhere), by=stranger)
    connections.disconnect(left, by=stranger)

    made = triggers.add(connect(workspace, owner), channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner)

    assert SlackTrigger.objects.kept().get() == made
    before.refresh_from_db()
    assert before.state == SlackTrigger.State.REMOVED


@pytest.mark.parametrize("channel", ["", "#coaching", "D0000001", "C1", "coaching"])
def test_what_is_no_channels_id_is_refused(workspace, owner, channel):
    with pytest.raises(ValidationError) as refusal:
        triggers.add(connect(workspace, owner), channel_id=channel, agent=factories.ai_agent(workspace), by=owner)

    assert set(refusal.value.message_dict) == {"channel"}


def test_only_agents_with_a_coach_of_this_workspace_can_be_chosen(workspace, owner):
    connection = connect(workspace, owner)
    without = [
        factories.human(workspace),
        factories.ai_agent(workspace, coaching=False),
        factories.ai_agent(workspace, active=False),
        factories.ai_agent(factories.workspace()),
    ]

    for agent in without:
        with pytest.raises(ValidationError) as refusal:
            triggers.add(connection, channel_id="C0000001", agent=agent, by=owner)
        assert set(refusal.value.message_dict) == {"agent"}


def test_removed_trigger_comes_back_as_it_was_unless_the_channel_was_given_away(workspace, owner):
    connection = connect(workspace, owner)
    agent = factories.ai_agent(workspace)
    trigger = triggers.add(connection, channel_id="C0000001", agent=agent, posts_every_proposal=False, by=owner)

    triggers.remove(trigger, by=owner)
    triggers.bring_back(trigger, by=owner)
    assert SlackTrigger.objects.active().get().posts_every_proposal is False

    triggers.remove(trigger, by=owner)
    triggers.add(connection, channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner)
    with pytest.raises(triggers.ChannelTaken):
        triggers.bring_back(trigger, by=owner)


def test_change_of_a_trigger_is_refused_where_somebody_was_first(workspace, owner, admin):
    trigger = triggers.add(
        connect(workspace, owner), channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner
    )
    another = factories.ai_agent(workspace)
    triggers.change(trigger, agent=another, posts_every_proposal=False, by=admin, version=1)

    with pytest.raises(connections.ChangedMeanwhile):
        triggers.change(trigger, agent=another, posts_every_proposal=True, by=owner, version=1)

    assert (SlackTrigger.objects.get().agent, SlackTrigger.objects.get().version) == (another, 2)


def test_lost_channel_says_why_and_is_found_again(workspace, owner):
    connection = connect(workspace, owner)
    trigger = triggers.add(connection, channel_id="C0000001", agent=factories.ai_agent(workspace), by=owner)

    assert triggers.lose(connection, "C0000001", "The channel was archived.") == 1
    trigger.refresh_from_db()
    assert (trigger.state, trigger.state_reason) == (SlackTrigger.State.LOST, "The channel was archived.")
    assert triggers.lose(connection, "C0000001", "The channel was archived.") == 0

    assert triggers.find(connection, "C0000001") == 1
    trigger.refresh_from_db()
    assert (trigger.state, trigger.state_reason) == (SlackTrigger.State.ACTIVE, "")


@pytest.mark.django_db(transaction=True)
def test_of_many_processes_that_give_one_channel_a_coach_one_does():
    here, there = factories.workspace(), factories.workspace()
    children = []
    for workspace in (here, there):
        owner = factories.owner(workspace)
        factories.slack_connection(workspace, team_id="T0000001")
        for _ in range(3):
            agent = factories.ai_agent(workspace)
            children.append(processes.start("-m", "tests.flows.ask_at_once", "listen", str(owner.pk), str(agent.pk)))

    said = processes.together(children)

    assert sorted(said) == ["listens", *["taken"] * 5]
    assert SlackTrigger.objects.count() == 1


# --- Policy ------------------------------------------------------------------------------------------------------------


def choose(workspace, by, version=0, **fields):
    told = {"quotes": True, "flags_connection": None, "flags_channel_id": ""} | fields
    return policy.choose(workspace, by=by, version=version, **told)


def test_policy_is_a_version_with_its_author_and_keeps_its_webhook_unseen(workspace, owner, admin):
    choose(workspace, owner, flags_webhook="https://hooks.slack.com/services/T1/B1/abc")
    chosen = choose(workspace, admin, version=1, quotes=False)

    assert (chosen.version, chosen.quotes) == (2, False)
    assert policy.of(workspace).flags_webhook == "https://hooks.slack.com/services/T1/B1/abc"
    assert choose(workspace, admin, version=2, quotes=False, flags_webhook="").flags_webhook == ""


def test_change_of_a_policy_leaves_a_webhook_that_no_key_opens_for_when_the_key_is_back(workspace, owner, settings):
    choose(workspace, owner, flags_webhook="https://hooks.slack.com/services/T1/B1/abc")
    keys = settings.FIELD_KEYS

    settings.FIELD_KEYS = [Fernet.generate_key().decode()]
    assert policy.of(workspace).flags_webhook == ""
    choose(workspace, owner, version=1, quotes=False)

    settings.FIELD_KEYS = keys
    kept = policy.of(workspace)
    assert (kept.quotes, kept.flags_webhook) == (False, "https://hooks.slack.com/services/T1/B1/abc")


@pytest.mark.parametrize(
    "address",
    ["http://hooks.slack.com/services/x", "https://example.com/services/x", "https://127.0.0.1/services/x", "hooks"],
)
def test_webhook_leads_to_slack_or_nowhere(workspace, owner, address):
    with pytest.raises(ValidationError) as refusal:
        choose(workspace, owner, flags_webhook=address)

    assert set(refusal.value.message_dict) == {"flags_webhook"}


def test_flags_go_to_no_slack_workspace_of_somebody_else(workspace, owner):
    elsewhere = factories.slack_connection(factories.workspace())

    with pytest.raises(ValidationError):
        choose(workspace, owner, flags_connection=elsewhere, flags_channel_id="C0000001")


def test_policy_that_was_typed_against_an_older_version_is_refused(workspace, owner, admin):
    choose(workspace, owner, quotes=False)

    with pytest.raises(connections.ChangedMeanwhile):
        choose(workspace, admin, version=0)


def test_without_quotes_the_messages_that_stand_are_drawn_anew(workspace, owner, agent):
    connection = connect(workspace, owner)
    at_rest = {"state": "posted", "next_try_at": None}
    proposal = post_of(connection, agent, **at_rest)
    flag = flags.raise_manual(agent, by=owner, reason="Talk.")
    post_of(connection, agent, kind=SlackPost.Kind.FLAG, proposal=None, flag=flag, **at_rest)
    session = factories.session(agent, owner)
    thread = SlackThread.objects.create(
        workspace=workspace, connection=connection, channel_id="C0000001", thread_ts="1.0", session=session,
        trigger=factories.slack_trigger(connection, agent),
    )  # fmt: skip
    turn = sessions.ask(session, by=owner, text="What went wrong?")
    told = {"kind": SlackPost.Kind.ANSWER, "proposal": None, "turn": turn, "thread": thread}
    answer = post_of(connection, agent, **told, **at_rest)

    choose(workspace, owner, quotes=False)

    assert set(SlackPost.objects.due()) == {proposal, answer}
