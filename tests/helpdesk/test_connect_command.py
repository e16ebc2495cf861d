"""manage.py connect: a helpdesk without the page."""

import io
import uuid

import pytest
from django.core.management import CommandError, call_command

from helpdesk.actions import connections
from helpdesk.models import ConnectionTest, HelpdeskConnection, HelpdeskSync
from tests.desks.server import serving
from tests.desks.world import small_world
from tests.desks.zendesk import Zendesk

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = ["email=admin@desk.example", "api_token=right", "webhook_secret=whs"]


@pytest.fixture
def desk(settings):
    with serving(Zendesk(small_world())) as desk:
        settings.OUTBOUND_ALLOW = [desk.place]
        yield desk


def connect(*values, workspace, vendor="zendesk", **options):
    """(exit code, lines of the output, what stands on the error stream)."""
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command("connect", vendor, *values, workspace=workspace.slug, stdout=out, stderr=err, **options)
        code = 0
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    except SystemExit as ended:
        code = ended.code
    return code, out.getvalue().splitlines(), err.getvalue()


def test_id_and_webhook_address_stand_alone_on_their_lines(desk, workspace, settings):
    code, lines, err = connect(
        *GIVEN, f"base_url={desk.url}", "backfill_days=90", "source=desk-one", workspace=workspace
    )

    [connection] = HelpdeskConnection.objects.all()
    assert (code, err) == (0, "")
    assert lines[1:] == [str(connection.pk), f"{settings.PUBLIC_URL}/hooks/zendesk/{connection.pk}"]
    assert uuid.UUID(lines[1])
    assert (connection.source, connection.backfill_days, connection.base_url) == ("desk-one", 90, desk.url)
    assert connection.credentials == {"email": "admin@desk.example", "api_token": "right", "webhook_secret": "whs"}
    assert HelpdeskSync.objects.owed().count() == 3


@pytest.mark.parametrize("before", [0, 1, 3])
def test_values_stand_before_and_after_the_workspace(desk, workspace, before):
    told = ["zendesk", *GIVEN[:before], "--workspace", workspace.slug, *GIVEN[before:], f"base_url={desk.url}"]

    call_command("connect", *told, stdout=io.StringIO())

    assert HelpdeskConnection.objects.get().credentials["api_token"] == "right"


def test_what_is_wrong_is_said_field_by_field_and_no_secret_is_repeated(workspace):
    code, lines, err = connect(
        "email=admin@desk.example", "api_tokin=S3CR3T", "base_url=http://127.0.0.1:9", "backfill_days=9999",
        workspace=workspace,
    )  # fmt: skip

    assert (code, lines) == (2, [])
    said = dict(line.split(": ", 1) for line in err.splitlines() if ": " in line)
    assert set(said) == {"base_url", "credentials", "api_token", "backfill_days"}
    assert said["api_token"] == "It is missing."
    assert "S3CR3T" not in err
    assert not HelpdeskConnection.objects.exists()


@pytest.mark.parametrize(
    "values",
    [["S3CR3T"], ["=S3CR3T"], ["email=S3CR3T", "email=b"], ["api_token=@/no/such/S3CR3T"], ["backfill_days=S3CR3T"]],
)
def test_what_cannot_be_understood_is_not_repeated_either(workspace, values):
    code, lines, err = connect(*values, workspace=workspace)

    assert (code, lines) == (2, [])
    assert err
    assert "S3CR3T" not in err


def test_unknown_vendor_and_workspace(workspace):
    assert connect(vendor="abacus", workspace=workspace)[::2] == (
        2,
        "vendor: Unknown helpdesk. Known: " + ", ".join(sorted(connections.VENDORS)) + ".\nNothing was changed.",
    )
    workspace.slug = "nowhere"
    assert connect(workspace=workspace)[0] == 2


def test_secrets_come_from_a_file_or_from_standard_input(desk, workspace, monkeypatch, tmp_path):
    (tmp_path / "token").write_text("right\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("whs\nmore\n"))

    code, _, _ = connect(
        f"base_url={desk.url}", GIVEN[0], f"api_token=@{tmp_path / 'token'}", "webhook_secret=-", workspace=workspace
    )

    assert code == 0
    assert HelpdeskConnection.objects.get().credentials["api_token"] == "right"
    assert HelpdeskConnection.objects.get().credentials["webhook_secret"] == "whs"
    assert connect("webhook_secret=-", workspace=workspace)[0] == 0
    assert HelpdeskConnection.objects.get().credentials["webhook_secret"] == "more"
    assert connect("webhook_secret=-", workspace=workspace)[0] == 2


def test_repeating_it_resumes_and_keeps_what_is_not_given(desk, workspace, owner):
    connect(*GIVEN, f"base_url={desk.url}", workspace=workspace)
    connection = HelpdeskConnection.objects.get()
    connections.pause(connection, by=owner)

    code, lines, _ = connect(workspace=workspace)

    connection.refresh_from_db()
    assert (code, lines[1], connection.state) == (0, str(connection.pk), "active")
    assert connection.credentials["api_token"] == "right"


def test_test_tries_what_is_given_or_stored_and_stores_nothing(desk, workspace):
    code, lines, err = connect(*GIVEN, f"base_url={desk.url}", workspace=workspace, test=True)
    assert (code, err) == (0, "")
    assert lines[0].startswith("ok")
    assert not HelpdeskConnection.objects.exists()

    connect(*GIVEN, f"base_url={desk.url}", workspace=workspace)
    before = HelpdeskConnection.objects.values().get()
    assert connect(workspace=workspace, test=True)[0] == 0
    code, lines, _ = connect("api_token=wrong", workspace=workspace, test=True)

    assert code == 1
    assert lines[-1].startswith("failed")
    assert "does not accept the credentials" in lines[-1]
    assert HelpdeskConnection.objects.values().get() == before
    assert ConnectionTest.objects.count() == 1
