"""Settings › Workspace: the name, and the change of the clock from the question to the days summed anew."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents import work
from agents.models import Workspace
from helpdesk import actions, clocks
from helpdesk.actions import record_ratings
from helpdesk.models import RatingDay, TimeZoneChange
from helpdesk.rows import RatingRow
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/settings/workspace"
FRAGMENT = {"HX-Request-Type": "partial"}


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def rated_late(workspace):
    """A rating that is of 14 March in UTC, and of the 15th in Tokyo."""
    agent = factories.human(workspace)
    late = datetime(2026, 3, 14, 20, 0, tzinfo=UTC)
    row = RatingRow(
        source="desk", external_id="1", agent=agent.name, value="5", scale="stars5", score=10_000, rated_at=late
    )
    record_ratings(workspace, [row])
    return agent


def ask(owner, zone="Asia/Tokyo"):
    return clocks.ask(owner.workspace, by=owner, time_zone=zone)


# --- The name


def test_name_is_changed_as_a_version_with_its_author(client, owner, workspace):
    response = client.post(URL, {"name": "  Harbour   desk "}, follow=True)

    workspace.refresh_from_db()
    assert (workspace.name, workspace.version) == ("Harbour desk", 2)
    assert workspace.history.latest("history_date").history_user == owner.user
    assert "Saved." in response.content.decode()


def test_same_name_again_makes_no_version(client, workspace):
    response = client.post(URL, {"name": workspace.name}, follow=True)

    workspace.refresh_from_db()
    assert workspace.version == 1
    assert "Nothing was changed." in response.content.decode()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("", "A workspace has a name."),
        ("   ", "A workspace has a name."),
        ("x" * 201, "A name has at most 200 characters."),
        ("Har\x07bour", "A name has no control characters in it."),
    ],
)
def test_name_that_cannot_be_is_refused_beside_its_field(client, workspace, name, said):
    response = client.post(URL, {"name": name})

    assert response.status_code == 400
    assert f'id="id_name_error">{said}' in response.content.decode()
    assert Workspace.objects.get().name == workspace.name


def test_markup_in_a_name_stays_words(client):
    client.post(URL, {"name": "<script>alert(1)</script>"})

    html = client.get(URL).content.decode()
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>alert" not in html


def test_last_changes_say_what_who_and_no_more_than_five(client, owner):
    for number in range(7):
        client.post(URL, {"name": f"Desk {number}"})

    response = client.get(URL)

    assert [change.words for change in response.context["changes"]][:1] == ["Called “Desk 6”, before “Desk 5”"]
    assert len(response.context["changes"]) == 5
    assert "Earlier changes are in the back office." in response.content.decode()


# --- The clock


def test_time_zone_that_is_asked_for_is_owed_and_changes_nothing_yet(client, owner, workspace):
    response = client.post(URL, {"time_zone": "Asia/Tokyo"}, follow=True)

    owed = TimeZoneChange.objects.get()
    assert (owed.time_zone, owed.asked_by, owed.workspace) == ("Asia/Tokyo", owner, workspace)
    assert Workspace.objects.get().time_zone == "UTC"
    html = response.content.decode()
    assert 'data-state="waiting"' in html
    assert "hx-trigger" in html


def test_worker_sums_the_days_by_the_new_clock_and_says_who_asked(owner, workspace):
    agent = rated_late(workspace)

    done = clocks.run(ask(owner).pk)

    workspace.refresh_from_db()
    assert (workspace.time_zone, workspace.version, done.next_try_at) == ("Asia/Tokyo", 2, None)
    assert done.done_at is not None
    assert [str(day) for day in RatingDay.objects.filter(agent=agent).values_list("day", flat=True)] == ["2026-03-15"]
    assert workspace.history.latest("history_date").history_user == owner.user
    assert list(actions.check_days(workspace)) == []


def test_change_is_carried_out_once(owner, workspace):
    change = ask(owner)

    assert clocks.run(change.pk) is not None
    assert clocks.run(change.pk) is None
    workspace.refresh_from_db()
    assert workspace.version == 2


def test_one_change_at_a_time(client, owner):
    ask(owner)

    again = client.post(URL, {"time_zone": "Asia/Tokyo"})
    other = client.post(URL, {"time_zone": "Europe/Oslo"})

    assert (again.status_code, other.status_code) == (302, 409)
    assert "Wait until that is done, then choose again." in other.content.decode()
    assert TimeZoneChange.objects.count() == 1


def test_clock_that_is_lived_by_already_needs_no_work(client):
    response = client.post(URL, {"time_zone": "UTC"}, follow=True)

    assert TimeZoneChange.objects.count() == 0
    assert "Nothing was changed" in response.content.decode()


@pytest.mark.parametrize("typed", ["Mars/Olympus", "", "x" * 65, "../../etc/passwd", "Europe"])
def test_unknown_time_zone_is_refused_beside_its_field(client, typed):
    response = client.post(URL, {"time_zone": typed})

    assert response.status_code == 400
    assert 'id="id_time_zone_error"' in response.content.decode()
    assert TimeZoneChange.objects.count() == 0


@pytest.mark.parametrize(
    ("typed", "zone"), [("europe/berlin", "Europe/Berlin"), ("new york", "America/New_York"), (" Oslo ", "Europe/Oslo")]
)
def test_city_is_understood_however_it_is_typed(client, typed, zone):
    client.post(URL, {"time_zone": typed})

    assert TimeZoneChange.objects.get().time_zone == zone


def broken(owner, times):
    """A change that broke off so often, for its agent's zone cannot be read."""
    change = ask(owner)
    TimeZoneChange.objects.filter(pk=change.pk).update(time_zone="Nowhere/Known")
    for _ in range(times):
        TimeZoneChange.objects.filter(pk=change.pk).update(next_try_at=timezone.now())
        clocks.run(change.pk)
    change.refresh_from_db()
    return change


