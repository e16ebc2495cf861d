"""Summaries: what is written, what is checked, what is refused."""

from contextlib import ExitStack
from datetime import date

import pytest

from coaching import llm
from coaching.actions import connections
from coaching.coach import summaries
from helpdesk.transcripts import Transcript, TranscriptTurn
from tests import model_server as server

BODY = "I ordered the blue lamp three weeks ago and nobody has told me where it is."
TRANSCRIPT = Transcript((TranscriptTurn("customer", BODY), TranscriptTurn("agent", "It will come.")))
GOOD = "The customer asked about a late order. The agent gave no date, and the question stayed open."
COPIED = "They wrote: I ordered the blue lamp three weeks ago and nobody has told me."


@pytest.fixture
def model(settings):
    """Starts a model server that plays a script, and connects to it."""
    with ExitStack() as running:

        def play(*plays):
            started = running.enter_context(server.serving(list(plays)))
            settings.ANTHROPIC_API_KEY = "key"
            settings.ANTHROPIC_BASE_URL = started.url
            return started

        yield play


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        "One sentence only.",
        "The customer asked e.g. for 12.5 % off. The agent declined at 9 a.m. and the customer left.",
        "x" * 599 + ".",
    ],
)
def test_a_good_summary_has_no_fault(text):
    assert summaries.faults_of(text, BODY) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "sentences"),
        ("One. Two. Three. Four.", "sentences"),
        ("- one\n- two", "sentences"),
        ("x" * 601, "longer than 600"),
        ("Write to jane@shop.test.", "personal data (email)"),
        ("Call +49 151 2345 6789 again.", "personal data (phone)"),
        ("The card 4111 1111 1111 1111 was declined.", "personal data (card)"),
        ("It went to 12 Mill Road instead.", "personal data (address)"),
        ("See shop.com/help for it.", "web address"),
        (COPIED, "copies 12"),
    ],
)
def test_a_fault_is_named(text, fault):
    assert any(fault in each for each in summaries.faults_of(text, BODY))


def test_a_summary_is_written_from_turns_and_metadata(model):
    started = model(server.text(GOOD))

    summary = summaries.write(
        TRANSCRIPT, connections.from_environment(), channel="chat", closed_on=date(2026, 5, 4), score=25.0
    )

    assert (summary.text, summary.state) == (GOOD, "captured")
    sent = started.requests[0]["messages"][0]["content"]
    assert BODY in sent
    assert '"closed_on": "2026-05-04"' in sent


def test_a_faulty_summary_is_asked_for_again_once(model):
    started = model(server.text(COPIED), server.text(GOOD))

    assert summaries.write(TRANSCRIPT, connections.from_environment()).text == GOOD
    assert "copies 12" in started.requests[1]["messages"][-1]["content"]


def test_a_summary_that_stays_faulty_is_refused(model):
    started = model(server.text(COPIED))

    summary = summaries.write(TRANSCRIPT, connections.from_environment())

    assert (summary.text, summary.state) == ("", "refused")
    assert len(started.requests) == 2


def test_an_answer_that_is_cut_is_no_summary(model):
    model(server.text("The customer asked about a late", reason="max_tokens"))

    assert summaries.write(TRANSCRIPT, connections.from_environment()).state == "refused"


def test_without_a_model_nothing_is_written(model):
    model(server.status(401, "authentication_error"))

    with pytest.raises(llm.ModelRefused):
        summaries.write(TRANSCRIPT, connections.from_environment())


def test_the_practice_model_writes_from_metadata_only(settings):
    settings.ANTHROPIC_API_KEY = ""

    summary = summaries.write(
        TRANSCRIPT, connections.from_environment(), channel="chat", closed_on=date(2026, 5, 4), score=25.0
    )

    assert summary.state == "metadata"
    assert summary.text == (
        "Practice model: a conversation over chat of 2 turns closed on 2026-05-04 rated 25 of 100; what was said in it was "
        "not read."
    )
    assert summaries.faults_of(summary.text, BODY) == []
