"""Ratings in: which one counts, whose it is, and the daily table beside it."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.access import NotAllowed
from agents.actions import set_external_ids
from helpdesk import actions, scales
from helpdesk.actions import Outcome
from helpdesk.models import Conversation, Rating, RatingDay
from helpdesk.rows import RatingRow, Refused
from tests import factories

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def row(agent, stars=5, *, external_id="1", rated_at=NOON, **fields):
    value = str(stars)
    score = scales.hundredths(value, "stars5")
    return RatingRow(
        **{"external_id": external_id, "agent": str(agent), "value": value, "scale": "stars5", "score": score}
        | {"rated_at": rated_at}
        | fields
    )


def record(workspace, *rows, **options):
    return actions.record_ratings(workspace, rows, **options).fates


def counting(workspace):
    return {
        rating.conversation.external_id: rating.value
        for rating in Rating.objects.counting().filter(workspace=workspace).select_related("conversation")
    }


def days(workspace):
    rows = RatingDay.objects.filter(workspace=workspace).select_related("agent")
    return {(row.agent.name, row.day.isoformat()): (row.n, row.sum_hundredths, row.sum_squares) for row in rows}


def assert_days_are_right(workspace):
    assert list(actions.check_days(workspace)) == []


@pytest.fixture
def ana(workspace):
    return factories.human(workspace, name="Ana")


@pytest.fixture
def ben(workspace):
    return factories.human(workspace, name="Ben")


def test_first_rating_is_accepted_with_its_conversation_and_day(workspace, ana):
    assert record(workspace, row(ana, 4, channel="chat")) == [Outcome.ACCEPTED]

    conversation = Conversation.objects.get()
    assert (conversation.source, conversation.external_id, conversation.agent) == ("api", "1", ana)
    assert (conversation.channel, conversation.status, conversation.closed_at) == ("chat", "closed", NOON)
    rating = Rating.objects.get()
    assert (rating.value, rating.score, rating.credit, rating.counts) == ("4", 75, "rated", True)
    assert days(workspace) == {("Ana", "2026-03-10"): (1, 7_500, 56_250_000)}


def test_same_rating_again_changes_nothing(workspace, ana):
    record(workspace, row(ana))

    assert record(workspace, row(ana), row(ana)) == [Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert Rating.objects.count() == 1
    assert days(workspace) == {("Ana", "2026-03-10"): (1, 10_000, 100_000_000)}


def test_later_rating_counts_and_earlier_one_stays(workspace, ana):
    later = NOON + timedelta(days=1)

    assert record(workspace, row(ana, 2), row(ana, 5, rated_at=later)) == [Outcome.ACCEPTED, Outcome.UPDATED]
    assert counting(workspace) == {"1": "5"}
    assert list(Rating.objects.order_by("pk").values_list("value", "counts")) == [("2", False), ("5", True)]
    assert days(workspace) == {("Ana", "2026-03-11"): (1, 10_000, 100_000_000)}


@pytest.mark.parametrize("together", [True, False])
def test_older_rating_that_comes_late_is_superseded(workspace, ana, together):
    rows = [row(ana, 5), row(ana, 1, rated_at=NOON - timedelta(days=3))]

    fates = record(workspace, *rows) if together else [record(workspace, each)[0] for each in rows]

    assert fates == [Outcome.ACCEPTED, Outcome.SUPERSEDED]
    assert counting(workspace) == {"1": "5"}
    assert_days_are_right(workspace)


@pytest.mark.parametrize("together", [True, False])
def test_of_two_at_the_same_instant_the_last_received_counts(workspace, ana, together):
    rows = [row(ana, 5), row(ana, 1), row(ana, 5)]

    fates = record(workspace, *rows) if together else [record(workspace, each)[0] for each in rows]

    assert fates == [Outcome.ACCEPTED, Outcome.UPDATED, Outcome.UNCHANGED]
    assert counting(workspace) == {"1": "1"}
    assert_days_are_right(workspace)


@pytest.mark.parametrize("together", [True, False])
def test_credit_moves_to_another_agent_and_takes_its_day_along(workspace, ana, ben, together):
    rows = [row(ana), row(ben)]

    fates = record(workspace, *rows) if together else [record(workspace, each)[0] for each in rows]

    assert fates == [Outcome.ACCEPTED, Outcome.UPDATED]
    assert Rating.objects.get().agent == ben
    assert Conversation.objects.get().agent == ben
    assert days(workspace) == {("Ben", "2026-03-10"): (1, 10_000, 100_000_000)}


def test_who_was_rated_is_surer_than_who_was_assigned(workspace, ana, ben):
    assigned, rated = row(ben, credit="assignee"), row(ana)

    assert record(workspace, assigned) == [Outcome.ACCEPTED]
    assert record(workspace, rated, assigned, rated) == [Outcome.UPDATED, Outcome.UNCHANGED, Outcome.UNCHANGED]
    assert (Rating.objects.get().agent, Rating.objects.get().credit) == (ana, "rated")
    assert list(days(workspace)) == [("Ana", "2026-03-10")]


def test_conversation_that_was_told_of_keeps_its_agent(workspace, ana, ben):
    factories.conversation(ben, source="api", external_id="1")

    record(workspace, row(ana, closed_at=None))

    assert Conversation.objects.get().agent == ben
    assert Rating.objects.get().agent == ana


def test_withdrawn_rating_leaves_none_until_a_later_one(workspace, ana):
    record(workspace, row(ana, 3), row(ana, 4, rated_at=NOON + timedelta(hours=1)))
    conversation = Conversation.objects.get()

    assert actions.withdraw_rating(conversation) is True
    assert actions.withdraw_rating(conversation) is False
    assert counting(workspace) == {}
    assert days(workspace) == {}
    assert Rating.objects.count() == 2

    assert record(workspace, row(ana, 4, rated_at=NOON + timedelta(hours=1))) == [Outcome.UNCHANGED]
    assert record(workspace, row(ana, 2, rated_at=NOON + timedelta(minutes=1))) == [Outcome.SUPERSEDED]
    assert record(workspace, row(ana, 5, rated_at=NOON + timedelta(hours=2))) == [Outcome.UPDATED]
    assert counting(workspace) == {"1": "5"}
    assert_days_are_right(workspace)


def test_agent_is_meant_by_id_name_or_the_sources_own_id(workspace, ana):
    set_external_ids(ana, {"desk": "77"})

    rows = [
        row(ana.pk, external_id="1"),
        row("Ana", external_id="2"),
        row("77", external_id="3", source="desk"),
    ]

    assert record(workspace, *rows) == [Outcome.ACCEPTED] * 3
    assert set(Rating.objects.values_list("agent__name", flat=True)) == {"Ana"}


def test_unknown_agent_refuses_its_row_only(workspace, ana, stranger):
    foreign = factories.human(stranger.workspace)

    fates = record(workspace, row("Nobody"), row(foreign.pk), row(foreign.name), row(ana))

    assert [isinstance(fate, Refused) for fate in fates] == [True, True, True, False]
    assert str(fates[0]) == "agent: No agent is called Nobody."
    assert Rating.objects.count() == 1


def test_name_that_fits_two_refuses_its_row_with_their_ids(workspace, ana):
    namesake = factories.human(workspace, name="Ana")

    [fate] = record(workspace, row("Ana"))

    assert fate.detail == f"Several agents are called Ana; use one of the ids {ana.pk}, {namesake.pk}."
    assert record(workspace, row(namesake.pk)) == [Outcome.ACCEPTED]


def test_unknown_names_are_made_once_with_their_team(workspace):
    recorded = actions.record_ratings(
        workspace,
        [row("Cleo", team="Night"), row("Cleo", external_id="2"), row("Dan", external_id="3")],
        make_agents=True,
    )

    assert [(agent.name, agent.kind, str(agent.team)) for agent in recorded.made] == [
        ("Cleo", "human", "Night"),
        ("Dan", "human", "None"),
    ]
    assert recorded.fates == [Outcome.ACCEPTED] * 3


def test_id_that_means_nobody_is_never_made_an_agent(workspace, stranger):
    foreign = factories.human(stranger.workspace)

    recorded = actions.record_ratings(workspace, [row(foreign.pk)], make_agents=True)

    assert recorded.made == []
    assert isinstance(recorded.fates[0], Refused)


def test_closing_before_opening_refuses_the_row(workspace, ana):
    factories.conversation(ana, source="api", external_id="1", opened_at=NOON, closed_at=None)

    [fate] = record(workspace, row(ana, closed_at=NOON - timedelta(days=1)))

    assert fate.field == "closedAt"
    assert Rating.objects.count() == 0


def test_member_may_not_import(workspace, linked_member, ana):
    with pytest.raises(NotAllowed):
        actions.record_ratings(workspace, [row(ana)], by=linked_member)


@pytest.mark.parametrize(
    ("rated_at", "day"),
    [
        ("2026-03-28T22:59:00+00:00", "2026-03-28"),
        ("2026-03-28T23:00:00+00:00", "2026-03-29"),  # Berlin is an hour ahead before the clocks change
        ("2026-03-29T21:59:00+00:00", "2026-03-29"),
        ("2026-03-29T22:00:00+00:00", "2026-03-30"),  # and two hours afterwards
        ("2026-10-25T22:59:00+00:00", "2026-10-25"),
        ("2026-10-25T23:00:00+00:00", "2026-10-26"),
    ],
)
def test_day_rolls_over_in_the_workspaces_zone(db, rated_at, day):
    workspace = factories.workspace(time_zone="Europe/Berlin")
    agent = factories.human(workspace, name="Ana")

    record(workspace, row(agent, rated_at=datetime.fromisoformat(rated_at)))

    assert list(days(workspace)) == [("Ana", day)]


def test_rebuild_follows_a_changed_time_zone(workspace, ana):
    record(workspace, row(ana, rated_at=datetime(2026, 3, 10, 23, 30, tzinfo=UTC)), row(ana, external_id="2"))
    workspace.time_zone = "Asia/Tokyo"
    workspace.save_without_historical_record()

    differences = list(actions.check_days(workspace))

    assert [(d.day.isoformat(), d.stored[0], d.right[0]) for d in differences] == [
        ("2026-03-10", 2, 1),
        ("2026-03-11", 0, 1),
    ]
    assert actions.rebuild_days(workspace) == 2
    assert_days_are_right(workspace)
    assert {day: n for (_, day), (n, *_) in days(workspace).items()} == {"2026-03-10": 1, "2026-03-11": 1}


@pytest.mark.parametrize("n", [214_749, 2**31 - 1])
def test_day_holds_as_many_ratings_as_its_column_counts(workspace, ana, n):
    fields = {"workspace": workspace, "agent": ana, "n": n, "sum_squares": 0}
    RatingDay.objects.create(**fields, day=NOON, sum_hundredths=n * 10_000)

    with pytest.raises(IntegrityError), transaction.atomic():
        RatingDay.objects.create(**fields, day=NOON + timedelta(days=1), sum_hundredths=n * 10_000 + 1)


def test_rebuild_mends_rows_that_are_wrong_or_too_many(workspace, ana, ben):
    record(workspace, row(ana))
    RatingDay.objects.update(n=5)
    RatingDay.objects.create(workspace=workspace, agent=ben, day=NOON.date(), n=1, sum_hundredths=1, sum_squares=1)

    assert actions.rebuild_days(workspace) == 2
    assert days(workspace) == {("Ana", "2026-03-10"): (1, 10_000, 100_000_000)}


def test_number_of_queries_does_not_grow_with_the_rows(workspace, ana, ben):
    def rows(start, count):
        return [
            row((ana, ben)[n % 2], 1 + n % 5, external_id=str(start + n), rated_at=NOON + timedelta(days=n % 9))
            for n in range(count)
        ]

    with CaptureQueriesContext(
        connection,
    ) as few:
        record(workspace, *rows(0, 10))
    with CaptureQueriesContext(connection) as more:
        record(workspace, *rows(1_000, 40))

    assert len(more) == len(few)


@pytest.mark.django_db(transaction=True)
def test_same_rows_from_several_sides_at_once_land_once(workspace, ana, ben):
    rows = [
        row((ana, ben)[n % 2], 1 + n % 5, external_id=str(n), rated_at=NOON + timedelta(days=n % 3)) for n in range(60)
    ]
    rows += [row("Cleo", external_id="new")]

    def run(start):
        try:
            return actions.record_ratings(workspace, rows[start:] + rows[:start], make_agents=True).fates
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        fates = [fate for found in pool.map(run, (0, 15, 30, 45)) for fate in found]

    assert Counter(fates) == {Outcome.ACCEPTED: 61, Outcome.UNCHANGED: 3 * 61}
    assert Rating.objects.counting().count() == Rating.objects.count() == Conversation.objects.count() == 61
    assert workspace.agents.filter(name="Cleo").count() == 1
    assert_days_are_right(workspace)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["1", "2"]), st.integers(0, 5), st.integers(1, 5), st.booleans()), min_size=1, max_size=8
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, data=st.data())
def test_any_order_ends_the_same(workspace, ana, ben, events, data):
    """Two ratings of a conversation at one instant are told apart by their arrival, so these keep their order."""
    Conversation.objects.all().delete()
    RatingDay.objects.all().delete()
    told = [
        row(ben if by_ben else ana, stars, external_id=ext, rated_at=NOON + timedelta(days=n))
        for ext, n, stars, by_ben in events
    ]
    expected = {}
    seen = {}
    for each in told:
        instant = seen.setdefault((each.external_id, each.rated_at), {})
        instant[each.score] = each.agent  # the same again keeps its place; its credit is corrected
    for (ext, rated_at), instant in seen.items():
        score = list(instant)[-1]
        if ext not in expected or expected[ext][0] < rated_at:
            expected[ext] = (rated_at, score, instant[score])

    for each in shuffled_but_for_ties(told, data):
        record(workspace, each)
        record(workspace, each)

    found = {
        r.conversation.external_id: (r.rated_at, r.score_hundredths, str(r.agent))
        for r in Rating.objects.counting().select_related("conversation", "agent")
    }
    assert found == expected
    assert_days_are_right(workspace)


def shuffled_but_for_ties(rows, data):
    order = data.draw(st.permutations(range(len(rows))))
    places = {}
    for place in sorted(order):
        each = rows[place]
        places.setdefault((each.external_id, each.rated_at), []).append(each)
    return [places[rows[n].external_id, rows[n].rated_at].pop(0) for n in order]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=EVENTS, cut=st.integers(0, 8))
def test_batches_change_nothing(workspace, ana, ben, events, cut):
    Conversation.objects.all().delete()
    RatingDay.objects.all().delete()
    rows = [
        row(ben if by_ben else ana, stars, external_id=ext, rated_at=NOON + timedelta(days=n))
        for ext, n, stars, by_ben in events
    ]

    at_once = record(workspace, *rows)
    once = counting(workspace), days(workspace)
    Conversation.objects.all().delete()
    RatingDay.objects.all().delete()
    in_two = record(workspace, *rows[:cut]) + record(workspace, *rows[cut:])

    assert in_two == at_once
    assert (counting(workspace), days(workspace)) == once
    assert_days_are_right(workspace)
