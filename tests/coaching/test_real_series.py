"""What `flag_eval --real` says about a file of ratings: the file is written here."""

import csv
from datetime import date, timedelta

import numpy as np
import pytest

from coaching import trajectory
from tests.bench import flag_eval, real_series

FIRST = date(2024, 1, 1)


@pytest.fixture
def file(tmp_path):
    """Six agents at one bad rating in eight for 300 days, one of them at one in two from day 200 on, as a CSV file."""
    rng = np.random.default_rng(4)
    path = tmp_path / "ratings.csv"
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(["agent", "closed_at", "score"])
        for agent in range(6):
            for day in range(300):
                for _ in range(rng.poisson(2)):
                    bad = rng.random() < (0.5 if agent == 3 and day >= 200 else 0.125)
                    at = f"{FIRST + timedelta(day)}T10:00:00Z"
                    writer.writerow([f"agent-{agent}", at, "bad" if bad else "good"])
    return path


def test_the_report_names_the_real_fall_and_the_controls(file, capsys, monkeypatch):
    monkeypatch.setattr(real_series, "COPIES", 2)
    assert flag_eval.main(["--real", str(file)]) == 0
    said = capsys.readouterr().out
    raised = [line.split()[0] for line in said.splitlines() if " raised " in line]
    assert set(raised) == {"agent-3"}
    assert len(raised) >= 3  # at each sensitivity
    for control in ("shuffled days", "shuffled months", "as stars", "planted -15, 8 to 20 a week", "not down"):
        assert control in said


def test_a_missing_file_is_skipped_and_said(tmp_path, capsys):
    assert flag_eval.main(["--real", str(tmp_path / "none.csv")]) == 0
    assert "Skipped" in capsys.readouterr().out


def test_of_a_conversation_the_latest_rating_counts(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text("external_id,agent,rated_at,value\n1,b,2024-01-05,1\n1,b,2024-01-02,5\n2,a,2024-01-01,4\n")
    every, latest = real_series.read(path), real_series.read(path, per_conversation=True)
    assert (every.agents, every.score.tolist()) == (["a", "b"], [0, 1, 0.75])
    assert (latest.agent.tolist(), latest.score.tolist()) == ([0, 1], [0.75, 0])


def test_a_planted_fall_lowers_one_agent_from_its_day_on_and_nobody_else(file):
    series = real_series.read(file)
    copies, fell = real_series.planted(series, 30, np.random.default_rng(1))
    whole, n_agents = series.days(), len(series.agents)
    assert len(copies) == len(fell) > 0
    for at, (copy, (row, day, a_week)) in enumerate(zip(copies, fell, strict=True)):
        agent, column = int(row) - at * n_agents, int(day) - whole.first_day
        changed = (copy.u != whole.u).any(1)
        assert np.flatnonzero(changed).tolist() == [agent]
        assert np.array_equal(copy.u[:, :column], whole.u[:, :column])
        assert np.array_equal(copy.n, whole.n)
        assert (copy.u - whole.u)[agent, column : column + 91].sum() / (a_week * 13) == pytest.approx(0.3, abs=0.1)


def test_a_swapped_agent_goes_on_with_the_ratings_of_another(file):
    series = real_series.read(file)
    copies, told = real_series.swapped(series)
    assert len(copies) == len(told) == 6 * 5
    row, _, gained = told[3 * 5]  # the fallen one goes on as the first
    assert row == 3 * 5 * 6 + 3
    assert gained > -10
    assert max(abs(gained) for _, _, gained in told) > 15


def test_shuffled_months_keep_what_each_agent_got(file):
    days = real_series.read(file).days()
    shuffled = real_series.months_shuffled(days, np.random.default_rng(1))
    whole_months = 28 * (days.n.shape[1] // 28)
    assert (shuffled.u != days.u[:, :whole_months]).any()
    assert np.array_equal(np.sort(shuffled.u, axis=1), np.sort(days.u[:, :whole_months], axis=1))


def test_stars_told_from_good_and_bad_keep_to_the_scale():
    stars = real_series.as_stars(np.repeat([0.0, 1.0], 500), np.random.default_rng(1))
    assert set(stars.tolist()) == {0.0, 0.25, 0.75, 1.0}
    assert trajectory.daily_sums(np.zeros(1000, int), np.zeros(1000, int), stars, None, 1, 0, 0).u[
        0, 0
    ] == pytest.approx(500, abs=60)
