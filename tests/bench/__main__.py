"""`make bench`: every benchmark, one after the other. Exits with 1 where one misses its limit."""

import sys

from tests.bench import startup

PARTS = [startup]

if __name__ == "__main__":
    missed = []
    for part in PARTS:
        print(f"\n{part.__name__.rpartition('.')[2]}: {part.__doc__.splitlines()[0]}", flush=True)
        if part.main():
            missed.append(part.__name__)
    sys.exit(f"missed: {', '.join(missed)}" if missed else 0)
