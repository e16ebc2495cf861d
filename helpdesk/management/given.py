"""What is given to a command as KEY=VALUE, secrets among it."""

import sys
from collections.abc import Collection
from pathlib import Path

from django.core.management.base import CommandError


def given(pairs, known: Collection[str] = ()) -> dict[str, str]:
    """{key: value} of KEY=VALUE; @FILE stands for what is in a file, - for the next line of standard input.

    `known` are the keys there are; without them any will do. Raises CommandError (2), which repeats nothing that may be a secret.
    """
    found: dict[str, str] = {}
    for pair in pairs:
        key, is_pair, value = pair.partition("=")
        if not is_pair or not key or (known and key not in known):
            # What was typed may be a secret whose key was forgotten: it is not repeated.
            keys = f" Keys are {', '.join(known)}." if known else ""
            raise CommandError(f"Values are given as KEY=VALUE.{keys}", returncode=2)
        if key in found:
            raise CommandError(f"{key} is given twice.", returncode=2)
        found[key] = _read(key, value)
    return found


def _read(key, value):
    if value == "-":
        value = sys.stdin.readline().strip()
        if not value:
            raise CommandError(f"There is no line for {key} on standard input.", returncode=2)
    elif value.startswith("@"):
        try:
            value = Path(value[1:]).read_text().strip()
        except (OSError, ValueError):
            raise CommandError(f"The file for {key} cannot be read.", returncode=2) from None
    return value
