"""How soon a message in Slack follows a decision on the page.

Proposals are posted in their channels first. Then one after the other is approved on the page, by the form's POST to a web
process, and the clock stops when Slack takes the change of the message that says so. Slack is healthy, and strict about how often
it is called. The worker and the clock that sends it what is owed are processes of their own.
"""

import http.client
import time
from uuid import uuid4

from django.conf import settings
from django.test import Client, override_settings

from coaching.models import SlackPost
from tests import factories, processes
from tests.bench.measuring import percentile
from tests.bench.slack_world import served, world
from tests.bench.streams import web
from tests.slack import Slack

DECISIONS, WARM_UP, EVERY = 60, 3, 1.7  # seconds from one decision to the next
CHANNELS = 8
MOST_P95 = 3.0  # seconds


def measured() -> bool:
    """Decide, wait for each message, and print; whether the limit was missed."""
    with Slack(is_strict_about_pace=True) as slack, override_settings(SLACK_API_URL=slack.api_url):
        here = world(slack, channels=CHANNELS)
        made = [factories.proposal(here.agents[n % CHANNELS]) for n in range(DECISIONS + WARM_UP)]
        with served(slack), web(str(settings.DATA_DIR)) as (port, _):
            processes.until(lambda: not SlackPost.objects.owed().exists())
            begun = decide(port, here.owner, made)
            processes.until(lambda: not SlackPost.objects.owed().exists())
        changed = {(call.arguments["channel"], call.arguments["ts"]): call.at for call in done(slack)}
    shown = {post.proposal_id: (post.channel_id, post.pieces[0]["ts"]) for post in SlackPost.objects.all()}
    took = [changed[shown[pk]] - at for pk, at in list(begun.items())[WARM_UP:]]
    refused = sum(call.status == 429 for call in slack.calls)
    p50, p95 = percentile(took, 50), percentile(took, 95)
    print(
        f"from the decision on the page to the message in Slack, {len(took)} times, one every {EVERY} s: p50 {p50:.2f} s, "
        f"p95 {p95:.2f} s (at most {MOST_P95:.0f}), at most {max(took):.2f} s; Slack refused {refused} calls as too many"
    )
    return p95 > MOST_P95


def decide(port, owner, made) -> dict:
    """{proposal: when the page was told to approve it}"""
    browser = Client()
    browser.force_login(owner.user)
    token, session = uuid4().hex, browser.cookies[settings.SESSION_COOKIE_NAME].value
    headers = {
        "Cookie": f"{settings.SESSION_COOKIE_NAME}={session}; csrftoken={token}",
        "X-CSRFToken": token,
        "Content-Type": "application/x-www-form-urlencoded",
    }
    begun = {}
    for proposal in made:
        wire = http.client.HTTPConnection("127.0.0.1", port)
        begun[proposal.pk] = time.time()
        wire.request("POST", f"/proposals/{proposal.pk}/approve", "", headers)
        answer = wire.getresponse()
        answer.read()
        wire.close()
        assert answer.status < 400, answer.status
        time.sleep(max(0.0, begun[proposal.pk] + EVERY - time.time()))
    return begun


def done(slack: Slack) -> list:
    """The changes that Slack took."""
    return [call for call in slack.called("chat.update") if call.status == 200 and not call.error]
