"""`manage.py up` as an operator meets it: the real product on a data directory and a port of its own."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import contextmanager

import pytest
from django.db import connection

from config import product
from tests.config.processes import ROOT, alive, children_of, wait_for
from tests.processes import PATIENCE
from tests.slack import Slack


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
def data_dir(tmp_path_factory, django_db_setup, django_db_blocker):
    """A data directory with the tables that `migrate` makes: those of the tests' own database where that is SQLite's and some
    test of the run asks for it, which saves going through all migrations once more."""
    data_dir = tmp_path_factory.mktemp("data")
    names = connection.settings_dict
    if connection.vendor == "sqlite" and str(names["NAME"]) == str(names["TEST"]["NAME"]):
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(data_dir / "touchline.sqlite3")])
    else:
        subprocess.run(**manage("migrate", "--verbosity", "0", data_dir=data_dir), check=True, timeout=PATIENCE)
    return data_dir


@pytest.fixture
def port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture
def up(data_dir, port, tmp_path):
    (data_dir / "demo-logins.txt").write_text("owner@demo.example hunter-hunter\n")
    with product_up(data_dir, port, tmp_path / "up.log") as process:
        yield process


@contextmanager
def product_up(data_dir, port, log, **environment):
    """The product, serving; ended hard after the test if it still runs."""
    command = manage("up", "--port", str(port), data_dir=data_dir)
    command["env"] |= environment
    with log.open("wb") as out:
        process = subprocess.Popen(**command, stdout=out, stderr=subprocess.STDOUT)
    process.log = log
    try:
        wait_for(lambda: "Ctrl-C ends it." in log.read_text() or process.poll() is not None, PATIENCE)
        yield process
    finally:
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
    assert up.wait(timeout=PATIENCE) == 0
    assert [pid for pid in children if alive(pid)] == []


def test_up_listens_to_slack_while_there_is_a_token(data_dir, port, tmp_path):
    with Slack() as slack:
        app = slack.add_team(app_token="xapp-1").app
        told = {"SLACK_APP_TOKEN": app.app_token, "SLACK_API_URL": slack.api_url}
        with product_up(data_dir, port, tmp_path / "up.log", **told) as up:
            slack.sockets.wait_for(app, seconds=PATIENCE)
            listener = children_of(up.pid)[-1]

            os.kill(listener, signal.SIGKILL)

            wait_for(lambda: slack.sockets.opened == 2, PATIENCE)
            assert "slack  | " in up.log.read_text()
            up.send_signal(signal.SIGTERM)
            assert up.wait(timeout=PATIENCE) == 0
            slack.sockets.wait_for(app, 0)


def test_web_process_believes_only_the_proxies_that_are_named():
    web = product.children("127.0.0.1", 8000, "info", "10.0.0.0/8,192.0.2.7", ROOT / "none")[0].command

    assert web[web.index("--forwarded-allow-ips") + 1] == "10.0.0.0/8,192.0.2.7"


def test_up_refuses_a_port_in_use(data_dir):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        refused = subprocess.run(
            **manage("up", "--port", str(taken), data_dir=data_dir), capture_output=True, text=True, timeout=PATIENCE
        )

    assert refused.returncode == 1
    assert refused.stderr == (
        f"CommandError: Cannot listen on 127.0.0.1, port {taken}: Address already in use. "
        f"Stop what uses it, or choose another port: manage.py up --port {taken + 1}\n"
    )


def test_up_refuses_a_database_older_than_the_code(tmp_path, port):
    refused = subprocess.run(
        **manage("up", "--port", str(port), data_dir=tmp_path), capture_output=True, text=True, timeout=PATIENCE
    )

    assert refused.returncode == 1
    assert refused.stderr == "CommandError: The database is not as new as the code. Run first: manage.py migrate\n"