def test_failed_change_leaves_the_clock_says_why_and_can_be_tried_again(client, owner, workspace):
    change = broken(owner, 1)

    html = client.get(URL).content.decode()

    assert (change.next_try_at, change.done_at) == (None, None)
    assert "Nowhere/Known is not a time zone." in html
    assert 'data-state="failed"' in html
    TimeZoneChange.objects.update(time_zone="Asia/Tokyo")
    client.post(f"{URL}/clock/{change.pk}/try-again")
    assert clocks.run(change.pk).done_at is not None
    assert Workspace.objects.get().time_zone == "Asia/Tokyo"


def test_finished_change_is_not_tried_again(client, owner):
    change = clocks.run(ask(owner).pk)

    response = client.post(f"{URL}/clock/{change.pk}/try-again", follow=True)

    assert "This change did not fail." in response.content.decode()
    assert TimeZoneChange.objects.get().next_try_at is None


def test_lost_worker_is_given_up_after_three_tries(owner):
    change = ask(owner)
    TimeZoneChange.objects.update(attempts=clocks.ATTEMPTS)

    clocks.run(change.pk)

    change.refresh_from_db()
    assert (change.next_try_at, change.last_error) == (None, clocks.LOST)


@pytest.mark.parametrize(
    ("fields", "state", "said"),
    [
        ({"attempts": 0}, "waiting", "begins"),
        ({"attempts": 0, "asked_at": timedelta(minutes=-1)}, "waiting", "No worker has taken it yet"),
        ({"attempts": 1, "last_error": "OperationalError"}, "waiting", "is tried again by itself"),
        ({"attempts": 1, "claimed_until": timedelta(minutes=1)}, "at-work", "All days are being summed anew"),
    ],
)
def test_progress_is_told_while_a_change_is_owed(client, owner, fields, state, said):
    ask(owner)
    now = timezone.now()
    TimeZoneChange.objects.update(**{k: now + v if isinstance(v, timedelta) else v for k, v in fields.items()})

    html = client.get(f"{URL}/clock", headers=FRAGMENT).content.decode()

    assert f'data-state="{state}"' in html
    assert said in html
    assert "<html" not in html


def test_part_without_htmx_leads_to_the_page(client):
    assert client.get(f"{URL}/clock")["Location"] == f"{URL}#clock"


def test_page_asks_as_many_queries_for_many_changes_as_for_few(client, owner, workspace):
    def queries():
        with CaptureQueriesContext(connection) as captured:
            assert client.get(URL).status_code == 200
        return len(captured)

    client.post(URL, {"name": "Once"})
    few = queries()
    for number in range(20):
        client.post(URL, {"name": f"Desk {number}"})

    assert queries() == few


def test_lease_that_is_lost_stores_nothing(owner, workspace, monkeypatch):
    change = ask(owner)
    settle = work.settle

    def taken_over(row, **values):
        TimeZoneChange.objects.update(claim=None)
        settle(row, **values)

    monkeypatch.setattr(work, "settle", taken_over)

    clocks.run(change.pk)

    workspace.refresh_from_db()
    assert (workspace.time_zone, workspace.version) == ("UTC", 1)
