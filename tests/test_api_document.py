"""docs/api.md: its commands, run line by line in a shell against a server, with its placeholders filled in."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.db import connections

from agents.api_base.paging import MOST
from agents.models import ApiToken
from coaching.models import Note
from coaching.models.notes import NOTE_LIMIT
from tests import factories
from tests.serving import serving

DOCUMENT = Path(__file__).resolve().parents[1] / "docs" / "api.md"
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(), re.S) for line in block.splitlines()]
REFUSED = '-d \'{"agent": "\'"$AGENT"\'", "text"'  # the one that shows a refusal

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed"),
]


@pytest.fixture
def shell():
    """A function: command -> (status, body), run by sh with the names that the document exports."""
    workspace = factories.workspace()
    owner = factories.owner(workspace)
    for n in range(12):
        factories.human(workspace, name=f"Person {n:02}")
    person = factories.human(workspace, name="Sarah O'Hara")
    with serving() as (host, port):
        names = {"TOUCHLINE": f"http://{host}:{port}", "TOKEN": factories.token(owner), "AGENT": person.name}

        def run(command):
            asked = command.replace("curl ", "curl -sS -w '\\n%{http_code}' ", 1)
            told = subprocess.run(
                ["/bin/sh", "-c", asked],
                env={"PATH": os.environ["PATH"], **names},
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            body, _, status = told.stdout.rpartition("\n")
            return int(status), json.loads(body)

        run.names = names
        yield run
    connections.close_all()


def test_every_command_of_the_document_does_what_it_says(shell):
    answers = []
    for command in COMMANDS:
        if command.startswith("export "):
            continue
        status, body = shell(command)
        answers.append((command, status, body))
        if "/coaching/notes" in command and status == 201:
            shell.names["NOTE"] = body["id"]
        if "/agents?" in command:
            shell.names["CURSOR"] = body["nextCursor"]

    assert len(answers) == 11
    wrong = [(command, status) for command, status, _ in answers if status >= 300 and REFUSED not in command]
    assert wrong == []
    refused = next(body for command, _, body in answers if REFUSED in command)
    assert refused["errors"].keys() == {"body", "text"}
    firsts = [body["items"][0]["id"] for command, _, body in answers if "/agents?" in command]
    assert len(set(firsts)) == 2
    assert Note.objects.filter(shared_with_agent=True).count() == 1
    assert Note.objects.filter(follow_up_at__isnull=False).count() == 1


def test_document_names_the_scopes_and_limits_of_the_product():
    text = DOCUMENT.read_text()

    assert re.findall(r"^\| `(\w+)` \|", text, re.M) == list(ApiToken.SCOPES)
    assert f"`limit` is 1 to {MOST};" in text
    assert f"up to {NOTE_LIMIT:,} characters" in text
