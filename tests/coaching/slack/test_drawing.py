"""What a post looks like now: every state of an answer, a proposal and a flag, read from the rows."""

from datetime import UTC, date, datetime, timedelta

import pytest
import time_machine
from django.utils import timezone

from agents import actions as configuration
from agents.models import Configuration, Door
from coaching.actions import changes, flags, proposals, sessions
from coaching.actions.slack import posts
from coaching.coach import turns
from coaching.coach.evidence import find_quote
from coaching.models import Agenda, Proposal, SlackPolicy, SlackPost, SlackThread, Turn
from coaching.slack import bodies
from coaching.slack.drawing import draw
from helpdesk.actions import record_ratings
from helpdesk.models import StoredTranscript
from memories import actions as memories
from tests import factories
from tests.coaching import talks
from tests.coaching.slack.test_blocks import buttons, inline, problems
from tests.factories import ratings

pytestmark = pytest.mark.django_db

ABOUT = "Where is my parcel with the blue lamp?"
EVIDENCE = {
    "day": "2026-05-20", "since": "2026-04-16", "weeks": 5, "weeks_rated": 5, "weeks_below": 4, "ratings": 38, "observed": 77.5,
    "expected": 90.0, "own_level": 91.0, "past_weeks": 21, "peers": "team", "peers_ratings": 80, "drop": 12.0, "rarity": 150,
    "holds_without_worst": True,
}  # fmt: skip


@pytest.fixture
def public(settings):
    settings.PUBLIC_URL = "https://coach.example"


@pytest.fixture
def ana(db):
    return factories.owner(factories.workspace(time_zone="Europe/Berlin"), name="Ana")


@pytest.fixture
def nova(ana, public):
    return factories.ai_agent(ana.workspace, name="Nova")


@pytest.fixture
def trigger(nova):
    return factories.slack_trigger(factories.slack_connection(nova.workspace), nova)


@pytest.fixture
def memory(nova, ana):
    return factories.memory(nova, ana)


def drawn(proposal):
    """(the state, the one message) of the proposal's post."""
    drawing = draw(SlackPost.objects.get(proposal=proposal))
    [piece] = drawing.pieces
    assert problems(piece) == []
    return drawing.drawn, piece


def update_of(memory, **fields):
    change = {"summary": "Refunds within 14 days are processed automatically."}
    return factories.proposal(
        memory.agent, type="memory_entry_update", target_id=memory.pk, **({"change": change} | fields)
    )


def can_be_decided(piece):
    return [name for name, _ in buttons(piece)] == ["proposal_approve", "proposal_reject", "proposal_open"]


def can_only_be_opened(piece, proposal):
    return buttons(piece) == [("proposal_open", f"https://coach.example/proposals/{proposal.pk}")]


# --- Proposals ---------------------------------------------------------------------------------------------------------


def test_a_proposal_that_waits_is_told_whole_and_can_be_decided(trigger, memory):
    proposal = update_of(memory)

    state, piece = drawn(proposal)

    assert state == "pending"
    assert can_be_decided(piece)
    assert piece.text == (
        "Memory update · Nova\n"
        "Refunds within 14 days are processed automatically.\n\nThe customer had to ask twice.\n\n"
        "Evidence\n• Asked for in the talk, in the leader’s own words\n"
        "Summary\n"
        "− Refunds within 30 days are processed automatically.\n+ Refunds within 14 days are processed automatically.\n"
        "Proposed by Nova (coach) · would be version 2"
    )


def test_a_new_memory_is_told_by_what_comes(trigger, nova):
    proposal = factories.proposal(
        nova, change={"summary": "Parcels wait 14 days.", "expires_at": datetime(2030, 5, 1, 10, tzinfo=UTC)}
    )

    _, piece = drawn(proposal)

    assert "Summary\n+ Parcels wait 14 days." in piece.text
    assert "Served until\n+ 1 May 2030, 12:00" in piece.text  # the workspace's clock


def test_one_whose_target_moved_on_says_so_and_can_only_be_opened(trigger, memory, ana):
    proposal = update_of(memory)
    memories.revise(memory, changes={"text": "Ask a colleague."}, base_version=1, by=ana, door=Door.PAGE)

    state, piece = drawn(proposal)

    assert state == "pending stale"
    assert "The memory changed after this was proposed (version 1 → 2). Open it to bring it up to date." in piece.text
    assert can_only_be_opened(piece, proposal)


