"""The regular look: what it raises, keeps, clears and expires, and when it is due."""

import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import numpy as np
import pytest
import time_machine
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from agents.models import Agent, Workspace
from coaching import trajectory
from coaching.actions import flags, sweeps
from coaching.csat import daily
from coaching.models import Flag, Sample, Sweep
from helpdesk.actions import record_ratings, withdraw_rating
from helpdesk.models import Rating, RatingDay
from tests import factories
from tests.factories import ratings
from tests.factories.ratings import good_or_bad

pytestmark = pytest.mark.django_db

TODAY = date(2026, 5, 20)


def test_a_sustained_fall_is_flagged_with_its_evidence(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)

    swept = sweeps.sweep(workspace, TODAY)

    assert swept == sweeps.Swept(TODAY, agents=5, raised=1, cleared=0, expired=0)
    flag = Flag.objects.get()
    assert (flag.agent, flag.kind, flag.status, flag.opened_on) == (falling, "auto", "open", TODAY)
    assert flag.since == TODAY - timedelta(days=7 * flag.evidence["weeks"] - 1)
    known = {
        key: flag.evidence[key]
        for key in ("weeks", "ratings", "observed", "past_weeks", "weeks_below", "peers", "scale")
    }
    assert known == {
        "weeks": 5, "ratings": 35, "observed": 51.4286, "past_weeks": 21, "weeks_below": 5, "peers": "team", "scale": "binary",
    }  # fmt: skip
    assert 85 < flag.evidence["expected"] < 95
    assert flag.evidence["holds_without_worst"] is True


@pytest.mark.parametrize(("on_new_scale", "is_new"), [(35, True), (7, False), (0, False)])
def test_a_flag_says_when_its_ratings_are_on_a_new_scale(workspace, on_new_scale, is_new):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    newest = falling.ratings.order_by("-rated_at").values("pk")[:on_new_scale]
    Rating.objects.filter(pk__in=list(newest.values_list("pk", flat=True))).update(scale="stars5")

    sweeps.sweep(workspace, TODAY)

    flag = Flag.objects.get()
    assert flag.evidence["new_scale"] is is_new
    assert ("a scale that is new here" in flags.sentence(flag)) is is_new
    assert flag.evidence["scale"] == {35: "stars5", 7: "", 0: "binary"}[on_new_scale]


def test_the_worst_conversations_of_the_window_become_owed_samples(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)

    sweeps.sweep(workspace, TODAY)

    taken = Sample.objects.filter(agent=falling)
    assert taken.count() == 17  # every other of 35 was bad
    assert set(taken.values_list("score_hundredths", "summary_state")) == {(0, "pending")}
    assert Sample.objects.due().count() == 17


def test_a_second_sweep_changes_nothing(workspace):
    ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)

    again = sweeps.sweep(workspace, TODAY)

    assert (again.raised, again.cleared, again.expired) == (0, 0, 0)
    assert Flag.objects.count() == 1


def test_nobody_steady_is_flagged(workspace):
    ratings.team_with_a_fall(workspace, TODAY, bad_one_in=10)

    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_a_workspace_without_agents_or_ratings_is_swept_in_peace(workspace):
    assert sweeps.sweep(workspace, TODAY) == sweeps.Swept(TODAY, 0, 0, 0, 0)
    factories.human(workspace)
    assert sweeps.sweep(workspace, TODAY) == sweeps.Swept(TODAY, 1, 0, 0, 0)


