"""manage.py connect_slack: one coach in one channel without the page."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command

from coaching.actions.slack import connections, triggers
from coaching.models import SlackConnection, SlackTrigger
from tests import factories

pytestmark = pytest.mark.django_db
SECRET = "0123456789abcdef0123456789abcdef"
GIVEN = ["bot_token=xoxb-1", f"signing_secret={SECRET}"]


@pytest.fixture
def team(slack):
    return slack.add_team("Support", bot_token="xoxb-1", app_token="xapp-1", signing_secret=SECRET)


@pytest.fixture
def channel(team):
    return team.add_channel("coaching")


def connect(*values, workspace):
    """(exit code, lines of the output, what stands on the error stream)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("connect_slack", *values, workspace=workspace.slug, stdout=out, stderr=err)
        code = 0
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return code, out.getvalue().splitlines(), err.getvalue()


def test_coach_is_let_in_and_addresses_stand_alone_on_their_lines(team, channel, workspace, agent):
    code, lines, err = connect(
        *GIVEN, "app_token=xapp-1", f"channel={channel.id}", f"agent={agent.name}", workspace=workspace
    )

    made, trigger = SlackConnection.objects.get(), SlackTrigger.objects.get()
    assert (code, err) == (0, "")
    assert lines[1:] == [
        str(uuid.UUID(str(made.pk))),
        "http://127.0.0.1:8000/hooks/slack/events",
        "http://127.0.0.1:8000/hooks/slack/actions",
    ]
    assert (made.team_id, made.signing_secret, made.app_token, made.connected_by) == (team.id, SECRET, "xapp-1", None)
    assert (trigger.agent, trigger.channel_id, trigger.channel_name) == (agent, channel.id, "coaching")


def test_repeating_it_resumes_keeps_tokens_and_changes_the_coach(channel, workspace, agent):
    connect(*GIVEN, f"channel={channel.id}", f"agent={agent.name}", workspace=workspace)
    connections.refuse(SlackConnection.objects.get(), "Slack does not accept the bot's token.")
    triggers.lose(SlackConnection.objects.get(), channel.id, "It was archived.")
    another = factories.ai_agent(workspace)

    code, _, err = connect(f"channel={channel.id}", f"agent={another.pk}", workspace=workspace)

    assert (code, err) == (0, "")
    assert SlackTrigger.objects.active().get().agent == another
    assert connect(f"channel={channel.id}", f"agent={another.pk}", workspace=workspace)[0] == 0
    assert SlackTrigger.objects.count() == 1


def test_what_the_app_lacks_is_said_and_keeps_nobody_out(team, channel, workspace, agent):
    team.app.scopes = ["chat:write"]

    code, _, err = connect(*GIVEN, f"channel={channel.id}", f"agent={agent.name}", workspace=workspace)

    assert code == 0
    assert "The app lacks users:read.email: knowing which member somebody in Slack is." in err.splitlines()
    assert SlackTrigger.objects.active().exists()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([], "channel: It is missing.\nagent: It is missing."),
        (["channel=C0000001", "agent=Nobody"], "There is no agent “Nobody”"),
        (["channel=coaching", "agent=Nova"], "channel: It is the id of a channel"),
        (["channel=C0000001", "agent=Nova"], "bot_token: It is missing."),
        (["channel=C0000001", "agent=Person"], "bot_token: It is missing."),
        (
            ["bot_token=xoxb-S3CR3T", "channel=C0000001", "agent=Nova"],
            "bot_token: Slack does not accept the bot's token.",
        ),
        (["bot_token=xoxb-1", "channel=C0000001", "agent=Nova"], "signing_secret: It is missing."),
        ([*GIVEN, "app_token=xapp-S3CR3T", "channel=C0000001", "agent=Nova"], "app_token: Slack does not accept"),
        ([*GIVEN, "channel=C0000001", "agent=Nova"], "channel: Slack does not know this channel"),
        (["S3CR3T"], "Values are given as KEY=VALUE."),
        (["bot_tokn=S3CR3T"], "Keys are bot_token, signing_secret, app_token, channel, agent."),
        (["agent=S3CR3T", "agent=S3CR3T"], "agent is given twice."),
        (["bot_token=@/no/such/S3CR3T"], "The file for bot_token cannot be read."),
    ],
)
def test_what_is_wrong_is_said_and_no_secret_is_repeated(slack, team, workspace, values, said):
    factories.ai_agent(workspace, name="Nova")
    factories.human(workspace, name="Person")

    code, lines, err = connect(*values, workspace=workspace)

    assert (code, lines) == (2, [])
    assert said in err
    assert "S3CR3T" not in err
    assert not SlackTrigger.objects.exists()


@pytest.mark.parametrize("fields", [{"coaching": False}, {"kind": "human", "coaching": False, "system_prompt": ""}])
def test_only_an_agent_with_a_coach_is_let_in(channel, workspace, fields):
    agent = factories.ai_agent(workspace, **fields)

    code, _, err = connect(*GIVEN, f"channel={channel.id}", f"agent={agent.pk}", workspace=workspace)

    assert code == 2
    assert "agent: Choose an AI agent that has a coach." in err


def test_slack_that_is_down_changes_nothing(slack, channel, workspace, agent):
    slack.goes_down("500")

    code, _, err = connect(*GIVEN, f"channel={channel.id}", f"agent={agent.name}", workspace=workspace)

    assert (code, err) == (2, "Something broke at Slack.")
    assert not SlackConnection.objects.exists()


def test_several_slack_workspaces_ask_for_the_token(slack, channel, workspace, agent):
    for _ in range(2):
        factories.slack_connection(workspace)

    code, _, err = connect(f"channel={channel.id}", f"agent={agent.name}", workspace=workspace)

    assert code == 2
    assert "Several Slack workspaces are connected" in err
