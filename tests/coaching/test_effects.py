"""After coaching: what is claimed of notes with and without an effect, what nothing is claimed of, and what the sweep keeps."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coaching import trajectory
from coaching.actions import effects as measuring
from coaching.actions import notes, sweeps
from coaching.csat import daily, effects
from coaching.csat.effects import Basis, Verdict
from coaching.models import Note, NoteEffect
from helpdesk.actions import record_ratings
from tests import factories
from tests.bench import effects_eval
from tests.factories import ratings

ON = effects.BEFORE_DAYS + 2  # the day a note is written on, where columns count from 0
LAST = 7 * effects.LAST_LOOK
N_DAYS = ON + LAST + 1
TODAY = date(2026, 5, 20)


def steady(n_agents, *, per_day=3, level=0.85, seed=1):
    """Good and bad ratings of agents who keep their level, as (n, u)."""
    rng = np.random.default_rng(seed)
    n = rng.poisson(per_day, (n_agents, N_DAYS)).astype(float)
    return n, rng.binomial(n.astype(int), 1 - level).astype(float)


def moved(n, u, row, first, last, points, seed=2):
    """The same with one agent's days first..last less happy by `points` (negative: happier)."""
    rng, u = np.random.default_rng(seed), u.copy()
    days = slice(first, last + 1)
    whole = n[row, days].astype(int)
    level = u[row, days].sum() / max(n[row, days].sum(), 1) + points / 100
    u[row, days] = rng.binomial(whole, np.clip(level, 0, 1))
    return u


def measured(n, u, *, agents=(0,), team=None, on=ON, weeks=effects.LAST_LOOK, written=None):
    """The Effects of a note on each of `agents`, all written on one day."""
    team = np.zeros(len(n), int) if team is None else team
    rows = list(agents)
    on_days = [on] * len(rows)
    written = (rows, on_days) if written is None else written
    return effects.measure(trajectory.Days(0, n, u, u), team, written, rows, on_days, [weeks] * len(rows))


# What is claimed


def test_a_rise_beyond_chance_is_better_than_expected():
    n, u = steady(80)
    (effect,) = measured(n, moved(n, u, 0, ON + 1, N_DAYS, -12))
    assert (effect.verdict, effect.basis) == (Verdict.BETTER, Basis.CONTROLS)
    assert effect.low > 0
    assert effect.low < 12 < effect.high
    assert effect.n_after == n[0, ON + 1 : ON + LAST + 1].sum()


def test_a_fall_beyond_chance_is_worse_than_expected():
    n, u = steady(80)
    (effect,) = measured(n, moved(n, u, 0, ON + 1, N_DAYS, 15))
    assert effect.verdict == Verdict.WORSE
    assert effect.high < 0


def test_a_dip_that_others_come_back_from_as_well_is_no_effect():
    n, u = steady(80, per_day=6)
    dipped = range(40)
    for row in dipped:
        u = moved(n, u, row, ON - 28, ON - 1, 12, seed=row)
    (effect,) = measured(n, u)
    assert effect.dip > 5
    assert abs(effect.change) < 4  # of the twelve points that came back
    assert effect.verdict not in (Verdict.BETTER, Verdict.WORSE)
    assert effects_eval.plain_change(trajectory.Days(0, n, u, u), np.array([0]), ON, effects.LAST_LOOK).all()


def test_coming_back_is_better_where_it_stays_with_others():
    n, u = steady(80, per_day=8)
    for row in range(40):
        u = moved(n, u, row, ON - 28, N_DAYS, 15, seed=row)
    u = moved(n, u, 0, ON + 1, N_DAYS, -15)
    (effect,) = measured(n, u)
    assert (effect.verdict, effect.basis) == (Verdict.BETTER, Basis.CONTROLS)


def test_a_dip_that_stays_is_not_called_worse():
    n, u = steady(80, per_day=8)
    u = moved(n, u, 0, ON - 14, N_DAYS, 20)
    (effect,) = measured(n, u)
    assert effect.verdict not in (Verdict.BETTER, Verdict.WORSE)


@pytest.mark.parametrize("n_agents", [80, 10])
def test_what_everybody_got_is_the_weather(n_agents):
    n, u = steady(n_agents, per_day=6)
    for row in range(n_agents):
        u = moved(n, u, row, ON + 1, N_DAYS, 12, seed=row)
    (effect,) = measured(n, u)
    assert effect.verdict not in (Verdict.BETTER, Verdict.WORSE)
    assert abs(effect.change) < 6


