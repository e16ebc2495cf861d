"""The conversation page and the talk with the coach: transcript, questions, answers as they grow, decisions in the talk."""

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from agents.models import Agent
from coaching import tasks
from coaching.actions import flags, notes, samples, sessions
from coaching.models import Message, Session, Turn, TurnEvent
from coaching.pages import talk as talk_page
from coaching.templatetags.prose import prose
from helpdesk import deeplinks
from memories import actions as memories
from memories.models import Memory
from tests import factories
from tests.coaching import talks
from tests.pages.test_agent import queries, text

PARTIAL = {"HX-Request-Type": "partial"}
FACT = "Refunds within 30 days are processed automatically."


@pytest.fixture
def talk(agent):
    return talks.conversation(agent)


@pytest.fixture
def session(agent, owner, talk):
    return factories.session(agent, owner, conversation=talk)


# --- Who sees what ----------------------------------------------------------------------------------------------------


def test_conversation_exists_for_leaders_only(talk, agent, admin, linked_member, unlinked_member, stranger, signed_in):
    path = f"/conversations/{talk.pk}"

    assert signed_in(admin).get(path).status_code == 200
    for somebody in (linked_member, unlinked_member, stranger):
        assert signed_in(somebody).get(path).status_code == 404
        assert signed_in(somebody).post(f"{path}/ask", {"text": "What went wrong?"}).status_code == 404
    assert Client().get(path).status_code == 302
    assert not Session.objects.exists()


def test_members_own_conversation_is_hidden_from_them_and_the_list_refused(linked_member, signed_in):
    conversation = factories.conversation(linked_member.agent)
    client = signed_in(linked_member)

    assert client.get(f"/conversations/{conversation.pk}").status_code == 404
    assert client.get("/conversations").status_code == 403


@pytest.mark.parametrize("act", ["", "/stop", "/retry"])
def test_turns_and_sessions_are_hidden_from_strangers_and_members(
    act, session, owner, stranger, unlinked_member, signed_in
):
    turn = sessions.ask(session, by=owner, text="What went wrong?")

    for somebody in (stranger, unlinked_member):
        client = signed_in(somebody)
        answer = client.post if act else client.get
        assert answer(f"/coach/turns/{turn.pk}{act}").status_code == 404
        assert client.get(f"/coach/sessions/{session.pk}").status_code == 404


def test_session_of_another_conversation_is_not_shown_here(session, agent, owner, signed_in):
    other = talks.conversation(agent)

    assert signed_in(owner).get(f"/conversations/{other.pk}?session={session.pk}").status_code == 404
    answer = signed_in(owner).post(f"/conversations/{other.pk}/ask", {"session": session.pk, "text": "Hello?"})
    assert answer.status_code == 404
    assert signed_in(owner).get(f"/conversations/{other.pk}?session=nonsense").status_code == 404


# --- The transcript ---------------------------------------------------------------------------------------------------


def test_transcript_shows_every_turn_as_text_and_is_never_stored(owner, agent, signed_in):
    said = [("customer", "<b>Hello</b>\nwho is there?"), ("tool", '{"found": false}'), ("agent", "مرحبا 👋")]
    page = signed_in(owner).get(f"/conversations/{talks.conversation(agent, said).pk}")

    assert "no-store" in page.headers["Cache-Control"]
    assert "&lt;b&gt;Hello&lt;/b&gt;" in page.content.decode()
    assert [line.label for line in page.context["page"].lines] == ["Customer", "Tool", "Agent"]
    assert (
        '<details class="turn-tool"><summary><bdi>{&quot;found&quot;: false}</bdi></summary>' in page.content.decode()
    )


def test_conversation_without_a_transcript_says_why_and_shows_the_rest(agent, owner, signed_in):
    page = signed_in(owner).get(f"/conversations/{factories.conversation(agent, source='desk').pk}")

    assert "There is no transcript to read here" in text(page)
    assert "no helpdesk of that name is connected" in text(page)


def test_conversation_of_a_person_has_no_coach(owner, signed_in):
    person = factories.human(owner.workspace)
    conversation = factories.conversation(person)
    client = signed_in(owner)

    assert client.get(f"/conversations/{conversation.pk}").context["page"].panel is None
    assert client.post(f"/conversations/{conversation.pk}/ask", {"text": "Hello?"}).status_code == 409