def test_one_whose_target_was_removed_says_so(trigger, memory, ana):
    proposal = update_of(memory)
    configuration.remove(memory, base_version=1, by=ana, door=Door.PAGE)

    state, piece = drawn(proposal)

    assert state == "pending stale, gone"
    assert "The memory was removed after this was proposed." in piece.text
    assert can_only_be_opened(piece, proposal)


@time_machine.travel(datetime(2026, 11, 20, 9, 42, tzinfo=UTC), tick=False)
def test_an_approved_one_says_by_whom_from_where_and_as_which_version(trigger, memory, ana):
    proposal = update_of(memory)
    proposals.approve(proposal, by=ana, door=Door.PAGE)

    state, piece = drawn(proposal)

    assert state == "approved"
    assert piece.text.endswith("Approved by Ana from the dashboard, version 2 (20 Nov 2026, 10:42).")
    assert can_only_be_opened(piece, proposal)


@time_machine.travel(datetime(2026, 11, 20, 9, 42, tzinfo=UTC), tick=False)
def test_one_that_was_edited_before_it_was_approved_shows_what_was_applied(trigger, memory, ana):
    proposal = update_of(memory)
    proposals.approve(
        proposal, by=ana, door=Door.API, change={"summary": "Refunds within 7 days are automatic."}, note="Shorter."
    )

    _, piece = drawn(proposal)

    assert "+ Refunds within 7 days are automatic." in piece.text
    assert "14 days" not in piece.text.split("Summary")[1]
    assert piece.text.endswith("from the API, version 2, edited before approving (20 Nov 2026, 10:42). “Shorter.”")


@time_machine.travel(datetime(2026, 11, 20, 9, 42, tzinfo=UTC), tick=False)
def test_a_removal_says_what_is_taken_out(trigger, memory, ana):
    proposal = factories.proposal(memory.agent, type="memory_entry_delete", target_id=memory.pk, change={})
    assert "− Refunds within 30 days are processed automatically." in drawn(proposal)[1].text

    proposals.approve(proposal, by=ana, door=Door.SLACK)

    assert "from Slack" in drawn(proposal)[1].text
    assert drawn(proposal)[1].text.endswith(", taken out (20 Nov 2026, 10:42).")


def test_a_rejected_one_says_why(trigger, memory, ana):
    proposal = update_of(memory)
    proposals.reject(proposal, by=ana, door=Door.SLACK, reason="Not <!here> yet.")

    state, piece = drawn(proposal)

    assert state == "rejected"
    assert piece.text.endswith("“Not &lt;!here&gt; yet.”")
    assert can_only_be_opened(piece, proposal)


def test_a_superseded_one_leads_to_its_successor(trigger, memory):
    old = update_of(memory)
    new = update_of(memory, replaces=old)

    state, piece = drawn(old)

    assert state == "superseded"
    assert {"type": "link", "url": f"https://coach.example/proposals/{new.pk}", "text": "Open the newer one"} in inline(
        piece
    )
    assert can_only_be_opened(piece, old)


def test_one_that_was_brought_up_to_date_says_by_whom(trigger, memory, ana):
    old = update_of(memory)
    memories.revise(memory, changes={"text": "Ask a colleague."}, base_version=1, by=ana, door=Door.PAGE)
    proposals.rebase(old, by=ana, door=Door.PAGE)

    assert "Brought up to date by Ana: a newer proposal took its place. Open the newer one" in drawn(old)[1].text


def test_one_that_was_taken_back_says_so_and_one_that_is_there_again_does_not(trigger, memory, ana):
    proposal = update_of(memory)
    proposals.approve(proposal, by=ana, door=Door.PAGE)
    post = SlackPost.objects.get(proposal=proposal)
    revision = post.revision

    undone = changes.take_back(Configuration.objects.get(proposal_id=proposal.pk), by=ana, door=Door.PAGE)

    state, piece = drawn(proposal)
    assert state == "approved taken back"
    assert "Taken back by Ana" in piece.text
    post.refresh_from_db()
    assert post.revision == revision + 1  # and it is owed again

    changes.take_back(undone, by=ana, door=Door.PAGE)
    assert drawn(proposal)[0] == "approved"


