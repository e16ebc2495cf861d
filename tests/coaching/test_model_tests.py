"""The test of a model connection, against servers on loopback that play each way it can go wrong."""

import socket
from datetime import timedelta

import pytest
from django.utils import timezone

from agents import outbound, work
from coaching import llm, tasks
from coaching.actions import connections
from coaching.coach import model_tests as testing
from coaching.models import ModelTest
from tests import model_server as server

pytestmark = pytest.mark.django_db
READY = ("report_ready", {"ready": True})
WORKS = [server.text("Yes."), server.calls(READY)]


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)
    monkeypatch.setattr(llm, "TICK_SECONDS", 0.02)


@pytest.fixture
def tested(workspace, owner, settings):
    """A function: address, what else is typed -> the finished test of a connection to it, which the operator allows."""

    def test(url, allowed=True, **fields):
        settings.OUTBOUND_ALLOW = [url.split("//")[1].split("/")[0]]
        typed = {"key": "sk-test-0123456789", "base_url": url, "model": "some-model", "effort": "", "version": 0}
        connections.connect(workspace, by=owner, **typed | fields)
        if not allowed:
            settings.OUTBOUND_ALLOW = []
        return testing.run(ModelTest.objects.unfinished().get().pk)

    return test


@pytest.fixture
def played(tested):
    """A function: plays, what is typed -> what the test of a server that plays them came to, as `outcome` says it."""

    def play(*plays, **fields):
        with server.serving(list(plays)) as playing:
            return outcome(tested(playing.url, **fields))

    return play


def outcome(test):
    """(what failed or None, its sentence, the checks that are proven)"""
    assert test.finished_at is not None
    checks = test.checks[1:7]
    assert [check["check"] for check in checks] == list(connections.CHECKS)
    failed = [check for check in checks if check["state"] == "failed"]
    proven = [check["check"] for check in checks if check["state"] == "ok"]
    return (failed[0]["check"], failed[0]["sentence"], proven) if failed else (None, "", proven)


def test_what_works_is_proven_by_the_requests_a_coach_makes(tested):
    with server.serving(WORKS) as playing:
        done = tested(playing.url, effort="low")

    assert outcome(done) == (None, "", list(connections.CHECKS))
    assert done.checks[0] == {
        "check": "connection", "version": 1, "base_url": playing.url, "model": "some-model", "effort": "low",
    }  # fmt: skip
    assert done.checks[-1]["check"] == "took"
    assert done.checks[-1]["tokens"] == 15
    assert [(asked["model"], asked["stream"]) for asked in playing.requests] == [("some-model", True)] * 2
    assert playing.requests[0]["output_config"] == {"effort": "low"}
    assert playing.requests[1]["tool_choice"] == {"type": "tool", "name": "report_ready"}


HTML = b"<html>404 Not Found</html>"


def page(code, kind="text/html", body=HTML, **headers):
    """A web server's own answer."""

    def play(handler):
        handler.send_response(code)
        for name, value in {"content-type": kind, "content-length": str(len(body)), **headers}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.send(body)

    return play


