"""Child processes kept running under one parent.

`manage.py up` runs web, worker, beat and Slack's socket this way. The supervisor is one thread that sleeps in a selector: it
copies what its children print, starts a dead one again, and ends all of them when it is told to end. It knows nothing of Django,
so it costs little and can be tried with any command.
"""

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import IO

TICK = 0.2  # seconds between two looks at the children
RESTART_DELAYS = (0.5, 1.0, 2.0, 4.0)  # seconds; never more, so that a killed child is back within five
STEADY_AFTER = 30.0  # seconds a child must live before its next end counts as the first again
WANTED_EVERY = 2.0  # seconds between two questions whether a child is wanted
START_ATTEMPTS = 5  # a child that ends this often before everything is ready will not heal by itself
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class Child:
    """A process to keep running: its label, its command line, and how to ask whether it is ready (None: at once).

    `is_wanted` is asked every few seconds (None: always wanted): the child runs while it is, and only then.
    """

    name: str
    command: Sequence[str]
    is_ready: Callable[[], bool] | None = None
    is_wanted: Callable[[], bool] | None = None


@dataclass
class _Running:
    child: Child
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0  # when a stopped child is due again
    failures: int = 0
    ready: bool = False
    wanted: bool = True
    ask_at: float = 0.0  # when it is asked again whether it is wanted
    unfinished: dict[IO[bytes], bytes] = field(default_factory=dict)  # the last, incomplete line of each pipe


