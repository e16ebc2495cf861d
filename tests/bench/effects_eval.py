"""Does "since the note" claim what is not there? Notes with and without effect, on simulated workspaces whose truth is known.

    python -m tests.bench.effects_eval [--shared DIR] [--quick] [--seeds 601,602,603]
    python -m tests.bench.effects_eval --real [FILE.csv]

The simulator and DIR are those of `tests.bench.flag_eval`. Notes that change nothing are put on agents in three ways: on random
days, at the bottom of each agent's deepest dip of two weeks, and on the day of a flag. Each is looked at as the product does,
week by week up to the twelfth, and counts as a false claim where any look says better or worse. Beside it stands what a plain
before and after would claim of the same notes: the mean of the four weeks before against the mean since, beyond 1.96 standard
errors, at any of the same looks or at the last one only. Then come notes that do change something, and how many are seen.

`--real` puts notes that nobody wrote into a file of real ratings (`tests.bench.real_series` says which columns). Nothing is
known to have changed on those days; what changes by itself, for months, may be claimed there.

Exits with 1 where more than STATED of the notes of a kind are claimed wrongly, beyond what chance leaves open.
"""

import argparse
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from coaching import trajectory
from coaching.csat import effects
from tests.bench import real_series
from tests.bench.flag_eval import SCALES, load_simulator, say, shared_folder

AGENTS = 600
SMALL = 12  # agents of a small workspace
STATED = 0.05
NULLS = ("nochange", "dip1w", "recover20", "outage2w", "teamdrop", "newcomers")
SHARE = 0.3  # of the agents who get a note, where all could
FLAG_H = trajectory.THRESHOLDS[trajectory.Sensitivity.EARLY][0]
VOLUMES = (8, 20, 50)
MORE_WEEKS = 8


@dataclass(frozen=True)
class Notes:
    """Notes of a workspace: rows of agents and days, one a note."""

    agent: np.ndarray
    on: np.ndarray

    def of(self, chosen):
        return Notes(self.agent[chosen], self.on[chosen])


@dataclass(frozen=True)
class Claims:
    """What was ever said of each note: bool or int (notes,). `judged` could be judged at some look."""

    better: np.ndarray
    worse: np.ndarray
    judged: np.ndarray
    by_controls: np.ndarray
    plain: np.ndarray
    plain_last: np.ndarray


def sums_of(table, simulator):
    return trajectory.daily_sums(
        table.agent, table.day, table.score, table.weight, table.n_agents, 0, simulator.DAYS - 1
    )


def longer(shared):
    """The simulator, with eight weeks more at the end: a note in any of its weeks is looked at to the last."""
    simulator = load_simulator(shared)
    simulator.DAYS += 7 * MORE_WEEKS
    return simulator


def span(simulator):
    """The days a note can be written on: a quarter before it, every look after it."""
    return effects.BEFORE_DAYS + 1, simulator.DAYS - 7 * effects.LAST_LOOK


def on_random_days(days, table, simulator, rng, share):
    agent = np.flatnonzero(rng.random(days.n_agents) < share)
    return Notes(agent, rng.integers(*span(simulator), len(agent)))


def at_the_bottom(days, table, simulator, rng, share):
    """Each agent's note on the day after the fortnight that was furthest below their weeks before it, in standard errors."""
    deepest, on = np.zeros(days.n_agents), np.zeros(days.n_agents, int)
    for day in range(*span(simulator)):
        (n, u), (past_n, past_u) = days.window(day - 14, day - 1), days.window(day - 91, day - 15)
        level = (past_u + 1) / (past_n + 10)
        enough = (n >= 4) & (past_n >= 20)
        depth = np.where(enough, u - n * level, 0) / np.sqrt(np.maximum(n * level * (1 - level), 1e-9))
        on[depth > deepest] = day
        deepest = np.maximum(depth, deepest)
    agent = np.flatnonzero((deepest > 0) & (rng.random(days.n_agents) < share))
    return Notes(agent, on[agent])


def on_flags(days, table, simulator, rng, share):
    """A note on the day of each agent's first flag at the early sensitivity."""
    first = {}
    for flag in trajectory.replay(days, table.team, range(simulator.SWEEP0, span(simulator)[1]), FLAG_H):
        if flag.raised_on >= span(simulator)[0]:
            first.setdefault(flag.agent, flag.raised_on)
    rows = np.array([(agent, on) for agent, on in first.items() if rng.random() < share], int).reshape(-1, 2)
    return Notes(rows[:, 0], rows[:, 1])


PLACED = {"random days": on_random_days, "bottom of a dip": at_the_bottom, "on flags": on_flags}


