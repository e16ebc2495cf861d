"""The sustained scan, without a database. What needs the simulator is skipped where the shared folder is absent."""

import dataclasses

import numpy as np
import pytest

from coaching import trajectory
from coaching.trajectory import NO_DAY, Days, Events, State
from tests.bench import flag_eval

TODAY = 249
SWEEPS = range(183, 300, 3)


def ratings(rng, agent, first, last, a_week, bad):
    """Good/bad ratings of one agent: arrays agent, day, score, spread evenly by chance over the days first..last."""
    n = rng.poisson(a_week / 7, last - first + 1)
    day = np.repeat(np.arange(first, last + 1), n)
    return np.full(len(day), agent), day, (rng.random(len(day)) >= bad).astype(float)


def workspace(falls=(), n_agents=12, a_week=20, fell_on=210, seed=3):
    """Agents at one bad rating in ten, those of `falls` at four from day `fell_on`: agent, day, score, team."""
    rng = np.random.default_rng(seed)
    parts = []
    for agent in range(n_agents):
        parts.append(ratings(rng, agent, 0, fell_on - 1, a_week, 0.1))
        parts.append(ratings(rng, agent, fell_on, 299, a_week, 0.4 if agent in falls else 0.1))
    agent, day, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    return agent, day, score, np.zeros(n_agents, int)


def also(base, agent, day, score):
    """The workspace with more ratings."""
    agents, days, scores, team = base
    return (
        np.concatenate([agents, np.atleast_1d(agent)]),
        np.concatenate([days, np.atleast_1d(day)]),
        np.concatenate([scores, np.atleast_1d(score)]),
        team,
    )


def backtest(base, sweep_days=SWEEPS, h=trajectory.DEFAULT_H):
    agent, day, score, team = base
    return trajectory.backtest(agent, day, score, None, team, len(team), sweep_days, h)


def episodes(base, sweep_days=SWEEPS):
    agent, day, score, team = base
    return trajectory.episodes(agent, day, score, None, team, len(team), sweep_days)


def scan(base, day=TODAY):
    agent, days, score, team = base
    return trajectory.scan(trajectory.daily_sums(agent, days, score, None, len(team), 0, 299), team, day)


# --- daily sums


def test_daily_sums_counts_unhappiness_and_its_squares_by_weight():
    days = trajectory.daily_sums([0, 0, 1], [5, 5, 7], [0.25, 1.0, 0.5], [1.0, 2.0, 0.5], 2, 5, 7)
    assert days.first_day == 5
    assert days.n.tolist() == [[3, 0, 0], [0, 0, 0.5]]
    assert days.u.tolist() == [[0.75, 0, 0], [0, 0, 0.25]]
    assert days.uu.tolist() == [[0.5625, 0, 0], [0, 0, 0.125]]


def test_daily_sums_leaves_out_ratings_outside_the_days_asked_for():
    days = trajectory.daily_sums([0, 0, 0], [4, 5, 8], [0.0, 0.0, 0.0], None, 1, 5, 7)
    assert days.n.tolist() == [[1, 0, 0]]


def test_daily_sums_of_no_ratings_is_zero():
    days = trajectory.daily_sums([], [], [], [], 2, 0, 3)
    assert days.n.tolist() == [[0] * 4] * 2


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ((0, 1, np.nan, 1.0), "score of row 1 is nan, must be within 0..1"),
        ((0, 1, 1.01, 1.0), "score of row 1 is 1.01, must be within 0..1"),
        ((0, 1, -0.5, 1.0), "score of row 1 is -0.5, must be within 0..1"),
        ((0, 1, 0.5, np.inf), "weight of row 1 is inf, must be 0 or more"),
        ((0, 1, 0.5, -1.0), "weight of row 1 is -1.0, must be 0 or more"),
        ((2, 1, 0.5, 1.0), "agent of row 1 is 2, must be a row number below 2"),
        ((-1, 1, 0.5, 1.0), "agent of row 1 is -1, must be a row number below 2"),
        ((0, 1.5, 0.5, 1.0), "day of row 1 is 1.5, must be a whole number"),
        ((0, np.nan, 0.5, 1.0), "day of row 1 is nan, must be a whole number"),
    ],
)
def test_backtest_refuses_a_bad_rating_and_names_it(row, message):
    agent, day, score, weight = zip((0, 1, 1.0, 1.0), row, strict=True)
    with pytest.raises(ValueError, match=message.replace(".", r"\.")):
        trajectory.backtest(agent, day, score, weight, [0, 0], 2, [10])


