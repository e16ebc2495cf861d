"""How long the product takes to its first page, and how much memory it holds, beside a bare uvicorn that serves one line.

    python -m tests.bench startup

Exits with 1 where the start takes more than 10 seconds or the running product more than 400 MB.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from tests.config.processes import ROOT, children_of

MOST_SECONDS = 10.0
MOST_MEGABYTES = 400.0
SETTLED_AFTER = 15.0  # seconds: worker and beat have started, the first sweeps are through
BARE = """
async def application(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def seconds_to_answer(url: str, began_at: float) -> float:
    while time.monotonic() - began_at < 60:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return time.monotonic() - began_at
        except urllib.error.HTTPError:
            return time.monotonic() - began_at
        except OSError:
            time.sleep(0.02)
    raise TimeoutError(f"{url} did not answer within a minute")


def megabytes(pid: int) -> float:
    """The memory of one process, what it shares divided by those who share it (PSS)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Pss:")).split()[1]) / 1024


def bare(folder: Path) -> tuple[float, float]:
    """(seconds, megabytes) of uvicorn with an application of one line: what no start can be quicker or smaller than."""
    (folder / "bare.py").write_text(BARE)
    port, began_at = free_port(), time.monotonic()
    command = [sys.executable, "-m", "uvicorn", "bare:application", "--port", str(port), "--log-level", "error"]
    process = subprocess.Popen(command, cwd=folder)
    try:
        return seconds_to_answer(f"http://127.0.0.1:{port}/", began_at), megabytes(process.pid)
    finally:
        process.terminate()
        process.wait()


def started(environment: dict[str, str]) -> tuple[float, dict[str, float]]:
    """What `make up` does after installation: (seconds to the sign-in page, megabytes of each process)."""
    port, began_at = free_port(), time.monotonic()
    manage = [sys.executable, "manage.py"]
    for step in (
        ["migrate", "--no-input", "--skip-checks", "--verbosity", "0"],
        ["load_demo", "--if-empty", "--skip-checks"],
    ):
        subprocess.run([*manage, *step], cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    process = subprocess.Popen(
        [*manage, "up", "--port", str(port)], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL
    )
    try:
        seconds = seconds_to_answer(f"http://127.0.0.1:{port}/", began_at)
        time.sleep(SETTLED_AFTER)
        held = dict(zip(("web", "worker", "beat"), map(megabytes, children_of(process.pid)), strict=True))
        return seconds, {"supervisor": megabytes(process.pid), **held}
    finally:
        process.terminate()
        process.wait()


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        floor_seconds, floor_megabytes = bare(Path(folder))
        environment = dict(os.environ) | {"DATA_DIR": folder, "DATABASE_URL": "", "REDIS_URL": "", "HOST": "127.0.0.1"}
        first, _ = started(environment)
        second, held = started(environment)
    total = sum(held.values())
    parts = ", ".join(f"{name} {size:.0f}" for name, size in held.items())
    print(f"bare uvicorn to first answer     {floor_seconds:6.2f} s")
    print(f"first start to first page        {first:6.2f} s   {first / floor_seconds:5.1f} times bare")
    print(f"second start to first page       {second:6.2f} s   {second / floor_seconds:5.1f} times bare")
    print(f"bare uvicorn in memory           {floor_megabytes:6.0f} MB")
    print(f"running product in memory        {total:6.0f} MB  {total / floor_megabytes:5.1f} times bare ({parts})")
    return int(max(first, second) > MOST_SECONDS or total > MOST_MEGABYTES)
