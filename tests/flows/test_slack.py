"""The coach in Slack, whole: a channel, a thread, a proposal, and a decision from either side, with a real server and a worker.

Slack is played on loopback (tests/slack) and speaks to the product both ways it can: by signed HTTP and over a socket.
"""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.db import connections
from django.test import Client

from agents import decisions
from coaching import tasks
from coaching.models import Proposal, SlackPost, SlackReceipt, Turn
from config.celery import app
from memories.models import Memory
from tests import factories
from tests.calls import Script
from tests.processes import start, until, worker
from tests.serving import serving
from tests.slack import Slack

RULE = "Add a memory that refunds within 30 days are processed automatically."
CHANGE = "Change that memory so that refunds within 45 days are processed automatically."
BUTTONS = {"proposal_approve", "proposal_reject", "proposal_open"}

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _empty_queue():
    app.control.purge()
    yield
    app.control.purge()


@pytest.fixture
def slack(settings):
    with Slack() as played:
        settings.SLACK_API_URL = played.api_url
        yield played


class Desk:
    """A workspace whose owner Ana is in Slack too, where a channel has the coach of an agent."""

    def __init__(self, slack, app_token=""):
        self.team = slack.add_team(app_token=app_token)
        self.workspace = factories.workspace()
        self.owner = factories.owner(self.workspace, email="ana@acme.example", name="Ana")
        self.agent = factories.ai_agent(self.workspace, name="Refunds assistant")
        self.connection = factories.slack_connection(
            self.workspace,
            team_id=self.team.id,
            app_id=self.team.app_id,
            bot_user_id=self.team.bot_user_id,
            bot_id=self.team.bot_id,
            bot_token=self.team.bot_token,
            signing_secret=self.team.signing_secret,
            app_token=app_token,
        )
        self.channel = self.team.add_channel("coaching")
        factories.slack_trigger(self.connection, self.agent, channel_id=self.channel.id)
        self.ana = self.team.add_user(email="ana@acme.example", name="Ana")

    def proposals(self):
        """The messages of proposals in the channel, the oldest first."""
        return [message for message in self.channel.posts if "proposal_open" in actions(message)]


@contextmanager
def told_by(way, desk, slack):
    """Slack tells the product what happens there, by HTTP or over a socket."""
    if way == "http":
        with serving() as (host, port):
            desk.team.events_to(f"http://{host}:{port}")
            yield
        return
    desk.team.events_to(None, via="socket")
    child = start("manage.py", "slack_socket", SLACK_API_URL=slack.api_url)
    try:
        slack.sockets.wait_for(desk.team.app, seconds=60)
        yield
    finally:
        child.kill()
        print(child.communicate()[0])  # shown where the test fails


def look():
    """What the clock does every second."""
    tasks.serve_slack()
    tasks.find_owed_work()


def actions(message) -> set[str]:
    return {
        element["action_id"] for block in message.blocks if block["type"] == "actions" for element in block["elements"]
    }


def words(message) -> str:
    return json.dumps(message.blocks, ensure_ascii=False)


def at_rest():
    """Nothing is owed to Slack, and nothing that came from there."""
    return not SlackPost.objects.owed().exists() and not SlackReceipt.objects.owed().exists()


@pytest.mark.parametrize("way", ["http", "socket"])
def test_told_in_a_channel_approved_there_then_from_the_dashboard(way, slack):
    desk = Desk(slack, app_token="xapp-1-played" if way == "socket" else "")
    with told_by(way, desk, slack), worker(SLACK_API_URL=slack.api_url):
        ts = desk.ana.says(RULE, desk.channel)
        until(lambda: desk.proposals(), look)
        until(at_rest, look)

        [proposed] = desk.proposals()
        assert proposed.thread_ts == ts
        assert actions(proposed) == BUTTONS
        assert "New memory" in words(proposed)
        assert "Refunds assistant" in words(proposed)
        assert "refunds within 30 days are processed automatically" in words(proposed).lower()
        answer = next(message for message in desk.channel.thread(ts) if message.bot_id and message is not proposed)
        assert "at work" not in words(answer)
        assert Turn.objects.get().state == Turn.State.DONE

        desk.ana.clicks(proposed, "proposal_approve")
        until(lambda: "Approved by Ana from Slack" in words(proposed), look)
        assert actions(proposed) == {"proposal_open"}
        memory = Memory.objects.get(agent=desk.agent)
        assert (memory.version, "30 days" in memory.summary) == (1, True)

        desk.ana.says(CHANGE, desk.channel, thread_ts=ts, mentions_bot=False)
        until(lambda: len(desk.proposals()) == 2, look)
        second = desk.proposals()[1]
        assert second.thread_ts == ts
        row = Proposal.objects.pending().get()
        assert row.session == Turn.objects.first().session

        browser = Client()
        browser.force_login(desk.owner.user)
        assert browser.post(f"/proposals/{row.pk}/approve").status_code in (200, 302)
        until(lambda: "Approved by Ana from the dashboard" in words(second), look)
        assert "version 2" in words(second)
        assert actions(second) == {"proposal_open"}

        desk.ana.clicks(second, "proposal_approve", value=str(row.pk))
        until(lambda: desk.ana.ephemerals, look)
        assert desk.ana.ephemerals[-1].text.startswith("Already approved by Ana")
        until(at_rest, look)

    memory.refresh_from_db()
    assert (memory.version, "45 days" in memory.summary) == (2, True)
    assert [entry.door for entry in desk.workspace.decisions.filter(action="approved").order_by("number")] == [
        "slack",
        "page",
    ]
    assert list(decisions.verify(desk.workspace)) == []
    posted = [message.metadata["event_payload"] for message in desk.channel.all if message.metadata]
    assert len(posted) == len({json.dumps(one, sort_keys=True) for one in posted}) == SlackPost.objects.count()


