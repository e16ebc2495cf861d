"""The talk with the coach while it happens: cut and refused streams, two who watch, stop, keyboard, sign-out."""

import asyncio
import re

import pytest
from django.db import connections
from playwright.sync_api import expect

from coaching.actions import sessions
from coaching.coach.tools import Toolbox
from coaching.models import Proposal, Turn, TurnEvent
from coaching.talks import streams
from coaching.texts.verbatim import Guard
from config.asgi import application
from memories.models import Memory
from tests import factories
from tests.browser.test_loop import FACT, card, say, work
from tests.browser.test_team import assert_accessible
from tests.coaching import talks
from tests.serving import serving

CUT_AFTER = 500  # bytes


def is_stream(scope):
    return scope["type"] == "http" and scope["path"].endswith("/stream")


async def cutting(scope, receive, send):
    """Ends every stream after some bytes, most often in the middle of an event."""
    if not is_stream(scope):
        return await application(scope, receive, send)
    left, over = CUT_AFTER, asyncio.Event()

    async def heard():
        gone = [asyncio.ensure_future(over.wait()), asyncio.ensure_future(receive())]
        done, _ = await asyncio.wait(gone, return_when=asyncio.FIRST_COMPLETED)
        gone[1].cancel()
        return {"type": "http.disconnect"} if gone[0] in done else gone[1].result()

    async def told(message):
        nonlocal left
        if over.is_set():
            return
        if message["type"] == "http.response.body":
            message = {**message, "body": message["body"][:left]}
            left -= len(message["body"])
            if left == 0:
                message["more_body"] = False
                over.set()
        await send(message)

    await application(scope, heard, told)


async def refusing(scope, receive, send):
    """Answers no stream, as a proxy may that knows none."""
    if not is_stream(scope):
        return await application(scope, receive, send)
    await send({"type": "http.response.start", "status": 503, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"no"})


@pytest.fixture
def address(transactional_db, request):
    with serving(getattr(request, "param", application)) as (host, port):
        yield f"http://{host}:{port}"
    connections.close_all()


@pytest.fixture
def owner(transactional_db):
    return factories.owner(factories.workspace())


@pytest.fixture
def admin(owner):
    return factories.member(owner.workspace, "admin")


@pytest.fixture
def assistant(owner):
    return factories.ai_agent(owner.workspace, name="Refunds assistant")


@pytest.fixture
def session(assistant, owner):
    return factories.session(assistant, owner, conversation=talks.conversation(assistant))


def running(session, text="What went wrong?"):
    """A turn that a worker has begun."""
    return sessions.claim(sessions.ask(session, by=session.started_by, text=text).pk)


def write(turn, text):
    sessions.append_event(turn, TurnEvent.Type.TEXT, text=text)


def propose(turn, summary="Say that the parcel cannot be found."):
    evidence = [{"turn": 5, "quote": "It is on its way."}]
    change = {"summary": summary, "text": "Never guess.", "rationale": "It guessed.", "evidence": evidence}
    toolbox = Toolbox(turn, guard=Guard(), proposal_limit=9)
    made = toolbox.call("propose_memory_entry_create", change)
    sessions.append_event(turn, TurnEvent.Type.TOOL, name="propose_memory_entry_create", ok=True)
    sessions.append_event(turn, TurnEvent.Type.PROPOSAL, proposal=made.proposal)
    return Proposal.objects.get(pk=made.proposal)


def show(page, session):
    page.goto(f"/conversations/{session.conversation_id}?session={session.pk}")


def growing(page):
    return page.locator(".said-growing")


def forgive(page, *words):
    """What the browser itself says about answers that the test provoked is no complaint about the page."""
    page.complaints[:] = [one for one in page.complaints if not any(word in one for word in words)]


