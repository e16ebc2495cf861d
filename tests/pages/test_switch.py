"""Agent › Settings › Advanced › Coaching: off by default, off hides the coach and keeps everything, on shows it again."""

import json

import pytest
from django.core.management import call_command
from django.urls import reverse

from agents import actions as agents
from agents.models import Agent, Door
from coaching.actions import sessions
from coaching.coach import turns
from coaching.models import Message, Proposal, Session, Turn
from helpdesk.models import StoredTranscript
from memories.models import Memory
from tests import factories
from tests.calls import Script, problem
from tests.coaching import talks
from tests.pages.test_agent import text

PARTIAL = {"HX-Request-Type": "partial"}
OFF = "Coaching is switched off"


@pytest.fixture
def script(owner):
    return Script(owner)


@pytest.fixture
def session(agent, owner):
    return factories.session(agent, owner, conversation=talks.conversation(agent))


def switch(client, agent, on):
    """Press the switch on the agent's Settings page."""
    agent.refresh_from_db()
    told = {"storage_mode": agent.storage_mode, "retention_days": agent.retention_days} | (
        {"coaching": "on"} if on else {}
    )
    assert client.post(f"/agents/{agent.pk}/settings", told).status_code == 302
    agent.refresh_from_db()
    assert agent.coaching is on


def test_agents_come_without_a_coach_whatever_door_they_come_through(workspace, owner, script, tmp_path):
    file = tmp_path / "talks.jsonl"
    file.write_text(
        json.dumps({"externalId": "1", "agent": "Imported", "transcript": [{"role": "customer", "text": "Hello?"}]})
    )
    call_command("import_conversations", str(file), workspace=workspace.slug, agent="Imported")
    assert script.send("/agents", {"name": "Pushed", "kind": "ai"}).status_code == 201
    agents.create_agent(workspace, name="Made", kind=Agent.Kind.AI, by=owner, door=Door.PAGE)

    assert dict(Agent.objects.values_list("name", "coaching")) == {"Imported": False, "Pushed": False, "Made": False}


def test_settings_say_what_the_switch_does(agent, owner, signed_in):
    page = text(signed_in(owner).get(f"/agents/{agent.pk}/settings"))

    for words in ("Advanced", "Nothing changes until somebody approves", "keeps everything"):
        assert words in page


def test_off_hides_every_way_to_the_coach_and_says_where_to_switch_it_on(session, agent, owner, signed_in):
    client = signed_in(owner)
    talks.ask(session, "Add a memory that parcels are collected at noon.")
    talks.ask(session, "What went wrong?")
    answer = session.messages.filter(role=Message.Role.COACH).last()
    answer.text += "\n- Which tool failed?"
    answer.save()
    stopped = sessions.stop(sessions.ask(session, by=owner, text="And now?"), by=owner)
    talks.conversation(agent)
    alone = factories.session(agent, owner)
    about_all = f"/agents/{agent.pk}/history", f"Ask the coach about these {agent.conversations.count()}"
    ways = (
        'id="ask"',
        "Analyze with coach",
        'name="quick"',
        'name="turn"',
        "/retry",
        "talk to it",
        about_all[1],
        "/next",
    )
    paths = {
        f"/conversations/{session.conversation_id}": (
            'id="ask"',
            'name="quick"',
            'name="turn"',
            "/retry",
            "/next",
        ),
        f"/conversations/{session.conversation_id}?new=1": ('id="ask"', 'name="quick"', 'name="turn"'),
        about_all[0]: ("Analyze with coach", about_all[1]),
        "/conversations": ("Analyze with coach",),
        f"/agents/{agent.pk}/coaching": ('id="ask"', 'name="quick"'),
        f"/coach/sessions/{alone.pk}": ('id="ask"', 'name="quick"'),
        f"/agents/{agent.pk}": ("talk to it",),
    }
    for path, there in paths.items():
        page = text(client.get(path))
        assert [way for way in ways if way in page] == [way for way in ways if way in there], path

    switch(client, agent, on=False)

    for path in paths:
        page = text(client.get(path))
        assert [way for way in ways if way in page] == [], path
        if path not in ("/conversations", f"/agents/{agent.pk}/history"):
            assert f"/agents/{agent.pk}/settings" in page, path
        if path.startswith(("/conversations/", "/coach/")) or path.endswith("/coaching"):
            assert OFF in page, path
    assert "/retry" not in text(client.get(f"/coach/turns/{stopped.pk}", headers=PARTIAL))


