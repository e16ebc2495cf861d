"""backtest_flags and sweep_flags, as somebody types them."""

import csv
import json
import re
from datetime import date, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from coaching.csat import backtests
from tests import factories

FIRST, LAST = date(2025, 1, 1), date(2025, 8, 1)
COLUMNS = ["agent", "raised_on", "ended_on", "ended_by", "since", "expected", "observed", "ratings", "reason"]


def rows_with_a_fall(*, good="1", bad="0", falls_on=date(2025, 6, 1)):
    """(agent, day, score): five agents rated daily, every tenth time badly; from a day on every other time for the first."""
    days = [FIRST + timedelta(days=n) for n in range((LAST - FIRST).days + 1)]
    for number in range(5):
        for at, day in enumerate(days):
            one_in = 2 if number == 0 and day >= falls_on else 10
            yield f"agent-{number}", day, bad if (at + 1) % one_in == 0 else good


def file_of(tmp_path, lines, header="agent,rated_at,score"):
    path = tmp_path / "ratings.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    return str(path)


def backtest(*arguments):
    """(exit code, standard output, standard error)"""
    out, err = StringIO(), StringIO()
    try:
        call_command("backtest_flags", *arguments, stdout=out, stderr=err)
    except SystemExit as exit:
        return exit.code, out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), str(error)
    return 0, out.getvalue(), err.getvalue()


def test_who_would_have_been_flagged_and_why(tmp_path):
    path = file_of(tmp_path, (f"{agent},{day}T09:00:00Z,{score}" for agent, day, score in rows_with_a_fall()))
    out = tmp_path / "flags.csv"

    code, said, _ = backtest(path, "--out", str(out))

    [flag] = csv.DictReader(out.open())
    assert list(flag) == COLUMNS
    assert code == 0
    assert (flag["agent"], flag["ended_on"], flag["ended_by"]) == ("agent-0", "", "open")
    raised_on = date.fromisoformat(flag["raised_on"])
    assert date(2025, 6, 10) < raised_on < date(2025, 7, 5)
    assert 0.85 < float(flag["expected"]) < 0.95
    assert float(flag["observed"]) < float(flag["expected"]) - 0.2
    assert flag["reason"].startswith(
        f"In the last {((raised_on - date.fromisoformat(flag['since'])).days + 1) // 7} weeks agent-0’s "
    )
    assert said.endswith("1,065 ratings of 5 agents: 1 flag on 1 agent.\n")
    assert flag["reason"] in said


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "＝", "＠"])
def test_written_flags_have_no_formula_and_numbers_stay_numbers(tmp_path, sign):
    rows = ((agent.replace("agent-", f"{sign}agent"), *rest) for agent, *rest in rows_with_a_fall())
    path = file_of(tmp_path, (f"{agent},{day}T09:00:00Z,{score}" for agent, day, score in rows))
    out = tmp_path / "flags.csv"

    backtest(path, "--out", str(out))

    [flag] = csv.DictReader(out.open())
    assert flag["agent"] == f"'{sign}agent0"
    assert float(flag["observed"]) < float(flag["expected"])


def test_json_is_the_flags_and_nothing_else(tmp_path):
    path = file_of(tmp_path, (f"{agent},{day},{score}" for agent, day, score in rows_with_a_fall()))

    code, said, _ = backtest(path, "--json")

    [flag] = json.loads(said)
    assert (code, list(flag), flag["agent"], flag["ended_on"]) == (0, COLUMNS, "agent-0", None)


@pytest.fixture
def shuffled_twice(monkeypatch):
    monkeypatch.setattr(backtests, "MOST_REPEATS", 2)


def test_sensitivity_says_how_readily(tmp_path):
    path = file_of(tmp_path, (f"{agent},{day},{score}" for agent, day, score in rows_with_a_fall()))

    raised = {
        level: [flag["raised_on"] for flag in json.loads(backtest(path, "--json", "--sensitivity", level)[1])]
        for level in ("early", "balanced", "cautious")
    }

    assert [len(days) for days in raised.values()] == [1, 1, 1]
    assert raised["early"] < raised["cautious"]
    assert raised["balanced"] == [json.loads(backtest(path, "--json")[1])[0]["raised_on"]]


def test_shuffling_counts_the_false_flags(tmp_path, shuffled_twice):
    path = file_of(tmp_path, (f"{agent},{day},{score}" for agent, day, score in rows_with_a_fall()))

    code, said, _ = backtest(path, "--shuffle")
    as_json = json.loads(backtest(path, "--shuffle", "--json")[1])

    lines = said.splitlines()
    assert (code, lines[-2]) == (0, "1,065 ratings of 5 agents: 1 flag on 1 agent.")
    assert re.fullmatch(
        r"On these data about [\d.]+ false flags per 1,000 agent-quarters: \d+ flags? on \d+ agent-quarters, with the days of "
        r"each agent shuffled 2 times\. From [\d.]+ to [\d.]+ would fit that count\.",
        lines[-1],
    )
    assert list(as_json) == ["flags", "shuffled"]
    assert [list(flag) for flag in as_json["flags"]] == [COLUMNS]
    shuffled = as_json["shuffled"]
    assert (list(shuffled), shuffled["repeats"]) == (["flags", "agent_quarters", "repeats", "per_1000"], 2)
    assert shuffled["per_1000"] == pytest.approx(1000 * shuffled["flags"] / shuffled["agent_quarters"], abs=0.01)


