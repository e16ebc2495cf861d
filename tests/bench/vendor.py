"""A helpdesk with many ratings, in a process of its own: `python -m tests.bench.vendor RATINGS AGENTS` says its port and answers.

Its pages are made before the first is asked for, so that what is measured is the reading and not the desk.
"""

import sys
from datetime import UTC, datetime, timedelta

from tests.desks.server import Answer
from tests.desks.world import World
from tests.desks.zendesk import Zendesk

PAGE = 100
DAYS = 170
PATH = "/api/v2/satisfaction_ratings"


class Prepared(Zendesk):
    """Answers a list of ratings with bytes that lie ready, and keeps no record of what it was asked."""

    def __init__(self, n_ratings: int, n_agents: int):
        super().__init__(World())
        self.pages = list(pages(n_ratings, n_agents))
        self.asked = Nothing()

    def answer(self, asked):
        if asked.path != PATH:
            return super().answer(asked)
        after = asked.query.get("page[after]")
        return Answer(body=self.pages[int(after) if after else 0])


class Nothing(list):
    def append(self, _):
        pass


def pages(n_ratings, n_agents):
    """One rating for each ticket, times rising; one in seven is bad."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(days=DAYS)
    step = timedelta(days=DAYS) / n_ratings
    for first in range(0, n_ratings, PAGE):
        rows = [rating(n, n * 7 % n_agents, start + n * step) for n in range(first, min(first + PAGE, n_ratings))]
        following = first // PAGE + 1
        more = first + PAGE < n_ratings
        yield {
            "satisfaction_ratings": rows,
            "meta": {"has_more": more, "after_cursor": str(following) if more else None},
            "links": {"next": None},
        }


def rating(number, agent, at):
    told = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "url": f"https://desk.zendesk.com{PATH}/{9_000_000 + number}.json",
        "id": 9_000_000 + number,
        "assignee_id": 100 + agent,
        "group_id": 5,
        "requester_id": 50_000 + number,
        "ticket_id": 1_000 + number,
        "score": "good" if number % 7 else "bad",
        "reason": "No reason provided",
        "comment": "",
        "created_at": told,
        "updated_at": told,
    }


if __name__ == "__main__":
    desk = Prepared(int(sys.argv[1]), int(sys.argv[2]))
    print(desk.server_address[1], flush=True)
    desk.serve_forever()