def claims(days, team, notes):
    """Look at every note week by week."""
    looks = np.arange(effects.FIRST_LOOK, effects.LAST_LOOK + 1)
    at, weeks = (x.ravel() for x in np.meshgrid(np.arange(len(notes.on)), looks, indexing="ij"))
    said = effects.measure(days, team, (notes.agent, notes.on), notes.agent[at], notes.on[at], weeks)
    found = {name: np.zeros(len(notes.on), bool) for name in ("better", "worse", "judged", "by_controls")}
    for note, effect in zip(at.tolist(), said, strict=True):
        found["judged"][note] |= effect.change is not None
        found["by_controls"][note] |= effect.basis == effects.Basis.CONTROLS
        for verdict in (effects.Verdict.BETTER, effects.Verdict.WORSE):
            found[verdict][note] |= effect.verdict == verdict
    plain, plain_last = np.zeros((2, len(notes.on)), bool)
    for day, k in sorted(set(zip(notes.on[at].tolist(), weeks.tolist(), strict=True))):
        mine = notes.on == day
        moved = plain_change(days, notes.agent[mine], day, k)
        plain[mine] |= moved
        plain_last[mine] = moved
    return Claims(**found, plain=plain, plain_last=plain_last)


def plain_change(days, agents, day, weeks):
    """Whether the mean since differs from that of the four weeks before by more than 1.96 standard errors: bool (agents,)."""
    (n, mean, error), (m, since, other) = (
        _mean_of(days, agents, first - days.first_day, last - days.first_day)
        for first, last in ((day - 28, day - 1), (day + 1, day + 7 * weeks))
    )
    return (n >= effects.MIN_AFTER) & (m >= effects.MIN_AFTER) & (np.abs(since - mean) > 1.96 * np.hypot(error, other))


def _mean_of(days, agents, first, last):
    """Ratings, their mean unhappiness and its standard error, as one rating tells: three arrays (agents,)."""
    n, u, uu = (x[agents, first : last + 1].sum(1) for x in (days.n, days.u, days.uu))
    n = np.maximum(n, 2)
    return n, u / n, np.sqrt(np.maximum(uu / n - (u / n) ** 2, 0.05**2) / (n - 1))


def improved(table, notes, points, rng):
    """The same ratings, those of each noted agent after the note happier by `points` (as far as they can be).

    Ratings become the best there is, at random; one with bad ones only now and then has less to gain and keeps a twentieth.
    """
    from_day = np.full(table.n_agents, np.iinfo(np.int64).max)
    from_day[notes.agent] = notes.on + 1
    after = table.day >= from_day[table.agent]
    n = np.bincount(table.agent[after], minlength=table.n_agents)
    unhappy = np.bincount(table.agent[after], 1 - table.score[after], table.n_agents) / np.maximum(n, 1)
    share = np.clip(points / 100 / np.maximum(unhappy, 1e-9), 0, 0.95)
    turned = after & (rng.random(len(table.score)) < share[table.agent])
    return replace(table, score=np.where(turned, 1, table.score).astype(table.score.dtype))


def room(table, notes, points, simulator):
    """Which notes are on agents who could be happier by so many points after it: bool (notes,)."""
    days = sums_of(table, simulator)
    able = np.zeros(len(notes.on), bool)
    for at, (agent, on) in enumerate(zip(notes.agent.tolist(), notes.on.tolist(), strict=True)):
        n, u = days.window(on + 1, simulator.DAYS)
        able[at] = n[agent] > 0 and u[agent] / n[agent] > points / 100
    return able


def without_effect(shared, n_agents, share, job):
    """Claims about notes that change nothing in one workspace, by how they were placed: (job, {placed: Claims})."""
    scenario, scale, seed = job
    simulator = longer(shared)
    table, truth = simulator.simulate(scenario, scale, n_agents=n_agents, seed=seed)
    days = sums_of(table, simulator)
    found = {}
    for number, (placed, place) in enumerate(PLACED.items()):
        rng = np.random.default_rng([23, seed, number])
        notes = place(days, table, simulator, rng, 1.0 if placed == "on flags" and share == SHARE else share)
        # What changed after a note by itself is no false claim.
        notes = notes.of(~(truth.declining[notes.agent] & (notes.on < truth.onset[notes.agent])))
        found[placed] = claims(days, table.team, notes)
    return job, found


def with_effect(shared, points, job):
    """Claims about notes after which agents are happier: (job, [(kind, volume of each note, Claims)])."""
    scale, seed = job
    simulator = longer(shared)
    found = []
    for kind, scenario, place, share in (
        ("steady", "nochange", on_random_days, 0.2),
        ("flagged, half of them with a note", "step20", on_flags, 0.5),
        ("flagged, all of them with a note", "step20", on_flags, 1.0),
    ):
        rng = np.random.default_rng([29, seed, points])
        table, truth = simulator.simulate(scenario, scale, n_agents=AGENTS, seed=seed)
        notes = place(sums_of(table, simulator), table, simulator, rng, share)
        if scenario == "step20":
            notes = notes.of(truth.declining[notes.agent])
        able = room(table, notes, points, simulator)
        better = improved(table, notes.of(able), points, rng)
        found.append(
            (kind, truth.volume[notes.agent][able], _of(claims(sums_of(better, simulator), table.team, notes), able))
        )
    return job, found


def _of(found, chosen):
    return Claims(**{name: values[chosen] for name, values in vars(found).items()})


def together(many):
    return Claims(**{name: np.concatenate([getattr(one, name) for one in many]) for name in vars(many[0])})


