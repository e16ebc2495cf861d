"""The backtest: one at a time, in a worker, stopped and killed; what it finds is what the sweeps would have done."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from agents import work
from agents.access import NotAllowed
from coaching import trajectory
from coaching.actions import backtests, long_work, policies, sweeps
from coaching.csat import backtests as replaying
from coaching.csat import daily
from coaching.models import Backtest, Flag
from helpdesk.actions import record_ratings
from tests import factories, processes
from tests.factories import ratings
from tests.factories.ratings import days_until, good_or_bad, steady

TODAY = date(2026, 5, 20)
NOON = datetime(2026, 5, 20, 12, tzinfo=UTC)
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture(autouse=True)
def _one_shuffling(monkeypatch, request):
    """No more than one, but in the test that is about it: each is another replay."""
    if "times" not in request.fixturenames:
        monkeypatch.setattr(replaying, "MOST_REPEATS", 1)


@pytest.fixture
def at_noon():
    with time_machine.travel(NOON, tick=False):
        yield


def ran(workspace, owner):
    return backtests.run(backtests.ask(workspace, by=owner).pk)


# --- What it finds


def fall_and_recovery(workspace):
    """Five people with a year of ratings up to yesterday; the first one's were bad for ten weeks until a quarter ago."""
    agents = [factories.human(workspace, team="First line") for _ in range(5)]
    days = days_until(YESTERDAY, 365)
    rows = [row for agent in agents[1:] for row in steady(agent, days)]
    rows += (
        steady(agents[0], days[:205]) + steady(agents[0], days[205:275], bad_one_in=2) + steady(agents[0], days[275:])
    )
    record_ratings(workspace, rows)
    return agents[0]


@pytest.mark.django_db
def test_it_agrees_with_a_sweep_on_each_day(workspace, owner):
    """The same flags on the same days with the same evidence, raised and cleared, whatever the level."""
    falling = fall_and_recovery(workspace)
    gone = ratings.team_with_a_fall(workspace, YESTERDAY, team="Gone")[0]
    type(gone).objects.filter(pk=gone.pk).update(active=False)
    with time_machine.travel(NOON, tick=False):
        result = ran(workspace, owner).result

    for level in ("early", "cautious"):
        before = transaction.savepoint()
        policies.choose(workspace, by=owner, sensitivity=level, automatic=True)
        for day in days_until(YESTERDAY, 190):
            sweeps.sweep(workspace, day)

        found = result["levels"][level]["flags"]
        really = Flag.objects.order_by("opened_on")
        assert [flag.agent for flag in really] == [falling]
        assert [flag.status for flag in really] == ["cleared"]
        assert [(one["agent"], one["raised_on"], one["ended_on"], one["ended_by"], one["end"]) for one in found] == [
            (str(f.agent_id), str(f.opened_on), f.closed_on and str(f.closed_on), f.status, f.close_evidence)
            for f in really
        ]
        assert [{key: one[key] for key in flag.evidence} for one, flag in zip(found, really, strict=True)] == [
            flag.evidence for flag in really
        ]
        transaction.savepoint_rollback(before)


@pytest.mark.django_db
def test_result_says_what_it_rests_on(workspace, owner, at_noon):
    falling, _ = ratings.team_with_a_fall(workspace, YESTERDAY)

    done = ran(workspace, owner)

    result = done.result
    assert (done.state, done.progress, done.attempts, done.finished_at) == ("done", 100, 1, NOON)
    told = {key: result[key] for key in ("first_day", "last_day", "agents", "judged", "ratings", "ratings_revision")}
    assert told == {
        "first_day": str(YESTERDAY - timedelta(days=181)), "last_day": str(YESTERDAY), "agents": 5, "judged": 5,
        "ratings": 5 * 182, "ratings_revision": type(workspace).objects.get().ratings_revision,
    }  # fmt: skip
    assert [level["h"] for level in result["levels"].values()] == [3.1, 3.4, 3.8]
    for level in result["levels"].values():
        [flag] = level["flags"]
        assert (flag["agent"], flag["ended_by"], flag["ended_on"], flag["scale"]) == (
            str(falling.pk),
            "open",
            None,
            "binary",
        )
        assert level["shuffled"]["repeats"] == replaying.repeats(182, result["agent_quarters"])
    raised = [level["flags"][0]["raised_on"] for level in result["levels"].values()]
    assert raised == sorted(raised)  # the more readily, the earlier


@pytest.mark.django_db
def test_the_same_ratings_give_the_same_answer(workspace, owner, at_noon):
    ratings.team_with_a_fall(workspace, YESTERDAY)

    assert ran(workspace, owner).result == ran(workspace, owner).result


@pytest.mark.django_db
def test_no_more_than_two_years_are_replayed_and_what_lies_before_is_read(workspace, owner, at_noon, monkeypatch):
    monkeypatch.setattr(backtests, "LONGEST", timedelta(days=30))
    falling, _ = ratings.team_with_a_fall(workspace, YESTERDAY)

    result = ran(workspace, owner).result

    assert (result["first_day"], result["ratings"]) == (str(YESTERDAY - timedelta(days=29)), 5 * 30)
    [flag] = result["levels"]["balanced"]["flags"]
    assert (flag["agent"], flag["past_weeks"] >= 15) == (str(falling.pk), True)


