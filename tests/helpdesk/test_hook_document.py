"""What docs/helpdesks.md shows of the signed hook, run as it stands there."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from django.conf import settings

from helpdesk.models import Rating, WebhookReceipt
from helpdesk.sync import receipts
from tests.helpdesk.hooked import SECRET, address, in_house
from tests.serving import serving

pytestmark = pytest.mark.django_db(transaction=True)

SECTION = (settings.BASE_DIR / "docs" / "helpdesks.md").read_text().split("\n## Any other desk: the signed hook\n")[1]
BLOCKS = dict(re.findall(r"```(\w+)\n(.*?)```", SECTION.split("\n## ")[0], flags=re.DOTALL))
COMMANDS = {"sh": ["sh", "-ec"], "python": [sys.executable, "-c"]}


@pytest.mark.parametrize("language", sorted(COMMANDS))
def test_lines_of_the_document_send_its_ratings(owner, tmp_path, language):
    if language == "sh" and not (shutil.which("curl") and shutil.which("openssl")):
        pytest.skip("curl or openssl is not installed")
    connection = in_house(owner)
    (tmp_path / "ratings.json").write_text(BLOCKS["json"])

    with serving() as (host, port):
        told = {"HOOK": f"http://{host}:{port}{address(connection)}", "SECRET": SECRET}
        said = subprocess.run(
            [*COMMANDS[language], BLOCKS[language]],
            cwd=tmp_path,
            env={**os.environ, **told},
            capture_output=True,
            text=True,
        )

    assert (said.returncode, said.stderr) == (0, "")
    assert json.loads(said.stdout) == {"received": 1, "rejected": []}
    assert WebhookReceipt.objects.get().event_id == "2026-03-02-0001"
    receipts.run(connection.pk)
    assert Rating.objects.get().score == 75
