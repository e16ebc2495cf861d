"""What a note's foot says of the ratings since: for every verdict a line, for leaders only."""

from datetime import date, datetime, time, timedelta
from html.parser import HTMLParser

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from coaching.actions import notes
from coaching.models import Note, NoteEffect
from coaching.pages import since_note
from tests import factories

pytestmark = pytest.mark.django_db

ON = date(2026, 3, 2)
NOW = datetime(2026, 4, 15, 9)
MEASURED = {
    "verdict": "unclear", "weeks": 6, "n_before": 90, "n_after": 38, "n_controls": 40, "basis": "controls", "observed": 86.1,
    "expected": 84.7, "change": 1.4, "low": -2.2, "high": 5.1, "dip": 6.2, "size": 10.0, "more": 33,
}  # fmt: skip


@pytest.fixture(autouse=True)
def april(workspace):
    with time_machine.travel(NOW.replace(tzinfo=workspace.zone), tick=False), timezone.override(workspace.zone):
        yield


def note_on(agent, by, on=ON, **fields):
    note = notes.write(agent, by=by, body="We went through three of your calls.", **fields)
    at = datetime.combine(on, time(12), agent.workspace.zone)
    Note.objects.filter(pk=note.pk).update(created_at=at)
    return Note.objects.get(pk=note.pk)


def measured(note, **result):
    NoteEffect.objects.create(workspace=note.workspace, note=note, day=ON + timedelta(days=42), result=result)
    return note


def line(note):
    return since_note.of(note).words


def since(change, within, verdict):
    return f"Since then {change} against what was to be expected, range {within}, 38 ratings: {verdict}."


class Text(HTMLParser):
    """The words of a page, without its markup."""

    def __init__(self, page):
        super().__init__()
        self.words = []
        self.feed(page)

    def handle_data(self, data):
        self.words += data.split()

    def __contains__(self, words):
        return words in " ".join(self.words)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, since("+1.4", "−2 to +5", "cannot tell yet; about 40 more ratings would show a change of 10 points")),
        (
            {"more": 260},
            since(
                "+1.4",
                "−2 to +5",
                "cannot tell; a change of 10 points would take about 300 more ratings, more than come in 12 weeks",
            ),
        ),
        ({"more": None}, since("+1.4", "−2 to +5", "cannot tell, and more ratings would not settle it")),
        ({"weeks": 12}, since("+1.4", "−2 to +5", "cannot tell, and the 12 weeks are over")),
        (
            {"verdict": "better", "change": 9.0, "low": 1.2, "high": 17.0},
            since("+9.0", "+1 to +17", "better than expected"),
        ),
        (
            {"verdict": "worse", "change": -9.0, "low": -17.0, "high": -1.2},
            since("−9.0", "−17 to −1", "worse than expected"),
        ),
        ({"verdict": "same", "more": 0}, since("+1.4", "−2 to +5", "no difference seen, within ±5")),
        ({"verdict": "same", "more": 0, "high": 25.0}, since("+1.4", "−2 to +25", "nothing seen beyond the rebound")),
        (
            {"verdict": "few_before", "n_before": 12, "change": None},
            "Nothing to compare with: 12 ratings in the 13 weeks before, too few to know the usual level.",
        ),
        ({"verdict": "few_after", "n_after": 3, "change": None}, "3 ratings since then: too few to tell yet."),
        (
            {"verdict": "few_after", "n_after": 0, "weeks": 12, "change": None},
            "0 ratings in the 12 weeks since: too few to tell.",
        ),
    ],
)
def test_every_verdict_has_its_line(workspace, owner, change, said):
    note = measured(note_on(factories.human(workspace), owner), **MEASURED | change)
    assert line(note) == said


def test_a_change_that_rounds_to_a_limit_of_nothing_is_not_told_as_nothing(workspace, owner):
    note = measured(
        note_on(factories.human(workspace), owner), **MEASURED | {"verdict": "better", "low": 0.3, "high": 9.0}
    )
    assert "range +0.3 to +9.0," in line(note)


def test_what_stands_behind_says_where_the_expectation_comes_from(workspace, owner):
    agent = factories.human(workspace)
    by_controls = since_note.of(measured(note_on(agent, owner), **MEASURED)).behind
    alone = since_note.of(measured(note_on(agent, owner), **MEASURED | {"basis": "own", "n_controls": 0})).behind
    assert (
        by_controls[0]
        == "Before the note: 90 ratings in 13 weeks, the last 4 weeks 6 points lower than the 9 before them."
    )
    assert "40 others without a note" in by_controls[1]
    assert "all of it, and none" in alone[1]
    assert by_controls[2] == "Expected 84.7 %, came 86.1 %."


def test_a_young_note_says_when_it_is_looked_at_and_an_old_one_nothing(workspace, owner):
    agent = factories.human(workspace)
    assert line(note_on(agent, owner, on=date(2026, 4, 10))) == "The ratings since are looked at from 25 Apr on."
    assert since_note.of(note_on(agent, owner, on=date(2025, 4, 10))) is None


def test_a_note_that_was_put_away_says_nothing(workspace, owner):
    note = measured(note_on(factories.human(workspace), owner), **MEASURED)
    notes.archive(note, by=owner)
    assert since_note.of(note) is None


def test_a_later_note_of_a_spell_names_the_first(workspace, owner):
    note = measured(note_on(factories.human(workspace), owner), verdict="part", first="x", since="2026-02-20")
    assert line(note) == "Part of the coaching that began with the note of 20 Feb, and measured there."


def test_leaders_see_it_in_the_drawer_and_the_agent_does_not(workspace, owner, signed_in):
    agent = factories.human(workspace)
    measured(note_on(agent, owner, shared_with_agent=True), **MEASURED)
    linked = factories.member(workspace, agent=agent)
    leader, theirs = (Text(signed_in(one).get(f"/team/{agent.pk}").content.decode()) for one in (owner, linked))
    assert "cannot tell yet; about 40 more ratings would show a change of 10 points" in leader
    assert "How this is measured" in leader
    assert "We went through three of your calls." in theirs
    assert "Since then" not in theirs
    assert "what was to be expected" not in theirs


def test_the_drawer_asks_no_query_for_each_note(workspace, owner, signed_in):
    agent = factories.human(workspace)
    client = signed_in(owner)

    def queries():
        with CaptureQueriesContext(connection) as asked:
            client.get(f"/team/{agent.pk}")
        return len(asked)

    measured(note_on(agent, owner), **MEASURED)
    queries()
    one = queries()
    for _ in range(4):
        measured(note_on(agent, owner), **MEASURED)
    note_on(agent, owner)
    assert queries() == one


def test_how_it_is_measured_is_a_page(owner, linked_member, signed_in):
    page = Text(signed_in(owner).get("/help/after-coaching").content.decode())
    assert "How often it is wrong" in page
    assert signed_in(linked_member).get("/help/after-coaching").status_code == 403