def test_four_doors_decide_one_proposal_at_once_and_all_show_the_same(slack):
    desk = Desk(slack)
    desk.owner.user.is_staff = desk.owner.user.is_superuser = True
    desk.owner.user.save()
    ben = factories.member(desk.workspace, "admin", email="ben@acme.example", name="Ben")
    cem = factories.member(desk.workspace, "admin", email="cem@acme.example", name="Cem")
    ben_there = desk.team.add_user(email="ben@acme.example", name="Ben")
    rows = [factories.proposal(desk.agent, change={"summary": f"Fact {n}.", "text": ""}) for n in range(6)]
    until(lambda: len(desk.proposals()) == len(rows), deliver_all)
    by_title = {row.title: row for row in rows}
    desk.team.events_to(by_client)

    def by_page(row):
        browser = signed_in(desk.owner)
        browser.post(f"/proposals/{row.pk}/approve")

    def by_api(row):
        Script(cem).send(f"/proposals/{row.pk}/reject", {"reason": "No."})

    def by_admin(row):
        browser = signed_in(desk.owner)
        address = f"/admin/coaching/proposal/{row.pk}/change/"
        browser.post(address, {"_button": "reject", "_words": "No."})

    def by_slack(row):
        message = next(each for each in desk.proposals() if row.title in words(each))
        ben_there.clicks(message, "proposal_approve")
        for receipt in SlackReceipt.objects.owed():
            tasks.follow_slack(str(receipt.pk))

    for row in by_title.values():
        barrier = threading.Barrier(4)

        def at_once(door, row=row, barrier=barrier):
            barrier.wait(timeout=30)
            try:
                door(row)
            finally:
                connections.close_all()  # those of this thread

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(at_once, [by_page, by_api, by_admin, by_slack]))

    until(at_rest, deliver_all)
    assert ben.pk
    for row in rows:
        row.refresh_from_db()
        who = {desk.owner.pk: "Ana", ben.pk: "Ben", cem.pk: "Cem"}[row.decided_by_id]
        assert row.status in ("approved", "rejected")
        assert desk.workspace.decisions.filter(proposal_id=row.pk).count() == 1
        said = f"{row.status.capitalize()} by {who}"
        message = next(each for each in desk.proposals() if row.title in words(each))
        assert said in words(message)
        assert actions(message) == {"proposal_open"}
        assert said in signed_in(desk.owner).get(f"/proposals/{row.pk}").content.decode()
        told = Script(desk.owner).read(f"/proposals/{row.pk}").json()
        assert (told["status"], told["decidedBy"]["name"], told["decidedFrom"]) == (row.status, who, row.decided_from)
        back_office = signed_in(desk.owner).get(f"/admin/coaching/proposal/{row.pk}/change/").content.decode()
        assert row.get_status_display() in back_office
        assert who in back_office
    assert Memory.objects.filter(agent=desk.agent).count() == sum(row.status == "approved" for row in rows)
    assert list(decisions.verify(desk.workspace)) == []


def deliver_all():
    for post in SlackPost.objects.due():
        tasks.deliver_to_slack(str(post.pk))


def by_client(path, body, headers):
    """What a test's own client answers to Slack."""
    answer = Client().generic("POST", path, body, content_type=headers["Content-Type"], headers=headers)
    return answer.status_code, answer.content


def signed_in(member):
    browser = Client()
    browser.force_login(member.user)
    return browser
