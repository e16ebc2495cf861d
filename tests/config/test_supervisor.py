"""The supervisor against real processes; its children are small loops here."""

import os
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.config.processes import ROOT, alive, children_of, wait_for

PATIENT = "import time\nprint('up', flush=True)\nwhile True: time.sleep(0.05)"
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + PATIENT
WITH_OFFSPRING = f"import subprocess, sys\nprint(subprocess.Popen([sys.executable, '-c', {PATIENT!r}]).pid)\n" + PATIENT
BROKEN = "raise SystemExit('no such setting')"

PROGRAM = """
import signal
import sys
from config.supervisor import Child, Supervisor

for number in (signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_DFL)  # tests that run in the background are started with these ignored
children = [Child(name, [sys.executable, "-c", code]) for name, code in zip(sys.argv[1::2], sys.argv[2::2])]
sys.exit(Supervisor(children, grace=1.0).run())
"""


class Supervised:
    """A supervisor in a process of its own, with what it printed and the processes below it."""

    def __init__(self, *named_code, log):
        self.log = log
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", PROGRAM, *named_code], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
            )

    def printed(self):
        return self.log.read_text()

    def children(self):
        return children_of(self.process.pid)


@pytest.fixture
def supervise(tmp_path):
    started = []

    def start(*named_code):
        supervised = Supervised(*named_code, log=tmp_path / f"{len(started)}.log")
        started.append(supervised)
        return supervised

    yield start
    for supervised in started:
        supervised.process.kill()
        supervised.process.wait()


def test_killed_child_is_back_within_five_seconds(supervise):
    supervised = supervise("web", PATIENT, "worker", PATIENT)
    web, worker = wait_for(lambda: len(supervised.children()) == 2 and supervised.children(), 5)

    os.kill(worker, signal.SIGKILL)

    wait_for(lambda: len([pid for pid in supervised.children() if pid not in (web, worker)]) == 1, 5)
    assert web in supervised.children()
    assert "worker was ended by SIGKILL; starting it again in 0.5 s." in supervised.printed()


def test_delay_grows_between_failures_and_stays_under_five_seconds(supervise):
    supervised = supervise("web", PATIENT, "worker", BROKEN)

    wait_for(lambda: supervised.printed().count("starting it again") == 4, 9)

    assert re.findall(r"again in ([\d.]+) s", supervised.printed()) == ["0.5", "1", "2", "4"]


def test_output_is_labelled_line_by_line(supervise):
    code = (
        "import sys, time\nsys.stdout.write('half a ')\nsys.stdout.flush()\ntime.sleep(0.3)\nprint('line')\n" + PATIENT
    )
    supervised = supervise("web", code, "worker", PATIENT)

    wait_for(lambda: "web    | half a line\n" in supervised.printed(), 5)
    wait_for(lambda: "worker | up\n" in supervised.printed(), 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_to_the_supervisor_ends_everything(supervise, number):
    supervised = supervise("web", PATIENT, "worker", PATIENT)
    children = wait_for(lambda: supervised.printed().count("| up") == 2 and supervised.children(), 5)

    supervised.process.send_signal(number)

    assert supervised.process.wait(timeout=5) == 0
    assert [pid for pid in children if alive(pid)] == []


def test_child_that_does_not_end_is_killed_after_the_grace(supervise):
    supervised = supervise("web", STUBBORN, "worker", PATIENT)
    children = wait_for(lambda: supervised.printed().count("| up") == 2 and supervised.children(), 5)

    supervised.process.terminate()

    assert supervised.process.wait(timeout=5) == 0
    assert [pid for pid in children if alive(pid)] == []


def test_second_signal_does_not_wait_for_the_grace(supervise):
    supervised = supervise("web", STUBBORN)
    wait_for(lambda: "| up" in supervised.printed(), 5)
    asked_at = time.monotonic()

    supervised.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    supervised.process.send_signal(signal.SIGINT)

    supervised.process.wait(timeout=5)
    assert time.monotonic() - asked_at < 0.9


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
def test_killed_supervisor_leaves_no_orphan(supervise):
    supervised = supervise("web", STUBBORN, "worker", PATIENT)
    children = wait_for(lambda: supervised.printed().count("| up") == 2 and supervised.children(), 5)

    supervised.process.kill()

    wait_for(lambda: not any(alive(pid) for pid in children), 2)


def test_offspring_of_a_killed_child_does_not_stay(supervise):
    supervised = supervise("worker", WITH_OFFSPRING)
    offspring = int(wait_for(lambda: re.search(r"\| (\d+)\n", supervised.printed()), 5)[1])
    (worker,) = supervised.children()

    os.kill(worker, signal.SIGKILL)

    wait_for(lambda: not alive(offspring), 2)


WANTED_PROGRAM = """
import sys
from pathlib import Path
from config import supervisor

supervisor.WANTED_EVERY = 0.1
web, slack = (supervisor.Child(name, [sys.executable, "-c", sys.argv[1]]) for name in ("web", "slack"))
slack = supervisor.Child("slack", slack.command, is_wanted=Path(sys.argv[2]).exists)
sys.exit(supervisor.Supervisor([web, slack], grace=1.0, on_ready=lambda seconds: print("ready", flush=True)).run())
"""


@pytest.fixture
def mark(tmp_path):
    return tmp_path / "wanted"


@pytest.fixture
def wanting(mark, tmp_path):
    """A supervisor with one child that is wanted while the mark is there."""

    def start(code):
        log = tmp_path / "wanting.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-c", WANTED_PROGRAM, code, str(mark)], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT
            )
        started.append(process)
        return process, log

    started = []
    yield start
    for process in started:
        process.kill()
        process.wait()


def test_child_runs_while_it_is_wanted_and_only_then(wanting, mark):
    supervisor, log = wanting(PATIENT)
    (web,) = wait_for(lambda: "ready" in log.read_text() and children_of(supervisor.pid), 5)

    mark.touch()
    slack = wait_for(lambda: [pid for pid in children_of(supervisor.pid) if pid != web], 5)[0]
    os.kill(slack, signal.SIGKILL)
    again = wait_for(lambda: [pid for pid in children_of(supervisor.pid) if pid not in (web, slack)], 5)[0]
    mark.unlink()

    wait_for(lambda: not alive(again), 5)
    assert children_of(supervisor.pid) == [web]
    assert log.read_text().count("starting it again") == 1


def test_child_that_ends_when_it_is_not_wanted_is_no_failure(wanting, mark):
    mark.touch()
    code = f"import pathlib, sys\nif pathlib.Path({str(mark)!r}).exists():\n    pathlib.Path({str(mark)!r}).unlink()"
    supervisor, log = wanting(code + "\n    sys.exit(0)\n" + PATIENT)
    wait_for(lambda: not mark.exists(), 5)

    wait_for(lambda: len(children_of(supervisor.pid)) == 1, 5)

    assert "slack ended" not in log.read_text()


def test_child_that_never_starts_ends_the_supervisor(tmp_path):
    program = (
        "import sys\nfrom config import supervisor\n"
        "supervisor.RESTART_DELAYS = (0.05,)\n"
        "broken = supervisor.Child('web', [sys.executable, '-c', sys.argv[1]], is_ready=lambda: False)\n"
        "sys.exit(supervisor.Supervisor([broken], on_ready=print).run())"
    )

    ended = subprocess.run([sys.executable, "-c", program, BROKEN], cwd=ROOT, capture_output=True, text=True, timeout=9)

    assert ended.returncode == 1
    assert ended.stdout.count("no such setting") == 5
    assert "cannot start" in ended.stdout
