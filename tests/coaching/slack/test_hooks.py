"""Where Slack's requests come in: who is believed, what is kept, and what Slack is told."""

from pathlib import Path

import pytest

from coaching.models import SlackReceipt
from tests import factories
from tests.coaching.slack import sent

pytestmark = pytest.mark.django_db

PAYLOADS = Path(__file__).resolve().parents[4] / "shared/data/connector-payloads/slack"


@pytest.fixture
def connection(workspace):
    return factories.slack_connection(workspace)


@pytest.fixture
def trigger(connection, agent):
    return factories.slack_trigger(connection, agent)


def test_a_signed_mention_leaves_a_receipt_that_is_owed(client, connection, trigger):
    body = sent.mention(connection, trigger.channel_id, "hello", user="U7", ts="1.5")

    answered = sent.send(client, body, connection.signing_secret)

    assert (answered.status_code, answered.content) == (200, b"")
    receipt = SlackReceipt.objects.get()
    assert (receipt.kind, receipt.type, receipt.workspace_id) == ("event", "app_mention", connection.workspace_id)
    assert receipt.payload == {
        "channel": trigger.channel_id,
        "user": "U7",
        "text": f"<@{connection.bot_user_id}> hello",
        "ts": "1.5",
        "thread_ts": "",
        "is_mention": True,
        "is_direct": False,
    }
    assert SlackReceipt.objects.due().count() == 1
