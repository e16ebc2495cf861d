"""Who is who in the tests: two workspaces, and one person of every kind."""

import pytest
from django.db import connection

from agents.models import Member
from tests import factories


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """Servers of the tests keep connections in their threads; PostgreSQL drops no database that somebody is connected to."""
    yield
    if connection.vendor == "postgresql":
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """The real hash is slow by design; no test is about that."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def quick_clients(settings):
    """Every test client makes its own middleware, and reading all static files for each takes longer than most tests."""
    settings.WHITENOISE_AUTOREFRESH = True


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
