"""Settings › Model: what it says of each state, what saving, testing and disconnecting do, and what was used."""

import logging
import re
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection as database
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.log import AdminEmailHandler

from coaching import usage
from coaching.actions import connections, sessions
from coaching.coach import model_tests
from coaching.models import ModelConnection, ModelTest, Turn
from tests import factories, model_server

pytestmark = pytest.mark.django_db
FRAGMENT = {"HX-Request-Type": "partial"}
URL = "/settings/model"
KEY = "sk-test-0123456789-WXYZ"
TYPED = {"key": KEY, "base_url": "", "model": "some-model", "effort": "high", "version": "0"}


@pytest.fixture
def client(signed_in, owner):
    return signed_in(owner)


@pytest.fixture
def page(client):
    """A function: -> the page's words, without its tags."""
    return lambda: words(client.get(URL))


def words(response):
    return " ".join(re.sub(r"<[^>]*>", " ", response.content.decode()).split())


def connect(workspace, owner, **fields):
    typed = {"key": KEY, "base_url": "", "model": "some-model", "effort": "", "version": 0}
    return connections.connect(workspace, by=owner, **typed | fields)


# --- What answers


def test_without_a_model_it_says_what_the_practice_model_is(page):
    said = page()

    assert "The practice model , for no model is connected." in said
    assert "Connect a model" in said
    assert "Test connection" not in said
    assert "Disconnect" not in said
    assert "Nobody has asked a coach in the last 14 days." in said


def test_connection_of_the_server_is_named_without_its_address_and_key(page, settings):
    settings.ANTHROPIC_API_KEY, settings.COACH_MODEL = "of-the-server", "servers-model"
    settings.ANTHROPIC_BASE_URL = "http://inside.example:1234"

    said = page()

    assert "servers-model , the connection that whoever runs this server has set" in said
    assert "Test connection" in said
    assert "inside.example" not in said
    assert "of-the-server" not in said


def test_own_connection_is_named_with_the_end_of_its_key_only(page, workspace, owner):
    connect(workspace, owner, base_url="https://models.example.com/proxy", effort="high")

    said = page()

    assert "some-model at models.example.com answers this workspace’s coach" in said
    assert "with the effort “high”" in said
    assert "(ends in …WXYZ; leave this empty to keep it)" in said
    assert KEY[:15] not in said


def test_key_that_cannot_be_read_any_more_is_asked_for(page, workspace, owner, settings):
    connect(workspace, owner)
    settings.FIELD_KEYS = [Fernet.generate_key().decode()]

    said = page()

    assert "The stored key cannot be read any more" in said
    assert "(cannot be read any more, put it in again)" in said
    assert "The practice model , for no model is connected." in said


# --- Saving


def test_saving_is_said_kept_listed_and_tested(client, workspace, owner):
    saved = words(client.post(URL, TYPED, follow=True))
    again = words(client.post(URL, TYPED | {"key": "", "version": "1"}, follow=True))
    client.post(URL, TYPED | {"key": "", "version": "1", "effort": "low", "model": "other"})
    client.post(URL, TYPED | {"version": "2", "key": "sk-test-0123456789-9876", "effort": "low", "model": "other"})
    last = words(client.post(f"{URL}/disconnect", {"version": "3"}, follow=True))

    assert "Saved. The connection is being tested now." in saved
    assert "Nothing was changed; it is being tested." in again
    assert "Disconnected. The key is deleted here" in last
    assert [
        said in last
        for said in (
            f"Disconnected by {owner.user}",
            f"Key replaced by {owner.user}",
            "Model other, before some-model; effort low, before high by",
            "Connected some-model at api.anthropic.com, effort high by",
        )
    ] == [True] * 4
    assert ModelConnection.objects.get().version == 4


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays_but_the_key(client):
    answer = client.post(URL, TYPED | {"base_url": "http://models.example.com"})

    assert (answer.status_code, ModelConnection.objects.count()) == (400, 0)
    assert "Only https addresses are called." in words(answer)
    assert 'value="http://models.example.com"' in answer.content.decode()
    assert 'aria-invalid="true"' in answer.content.decode()
    assert KEY not in answer.content.decode()
    assert "The key you typed is not sent back to the page." in words(answer)