def test_shuffling_where_nobody_can_be_judged_is_said(tmp_path):
    path = file_of(tmp_path, ["a,2025-01-02,0.5"])

    assert backtest(path, "--shuffle")[1].splitlines()[-1] == (
        "On these data false flags cannot be counted: no agent had ratings enough to be judged on any day."
    )
    assert json.loads(backtest(path, "--shuffle", "--json")[1])["shuffled"]["per_1000"] is None


@pytest.mark.parametrize("rows", [[], ["Noor,yesterday,1"]])
def test_json_has_its_shape_where_no_rating_was_read(tmp_path, rows):
    path = file_of(tmp_path, rows)

    plain, shuffled = (json.loads(backtest(path, "--json", *more)[1]) for more in ((), ("--shuffle",)))

    nothing = {"flags": 0, "agent_quarters": 0, "repeats": 0, "per_1000": None}
    assert (plain, shuffled) == ([], {"flags": [], "shuffled": nothing})


def test_long_replay_draws_a_bar_on_a_terminal(tmp_path):
    path = file_of(tmp_path, (f"{agent},{day},{score}" for agent, day, score in rows_with_a_fall()))
    terminal = StringIO()
    terminal.isatty = lambda: True

    call_command("backtest_flags", path, stdout=StringIO(), stderr=terminal)

    drawn = [int(percent) for percent in re.findall(r"(\d+)%\]?", terminal.getvalue())]
    assert len(drawn) >= 2
    assert "[#" in terminal.getvalue()


@pytest.mark.parametrize(("good", "bad"), [("good", "bad"), ("5", "1"), ("1.0", "0.25"), ("100", "20")])
def test_scores_of_a_scale_that_imports_know_are_read_too(tmp_path, good, bad):
    path = file_of(tmp_path, (f"{agent},{day},{score}" for agent, day, score in rows_with_a_fall(good=good, bad=bad)))

    code, said, _ = backtest(path, "--json")

    assert (code, [flag["agent"] for flag in json.loads(said)]) == (0, ["agent-0"])


def test_a_scale_that_the_values_do_not_tell_can_be_named(tmp_path):
    path = file_of(tmp_path, ["a,2025-01-01,1", "a,2025-01-02,2"])  # stars, or 0, 1, 2

    assert backtest(path)[0] == 1
    assert backtest(path, "--scale", "stars5") == (0, "2 ratings of 1 agent: 0 flags on 0 agents.\n", "")


def test_with_external_ids_the_latest_rating_of_a_conversation_counts(tmp_path):
    path = file_of(
        tmp_path,
        ["a,2025-01-02,1,c1", "a,2025-01-01,0,c1", "a,2025-01-03,0,c2", "a,2025-01-03,1,c2", "a,2025-01-04,1,"],
        header="agent,rated_at,score,external_id",
    )

    assert backtest(path) == (
        0,
        "3 ratings (2 more of conversations rated again) of 1 agent: 0 flags on 0 agents.\n",
        "",
    )


def test_columns_of_other_names_are_mapped(tmp_path):
    path = file_of(tmp_path, ["a,2025-01-02,0.5"], header="who,when,how")

    assert backtest(path, "--map", "agent=who", "rated_at=when", "score=how")[0] == 0
    assert backtest(path, "--map", "nobody=who")[0] == 2


def test_bad_rows_are_named_and_the_others_read(tmp_path):
    path = file_of(
        tmp_path, ["a,2025-01-02,0.5", "a,03/04/2025,0.5", "a,2025-01-02,1.5", ",2025-01-02,0.5", "a,2025-01-02,"]
    )

    code, said, err = backtest(path)

    assert code == 1
    assert said == "1 rating of 1 agent: 0 flags on 0 agents.\n"
    assert [line.split(":")[0] for line in err.splitlines()] == ["line 3", "line 4", "line 5", "line 6"]
    assert "line 4: score: It is not a number from 0 to 1." in err


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The file is empty."),
        ("agent,rated_at\na,2025-01-01\n", "The file lacks the column value (or score)."),
        ("agent,rated_at,score\n", "The file has a header and no rows."),
    ],
)
def test_a_file_that_tells_nothing_is_refused(tmp_path, text, why):
    path = tmp_path / "ratings.csv"
    path.write_text(text)

    code, _, err = backtest(str(path))

    assert code == 2
    assert err.startswith(why)


def test_a_missing_file_and_one_that_cannot_be_written_are_said(tmp_path):
    assert backtest(str(tmp_path / "none.csv"))[0] == 2
    path = file_of(tmp_path, ["a,2025-01-02,0.5"])
    code, _, err = backtest(path, "--out", str(tmp_path / "nowhere" / "flags.csv"))
    assert (code, err.endswith("cannot be written: No such file or directory.")) == (2, True)


def test_small_teams_are_compared_with_everybody(tmp_path):
    lines = (
        f"{agent},{day},{score},{'Pair' if agent in ('agent-0', 'agent-1') else 'Trio'}"
        for agent, day, score in rows_with_a_fall()
    )
    path = file_of(tmp_path, lines, header="agent,rated_at,score,team")

    [flag] = json.loads(backtest(path, "--json")[1])

    assert "what everybody else got in these weeks" in flag["reason"]


@pytest.mark.django_db
def test_sweep_flags_of_one_workspace_and_never_of_a_day_ahead(workspace):
    factories.workspace()
    out = StringIO()

    call_command("sweep_flags", "--workspace", workspace.slug, stdout=out)

    assert len(out.getvalue().splitlines()) == 1
    with pytest.raises(CommandError):
        call_command("sweep_flags", "--at", "2999-01-01", stdout=out)
    with pytest.raises(CommandError):
        call_command("sweep_flags", "--workspace", "nowhere", stdout=out)