@pytest.mark.parametrize(
    ("play", "check", "sentence", "proven"),
    [
        (server.status(401, "authentication_error"), "key", testing.KEY_WRONG, 1),
        (server.status(402, "billing_error"), "key", testing.KEY_EMPTY, 1),
        (server.status(403, "permission_error"), "key", testing.KEY_LIMITED, 1),
        (server.status(404, "not_found_error"), "model", testing.MODEL_UNKNOWN.format(model="some-model"), 2),
        (page(404, "application/json", b'{"error": {"code": "model_not_found"}}'), "model", None, 2),
        (page(404), "address", testing.STRANGER, 0),
        (page(404, "application/json", b'{"detail": "Not Found"}'), "address", testing.STRANGER, 0),
        (page(200), "address", testing.STRANGER, 0),
        (page(200, "application/json", b"{}"), "answer", testing.NO_STREAM, 4),
        (page(307, location="https://elsewhere.example.com/v1/messages"), "address", testing.MOVED, 0),
        (server.status(400, "invalid_request_error"), "effort", testing.REQUEST_REFUSED.format(status=400), 3),
        (server.status(422, "invalid_request_error"), "effort", testing.REQUEST_REFUSED.format(status=422), 3),
        (server.status(429, "rate_limit_error"), "answer", testing.TOO_MANY, 1),
        (server.status(500), "answer", testing.FAULT.format(status=500), 1),
        (server.status(529, "overloaded_error"), "answer", testing.OVERLOADED.format(status=529), 1),
        (server.cut(server.start(), server.text_block("Ye")), "answer", testing.CUT, 4),
        (server.stream(b'data: {"choices": []}\n\n'), "answer", testing.CUT, 4),
        (server.stream(server.start(), server.event("error", error={"type": "api_error"})), "answer", None, 4),
    ],
)
def test_each_failure_stands_at_its_check_with_a_way_on(played, play, check, sentence, proven):
    failed, said, fine = played(play)

    assert (failed, fine) == (check, list(connections.CHECKS[:proven]))
    assert said == (sentence or said)
    assert said.endswith((".", "?"))


def test_effort_that_the_model_does_not_take_is_told_from_a_refused_request(played):
    def picky(handler):
        answer = (
            server.status(400, "invalid_request_error") if "output_config" in handler.asked else server.text("Yes.")
        )
        answer(handler)

    failed, said, proven = played(picky, effort="max")

    assert (failed, said) == ("effort", testing.EFFORT_REFUSED.format(effort="max"))
    assert proven == ["address", "key", "model"]


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (server.text("I am ready."), testing.NO_TOOLS),
        (server.status(400, "invalid_request_error"), testing.NO_TOOLS),
        (server.calls(("other", {"ready": True})), testing.TOOL_BROKEN),
        (server.calls(("report_ready", {})), testing.TOOL_BROKEN),
        (server.cut(server.start()), testing.CUT),
    ],
)
def test_model_without_tools_is_told_as_such(played, second, sentence):
    assert played(server.text("Yes."), second) == ("tools", sentence, list(connections.CHECKS[:5]))


def test_no_tools_says_what_the_coach_needs():
    assert testing.NO_TOOLS.startswith("This model answers but does not use tools; the coach needs them.")


def test_stall_and_the_end_of_the_time_end_the_test(played, monkeypatch):
    monkeypatch.setattr(testing, "STALL_SECONDS", 0.2)
    failed, said, _ = played(server.stall(server.start()))
    assert (failed, said) == ("answer", testing.STALLED.format(seconds=0))


def test_server_that_pings_for_ever_is_left_at_the_end_of_the_time(played, monkeypatch):
    monkeypatch.setattr(testing, "SECONDS", 0.4)
    failed, said, _ = played(server.stall(server.start(), ping_seconds=0.05))
    assert (failed, said) == ("answer", testing.OUT_OF_TIME.format(seconds=0))


def test_server_that_takes_the_request_and_says_nothing(played, monkeypatch):
    monkeypatch.setattr(testing, "STALL_SECONDS", 0.2)

    def mute(handler):
        handler.server.closing.wait()

    assert played(mute)[:2] == ("address", testing.NO_ANSWER)


# --- The address


def test_port_where_nobody_listens(tested):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    assert outcome(tested(f"http://127.0.0.1:{port}")) == ("address", testing.REFUSED, [])


def test_name_that_is_not_there(tested):
    assert outcome(tested("https://models.invalid")) == ("address", testing.NAME_NOT_FOUND, [])


def test_server_that_speaks_no_tls(tested):
    with server.serving(WORKS) as playing:
        assert outcome(tested(playing.url.replace("http:", "https:"))) == ("address", testing.TLS, [])