def test_page_that_is_older_than_what_is_stored_changes_nothing(client, workspace, owner):
    connect(workspace, owner)

    answer = client.post(URL, TYPED | {"model": "mine"})
    gone = words(client.post(f"{URL}/disconnect", {"version": "0"}, follow=True))

    assert answer.status_code == 409
    assert "Somebody changed the connection while this page was open, so nothing was saved." in words(answer)
    assert 'value="some-model"' in answer.content.decode()
    assert "Nothing was taken away." in gone
    assert connections.of(workspace.pk).model == "some-model"


def test_key_is_in_no_page_and_no_report_of_a_fault(signed_in, owner, monkeypatch, mailoutbox, settings, caplog):
    settings.ADMINS = [("Operator", "operator@test.example")]
    client = signed_in(owner)
    client.raise_request_exception = False
    monkeypatch.setattr(connections, "stored", lambda workspace: 1 / 0)
    handler = AdminEmailHandler(include_html=True)
    logging.getLogger("django.request").addHandler(handler)

    answer = client.post(URL, TYPED)
    logging.getLogger("django.request").removeHandler(handler)

    assert answer.status_code == 500
    assert "some-model" in mailoutbox[0].body
    told = answer.content.decode() + caplog.text + mailoutbox[0].body + mailoutbox[0].alternatives[0][0]
    assert KEY[:15] not in told


@pytest.mark.parametrize("version", ["", "x", "-1", "9" * 40])
def test_forged_version_is_refused(client, workspace, owner, version):
    connect(workspace, owner)

    assert client.post(URL, TYPED | {"version": version}).status_code in (400, 409)
    assert client.post(f"{URL}/disconnect", {"version": version}).status_code == 302
    assert connections.of(workspace.pk).key == KEY


def test_members_find_neither_the_page_nor_its_link(signed_in, linked_member):
    client = signed_in(linked_member)

    assert [client.get(URL).status_code, client.get(f"{URL}/test").status_code] == [403, 403]
    assert "/settings" not in client.get("/team").content.decode()


def test_practice_model_in_the_coach_panel_leads_here(client, agent):
    assert f'href="{URL}"' in client.get(f"/agents/{agent.pk}/coaching").content.decode()


# --- The test


def test_test_is_followed_from_its_start_to_its_end(client, page, workspace, owner, settings):
    plays = [model_server.text("Yes."), model_server.text("I have no tools.")]
    with model_server.serving(plays) as server:
        settings.OUTBOUND_ALLOW = [server.url.removeprefix("http://")]
        connect(workspace, owner, base_url=server.url)
        waiting = client.get(f"{URL}/test", headers=FRAGMENT).content.decode()
        ModelTest.objects.update(asked_at=timezone.now() - timedelta(minutes=1))
        late = words(client.get(f"{URL}/test", headers=FRAGMENT))
        model_tests.run(ModelTest.objects.get().pk)

    done = client.get(f"{URL}/test", headers=FRAGMENT)
    assert 'data-state="running" hx-get' in waiting
    assert waiting.count("Not yet") == 6
    assert "No worker has taken it yet" in late
    assert 'data-state="failed">' in done.content.decode()
    assert "This model answers but does not use tools; the coach needs them." in words(done)
    assert words(done).count("✓ Works") == 5
    assert "It does not work yet." in page()