def test_page_takes_as_many_queries_for_a_long_talk_as_for_a_short_one(session, talk, owner, signed_in):
    client, path = signed_in(owner), f"/conversations/{talk.pk}"
    talks.ask(session, f"Add a memory that {FACT}")
    few = queries(client, path)
    for number in range(4):
        talks.ask(session, f"Add a memory that parcels of size {number} are collected at noon.")

    assert queries(client, path) == few


# --- Asking -----------------------------------------------------------------------------------------------------------


def test_looking_starts_no_session_and_the_first_question_does(talk, owner, signed_in):
    client = signed_in(owner)
    client.get(f"/conversations/{talk.pk}")
    assert not Session.objects.exists()

    answer = client.post(f"/conversations/{talk.pk}/ask", {"quick": "What went wrong?", "turn": ["5", "2"], "text": ""})

    session = Session.objects.get()
    assert answer.url == f"/conversations/{talk.pk}?session={session.pk}#coach-end"
    question = Message.objects.get()
    assert (question.text, question.focus) == ("What went wrong?", [2, 5])
    assert Turn.objects.get().state == "queued"


def test_neighbouring_turns_of_a_question_are_one_chip_from_three_on(session, talk, owner, signed_in):
    sessions.ask(session, by=owner, text="Why?", focus=[0, 1, 2, 4, 5])

    shown = text(signed_in(owner).get(f"/conversations/{talk.pk}"))

    chips = re.findall(r'<a class="chip" href="#turn-(\d)" data-turn-link="\d">([^<]+)</a>', shown)
    assert chips == [("0", "turns 0–2"), ("4", "turn 4"), ("5", "turn 5")]


def test_question_that_cannot_be_stored_is_refused_whole(talk, owner, signed_in):
    refused = signed_in(owner).post(f"/conversations/{talk.pk}/ask", {"text": "What\0 went wrong?"})

    assert refused.status_code == 400
    assert not Session.objects.exists()


def test_second_question_goes_into_the_session_on_the_page(session, talk, owner, signed_in):
    signed_in(owner).post(f"/conversations/{talk.pk}/ask", {"session": session.pk, "text": "What went wrong?"})

    assert Turn.objects.get().session == session


def test_quick_prompt_leaves_what_was_typed_in_the_composer(talk, owner, signed_in):
    typed = {"quick": "What went wrong?", "text": "And then I wanted to say"}

    answer = signed_in(owner).post(f"/conversations/{talk.pk}/ask", typed, headers=PARTIAL)

    assert Message.objects.get().text == "What went wrong?"
    assert "And then I wanted to say</textarea>" in text(answer)


def test_question_over_htmx_brings_the_panel_and_the_address(talk, owner, signed_in):
    answer = signed_in(owner).post(f"/conversations/{talk.pk}/ask", {"text": "What went wrong?"}, headers=PARTIAL)

    assert answer.headers["HX-Replace-Url"] == f"/conversations/{talk.pk}?session={Session.objects.get().pk}"
    assert answer.content.decode().lstrip().startswith("<aside")
    assert f'data-stream="/coach/sessions/{Session.objects.get().pk}/stream?as_of=' in answer.content.decode()


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"text": "   "}, "Ask the coach something."),
        ({"text": "Why?", "turn": "99"}, "The conversation has no turn 99."),
    ],
)
@pytest.mark.parametrize("headers", [{}, PARTIAL])
def test_refused_question_says_why_keeps_the_words_and_starts_nothing(headers, typed, words, talk, owner, signed_in):
    answer = signed_in(owner).post(f"/conversations/{talk.pk}/ask", typed, headers=headers)

    assert answer.status_code == 400
    assert words in text(answer)
    assert typed["text"].strip() in text(answer)
    assert not Session.objects.exists()


def test_coach_that_was_switched_off_meanwhile_answers_so(talk, agent, owner, signed_in):
    Agent.objects.filter(pk=agent.pk).update(coaching=False)

    answer = signed_in(owner).post(f"/conversations/{talk.pk}/ask", {"text": "What went wrong?"})

    assert answer.status_code == 409
    assert "Coaching is switched off" in text(answer)


def test_agents_coach_is_asked_without_a_conversation(agent, owner, signed_in):
    client = signed_in(owner)

    answer = client.post(f"/agents/{agent.pk}/coaching/ask", {"text": f"Add a memory that {FACT}"})

    session = Session.objects.get(conversation=None)
    assert answer.url == f"/coach/sessions/{session.pk}#coach-end"
    talks.answer(Turn.objects.get())
    page = text(client.get(f"/coach/sessions/{session.pk}"))
    assert FACT in page
    assert "Asked for in the talk, in the leader’s own words." in page