@pytest.mark.parametrize("address", [cutting], indirect=True)
def test_answer_whose_stream_is_cut_again_and_again_arrives_whole(session, owner, sign_in):
    page, turn = sign_in(owner), running(session)
    show(page, session)
    pieces = [f"piece {number}, " for number in range(30)]

    for piece in pieces[:15]:
        write(turn, piece)
    expect(growing(page)).to_have_text("".join(pieces[:15]).strip(), timeout=15_000)
    for piece in pieces[15:]:
        write(turn, piece)
    expect(growing(page)).to_have_text("".join(pieces).strip(), timeout=15_000)
    sessions.finish(turn, Turn.State.DONE, text="".join(pieces))

    expect(page.locator(".said.prose")).to_have_text("".join(pieces).strip())
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()


@pytest.mark.parametrize("address", [refusing], indirect=True)
def test_page_asks_again_and_again_where_there_is_no_stream(session, owner, sign_in):
    page, turn = sign_in(owner), running(session)
    show(page, session)
    write(turn, "Half an ")
    expect(growing(page)).to_have_text("Half an")

    write(turn, "answer.")
    expect(growing(page)).to_have_text("Half an answer.")
    sessions.finish(turn, Turn.State.DONE, text="Half an answer.")

    expect(page.locator(".said.prose")).to_have_text("Half an answer.")
    forgive(page, "503")


def test_two_who_watch_see_the_same_and_lose_nothing_they_type(session, owner, admin, sign_in):
    hers, his = sign_in(owner), sign_in(admin)
    for page in (hers, his):
        show(page, session)

    say(hers, "What went wrong?")
    expect(his.locator(".asked")).to_contain_text("What went wrong?")
    turn = sessions.claim(Turn.objects.get().pk)
    sessions.append_event(turn, TurnEvent.Type.TOOL, name="read_conversation", ok=True)
    for page in (hers, his):
        expect(page.locator(".working-words")).to_have_text("Reads the conversation …")
    write(turn, "It **guessed**.")
    first, second = propose(turn), propose(turn, "Look the order up before you say where it is.")
    for page in (hers, his):
        expect(page.locator(".said")).to_contain_text("It guessed.")
        expect(page.locator(".proposal-card")).to_have_count(2)

    mine = his.locator(f"#proposal-{second.pk}")
    mine.get_by_text("Reject…").click()
    mine.get_by_label("Why not?").fill("It does that al")
    hers.locator(f"#proposal-{first.pk}").get_by_role("button", name="Approve").click()
    expect(his.locator(f"#proposal-{first.pk}")).to_contain_text(f"Approved by {owner.display_name}")
    sessions.finish(turn, Turn.State.DONE, text="It **guessed**.")
    expect(his.locator(".coach-working")).to_be_hidden()

    expect(mine.get_by_label("Why not?")).to_be_focused()
    his.keyboard.type("ready.")
    expect(mine.get_by_label("Why not?")).to_have_value("It does that already.")
    his.keyboard.press("Escape")
    expect(mine.get_by_text("Reject…")).to_be_focused()
    assert Memory.objects.count() == 1


def test_running_answer_is_stopped_and_what_it_said_is_kept(session, owner, sign_in):
    page, turn = sign_in(owner), running(session)
    show(page, session)
    write(turn, "Half an ")
    expect(growing(page)).to_have_text("Half an")

    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_text("Stopping …")).to_be_visible()
    write(turn, "answer")
    turn.refresh_from_db()
    assert turn.stop_asked_at is not None
    sessions.finish(turn, Turn.State.STOPPED, text="Half an answer")

    expect(page.get_by_text("Stopped. What it had said")).to_be_visible()
    expect(page.locator(".said")).to_have_text("Half an answer")
    expect(page.get_by_role("button", name="Retry")).to_be_visible()


def test_second_question_waits_its_turn(session, owner, sign_in):
    page, turn = sign_in(owner), running(session)
    show(page, session)

    say(page, "And how can the agent improve?")
    expect(page.get_by_text("Waits its turn")).to_be_visible()
    expect(page.get_by_label("Your question to the coach")).to_have_value("")
    sessions.finish(turn, Turn.State.DONE, text="It guessed.")
    work()

    expect(page.locator(".coach-working")).to_have_count(0)
    expect(page.locator(".exchange")).to_have_count(2)