def test_backtest_refuses_columns_of_different_length():
    with pytest.raises(ValueError, match="one row a rating"):
        trajectory.backtest([0, 0], [1, 2], [1.0], None, [0], 1, [10])


def test_backtest_refuses_a_team_list_of_another_length():
    with pytest.raises(ValueError, match="team must have one entry an agent"):
        trajectory.backtest([0], [1], [1.0], None, [0, 0], 1, [10])


def test_backtest_refuses_sweep_days_that_do_not_ascend():
    with pytest.raises(ValueError, match="sweep_days must ascend"):
        trajectory.backtest([0], [1], [1.0], None, [0], 1, [10, 10])


# --- who is flagged


def test_a_lasting_fall_is_flagged_and_nobody_else():
    flagged = backtest(workspace(falls=[4]))
    assert np.flatnonzero(flagged.any(1)).tolist() == [4]
    raised = SWEEPS[int(flagged[4].argmax())]
    assert 210 + 14 <= raised <= 210 + 35


def test_a_fall_of_an_agent_without_team_is_flagged_against_the_whole_workspace():
    agent, day, score, team = workspace(falls=[4])
    team[4] = -1
    assert np.flatnonzero(backtest((agent, day, score, team)).any(1)).tolist() == [4]


def test_a_team_of_three_has_the_whole_workspace_for_peers():
    agent, day, score, _ = workspace(falls=[0, 1, 2])
    apart = np.array([7, 7, 7] + [8] * 9)
    assert np.array_equal(
        backtest((agent, day, score, apart)), backtest((agent, day, score, np.array([-1] * 3 + [8] * 9)))
    )


def test_a_workspace_of_one_agent_is_judged_by_its_own_past():
    assert backtest(workspace(falls=[0], n_agents=1)).any()
    assert not backtest(workspace(n_agents=1)).any()


def test_an_outage_of_the_whole_team_flags_nobody():
    assert not backtest(workspace(falls=range(12))).any()


def test_a_level_that_is_low_from_the_first_day_is_not_a_fall():
    rng = np.random.default_rng(8)
    base = workspace(n_agents=9)
    base = (*base[:3], np.zeros(10, int))
    assert not backtest(also(base, *ratings(rng, 9, 0, 299, 20, 0.6))).any()


def test_one_bad_week_flags_nobody():
    rng = np.random.default_rng(8)
    assert not backtest(also(workspace(), *ratings(rng, 4, 240, 246, 40, 0.9))).any()


def test_one_viral_conversation_with_98_bad_votes_flags_nobody():
    assert not backtest(also(workspace(), np.full(98, 4), np.full(98, 240), np.zeros(98))).any()
    assert not backtest(also(workspace(a_week=5), np.full(98, 4), np.full(98, 240), np.zeros(98))).any()


@pytest.mark.parametrize("seed", range(4))
def test_one_conversation_that_98_applauded_does_not_become_the_level_to_hold(seed):
    rng = np.random.default_rng(seed)
    base = workspace(n_agents=9)
    base = (*base[:3], np.zeros(10, int))
    base = also(base, *ratings(rng, 9, 0, 299, 8, 0.3))
    assert not backtest(also(base, np.full(98, 9), np.full(98, 190), np.ones(98)), range(210, 300, 9)).any()


def test_a_bad_rating_delivered_again_and_again_flags_nobody():
    assert not backtest(also(workspace(), np.full(40, 4), np.full(40, 260), np.zeros(40))).any()


def test_a_newcomers_burst_flags_nobody():
    rng = np.random.default_rng(8)
    base = workspace(n_agents=9)
    base = (*base[:3], np.zeros(10, int))
    assert not backtest(also(base, *ratings(rng, 9, 200, 240, 40, 0.5))).any()