def test_earlier_talks_are_listed_and_a_new_one_can_begin(session, talk, owner, signed_in):
    talks.ask(session, "What went wrong?")
    client = signed_in(owner)

    assert client.get(f"/conversations/{talk.pk}").context["page"].panel.session == session
    fresh = client.get(f"/conversations/{talk.pk}?new=1").context["page"].panel
    assert (fresh.session, fresh.sessions) == (None, [session])


# --- The answer -------------------------------------------------------------------------------------------------------


def test_page_gets_what_is_new_and_nothing_where_nothing_is(session, owner, signed_in):
    client, turn = signed_in(owner), sessions.ask(session, by=owner, text="What went wrong?")
    path = f"/coach/turns/{turn.pk}"
    assert client.get(f"{path}?after=0&state=queued", headers=PARTIAL).status_code == 204

    turn = sessions.claim(turn.pk)
    first = client.get(f"{path}?after=0&state=queued", headers=PARTIAL)
    assert "The coach is at work" in text(first)
    event = sessions.append_event(turn, TurnEvent.Type.TEXT, text="It **guessed**")
    second = client.get(f"{path}?after=0&state=running", headers=PARTIAL)
    assert "It **guessed**</div>" in text(second)  # plain while it grows, so that a script can go on in it
    assert client.get(f"{path}?after={event.number}&state=running", headers=PARTIAL).status_code == 204

    sessions.finish(turn, Turn.State.DONE, text="It **guessed**", usage={"inputTokens": 3000, "outputTokens": 100})
    last = text(client.get(f"{path}?after={event.number}&state=running", headers=PARTIAL))
    assert "<strong>guessed</strong>" in last
    assert "data-running" not in last
    assert "3.1k tokens" in last


def test_answer_keeps_its_order_of_words_and_proposals(session, owner, signed_in):
    talks.ask(session, f"Add a memory that {FACT}")

    parts = signed_in(owner).get(f"/conversations/{session.conversation_id}").context["page"].panel.exchanges[0].parts

    assert [bool(part.card) for part in parts] == [True, False]
    assert parts[1].text.endswith("Nothing changes until somebody approves it.")


def test_what_stands_on_a_button_already_is_not_offered_a_second_time(session, owner, signed_in):
    talks.ask(session, "What went wrong?")
    answer = Message.objects.get(role="coach")
    assert answer.text.endswith("Ask next:\n- How can the agent improve?\n- Is this a pattern?")
    page = f"/conversations/{session.conversation_id}"
    assert signed_in(owner).get(page).context["page"].panel.last.suggestions == ()

    answer.text += "\n- Which tool failed?"
    answer.save()

    assert signed_in(owner).get(page).context["page"].panel.last.suggestions == ("Which tool failed?",)


def test_what_was_read_is_told(session, owner, signed_in):
    talks.ask(session, "What went wrong?")

    exchange = signed_in(owner).get(f"/conversations/{session.conversation_id}").context["page"].panel.last

    assert exchange.read == "the conversation"


def test_what_could_not_be_read_is_not_told_as_read(agent, owner, signed_in):
    session = factories.session(agent, owner)
    turn = talks.ask(session, "What went wrong?").turn
    assert {"name": "read_conversation", "ok": False} in [event.data for event in turn.events.filter(type="tool")]

    assert signed_in(owner).get(f"/coach/sessions/{session.pk}").context["panel"].last.read == ""


def test_failed_turn_shows_its_sentence_and_a_retry_asks_again(session, talk, owner, signed_in):
    turn = sessions.claim(sessions.ask(session, by=owner, text="What went wrong?", focus=[5]).pk)
    sessions.finish(turn, Turn.State.FAILED, error="The model is busy. Press Retry in a minute.")
    client = signed_in(owner)
    assert "The model is busy. Press Retry in a minute." in text(client.get(f"/conversations/{talk.pk}"))

    client.post(f"/coach/turns/{turn.pk}/retry")

    again = Turn.objects.get(number=2)
    assert (again.retry_of, again.messages.get().text, again.messages.get().focus) == (turn, "What went wrong?", [5])


def test_stop_ends_a_waiting_turn_and_a_second_stop_is_harmless(session, owner, signed_in):
    turn = sessions.ask(session, by=owner, text="What went wrong?")
    client = signed_in(owner)

    for _ in range(2):
        answer = client.post(f"/coach/turns/{turn.pk}/stop", headers=PARTIAL)
        assert "Stopped." in text(answer)
    turn.refresh_from_db()
    assert turn.state == "stopped"