def false_row(name, found):
    """Print one row; the share of false claims among the notes that could be judged, and their number."""
    n = int(found.judged.sum())
    if not n:
        say(f"{name:<38}{0:>7}")
        return 0, 0
    wrong = found.better | found.worse
    say(
        f"{name:<38}{n:>7,}{found.better.sum() / n:>9.1%}{found.worse.sum() / n:>9.1%}{wrong.sum() / n:>9.1%}"
        f"{found.plain.sum() / n:>12.1%}{found.plain_last.sum() / n:>12.1%}{found.by_controls.sum() / n:>11.0%}"
    )
    return int(wrong.sum()), n


def too_many(wrong, n):
    """Whether so many of n are more than STATED by more than chance: one-sided 95 %."""
    return n > 0 and wrong / n - 1.645 * np.sqrt(STATED * (1 - STATED) / n) > STATED


@dataclass(frozen=True)
class Whole:
    """A file of ratings as long as it is, for where notes can be put."""

    DAYS: int


def real(path):
    """Print what is claimed of notes that nobody wrote, put into a file of real ratings."""
    series = real_series.read(path, per_conversation=True) or real_series.read(path)
    days = series.days()
    days = replace(days, first_day=0)
    alone = np.full(days.n_agents, -1)
    say(f"{len(series.score):,} ratings of {days.n_agents} agents in {days.n.shape[1]} days")
    for name, place in (("random days", on_random_days), ("bottom of a dip", at_the_bottom)):
        rng = np.random.default_rng(31)
        times = 100 if place is on_random_days else 1
        found = [claims(days, alone, place(days, None, Whole(days.n.shape[1]), rng, 1.0)) for _ in range(times)]
        false_row(f"{name}, {times} notes an agent" if times > 1 else f"{name}, a note an agent", together(found))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", help="folder that holds csat/simulate.py")
    parser.add_argument("--seeds", help="comma-separated, instead of the simulator's CHECK_SEEDS")
    parser.add_argument("--real", nargs="?", const="", metavar="FILE.csv", help="use real ratings instead")
    parser.add_argument("--quick", action="store_true", help="one seed only, and no small workspaces")
    options = parser.parse_args(arguments)
    shared = shared_folder(options.shared)
    if options.real is not None:
        file = Path(options.real or shared / "data" / "csat-support-forum" / "ratings.csv")
        if file.is_file():
            real(file)
        else:
            say(f"Skipped: no ratings at {file}.")
        return 0
    try:
        simulator = load_simulator(shared)
    except FileNotFoundError as missing:
        say(f"No simulator at {missing}: name its folder with --shared or TOUCHLINE_SHARED.")
        return 2
    seeds = [int(seed) for seed in options.seeds.split(",")] if options.seeds else list(simulator.CHECK_SEEDS)
    seeds = seeds[:1] if options.quick else seeds
    start, missed = time.perf_counter(), []
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        sizes = [(f"{AGENTS} agents", AGENTS, SHARE, seeds)]
        if not options.quick:
            sizes.append((f"{SMALL} agents, all with a note", SMALL, 1.0, range(seeds[0], seeds[0] + 20)))
            sizes.append((f"{5 * SMALL} agents", 5 * SMALL, SHARE, range(seeds[0], seeds[0] + 10)))
        for title, n_agents, share, of_seeds in sizes:
            head = ("notes", "better", "worse", "claimed", "plain, any", "plain, last", "controls")
            widths = (7, 9, 9, 9, 12, 12, 11)
            say(f"{f'No effect, {title}':<38}" + "".join(f"{h:>{w}}" for h, w in zip(head, widths, strict=True)))
            jobs = [(scenario, scale, seed) for scenario in NULLS for scale in SCALES for seed in of_seeds]
            by_kind = {}
            for (scenario, _, _), found in pool.map(
                partial(without_effect, shared, n_agents, share), jobs, chunksize=4
            ):
                for placed, one in found.items():
                    by_kind.setdefault((placed, scenario), []).append(one)
            for placed in PLACED:
                for scenario in NULLS:
                    if too_many(*false_row(f"{placed}: {scenario}", together(by_kind[placed, scenario]))):
                        missed.append((title, placed, scenario))
            say()
        say(f"{'With an effect: claimed better':<46}" + "".join(f"{f'{v} a week':>16}" for v in VOLUMES))
        for points in (10, 20):
            by_kind = {}
            for _, found in pool.map(partial(with_effect, shared, points), [(s, x) for s in SCALES for x in seeds]):
                for kind, volume, one in found:
                    by_kind.setdefault(kind, []).append((volume, one))
            for kind, rows in by_kind.items():
                volume, one = np.concatenate([v for v, _ in rows]), together([c for _, c in rows])
                cells = [
                    f"{100 * one.better[volume == v].sum() / max((volume == v).sum(), 1):.0f} % of {(volume == v).sum()}"
                    for v in VOLUMES
                ]
                say(f"{f'+{points}, {kind}':<46}" + "".join(f"{cell:>16}" for cell in cells))
    say()
    say(
        f"{len(missed)} above {STATED:.0%} beyond chance {missed or ''}; seeds {seeds}; {time.perf_counter() - start:.0f} s"
    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
