"""A talk about several conversations: how it is begun, what the coach is told of it, what its page shows."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone

from coaching.actions import flags, samples, sessions
from coaching.models import Session
from helpdesk.models import Rating
from tests import factories
from tests.calls import Script, problem
from tests.coaching import talks
from tests.coaching.test_tools import refused, tools

pytestmark = pytest.mark.django_db
PATTERN = "Is this a pattern?"


@pytest.fixture(autouse=True)
def _no_key(settings):
    settings.ANTHROPIC_API_KEY = ""


def rated(agent, score, said=talks.PARCEL, **fields):
    row = talks.conversation(agent, said, **fields)
    Rating.objects.create(
        workspace=agent.workspace, conversation=row, agent=agent, value="1", scale="stars5",
        score_hundredths=score * 100, rated_at=row.closed_at,
    )  # fmt: skip
    return row


@pytest.fixture
def leader(owner):
    browser = Client()
    browser.force_login(owner.user)
    return browser


# Beginning


def test_a_set_keeps_its_order_and_names_itself(agent, owner):
    rows = [talks.conversation(agent) for _ in range(3)]
    chosen = [rows[2], rows[0], rows[1], rows[0]]

    session = sessions.start(agent, by=owner, conversations=chosen, about="3 conversations: low ratings")

    assert sessions.members([session])[session.pk] == [rows[2].pk, rows[0].pk, rows[1].pk]
    assert (session.conversation, session.about) == (None, "3 conversations: low ratings")
    assert sessions.start(agent, by=owner, conversations=rows).about == "3 conversations"


def test_a_set_of_one_is_that_conversation(agent, owner):
    row = talks.conversation(agent)

    session = sessions.start(agent, by=owner, conversations=[row], about="1 sample")

    assert (session.conversation, session.about) == (row, "")
    assert sessions.members([session])[session.pk] == [row.pk]


def test_a_set_that_cannot_be_is_refused(agent, owner, workspace, stranger):
    own = [factories.conversation(agent) for _ in range(51)]
    others = factories.conversation(factories.ai_agent(workspace))
    foreign = factories.conversation(factories.ai_agent(stranger.workspace))

    for given in (own, [own[0], others], [own[0], foreign], [others]):
        with pytest.raises(ValidationError):
            sessions.start(agent, by=owner, conversations=given)
    with pytest.raises(ValidationError):
        sessions.start(agent, by=owner, conversation=own[0], conversations=own[1:3])
    assert not Session.objects.exists()
    assert sessions.start(agent, by=owner, conversations=own[:50]).about == "50 conversations"


def test_the_api_takes_and_tells_a_set(agent, owner, workspace):
    script = Script(owner)
    rows = [str(talks.conversation(agent).pk) for _ in range(2)]
    others = str(factories.conversation(factories.ai_agent(workspace)).pk)

    def start(**fields):
        return script.send("/coach/sessions", {"agent": str(agent.pk), **fields})

    made = start(conversations=rows)
    assert made.status_code == 201
    told = made.json()
    assert (told["conversations"], told["conversation"], told["about"]) == (rows, None, "2 conversations")
    assert script.read("/coach/sessions").json()["items"][0]["conversations"] == rows
    assert start(conversation=rows[0]).json()["conversations"] == rows[:1]
    assert start().json()["conversations"] == []
    for fields, answer in (
        ({"conversations": [rows[0], others]}, (400, ["conversations"])),
        ({"conversations": ["0" * 8 + "-0000-4000-8000-" + "0" * 12]}, (404, ["conversations"])),
        ({"conversations": ["x"]}, (400, ["conversations.0"])),
        ({"conversations": rows * 26}, (400, ["conversations"])),
        ({"conversations": rows, "conversation": rows[0]}, (400, ["conversations"])),
        ({"conversations": rows[0]}, (400, ["conversations"])),
    ):
        status, errors = problem(start(**fields))
        assert (fields, status, list(errors)) == (fields, *answer)


# What the coach is told


def test_the_tools_list_the_set_by_the_numbers_of_the_page(agent, owner):
    rows = [rated(agent, score) for score in (75, 0, 25)]
    outside = rated(agent, 0)
    session = sessions.start(agent, by=owner, conversations=rows)
    toolbox = tools(session)

    listed = toolbox.call("find_conversations", {"in_session": True}).value

    assert [(each["number"], each["conversation"]) for each in listed["items"]] == [
        (1, str(rows[0].pk)), (2, str(rows[1].pk)), (3, str(rows[2].pk)),
    ]  # fmt: skip
    low = toolbox.call("find_conversations", {"in_session": True, "score_below": 50}).value
    assert ([each["number"] for each in low["items"]], low["total"]) == ([2, 3], 2)
    assert toolbox.call("find_conversations", {}).value["total"] == 4
    assert "several conversations" in refused(toolbox, "read_conversation")
    assert toolbox.call("read_conversation", {"conversation": str(outside.pk)}).value["turn_count"] == 7
    rows[0].delete()
    left = toolbox.call("find_conversations", {"in_session": True}).value
    assert [each["conversation"] for each in left["items"]] == [str(rows[1].pk), str(rows[2].pk)]


def test_evidence_of_a_set_names_its_conversation(agent, owner):
    rows = [talks.conversation(agent) for _ in range(2)]
    toolbox = tools(sessions.start(agent, by=owner, conversations=rows))
    memory = {"summary": "Parcels are followed by number.", "text": "See the mail.", "rationale": "Asked twice."}
    quote = {"turn": 4, "quote": talks.PARCEL[4][1]}

    assert "several conversations" in refused(toolbox, "propose_memory_entry_create", **memory, evidence=[quote])
    evidence = [{**quote, "conversation": str(row.pk)} for row in rows]
    assert toolbox.call("propose_memory_entry_create", {**memory, "evidence": evidence}).proposal


def test_in_session_is_refused_where_the_talk_is_about_nothing(agent, owner):
    words = refused(tools(sessions.start(agent, by=owner)), "find_conversations", in_session=True)

    assert "no conversations" in words


# The practice model


def test_the_practice_model_counts_over_the_set(agent, owner):
    loud = [("customer", "Where is my parcel with the blue lamp?"), *talks.PARCEL[1:]]
    quiet = [("customer", "Thank you for the quick help."), ("agent", "You are welcome.")]
    rows = [rated(agent, 0, loud), rated(agent, 100, quiet), rated(agent, 25, loud), factories.conversation(agent)]
    session = sessions.start(agent, by=owner, conversations=rows, about="4 conversations")

    answered = talks.ask(session, PATTERN)

    for fact in (
        "over these 4 conversations",
        "Rated: 3 of the 4, on average 42 of 100.",
        "Rated below 50 of 100: in 2 of the 4 (numbers 1, 3).",
        "I could read 3 of the 4.",
        "had to repeat a request: in 2 of the 3 (numbers 1, 3).",
        "A tool answered with an error: in 2 of the 3 (numbers 1, 3).",
        "The customer had the last word: in 2 of the 3 (numbers 1, 3).",
        "is a judgement, and I make none",
    ):
        assert fact in answered.text
    assert answered.proposals == []
    for question in ("What went wrong most often?", "What do they have in common?", "How can the agent improve?"):
        assert "in 2 of the 4 (numbers 1, 3)" in talks.ask(session, question).text


# Pages


def test_the_filter_of_the_history_begins_a_talk_about_what_it_finds(leader, agent, workspace):
    for score in (0, 25, 100):
        rated(agent, score)
    rated(factories.ai_agent(workspace), 0)

    shown = leader.get(f"/agents/{agent.pk}/history?score=low").content.decode()
    assert "Ask the coach about these 2" in shown
    begun = leader.post(f"/agents/{agent.pk}/coaching/set?score=low", follow=True)

    session = Session.objects.get()
    page = begun.content.decode()
    assert session.about == "2 conversations: low ratings"
    assert "2 conversations: low ratings" in page
    assert page.count('id="in-set-') == 2
    assert "What do they have in common?" in page
    assert "Ask about these conversations" in page
    assert "2 conversations: low ratings</a>" in leader.get(f"/agents/{agent.pk}/coaching").content.decode()
    assert Rating.objects.get(conversation=sessions.members([session])[session.pk][0]).score == 0


def test_of_more_than_fifty_the_newest_are_taken_and_the_words_say_so(leader, agent):
    closed = [timezone.now() - timedelta(days=day + 1) for day in range(55)]
    rows = [factories.conversation(agent, opened_at=at, closed_at=at) for at in closed]

    assert "the newest 50 of these" in leader.get(f"/agents/{agent.pk}/history").content.decode()
    leader.post(f"/agents/{agent.pk}/coaching/set")

    session = Session.objects.get()
    assert session.about == "the newest 50 of 55 conversations"
    assert sessions.members([session])[session.pk] == [row.pk for row in rows[:50]]


def test_the_samples_of_a_flag_are_asked_about_at_once(leader, agent, owner):
    flag = flags.raise_manual(agent, by=owner, reason="Look.")
    for _ in range(2):
        sample = samples.pin(talks.conversation(agent), by=owner)
        type(sample).objects.filter(pk=sample.pk).update(flag=flag)

    assert "is this a pattern?" in leader.get(f"/flags/{flag.pk}").content.decode()
    leader.post(f"/flags/{flag.pk}/ask", {"quick": PATTERN})

    session = Session.objects.get()
    day = flag.opened_on
    assert session.about == f"2 samples of the flag of {day.day} {day:%b %Y}"
    assert [m.text for m in session.messages.all()] == [PATTERN]
    leader.post(f"/agents/{agent.pk}/coaching/set?flagged=1", {"quick": "Approve everything."})
    assert Session.objects.get(about="2 conversations: samples").turns_asked == 0


def test_a_set_without_conversations_or_without_a_coach_begins_nothing(leader, agent, workspace):
    empty = leader.post(f"/agents/{agent.pk}/coaching/set?score=low", follow=True)
    assert "no conversation to ask about" in empty.content.decode()
    off = factories.ai_agent(workspace, coaching=False)
    for _ in range(2):
        factories.conversation(off)
    assert "Ask the coach" not in leader.get(f"/agents/{off.pk}/history").content.decode()
    assert "switched off" in leader.post(f"/agents/{off.pk}/coaching/set", follow=True).content.decode()
    assert not Session.objects.exists()
