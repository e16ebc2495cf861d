"""What `.ci/run` has asked where: with the embedded defaults, on PostgreSQL and Redis, or on both.

`make test` and `make test-services` ask everything. Together the shares leave out nothing either; tests/test_shares.py looks.
"""

from inspect import signature
from pathlib import Path

import pytest

COLLECTED = pytest.StashKey[list[pytest.Item]]()  # in pytest's config: what there is before a share is chosen
OF = ("embedded", "services")
TESTS = Path(__file__).parent
# How pages look and what can be reached on them by keyboard: the rows behind them are read on both by what asks every page as
# everybody (test_page_guard.py). Shared out so that both take about as long. A file that stands in neither is asked on both:
# the walks through the product with a real worker, and talks as they stream.
LOOKS = {
    "embedded": {
        "api_docs", "check_memories", "drawer", "flag", "flag_policy", "helpdesks", "hostile_words", "import", "knowledge",
        "slack", "team",
    },
    "services": {
        "admin", "model", "my_coaching", "people", "proposal", "queue", "settings", "todo", "transcript",
    },
}  # fmt: skip
# What everybody is told on every address, searched for words of others, and the API held against its own description: they ask
# all that test_page_guard.py and test_api_guard.py ask on both, and look at other things in the answers.
TOLD = {"test_leaks.py", "test_api_leaks.py", "test_schema.py", "pages/test_hostile_words.py"}


def is_asked(item, share) -> bool:
    """Whether a collected test belongs to a share."""
    file = item.path.relative_to(TESTS)
    if file.parts[0] == "browser":
        elsewhere = set().union(*(names for other, names in LOOKS.items() if other != share))
        return file.stem.removeprefix("test_") not in elsewhere
    if share == "embedded":
        return str(file) not in TOLD
    return asks_a_service(item)


def asks_a_service(item) -> bool:
    """Whether a test may ask the database, which pytest-django refuses to all others, or says that it asks the queue.

    What asks neither proves the same on any of them. One that chooses its fixtures while it runs may choose the database.
    Children get at either by the fixtures' means only (tests/processes.py); those of tests/config run on a data directory of
    their own in any case.
    """
    by_fixture = {"db", "transactional_db"} & {*item.fixturenames} or "request" in signature(item.function).parameters
    return bool(by_fixture) or any(item.get_closest_marker(name) for name in ("django_db", "queue", "services"))