def test_another_workspace_is_not_looked_at(workspace):
    ratings.team_with_a_fall(factories.workspace(), TODAY)
    factories.human(workspace)

    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_somebody_who_left_is_not_flagged(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    Agent.objects.filter(pk=falling.pk).update(active=False)

    assert sweeps.sweep(workspace, TODAY).raised == 0


def test_a_manual_flag_is_never_touched_and_keeps_the_scan_from_raising_another(workspace, owner):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    with time_machine.travel(datetime(2026, 1, 1, tzinfo=UTC), tick=False):
        manual = flags.raise_manual(falling, by=owner, reason="Heard it in calls.")

    sweeps.sweep(workspace, TODAY)

    assert Flag.objects.get() == manual
    assert Flag.objects.get().status == Flag.Status.OPEN


def test_a_flag_clears_when_the_fall_is_made_up_for_but_not_before_day_14(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    record_ratings(
        workspace, ratings.steady(falling, ratings.days_until(TODAY + timedelta(days=40), 40) * 2, bad_one_in=50)
    )

    ends = {day: sweeps.sweep(workspace, TODAY + timedelta(days=day)).cleared for day in (13, 24, 40)}

    assert ends[13] == 0
    flag = Flag.objects.get()
    assert flag.status == Flag.Status.CLEARED
    assert flag.close_evidence["rate28"] >= flag.close_evidence["needed"]
    assert flag.closed_on == date.fromisoformat(flag.close_evidence["day"])


def test_a_flag_that_does_not_clear_expires_at_day_84_and_then_rests_for_28_days(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    record_ratings(workspace, ratings.steady(falling, ratings.days_until(TODAY + timedelta(days=84), 84), bad_one_in=2))

    assert sweeps.sweep(workspace, TODAY + timedelta(days=83)).expired == 0
    assert sweeps.sweep(workspace, TODAY + timedelta(days=84)).expired == 1

    flag = Flag.objects.get()
    assert (flag.status, flag.closed_on) == ("expired", TODAY + timedelta(days=84))
    assert flags.sentence(flag) == (
        "Open for 12 weeks: the 28 ratings of the last 4 weeks average 50 % where "
        f"{flag.evidence['expected']:.0f} % was expected. This is the new level: talk about it."
    )


@pytest.mark.parametrize(("days_after", "raised"), [(27, 0), (28, 1)])
def test_after_the_end_of_an_automatic_flag_the_agent_has_28_days_rest(workspace, owner, days_after, raised):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    ended = TODAY - timedelta(days=days_after)
    with time_machine.travel(datetime(ended.year, ended.month, ended.day, 12, tzinfo=UTC), tick=False):
        before = Flag.objects.create(workspace=workspace, agent=falling, kind="auto", since=ended, opened_on=ended)
        flags.dismiss(before, by=owner, reason="A wrong import.")

    assert sweeps.sweep(workspace, TODAY).raised == raised


def test_a_large_workspace_is_swept_with_the_higher_threshold(workspace):
    ratings.team_with_a_fall(workspace, TODAY)
    Agent.objects.bulk_create([Agent(workspace=workspace, name=f"Quiet {n}") for n in range(196)])

    sweeps.sweep(workspace, TODAY)

    assert Flag.objects.get().evidence["h"] == 3.65


def test_the_sweep_agrees_with_the_scan_on_the_raw_ratings(workspace):
    """The daily table, packed by the database, says the same as the ratings themselves."""
    ratings.team_with_a_fall(workspace, TODAY)
    some = factories.human(workspace)
    record_ratings(
        workspace, [ratings.stars(some, TODAY - timedelta(days=d), stars=1 + d % 5) for d in range(0, 60, 3)]
    )

    history = daily.load(workspace, TODAY)

    row = {pk: at for at, pk in enumerate(history.agents)}
    raw = Rating.objects.counting().values_list("agent", "rated_at", "score_hundredths")
    plain = trajectory.daily_sums(
        [row[agent] for agent, _, _ in raw], [at.date().toordinal() for _, at, _ in raw],
        [score / 10_000 for _, _, score in raw], None, len(row), history.days.first_day, TODAY.toordinal(),
    )  # fmt: skip
    np.testing.assert_array_equal(history.days.n, plain.n)
    np.testing.assert_allclose(history.days.u, plain.u, atol=1e-12)
    np.testing.assert_allclose(history.days.uu.sum(0), plain.uu.sum(0), atol=1e-9)


def test_the_daily_table_is_read_alike_by_every_database(workspace):
    """To the last bit: a quiet day between two, days out of order, somebody rated by masses, a neighbour workspace."""
    keys = [UUID(int=1), UUID(int=(1 << 64) + 1), UUID(int=2**128 - 1)]
    agents = [factories.human(workspace, id=key) for key in reversed(keys)][::-1]
    first, last = TODAY - timedelta(days=181), TODAY
    many = 200_000
    rows = [
        (agents[2], last, 2, 15_000, 125_000_000),
        (agents[0], last, 1, 3_333, 3_333**2),
        (agents[1], first, many, many * 10_000, many * 10_000**2),
        (agents[0], first, 3, 0, 0),
        (agents[0], first - timedelta(days=1), 1, 0, 0),
        (agents[0], last + timedelta(days=1), 1, 0, 0),
        (factories.human(factories.workspace()), last, 1, 0, 0),
    ]
    RatingDay.objects.bulk_create(
        RatingDay(workspace=agent.workspace, agent=agent, day=day, n=n, sum_hundredths=total, sum_squares=squares)
        for agent, day, n, total, squares in rows
    )

    history = daily.load(workspace, TODAY)

    n, u, uu = np.zeros((3, 3, 182))
    n[:, 0], n[:, -1] = [3, many, 0], [1, 0, 2]
    u[:, 0], u[:, -1] = [3, 0, 0], [1 - 3_333 / 10_000, 0, 0.5]
    uu[:, 0], uu[:, -1] = [3, 0, 0], [1 - 2 * 3_333 / 10_000 + 3_333**2 / 10_000**2, 0, 0.25]
    assert history.agents == keys
    assert history.days.first_day == first.toordinal()
    np.testing.assert_array_equal(history.days.n, n)
    np.testing.assert_array_equal(history.days.u, u)
    np.testing.assert_array_equal(history.days.uu, uu)


def test_the_daily_table_is_read_at_once_however_many_agents(workspace, django_assert_num_queries):
    ratings.team_with_a_fall(workspace, TODAY)

    # The agents and the days; on PostgreSQL the second in a transaction with a setting of its own.
    with django_assert_num_queries(5 if connection.vendor == "postgresql" else 2):
        history = daily.load(workspace, TODAY)

    assert history.days.n.sum() == RatingDay.objects.count() == 5 * 182
    assert [history.in_team(row) for row in range(5)] == [True] * 5


def test_a_team_of_three_has_the_whole_workspace_for_peers(workspace):
    for name in "abc":
        factories.human(workspace, name=name, team="Small")
    factories.human(workspace, name="d")

    history = daily.load(workspace, TODAY)

    assert [history.in_team(row) for row in range(4)] == [False] * 4


# --- When a sweep is due ---------------------------------------------------------------------------------------------


def swept(workspace, **fields):
    """The row of a workspace that was swept, and owes nothing."""
    return Sweep.objects.create(workspace=workspace, next_try_at=None, **fields)


def test_every_workspace_is_owed_its_first_sweep(workspace):
    sweeps.owe_due()

    assert [sweep.workspace for sweep in Sweep.objects.due()] == [workspace]


@pytest.mark.parametrize(
    ("zone", "at", "due"),
    [
        ("UTC", datetime(2026, 5, 20, 23, 59, tzinfo=UTC), False),
        ("UTC", datetime(2026, 5, 21, 0, 0, tzinfo=UTC), True),
        ("America/New_York", datetime(2026, 5, 21, 3, 59, tzinfo=UTC), False),
        ("America/New_York", datetime(2026, 5, 21, 4, 0, tzinfo=UTC), True),
        ("Asia/Tokyo", datetime(2026, 5, 20, 15, 0, tzinfo=UTC), True),
        ("UTC", datetime(2026, 5, 29, 12, 0, tzinfo=UTC), True),
    ],
)
def test_a_night_is_due_when_the_day_has_ended_where_the_workspace_lives(zone, at, due):
    workspace = factories.workspace(time_zone=zone)
    swept(workspace, swept_on=date(2026, 5, 19))

    sweeps.owe_due(at)

    assert Sweep.objects.owed().exists() is due


@pytest.mark.parametrize(
    ("before", "after"),
    [
        # The last Sundays of March and October in Berlin: midnight is 23:00 UTC in winter and 22:00 UTC in summer.
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), datetime(2026, 3, 29, 22, 0, tzinfo=UTC)),
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), datetime(2026, 10, 25, 23, 0, tzinfo=UTC)),
    ],
    ids=["23 hours", "25 hours"],
)
def test_the_night_of_a_changed_clock_is_due_at_its_own_midnight_and_no_day_is_left_out(before, after):
    workspace = factories.workspace(time_zone="Europe/Berlin")
    saturday = before.date() - timedelta(days=1)
    owed = swept(workspace, swept_on=saturday)

    sweeps.owe_due(before)
    too_early = Sweep.objects.owed().exists()
    done = []
    for now in (after, after + timedelta(days=1, hours=1)):
        with time_machine.travel(now, tick=False):
            sweeps.owe_due()
            done += sweeps.run(owed.pk)

    assert too_early is False
    assert [one.day for one in done] == [saturday + timedelta(days=1), saturday + timedelta(days=2)]