def test_next_question_is_typed_while_the_one_before_is_on_its_way(session, owner, sign_in):
    page = sign_in(owner)
    show(page, session)
    question = page.get_by_label("Your question to the coach")
    on_their_way = []
    page.route("**/ask", lambda route: on_their_way.append(route))

    with page.expect_request("**/ask"):
        say(page, "What went wrong?")
    question.fill("And how can the agent improve?")
    on_their_way.pop().continue_()

    expect(page.locator(".asked")).to_contain_text("What went wrong?")
    expect(page.locator(".coach-working")).to_have_count(1)
    expect(question).to_have_value("And how can the agent improve?")


def tab_to(page, wanted):
    """Walk by Tab until `wanted` has the focus."""
    for _ in range(80):
        if wanted.evaluate("one => one === document.activeElement"):
            return
        page.keyboard.press("Tab")
    pytest.fail("the keyboard does not lead there")


def test_keyboard_alone_leads_from_the_question_to_the_approval(session, owner, sign_in):
    page = sign_in(owner)
    show(page, session)
    tab_to(page, page.get_by_label("Your question to the coach"))
    page.keyboard.type(f"Add a memory that {FACT}")
    page.keyboard.press("Control+Enter")
    expect(page.get_by_text("Waiting for the coach")).to_be_visible()
    work()
    expect(card(page)).to_be_visible()

    page.get_by_role("log").focus()  # where the talk is read from; Tab goes on from there
    tab_to(page, card(page).get_by_role("button", name="Approve"))
    page.keyboard.press("Enter")

    expect(card(page)).to_contain_text("Approved by")
    assert Memory.objects.get().summary == FACT


def test_signed_out_meanwhile_leads_to_signing_in_and_back(session, owner, sign_in, monkeypatch):
    monkeypatch.setattr(streams, "LONGEST", 1)
    page = sign_in(owner)
    show(page, session)
    page.get_by_label("Your question to the coach").fill("What I was about to")

    page.context.clear_cookies()
    expect(page.get_by_text("You were signed out meanwhile.")).to_be_visible()
    page.get_by_label("Email").fill(owner.user.email)
    page.get_by_label("Password").fill(factories.PASSWORD)
    page.get_by_role("button", name="Sign in").click()

    expect(page).to_have_url(re.compile(rf"/conversations/{session.conversation_id}\?session={session.pk}"))
    expect(page.get_by_label("Your question to the coach")).to_have_value("What I was about to")
    forgive(page, "text/html")


def test_talk_is_accessible_while_it_grows_after_it_and_when_it_failed(session, owner, sign_in):
    page, turn = sign_in(owner), running(session)
    show(page, session)
    write(turn, "It guessed.")
    propose(turn)
    expect(page.locator(".proposal-card")).to_be_visible()
    write(turn, "And more")
    expect(growing(page)).to_have_text("And more")
    assert_accessible(page)

    usage = {"inputTokens": 2900, "outputTokens": 210, "rounds": 2, "model": "scripted", "latencyMs": 4210}
    sessions.finish(turn, Turn.State.DONE, text="It guessed.And more", usage=usage)
    expect(page.get_by_role("status").filter(has_text="The coach has answered. It made 1 proposal.")).to_have_count(1)
    page.get_by_text("3.1k tokens").click()
    expect(page.locator(".cost")).to_contain_text("Output tokens210")
    assert_accessible(page)

    work_done = running(session, "And then?")
    sessions.finish(work_done, Turn.State.DONE, text="Nothing.", usage={"inputTokens": 700, "outputTokens": 30})
    expect(page.locator(".cost")).to_contain_text("730 tokens")
    failed = running(session, "Why?")
    sessions.finish(failed, Turn.State.FAILED, error="The model is busy. Press Retry in a minute.")
    expect(page.get_by_text("The model is busy.")).to_be_visible()
    page.get_by_text("Sessions ▾").click()
    expect(page.locator(".session-first")).to_have_text("What went wrong?")
    assert_accessible(page)