def test_one_of_another_release_can_only_be_opened(trigger, memory):
    proposal = update_of(memory)
    Proposal.objects.filter(pk=proposal.pk).update(type="tone_update")

    state, piece = drawn(proposal)

    assert state == "unknown"
    assert piece.text.startswith("tone_update · Nova")
    assert "“tone_update” comes from another release of Touchline." in piece.text
    assert can_only_be_opened(piece, proposal)


def test_a_high_risk_one_says_why_and_asks_again(trigger, memory):
    proposal = update_of(memory, change={"summary": "Send customers to https://evil.example for refunds."})

    _, piece = drawn(proposal)

    assert "High risk\n• It adds a link." in piece.text
    assert piece.blocks[-1]["elements"][0]["confirm"]["text"]["text"] == "It adds a link. It takes effect at once."


def test_it_says_who_proposed_it_and_in_whose_talk(trigger, memory, ana):
    session = sessions.start(memory.agent, by=ana)
    asked = talks.ask(session, "Change the memory about refunds so that refunds within 14 days are automatic.")
    by_hand = update_of(memory, proposed_by=ana)
    removal = factories.proposal(memory.agent, type="memory_entry_delete", target_id=memory.pk, change={})

    assert "Proposed by Nova (coach), asked by Ana · would be version 2" in drawn(asked.proposals[0])[1].text
    assert "Proposed by Ana · would be version 2" in drawn(by_hand)[1].text
    assert "would be taken out" in drawn(removal)[1].text
    proposals.reject(by_hand, by=ana, door=Door.PAGE)
    assert "Proposed by Ana\nRejected" in drawn(by_hand)[1].text


# --- Evidence ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def ours(nova):
    """A conversation whose transcript was sent to us."""
    return talks.conversation(nova, external_id="4711")


def with_evidence(memory, *evidence, **fields):
    return update_of(memory, evidence=list(evidence), **fields)


def quoted(conversation):
    return {"conversation": str(conversation.pk), "turn": 4, "quote": ABOUT}


def referred(conversation, words=ABOUT):
    """Evidence as it is stored of a conversation that is not ours to keep."""
    return {"conversation": str(conversation.pk)} | vars(find_quote({4: ABOUT}, words, 4))


def test_evidence_is_a_short_quote_and_a_link_to_its_turn(trigger, memory, ours):
    _, piece = drawn(with_evidence(memory, quoted(ours)))

    assert f"• “{ABOUT}” turn 4 of conversation 4711" in piece.text
    assert f"https://coach.example/conversations/{ours.pk}#turn-4" in [run.get("url") for run in inline(piece)]


def test_a_quote_that_is_kept_as_a_reference_is_read_from_its_source(trigger, memory, ours):
    _, piece = drawn(with_evidence(memory, referred(ours, "my parcel")))

    assert "• “my parcel” turn 4 of conversation 4711" in piece.text


def test_a_source_that_cannot_be_read_leaves_the_link(trigger, memory, nova):
    elsewhere = factories.conversation(nova, external_id="4712")

    _, piece = drawn(with_evidence(memory, referred(elsewhere)))

    assert "• turn 4 of conversation 4712" in piece.text


def test_no_quote_goes_to_slack_where_the_workspace_wants_none(trigger, memory, ours):
    SlackPolicy.objects.create(workspace=memory.agent.workspace, quotes=False)
    proposal = with_evidence(
        memory, quoted(ours), rationale=f"The customer asked “{ABOUT}” twice.\n\n> {ABOUT}\n\nSo it is."
    )

    _, piece = drawn(proposal)

    assert "parcel" not in str(vars(piece))
    assert "• turn 4 of conversation 4711" in piece.text
    assert "The customer asked “…” twice." in piece.text


def test_a_decided_one_shows_no_quote_any_more(trigger, memory, ours, ana):
    proposal = with_evidence(memory, quoted(ours))
    proposals.reject(proposal, by=ana, door=Door.PAGE)

    _, piece = drawn(proposal)

    assert "parcel" not in piece.text
    assert "• turn 4 of conversation 4711" in piece.text


