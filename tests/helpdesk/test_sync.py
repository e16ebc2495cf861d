"""Reading a helpdesk's ratings, from the row that owes it."""

import pytest

from helpdesk.models import HelpdeskAgent, HelpdeskSync, Rating
from tests.desks.server import serving
from tests.desks.world import small_world
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected, read

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def desk():
    with serving(Zendesk(small_world())) as desk:
        yield desk


def test_first_reading_keeps_every_rating_and_nobody_s_agent(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=3650)

    sync = read(connection)

    assert (sync.next_try_at, sync.last_error, sync.n_pages, sync.n_read, sync.n_new) == (None, "", 3, 7, 7)
    assert Rating.objects.counting().count() == 7
    assert set(Rating.objects.values_list("agent", flat=True)) == {None}
    assert HelpdeskAgent.objects.filter(connection=connection).count() == 3


def test_reading_again_changes_nothing(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=3650)
    read(connection)
    HelpdeskSync.objects.filter(connection=connection, kind="recent").update(
        read_until=connection.created_at.replace(year=2020)
    )

    sync = read(connection, "recent")

    assert (sync.n_read, sync.n_new, Rating.objects.count()) == (7, 0, 7)