def test_without_controls_a_return_to_the_own_level_is_no_effect_and_more_than_it_is():
    n, u = steady(10, per_day=10)
    u = moved(n, u, 0, ON - 28, ON - 1, 15)
    (back,) = measured(n, u)
    assert (back.basis, back.n_controls) == (Basis.OWN, 0)
    assert back.verdict not in (Verdict.BETTER, Verdict.WORSE)
    (beyond,) = measured(n, moved(n, u, 0, ON + 1, N_DAYS, -14))
    assert beyond.verdict == Verdict.BETTER


def test_whoever_got_a_note_in_these_months_is_no_control():
    n, u = steady(60)
    everybody = range(60)
    near = [ON + 30] * 60
    (alone,) = measured(n, u, written=([0, *everybody], [ON, *near]))
    assert alone.basis == Basis.OWN
    (among,) = measured(n, u, written=([0, *everybody], [ON, *([ON + LAST + 1] * 60)]))
    assert among.basis == Basis.CONTROLS


def test_few_ratings_say_nothing():
    n, u = steady(60)
    n[0, : ON - 28], u[0, : ON - 28] = 0, 0
    assert [e.verdict for e in measured(n, u)] == [Verdict.FEW_BEFORE]
    n, u = steady(60)
    n[0, ON + 1 :], u[0, ON + 1 :] = 0, 0
    (few,) = measured(n, u)
    assert (few.verdict, few.change, few.n_after) == (Verdict.FEW_AFTER, None, 0)


def test_what_is_needed_more_shrinks_with_what_came():
    n, u = steady(80, per_day=1)
    needed = [measured(n, u, weeks=weeks)[0] for weeks in (4, 8, 12)]
    assert {e.verdict for e in needed} == {Verdict.UNCLEAR}
    n, u = steady(80, per_day=20)
    assert measured(n, u)[0].verdict == Verdict.SAME
    assert measured(n, u)[0].more == 0


def test_looks_are_weekly_from_the_second_to_the_twelfth():
    assert [effects.weeks_since(100, 100 + days) for days in (0, 13, 14, 20, 21, 84, 400)] == [0, 0, 2, 2, 3, 12, 12]


# What must change nothing


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_the_order_of_agents_changes_nothing(seed):
    n, u = steady(50, seed=seed)
    team = np.arange(50) % 4
    order = np.random.default_rng(seed).permutation(50)
    where = np.argsort(order)
    notes_on = [3, 17, 40]
    there = measured(n[order], u[order], team=team[order], agents=where[notes_on])
    assert_alike(measured(n, u, team=team, agents=notes_on), there)


def assert_alike(some, others):
    for one, other in zip(some, others, strict=True):
        assert (one.verdict, one.n_after, one.n_controls, one.more) == (
            other.verdict,
            other.n_after,
            other.n_controls,
            other.more,
        )
        assert [one.change, one.low, one.high] == pytest.approx([other.change, other.low, other.high], abs=0.011)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(effects.FIRST_LOOK, effects.LAST_LOOK - 1))
def test_ratings_after_the_look_and_on_the_day_itself_change_nothing(seed, weeks):
    n, u = steady(50, seed=seed)
    later_n, later_u = n.copy(), u.copy()
    later_n[:, ON + 7 * weeks + 1 :] += 5
    later_u[:, ON + 7 * weeks + 1 :] += 4
    (now,), (later,) = measured(n, u, weeks=weeks), measured(later_n, later_u, weeks=weeks)
    assert now == later
    n[0, ON], u[0, ON] = 0, 0
    (without,) = measured(n, u, weeks=weeks)
    assert [without.n_after, without.n_before] == [now.n_after, now.n_before]
    assert without.change == pytest.approx(now.change, abs=0.1)  # the spread of all ratings is read with it


def test_agents_without_ratings_and_names_of_teams_change_nothing():
    n, u = steady(50)
    team = np.arange(50) % 4
    found = measured(n, u, team=team)
    more_n, more_u = (np.concatenate([x, np.zeros((30, N_DAYS))]) for x in (n, u))
    assert_alike(found, measured(more_n, more_u, team=np.concatenate([team, np.full(30, 9)])))
    assert_alike(found, measured(n, u, team=7 - team))


