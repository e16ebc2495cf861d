"""An hour in which Slack is down, played at speed: 1,000 proposals are decided meanwhile, and all messages follow afterwards.

Half of the proposals stand in their channels before, the others are made while Slack is down. At first it does what it is told
and the answer is lost, then it answers with errors, then not at all. The hour is played by moving back every moment that a row
waits for, half a minute twice a second; the processes' clocks stay what they are. Two workers serve, so that each could send what
the other sends. Afterwards every message must say what was decided, none may be there twice or be missing.
"""

import time
from collections import Counter
from datetime import timedelta

from django.db.models import F
from django.test import override_settings

from coaching.actions import proposals
from coaching.models import SlackPace, SlackPost
from tests import factories
from tests.bench.slack_world import World, served, world
from tests.slack import Slack

PROPOSALS, CHANNELS = 1_000, 20
HOUR, STEP, REAL = timedelta(hours=1), timedelta(seconds=30), 0.5  # a STEP passes every REAL seconds
REJECTED = 3  # one in so many
PATIENCE = 900  # seconds until all is in step


def measured() -> bool:
    """Play the hour, wait, count and print; whether anything is missing, there twice, or wrong."""
    with Slack() as slack, override_settings(SLACK_API_URL=slack.api_url):
        here = world(slack, channels=CHANNELS)
        with served(slack, workers=2):
            made = [factories.proposal(here.agents[n % CHANNELS]) for n in range(PROPOSALS // 2)]
            settle(PATIENCE)
            slack.goes_down("lost answer")
            made += [factories.proposal(here.agents[n % CHANNELS]) for n in range(PROPOSALS - len(made))]
            tried = play(slack, here, made)
            began = time.monotonic()
            in_time = settle(PATIENCE)
            took = time.monotonic() - began
    counted = look(slack, here)
    print(
        f"{PROPOSALS:,} proposals decided in an hour without Slack, which was tried {tried} times in it; all in step "
        f"{took:.0f} s after its end: {'yes' if in_time else 'no'}"
    )
    print(
        f"{counted['owed']:,} messages owed, {counted['there']:,} sent, {counted['twice']} twice, {counted['missing']} missing, "
        f"{counted['wrong']} that say something else than was decided; {counted['changes']:,} changes of messages"
    )
    return (
        not in_time
        or counted["there"] != counted["owed"]
        or any(counted[what] for what in ("twice", "missing", "wrong"))
    )


def play(slack: Slack, here: World, made: list) -> int:
    """Let the hour pass and decide meanwhile; how often Slack was tried."""
    before, waiting = len(slack.calls), list(enumerate(made))
    steps = int(HOUR / STEP)
    for step in range(steps):
        next_at = time.monotonic() + REAL
        if step == steps // 10:
            slack.goes_down("500")
        if step == steps // 2:
            slack.goes_down("refuse")
        for _ in range(-(-len(made) // steps)):
            if waiting:
                decide(here, *waiting.pop(0))
        pass_by(STEP)
        time.sleep(max(0.0, next_at - time.monotonic()))
    assert not waiting
    tried = len(slack.calls) - before
    slack.comes_up()
    return tried


def decide(here: World, number: int, proposal) -> None:
    if number % REJECTED:
        proposals.approve(proposal, by=here.owner, door="page")
    else:
        proposals.reject(proposal, by=here.owner, door="page", reason="It was said before.")


def pass_by(step: timedelta) -> None:
    """So much time is over for every row that waits for a moment."""
    SlackPost.objects.filter(claimed_until=None).update(next_try_at=F("next_try_at") - step)
    SlackPost.objects.filter(slot_at__isnull=False).update(slot_at=F("slot_at") - step)
    SlackPace.objects.filter(blocked_until__isnull=False).update(blocked_until=F("blocked_until") - step)
    SlackPace.objects.update(next_at=F("next_at") - step)


def settle(seconds: float) -> bool:
    """Whether nothing is owed within these seconds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not SlackPost.objects.owed().exists():
            return True
        time.sleep(0.5)
    return False


def look(slack: Slack, here: World) -> Counter:
    """What is there, beside what should be."""
    there: Counter = Counter()
    for channel in here.channels:
        for message in channel.posts:
            known = message.metadata["event_payload"]
            there[known["post"], known["piece"]] += 1
    counted = Counter(
        there=sum(there.values()), changes=sum(call.status == 200 for call in slack.called("chat.update"))
    )
    places = {channel.id: channel for channel in here.channels}
    for post in SlackPost.objects.select_related("proposal"):
        messages = [places[post.channel_id].find(piece["ts"]) for piece in post.pieces]
        counted["owed"] += len(post.pieces) or 1
        counted["missing"] += not messages or None in messages
        still_asks = any("proposal_approve" in str(message.blocks) for message in messages if message)
        counted["wrong"] += still_asks or not post.drawn.startswith(post.proposal.status)
    counted["twice"] = sum(many - 1 for many in there.values())
    return counted