def test_result_says_what_it_took_and_that_it_is_about_an_earlier_connection(client, page, workspace, owner):
    connect(workspace, owner)
    tried = connections.tried(workspace)
    checks = [{"check": name, "state": "ok", "sentence": "Fine."} for name in connections.CHECKS]
    took = {"check": "took", "ms": 1234, "tokens": 56}
    ModelTest.objects.update(checks=[tried, *checks, took], finished_at=timezone.now(), next_try_at=None)

    assert "some-model answered in 1,234 ms and used 56 tokens for it." in page()
    assert "The connection was changed since" not in page()
    connect(workspace, owner, version=1, key="", model="other")
    ModelTest.objects.unfinished().delete()

    assert "The connection was changed since; this is about an earlier one." in page()


def test_asking_by_button_asks_once(client, workspace, owner, settings):
    settings.ANTHROPIC_API_KEY = "of-the-server"

    assert client.post(f"{URL}/test")["Location"] == f"{URL}#model-test"
    assert 'data-state="running"' in client.post(f"{URL}/test", headers=FRAGMENT).content.decode()
    assert ModelTest.objects.get().asked_by == owner


# --- What was used


def used(workspace, owner, agent, days_ago, **tokens):
    """A question that was answered so many days ago, and used so much."""
    turn = sessions.ask(factories.session(agent, owner), by=owner, text="Why?")
    ended = {"state": "done", "ended_at": timezone.now() - timedelta(days=days_ago), "next_try_at": None}
    Turn.objects.filter(pk=turn.pk).update(usage=tokens, **ended)
    return turn


def test_usage_is_told_by_day_and_kind_with_the_talks_behind_it(client, page, workspace, owner, agent, settings):
    settings.COACH_DAILY_TOKENS = 10_000
    kinds = {"inputTokens": 100, "outputTokens": 20, "cacheReadTokens": 3000, "cacheCreationTokens": 400}
    most = used(workspace, owner, agent, 0, **kinds, rounds=3, latencyMs=99_999, model="m")
    used(workspace, owner, agent, 0, inputTokens=1)
    used(workspace, owner, agent, 3, inputTokens=7)
    used(workspace, owner, agent, 14, inputTokens=1_000_000)  # too long ago
    sessions.ask(most.session, by=owner, text="And now?")  # not begun yet

    said = page()

    assert "3,521 of 10,000 tokens in 3 questions to the coach." in said
    assert usage.tokens_today(workspace) == 3521  # what the limit counts
    assert "Tokens of the last 14 days: 3,528 in 4 questions." in client.get(URL).content.decode()
    rows = re.findall(r'<tr><th scope="row">.*?</tr>', client.get(URL).content.decode())
    cells = [re.findall(r">([\d,]+)</td>", row) for row in rows]
    assert len(cells) == 14
    assert cells[0] == ["3", "101", "400", "3,000", "20", "3,521"]
    assert cells[3] == ["1", "7", "0", "0", "0", "7"]
    assert f'href="/coach/sessions/{most.session_id}"' in client.get(URL).content.decode()
    assert "3,520 tokens in 2 questions" in said


def test_used_up_tokens_are_said_with_when_it_goes_on(page, workspace, owner, agent, settings):
    settings.COACH_DAILY_TOKENS = 10
    used(workspace, owner, agent, 0, inputTokens=10)

    assert "They are used up: the coach answers again after midnight." in page()


def test_another_workspaces_usage_is_not_told(page, stranger):
    used(stranger.workspace, stranger, factories.ai_agent(stranger.workspace), 0, inputTokens=77)

    assert "0 tokens in 0 questions" in page()


def test_queries_are_as_many_however_much_is_stored(client, workspace, owner, agent):
    def queries():
        with CaptureQueriesContext(
            database,
        ) as seen:
            client.get(URL)
        return len(seen)

    connect(workspace, owner)
    used(workspace, owner, agent, 0, inputTokens=1)
    before = queries()
    for n in range(8):
        connect(workspace, owner, version=n + 1, key="", model=f"model-{n}")
        used(workspace, owner, factories.ai_agent(workspace), n, inputTokens=5, outputTokens=n)

    assert queries() == before
    assert before < 25
