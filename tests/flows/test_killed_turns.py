"""Workers are killed without a word in the middle of a turn: every turn still ends once, and proposes nothing twice."""

import os
import random
import signal
import threading
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from coaching.actions import sessions
from coaching.models import Turn, TurnEvent
from tests import factories, processes
from tests import model_server as server
from tests.coaching import talks

KILLS = 20
AT_ONCE = 4
LONGEST = 1.2  # seconds a turn is given before the kill; left alone it takes about as long
PAUSE = 0.25
MEMORY = {
    "summary": "Parcels can be followed by number.",
    "text": "The number is in the mail.",
    "rationale": "The customer had to ask twice.",
    "evidence": [{"turn": 4, "quote": talks.PARCEL[4][1]}],
}


def slow_model(handler):
    """Slow enough to be killed anywhere."""
    time.sleep(PAUSE)
    quick_model(handler, pause=PAUSE / 4)


def quick_model(handler, pause=0):
    """Reads, proposes and speaks, a round each."""
    rounds = sum(message["role"] == "assistant" for message in handler.asked["messages"])
    if rounds == 0:
        server.calls(("read_conversation", {}))(handler)
    elif rounds == 1:
        server.calls(("propose_memory_entry_create", MEMORY))(handler)
    else:
        server.slowly(["Turn 4 ", "shows that ", "the customer ", "had to ask twice."], seconds=pause)(handler)


@pytest.mark.django_db(transaction=True)
def test_every_turn_whose_worker_is_killed_ends_once(workspace, owner, settings):
    moments = [random.Random(kill).uniform(0, LONGEST) for kill in range(KILLS)]
    asked = []
    for _ in range(KILLS):
        agent = factories.ai_agent(workspace)
        session = sessions.start(agent, by=owner, conversation=talks.conversation(agent))
        asked.append(sessions.ask(session, by=owner, text="What went wrong?"))
    with server.serving([slow_model]) as model:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "key", model.url
        with processes.answering(ANTHROPIC_API_KEY="key", ANTHROPIC_BASE_URL=model.url) as answer:
            for first in range(0, KILLS, AT_ONCE):
                kills = []
                for kill in range(first, first + AT_ONCE):
                    kills.append(threading.Timer(moments[kill], os.kill, (answer(asked[kill]), signal.SIGKILL)))
                    kills[-1].start()
                for kill in kills:
                    kill.join()
        killed = list(Turn.objects.unfinished())
        Turn.objects.unfinished().update(claimed_until=timezone.now() - timedelta(seconds=1))
        model.plays = [quick_model]
        for turn in killed:
            talks.answer(turn)

    assert len(killed) >= KILLS // 2
    for turn in asked:
        answered = talks.outcome(turn)
        assert answered.turn.state in ("done", "failed")
        assert [event.type for event in answered.events if event.type in TurnEvent.CLOSING] == [answered.turn.state]
        assert answered.events[-1].type == answered.turn.state
        assert "".join(event.data["text"] for event in answered.events if event.type == "text") == answered.text
        announced = [event.data["proposal"] for event in answered.events if event.type == "proposal"]
        assert announced == [str(proposal.pk) for proposal in answered.proposals]
        assert len(announced) == 1