def test_off_refuses_questions_at_every_address_and_stores_none(session, agent, owner, script, signed_in):
    client = signed_in(owner)
    stopped = sessions.stop(sessions.ask(session, by=owner, text="What went wrong?"), by=owner)
    switch(client, agent, on=False)

    talks.conversation(agent)
    answer = client.post(reverse("agent-set", args=[agent.pk]), follow=True)
    assert OFF in text(answer), answer.status_code
    for path in (f"/conversations/{session.conversation_id}/ask", f"/agents/{agent.pk}/coaching/ask"):
        answer = client.post(path, {"text": "And why?"})
        assert (answer.status_code, OFF in text(answer)) == (409, True)
        assert client.post(path, {"text": "And why?"}, headers=PARTIAL).status_code == 409
    assert OFF in text(client.post(f"/coach/turns/{stopped.pk}/retry", follow=True))
    for path, sent in (
        ("/coach/sessions", {"agent": str(agent.pk)}),
        (f"/coach/sessions/{session.pk}/messages", {"text": "And why?"}),
        (f"/coach/sessions/{session.pk}/turns/{stopped.pk}/retry", {}),
    ):
        status, _ = problem(script.send(path, sent))
        assert (status, OFF in script.send(path, sent).json()["detail"]) == (409, True), path

    assert (Session.objects.count(), Turn.objects.count(), Message.objects.count()) == (1, 1, 1)


def test_waiting_question_ends_as_stopped_with_a_sentence_and_can_be_asked_again_later(
    session, agent, owner, signed_in
):
    client, path = signed_in(owner), f"/conversations/{session.conversation_id}"
    waiting = sessions.ask(session, by=owner, text="What went wrong?")
    switch(client, agent, on=False)

    answered = talks.answer(waiting)

    assert (answered.turn.state, answered.turn.error) == ("stopped", turns.SWITCHED_OFF)
    page = text(client.get(path))
    assert turns.SWITCHED_OFF in page
    assert "/retry" not in page
    switch(client, agent, on=True)
    assert f"/coach/turns/{waiting.pk}/retry" in text(client.get(path))
    client.post(f"/coach/turns/{waiting.pk}/retry")
    assert talks.answer(Turn.objects.get(retry_of=waiting)).turn.state == "done"


def test_everything_is_kept_while_it_is_off_and_there_again_when_it_is_on(session, agent, owner, script, signed_in):
    client = signed_in(owner)
    memory, procedure = factories.memory(agent, owner), factories.procedure(agent, owner)
    talks.ask(session, "Add a memory that parcels are collected at noon.")
    proposal = Proposal.objects.get()
    before = text(client.get(f"/conversations/{session.conversation_id}"))
    switch(client, agent, on=False)

    assert memory.summary in text(client.get(f"/agents/{agent.pk}/memory"))
    assert procedure.name in text(client.get(f"/agents/{agent.pk}/procedures"))
    assert proposal.title in text(client.get("/proposals"))
    assert script.read(f"/coach/sessions/{session.pk}").json()["turns"][0]["state"] == "done"
    off = text(client.get(f"/conversations/{session.conversation_id}"))
    assert "parcels are collected at noon" in off
    assert client.post(f"/proposals/{proposal.pk}/approve").status_code == 302  # what was proposed can still be decided
    assert Memory.objects.filter(agent=agent).count() == 2
    assert StoredTranscript.objects.count() == 1

    switch(client, agent, on=True)
    again = text(client.get(f"/conversations/{session.conversation_id}"))
    assert 'id="ask"' in again
    assert again.count('class="exchange"') == before.count('class="exchange"') == 1