def test_ratings_that_all_fall_on_one_day_flag_nobody():
    day = np.full(200, 240)
    score = np.tile([0.0, 1.0], 100)
    assert not trajectory.backtest(np.zeros(200, int), day, score, None, [0], 1, SWEEPS).any()


def test_no_ratings_and_no_sweeps_are_answered_with_nothing():
    assert trajectory.backtest([], [], [], None, [-1, -1], 2, [10, 11]).tolist() == [[False, False]] * 2
    assert trajectory.backtest([0], [1], [1.0], None, [-1], 1, []).shape == (1, 0)
    assert trajectory.backtest([], [], [], None, [], 0, [10]).shape == (0, 1)


def test_all_alike_ratings_flag_nobody():
    agent, day, _, team = workspace()
    for score in (0.0, 0.5, 1.0):
        assert not backtest((agent, day, np.full(len(day), score), team)).any()


def test_a_weight_counts_as_that_many_ratings():
    agent, day, score, team = workspace(falls=[4], a_week=10)
    twice = trajectory.backtest(
        np.repeat(agent, 2), np.repeat(day, 2), np.repeat(score, 2), None, team, len(team), SWEEPS
    )
    weighted = trajectory.backtest(agent, day, score, np.full(len(day), 2.0), team, len(team), SWEEPS)
    assert np.array_equal(twice, weighted)


def test_ratings_that_were_all_counted_twice_count_for_little_more_than_once():
    base = workspace()
    agent, day, score, team = base
    twice = tuple(np.repeat(column, 2) for column in (agent, day, score))
    assert trajectory.daily_sums(*twice, None, 12, 0, 299).clumping(TODAY) == pytest.approx(2, abs=0.25)
    assert trajectory.daily_sums(agent, day, score, None, 12, 0, 299).clumping(TODAY) == pytest.approx(1, abs=0.1)
    once, again = scan(base), scan((*twice, team))
    assert again.evidence == pytest.approx(once.evidence, abs=0.35)


def test_what_comes_later_changes_nothing_before_it():
    agent, day, score, team = workspace(falls=[2, 7])
    whole = backtest((agent, day, score, team))
    for cut in (216, 234, 261):
        known = day <= cut
        part = backtest((agent[known], day[known], score[known], team))
        upto = SWEEPS.index(cut) + 1
        assert np.array_equal(part[:, :upto], whole[:, :upto])


def test_the_order_of_agents_and_names_of_teams_do_not_matter():
    agent, day, score, _ = workspace(falls=[2, 7])
    team = np.repeat([0, 1], 6)
    turned = 11 - np.arange(12)
    flagged = backtest((agent, day, score, team))
    assert np.array_equal(backtest((turned[agent], day, score, np.repeat([40, 9], 6)))[turned], flagged)


def test_days_may_be_counted_from_anywhere():
    agent, day, score, team = workspace(falls=[4])
    shift = 738_000
    later = trajectory.backtest(agent, day + shift, score, None, team, 12, np.array(SWEEPS) + shift)
    assert np.array_equal(later, backtest((agent, day, score, team)))


def test_a_higher_h_flags_later_or_not_at_all():
    base = workspace(falls=[4])
    assert backtest(base, h=4.5).sum() < backtest(base, h=3.4).sum()
    assert not backtest(base, h=50).any()


def test_one_replay_for_several_thresholds_raises_what_a_replay_for_each_would():
    agent, day, score, team = workspace(falls=[2, 4, 7], fell_on=200)
    days = trajectory.daily_sums(agent, day, score, None, 12, 0, 299)
    together = trajectory.replays(days, team, SWEEPS, [3.1, 3.4, 6.0])
    assert list(together) == [3.1, 3.4, 6.0]
    assert together[3.1] != together[6.0]
    for h, flags in together.items():
        assert flags == trajectory.replay(days, team, SWEEPS, h)


# --- what a flag comes with


