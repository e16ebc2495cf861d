"""The whole loop, from a payload to a served memory: real API, real queue, real worker, the practice model."""

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import decisions
from coaching import tasks
from coaching.models import Flag, Sample
from config.celery import app
from tests import factories
from tests.calls import Script
from tests.processes import until, worker

WEEKS, FALL_WEEKS = 26, 5
RULE = "Add a memory that refunds within 30 days are processed automatically."
TURNS = [
    {"role": "customer", "text": "I was charged twice for order W-4410. Write to jane@buyer.example."},
    {"role": "agent", "text": "Could you give me the e-mail on the order?"},
    {"role": "tool", "text": ""},
    {"role": "agent", "text": "Refunds usually need an approval. I have opened a request."},
    {"role": "customer", "text": "It says 30 days, automatic, on your own page?"},
]


@pytest.fixture(autouse=True)
def _empty_queue():
    app.control.purge()
    yield
    app.control.purge()


def ms(at):
    return int(at.timestamp() * 1000)


def ratings(names, falling, now):
    """A rating a day from each, nine of ten good; half of the falling one's are bad in the last weeks."""
    for name in names:
        for days_ago in range(1, WEEKS * 7):
            low = name == falling and days_ago <= FALL_WEEKS * 7
            bad = days_ago % 2 == 0 if low else days_ago % 10 == 0
            yield {
                "source": "desk",
                "externalId": f"{name}-{days_ago}",
                "agent": name,
                "value": "bad" if bad else "good",
                "scale": "binary",
                "ratedAt": ms(now - timedelta(days=days_ago)),
            }


@pytest.mark.django_db(transaction=True)
def test_from_payload_to_served_memory():
    now = timezone.now()
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    script = Script(owner, scopes=("read", "write", "approve", "runtime"))

    made = script.send(
        "/agents",
        {"name": "Refunds assistant", "kind": "ai", "team": "Billing", "coaching": True, "systemPrompt": "You help."},
    ).json()
    names = ["Refunds assistant", "Ann", "Ben", "Cem", "Dag"]
    for name in names[1:]:
        assert script.send("/agents", {"name": name, "kind": "human", "team": "Billing"}).status_code == 201
    items = list(ratings(names, made["name"], now))
    answer = script.send("/ratings", {"items": items}).json()
    assert (answer["accepted"], answer["rejected"]) == (len(items), [])
    talk = script.send(
        "/conversations",
        {
            "source": "api",
            "externalId": "8841",
            "agent": made["id"],
            "openedAt": ms(now - timedelta(days=2)),
            "closedAt": ms(now - timedelta(days=2) + timedelta(minutes=9)),
            "csat": {"value": "bad", "scale": "binary", "ratedAt": ms(now - timedelta(days=1))},
            "transcript": TURNS,
        },
    ).json()

    with worker():
        until(lambda: Flag.objects.filter(agent_id=made["id"]).exists(), tasks.find_due_sweeps)
        until(lambda: not Sample.objects.owed().exists(), tasks.find_owed_work)

        coaching = script.read(f"/coaching?agent={made['id']}").json()
        assert coaching["flag"]["status"] == "open"
        assert "point to" in coaching["flag"]["sentence"]
        assert {sample["summaryState"] for sample in coaching["samples"]} == {"metadata"}
        assert "8841" in {sample["externalId"] for sample in coaching["samples"]}
        turns = script.read(f"/conversations/{talk['id']}/transcript").json()["items"]
        assert turns[0]["text"] == "I was charged twice for order W-4410. Write to <email>."

        session = script.send("/coach/sessions", {"agent": made["id"], "conversation": talk["id"]}).json()
        first = script.send(f"/coach/sessions/{session['id']}/messages", {"text": RULE})
        assert first.status_code == 202
        until(lambda: ended(script, session), tasks.find_owed_work)
        [created] = script.read(f"/coach/sessions/{session['id']}").json()["proposals"]
        assert script.send(f"/proposals/{created}/approve", {}).json()["resultVersion"] == 1

        change = "Change that memory so that refunds within 45 days are processed automatically."
        script.send(f"/coach/sessions/{session['id']}/messages", {"text": change})
        until(lambda: ended(script, session), tasks.find_owed_work)

    session = script.read(f"/coach/sessions/{session['id']}").json()
    assert [turn["state"] for turn in session["turns"]] == ["done", "done"]
    proposal = script.read(f"/proposals/{session['proposals'][-1]}").json()
    assert (proposal["type"], proposal["status"], proposal["baseVersion"]) == ("memory_entry_update", "pending", 1)
    approved = script.send(f"/proposals/{proposal['id']}/approve", {"note": "Checked"}).json()
    assert (approved["status"], approved["resultVersion"]) == ("approved", 2)

    served = script.send(f"/agents/{made['id']}/memories/search", {"query": "refund", "includeText": True}).json()
    assert [item["version"] for item in served["items"]] == [2]
    assert "45 days" in served["items"][0]["summary"]
    late = script.send(f"/proposals/{proposal['id']}/reject", {"reason": "Too late"})
    assert (late.status_code, late.json()["decidedFrom"]) == (409, "api")
    assert list(decisions.verify(workspace)) == []


def ended(script, session):
    turns = script.read(f"/coach/sessions/{session['id']}").json()["turns"]
    return turns[-1]["state"] not in ("queued", "running")