@pytest.mark.django_db
def test_days_are_those_of_the_workspace(owner):
    tokyo = factories.workspace(time_zone="Asia/Tokyo")
    with time_machine.travel(datetime(2026, 5, 20, 23, tzinfo=UTC), tick=False):
        record_ratings(tokyo, [good_or_bad(factories.human(tokyo), date(2026, 5, 18), good=True)])
        assert ran(tokyo, factories.owner(tokyo)).result["last_day"] == "2026-05-20"


@pytest.mark.django_db
@pytest.mark.parametrize("rated_on", [None, YESTERDAY - timedelta(days=800)])
def test_without_ratings_in_reach_there_is_nothing_to_say(workspace, owner, at_noon, rated_on):
    if rated_on:
        record_ratings(workspace, [good_or_bad(factories.human(workspace), rated_on, good=True)])

    result = ran(workspace, owner).result

    assert (result["first_day"], result["ratings"], result["levels"]) == (None, 0, {})


@pytest.mark.django_db
def test_too_few_ratings_for_anyone_are_not_shuffled(workspace, owner, at_noon):
    record_ratings(workspace, steady(factories.human(workspace), days_until(YESTERDAY, 10)))

    result = ran(workspace, owner).result

    assert (result["judged"], result["agent_quarters"]) == (0, 0)
    assert result["levels"]["early"]["shuffled"] == {"flags": 0, "agent_quarters": 0, "repeats": 0}


# --- The permutation check


def steady_history(n_agents=60, n_days=300):
    """Steady agents who are rated a few times on most days."""
    rng = np.random.default_rng(3)
    n = rng.poisson(1.2, (n_agents, n_days)).astype(float)
    bad = rng.binomial(n.astype(int), 0.15).astype(float)
    days = trajectory.Days(10_000, n, bad, bad)
    return daily.History(list(range(n_agents)), np.ones(n_agents, bool), np.full(n_agents, -1), days)


def test_shuffled_days_take_a_real_fall_away():
    history = steady_history()
    falling = slice(0, 20)
    history.days.u[falling, 180:] = np.minimum(history.days.n[falling, 180:], history.days.u[falling, 180:] + 0.6)
    span = history.days.first_day, history.days.first_day + 299

    found = replaying.replay(history, *span, {"usual": 3.4})
    check = replaying.shuffle_check(history, *span, {"usual": 3.4}, 1)["usual"]

    assert len({flag.row for flag in found.raised["usual"]} & set(range(20))) >= 18
    assert check.flags <= 1
    assert (check.repeats, check.agent_quarters) == (1, pytest.approx(found.agent_quarters, rel=0.05))


def test_several_thresholds_at_once_are_as_each_alone():
    history = steady_history()
    span = history.days.first_day, history.days.first_day + 299
    together = replaying.replay(history, *span, {"low": 2.0, "high": 2.6})

    for name, h in (("low", 2.0), ("high", 2.6)):
        days = range(span[0], span[1] + 1)
        alone = trajectory.replay(history.days, history.team, days, h)
        assert [(f.row, f.opened_on.toordinal(), f.ended_by) for f in together.raised[name]] == [
            (f.agent, f.raised_on, f.ended_by) for f in alone
        ]
        assert alone


@pytest.mark.parametrize(
    ("n_days", "agent_quarters", "times"),
    [(730, 0, 0), (730, 100.0, 12), (365, 1_500.0, 3), (365, 30_000.0, 1), (90, 40.0, 50), (20_000, 100.0, 1)],
)
def test_shuffling_is_repeated_until_it_means_something(n_days, agent_quarters, times):
    assert replaying.repeats(n_days, agent_quarters) == times


@pytest.mark.parametrize(
    ("flags", "low", "high"), [(0, 0, 3.69), (1, 0.03, 5.57), (10, 4.8, 18.39), (100, 81.36, 121.63)]
)
def test_range_of_a_count_is_that_of_the_tables(flags, low, high):
    """Limits of a Poisson mean that hold 95 in 100, as the tables have them."""
    assert replaying.Check(flags, 1000, 1).likely == pytest.approx((low, high), abs=0.06)


def test_check_in_words():
    check = replaying.Check(9, 2_140.4, 19)

    assert check.sentence == (
        "about 4.2 false flags per 1,000 agent-quarters: 9 flags on 2,140 agent-quarters, with the days of each agent "
        "shuffled 19 times. From 1.9 to 8 would fit that count."
    )
    assert replaying.Check(0, 0, 0).sentence.startswith("false flags cannot be counted")


# --- One at a time, stopped, broken


@pytest.mark.django_db
def test_who_asks_while_one_waits_or_runs_gets_that_one(workspace, owner, admin):
    first = backtests.ask(workspace, by=owner)

    assert backtests.ask(workspace, by=admin) == first
    work.claim(Backtest.objects.all(), first.pk)
    assert backtests.ask(workspace, by=admin) == first
    backtests.stop(first, by=admin)
    assert backtests.ask(workspace, by=admin) != first