def test_scan_tells_what_the_sentence_needs():
    base = workspace(falls=[4])
    agent, day, score, _ = base
    found = scan(base)
    weeks = int(found.weeks[4])
    inside = (agent == 4) & (day > TODAY - 7 * weeks) & (day <= TODAY)
    past = (agent == 4) & (day > TODAY - 182) & (day <= TODAY - 7 * weeks)
    last28 = (agent == 4) & (day > TODAY - 28) & (day <= TODAY)
    assert found.since[4] == TODAY - 7 * weeks + 1
    assert found.ratings[4] == inside.sum()
    assert found.observed[4] == pytest.approx(score[inside].mean())
    assert found.past_ratings[4] == past.sum()
    assert found.own_level[4] == pytest.approx(score[past].mean(), abs=0.02)
    assert found.expected[4] == pytest.approx(0.9, abs=0.03)
    assert (found.n28[4], found.rate28[4]) == (last28.sum(), pytest.approx(score[last28].mean()))
    assert found.weeks_rated[4] == weeks
    assert found.weeks_below[4] == sum(
        score[inside & (day > TODAY - 7 * (w + 1)) & (day <= TODAY - 7 * w)].mean() < found.expected[4]
        for w in range(weeks)
    )
    assert found.statistic[4] >= trajectory.DEFAULT_H
    assert found.holds_without_worst[4]


def test_scan_finds_the_worst_seven_days():
    found = scan(also(workspace(falls=[4]), np.full(12, 4), np.repeat([236, 240], 6), np.zeros(12)))
    agent, day, score, _ = also(workspace(falls=[4]), np.full(12, 4), np.repeat([236, 240], 6), np.zeros(12))

    def excess(start):
        run = (agent == 4) & (day >= start) & (day < start + 7)
        return (found.expected[4] - score[run]).sum()

    starts = range(int(found.since[4]), TODAY - 5)
    assert excess(int(found.worst_start[4])) == pytest.approx(max(map(excess, starts)))


def test_scan_without_enough_ratings_says_so():
    found = scan(workspace(falls=[0], n_agents=1, a_week=0.4))
    assert not found.enough[0]
    assert found.statistic[0] == -np.inf
    assert found.weeks[0] == 12
    assert found.worst_start[0] == NO_DAY
    assert not found.holds_without_worst[0]


def test_scan_of_an_agent_without_ratings_has_no_levels():
    found = scan((np.array([], int), np.array([], int), np.array([]), np.zeros(5, int)))
    assert found.ratings.tolist() == [0] * 5
    assert np.isnan(found.observed).all()
    assert np.isnan(found.rate28).all()
    assert not found.enough.any()


def test_scan_reads_no_day_after_its_own_nor_before_26_weeks():
    rng = np.random.default_rng(5)
    base = workspace(falls=[4])
    loud = also(base, *ratings(rng, 4, TODAY + 1, 299, 60, 1.0))
    loud = also(loud, *ratings(rng, 4, 0, TODAY - 182, 60, 1.0))
    for field in dataclasses.fields(trajectory.Scan):
        assert np.array_equal(getattr(scan(base), field.name), getattr(scan(loud), field.name), equal_nan=True), (
            field.name
        )


def test_an_episode_carries_what_it_was_raised_on():
    base = workspace(falls=[4])
    (flag,) = episodes(base)
    found = scan(base, flag.raised_on)
    assert flag.agent == 4
    for name in ("since", "weeks", "ratings", "observed", "expected", "weeks_below", "weeks_rated", "statistic"):
        assert getattr(flag, name) == getattr(found, name)[4]
    assert flag.observed < flag.expected - trajectory.MIN_DROP


def test_backtest_is_open_from_the_day_of_raising_to_the_day_before_the_end():
    base = workspace(falls=[4])
    (flag,) = episodes(base)
    days = np.array(SWEEPS)
    until = np.inf if flag.ended_on is None else flag.ended_on
    assert np.array_equal(backtest(base)[4], (days >= flag.raised_on) & (days < until))


def test_a_flag_clears_when_the_old_level_is_back():
    rng = np.random.default_rng(9)
    agent, day, score, team = workspace(falls=[4])
    good = np.concatenate([ratings(rng, 4, 250, 299, 20, 0.1)], axis=1)
    kept = (agent != 4) | (day < 250)
    (flag,) = episodes(also((agent[kept], day[kept], score[kept], team), *good))
    assert flag.ended_by == "cleared"
    assert 250 < flag.ended_on <= 250 + 35


