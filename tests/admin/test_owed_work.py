"""Owed work: every kind counted, what fails said with why, tried again or given up, in as many queries for many as for few."""

from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django.asserts import assertRedirects

from agents import work
from agents.back_office import owed_work
from agents.back_office.owed import OwedBack
from agents.models import Member
from coaching.models import (
    Backtest,
    ConfigurationImport,
    ModelTest,
    Reminder,
    Sample,
    SlackPost,
    SlackReceipt,
    Sweep,
    Turn,
)
from helpdesk.models import HelpdeskConnection, HelpdeskSync, TimeZoneChange
from tests import factories
from tests.admin.conftest import furnish

pytestmark = pytest.mark.django_db
URL = "/admin/owed-work/"
KINDS = [pytest.param(model, id=model._meta.label_lower) for model in owed_work.models()]


def fail(rows, error="ConnectionError: no answer", **values):
    """Rows that failed and are tried again in a while."""
    later = timezone.now() + timedelta(minutes=10)
    rows.update(next_try_at=later, attempts=3, last_error=error, **values)


def owed_rows(model, workspace):
    """The rows of a kind in a workspace, each as it is while it owes work."""
    rows = model._default_manager.filter(**{admin.site._registry[model].workspace_path: workspace})
    rows = model._default_manager.filter(pk__in=list(rows.values_list("pk", flat=True)))
    if model is ConfigurationImport:
        rows.update(state="queued", how="proposals")  # what was exported a moment ago has no step to choose
    return rows


def kind_of(response, model):
    return next(kind for kind in response.context["kinds"] if kind.label == model._meta.label_lower)


def send(client, model, does, row=""):
    """Press a button -> what the next page will say of it. That page, which asks for every kind there is, is not loaded."""
    sent = {"kind": model._meta.label_lower, "do": does, "row": str(row and row.pk)}
    response = client.post(URL, sent)
    assertRedirects(response, f"{URL}#{model._meta.label_lower}", fetch_redirect_response=False)
    *_, newest = get_messages(response.wsgi_request)
    return str(newest)


@pytest.mark.parametrize("model", KINDS)
def test_no_kind_is_missing_and_each_says_what_giving_up_means(model):
    back = admin.site._registry[model]

    assert isinstance(back, OwedBack)
    assert back.giving_up.endswith(".")
    assert {"work_owed", "last_error"} <= set(back.list_display)


@pytest.mark.parametrize("model", KINDS)
def test_failing_row_is_shown_with_why_and_tried_again(client, ours, theirs, operator, model):
    fail(owed_rows(model, ours))
    due_elsewhere = owed_rows(model, theirs).filter(next_try_at__isnull=False).count()

    response = client.get(URL)

    shown = kind_of(response, model)
    assert (shown.due, shown.put_off, shown.at_work, shown.failing) == (due_elsewhere, 1, 0, 1)
    assert "ConnectionError: no answer" in response.content.decode()
    row = owed_rows_again(model, ours)
    assert "due now" in send(client, model, "try_again", row)
    row.refresh_from_db()
    assert (row.last_error, row.attempts) == ("", 0)
    assert row.next_try_at <= timezone.now()


@pytest.mark.parametrize("model", KINDS)
def test_row_is_given_up_once_and_owes_nothing_more(client, ours, operator, model):
    fail(owed_rows(model, ours))
    row = owed_rows_again(model, ours)

    assert send(client, model, "give_up", row).startswith("Given up.")
    assert "Nothing was changed." in send(client, model, "give_up", row)

    row.refresh_from_db()
    assert (row.next_try_at, row.claim, row.claimed_until) == (None, None, None)
    assert LogEntry.objects.filter(object_id=str(row.pk), change_message="Give up").count() == 1


def owed_rows_again(model, workspace):
    path = admin.site._registry[model].workspace_path
    return model._default_manager.filter(**{path: workspace}, next_try_at__isnull=False).first()


def test_state_of_what_is_given_up_says_so(client, ours, operator):
    expected = {
        Turn: {"state": "stopped"},
        Sample: {"summary_state": "failed"},
        Backtest: {"state": "stopped"},
        ConfigurationImport: {"state": "failed"},
        SlackPost: {"state": "lost"},
        SlackReceipt: {"payload": None, "outcome": "Given up."},
    }
    for model, values in expected.items():
        fail(owed_rows(model, ours))
        row = owed_rows_again(model, ours)
        send(client, model, "give_up", row)
        row.refresh_from_db()
        assert {name: getattr(row, name) for name in values} == values
    fail(ModelTest.objects.filter(workspace=ours))
    send(client, ModelTest, "give_up", ModelTest.objects.get(workspace=ours))
    assert ModelTest.objects.get(workspace=ours).finished_at is not None


def test_all_failing_of_a_kind_are_tried_again_and_no_others(client, ours, theirs, operator):
    fail(Sample.objects.all())
    fail(Reminder.objects.all())

    assert send(client, Sample, "retry-all") == "2 due now. Workers take them within seconds."
    assert "2 due now." in client.get(URL).content.decode()

    assert Sample.objects.failing().count() == 0
    assert Reminder.objects.failing().count() == 2
    assert LogEntry.objects.count() == 2
    assert "Nothing of this kind fails just now" in send(client, Sample, "retry-all")


