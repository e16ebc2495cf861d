"""A Zendesk of many conversations that were rated just now, in a process of its own, for tests/bench/hooks.py.

    python -m tests.bench.hook_desk COUNT

Prints its port, and when its standard input ends how often it was asked.
"""

import sys
from datetime import UTC, datetime, timedelta

from tests.desks.server import serving
from tests.desks.world import World, small_world, talk
from tests.desks.zendesk import Zendesk


class Many(World):
    """Its rated conversations are put in order once."""

    def answered(self):
        if not hasattr(self, "in_order"):
            self.in_order = super().answered()
        return self.in_order


def talks(count: int, now: datetime) -> list:
    """`count` conversations of three people, rated within the minute before `now`."""
    people = [person.id for person in small_world(0).people]
    first = now.replace(microsecond=0) - timedelta(seconds=60)
    return [
        talk(n, person=people[n % 3], happy=float(n % 2), at=first + timedelta(seconds=n * 60 // count))
        for n in range(count)
    ]


def main(count: int) -> None:
    world = Many(small_world(0).people)
    world.add(*talks(count, datetime.now(UTC)))
    desk = Zendesk(world)
    desk.page_size = 100
    with serving(desk):
        print(desk.server_address[1], flush=True)
        sys.stdin.read()
        print(len(desk.asked))


if __name__ == "__main__":
    main(int(sys.argv[1]))
