"""Is the flag fair? The sustained scan and four simple rules on simulated workspaces whose truth is known.

    python tests/bench/flag_eval.py [--shared DIR] [--quick] [--seeds 601,602,603]
    python tests/bench/flag_eval.py --real [FILE.csv]
    python tests/bench/flag_eval.py --hard

Prints one row a figure, ours beside the one that must be reached, and exits with 1 if one is missed. The simulator is
DIR/csat/simulate.py; DIR is --shared, else the environment's TOUCHLINE_SHARED, else `../shared` beside the checkout.
Figures are means over both scales and the seeds, workspaces of 2,000 agents each. `--quick` takes one seed: the same
figures with more noise, so it may miss one by chance. Then comes how rare a flag on a steady agent is, as the sentence under
every flag says it (`coaching.csat.sentences.RARITY`), beside what chance leaves open; last what each sensitivity finds, as the
flag policy says it (`FINDS`). What these say is rounded down from what chance leaves open; a run that measures worse than is
said exits with 1, too.

`--real` looks at real ratings instead (`real_series`): FILE, or DIR/data/csat-support-forum/ratings.csv. `--hard` looks at
workspaces that are unlike the simulator's (`hard_cases`).
"""

import argparse
import importlib.util
import math
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

CHECKOUT = Path(__file__).resolve().parents[2]
if str(CHECKOUT) not in sys.path:
    sys.path.insert(0, str(CHECKOUT))

from coaching import trajectory  # noqa: E402 (run as a script, the checkout is not on the path before)
from coaching.csat import sentences  # noqa: E402 (run as a script, the checkout is not on the path before)
from tests.bench import hard_cases, real_series  # noqa: E402 (run as a script, the checkout is not on the path before)

AGENTS = 2000
SCALES = ("stars", "binary")
SCENARIOS = ("nochange", "dip1w", "outage2w", "teamdrop", "newcomers", "step10", "step20", "ramp08w20", "recover20")
QUARTER = 91  # days that a workspace is judged for
SAID_SCENARIOS = ("nochange", "step10", "step20")  # what RARITY and FINDS speak of
SAID_SEEDS = 15  # from the first on: what is said takes more agents to know than the other figures
LOW_AGENTS = tuple(
    (level, volume) for level, volume in ((0.6, 3), (0.6, 8), (0.4, 8), (0.15, 8), (0.15, 20), (0.02, 3), (0.02, 8))
)
CUSUM_FALSE = 0.011  # share of unchanged agents that the CUSUM's threshold is set to flag


def shared_folder(given=None):
    """Where the simulator and the real series are: the argument, else the environment, else beside the checkout."""
    return Path(given or os.environ.get("TOUCHLINE_SHARED") or CHECKOUT.parent / "shared")