def test_question_is_owed_whether_or_not_a_message_reached_a_worker(talk, owner, signed_in):
    """The test's transaction never commits, so no message is sent: the clock finds the row."""
    signed_in(owner).post(f"/conversations/{talk.pk}/ask", {"text": "What went wrong?"})

    tasks.run_turn(str(Turn.objects.due().get().pk))

    assert Turn.objects.get().state == "done"


# --- Deciding in the talk ---------------------------------------------------------------------------------------------


def made(session):
    return talks.ask(session, f"Add a memory that {FACT}").proposals[0]


def test_approval_in_the_talk_comes_through_the_chat_and_back_to_it(session, owner, signed_in):
    proposal = made(session)

    answer = signed_in(owner).post(f"/proposals/{proposal.pk}/approve", {"door": "chat"})

    proposal.refresh_from_db()
    assert (proposal.status, proposal.decided_from) == ("approved", "chat")
    assert answer.url == f"/conversations/{session.conversation_id}?session={session.pk}#proposal-{proposal.pk}"
    assert Memory.objects.get().summary == FACT


def test_card_after_a_decision_says_who_and_a_late_click_too(session, owner, admin, signed_in):
    proposal = made(session)
    path = f"/proposals/{proposal.pk}/reject"

    first = signed_in(owner).post(path, {"door": "chat", "reason": "Known."}, headers=PARTIAL)
    late = signed_in(admin).post(path, {"door": "chat"}, headers=PARTIAL)

    assert f"Rejected by {owner.display_name}" in text(first)
    assert "“Known.”" in text(first)
    assert late.status_code == 409
    assert f"This was already rejected by {owner.display_name}" in text(late)


def test_card_of_a_change_that_was_taken_back_says_so(session, owner, signed_in):
    client, proposal = signed_in(owner), made(session)

    def card():
        return re.sub(r"<[^>]+>", "", text(client.get(f"/conversations/{session.conversation_id}")))

    client.post(f"/proposals/{proposal.pk}/approve", {"door": "chat"})
    approved = "from the coach chat, as version 1 and configuration 2"
    assert f"{approved} " in card()
    assert "taken back" not in card()

    client.post(f"/proposals/{proposal.pk}/take-back", {"base_version": 1})
    assert f"{approved} · taken back just now by {owner.display_name}, as configuration 3" in card()

    client.post(f"/proposals/{proposal.pk}/take-back", {"configuration": 3})
    assert "taken back" not in card()


# --- Text of others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("**bold** and `code`", "<p><strong>bold</strong> and <code>code</code></p>\n"),
        ("# Loud", "<h3>Loud</h3>\n"),
        ("[here](javascript:alert(1))", "<p>[here](javascript:alert(1))</p>\n"),
        ("![pixel](https://evil.example/?q=secret)", "<p>![pixel](https://evil.example/?q=secret)</p>\n"),
        ("<https://evil.example>", "<p>&lt;https://evil.example&gt;</p>\n"),
        ("<img src=x onerror=alert(1)>", "<p>&lt;img src=x onerror=alert(1)&gt;</p>\n"),
        ("[a]: https://evil.example\n\n[a]", "<p>[a]: https://evil.example</p>\n<p>[a]</p>\n"),
    ],
)
def test_markdown_of_a_model_carries_no_links_pictures_or_markup(written, shown):
    assert prose(written) == shown


def test_turns_named_in_an_answer_lead_to_them_on_the_page(session, owner, signed_in):
    talks.ask(session, "What went wrong?")

    page = signed_in(owner).get(f"/conversations/{session.conversation_id}").content.decode()

    assert '<a href="#turn-0" data-turn-link="0">turn 0</a>' in page


def test_turn_in_which_the_agent_only_calls_tools_is_folded(agent, owner, signed_in):
    said = [("agent", '[calls find_order({"id": 1})]'), ("agent", "One moment. [calls find_order({})]")]

    page = signed_in(owner).get(f"/conversations/{talks.conversation(agent, said).pk}").context["page"]

    assert [line.is_folded for line in page.lines] == [True, False]


def test_conversation_links_to_its_helpdesk_where_a_pattern_is_set(agent, owner, signed_in):
    deeplinks.save(owner.workspace, source="desk", conversation_pattern="https://desk.example/t/{id}", by=owner)
    conversation = factories.conversation(agent, source="desk", external_id="a b")

    assert 'href="https://desk.example/t/a%20b"' in text(signed_in(owner).get(f"/conversations/{conversation.pk}"))


