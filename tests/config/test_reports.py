"""Error reports over a real socket: they say what broke and where, and hold no word of what it broke on."""

import logging
import socket
import subprocess
import time

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import path

from config import reports
from config.celery import app
from tests import report_server
from tests.config.processes import wait_for
from tests.config.test_up import manage

CANARY = "kestrel in the reading room"


def broken(request, word):
    """A page that breaks in the middle of what a customer wrote."""
    said = request.POST["said"]
    try:
        int(said)
    except ValueError as error:
        raise RuntimeError(f"Cannot read {said}") from error
    return HttpResponse(word)


urlpatterns = [path("broken/<str:word>", broken)]


@pytest.fixture
def server():
    with report_server.serving() as server:
        yield server


@pytest.fixture
def reporting(server):
    """The root logger reports, as settings have it where there is a DSN."""
    handler = reports.Reports(server.dsn, "touchline.example.com")
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)


def test_broken_page_is_reported_without_a_word_of_the_request(server, reporting, settings):
    settings.ROOT_URLCONF = __name__
    client = Client(raise_request_exception=False, headers={"Cookie": f"sessionid={CANARY}", "X-Word": CANARY})

    answer = client.post(f"/broken/{CANARY}?q={CANARY}", {"said": CANARY})

    assert answer.status_code == 500
    (report,) = wait_for(lambda: server.reports, 5)
    assert report["transaction"] == "POST /broken/<str:word>"
    assert report["logger"] == "django.request"
    assert [(error["type"], error["module"]) for error in report["exception"]["values"]] == [
        ("ValueError", "builtins"),
        ("RuntimeError", "builtins"),
    ]
    last = report["exception"]["values"][1]["stacktrace"]["frames"][-1]
    assert (last["filename"], last["function"], last["in_app"]) == ("tests/config/test_reports.py", "broken", True)
    assert "kestrel" not in server.raw.decode()


def test_error_whose_words_the_log_leaves_out_is_told_with_its_way(server, reporting):
    log = logging.getLogger("somewhere")
    try:
        raise ValueError(CANARY)
    except ValueError as error:
        log.error("It broke: %s, %s", type(error).__name__, CANARY)

    (report,) = wait_for(lambda: server.reports, 5)
    assert report["exception"]["values"][0]["type"] == "ValueError"
    assert report["logentry"]["message"].startswith("somewhere: test_error_whose_words_the_log_leaves_out_")
    assert "kestrel" not in server.raw.decode()


def test_task_that_breaks_is_reported_without_its_words(server, reporting):
    @app.task(name="tests.broken")
    def break_on(row, words):
        raise RuntimeError(f"Cannot read {words}")

    try:
        break_on.apply(args=["1", CANARY])
    finally:
        app.tasks.pop("tests.broken")

    (report,) = wait_for(lambda: server.reports, 5)
    assert report["transaction"] == "tests.broken"
    assert report["exception"]["values"][-1]["type"] == "RuntimeError"
    assert report["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"].endswith("break_on")
    assert "kestrel" not in server.raw.decode()


def test_only_errors_are_reported(server, reporting):
    log = logging.getLogger("somewhere")
    log.warning("Not this.")
    log.critical("This.")

    (report,) = wait_for(lambda: server.reports, 5)
    assert report["level"] == "fatal"
    assert "exception" not in report


@pytest.mark.django_db
def test_not_being_ready_is_a_line_of_warning_and_no_report(server, reporting, monkeypatch, caplog):
    monkeypatch.setitem(app.conf, "broker_transport", None)
    monkeypatch.setitem(app.conf, "broker_url", "redis://127.0.0.1:1/0")  # nothing listens there

    assert Client().get("/health/ready").status_code == 503
    logging.getLogger("somewhere").error("Broken.")

    (report,) = wait_for(lambda: server.reports, 5)
    assert report["logger"] == "somewhere"
    said = [
        (each.levelname, each.getMessage())
        for each in caplog.records
        if each.name in ("config.health", "django.request")
    ]
    assert said == [("WARNING", "Not ready, no answer from: queue")]


def test_flood_of_errors_neither_waits_nor_floods(server, reporting, monkeypatch):
    monkeypatch.setattr(reports, "PAUSE", 0.01)
    began = time.monotonic()
    for _ in range(5_000):
        logging.getLogger("somewhere").error("Again.")
    assert time.monotonic() - began < 5

    wait_for(lambda: len(server.reports) >= reports.WAITING, 5)
    assert len(server.reports) < 1_000


def test_server_that_refuses_or_is_gone_is_a_line_in_the_log(caplog):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with report_server.serving(status=503) as full:
        for dsn, name in ((full.dsn, "HTTPError"), (f"http://key@127.0.0.1:{port}/1", "URLError")):
            handler = reports.Reports(dsn, "")
            handler.handle(logging.getLogger("somewhere").makeRecord("somewhere", 40, "f.py", 1, "Gone.", (), None))
            said = f"An error report could not be sent: {name}"
            wait_for(lambda said=said: said in caplog.text, 5)


@pytest.mark.parametrize(
    "dsn", ["sentry.example.com", "https://sentry.example.com/42", "https://key@sentry.example.com/"]
)
def test_address_that_is_none_stops_the_start(dsn, tmp_path):
    child = manage("check", data_dir=tmp_path)
    child["env"] |= {"SENTRY_DSN": dsn}

    ended = subprocess.run(**child, capture_output=True, text=True)

    assert ended.returncode != 0
    assert "SENTRY_DSN has the form https://KEY@HOST/PROJECT." in ended.stderr


def test_process_with_a_dsn_reports(server, tmp_path):
    child = manage(
        "shell", "-c", "import logging, time; logging.getLogger('x').error('no'); time.sleep(3)", data_dir=tmp_path
    )
    child["env"] |= {"SENTRY_DSN": server.dsn, "PUBLIC_URL": "https://touchline.example.com"}

    subprocess.run(**child, check=True, timeout=60)

    assert [report["server_name"] for report in server.reports] == ["touchline.example.com"]


def test_deep_recursion_is_told_by_its_last_steps():
    def down():
        down()

    with pytest.raises(RecursionError) as broke:
        down()
    record = logging.getLogger("x").makeRecord("x", 40, "f.py", 1, "m", (), (None, broke.value, None))

    told = reports.event(record, "")

    assert len(told["exception"]["values"][0]["stacktrace"]["frames"]) == reports.MOST_FRAMES
    assert len(reports.envelope(told)) < 50_000
