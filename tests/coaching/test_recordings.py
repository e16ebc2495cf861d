"""Exchanges with a model: recorded without anybody's words, and played again, ours and samples of the wire from elsewhere."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.conf import settings as configured
from django.core.management import CommandError, call_command

from coaching import llm
from coaching.actions import connections, sessions
from coaching.coach import loop
from coaching.model_errors import REFUSED
from coaching.models import Proposal
from helpdesk.masking import personal_data_in
from tests import factories
from tests import model_server as server
from tests.coaching import talks

pytestmark = pytest.mark.django_db

RECORDINGS = sorted((Path(__file__).parent.parent / "recordings").glob("*.json"))
SAMPLES = configured.BASE_DIR.parent / "shared/data/connector-payloads/anthropic"
WIRE = sorted([*SAMPLES.glob("*.json"), *SAMPLES.glob("*.sse.txt")])


NOT_DONE = {
    "exchange-01.json": loop.OUT_OF_ROUNDS,  # ends with a call of a tool: played again and again
    "exchange-08.json": loop.OUT_OF_ROUNDS,
    "exchange-09.json": REFUSED[400],
    "incomplete_partial_json_response.sse.txt": loop.AFTER["max_tokens"],
    "refusal_response.sse.txt": loop.AFTER["refusal"],
    "tool_use_response.sse.txt": loop.OUT_OF_ROUNDS,
}


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch):
    monkeypatch.setattr(llm, "RETRY_SECONDS", 0.01)


@pytest.fixture
def replayed(agent, owner, settings):
    """Asks a question while the exchanges are played; the turn as it ended."""

    def ask(exchanges):
        session = sessions.start(agent, by=owner, conversation=talks.conversation(agent))
        with server.serving(server.replay(exchanges)) as model:
            settings.ANTHROPIC_API_KEY, settings.ANTHROPIC_BASE_URL = "key", model.url
            return talks.ask(session, "What went wrong?")

    return ask


@pytest.mark.parametrize("file", RECORDINGS, ids=lambda file: file.stem)
def test_recording_ends_again_as_it_ended(file, replayed):
    recorded = json.loads(file.read_text())

    answered = replayed(recorded["exchanges"])

    assert (answered.turn.state, answered.turn.error) == (recorded["state"], recorded["error"])
    assert answered.turn.attempts == 1


def exchanges_of(sample):
    if sample.suffix == ".json":
        return json.loads(sample.read_text())
    return [{"status": 200, "response_body": sample.read_text()}]


@pytest.mark.skipif(not WIRE, reason="the samples of the wire are not beside this checkout")
@pytest.mark.parametrize("sample", WIRE, ids=lambda sample: sample.name)
def test_sample_of_the_wire_ends_in_a_known_state(sample, replayed, caplog):
    answered = replayed(exchanges_of(sample))

    assert answered.turn.error == NOT_DONE.get(sample.name, "")
    assert answered.turn.state == ("failed" if answered.turn.error else "done")
    assert (answered.turn.last_error, answered.turn.attempts) == ("", 1)
    assert "was interrupted" not in caplog.text


WORDS = "Hildegard of 12 Mill Lane, h.mueller@mail.example, card 4111 1111 1111 1111"
SECRETS = ("Hildegard", "Mill", "mueller", "4111", "sk-secret", "grandmother", "Ignatius")


@pytest.fixture
def world(workspace, owner, settings):
    """A workspace whose every text holds words that must not get out."""
    agent = factories.ai_agent(workspace, name="Ignatius")
    about = talks.conversation(agent, [("customer", f"I am {WORDS}."), ("agent", "Noted, grandmother.")])
    factories.memory(agent, by=owner, summary=f"{WORDS} is a customer.", text=WORDS)
    settings.ANTHROPIC_API_KEY = "sk-secret"
    return workspace, agent, about


def record(world, tmp_path, settings, plays):
    workspace, agent, about = world
    said = StringIO()
    with server.serving(plays) as model:
        settings.ANTHROPIC_BASE_URL = model.url
        call_command(
            "record_exchange", f"Is {WORDS} a grandmother?", workspace=workspace.slug, agent=agent.name,
            conversation=str(about.pk), out=tmp_path / "made", stdout=said,
        )  # fmt: skip
    [file] = (tmp_path / "made").iterdir()
    assert str(file) in said.getvalue()
    return file.read_text(), model


MEMORY = {
    "summary": f"{WORDS} is a grandmother.",
    "text": WORDS,
    "rationale": WORDS,
    "evidence": [{"turn": 0, "quote": WORDS}],
    "Hildegard": 1,
}
ASKS = json.dumps(MEMORY)
PROPOSES = server.stream(
    server.start(), server.text_block(f"Let me see {WORDS}"),
    server.tool_block("propose_memory_entry_create", ASKS[:40], ASKS[40:90], ASKS[90:], index=1),
    server.tool_block("read_conversation", "{}", index=2, call="toolu_2"),
    server.tool_block("Hildegard", "{}", index=3, call="toolu_3"),
    server.stop("tool_use"),
)  # fmt: skip
BREAKS = server.cut(server.start(), server.tool_block("propose_memory_entry_create", ASKS[:50], index=0))


@pytest.mark.parametrize(
    "plays",
    [
        [server.status(529, "overloaded_error", WORDS), PROPOSES, server.text(f"{WORDS} ", "is a grandmother.")],
        [PROPOSES, BREAKS],
        [server.status(400, "invalid_request_error", WORDS)],
        [server.stream(f"<html>{WORDS}\n\ndata: {WORDS}\n\nevent: {WORDS}\n\n".encode())],
    ],
    ids=["whole", "cut", "refused", "nonsense"],
)
def test_recording_holds_nobodys_words(plays, world, tmp_path, settings):
    text, model = record(world, tmp_path, settings, plays)

    for secret in SECRETS:
        assert secret.casefold() not in text.casefold()
    assert personal_data_in(text) == []
    assert any("Hildegard" in json.dumps(request) for request in model.requests)
    assert len(json.loads(text)["exchanges"]) == len(model.requests)


def test_recording_keeps_shape_names_ids_and_counts(world, tmp_path, settings):
    text, model = record(world, tmp_path, settings, [PROPOSES, server.text("No.", cache_read_input_tokens=7)])
    first, second = json.loads(text)["exchanges"]

    assert [each["name"] for each in first["request_body"]["tools"]] == [
        tool["name"] for tool in model.requests[0]["tools"]
    ]
    used = [block for block in second["request_body"]["messages"][1]["content"] if block["type"] == "tool_use"]
    results = [block for block in second["request_body"]["messages"][2]["content"] if block["type"] == "tool_result"]
    assert [block["tool_use_id"] for block in results] == [block["id"] for block in used]
    assert [block["name"] for block in used] == ["propose_memory_entry_create", "read_conversation", "xxxxxxxxx"]
    turns_read = json.loads(results[1]["content"])["turns"]
    assert [turn["turn"] for turn in turns_read] == [0, 1]
    assert len(turns_read[0]["text"]) == len(f"I am {WORDS}.")
    events = [json.loads(line[6:]) for line in first["response_body"].splitlines() if line.startswith("data: ")]
    pieces = [
        event["delta"]["partial_json"] for event in events if event.get("delta", {}).get("type") == "input_json_delta"
    ]
    assert list(json.loads("".join(pieces[:3]))["evidence"][0]) == ["turn", "quote"]
    assert len(pieces[0]) == 40
    assert '"stop_reason": "tool_use"' in first["response_body"]
    assert '"cache_read_input_tokens": 7' in second["response_body"]
    assert set(first["headers"]) <= {"content-type", "retry-after"}


def test_recording_of_a_broken_connection_says_so_and_breaks_again(world, tmp_path, settings, replayed):
    text, _ = record(world, tmp_path, settings, [PROPOSES, BREAKS])
    told = json.loads(text)

    assert [each["cut"] for each in told["exchanges"]] == [False, True]
    assert told["state"] == "failed"
    assert replayed(told["exchanges"]).turn.error == told["error"]


def test_practice_model_is_recorded_too(world, tmp_path, settings):
    settings.ANTHROPIC_API_KEY = ""
    assert connections.from_environment().is_practice
    workspace, agent, about = world

    call_command(
        "record_exchange", "Add a memory that mills close at noon.", workspace=workspace.slug, agent=agent.name,
        conversation=str(about.pk), out=tmp_path, stdout=StringIO(),
    )  # fmt: skip

    [file] = tmp_path.iterdir()
    assert json.loads(file.read_text())["model"] == "practice"
    assert Proposal.objects.count() == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"agent": "Nobody"}, "Agent matching query does not exist"),
        ({"conversation": "nonsense"}, "not a valid UUID"),
        ({"workspace": "nowhere"}, "nowhere"),
    ],
)
def test_recording_names_what_is_not_there(wrong, words, world, tmp_path):
    workspace, agent, _ = world
    given = {"workspace": workspace.slug, "agent": agent.name, "out": tmp_path} | wrong

    with pytest.raises(CommandError, match=words):
        call_command("record_exchange", "What went wrong?", **given)
    assert list(tmp_path.iterdir()) == []