def test_poll_of_a_turn_is_cheap(session, owner, signed_in):
    client, turn = signed_in(owner), sessions.ask(session, by=owner, text="What went wrong?")

    with CaptureQueriesContext(connection) as context:
        client.get(f"/coach/turns/{turn.pk}?after=0&state=queued", headers=PARTIAL)

    assert len(context) <= 6


# --- What a new user met ----------------------------------------------------------------------------------------------


def test_question_that_no_worker_takes_up_is_said_to_wait_and_kept(session, owner, signed_in):
    turn = sessions.ask(session, by=owner, text="What went wrong?")
    client, seen = signed_in(owner), {"after": "0", "state": "queued"}
    assert client.get(f"/coach/turns/{turn.pk}", seen, headers=PARTIAL).status_code == 204

    Turn.objects.filter(pk=turn.pk).update(created_at=turn.created_at - talk_page.LATE)

    told = client.get(f"/coach/turns/{turn.pk}", seen, headers=PARTIAL)
    assert "The coach has not started yet" in text(told)
    assert "The question is kept" in text(told)
    assert 'data-state="late"' in told.content.decode()
    assert client.get(f"/coach/turns/{turn.pk}", seen | {"state": "late"}, headers=PARTIAL).status_code == 204


def test_card_whose_base_has_moved_on_leads_to_bringing_it_up_to_date(session, agent, owner, signed_in):
    memory = factories.memory(agent, owner)
    proposal = factories.proposal(
        agent, session=session, type="memory_entry_update", target_id=memory.pk, change={"summary": "Slow."},
        turn=sessions.ask(session, by=owner, text="Change it."),
    )  # fmt: skip
    memories.revise(memory, changes={"summary": "Quick."}, base_version=1, by=owner, door="page", reason="")

    page = signed_in(owner).get(f"/conversations/{session.conversation_id}").content.decode()

    assert f'href="/proposals/{proposal.pk}#rebase">Bring up to date' in page
    assert f"/proposals/{proposal.pk}/approve" not in page


def test_memory_of_one_sentence_is_shown_once_on_its_card(session, agent, owner, signed_in):
    turn = sessions.ask(session, by=owner, text="Add it.")
    factories.proposal(agent, session=session, turn=turn, change={"summary": FACT, "text": FACT})

    page = signed_in(owner).get(f"/conversations/{session.conversation_id}").content.decode()

    assert page.count(f"</span> {FACT}</p>") == 1


MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


def test_markup_in_names_memories_notes_transcripts_and_answers_is_text_everywhere(workspace, owner, signed_in):
    agent = factories.ai_agent(workspace, name=MARKUP, system_prompt=MARKUP)
    memory = factories.memory(agent, owner, summary=f"{MARKUP} one.", text=MARKUP)
    procedure = factories.procedure(agent, owner, name=MARKUP, trigger=MARKUP, content=MARKUP)
    talk = talks.conversation(agent, [("customer", MARKUP), ("tool", MARKUP), ("agent", MARKUP)], channel=MARKUP[:40])
    session = factories.session(agent, owner, conversation=talk)
    turn = sessions.ask(session, by=owner, text=MARKUP)
    change = {"summary": f"{MARKUP} two.", "text": MARKUP}
    proposal = factories.proposal(agent, session=session, turn=turn, change=change, rationale=MARKUP)
    sessions.finish(sessions.claim(turn.pk), Turn.State.DONE, text=f"{MARKUP}\n\n[a](javascript:alert(3))")
    notes.write(agent, by=owner, body=MARKUP)
    flags.raise_manual(agent, by=owner, reason=MARKUP)
    samples.pin(talk, by=owner)
    client, tabs = signed_in(owner), ("", "/history", "/memory", "/procedures", "/prompt", "/coaching", "/settings")

    for path in (
        *(f"/agents/{agent.pk}{tab}" for tab in tabs),
        f"/agents/{agent.pk}/memory/{memory.pk}",
        f"/agents/{agent.pk}/procedures/{procedure.pk}",
        "/team",
        f"/team/{agent.pk}",
        "/conversations",
        f"/conversations/{talk.pk}",
        "/proposals",
        f"/proposals/{proposal.pk}",
    ):
        page = client.get(path).content.decode()
        assert "&lt;img src=x" in page, path
        assert "<img" not in page, path
        assert "<script>" not in page, path
        assert 'href="javascript' not in page, path