def test_a_flag_on_a_level_that_stays_expires_and_rests():
    agent, day, score, team = workspace(falls=[4])
    flags = trajectory.episodes(agent, day, score, None, team, len(team), range(183, 340, 3))
    assert flags[0].ended_by == "expired"
    assert flags[0].ended_on == flags[0].raised_on + trajectory.EXPIRE_DAYS  # which the sweeps meet
    assert all(flag.raised_on >= flags[0].ended_on + trajectory.REST_DAYS for flag in flags[1:])


# --- the state machine alone


def evidence(day, statistic=-np.inf, rate28=0.6, n28=20, expected=0.9):
    """A Scan of one agent with what `step` reads."""
    blank = {field.name: np.array([np.nan]) for field in dataclasses.fields(trajectory.Scan)}
    return trajectory.Scan(
        **blank
        | {
            "day": day,
            "statistic": np.array([statistic]),
            "rate28": np.array([rate28]),
            "n28": np.array([n28]),
            "expected": np.array([expected]),
        }
    )


def happened(events: Events):
    return {name: len(agents) for name, agents in vars(events).items() if len(agents)}


def test_step_raises_at_h_and_stores_what_to_recover_to():
    state, events = trajectory.step(State.empty(1), evidence(100, statistic=3.4))
    assert happened(events) == {"raised": 1}
    assert (state.raised_on[0], state.expected[0]) == (100, 0.9)
    assert state.drop[0] == pytest.approx(0.3)


def test_step_does_not_raise_below_h():
    state, events = trajectory.step(State.empty(1), evidence(100, statistic=3.39))
    assert happened(events) == {}
    assert not state.open[0]


def test_step_stores_a_drop_of_at_least_five_points():
    state, _ = trajectory.step(State.empty(1), evidence(100, statistic=4, rate28=0.89))
    assert state.drop[0] == trajectory.MIN_DROP


def test_step_keeps_an_open_flag_whatever_the_evidence_says():
    state, _ = trajectory.step(State.empty(1), evidence(100, statistic=4))
    for statistic in (-np.inf, 9.0):
        kept, events = trajectory.step(state, evidence(120, statistic=statistic))
        assert happened(events) == {}
        assert kept.raised_on[0] == 100


def test_step_clears_expires_and_rests():
    raised, _ = trajectory.step(State.empty(1), evidence(100, statistic=4))
    cleared, events = trajectory.step(raised, evidence(114, rate28=0.85))
    assert happened(events) == {"cleared": 1}
    expired, events = trajectory.step(raised, evidence(184))
    assert happened(events) == {"expired": 1}
    for state, ended_on in ((cleared, 114), (expired, 184)):
        assert (state.open[0], state.ended_on[0]) == (False, ended_on)
        resting, events = trajectory.step(state, evidence(ended_on + 27, statistic=9))
        assert happened(events) == {}
        _, events = trajectory.step(resting, evidence(ended_on + 28, statistic=9))
        assert happened(events) == {"raised": 1}


def test_step_catches_up_an_expiry_that_a_missed_night_skipped():
    raised, _ = trajectory.step(State.empty(1), evidence(100, statistic=4))
    state, events = trajectory.step(raised, evidence(190))
    assert happened(events) == {"expired": 1}
    assert state.ended_on[0] == 190


@pytest.mark.parametrize(
    ("rate28", "n28", "day_of_flag", "over"),
    [
        (0.80, 8, 14, True),  # two thirds of the way back from .6 to .9
        (0.79, 8, 14, False),
        (0.95, 7, 14, False),
        (0.95, 8, 13, False),
        (np.nan, 0, 60, False),
    ],
)
def test_clears_asks_for_two_thirds_of_the_drop_on_enough_ratings(rate28, n28, day_of_flag, over):
    assert bool(trajectory.clears(rate28, n28, 0.9, 0.3 + 1e-9, day_of_flag)) is over


def test_threshold_rises_with_the_workspace():
    assert trajectory.threshold(200) == trajectory.DEFAULT_H
    assert trajectory.threshold(201) == 3.65


