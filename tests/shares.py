"""What `.ci/run` has asked where: with the embedded defaults, on PostgreSQL and Redis, or on both.

`make test` and `make test-services` ask everything. Together the shares leave out nothing either; tests/test_shares.py looks.
"""

from inspect import signature
from pathlib import Path

import pytest

COLLECTED = pytest.StashKey[list[pytest.Item]]()  # in pytest's config: what there is before a share is chosen
OF = ("embedded", "services")
TESTS = Path(__file__).parent
# What asks the database no more than everything else does: how pages look, what they say and what can be done on them by
# keyboard; words and blocks that are made of what is stored; what a model says and makes of it; what is computed of ratings. The
# rows behind all that are asked for on both by the guards of pages and of the API, and of the actions, which are asked on both
# themselves. Shared out so that both take about as long. A file that stands in neither is asked on both.
EITHER = {
    "embedded": {
        ".": {"query_guard"},
        "admin": {"doors", "owed_work", "rows"},
        "agents": {"api_ground"},
        "browser": {
            "api_docs", "check_memories", "drawer", "every_page", "first_hour", "flag", "helpdesks", "hostile_words", "import",
            "knowledge", "slack", "team",
        },
        "coaching": {
            "agendas", "backtests", "calendar", "demo_loading", "effects", "followups", "practice", "real_transcripts",
            "recordings", "trust",
        },
        "coaching/slack": {"blocks", "drawing"},
        "pages": {
            "account", "agent", "check_memories", "drawer", "imports", "model", "my_coaching", "queue", "settings_deep_links",
            "settings_helpdesks", "settings_workspace", "since_note",
        },
    },
    "services": {
        "admin": {"buttons", "people", "scope", "secrets"},
        "browser": {
            "admin", "flag_policy", "loop", "model", "my_coaching", "people", "proposal", "queue", "settings", "todo",
            "transcript",
        },
        "coaching": {"backtest_flags", "demo", "manners", "model_tests", "sets", "tool_guard", "weather"},
        "coaching/slack": {"hooks", "plain", "socket"},
        "helpdesk": {"weather"},
        "pages": {
            "agenda", "configurations", "conversation", "decisions", "errors", "fetched_transcript", "flag", "flag_policy",
            "invitations", "members", "proposals", "settings_retention", "settings_tokens", "slack_settings", "switch", "team",
            "todo", "transcript",
        },
    },
}  # fmt: skip
# What everybody is told on every address, searched for words of others, and the API held against its own description: they ask
# all that test_page_guard.py and test_api_guard.py ask on both, and look at other things in the answers.
TOLD = {"test_leaks.py", "test_api_leaks.py", "test_schema.py", "pages/test_hostile_words.py"}


def files_of(share) -> set[str]:
    """The files that are asked in this share alone, from the folder of the tests."""
    return {str(Path(folder, f"test_{name}.py")) for folder, names in EITHER[share].items() for name in names}


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
