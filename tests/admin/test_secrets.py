"""What opens a door is on no page of the back office: not in a field, an address, a list, the log or a filter's answer."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.hashers import make_password
from django.urls import reverse
from django.utils import timezone

from agents.models import ApiToken, BrowserSession, IdempotentAnswer, Invitation, User
from coaching.models import CalendarFeed, ModelConnection, SlackConnection, SlackInstallation, SlackPolicy
from helpdesk.models import HelpdeskConnection
from tests.admin.conftest import registered
from tests.admin.test_scope import address, called

pytestmark = pytest.mark.django_db

MARK = "S3CR3T"
TOKEN, KEY = f"{MARK}-token-hash", f"{MARK}-model-key-9f3c"
SESSION, INSIDE = f"{MARK.lower()}sessionkey0001", f"{MARK}-session-data"
NUMBERS = ("7340117", "7340118")  # what calendar addresses and invitations are signed from


@pytest.fixture
def secret(ours, operator):
    """A recognisable secret in every column that holds one."""
    tomorrow = timezone.now() + timedelta(days=1)
    ApiToken.objects.filter(workspace=ours).update(hash=TOKEN)
    ModelConnection.objects.filter(workspace=ours).update(key=KEY, key_tail="9f3c")
    HelpdeskConnection.objects.filter(workspace=ours).update(secrets=f'{{"api_token": "{MARK}-desk"}}')
    slack = {name: f"{MARK}-{name}" for name in ("bot_token", "signing_secret", "app_token")}
    SlackConnection.objects.filter(workspace=ours).update(**slack)
    SlackPolicy.objects.filter(workspace=ours).update(flags_webhook=f"https://hooks.slack.com/{MARK}")
    SlackInstallation.objects.filter(workspace=ours).update(state_hash=f"{MARK}-state-hash")
    User.objects.filter(memberships__workspace=ours).update(password=make_password(None)[:1] + MARK + "-password-hash")
    member = ours.members.first()
    BrowserSession.objects.filter(user=member.user).delete()
    BrowserSession.objects.create(
        session_key=SESSION, session_data=INSIDE, user=member.user, expire_date=tomorrow, browser="A browser"
    )
    IdempotentAnswer.objects.create(
        workspace=ours, member=member, key=f"{MARK}-key", request_hash="x", body={"a": f"{MARK}-body"}
    )
    assert CalendarFeed.objects.filter(number=NUMBERS[0]).exists()
    assert Invitation.objects.filter(number=NUMBERS[1]).exists()


def found(response):
    """Which secrets stand in an answer, in its words or in where it leads to."""
    html = response.content.decode() + response.get("Location", "")
    words = {MARK, MARK.lower(), *NUMBERS}
    return sorted(word for word in words if word in html)


def test_no_page_of_the_back_office_shows_a_secret(client, secret):
    seen = 0
    for param in registered():
        back = param.values[0]
        answers = [client.get(address(back, "changelist")), client.get(address(back, "changelist"), {"q": "Ours"})]
        for row in back.model._default_manager.all()[:5]:
            for page in ("change", "history"):
                answers.append(client.get(address(back, page, called(row))))
        assert [(param.id, found(answer)) for answer in answers] == [(param.id, [])] * len(answers)
        assert {answer.status_code for answer in answers} == {200}
        seen += len(answers)
    assert seen > 100


@pytest.mark.parametrize("name", ["index", "owed-work", "connections"])
def test_no_page_beside_the_lists_shows_a_secret(client, secret, name):
    answer = client.get(reverse(f"admin:{name}"))

    assert (answer.status_code, found(answer)) == (200, [])


def test_session_that_is_ended_leaves_its_key_nowhere(client, secret):
    row = BrowserSession.objects.get(session_key=SESSION)
    page = f"/admin/agents/browsersession/{row.id}/change/"

    answer = client.post(page, {"_button": "end"}, follow=True)

    assert not BrowserSession.objects.filter(session_key=SESSION).exists()
    assert "Signed out there" in answer.content.decode()
    assert found(client.get("/admin/")) == []


def test_session_is_not_found_by_its_key(client, secret):
    assert client.get(f"/admin/agents/browsersession/{SESSION}/change/").status_code == 404
    assert client.get("/admin/agents/browsersession/", {"q": SESSION}).context["cl"].result_count == 0


@pytest.mark.parametrize(
    "asked",
    [
        "agents/apitoken/?hash__startswith=S3",
        "coaching/modelconnection/?key__startswith=S3",
        "helpdesk/helpdeskconnection/?secrets__contains=S3",
        "coaching/slackconnection/?bot_token__contains=S3",
        "coaching/slacktrigger/?connection__app_token__contains=S3",
        "coaching/slackinstallation/?state_hash__startswith=S3",
        "helpdesk/helpdesksync/?connection__secrets__contains=S3",
        "agents/browsersession/?session_key__startswith=s3",
        "agents/user/?password__contains=S3",
        "coaching/calendarfeed/?number=7340117",
        "agents/browsersession/?user__password__contains=S3",
    ],
)
def test_secret_cannot_be_guessed_by_filtering(client, secret, asked):
    answer = client.get(f"/admin/{asked}")

    assert answer.status_code in (302, 400)
    assert not re.search(r"\b1 in this list", answer.content.decode())
