"""The door to the model in every weather: through the real SDK, over loopback, against a server that plays a script."""

import json
import logging
import subprocess
import sys
import time

import anthropic
import pytest

from coaching import llm
from coaching.actions import connections
from tests import model_server as server

REQUEST = {"model": "scripted", "max_tokens": 100, "messages": [{"role": "user", "content": "What went wrong?"}]}
SECRET = "The customer lives behind the mill"


def ask(plays, *, seconds=5.0, stall_seconds=1.0, should_stop=lambda: False):
    said = []
    with server.serving(plays) as model:
        client = anthropic.Anthropic(api_key="key", base_url=model.url, max_retries=0)
        watch = llm.Watch(stall_seconds, time.monotonic() + seconds, should_stop)
        try:
            answer = llm.ask(client, REQUEST, watch=watch, on_text=said.append)
        except Exception as error:
            error.said, error.requests = "".join(said), len(model.requests)
            raise
        finally:
            client.close()
        return answer, "".join(said), len(model.requests)


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)


def test_text_comes_piece_by_piece_and_whole():
    answer, said, _ = ask([server.text("Turn 3 ", "shows it.", cache_read_input_tokens=7)])

    assert said == answer.text == "Turn 3 shows it."
    assert answer.stop_reason == "end_turn"
    assert answer.content == [{"type": "text", "text": "Turn 3 shows it."}]
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, usage.rounds) == (10, 5, 7, 1)


def test_parallel_tool_calls_come_in_their_order():
    answer, _, _ = ask([server.calls(("read_prompt", {}), ("search_memories", {"query": "fees"}), say="Let me look.")])

    assert [(call.name, call.input) for call in answer.calls] == [
        ("read_prompt", {}),
        ("search_memories", {"query": "fees"}),
    ]
    assert answer.text == "Let me look."


OVERLOADED = server.event("error", error={"type": "overloaded_error", "message": SECRET})
FAULTY = server.event("error", error={"type": "api_error", "message": SECRET})
BEGUN = server.start() + server.text_block(SECRET)
NONSENSE = server.start() + server.tool_block("read", '{"a": nonsense}') + server.stop("tool_use")
STRAY = server.start() + server.event("content_block_delta", index=5, delta={"type": "text_delta", "text": "x"})


@pytest.mark.parametrize(
    ("play", "error", "sentence", "requests"),
    [
        (server.status(401, "authentication_error"), llm.ModelRefused, "did not accept our key", 1),
        (server.status(402, "billing_error"), llm.ModelRefused, "no credit left", 1),
        (server.status(403, "permission_error"), llm.ModelRefused, "not allowed", 1),
        (server.status(404, "not_found_error"), llm.ModelRefused, "not known at its address", 1),
        (server.status(400, "invalid_request_error"), llm.ModelRefused, "did not accept the request", 1),
        (server.status(413, "request_too_large"), llm.ModelRefused, "too much text", 1),
        (server.status(418), llm.ModelRefused, "did not accept the request", 1),
        (server.status(429, "rate_limit_error", retry_after="0"), llm.ModelBusy, "too many requests", 3),
        (server.status(429, "rate_limit_error", retry_after="3600"), llm.ModelBusy, "Retry in 60 minutes", 1),
        (server.status(429, retry_after="nan"), llm.ModelBusy, "too many requests", 3),
        (server.status(500), llm.ModelBusy, "a fault of its own", 3),
        (server.status(503), llm.ModelBusy, "a fault of its own", 3),
        (server.status(529, "overloaded_error"), llm.ModelBusy, "overloaded", 3),
        (server.stream(OVERLOADED), llm.ModelBusy, "overloaded", 3),
        (server.stream(server.start(), FAULTY), llm.ModelBusy, "a fault of its own", 1),
        (server.cut(), llm.ModelUnreachable, "cannot be reached", 3),
        (server.cut(BEGUN), llm.ModelUnreachable, "in the middle", 1),
        (server.cut(server.start() + server.tool_block("read", '{"a')[:-60]), llm.ModelUnreachable, "in the middle", 1),
        (server.stream(), llm.ModelUnreachable, "in the middle", 3),
        (server.stream(BEGUN), llm.ModelUnreachable, "in the middle", 1),
        (server.stream(b"<html>a proxy's page</html>"), llm.ModelUnreachable, "in the middle", 3),
        (server.stream(NONSENSE), llm.AnswerBroken, "cannot be read", 1),
        (server.stream(STRAY), llm.AnswerBroken, "cannot be read", 1),
        (server.stream(server.event("message_stop")), llm.AnswerBroken, "cannot be read", 1),
        (server.stream(b"event: message_start\ndata: {nonsense\n\n"), llm.AnswerBroken, "cannot be read", 3),
        (server.stream(b"event: message_start\ndata: \xff\xfe\n\n"), llm.AnswerBroken, "cannot be read", 3),
        (server.stall(), llm.ModelStalled, "given up", 1),
        (server.stall(BEGUN), llm.ModelStalled, "given up", 1),
        (server.stall(server.start(), ping_seconds=0.05), llm.ModelStalled, "given up", 1),
    ],
)
def test_bad_weather_ends_in_one_sentence(play, error, sentence, requests):
    began = time.monotonic()
    with pytest.raises(error) as raised:
        ask([play])

    assert sentence in raised.value.sentence
    assert raised.value.requests == requests
    assert time.monotonic() - began < 4
    told = f"{raised.value!r} {raised.value.__cause__!r}"
    assert SECRET not in told
    assert raised.value.__suppress_context__ or raised.value.__context__ is None


