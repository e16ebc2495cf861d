"""Who is who in the tests: two workspaces, and one person of every kind."""

import gc

import pytest
from django.db import connection, transaction
from django.test import TransactionTestCase, override_settings

from agents.models import Member
from tests import factories, shares

WRITTEN_BY_MIGRATE = {"django_content_type", "auth_permission"}


def pytest_addoption(parser):
    parser.addoption(
        "--share", choices=shares.OF, help="the part of the tests that .ci/run has asked there (tests/shares.py)"
    )


def pytest_collection_modifyitems(config, items):
    config.stash[shares.COLLECTED] = [*items]
    share = config.getoption("--share")
    if share is not None:
        left_out = [item for item in items if not shares.is_asked(item, share)]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if shares.is_asked(item, share)]


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """On PostgreSQL a commit waits for no disk: what a power cut would leave is of no interest here.

    Servers of the tests keep connections in their threads, and PostgreSQL drops no database that somebody is connected to.
    """
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                f"ALTER DATABASE {connection.ops.quote_name(cursor.connection.info.dbname)} SET synchronous_commit = off"
            )
            cursor.execute("SET synchronous_commit = off")
    yield
    if connection.vendor == "postgresql":
        connection.close()
        connection.close_pool()  # some of what waits in it was ended by a test
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(scope="session", autouse=True)
def quick_settings():
    """What is slow by design and what no test is about.

    The real hash of passwords; and every test client makes its own middleware, and reading all static files for each takes
    longer than most tests. And where the product says it is, whatever this machine's environment says.
    """
    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    where = "http://127.0.0.1:8000"
    with override_settings(PASSWORD_HASHERS=hashers, WHITENOISE_AUTOREFRESH=True, PUBLIC_URL=where):
        yield


def pytest_collection_finish():
    """What was loaded up to here stays to the end: looking through it for garbage again and again takes a sixth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def quick_emptying():
    """After a test that commits: Django's own way truncates every table and has migrate's triggers made anew, which takes
    longer than most such tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", delete_every_row)
        yield


def delete_every_row(test):
    """Empty the tables that hold anything, but for what migrate itself writes; whoever still writes is waited for."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [connection.ops.quote_name(name) for name in names if name not in WRITTEN_BY_MIGRATE]
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # Planning to ask a hundred tables whether they hold anything takes longer than emptying them.
            emptied = "; ".join(f"DELETE FROM {table}" for table in tables)
            cursor.execute(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE; {emptied}")
            return
        cursor.execute(" UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM {table})" for table in tables))
        for (table,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="module")
def lasting(request, django_db_setup, django_db_blocker):
    """A function: what makes a world -> that world, which lasts for all tests of a module.

    It is made in a transaction around those of the tests, each of which takes back what it did itself. A fixture that hands the
    world to a test hands out a copy, so that nothing set on an object outlives the test either.
    """
    module = [item for item in request.session.items if item.path == request.path]
    assert not any(commits(item) for item in module), "what is committed cannot be taken back"
    with django_db_blocker.unblock():
        around = transaction.atomic()
        around._from_testcase = True  # as those of the tests: a durable block may begin in it
        around.__enter__()

    def make(build):
        with django_db_blocker.unblock():
            return build()

    yield make
    with django_db_blocker.unblock():
        transaction.set_rollback(True)
        around.__exit__(None, None, None)


def commits(item):
    """Whether a test asks for a database without a transaction around it."""
    marker = item.get_closest_marker("django_db")
    return "transactional_db" in item.fixturenames or bool(marker and marker.kwargs.get("transaction"))


@pytest.fixture
def workspace(db):
    return factories.workspace()


@pytest.fixture
def owner(workspace):
    return factories.owner(workspace)


@pytest.fixture
def admin(workspace):
    return factories.member(workspace, Member.Role.ADMIN)


@pytest.fixture
def linked_member(workspace):
    """A member with an agent row of their own."""
    return factories.member(workspace, agent=factories.human(workspace))


@pytest.fixture
def unlinked_member(workspace):
    return factories.member(workspace)


@pytest.fixture
def stranger(db):
    """The owner of another workspace."""
    return factories.owner(factories.workspace())


@pytest.fixture
def agent(workspace):
    """An AI agent with a coach."""
    return factories.ai_agent(workspace)
