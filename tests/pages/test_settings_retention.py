"""Settings › Retention: what is kept of each AI agent's conversations, set one by one or alike, and what goes next."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, IdempotentAnswer
from agents.tasks import forget_sessions
from helpdesk import tasks
from helpdesk.models import StoredTranscript
from tests import factories

pytestmark = pytest.mark.django_db
URL = "/settings/retention"


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


def stored(agent, *, days=30, masked=True):
    talk = factories.conversation(agent, source="api")
    at = timezone.now() + timedelta(days=days)
    return StoredTranscript.objects.create(
        workspace=agent.workspace,
        conversation=talk,
        turns=[{"role": "customer", "text": "Hi"}],
        masked=masked,
        delete_at=at,
    )


def row(agent, mode="masked", days="90"):
    return {"agent": [str(agent.pk)], f"{agent.pk}-storage_mode": mode, f"{agent.pk}-retention_days": days}


def alike(mode="masked", days="90"):
    return {"all": "1", "all-storage_mode": mode, "all-retention_days": days}


def kept(agent):
    agent.refresh_from_db()
    return agent.storage_mode, agent.retention_days


def test_workspace_without_ai_agents_says_so(client, workspace):
    factories.human(workspace)

    assert "This workspace has no AI agent yet." in client.get(URL).content.decode()


def test_rows_that_were_changed_are_stored(client, workspace, agent):
    other = factories.ai_agent(workspace)

    response = client.post(URL, row(agent, "full", "14") | row(other) | {"agent": [agent.pk, other.pk]}, follow=True)

    assert (kept(agent), kept(other)) == (("full", 14), ("masked", 90))
    assert "Saved for 1 AI agent." in response.content.decode()


def test_all_are_set_alike_and_people_are_left_alone(client, workspace, agent):
    person = factories.human(workspace)
    other = factories.ai_agent(workspace, storage_mode="full", retention_days=10)

    client.post(URL, alike("masked", "30"))

    assert [kept(one) for one in (agent, other, person)] == [("masked", 30), ("masked", 30), ("masked", 90)]


@pytest.mark.parametrize(
    ("mode", "days"), [("masked", "0"), ("masked", "3651"), ("masked", "x"), ("masked", ""), ("some", "30")]
)
def test_what_cannot_be_is_refused_beside_its_field(client, agent, mode, days):
    factories.ai_agent(agent.workspace)

    each, together = client.post(URL, row(agent, mode, days)), client.post(URL, alike(mode, days))

    assert (each.status_code, together.status_code) == (400, 400)
    for html in (each.content.decode(), together.content.decode()):
        assert "Between 1 and 3,650 days." in html or "Choose what is kept." in html
        assert "Nothing was saved; what you typed is still here." in html
    assert kept(agent) == ("masked", 90)


def test_transcripts_are_not_deleted_before_somebody_says_so(client, agent):
    stored(agent), stored(agent)
    factories.ai_agent(agent.workspace)

    for sent in (row(agent, "summary_only"), alike("summary_only")):
        response = client.post(URL, sent)
        html = " ".join(response.content.decode().split())
        assert 'This deletes <span class="num strong">2</span> stored transcripts within the hour, for good.' in html
        assert kept(agent) == ("masked", 90)

    client.post(URL, row(agent, "summary_only") | {"sure": "1"})
    assert kept(agent) == ("summary_only", 90)


def test_agents_of_others_and_people_are_not_changed(client, workspace, stranger):
    theirs, person = factories.ai_agent(stranger.workspace), factories.human(workspace)

    client.post(URL, row(theirs, "full", "5") | {"agent": [theirs.pk, "x", "../"]})
    client.post(URL, row(person, "full", "5"))

    assert (kept(theirs), kept(person)) == (("masked", 90), ("masked", 90))


def test_page_tells_what_the_next_clean_up_does_and_it_does_it(client, agent):
    stored(agent), stored(agent, masked=False)
    stored(agent, days=-1)
    emptied = factories.ai_agent(agent.workspace, storage_mode=Agent.Storage.SUMMARY_ONLY)
    stored(emptied)

    response = client.get(URL)
    tasks.delete_expired_transcripts()

    told = response.context
    assert (told["n_stored"], told["n_next"], told["n_to_mask"]) == (4, 2, 1)
    assert StoredTranscript.objects.count() == 2
    assert StoredTranscript.objects.filter(masked=False).count() == 0
    assert [(one.agent, one.n_stored) for one in told["rows"]] == sorted(
        [(agent, 3), (emptied, 1)], key=lambda one: one[0].name
    )


def test_clean_up_forgets_answers_to_scripts_after_a_day(owner):
    for hours in (23, 25):
        IdempotentAnswer.objects.create(
            workspace=owner.workspace,
            member=owner,
            key=f"{hours} hours old",
            request_hash="x",
            created_at=timezone.now() - timedelta(hours=hours),
        )

    forget_sessions()

    assert [one.key for one in IdempotentAnswer.objects.all()] == ["23 hours old"]


def test_page_asks_as_many_queries_for_many_agents_as_for_few(client, workspace, agent):
    def queries(address=URL):
        with CaptureQueriesContext(connection) as captured:
            assert client.get(address).status_code == 200
        return len(captured)

    factories.ai_agent(workspace)
    few = queries()
    Agent.objects.bulk_create(Agent(workspace=workspace, name=f"Helper {n:02}", kind="ai") for n in range(60))

    assert queries() == few
    assert [len(client.get(f"{URL}?page={page}").context["rows"]) for page in (1, 2, 99)] == [50, 12, 12]
    assert client.get(f"{URL}?page=x").context["number"] == 1
