"""What docs/operations gives to an operator, held against the product: variables, commands, processes."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from django.core.management import get_commands

from config import product
from tests.config.processes import ROOT
from tests.config.test_environment import READ

OPERATIONS = ROOT / "docs/operations"
UNITS = sorted((OPERATIONS / "systemd").iterdir())
COMPOSE = yaml.safe_load((OPERATIONS / "compose.yaml").read_text())
OURS = [service for service in COMPOSE["services"].values() if service.get("image") == "touchline"]
OF_PYTHON = {"PYTHONUNBUFFERED"}


def variables():
    return set(READ.findall((ROOT / "config/settings.py").read_text())) | OF_PYTHON


def assigned(text):
    return set(re.findall(r"^([A-Z_]+)=", text, re.MULTILINE))


def test_variables_named_are_those_that_are_read():
    in_units = {
        name for unit in UNITS for name in re.findall(r"^Environment=([A-Z_]+)=", unit.read_text(), re.MULTILINE)
    }
    in_image = set(re.findall(r"(?:ENV | )([A-Z_]+)=", (OPERATIONS / "Dockerfile").read_text()))
    in_compose = {name for service in OURS for name in service["environment"]}

    assert in_units == OF_PYTHON
    assert in_image | in_compose | assigned((OPERATIONS / "touchline.env").read_text()) <= variables()
    assert {
        "SECRET_KEY",
        "FIELD_KEYS",
        "DATABASE_URL",
        "REDIS_URL",
        "DATA_DIR",
        "PUBLIC_URL",
        "SENTRY_DSN",
    } <= in_compose


def test_variables_in_the_papers_are_those_that_are_read():
    text = (ROOT / "docs/operations.md").read_text()

    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)(?:=[^`]*)?`", text))
    assert "FIELD_KEYS" in named
    assert named <= variables() | {"POSTGRES_PASSWORD"}


def test_commands_in_the_papers_are_there():
    named = set(re.findall(r"manage\.py ([a-z_]+)", (ROOT / "docs/operations.md").read_text()))

    assert {"move_to_postgresql", "verify_log"} <= named
    assert named <= set(get_commands())


def test_files_in_the_papers_are_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "docs/operations.md").read_text()):
        assert (ROOT / "docs" / path).exists(), path


@pytest.mark.parametrize("name", ["web", "worker", "beat", "slack"])
def test_processes_are_started_as_up_starts_them(name):
    """Each switch of `manage.py up`, but for those by which it ties one worker to itself and chooses address and log."""
    child = next(one for one in product.children("H", 1, "L", "P", Path("s")) if one.name == name)
    given = [part for part in child.command[1:] if part not in {"H", "1", "P", "L", "info"}]
    own = {
        "--host",
        "--port",
        "--log-level",
        "--loglevel",
        "--without-gossip",
        "--without-mingle",
        "--without-heartbeat",
    }
    wanted = [part for part in given if part not in own]

    unit = next(path for path in UNITS if path.name.startswith(f"touchline-{name}") and path.suffix == ".service")
    for started in (
        re.search(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE)[1].split(),
        COMPOSE["services"][name]["command"],
    ):
        assert [part for part in wanted if part not in started] == []


def test_image_holds_the_whole_product():
    copied = set(re.findall(r"^COPY (.*) \S+$", (OPERATIONS / "Dockerfile").read_text(), re.MULTILINE))
    names = {name for line in copied for name in line.split()}

    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert names == packages | {"manage.py", "static", "templates", "requirements.txt", "requirements-postgres.txt"}


def test_clock_is_one_and_the_rest_may_be_more():
    assert [unit.name for unit in UNITS if "@" in unit.name] == ["touchline-worker@.service"]
    wanted = re.search(r"^Wants=(.*)$", (OPERATIONS / "systemd/touchline.target").read_text(), re.MULTILINE)[1].split()
    assert {re.sub(r"@\d", "@", name) for name in wanted} == {unit.name for unit in UNITS} - {
        "touchline.target",
        "touchline-slack.service",
    }


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_units_are_accepted_by_systemd(tmp_path):
    for unit in UNITS:
        text = unit.read_text().replace("/opt/touchline/.venv/bin/python", sys.executable)
        (tmp_path / unit.name).write_text(text)

    checked = subprocess.run(
        ["systemd-analyze", "verify", *sorted(map(str, tmp_path.iterdir()))], capture_output=True, text=True
    )

    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not here")
def test_compose_file_is_accepted():
    values = dict.fromkeys(("SECRET_KEY", "FIELD_KEYS", "POSTGRES_PASSWORD", "PUBLIC_URL", "ALLOWED_HOSTS"), "x")

    checked = subprocess.run(
        ["docker-compose", "-f", str(OPERATIONS / "compose.yaml"), "config", "-q"],
        env={"PATH": "/usr/bin:/usr/local/bin:/bin", **values}, capture_output=True, text=True,
    )  # fmt: skip

    assert (checked.returncode, checked.stderr) == (0, "")
