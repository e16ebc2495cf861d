"""`manage.py up` as an operator meets it: the real product on a data directory and a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest

from config import product
from tests.config.processes import ROOT, alive, children_of, wait_for


def manage(*arguments, data_dir):
    """Return the command line and the surroundings that run manage.py on an embedded data directory."""
    environment = dict(os.environ) | {
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "HOST": "127.0.0.1",
    }
    return {"args": [sys.executable, "manage.py", *arguments], "cwd": ROOT, "env": environment}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    subprocess.run(**manage("migrate", "--verbosity", "0", data_dir=data_dir), check=True, timeout=60)
    return data_dir


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def up(data_dir, port, tmp_path):
    """The product, serving; ended hard after the test if it still runs."""
    (data_dir / "demo-logins.txt").write_text("owner@demo.example hunter-hunter\n")
    log = tmp_path / "up.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            **manage("up", "--port", str(port), data_dir=data_dir), stdout=out, stderr=subprocess.STDOUT
        )
    process.log = log
    wait_for(lambda: "Ctrl-C ends it." in log.read_text() or process.poll() is not None, 30)
    yield process
    process.kill()
    process.wait()


def test_up_serves_and_ends_without_orphans(up, port):
    children = children_of(up.pid)

    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=5) as answer:
        assert answer.status == 200
    assert f"http://127.0.0.1:{port}/\nDemo logins (address, password):\nowner@demo.example hunter-hunter\n" in (
        up.log.read_text()
    )
    assert len(children) == 3
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=15) == 0
    assert [pid for pid in children if alive(pid)] == []


def test_web_process_believes_only_the_proxies_that_are_named():
    web = product.children("127.0.0.1", 8000, "info", "10.0.0.0/8,192.0.2.7")[0].command

    assert web[web.index("--forwarded-allow-ips") + 1] == "10.0.0.0/8,192.0.2.7"


def test_up_refuses_a_port_in_use(data_dir):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        refused = subprocess.run(
            **manage("up", "--port", str(taken), data_dir=data_dir), capture_output=True, text=True, timeout=30
        )

    assert refused.returncode == 1
    assert refused.stderr == (
        f"CommandError: Cannot listen on 127.0.0.1, port {taken}: Address already in use. "
        f"Stop what uses it, or choose another port: manage.py up --port {taken + 1}\n"
    )


def test_up_refuses_a_database_older_than_the_code(tmp_path, port):
    refused = subprocess.run(
        **manage("up", "--port", str(port), data_dir=tmp_path), capture_output=True, text=True, timeout=30
    )

    assert refused.returncode == 1
    assert refused.stderr == "CommandError: The database is not as new as the code. Run first: manage.py migrate\n"
