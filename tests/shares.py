"""What `.ci/run` has asked where: with the embedded defaults, on PostgreSQL and Redis, or on both.

`make test` and `make test-services` ask everything. Together the shares leave out nothing either; tests/test_shares.py looks.
"""

from inspect import signature
from pathlib import Path

import pytest

COLLECTED = pytest.StashKey[list[pytest.Item]]()  # in pytest's config: what there is before a share is chosen
OF = ("embedded", "services")
TESTS = Path(__file__).parent
# How pages look, what they say and what can be done on them by keyboard. The rows behind them are read on both, by what asks
# every page as everybody and counts its queries (test_page_guard.py, test_query_guard.py), and what their forms do is asked on
# both of the actions behind them. Shared out so that both take about as long. A file that stands in neither is asked on both:
# walks through the product with a real worker, talks as they stream, pages that search, and whose rows staff see.
LOOKS = {
    "embedded": {
        "admin": {"doors", "owed_work", "rows"},
        "browser": {
            "api_docs", "check_memories", "drawer", "every_page", "flag", "helpdesks", "hostile_words", "import", "knowledge",
            "slack", "team",
        },
        "pages": {
            "account", "agent", "check_memories", "drawer", "imports", "model", "my_coaching", "settings_deep_links",
            "settings_helpdesks", "settings_workspace", "since_note",
        },
    },
    "services": {
        "admin": {"buttons", "people", "secrets"},
        "browser": {
            "admin", "flag_policy", "model", "my_coaching", "people", "proposal", "queue", "settings", "todo", "transcript",
        },
        "pages": {
            "agenda", "configurations", "conversation", "decisions", "errors", "fetched_transcript", "flag", "flag_policy",
            "invitations", "members", "proposals", "settings_retention", "settings_tokens", "slack_settings", "switch", "todo",
            "transcript",
        },
    },
}  # fmt: skip
# What everybody is told on every address, searched for words of others, and the API held against its own description: they ask
# all that test_page_guard.py and test_api_guard.py ask on both, and look at other things in the answers.
TOLD = {"test_leaks.py", "test_api_leaks.py", "test_schema.py", "pages/test_hostile_words.py"}


def files_of(share) -> set[str]:
    """The files that are asked in this share alone, from the folder of the tests."""
    return {f"{folder}/test_{name}.py" for folder, names in LOOKS[share].items() for name in names}


def is_asked(item, share) -> bool:
    """Whether a collected test belongs to a share."""
    file = str(item.path.relative_to(TESTS))
    for one in OF:
        if file in files_of(one):
            return one == share
    if share == "embedded":
        return file not in TOLD
    return file.startswith("browser/") or asks_a_service(item)


def asks_a_service(item) -> bool:
    """Whether a test may ask the database, which pytest-django refuses to all others, or says that it asks the queue.

    What asks neither proves the same on any of them. One that chooses its fixtures while it runs may choose the database.
    Children get at either by the fixtures' means only (tests/processes.py); those of tests/config run on a data directory of
    their own in any case.
    """
    by_fixture = {"db", "transactional_db"} & {*item.fixturenames} or "request" in signature(item.function).parameters
    return bool(by_fixture) or any(item.get_closest_marker(name) for name in ("django_db", "queue", "services"))