def test_a_night_is_swept_once(workspace):
    owed = swept(workspace, swept_on=date(2026, 5, 10))
    now = datetime(2026, 5, 21, 2, 0, tzinfo=UTC)
    with time_machine.travel(now, tick=False):
        sweeps.owe_due()
        done = sweeps.run(owed.pk)
        sweeps.owe_due()

    assert [one.day for one in done] == [date(2026, 5, 11 + n) for n in range(10)]
    owed.refresh_from_db()
    assert (owed.swept_on, owed.next_try_at, owed.claimed_until) == (date(2026, 5, 20), None, None)


def test_new_ratings_are_looked_at_at_once_and_then_not_again(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY - timedelta(days=1))
    owed = swept(workspace, swept_on=TODAY - timedelta(days=1))
    with time_machine.travel(datetime(2026, 5, 20, 12, tzinfo=UTC), tick=False):
        sweeps.owe_due()
        [look] = sweeps.run(owed.pk)
        sweeps.owe_due()

    assert (look.day, look.raised) == (TODAY, 1)
    assert Flag.objects.get().agent == falling
    assert not Sweep.objects.owed().exists()


def _withdrawn(one):
    withdraw_rating(one.conversation)


def _credited_to_another(one):
    other = factories.human(one.workspace)
    row = replace(good_or_bad(other, one.rated_at.date(), good=True), external_id=one.conversation.external_id)
    record_ratings(one.workspace, [replace(row, rated_at=one.rated_at)])