def test_row_at_work_is_left_to_its_worker(client, ours, operator):
    sample = Sample.objects.get(workspace=ours)
    work.claim(Sample.objects.all(), sample.pk)

    for does in ("try_again", "give_up"):
        assert "Nothing was changed." in send(client, Sample, does, sample)
    assert "Nothing of this kind fails" in send(client, Sample, "retry-all")

    sample.refresh_from_db()
    assert sample.claimed_until is not None
    assert kind_of(client.get(URL), Sample).at_work == 1


def test_staff_see_count_and_move_only_what_is_theirs(client, ours, theirs, staff):
    fail(Sample.objects.all(), error="Elsewhere failed")
    other = Sample.objects.get(workspace=theirs)

    response = client.get(URL)

    assert [kind_of(response, model).failing for model in (Sample, Sweep)] == [1, 0]
    assert str(other.pk) not in response.content.decode()
    sent = {"kind": "coaching.sample", "do": "try_again", "row": str(other.pk)}
    assert client.post(URL, sent).status_code == 404
    send(client, Sample, "retry-all")
    assert list(Sample.objects.failing()) == [other]


@pytest.mark.parametrize(
    "sent", [{"kind": "agents.user", "do": "retry-all"}, {"kind": "coaching.sample", "do": "x"}, {}]
)
def test_unknown_kind_and_unknown_deed_are_not_there(client, operator, sent):
    assert client.post(URL, sent).status_code == 404


def test_staff_who_lead_nothing_do_not_come_in(client, ours, staff):
    Member.objects.filter(pk=staff.pk).update(role=Member.Role.MEMBER)

    assert [client.get(f"/admin/{page}/").status_code for page in ("owed-work", "connections")] == [403, 403]


def test_pages_ask_the_same_number_of_queries_for_one_workspace_and_for_four(client, operator):
    def queries(page):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(page).status_code == 200
        return len(captured)

    def all_fail():
        for model in (Turn, Sample, Sweep, Reminder, TimeZoneChange):
            fail(model._default_manager.all())

    pages = (URL, "/admin/connections/")
    furnish("Desk 0")
    all_fail()
    client.get("/admin/")
    few = [queries(page) for page in pages]
    for number in range(1, 4):
        furnish(f"Desk {number}")
    all_fail()

    assert [queries(page) for page in pages] == few


def test_connections_tell_the_last_success_and_the_last_failure(client, ours, operator):
    now = timezone.now()
    ended = {"next_try_at": None, "claim": None, "claimed_until": None}
    Turn.objects.filter(workspace=ours).update(state="failed", error="The service refused.", ended_at=now, **ended)
    ModelTest.objects.filter(workspace=ours).update(finished_at=now - timedelta(hours=1), checks=[], next_try_at=None)

    [one] = [each for each in client.get("/admin/connections/").context["connections"] if each.workspace == ours]

    assert (one.workspace, one.model, one.how) == (ours, "Ours-model", "its own, at api.anthropic.com")
    assert (one.succeeded_as, one.failed_as, one.why) == ("a test", "an answer of the coach", "The service refused.")


def desk(workspace, source):
    return HelpdeskConnection.objects.create(workspace=workspace, vendor="zendesk", source=source)


def test_connections_tell_when_a_helpdesk_was_last_read_and_why_it_failed(client, ours, operator):
    now = timezone.now()
    read = desk(ours, "desk-read")
    HelpdeskSync.objects.create(workspace=ours, connection=read, kind="recent", finished_at=now, next_try_at=None)
    broken = desk(ours, "desk-broken")
    HelpdeskSync.objects.create(
        workspace=ours, connection=broken, kind="recent", failed_at=now, last_error="Zendesk did not answer in time."
    )
    desk(factories.workspace(name="Of others"), "desk-of-others")

    response = client.get("/admin/connections/", {"q": ours.name})

    shown = {one.source: (one.read_at, one.broke_at, one.broke_by) for one in response.context["helpdesks"]}
    assert shown["desk-read"] == (now, None, None)
    assert shown["desk-broken"] == (None, now, "Zendesk did not answer in time.")
    assert "desk-of-others" not in shown
    assert "did not answer in time" in response.content.decode()


def test_connections_tell_where_coaches_are_in_slack_and_what_is_wrong(client, ours, operator):
    agent = ours.agents.get(kind="ai")
    refused = factories.slack_connection(ours, state="refused", state_reason="The bot's token was revoked.")
    factories.slack_trigger(refused, agent)
    factories.slack_trigger(refused, agent, state="removed")
    factories.slack_connection(factories.workspace(name="Of others"), team_name="Of others in Slack")

    response = client.get("/admin/connections/", {"q": ours.name})

    shown = {one.pk: (one.n_coaches, one.state_reason) for one in response.context["slack"]}
    assert shown[refused.pk] == (1, "The bot's token was revoked.")
    assert "Of others in Slack" not in response.content.decode()