def test_evidence_of_another_workspace_is_not_told(trigger, memory, stranger):
    theirs = talks.conversation(factories.ai_agent(stranger.workspace), external_id="theirs")

    _, piece = drawn(with_evidence(memory, quoted(theirs)))

    assert "• turn 4 of a conversation that is not there any more" in piece.text
    assert "parcel" not in piece.text
    assert "theirs" not in piece.text


def test_evidence_that_points_nowhere_is_told_so(trigger, memory):
    proposal = update_of(memory)
    Proposal.objects.filter(pk=proposal.pk).update(evidence=[{"conversation": "gone", "turn": 3}, "?"])

    assert "• turn 3 of a conversation that is not there any more\nSummary" in drawn(proposal)[1].text


def test_a_rationale_holds_no_run_of_a_conversation(trigger, memory, ours):
    said = talks.PARCEL[0][1]

    _, piece = drawn(with_evidence(memory, quoted(ours), rationale=f"They wrote: {said} So change it."))

    assert "They wrote: [turn 0]. So change it." in piece.text


# --- Answers -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def session(nova, ana):
    return sessions.start(nova, by=ana)


def answer_post(trigger, turn):
    thread, _ = SlackThread.objects.get_or_create(
        workspace=turn.workspace, connection=trigger.connection, trigger=trigger, channel_id=trigger.channel_id,
        thread_ts="1700000000.000100", session=turn.session,
    )  # fmt: skip
    return SlackPost.objects.create(
        workspace=turn.workspace, connection=trigger.connection, channel_id=trigger.channel_id, kind=SlackPost.Kind.ANSWER,
        turn=turn, thread=thread, asked_ts=f"1700000000.{turn.number:06}",
    )  # fmt: skip


def told(post):
    drawing = draw(post)
    assert problems(*drawing.pieces) == []
    return drawing, "\n\n".join(piece.text for piece in drawing.pieces)


def test_a_question_that_waits_says_so_and_what_it_waits_for(trigger, session, ana):
    first, second = (sessions.ask(session, by=ana, text=text) for text in ("One?", "Two?"))

    drawing, words = told(answer_post(trigger, first))
    assert (drawing.drawn, drawing.is_moving, words) == ("queued", True, "Waiting for the coach …")
    assert told(answer_post(trigger, second))[1] == "Waits its turn: the coach answers the question before it first."
    with time_machine.travel(timezone.now() + timedelta(seconds=11)):
        assert "has not started yet" in told(SlackPost.objects.get(turn=first))[1]


def test_an_answer_on_its_way_is_told_as_far_as_it_is(trigger, session, ana):
    post = answer_post(trigger, sessions.ask(session, by=ana, text="Why?"))
    turn = sessions.claim(post.turn_id)
    assert told(post)[1] == "The coach is at work …"

    sessions.tell(turn, "tool", name="read_prompt", ok=True)
    assert told(post)[1] == "Reads the prompt …"
    sessions.tell(turn, "text", text="The prompt says ")
    sessions.tell(turn, "text", text="nothing of it.")

    drawing, words = told(post)
    assert (drawing.drawn, drawing.is_moving) == ("running", True)
    assert words == "The prompt says nothing of it.\nWrites the answer …"


def test_an_answer_that_is_done_moves_no_more_and_suggests_what_to_ask(trigger, ours, ana):
    session = sessions.start(ours.agent, by=ana, conversation=ours)
    post = answer_post(trigger, sessions.ask(session, by=ana, text="What went wrong?"))
    turns.run(sessions.claim(post.turn_id))

    drawing, words = told(post)

    assert (drawing.drawn, drawing.is_moving) == ("done", False)
    assert words.startswith("Practice model: ")
    assert "You could ask next:\n• " in words
    assert "Ask next" not in words
    assert words.endswith("Answered by the practice model: no model is connected.")


def finished(trigger, session, ana, said, state=Turn.State.DONE, error=""):
    post = answer_post(trigger, sessions.ask(session, by=ana, text="Why?"))
    turn = sessions.claim(post.turn_id)
    sessions.tell(turn, "text", text=said)
    sessions.finish(turn, state, text=said, error=error)
    return post


