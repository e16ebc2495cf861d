"""manage.py sync: helpdesks read in the foreground."""

import io
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents import work
from helpdesk import actions
from helpdesk.actions import connections, mapping
from helpdesk.management.commands import sync as command
from helpdesk.models import HelpdeskAgent, HelpdeskSync, Rating, RatingDay, WebhookReceipt
from helpdesk.sync import ratings
from tests import factories
from tests.desks import server
from tests.desks.server import Weather, serving
from tests.desks.world import small_world, talk
from tests.desks.zendesk import Zendesk
from tests.helpdesk.connected import connected

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """The pauses are what they are; nobody has to sit through them here."""
    monkeypatch.setattr(command, "FIRST_PAUSE", 0.01)


@pytest.fixture
def desk():
    with serving(Zendesk(small_world())) as desk:
        yield desk


def sync(*args):
    """(exit code, output, errors)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("sync", *args, stdout=out, stderr=err)
        return 0, out.getvalue(), err.getvalue()
    except CommandError as error:
        return error.returncode, out.getvalue(), f"{err.getvalue()}{error}"
    except SystemExit as ended:
        return ended.code, out.getvalue(), err.getvalue()


def is_second_page(asked):
    return asked.query.get("page[after]") == "3"


def test_it_reads_the_first_time_then_what_is_new_with_two_days_of_overlap_and_credits(desk, owner, settings):
    ana = factories.human(owner.workspace, external_ids={"zendesk": "11"})
    connection = connected(desk, owner, settings, backfill_days=3650)

    assert sync() == (
        0,
        "Zendesk (zendesk): 7 ratings read, 7 of them of new conversations.\n"
        "2 of those who answer there stand for nobody here yet.\n",
        "",
    )
    assert RatingDay.objects.get(agent=ana).n == 3
    first = HelpdeskSync.objects.get(connection=connection, kind="recent")
    assert not HelpdeskSync.objects.owed().exclude(kind="reconcile").exists()
    now = timezone.now().replace(microsecond=0)
    desk.world.add(talk(60, at=now - timedelta(hours=47)), talk(61, at=now - timedelta(hours=49)))
    assert sync(str(connection.pk))[0] == 0
    assert sync("zendesk")[0] == 0
    second = HelpdeskSync.objects.get(pk=first.pk)
    assert second.since <= first.until - timedelta(hours=48) + timedelta(minutes=5)
    assert Rating.objects.count() == 8
    assert list(actions.check_days(owner.workspace)) == []


def test_it_takes_over_from_a_worker_and_goes_on_where_it_was(desk, owner, settings, monkeypatch):
    connection = connected(desk, owner, settings, backfill_days=3650)
    backfill = HelpdeskSync.objects.get(connection=connection, kind="backfill")
    with monkeypatch.context() as patch:
        patch.setattr(ratings, "SLICE", timedelta(0))
        ratings.run(backfill.pk)
    worker = work.claim(HelpdeskSync.objects.all(), backfill.pk)

    code, out, _ = sync("zendesk")

    assert code == 0
    assert "7 ratings read, 7 of them" in out
    assert [asked.query.get("page[after]") for asked in desk.asked].count("3") == 1
    with pytest.raises(work.LeaseLost):
        work.settle(worker)


def test_it_waits_where_it_is_asked_to_and_retries_what_passes(desk, owner, settings):
    desk.weather += [
        Weather(server.status(429, retry_after="3"), when=is_second_page),
        Weather(server.status(500), times=4, when=is_second_page),
    ]
    connected(desk, owner, settings, backfill_days=3650)

    code, _, err = sync()

    assert code == 0
    assert "asks to be called less often. Waiting 3 s." in err
    assert Rating.objects.count() == 7


def test_what_does_not_pass_fails_in_words_and_the_others_are_read(desk, owner, settings):
    desk.weather.append(Weather(server.web_page, times=10**6, when=is_second_page))
    connected(desk, owner, settings, backfill_days=3650)
    other = factories.owner(factories.workspace())
    with serving(Zendesk(small_world(2))) as works:
        connected(works, other, settings, backfill_days=3650)
        code, out, err = sync()

    assert code == 1
    assert err == "Zendesk (zendesk): Zendesk answered with a web page instead of data. Is the address right?\n"
    assert "2 ratings read" in out
    assert Rating.objects.filter(workspace=owner.workspace).count() == 3
    assert Rating.objects.filter(workspace=other.workspace).count() == 2


def test_credentials_that_are_refused_fail_at_once_and_stay_refused(desk, owner, settings):
    connection = connected(desk, owner, settings, credentials=desk.credentials | {"api_token": "wrong"})

    assert sync()[::2] == (
        1,
        "Zendesk (zendesk): Zendesk does not accept the credentials (401). Put them in again.\n",
    )
    assert len(desk.asked) == 1
    assert sync() == (0, "No helpdesk is connected.\n", "")
    code, _, err = sync("zendesk")
    assert code == 1
    assert "It is refused by the helpdesk" in err
    connection.refresh_from_db()
    assert connection.state == "refused"


def test_unknown_and_ambiguous_names_and_paused_connections(desk, owner, settings):
    assert sync("nowhere") == (2, "", "There is no connection nowhere.")
    connection = connected(desk, owner, settings)
    connections.pause(connection, by=owner)
    assert sync("zendesk")[::2] == (1, "Zendesk (zendesk): It is paused. Resume it, or repeat connect.\n")
    connected(desk, factories.owner(factories.workspace()), settings)
    code, _, err = sync("zendesk")
    assert code == 2
    assert str(connection.pk) in err


def test_webhooks_that_wait_are_worked_off(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=0)
    later = timezone.now() + timedelta(hours=1)
    of_it = {"workspace": owner.workspace, "connection": connection}
    WebhookReceipt.objects.create(
        **of_it, event_id="1", event="rated", conversation_id="1003", next_try_at=later, attempts=3, last_error="500"
    )

    assert sync("zendesk")[::2] == (0, "")

    assert list(Rating.objects.values_list("conversation__external_id", flat=True)) == ["1003"]
    assert WebhookReceipt.objects.get().done_at is not None


def test_what_cannot_be_taken_is_listed(desk, owner, settings):
    answer = desk.answer

    def play(asked):
        told = answer(asked)
        for row in told.body.get("satisfaction_ratings", [])[:1]:
            row["score"] = "purple"
        return told

    desk.answer = play
    connected(desk, owner, settings, backfill_days=3650)

    code, out, err = sync()

    assert code == 0
    assert "7 ratings read, 4 of them" in out
    assert err.count("The score is neither good nor bad.") == 3


def test_who_is_nobody_here_by_hand_is_not_told_of_again(desk, owner, settings):
    connection = connected(desk, owner, settings, backfill_days=3650)
    sync()
    mapping.map_to(HelpdeskAgent.objects.get(name="Ada"), None, by=owner, was=None)

    _, said, _ = sync(str(connection.pk))

    assert "2 of those who answer there stand for nobody here yet." in said