@pytest.mark.parametrize("change", [_withdrawn, _credited_to_another])
def test_a_rating_that_is_taken_back_or_moves_is_news(workspace, change):
    record_ratings(workspace, [good_or_bad(factories.human(workspace), TODAY, good=True)])
    owed = swept(workspace, swept_on=TODAY)
    with time_machine.travel(datetime(2026, 5, 21, 12, tzinfo=UTC), tick=False):
        sweeps.owe_due()
        sweeps.run(owed.pk)
        change(Rating.objects.get())
        sweeps.owe_due()

    assert Sweep.objects.owed().exists()


def test_ratings_that_change_during_a_sweep_are_news_for_the_next(workspace, monkeypatch):
    owed = swept(workspace, swept_on=TODAY - timedelta(days=1))
    agent = factories.human(workspace)
    looked = sweeps.sweep

    def meanwhile(workspace, day):
        done = looked(workspace, day)
        record_ratings(workspace, [good_or_bad(agent, TODAY, good=True)])
        return done

    monkeypatch.setattr(sweeps, "sweep", meanwhile)
    with time_machine.travel(datetime(2026, 5, 20, 12, tzinfo=UTC), tick=False):
        Sweep.objects.update(next_try_at=timezone.now())
        sweeps.run(owed.pk)
        sweeps.owe_due()

    assert Sweep.objects.owed().exists()