@pytest.mark.django_db(transaction=True)
def test_many_processes_ask_at_once_and_get_one():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    children = [processes.start("-m", "tests.flows.ask_at_once", "backtest", str(owner.pk)) for _ in range(10)]

    assert processes.together(children) == [str(Backtest.objects.get().pk)] * 10


@pytest.mark.django_db
def test_members_may_neither_ask_nor_stop(workspace, owner, linked_member):
    running = backtests.ask(workspace, by=owner)

    for forbidden in (
        lambda: backtests.ask(workspace, by=linked_member),
        lambda: backtests.stop(running, by=linked_member),
    ):
        with pytest.raises(NotAllowed):
            forbidden()


@pytest.mark.django_db
def test_one_that_waits_is_stopped_and_not_run(workspace, owner):
    waiting = backtests.ask(workspace, by=owner)

    stopped = backtests.stop(waiting, by=owner)

    assert (stopped.state, stopped.next_try_at, stopped.result) == ("stopped", None, {})
    assert backtests.run(waiting.pk) is None
    with pytest.raises(backtests.NotRunning):
        backtests.stop(waiting, by=owner)


@pytest.mark.django_db
def test_progress_rises_and_a_stop_in_the_middle_ends_it(workspace, owner, at_noon, monkeypatch):
    ratings.team_with_a_fall(workspace, YESTERDAY)
    monkeypatch.setattr(backtests, "TELL_SECONDS", 0)
    seen = []
    tell = backtests._Teller.tell

    def watched(self, percent):
        tell(self, percent)
        seen.append((percent, Backtest.objects.get().progress))
        if percent == 20 and Backtest.objects.unfinished().exists():
            backtests.stop(self.owed, by=owner)

    monkeypatch.setattr(backtests._Teller, "tell", watched)

    ended = ran(workspace, owner)

    assert (ended.state, ended.result, ended.claimed_until) == ("stopped", {}, None)
    assert seen == sorted(seen)
    assert [percent for percent, _ in seen] == [stored for _, stored in seen]
    assert [percent for percent, _ in seen].count(20) == 1  # the next report ends it
    assert seen[-1] == (20, 20)


@pytest.mark.django_db
def test_one_that_another_worker_took_over_stores_nothing(workspace, owner, at_noon, monkeypatch):
    ratings.team_with_a_fall(workspace, YESTERDAY)
    monkeypatch.setattr(backtests, "TELL_SECONDS", 0)
    asked = backtests.ask(workspace, by=owner)
    tell = backtests._Teller.tell

    def taken_over(self, percent):
        Backtest.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        assert work.claim(Backtest.objects.all(), asked.pk)
        tell(self, percent)

    monkeypatch.setattr(backtests._Teller, "tell", taken_over)

    left = backtests.run(asked.pk)

    assert (left.state, left.result, left.attempts) == ("running", {}, 2)


@pytest.mark.django_db
def test_what_breaks_is_tried_again_and_fails_with_a_sentence(workspace, owner, monkeypatch):
    asked = backtests.ask(workspace, by=owner)
    monkeypatch.setattr(daily, "load", lambda *_, **__: 1 / 0)
    told = []
    for _ in range(long_work.ATTEMPTS):
        Backtest.objects.update(next_try_at=timezone.now() - timedelta(seconds=1))
        left = backtests.run(asked.pk)
        told.append((left.state, left.last_error, left.next_try_at is None))

    assert told == [
        ("queued", "ZeroDivisionError", False),
        ("queued", "ZeroDivisionError", False),
        ("failed", backtests.BROKEN.format(times=3, error="ZeroDivisionError"), True),
    ]


@pytest.mark.django_db
def test_one_whose_workers_keep_dying_is_given_up(workspace, owner):
    asked = backtests.ask(workspace, by=owner)
    for _ in range(long_work.ATTEMPTS):
        work.claim(Backtest.objects.all(), asked.pk)
        Backtest.objects.update(claimed_until=timezone.now() - timedelta(seconds=1), state="running")

    ended = backtests.run(asked.pk)

    assert (ended.state, ended.last_error) == ("failed", backtests.UNFINISHABLE)


@pytest.mark.django_db(transaction=True)
def test_worker_killed_in_the_middle_is_followed_by_another_that_starts_over():
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    yesterday = timezone.now().date() - timedelta(days=1)
    falling, _ = ratings.team_with_a_fall(workspace, yesterday)
    asked = backtests.ask(workspace, by=owner)
    child = processes.start("-m", "tests.flows.run_backtest", str(asked.pk))
    processes.until(lambda: Backtest.objects.get().progress > 1)
    child.kill()
    child.communicate()
    killed = Backtest.objects.get()
    assert (killed.state, killed.result) == ("running", {})
    assert backtests.run(asked.pk) is None  # its lease has not run out
    Backtest.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))

    done = backtests.run(asked.pk)

    assert (done.state, done.attempts) == ("done", 2)
    assert [flag["agent"] for flag in done.result["levels"]["balanced"]["flags"]] == [str(falling.pk)]