def test_one_that_failed_says_why_and_leads_to_the_talk(trigger, session, ana):
    post = finished(trigger, session, ana, "So far", Turn.State.FAILED, "The model is overloaded.")

    drawing, words = told(post)

    assert (drawing.drawn, drawing.is_moving) == ("failed", False)
    assert words == "So far\nThe model is overloaded. Open the talk to try again"
    assert f"https://coach.example/coach/sessions/{session.pk}" in [run.get("url") for run in inline(*drawing.pieces)]


def test_one_that_was_stopped_keeps_what_it_said(trigger, session, ana):
    post = finished(trigger, session, ana, "So far", Turn.State.STOPPED)

    assert told(post)[1].startswith("So far\nStopped. What it had said and proposed until then is kept.")


def test_a_long_answer_is_several_messages(trigger, session, ana):
    post = finished(trigger, session, ana, "The customer asked again.\n\n" * 500)

    assert len(draw(post).pieces) == 2
    assert len(draw(post, short=True).pieces) > 2


def test_an_answer_about_a_conversation_of_ours_copies_no_run_of_it(trigger, ours, ana):
    session = sessions.start(ours.agent, by=ana, conversation=ours)
    post = finished(trigger, session, ana, f"It begins: {talks.PARCEL[0][1]} Then it goes on.")

    assert told(post)[1] == "It begins: [turn 0]. Then it goes on."


def test_an_answer_quotes_nothing_where_the_workspace_wants_no_quotes(trigger, session, ana):
    SlackPolicy.objects.create(workspace=session.workspace, quotes=False)
    post = answer_post(trigger, sessions.ask(session, by=ana, text="Why?"))
    turn = sessions.claim(post.turn_id)
    sessions.tell(turn, "text", text="They said “where is my blue lamp” and “no”, then “but you promised me")

    assert told(post)[1].startswith("They said “…” and “no”, then “…”")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("They said “where is\nmy blue lamp” twice.", "They said “…” twice."),
        ('They said "where is my blue lamp" and "no".', 'They said “…” and "no".'),
        ("Sie sagten „wo ist meine blaue Lampe“ und “where is my blue lamp”.", "Sie sagten “…” und “…”."),
        ("« où est ma lampe bleue »", "“…”"),
        (
            "A mark “ that nobody closes here.\n\nThe rest stays.",
            "A mark “ that nobody closes here.\n\nThe rest stays.",
        ),
        ("> where is it\n> now\n\nSo it is.", "“…”\n\nSo it is."),
        ("Nothing is quoted.", "Nothing is quoted."),
    ],
)
def test_quotes_are_left_out_whatever_marks_they_have(text, shown):
    assert bodies.for_slack(text, about=[], quotes=False) == shown
    assert bodies.for_slack(text, about=[], quotes=True) == text


# --- Flags ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def sarah(ana, public):
    sarah = factories.human(ana.workspace, name="Sarah")
    for week in range(8):
        day = date(2026, 5, 20) - timedelta(days=7 * week)
        record_ratings(ana.workspace, [ratings.good_or_bad(sarah, day, good=week > 3 and n > 0) for n in range(3)])
    return sarah


@pytest.fixture
def flags_channel(ana):
    connection = factories.slack_connection(ana.workspace)
    SlackPolicy.objects.create(workspace=ana.workspace, flags_connection=connection, flags_channel_id="C1")


def flag_drawn(flag):
    drawing = draw(SlackPost.objects.get(flag=flag))
    if drawing.is_waiting:
        return drawing.drawn, None
    [piece] = drawing.pieces
    assert problems(piece) == []
    return drawing.drawn, piece


@time_machine.travel(datetime(2026, 5, 20, 9, tzinfo=UTC), tick=False)
def test_a_flag_waits_for_the_summaries_of_its_samples(sarah, flags_channel):
    flag = flags.raise_flag(sarah, EVIDENCE)

    assert flag_drawn(flag) == ("waiting", None)
    assert not Agenda.objects.exists()
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        state, piece = flag_drawn(flag)
    assert state == "open"
    assert "For your 1:1" in piece.text


