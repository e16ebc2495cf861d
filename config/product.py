"""Web, worker, beat and Slack's socket under one supervisor. `manage.py up` looks at the settings, then becomes this program.

It is a program of its own, without Django, because it stays: the supervisor then takes ten megabytes instead of sixty.
"""

import argparse
import http.client
import sys
from functools import partial
from pathlib import Path

from config.supervisor import Child, Supervisor

EVERYWHERE = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared with, not bound to)
PROBE_SECONDS = 1.0
STREAMS_SECONDS = 5  # how long open pages may keep the web process from ending


def children(host: str, port: int, log_level: str, proxies: str, slack: Path) -> list[Child]:
    """Return the processes Touchline consists of, web first. `proxies` are addresses and networks, separated by commas.

    The worker leaves a file at `slack` while there is a token for Slack's Socket Mode; only then there is a process for it.
    """
    python = [sys.executable, "-m"]
    web = [*python, "uvicorn", "config.asgi:application", "--host", host, "--port", str(port), "--lifespan", "off"]
    web += ["--log-level", log_level, "--no-access-log", "--timeout-graceful-shutdown", str(STREAMS_SECONDS)]
    web += ["--ws", "none", "--proxy-headers", "--forwarded-allow-ips", proxies]
    celery = [*python, "celery", "--quiet", "-A"]
    worker = [*celery, "config.celery", "worker", "--loglevel", log_level]
    worker += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    beat = [*celery, "config.beat", "beat", "--loglevel", "warning"]  # each tick is a line at info
    listener = [sys.executable, "manage.py", "slack_socket"]
    return [
        Child("web", web, is_ready=partial(answers, host, port)),
        Child("worker", worker),
        Child("beat", beat),
        Child("slack", listener, is_wanted=slack.exists),
    ]


def answers(host: str, port: int) -> bool:
    """Whether the web process answers. A redirect to https or a refused host name is an answer too."""
    client = http.client.HTTPConnection(EVERYWHERE.get(host, host), port, timeout=PROBE_SECONDS)
    try:
        client.request("GET", "/health/live")
        return client.getresponse().status < 500
    except (OSError, http.client.HTTPException):
        return False
    finally:
        client.close()


def greeting(host: str, port: int, logins: Path, seconds: float) -> str:
    """Return where the product is and, with a demo workspace, who can sign in."""
    name = EVERYWHERE.get(host, host)
    address = f"http://[{name}]:{port}/" if ":" in name else f"http://{name}:{port}/"
    lines = ["", f"Touchline is ready after {seconds:.1f} s: {address}"]
    if logins.exists():
        lines += ["Demo logins (address, password):", logins.read_text().rstrip()]
    return "\n".join([*lines, "Ctrl-C ends it.", ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.product", description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--log-level", required=True)
    parser.add_argument("--proxies", required=True, help="who may say for whom it speaks, separated by commas")
    parser.add_argument("--logins", type=Path, required=True, help="file with the demo logins, if there are any")
    parser.add_argument("--slack", type=Path, required=True, help="file that is there while Slack's socket is wanted")
    given = parser.parse_args()

    def greet(seconds: float) -> None:
        sys.stdout.write(greeting(given.host, given.port, given.logins, seconds) + "\n")
        sys.stdout.flush()

    product = Supervisor(
        children(given.host, given.port, given.log_level, given.proxies, given.slack),
        env={"PORT": str(given.port)},  # the default of PUBLIC_URL follows it
        on_ready=greet,
    )
    return product.run()


if __name__ == "__main__":
    sys.exit(main())
