"""Real workers on the real queue: what came from Slack is followed at once, and once, also where a worker dies."""

import pytest
from django.utils import timezone

from coaching.models import SlackReceipt, Turn
from coaching.tasks import serve_slack
from config.celery import app
from tests.coaching.slack.talking import Talking
from tests.processes import until, worker
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue():
    app.control.purge()
    yield
    app.control.purge()


@pytest.fixture
def there(slack, client, owner, agent):
    return Talking(slack, client, owner, agent)


def test_a_message_is_answered_without_waiting_for_the_clock(there, slack):
    """Over the wire, to a web process as it is deployed."""
    with serving() as (host, port), worker(SLACK_API_URL=slack.api_url):
        there.team.events_to(f"http://{host}:{port}")
        there.leader.says("What can you do?", there.channel)
        until(lambda: Turn.objects.filter(state=Turn.State.DONE).exists())

    assert [answer.status for _, answer in there.team.told] == [200, 200]
    assert SlackReceipt.objects.get().outcome == "Asked."


def test_a_worker_that_dies_while_it_asks_slack_loses_nothing_and_nothing_is_asked_twice(there, slack):
    slack.goes_down("hang")
    with worker(SLACK_API_URL=slack.api_url) as child:
        there.leader.says("What can you do?", there.channel)
        until(lambda: slack.called("users.info"))
        child.kill()
    slack.comes_up()
    SlackReceipt.objects.update(claimed_until=timezone.now())  # a minute later

    with worker(SLACK_API_URL=slack.api_url):
        until(lambda: Turn.objects.filter(state=Turn.State.DONE).exists(), serve_slack)

    assert (Turn.objects.count(), SlackReceipt.objects.get().attempts) == (1, 2)