def test_name_that_leads_into_the_private_network_is_not_called(tested, monkeypatch):
    with server.serving(WORKS) as playing:
        port = playing.server_address[1]
        lead(monkeypatch, {"models.example.com": ["93.184.216.34", "127.0.0.1"]})

        failed, said, _ = outcome(tested(f"https://models.example.com:{port}", allowed=False))

    assert (failed, playing.requests) == ("address", [])
    assert said == outbound.NOT_PUBLIC.format(place=f"models.example.com:{port}")


def test_environments_own_address_needs_no_listing(workspace, owner, settings):
    with server.serving(WORKS) as playing:
        settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "of-the-server", playing.url

        done = testing.run(connections.ask_for_test(workspace, by=owner).pk)

    assert outcome(done)[0] is None
    assert done.checks[0]["version"] == 0


def lead(monkeypatch, names):
    """Let these names lead to these addresses, as a name server would."""
    real = socket.getaddrinfo

    def resolve(host, port, *args, **kwargs):
        if host not in names:
            return real(host, port, *args, **kwargs)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in names[host]]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


# --- As an owed row


def test_one_at_a_time(workspace, owner, settings):
    settings.ANTHROPIC_API_KEY = "of-the-server"

    assert connections.ask_for_test(workspace, by=owner) == connections.ask_for_test(workspace, by=owner)
    assert ModelTest.objects.count() == 1


def test_practice_model_is_not_tested(workspace, owner):
    with pytest.raises(connections.NotConnected):
        connections.ask_for_test(workspace, by=owner)


def test_test_of_what_was_changed_meanwhile_begins_anew_and_its_result_is_not_stored(workspace, owner, settings):
    with server.serving([server.text("Yes.")]) as old, server.serving(WORKS) as new:
        settings.OUTBOUND_ALLOW = [each.url.removeprefix("http://") for each in (old, new)]
        typed = {"by": owner, "key": "sk-test-0123456789", "model": "", "effort": ""}
        connections.connect(workspace, base_url=old.url, version=0, **typed)
        pk = ModelTest.objects.get().pk

        held = work.claim(ModelTest.objects.unfinished(), pk)
        trying = testing._Test(held)
        trying.keep()
        connections.connect(workspace, base_url=new.url, version=1, **typed)
        with pytest.raises(work.LeaseLost):
            trying.run()

        done = testing.run(pk)

    assert outcome(done)[0] is None
    assert (done.checks[0]["base_url"], ModelTest.objects.count()) == (new.url, 1)


def test_test_of_a_worker_that_died_is_taken_up_again_and_again_but_not_for_ever(workspace, owner, settings):
    settings.ANTHROPIC_API_KEY = "of-the-server"
    asked = connections.ask_for_test(workspace, by=owner)
    for _ in range(testing.ATTEMPTS):
        assert work.claim(ModelTest.objects.unfinished(), asked.pk)
        assert testing.run(asked.pk) is None  # somebody is at it
        ModelTest.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))  # died

    failed, said, _ = outcome(testing.run(asked.pk))

    assert (failed, said) == ("address", testing.LOST)


def test_clock_finds_a_test_whose_message_was_lost(workspace, owner, settings, monkeypatch):
    settings.ANTHROPIC_API_KEY = "of-the-server"
    asked = connections.ask_for_test(workspace, by=owner)
    sent = []
    monkeypatch.setattr(tasks.run_model_test, "apply_async", lambda args, **how: sent.append(args))

    tasks.find_owed_work()

    assert sent == [[str(asked.pk)]]


def test_disconnecting_takes_a_waiting_test_along(workspace, owner, settings):
    typed = {"key": "sk-test-0123456789", "base_url": "", "model": "", "effort": "", "version": 0}
    connections.connect(workspace, by=owner, **typed)
    held = work.claim(ModelTest.objects.unfinished(), ModelTest.objects.get().pk)

    connections.disconnect(workspace, by=owner, version=1)

    with pytest.raises(work.LeaseLost):
        testing._Test(held).run()
    assert ModelTest.objects.count() == 0
