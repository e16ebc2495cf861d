"""`make bench`: every benchmark, one after the other. Exits with 1 where one misses its limit."""

import os
import sys

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from tests.bench import (  # noqa: E402 (models can be imported only now)
    backfill,
    conversation,
    decisions,
    drawer,
    exchange,
    hooks,
    imports,
    knowledge,
    late,
    queue,
    slack,
    startup,
    streams,
    sweep,
    team,
    tokens,
)

PARTS = {
    part.__name__.rpartition(".")[2]: part
    for part in (
        startup,
        imports,
        backfill,
        exchange,
        sweep,
        late,
        team,
        drawer,
        knowledge,
        conversation,
        queue,
        streams,
        tokens,
        decisions,
        hooks,
        slack,
    )
}


def main(*names):
    """Run the named parts, or all. Returns the names of those that missed a limit."""
    missed = []
    for name in names or PARTS:
        print(f"\n{name}: {PARTS[name].__doc__.splitlines()[0]}", flush=True)
        if PARTS[name].main():
            missed.append(name)
    return missed


if __name__ == "__main__":
    if missed := main(*sys.argv[1:]):
        sys.exit(f"missed: {', '.join(missed)}")