@time_machine.travel(datetime(2026, 5, 20, 9, tzinfo=UTC), tick=False)
def test_a_flag_tells_its_sentence_its_weeks_and_its_agenda(sarah, flags_channel):
    flag = flags.raise_flag(sarah, EVIDENCE)
    flag.samples.update(summary_state="metadata", summary="A conversation.", next_try_at=None)

    state, piece = flag_drawn(flag)

    assert state == "open"
    assert piece.text.startswith("Coach Sarah this week\nIn the last 5 weeks Sarah’s 38 ratings average 78 %;")
    assert "CSAT by week\n• Week of 26 Mar: 67 % from 3 ratings, 91 % expected" in piece.text
    assert (
        "• Week of 14 May: 0 % from 3 ratings, 90 % expected\nFor your 1:1\n1. Look at the ratings together: 38"
        in piece.text
    )
    assert "Raised by itself, 20 May 2026, 11:00 · Agenda from the numbers alone: no model wrote it" in piece.text
    assert buttons(piece) == [("flag_open", f"https://coach.example/team/{sarah.pk}")]
    assert str(vars(piece)).count("<") == 0


def test_the_agenda_is_drafted_once(sarah, flags_channel, ana):
    flag = flags.raise_manual(sarah, by=ana, reason="Many complaints.")

    first, second = flag_drawn(flag), flag_drawn(flag)

    assert first == second
    assert Agenda.objects.get().flag == flag


def test_a_flag_by_hand_says_by_whom_and_one_that_is_dismissed_says_no_reason(sarah, flags_channel, ana):
    flag = flags.raise_manual(sarah, by=ana, reason="Many complaints.")
    _, piece = flag_drawn(flag)
    assert "Many complaints." in piece.text
    assert "Raised by Ana" in piece.text

    flags.mark_coached(flag, by=ana)
    assert flag_drawn(flag)[0] == "open coached"
    assert "Coached by Ana" in flag_drawn(flag)[1].text
    flags.dismiss(flag, by=ana, reason="She was ill.")

    state, piece = flag_drawn(flag)
    assert state == "dismissed coached"
    assert piece.text.startswith("Sarah\nDismissed by Ana, ")
    assert "ill" not in piece.text.replace("will", "")
    assert "For your 1:1" not in piece.text


def test_a_flag_by_webhook_has_a_link_in_place_of_a_button(sarah, ana):
    flag = flags.raise_manual(sarah, by=ana, reason="Many complaints.")
    SlackPost.objects.create(workspace=ana.workspace, kind=SlackPost.Kind.FLAG, flag=flag)

    _, piece = flag_drawn(flag)

    assert buttons(piece) == []
    assert inline(piece)[-1] == {"type": "link", "url": f"https://coach.example/team/{sarah.pk}", "text": "Open"}


def test_a_flag_that_cleared_says_so_and_drafts_nothing(sarah, flags_channel):
    flag = flags.raise_flag(sarah, EVIDENCE)
    flags.clear(flag, {"day": "2026-06-20", "n28": 12, "rate28": 88.0, "needed": 86.0, "scale": ""})

    state, piece = flag_drawn(flag)

    assert state == "cleared"
    assert piece.text.startswith("Sarah\nCleared on 20 June 2026: the 12 ratings of the last 4 weeks average 88 %")
    assert not Agenda.objects.exists()


def test_transcripts_are_never_read_for_a_flag(sarah, flags_channel, ana, django_assert_num_queries):
    flag = flags.raise_manual(sarah, by=ana, reason="Many complaints.")
    post = SlackPost.objects.get(flag=flag)
    draw(post)

    with django_assert_num_queries(3) as asked:
        draw(post)
    assert not any(StoredTranscript._meta.db_table in query["sql"] for query in asked.captured_queries)


@pytest.mark.parametrize("became", ["moved on", "gone", "unknown"])
def test_what_is_drawn_of_one_that_cannot_be_approved_is_not_owed_again_and_again(trigger, memory, ana, became):
    proposal = update_of(memory)
    if became == "moved on":
        memories.revise(memory, changes={"text": "Ask a colleague."}, base_version=1, by=ana, door=Door.PAGE)
    elif became == "gone":
        configuration.remove(memory, base_version=1, by=ana, door=Door.PAGE)
    else:
        Proposal.objects.filter(pk=proposal.pk).update(type="tone_update", base_version=99)
    shown = SlackPost.objects.filter(proposal=proposal)

    shown.update(drawn="pending", state=SlackPost.State.POSTED, next_try_at=None)
    assert posts.redraw_stale() == 1

    shown.update(drawn=drawn(proposal)[0], next_try_at=None)
    assert posts.redraw_stale() == 0
