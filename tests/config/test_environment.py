"""`.env.example` names what the settings read: no variable more, none less."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READ = re.compile(r"""\benv(?:\.\w+)?\(\s*["']([A-Z_]+)["']""")
NAMED = re.compile(r"^#?([A-Z_]+)=", re.MULTILINE)


def test_example_names_every_variable_that_is_read_and_no_other():
    read = set(READ.findall((ROOT / "config/settings.py").read_text()))
    named = set(NAMED.findall((ROOT / ".env.example").read_text()))

    assert "DATABASE_URL" in read
    assert named == read


def test_kept_keys_of_the_encryption_are_exchanged_as_those_of_the_environment(tmp_path):
    """`DATA_DIR/field_key` may hold several, newest first: the old one reads until everything is written anew."""
    (tmp_path / "field_key").write_text("new,old\n")

    told = subprocess.run(
        [sys.executable, "-c", "from config import settings; print(settings.FIELD_KEYS)"],
        cwd=ROOT,
        env={"DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout == "['new', 'old']\n"
