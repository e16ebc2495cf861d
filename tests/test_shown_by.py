"""docs/tests.md names what is there."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = (ROOT / "docs" / "tests.md").read_text()


def test_named_tests_are_there():
    named = re.findall(r"`(tests/[\w/.]+)`", WRITTEN)

    assert len(named) > 90
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_named_targets_are_there():
    targets = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.M))

    named = set(re.findall(r"`make ([a-z-]+)", WRITTEN)) | set(re.findall(r"^make ([a-z-]+)", WRITTEN, re.M))
    assert {"test", "bench", "flag-eval"} <= named
    assert named <= targets


def test_every_promise_has_something_that_shows_it():
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", WRITTEN, re.M)

    promises = [row for row in rows if not row[1].startswith(("Shown by", "-"))]
    assert len(promises) > 50
    assert [row for row in promises if not re.search(r"`(tests/|make )|as many queries", row[1])] == []