def test_the_calendar_changes_nothing():
    n, u = steady(50)
    days = trajectory.Days(700, n, u, u)
    later = effects.measure(days, np.zeros(50, int), ([0], [ON + 700]), [0], [ON + 700], [12])
    assert_alike(measured(n, u), later)


def test_the_scale_of_the_ratings_changes_nothing_where_controls_show_how_they_differ():
    n, u = steady(60, level=0.8)
    days = [
        trajectory.Days(0, n, u, squares * u) for squares in (1.0, 0.7)
    ]  # good or bad, and a scale with steps between
    assert_alike(*(effects.measure(d, np.zeros(60, int), ([0], [ON]), [0], [ON], [12]) for d in days))


# How often a claim is wrong


@pytest.mark.parametrize("place", ["random days", "bottom of a dip"])
def test_claims_about_notes_that_change_nothing_stay_under_the_stated_rate(place):
    found = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        level = np.clip(rng.normal(0.85, 0.06, 400), 0.5, 0.98)[:, None]
        per_day = rng.choice([8, 20, 50], 400)[:, None] / 7
        n = rng.poisson(per_day, (400, 260))
        weeks = np.repeat(rng.normal(0, 0.02, (400, 38)), 7, 1)[:, :260]
        bad = rng.binomial(n, np.clip(1 - level + weeks, 0, 1)).astype(float)
        days = trajectory.Days(0, n.astype(float), bad, bad)
        notes_put = effects_eval.PLACED[place](days, None, Simulated, rng, 0.4)
        found.append(effects_eval.claims(days, np.arange(400) // 20, notes_put))
    claims = effects_eval.together(found)
    assert claims.judged.sum() > 300
    assert (claims.better | claims.worse)[claims.judged].mean() <= effects_eval.STATED
    assert claims.plain[claims.judged].mean() > 2 * effects_eval.STATED


class Simulated:
    """As long as a simulated workspace, for where notes can be put."""

    DAYS = 260


@pytest.mark.slow
@pytest.mark.parametrize("scenario", effects_eval.NULLS)
def test_claims_on_simulated_workspaces_stay_under_the_stated_rate(scenario):
    shared = effects_eval.shared_folder()
    if not (shared / "csat" / "simulate.py").is_file():
        pytest.skip("no simulator: name its folder with TOUCHLINE_SHARED")
    for scale in effects_eval.SCALES:
        _, found = effects_eval.without_effect(shared, 300, effects_eval.SHARE, (scenario, scale, 801))
        everything = effects_eval.together(list(found.values()))
        wrong = (everything.better | everything.worse)[everything.judged]
        assert not effects_eval.too_many(wrong.sum(), len(wrong))


# What the sweep keeps


def rated_workspace(workspace, n_agents=6, day=TODAY):
    """Agents with a rating a day for half a year, nine in ten good."""
    agents = [factories.human(workspace, team="First line") for _ in range(n_agents)]
    days = ratings.days_until(day, 182)
    record_ratings(workspace, [row for agent in agents for row in ratings.steady(agent, days)])
    return agents


def note_on(agent, by, day):
    """A note that was written at noon of a day."""
    note = notes.write(agent, by=by, body="We went through three of your calls.")
    at = datetime.combine(day, time(12), agent.workspace.zone)
    Note.objects.filter(pk=note.pk).update(created_at=at)
    note.refresh_from_db()
    return note


def kept():
    return {effect.note_id: effect for effect in NoteEffect.objects.all()}


@pytest.mark.django_db
def test_the_sweep_measures_a_note_once_a_week(workspace, owner):
    agents = rated_workspace(workspace)
    note = note_on(agents[0], owner, TODAY - timedelta(days=30))
    looked = []
    for back in (16, 15, 12, 9, 8, 1):
        sweeps.sweep(workspace, TODAY - timedelta(days=back))
        looked.append(kept()[note.pk].day if kept() else None)
    second, third, fourth = (note.created_at.date() + timedelta(days=7 * weeks) for weeks in (2, 3, 4))
    assert looked == [None, second, second, second, third, fourth]
    result = kept()[note.pk].result
    assert (result["verdict"], result["weeks"], result["n_after"], result["basis"]) == ("unclear", 4, 28, "own")


@pytest.mark.django_db
def test_later_notes_of_a_spell_refer_to_the_first(workspace, owner):
    agents = rated_workspace(workspace)
    first = note_on(agents[0], owner, TODAY - timedelta(days=60))
    second = note_on(agents[0], owner, TODAY - timedelta(days=20))
    other = note_on(agents[1], owner, TODAY - timedelta(days=20))
    sweeps.sweep(workspace, TODAY)
    part = {"verdict": "part", "first": str(first.pk), "since": (TODAY - timedelta(days=60)).isoformat()}
    assert kept()[second.pk].result == part
    assert kept()[first.pk].result["weeks"] == 8
    assert kept()[other.pk].result["weeks"] == 2


@pytest.mark.django_db
def test_where_the_first_note_is_put_away_the_next_begins_the_spell(workspace, owner):
    agents = rated_workspace(workspace)
    first = note_on(agents[0], owner, TODAY - timedelta(days=60))
    second = note_on(agents[0], owner, TODAY - timedelta(days=20))
    sweeps.sweep(workspace, TODAY)
    notes.archive(first, by=owner)
    sweeps.sweep(workspace, TODAY)
    assert set(kept()) == {second.pk}
    assert kept()[second.pk].result["weeks"] == 2
    notes.restore(first, by=owner)
    sweeps.sweep(workspace, TODAY)
    assert kept()[first.pk].result["weeks"] == 8
    assert kept()[second.pk].result["first"] == str(first.pk)


@pytest.mark.django_db
def test_a_spell_ends_after_twelve_weeks(workspace, owner):
    agents = rated_workspace(workspace)
    began = note_on(agents[0], owner, TODAY - timedelta(days=120))
    sweeps.sweep(workspace, TODAY - timedelta(days=60))
    note_on(agents[0], owner, TODAY - timedelta(days=100))
    later = note_on(agents[0], owner, TODAY - timedelta(days=20))
    sweeps.sweep(workspace, TODAY - timedelta(days=50))
    sweeps.sweep(workspace, TODAY)
    assert kept()[began.pk].result["weeks"] == 9  # as it was last looked at in time
    assert kept()[later.pk].result["weeks"] == 2


@pytest.mark.django_db
def test_notes_older_than_what_can_be_compared_are_left_alone(workspace, owner):
    agents = rated_workspace(workspace)
    note_on(agents[0], owner, TODAY - timedelta(days=150))
    sweeps.sweep(workspace, TODAY)
    assert kept() == {}


@pytest.mark.django_db
def test_nothing_due_asks_two_queries(workspace, owner, django_assert_num_queries):
    agents = rated_workspace(workspace)
    for agent in agents:
        note_on(agent, owner, TODAY - timedelta(days=30))
    sweeps.sweep(workspace, TODAY)
    history = daily.load(workspace, TODAY)
    before = {pk: effect.result for pk, effect in kept().items()}
    with django_assert_num_queries(2):
        assert measuring.measure(workspace, history, TODAY) == 0
    assert {pk: effect.result for pk, effect in kept().items()} == before


@pytest.mark.django_db
def test_another_workspace_changes_nothing(workspace, owner, stranger):
    agents = rated_workspace(workspace)
    note = note_on(agents[0], owner, TODAY - timedelta(days=30))
    sweeps.sweep(workspace, TODAY)
    alone = kept()[note.pk].result
    NoteEffect.objects.all().delete()
    others = rated_workspace(stranger.workspace)
    note_on(others[0], stranger, TODAY - timedelta(days=30))
    sweeps.sweep(stranger.workspace, TODAY)
    sweeps.sweep(workspace, TODAY)
    assert kept()[note.pk].result == alone
    assert len(kept()) == 2


@pytest.mark.django_db
def test_an_agent_who_came_after_the_ratings_were_read_waits(workspace, owner):
    agents = rated_workspace(workspace)
    history = daily.load(workspace, TODAY)
    note_on(factories.human(workspace), owner, TODAY - timedelta(days=30))
    note = note_on(agents[0], owner, TODAY - timedelta(days=30))
    assert measuring.measure(workspace, replace(history), TODAY) == 1
    assert set(kept()) == {note.pk}


@pytest.mark.django_db
def test_notes_on_ai_agents_are_measured_too(workspace, owner, agent):
    rated_workspace(workspace)
    note = note_on(agent, owner, TODAY - timedelta(days=30))
    sweeps.sweep(workspace, TODAY)
    assert kept()[note.pk].result["verdict"] == "few_before"