def load_simulator(shared):
    """The module csat/simulate.py of that folder. Raises FileNotFoundError where it is absent."""
    path = Path(shared) / "csat" / "simulate.py"
    if not path.is_file():
        raise FileNotFoundError(path)
    spec = importlib.util.spec_from_file_location("csat_simulate", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@dataclass(frozen=True)
class Outcome:
    """What one detector did to one simulated workspace. Flags are rows (agent, raised on, ended on; inf while open)."""

    flags: np.ndarray
    truth: object
    first_day: int

    def flagged(self):
        """Agents with a new flag in the judged quarter: bool (agents,)."""
        raised = self.flags[:, 1]
        judged = self.flags[(raised >= self.first_day) & (raised < self.first_day + QUARTER)]
        return np.bincount(judged[:, 0].astype(int), minlength=len(self.truth.volume)) > 0

    def flags_per_flagged(self):
        raised = self.flags[:, 1]
        agents = self.flags[(raised >= self.first_day) & (raised < self.first_day + QUARTER), 0]
        return len(agents) / max(len(np.unique(agents)), 1)

    def delay(self):
        """Days from the change to the first new flag within the quarter after it, inf if there is none: (agents,)."""
        agent = self.flags[:, 0].astype(int)
        after = self.flags[:, 1] - self.truth.onset[agent]
        delay = np.full(len(self.truth.volume), np.inf)
        in_time = (after >= 0) & (after < QUARTER)
        np.minimum.at(delay, agent[in_time], after[in_time])
        return delay

    def recovery(self, bad_days=56, clear_days=35):
        """Of the agents flagged while they were low: (share cleared in time, share dropped before they recovered)."""
        agent = self.flags[:, 0].astype(int)
        back = self.truth.onset[agent] + bad_days
        raised, ended = self.flags[:, 1], self.flags[:, 2]
        while_low = self.truth.declining[agent] & (raised >= self.truth.onset[agent]) & (raised < back)
        found = len(np.unique(agent[while_low]))
        early = len(np.unique(agent[while_low & (ended < back)]))
        cleared = len(np.unique(agent[while_low & (ended >= back) & (ended < back + clear_days)]))
        return cleared / max(found, 1), early / max(found, 1)


def rising(condition, days):
    """Flags of a rule without memory, as in Outcome: one from each day its condition (agents, days) becomes true."""
    before = np.pad(condition[:, :-1], ((0, 0), (1, 0)))
    agent, column = np.nonzero(condition & ~before)
    return np.column_stack([agent, days[column], np.full(len(agent), np.inf)])


def run_scan(table, thresholds=(trajectory.DEFAULT_H,)):
    """The sustained scan on a table, once for several h: {h: flags as in Outcome}."""
    first_day = int(table.sweep_days[0]) - trajectory.HISTORY_DAYS + 1
    days = trajectory.daily_sums(
        table.agent, table.day, table.score, table.weight, table.n_agents, first_day, int(table.sweep_days[-1])
    )
    return {
        h: np.array(
            [(flag.agent, flag.raised_on, np.inf if flag.ended_on is None else flag.ended_on) for flag in flags], float
        ).reshape(-1, 3)
        for h, flags in trajectory.replays(days, table.team, table.sweep_days, thresholds).items()
    }


def weekly_means(days, sweep_days, weeks):
    """Mean score of each of the last weeks, oldest first: (weeks, agents, sweep days), nan without ratings."""
    means = np.empty((weeks, days.n_agents, len(sweep_days)))
    for column, day in enumerate(sweep_days):
        for week in range(weeks):
            n, u = days.window(day - 7 * (weeks - week) + 1, day - 7 * (weeks - week - 1))
            with np.errstate(invalid="ignore"):
                means[week, :, column] = 1 - u / n
    return means


def three_falls(days, sweep_days):
    """The weekly mean falls three times in a row by two points or more."""
    falls = -np.diff(weekly_means(days, sweep_days, 4), axis=0)
    return (falls >= 0.02).all(0)


def month_on_month(days, sweep_days):
    """The last 30 days are 7.5 points below the 30 before."""
    worse = np.empty((days.n_agents, len(sweep_days)), bool)
    for column, day in enumerate(sweep_days):
        with np.errstate(invalid="ignore"):
            (n, u), (nb, ub) = days.window(day - 29, day), days.window(day - 59, day - 30)
            worse[:, column] = u / n - ub / nb >= 0.075
    return worse


def mann_kendall(days, sweep_days, weeks=8):
    """Mann-Kendall's test on eight weekly means finds a fall, p < .05 one-sided."""
    means = weekly_means(days, sweep_days, weeks)
    s = sum(np.sign(means[j] - means[i]) for i in range(weeks) for j in range(i + 1, weeks))
    return -s - 1 > 1.645 * np.sqrt(weeks * (weeks - 1) * (2 * weeks + 5) / 18)


def cusum(days, team, sweep_days, drop=0.15, history=98):
    """The running sum for a fall of `drop` against the own first weeks, moved by what the team got in the last week.

    (agents, sweep days); the threshold is the caller's.
    """
    n, u = days.window(days.first_day, days.first_day + history - 1)
    size = np.bincount(team)
    team_n, team_u = np.bincount(team, n), np.bincount(team, u)
    level = (u + 10 * (team_u / team_n)[team]) / (n + 10)
    total, path = np.zeros(days.n_agents), np.empty((days.n_agents, len(sweep_days)))
    for column, day in enumerate(sweep_days):
        week_n, week_u = days.window(day - 6, day)
        shift = np.bincount(team, week_u - week_n * level, len(size)) / np.maximum(
            np.bincount(team, week_n, len(size)), 1
        )
        e = np.clip(level + shift[team], 0.01, 0.8)
        today_n, today_u = days.window(day, day)
        gain = today_u * np.log((e + drop) / e) + (today_n - today_u) * np.log((1 - e - drop) / (1 - e))
        total = np.maximum(total + gain, 0)
        path[:, column] = total
    return path


def run_rules(table):
    """Flags of each simple rule without a free threshold, and the path of the one with: ({name: flags}, path)."""
    days = trajectory.daily_sums(
        table.agent, table.day, table.score, table.weight, table.n_agents, 0, int(table.sweep_days[-1])
    )
    sweep_days = np.asarray(table.sweep_days)
    rules = {
        "weekly mean falls 3 times by 2 points": three_falls,
        "30 days 7.5 points below the 30 before": month_on_month,
        "Mann-Kendall on 8 weekly means": mann_kendall,
    }
    flags = {name: rising(rule(days, sweep_days), sweep_days) for name, rule in rules.items()}
    return flags, cusum(days, table.team, sweep_days)


def simulate_and_run(shared, with_rules, job):
    """One workspace: (job, {h: Outcome of the scan}, {rule: Outcome}, CUSUM's path). For a worker process.

    The rules are tried where the table of rules needs them, on the seeds of `with_rules`.
    """
    scenario, scale, seed = job
    simulator = load_simulator(shared)
    table, truth = simulator.simulate(scenario, scale, n_agents=AGENTS, seed=seed)
    thresholds = sentences.RARITY if scenario in SAID_SCENARIOS else (trajectory.DEFAULT_H,)
    ours = {h: Outcome(flags, truth, simulator.EVAL0) for h, flags in run_scan(table, thresholds).items()}
    if scenario not in ("nochange", "step20", "dip1w") or seed not in with_rules:
        return job, ours, {}, None
    rules, path = run_rules(table)
    return job, ours, {name: Outcome(flags, truth, simulator.EVAL0) for name, flags in rules.items()}, path


def always_low(level, volume, seed, simulator, n_agents=AGENTS):
    """Days of good/bad teams of eight, four at .85 and four low from their first day; the teams; who is low."""
    rng = np.random.default_rng([20, seed, int(100 * level), volume])
    row = np.arange(n_agents)
    low = row % 8 >= 4
    n = rng.poisson(volume / 7, (n_agents, simulator.DAYS))
    bad = rng.binomial(n, 1 - np.where(low, level, 0.85)[:, None]).astype(float)
    return trajectory.Days(0, n.astype(float), bad, bad), row // 8, low


def always_low_flagged(shared, job):
    """One such workspace: (job, flagged of the low ones, per 1,000)."""
    level, volume, seed = job
    simulator = load_simulator(shared)
    days, team, low = always_low(level, volume, seed, simulator)
    sweep_days = range(simulator.SWEEP0, simulator.DAYS)
    judged = range(simulator.EVAL0, simulator.EVAL0 + QUARTER)
    agents = {flag.agent for flag in trajectory.replay(days, team, sweep_days) if flag.raised_on in judged}
    return job, 1000 * sum(bool(low[agent]) for agent in agents) / low.sum()


def at_most(flagged):
    """The number of flags that chance leaves open where so many came: the upper end of 95 %, one-sided (Poisson)."""
    return (flagged + 1) * (1 - 1 / (9 * (flagged + 1)) + 1.645 / (3 * math.sqrt(flagged + 1))) ** 3


def at_least(percent, of):
    """The percentage that chance leaves open where so many percent of `of` came: the lower end of 95 %, one-sided."""
    return percent - 1.645 * math.sqrt(percent * (100 - percent) / of)


def sweep_seconds(n_agents=10_000, n_days=182):
    """Seconds of one scan from the daily table, the fastest of five: what else the machine does is not the scan's."""
    rng = np.random.default_rng(1)
    n = rng.poisson(rng.choice([3, 8, 20, 50], n_agents)[:, None] / 7, (n_agents, n_days))
    bad = rng.binomial(n, 0.1).astype(float)
    team, took = np.arange(n_agents) // 20, []
    for _ in range(5):
        days = trajectory.Days(0, n.astype(float), bad, bad)
        start = time.perf_counter()
        trajectory.scan(days, team, n_days - 1)
        took.append(time.perf_counter() - start)
    return min(took)


@dataclass(frozen=True)
class Figure:
    name: str
    ours: float
    sign: str
    must: float

    @property
    def reached(self):
        return self.ours <= self.must if self.sign == "<=" else self.ours >= self.must


def mean(outcomes, measure):
    return float(np.mean([measure(outcome) for outcome in outcomes]))


def false_per_1000(outcome, who=slice(None)):
    return 1000 * outcome.flagged()[who].mean()


def found(outcome, volume=None):
    """Percent of the declining agents (of one volume) found within the quarter."""
    truth = outcome.truth
    who = truth.declining if volume is None else truth.declining & (truth.volume == volume)
    return 100 * np.isfinite(outcome.delay()[who]).mean()


def median_weeks(outcome, volume):
    delay = outcome.delay()[outcome.truth.declining & (outcome.truth.volume == volume)]
    return (np.median(delay[np.isfinite(delay)]) + 1) / 7


def figures(ours, low, seconds):
    """Every figure that must be reached. `ours` is {scenario: [Outcome]}, `low` is {(level, volume): per 1,000}."""
    rows = []

    def add(name, scenario, measure, sign, must):
        rows.append(Figure(f"{scenario}: {name}", mean(ours[scenario], measure), sign, must))

    add("flagged per 1,000", "nochange", false_per_1000, "<=", 6.5)
    volumes = np.unique(ours["nochange"][0].truth.volume)
    by_volume = [
        mean(ours["nochange"], lambda outcome, v=volume: false_per_1000(outcome, outcome.truth.volume == v))
        for volume in volumes
    ]
    rows.append(Figure("nochange: the worst volume, per 1,000", max(by_volume), "<=", 10))
    for scenario, must in (("dip1w", 10), ("outage2w", 9), ("teamdrop", 14)):
        add("flagged per 1,000", scenario, false_per_1000, "<=", must)
    add("the new ones, per 1,000", "newcomers", lambda outcome: false_per_1000(outcome, outcome.truth.new), "<=", 5)
    rows.append(
        Figure("alwayslow: worst kind at 8 or more a week", max(low[kind] for kind in low if kind[1] >= 8), "<=", 15)
    )
    rows.append(Figure("alwayslow: worst kind at 3 a week", max(low[kind] for kind in low if kind[1] == 3), "<=", 35))
    for scenario, musts in (
        ("step20", {8: 66, 20: 92, 50: 98}),
        ("step10", {20: 44, 50: 72}),
        ("ramp08w20", {20: 82, 50: 97}),
    ):
        for volume, must in musts.items():
            add(f"found at {volume} a week, %", scenario, partial(found, volume=volume), ">=", must)
    for volume, must in ((8, 7.2), (20, 4.7), (50, 3.2)):
        add(f"median weeks at {volume} a week", "step20", partial(median_weeks, volume=volume), "<=", must)
    for scenario, must in (("step20", 70), ("step10", 34), ("ramp08w20", 57)):
        add("found, all volumes, %", scenario, found, ">=", must)
    add("cleared, %", "recover20", lambda outcome: 100 * outcome.recovery()[0], ">=", 90)
    add("dropped early, %", "recover20", lambda outcome: 100 * outcome.recovery()[1], "<=", 7)
    add("flags per flagged agent", "nochange", Outcome.flags_per_flagged, "<=", 1.1)
    rows.append(Figure("one scan of 10,000 agents x 182 days, s", seconds, "<=", 1))
    return rows


def rule_rows(rules, paths, first_sweep):
    """(name, per 1,000 in nochange, % of step20 found, per 1,000 in dip1w) of each simple rule, the CUSUM last."""
    rows = [
        (name, mean(of["nochange"], false_per_1000), mean(of["step20"], found), mean(of["dip1w"], false_per_1000))
        for name, of in rules.items()
    ]
    judged = [path[:, truth_day(outcome, first_sweep)].max(1) for path, outcome in paths["nochange"]]
    limit = np.quantile(np.concatenate(judged), 1 - CUSUM_FALSE)
    flags = {
        scenario: [
            Outcome(rising(path > limit, first_sweep + np.arange(path.shape[1])), outcome.truth, outcome.first_day)
            for path, outcome in pairs
        ]
        for scenario, pairs in paths.items()
    }
    rows.append(
        (
            f"team-adjusted CUSUM at {1000 * CUSUM_FALSE:.0f} per 1,000",
            mean(flags["nochange"], false_per_1000),
            mean(flags["step20"], found),
            mean(flags["dip1w"], false_per_1000),
        )
    )
    return rows


def truth_day(outcome, first_sweep):
    """The columns of the judged quarter in a matrix that starts at the first sweep."""
    return slice(outcome.first_day - first_sweep, outcome.first_day - first_sweep + QUARTER)


def rarity_table(outcomes):
    """Print how many steady agents each h flags. Returns the h for which more were than RARITY says."""
    say(f"{'Steady agents flagged in a quarter':<44}{'of':>10}{'per 1,000':>14}{'at most':>8}   1 in   Said")
    contradicted = []
    for h, said in sentences.RARITY.items():
        agents = AGENTS * len(outcomes[h]["nochange"])
        flagged = sum(int(outcome.flagged().sum()) for outcome in outcomes[h]["nochange"])
        most = at_most(flagged) / agents
        so = flagged * said <= agents
        say(
            f"{f'h = {h}: {flagged}':<44}{agents:>10,}{1000 * flagged / agents:>14.2f}{1000 * most:>8.2f}"
            f"{1 / most:>7.0f}   {said}{'' if so else '   NOT SO RARE'}"
        )
        contradicted += [] if so else [h]
    return contradicted


def finds_table(outcomes):
    """Print what each sensitivity finds, and when. Returns the (h, fall) of which less was found than FINDS says."""
    falls = list(sentences.FINDS[trajectory.DEFAULT_H])
    say(f"{'Sensitivity, size of the workspace, h':<40}" + "".join(f"{f'-{p} at {v} a week':>26}" for p, v in falls))
    contradicted = []
    for sensitivity, of_size in trajectory.THRESHOLDS.items():
        for h, size in zip(of_size, ("up to {} agents", "above {} agents"), strict=True):
            cells, words = [], []
            for points, volume in falls:
                said = sentences.FINDS[h][points, volume]
                changed = outcomes[h][f"step{points}"]
                share = mean(changed, partial(found, volume=volume))
                n = sum(int((o.truth.declining & (o.truth.volume == volume)).sum()) for o in changed)
                weeks = mean(changed, partial(median_weeks, volume=volume))
                cells.append(f"{share:.1f} (> {at_least(share, n):.0f}) % in {weeks:.1f} wk")
                so = share >= said.percent and weeks <= said.weeks + 0.5
                words.append(f"{'said' if so else 'NOT SO:'} {said.percent} % in {said.weeks}")
                contradicted += [] if so else [(h, (points, volume))]
            name = f"{sensitivity}, {size.format(trajectory.LARGE_WORKSPACE_AGENTS)}, {h}"
            say(f"{name:<40}" + "".join(f"{cell:>26}" for cell in cells))
            say(" " * 40 + "".join(f"{said:>26}" for said in words))
    return contradicted


def say(line=""):
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", help="folder that holds csat/simulate.py")
    parser.add_argument("--seeds", help="comma-separated, instead of the simulator's CHECK_SEEDS")
    parser.add_argument("--quick", action="store_true", help="one seed only")
    parser.add_argument("--real", nargs="?", const="", metavar="FILE.csv", help="look at real ratings instead")
    parser.add_argument("--hard", action="store_true", help="look at workspaces unlike the simulator's instead")
    options = parser.parse_args(arguments)
    shared = shared_folder(options.shared)
    if options.hard:
        hard_cases.evaluate(say)
        return 0
    if options.real is not None:
        file = Path(options.real or shared / "data" / "csat-support-forum" / "ratings.csv")
        if file.is_file():
            real_series.evaluate(file, say)
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

    start = time.perf_counter()
    ours, rules, paths, low = {}, {}, {}, {}
    more_seeds = seeds if options.quick else sorted({*seeds, *range(seeds[0], seeds[0] + SAID_SEEDS)})
    outcomes = {h: {} for h in sentences.RARITY}
    with ProcessPoolExecutor(min(2, os.cpu_count() or 1)) as pool:
        jobs = [
            (scenario, scale, seed)
            for scenario in SCENARIOS
            for scale in SCALES
            for seed in (more_seeds if scenario in SAID_SCENARIOS else seeds)
        ]
        for job, by_h, by_rule, path in pool.map(partial(simulate_and_run, shared, seeds), jobs):
            scenario, _, seed = job
            for h, outcome in by_h.items():
                outcomes[h].setdefault(scenario, []).append(outcome)
            if seed in seeds:
                ours.setdefault(scenario, []).append(by_h[trajectory.DEFAULT_H])
            for name, of_rule in by_rule.items():
                rules.setdefault(name, {}).setdefault(scenario, []).append(of_rule)
            if path is not None:
                paths.setdefault(scenario, []).append((path, by_h[trajectory.DEFAULT_H]))
        jobs = [(level, volume, seed) for level, volume in LOW_AGENTS for seed in seeds]
        for (level, volume, _), per_1000 in pool.map(partial(always_low_flagged, shared), jobs):
            low[level, volume] = low.get((level, volume), 0) + per_1000 / len(seeds)
    rows = figures(ours, low, sweep_seconds())

    say(f"{'Figure':<56}{'Ours':>9}   Must")
    for row in rows:
        say(f"{row.name:<56}{row.ours:>9.2f}   {row.sign} {row.must:g}{'' if row.reached else '   MISSED'}")
    say()
    say(f"{'Rule, on the same workspaces':<44}{'nochange':>10}{'step20 found':>14}{'dip1w':>8}")
    scan_row = (
        "the sustained scan",
        mean(ours["nochange"], false_per_1000),
        mean(ours["step20"], found),
        mean(ours["dip1w"], false_per_1000),
    )
    for name, false, share, dip in [scan_row, *rule_rows(rules, paths, simulator.SWEEP0)]:
        say(f"{name:<44}{false:>10.0f}{share:>13.0f}%{dip:>8.0f}")
    say()
    contradicted = rarity_table(outcomes)
    say()
    contradicted += finds_table(outcomes)
    missed = [row for row in rows if not row.reached]
    say()
    say(f"{len(rows) - len(missed)} of {len(rows)} figures reached; seeds {seeds}; {time.perf_counter() - start:.0f} s")
    return 1 if missed or contradicted else 0


if __name__ == "__main__":
    sys.exit(main())