def test_days_from_a_daily_table_and_from_ratings_give_the_same_scan():
    agent, day, score, team = workspace(falls=[4])
    n, u = np.zeros((12, 300)), np.zeros((12, 300))
    np.add.at(n, (agent, day), 1)
    np.add.at(u, (agent, day), 1 - score)
    found = trajectory.scan(Days(0, n, u, u.copy()), team, TODAY)
    assert np.array_equal(found.statistic, scan((agent, day, score, team)).statistic)


# --- simulated workspaces with known truth


@pytest.fixture(scope="module")
def simulator():
    try:
        return flag_eval.load_simulator(flag_eval.shared_folder())
    except FileNotFoundError as missing:
        pytest.skip(f"no simulator at {missing}: set TOUCHLINE_SHARED to the folder that holds csat/simulate.py")


def outcome(simulator, scenario, scale, n_agents=400, seed=501, share=0.1):
    table, truth = simulator.simulate(scenario, scale, n_agents=n_agents, seed=seed, share=share)
    table.sweep_days = table.sweep_days[::2]
    return flag_eval.Outcome(flag_eval.run_scan(table)[trajectory.DEFAULT_H], truth, simulator.EVAL0)


@pytest.mark.parametrize("scale", ["stars", "binary"])
@pytest.mark.parametrize("scenario", ["nochange", "dip1w", "outage2w", "teamdrop", "newcomers"])
def test_unchanged_agents_are_hardly_ever_flagged(simulator, scenario, scale):
    assert outcome(simulator, scenario, scale).flagged().mean() <= 0.02


@pytest.mark.parametrize("scale", ["stars", "binary"])
def test_falls_of_twenty_points_are_found(simulator, scale):
    found = outcome(simulator, "step20", scale, share=0.15)
    assert flag_eval.found(found, 50) >= 90
    assert flag_eval.found(found, 20) >= 80
    assert flag_eval.median_weeks(found, 20) <= 5.5


def test_recovered_agents_are_cleared(simulator):
    cleared, early = outcome(simulator, "recover20", "stars", share=0.15).recovery()
    assert cleared >= 0.8
    assert early <= 0.12


@pytest.mark.parametrize(("level", "volume"), [(0.6, 3), (0.15, 8), (0.02, 8)])
def test_agents_who_were_always_low_are_hardly_ever_flagged(simulator, level, volume):
    days, team, low = flag_eval.always_low(level, volume, 501, simulator, n_agents=400)
    flags = trajectory.replay(days, team, range(simulator.SWEEP0, simulator.DAYS, 2))
    assert sum(bool(low[flag.agent]) for flag in flags) <= 0.04 * low.sum()


def test_a_cut_simulated_history_keeps_its_flags(simulator):
    table, _ = simulator.simulate("step20", "stars", n_agents=300, seed=502)
    sweep_days = table.sweep_days[::3]
    known = table.day <= sweep_days[20]

    def flags(rows):
        return trajectory.backtest(
            table.agent[rows], table.day[rows], table.score[rows], None, table.team, table.n_agents, sweep_days
        )

    whole = flags(slice(None))
    assert whole.any()
    assert np.array_equal(flags(known)[:, :21], whole[:, :21])


def test_shuffled_days_keep_what_each_agent_got_and_which_days_had_ratings():
    rng = np.random.default_rng(5)
    n = rng.integers(0, 3, (3, 60)).astype(float)
    u = n * rng.random((3, 60))
    days = trajectory.Days(100, n, u, u**2)

    shuffled = days.shuffled(np.random.default_rng(1))

    assert (shuffled.u != u).any()
    np.testing.assert_array_equal(shuffled.n > 0, n > 0)
    for was, now in zip((days.n, days.u, days.uu), (shuffled.n, shuffled.u, shuffled.uu), strict=True):
        np.testing.assert_array_equal(np.sort(now), np.sort(was))
    together = {(a, b, c) for a, b, c in zip(n.flat, u.flat, (u**2).flat, strict=True)}
    assert {(a, b, c) for a, b, c in zip(shuffled.n.flat, shuffled.u.flat, shuffled.uu.flat, strict=True)} <= together
