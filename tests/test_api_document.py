"""docs/api.md: its commands, run one after the other in a shell against a server, with its placeholders filled in."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connections

from agents.api_base.paging import MOST
from agents.models import ApiToken
from coaching.models import Note, Proposal
from coaching.models.notes import NOTE_LIMIT
from helpdesk import scales
from helpdesk.models import Conversation, Scale
from memories.models import Memory
from tests import factories
from tests.serving import serving

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "api.md"
TEXT = DOCUMENT.read_text()
# What a reader copies out of the answer before the placeholder.
COPIED = {
    "ASSISTANT_ID": lambda body: body["items"][0]["id"],
    "CONVERSATION": lambda body: body["id"],
    "CURSOR": lambda body: body["nextCursor"],
    "NOTE": lambda body: body["id"],
    "PROPOSAL": lambda body: body["id"],
    "SESSION": lambda body: body["id"],
}
REFUSED = '"text": "x"'  # in the command that shows a refusal

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.S)


def commands():
    """The lines of the shell blocks; a line goes on where a quote is still open."""
    waiting = ""
    for line in "".join(blocks("sh")).splitlines(keepends=True):
        waiting += line
        try:
            shlex.split(waiting, comments=True)
        except ValueError:
            continue
        yield waiting.strip()
        waiting = ""
    assert not waiting, f"a quote is never closed: {waiting}"


@pytest.fixture
def shell():
    """A function: command -> (status, body), run by sh with the names that the document exports."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    for n in range(12):
        factories.human(workspace, name=f"Person {n:02}")
    person = factories.human(workspace, name="Sarah O'Hara")
    assistant = factories.ai_agent(workspace, name="Refunds assistant")
    with serving() as (host, port):
        names = {
            "TOUCHLINE": f"http://{host}:{port}",
            "TOKEN": factories.token(owner, list(ApiToken.SCOPES)),
            "AGENT": person.name,
            "ASSISTANT": assistant.name,
        }

        def run(command, program=("/bin/sh", "-c")):
            return subprocess.run(
                [*program, command],
                env={"PATH": os.environ["PATH"], **names},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            ).stdout

        def asked(command):
            body, _, status = run(command.replace("curl ", "curl -sS -w '\\n%{http_code}' ", 1)).rpartition("\n")
            return int(status), json.loads(body)

        asked.names, asked.run = names, run
        yield asked
    connections.close_all()


def test_every_command_of_the_document_does_what_it_says(shell):
    answers = []
    for command in commands():
        placed = re.match(r"export (\w+)=", command)
        if placed is None:
            assert command.startswith("curl "), command
            answers.append((command, *shell(command)))
        elif placed[1] in COPIED:
            shell.names[placed[1]] = COPIED[placed[1]](answers[-1][2])
        else:
            assert placed[1] in shell.names, command

    assert len(answers) == 29
    wrong = [(command, status) for command, status, _ in answers if status >= 300 and REFUSED not in command]
    assert wrong == []
    refused = next(body for command, _, body in answers if REFUSED in command)
    assert refused["errors"].keys() == {"body", "text"}
    firsts = [body["items"][0]["id"] for command, _, body in answers if "/agents?limit" in command]
    assert len(set(firsts)) == 2
    assert Note.objects.filter(shared_with_agent=True).count() == 1
    assert Note.objects.filter(follow_up_at__isnull=False).count() == 1
    asked = next(body for command, _, body in answers if command.endswith('/coach/sessions/$SESSION"'))
    assert [message["text"] for message in asked["messages"]] == ["What went wrong?"]
    taken = next(body for command, _, body in answers if "/ratings" in command)
    assert (taken["accepted"], [row["index"] for row in taken["rejected"]]) == (1, [1])
    found = next(body for command, _, body in answers if "scoreAbove" in command)
    assert [row["externalId"] for row in found["items"]] == ["c-1002"]
    served = next(body for command, _, body in answers if "/memories/search" in command)
    proposal = Proposal.objects.get()
    assert [item["id"] for item in served["items"]] == [str(proposal.target_id)]
    assert proposal.status == Proposal.Status.APPROVED
    assert not Memory.objects.filter(pk=proposal.target_id).exists(), "taken back"


def test_program_that_reads_all_of_a_list_reads_all_of_it(shell):
    for n in range(3):
        body = {
            **{"source": "desk", "externalId": f"c-{n}", "agent": shell.names["ASSISTANT"]},
            "csat": {"value": 1, "scale": "stars5", "ratedAt": 1_750_000_000_000},
        }
        shell(
            "curl -X POST -H \"Authorization: Bearer $TOKEN\" -H 'Content-Type: application/json' "
            f"-d {shlex.quote(json.dumps(body))} $TOUCHLINE/api/v1/conversations"
        )
    [program] = blocks("python")
    in_pages = program.replace('"limit": 200', '"limit": 2')
    assert in_pages != program

    told = shell.run(in_pages, (sys.executable, "-c"))

    assert sorted(told.splitlines()) == [f"Refunds assistant desk c-{n} 0.0" for n in range(3)]
    assert Conversation.objects.count() == 3


def test_command_that_makes_the_token_makes_one():
    workspace = factories.workspace(slug="demo")
    owner = factories.owner(workspace, email="owner@demo.example")
    [line] = [line for line in TEXT.splitlines() if " create_token " in line]
    interpreter, script, *arguments = shlex.split(line)
    told = StringIO()

    call_command(*arguments, stdout=told)

    assert (interpreter, script) == (".venv/bin/python", "manage.py")
    token = ApiToken.objects.usable().get(hash=ApiToken.hashed(told.getvalue().splitlines()[-1]))
    assert (token.member_id, list(token.scopes)) == (owner.pk, list(ApiToken.SCOPES))


def test_document_names_the_scopes_scales_types_and_limits_of_the_product():
    assert re.findall(r"^\| `(read|write|approve|runtime)` \|", TEXT, re.M) == list(ApiToken.SCOPES)
    told = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|$", TEXT.partition("| Scale | Values |")[2], re.M))
    assert set(told) == set(Scale.values)
    for scale in (Scale.BINARY, Scale.FACES3):
        assert all(value in scales.WORDS[scale] for value in re.findall(r"`(\w+)`", told[scale]))
    assert set(re.findall(r"`(memory_entry_\w+|prompt_change|procedure_\w+)`", TEXT)) == set(Proposal.Type.values)
    assert f"`limit` is 1 to {MOST};" in TEXT
    assert f"up to {NOTE_LIMIT:,} characters" in TEXT
