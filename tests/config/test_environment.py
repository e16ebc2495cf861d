"""`.env.example` names what the settings read: no variable more, none less."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
READ = re.compile(r"""\benv(?:\.\w+)?\(\s*["']([A-Z_]+)["']""")
NAMED = re.compile(r"^#?([A-Z_]+)=", re.MULTILINE)


def test_example_names_every_variable_that_is_read_and_no_other():
    read = set(READ.findall((ROOT / "config/settings.py").read_text()))
    named = set(NAMED.findall((ROOT / ".env.example").read_text()))

    assert "DATABASE_URL" in read
    assert named == read