@pytest.mark.parametrize(
    ("swept_on", "days"), [(None, ["05-20"]), ("05-19", ["05-20"]), ("05-17", ["05-18", "05-19", "05-20"])]
)
def test_missed_nights_are_caught_up_one_by_one(workspace, swept_on, days):
    owed = swept(workspace, swept_on=swept_on and date.fromisoformat(f"2026-{swept_on}"))
    with time_machine.travel(datetime(2026, 5, 21, 2, tzinfo=UTC), tick=False):
        sweeps.owe_due()
        done = sweeps.run(owed.pk)

    assert [one.day for one in done] == [date.fromisoformat(f"2026-{day}") for day in days]


def test_a_sweep_that_another_worker_holds_is_left_alone(workspace):
    sweeps.owe_due()
    owed = Sweep.objects.get()
    Sweep.objects.update(claimed_until=timezone.now() + timedelta(seconds=30))

    assert sweeps.run(owed.pk) is None


def test_a_sweep_that_breaks_is_put_off_with_its_error(workspace):
    sweeps.owe_due()
    broken = Flag.objects.create(
        workspace=workspace, agent=factories.human(workspace), kind="auto", since=TODAY, opened_on=TODAY, evidence={}
    )

    with pytest.raises(KeyError):
        sweeps.run(Sweep.objects.get().pk)

    owed = Sweep.objects.get()
    assert (owed.last_error, owed.attempts, owed.claimed_until) == ("KeyError: 'expected'", 1, None)
    assert owed.next_try_at > timezone.now()
    assert broken.status == Flag.Status.OPEN


def test_one_broken_workspace_does_not_keep_the_others_from_being_due(workspace):
    factories.workspace(time_zone="Asia/Tokyo")

    sweeps.owe_due()

    assert Sweep.objects.due().count() == Workspace.objects.count() == 2


# --- By hand ---------------------------------------------------------------------------------------------------------


def by_hand(**options):
    out = io.StringIO()
    call_command("sweep_flags", stdout=out, **options)
    return out.getvalue().splitlines()


def test_sweep_by_hand_says_what_it_changed_and_of_whom(workspace):
    falling, _ = ratings.team_with_a_fall(workspace, TODAY)
    looks = [by_hand(at=TODAY, workspace=workspace.slug) for _ in range(2)]
    for one in Rating.objects.filter(agent=falling, rated_at__date__gt=TODAY - timedelta(days=30)):
        withdraw_rating(one.conversation)

    after = by_hand(at=TODAY + timedelta(days=1))

    slug, nothing = workspace.slug, "0 raised, 0 cleared, 0 expired, 0 taken back, 0 brought up to date."
    assert looks[0][0] == f"{slug} on 2026-05-20: 5 agents, 1{nothing[1:]}"
    assert looks[0][1].startswith(f"  {falling}: In the last 5 weeks {falling}’s 35 ratings average 51 %")
    assert looks[1] == [f"{slug} on 2026-05-20: 5 agents, {nothing}"]
    assert after[0] == f"{slug} on 2026-05-21: 5 agents, {nothing.replace('0 taken', '1 taken')}"
    assert after[1].startswith(f"  {falling}: Cleared on 21 May 2026: ratings of these weeks were corrected since")
    assert len(looks[0]) == len(after) == 2


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("0001-01-01", "There are no ratings before 2000."),
        ("2026-13-01", "2026-13-01 is no day; write it as in 2026-05-20."),
        ("yesterday", "yesterday is no day; write it as in 2026-05-20."),
    ],
)
def test_sweep_by_hand_refuses_a_day_that_cannot_be_swept(at, said):
    with pytest.raises(CommandError) as refused:
        call_command("sweep_flags", "--at", at)

    assert said in str(refused.value)
