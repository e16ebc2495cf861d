"""`verify_log`: what it says of a whole log and of one that was tampered with."""

import io

import pytest
from django.core.management import CommandError, call_command

from tests import factories, tampering

pytestmark = pytest.mark.django_db


def verified(*arguments):
    out = io.StringIO()
    call_command("verify_log", *arguments, stdout=out)
    return out.getvalue()


def test_whole_log_is_unbroken(workspace, owner, agent):
    factories.memory(agent, owner)

    assert verified() == f"{workspace.slug}: 1 entries, unbroken.\n"


def test_tampered_log_names_the_entry_and_exits_with_1(workspace, owner, agent, capsys):
    factories.memory(agent, owner)
    tampering.edit(workspace.decisions.get(), "by_name", "Somebody else")

    with pytest.raises(SystemExit) as ended:
        call_command("verify_log")

    assert ended.value.code == 1
    assert capsys.readouterr().out == f"{workspace.slug}: Entry 1 was changed after it was written.\n"


def test_unknown_workspace_is_told(db):
    with pytest.raises(CommandError, match="There is no workspace nowhere"):
        verified("--workspace", "nowhere")
