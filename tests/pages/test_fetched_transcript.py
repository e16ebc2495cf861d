"""The page of a conversation that is in a helpdesk: its frame at once, its turns by a fragment, and no copy anywhere."""

import pytest

from coaching.coach.evidence import find_quote
from coaching.models import Proposal
from helpdesk.actions import connections
from tests import factories
from tests.calls import Script
from tests.desks import server
from tests.desks.server import serving
from tests.desks.world import Person, World, talk
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected

pytestmark = pytest.mark.django_db(transaction=True)
FRAGMENT = {"HX-Request-Type": "partial"}
WORDS = "It is on its way, number 1."


@pytest.fixture
def desk():
    world = World([Person("11", "Ada", "ada@desk.example")])
    world.add(talk(1))
    with serving(Zendesk(world)) as served:
        yield served


@pytest.fixture
def connection(desk, owner, settings):
    return connected(desk, owner, settings)


@pytest.fixture
def conversation(agent, connection):
    return factories.conversation(agent, source=connection.source, external_id="1001")


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def test_frame_comes_without_a_call_and_asks_for_the_turns(client, conversation, desk):
    html = client.get(f"/conversations/{conversation.pk}?turn=1&turn=0").content.decode()

    assert desk.asked == []
    assert WORDS not in html
    assert f'hx-get="/conversations/{conversation.pk}/transcript?turn=0&amp;turn=1" hx-trigger="load"' in html
    assert "transcript=1" in html.partition("<noscript>")[2]


def test_turns_come_by_the_fragment_as_they_are_and_are_not_kept(client, conversation):
    response = client.get(f"/conversations/{conversation.pk}/transcript?turn=1", headers=FRAGMENT)

    html = response.content.decode()
    assert WORDS in html
    assert "Internal: look at order" not in html
    assert 'value="1" form="ask" aria-label="Ask about turn 1" checked' in html
    assert "<html" not in html
    assert "no-store" in response["Cache-Control"]


def test_without_scripts_a_link_reads_the_whole_page(client, conversation):
    led_on = client.get(f"/conversations/{conversation.pk}/transcript")
    response = client.get(led_on["Location"])

    assert WORDS in response.content.decode()
    assert "no-store" in response["Cache-Control"]


def test_api_gives_the_turns_and_forbids_keeping_them(owner, conversation):
    response = Script(owner).read(f"/conversations/{conversation.pk}/transcript")

    assert WORDS in [turn["text"] for turn in response.json()["items"]]
    assert response["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("weather", "said"),
    [
        (server.web_page, "Zendesk answered with a web page instead of data. Is the address right?"),
        (server.status(404), "has no such conversation any more."),
        (server.status(401), "Zendesk does not accept the credentials (401)."),
        (server.status(429, retry_after="60"), "Zendesk asks to be called less often."),
    ],
)
def test_what_goes_wrong_is_said_with_a_way_on(client, conversation, desk, weather, said):
    desk.weather = [server.Weather(weather, times=9)]

    html = client.get(f"/conversations/{conversation.pk}/transcript", headers=FRAGMENT).content.decode()

    assert said in html
    assert "Try again" in html
    assert 'class="transcript"' not in html


def test_paused_connection_says_so_at_once(client, conversation, connection, owner, desk):
    connections.pause(connection, by=owner)

    html = client.get(f"/conversations/{conversation.pk}").content.decode()

    assert "and that connection is paused." in html
    assert 'hx-trigger="load"' not in html
    assert desk.asked == []


def test_conversation_of_a_person_is_read_too(client, connection, workspace):
    conversation = factories.conversation(factories.human(workspace), source=connection.source, external_id="1001")

    html = client.get(f"/conversations/{conversation.pk}/transcript", headers=FRAGMENT).content.decode()

    assert WORDS in html
    assert 'name="turn"' not in html


def test_quote_of_a_proposal_is_marked_in_the_turns(client, conversation, agent, owner):
    session = factories.session(agent, owner, conversation=conversation)
    found = find_quote({1: WORDS}, "on its way", 1)
    stored = {
        "conversation": str(conversation.pk),
        "turn": 1,
        "start": found.start,
        "end": found.end,
        "sha256": found.sha256,
    }
    proposal = factories.proposal(agent, session=session)
    Proposal.objects.filter(pk=proposal.pk).update(evidence=[stored])
    client.post(f"/conversations/{conversation.pk}/ask", {"text": "Why?", "session": str(session.pk)})
    turn = session.turns.get()
    Proposal.objects.filter(pk=proposal.pk).update(turn=turn)

    html = client.get(
        f"/conversations/{conversation.pk}/transcript?session={session.pk}", headers=FRAGMENT
    ).content.decode()

    assert f'<mark class="turn-quote"><a href="#proposal-{proposal.pk}">on its way</a></mark>' in html


def test_transcript_of_another_workspace_does_not_exist(conversation, signed_in, stranger, desk):
    response = signed_in(stranger).get(f"/conversations/{conversation.pk}/transcript", headers=FRAGMENT)

    assert response.status_code == 404
    assert desk.asked == []