class Supervisor:
    """Runs children until TERM, INT or HUP arrives.

    `grace` is how many seconds children have to end after TERM before they are killed; `env` is what they get beside
    the supervisor's own environment. `on_ready` is called once, with the seconds since `run`, when every child has
    answered its `is_ready`.

    On Linux the kernel kills the children when the supervisor itself dies without a word (kill -9): nobody is left
    to wait for them then, and what they were doing is found again by its row. Elsewhere they would stay behind.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        grace: float = 10.0,
        env: dict[str, str] | None = None,
        on_ready: Callable[[float], None] | None = None,
    ) -> None:
        self._running = [_Running(child) for child in children]
        self._width = max(len(child.name) for child in children)
        self._grace = grace
        self._env = dict(os.environ) | {"PYTHONUNBUFFERED": "1"} | (env or {})
        self._on_ready = on_ready
        self._pid = os.getpid()
        self._selector = selectors.DefaultSelector()
        self._stop_requests = 0

    def run(self) -> int:
        """Keep the children running until a signal ends it. Returns the exit status: 0, or 1 if they cannot start.

        Must be called in the main thread: signals arrive there, and the kernel ties a child's life to the thread
        that started it.
        """
        began_at = time.monotonic()
        # What was started to be ignored (nohup) stays ignored.
        heeded = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._request_stop) for number in heeded}
        try:
            while not self._stop_requests:
                self._ask_wanted()
                self._start_due()
                self._copy_output(TICK)
                self._notice_ended()
                if self._on_ready and self._all_ready():
                    self._on_ready(time.monotonic() - began_at)
                    self._on_ready = None
                if self._on_ready and any(running.failures >= START_ATTEMPTS for running in self._running):
                    self._say("A part of the product cannot start; its last lines above say why.")
                    return 1
            return 0
        finally:
            self._stop_all()
            self._selector.close()
            for number, handler in before.items():
                signal.signal(number, handler)

    def _request_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stop_requests += 1

    def _ask_wanted(self) -> None:
        """A child that is not wanted any more is asked to end; one that is again starts at once."""
        for running in self._running:
            now = time.monotonic()
            if running.child.is_wanted is None or now < running.ask_at:
                continue
            running.ask_at = now + WANTED_EVERY
            before, running.wanted = running.wanted, running.child.is_wanted()
            if running.process and not running.wanted:
                running.process.terminate()
            elif running.wanted and not before:
                running.start_at, running.failures = now, 0

    def _start_due(self) -> None:
        for running in self._running:
            if running.wanted and running.process is None and time.monotonic() >= running.start_at:
                self._start(running)

    def _start(self, running: _Running) -> None:
        running.process = subprocess.Popen(  # noqa: S603 (the command is the caller's, never a user's)
            running.child.command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches the supervisor only, which then asks each child once
            preexec_fn=self._die_with_supervisor,  # safe: this process has no other thread
        )
        running.started_at = time.monotonic()
        running.ready = running.child.is_ready is None
        pipe = running.process.stdout
        assert pipe is not None
        os.set_blocking(pipe.fileno(), False)
        self._selector.register(pipe, selectors.EVENT_READ, running)
        running.unfinished[pipe] = b""

    def _die_with_supervisor(self) -> None:
        """In the child, between fork and exec: ask the kernel for KILL at the supervisor's death."""
        if _libc is not None:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != self._pid:  # it died before the kernel was asked
                os._exit(1)

    def _copy_output(self, timeout: float) -> None:
        if not self._selector.get_map():
            time.sleep(timeout)
            return
        for key, _ in self._selector.select(timeout):
            self._copy_pipe(key.data, key.fileobj)  # type: ignore[arg-type]

    def _copy_pipe(self, running: _Running, pipe: IO[bytes]) -> None:
        """Print the whole lines that have arrived, the rest when the pipe ends."""
        chunk = os.read(pipe.fileno(), 65536)
        *lines, rest = (running.unfinished[pipe] + chunk).split(b"\n")
        if chunk:
            running.unfinished[pipe] = rest
        else:
            self._selector.unregister(pipe)
            pipe.close()
            del running.unfinished[pipe]
            if rest:
                lines.append(rest)
        for line in lines:
            self._print(running.child.name, line.decode(errors="replace"))

    def _notice_ended(self) -> None:
        for running in self._running:
            if running.process is None or running.process.poll() is None:
                continue
            if running.child.is_wanted and not running.child.is_wanted():
                running.wanted = False
                self._forget(running)
                continue
            now = time.monotonic()
            if now - running.started_at >= STEADY_AFTER:
                running.failures = 0
            delay = RESTART_DELAYS[min(running.failures, len(RESTART_DELAYS) - 1)]
            running.failures += 1
            running.start_at = now + delay
            reason = _how_it_ended(running.process.returncode)
            self._forget(running)
            self._say(f"{running.child.name} {reason}; starting it again in {delay:g} s.")

    def _forget(self, running: _Running) -> None:
        """What ended is over, with all that it started."""
        if running.process:
            _kill_group(running.process)
        running.process = None
        running.ready = False

    def _all_ready(self) -> bool:
        for running in self._running:
            if running.process and not running.ready and running.child.is_ready:
                running.ready = running.child.is_ready()
        return all(running.ready for running in self._running if running.wanted)

    def _stop_all(self) -> None:
        """Ask every child to end, wait for `grace` seconds or a second signal, kill what is left with its offspring."""
        asked = self._stop_requests
        processes = [running.process for running in self._running if running.process]
        for process in processes:
            process.terminate()
        deadline = time.monotonic() + self._grace
        while time.monotonic() < deadline and self._stop_requests <= max(asked, 1):
            self._copy_output(TICK / 4)
            if all(process.poll() is not None for process in processes):
                break
        for process in processes:
            _kill_group(process)
            process.wait()
        while self._selector.get_map() and self._selector.select(0):
            self._copy_output(0)

    def _say(self, sentence: str) -> None:
        self._print("up", sentence)

    def _print(self, name: str, line: str) -> None:
        # Nobody reading any more (a closed terminal, `| head`) is no reason to end the product.
        with contextlib.suppress(OSError):
            sys.stdout.write(f"{name:<{self._width}} | {line}\n")
            sys.stdout.flush()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child and of the processes it started: each child leads a group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _how_it_ended(returncode: int) -> str:
    if returncode < 0:
        return f"was ended by {signal.Signals(-returncode).name}"
    return f"ended with status {returncode}"