def test_a_fault_before_any_text_is_tried_again():
    answer, said, requests = ask([server.status(529), server.status(500), server.text("Here.")])

    assert (answer.text, said, requests) == ("Here.", "Here.", 3)


def test_an_address_where_nobody_answers_is_unreachable():
    client = anthropic.Anthropic(api_key="key", base_url="http://127.0.0.1:9", max_retries=0)
    with pytest.raises(llm.ModelUnreachable, match="cannot be reached"):
        llm.ask(client, REQUEST, watch=llm.Watch(1, time.monotonic() + 5))


def test_half_a_tool_input_is_not_taken_for_a_whole_one():
    answer, _, _ = ask(
        [server.stream(server.start(), server.tool_block("propose", '{"summary": "a'), server.stop("max_tokens"))]
    )

    assert answer.stop_reason == "max_tokens"
    assert [call.input for call in answer.calls] == [None]
    assert answer.content[0]["input"] == {}


def test_the_end_of_the_time_ends_a_stream_that_goes_on():
    with pytest.raises(llm.TimeIsUp) as raised:
        ask([server.slowly(["word "] * 100, seconds=0.05)], seconds=0.6)

    assert raised.value.said.startswith("word word ")


def test_a_stop_is_heard_while_the_model_is_silent():
    began = time.monotonic()
    with pytest.raises(llm.Stopped):
        ask([server.stall()], stall_seconds=30, seconds=30, should_stop=lambda: time.monotonic() - began > 0.4)

    assert time.monotonic() - began < 1.5


def test_text_that_no_database_takes_is_mended():
    answer, said, _ = ask([server.text("a\x00b \ud83d", "\ude00 \udc00!")])

    assert said == answer.text == "ab 😀 \ufffd!"


def test_no_body_is_logged_whatever_the_level(caplog):
    caplog.set_level(logging.DEBUG)
    ask([server.text(SECRET)])
    with pytest.raises(llm.ModelError):
        ask([server.status(400, message=SECRET)])

    assert SECRET not in caplog.text
    assert "What went wrong?" not in caplog.text


@pytest.fixture
def key(settings):
    settings.ANTHROPIC_API_KEY = "key-of-the-test"
    settings.COACH_MODEL = "some-model"
    settings.COACH_EFFORT = "low"
    return settings


def test_the_client_speaks_to_the_configured_model(key):
    with server.serving([server.text("Hello.")]) as model:
        key.ANTHROPIC_BASE_URL = model.url
        with llm.client(connections.from_environment()) as client:
            answer = llm.ask(
                client,
                {**REQUEST, **connections.from_environment().request()},
                watch=llm.Watch(1, time.monotonic() + 5),
            )

    assert answer.text == "Hello."
    assert model.requests[0]["model"] == "some-model"
    assert model.headers[0]["Authorization"] == "Bearer key-of-the-test"
    assert model.requests[0]["output_config"] == {"effort": "low"}
    assert not connections.from_environment().is_practice


def test_without_a_key_the_practice_model_answers_over_the_same_wire(settings):
    settings.ANTHROPIC_API_KEY = ""
    with llm.client(connections.from_environment()) as client:
        answer = llm.ask(
            client, {**REQUEST, **connections.from_environment().request()}, watch=llm.Watch(1, time.monotonic() + 5)
        )
        whole = client.messages.create(**REQUEST)

    assert connections.from_environment().is_practice
    assert answer.text.startswith("Practice model: ")
    assert answer.text == whole.content[0].text
    assert json.loads(whole.to_json())["usage"]["output_tokens"] > 0


def test_pages_do_not_load_the_sdk():
    """It takes more than half of a start, and a web process asks no model."""
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, config.asgi; print('anthropic' in sys.modules)"],
        capture_output=True,
        text=True,
    )

    assert (loaded.returncode, loaded.stdout) == (0, "False\n")
